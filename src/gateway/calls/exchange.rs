//! One try of a call with one model, from its ticket to its settlement.
//!
//! ```text
//!  allow-list ─► ticket (key, limits, hold) ─► exchange ─► counts plausible? ─► client ─► settle
//!      │ 400         │ 402, 429, disconnected     │ cut off, out of time           (or: fallback)
//!      └─────────────┴──► ExchangeError           └──► failed outcome, the full hold counts
//! ```
//! `call` calls `GatewayCall::admit` and `GatewayCall::exchange` once for each model. An
//! [`ExchangeError`] means that nothing was sent. Otherwise the result is an [`UnsettledExchange`]: the ticket was used, and
//! its hold must be settled, whatever the reply is. The caller either writes the answer and
//! settles ([`UnsettledExchange::send_and_settle`]), or settles and asks a fallback model
//! ([`UnsettledExchange::fail`]).
//!
//! Invariant: an exchange that has a ticket is settled exactly once. If the task dies before, the
//! ticket is dropped, and the call counts as its full hold, in memory and in the store.

use crate::formats::reading::allowed_shape::ShapeContext;
use crate::gateway::calls::call::GatewayCall;
use crate::gateway::listener::response_sink::{GatewayResponse, ResponseSink};
use crate::gateway::refusal::GatewayRefusal;
use crate::gateway::request_check::request::GatewayRequest;
use crate::gateway::{
    GatewayModel, KeyedModel, calls::pass_through, calls::translate, request_check::allowlist,
    request_check::anthropic_beta,
};
use bytes::Bytes;
use std::time::Duration;
use synthd_actors::model::{
    CallFault, CallPosition, ChatReply, ExchangeRecorder, Fault, FaultKind, ModelFailure, Money,
};
use synthd_actors::ports::{CallContext, ScriptContext};
use synthd_actors::router::{CallTicket, failure_of, failure_of_call};
use tokio::time::Instant;

/// What is still to be written to the client when an exchange has ended.
pub(in crate::gateway) enum ResponseEnding {
    /// The whole answer. Nothing was written before.
    Answer(GatewayResponse),
    /// An error in place of an answer. If the exchange was cut off in the middle of a stream, it
    /// becomes an event that ends the stream.
    Refuse(GatewayRefusal),
    /// The last pieces of a stream whose head was written already.
    Pieces(Vec<Bytes>),
}

/// How an exchange ended: what the model replied, and what the client is to get.
pub(in crate::gateway) struct ExchangeOutcome {
    pub(in crate::gateway) reply: Result<ChatReply, CallFault>,
    /// What is still to be written to the client.
    pub(in crate::gateway) last: ResponseEnding,
    /// Whether a content filter of the provider has refused the request.
    pub(in crate::gateway) filtered: bool,
}

/// What pass-through and translation need to know of the try.
pub(in crate::gateway) struct ExchangeContext<'a> {
    pub(in crate::gateway) asked: &'a GatewayRequest,
    pub(in crate::gateway) keyed: &'a KeyedModel,
    /// Whether the engine itself plays the model, without a network.
    pub(in crate::gateway) is_own: bool,
    /// Campaign, episode, attempt, turn and try of this call.
    pub(in crate::gateway) place: &'a CallPosition,
    /// Copies the bytes of the exchange while they pass, for the call record.
    pub(in crate::gateway) recorder: &'a ExchangeRecorder,
    /// The client's headers that go on to a provider of the same wire format.
    pub(in crate::gateway) headers: &'a [(String, String)],
    /// The task of an agent's episode, for scripted models. None for a client of a standalone
    /// gateway.
    pub(in crate::gateway) script: Option<&'a ScriptContext>,
    /// The output limit in tokens for a request that sets none.
    pub(in crate::gateway) output_cap: u32,
}

/// The outcome of an exchange whose attempt has ended meanwhile. Its cost is unknown, so the full
/// hold counts.
fn cut_off() -> ExchangeOutcome {
    pass_through::failed_outcome(CallFault::unknown(FaultKind::Cancelled, "the attempt is over"))
}

/// The outcome if the agent's time has ended before the model answered. Its cost is unknown, too.
/// It is a fault of the provider, not of the agent.
fn too_late() -> ExchangeOutcome {
    let what = "the agent's time ended before the model answered";
    pass_through::failed_outcome(CallFault::unknown(FaultKind::OutOfTime, what))
}

