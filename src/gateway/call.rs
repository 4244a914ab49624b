//! One call of a client's, from its ticket to its settlement. It runs in a task of its own,
//! which the client's leaving does not end once the request has left.

use super::asked::Asked;
use super::outlet::{Answer, Outlet};
use super::refusal::Refusal;
use super::session::{Leaving, Session};
use super::visit::Report;
use super::{Gateway, Keyed, bounds, pass, translate};
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;
use synthd_actors::model::{
    CallFault, CallPlace, ChatReply, Failure, Fault, FaultKind, Money, SOONEST, Witness,
};
use synthd_actors::ports::{CallContext, Stage};
use synthd_actors::router::{Ticket, failure_of, failure_of_call};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
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
    /// For models that play a part.
    pub(super) stage: Option<&'a Stage>,
    pub(super) output_cap: u32,
}

impl Errand<'_> {
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
    /// Its place among those of its agent.
    pub(super) _place: Option<OwnedSemaphorePermit>,
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
        let leaving = self.session.leave(&self.asked, &self.unwanted).await?;
        let (place, model, mut report) = match leaving {
            Leaving::Ask { place, model, report } => (place, model, report),
            Leaving::Told(place, reply) => {
                let told = translate::tell_again(&self.asked, &place, &reply, outlet);
                outlet.last(told).await;
                return Ok(());
            }
        };
        // What was answered and is in no record yet goes before anything else.
        if let Err((_, fault)) = self.gateway.write_down().await {
            report.failed(&fault);
            return Err(Refusal::of(&fault));
        }
        let mut next = match self.first(model.as_deref()) {
            Ok(next) => next,
            Err((fault, refusal)) => {
                report.failed(&fault);
                return Err(refusal);
            }
        };
        let (mut asked, mut first) = (Vec::new(), None);
        loop {
            let place = CallPlace { retry: place.retry + asked.len() as u32, ..place.clone() };
            asked.push(next.0.clone());
            report.begins();
            let (failed, fault, last) = match self.try_one(&next, &place, &asked, outlet).await {
                Err(Untried::Left) => return Ok(()),
                Err(Untried::Refused(refusal)) => {
                    let fault = Fault::new(FaultKind::ModelRejected, refusal.message.clone());
                    (None, fault, Last::Refuse(refusal))
                }
                Err(Untried::Fault(fault)) => {
                    let last = Last::Refuse(Refusal::of(&fault));
                    (failure_of(&fault), fault, last)
                }
                Ok(tried) => {
                    report.tried(&next.0, tried.cost());
                    let failed = tried.done.failed();
                    let instead = failed.and_then(|how| self.instead(&next.0, how, &asked));
                    match (instead, tried.done.fault()) {
                        (Some(_), fault) => {
                            let fault = fault.unwrap_or_else(filtered);
                            (failed, fault, tried.settle(self).await)
                        }
                        (None, fault) => {
                            self.report(&mut report, fault.as_ref(), &tried, outlet);
                            let first = first.take().filter(|_| tried.done.is_untold_failure());
                            tried.tell_and_settle(self, first, outlet).await;
                            return Ok(());
                        }
                    }
                }
            };
            let instead = failed.and_then(|how| self.instead(&next.0, how, &asked));
            let told = first.get_or_insert(last);
            match instead {
                Some(instead) => next = instead,
                None => {
                    report.failed(&fault);
                    let told = std::mem::replace(told, Last::Pieces(Vec::new()));
                    outlet.last(told).await;
                    return Ok(());
                }
            }
        }
    }

    /// Before the client is told: what it asks next comes after this. One that has left has
    /// heard nothing.
    fn report(&self, report: &mut Report, fault: Option<&Fault>, tried: &Tried, outlet: &Outlet) {
        match (fault, &tried.done.reply, self.session.agent()) {
            (Some(fault), ..) => report.failed(fault),
            (None, Ok(reply), Some(agent)) if !outlet.is_deserted() => {
                report.answered(|| agent.kept(reply), tried.took);
            }
            _ => {}
        }
    }

    fn instead(&self, name: &str, how: Failure, asked: &[String]) -> Option<(String, String)> {
        self.gateway.router.instead(&self.session.campaign, name, how, asked)
    }

    /// Whom to begin with, and why.
    fn first(&self, planned: Option<&str>) -> Result<(String, String), (Fault, Refusal)> {
        let wanted = planned.unwrap_or(&self.asked.model);
        let name = self.gateway.behind(wanted).map(|(name, _)| name.as_str());
        let name = name.or_else(|| (wanted == SOONEST).then_some(SOONEST)).ok_or_else(|| {
            let what = format!("there is no model {wanted:?} behind this gateway");
            let fault = Fault::new(FaultKind::ModelPermanent, what.clone());
            (fault, Refusal::new(404, "model_not_found", what))
        })?;
        let chosen = self.gateway.router.choose(&self.session.campaign, name);
        chosen.map_err(|fault| {
            let refusal = Refusal::of(&fault);
            (fault, refusal)
        })
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
        let output_cap = self.session.agent().map_or(gateway.output_cap, |a| a.output_cap);
        let worst = asked.worst(output_cap, upstream);
        let ticket =
            gateway.router.admit(place.clone(), name, why, worst, before, &self.unwanted).await;
        let mut ticket = match ticket {
            Ok(ticket) => ticket,
            Err(_) if self.unwanted.is_cancelled() => return Err(Untried::Left),
            Err(fault) => return Err(Untried::Fault(fault)),
        };
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
            stage: self.session.agent().map(|agent| &agent.stage),
            output_cap,
        };
        let left = Instant::now();
        let done = match errand.keyed.way().await {
            Err(fault) => pass::refused(fault),
            Ok(Some(upstream)) if upstream.family == asked.family => {
                pass::pass(&errand, upstream, outlet).await
            }
            Ok(_) => translate::ask(&errand, outlet).await,
        };
        if let Some(agent) = self.session.agent() {
            agent.censor(&witness);
        }
        // Before the client is: others need not wait until he has read it.
        ticket.heard(&done.reply);
        Ok(Tried { done, ticket, witness, took: left.elapsed() })
    }
}

fn filtered() -> Fault {
    Fault::new(FaultKind::ModelRejected, "a filter of the provider's declined")
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
    took: Duration,
}

impl Tried {
    fn cost(&self) -> Money {
        self.ticket.cost_of(&self.done.reply)
    }

    /// The hold stands while the client is told, so that nothing is forgotten, and nobody waits
    /// for a disk.
    async fn tell_and_settle(self, call: &Call, instead: Option<Last>, outlet: &mut Outlet) {
        let Self { done: Done { reply, last, filtered }, ticket, witness, took } = self;
        outlet.last(instead.unwrap_or(last)).await;
        let untold = Done { reply, last: Last::Pieces(Vec::new()), filtered };
        Self { done: untold, ticket, witness, took }.settle(call).await;
    }

    /// What would have been told.
    async fn settle(self, call: &Call) -> Last {
        let Self { done, ticket, witness, .. } = self;
        let cost = ticket.cost_of(&done.reply);
        if let Err(unkept) = ticket.settle(cost, &done.reply, witness.take()).await {
            tracing::error!(fault = %unkept.fault, "a call is not recorded yet");
            call.gateway.backlog.keep(unkept);
        }
        done.last
    }
}

impl Done {
    fn fault(&self) -> Option<Fault> {
        self.reply.as_ref().err().map(|failure| failure.fault.clone())
    }

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
