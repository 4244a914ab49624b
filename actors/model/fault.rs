//! Faults: what went wrong around an episode, and the one table that says what each kind of fault
//! means. `fault_policy` has the columns of the table.
//!
//! A part of the engine that fails makes a [`Fault`] with a [`FaultKind`]. Everything that depends
//! on the kind asks [`FaultKind::policy`]: whether the model is asked again, whether the attempt is
//! repeated, whether the campaign pauses, what the circuit breakers learn, what a client of the
//! gateway is answered and what users are told. `docs/faults.md` is printed from this table.
//!
//! Invariant: a fault is not an outcome and gives no label. The exception is a kind for which the
//! table has an ending: then the agent itself caused the fault, and the episode is judged.

use super::{
    AgentEnding, BackendSign, FailedCallEffect, FaultOwner, FaultPolicy, FaultResponse,
    ModelFailure, ProviderSign, StopReason,
};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The cause of a fault. [`FaultKind::policy`] says what follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// The backend could not start a sandbox.
    SandboxStart,
    /// The backend will not make such a sandbox: the host lacks a required protection, or there is
    /// no such image. The campaign pauses until a person corrects this.
    SandboxRefused,
    /// The container engine does not answer, or can make no sandbox for now. Everything that needs
    /// a sandbox waits, and it costs no episode an attempt.
    EngineDown,
    /// The guest ended, its stream closed, or it did not answer before its timeout.
    SandboxLost,
    /// The guest sent something that the guest protocol does not allow.
    SandboxProtocol,
    /// A copy of the workspace out of or into a sandbox failed, or was too large.
    SandboxCopy,
    /// An agent program never heard its model. Probably it is not installed or not configured for
    /// the agent gateway, or it waits for no answer.
    AgentBroken,
    /// An agent program closed the connection before its call was answered, and had not waited
    /// long. After a long wait the fault is [`Self::OutOfTime`].
    AgentLeft,
    /// A setup command of the task failed, so the template does not fit this host. Also: the
    /// template has changed since the episode was planned.
    TaskSetup,
    /// A service of the task did not become healthy before the agent's first turn.
    ServiceUnhealthy,
    /// The provider failed in a way that may pass: overload, a broken connection, a rate limit.
    ModelTransient,
    /// The provider will fail whatever is asked, for example because the model is unknown. The
    /// campaign pauses until a person corrects this.
    ModelPermanent,
    /// The provider rejects the API key.
    KeyRejected,
    /// The provider counted more tokens than can be true, so its cost cannot be computed.
    ModelMiscounted,
    /// A replay has no recorded answer to this request. Asking again will not help.
    NotRecorded,
    /// The provider rejects this one conversation.
    ModelRejected,
    /// The store refused or lost a write.
    Store,
    /// There is no disk space left in the data directory.
    StoreFull,
    /// The store contains something that cannot be read.
    StoreDamaged,
    /// The budget of the campaign does not cover the next call.
    Budget,
    /// The budget of the model does not cover the next call.
    ModelBudget,
    /// The budget of the episode does not cover the next call.
    EpisodeBudget,
    /// The budget of the episode does not cover the next call, but it would if calls without an
    /// answer had cost nothing. So the agent has not spent the budget, and the fault gives no
    /// label.
    EpisodeUnanswered,
    /// The budget of the episode does not cover the first call, so the agent has done nothing yet.
    EpisodeCapSmall,
    /// A call cost more than its worst case. So worst cases are wrong, and no cap can be kept.
    CallOverrun,
    /// The model did not answer within the time of a call: the provider was silent. Also: an agent
    /// program has waited long for an answer, and gave up.
    OutOfTime,
    /// The model answered a long conversation several times without any text. Either the
    /// conversation is too long, or the provider has a problem; nobody can know which.
    EmptyAnswer,
    /// The provider says that the conversation is longer than the model can read.
    ContextFull,
    /// The task that ran the attempt panicked.
    Panicked,
    /// An actor ended and was not restarted in time.
    ActorGone,
    /// Two actors died of the same message, and it was set aside.
    MessageSetAside,
    /// The recorded turns of an earlier attempt had other results when they were replayed. The next
    /// attempt starts without them.
    ReplayDiffers,
    /// A drain, a pause or a cancel ended the attempt.
    Cancelled,
}

// Hints that several kinds share.
const SANDBOX: &str = "`synthd doctor` says what this host can run";
const REPORT: &str = "run the command again: campaigns are resumable; report what the log says";
const PROVIDER: &str = "look whether the provider is up, then run `synthd retry`";

