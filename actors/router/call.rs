//! One call of a scaffold: it waits for limits and money, is tried, and is settled. After a
//! transient fault the same model is tried again. If the model fails for good and has a fallback
//! for this failure, the fallback model is asked.
//!
//! ```text
//!  choose ─► limit ─► hold (durable) ─► try ─► settle ─► answer
//!    ▲         ▲                         │
//!    │         └──── wait ◄── transient ─┤   (the failed try is settled, see `cost_of`)
//!    └───────── next model ◄── given up ─┘
//! ```
//! A call runs in a task of its own. Its caller may stop waiting at any time by `unwanted`; then
//! the try in flight is settled at its full hold, and the call ends.

use super::account::CampaignAccount;
use super::call_settlement::CallSettlement;
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

/// At most five tries that failed. The wait after the first one is at most 0.2 seconds and doubles
/// up to 30 seconds. A rate limit does not count as a failed try.
const RETRY: RetryPolicy =
    RetryPolicy { attempts: 5, base: Duration::from_millis(200), cap: Duration::from_secs(30) };

/// Makes a call with retries and fallbacks. Every try but the last is settled; the settlement of the
/// last one is returned with its answer. The loop ends because each model is asked once: `asked`
/// grows with each round.
pub(super) async fn perform(
    account: &Arc<CampaignAccount>,
    call: &ModelCall,
    issuer: &TicketIssuer,
    unwanted: &CancellationToken,
) -> Result<(ModelAnswer, CallSettlement), Fault> {
    let mut choice = account.choose(&call.model)?;
    let mut so_far = CallProgress::default();
    loop {
        so_far.asked.push(choice.slot.config.name.clone());
        // Each model has its own sampling parameters.
        let request = choice.slot.config.asked(&call.request, call.sample);
        let execution = CallExecution { account, choice: &choice, call, request, issuer, unwanted };
        let answer = execution.ask(&mut so_far).await;
        let failure = match &answer {
            Ok((reply, _)) => failure_of_reply(reply),
            Err(fault) => failure_of(fault),
        };
        let instead = failure.and_then(|how| account.fallback(&choice.slot, how, &so_far.asked));
        match instead {
            Some(next) => {
                if let Ok((_, settlement)) = answer {
                    settlement.write().await;
                }
                tracing::warn!(episode = %call.context.episode, to = next.slot.config.name, "{}", next.why);
                choice = next;
            }
            None => {
                let (reply, settlement) = answer?;
                let CallProgress { cost, took, failed, tries, .. } = so_far;
                let model = choice.slot.config.name.clone();
                let request = execution.request;
                let answer = ModelAnswer { reply, request, model, cost, tries, took, failed };
                return Ok((answer, settlement));
            }
        }
    }
}

/// Makes one try of exactly this model, without retries and fallbacks. An answer comes with its
/// settlement.
pub(super) async fn perform_once(
    account: &Arc<CampaignAccount>,
    call: &ModelCall,
    issuer: &TicketIssuer,
    unwanted: &CancellationToken,
) -> Result<(ModelAnswer, CallSettlement), Fault> {
    let choice = ModelChoice { slot: account.model(&call.model)?, why: String::new() };
    let request = choice.slot.config.asked(&call.request, call.sample);
    let execution = CallExecution { account, choice: &choice, call, request, issuer, unwanted };
    let CallTryResult { reply, cost, took, .. } =
        execution.attempt(&call.context, call.limit, &[]).await?;
    let (reply, settlement) = reply.map_err(|failure| failure.fault)?;
    let (request, model) = (execution.request, call.model.clone());
    let failed = Duration::ZERO;
    let answer = ModelAnswer { reply, request, model, cost, tries: 1, took, failed };
    Ok((answer, settlement))
}

/// What a call has used so far, over all models that were asked.
#[derive(Default)]
struct CallProgress {
    /// The models that were asked.
    asked: Vec<String>,
    /// The number of tries; also the number of the next try in its id.
    tries: u32,
    /// The cost of all tries.
    cost: Money,
    /// The time of the accepted answer.
    took: Duration,
    /// The time of failed tries and of answers that were not accepted.
    failed: Duration,
}

/// The wait before the next try. After a rate limit it grows with all tries, because a rate limit
/// does not count as a failed try. The time that the provider asked for is not here: it applies to
/// all calls with that key, so the key limiter waits for it.
fn wait(failure: &CallFault, after: Duration, tries: u32, salt: &str) -> Duration {
    match failure.rate_limited {
        true => backoff(RETRY.base, RETRY.cap, tries, salt),
        false => after,
    }
}

/// This many empty answers in a row end a call whose conversation may be too long for the model.
/// They give no label, because a proxy that closes streams during an outage looks the same.
const EMPTY_ANSWERS: u32 = 2;

