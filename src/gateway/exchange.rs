//! One try of a call with one model, from its ticket to its settlement.

use super::call::GatewayCall;
use super::refusal::GatewayRefusal;
use super::request::GatewayRequest;
use super::response_sink::{GatewayResponse, ResponseSink};
use super::{KeyedModel, allowlist, anthropic_beta, pass_through, translate};
use bytes::Bytes;
use std::time::Duration;
use synthd_actors::model::{
    CallFault, CallPosition, ChatReply, ExchangeRecorder, Fault, FaultKind, ModelFailure, Money,
};
use synthd_actors::ports::{CallContext, ScriptContext};
use synthd_actors::router::{CallTicket, UnrecordedCall, failure_of, failure_of_call};
use tokio::time::Instant;

/// What is left to say at the end.
pub(super) enum ResponseEnding {
    Answer(GatewayResponse),
    Refuse(GatewayRefusal),
    /// Of a stream that has begun.
    Pieces(Vec<Bytes>),
}

/// How an exchange ended.
pub(super) struct ExchangeOutcome {
    pub(super) reply: Result<ChatReply, CallFault>,
    pub(super) last: ResponseEnding,
    /// A filter of the provider's has refused it.
    pub(super) filtered: bool,
}

/// What both ways of answering need.
pub(super) struct ExchangeContext<'a> {
    pub(super) asked: &'a GatewayRequest,
    pub(super) keyed: &'a KeyedModel,
    /// Whether the model is the engine's own, and asked over no wire.
    pub(super) is_own: bool,
    pub(super) place: &'a CallPosition,
    pub(super) witness: &'a ExchangeRecorder,
    /// Headers of the client's that go on to a provider of its family.
    pub(super) headers: &'a [(String, String)],
    /// For models that play a part.
    pub(super) stage: Option<&'a ScriptContext>,
    pub(super) output_cap: u32,
}

/// What it cost nobody knows.
fn cut_off() -> ExchangeOutcome {
    pass_through::failed_outcome(CallFault::unknown(FaultKind::Cancelled, "the attempt is over"))
}

/// The same of a provider that keeps an agent waiting for longer than it has.
fn too_late() -> ExchangeOutcome {
    let what = "the agent's time ended before the model answered";
    pass_through::failed_outcome(CallFault::unknown(FaultKind::OutOfTime, what))
}

async fn time_up(limit: Option<Duration>) {
    match limit {
        Some(limit) => tokio::time::sleep(limit).await,
        None => std::future::pending().await,
    }
}

impl ExchangeContext<'_> {
    async fn exchange(&self, sink: &mut ResponseSink) -> ExchangeOutcome {
        match self.keyed.way().await {
            Err(fault) => pass_through::failed_outcome(fault),
            Ok(Some(upstream)) if upstream.family == self.asked.family => {
                pass_through::pass_through(self, upstream, sink).await
            }
            Ok(_) => translate::translate_call(self, sink).await,
        }
    }

    pub(super) fn context(&self) -> CallContext {
        CallContext {
            episode: self.place.episode.clone(),
            stage: self.stage.cloned(),
            turn: self.place.turn,
            retry: self.place.retry,
            witness: self.witness.clone(),
        }
    }
}

impl GatewayCall {
    pub(super) async fn try_one(
        &self,
        (name, why): &(String, String),
        place: CallPosition,
        limit: Option<Duration>,
        before: &[String],
        sink: &mut ResponseSink,
    ) -> Result<Box<UnsettledExchange>, ExchangeError> {
        let Self { gateway, asked, .. } = self;
        let Some((name, behind)) = gateway.models.get_key_value(name) else {
            let what = format!("there is no model {name:?}");
            return Err(GatewayRefusal::new(404, "model_not_found", what).into());
        };
        let upstream = behind.keys.first().and_then(|keyed| keyed.upstream.as_ref());
        let output_cap = self.session.agent().map_or(gateway.output_cap, |a| a.output_cap);
        if !behind.is_free
            && let Some(refusal) =
                allowlist::find_unbounded(asked, asked.cap(output_cap), behind.writes_priced)
                    .or_else(|| anthropic_beta::unpriced(&self.headers))
        {
            return Err(refusal.into());
        }
        let worst = asked.worst(output_cap, upstream);
        let ticket = gateway.router.admit(place, name, why, worst, before, &self.unwanted).await;
        let mut ticket = match ticket {
            Ok(ticket) => ticket,
            Err(_) if self.unwanted.is_cancelled() => return Err(ExchangeError::Left),
            Err(fault) => return Err(self.not_admitted(name, fault)),
        };
        if self.unwanted.is_cancelled() {
            let left = CallFault::free(FaultKind::Cancelled, "the client has left");
            if let Err(unkept) = ticket.settle(Money::ZERO, &Err(left), None).await {
                gateway.backlog.keep(unkept);
            }
            return Err(ExchangeError::Left);
        }
        let no_key =
            || ExchangeError::from(GatewayRefusal::new(500, "no_key", "there is no such key"));
        let witness = ExchangeRecorder::default();
        let exchange = ExchangeContext {
            asked,
            keyed: behind.keys.get(ticket.key()).ok_or_else(no_key)?,
            is_own: behind.is_own,
            place: ticket.place(),
            witness: &witness,
            headers: &self.headers,
            stage: self.session.agent().map(|agent| &agent.stage),
            output_cap,
        };
        let left = Instant::now();
        let mut done = tokio::select! {
            biased;
            done = exchange.exchange(sink) => done,
            () = self.session.ended() => cut_off(),
            () = time_up(limit) => too_late(),
        };
        if let Some(agent) = self.session.agent() {
            agent.redact_exchange(&witness);
        }
        let was_answer = done.reply.is_ok();
        done.reply = ticket.checked_reply(done.reply);
        // An answer that is not believed is refused.
        if let (Err(failure), false) = (&done.reply, matches!(done.last, ResponseEnding::Pieces(_)))
            && was_answer
        {
            done.last = ResponseEnding::Refuse(GatewayRefusal::of_call(failure));
        }
        // Before the client is: others need not wait until he has read it.
        ticket.heard(&done.reply);
        Ok(Box::new(UnsettledExchange { done, ticket, witness, took: left.elapsed() }))
    }

