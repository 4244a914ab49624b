//! The live check: each model of a campaign is asked one short question. `synthd check --live` and
//! `run --dry-run` use it.
//!
//! The call goes through the router like every call of a run: the money is held before the call
//! leaves, and the call is recorded. The calls belong to a campaign of their own, `NAME.check`, so
//! that they are no part of the plan. That campaign has the same caps as the real one, and counts
//! only its own costs. A model without an answer is a finding, not an error.

use crate::error::{Code, Error, Result};
use crate::llm::AdapterFactory;
use crate::running_engine::{RunningEngine, fault_error, store_error};
use futures_util::future::join_all;
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;
use synthd_actors::model::{
    AttemptNumber, CampaignConfig, CampaignName, CampaignRecord, CampaignState, ChatMessage,
    ChatRequest, ChatRole, EpisodeId, Fault, JournalEntry, ModelConfig, Money, PlannedEpisode,
    ProviderSign, TaskId, day_of, digest_of,
};
use synthd_actors::ports::{CallContext, Journal};
use synthd_actors::router::{ModelAnswer, ModelCall, ModelClients};

/// How long one model may take for its whole answer.
const PATIENCE: Duration = Duration::from_secs(60);
/// The most output tokens of one answer without its `thinking_budget`. One word is enough, but some
/// models think first.
const MAX_OUTPUT: u32 = 256;
/// The question that each model is asked. The content of the answer does not matter.
const QUESTION: &str = "Answer with the one word: ready";

/// The answer of one model, as `check --live --json` shows it.
#[derive(Debug, Serialize)]
pub struct LiveAnswer {
    /// The model's name in the campaign file.
    pub model: String,
    /// The time from the request to the whole answer, in milliseconds.
    pub latency_ms: u64,
    /// The settled cost of the call.
    pub cost_usd: Money,
}

/// The result of a live check.
#[derive(Debug, Default)]
pub struct LiveCheckReport {
    /// The models that answered, in the order of the file.
    pub answers: Vec<LiveAnswer>,
    /// One finding (SYN-0107) for each model that gave no answer.
    pub findings: Vec<Error>,
}

/// Asks every model that has a provider, all at the same time. Scripted models have no provider and
/// are skipped. `source` is the text of the campaign file; it is stored with the check. An error
/// means that the store or the router could not be used.
pub async fn ask_each(
    engine: &RunningEngine,
    config: &CampaignConfig,
    source: &str,
) -> Result<LiveCheckReport> {
    let asked: Vec<&ModelConfig> =
        config.models.iter().filter(|model| model.endpoint.is_some()).collect();
    let mut heard = LiveCheckReport::default();
    if asked.is_empty() {
        return Ok(heard);
    }
    let campaign = open(engine, config, source).await?;
    // All models are asked at the same time: the check lasts as long as the slowest answer.
    let calls = asked.iter().map(|model| ask(engine, &campaign, model));
    for (model, answer) in asked.iter().zip(join_all(calls).await) {
        match answer {
            Ok(called) => heard.answers.push(LiveAnswer {
                model: model.name.clone(),
                latency_ms: u64::try_from(called.took.as_millis()).unwrap_or(u64::MAX),
                cost_usd: called.cost,
            }),
            Err(fault) => heard.findings.push(no_answer(&model.name, &fault)),
        }
    }
    Ok(heard)
}

