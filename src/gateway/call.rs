//! One call of a client's, from its ticket to its settlement. It runs in a task of its own,
//! which the client's leaving does not end once the request has left.

use super::asked::Asked;
use super::outlet::{Answer, Outlet};
use super::refusal::Refusal;
use super::session::Session;
use super::{Gateway, Keyed, bounds, pass, translate};
use bytes::Bytes;
use std::sync::Arc;
use synthd_actors::model::{
    CallFault, CallPlace, ChatReply, Failure, Fault, FaultKind, Money, SOONEST, Witness,
};
use synthd_actors::router::{Ticket, failure_of, failure_of_call};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;

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
    pub(super) output_cap: u32,
}

/// A call with everything that belongs to it.
pub(super) struct Call {
    pub(super) gateway: Arc<Gateway>,
    pub(super) session: Arc<Session>,
    pub(super) asked: Asked,
    pub(super) headers: Vec<(String, String)>,
    /// Cancelled when the client leaves before it was answered.
    pub(super) unwanted: CancellationToken,
    /// Its body's share of the memory.
    pub(super) _room: OwnedSemaphorePermit,
}

impl Call {
    pub(super) async fn perform(self, mut outlet: Outlet) {
        if let Err(refusal) = self.attempt(&mut outlet).await {
            outlet.refuse(&refusal);
        }
    }

    /// One model after another, as long as one fails for which another one stands ready. Where
    /// all of them do, the client is told of the first.
    async fn attempt(&self, outlet: &mut Outlet) -> Result<(), Refusal> {
        // What was answered and is in no record yet goes before anything else.
        let written = self.gateway.write_down().await;
        written.map_err(|(_, fault)| Refusal::of(&fault))?;
        let (mut next, mut asked, mut first) = (self.first()?, Vec::new(), None);
        let place = self.session.next();
        loop {
            let place = CallPlace { retry: asked.len() as u32, ..place.clone() };
            asked.push(next.0.clone());
            let (failed, last) = match self.try_one(&next, &place, &asked, outlet).await {
                Err(Untried::Left) => return Ok(()),
                Err(Untried::Refused(refusal)) => (None, Last::Refuse(refusal)),
                Err(Untried::Fault(fault)) => {
                    (failure_of(&fault), Last::Refuse(Refusal::of(&fault)))
                }
                Ok(tried) => {
                    let failed = tried.done.failed();
                    let instead = failed.and_then(|how| self.instead(&next.0, how, &asked));
                    if instead.is_none() {
                        let first = first.take().filter(|_| tried.done.is_untold_failure());
                        tried.tell_and_settle(self, first, outlet).await;
                        return Ok(());
                    }
                    (failed, tried.settle(self).await)
                }
            };
            let instead = failed.and_then(|how| self.instead(&next.0, how, &asked));
            let told = first.get_or_insert(last);
            match instead {
                Some(instead) => next = instead,
                None => {
                    let told = std::mem::replace(told, Last::Pieces(Vec::new()));
                    outlet.last(told).await;
                    return Ok(());
                }
            }
        }
    }

    fn instead(&self, name: &str, how: Failure, asked: &[String]) -> Option<(String, String)> {
        self.gateway.router.instead(&self.session.campaign, name, how, asked)
    }

    /// Whom to begin with, and why.
    fn first(&self) -> Result<(String, String), Refusal> {
        let wanted = &self.asked.model;
        let name = self.gateway.behind(wanted).map(|(name, _)| name.as_str());
        let name = name.or_else(|| (wanted == SOONEST).then_some(SOONEST)).ok_or_else(|| {
            let what = format!("there is no model {wanted:?} behind this gateway");
            Refusal::new(404, "model_not_found", what)
        })?;
        self.gateway
            .router
            .choose(&self.session.campaign, name)
            .map_err(|fault| Refusal::of(&fault))
    }