    /// Whoever is asked too often says so, and until when, as he would say it himself.
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

/// Why a model was not even asked.
pub(super) enum ExchangeError {
    /// The client has, or its attempt is over.
    Left,
    Failed(FailedExchange),
}

impl From<GatewayRefusal> for ExchangeError {
    /// Nobody else would take it either.
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
    fn from(fault: Fault) -> Self {
        let last = ResponseEnding::Refuse(GatewayRefusal::of(&fault));
        Self::Failed(FailedExchange { how: failure_of(&fault), fault, declined: None, last })
    }
}

/// A try that came to nothing.
pub(super) struct FailedExchange {
    /// As far as somebody else may be asked instead.
    pub(super) how: Option<ModelFailure>,
    pub(super) fault: Fault,
    pub(super) declined: Option<DeclinedReply>,
    /// What the client would be told of it.
    pub(super) last: ResponseEnding,
}

/// What was said instead of an answer. It is one where nobody gives another.
pub(super) struct DeclinedReply {
    pub(super) by: String,
    pub(super) reply: Box<ChatReply>,
    pub(super) took: Duration,
}

/// An exchange that is over, and not settled.
pub(super) struct UnsettledExchange {
    pub(super) done: ExchangeOutcome,
    ticket: CallTicket,
    witness: ExchangeRecorder,
    pub(super) took: Duration,
}

impl UnsettledExchange {
    pub(super) fn cost(&self) -> Money {
        self.ticket.cost_of(&self.done.reply)
    }

    /// The hold stands while the client is told, so that nothing is forgotten, and nobody waits
    /// for a disk.
    pub(super) async fn send_and_settle(
        mut self: Box<Self>,
        call: &GatewayCall,
        instead: Option<ResponseEnding>,
        sink: &mut ResponseSink,
    ) {
        let last = std::mem::replace(&mut self.done.last, ResponseEnding::Pieces(Vec::new()));
        sink.finish(instead.unwrap_or(last)).await;
        self.settle(call).await;
    }

    /// Somebody else is asked instead.
    pub(super) async fn fail(self: Box<Self>, call: &GatewayCall, name: &str) -> FailedExchange {
        let filtered =
            || Fault::new(FaultKind::ModelRejected, "a filter of the provider's declined");
        let fault = self.done.reply.as_ref().err().map(|failure| failure.fault.clone());
        let (how, fault) = (self.done.failed(), fault.unwrap_or_else(filtered));
        let declined = self.done.reply.as_ref().ok().map(|reply| DeclinedReply {
            by: name.to_owned(),
            reply: Box::new(reply.clone()),
            took: self.took,
        });
        FailedExchange { how, fault, declined, last: self.settle(call).await }
    }

    /// What would have been told.
    async fn settle(self: Box<Self>, call: &GatewayCall) -> ResponseEnding {
        let (settling, last) = self.settling();
        if let Err(unkept) = settling.await {
            tracing::error!(fault = %unkept.fault, "a call is not recorded yet");
            call.gateway.backlog.keep(unkept);
        }
        last
    }

    fn settling(
        self: Box<Self>,
    ) -> (impl Future<Output = Result<(), UnrecordedCall>> + use<>, ResponseEnding) {
        let Self { done, ticket, witness, .. } = *self;
        let cost = ticket.cost_of(&done.reply);
        (ticket.settle(cost, &done.reply, witness.take()), done.last)
    }
}

impl ExchangeOutcome {
    pub(super) fn is_untold_failure(&self) -> bool {
        self.reply.is_err() && !matches!(self.last, ResponseEnding::Pieces(_))
    }

    /// How it failed, as far as somebody else may be asked: the client has heard nothing yet.
    /// Being asked too often is for the client to wait for.
    pub(super) fn failed(&self) -> Option<ModelFailure> {
        let told = matches!(self.last, ResponseEnding::Pieces(_));
        let limited = self.reply.as_ref().is_err_and(|failure| failure.rate_limited);
        match (told || limited, self.filtered) {
            (true, _) => None,
            (false, true) => Some(ModelFailure::Filter),
            (false, false) => failure_of_call(&self.reply),
        }
    }
}
