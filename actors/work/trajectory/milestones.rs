//! The milestone potential: how far the agent has come, as the summed weight of the milestones that
//! hold. It is measured on a copy of the workspace, in another sandbox.
//!
//! ```text
//!  (none) ──acquire──► copy laid ──► measured ──► emptied ──► copy laid …
//!                          └──────────────┴── fault, or a check cut short ──► dropped
//! ```
//! The agent's programs are frozen from before the copy until the second sandbox is empty again.
//! The milestone checks are sealed, and a program must not be able to notice or influence them (ADR
//! 17).

use crate::judge::JudgeSandbox;
use crate::judge::engine_commands::{acquire_with_copy, run_sealed};
use crate::model::{ExecEnd, Fault, JudgePlace, SandboxSpec, Task, TaskCheck, WorkspaceCopy};
use crate::pool::{PoolHandle, SandboxLease};
use crate::ports::Sandbox;
use std::sync::Arc;

/// What was measured: the milestones that hold.
#[derive(Debug, Default)]
pub struct MeasuredMilestones {
    /// The sum of their weights.
    pub potential: f64,
    /// Their names, in the order of the template.
    pub held: Vec<String>,
}

impl MeasuredMilestones {
    /// Adds a milestone that holds.
    fn add(&mut self, milestone: &TaskCheck) {
        self.potential += milestone.weight;
        self.held.push(milestone.name.clone());
    }
}

/// The sandbox in which the copies of one attempt are measured, one after the other. It is taken
/// when it is first needed and emptied after each measurement.
pub struct MilestoneSandbox {
    pool: PoolHandle,
    spec: Arc<SandboxSpec>,
    /// None before the first measurement, and after one that was cut short.
    lease: Option<SandboxLease>,
    /// Measures the tasks whose judge is apart, in place of the lease.
    judge: JudgeSandbox,
}

impl MilestoneSandbox {
    /// It takes no sandbox yet.
    pub fn new(pool: PoolHandle, spec: Arc<SandboxSpec>) -> Self {
        let judge = JudgeSandbox::new(pool.clone(), spec.clone());
        Self { pool, spec, lease: None, judge }
    }

    /// The milestones that hold now. For a task without milestones, nothing is run or copied. None if
    /// the workspace cannot be measured now: that says nothing of what the agent has reached.
    ///
    /// Err means that a sandbox failed. The attempt ends then, so the agent's programs are not
    /// thawed.
    pub async fn evaluate(
        &mut self,
        task: &Task,
        live: &mut dyn Sandbox,
    ) -> Result<Option<MeasuredMilestones>, Fault> {
        if task.verification.milestones.is_empty() {
            return Ok(Some(MeasuredMilestones::default()));
        }
        match live.freeze().await {
            Ok(()) => {}
            Err(fault) => return unmeasured(fault),
        }
        let measured = match live.pack(false).await {
            // A workspace that cannot be laid again is not measured either.
            Ok(snapshot) => self.measure(task, snapshot).await.map(Some).or_else(unmeasured),
            Err(fault) => unmeasured(fault),
        };
        // After a fault the attempt ends, and the agent's sandbox is dropped while its programs are
        // frozen.
        let measured = measured?;
        match live.thaw().await {
            Ok(()) => Ok(measured),
            // A program of the agent ran in the meantime, so the measurement is void.
            Err(fault) => unmeasured(fault),
        }
    }

    /// Lays the copy and runs the milestone checks. The copy is dropped as soon as it is laid,
    /// because all copies share a limited memory.
    async fn measure(
        &mut self,
        task: &Task,
        snapshot: WorkspaceCopy,
    ) -> Result<MeasuredMilestones, Fault> {
        if task.verification.judge == JudgePlace::Apart {
            return self.measure_apart(task, snapshot).await;
        }
        let mut lease = self.with_copy(&snapshot).await?;
        drop(snapshot);
        let (mut measured, mut whole) = (MeasuredMilestones::default(), true);
        for milestone in &task.verification.milestones {
            let end = run_sealed(lease.sandbox(), task, &milestone.run).await?.end;
            whole &= matches!(end, ExecEnd::Exited(_));
            if end.success() {
                measured.add(milestone);
            }
        }
        // The sandbox is emptied before the agent's programs go on, so they can find nothing of it.
        lease.sandbox().reset().await?;
        // A check that was killed may have left the sandbox in a bad state. Such a sandbox is not
        // used again.
        self.lease = whole.then_some(lease);
        Ok(measured)
    }

    /// Measures with a judge that is apart. The judge's sandbox is empty again when this returns, and
    /// the judged one is gone.
    async fn measure_apart(
        &mut self,
        task: &Task,
        snapshot: WorkspaceCopy,
    ) -> Result<MeasuredMilestones, Fault> {
        let milestones = &task.verification.milestones;
        let judged = self.judge.run_checks(task, milestones, Arc::new(snapshot)).await?;
        let mut measured = MeasuredMilestones::default();
        let held = milestones.iter().zip(judged).filter(|(_, judged)| judged.end.success());
        held.for_each(|(milestone, _)| measured.add(milestone));
        Ok(measured)
    }

    /// The sandbox of the last measurement, or a fresh one, with the copy laid in it.
    async fn with_copy(&mut self, snapshot: &WorkspaceCopy) -> Result<SandboxLease, Fault> {
        let Some(mut lease) = self.lease.take() else {
            return acquire_with_copy(&self.pool, &self.spec, snapshot).await;
        };
        lease.sandbox().unpack(snapshot).await?;
        Ok(lease)
    }
}

/// A workspace that cannot be copied now may be copied later. Every other fault stays a fault.
fn unmeasured(fault: Fault) -> Result<Option<MeasuredMilestones>, Fault> {
    if fault.kind.is_uncopied() { Ok(None) } else { Err(fault) }
}

/// Measures the potential once, with a sandbox that is dropped afterwards. The template prover uses
/// it. What cannot be measured has no potential.
pub async fn milestone_potential(
    pool: &PoolHandle,
    task: &Task,
    spec: &Arc<SandboxSpec>,
    live: &mut dyn Sandbox,
) -> Result<f64, Fault> {
    let measured = MilestoneSandbox::new(pool.clone(), spec.clone()).evaluate(task, live).await?;
    Ok(measured.unwrap_or_default().potential)
}
