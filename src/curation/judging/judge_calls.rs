//! Judges, asked through the router: the money is held before a call leaves, and its cost, its record and
//! its answer are written as one batch.
//!
//! All calls of an account are turns of one episode, and each run has attempts of its own. A turn has in
//! its arguments what was asked and what came of it, so that answers can be read again from the store.

use super::judge_store::{AnswerKey, JudgeStore, StoredOutcome};
use crate::config::GatewayConfig;
use crate::error::{Code, Error, Result};
use crate::llm::AdapterFactory;
use crate::prices::PriceTable;
use crate::running_engine::{RunningEngine, fault_error, store_error};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use synthd_actors::model::{
    AttemptNumber, CampaignName, CampaignRecord, CampaignState, ChatRequest, EpisodeId,
    FallbackModels, Fault, FaultKind, JournalEntry, ModelConfig, Money, PlannedEpisode, TaskId,
    Turn, day_of, digest_of,
};
use synthd_actors::ports::{CallContext, Journal};
use synthd_actors::router::{ModelCall, ModelClients};
use synthd_actors::rubric::{
    Rubric, RubricAnswer, RubricAsk, RubricMistake, RubricOutcome, RubricToken, rubric_request,
};

/// How long a judge may take for one answer.
const PATIENCE: Duration = Duration::from_secs(10 * 60);
/// How many turns an attempt has, about. A run that was ended reads those of its last attempt again.
const MOST_TURNS: u32 = 1_000;

/// An answer as it was read.
type ReadAnswer = std::result::Result<RubricAnswer, RubricMistake>;

/// The judges with their account.
pub struct JudgeCalls<'a> {
    engine: &'a RunningEngine,
    account: CampaignName,
    episode: EpisodeId,
    /// The number of the present attempt, which is one of this run.
    attempt: AtomicU32,
    /// The number of its next turn.
    turn: AtomicU32,
    /// Questions of which earlier runs have answers, but no outcome.
    begun: BTreeMap<AnswerKey, BegunAsk>,
}

/// A question that was asked, but has no outcome yet.
#[derive(Clone, Copy, Debug)]
struct BegunAsk {
    asks: u32,
    mistake: RubricMistake,
    cost: Money,
}

/// A question to one judge.
#[derive(Clone, Debug)]
pub(super) struct JudgeQuestion {
    pub(super) key: AnswerKey,
    /// What the judge sees: one quoted row, or two.
    pub(super) views: Vec<Arc<str>>,
}

/// What the arguments of a turn say.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct AskArguments {
    rubric: String,
    subject: String,
    model: String,
    sample: u32,
    /// The number of the request, from 0.
    ask: u32,
    /// What was read in the answer.
    read: ReadAnswer,
}

impl<'a> JudgeCalls<'a> {
    /// Opens the account in the store and in the router, and takes over answers that earlier runs have left
    /// in the store. The error `CampaignChanged` says that the name is that of something else.
    pub async fn open(
        engine: &'a RunningEngine,
        config: &GatewayConfig,
        data_dir: &Path,
    ) -> Result<Self> {
        let account = config.name.clone();
        open_account(engine, config).await?;
        let digest = digest_of(&["dataset-judge", account.as_str()]);
        let episode = EpisodeId(format!("ep-{}", &digest[..16]));
        let known = engine.store.episodes(&account).await.map_err(store_error)?;
        let known = known.iter().find(|record| record.plan.id == episode);
        let last = known.map_or(AttemptNumber(0), |record| record.attempt);
        let mut calls = Self {
            engine,
            account,
            episode,
            attempt: AtomicU32::new(last.next().0),
            turn: AtomicU32::new(0),
            begun: BTreeMap::new(),
        };
        calls.read_earlier(&JudgeStore::open(data_dir)?, last).await?;
        calls.begin().await?;
        Ok(calls)
    }

    /// Puts the answers of earlier runs into the store of answers, as far as they are not there.
    async fn read_earlier(&mut self, answers: &JudgeStore, last: AttemptNumber) -> Result<()> {
        let first = answers.attempt(&self.account)?.saturating_add(1);
        for attempt in first..=last.0 {
            let turns = self.engine.store.turns(&self.episode, AttemptNumber(attempt)).await;
            for turn in turns.map_err(store_error)? {
                self.read_turn(answers, &turn)?;
            }
        }
        // Questions without an outcome must be found again by the next run.
        if self.begun.is_empty() { answers.end_attempt(&self.account, last.0) } else { Ok(()) }
    }