impl FaultKind {
    /// Every kind, in the order of the page.
    pub const ALL: [Self; 33] = [
        Self::SandboxStart,
        Self::SandboxRefused,
        Self::EngineDown,
        Self::SandboxLost,
        Self::SandboxProtocol,
        Self::SandboxCopy,
        Self::AgentBroken,
        Self::AgentLeft,
        Self::TaskSetup,
        Self::ServiceUnhealthy,
        Self::ModelTransient,
        Self::OutOfTime,
        Self::ModelPermanent,
        Self::KeyRejected,
        Self::ModelMiscounted,
        Self::ModelRejected,
        Self::NotRecorded,
        Self::EmptyAnswer,
        Self::ContextFull,
        Self::Budget,
        Self::ModelBudget,
        Self::EpisodeBudget,
        Self::EpisodeUnanswered,
        Self::EpisodeCapSmall,
        Self::CallOverrun,
        Self::Store,
        Self::StoreFull,
        Self::StoreDamaged,
        Self::Panicked,
        Self::ActorGone,
        Self::MessageSetAside,
        Self::ReplayDiffers,
        Self::Cancelled,
    ];

    /// The table of faults. Everything that depends on the kind of a fault asks it. The `match` has
    /// no default, so a new kind cannot be forgotten.
    pub const fn policy(self) -> FaultPolicy {
        use AgentEnding::{Stops, Uncopied};
        use FaultOwner::{Agent, Engine, Host, Operator, Provider, Template};
        use FaultResponse as R;
        let row = FaultPolicy::new;
        match self {
            Self::SandboxStart => row(Host, R::Retry).outage().passes().tells(
                "SYN-0403",
                "a sandbox did not start",
                SANDBOX,
            ),
            Self::SandboxRefused => row(Host, R::PauseCampaign).passes().of_backend(BackendSign::Answers).tells(
                "SYN-0404",
                "the sandbox that [sandbox] describes cannot be made",
                "`synthd check` says what is missing; `synthd doctor` what this host can run",
            ),
            Self::EngineDown => row(Host, R::RetryFree).passes().of_backend(BackendSign::Down).tells(
                "SYN-0405",
                "the container engine does not answer, or has no room",
                "start it again, or name another with DOCKER_HOST",
            ),
            Self::SandboxLost => row(Host, R::Retry).outage().passes().tells(
                "SYN-0403",
                "a sandbox ended before its work did",
                SANDBOX,
            ),
            Self::SandboxProtocol => row(Host, R::Retry).outage().passes().tells(
                "SYN-0403",
                "a sandbox sent what the guest protocol does not allow",
                SANDBOX,
            ),
            Self::SandboxCopy => row(Agent, R::Retry).ends(Uncopied).passes().tells(
                "SYN-0403",
                "a workspace could not be copied",
                "raise [sandbox] copy if the work really is that large",
            ),
            Self::AgentBroken => row(Operator, R::Retry).outage().passes().tells(
                "SYN-0406",
                "an agent program never heard its model",
                "see that `[agents]` names a program that sandboxes have; \
                 the log has its last words",
            ),
            Self::AgentLeft => row(Agent, R::GiveUp)
                .ends(Stops(StopReason::AgentFailed))
                .before_a_turn(Self::AgentBroken)
                .after_call(FailedCallEffect::Left)
                .signs(ProviderSign::Nothing)
                .answers(499, "client_left")
                .says("an agent program hung up before its call was answered", ""),
            Self::TaskSetup => row(Template, R::GiveUp).tells(
                "SYN-0203",
                "the setup of a task failed",
                "`synthd template check` tries the template on this host",
            ),
            Self::ServiceUnhealthy => row(Template, R::Retry).passes().tells(
                "SYN-0205",
                "a service of a task did not become healthy",
                "`synthd template check` tries the template on this host; give the service more \
                 time with `healthy_within` if it is only slow",
            ),
            Self::ModelTransient => row(Provider, R::Retry).asked_again().outage().passes()
                .signs(ProviderSign::Fails).slow().stood_in(ModelFailure::Outage).answers(502, "upstream_failed").tells(
                "SYN-0804",
                "a provider failed in a way that may pass",
                PROVIDER,
            ),
            Self::OutOfTime => row(Provider, R::Retry).outage().passes().signs(ProviderSign::Silent).after_call(FailedCallEffect::Ends).slow().answers(504, "upstream_timeout").tells(
                "SYN-0804",
                "a model did not answer in time",
                PROVIDER,
            ),
            Self::ModelPermanent => row(Operator, R::PauseCampaign).of_model().passes().slow().refuses(502, "upstream_unusable").tells(
                "SYN-0801",
                "a model of the campaign cannot be asked",
                "set its key in the environment, or mend `[[models]]` and `[providers]`",
            ),
            Self::KeyRejected => row(Operator, R::PauseCampaign).of_model().passes().slow().refuses(502, "upstream_unusable").tells(
                "SYN-0411",
                "a provider does not take the key it was sent",
                "set the variable that the message names to a valid key, then run the command \
                 again: it resumes",
            ),
            Self::ModelMiscounted => row(Provider, R::PauseCampaign).of_model().passes().refuses(502, "upstream_unusable").tells(
                "SYN-0412",
                "a provider counted more tokens than a call can have",
                "`synthd call list --failed` names the call, which is recorded at its whole hold; \
                 correct `context`, or ask the model elsewhere, and run the command again",
            ),
            Self::ModelRejected => row(Provider, R::GiveUp).outage().answers(400, "invalid_request").tells(
                "SYN-0804",
                "a provider refused a conversation",
                "`synthd call list` shows what it was asked and what it said",
            ),
            Self::NotRecorded => row(Operator, R::PauseCampaign).of_model().refuses(404, "not_recorded").tells(
                "SYN-0803",
                "a recorded campaign has no answer to what was asked",
                "replay with the templates, scaffolds and seed it was recorded with",
            ),
            Self::EmptyAnswer => row(Provider, R::GiveUp)
                .outage()
                .passes()
                .signs(ProviderSign::Fails)
                .stood_in(ModelFailure::Context)
                .answers(502, "upstream_failed")
                .tells(
                    "SYN-0804",
                    "a provider answered a long conversation without a word",
                    "`synthd call list` shows the calls; name a model with more context in \
                     `fallback.context`, or run `synthd retry` when the provider answers",
                ),
            Self::ContextFull => row(Agent, R::GiveUp)
                .ends(Stops(StopReason::ContextFull))
                .before_a_turn(Self::ModelRejected)
                .stood_in(ModelFailure::Context).answers(400, "context_length_exceeded")
                .says("the conversation is longer than the model can read", ""),
            Self::Budget => row(Operator, R::StopCampaign).passes().refuses(402, "budget_exhausted").tells(
                "SYN-0805",
                "the campaign has reached its budget",
                "raise [budget] and run the command again: it resumes",
            ),
            Self::ModelBudget => row(Operator, R::StopCampaign).passes().stood_in(ModelFailure::Budget).refuses(402, "budget_exhausted").tells(
                "SYN-0805",
                "the campaign has reached the budget of a model",
                "raise that model's budget_usd and run the command again: it resumes",
            ),
            Self::EpisodeBudget => row(Agent, R::GiveUp)
                .ends(Stops(StopReason::CostLimit))
                .before_a_turn(Self::EpisodeCapSmall)
                .after_call(FailedCallEffect::Ends)
                .refuses(402, "budget_exhausted")
                .says("the episode has spent its share", ""),
            Self::EpisodeUnanswered => row(Provider, R::GiveUp)
                .outage()
                .after_call(FailedCallEffect::Ends)
                .passes()
                .signs(ProviderSign::Nothing)
                .refuses(402, "budget_exhausted")
                .tells(
                    "SYN-0804",
                    "calls without an answer have used up the share of an episode",
                    "raise [budget] episode_usd, or correct the calls with `synthd money reconcile`, \
                     then run `synthd retry`",
                ),
            Self::EpisodeCapSmall => row(Operator, R::GiveUp)
                .outage()
                .after_call(FailedCallEffect::Ends)
                .passes()
                .signs(ProviderSign::Nothing)
                .refuses(402, "budget_exhausted")
                .tells(
                    "SYN-0802",
                    "the first call of an episode does not fit under [budget] episode_usd",
                    "raise [budget] episode_usd, then run `synthd retry`",
                ),
            Self::CallOverrun => row(Provider, R::PauseCampaign).of_model().passes().refuses(502, "upstream_unusable").tells(
                "SYN-0310",
                "a call cost more than its worst case, so no cap can be kept",
                "mend the model's price or its provider; then `synthd money reconcile` the call \
                 that `synthd money list` shows as over, and run the command again",
            ),
            Self::Store => row(Engine, R::PauseCampaign).passes().tells(
                "SYN-0003",
                "the store failed",
                "check the permissions of the data directory, then run the command again",
            ),
            Self::StoreFull => row(Host, R::PauseCampaign).passes().answers(503, "store_full").tells(
                "SYN-0303",
                "there is no space left in the data directory",
                "free some space there, then run the same command again: it resumes",
            ),
            Self::StoreDamaged => row(Host, R::PauseCampaign).tells(
                "SYN-0305",
                "the store holds what cannot be read",
                "`synthd store verify` says what is wrong; `synthd store restore` goes on from a backup",
            ),
            Self::Panicked => row(Engine, R::Retry).passes().restarts().signs(ProviderSign::Nothing).tells(
                "SYN-0001",
                "a part of the engine failed",
                REPORT,
            ),
            Self::ActorGone => row(Engine, R::PauseCampaign).passes().tells(
                "SYN-0001",
                "a part of the engine did not come back",
                REPORT,
            ),
            Self::MessageSetAside => row(Engine, R::PauseCampaign).passes().signs(ProviderSign::Nothing).tells(
                "SYN-0005",
                "a part of the engine died twice of the same request",
                REPORT,
            ),
            Self::ReplayDiffers => row(Engine, R::StartOver)
                .says("the recorded turns of an earlier attempt came out differently", ""),
            Self::Cancelled => row(Operator, R::Wait).of_backend(BackendSign::Nothing).signs(ProviderSign::Nothing)
                .says("the attempt was cut off by a drain, a pause or a cancel", ""),
        }
    }