/// Opens the campaign `NAME.check` in the store and in the router, with the caps of the real
/// campaign and with what earlier checks have spent, in all and today.
async fn open(
    engine: &RunningEngine,
    config: &CampaignConfig,
    source: &str,
) -> Result<CampaignName> {
    let name = CampaignName(format!("{}.check", config.name));
    let record = CampaignRecord {
        name: name.clone(),
        kind: Default::default(),
        identity: digest_of(&["model-check"]),
        sampling: None,
        config: source.to_owned(),
        images: Default::default(),
        price_table: config.price_table.clone(),
        // The campaign is recorded as complete, so that no daemon tries to resume it.
        state: CampaignState::Complete,
        reason: Some(format!("a check of the models of {}", config.name)),
        created_at_ms: engine.services.clock.now_ms(),
    };
    let written =
        engine.services.collector.record(vec![JournalEntry::CampaignOpened(record)]).await;
    written.map_err(|fault| fault_error(&fault))?;
    let today = day_of(engine.services.clock.now_ms());
    let before = engine.store.spending(&name, today).await.map_err(store_error)?;
    let models = config
        .models
        .iter()
        .map(|model| ModelClients::new(model, &AdapterFactory::new(crate::store::open_archive)));
    let models = models.collect::<Result<_, _>>().map_err(|fault| fault_error(&fault))?;
    let opened = engine.services.router.open(name.clone(), models, config.caps(), before).await;
    opened.map_err(|fault| fault_error(&fault))?;
    Ok(name)
}

/// Asks one model once, without retries and without fallback models.
async fn ask(
    engine: &RunningEngine,
    campaign: &CampaignName,
    model: &ModelConfig,
) -> Result<ModelAnswer, Fault> {
    let (episode, attempt) = begin(engine, campaign, &model.name).await?;
    let request = ChatRequest {
        messages: vec![ChatMessage::text(ChatRole::User, QUESTION)],
        tools: Vec::new(),
        max_output_tokens: output_cap(model),
        settings: Default::default(),
    };
    let call = ModelCall {
        campaign: campaign.clone(),
        attempt,
        model: model.name.clone(),
        request: Arc::new(request),
        sample: 0,
        context: CallContext {
            episode,
            script: None,
            turn: 0,
            retry: 0,
            recorder: Default::default(),
        },
        // The router gives up the call after this time; the fault is then "silent".
        limit: PATIENCE,
    };
    engine.services.router.call_once(call).await
}

/// The most output tokens of the answer. A thinking budget must fit below it, or the provider refuses
/// the question.
fn output_cap(model: &ModelConfig) -> u32 {
    MAX_OUTPUT.saturating_add(model.sampling.thinking_budget.unwrap_or(0))
}

/// Records an episode for the call, because every call belongs to an attempt of an episode. Each
/// model has one episode for all its checks, with an id made of the names. Each check is a new
/// attempt of it: with an older attempt number, the call would have the id of an earlier call, and
/// its record would be refused.
async fn begin(
    engine: &RunningEngine,
    campaign: &CampaignName,
    model: &str,
) -> Result<(EpisodeId, AttemptNumber), Fault> {
    let digest = digest_of(&["model-check", campaign.as_str(), model]);
    let id = EpisodeId(format!("ep-{}", &digest[..16]));
    let known = engine.store.episodes(campaign).await?;
    let earlier = known.iter().find(|record| record.plan.id == id);
    let plan = PlannedEpisode {
        id: id.clone(),
        campaign: campaign.clone(),
        ordinal: u64::from_str_radix(&digest[..13], 16).unwrap_or_default(),
        task: TaskId(format!("check/{model}")),
        template: format!("check/{model}"),
        index: 0,
        category: "check".to_owned(),
        difficulty: String::new(),
        model: model.to_owned(),
        scaffold: "none".to_owned(),
        reason: None,
    };
    let attempt = earlier.map_or(AttemptNumber(0), |record| record.attempt).next();
    let at_ms = engine.services.clock.now_ms();
    let started =
        JournalEntry::AttemptStarted { episode: id.clone(), attempt, resumed_from: None, at_ms };
    engine.services.collector.record(vec![JournalEntry::Planned(vec![plan]), started]).await?;
    Ok((id, attempt))
}

/// The finding for a model that gave no answer, with the fault as the reason.
fn no_answer(model: &str, fault: &Fault) -> Error {
    let why = match fault.kind.policy().sign {
        ProviderSign::Silent => format!("it sent no answer for {} s", PATIENCE.as_secs()),
        _ => fault.to_string(),
    };
    Error::new(Code::ModelSilent, format!("{model} gave no answer: {why}"))
        .hint("check the provider's address, the key and the model's name; then check again")
}
