//! One call: it is limited, held, tried and settled. After a temporary fault, the call is tried
//! again. If the model has a fallback, the call may go to the fallback model.
//!
//! ```text
//!  choose ─► limit ─► hold (durable) ─► try ─► settle ─► answer
//!    ▲         ▲                         │
//!    │         └──── wait ◄── transient ─┤   (the failed try settles at its full hold)
//!    └───────── next model ◄── given up ─┘
//! ```

use super::account::CampaignAccount;
use super::campaign_model::MOST_WAITED;
use super::messages::{ModelAnswer, ModelCall};
use super::route::{ModelChoice, failure_of, failure_of_reply};
use super::ticket::{TicketIssuer, TicketRequest, unless_cancelled};
use crate::model::{CallFault, ChatReply, ChatRequest, Fault, FaultKind, Money};
use crate::policy::{RetryDecision, RetryPolicy, backoff, worst_case};
use crate::ports::{CallContext, ChatModel};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

const RETRY: RetryPolicy =
    RetryPolicy { attempts: 5, base: Duration::from_millis(200), cap: Duration::from_secs(30) };

pub(super) async fn perform(
    account: &Arc<CampaignAccount>,
    call: &ModelCall,
    office: &TicketIssuer,
    unwanted: &CancellationToken,
) -> Result<ModelAnswer, Fault> {
    let mut choice = account.choose(&call.model)?;
    let mut so_far = CallProgress::default();
    loop {
        so_far.asked.push(choice.slot.config.name.clone());
        // Each model is asked in its own way.
        let request = choice.slot.config.asked(&call.request, call.sample);
        let errand = CallExecution { account, choice: &choice, call, request, office, unwanted };
        let answer = errand.ask(&mut so_far).await;
        let failure = match &answer {
            Ok(reply) => failure_of_reply(reply),
            Err(fault) => failure_of(fault),
        };
        let instead = failure.and_then(|how| account.fallback(&choice.slot, how, &so_far.asked));
        match instead {
            Some(next) => {
                tracing::warn!(episode = %call.context.episode, to = next.slot.config.name, "{}", next.why);
                choice = next;
            }
            None => {
                let CallProgress { cost, took, failed, tries, .. } = so_far;
                let model = choice.slot.config.name.clone();
                let request = errand.request;
                return Ok(ModelAnswer {
                    reply: answer?,
                    request,
                    model,
                    cost,
                    tries,
                    took,
                    failed,
                });
            }
        }
    }
}

/// One try of the named model, without any fallback.
pub(super) async fn perform_once(
    account: &Arc<CampaignAccount>,
    call: &ModelCall,
    office: &TicketIssuer,
    unwanted: &CancellationToken,
) -> Result<ModelAnswer, Fault> {
    let choice = ModelChoice { slot: account.model(&call.model)?, why: String::new() };
    let request = choice.slot.config.asked(&call.request, call.sample);
    let errand = CallExecution { account, choice: &choice, call, request, office, unwanted };
    let CallTryResult { reply, cost, took, .. } =
        errand.attempt(&call.context, call.limit, &[]).await?;
    let reply = reply.map_err(|failure| failure.fault)?;
    let request = errand.request;
    Ok(ModelAnswer {
        reply,
        request,
        model: call.model.clone(),
        cost,
        tries: 1,
        took,
        failed: Duration::ZERO,
    })
}

/// What a call has used so far, over all models that it asked.
#[derive(Default)]
struct CallProgress {
    asked: Vec<String>,
    tries: u32,
    cost: Money,
    /// The accepted answer.
    took: Duration,
    /// Failed tries and rejected answers.
    failed: Duration,
}

/// Longer each time where the provider says that it is too soon. What it says of when to come
/// back is for all calls of that key, and waited for there.
fn wait(failure: &CallFault, after: Duration, tries: u32, salt: &str) -> Duration {
    match failure.rate_limited {
        true => backoff(RETRY.base, RETRY.cap, tries, salt),
        false => after,
    }
}

/// If the conversation may be too long for the model, this number of empty answers in a row ends
/// the call. Empty answers give no label: a proxy that closes streams in an outage looks the same.
const EMPTY_ANSWERS: u32 = 2;

/// A call on its way.
struct CallExecution<'a> {
    account: &'a Arc<CampaignAccount>,
    choice: &'a ModelChoice,
    call: &'a ModelCall,
    /// As this model is asked.
    request: Arc<ChatRequest>,
    office: &'a TicketIssuer,
    unwanted: &'a CancellationToken,
}

