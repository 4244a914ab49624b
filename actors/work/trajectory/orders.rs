//! What an attempt at an episode is made from: its task, its agent and its sandboxes.

use super::phase::AttemptPhase;
use crate::model::{
    AgentProgram, AttemptNumber, CampaignConfig, Fault, FaultKind, PlannedEpisode, SandboxSpec,
    Task,
};
use crate::scaffold::{self, ExternalScaffold, Scaffold};
use crate::task::TaskSource;
use crate::work::AttemptSpec;
use std::sync::{Arc, Mutex, PoisonError};

/// Everything that one attempt needs to know, after its task was rendered.
#[derive(Clone)]
pub struct AttemptOrders {
    pub plan: PlannedEpisode,
    pub attempt: AttemptNumber,
    /// Recorded turns are replayed before new ones are asked for, but only turns of attempts after
    /// this one. The turns up to it did not repeat.
    pub replay_after: AttemptNumber,
    pub task: Arc<Task>,
    pub scaffold: Arc<dyn Scaffold>,
    /// The program to run, for an external agent. None for a native one.
    pub program: Option<Arc<AgentProgram>>,
    /// The sandbox in which the agent works.
    pub spec: Arc<SandboxSpec>,
    /// The sandboxes in which its work is checked. They have no network.
    pub checking: Arc<SandboxSpec>,
    pub config: Arc<CampaignConfig>,
}

impl AttemptOrders {
    /// Renders the task, on a blocking thread, and looks up everything that the attempt needs. Fails
    /// with `TaskSetup` for a scaffold or a task that does not exist any more, with `AgentBroken`
    /// for an agent that is not configured, and with `SandboxRefused` if no image is configured.
    pub(super) async fn of(
        spec: &AttemptSpec,
        config: Arc<CampaignConfig>,
        tasks: Arc<TaskSource>,
    ) -> Result<Self, Fault> {
        let plan = spec.plan.clone();
        let name = &plan.scaffold;
        let scaffold = scaffold::by_name(name)
            .ok_or_else(|| Fault::new(FaultKind::TaskSetup, format!("no scaffold {name}")))?;
        let program = program(&config, name)?.map(Arc::new);
        let task = tasks.planned_task(plan.clone()).await?;
        let sandbox = config.sandbox_for(&task.image).ok_or_else(|| {
            Fault::new(FaultKind::SandboxRefused, format!("no image stands for {}", task.image))
        })?;
        Ok(Self {
            plan,
            attempt: spec.attempt,
            replay_after: spec.replay_after,
            task,
            scaffold,
            program,
            checking: Arc::new(sandbox.offline()),
            spec: Arc::new(sandbox),
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

/// The current phase of an attempt.
#[derive(Debug)]
pub(super) struct AttemptState(Mutex<AttemptPhase>);

impl AttemptState {
    pub(super) fn new() -> Self {
        Self(Mutex::new(AttemptPhase::Provisioning))
    }

    /// Enters the next phase. A transition that the state machine does not have is a bug. It is
    /// logged as an error, and the episode goes on (a debug build panics).
    pub(super) fn enter_phase(&self, next: AttemptPhase) {
        let mut phase = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if *phase != next && !phase.may_become(next) {
            tracing::error!(from = ?*phase, to = ?next, "an impossible step of an episode");
            debug_assert!(false, "{phase:?} may not become {next:?}");
        }
        *phase = next;
    }
}
