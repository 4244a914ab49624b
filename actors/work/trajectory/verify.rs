//! Sealed verification. The checks run twice, each time over a fresh copy of the workspace, in
//! sandboxes that the agent never saw. If the two runs disagree, the verdict is flaky and never
//! counts as solved.
//!
//! Where the judge is apart, checks and workspace are in different sandboxes (`crate::judge`). In the
//! shared sandbox of old templates, judged code can reach the check.

use super::agent_pause::AgentPause;
use crate::judge::engine_commands::{acquire_with_copy, run_sealed};
use crate::judge::{JudgeSandbox, JudgedCheck};
use crate::model::{
    CheckResult, ExecReport, Fault, FaultKind, JudgeEnvironment, JudgePlace, SandboxFingerprint,
    SandboxSpec, Task, TaskCheck, Verdict, WorkspaceCopy,
};
use crate::policy::PauseSlot;
use crate::pool::PoolHandle;
use crate::ports::{Sandbox, StoredCopy};
use std::sync::Arc;

/// Characters of a check's output that are kept, from its end.
const OUTPUT_SHOWN: usize = 2_000;

/// The verdict over a workspace in which the agent goes on afterwards. Its programs stand still from
/// before the copy until the end of the slot in which the verdict is there: they must not be able to
/// notice or influence the checks (ADR 17). Err means that a sandbox failed. Then the agent's programs are not thawed, because the attempt
/// ends.
pub(super) async fn verify_live(
    pool: &PoolHandle,
    task: &Task,
    spec: &Arc<SandboxSpec>,
    slot: PauseSlot,
    live: &mut dyn Sandbox,
) -> Result<Verdict, Fault> {
    let pause = match AgentPause::begin(slot, live).await {
        Ok(pause) => pause,
        Err(fault) => return uncopied_verdict(fault),
    };
    let verdict = match live.pack(false).await {
        Ok(snapshot) => verify_snapshot(pool, task, spec, Arc::new(snapshot)).await,
        Err(fault) => Err(fault),
    };
    let verdict = verdict.or_else(uncopied_verdict)?;
    match pause.end(live).await {
        Ok(()) => Ok(verdict),
        // A program of the agent ran in the meantime, so nobody knows what was copied.
        Err(fault) => uncopied_verdict(fault),
    }
}

/// The verdict over a final workspace in memory, see [`verify_copy`].
pub async fn verify_snapshot(
    pool: &PoolHandle,
    task: &Task,
    spec: &Arc<SandboxSpec>,
    snapshot: Arc<WorkspaceCopy>,
) -> Result<Verdict, Fault> {
    let copy = pool.store_copy(snapshot).await;
    verify_copy(pool, task, spec, &copy).await
}

/// The verdict over a final workspace. The copy is in memory only while it is laid, so checks that
/// hang keep no memory from others. Err means that a sandbox failed; a failed check is a verdict.
///
/// A task with stages has no final workspace that tells of all of them. Give it here in one of its
/// stages ([`Task::at_stage`]); the whole is refused with `TaskSetup`.
pub async fn verify_copy(
    pool: &PoolHandle,
    task: &Task,
    spec: &Arc<SandboxSpec>,
    copy: &Arc<dyn StoredCopy>,
) -> Result<Verdict, Fault> {
    if !task.stages.is_empty() {
        let what = "each stage of the task needs the workspace of its own end";
        return Err(Fault::new(FaultKind::TaskSetup, what));
    }
    if task.container.is_some() {
        let what = "a task of a container is judged when its episode ends, and not again";
        return Err(Fault::new(FaultKind::TaskSetup, what));
    }
    if task.verification.judge == JudgePlace::Apart {
        return verify_apart(pool, task, spec, copy).await;
    }
    // Both runs go on at the same time.
    let first = once(pool, task, spec, &**copy);
    let second = once(pool, task, spec, &**copy);
    // A fault of one run ends the other one as well: half a verdict is none.
    let ((first, sandbox), (second, _)) = tokio::try_join!(first, second)?;
    let (place, sandbox) = (JudgePlace::Shared, Some(sandbox));
    let judge = JudgeEnvironment { place, sandbox, library: None };
    Ok(Verdict::agree(first, &second).judged_in(judge))
}

/// The verdict of a judge that is apart. Both runs use one judge's sandbox, in which nothing of the
/// agent runs; each has a judged sandbox of its own, if it asks for one.
async fn verify_apart(
    pool: &PoolHandle,
    task: &Task,
    spec: &Arc<SandboxSpec>,
    copy: &Arc<dyn StoredCopy>,
) -> Result<Verdict, Fault> {
    let checks = &task.verification.checks;
    let mut judge = JudgeSandbox::new(pool.clone(), spec.clone());
    let first = judge.run_checks(task, checks, copy).await?;
    let second = judge.run_checks(task, checks, copy).await?;
    let verdict = Verdict::agree(results(checks, first), &results(checks, second));
    Ok(verdict.judged_in(judge.environment(task)))
}