struct CallTryResult {
    reply: Result<ChatReply, CallFault>,
    cost: Money,
    took: Duration,
    left: Instant,
}

impl CallExecution<'_> {
    /// Asks one model, as often as it makes sense.
    async fn ask(&self, so_far: &mut CallProgress) -> Result<ChatReply, Fault> {
        let slot = &self.choice.slot;
        let (mut failed, mut empty, mut waited) = (0, 0, Duration::ZERO);
        let mut since: Option<Instant> = None;
        loop {
            let context = CallContext { retry: so_far.tries, ..self.call.context.clone() };
            let salt = self.call.place(so_far.tries).id();
            self.give_way(&so_far.asked)?;
            let outcome = self.attempt(&context, self.call.limit, &so_far.asked).await?;
            so_far.tries += 1;
            so_far.cost = so_far.cost.saturating_add(outcome.cost);
            let failure = match outcome.reply {
                Ok(reply) => {
                    let before = std::mem::replace(&mut so_far.took, outcome.took);
                    so_far.failed = so_far.failed.saturating_add(before);
                    return Ok(reply);
                }
                Err(failure) => failure,
            };
            so_far.failed = so_far.failed.saturating_add(outcome.took);
            waited += since.map_or(Duration::ZERO, |since| outcome.left - since);
            empty = match (failure.said_nothing, failure.rate_limited) {
                (true, _) => empty + 1,
                // No answer at all.
                (false, true) => empty,
                (false, false) => 0,
            };
            if empty >= EMPTY_ANSWERS && slot.may_be_full(worst_case(&self.request)) {
                let what = format!("{}; the conversation may be too long", failure.fault.message);
                return Err(Fault::new(FaultKind::EmptyAnswer, what));
            }
            // A request to come back later is never a failure of the model.
            failed += u32::from(!failure.rate_limited);
            let RetryDecision::Again { after } = RETRY.decide(&failure.fault, failed, &salt) else {
                return Err(failure.fault);
            };
            if waited > MOST_WAITED || !failure.fault.kind.policy().asks_again {
                return Err(failure.fault);
            }
            slot.retries.fetch_add(1, Ordering::Relaxed);
            since = Some(Instant::now());
            let after = wait(&failure, after, so_far.tries, &salt);
            unless_cancelled(self.unwanted, tokio::time::sleep(after)).await?;
        }
    }

    /// If there is a fallback model, a call does not wait for a provider that does not answer.
    fn give_way(&self, asked: &[String]) -> Result<(), Fault> {
        let slot = &self.choice.slot;
        if !slot.is_down() || !self.account.has_ready_fallback(slot, asked) {
            return Ok(());
        }
        let what = format!("{} does not answer", slot.config.provider());
        Err(Fault::new(FaultKind::ModelTransient, what))
    }

    /// One try. An error here is no answer of the model's: no money, no store, nobody waits, or
    /// there is no way to it.
    async fn attempt(
        &self,
        context: &CallContext,
        limit: Duration,
        asked: &[String],
    ) -> Result<CallTryResult, Fault> {
        let (place, worst) = (self.call.place(context.retry), worst_case(&self.request));
        let wish = TicketRequest { place, why: &self.choice.why, worst, asked };
        let slot = &self.choice.slot;
        let ticket = self.office.ticket(self.account, slot, wish, self.unwanted).await?;
        let left = Instant::now();
        // A call that nobody waits for never leaves.
        let leaves = !self.unwanted.is_cancelled();
        let (reply, took) = self.complete(ticket.model(), context, limit).await;
        let reply = ticket.checked_reply(reply);
        let cost = if leaves { ticket.cost_of(&reply) } else { Money::ZERO };
        ticket.settle(cost, &reply, context.witness.take()).await?;
        Ok(CallTryResult { reply, cost, took, left })
    }

    /// The model's answer, and how long it took.
    async fn complete(
        &self,
        model: &Arc<dyn ChatModel>,
        context: &CallContext,
        left: Duration,
    ) -> (Result<ChatReply, CallFault>, Duration) {
        let started = Instant::now();
        let answer = timeout(left, model.complete(&self.request, context));
        let reply = match unless_cancelled(self.unwanted, answer).await {
            Ok(answer) => answer.unwrap_or_else(|_| Err(out_of_time().into())),
            Err(unwanted) => Err(unwanted.into()),
        };
        (reply, started.elapsed())
    }
}

fn out_of_time() -> Fault {
    Fault::new(FaultKind::OutOfTime, "the model did not answer in the time that a call may take")
}
