//! The columns of the table of faults: what a kind of fault says of its owner, of the attempt, of
//! the campaign, of the provider, of the backend and of the client. `fault` has the rows.
//!
//! A row begins with [`FaultPolicy::new`], which has the default of each column, and one method for
//! each column changes it.

use super::{FaultKind, ModelFailure, StopReason};

/// Who or what caused a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultOwner {
    /// The service that runs the model.
    Provider,
    /// The agent in the sandbox, or the conversation that it leads.
    Agent,
    /// The template of the task.
    Template,
    /// This machine, its container engine or its disk.
    Host,
    /// synthd itself.
    Engine,
    /// The person who runs the campaign, for example by a budget, a key or a command.
    Operator,
}

/// What happens after an attempt that ended in a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultResponse {
    /// Another attempt, as long as the episode has attempts left.
    Retry,
    /// Another attempt after a short wait. It costs the episode no attempt.
    RetryFree,
    /// Another attempt from the first turn, without a replay. It costs the episode no attempt.
    StartOver,
    /// The episode ends as faulted, without a label.
    GiveUp,
    /// The campaign pauses, because the next episode would have the same fault.
    PauseCampaign,
    /// The campaign stops at its budget. Running episodes continue while their calls can be paid.
    StopCampaign,
    /// Nothing: a person asked for it, and the episode can be resumed.
    Wait,
}

/// How an episode ends if the agent itself caused the fault. Only such a fault can become a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AgentEnding {
    /// The agent stops for this reason, and its work is verified.
    Stops(StopReason),
    /// The final workspace cannot be copied, so the episode counts as unsolved.
    Uncopied,
}

/// What a failed call says about the health of the provider. The circuit breaker of the provider
/// counts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProviderSign {
    /// The provider works, whatever it answered.
    Answers,
    /// A failure. After several in a row the provider counts as down.
    Fails,
    /// The provider gave no answer in the whole time of a call. Fewer of these are enough to count
    /// the provider as down.
    Silent,
    /// The call says nothing: it was cancelled, or it was never sent.
    Nothing,
}

/// What a failed creation of a sandbox says about the health of the backend. The circuit breaker in
/// the pool counts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackendSign {
    /// The backend works; only this one sandbox was refused.
    Answers,
    /// A failure. After several in a row the backend counts as down.
    Fails,
    /// The backend is down. Everything that needs a sandbox waits at once.
    Down,
    /// The creation was cancelled and says nothing.
    Nothing,
}

/// What happens to an agent program after one of its model calls failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailedCallEffect {
    /// The program gets an error answer and decides itself what to do.
    Told,
    /// The attempt ends. The program's further calls are not answered.
    Ends,
    /// The program closed the connection itself. The time of the call is its own. If an earlier call
    /// failed, that fault remains the reason.
    Left,
}

/// What a client of the gateway is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAnswer {
    /// The HTTP status.
    pub status: u16,
    /// The code in the body of the error, such as `budget_exhausted`.
    pub code: &'static str,
    /// Whether the client is told not to retry, if its wire format can say that.
    pub is_final: bool,
}

/// One row of the table of faults: everything that one kind of fault means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FaultPolicy {
    /// Who caused the fault.
    pub owner: FaultOwner,
    /// What happens after the attempt.
    pub response: FaultResponse,
    /// The model is asked again within the same call, before the attempt learns of the fault.
    pub asks_again: bool,
    /// Only the calls of one model are concerned. If the campaign pauses, attempts that run go on
    /// until they end or have the same fault, because cutting off a call costs its whole hold.
    pub is_of_model: bool,
    /// The campaign pauses after so many faults in a row that a single episode could not cause
    /// them.
    pub may_be_outage: bool,
    /// The campaign pauses after so many faults in a short time that a single episode could not
    /// cause them.
    pub is_restart: bool,
    /// The cause may be gone at the next run, so a faulted episode is tried again then.
    pub may_pass: bool,
    /// How the episode ends if the agent caused the fault; none for all other kinds.
    pub ending: Option<AgentEnding>,
    /// The kind that replaces this one if the agent has had no turn yet.
    pub before_a_turn: Option<FaultKind>,
    /// What the fault says about the provider. A rate limit is an exception, see
    /// `CallFault::rate_limited`.
    pub sign: ProviderSign,
    /// What the fault says about the sandbox backend.
    pub backend: BackendSign,
    /// What happens to an agent program whose call failed. Use [`Self::agent_call`]: if the fault
    /// halts the campaign, that goes first.
    call: FailedCallEffect,
    /// The call counts as a slow answer in the latency rank.
    pub slows: bool,
    /// The list of fallback models that is used; none if no fallback may be asked.
    pub stands_in: Option<ModelFailure>,
    /// What a client of the gateway is answered.
    pub client: ClientAnswer,
    /// The code of the error that users see, such as `SYN-0804`. None if users see no error.
    pub code: Option<&'static str>,
    /// What users are told.
    pub told: &'static str,
    /// What users can do about it; empty if there is nothing to do.
    pub hint: &'static str,
}

