//! What one try of a call needs before it may leave, and what becomes of it afterwards.
//!
//! ```text
//!  place ─► limit ─► hold (durable) ─► leaves ─► settled, with the record of the exchange
//!                       │                 └─ dropped: counts in full, as in the journal
//!                       └─ refused: it never leaves
//! ```

use super::account::Account;
use super::slot::ModelSlot;
use super::unanswered::Waiting;
use super::way::{Pass, Way};
use crate::collector::CollectorHandle;
use crate::model::{
    CallFault, CallPlace, CallRecord, Charge, ChatReply, Entry, Exchange, Fault, FaultKind, Money,
    Usage, day_of,
};
use crate::policy::{Purpose, reserved};
use crate::ports::{ChatModel, Clock};
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Where tickets are had from.
#[derive(Clone)]
pub(super) struct Office {
    pub(super) collector: CollectorHandle,
    pub(super) clock: Arc<dyn Clock>,
}

/// One try that somebody wants made.
pub(super) struct Wish<'a> {
    pub(super) place: CallPlace,
    /// Why this model, where it is not simply the one that was planned.
    pub(super) why: &'a str,
    /// The most that it may use.
    pub(super) worst: Usage,
    /// Who was asked before.
    pub(super) asked: &'a [String],
}

/// One try that may leave.
pub struct Ticket {
    office: Office,
    slot: Arc<ModelSlot>,
    place: CallPlace,
    /// None where the model costs nothing.
    held: Option<Held>,
    at_ms: i64,
    left: Instant,
    /// Until the exchange was heard; people are told of one that waits long.
    waiting: Option<Waiting>,
    /// Until the exchange was heard.
    pass: Option<Pass>,
    way: Arc<Way>,
    why: String,
}

impl Office {
    /// Waits for a key that may be used and for the money, but no longer than somebody wants
    /// the answer.
    pub(super) async fn ticket(
        &self,
        account: &Arc<Account>,
        slot: &Arc<ModelSlot>,
        wish: Wish<'_>,
        unwanted: &CancellationToken,
    ) -> Result<Ticket, Fault> {
        let Wish { place, why, worst, asked } = wish;
        let stands_ready = || account.stands_ready(slot, asked);
        let pass = slot.pass(&place.episode, reserved(worst), &stands_ready);
        let pass = while_wanted(unwanted, pass).await??;
        slot.calls.fetch_add(1, Ordering::Relaxed);
        let held = match slot.config.price.is_free() {
            true => None,
            false => match self.hold(account, slot, &place, worst, unwanted).await {
                Ok(held) => Some(held),
                Err(fault) => {
                    pass.unused();
                    return Err(fault);
                }
            },
        };
        let (office, slot, at_ms) = (self.clone(), slot.clone(), self.clock.now_ms());
        let (left, why) = (Instant::now(), why.to_owned());
        let (way, pass) = (pass.way().clone(), Some(pass));
        let waiting = Some(slot.unanswered.leaves());
        Ok(Ticket { office, slot, place, held, at_ms, left, waiting, pass, way, why })
    }

    /// The worst case set aside, in memory and durably, before the request may leave.
    async fn hold(
        &self,
        account: &Arc<Account>,
        slot: &ModelSlot,
        place: &CallPlace,
        worst: Usage,
        unwanted: &CancellationToken,
    ) -> Result<Held, Fault> {
        let (id, amount) = (place.id(), slot.config.price.worst(worst));
        let at_ms = self.clock.now_ms();
        let purpose = Purpose {
            model: slot.config.name.clone(),
            episode: place.episode.clone(),
            day: day_of(at_ms),
        };
        while_wanted(unwanted, account.hold(&id, &purpose, amount)).await??;
        let held = Held { account: account.clone(), id, amount };
        let entry = Entry::Held {
            id: held.id.clone(),
            campaign: place.campaign.clone(),
            episode: place.episode.clone(),
            attempt: place.attempt,
            amount,
            model: purpose.model,
            at_ms,
        };
        // Not cut short: the store must not keep a hold of which nobody knows.
        if let Err(fault) = self.collector.record(vec![entry]).await {
            // The request has not left, so nothing was spent.
            held.settle(Money::ZERO);
            return Err(fault);
        }
        Ok(held)
    }
}

