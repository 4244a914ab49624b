//! The side of the gateway that knows the attempt of an agent program. It asks the attempt before
//! a call leaves, and tells it afterwards how the call ended.
//!
//! ```text
//!  call ─► slot ─► AgentCall ─► attempt ─► CallDecision ─► model ─► AgentCallResult ─► attempt
//!           │ 429                              │ told, or 403
//!           └──────────────────────────────────┴──► client
//! ```
//! `agent_gateway` makes one [`GatewayAgent`] for each attempt, and `session` puts its calls to
//! it. `call` reports through the [`CallReporter`] that belongs to one call.
//!
//! Invariants: the attempt gets exactly one result for each call that it admitted; a reporter that
//! is dropped without one reports that the agent has left. The agent's token is replaced in what is
//! kept: transcripts, replies and recorded bytes.

use crate::gateway::listener::body_memory::{MemoryShare, MemoryTenant};
use crate::gateway::refusal::GatewayRefusal;
use crate::gateway::request_check::request::GatewayRequest;
use crate::llm::replace_secret;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use synthd_actors::agent_access::{
    AgentCall, AgentCallResult, AgentSessionSpec, CallDecision, GatewayDelays,
};
use synthd_actors::model::{
    AttemptNumber, ChatMessage, ChatReply, ChatRequest, ExchangeRecorder, Fault, FaultKind, Money,
    Reasoning, RequestSettings, ToolCall, ToolChoice, ToolSchema,
};
use synthd_actors::ports::ScriptContext;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

/// Calls of one agent whose bodies are read and put to the attempt at once. The attempt admits one
/// of them at a time.
const AT_ONCE: usize = 2;
/// Calls of one agent that may wait for a slot, in addition.
const WAITING: usize = 64;
/// The longest wait without a byte after which a client that leaves has hung up by itself. A client
/// that gives up after a longer wait shows only that the provider was silent. Most clients have
/// timeouts of 30 seconds and more.
const MOST_SILENCE: Duration = Duration::from_secs(10);
/// Stands in the records in place of the agent's token.
const INSTEAD: &str = "[token]";
/// The message of the fault of an agent that hung up.
const NOT_AWAITED: &str = "the agent did not wait for the answer";

/// One attempt whose agent is a program, as the gateway knows it.
pub(in crate::gateway) struct GatewayAgent {
    pub(in crate::gateway) attempt: AttemptNumber,
    /// The attempt's mailbox for calls that want to be made. It is closed when the attempt is
    /// over.
    pub(in crate::gateway) calls: mpsc::Sender<AgentCall>,
    /// The task and the scaffold, for scripted models.
    pub(in crate::gateway) script: ScriptContext,
    /// The model that the episode was planned for. It is asked whatever name the agent writes.
    pub(in crate::gateway) model: String,
    /// The output limit in tokens for a request that sets none.
    pub(in crate::gateway) output_cap: u32,
    /// One permit for each call that is being handled.
    running: Arc<Semaphore>,
    /// One permit for each call that is being handled or waits for that.
    waiting: Arc<Semaphore>,
    /// What the agent holds of the memory for request bodies.
    share: Arc<MemoryShare>,
    /// Measures the time in which calls wait for memory. It does not count as the agent's time.
    delays: GatewayDelays,
    /// Cancelled when the attempt is over. Then nobody reads an answer any more.
    pub(in crate::gateway) over: CancellationToken,
    /// The agent's token. It is kept here only to be found and replaced in what is recorded.
    token: SecretString,
}

impl GatewayAgent {
    /// The agent of the attempt in `spec`, whose calls carry `token`.
    pub(in crate::gateway) fn new(spec: AgentSessionSpec, token: &str) -> Self {
        let AgentSessionSpec { attempt, calls, script, model, delays, .. } = spec;
        let output_cap = spec.max_output_tokens;
        let running = Arc::new(Semaphore::new(AT_ONCE));
        let waiting = Arc::new(Semaphore::new(AT_ONCE + WAITING));
        let (over, token) = (CancellationToken::new(), SecretString::from(token));
        let share = MemoryShare::of_agent();
        Self {
            attempt,
            calls,
            script,
            model,
            output_cap,
            running,
            waiting,
            share,
            delays,
            over,
            token,
        }
    }