impl FaultPolicy {
    /// A row with the defaults. The methods below change one column each.
    pub(super) const fn new(owner: FaultOwner, response: FaultResponse) -> Self {
        Self {
            owner,
            response,
            asks_again: false,
            is_of_model: false,
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

    // The builder methods of the table follow. Each one sets the column that its name describes.
    pub(super) const fn asked_again(self) -> Self {
        Self { asks_again: true, ..self }
    }

    pub(super) const fn of_model(self) -> Self {
        Self { is_of_model: true, ..self }
    }

    pub(super) const fn outage(self) -> Self {
        Self { may_be_outage: true, ..self }
    }

    pub(super) const fn passes(self) -> Self {
        Self { may_pass: true, ..self }
    }

    pub(super) const fn ends(self, ending: AgentEnding) -> Self {
        Self { ending: Some(ending), ..self }
    }

    pub(super) const fn before_a_turn(self, kind: FaultKind) -> Self {
        Self { before_a_turn: Some(kind), ..self }
    }

    pub(super) const fn signs(self, sign: ProviderSign) -> Self {
        Self { sign, ..self }
    }

    pub(super) const fn of_backend(self, backend: BackendSign) -> Self {
        Self { backend, ..self }
    }

    pub(super) const fn after_call(self, call: FailedCallEffect) -> Self {
        Self { call, ..self }
    }

    pub(super) const fn restarts(self) -> Self {
        Self { is_restart: true, ..self }
    }

    pub(super) const fn slow(self) -> Self {
        Self { slows: true, ..self }
    }

    pub(super) const fn stood_in(self, failure: ModelFailure) -> Self {
        Self { stands_in: Some(failure), ..self }
    }

    /// The client of the gateway gets this answer, and may retry.
    pub(super) const fn answers(self, status: u16, code: &'static str) -> Self {
        Self { client: ClientAnswer { status, code, is_final: false }, ..self }
    }

    /// The client of the gateway gets this answer, and is told not to retry.
    pub(super) const fn refuses(self, status: u16, code: &'static str) -> Self {
        Self { client: ClientAnswer { status, code, is_final: true }, ..self }
    }

    /// Users see this error with its code and a hint.
    pub(super) const fn tells(
        self,
        code: &'static str,
        told: &'static str,
        hint: &'static str,
    ) -> Self {
        Self { code: Some(code), told, hint, ..self }
    }

    /// Users see no error; the text is for logs and for the page of the table.
    pub(super) const fn says(self, told: &'static str, hint: &'static str) -> Self {
        Self { told, hint, ..self }
    }

    /// Whether another attempt follows, if the episode has attempts left.
    pub fn tries_again(&self) -> bool {
        use FaultResponse::{Retry, RetryFree, StartOver};
        matches!(self.response, Retry | RetryFree | StartOver)
    }

    /// Whether the fault uses up one of the episode's attempts.
    pub fn costs_attempt(&self) -> bool {
        matches!(self.response, FaultResponse::Retry | FaultResponse::GiveUp)
    }

    /// Whether the whole campaign pauses or stops.
    pub fn halts_campaign(&self) -> bool {
        use FaultResponse::{PauseCampaign, StopCampaign};
        matches!(self.response, PauseCampaign | StopCampaign)
    }

    /// What happens to an agent program whose call failed. If the fault halts the campaign, the
    /// attempt ends in any case.
    pub fn agent_call(&self) -> FailedCallEffect {
        if self.halts_campaign() { FailedCallEffect::Ends } else { self.call }
    }
}
