//! The milestone potential: how far the agent has come, as the summed weight of the milestones that
//! hold. It is measured on a copy of the workspace, in another sandbox.
//!
//! ```text
//!  (none) ──acquire──► copy laid ──► measured ──► emptied ──► copy laid …
//!                          └──────────────┴── fault, or a check cut short ──► dropped
//! ```
//! All milestones together have the time of one check. Those for which it is too short are as they were
//! before. The agent waits for the measurement, but the wait is none of its time.
//!
//! The agent's programs are frozen from before the copy until the second sandbox is empty again, and
//! until a slot has ended (`agent_pause`). The milestone checks are sealed, and a program must not be
//! able to notice or influence them (ADR 17).

use super::agent_pause::AgentPause;
use crate::judge::JudgeSandbox;
use crate::judge::check_time::CheckTime;
use crate::judge::engine_commands::{acquire_with_copy, run_sealed};
use crate::model::{ExecEnd, Fault, JudgePlace, SandboxSpec, Task, TaskCheck};
use crate::policy::PauseSlot;
use crate::pool::{PoolHandle, SandboxLease};
use crate::ports::{Sandbox, StoredCopy};
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
    /// `holds` says of each milestone whether it holds; none if it was not measured. Then `before`
    /// says it, the milestones that held before.
    fn of(milestones: &[TaskCheck], holds: &[Option<bool>], before: &[String]) -> Self {
        let mut measured = Self::default();
        for (milestone, holds) in milestones.iter().zip(holds) {
            if holds.unwrap_or_else(|| before.contains(&milestone.name)) {
                measured.potential += milestone.weight;
                measured.held.push(milestone.name.clone());
            }
        }
        measured
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
    /// How coarse the pauses of the agent's programs are.
    slot: PauseSlot,
}

impl MilestoneSandbox {
    /// It takes no sandbox yet.
    pub fn new(pool: PoolHandle, spec: Arc<SandboxSpec>, slot: PauseSlot) -> Self {
        let judge = JudgeSandbox::new(pool.clone(), spec.clone());
        Self { pool, spec, lease: None, judge, slot }
    }

    /// The milestones that hold now. For a task without milestones, nothing is run or copied. None if
    /// the workspace cannot be measured now: that says nothing of what the agent has reached. `before`
    /// are those that held before.
    ///
    /// Err means that a sandbox failed. The attempt ends then, so the agent's programs are not
    /// thawed.
    pub async fn evaluate(
        &mut self,
        task: &Task,
        live: &mut dyn Sandbox,
        before: &[String],
    ) -> Result<Option<MeasuredMilestones>, Fault> {
        if task.verification.milestones.is_empty() {
            return Ok(Some(MeasuredMilestones::default()));
        }
        let pause = match AgentPause::begin(self.slot, live).await {
            Ok(pause) => pause,
            Err(fault) => return unmeasured(fault),
        };
        let measured = match live.pack(false).await {
            // A workspace that cannot be laid again is not measured either.
            Ok(snapshot) => {
                let copy = self.pool.store_copy(Arc::new(snapshot)).await;
                self.measure(task, &copy, before).await.map(Some).or_else(unmeasured)
            }
            Err(fault) => unmeasured(fault),
        };
        // After a fault the attempt ends, and the agent's sandbox is dropped while its programs are
        // frozen.
        let measured = measured?;
        match pause.end(live).await {
            Ok(()) => Ok(measured),
            // A program of the agent ran in the meantime, so the measurement is void.
            Err(fault) => unmeasured(fault),
        }
    }

    /// Lays the copy and runs the milestone checks.
    async fn measure(
        &mut self,
        task: &Task,
        copy: &Arc<dyn StoredCopy>,
        before: &[String],
    ) -> Result<MeasuredMilestones, Fault> {
        let holds = match task.verification.judge {
            JudgePlace::Apart => self.measure_apart(task, copy).await?,
            JudgePlace::Shared => self.measure_beside(task, &**copy).await?,
            // A task of a container has no milestones.
            JudgePlace::Container => Vec::new(),
        };
        Ok(MeasuredMilestones::of(&task.verification.milestones, &holds, before))
    }

    /// Measures in one sandbox with the programs of the workspace.
    async fn measure_beside(
        &mut self,
        task: &Task,
        copy: &dyn StoredCopy,
    ) -> Result<Vec<Option<bool>>, Fault> {
        let mut lease = self.with_copy(copy).await?;
        let mut time = CheckTime::for_all(task.verification.timeout);
        let (mut holds, mut whole) = (Vec::new(), true);
        for milestone in &task.verification.milestones {
            let Some(limit) = time.begin() else {
                holds.push(None);
                continue;
            };
            let end = run_sealed(lease.sandbox(), task, &milestone.run, limit).await?.end;
            whole &= matches!(end, ExecEnd::Exited(_));
            holds.push(time.end(&end).then_some(end.success()));
        }
        // The sandbox is emptied before the agent's programs go on, so they can find nothing of it.
        lease.sandbox().reset().await?;
        // A check that was killed may have left the sandbox in a bad state. Such a sandbox is not
        // used again.
        self.lease = whole.then_some(lease);
        Ok(holds)
    }