/// The outcome if the ticket is for a key that the gateway does not have. Nothing was sent.
fn no_key() -> ExchangeOutcome {
    let refusal = GatewayRefusal::new(500, "no_key", "there is no such key");
    let fault = CallFault::free(FaultKind::ModelRejected, refusal.message.clone());
    let last = ResponseEnding::Refuse(refusal);
    ExchangeOutcome { reply: Err(fault), last, filtered: false }
}

/// Waits until the time for this try is over. Without a limit it waits for ever.
async fn time_up(limit: Option<Duration>) {
    match limit {
        Some(limit) => tokio::time::sleep(limit).await,
        None => std::future::pending().await,
    }
}

impl ExchangeContext<'_> {
    /// Asks the model. If its provider speaks the client's wire format, the bytes pass through.
    /// Otherwise the call is translated.
    async fn exchange(&self, sink: &mut ResponseSink) -> ExchangeOutcome {
        match self.keyed.upstream().await {
            Err(fault) => pass_through::failed_outcome(fault),
            Ok(Some(upstream)) if upstream.family == self.asked.family => {
                pass_through::pass_through(self, upstream, sink).await
            }
            Ok(_) => translate::translate_call(self, sink).await,
        }
    }

    /// The position of the call, as the adapters need it.
    pub(in crate::gateway) fn context(&self) -> CallContext {
        CallContext {
            episode: self.place.episode.clone(),
            script: self.script.cloned(),
            turn: self.place.turn,
            retry: self.place.retry,
            recorder: self.recorder.clone(),
        }
    }
}

/// A try that may be sent: its model, and its ticket with a key and the money.
pub(in crate::gateway) struct AdmittedExchange<'a> {
    behind: &'a GatewayModel,
    ticket: CallTicket,
    /// The output limit in tokens for a request that sets none.
    output_cap: u32,
}