    fn read_turn(&mut self, answers: &JudgeStore, turn: &Turn) -> Result<()> {
        let arguments = turn.step.actions.first().map(|action| action.request.arguments.as_str());
        let said = arguments.and_then(|text| serde_json::from_str::<AskArguments>(text).ok());
        let Some(AskArguments { rubric, subject, model, sample, ask, read }) = said else {
            return Ok(());
        };
        let key = AnswerKey { rubric, subject, model, sample };
        let before = self.begun.remove(&key).map_or(Money::ZERO, |begun| begun.cost);
        let cost = before.saturating_add(turn.step.cost);
        let mistake = read.as_ref().err().copied();
        let mut question = RubricAsk::resumed(ask, None);
        question.take(read);
        let asks = question.asked();
        match (question.outcome(), mistake) {
            (Some(outcome), _) if !answers.has(&key, outcome.score().is_none())? => {
                answers.put(&key, &StoredOutcome { outcome, asks, cost })
            }
            (None, Some(mistake)) => {
                self.begun.insert(key, BegunAsk { asks, mistake, cost });
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// The present attempt.
    fn attempt(&self) -> AttemptNumber {
        AttemptNumber(self.attempt.load(Ordering::Relaxed))
    }

    /// Begins the present attempt.
    async fn begin(&self) -> Result<()> {
        let started = JournalEntry::AttemptStarted {
            episode: self.episode.clone(),
            attempt: self.attempt(),
            resumed_from: None,
            at_ms: self.engine.services.clock.now_ms(),
        };
        let entries = vec![JournalEntry::Planned(vec![self.plan()]), started];
        let written = self.engine.services.collector.record(entries).await;
        written.map_err(|fault| fault_error(&fault))
    }

    /// The episode as the store keeps it. It has no task, so its template is only a name.
    fn plan(&self) -> PlannedEpisode {
        let name = "dataset/judge".to_owned();
        PlannedEpisode {
            id: self.episode.clone(),
            campaign: self.account.clone(),
            ordinal: 1,
            task: TaskId(name.clone()),
            template: name,
            index: 0,
            category: "judge".to_owned(),
            difficulty: String::new(),
            model: "judges".to_owned(),
            scaffold: "none".to_owned(),
            reason: None,
        }
    }

    /// Asks a judge until its answer can be read, or until it was asked often enough. Err is a fault of a
    /// provider, of the store or of the budget: it is no outcome.
    pub(super) async fn ask(
        &self,
        rubric: &Rubric,
        question: &JudgeQuestion,
    ) -> std::result::Result<StoredOutcome, Fault> {
        let begun = self.begun.get(&question.key);
        let mut asking = begun.map_or_else(RubricAsk::default, |begun| {
            RubricAsk::resumed(begun.asks, Some(begun.mistake))
        });
        let mut cost = begun.map_or(Money::ZERO, |begun| begun.cost);
        while let Some((ask, mistake)) = asking.next_ask() {
            let AnswerKey { rubric: digest, subject, sample, .. } = &question.key;
            let views: Vec<&str> = question.views.iter().map(|view| &**view).collect();
            // The name of the judge is left out: a replayed one has another.
            let place = format!("{digest} {subject} {sample} {ask}");
            let token = RubricToken::of(&place, &views);
            let request = rubric_request(rubric, &views, &token, mistake);
            match self.call(rubric, question, ask, request, &token).await {
                Ok((read, paid)) => {
                    cost = cost.saturating_add(paid);
                    asking.take(read);
                }
                Err(fault) if is_of_request(fault.kind) => {
                    let outcome = RubricOutcome::Faulted(RubricMistake::Refused);
                    return Ok(StoredOutcome { outcome, asks: ask + 1, cost });
                }
                Err(fault) => return Err(fault),
            }
        }
        let outcome = asking.outcome().ok_or_else(|| {
            Fault::new(FaultKind::Panicked, "a question to a judge ended without an outcome")
        })?;
        Ok(StoredOutcome { outcome, asks: asking.asked(), cost })
    }

    /// Makes one call, and writes its turn with its settlement.
    async fn call(
        &self,
        rubric: &Rubric,
        question: &JudgeQuestion,
        ask: u32,
        request: ChatRequest,
        token: &RubricToken,
    ) -> std::result::Result<(ReadAnswer, Money), Fault> {
        let AnswerKey { rubric: digest, subject, model, sample } = question.key.clone();
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let call = ModelCall {
            campaign: self.account.clone(),
            attempt: self.attempt(),
            model: model.clone(),
            request: Arc::new(request.clone()),
            sample,
            context: CallContext {
                episode: self.episode.clone(),
                script: None,
                turn,
                retry: 0,
                recorder: Default::default(),
            },
            limit: PATIENCE,
        };
        let (answer, settlement) = self.engine.services.router.call_unsettled(call).await?;
        let read = RubricAnswer::read(&answer.reply, rubric, token);
        let arguments =
            AskArguments { rubric: digest, subject, model, sample, ask, read: read.clone() };
        let paid = answer.cost;
        let said = serde_json::to_string(&arguments).unwrap_or_default();
        let turn = answer.into_turn(turn, said, request);
        let (episode, attempt) = (self.episode.clone(), self.attempt());
        let taken = JournalEntry::TurnTaken { episode, attempt, turn: Box::new(turn) };
        settlement.write_with(vec![taken]).await?;
        Ok((read, paid))
    }

    /// Remembers that all turns until now are in the store of answers.
    pub(super) fn end(&self, answers: &JudgeStore) -> Result<()> {
        answers.end_attempt(&self.account, self.attempt().0)
    }

    /// Begins another attempt if the present one is long. No question may be open.
    pub(super) async fn next_attempt(&self, answers: &JudgeStore) -> Result<()> {
        // What is begun must be found again by the next run, if this one is ended.
        if self.turn.load(Ordering::Relaxed) < MOST_TURNS || !self.begun.is_empty() {
            return Ok(());
        }
        self.end(answers)?;
        self.attempt.fetch_add(1, Ordering::Relaxed);
        self.turn.store(0, Ordering::Relaxed);
        self.begin().await
    }
}

/// Whether a provider does not take this one request. Asking again will not help, and other questions are
/// not concerned.
fn is_of_request(kind: FaultKind) -> bool {
    matches!(kind, FaultKind::ContextFull | FaultKind::ModelRejected)
}

/// Opens the account as a campaign of its own.
async fn open_account(engine: &RunningEngine, config: &GatewayConfig) -> Result<()> {
    let name = config.name.clone();
    let identity = digest_of(&["dataset-judge"]);
    let known = engine.store.campaign(&name).await.map_err(store_error)?;
    if known.is_some_and(|known| known.identity != identity) {
        let what = format!("{name} is the name of a campaign, and not of judges");
        return Err(
            Error::new(Code::CampaignChanged, what).hint("choose another --name for the account")
        );
    }
    let record = CampaignRecord {
        name: name.clone(),
        kind: Default::default(),
        identity,
        sampling: None,
        config: config.source.clone(),
        images: Default::default(),
        price_table: Some(PriceTable::current().digest.clone()),
        // The record is complete from the beginning, so that no daemon tries to resume it.
        state: CampaignState::Complete,
        reason: Some("judges of rows".to_owned()),
        created_at_ms: engine.services.clock.now_ms(),
    };
    let opened = vec![JournalEntry::CampaignOpened(record)];
    let written = engine.services.collector.record(opened).await;
    written.map_err(|fault| fault_error(&fault))?;
    let today = day_of(engine.services.clock.now_ms());
    let before = engine.store.spending(&name, today).await.map_err(store_error)?;
    let factory = AdapterFactory::new(crate::store::open_archive);
    let clients =
        config.models.iter().map(|model| ModelClients::new(&without_fallbacks(model), &factory));
    let clients = clients.collect::<std::result::Result<_, _>>();
    let clients = clients.map_err(|fault| fault_error(&fault))?;
    let opened = engine.services.router.open(name, clients, config.caps(), before).await;
    opened.map_err(|fault| fault_error(&fault))
}

/// A judge answers itself: another model in its place would be another judge.
fn without_fallbacks(model: &ModelConfig) -> ModelConfig {
    let mut model = model.clone();
    model.routing.fallback = FallbackModels::default();
    model
}
