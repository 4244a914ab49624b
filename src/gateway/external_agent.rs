//! Calls of an episode's own agent: told to the attempt they belong to before they leave, and
//! when they were answered.

use super::body_memory::{MemoryShare, MemoryTenant};
use super::lenient_transcript::lenient_transcript;
use super::refusal::GatewayRefusal;
use super::request::GatewayRequest;
use crate::llm::replace_secret;
use secrecy::{ExposeSecret, SecretString};
use std::sync::Arc;
use std::time::Duration;
use synthd_actors::agent_access::{
    AgentCall, AgentCallResult, AgentSessionSpec, CallDecision, GatewayDelays,
};
use synthd_actors::model::{
    AttemptNumber, ChatMessage, ChatReply, ExchangeRecorder, Fault, FaultKind, Money,
};
use synthd_actors::ports::ScriptContext;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

/// Calls of one agent that are heard at once; one of them leaves.
const AT_ONCE: usize = 2;
/// Calls of one agent that wait to be heard.
const WAITING: usize = 64;
const INSTEAD: &str = "[token]";

/// Whose calls they are.
pub(super) struct GatewayAgent {
    pub(super) attempt: AttemptNumber,
    pub(super) calls: mpsc::Sender<AgentCall>,
    /// For models that play a part.
    pub(super) stage: ScriptContext,
    /// The model that the episode was planned for: whatever name the agent calls it by.
    pub(super) model: String,
    pub(super) output_cap: u32,
    places: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    /// Of the memory for what is said.
    share: Arc<MemoryShare>,
    delays: GatewayDelays,
    /// Cancelled when the attempt is over: nobody reads an answer any more.
    pub(super) over: CancellationToken,
    /// Programs print their environment; nothing that is kept shows it.
    token: SecretString,
}

impl GatewayAgent {
    pub(super) fn new(spec: AgentSessionSpec, token: &str) -> Self {
        let AgentSessionSpec { attempt, calls, stage, model, delays, .. } = spec;
        let output_cap = spec.max_output_tokens;
        let places = Arc::new(Semaphore::new(AT_ONCE));
        let waiting = Arc::new(Semaphore::new(AT_ONCE + WAITING));
        let (over, token) = (CancellationToken::new(), SecretString::from(token));
        let share = MemoryShare::of_agent();
        Self {
            attempt,
            calls,
            stage,
            model,
            output_cap,
            places,
            waiting,
            share,
            delays,
            over,
            token,
        }
    }

    /// What one agent may have on its way at once: what all agents say has to find room.
    pub(super) async fn acquire_slot(&self) -> Result<CallSlot, GatewayRefusal> {
        let waiting = self.waiting.clone().try_acquire_owned().map_err(|_| too_many())?;
        let heard = self.places.clone().acquire_owned().await;
        heard.map(|heard| CallSlot { _waiting: waiting, _heard: heard }).map_err(|_| too_many())
    }

    pub(super) fn tenant(&self) -> MemoryTenant<'_> {
        MemoryTenant { share: &self.share, delays: Some(&self.delays) }
    }

    /// Asks whether a call may leave, for as long as somebody wants it to.
    pub(super) async fn ask_attempt(
        &self,
        asked: &GatewayRequest,
        unwanted: &CancellationToken,
    ) -> Result<CallDecision, GatewayRefusal> {
        let mut request = lenient_transcript(asked, self.output_cap);
        request.messages.iter_mut().for_each(|message| self.hide(message));
        let (leave, may_leave) = oneshot::channel();
        let visit = AgentCall { request: Arc::new(request), leave };
        let sent = async {
            self.calls.send(visit).await.ok()?;
            may_leave.await.ok()
        };
        tokio::select! {
            biased;
            leave = sent => leave.ok_or_else(|| episode_over("the episode is over")),
            () = unwanted.cancelled() => Err(episode_over("the client has left")),
        }
    }

    fn hide(&self, message: &mut ChatMessage) {
        let token = self.token.expose_secret();
        let texts = message.tool_calls.iter_mut().map(|call| &mut call.arguments);
        let thought = message.reasoning.as_mut().map(|reasoning| &mut reasoning.text);
        let texts = texts.chain([&mut message.content]).chain(thought);
        for text in texts.filter(|text| text.contains(token)) {
            *text = text.replace(token, INSTEAD);
        }
        // What is signed cannot be changed.
        if let Some(reasoning) = &mut message.reasoning {
            reasoning.verbatim.take_if(|(_, json)| json.contains(token));
        }
    }

    /// The same of what is kept of the wire.
    pub(super) fn redact_exchange(&self, witness: &ExchangeRecorder) {
        let token = self.token.expose_secret().as_bytes();
        witness.censor(|exchange| {
            for bytes in [&mut exchange.request, &mut exchange.response] {
                *bytes = replace_secret(std::mem::take(bytes), token, INSTEAD);
            }
        });
    }

    /// A reply as it is kept.
    pub(super) fn redacted_reply(&self, reply: &ChatReply) -> ChatReply {
        let mut reply = reply.clone();
        self.hide(&mut reply.message);
        reply
    }
}

