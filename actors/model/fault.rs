//! Faults: what went wrong around an episode, and the one table of what each kind means.
//! A fault is never an outcome. Where the table names an ending, the agent itself caused the
//! fault, and the episode is judged; no other fault becomes a label.

use super::{ModelFailure, StopReason};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The cause. [`FaultKind::policy`] says what follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// The backend could not bring a sandbox up.
    SandboxStart,
    /// The backend will not make such a sandbox: the host lacks what it requires, or there is
    /// no such image. The campaign waits for somebody to mend that.
    SandboxRefused,
    /// The maker of sandboxes does not answer, or can make none for now. Everything that needs a
    /// sandbox waits, and no episode pays for it.
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
    /// An agent program hung up before its call was answered.
    AgentLeft,
    /// The task's own setup commands failed: the template does not fit this host.
    TaskSetup,
    /// The model's service failed in a way that passes (overload, cut, rate limit).
    ModelTransient,
    /// The model's service will keep failing, whatever is asked of it (unknown model, bad
    /// key): the campaign waits for somebody to mend that.
    ModelPermanent,
    /// The model's service does not take the key it is sent.
    KeyRejected,
    /// The model's service counted more tokens than can be: its prices cannot be applied.
    ModelMiscounted,
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
    /// What may be spent on the episode does not cover the next call.
    EpisodeBudget,
    /// The same, but only because a part of it went to calls that got no answer: the agent has not
    /// spent its share.
    EpisodeUnanswered,
    /// The same before the agent had its first turn: the agent has done nothing yet.
    EpisodeCapSmall,
    /// A call cost more than its worst case: worst cases are wrong, and with them every cap.
    CallOverrun,
    /// The model did not answer in the time that a call may take: the provider was silent.
    OutOfTime,
    /// The model answered a long conversation several times without a word. Whether it is too long
    /// or the provider is ill, nobody knows.
    EmptyAnswer,
    /// The provider says that the conversation is longer than the model can read.
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

/// Who caused a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultOwner {
    /// The service that answers for the model.
    Provider,
    /// The program that acts in the sandbox, or the conversation it leads.
    Agent,
    Template,
    Host,
    Engine,
    /// The person who runs the campaign: a budget, a key, an order.
    Operator,
}

/// What follows an attempt that ended in a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultResponse {
    /// Another attempt, for as long as the episode has attempts left.
    Retry,
    /// Another attempt after a short rest, which costs the episode none of its attempts.
    RetryFree,
    /// Another attempt from the first turn, which costs the episode none of its attempts.
    StartOver,
    /// The episode ends as faulted, without a label.
    GiveUp,
    /// The campaign pauses: the next episode would meet the same.
    PauseCampaign,
    /// The campaign stops at its budget; what runs goes on while it can pay.
    StopCampaign,
    /// Nothing: somebody asked for it, and the episode waits to be resumed.
    Wait,
}

/// How an episode ends that met what its own agent did. Only this may become a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AgentEnding {
    /// The agent stops for this reason, and its work is judged.
    Stops(StopReason),
    /// The final workspace cannot be copied out, so it is judged as unsolved.
    Uncopied,
}

/// What a failed call tells of the provider it was sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProviderSign {
    /// It is there, whatever it answered.
    Answers,
    /// It is counted as down after several such failures in a row.
    Fails,
    /// It said nothing for as long as a call may take: it is counted as down sooner.
    Silent,
    /// The call was not heard out, or never left.
    Nothing,
}

/// What a failed creation tells of the backend that was to make the sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackendSign {
    /// It is there, whatever it said of this one sandbox.
    Answers,
    /// It is counted as down after several such failures in a row.
    Fails,
    /// It is down at once, and everybody waits for it.
    Down,
    /// The creation was not waited for.
    Nothing,
}

/// What follows a failed call of an agent program for the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailedCallEffect {
    /// It is told, and goes on as it likes.
    Told,
    /// The attempt ends: the program is asked nothing more.
    Ends,
    /// The program has left the call itself. What troubled it before stands.
    Left,
}

