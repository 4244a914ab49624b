//! The episode actor: one per attempt. It owns the task that does the perishable work, so
//! that when it dies the work is aborted and its sandbox released.

use super::phase::Phase;
use super::run::{Conclusion, run};
use super::world::{Assignment, Standing, World};
use crate::campaign::Planner;
use crate::model::{AgentProgram, Attempt, CampaignConfig, Fault, FaultKind, PlannedEpisode};
use crate::scaffold::{self, External};
use crate::supervisor::{panic_text, spawn, spawn_actor};
use actix::{Actor, ActorContext, ActorFutureExt, Addr, AsyncContext, Context, WrapFuture};
use std::sync::Arc;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

/// How an attempt ended.
#[derive(Debug)]
pub enum Exit {
    Concluded(Box<Conclusion>),
    Faulted(Fault),
}

/// What is to be done; the task is rendered when the attempt begins, off the actors' thread.
#[derive(Clone)]
pub struct Orders {
    pub plan: PlannedEpisode,
    pub attempt: Attempt,
    pub replay_after: Attempt,
    pub planner: Arc<Planner>,
}

impl Orders {
    async fn assignment(self) -> Result<Assignment, Fault> {
        let name = &self.plan.scaffold;
        let scaffold = scaffold::by_name(name)
            .ok_or_else(|| Fault::new(FaultKind::TaskSetup, format!("no scaffold {name}")))?;
        let config = self.planner.config.clone();
        let program = program(&config, name)?.map(Arc::new);
        let task = self.planner.clone().planned_task(self.plan.clone()).await?;
        let spec = config.sandbox_for(&task.image).ok_or_else(|| {
            Fault::new(FaultKind::SandboxRefused, format!("no image stands for {}", task.image))
        })?;
        Ok(Assignment {
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

/// What an external scaffold runs.
fn program(config: &CampaignConfig, scaffold: &str) -> Result<Option<AgentProgram>, Fault> {
    let Some(name) = scaffold.strip_prefix(External::PREFIX) else { return Ok(None) };
    match config.agents.get(name) {
        Some(program) => Ok(Some(program.clone())),
        None => Err(Fault::new(FaultKind::AgentBroken, format!("no agent is named {name}"))),
    }
}

pub struct EpisodeActor {
    world: World,
    orders: Orders,
    cancel: CancellationToken,
    exit: Option<oneshot::Sender<Exit>>,
}

/// Starts an attempt; its exit arrives when it has ended, however it ends.
pub fn launch(
    world: World,
    orders: Orders,
    cancel: CancellationToken,
) -> (Addr<EpisodeActor>, JoinHandle<()>, oneshot::Receiver<Exit>) {
    let (exit, ended) = oneshot::channel();
    let actor = EpisodeActor { world, orders, cancel, exit: Some(exit) };
    let (address, joined) = spawn_actor(actor);
    (address, joined, ended)
}

impl EpisodeActor {
    fn finish(&mut self, exit: Exit, ctx: &mut Context<Self>) {
        if let Some(sender) = self.exit.take() {
            // A campaign that is gone has nobody to tell; the journal has it all.
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
        // Of the highest level, so that a filter for warnings does not hide whose they are.
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
        let work = spawn("episode", attempt.instrument(span));
        ctx.spawn(work.into_actor(self).map(|ended, this, ctx| {
            let exit = match ended {
                Ok(Ok(conclusion)) => Exit::Concluded(Box::new(conclusion)),
                Ok(Err(fault)) => Exit::Faulted(fault),
                Err(failure) => Exit::Faulted(Fault::new(FaultKind::Panicked, panic_text(failure))),
            };
            this.finish(exit, ctx);
        }));
    }
}

async fn perform(
    world: &World,
    orders: Orders,
    cancel: &CancellationToken,
) -> Result<Conclusion, Fault> {
    let assignment = orders.assignment().await?;
    let standing = Standing::new();
    let outcome = run(world, &assignment, &standing, cancel).await;
    if outcome.is_err() {
        standing.become_phase(Phase::Faulted);
    }
    outcome
}
