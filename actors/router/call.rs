//! One call: limited, held, tried, settled; tried again where the fault passes.
//!
//! ```text
//!  limit ─► hold (durable) ─► try ─► settle ─► answer
//!    ▲                         │
//!    └──── wait ◄── transient ─┘   (the failed try settles at its full hold)
//! ```

use super::account::{Account, ModelSlot};
use super::messages::{Call, Called};
use crate::collector::CollectorHandle;
use crate::model::{
    CallFault, Charge, ChatReply, ChatRequest, Entry, Fault, FaultKind, Money, Usage,
};
use crate::policy::{Decision, Retry, backoff};
use crate::ports::CallContext;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

const RETRY: Retry =
    Retry { attempts: 5, base: Duration::from_millis(200), cap: Duration::from_secs(30) };

/// Between the tries of one call, all together: after that it is an outage.
const MOST_WAITED: Duration = Duration::from_secs(30 * 60);

pub(super) async fn perform(
    account: &Account,
    call: &Call,
    collector: &CollectorHandle,
    unwanted: &CancellationToken,
) -> Result<Called, Fault> {
    let slot = account.slots.get(&call.model).ok_or_else(|| {
        Fault::new(FaultKind::ModelPermanent, format!("no model named {}", call.model))
    })?;
    let errand = Errand { account, slot, call, collector, unwanted };
    let (mut cost, mut took) = (Money::ZERO, Duration::ZERO);
    let (mut tries, mut failed, mut waited) = (0, 0, Duration::ZERO);
    loop {
        let context = CallContext { retry: tries, ..call.context.clone() };
        let outcome = errand.attempt(&context, call.limit.saturating_sub(took)).await?;
        tries += 1;
        cost = cost.saturating_add(outcome.cost);
        took = took.saturating_add(outcome.took);
        let failure = match outcome.reply {
            Ok(reply) => return Ok(Called { reply, cost, tries, took }),
            Err(failure) => failure,
        };
        slot.failures.fetch_add(1, Ordering::Relaxed);
        // Being asked to come back later is no failure of the model's, however often it is.
        failed += u32::from(!failure.rate_limited);
        match RETRY.decide(&failure.fault, failed, &hold_id(call, tries)) {
            Decision::GiveUp => return Err(failure.fault),
            Decision::Again { after } => {
                slot.retries.fetch_add(1, Ordering::Relaxed);
                let after = wait(&failure, after, tries, &hold_id(call, tries));
                waited = waited.saturating_add(after);
                if waited > MOST_WAITED {
                    return Err(failure.fault);
                }
                errand.while_wanted(tokio::time::sleep(after)).await?;
            }
        }
    }
}

/// Longer where the provider says so, and each time where it only says that it is too soon.
fn wait(failure: &CallFault, after: Duration, tries: u32, salt: &str) -> Duration {
    let after = match failure.rate_limited {
        true => backoff(RETRY.base, RETRY.cap, tries, salt),
        false => after,
    };
    failure.retry_after.map_or(after, |said| said.max(after))
}

/// A call on its way.
struct Errand<'a> {
    account: &'a Account,
    slot: &'a Arc<ModelSlot>,
    call: &'a Call,
    collector: &'a CollectorHandle,
    unwanted: &'a CancellationToken,
}

struct Attempted {
    reply: Result<ChatReply, CallFault>,
    cost: Money,
    took: Duration,
}