/// The results of checks that ran apart.
fn results(checks: &[TaskCheck], judged: Vec<JudgedCheck>) -> Vec<CheckResult> {
    let result = |(check, judged): (&TaskCheck, JudgedCheck)| CheckResult {
        name: check.name.clone(),
        weight: check.weight,
        passed: judged.end.success(),
        output: last_characters(&judged.output),
        // A comparison is no command.
        end: check.compare.is_none().then_some(judged.end),
        second: None,
    };
    checks.iter().zip(judged).map(result).collect()
}

/// One run of all checks in one fresh sandbox, and what that sandbox ran on.
async fn once(
    pool: &PoolHandle,
    task: &Task,
    spec: &Arc<SandboxSpec>,
    copy: &dyn StoredCopy,
) -> Result<(Vec<CheckResult>, SandboxFingerprint), Fault> {
    let mut lease = acquire_with_copy(pool, spec, copy).await?;
    let timeout = task.verification.timeout;
    let mut results = Vec::with_capacity(task.verification.checks.len());
    for check in &task.verification.checks {
        let report = run_sealed(lease.sandbox(), task, &check.run, timeout).await?;
        results.push(CheckResult {
            name: check.name.clone(),
            weight: check.weight,
            passed: report.end.success(),
            output: shown(&report),
            end: Some(report.end),
            second: None,
        });
    }
    Ok((results, lease.sandbox().fingerprint().clone()))
}

/// The end of what a check wrote to its output and error streams.
fn shown(report: &ExecReport) -> String {
    last_characters(&format!("{}{}", report.stdout.text(), report.stderr.text()))
}

/// The part of an output that is kept. A line says how much of it is not there.
fn last_characters(text: &str) -> String {
    let skip = text.chars().count().saturating_sub(OUTPUT_SHOWN);
    let kept: String = text.chars().skip(skip).collect();
    if skip == 0 { kept } else { format!("[... {skip} characters left out ...]\n{kept}") }
}

/// The verdict if the workspace could not be copied or laid again, because it is too large or too
/// deep, or because a program of the agent would not stand still. The agent caused that, so the task
/// is not solved: score 0, with one failed check `workspace-copied` that says why. Every other fault
/// stays one.
pub(super) fn uncopied_verdict(fault: Fault) -> Result<Verdict, Fault> {
    if !fault.kind.is_uncopied() {
        return Err(fault);
    }
    let check = CheckResult {
        name: "workspace-copied".to_owned(),
        weight: 1.0,
        passed: false,
        output: fault.message,
        end: None,
        second: None,
    };
    Ok(Verdict { score: 0.0, passed: false, flaky: false, checks: vec![check], judge: None })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::{Options, catalog, in_test_system};
    use std::time::Duration;
    use tokio::time::Instant;

    /// A task with one check.
    fn task(run: &str) -> Task {
        let mut task = catalog().get("unit/letter").unwrap().task(7, 0).unwrap();
        task.verification.checks.truncate(1);
        task.verification.checks[0].run = run.to_owned();
        task
    }

    #[test]
    fn a_pause_does_not_tell_how_long_a_stage_was_judged() {
        let slot = PauseSlot::new(Duration::from_secs(5));
        for (run, seconds) in [("exit 0", 5), ("exit 1", 5), ("sleep 11", 20), ("sleep 19", 20)] {
            in_test_system(Options::default(), move |kit| async move {
                let (task, pool) = (task(run), &kit.services.pool);
                let mut live = pool.acquire(&Arc::default()).await.unwrap();
                let began = Instant::now();
                let verdict = verify_live(pool, &task, &Arc::default(), slot, live.sandbox()).await;
                assert_eq!(verdict.unwrap().passed, run != "exit 1", "{run}");
                assert_eq!(began.elapsed().as_secs(), seconds, "{run}");
            });
        }
    }

    #[test]
    fn a_long_output_keeps_its_end_and_says_what_is_missing() {
        assert_eq!(last_characters("expected 3, found 4"), "expected 3, found 4");
        let kept = last_characters(&format!("x{}", "é".repeat(OUTPUT_SHOWN)));
        assert_eq!(kept, format!("[... 1 characters left out ...]\n{}", "é".repeat(OUTPUT_SHOWN)));
    }
}
