//! Tickets: one try of a call needs a ticket before its request may be sent, and the ticket is
//! settled afterwards. The router's own calls and the gateway's calls get their tickets here, so
//! both keep the same limits and the same money rules.
//!
//! ```text
//!  position ─► limit ─► money? ─► hold (durable) ─► sent ─► settled, with the record
//!                ▲         │ not now                  └─ dropped: counts in full
//!                │         ▼
//!                └── waits for money, without a permit and not as a probe; then both at once,
//!                    or the money goes back and it begins again
//! ```
//! The invariants: the hold is durable before the request is sent, and a ticket that is dropped
//! without a settlement counts with its whole hold, in memory as in the journal.

use super::account::CampaignAccount;
use super::call_settlement::{CallSettlement, OpenSettlement};
use super::campaign_model::CampaignModel;
use super::key_limiter::{CallPermit, KeyLimiter};
use super::money_hold::MoneyHold;
use super::record_backlog::UnrecordedCall;
use super::state::CallGate;
use super::unanswered_calls::PendingCallGuard;
use crate::collector::CollectorHandle;
use crate::model::{
    CallCharge, CallFault, CallPosition, CallRecord, ChatReply, Fault, FaultKind, HttpExchange,
    JournalEntry, Money, Usage, day_of,
};
use crate::policy::{HoldPurpose, UsageBounds, is_plausible, reserved};
use crate::ports::{ChatModel, Clock};
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// Makes tickets.
#[derive(Clone)]
pub(super) struct TicketIssuer {
    /// Writes holds and settlements to the journal.
    pub(super) collector: CollectorHandle,
    /// The wall clock, for the day of the money and for records.
    pub(super) clock: Arc<dyn Clock>,
    /// Refuses tickets once the router closes.
    pub(super) gate: CallGate,
}

/// A request for a ticket.
pub(super) struct TicketRequest<'a> {
    /// The position of the try; it gives the id of the hold.
    pub(super) place: CallPosition,
    /// Why this model is asked; empty if it is the planned one.
    pub(super) why: &'a str,
    /// The most tokens that the try can use.
    pub(super) worst: Usage,
    /// The models that were asked before, which are not ready fallbacks any more.
    pub(super) asked: &'a [String],
}

/// The permission to send one try: a permit for a key, and the money.
pub struct CallTicket {
    issuer: TicketIssuer,
    /// The account whose backlog keeps what the store does not take.
    account: Arc<CampaignAccount>,
    slot: Arc<CampaignModel>,
    place: CallPosition,
    /// The most tokens that the try can use.
    worst: Usage,
    /// None if the model costs nothing.
    held: Option<MoneyHold>,
    /// The wall clock at the time of the ticket, for the record.
    at_ms: i64,
    /// When the ticket was given, for the latency.
    left: Instant,
    /// Counts the call as unanswered until the exchange is over.
    waiting: Option<PendingCallGuard>,
    /// The permit, until the exchange is over.
    pass: Option<CallPermit>,
    /// The limiter of the key that the try uses.
    key_limiter: Arc<KeyLimiter>,
    why: String,
    /// Counts the ticket until it is settled or dropped.
    token: TaskTrackerToken,
}

impl TicketIssuer {
    /// Waits for a free key and for money, writes the hold, and gives the ticket. Cancelling
    /// `unwanted` ends the waiting. A call that waits for money has no permit, so it neither uses
    /// up a place at the provider nor delays a probe. The account's backlog is written first: if the
    /// store does not take it, no ticket is given. Err means that nothing is held.
    pub(super) async fn ticket(
        &self,
        account: &Arc<CampaignAccount>,
        slot: &Arc<CampaignModel>,
        wanted: TicketRequest<'_>,
        unwanted: &CancellationToken,
    ) -> Result<CallTicket, Fault> {
        let token = self.gate.enter()?;
        let TicketRequest { place, why, worst, asked } = wanted;
        let admission = CallAdmission {
            clock: &*self.clock,
            account,
            slot,
            place: &place,
            worst,
            asked,
            unwanted,
        };
        let (pass, granted) = self.admitted(account, &admission).await?;
        let held = match granted {
            None => None,
            Some(granted) => match self.write(account, slot, &place, granted).await {
                Ok(held) => Some(held),
                Err(fault) => {
                    pass.unused();
                    return Err(fault);
                }
            },
        };
        slot.calls.fetch_add(1, Ordering::Relaxed);
        let (issuer, slot, at_ms) = (self.clone(), slot.clone(), self.clock.now_ms());
        let account = account.clone();
        let (left, why) = (Instant::now(), why.to_owned());
        let (key_limiter, pass) = (pass.key_limiter().clone(), Some(pass));
        let waiting = Some(slot.unanswered.track_call());
        Ok(CallTicket {
            issuer,
            account,
            slot,
            place,
            worst,
            held,
            at_ms,
            left,
            waiting,
            pass,
            key_limiter,
            why,
            token,
        })
    }

