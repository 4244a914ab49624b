//! The milestone potential of a state, measured on a copy, out of the agent's sight.
//!
//! ```text
//!  (none) ──acquire──► copy laid ──► measured ──► kept ──empty──► copy laid …
//!                          └──────────────┴── fault, or a check cut short ──► given up
//! ```

use super::own::{copy_of, run_sealed};
use crate::model::{ExecEnd, Fault, SandboxSpec, Snapshot, Task};
use crate::pool::{Lease, PoolHandle};
use crate::ports::Sandbox;
use std::sync::Arc;

/// Where an episode's copies are measured, one after the other: a sandbox of its own beside
/// the agent's, emptied in between. Made when it is first wanted.
pub(super) struct Beside {
    pool: PoolHandle,
    spec: Arc<SandboxSpec>,
    lease: Option<Lease>,
}

impl Beside {
    pub(super) fn new(pool: PoolHandle, spec: Arc<SandboxSpec>) -> Self {
        Self { pool, spec, lease: None }
    }

    /// The summed weight of the milestones that hold now. Nothing runs and no copy is made
    /// for a task without milestones.
    pub(super) async fn potential(
        &mut self,
        task: &Task,
        live: &mut dyn Sandbox,
    ) -> Result<f64, Fault> {
        if task.verification.milestones.is_empty() {
            return Ok(0.0);
        }
        match live.pack(false).await {
            Ok(snapshot) => self.measure(task, &snapshot).await,
            // A workspace that cannot be copied now may be one again: no credit meanwhile.
            Err(fault) if fault.kind.is_uncopied() => Ok(0.0),
            Err(fault) => Err(fault),
        }
    }

    async fn measure(&mut self, task: &Task, snapshot: &Snapshot) -> Result<f64, Fault> {
        let mut lease = self.with_copy(snapshot).await?;
        let (mut potential, mut whole) = (0.0, true);
        for milestone in &task.verification.milestones {
            let end = run_sealed(lease.sandbox(), task, &milestone.run).await?.end;
            whole &= matches!(end, ExecEnd::Exited(_));
            if end.success() {
                potential += milestone.weight;
            }
        }
        // One in which a program had to be ended is not worth a doubt.
        self.lease = whole.then_some(lease);
        Ok(potential)
    }

    async fn with_copy(&mut self, snapshot: &Snapshot) -> Result<Lease, Fault> {
        let Some(mut lease) = self.lease.take() else {
            return copy_of(&self.pool, &self.spec, snapshot).await;
        };
        lease.sandbox().empty().await?;
        lease.sandbox().unpack(snapshot).await?;
        Ok(lease)
    }
}

/// The same, once.
pub async fn potential(
    pool: &PoolHandle,
    task: &Task,
    spec: &Arc<SandboxSpec>,
    live: &mut dyn Sandbox,
) -> Result<f64, Fault> {
    Beside::new(pool.clone(), spec.clone()).potential(task, live).await
}
