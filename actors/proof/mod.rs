//! Proving a template in real sandboxes: what it promises, for every seed tried.

mod battery;
#[cfg(test)]
mod tests;

use crate::agent::Scaffold;
use crate::model::{
    ChatReply, CheckResult, Fault, FaultOwner, FinishReason, MoveAction, NamedSolution,
    SandboxSpec, ScriptedMove, Task, Usage, Verdict,
};
use crate::pool::{PoolHandle, SandboxLease};
use crate::ports::StoredCopy;
use crate::task::{Template, TemplateError};
use crate::work::trajectory::{
    ActionLimits, milestone_potential, missing_programs, provision_task, run_action, verify_copy,
};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What a proof works with.
#[derive(Clone)]
pub struct TemplateProver {
    pub pool: PoolHandle,
    pub spec: Arc<SandboxSpec>,
    pub scaffold: Arc<dyn Scaffold>,
    /// Try the engine's own cheats as well.
    pub tries_battery: bool,
}

/// A template under one seed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeedProof {
    pub digest: String,
    pub turns: u32,
    /// What does not hold; empty for a proven template.
    pub problems: Vec<String>,
    /// Why there is no task to try; none for one that was tried.
    pub unusable: Option<TemplateError>,
}

/// A run of some moves: how far they came.
struct ScriptedRun {
    verdict: Verdict,
    again: Verdict,
    potential: f64,
    problem: Option<String>,
    /// The final workspace.
    copy: Arc<dyn StoredCopy>,
}

impl TemplateProver {
    /// Tries everything a template promises under one seed. A fault of the host is an
    /// error, never a finding.
    pub async fn prove(&self, template: &Template, seed: u64) -> Result<SeedProof, Fault> {
        let rendered = template.task(seed, 0).and_then(|a| template.task(seed, 0).map(|b| (a, b)));
        let (task, twin) = match rendered {
            Ok(pair) => pair,
            Err(error) => {
                return Ok(SeedProof { unusable: Some(error), ..SeedProof::default() });
            }
        };
        self.for_task(&task).prove_task(&task, &twin).await
    }

    /// The prover whose sandboxes have what the task states. There is no campaign that could grant
    /// less.
    fn for_task(&self, task: &Task) -> Self {
        let limits = task.resources.stated(&self.spec.limits);
        let spec = SandboxSpec { limits, ..SandboxSpec::clone(&self.spec) };
        Self { spec: Arc::new(spec), ..self.clone() }
    }

    /// Tries everything that a task promises. `twin` is the same task, rendered once more.
    async fn prove_task(&self, task: &Task, twin: &Task) -> Result<SeedProof, Fault> {
        let mut proof = SeedProof {
            digest: task.cluster.clone(),
            turns: u32::try_from(task.solution.len() + 1).unwrap_or(u32::MAX),
            ..SeedProof::default()
        };
        if task != twin {
            proof.problems.push("rendering the template twice gives different bytes".to_owned());
        }
        self.shape(task, &mut proof);
        let lacking = self.lacking(task).await?;
        if !lacking.is_empty() {
            proof.problems.extend(lacking);
            return Ok(proof);
        }
        match self.behaviour(task, &mut proof).await {
            Err(fault) if fault.kind.policy().owner == FaultOwner::Template => {
                proof.problems.push(fault.message);
            }
            Err(fault) => return Err(fault),
            Ok(()) => {}
        }
        Ok(proof)
    }

    /// What the sandbox lacks of what the template requires: without it nothing is proven.
    async fn lacking(&self, task: &Task) -> Result<Vec<String>, Fault> {
        let wanted: BTreeSet<&str> = task.requires.iter().map(String::as_str).collect();
        let missing = missing_programs(&self.pool, &self.spec, &wanted).await?;
        let lacks = wanted.into_iter().filter(|program| missing.contains(*program));
        Ok(lacks
            .map(|program| {
                format!("the template requires {program}, but the sandbox lacks this program")
            })
            .collect())
    }

    fn shape(&self, task: &Task, proof: &mut SeedProof) {
        let (min, max) = task.expected_steps;
        if proof.turns < min || proof.turns > max {
            let turns = proof.turns;
            proof.problems.push(format!(
                "the oracle takes {turns} turns, outside expected_steps {min} to {max}"
            ));
        }
        if task.verification.cheats.is_empty() {
            proof
                .problems
                .push("the template has no cheat, so nothing shows that it resists one".to_owned());
        }
    }

    async fn behaviour(&self, task: &Task, proof: &mut SeedProof) -> Result<(), Fault> {
        let nothing = self.play(task, &[]).await?;
        if nothing.verdict.passed {
            proof.problems.push("doing nothing solves the task".to_owned());
        }
        if nothing.potential > 0.0 {
            let potential = nothing.potential;
            proof.problems.push(format!("milestones worth {potential} hold at the start"));
        }
        let oracle = self.play(task, &task.solution).await?;
        self.judge_oracle(task, &oracle, proof);
        self.judge_alternatives(task, proof).await?;
        let mut unfailed = passed_checks(&nothing.verdict);
        self.try_cheats(task, &task.verification.cheats, "the cheat", &mut unfailed, proof).await?;
        if self.tries_battery {
            let solved = oracle.copy.load().await?;
            let cheats = battery::cheats(task, &solved);
            drop(solved);
            let whose = "the engine's cheat";
            self.try_cheats(task, &cheats, whose, &mut unfailed, proof).await?;
        }
        self.judge_faults(task, &mut unfailed, proof).await?;
        // Where the whole is not proof against nothing, that has been told.
        if !nothing.verdict.passed {
            proof.problems.extend(unfailed.iter().map(|name| {
                format!(
                    "the check {name:?} proves nothing: it passes for doing nothing and for every cheat"
                )
            }));
        }
        Ok(())
    }