    /// Whether another attempt may succeed.
    pub fn is_transient(self) -> bool {
        self.policy().tries_again()
    }

    /// Whether the fault uses up one of the episode's attempts. A fault that halts the campaign
    /// does not: its episodes stay resumable.
    pub fn consumes_attempt(self) -> bool {
        self.policy().costs_attempt()
    }

    /// Whether many of these faults in a row mean that something is down which all episodes need.
    pub fn may_be_outage(self) -> bool {
        self.policy().may_be_outage
    }

    /// The stop reason of an agent that caused this fault itself. None if the fault is not the
    /// agent's own doing.
    pub fn stop_reason(self) -> Option<StopReason> {
        match self.policy().ending {
            Some(AgentEnding::Stops(stop)) => Some(stop),
            Some(AgentEnding::Uncopied) | None => None,
        }
    }

    /// Whether the workspace could not be copied, so that the episode is judged as unsolved.
    pub fn is_uncopied(self) -> bool {
        self.policy().ending == Some(AgentEnding::Uncopied)
    }

    /// The kind with which the text of a fault begins, such as `store_full: no space left`. None if
    /// the text is no fault's.
    pub fn at_the_start_of(text: &str) -> Option<Self> {
        let (name, _) = text.split_once(": ")?;
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// The name in the store, in reports and in `docs/faults.md`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SandboxStart => "sandbox_start",
            Self::SandboxRefused => "sandbox_refused",
            Self::AgentBroken => "agent_broken",
            Self::AgentLeft => "agent_left",
            Self::EngineDown => "engine_down",
            Self::SandboxLost => "sandbox_lost",
            Self::SandboxProtocol => "sandbox_protocol",
            Self::SandboxCopy => "sandbox_copy",
            Self::TaskSetup => "task_setup",
            Self::ServiceUnhealthy => "service_unhealthy",
            Self::ModelTransient => "model_transient",
            Self::ModelPermanent => "model_permanent",
            Self::KeyRejected => "key_rejected",
            Self::ModelMiscounted => "model_miscounted",
            Self::NotRecorded => "not_recorded",
            Self::ModelRejected => "model_rejected",
            Self::Store => "store",
            Self::StoreFull => "store_full",
            Self::StoreDamaged => "store_damaged",
            Self::Budget => "budget",
            Self::ModelBudget => "model_budget",
            Self::EpisodeBudget => "episode_budget",
            Self::EpisodeUnanswered => "episode_unanswered",
            Self::EpisodeCapSmall => "episode_cap_small",
            Self::CallOverrun => "call_overrun",
            Self::OutOfTime => "out_of_time",
            Self::EmptyAnswer => "empty_answer",
            Self::ContextFull => "context_full",
            Self::Panicked => "panicked",
            Self::ActorGone => "actor_gone",
            Self::MessageSetAside => "message_set_aside",
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

/// A fault: its kind, and a message about what was being done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{kind}: {message}")]
pub struct Fault {
    pub kind: FaultKind,
    /// For people.
    pub message: String,
}

impl Fault {
    /// A fault of this kind. The message should say what was being done and what went wrong.
    pub fn new(kind: FaultKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// The same fault, with the kind that it has before the first turn.
    pub fn before_any_turn(self) -> Self {
        let kind = self.kind.policy().before_a_turn.unwrap_or(self.kind);
        Self { kind, ..self }
    }

    /// The reason for which an agent stops whose call failed, after `turns` turns. Err with the
    /// fault if it is not an ending of the agent. Before the first turn, the kind in
    /// `before_a_turn` replaces this one, because an agent that has done nothing must not get a
    /// label.
    pub fn stop_after(self, turns: usize) -> Result<StopReason, Self> {
        let fault = if turns == 0 { self.before_any_turn() } else { self };
        fault.kind.stop_reason().ok_or(fault)
    }
}
