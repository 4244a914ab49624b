//! The whole of an attempt, as one future. Everything perishable (the sandbox, calls in
//! flight) belongs to it and goes with it.

use super::phase::Phase;
use super::turns::{Acting, Played};
use super::verify;
use super::world::{Assignment, Standing, World};
use crate::model::{
    Attempt, Entry, ExecRequest, Fault, FaultKind, Fingerprint, Outcome, SandboxSpec, StopReason,
    Task, Tree, Turn, Verdict,
};
use crate::pool::{Lease, PoolHandle};
use std::sync::Arc;

/// What an attempt that reached its end leaves behind.
#[derive(Clone, Debug, PartialEq)]
pub struct Conclusion {
    pub stop: StopReason,
    pub verdict: Verdict,
    pub turns: Vec<Turn>,
    pub fingerprint: Fingerprint,
    pub started_at_ms: i64,
    pub finished_at_ms: i64,
}

pub(super) async fn run(
    world: &World,
    orders: &Assignment,
    standing: &Standing,
) -> Result<Conclusion, Fault> {
    let started_at_ms = world.clock.now_ms();
    let earlier = earlier_turns(world, orders).await?;
    start(world, orders, earlier.as_ref().map(|(from, _)| *from), started_at_ms).await?;
    let recorded = earlier.map(|(_, turns)| turns).unwrap_or_default();
    let played = play(world, orders, standing, recorded).await?;
    standing.become_phase(Phase::Verifying);
    let Played { stop, turns, mut lease, fingerprint } = played;
    let verdict = match lease.sandbox().pack(true).await {
        Ok(snapshot) => {
            drop(lease);
            verify::verify_snapshot(&world.pool, &orders.task, &orders.config.sandbox, &snapshot)
                .await?
        }
        // Too large or too deep to copy: the agent's doing, so it has not solved the task.
        Err(fault) if fault.kind == FaultKind::SandboxCopy => verify::uncopied(&fault),
        Err(fault) => return Err(fault),
    };
    let finished_at_ms = world.clock.now_ms();
    let outcome = Outcome::Judged { stop, verdict: verdict.clone() };
    finish(world, orders, outcome, fingerprint.clone(), finished_at_ms).await?;
    standing.become_phase(Phase::Done);
    tracing::info!(steps = turns.len(), score = verdict.score, "the attempt is judged");
    Ok(Conclusion { stop, verdict, turns, fingerprint, started_at_ms, finished_at_ms })
}

/// The turns of the attempt before this one: paid for, so they are played again rather
/// than asked for again.
async fn earlier_turns(
    world: &World,
    orders: &Assignment,
) -> Result<Option<(Attempt, Vec<Turn>)>, Fault> {
    let Some(last) = orders.attempt.0.checked_sub(1).filter(|n| *n > 0) else { return Ok(None) };
    let turns = world.journal.turns(&orders.plan.id, Attempt(last)).await?;
    Ok((!turns.is_empty()).then_some((Attempt(last), turns)))
}

async fn start(
    world: &World,
    orders: &Assignment,
    resumed_from: Option<Attempt>,
    at_ms: i64,
) -> Result<(), Fault> {
    let entry = Entry::AttemptStarted {
        episode: orders.plan.id.clone(),
        attempt: orders.attempt,
        resumed_from,
        at_ms,
    };
    world.collector.record(vec![entry]).await
}

async fn finish(
    world: &World,
    orders: &Assignment,
    outcome: Outcome,
    fingerprint: Fingerprint,
    at_ms: i64,
) -> Result<(), Fault> {
    let entry = Entry::Finished {
        episode: orders.plan.id.clone(),
        attempt: orders.attempt,
        outcome: Box::new(outcome),
        fingerprint: Some(fingerprint),
        at_ms,
    };
    world.collector.record(vec![entry]).await
}

/// Plays the recorded turns again and goes on from there; where the sandbox answers
/// differently now, the record is of no use and the attempt starts from nothing.
async fn play(
    world: &World,
    orders: &Assignment,
    standing: &Standing,
    recorded: Vec<Turn>,
) -> Result<Played, Fault> {
    let lease = provision(world, orders).await?;
    let acting = Acting::begin(world, orders, standing, lease).await?;
    if recorded.is_empty() {
        return acting.act().await;
    }
    if let Some(caught_up) = acting.replay(recorded).await? {
        return caught_up.act().await;
    }
    tracing::warn!(episode = %orders.plan.id, "the recorded turns do not repeat; starting over");
    standing.become_phase(Phase::Provisioning);
    let lease = provision(world, orders).await?;
    Acting::begin(world, orders, standing, lease).await?.act().await
}

async fn provision(world: &World, orders: &Assignment) -> Result<Lease, Fault> {
    lay_task(&world.pool, &orders.task, &orders.config.sandbox).await
}

/// A fresh sandbox with a task laid in it and its setup done.
pub async fn lay_task(pool: &PoolHandle, task: &Task, spec: &SandboxSpec) -> Result<Lease, Fault> {
    let mut lease = pool.acquire(&Arc::new(spec.clone())).await?;
    let sandbox = lease.sandbox();
    sandbox.lay(Tree::Workspace, &task.files).await?;
    for command in &task.setup {
        let request = ExecRequest {
            command: command.clone(),
            session: false,
            timeout: spec.limits.command_timeout,
            scan: false,
        };
        let report = sandbox.exec(&request).await?;
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
