//! The milestone potential of a state, measured on a copy, out of the agent's sight.

use super::own::{copy_of, run_sealed};
use crate::model::{Fault, FaultKind, SandboxSpec, Snapshot, Task};
use crate::pool::PoolHandle;
use crate::ports::Sandbox;
use std::sync::Arc;

/// The summed weight of the milestones that hold now. Nothing runs and no copy is made for
/// a task without milestones.
pub async fn potential(
    pool: &PoolHandle,
    task: &Task,
    spec: &Arc<SandboxSpec>,
    live: &mut dyn Sandbox,
) -> Result<f64, Fault> {
    if task.verification.milestones.is_empty() {
        return Ok(0.0);
    }
    match live.pack(false).await {
        Ok(snapshot) => of_snapshot(pool, task, spec, &snapshot).await,
        // A workspace that cannot be copied now may be one again: no credit meanwhile.
        Err(fault) if fault.kind == FaultKind::SandboxCopy => Ok(0.0),
        Err(fault) => Err(fault),
    }
}

async fn of_snapshot(
    pool: &PoolHandle,
    task: &Task,
    spec: &Arc<SandboxSpec>,
    snapshot: &Snapshot,
) -> Result<f64, Fault> {
    let mut lease = copy_of(pool, spec, snapshot).await?;
    let mut potential = 0.0;
    for milestone in &task.verification.milestones {
        if run_sealed(lease.sandbox(), task, &milestone.run).await?.end.success() {
            potential += milestone.weight;
        }
    }
    Ok(potential)
}