    /// Waits for one of the agent's slots. It fails at once with a 429 if too many calls wait
    /// already. The limit exists because the bodies of all agents share one memory.
    pub(in crate::gateway) async fn acquire_slot(&self) -> Result<CallSlot, GatewayRefusal> {
        let waiting = self.waiting.clone().try_acquire_owned().map_err(|_| too_many())?;
        let running = self.running.clone().acquire_owned().await;
        running
            .map(|running| CallSlot { _waiting: waiting, _running: running })
            .map_err(|_| too_many())
    }

    /// Who the memory for a body is reserved for.
    pub(in crate::gateway) fn tenant(&self) -> MemoryTenant<'_> {
        MemoryTenant { share: &self.share, delays: Some(&self.delays) }
    }

    /// Puts a call to the attempt and waits for its decision. It fails with a 403 if the attempt
    /// is over, or if the client disconnects while it waits.
    pub(in crate::gateway) async fn ask_attempt(
        &self,
        asked: &GatewayRequest,
        unwanted: &CancellationToken,
    ) -> Result<CallDecision, GatewayRefusal> {
        // What was lost stands in the exact bytes of the call record.
        let mut request = asked.parsed(self.output_cap).request;
        // The transcript becomes part of the episode's record, so the token must not be in it.
        self.hide_in_request(&mut request);
        let (decision, decided) = oneshot::channel();
        let call = AgentCall { request: Arc::new(request), decision };
        let sent = async {
            self.calls.send(call).await.ok()?;
            decided.await.ok()
        };
        tokio::select! {
            biased;
            decision = sent => decision.ok_or_else(|| episode_over("the episode is over")),
            () = unwanted.cancelled() => Err(episode_over("the client has left")),
        }
    }

    /// Replaces the token in all texts of a transcript: its messages, its tools and its settings.
    fn hide_in_request(&self, request: &mut ChatRequest) {
        request.messages.iter_mut().for_each(|message| self.hide(message));
        for ToolSchema { name, description, parameters, sent } in &mut request.tools {
            self.hide_in_texts([name, description]);
            self.hide_in_json(parameters);
            sent.iter_mut().for_each(|sent| self.hide_in_json(sent));
        }
        let RequestSettings { stop, tool_choice, end_user, extra, .. } = &mut request.settings;
        self.hide_in_texts(stop.iter_mut().chain(end_user));
        if let Some(ToolChoice::Tool(name)) = tool_choice {
            self.hide_in_texts([name]);
        }
        let mut others = Value::Object(std::mem::take(extra));
        self.hide_in_json(&mut others);
        if let Value::Object(others) = others {
            *extra = others;
        }
    }

    /// Replaces the token in all texts of a message: the content, the tool calls and the reasoning.
    fn hide(&self, message: &mut ChatMessage) {
        let ChatMessage { role: _, content, tool_calls, tool_call_id, reasoning } = message;
        self.hide_in_texts(std::iter::once(content).chain(tool_call_id));
        for ToolCall { id, name, arguments } in tool_calls {
            self.hide_in_texts([id, name, arguments]);
        }
        let Some(Reasoning { text, verbatim }) = reasoning else { return };
        self.hide_in_texts([text]);
        // Signed reasoning cannot be changed, because the provider would reject it. It is left
        // out.
        verbatim.take_if(|(_, json)| json.contains(self.token.expose_secret()));
    }

    /// Replaces the token in a JSON value, also in its keys.
    fn hide_in_json(&self, json: &mut Value) {
        let mut text = json.to_string();
        if text.contains(self.token.expose_secret()) {
            self.hide_in_texts([&mut text]);
            *json = serde_json::from_str(&text).unwrap_or_default();
        }
    }

    /// Replaces the token in texts.
    fn hide_in_texts<'a>(&self, texts: impl IntoIterator<Item = &'a mut String>) {
        let token = self.token.expose_secret();
        for text in texts.into_iter().filter(|text| text.contains(token)) {
            *text = text.replace(token, INSTEAD);
        }
    }

    /// Replaces the token in the recorded bytes of an exchange.
    pub(in crate::gateway) fn redact_exchange(&self, recorder: &ExchangeRecorder) {
        let token = self.token.expose_secret().as_bytes();
        recorder.redact(|exchange| {
            for bytes in [&mut exchange.request, &mut exchange.response] {
                *bytes = replace_secret(std::mem::take(bytes), token, INSTEAD);
            }
        });
    }

    /// A reply as it may be recorded. The client gets the original.
    pub(in crate::gateway) fn redacted_reply(&self, original: &ChatReply) -> ChatReply {
        let mut reply = original.clone();
        self.hide(&mut reply.message);
        self.hide_in_texts(&mut reply.answered_by);
        // The tokens say the same as the texts.
        if reply.message != original.message {
            reply.tokens = None;
        }
        reply
    }
}

