//! The whole of an attempt, as one future. Everything perishable (the sandbox, calls in
//! flight) belongs to it and goes with it.

use super::own::{answered, run_own};
use super::phase::Phase;
use super::turns::{Acting, Played};
use super::verify;
use super::visits::Hosting;
use super::world::{Assignment, Standing, World};
use crate::model::{
    Attempt, AttemptRecord, Entry, Fault, FaultKind, Fingerprint, Outcome, SandboxSpec, StopReason,
    Task, Tree, Turn, Verdict,
};
use crate::pool::{Lease, PoolHandle};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// What an attempt that reached its end leaves behind.
#[derive(Clone, Debug, PartialEq)]
pub struct Conclusion {
    pub task: Arc<Task>,
    pub stop: StopReason,
    pub verdict: Verdict,
    pub turns: Vec<Turn>,
    pub fingerprint: Fingerprint,
    pub finished_at_ms: i64,
}

/// Runs an attempt to its end, or until it is cancelled.
pub(super) async fn run(
    world: &World,
    orders: &Assignment,
    standing: &Standing,
    cancel: &CancellationToken,
) -> Result<Conclusion, Fault> {
    let conclusion = tokio::select! {
        biased;
        () = cancel.cancelled() => {
            return Err(Fault::new(FaultKind::Cancelled, "the episode was cancelled"));
        }
        conclusion = conclude(world, orders, standing) => conclusion?,
    };
    // Not to be cut short: the journal must not hold a result of which the campaign knows
    // nothing, or the episode would be run, and paid for, once more.
    finish(world, orders, &conclusion).await?;
    standing.become_phase(Phase::Done);
    Ok(conclusion)
}

async fn conclude(
    world: &World,
    orders: &Assignment,
    standing: &Standing,
) -> Result<Conclusion, Fault> {
    let source = replay_source(world, orders).await?;
    start(world, orders, source).await?;
    // Read behind the fence: what the earlier attempt still had in flight is in, or never.
    let recorded = match source {
        Some(source) => world.journal.turns(&orders.plan.id, source).await?,
        None => Vec::new(),
    };
    let Played { stop, turns, mut lease, fingerprint } =
        play(world, orders, standing, recorded).await?;
    standing.become_phase(Phase::Verifying);
    let verdict = match lease.sandbox().pack(true).await {
        Ok(snapshot) => {
            drop(lease);
            {
                let snapshot = Arc::new(snapshot);
                verify::verify_snapshot(&world.pool, &orders.task, &orders.checking, snapshot)
                    .await?
            }
        }
        // Too large or too deep to copy: the agent's doing, so it has not solved the task.
        Err(fault) if fault.kind.is_uncopied() => verify::uncopied(&fault),
        Err(fault) => return Err(fault),
    };
    let finished_at_ms = world.clock.now_ms();
    let task = orders.task.clone();
    Ok(Conclusion { task, stop, verdict, turns, fingerprint, finished_at_ms })
}

/// The newest earlier attempt with turns: they are paid for, so they are played again
/// rather than asked for again. Attempts that failed before their first turn have none and
/// hide nothing.
async fn replay_source(world: &World, orders: &Assignment) -> Result<Option<Attempt>, Fault> {
    if orders.attempt <= Attempt::default().next() {
        return Ok(None);
    }
    let attempts = world.journal.attempts(&orders.plan.id).await?;
    let usable = |a: &&AttemptRecord| {
        a.steps > 0 && a.attempt < orders.attempt && a.attempt > orders.replay_after
    };
    Ok(attempts.iter().filter(usable).map(|a| a.attempt).max())
}

async fn start(
    world: &World,
    orders: &Assignment,
    resumed_from: Option<Attempt>,
) -> Result<(), Fault> {
    let entry = Entry::AttemptStarted {
        episode: orders.plan.id.clone(),
        attempt: orders.attempt,
        resumed_from,
        at_ms: world.clock.now_ms(),
    };
    world.collector.record(vec![entry]).await
}

async fn finish(world: &World, orders: &Assignment, conclusion: &Conclusion) -> Result<(), Fault> {
    let outcome = Outcome::Judged { stop: conclusion.stop, verdict: conclusion.verdict.clone() };
    let entry = Entry::Finished {
        episode: orders.plan.id.clone(),
        attempt: orders.attempt,
        outcome: Box::new(outcome),
        fingerprint: Some(conclusion.fingerprint.clone()),
        at_ms: conclusion.finished_at_ms,
    };
    world.collector.record(vec![entry]).await
}

/// Plays the recorded turns again and goes on from there.
async fn play(
    world: &World,
    orders: &Assignment,
    standing: &Standing,
    recorded: Vec<Turn>,
) -> Result<Played, Fault> {
    let mut lease = lay_task(&world.pool, &orders.task, &orders.spec).await?;
    lease.sandbox().held_by(&format!("{}-{}", orders.plan.id, orders.attempt));
    let mut acting = Acting::begin(world, orders, standing, lease).await?;
    if let Some(program) = orders.program.clone() {
        return Hosting::host(acting, &program, recorded).await;
    }
    if !recorded.is_empty() {
        acting.replay(recorded).await?;
    }
    acting.act().await
}

/// A fresh sandbox with a task laid in it and its setup done.
pub async fn lay_task(
    pool: &PoolHandle,
    task: &Task,
    spec: &Arc<SandboxSpec>,
) -> Result<Lease, Fault> {
    let mut lease = pool.acquire(spec).await?;
    let sandbox = lease.sandbox();
    sandbox.lay(Tree::Workspace, &task.files).await?;
    for command in &task.setup {
        let report = answered(run_own(sandbox, command, spec.limits.command_timeout).await?)?;
        if !report.end.success() {
            let why = format!(
                "setup command {command:?} ended with {}: {}",
                report.end.exit_code(),
                report.stderr.text().trim()
            );
            return Err(Fault::new(FaultKind::TaskSetup, why));
        }
    }
    Ok(lease)
}
