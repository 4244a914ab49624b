//! One try of a call with one model, from its ticket to its settlement.

use super::asked::Asked;
use super::call::Call;
use super::outlet::{Answer, Outlet};
use super::refusal::Refusal;
use super::{Keyed, betas, bounds, pass, translate};
use bytes::Bytes;
use std::time::Duration;
use synthd_actors::model::{
    CallFault, CallPlace, ChatReply, Failure, Fault, FaultKind, Money, Witness,
};
use synthd_actors::ports::{CallContext, Stage};
use synthd_actors::router::{Ticket, Unkept, failure_of, failure_of_call};
use tokio::time::Instant;

/// What is left to say at the end.
pub(super) enum Last {
    Answer(Answer),
    Refuse(Refusal),
    /// Of a stream that has begun.
    Pieces(Vec<Bytes>),
}

/// How an exchange ended.
pub(super) struct Done {
    pub(super) reply: Result<ChatReply, CallFault>,
    pub(super) last: Last,
    /// A filter of the provider's has refused it.
    pub(super) filtered: bool,
}

/// What both ways of answering need.
pub(super) struct Errand<'a> {
    pub(super) asked: &'a Asked,
    pub(super) keyed: &'a Keyed,
    /// Whether the model is the engine's own, and asked over no wire.
    pub(super) is_own: bool,
    pub(super) place: &'a CallPlace,
    pub(super) witness: &'a Witness,
    /// Headers of the client's that go on to a provider of its family.
    pub(super) headers: &'a [(String, String)],
    /// For models that play a part.
    pub(super) stage: Option<&'a Stage>,
    pub(super) output_cap: u32,
}

/// What it cost nobody knows.
fn cut_off() -> Done {
    pass::refused(CallFault::unknown(FaultKind::Cancelled, "the attempt is over"))
}

/// The same of a provider that keeps an agent waiting for longer than it has.
fn too_late() -> Done {
    let what = "the agent's time ended before the model answered";
    pass::refused(CallFault::unknown(FaultKind::OutOfTime, what))
}

async fn time_up(limit: Option<Duration>) {
    match limit {
        Some(limit) => tokio::time::sleep(limit).await,
        None => std::future::pending().await,
    }
}