    /// Measures with a judge that is apart. The judge's sandbox is empty again when this returns, and
    /// the judged one is gone.
    async fn measure_apart(
        &mut self,
        task: &Task,
        copy: &Arc<dyn StoredCopy>,
    ) -> Result<Vec<Option<bool>>, Fault> {
        let measured = self.judge.measure(task, copy).await?;
        Ok(measured.into_iter().map(|check| check.map(|check| check.end.success())).collect())
    }

    /// The sandbox of the last measurement, or a fresh one, with the copy laid in it.
    async fn with_copy(&mut self, copy: &dyn StoredCopy) -> Result<SandboxLease, Fault> {
        let Some(mut lease) = self.lease.take() else {
            return acquire_with_copy(&self.pool, &self.spec, copy).await;
        };
        let copy = copy.load().await?;
        lease.sandbox().unpack(&copy).await?;
        Ok(lease)
    }
}

/// A workspace that cannot be copied now may be copied later. Every other fault stays a fault.
fn unmeasured(fault: Fault) -> Result<Option<MeasuredMilestones>, Fault> {
    if fault.kind.is_uncopied() { Ok(None) } else { Err(fault) }
}

/// Measures the potential once, with a sandbox that is dropped afterwards. The template prover uses
/// it: no agent goes on, so the pause has no slots. What cannot be measured has no potential.
pub async fn milestone_potential(
    pool: &PoolHandle,
    task: &Task,
    spec: &Arc<SandboxSpec>,
    live: &mut dyn Sandbox,
) -> Result<f64, Fault> {
    let mut milestones = MilestoneSandbox::new(pool.clone(), spec.clone(), PauseSlot::NONE);
    let measured = milestones.evaluate(task, live, &[]).await?;
    Ok(measured.unwrap_or_default().potential)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::{Options, catalog, in_test_system};
    use std::time::Duration;
    use tokio::time::Instant;

    const TIME: Duration = Duration::from_secs(30);

    /// A task with these milestones.
    fn task(judge: JudgePlace, milestones: &[(&str, &str)]) -> Task {
        let mut task = catalog().get("unit/letter").unwrap().task(7, 0).unwrap();
        (task.verification.judge, task.verification.timeout) = (judge, TIME);
        let milestone = |(name, run): &(&str, &str)| TaskCheck {
            name: (*name).to_owned(),
            weight: 0.25,
            run: (*run).to_owned(),
            part: None,
            compare: None,
        };
        task.verification.milestones = milestones.iter().map(milestone).collect();
        task
    }

    /// Those that hold, when `before` held before. The agent waits no longer than for one check.
    fn held(
        milestones: &'static [(&str, &str)],
        before: &'static [&str],
        expected: &'static [&str],
    ) {
        for judge in [JudgePlace::Shared, JudgePlace::Apart] {
            in_test_system(Options::default(), move |kit| async move {
                let (task, pool) = (task(judge, milestones), kit.services.pool.clone());
                let before: Vec<String> = before.iter().map(|name| (*name).to_owned()).collect();
                let mut live = pool.acquire(&Arc::default()).await.unwrap();
                let mut sandbox = MilestoneSandbox::new(pool, Arc::default(), PauseSlot::NONE);
                let began = Instant::now();
                let measured = sandbox.evaluate(&task, live.sandbox(), &before).await;
                assert_eq!(measured.unwrap().unwrap().held, expected, "{judge:?}");
                assert!(began.elapsed() < 2 * TIME, "{judge:?}: {:?}", began.elapsed());
            });
        }
    }

    #[test]
    fn milestones_that_have_no_time_left_are_as_before() {
        const ALL: [(&str, &str); 5] = [
            ("done", "exit 0"),
            ("slow", "sleep 20"),
            ("cut", "sleep 1000"),
            ("kept", "exit 0"),
            ("never", "exit 0"),
        ];
        held(&ALL, &["cut", "kept"], &["done", "slow", "cut", "kept"]);
        held(&ALL, &[], &["done", "slow"]);
    }

    /// Judged code could sleep as long as what it has to tell, and the agent's programs have a clock.
    #[test]
    fn a_pause_does_not_tell_how_long_a_milestone_took() {
        let slot = PauseSlot::new(Duration::from_secs(5));
        for judge in [JudgePlace::Shared, JudgePlace::Apart] {
            for (run, seconds) in
                [("exit 0", 5), ("sleep 4", 5), ("sleep 11", 20), ("sleep 19", 20)]
            {
                in_test_system(Options::default(), move |kit| async move {
                    let (task, pool) = (task(judge, &[("slow", run)]), kit.services.pool.clone());
                    let mut live = pool.acquire(&Arc::default()).await.unwrap();
                    let mut sandbox = MilestoneSandbox::new(pool, Arc::default(), slot);
                    let began = Instant::now();
                    let measured = sandbox.evaluate(&task, live.sandbox(), &[]).await.unwrap();
                    assert_eq!(began.elapsed().as_secs(), seconds, "{judge:?}: {run}");
                    assert_eq!(measured.unwrap().held, ["slow"], "{judge:?}: {run}");
                });
            }
        }
    }

    #[test]
    fn a_milestone_that_takes_the_whole_time_does_not_hold() {
        const ALL: [(&str, &str); 2] = [("hangs", "sleep 1000"), ("kept", "exit 0")];
        held(&ALL, &["hangs", "kept"], &["kept"]);
    }
}
