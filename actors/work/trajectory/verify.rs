//! Sealed verification. The checks run twice, in two fresh sandboxes that the agent never saw. If
//! the two runs disagree, the verdict is flaky and never counts as solved.

use super::engine_commands::{acquire_with_copy, run_sealed};
use crate::model::{CheckResult, ExecReport, Fault, SandboxSpec, Task, Verdict, WorkspaceCopy};
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
    let first = once(pool, task, spec, snapshot.clone());
    let second = once(pool, task, spec, snapshot);
    // A fault of one run ends the other one as well: half a verdict is none.
    let (first, second) = tokio::try_join!(first, second)?;
    Ok(Verdict::agree(first, &second))
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
    let text = format!("{}{}", report.stdout.text(), report.stderr.text());
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