impl Errand<'_> {
    /// Waits, but no longer than somebody wants the answer.
    async fn while_wanted<T>(&self, wait: impl Future<Output = T>) -> Result<T, Fault> {
        tokio::select! {
            biased;
            () = self.unwanted.cancelled() => {
                Err(Fault::new(FaultKind::Cancelled, "nobody waits for the answer any more"))
            }
            done = wait => Ok(done),
        }
    }

    /// One try. An error here is not the model's: no money, no store, or nobody waits.
    async fn attempt(&self, context: &CallContext, left: Duration) -> Result<Attempted, Fault> {
        let slot = self.slot;
        let closed = |_| Fault::new(FaultKind::Cancelled, "the router is closed");
        let place = self.while_wanted(slot.places.clone().acquire_owned()).await?;
        let _place = place.map_err(closed)?;
        // After the place: calls that waited for one must not all leave at once later.
        if let Some(limiter) = &slot.limiter {
            self.while_wanted(limiter.until_ready()).await?;
        }
        slot.calls.fetch_add(1, Ordering::Relaxed);
        if slot.config.price.is_free() {
            let (reply, took) = self.complete(context, left).await;
            return Ok(Attempted { reply, cost: Money::ZERO, took });
        }
        let held = self.hold(context).await?;
        // One that nobody waits for any more never leaves.
        let leaves = !self.unwanted.is_cancelled();
        let (reply, took) = self.complete(context, left).await;
        let cost = if leaves { self.cost_of(&reply, held.amount) } else { Money::ZERO };
        let entry = Entry::Settled { id: held.id.clone(), amount: cost };
        let written = self.collector.record(vec![entry]).await;
        held.settle(cost);
        written?;
        Ok(Attempted { reply, cost, took })
    }

    /// What an attempt cost. One whose end is unknown, or whose tokens nobody counted, cost
    /// all that was held for it.
    fn cost_of(&self, reply: &Result<ChatReply, CallFault>, held: Money) -> Money {
        match reply {
            Ok(reply) if reply.uncounted => held,
            Ok(reply) => self.slot.config.price.of(reply.usage),
            Err(failure) if failure.charge == Charge::Nothing => Money::ZERO,
            Err(_) => held,
        }
    }

    /// The model's answer, and how long it took.
    async fn complete(
        &self,
        context: &CallContext,
        left: Duration,
    ) -> (Result<ChatReply, CallFault>, Duration) {
        let started = Instant::now();
        let answer = timeout(left, self.slot.model.complete(&self.call.request, context));
        let reply = match self.while_wanted(answer).await {
            Ok(answer) => answer.unwrap_or_else(|_| Err(out_of_time().into())),
            Err(unwanted) => Err(unwanted.into()),
        };
        (reply, started.elapsed())
    }

    /// The worst case set aside, in memory and durably, before the request may leave.
    async fn hold(&self, context: &CallContext) -> Result<Held<'_>, Fault> {
        let id = hold_id(self.call, context.retry);
        let amount = self.slot.config.price.worst(worst_case(&self.call.request));
        self.while_wanted(self.account.hold(&id, amount)).await??;
        let held = Held { account: self.account, id, amount };
        let entry = Entry::Held {
            id: held.id.clone(),
            campaign: self.call.campaign.clone(),
            episode: context.episode.clone(),
            attempt: self.call.attempt,
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

fn out_of_time() -> Fault {
    Fault::new(FaultKind::OutOfTime, "the agent's time was up before the model answered")
}

/// A hold in memory. Dropped unsettled (the call panicked or the engine ends), it counts in
/// full, as it does in the journal.
struct Held<'a> {
    account: &'a Account,
    id: String,
    amount: Money,
}

impl Held<'_> {
    fn settle(self, cost: Money) {
        self.account.settle(&self.id, cost);
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        // After `settle` the id is unknown and this changes nothing.
        self.account.settle(&self.id, self.amount);
    }
}

fn hold_id(call: &Call, retry: u32) -> String {
    let context = &call.context;
    format!("{}/{}/{}/{retry}", context.episode, call.attempt, context.turn)
}

/// No tokenizer makes more tokens than bytes, and the output is capped.
fn worst_case(request: &ChatRequest) -> Usage {
    let messages: usize = request
        .messages
        .iter()
        .map(|m| {
            let calls: usize = m.tool_calls.iter().map(|c| c.name.len() + c.arguments.len()).sum();
            let thought = m.reasoning.as_ref().map_or(0, |r| {
                r.text.len() + r.verbatim.as_ref().map_or(0, |(_, json)| json.len())
            });
            m.content.len() + calls + thought + 16
        })
        .sum();
    let tools: usize = request
        .tools
        .iter()
        .map(|t| t.name.len() + t.description.len() + t.parameters.to_string().len() + 16)
        .sum();
    Usage::of((messages + tools) as u64, u64::from(request.max_output_tokens))
}