    /// Waits until the call may be made, with an empty backlog. A call that became unrecorded during
    /// the wait counts in full until it is written. So nothing is sent and nothing is refused for
    /// want of money before the backlog is written. Err if the store does not take it.
    async fn admitted(
        &self,
        account: &CampaignAccount,
        admission: &CallAdmission<'_>,
    ) -> Result<(CallPermit, Option<MoneyGrant>), Fault> {
        loop {
            account.backlog.clear(&self.collector).await?;
            let admitted = admission.admitted().await;
            if account.backlog.len() == 0 {
                return admitted;
            }
            if let Ok((pass, granted)) = admitted {
                granted.into_iter().for_each(|granted| granted.held.settle(Money::ZERO, false));
                pass.unused();
            }
        }
    }

    /// Makes a hold durable before the request may be sent.
    async fn write(
        &self,
        account: &CampaignAccount,
        slot: &CampaignModel,
        place: &CallPosition,
        granted: MoneyGrant,
    ) -> Result<MoneyHold, Fault> {
        let MoneyGrant { held, at_ms } = granted;
        let entry = JournalEntry::Held {
            id: place.id(),
            campaign: place.campaign.clone(),
            episode: place.episode.clone(),
            attempt: place.attempt,
            amount: held.amount(),
            model: slot.config.name.clone(),
            at_ms,
        };
        // This step is not cancelled: the store must not keep a hold that no call owns.
        if let Err(fault) = self.collector.record(vec![entry.clone()]).await {
            // The request has not left, so it cost nothing. But the store may have kept the hold,
            // because a write may fail after its commit. So both are written again.
            let entries = vec![entry, held.settlement(Money::ZERO)];
            let unsent = UnrecordedCall::new(entries, Some(held), Money::ZERO, false);
            account.backlog.keep(unsent);
            return Err(fault);
        }
        Ok(held)
    }
}

/// The admission of one call: it needs a key and money.
struct CallAdmission<'a> {
    clock: &'a dyn Clock,
    account: &'a Arc<CampaignAccount>,
    slot: &'a CampaignModel,
    place: &'a CallPosition,
    worst: Usage,
    asked: &'a [String],
    unwanted: &'a CancellationToken,
}

/// Money that is held in memory, and the time at which it was held. The time decides on which day
/// it counts.
struct MoneyGrant {
    held: MoneyHold,
    at_ms: i64,
}