/// What a client of the gateway is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAnswer {
    pub status: u16,
    pub code: &'static str,
    /// Whether the client's own retries are discouraged, where its format has a way to say so.
    pub is_final: bool,
}

/// One row of the table of faults: all that a kind of fault means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FaultPolicy {
    pub owner: FaultOwner,
    pub response: FaultResponse,
    /// The model is asked again within the same call, before the attempt hears of it.
    pub asks_again: bool,
    /// So many in a row that no single episode could cause them pause the campaign.
    pub may_be_outage: bool,
    /// So many in a short time that no episode alone could cause them pause the campaign.
    pub is_restart: bool,
    /// Whether the reason may be gone by the next run, so that a faulted episode is worth
    /// another try.
    pub may_pass: bool,
    pub ending: Option<AgentEnding>,
    /// What it is where the agent has had no turn yet, if that is something else.
    pub before_a_turn: Option<FaultKind>,
    /// What it tells of the provider, but for being asked too often.
    pub sign: ProviderSign,
    /// What it tells of the backend of sandboxes.
    pub backend: BackendSign,
    /// What follows for an agent program whose call failed so, but for what halts the campaign.
    call: FailedCallEffect,
    /// Whether it counts as a slow answer where the soonest model is chosen.
    pub slows: bool,
    /// As which failure another model may stand in.
    pub stands_in: Option<ModelFailure>,
    pub client: ClientAnswer,
    /// The code of the error that users are shown. None: nobody is shown one.
    pub code: Option<&'static str>,
    /// What users are told of it.
    pub told: &'static str,
    /// The way out.
    pub hint: &'static str,
}

impl FaultPolicy {
    const fn new(owner: FaultOwner, response: FaultResponse) -> Self {
        Self {
            owner,
            response,
            asks_again: false,
            may_be_outage: false,
            is_restart: false,
            may_pass: false,
            ending: None,
            before_a_turn: None,
            sign: ProviderSign::Answers,
            backend: BackendSign::Fails,
            call: FailedCallEffect::Told,
            slows: false,
            stands_in: None,
            client: ClientAnswer { status: 500, code: "engine_failed", is_final: false },
            code: None,
            told: "",
            hint: "",
        }
    }

    const fn asked_again(self) -> Self {
        Self { asks_again: true, ..self }
    }

    const fn outage(self) -> Self {
        Self { may_be_outage: true, ..self }
    }

    const fn passes(self) -> Self {
        Self { may_pass: true, ..self }
    }

    const fn ends(self, ending: AgentEnding) -> Self {
        Self { ending: Some(ending), ..self }
    }

    const fn before_a_turn(self, kind: FaultKind) -> Self {
        Self { before_a_turn: Some(kind), ..self }
    }

    const fn signs(self, sign: ProviderSign) -> Self {
        Self { sign, ..self }
    }

    const fn of_backend(self, backend: BackendSign) -> Self {
        Self { backend, ..self }
    }

    const fn after_call(self, call: FailedCallEffect) -> Self {
        Self { call, ..self }
    }

    const fn restarts(self) -> Self {
        Self { is_restart: true, ..self }
    }

    const fn slow(self) -> Self {
        Self { slows: true, ..self }
    }

    const fn stood_in(self, failure: ModelFailure) -> Self {
        Self { stands_in: Some(failure), ..self }
    }

    const fn answers(self, status: u16, code: &'static str) -> Self {
        Self { client: ClientAnswer { status, code, is_final: false }, ..self }
    }

    /// The same answer again, however often the client asks.
    const fn refuses(self, status: u16, code: &'static str) -> Self {
        Self { client: ClientAnswer { status, code, is_final: true }, ..self }
    }

    const fn tells(self, code: &'static str, told: &'static str, hint: &'static str) -> Self {
        Self { code: Some(code), told, hint, ..self }
    }

    const fn says(self, told: &'static str, hint: &'static str) -> Self {
        Self { told, hint, ..self }
    }

    pub fn tries_again(&self) -> bool {
        use FaultResponse::{Retry, RetryFree, StartOver};
        matches!(self.response, Retry | RetryFree | StartOver)
    }

