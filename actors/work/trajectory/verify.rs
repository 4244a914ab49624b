//! Sealed verification. The checks run twice, each time over a fresh copy of the workspace, in
//! sandboxes that the agent never saw. If the two runs disagree, the verdict is flaky and never
//! counts as solved.
//!
//! Where the judge is apart, checks and workspace are in different sandboxes (`crate::judge`). In the
//! shared sandbox of old templates, judged code can reach the check.

use crate::judge::engine_commands::{acquire_with_copy, run_sealed};
use crate::judge::{JudgeSandbox, JudgedCheck};
use crate::model::{
    CheckResult, ExecReport, Fault, JudgePlace, SandboxSpec, Task, TaskCheck, Verdict,
    WorkspaceCopy,
};
use crate::pool::PoolHandle;
use std::sync::Arc;

/// Characters of a check's output that are kept, from its end.
const OUTPUT_SHOWN: usize = 2_000;

/// The verdict over a final workspace. Both runs go on at the same time. The copy is dropped when
/// both have laid it. Err means that a sandbox failed; a failed check is a verdict.
pub async fn verify_snapshot(
    pool: &PoolHandle,
    task: &Task,
    spec: &Arc<SandboxSpec>,
    snapshot: Arc<WorkspaceCopy>,
) -> Result<Verdict, Fault> {
    if task.verification.judge == JudgePlace::Apart {
        return verify_apart(pool, task, spec, snapshot).await;
    }
    let first = once(pool, task, spec, snapshot.clone());
    let second = once(pool, task, spec, snapshot);
    // A fault of one run ends the other one as well: half a verdict is none.
    let (first, second) = tokio::try_join!(first, second)?;
    Ok(Verdict::agree(first, &second))
}

/// The verdict of a judge that is apart. Both runs use one judge's sandbox, in which nothing of the
/// agent runs; each has a judged sandbox of its own, if it asks for one.
async fn verify_apart(
    pool: &PoolHandle,
    task: &Task,
    spec: &Arc<SandboxSpec>,
    snapshot: Arc<WorkspaceCopy>,
) -> Result<Verdict, Fault> {
    let checks = &task.verification.checks;
    let mut judge = JudgeSandbox::new(pool.clone(), spec.clone());
    let first = judge.run_checks(task, checks, snapshot.clone()).await?;
    let second = judge.run_checks(task, checks, snapshot).await?;
    Ok(Verdict::agree(results(checks, first), &results(checks, second)))
}

/// The results of checks that ran apart.
fn results(checks: &[TaskCheck], judged: Vec<JudgedCheck>) -> Vec<CheckResult> {
    let result = |(check, judged): (&TaskCheck, JudgedCheck)| CheckResult {
        name: check.name.clone(),
        weight: check.weight,
        passed: judged.end.success(),
        output: last_characters(&judged.output),
    };
    checks.iter().zip(judged).map(result).collect()
}

/// One run of all checks in one fresh sandbox.
async fn once(
    pool: &PoolHandle,
    task: &Task,
    spec: &Arc<SandboxSpec>,
    snapshot: Arc<WorkspaceCopy>,
) -> Result<Vec<CheckResult>, Fault> {
    let mut lease = acquire_with_copy(pool, spec, &snapshot).await?;
    // The memory of the copy is free again when both runs have dropped it.
    drop(snapshot);
    let mut results = Vec::with_capacity(task.verification.checks.len());
    for check in &task.verification.checks {
        let report = run_sealed(lease.sandbox(), task, &check.run).await?;
        results.push(CheckResult {
            name: check.name.clone(),
            weight: check.weight,
            passed: report.end.success(),
            output: shown(&report),
        });
    }
    Ok(results)
}

/// The end of what a check wrote to its output and error streams.
fn shown(report: &ExecReport) -> String {
    last_characters(&format!("{}{}", report.stdout.text(), report.stderr.text()))
}

/// The part of an output that is kept.
fn last_characters(text: &str) -> String {
    let skip = text.chars().count().saturating_sub(OUTPUT_SHOWN);
    text.chars().skip(skip).collect()
}

/// The verdict if the workspace could not be copied: score 0, with one failed check
/// `workspace-copied` that says why.
pub(super) fn uncopied(fault: &Fault) -> Verdict {
    let check = CheckResult {
        name: "workspace-copied".to_owned(),
        weight: 1.0,
        passed: false,
        output: fault.message.clone(),
    };
    Verdict { score: 0.0, passed: false, flaky: false, checks: vec![check] }
}
