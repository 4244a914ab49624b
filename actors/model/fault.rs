//! Infrastructure faults: what went wrong around an episode. A fault is never an outcome
//! and never becomes a label.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The cause, which alone decides whether a retry makes sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// The backend could not bring a sandbox up.
    SandboxStart,
    /// The backend will not make such a sandbox: the host lacks what it requires, or there is
    /// no such image. The campaign waits for somebody to mend that.
    SandboxRefused,
    /// What makes sandboxes does not answer, or can make none for now: whoever needs one
    /// waits, and no episode pays for it.
    EngineDown,
    /// The guest died, its stream closed, or it stayed silent past its deadline.
    SandboxLost,
    /// The guest sent what the protocol does not allow.
    SandboxProtocol,
    /// A copy into or out of a sandbox was refused by a cap or failed.
    SandboxCopy,
    /// An agent program of somebody else's never asked its model: it is not installed, or not
    /// meant for this.
    AgentBroken,
    /// The task's own setup commands failed: the template does not fit this host.
    TaskSetup,
    /// The model's service failed in a way that passes (overload, cut, rate limit).
    ModelTransient,
    /// The model's service will keep failing, whatever is asked of it (unknown model, bad
    /// key): the campaign waits for somebody to mend that.
    ModelPermanent,
    /// A recorded campaign has no answer to what was asked: nothing else will have one.
    NotRecorded,
    /// The model's service will not have this one conversation, for whatever reason.
    ModelRejected,
    /// The store refused or lost a write.
    Store,
    /// There is no space left for what must be written.
    StoreFull,
    /// What the store holds does not read back.
    StoreDamaged,
    /// The budget does not cover the next call.
    Budget,
    /// What may be spent on the model does not cover it.
    ModelBudget,
    /// What may be spent on the episode does not cover it: an end of the episode.
    EpisodeBudget,
    /// The agent's time was up before its model had answered: an end of the episode, which
    /// its attempt turns into one.
    OutOfTime,
    /// The conversation is longer than the model can read: an end of the episode, too.
    ContextFull,
    /// The task that ran the attempt panicked.
    Panicked,
    /// An actor was gone and did not come back in time.
    ActorGone,
    /// The recorded turns of an earlier attempt came out differently this time: the next
    /// attempt starts from nothing.
    ReplayDiffers,
    /// A drain or cancel ended the attempt.
    Cancelled,
}

impl FaultKind {
    /// Whether another attempt may succeed.
    pub fn is_transient(self) -> bool {
        match self {
            Self::SandboxStart
            | Self::EngineDown
            | Self::SandboxLost
            | Self::SandboxProtocol
            | Self::SandboxCopy
            | Self::ModelTransient
            | Self::Panicked
            | Self::ActorGone
            | Self::AgentBroken
            | Self::ReplayDiffers => true,
            Self::TaskSetup
            | Self::SandboxRefused
            | Self::ModelPermanent
            | Self::NotRecorded
            | Self::ModelRejected
            | Self::Store
            | Self::StoreFull
            | Self::StoreDamaged
            | Self::Budget
            | Self::ModelBudget
            | Self::EpisodeBudget
            | Self::OutOfTime
            | Self::ContextFull
            | Self::Cancelled => false,
        }
    }

    /// Whether the fault is paid from the episode's attempt budget. What stops a whole
    /// campaign is no episode's failure and leaves its episodes resumable.
    pub fn consumes_attempt(self) -> bool {
        !matches!(
            self,
            Self::Cancelled
                | Self::EngineDown
                | Self::Budget
                | Self::ModelBudget
                | Self::ReplayDiffers
                | Self::Store
                | Self::StoreFull
                | Self::StoreDamaged
                | Self::ActorGone
                | Self::ModelPermanent
                | Self::NotRecorded
                | Self::SandboxRefused
        )
    }

    /// Whether many in a row mean that something all episodes need is down.
    pub fn may_be_outage(self) -> bool {
        matches!(
            self,
            Self::SandboxStart
                | Self::SandboxLost
                | Self::SandboxProtocol
                | Self::AgentBroken
                | Self::ModelTransient
                | Self::ModelRejected
        )
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::SandboxStart => "sandbox_start",
            Self::SandboxRefused => "sandbox_refused",
            Self::AgentBroken => "agent_broken",
            Self::EngineDown => "engine_down",
            Self::SandboxLost => "sandbox_lost",
            Self::SandboxProtocol => "sandbox_protocol",
            Self::SandboxCopy => "sandbox_copy",
            Self::TaskSetup => "task_setup",
            Self::ModelTransient => "model_transient",
            Self::ModelPermanent => "model_permanent",
            Self::NotRecorded => "not_recorded",
            Self::ModelRejected => "model_rejected",
            Self::Store => "store",
            Self::StoreFull => "store_full",
            Self::StoreDamaged => "store_damaged",
            Self::Budget => "budget",
            Self::ModelBudget => "model_budget",
            Self::EpisodeBudget => "episode_budget",
            Self::OutOfTime => "out_of_time",
            Self::ContextFull => "context_full",
            Self::Panicked => "panicked",
            Self::ActorGone => "actor_gone",
            Self::ReplayDiffers => "replay_differs",
            Self::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A fault with what was being done when it struck.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{kind}: {message}")]
pub struct Fault {
    pub kind: FaultKind,
    pub message: String,
}

impl Fault {
    pub fn new(kind: FaultKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
}