/// A call's place among those of its agent.
pub(super) struct CallSlot {
    _waiting: OwnedSemaphorePermit,
    _heard: OwnedSemaphorePermit,
}

fn too_many() -> GatewayRefusal {
    let what = format!("this agent has {} open calls", AT_ONCE + WAITING);
    let again = Some(Duration::from_secs(1));
    GatewayRefusal { retry_after: again, ..GatewayRefusal::new(429, "too_many_calls", what) }
}

/// Nothing more is answered, however often it is asked.
pub(super) fn episode_over(why: &str) -> GatewayRefusal {
    GatewayRefusal { retry: Some(false), ..GatewayRefusal::new(403, "episode_over", why) }
}

/// What an attempt is told of a call of its own. One that nobody waits for any more tells it so
/// when it is dropped.
#[derive(Default)]
pub(super) struct CallReporter {
    heard: Option<oneshot::Sender<AgentCallResult>>,
    model: String,
    /// Numbers of tries that were used up, whatever became of them.
    numbers: u32,
    tries: u32,
    cost: Money,
    /// Of every try.
    took: Duration,
}

impl CallReporter {
    pub(super) fn to(heard: oneshot::Sender<AgentCallResult>) -> Self {
        let mut report = Self::default();
        report.heard = Some(heard);
        report
    }

    /// The next try has that number from now on.
    pub(super) fn begins(&mut self) {
        self.numbers += 1;
    }

    /// A try was made.
    pub(super) fn tried(&mut self, model: &str, cost: Money, took: Duration) {
        model.clone_into(&mut self.model);
        self.tries += 1;
        self.cost = self.cost.saturating_add(cost);
        self.took = self.took.saturating_add(took);
    }

    /// Who gives the answer, where that was not the last who was asked.
    pub(super) fn by(&mut self, model: &str) {
        model.clone_into(&mut self.model);
    }

    pub(super) fn answered(&mut self, reply: impl FnOnce() -> ChatReply, took: Duration) {
        self.tell(|| Ok(reply()), took);
    }

    pub(super) fn failed(&mut self, fault: &Fault) {
        self.tell(|| Err(fault.clone()), Duration::ZERO);
    }

    fn tell(&mut self, reply: impl FnOnce() -> Result<ChatReply, Fault>, took: Duration) {
        let Some(heard) = self.heard.take() else { return };
        let (model, reply) = (std::mem::take(&mut self.model), reply());
        let Self { numbers, tries, cost, .. } = *self;
        let failed = self.took.saturating_sub(took);
        // An attempt that has ended wants to know nothing.
        heard.send(AgentCallResult { reply, model, numbers, tries, cost, took, failed }).ok();
    }
}

impl Drop for CallReporter {
    fn drop(&mut self) {
        // A panic is no doing of the agent's.
        let (kind, what) = match std::thread::panicking() {
            true => (FaultKind::Panicked, "the task of the call panicked"),
            false => (FaultKind::AgentLeft, "the agent did not wait for the answer"),
        };
        self.tell(|| Err(Fault::new(kind, what)), Duration::ZERO);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Its money is told all the same.
    #[tokio::test]
    async fn an_agent_that_hangs_up_is_told_from_a_provider_that_fails() {
        let (heard, hears) = oneshot::channel();
        let mut report = CallReporter::to(heard);
        report.begins();
        report.tried("fake/one", Money::from_nanos(7), Duration::from_secs(3));
        drop(report);
        let heard = hears.await.unwrap();
        assert_eq!(heard.reply.unwrap_err().kind, FaultKind::AgentLeft);
        assert_eq!((heard.took, heard.failed), (Duration::ZERO, Duration::from_secs(3)));
        assert_eq!((heard.cost, heard.tries, heard.numbers), (Money::from_nanos(7), 1, 1));
    }
}
