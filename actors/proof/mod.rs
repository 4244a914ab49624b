//! Proving a template in real sandboxes: what it promises, for every seed tried.

mod battery;
#[cfg(test)]
mod tests;

use crate::agent::{Scaffold, Toolbox};
use crate::model::{
    ChatReply, CheckResult, Fault, FaultOwner, FinishReason, MoveAction, NamedSolution,
    SandboxSpec, ScriptedMove, Task, Usage, Verdict, digest_of, staged_moves,
};
use crate::pool::{PoolHandle, SandboxLease};
use crate::ports::{Sandbox, StoredCopy};
use crate::task::{Template, TemplateError};
use crate::work::trajectory::{
    ActionLimits, milestone_potential, missing_programs, provision_task, run_action, verify_copy,
};
use serde::Serialize;
use std::collections::BTreeSet;
use std::ops::RangeInclusive;
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

/// What the oracle's moves of one seed do to the tasks of other seeds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ReplayProof {
    /// Tasks of other seeds on which the moves were played.
    pub tries: u32,
    /// Those of them that they solved.
    pub solved: u32,
}

impl ReplayProof {
    /// Of so many tasks, less than one may be solved.
    const ONE_OF: u32 = 20;

    /// Whether the moves solve less than 5 % of the other tasks.
    pub fn holds(self) -> bool {
        self.solved == 0 || self.solved.saturating_mul(Self::ONE_OF) < self.tries
    }
}

/// What to do at a move that does not apply.
#[derive(Clone, Copy, PartialEq, Eq)]
enum MoveRule {
    /// The moves after it are not made.
    Stop,
    /// The moves after it are made.
    Skip,
    /// The run ends, and nothing of it is judged.
    End,
}

/// A run of some moves: how far they came in each part of the task that they reached.
struct ScriptedRun {
    /// Of the stages, in their order, or the whole of a task without stages.
    parts: Vec<PlayedPart>,
    /// The first move that did not apply.
    problem: Option<String>,
}

/// One part of a task as some moves left it.
struct PlayedPart {
    /// The name of the stage; none for the whole of a task without stages.
    stage: Option<String>,
    verdict: Verdict,
    again: Verdict,
    potential: f64,
    /// The workspace at the end of the part.
    copy: Arc<dyn StoredCopy>,
}

impl ScriptedRun {
    /// Whether every part that was judged is solved.
    fn is_solved(&self) -> bool {
        self.parts.iter().all(|part| part.verdict.passed)
    }

    /// The checks with these results, by their names in the whole task.
    fn checks(&self, passed: bool) -> Vec<String> {
        let of_part = |part: &PlayedPart| -> Vec<String> {
            let checks = part.verdict.checks.iter().filter(|check| check.passed == passed);
            checks.map(|check| part.full_name(&check.name)).collect()
        };
        self.parts.iter().flat_map(of_part).collect()
    }

    /// The failed checks with what they said.
    fn failures(&self) -> String {
        let failed = self.parts.iter().flat_map(|part| {
            let failed = part.verdict.checks.iter().filter(|check| !check.passed);
            failed.map(move |check| told(part.full_name(&check.name), check))
        });
        failed.collect::<Vec<_>>().join(", ")
    }
}

impl PlayedPart {
    /// What was to be solved, in words.
    fn what(&self) -> String {
        self.stage.as_ref().map_or("the task".to_owned(), |stage| format!("the stage {stage:?}"))
    }

