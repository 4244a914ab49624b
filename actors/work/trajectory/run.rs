//! A whole attempt as one future. Its sandbox and its calls belong to it and end with it.
//!
//! ```text
//!  replay source? ─► record the start (fence) ─► read recorded turns ─► sandbox, files, setup,
//!    services ─► replay ─► act ─► copy the workspace ─► verify twice ─► record the outcome
//! ```

use super::active_attempt::{ActiveAttempt, StoppedAttempt};
use super::external_agent::ExternalAttempt;
use super::native_agent::NativeAttempt;
use super::orders::{AttemptAgent, AttemptOrders, AttemptState};
use super::phase::AttemptPhase;
use super::stage_progress::StageProgress;
use super::verify;
use crate::container_judge::ContainerJudge;
use crate::judge::engine_commands::{ensure_exited, run_engine_command};
use crate::model::{
    AttemptNumber, AttemptRecord, Fault, FaultKind, JournalEntry, JudgeEnvironment, JudgePlace,
    Outcome, SandboxSpec, SandboxTree, Task, Turn, Verdict,
};
use crate::pool::{PoolHandle, SandboxLease};
use crate::ports::{Sandbox, StoredCopy};
use crate::quality::FinishedEpisode;
use crate::work::EngineServices;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio_util::sync::CancellationToken;

/// Runs an attempt to its verdict, or until it is cancelled. Err means that there is no verdict.
pub(super) async fn run(
    services: &EngineServices,
    orders: &AttemptOrders,
    attempt_state: &AttemptState,
    cancel: &CancellationToken,
) -> Result<FinishedEpisode, Fault> {
    let conclusion = tokio::select! {
        biased;
        () = cancel.cancelled() => {
            return Err(Fault::new(FaultKind::Cancelled, "the episode was cancelled"));
        }
        conclusion = conclude(services, orders, attempt_state) => conclusion?,
    };
    // `cancel` does not reach this part. Otherwise the journal could hold an outcome that the
    // campaign does not know of, and the episode would be run and paid for again.
    orders.concluding.store(true, Ordering::Release);
    finish(services, orders, &conclusion).await?;
    attempt_state.enter_phase(AttemptPhase::Done);
    Ok(conclusion)
}

/// Everything up to the verdict. It can be dropped at any await.
async fn conclude(
    services: &EngineServices,
    orders: &AttemptOrders,
    attempt_state: &AttemptState,
) -> Result<FinishedEpisode, Fault> {
    let source = replay_source(services, orders).await?;
    start(services, orders, source).await?;
    // The turns are read after the start was recorded. The start is the fence: what the earlier
    // attempt still had in flight is in the journal now, or will never be.
    let recorded = match source {
        Some(source) => services.journal.turns(&orders.plan.id, source).await?,
        None => Vec::new(),
    };
    let StoppedAttempt { stop, turns, lease, fingerprint, stages } =
        play(services, orders, attempt_state, recorded).await?;
    attempt_state.enter_phase(AttemptPhase::Verifying);
    let verdict = match stages.unreached() {
        Some(verdict) => verdict,
        None => verify_final(services, orders, &stages, lease).await?,
    };
    let verdict = stages.whole_verdict(verdict);
    let finished_at_ms = services.clock.now_ms();
    let task = orders.task.clone();
    Ok(FinishedEpisode {
        plan: orders.plan.clone(),
        attempt: orders.attempt,
        task,
        turns: Arc::new(turns),
        stop,
        verdict,
        fingerprint,
        finished_at_ms,
        policy: orders.config.quality.clone(),
        splits: orders.config.dataset.splits,
    })
}

/// The verdict over the final workspace. If the task has stages, it is the verdict over the last one
/// that the agent has reached.
async fn verify_final(
    services: &EngineServices,
    orders: &AttemptOrders,
    stages: &StageProgress,
    mut lease: SandboxLease,
) -> Result<Verdict, Fault> {
    if let Some(judge) = &orders.judge {
        return judge_container(&**judge, &orders.spec, lease).await;
    }
    let verdict = match lease.sandbox().pack(true).await {
        Ok(snapshot) => {
            // The agent's sandbox ends before others are taken for the checks.
            drop(lease);
            let copy = services.pool.store_copy(Arc::new(snapshot)).await;
            judge(services, orders, stages, &copy).await
        }
        Err(fault) => Err(fault),
    };
    verdict.or_else(verify::uncopied_verdict)
}

/// The verdict over the container in which the agent has worked. Its files are kept as an image, and the
/// container ends: no program of the agent is left when the tests run.
async fn judge_container(
    judge: &dyn ContainerJudge,
    spec: &SandboxSpec,
    mut lease: SandboxLease,
) -> Result<Verdict, Fault> {
    let image = lease.sandbox().keep_image().await?;
    drop(lease);
    let verdict = judge.judge(image, spec.runtime.as_deref()).await?;
    let place = JudgePlace::Container;
    Ok(verdict.judged_in(JudgeEnvironment { place, sandbox: None, library: None }))
}