    /// Plays cheats. None may solve the task. A check that some cheat fails is no longer `unfailed`.
    async fn try_cheats(
        &self,
        task: &Task,
        cheats: &[NamedSolution],
        whose: &str,
        unfailed: &mut Vec<String>,
        proof: &mut SeedProof,
    ) -> Result<(), Fault> {
        for cheat in cheats {
            let cheated = self.play(task, &cheat.moves).await?;
            if cheated.verdict.passed {
                proof.problems.push(format!("{whose} {:?} solves the task", cheat.name));
            }
            let passed = passed_checks(&cheated.verdict);
            unfailed.retain(|name| passed.contains(name));
        }
        Ok(())
    }

    /// Each alternative must solve the task as well.
    async fn judge_alternatives(&self, task: &Task, proof: &mut SeedProof) -> Result<(), Fault> {
        for alternative in &task.alternatives {
            let run = self.play(task, &alternative.moves).await?;
            let name = &alternative.name;
            if let Some(problem) = &run.problem {
                proof.problems.push(format!("the alternative {name:?}: {problem}"));
            }
            if !run.verdict.passed {
                let failed = failed_checks(&run.verdict.checks);
                proof
                    .problems
                    .push(format!("the alternative {name:?} does not solve the task: {failed}"));
            }
        }
        Ok(())
    }

    /// The work of the oracle with one fault put back must not pass. A fault whose place the oracle has
    /// rewritten cannot be put back; it says nothing.
    async fn judge_faults(
        &self,
        task: &Task,
        unfailed: &mut Vec<String>,
        proof: &mut SeedProof,
    ) -> Result<(), Fault> {
        for fault in &task.faults {
            let mut moves = task.solution.clone();
            moves.push(fault.put_back());
            let run = self.play(task, &moves).await?;
            let passed = passed_checks(&run.verdict);
            unfailed.retain(|name| passed.contains(name));
            if run.problem.is_none() && run.verdict.passed {
                let (name, variant) = (&fault.name, &fault.variant);
                proof.problems.push(format!(
                    "the fault {name:?} ({variant}) put back into the oracle's work solves the task"
                ));
            }
        }
        Ok(())
    }

    fn judge_oracle(&self, task: &Task, oracle: &ScriptedRun, proof: &mut SeedProof) {
        if let Some(problem) = &oracle.problem {
            proof.problems.push(problem.clone());
        }
        if !oracle.verdict.passed {
            let failed = failed_checks(&oracle.verdict.checks);
            proof.problems.push(format!("the oracle does not solve the task: {failed}"));
        }
        // Two verdicts may be reached in different places.
        if oracle.verdict.checks != oracle.again.checks || oracle.verdict.flaky {
            proof.problems.push("two verifications give different results".to_owned());
        }
        let whole: f64 = task.verification.milestones.iter().map(|m| m.weight).sum();
        if (oracle.potential - whole).abs() > 1e-9 {
            let reached = oracle.potential;
            proof
                .problems
                .push(format!("the oracle reaches milestones worth {reached} of {whole}"));
        }
    }

    async fn play(&self, task: &Task, moves: &[ScriptedMove]) -> Result<ScriptedRun, Fault> {
        let mut lease = provision_task(&self.pool, task, &self.spec).await?;
        let problem = self.perform(&mut lease, moves).await?;
        let potential = milestone_potential(&self.pool, task, &self.spec, lease.sandbox()).await?;
        let snapshot = Arc::new(lease.sandbox().pack(true).await?);
        drop(lease);
        let copy = self.pool.store_copy(snapshot).await;
        let verdict = verify_copy(&self.pool, task, &self.spec, &copy).await?;
        // Only a success needs the second look: it is the claim.
        let again = match verdict.passed {
            true => verify_copy(&self.pool, task, &self.spec, &copy).await?,
            false => verdict.clone(),
        };
        Ok(ScriptedRun { verdict, again, potential, problem, copy })
    }

    /// Runs moves as an agent would; an edit that does not apply is trouble.
    async fn perform(
        &self,
        lease: &mut SandboxLease,
        moves: &[ScriptedMove],
    ) -> Result<Option<String>, Fault> {
        let mut tools = self.scaffold.tools();
        let time = self.spec.limits.command_timeout;
        let limits = ActionLimits { operation: time, left: time };
        for (at, step) in moves.iter().enumerate() {
            let message = self.scaffold.express(&step.think, &step.action, at as u32);
            let (finish, usage) = (FinishReason::ToolCalls, Usage::default());
            let reply = ChatReply::new(message, finish, usage);
            let calls = match self.scaffold.parse(&reply) {
                Ok(calls) => calls,
                Err(error) => return Ok(Some(format!("step {}: {error}", at + 1))),
            };
            let must_succeed = !matches!(step.action, MoveAction::Run(_));
            for call in &calls {
                let done = run_action(lease.sandbox(), &mut tools, call, limits).await?;
                let ended = done.action.end.as_ref();
                let failed = ended.is_some_and(|end| !end.success()) || done.action.error.is_some();
                if must_succeed && failed {
                    let why = done.diagnostics;
                    return Ok(Some(format!("step {} does not apply: {}", at + 1, why.trim())));
                }
            }
        }
        Ok(None)
    }
}

fn passed_checks(verdict: &Verdict) -> Vec<String> {
    verdict.checks.iter().filter(|check| check.passed).map(|check| check.name.clone()).collect()
}

fn failed_checks(checks: &[CheckResult]) -> String {
    let failed: Vec<String> = checks
        .iter()
        .filter(|check| !check.passed)
        .map(|check| match check.output.trim() {
            "" => check.name.clone(),
            output => format!("{} ({output})", check.name),
        })
        .collect();
    failed.join(", ")
}
