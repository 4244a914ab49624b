//! The milestone potential of a state, measured on a copy, out of the agent's sight.
//!
//! ```text
//!  (none) ──acquire──► copy laid ──► measured ──► emptied ──► copy laid …
//!                          └──────────────┴── fault, or a check cut short ──► given up
//! ```
//! From before the copy until it is emptied the agent's programs are stopped (ADR 17).

use super::engine_commands::{acquire_with_copy, run_sealed};
use crate::model::{ExecEnd, Fault, SandboxSpec, Task, WorkspaceCopy};
use crate::pool::{PoolHandle, SandboxLease};
use crate::ports::Sandbox;
use std::sync::Arc;

/// Where an episode's copies are measured, one after the other: a sandbox of its own beside
/// the agent's, emptied in between. Made when it is first wanted.
pub(super) struct MilestoneSandbox {
    pool: PoolHandle,
    spec: Arc<SandboxSpec>,
    lease: Option<SandboxLease>,
}

impl MilestoneSandbox {
    pub(super) fn new(pool: PoolHandle, spec: Arc<SandboxSpec>) -> Self {
        Self { pool, spec, lease: None }
    }

    /// The summed weight of the milestones that hold now. Nothing runs and no copy is made
    /// for a task without milestones. The agent's programs stand still meanwhile: what is
    /// measured runs beside sealed files, and must not be able to tell them.
    pub(super) async fn potential(
        &mut self,
        task: &Task,
        live: &mut dyn Sandbox,
    ) -> Result<f64, Fault> {
        if task.verification.milestones.is_empty() {
            return Ok(0.0);
        }
        match live.freeze().await {
            Ok(()) => {}
            Err(fault) => return no_credit(fault),
        }
        let measured = match live.pack(false).await {
            Ok(snapshot) => self.measure(task, snapshot).await,
            Err(fault) => no_credit(fault),
        };
        // After a fault the attempt ends, and the agent's sandbox as it stands.
        let potential = measured?;
        match live.thaw().await {
            Ok(()) => Ok(potential),
            // One of them ran meanwhile: what was measured is void.
            Err(fault) => no_credit(fault),
        }
    }

    async fn measure(&mut self, task: &Task, snapshot: WorkspaceCopy) -> Result<f64, Fault> {
        let mut lease = self.with_copy(&snapshot).await?;
        drop(snapshot);
        let (mut potential, mut whole) = (0.0, true);
        for milestone in &task.verification.milestones {
            let end = run_sealed(lease.sandbox(), task, &milestone.run).await?.end;
            whole &= matches!(end, ExecEnd::Exited(_));
            if end.success() {
                potential += milestone.weight;
            }
        }
        // Before the agent goes on nothing that was measured is left.
        lease.sandbox().reset().await?;
        // One in which a program had to be ended is not worth a doubt.
        self.lease = whole.then_some(lease);
        Ok(potential)
    }

    async fn with_copy(&mut self, snapshot: &WorkspaceCopy) -> Result<SandboxLease, Fault> {
        let Some(mut lease) = self.lease.take() else {
            return acquire_with_copy(&self.pool, &self.spec, snapshot).await;
        };
        lease.sandbox().unpack(snapshot).await?;
        Ok(lease)
    }
}

/// A workspace that cannot be copied now may be one again: no credit meanwhile.
fn no_credit(fault: Fault) -> Result<f64, Fault> {
    if fault.kind.is_uncopied() { Ok(0.0) } else { Err(fault) }
}

/// The same, once.
pub async fn milestone_potential(
    pool: &PoolHandle,
    task: &Task,
    spec: &Arc<SandboxSpec>,
    live: &mut dyn Sandbox,
) -> Result<f64, Fault> {
    MilestoneSandbox::new(pool.clone(), spec.clone()).potential(task, live).await
}
