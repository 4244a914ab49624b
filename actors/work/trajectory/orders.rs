//! What an attempt at an episode is made from: its task, its agent and its sandboxes.

use super::phase::AttemptPhase;
use crate::agent::{Agent, Scaffold};
use crate::container_judge::ContainerJudge;
use crate::model::{
    AgentProgram, AttemptNumber, CampaignConfig, Fault, FaultKind, PlannedEpisode, SandboxSpec,
    Task,
};
use crate::task::TaskSource;
use crate::work::AttemptSpec;
use std::sync::atomic::AtomicBool;
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
    pub agent: AttemptAgent,
    /// The protocol in which scripted models write, see [`Agent::script_format`].
    pub script_format: Arc<dyn Scaffold>,
    /// The sandbox in which the agent works.
    pub spec: Arc<SandboxSpec>,
    /// The sandboxes in which its work is checked. They have no network.
    pub checking: Arc<SandboxSpec>,
    /// The judge, if the task is one of a container.
    pub judge: Option<Arc<dyn ContainerJudge>>,
    /// The campaign, with the limits that the task states.
    pub config: Arc<CampaignConfig>,
    /// Set before the outcome is recorded, see [`AttemptSpec::concluding`].
    pub concluding: Arc<AtomicBool>,
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
        let named = Agent::by_name(name)
            .ok_or_else(|| Fault::new(FaultKind::TaskSetup, format!("no scaffold {name}")))?;
        let script_format = named.script_format();
        let agent = AttemptAgent::of(named, &config)?;
        let judge = tasks.judge_of(&plan.template);
        let task = tasks.planned_task(plan.clone()).await?;
        agent.ensure_plays(&task)?;
        let config = task.resources.within(&config);
        let sandbox = config.sandbox_of(&task).ok_or_else(|| {
            Fault::new(FaultKind::SandboxRefused, format!("no image stands for {}", task.image))
        })?;
        Ok(Self {
            plan,
            attempt: spec.attempt,
            replay_after: spec.replay_after,
            task,
            agent,
            script_format,
            checking: Arc::new(sandbox.offline()),
            judge,
            spec: Arc::new(sandbox),
            concluding: spec.concluding.clone(),
            config,
        })
    }
}

/// What acts in an attempt.
#[derive(Clone)]
pub enum AttemptAgent {
    Native(Arc<dyn Scaffold>),
    /// The program to run.
    External(Arc<AgentProgram>),
}

impl AttemptAgent {
    /// Fails with `AgentBroken` if the campaign defines no program of that name.
    fn of(agent: Agent, config: &CampaignConfig) -> Result<Self, Fault> {
        let program = match agent {
            Agent::Native(scaffold) => return Ok(Self::Native(scaffold)),
            Agent::External(program) => program,
        };
        let what = || format!("no agent {} is configured", program.program());
        let configured = config.agents.get(program.program()).cloned();
        let configured = configured.ok_or_else(|| Fault::new(FaultKind::AgentBroken, what()))?;
        Ok(Self::External(Arc::new(configured)))
    }

    /// Fails with `TaskSetup` for a program and a task of a container, whose image does not have the
    /// program. `synthd check` and `run` refuse such a campaign before.
    fn ensure_plays(&self, task: &Task) -> Result<(), Fault> {
        if matches!(self, Self::Native(_)) || task.container.is_none() {
            return Ok(());
        }
        let why = "is a task of a container, and an external agent is not in its image";
        Err(Fault::new(FaultKind::TaskSetup, format!("{} {why}", task.template)))
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