/// The verdict over a final workspace, which is kept if the campaign wants that.
async fn judge(
    services: &EngineServices,
    orders: &AttemptOrders,
    stages: &StageProgress,
    copy: &Arc<dyn StoredCopy>,
) -> Result<Verdict, Fault> {
    let task = stages.part();
    let verdict = verify::verify_copy(&services.pool, task, &orders.checking, copy).await?;
    if orders.config.episode.keep_workspaces.keeps(stages.is_solved_with(&verdict)) {
        let id = &orders.plan.id;
        if let Err(fault) = keep(services, orders, &**copy).await {
            tracing::warn!(episode = %id, %fault, "the workspace is not kept");
        }
    }
    Ok(verdict)
}

/// Keeps a final workspace for a later verification.
async fn keep(
    services: &EngineServices,
    orders: &AttemptOrders,
    copy: &dyn StoredCopy,
) -> Result<(), Fault> {
    let copy = copy.load().await?;
    services.workspaces.keep(&orders.plan.id, orders.attempt, copy).await?;
    Ok(())
}

/// The newest earlier attempt that has turns. They are paid for, so they are replayed instead of
/// asked for again. Attempts that failed before their first turn, and those up to `replay_after`,
/// are passed over. None if no attempt is left.
async fn replay_source(
    services: &EngineServices,
    orders: &AttemptOrders,
) -> Result<Option<AttemptNumber>, Fault> {
    if orders.attempt <= AttemptNumber::default().next() {
        return Ok(None);
    }
    let attempts = services.journal.attempts(&orders.plan.id).await?;
    let usable = |a: &&AttemptRecord| {
        a.steps > 0 && a.attempt < orders.attempt && a.attempt > orders.replay_after
    };
    Ok(attempts.iter().filter(usable).map(|a| a.attempt).max())
}

/// Records the start of the attempt. From then on entries of earlier attempts are dropped.
async fn start(
    services: &EngineServices,
    orders: &AttemptOrders,
    resumed_from: Option<AttemptNumber>,
) -> Result<(), Fault> {
    let entry = JournalEntry::AttemptStarted {
        episode: orders.plan.id.clone(),
        attempt: orders.attempt,
        resumed_from,
        at_ms: services.clock.now_ms(),
    };
    services.collector.record(vec![entry]).await
}

/// Records the outcome of the episode.
async fn finish(
    services: &EngineServices,
    orders: &AttemptOrders,
    conclusion: &FinishedEpisode,
) -> Result<(), Fault> {
    let outcome = Outcome::Judged { stop: conclusion.stop, verdict: conclusion.verdict.clone() };
    let entry = JournalEntry::Finished {
        episode: orders.plan.id.clone(),
        attempt: orders.attempt,
        outcome: Box::new(outcome),
        fingerprint: Some(conclusion.fingerprint.clone()),
        at_ms: conclusion.finished_at_ms,
    };
    services.collector.record(vec![entry]).await
}

/// Takes a sandbox, replays the recorded turns, and goes on from there until the agent stops.
async fn play(
    services: &EngineServices,
    orders: &AttemptOrders,
    attempt_state: &AttemptState,
    recorded: Vec<Turn>,
) -> Result<StoppedAttempt, Fault> {
    let mut lease = provision_task(&services.pool, &orders.task, &orders.spec).await?;
    lease.sandbox().set_holder(&format!("{}-{}", orders.plan.id, orders.attempt));
    match &orders.agent {
        AttemptAgent::Native(scaffold) => {
            NativeAttempt::run(services, orders, attempt_state, lease, scaffold, recorded).await
        }
        AttemptAgent::External(program) => {
            // The program opens its own conversation.
            let acting =
                ActiveAttempt::begin(services, orders, attempt_state, lease, Vec::new()).await?;
            ExternalAttempt::run(acting, program, recorded).await
        }
    }
}

/// Takes a fresh sandbox, lays the task's files in it, runs the task's setup commands, and starts its
/// services. Fails with `TaskSetup` if a setup command fails, and with `ServiceUnhealthy` if a service
/// does not become healthy.
pub async fn provision_task(
    pool: &PoolHandle,
    task: &Task,
    spec: &Arc<SandboxSpec>,
) -> Result<SandboxLease, Fault> {
    let mut lease = pool.acquire(spec).await?;
    let sandbox = lease.sandbox();
    sandbox.write_files(SandboxTree::Workspace, &task.files).await?;
    for command in &task.setup {
        let report = ensure_exited(
            run_engine_command(sandbox, command, spec.limits.command_timeout).await?,
        )?;
        if !report.end.success() {
            let why = format!(
                "setup command {command:?} ended with {}: {}",
                report.end.exit_code(),
                report.stderr.text().trim()
            );
            return Err(Fault::new(FaultKind::TaskSetup, why));
        }
    }
    start_services(sandbox, task).await?;
    Ok(lease)
}

/// Starts the services of a task, one after the other.
async fn start_services(sandbox: &mut dyn Sandbox, task: &Task) -> Result<(), Fault> {
    for service in &task.services {
        if let Some(why) = sandbox.start_service(service).await?.failure(service) {
            return Err(Fault::new(FaultKind::ServiceUnhealthy, why));
        }
    }
    Ok(())
}