impl GatewayCall {
    /// Gets what one try with the model `name` needs before it may be sent. `why` is the reason for
    /// this model, for the record. `before` has the models asked so far, this one included.
    ///
    /// The checks that cost nothing come first: the allow-list, and the price of the
    /// `anthropic-beta` features. Then the ticket waits for a key and for money.
    /// `ExchangeError::Left` means that the client has disconnected, or that its attempt is over.
    pub(in crate::gateway) async fn admit(
        &self,
        (name, why): &(String, String),
        place: CallPosition,
        before: &[String],
    ) -> Result<AdmittedExchange<'_>, ExchangeError> {
        let Self { gateway, asked, .. } = self;
        let Some((name, behind)) = gateway.models.get_key_value(name) else {
            let what = format!("there is no model {name:?}");
            return Err(GatewayRefusal::new(404, "model_not_found", what).into());
        };
        let output_cap = self.session.agent().map_or(gateway.output_cap, |a| a.output_cap);
        self.check(behind, output_cap)?;
        // All keys of a model lead to the same provider and differ in nothing that is asked here.
        let upstream = behind.keys.first().and_then(|keyed| keyed.upstream.as_ref());
        let worst = asked.worst(output_cap, upstream);
        let ticket = gateway.router.admit(place, name, why, worst, before, &self.unwanted).await;
        let ticket = match ticket {
            Ok(ticket) => ticket,
            Err(_) if self.unwanted.is_cancelled() => return Err(ExchangeError::Left),
            Err(fault) => return Err(self.not_admitted(name, fault)),
        };
        // The client may have disconnected while the hold was being written. Nothing was sent, so
        // the hold is settled with zero.
        if self.unwanted.is_cancelled() {
            let left = CallFault::free(FaultKind::Cancelled, "the client has left");
            ticket.settle(Money::ZERO, &Err(left), None).await;
            return Err(ExchangeError::Left);
        }
        Ok(AdmittedExchange { behind, ticket, output_cap })
    }

    /// Refuses a request to a model with a price whose worst cost is unknown.
    fn check(&self, behind: &GatewayModel, output_cap: u32) -> Result<(), GatewayRefusal> {
        if behind.is_free {
            return Ok(());
        }
        // All keys of a model lead to the same provider and differ in nothing that is asked here.
        let upstream = behind.keys.first().and_then(|keyed| keyed.upstream.as_ref());
        let limits = ShapeContext {
            cap: self.asked.cap(output_cap),
            writes_priced: behind.writes_priced,
            caps_thought: upstream.is_some_and(|upstream| upstream.thought_cap.is_some()),
        };
        let unbounded = allowlist::find_unbounded(&self.asked, limits);
        let refusal = unbounded.or_else(|| anthropic_beta::unpriced(&self.headers));
        refusal.map_or(Ok(()), Err)
    }

    /// Asks the model. `limit` is the longest time for it. An exchange that is over counts, even if
    /// the attempt or its time ends at the same moment. In these two cases the exchange is dropped,
    /// which closes the connection to the provider.
    pub(in crate::gateway) async fn exchange(
        &self,
        admitted: AdmittedExchange<'_>,
        limit: Option<Duration>,
        sink: &mut ResponseSink,
    ) -> Box<UnsettledExchange> {
        let AdmittedExchange { behind, mut ticket, output_cap } = admitted;
        let (recorder, left) = (ExchangeRecorder::default(), Instant::now());
        let done = match behind.keys.get(ticket.key()) {
            Some(keyed) => {
                let exchange = ExchangeContext {
                    asked: &self.asked,
                    keyed,
                    is_own: behind.is_own,
                    place: ticket.place(),
                    recorder: &recorder,
                    headers: &self.headers,
                    script: self.session.agent().map(|agent| &agent.script),
                    output_cap,
                };
                tokio::select! {
                    biased;
                    done = exchange.exchange(sink) => done,
                    () = self.session.ended() => cut_off(),
                    () = time_up(limit) => too_late(),
                }
            }
            None => no_key(),
        };
        // Agents print their environment, and the token is in it. It must not get into the record.
        if let Some(agent) = self.session.agent() {
            agent.redact_exchange(&recorder);
        }
        let done = done.checked_by(&ticket);
        // The key is free for other calls now. They need not wait until the client has read the
        // end of its answer.
        ticket.heard(&done.reply);
        Box::new(UnsettledExchange { done, ticket, recorder, took: left.elapsed() })
    }

    /// The error for a try that got no ticket. If the provider has asked for a pause that is too
    /// long to wait for, the client gets a 429 with `retry-after`, as it would get it from the
    /// provider.
    fn not_admitted(&self, name: &str, fault: Fault) -> ExchangeError {
        let campaign = &self.session.campaign;
        let asks_again = fault.kind.policy().asks_again;
        let wait = asks_again.then(|| self.gateway.router.asks_to_wait(campaign, name)).flatten();
        let Some(wait) = wait else { return fault.into() };
        let refusal = GatewayRefusal::new(429, "rate_limit_exceeded", fault.message.clone());
        let last = ResponseEnding::Refuse(GatewayRefusal { retry_after: Some(wait), ..refusal });
        ExchangeError::Failed(FailedExchange {
            how: failure_of(&fault),
            fault,
            declined: None,
            last,
        })
    }
}

/// Why a model was not asked. Nothing has left and nothing was spent.
pub(in crate::gateway) enum ExchangeError {
    /// The client has disconnected, or its attempt is over.
    Left,
    /// The request was refused, or no ticket was issued.
    Failed(FailedExchange),
}

impl From<GatewayRefusal> for ExchangeError {
    /// No fallback model is asked: a request that the gateway refuses is for the client to change.
    fn from(refusal: GatewayRefusal) -> Self {
        let fault = Fault::new(FaultKind::ModelRejected, refusal.message.clone());
        Self::Failed(FailedExchange {
            how: None,
            fault,
            declined: None,
            last: ResponseEnding::Refuse(refusal),
        })
    }
}

impl From<Fault> for ExchangeError {
    /// The kind of the fault decides whether a fallback model is asked.
    fn from(fault: Fault) -> Self {
        let last = ResponseEnding::Refuse(GatewayRefusal::of(&fault));
        Self::Failed(FailedExchange { how: failure_of(&fault), fault, declined: None, last })
    }
}

/// A try that failed, or in which the model declined.
pub(in crate::gateway) struct FailedExchange {
    /// The kind of failure that may lead to a fallback model. None if no fallback may be asked.
    pub(in crate::gateway) how: Option<ModelFailure>,
    /// What the attempt is told.
    pub(in crate::gateway) fault: Fault,
    /// The reply, if the model replied but declined.
    pub(in crate::gateway) declined: Option<DeclinedReply>,
    /// What the client gets if no fallback model answers either.
    pub(in crate::gateway) last: ResponseEnding,
}

