//! What one try of a call needs before it may leave, and what becomes of it afterwards.
//!
//! ```text
//!  place ─► limit ─► hold (durable) ─► leaves ─► settled, with the record of the exchange
//!                       │                 └─ dropped: counts in full, as in the journal
//!                       └─ refused: it never leaves
//! ```

use super::account::{Account, ModelSlot};
use crate::collector::CollectorHandle;
use crate::model::{
    CallFault, CallPlace, CallRecord, Charge, ChatReply, Entry, Exchange, Fault, FaultKind, Money,
    Usage,
};
use crate::ports::Clock;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;

/// Where tickets are had from.
#[derive(Clone)]
pub(super) struct Office {
    pub(super) collector: CollectorHandle,
    pub(super) clock: Arc<dyn Clock>,
}

/// One try that may leave.
pub struct Ticket {
    office: Office,
    slot: Arc<ModelSlot>,
    place: CallPlace,
    /// None where the model costs nothing.
    held: Option<Held>,
    at_ms: i64,
    _permit: OwnedSemaphorePermit,
}

impl Office {
    /// Waits for a place, the limiter and the money, but no longer than somebody wants the
    /// answer. `worst` is the most that the try may use.
    pub(super) async fn ticket(
        &self,
        account: &Arc<Account>,
        slot: &Arc<ModelSlot>,
        place: CallPlace,
        worst: Usage,
        unwanted: &CancellationToken,
    ) -> Result<Ticket, Fault> {
        let closed = |_| Fault::new(FaultKind::Cancelled, "the router is closed");
        let permit = while_wanted(unwanted, slot.places.clone().acquire_owned()).await?;
        let _permit = permit.map_err(closed)?;
        // After the place: calls that waited for one must not all leave at once later.
        if let Some(limiter) = &slot.limiter {
            while_wanted(unwanted, limiter.until_ready()).await?;
        }
        slot.calls.fetch_add(1, Ordering::Relaxed);
        let held = match slot.config.price.is_free() {
            true => None,
            false => Some(self.hold(account, slot, &place, worst, unwanted).await?),
        };
        let (office, slot, at_ms) = (self.clone(), slot.clone(), self.clock.now_ms());
        Ok(Ticket { office, slot, place, held, at_ms, _permit })
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
        while_wanted(unwanted, account.hold(&id, amount)).await??;
        let held = Held { account: account.clone(), id, amount };
        let entry = Entry::Held {
            id: held.id.clone(),
            campaign: place.campaign.clone(),
            episode: place.episode.clone(),
            attempt: place.attempt,
            amount,
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

    /// Replaces the hold by the cost, and keeps what went over the wire.
    pub async fn settle(
        self,
        cost: Money,
        reply: &Result<ChatReply, CallFault>,
        exchange: Option<Exchange>,
    ) -> Result<(), Fault> {
        let mut entries = Vec::new();
        entries
            .extend(self.held.as_ref().map(|h| Entry::Settled { id: h.id.clone(), amount: cost }));
        entries.extend(exchange.map(|exchange| self.record(cost, reply, exchange)));
        let written = match entries.is_empty() {
            true => Ok(()),
            false => self.office.collector.record(entries).await,
        };
        if let Some(held) = self.held {
            held.settle(cost);
        }
        written
    }

    fn record(
        &self,
        cost: Money,
        reply: &Result<ChatReply, CallFault>,
        exchange: Exchange,
    ) -> Entry {
        let counted = reply.as_ref().ok().filter(|reply| is_counted(reply));
        Entry::Called(Box::new(CallRecord {
            place: self.place.clone(),
            model: self.slot.config.name.clone(),
            answered_by: reply.as_ref().ok().and_then(|reply| reply.answered_by.clone()),
            usage: counted.map(|reply| reply.usage),
            cost,
            fault: reply.as_ref().err().map(|failure| failure.fault.clone()),
            at_ms: self.at_ms,
            exchange,
        }))
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
