//! One call: limited, held, tried, settled; tried again where the fault passes.
//!
//! ```text
//!  limit ─► hold (durable) ─► try ─► settle ─► answer
//!    ▲                         │
//!    └──── wait ◄── transient ─┘   (the failed try settles at its full hold)
//! ```

use super::account::{Account, ModelSlot};
use super::messages::{Call, Called};
use super::ticket::{Office, while_wanted};
use crate::model::{CallFault, ChatReply, Fault, FaultKind, Money};
use crate::policy::{Decision, Retry, backoff, worst_case};
use crate::ports::CallContext;
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
    account: &Arc<Account>,
    call: &Call,
    office: &Office,
    unwanted: &CancellationToken,
) -> Result<Called, Fault> {
    let slot = account.slot(&call.model)?;
    let errand = Errand { account, slot: &slot, call, office, unwanted };
    let (mut cost, mut took) = (Money::ZERO, Duration::ZERO);
    let (mut tries, mut failed, mut waited) = (0, 0, Duration::ZERO);
    loop {
        let context = CallContext { retry: tries, ..call.context.clone() };
        let salt = call.place(tries).id();
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
        match RETRY.decide(&failure.fault, failed, &salt) {
            Decision::GiveUp => return Err(failure.fault),
            Decision::Again { after } => {
                slot.retries.fetch_add(1, Ordering::Relaxed);
                let after = wait(&failure, after, tries, &salt);
                waited = waited.saturating_add(after);
                if waited > MOST_WAITED {
                    return Err(failure.fault);
                }
                while_wanted(unwanted, tokio::time::sleep(after)).await?;
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
    account: &'a Arc<Account>,
    slot: &'a Arc<ModelSlot>,
    call: &'a Call,
    office: &'a Office,
    unwanted: &'a CancellationToken,
}

struct Attempted {
    reply: Result<ChatReply, CallFault>,
    cost: Money,
    took: Duration,
}

impl Errand<'_> {
    /// One try. An error here is not the model's: no money, no store, or nobody waits.
    async fn attempt(&self, context: &CallContext, left: Duration) -> Result<Attempted, Fault> {
        let (place, worst) = (self.call.place(context.retry), worst_case(&self.call.request));
        let ticket =
            self.office.ticket(self.account, self.slot, place, worst, self.unwanted).await?;
        // One that nobody waits for any more never leaves.
        let leaves = !self.unwanted.is_cancelled();
        let (reply, took) = self.complete(context, left).await;
        let cost = if leaves { ticket.cost_of(&reply) } else { Money::ZERO };
        ticket.settle(cost, &reply, context.witness.take()).await?;
        Ok(Attempted { reply, cost, took })
    }

    /// The model's answer, and how long it took.
    async fn complete(
        &self,
        context: &CallContext,
        left: Duration,
    ) -> (Result<ChatReply, CallFault>, Duration) {
        let started = Instant::now();
        let answer = timeout(left, self.slot.model.complete(&self.call.request, context));
        let reply = match while_wanted(self.unwanted, answer).await {
            Ok(answer) => answer.unwrap_or_else(|_| Err(out_of_time().into())),
            Err(unwanted) => Err(unwanted.into()),
        };
        (reply, started.elapsed())
    }
}

fn out_of_time() -> Fault {
    Fault::new(FaultKind::OutOfTime, "the agent's time was up before the model answered")
}