impl Ticket {
    /// Who is asked, with the key that is to be used.
    pub(super) fn model(&self) -> &Arc<dyn ChatModel> {
        &self.way.model
    }

    /// Which call it is for.
    pub fn place(&self) -> &CallPlace {
        &self.place
    }

    /// Which of the model's keys it is.
    pub fn key(&self) -> usize {
        self.slot.number_of(&self.way)
    }

    /// What the try cost. One whose end is unknown, or whose tokens nobody counted, cost all
    /// that was held for it.
    pub fn cost_of(&self, reply: &Result<ChatReply, CallFault>) -> Money {
        let held = self.held.as_ref().map_or(Money::ZERO, |held| held.amount);
        match reply {
            Ok(reply) if !is_counted(reply) => held,
            Ok(reply) => self.slot.config.price.of(reply.usage),
            Err(failure) if failure.charge == Charge::Nothing => Money::ZERO,
            Err(_) => held,
        }
    }

    /// The exchange is over: others may leave, whoever still waits to be told of it.
    pub fn heard(&mut self, reply: &Result<ChatReply, CallFault>) {
        self.waiting = None;
        if let Some(pass) = self.pass.take() {
            self.slot.answered(reply, self.left.elapsed());
            pass.heard(reply);
        }
    }

    /// Replaces the hold by the cost, and keeps what went over the wire.
    pub fn settle(
        mut self,
        cost: Money,
        reply: &Result<ChatReply, CallFault>,
        exchange: Option<Exchange>,
    ) -> impl Future<Output = Result<(), Unkept>> + use<> {
        let mut entries = Vec::new();
        self.heard(reply);
        let (held, collector) = (self.held.take(), self.office.collector.clone());
        entries.extend(held.as_ref().map(|h| Entry::Settled { id: h.id.clone(), amount: cost }));
        entries.extend(exchange.map(|exchange| self.record(cost, reply, exchange)));
        // Whoever waits for the disk has the ticket and the reply no more.
        async move {
            let written = match entries.is_empty() {
                true => Ok(()),
                false => {
                    let written = collector.record(entries.clone()).await;
                    written.map_err(|fault| Unkept { fault, entries })
                }
            };
            if let Some(held) = held {
                held.settle(cost);
            }
            written
        }
    }

    fn record(
        self,
        cost: Money,
        reply: &Result<ChatReply, CallFault>,
        exchange: Exchange,
    ) -> Entry {
        let counted = reply.as_ref().ok().filter(|reply| is_counted(reply));
        Entry::Called(Arc::new(CallRecord {
            model: self.slot.config.name.clone(),
            provider: self.way.provider().map(str::to_owned),
            place: self.place,
            why: self.why,
            answered_by: reply.as_ref().ok().and_then(|reply| reply.answered_by.clone()),
            usage: counted.map(|reply| reply.usage),
            cost,
            fault: reply.as_ref().err().map(|failure| failure.fault.clone()),
            at_ms: self.at_ms,
            exchange,
        }))
    }
}

/// What the store did not take of a call that is over.
#[derive(Clone, Debug)]
pub struct Unkept {
    pub fault: Fault,
    pub entries: Vec<Entry>,
}

impl From<Unkept> for Fault {
    fn from(unkept: Unkept) -> Self {
        unkept.fault
    }
}

/// Whether somebody counted, and counted what can be.
fn is_counted(reply: &ChatReply) -> bool {
    const MOST: u64 = 1 << 40;
    !reply.uncounted && reply.usage.total() < MOST
}

/// Waits, but no longer than somebody wants the answer.
pub(super) async fn while_wanted<T>(
    unwanted: &CancellationToken,
    wait: impl Future<Output = T>,
) -> Result<T, Fault> {
    tokio::select! {
        biased;
        () = unwanted.cancelled() => {
            Err(Fault::new(FaultKind::Cancelled, "nobody waits for the answer any more"))
        }
        done = wait => Ok(done),
    }
}

/// A hold in memory. Dropped unsettled (the call panicked or the engine ends), it counts in
/// full, as it does in the journal.
struct Held {
    account: Arc<Account>,
    id: String,
    amount: Money,
}

impl Held {
    fn settle(self, cost: Money) {
        self.account.settle(&self.id, cost);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // After `settle` the id is unknown and this changes nothing.
        self.account.settle(&self.id, self.amount);
    }
}