impl CallAdmission<'_> {
    /// Gets both the key and the money, or neither. None as money means that the model is free.
    ///
    /// The call never waits for one of them while it has the other. Otherwise calls that wait for
    /// money would block a key that others could use. So a call that must wait for money first
    /// gives its permit back. When it has the money and finds no free key, it gives the money back
    /// and begins again.
    ///
    /// There are two lines, one for keys and one for money. After its wait for money, a call takes
    /// a free key without waiting in the line for keys. If none is free, it waits in that line
    /// again, and then takes money without waiting in the line for money (`was_first`). So it waits
    /// in one line at a time, and keeps its rank in the other.
    async fn admitted(&self) -> Result<(CallPermit, Option<MoneyGrant>), Fault> {
        let mut was_first = false;
        loop {
            let pass = self.pass().await?;
            if self.slot.config.price.is_free() {
                return Ok((pass, None));
            }
            let not_now = match self.grant(was_first) {
                Ok(Some(granted)) => return Ok((pass, Some(granted))),
                other => other,
            };
            pass.unused();
            not_now?;
            let granted = self.wait().await?;
            match self.slot.free_pass(&self.place.episode, reserved(self.worst)) {
                Some(pass) => return Ok((pass, Some(granted))),
                None => granted.held.settle(Money::ZERO, false),
            }
            was_first = true;
        }
    }

    /// Waits for a permit.
    async fn pass(&self) -> Result<CallPermit, Fault> {
        let stands_ready = || self.account.has_ready_fallback(self.slot, self.asked);
        let tokens = reserved(self.worst);
        let pass = self.slot.acquire_permit(&self.place.episode, tokens, &stands_ready);
        unless_cancelled(self.unwanted, pass).await?
    }

    /// The money if it can be held at once; none if other calls must settle first.
    fn grant(&self, was_first: bool) -> Result<Option<MoneyGrant>, Fault> {
        let (purpose, at_ms) = self.purpose();
        let (id, amount) = (self.place.id(), self.amount());
        let now = self.account.try_hold(&id, &purpose, amount, was_first)?;
        Ok(now.then(|| self.granted(at_ms)))
    }

    /// Waits for the money.
    async fn wait(&self) -> Result<MoneyGrant, Fault> {
        let (id, timed) = (self.place.id(), || self.purpose());
        let hold = self.account.hold(&id, &timed, self.amount());
        Ok(self.granted(unless_cancelled(self.unwanted, hold).await??))
    }

    /// What the money is for, and the present time.
    fn purpose(&self) -> (HoldPurpose, i64) {
        let at_ms = self.clock.now_ms();
        let (model, episode) = (self.slot.config.name.clone(), self.place.episode.clone());
        (HoldPurpose { model, episode, day: day_of(at_ms) }, at_ms)
    }

    /// The worst case of the call in money.
    fn amount(&self) -> Money {
        self.slot.config.price.worst(self.worst)
    }

    /// The hold as a value that settles itself when it is dropped.
    fn granted(&self, at_ms: i64) -> MoneyGrant {
        let (account, id) = (self.account.clone(), self.place.id());
        MoneyGrant { held: MoneyHold::new(account, id, self.amount()), at_ms }
    }
}

impl CallTicket {
    /// The adapter with the key that the try must use.
    pub(super) fn model(&self) -> &Arc<dyn ChatModel> {
        &self.key_limiter.model
    }

    /// The position of the try.
    pub fn place(&self) -> &CallPosition {
        &self.place
    }

    /// The index of the key among the keys of the model.
    pub fn key(&self) -> usize {
        self.slot.number_of(&self.key_limiter)
    }

    /// The reply, if its token counts can be true. Otherwise a fault of the provider, which costs
    /// the whole hold. An answer without counts is returned as it is. A fault with impossible
    /// counts loses them, and a rejected key gets the names of the model and the provider.
    pub fn checked_reply(
        &self,
        reply: Result<ChatReply, CallFault>,
    ) -> Result<ChatReply, CallFault> {
        let reply = reply.map_err(|failure| self.understood(failure))?;
        let (usage, config, worst) = (reply.usage, &self.slot.config, self.worst);
        if reply.uncounted || self.is_plausible(usage) {
            return Ok(reply);
        }
        let what = format!(
            "{} counted {} input and {} output tokens for a call of at most {} and {}",
            config.name,
            usage.input_tokens,
            usage.output_tokens,
            worst.input_tokens,
            worst.output_tokens,
        );
        Err(CallFault::unknown(FaultKind::ModelMiscounted, what))
    }

    /// Whether the provider's counts can be true.
    fn is_plausible(&self, usage: Usage) -> bool {
        let (worst, config) = (self.worst, &self.slot.config);
        let (context, is_free) = (config.context, config.price.is_free());
        is_plausible(usage, UsageBounds { worst, context, is_free })
    }

