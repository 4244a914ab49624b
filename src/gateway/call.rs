//! One call of a client's, from its ticket to its settlement. It runs in a task of its own,
//! which the client's leaving does not end once the request has left.

use super::asked::Asked;
use super::outlet::{Answer, Outlet};
use super::refusal::Refusal;
use super::session::Session;
use super::{Gateway, Keyed, bounds, pass, translate};
use bytes::Bytes;
use std::sync::Arc;
use synthd_actors::model::{CallFault, CallPlace, ChatReply, FaultKind, Money, SOONEST, Witness};
use synthd_actors::router::Ticket;
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

    /// One model after another, as long as one fails for which another one stands ready.
    async fn attempt(&self, outlet: &mut Outlet) -> Result<(), Refusal> {
        // What was answered and is in no record yet goes before anything else.
        let written = self.gateway.write_down().await;
        written.map_err(|(_, fault)| Refusal::of(&fault))?;
        let mut next = self.first()?;
        let mut asked = Vec::new();
        let place = self.session.next();
        loop {
            let place = CallPlace { retry: asked.len() as u32, ..place.clone() };
            asked.push(next.0.clone());
            let Some((tried, ticket, witness)) = self.try_one(&next, &place, outlet).await? else {
                return Ok(());
            };
            let instead = tried.instead(self, &next.0, &asked);
            let (cost, place) = (ticket.cost_of(&tried.reply), place.id());
            if instead.is_none() {
                // The hold stands meanwhile, so that nothing is forgotten, and nobody waits for
                // a disk.
                outlet.last(tried.last).await;
            }
            if let Err(unkept) = ticket.settle(cost, &tried.reply, witness.take()).await {
                tracing::error!(call = place, fault = %unkept.fault, "a call is not recorded yet");
                self.gateway.backlog.keep(unkept);
            }
            match instead {
                Some(instead) => next = instead,
                None => return Ok(()),
            }
        }
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

    /// None where the client has left before anything was asked.
    async fn try_one(
        &self,
        (name, why): &(String, String),
        place: &CallPlace,
        outlet: &mut Outlet,
    ) -> Result<Option<(Done, Ticket, Witness)>, Refusal> {
        let Self { gateway, asked, .. } = self;
        let Some((name, behind)) = gateway.models.get_key_value(name) else {
            return Err(Refusal::new(
                404,
                "model_not_found",
                format!("there is no model {name:?}"),
            ));
        };
        if !behind.is_free
            && let Some(why) = bounds::unbounded(asked, behind.writes_priced)
        {
            return Err(Refusal::bad(format!("no worst case is known for this call: {why}")));
        }
        let upstream = behind.keys.first().and_then(|keyed| keyed.upstream.as_ref());
        let worst = asked.worst(gateway.output_cap, upstream);
        let ticket = gateway.router.admit(place.clone(), name, why, worst, &self.unwanted).await;
        let ticket = ticket.map_err(|fault| Refusal::of(&fault))?;
        if self.unwanted.is_cancelled() {
            let left = CallFault::free(FaultKind::Cancelled, "the client has left");
            let settled = ticket.settle(Money::ZERO, &Err(left), None).await;
            return settled.map(|()| None).map_err(|unkept| Refusal::of(&unkept.fault));
        }
        let no_key = || Refusal::new(500, "no_key", "there is no such key");
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
        Ok(Some((done, ticket, witness)))
    }
}

impl Done {
    /// Who is asked instead, and why, if the client has heard nothing yet. Being asked too often
    /// is for the client to wait for.
    fn instead(&self, call: &Call, name: &str, asked: &[String]) -> Option<(String, String)> {
        let told = matches!(self.last, Last::Pieces(_));
        let limited = self.reply.as_ref().is_err_and(|failure| failure.rate_limited);
        if told || limited {
            return None;
        }
        call.gateway.router.instead(&call.session.campaign, name, &self.reply, asked)
    }
}
