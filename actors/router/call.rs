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
use crate::model::{ChatRequest, Entry, Fault, FaultKind, Money, Usage};
use crate::policy::{Decision, Retry};
use crate::ports::CallContext;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

const RETRY: Retry =
    Retry { attempts: 5, base: Duration::from_millis(200), cap: Duration::from_secs(30) };

pub(super) async fn perform(
    account: &Account,
    call: &Call,
    collector: &CollectorHandle,
) -> Result<Called, Fault> {
    let slot = account.slots.get(&call.model).ok_or_else(|| {
        Fault::new(FaultKind::ModelPermanent, format!("no model named {}", call.model))
    })?;
    let mut cost = Money::ZERO;
    let mut tries = 0;
    loop {
        let context = CallContext { retry: tries, ..call.context.clone() };
        let outcome = attempt(account, slot, call, &context, collector).await?;
        tries += 1;
        cost = cost.saturating_add(outcome.cost);
        let fault = match outcome.reply {
            Ok(reply) => return Ok(Called { reply, cost, tries }),
            Err(fault) => fault,
        };
        slot.failures.fetch_add(1, Ordering::Relaxed);
        match RETRY.decide(&fault, tries, &hold_id(call, tries)) {
            Decision::GiveUp => return Err(fault),
            Decision::Again { after } => {
                slot.retries.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(after).await;
            }
        }
    }
}

struct Attempted {
    reply: Result<crate::model::ChatReply, Fault>,
    cost: Money,
}

/// One try. An error here is not the model's: no money or no store.
async fn attempt(
    account: &Account,
    slot: &Arc<ModelSlot>,
    call: &Call,
    context: &CallContext,
    collector: &CollectorHandle,
) -> Result<Attempted, Fault> {
    if let Some(limiter) = &slot.limiter {
        limiter.until_ready().await;
    }
    let closed = |_| Fault::new(FaultKind::Cancelled, "the router is closed");
    let _place = slot.places.clone().acquire_owned().await.map_err(closed)?;
    slot.calls.fetch_add(1, Ordering::Relaxed);
    if slot.config.price.is_free() {
        let reply = slot.model.complete(&call.request, context).await;
        return Ok(Attempted { reply, cost: Money::ZERO });
    }
    let id = hold_id(call, context.retry);
    let worst = slot.config.price.of(worst_case(&call.request));
    account.hold(&id, worst).await?;
    let held = Held { account, id: &id, amount: worst };
    let entry = Entry::Held {
        id: id.clone(),
        campaign: call.campaign.clone(),
        episode: context.episode.clone(),
        attempt: call.attempt,
        amount: worst,
    };
    collector.record(vec![entry]).await?;
    let reply = slot.model.complete(&call.request, context).await;
    // A try that failed may have been charged for: it counts in full.
    let cost = reply.as_ref().map_or(worst, |reply| slot.config.price.of(reply.usage));
    held.settle(cost);
    collector.record(vec![Entry::Settled { id, amount: cost }]).await?;
    Ok(Attempted { reply, cost })
}

/// A hold in memory. Dropped unsettled (the call was cancelled or panicked), it counts in
/// full, as it does in the journal.
struct Held<'a> {
    account: &'a Account,
    id: &'a str,
    amount: Money,
}

impl Held<'_> {
    fn settle(self, cost: Money) {
        self.account.settle(self.id, cost);
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        // After `settle` the id is unknown and this changes nothing.
        self.account.settle(self.id, self.amount);
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
            m.content.len() + calls + 16
        })
        .sum();
    let tools: usize = request
        .tools
        .iter()
        .map(|t| t.name.len() + t.description.len() + t.parameters.to_string().len() + 16)
        .sum();
    Usage {
        input_tokens: (messages + tools) as u64,
        output_tokens: u64::from(request.max_output_tokens),
    }
}