    /// Completes a failure: a charge with counts that cannot be true becomes unknown, and the
    /// message about a rejected key names the model and the provider.
    fn understood(&self, mut failure: CallFault) -> CallFault {
        if matches!(failure.charge, CallCharge::Counted(usage) if !self.is_plausible(usage)) {
            failure.charge = CallCharge::Unknown;
        }
        let (fault, config) = (&mut failure.fault, &self.slot.config);
        if fault.kind == FaultKind::KeyRejected {
            let (name, provider) = (&config.name, config.provider());
            fault.message = format!("{name}: provider {provider} at {}", fault.message);
        }
        failure
    }

    /// The cost of the try. If its end is unknown, or if nobody counted its tokens, it is the whole
    /// hold.
    pub fn cost_of(&self, reply: &Result<ChatReply, CallFault>) -> Money {
        let held = self.held.as_ref().map_or(Money::ZERO, MoneyHold::amount);
        match reply {
            Ok(reply) if !is_counted(reply) => held,
            Ok(reply) => self.slot.config.price.of(reply.usage),
            Err(failure) => match failure.charge {
                CallCharge::Nothing => Money::ZERO,
                CallCharge::Counted(usage) => self.slot.config.price.of(usage).min(held),
                CallCharge::Unknown => held,
            },
        }
    }

    /// Ends the exchange. The permit goes back, and other calls may be sent, even if the client
    /// still waits for the answer. A second call does nothing.
    pub fn heard(&mut self, reply: &Result<ChatReply, CallFault>) {
        self.waiting = None;
        if let Some(pass) = self.pass.take() {
            self.slot.answered(reply, self.left.elapsed());
            pass.heard(reply);
        }
    }

    /// Replaces the hold by `cost`, and records the exchange if there is one. Both are written to
    /// the journal together. If the write fails, the entries wait in the backlog of the account. The
    /// future needs neither the ticket nor the reply.
    pub fn settle(
        self,
        cost: Money,
        reply: &Result<ChatReply, CallFault>,
        exchange: Option<HttpExchange>,
    ) -> impl Future<Output = ()> + use<> {
        self.settlement(cost, reply, exchange).write()
    }

    /// Ends the exchange, and gives what must be written now.
    pub(super) fn settlement(
        mut self,
        cost: Money,
        reply: &Result<ChatReply, CallFault>,
        exchange: Option<HttpExchange>,
    ) -> CallSettlement {
        self.heard(reply);
        let (held, answered) = (self.held.take(), reply.is_ok());
        let (account, collector) = (self.account.clone(), self.issuer.collector.clone());
        let token = self.token.clone();
        let mut entries: Vec<JournalEntry> =
            held.iter().map(|held| held.settlement(cost)).collect();
        entries.extend(exchange.map(|exchange| self.record(cost, reply, exchange)));
        let parts = OpenSettlement { entries, held, cost, answered, account, collector, token };
        CallSettlement::new(parts)
    }

    /// The record of the try.
    fn record(
        self,
        cost: Money,
        reply: &Result<ChatReply, CallFault>,
        exchange: HttpExchange,
    ) -> JournalEntry {
        let counted = match reply {
            Ok(reply) => is_counted(reply).then_some(reply.usage),
            Err(CallFault { charge: CallCharge::Counted(usage), .. }) => Some(*usage),
            Err(_) => None,
        };
        JournalEntry::Called(Arc::new(CallRecord {
            model: self.slot.config.name.clone(),
            provider: self.key_limiter.provider().map(str::to_owned),
            place: self.place,
            why: self.why,
            answered_by: reply.as_ref().ok().and_then(|reply| reply.answered_by.clone()),
            usage: counted,
            cost,
            fault: reply.as_ref().err().map(|failure| failure.fault.clone()),
            at_ms: self.at_ms,
            exchange,
        }))
    }
}

/// Whether the provider counted the tokens.
fn is_counted(reply: &ChatReply) -> bool {
    !reply.uncounted
}

/// Waits for `wait`, but not longer than somebody wants the answer.
pub(super) async fn unless_cancelled<T>(
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
