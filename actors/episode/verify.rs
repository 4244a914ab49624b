//! Sealed verification: the checks run in fresh sandboxes the agent never saw, twice, and
//! both runs must agree.

use super::engine_commands::{acquire_with_copy, run_sealed};
use crate::model::{CheckResult, ExecReport, Fault, SandboxSpec, Task, Verdict, WorkspaceCopy};
use crate::pool::PoolHandle;
use std::sync::Arc;

const OUTPUT_SHOWN: usize = 2_000;

/// The verdict over a final workspace. The copy is let go of once it is laid for both runs.
pub async fn verify_snapshot(
    pool: &PoolHandle,
    task: &Task,
    spec: &Arc<SandboxSpec>,
    snapshot: Arc<WorkspaceCopy>,
) -> Result<Verdict, Fault> {
    let first = once(pool, task, spec, snapshot.clone());
    let second = once(pool, task, spec, snapshot);
    let (first, second) = tokio::try_join!(first, second)?;
    Ok(Verdict::agree(first, &second))
}

async fn once(
    pool: &PoolHandle,
    task: &Task,
    spec: &Arc<SandboxSpec>,
    snapshot: Arc<WorkspaceCopy>,
) -> Result<Vec<CheckResult>, Fault> {
    let mut lease = acquire_with_copy(pool, spec, &snapshot).await?;
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

fn shown(report: &ExecReport) -> String {
    let text = format!("{}{}", report.stdout.text(), report.stderr.text());
    let skip = text.chars().count().saturating_sub(OUTPUT_SHOWN);
    text.chars().skip(skip).collect()
}

/// The verdict where no copy could be made.
pub(super) fn uncopied(fault: &Fault) -> Verdict {
    let check = CheckResult {
        name: "workspace-copied".to_owned(),
        weight: 1.0,
        passed: false,
        output: fault.message.clone(),
    };
    Verdict { score: 0.0, passed: false, flaky: false, checks: vec![check] }
}
