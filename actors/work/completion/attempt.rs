//! One attempt at a completion.
//!
//! ```text
//!  start (fence) ─► recorded ──┐
//!  ask (router) ──► answered ──┴─► settlement, call, answer and outcome, recorded as one batch
//! ```
//! The start is recorded while the model is asked. It is in the queue of the store before the call
//! begins, and the store keeps the order of its queue: no entry of a call comes before the start of
//! its attempt, and nobody reads the fence before the answer is recorded. What the call cost, the answer and the outcome are durable together, so a completion
//! never has one without the others. If the process dies in between, the completion is asked for
//! again; at most the calls in flight are asked twice.

use super::plan::request;
use super::row::FinishedCompletion;
use crate::model::{
    CampaignConfig, ChatRequest, Fault, FaultKind, JournalEntry, Outcome, Prompt, Turn,
};
use crate::ports::CallContext;
use crate::router::{CallSettlement, ModelAnswer, ModelCall};
use crate::work::{AttemptSpec, EngineServices};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Runs an attempt until its outcome is recorded, or until it is cancelled.
pub(super) async fn run(
    services: &EngineServices,
    spec: &AttemptSpec,
    config: &CampaignConfig,
    prompt: Arc<Prompt>,
    cancel: &CancellationToken,
) -> Result<(Outcome, FinishedCompletion), Fault> {
    let (answer, settlement) = tokio::select! {
        biased;
        () = cancel.cancelled() => {
            return Err(Fault::new(FaultKind::Cancelled, "the completion was cancelled"));
        }
        answer = ask(services, spec, config, &prompt) => answer?,
    };
    // `cancel` does not reach this part: the answer is paid for.
    spec.conclude();
    let finished_at_ms = services.clock.now_ms();
    let asked = ChatRequest::clone(&answer.request);
    // The fields of the prompt's line stand in it, so that the row does not depend on what the file says later.
    let mut turn = answer.into_turn(0, prompt.fields.clone(), asked);
    turn.model = turn.model.filter(|model| *model != spec.plan.model);
    let outcome = Outcome::Answered { finish: turn.reply.finish };
    record(spec, settlement, &turn, outcome.clone(), finished_at_ms).await?;
    let unit = FinishedCompletion {
        plan: spec.plan.clone(),
        attempt: spec.attempt,
        turns: vec![turn],
        finished_at_ms,
        policy: config.quality.clone(),
        splits: config.dataset.splits,
    };
    Ok((outcome, unit))
}

/// Records the start, which is the fence, and asks the model meanwhile. If the store does not take
/// the start, the call is cut off, and the start is written before the campaign's next call.
async fn ask(
    services: &EngineServices,
    spec: &AttemptSpec,
    config: &CampaignConfig,
    prompt: &Prompt,
) -> Result<(ModelAnswer, CallSettlement), Fault> {
    let start = JournalEntry::AttemptStarted {
        episode: spec.plan.id.clone(),
        attempt: spec.attempt,
        resumed_from: None,
        at_ms: services.clock.now_ms(),
    };
    let call = ModelCall {
        campaign: spec.plan.campaign.clone(),
        attempt: spec.attempt,
        model: spec.plan.model.clone(),
        request: Arc::new(request(prompt)),
        sample: spec.plan.id.sample(),
        context: CallContext {
            episode: spec.plan.id.clone(),
            script: None,
            turn: 0,
            retry: 0,
            recorder: Default::default(),
        },
        limit: config.episode.timeout,
    };
    // There was no turn before this call, so a fault means what it means before the first turn.
    let asked =
        async { services.router.call_unsettled(call).await.map_err(Fault::before_any_turn) };
    // Polled first, so it is queued first.
    let started = async {
        let recorded = services.collector.record_here(vec![start.clone()]).await;
        recorded.inspect_err(|_| services.router.owe(&spec.plan.campaign, vec![start]))
    };
    let ((), asked) = tokio::try_join!(biased; started, asked)?;
    Ok(asked)
}

/// Records what the call cost, the answer and the outcome in one batch.
async fn record(
    spec: &AttemptSpec,
    settlement: CallSettlement,
    turn: &Turn,
    outcome: Outcome,
    at_ms: i64,
) -> Result<(), Fault> {
    let (episode, attempt) = (spec.plan.id.clone(), spec.attempt);
    let turn = Box::new(turn.clone());
    let taken = JournalEntry::TurnTaken { episode: episode.clone(), attempt, turn };
    let finished = JournalEntry::Finished {
        episode,
        attempt,
        outcome: Box::new(outcome),
        fingerprint: None,
        at_ms,
    };
    settlement.write_with(vec![taken, finished]).await
}