impl Errand<'_> {
    async fn exchange(&self, outlet: &mut Outlet) -> Done {
        match self.keyed.way().await {
            Err(fault) => pass::refused(fault),
            Ok(Some(upstream)) if upstream.family == self.asked.family => {
                pass::pass(self, upstream, outlet).await
            }
            Ok(_) => translate::ask(self, outlet).await,
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

impl Call {
    pub(super) async fn try_one(
        &self,
        (name, why): &(String, String),
        place: CallPlace,
        limit: Option<Duration>,
        before: &[String],
        outlet: &mut Outlet,
    ) -> Result<Box<Tried>, Untried> {
        let Self { gateway, asked, .. } = self;
        let Some((name, behind)) = gateway.models.get_key_value(name) else {
            let what = format!("there is no model {name:?}");
            return Err(Refusal::new(404, "model_not_found", what).into());
        };
        let upstream = behind.keys.first().and_then(|keyed| keyed.upstream.as_ref());
        let output_cap = self.session.agent().map_or(gateway.output_cap, |a| a.output_cap);
        if !behind.is_free
            && let Some(refusal) =
                bounds::unbounded(asked, asked.cap(output_cap), behind.writes_priced)
                    .or_else(|| betas::unpriced(&self.headers))
        {
            return Err(refusal.into());
        }
        let worst = asked.worst(output_cap, upstream);
        let ticket = gateway.router.admit(place, name, why, worst, before, &self.unwanted).await;
        let mut ticket = match ticket {
            Ok(ticket) => ticket,
            Err(_) if self.unwanted.is_cancelled() => return Err(Untried::Left),
            Err(fault) => return Err(self.not_admitted(name, fault)),
        };
        if self.unwanted.is_cancelled() {
            let left = CallFault::free(FaultKind::Cancelled, "the client has left");
            if let Err(unkept) = ticket.settle(Money::ZERO, &Err(left), None).await {
                gateway.backlog.keep(unkept);
            }
            return Err(Untried::Left);
        }
        let no_key = || Untried::from(Refusal::new(500, "no_key", "there is no such key"));
        let witness = Witness::default();
        let errand = Errand {
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
            done = errand.exchange(outlet) => done,
            () = self.session.ended() => cut_off(),
            () = time_up(limit) => too_late(),
        };
        if let Some(agent) = self.session.agent() {
            agent.censor(&witness);
        }
        let was_answer = done.reply.is_ok();
        done.reply = ticket.believed(done.reply);
        // An answer that is not believed is refused.
        if let (Err(failure), false) = (&done.reply, matches!(done.last, Last::Pieces(_)))
            && was_answer
        {
            done.last = Last::Refuse(Refusal::of_call(failure));
        }
        // Before the client is: others need not wait until he has read it.
        ticket.heard(&done.reply);
        Ok(Box::new(Tried { done, ticket, witness, took: left.elapsed() }))
    }

    /// Whoever is asked too often says so, and until when, as he would say it himself.
    fn not_admitted(&self, name: &str, fault: Fault) -> Untried {
        let campaign = &self.session.campaign;
        let asks_again = fault.kind.policy().asks_again;
        let wait = asks_again.then(|| self.gateway.router.asks_to_wait(campaign, name)).flatten();
        let Some(wait) = wait else { return fault.into() };
        let refusal = Refusal::new(429, "rate_limit_exceeded", fault.message.clone());
        let last = Last::Refuse(Refusal { retry_after: Some(wait), ..refusal });
        Untried::Failed(Failed { how: failure_of(&fault), fault, declined: None, last })
    }
}

/// Why a model was not even asked.
pub(super) enum Untried {
    /// The client has, or its attempt is over.
    Left,
    Failed(Failed),
}

impl From<Refusal> for Untried {
    /// Nobody else would take it either.
    fn from(refusal: Refusal) -> Self {
        let fault = Fault::new(FaultKind::ModelRejected, refusal.message.clone());
        Self::Failed(Failed { how: None, fault, declined: None, last: Last::Refuse(refusal) })
    }
}

impl From<Fault> for Untried {
    fn from(fault: Fault) -> Self {
        let last = Last::Refuse(Refusal::of(&fault));
        Self::Failed(Failed { how: failure_of(&fault), fault, declined: None, last })
    }
}

/// A try that came to nothing.
pub(super) struct Failed {
    /// As far as somebody else may be asked instead.
    pub(super) how: Option<Failure>,
    pub(super) fault: Fault,
    pub(super) declined: Option<Declined>,
    /// What the client would be told of it.
    pub(super) last: Last,
}

/// What was said instead of an answer. It is one where nobody gives another.
pub(super) struct Declined {
    pub(super) by: String,
    pub(super) reply: Box<ChatReply>,
    pub(super) took: Duration,
}

/// An exchange that is over, and not settled.
pub(super) struct Tried {
    pub(super) done: Done,
    ticket: Ticket,
    witness: Witness,
    pub(super) took: Duration,
}

impl Tried {
    pub(super) fn cost(&self) -> Money {
        self.ticket.cost_of(&self.done.reply)
    }

    /// The hold stands while the client is told, so that nothing is forgotten, and nobody waits
    /// for a disk.
    pub(super) async fn tell_and_settle(
        mut self: Box<Self>,
        call: &Call,
        instead: Option<Last>,
        outlet: &mut Outlet,
    ) {
        let last = std::mem::replace(&mut self.done.last, Last::Pieces(Vec::new()));
        outlet.last(instead.unwrap_or(last)).await;
        self.settle(call).await;
    }

    /// Somebody else is asked instead.
    pub(super) async fn fail(self: Box<Self>, call: &Call, name: &str) -> Failed {
        let filtered =
            || Fault::new(FaultKind::ModelRejected, "a filter of the provider's declined");
        let fault = self.done.reply.as_ref().err().map(|failure| failure.fault.clone());
        let (how, fault) = (self.done.failed(), fault.unwrap_or_else(filtered));
        let declined = self.done.reply.as_ref().ok().map(|reply| Declined {
            by: name.to_owned(),
            reply: Box::new(reply.clone()),
            took: self.took,
        });
        Failed { how, fault, declined, last: self.settle(call).await }
    }

    /// What would have been told.
    async fn settle(self: Box<Self>, call: &Call) -> Last {
        let (settling, last) = self.settling();
        if let Err(unkept) = settling.await {
            tracing::error!(fault = %unkept.fault, "a call is not recorded yet");
            call.gateway.backlog.keep(unkept);
        }
        last
    }

    fn settling(self: Box<Self>) -> (impl Future<Output = Result<(), Unkept>> + use<>, Last) {
        let Self { done, ticket, witness, .. } = *self;
        let cost = ticket.cost_of(&done.reply);
        (ticket.settle(cost, &done.reply, witness.take()), done.last)
    }
}

impl Done {
    pub(super) fn is_untold_failure(&self) -> bool {
        self.reply.is_err() && !matches!(self.last, Last::Pieces(_))
    }

    /// How it failed, as far as somebody else may be asked: the client has heard nothing yet.
    /// Being asked too often is for the client to wait for.
    pub(super) fn failed(&self) -> Option<Failure> {
        let told = matches!(self.last, Last::Pieces(_));
        let limited = self.reply.as_ref().is_err_and(|failure| failure.rate_limited);
        match (told || limited, self.filtered) {
            (true, _) => None,
            (false, true) => Some(Failure::Filter),
            (false, false) => failure_of_call(&self.reply),
        }
    }
}
