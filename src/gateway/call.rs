//! One call of a client's, from its ticket to its settlement. It runs in a task of its own,
//! which the client's leaving does not end once the request has left.

use super::asked::Asked;
use super::outlet::{Answer, Outlet};
use super::refusal::Refusal;
use super::session::Session;
use super::{Behind, Gateway, bounds, pass, translate};
use bytes::Bytes;
use std::sync::Arc;
use synthd_actors::model::{CallFault, CallPlace, ChatReply, FaultKind, Money, Witness};
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
    pub(super) behind: &'a Behind,
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

    async fn attempt(&self, outlet: &mut Outlet) -> Result<(), Refusal> {
        let Self { gateway, asked, .. } = self;
        let Some((name, behind)) = gateway.behind(&asked.model) else {
            let what = format!("there is no model {:?} behind this gateway", asked.model);
            return Err(Refusal::new(404, "model_not_found", what));
        };
        if !behind.is_free
            && let Some(why) = bounds::unbounded(asked, behind.writes_priced)
        {
            return Err(Refusal::bad(format!("no worst case is known for this call: {why}")));
        }
        let (place, worst) =
            (self.session.next(), asked.worst(gateway.output_cap, behind.upstream.as_ref()));
        let ticket = gateway.router.admit(place.clone(), name, worst, &self.unwanted).await;
        let ticket = ticket.map_err(|fault| Refusal::of(&fault))?;
        if self.unwanted.is_cancelled() {
            let left = CallFault::free(FaultKind::Cancelled, "the client has left");
            let settled = ticket.settle(Money::ZERO, &Err(left), None).await;
            return settled.map_err(|fault| Refusal::of(&fault));
        }
        let witness = Witness::default();
        let errand = Errand {
            asked,
            behind,
            place: &place,
            witness: &witness,
            headers: &self.headers,
            output_cap: gateway.output_cap,
        };
        let Done { reply, last } = match &behind.upstream {
            Some(upstream) if upstream.family == asked.family => {
                pass::pass(&errand, upstream, outlet).await
            }
            _ => translate::ask(&errand, outlet).await,
        };
        // The hold stands meanwhile, so that nothing is forgotten, and nobody waits for a disk.
        match last {
            Last::Answer(answer) => outlet.answer(answer),
            Last::Refuse(refusal) => outlet.refuse(&refusal),
            Last::Pieces(pieces) => {
                for piece in pieces {
                    outlet.piece(piece).await;
                }
                outlet.end();
            }
        }
        let cost = ticket.cost_of(&reply);
        if let Err(fault) = ticket.settle(cost, &reply, witness.take()).await {
            tracing::error!(call = place.id(), %fault, "a call was not settled");
        }
        Ok(())
    }
}