    async fn try_one(
        &self,
        (name, why): &(String, String),
        place: &CallPlace,
        before: &[String],
        outlet: &mut Outlet,
    ) -> Result<Tried, Untried> {
        let Self { gateway, asked, .. } = self;
        let Some((name, behind)) = gateway.models.get_key_value(name) else {
            let what = format!("there is no model {name:?}");
            return Err(Untried::Refused(Refusal::new(404, "model_not_found", what)));
        };
        if !behind.is_free
            && let Some(why) = bounds::unbounded(asked, behind.writes_priced)
        {
            let what = format!("no worst case is known for this call: {why}");
            return Err(Untried::Refused(Refusal::bad(what)));
        }
        let upstream = behind.keys.first().and_then(|keyed| keyed.upstream.as_ref());
        let worst = asked.worst(gateway.output_cap, upstream);
        let ticket =
            gateway.router.admit(place.clone(), name, why, worst, before, &self.unwanted).await;
        let mut ticket = ticket.map_err(Untried::Fault)?;
        if self.unwanted.is_cancelled() {
            let left = CallFault::free(FaultKind::Cancelled, "the client has left");
            if let Err(unkept) = ticket.settle(Money::ZERO, &Err(left), None).await {
                gateway.backlog.keep(unkept);
            }
            return Err(Untried::Left);
        }
        let no_key = || Untried::Refused(Refusal::new(500, "no_key", "there is no such key"));
        let witness = Witness::default();
        let errand = Errand {
            asked,
            keyed: behind.keys.get(ticket.key()).ok_or_else(no_key)?,
            is_own: behind.is_own,
            place,
            witness: &witness,
            headers: &self.headers,
            output_cap: gateway.output_cap,
        };
        let done = match &errand.keyed.upstream {
            Some(upstream) if upstream.family == asked.family => {
                pass::pass(&errand, upstream, outlet).await
            }
            _ => translate::ask(&errand, outlet).await,
        };
        // Before the client is: others need not wait until he has read it.
        ticket.heard(&done.reply);
        Ok(Tried { done, ticket, witness })
    }
}

/// Why a model was not even asked.
enum Untried {
    /// The client has.
    Left,
    Refused(Refusal),
    Fault(Fault),
}

/// An exchange that is over, and not settled.
struct Tried {
    done: Done,
    ticket: Ticket,
    witness: Witness,
}

impl Tried {
    /// The hold stands while the client is told, so that nothing is forgotten, and nobody waits
    /// for a disk.
    async fn tell_and_settle(self, call: &Call, instead: Option<Last>, outlet: &mut Outlet) {
        let Self { done: Done { reply, last, filtered }, ticket, witness } = self;
        outlet.last(instead.unwrap_or(last)).await;
        let untold = Done { reply, last: Last::Pieces(Vec::new()), filtered };
        Self { done: untold, ticket, witness }.settle(call).await;
    }

    /// What would have been told.
    async fn settle(self, call: &Call) -> Last {
        let Self { done, ticket, witness } = self;
        let cost = ticket.cost_of(&done.reply);
        if let Err(unkept) = ticket.settle(cost, &done.reply, witness.take()).await {
            tracing::error!(fault = %unkept.fault, "a call is not recorded yet");
            call.gateway.backlog.keep(unkept);
        }
        done.last
    }
}

impl Done {
    fn is_untold_failure(&self) -> bool {
        self.reply.is_err() && !matches!(self.last, Last::Pieces(_))
    }

    /// How it failed, as far as somebody else may be asked: the client has heard nothing yet.
    /// Being asked too often is for the client to wait for.
    fn failed(&self) -> Option<Failure> {
        let told = matches!(self.last, Last::Pieces(_));
        let limited = self.reply.as_ref().is_err_and(|failure| failure.rate_limited);
        match (told || limited, self.filtered) {
            (true, _) => None,
            (false, true) => Some(Failure::Filter),
            (false, false) => failure_of_call(&self.reply),
        }
    }
}