/// A reply in which a model declined (`"finish_reason": "content_filter"`). It counts as the
/// answer if no fallback model gives another one.
pub(in crate::gateway) struct DeclinedReply {
    /// The model that declined.
    pub(in crate::gateway) by: String,
    pub(in crate::gateway) reply: Box<ChatReply>,
    /// From sending the request to the end of the reply.
    pub(in crate::gateway) took: Duration,
}

/// An exchange that is over and whose hold is not settled yet.
pub(in crate::gateway) struct UnsettledExchange {
    pub(in crate::gateway) done: ExchangeOutcome,
    ticket: CallTicket,
    recorder: ExchangeRecorder,
    /// From sending the request to the end of the reply.
    pub(in crate::gateway) took: Duration,
}

impl UnsettledExchange {
    /// The real cost. If it is unknown, it is the full hold.
    pub(in crate::gateway) fn cost(&self) -> Money {
        self.ticket.cost_of(&self.done.reply)
    }

    /// Writes the end of the answer to the client (`instead`, if there is one), and then settles.
    /// The client need not wait for the disk. The hold stands meanwhile, so a crash in between
    /// counts the call in full and forgets nothing.
    pub(in crate::gateway) async fn send_and_settle(
        mut self: Box<Self>,
        instead: Option<ResponseEnding>,
        sink: &mut ResponseSink,
    ) {
        let last = std::mem::replace(&mut self.done.last, ResponseEnding::Pieces(Vec::new()));
        sink.finish(instead.unwrap_or(last)).await;
        self.settle().await;
    }

    /// Settles a try that a fallback model will replace. The result says what the client gets if
    /// the fallback fails, too.
    pub(in crate::gateway) async fn fail(self: Box<Self>, name: &str) -> FailedExchange {
        let filtered =
            || Fault::new(FaultKind::ModelRejected, "a filter of the provider's declined");
        let fault = self.done.reply.as_ref().err().map(|failure| failure.fault.clone());
        let (how, fault) = (self.done.failed(), fault.unwrap_or_else(filtered));
        let declined = self.done.reply.as_ref().ok().map(|reply| DeclinedReply {
            by: name.to_owned(),
            reply: Box::new(reply.clone()),
            took: self.took,
        });
        FailedExchange { how, fault, declined, last: self.settle().await }
    }

    /// Settles the hold and writes the record. Returns what the client would have been told.
    async fn settle(self: Box<Self>) -> ResponseEnding {
        let (settling, last) = self.settling();
        settling.await;
        last
    }

    /// Splits the exchange into the future that settles and the end of the answer. The future does
    /// not hold the exchange itself, so the reply is freed before the store has answered.
    fn settling(self: Box<Self>) -> (impl Future<Output = ()> + use<>, ResponseEnding) {
        let Self { done, ticket, recorder, .. } = *self;
        let cost = ticket.cost_of(&done.reply);
        (ticket.settle(cost, &done.reply, recorder.take()), done.last)
    }
}

impl ExchangeOutcome {
    /// This outcome with a reply whose token counts can be true. An answer whose counts cannot be
    /// true is refused, unless the head of its stream was written already.
    fn checked_by(self, ticket: &CallTicket) -> Self {
        let was_answer = self.reply.is_ok();
        let reply = ticket.checked_reply(self.reply);
        let last = match &reply {
            Err(failure) if was_answer && !matches!(self.last, ResponseEnding::Pieces(_)) => {
                ResponseEnding::Refuse(GatewayRefusal::of_call(failure))
            }
            _ => self.last,
        };
        Self { reply, last, ..self }
    }

    /// Whether it failed and left the whole answer to be written. An exchange that was cut off or
    /// ran out of time counts here, too, even if its stream had begun.
    pub(in crate::gateway) fn is_untold_failure(&self) -> bool {
        self.reply.is_err() && !matches!(self.last, ResponseEnding::Pieces(_))
    }

    /// The kind of failure that may lead to a fallback model. None if the client has received a
    /// part of a stream, because it cannot be taken back. None also for a 429: the client is to
    /// wait and try again by itself.
    pub(in crate::gateway) fn failed(&self) -> Option<ModelFailure> {
        let told = matches!(self.last, ResponseEnding::Pieces(_));
        let limited = self.reply.as_ref().is_err_and(|failure| failure.rate_limited);
        match (told || limited, self.filtered) {
            (true, _) => None,
            (false, true) => Some(ModelFailure::Filter),
            (false, false) => failure_of_call(&self.reply),
        }
    }
}