/// One call's slot among those of its agent. It is free again when this is dropped.
pub(in crate::gateway) struct CallSlot {
    _waiting: OwnedSemaphorePermit,
    _running: OwnedSemaphorePermit,
}

/// The refusal for a call beyond the limit. The agent may try again after a second.
fn too_many() -> GatewayRefusal {
    let what = format!("this agent has {} open calls", AT_ONCE + WAITING);
    let again = Some(Duration::from_secs(1));
    GatewayRefusal { retry_after: again, ..GatewayRefusal::new(429, "too_many_calls", what) }
}

/// The refusal for a call after the end of the episode. `x-should-retry: false` tells the client's
/// library not to try again.
pub(in crate::gateway) fn episode_over(why: &str) -> GatewayRefusal {
    GatewayRefusal { retry: Some(false), ..GatewayRefusal::new(403, "episode_over", why) }
}

/// The message of the fault of an agent that gave up.
fn gave_up(silence: Duration) -> String {
    format!("the agent gave up after {} seconds without a byte of the answer", silence.as_secs())
}

/// Tells an attempt how one of its calls ended, once. If it is dropped before, it reports that the
/// agent did not wait for the answer. A reporter without an attempt (its default) reports nothing:
/// clients of a standalone gateway have none.
#[derive(Default)]
pub(in crate::gateway) struct CallReporter {
    /// Where the attempt waits. None once the result was sent.
    result: Option<oneshot::Sender<AgentCallResult>>,
    /// The model that was tried last, or that gives the answer.
    model: String,
    /// Numbers of tries that were used up, also by tries that got no ticket.
    numbers: u32,
    /// Tries whose requests were sent.
    tries: u32,
    /// Of all tries together.
    cost: Money,
    /// Of all tries together.
    took: Duration,
}

impl CallReporter {
    /// A reporter for a call that the attempt has admitted.
    pub(in crate::gateway) fn to(result: oneshot::Sender<AgentCallResult>) -> Self {
        let mut report = Self::default();
        report.result = Some(result);
        report
    }

    /// Uses up the number of the next try.
    pub(in crate::gateway) fn begins(&mut self) {
        self.numbers += 1;
    }

    /// Adds a try whose exchange is over, with its cost and its time.
    pub(in crate::gateway) fn tried(&mut self, model: &str, cost: Money, took: Duration) {
        model.clone_into(&mut self.model);
        self.tries += 1;
        self.cost = self.cost.saturating_add(cost);
        self.took = self.took.saturating_add(took);
    }