/// The tries of a call at one model.
struct CallExecution<'a> {
    account: &'a Arc<CampaignAccount>,
    choice: &'a ModelChoice,
    call: &'a ModelCall,
    /// The request with the sampling parameters of this model.
    request: Arc<ChatRequest>,
    issuer: &'a TicketIssuer,
    /// Cancelled when nobody waits for the answer any more.
    unwanted: &'a CancellationToken,
}

/// The result of one try that was sent.
struct CallTryResult {
    /// An answer has its settlement beside it. A failed try is settled.
    reply: Result<(ChatReply, CallSettlement), CallFault>,
    /// What the try is settled at.
    cost: Money,
    /// The time from sending until the answer or the failure.
    took: Duration,
    /// When the try was sent.
    left: Instant,
}

impl CallExecution<'_> {
    /// Asks one model until it answers, fails for good, or the limits of retries are reached.
    async fn ask(&self, so_far: &mut CallProgress) -> Result<(ChatReply, CallSettlement), Fault> {
        let slot = &self.choice.slot;
        let (mut failed, mut empty, mut waited) = (0, 0, Duration::ZERO);
        let mut since: Option<Instant> = None;
        loop {
            let context = CallContext { retry: so_far.tries, ..self.call.context.clone() };
            let salt = self.call.place(so_far.tries).id();
            // Checked before each try, because the provider may have gone down during the wait.
            self.give_way(&so_far.asked)?;
            let outcome = self.attempt(&context, self.call.limit, &so_far.asked).await?;
            so_far.tries += 1;
            so_far.cost = so_far.cost.saturating_add(outcome.cost);
            let failure = match outcome.reply {
                Ok(reply) => {
                    // An earlier model may have given an answer that was not accepted (a refusal).
                    // Its time counts as failed.
                    let before = std::mem::replace(&mut so_far.took, outcome.took);
                    so_far.failed = so_far.failed.saturating_add(before);
                    return Ok(reply);
                }
                Err(failure) => failure,
            };
            so_far.failed = so_far.failed.saturating_add(outcome.took);
            // Only the waits between tries count here, not the tries themselves.
            waited += since.map_or(Duration::ZERO, |since| outcome.left - since);
            empty = match (failure.said_nothing, failure.rate_limited) {
                (true, _) => empty + 1,
                // A rate limit is not an answer at all, so it neither adds to the count nor ends
                // it.
                (false, true) => empty,
                (false, false) => 0,
            };
            if empty >= EMPTY_ANSWERS && slot.may_be_full(worst_case(&self.request)) {
                let what = format!("{}; the conversation may be too long", failure.fault.message);
                return Err(Fault::new(FaultKind::EmptyAnswer, what));
            }
            // A rate limit is not a failure of the model.
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

    /// Err if the provider is down and a fallback model is ready: then the call does not wait.
    fn give_way(&self, asked: &[String]) -> Result<(), Fault> {
        let slot = &self.choice.slot;
        if !slot.is_down() || !self.account.has_ready_fallback(slot, asked) {
            return Ok(());
        }
        let what = format!("{} does not answer", slot.config.provider());
        Err(Fault::new(FaultKind::ModelTransient, what))
    }

    /// Makes one try. A failed try is in the result. Err means that nothing was sent: a cap is
    /// exhausted, no key is available, nobody waits for the answer, or the store took no hold.
    async fn attempt(
        &self,
        context: &CallContext,
        limit: Duration,
        asked: &[String],
    ) -> Result<CallTryResult, Fault> {
        let (place, worst) = (self.call.place(context.retry), worst_case(&self.request));
        let wanted = TicketRequest { place, why: &self.choice.why, worst, asked };
        let slot = &self.choice.slot;
        let ticket = self.issuer.ticket(self.account, slot, wanted, self.unwanted).await?;
        let left = Instant::now();
        // If nobody waits for the answer any more, the request is never sent, and the try costs
        // nothing.
        let leaves = !self.unwanted.is_cancelled();
        // From here on, nothing may return without the ticket's settlement.
        let (reply, took) = self.complete(ticket.model(), context, limit).await;
        let reply = ticket.checked_reply(reply);
        let cost = if leaves { ticket.cost_of(&reply) } else { Money::ZERO };
        let settlement = ticket.settlement(cost, &reply, context.recorder.take());
        let reply = match reply {
            Ok(reply) => Ok((reply, settlement)),
            Err(failure) => {
                settlement.write().await;
                Err(failure)
            }
        };
        Ok(CallTryResult { reply, cost, took, left })
    }

    /// The answer of the model or a fault, and the time it took. `left` is the timeout of the
    /// answer.
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

/// The fault of an answer that did not come within the timeout.
fn out_of_time() -> Fault {
    Fault::new(FaultKind::OutOfTime, "the model did not answer in the time that a call may take")
}