    /// The name in the whole task of something in this part.
    fn full_name(&self, name: &str) -> String {
        self.stage.as_ref().map_or(name.to_owned(), |stage| format!("{stage}/{name}"))
    }
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
        // The oracle is held against what the author says, also where other agents were measured.
        let declared = (template.expected_steps.min, template.expected_steps.max);
        let task = Task { expected_steps: declared, ..task };
        let twin = Task { expected_steps: declared, ..twin };
        self.for_task(&task).prove_task(&task, &twin).await
    }

    /// Plays the oracle's moves of one seed on the tasks of other seeds. Whoever solves those as well
    /// needs no look at the task. A move that does not apply is left out.
    pub async fn replay(
        &self,
        template: &Template,
        seed: u64,
        others: RangeInclusive<u64>,
    ) -> Result<ReplayProof, Fault> {
        let mut proof = ReplayProof::default();
        let Ok(task) = template.task(seed, 0) else { return Ok(proof) };
        for other in others {
            // A task that cannot be rendered is no proof of anything; the proof of its seed tells it.
            let Ok(other) = template.task(other, 0) else { continue };
            // The same work under another seed is no other task.
            if other.cluster == task.cluster {
                continue;
            }
            if let Some(solved) = self.for_task(&other).try_moves(&other, &task.solution).await? {
                proof.tries += 1;
                proof.solved += u32::from(solved);
            }
        }
        Ok(proof)
    }

    /// Whether moves solve the whole task of a seed. A move that does not apply is left out. None if the
    /// task cannot be tried.
    pub async fn solves(
        &self,
        template: &Template,
        seed: u64,
        moves: &[ScriptedMove],
    ) -> Result<Option<bool>, Fault> {
        let Ok(task) = template.task(seed, 0) else { return Ok(None) };
        self.for_task(&task).try_moves(&task, moves).await
    }

    /// Whether moves solve a task: each of its stages, if it has any. None if it cannot be tried.
    async fn try_moves(&self, task: &Task, moves: &[ScriptedMove]) -> Result<Option<bool>, Fault> {
        let parts = task.stages.len().max(1);
        match self.play_moves(task, moves, 0, MoveRule::Skip).await {
            Ok(run) => Ok(Some(run.parts.len() >= parts && run.is_solved())),
            Err(fault) if fault.kind.policy().owner == FaultOwner::Template => Ok(None),
            Err(fault) => Err(fault),
        }
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
            digest: work_of(task),
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
            return;
        }
        for stage in task.stages.iter().filter(|stage| stage.verification.cheats.is_empty()) {
            let name = &stage.name;
            proof.problems.push(format!(
                "the stage {name:?} has no cheat, so nothing shows that it resists one"
            ));
        }
    }

    async fn behaviour(&self, task: &Task, proof: &mut SeedProof) -> Result<(), Fault> {
        let nothing = self.judge_nothing(task, proof).await?;
        let oracle = self.play(task, &task.solution).await?;
        self.judge_oracle(&oracle, task, proof);
        self.judge_alternatives(task, proof).await?;
        let mut unfailed = nothing.checks(true);
        self.try_cheats(task, &task.verification.cheats, "the cheat", &mut unfailed, proof).await?;
        if self.tries_battery {
            let cheats = battery_cheats(task, &oracle).await?;
            let whose = "the engine's cheat";
            self.try_cheats(task, &cheats, whose, &mut unfailed, proof).await?;
        }
        self.judge_faults(task, &mut unfailed, proof).await?;
        // Where the whole is not proof against nothing, that has been told.
        if !nothing.is_solved() {
            proof.problems.extend(unfailed.iter().map(|name| {
                format!(
                    "the check {name:?} proves nothing: it passes for doing nothing and for every cheat"
                )
            }));
        }
        Ok(())
    }

    /// Doing nothing must solve no part, and no milestone may hold at the start: neither if nothing is
    /// ever done, nor after the oracle's work in the stages before.
    async fn judge_nothing(
        &self,
        task: &Task,
        proof: &mut SeedProof,
    ) -> Result<ScriptedRun, Fault> {
        let idle = vec![submission(); task.stages.len().saturating_sub(1)];
        let nothing = self.play(task, &idle).await?;
        nothing.parts.iter().for_each(|part| judge_idle(part, "", proof));
        for stage in 1..task.stages.len() {
            let late = self.play_last(task, &staged_moves(&task.stages[..stage], &[])).await?;
            let after = " after the oracle's work in the stages before";
            late.parts.iter().for_each(|part| judge_idle(part, after, proof));
        }
        Ok(nothing)
    }

    /// Plays cheats. None may solve its part, which is the last one that it reaches. A check that some
    /// cheat fails is no longer `unfailed`.
    async fn try_cheats(
        &self,
        task: &Task,
        cheats: &[NamedSolution],
        whose: &str,
        unfailed: &mut Vec<String>,
        proof: &mut SeedProof,
    ) -> Result<(), Fault> {
        for cheat in cheats {
            let cheated = self.play_last(task, &cheat.moves).await?;
            for part in cheated.parts.iter().filter(|part| part.verdict.passed) {
                let what = part.what();
                proof.problems.push(format!("{whose} {:?} solves {what}", cheat.name));
            }
            remove_failed(unfailed, &cheated);
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
            if !run.is_solved() {
                let failed = run.failures();
                proof
                    .problems
                    .push(format!("the alternative {name:?} does not solve the task: {failed}"));
            }
        }
        Ok(())
    }

    /// The work of the oracle with one fault put back must not pass. In a task with stages, it is put
    /// back at the end of the first one in which that is possible. A fault whose place the oracle has
    /// rewritten cannot be put back; it says nothing.
    async fn judge_faults(
        &self,
        task: &Task,
        unfailed: &mut Vec<String>,
        proof: &mut SeedProof,
    ) -> Result<(), Fault> {
        for fault in &task.faults {
            for stage in 0..task.stages.len().max(1) {
                let moves = with_move(&task.solution, stage, fault.put_back());
                let run = self.play_moves(task, &moves, 0, MoveRule::End).await?;
                if run.problem.is_some() {
                    continue;
                }
                remove_failed(unfailed, &run);
                if run.is_solved() {
                    let (name, variant) = (&fault.name, &fault.variant);
                    proof.problems.push(format!(
                        "the fault {name:?} ({variant}) put back into the oracle's work solves the task"
                    ));
                }
                break;
            }
        }
        Ok(())
    }

    fn judge_oracle(&self, oracle: &ScriptedRun, task: &Task, proof: &mut SeedProof) {
        proof.problems.extend(oracle.problem.clone());
        if !oracle.is_solved() {
            let failed = oracle.failures();
            proof.problems.push(format!("the oracle does not solve the task: {failed}"));
        }
        for (at, part) in oracle.parts.iter().enumerate() {
            // Two verdicts may be reached in different places.
            if part.verdict.checks != part.again.checks || part.verdict.flaky {
                let of_stage = part.stage.as_ref().map(|stage| format!(" of {stage:?}"));
                let of_stage = of_stage.unwrap_or_default();
                proof.problems.push(format!("two verifications{of_stage} give different results"));
            }
            let stage = task.stages.get(at).map(|stage| &stage.verification);
            let milestones = &stage.unwrap_or(&task.verification).milestones;
            let whole: f64 = milestones.iter().map(|m| m.weight).sum();
            if (part.potential - whole).abs() > 1e-9 {
                let reached = part.potential;
                let in_stage = part.stage.as_ref().map(|stage| format!(" in {stage:?}"));
                let in_stage = in_stage.unwrap_or_default();
                proof.problems.push(format!(
                    "the oracle reaches milestones worth {reached} of {whole}{in_stage}"
                ));
            }
        }
    }

    /// Plays moves and judges every part that they reach. A submission among them ends a stage.
    async fn play(&self, task: &Task, moves: &[ScriptedMove]) -> Result<ScriptedRun, Fault> {
        self.play_from(task, moves, 0).await
    }

    /// Plays moves and judges the last part that they reach.
    async fn play_last(&self, task: &Task, moves: &[ScriptedMove]) -> Result<ScriptedRun, Fault> {
        let submissions = moves.iter().filter(|step| step.action == MoveAction::Submit);
        self.play_from(task, moves, submissions.count()).await
    }

    /// Plays moves and judges the parts from the one with the number `first` on.
    async fn play_from(
        &self,
        task: &Task,
        moves: &[ScriptedMove],
        first: usize,
    ) -> Result<ScriptedRun, Fault> {
        self.play_moves(task, moves, first, MoveRule::Stop).await
    }

    /// Plays moves and judges the parts from the one with the number `first` on.
    async fn play_moves(
        &self,
        task: &Task,
        moves: &[ScriptedMove],
        first: usize,
        rule: MoveRule,
    ) -> Result<ScriptedRun, Fault> {
        let mut lease = provision_task(&self.pool, task, &self.spec).await?;
        let mut tools = self.scaffold.tools();
        let (mut problem, mut left) = (None, Vec::new());
        let mut parts =
            moves.split(|step| step.action == MoveAction::Submit).enumerate().peekable();
        while let Some((at, moves)) = parts.next() {
            let found = match rule {
                MoveRule::Stop | MoveRule::End => {
                    self.perform(&mut lease, &mut tools, moves).await?
                }
                MoveRule::Skip => self.perform_each(&mut lease, &mut tools, moves).await?,
            };
            problem = problem.or(found.map(|found| in_stage(task, at, found)));
            if rule == MoveRule::End && problem.is_some() {
                return Ok(ScriptedRun { parts: Vec::new(), problem });
            }
            if at >= first {
                let is_last = parts.peek().is_none();
                left.push((at, self.look_at(task, at, is_last, lease.sandbox()).await?));
            }
        }
        drop(lease);
        let mut run = ScriptedRun { parts: Vec::new(), problem };
        for (at, (potential, copy)) in left {
            run.parts.push(self.judge_part(task, at, potential, copy).await?);
        }
        Ok(run)
    }

    /// The milestone potential of a part, and a copy of the workspace as it is. The programs in it go
    /// on afterwards, unless it is the last part.
    async fn look_at(
        &self,
        task: &Task,
        at: usize,
        is_last: bool,
        live: &mut dyn Sandbox,
    ) -> Result<(f64, Arc<dyn StoredCopy>), Fault> {
        let part = task.at_stage(at);
        let part = part.as_ref().unwrap_or(task);
        let potential = milestone_potential(&self.pool, part, &self.spec, live).await?;
        if is_last {
            let snapshot = Arc::new(live.pack(true).await?);
            return Ok((potential, self.pool.store_copy(snapshot).await));
        }
        live.freeze().await?;
        let snapshot = Arc::new(live.pack(false).await?);
        live.thaw().await?;
        Ok((potential, self.pool.store_copy(snapshot).await))
    }

    /// Judges a part over the workspace that moves have left.
    async fn judge_part(
        &self,
        task: &Task,
        at: usize,
        potential: f64,
        copy: Arc<dyn StoredCopy>,
    ) -> Result<PlayedPart, Fault> {
        let part = task.at_stage(at);
        let part = part.as_ref().unwrap_or(task);
        let verdict = verify_copy(&self.pool, part, &self.spec, &copy).await?;
        // Only a success needs the second look: it is the claim.
        let again = match verdict.passed {
            true => verify_copy(&self.pool, part, &self.spec, &copy).await?,
            false => verdict.clone(),
        };
        let stage = task.stages.get(at).map(|stage| stage.name.clone());
        Ok(PlayedPart { stage, verdict, again, potential, copy })
    }

    /// Runs moves one by one, whatever becomes of each. Returns the first one that did not apply.
    async fn perform_each(
        &self,
        lease: &mut SandboxLease,
        tools: &mut Toolbox,
        moves: &[ScriptedMove],
    ) -> Result<Option<String>, Fault> {
        let mut problem = None;
        for step in moves {
            let found = self.perform(lease, tools, std::slice::from_ref(step)).await?;
            problem = problem.or(found);
        }
        Ok(problem)
    }

    /// Runs moves as an agent would; an edit that does not apply is trouble.
    async fn perform(
        &self,
        lease: &mut SandboxLease,
        tools: &mut Toolbox,
        moves: &[ScriptedMove],
    ) -> Result<Option<String>, Fault> {
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
                let done = run_action(lease.sandbox(), tools, call, limits).await?;
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

/// What is to be done in a task, as a digest: its public content, and where its faults are.
fn work_of(task: &Task) -> String {
    let faults = task.faults.iter().flat_map(|fault| [&fault.path, &fault.wrong]);
    let faults = faults.map(String::as_str);
    let parts = ["work", task.cluster.as_str()].into_iter().chain(faults);
    digest_of(&parts.collect::<Vec<_>>())
}

/// A problem with the name of the stage in which it was found.
fn in_stage(task: &Task, at: usize, problem: String) -> String {
    match task.stages.get(at) {
        Some(stage) => format!("{}: {problem}", stage.name),
        None => problem,
    }
}

/// Tells if a part is solved, or has milestones, although nothing was done in it. `after` says what
/// was done before.
fn judge_idle(part: &PlayedPart, after: &str, proof: &mut SeedProof) {
    if part.verdict.passed {
        let what = part.what();
        proof.problems.push(format!("doing nothing solves {what}{after}"));
    }
    if part.potential > 0.0 {
        let (potential, of_stage) = (part.potential, part.stage.as_ref());
        let of_stage = of_stage.map_or(String::new(), |stage| format!(" of the stage {stage:?}"));
        proof
            .problems
            .push(format!("milestones worth {potential} hold at the start{of_stage}{after}"));
    }
}

/// Removes the checks that a run has failed.
fn remove_failed(unfailed: &mut Vec<String>, run: &ScriptedRun) {
    let failed = run.checks(false);
    unfailed.retain(|name| !failed.contains(name));
}

/// The engine's cheats for each part of a task. `oracle` is the run of its solution.
async fn battery_cheats(task: &Task, oracle: &ScriptedRun) -> Result<Vec<NamedSolution>, Fault> {
    let mut all = Vec::new();
    for (at, played) in oracle.parts.iter().enumerate() {
        let part = task.at_stage(at);
        let solved = played.copy.load().await?;
        let cheats = battery::cheats(part.as_ref().unwrap_or(task), &solved);
        drop(solved);
        let before = task.stages.get(..at).unwrap_or_default();
        all.extend(cheats.into_iter().map(|cheat| NamedSolution {
            name: played.full_name(&cheat.name),
            moves: staged_moves(before, &cheat.moves),
        }));
    }
    Ok(all)
}

/// The move that ends a stage.
fn submission() -> ScriptedMove {
    ScriptedMove { think: String::new(), action: MoveAction::Submit }
}

/// Moves with one more at the end of a stage.
fn with_move(moves: &[ScriptedMove], stage: usize, more: ScriptedMove) -> Vec<ScriptedMove> {
    let is_end = |(_, step): &(usize, &ScriptedMove)| step.action == MoveAction::Submit;
    let end = moves.iter().enumerate().filter(is_end).nth(stage).map(|(at, _)| at);
    let mut moves = moves.to_vec();
    moves.insert(end.unwrap_or(moves.len()), more);
    moves
}

/// A failed check with what it said.
fn told(name: String, check: &CheckResult) -> String {
    match check.output.trim() {
        "" => name,
        output => format!("{name} ({output})"),
    }
}