    /// Names the model that gives the answer, if it is not the last one that was tried.
    pub(in crate::gateway) fn by(&mut self, model: &str) {
        model.clone_into(&mut self.model);
    }

    /// Reports a reply. `took` is the time of the try that gave it. The other tries count as
    /// failed time. The reply is made only if there is an attempt that has no result yet.
    pub(in crate::gateway) fn answered(
        &mut self,
        reply: impl FnOnce() -> ChatReply,
        took: Duration,
    ) {
        self.tell(|| Ok(reply()), took);
    }

    /// Reports that no model answered.
    pub(in crate::gateway) fn failed(&mut self, fault: &Fault) {
        self.tell(|| Err(fault.clone()), Duration::ZERO);
    }

    /// Reports that the agent has left before the end of its answer, after it had waited `silence`
    /// without a byte. After a long wait this is a fault of the provider.
    pub(in crate::gateway) fn left(&mut self, silence: Duration) {
        // Only the time in which a provider was asked is a provider's silence.
        let silence = silence.min(self.took);
        let fault = || match silence > MOST_SILENCE {
            true => Fault::new(FaultKind::OutOfTime, gave_up(silence)),
            false => Fault::new(FaultKind::AgentLeft, NOT_AWAITED),
        };
        self.tell(|| Err(fault()), Duration::ZERO);
    }

    /// Sends the result, unless it was sent already.
    fn tell(&mut self, reply: impl FnOnce() -> Result<ChatReply, Fault>, took: Duration) {
        let Some(result) = self.result.take() else { return };
        let (model, reply) = (std::mem::take(&mut self.model), reply());
        let Self { numbers, tries, cost, .. } = *self;
        let failed = self.took.saturating_sub(took);
        // The attempt may have ended meanwhile; then nobody needs the result.
        result.send(AgentCallResult { reply, model, numbers, tries, cost, took, failed }).ok();
    }
}

impl Drop for CallReporter {
    fn drop(&mut self) {
        // A panic is a fault of the engine, not of the agent.
        let (kind, what) = match std::thread::panicking() {
            true => (FaultKind::Panicked, "the task of the call panicked"),
            false => (FaultKind::AgentLeft, NOT_AWAITED),
        };
        self.tell(|| Err(Fault::new(kind, what)), Duration::ZERO);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Its cost is reported all the same.
    #[tokio::test]
    async fn an_agent_that_hangs_up_is_told_from_a_provider_that_fails() {
        let (sender, receiver) = oneshot::channel();
        let mut report = CallReporter::to(sender);
        report.begins();
        report.tried("fake/one", Money::from_nanos(7), Duration::from_secs(3));
        drop(report);
        let result = receiver.await.unwrap();
        assert_eq!(result.reply.unwrap_err().kind, FaultKind::AgentLeft);
        assert_eq!((result.took, result.failed), (Duration::ZERO, Duration::from_secs(3)));
        assert_eq!((result.cost, result.tries, result.numbers), (Money::from_nanos(7), 1, 1));
    }

    /// The client of an agent gives up before a slow provider: that is no hang-up.
    #[tokio::test]
    async fn an_agent_that_gave_up_has_not_hung_up() {
        for (waited, kind) in [
            (Duration::from_millis(300), FaultKind::AgentLeft),
            (MOST_SILENCE, FaultKind::AgentLeft),
            (Duration::from_secs(30), FaultKind::OutOfTime),
        ] {
            let (sender, receiver) = oneshot::channel();
            let mut report = CallReporter::to(sender);
            report.tried("fake/one", Money::from_nanos(7), Duration::from_secs(45));
            report.left(waited);
            drop(report);
            let result = receiver.await.unwrap();
            assert_eq!(result.reply.unwrap_err().kind, kind, "{waited:?}");
            assert_eq!(
                (result.cost, result.failed),
                (Money::from_nanos(7), Duration::from_secs(45))
            );
        }
    }
}