    pub fn costs_attempt(&self) -> bool {
        matches!(self.response, FaultResponse::Retry | FaultResponse::GiveUp)
    }

    /// Whether the whole campaign has to rest.
    pub fn halts_campaign(&self) -> bool {
        use FaultResponse::{PauseCampaign, StopCampaign};
        matches!(self.response, PauseCampaign | StopCampaign)
    }

    /// What follows for an agent program whose call failed so.
    pub fn agent_call(&self) -> FailedCallEffect {
        if self.halts_campaign() { FailedCallEffect::Ends } else { self.call }
    }
}

const SANDBOX: &str = "`synthd doctor` says what this host can run";
const REPORT: &str = "run the command again: campaigns are resumable; report what the log says";
const PROVIDER: &str = "look whether the provider is up, then run `synthd retry`";

impl FaultKind {
    pub const ALL: [Self; 31] = [
        Self::SandboxStart,
        Self::SandboxRefused,
        Self::EngineDown,
        Self::SandboxLost,
        Self::SandboxProtocol,
        Self::SandboxCopy,
        Self::AgentBroken,
        Self::AgentLeft,
        Self::TaskSetup,
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
        Self::ReplayDiffers,
        Self::Cancelled,
    ];

    /// The table of faults. Whatever depends on the kind of a fault asks it.
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
                "an agent program never asked its model",
                "see that `[agents]` names a program that sandboxes have; \
                 the log has its last words",
            ),
            Self::AgentLeft => row(Agent, R::GiveUp)
                .ends(Stops(StopReason::AgentFailed))
                .after_call(FailedCallEffect::Left)
                .signs(ProviderSign::Nothing)
                .answers(499, "client_left")
                .says("an agent program hung up before its call was answered", ""),
            Self::TaskSetup => row(Template, R::GiveUp).tells(
                "SYN-0203",
                "the setup of a task failed",
                "`synthd template check` tries the template on this host",
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
            Self::ModelPermanent => row(Operator, R::PauseCampaign).passes().slow().refuses(502, "upstream_unusable").tells(
                "SYN-0801",
                "a model of the campaign cannot be asked",
                "set its key in the environment, or mend `[[models]]` and `[providers]`",
            ),
            Self::KeyRejected => row(Operator, R::PauseCampaign).passes().slow().refuses(502, "upstream_unusable").tells(
                "SYN-0411",
                "a provider does not take the key it was sent",
                "set the variable that the message names to a valid key, then run the command \
                 again: it resumes",
            ),
            Self::ModelMiscounted => row(Provider, R::PauseCampaign).passes().refuses(502, "upstream_unusable").tells(
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
            Self::NotRecorded => row(Operator, R::PauseCampaign).refuses(404, "not_recorded").tells(
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
            Self::CallOverrun => row(Provider, R::PauseCampaign).passes().refuses(502, "upstream_unusable").tells(
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

    /// Whether the fault is paid from the episode's attempts. What stops a whole campaign is
    /// no episode's failure and leaves its episodes resumable.
    pub fn consumes_attempt(self) -> bool {
        self.policy().costs_attempt()
    }

    /// Whether many in a row mean that something all episodes need is down.
    pub fn may_be_outage(self) -> bool {
        self.policy().may_be_outage
    }

    /// Why an agent stops that met this, where it is the agent's own doing.
    pub fn stop_reason(self) -> Option<StopReason> {
        match self.policy().ending {
            Some(AgentEnding::Stops(stop)) => Some(stop),
            Some(AgentEnding::Uncopied) | None => None,
        }
    }

    /// Whether a workspace that could not be copied is judged as unsolved.
    pub fn is_uncopied(self) -> bool {
        self.policy().ending == Some(AgentEnding::Uncopied)
    }

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

    /// Why an agent stops whose call failed so, after that many turns. A label needs a turn.
    pub fn stop_after(self, turns: usize) -> Result<StopReason, Self> {
        let other = self.kind.policy().before_a_turn.filter(|_| turns == 0);
        let kind = other.unwrap_or(self.kind);
        kind.stop_reason().ok_or(Self { kind, ..self })
    }
}
