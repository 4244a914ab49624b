//! The episode actor: one for each attempt. It owns the task that does the work. When the actor
//! dies, the task is aborted and its sandbox is released.

use super::engine_services::{AttemptOrders, AttemptState, EngineServices};
use super::phase::AttemptPhase;
use super::run::{AttemptResult, run};
use crate::model::{AgentProgram, AttemptNumber, CampaignConfig, Fault, FaultKind, PlannedEpisode};
use crate::scaffold::{self, ExternalScaffold};
use crate::supervisor::{panic_text, spawn, spawn_actor};
use crate::task::TaskSource;
use actix::{Actor, ActorContext, ActorFutureExt, Addr, AsyncContext, Context, WrapFuture};
use std::sync::Arc;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

/// How an attempt ended.
#[derive(Debug)]
pub enum AttemptExit {
    /// The agent has stopped and its work has a verdict. The journal has the outcome.
    Concluded(Box<AttemptResult>),
    /// There is no verdict. The campaign decides what follows.
    Faulted(Fault),
}

/// What the campaign orders. The task itself is rendered when the attempt begins, on a blocking
/// thread and not on the actors' thread.
#[derive(Clone)]
pub struct AttemptSpec {
    pub plan: PlannedEpisode,
    pub attempt: AttemptNumber,
    /// Only turns of attempts with a higher number than this may be replayed.
    pub replay_after: AttemptNumber,
    pub config: Arc<CampaignConfig>,
    pub tasks: Arc<TaskSource>,
}

impl AttemptSpec {
    /// Renders the task and looks up everything that the attempt needs. Fails with `TaskSetup` for
    /// a scaffold or a task that does not exist any more, with `AgentBroken` for an agent that is
    /// not configured, and with `SandboxRefused` if no image is configured.
    async fn assignment(self) -> Result<AttemptOrders, Fault> {
        let name = &self.plan.scaffold;
        let scaffold = scaffold::by_name(name)
            .ok_or_else(|| Fault::new(FaultKind::TaskSetup, format!("no scaffold {name}")))?;
        let config = self.config.clone();
        let program = program(&config, name)?.map(Arc::new);
        let task = self.tasks.clone().planned_task(self.plan.clone()).await?;
        let spec = config.sandbox_for(&task.image).ok_or_else(|| {
            Fault::new(FaultKind::SandboxRefused, format!("no image stands for {}", task.image))
        })?;
        Ok(AttemptOrders {
            plan: self.plan,
            attempt: self.attempt,
            replay_after: self.replay_after,
            task,
            scaffold,
            program,
            checking: Arc::new(spec.offline()),
            spec: Arc::new(spec),
            config,
        })
    }
}

/// The program of an external scaffold. None for a native one. Fails with `AgentBroken` if the
/// campaign defines no agent of that name.
fn program(config: &CampaignConfig, scaffold: &str) -> Result<Option<AgentProgram>, Fault> {
    let Some(name) = scaffold.strip_prefix(ExternalScaffold::PREFIX) else { return Ok(None) };
    match config.agents.get(name) {
        Some(program) => Ok(Some(program.clone())),
        None => Err(Fault::new(FaultKind::AgentBroken, format!("no agent is named {name}"))),
    }
}

/// The state of one attempt's actor.
pub struct EpisodeActor {
    world: EngineServices,
    orders: AttemptSpec,
    cancel: CancellationToken,
    /// Takes the exit. It is empty after the exit was sent.
    exit: Option<oneshot::Sender<AttemptExit>>,
}

/// Starts an attempt. The receiver gets its exit when it has ended. If the actor dies without an
/// exit, the receiver fails and the join handle has the panic. `cancel` cuts the attempt off.
pub fn launch(
    world: EngineServices,
    orders: AttemptSpec,
    cancel: CancellationToken,
) -> (Addr<EpisodeActor>, JoinHandle<()>, oneshot::Receiver<AttemptExit>) {
    let (exit, ended) = oneshot::channel();
    let actor = EpisodeActor { world, orders, cancel, exit: Some(exit) };
    let (address, joined) = spawn_actor(actor);
    (address, joined, ended)
}

impl EpisodeActor {
    /// Sends the exit and stops the actor.
    fn finish(&mut self, exit: AttemptExit, ctx: &mut Context<Self>) {
        if let Some(sender) = self.exit.take() {
            // If the campaign is gone, nobody reads the exit. The journal has everything.
            sender.send(exit).ok();
        }
        ctx.stop();
    }
}

impl Actor for EpisodeActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let (world, orders) = (self.world.clone(), self.orders.clone());
        let cancel = self.cancel.clone();
        // The span has the highest level, so that a filter which shows only warnings still says to
        // which episode they belong.
        let span = tracing::error_span!(
            "episode",
            campaign = %orders.plan.campaign,
            episode = %orders.plan.id,
            attempt = orders.attempt.0,
        );
        let attempt = async move {
            let outcome = perform(&world, orders, &cancel).await;
            match &outcome {
                Ok(done) => tracing::info!(steps = done.turns.len(), "the attempt is judged"),
                Err(fault) => tracing::debug!(%fault, "the attempt ended without a verdict"),
            }
            outcome
        };
        // The work runs on the worker threads. The actor owns its handle, so the work ends with the
        // actor.
        let work = spawn("episode", attempt.instrument(span));
        ctx.spawn(work.into_actor(self).map(|ended, this, ctx| {
            // A panic of the work is a fault like any other.
            let exit = match ended {
                Ok(Ok(conclusion)) => AttemptExit::Concluded(Box::new(conclusion)),
                Ok(Err(fault)) => AttemptExit::Faulted(fault),
                Err(failure) => {
                    AttemptExit::Faulted(Fault::new(FaultKind::Panicked, panic_text(failure)))
                }
            };
            this.finish(exit, ctx);
        }));
    }
}

/// Runs the attempt and marks its state as faulted if it ends in a fault.
async fn perform(
    world: &EngineServices,
    orders: AttemptSpec,
    cancel: &CancellationToken,
) -> Result<AttemptResult, Fault> {
    let assignment = orders.assignment().await?;
    let standing = AttemptState::new();
    let outcome = run(world, &assignment, &standing, cancel).await;
    if outcome.is_err() {
        standing.enter_phase(AttemptPhase::Faulted);
    }
    outcome
}
