//! The models of a run of drafts, asked through the router: the money is held before a call leaves, and
//! its cost, its record and its answer are written as one batch.
//!
//! A draft is an episode of a campaign of its own, and each answer is a turn. A later run reads the turns
//! of all attempts first. A request that was answered before is answered from them and costs nothing; the
//! first one that was not begins a new attempt.

use crate::config::GatewayConfig;
use crate::error::{Code, Error, Result};
use crate::llm::AdapterFactory;
use crate::prices::PriceTable;
use crate::running_engine::{RunningEngine, fault_error, store_error};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use synthd_actors::draft::DraftRole;
use synthd_actors::model::{
    AttemptNumber, CampaignName, CampaignRecord, CampaignState, ChatReply, ChatRequest, EpisodeId,
    Fault, JournalEntry, Money, PlannedEpisode, TaskId, Turn, day_of, digest_of,
};
use synthd_actors::ports::{CallContext, Journal};
use synthd_actors::router::{ModelCall, ModelClients};

/// How long a model may take for one answer. A whole template is a long one.
const PATIENCE: Duration = Duration::from_secs(15 * 60);

/// The models with their account.
pub(super) struct DraftModels<'a> {
    engine: &'a RunningEngine,
    campaign: CampaignName,
    /// They take the roles in turn; at least one.
    models: Vec<String>,
}

/// The calls of one draft.
pub(super) struct DraftCalls {
    number: u32,
    episode: EpisodeId,
    /// The newest attempt on record.
    attempt: AttemptNumber,
    /// Whether this run has begun an attempt of its own.
    is_begun: bool,
    /// The number of its next turn.
    turn: u32,
    /// The recorded turns that were not played again yet.
    recorded: Vec<Turn>,
    /// The answers of this run that a model gave, and those from the record.
    pub(super) asked: u32,
    pub(super) replayed: u32,
    /// What all of them have cost.
    pub(super) cost: Money,
}

impl<'a> DraftModels<'a> {
    /// Opens the campaign of the drafts in the store and in the router. `identity` tells it from other
    /// campaigns of that name; the error `CampaignChanged` says that there is one.
    pub(super) async fn open(
        engine: &'a RunningEngine,
        config: &GatewayConfig,
        identity: String,
        models: Vec<String>,
    ) -> Result<Self> {
        let name = config.name.clone();
        let known = engine.store.campaign(&name).await.map_err(store_error)?;
        if known.is_some_and(|known| known.identity != identity) {
            let what =
                format!("{name} is the name of another campaign, or of drafts of another brief");
            return Err(Error::new(Code::CampaignChanged, what)
                .hint("give the brief that it had, or choose another --name"));
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
            reason: Some("drafts of templates".to_owned()),
            created_at_ms: engine.services.clock.now_ms(),
        };
        let opened = vec![JournalEntry::CampaignOpened(record)];
        let written = engine.services.collector.record(opened).await;
        written.map_err(|fault| fault_error(&fault))?;
        let today = day_of(engine.services.clock.now_ms());
        let before = engine.store.spending(&name, today).await.map_err(store_error)?;
        let factory = AdapterFactory::new(crate::store::open_archive);
        let clients = config.models.iter().map(|model| ModelClients::new(model, &factory));
        let clients = clients.collect::<Result<_, _>>().map_err(|fault| fault_error(&fault))?;
        let opened =
            engine.services.router.open(name.clone(), clients, config.caps(), before).await;
        opened.map_err(|fault| fault_error(&fault))?;
        Ok(Self { engine, campaign: name, models })
    }

    /// The model that plays a role.
    pub(super) fn playing(&self, role: DraftRole) -> &str {
        let place = DraftRole::ALL.iter().position(|one| *one == role).unwrap_or(0);
        self.models.iter().cycle().nth(place).map_or("", String::as_str)
    }

    /// The calls of a draft, with what earlier runs have recorded of it.
    pub(super) async fn calls_of(&self, number: u32) -> Result<DraftCalls> {
        let digest = digest_of(&["draft", self.campaign.as_str(), &number.to_string()]);
        let episode = EpisodeId(format!("ep-{}", &digest[..16]));
        let known = self.engine.store.episodes(&self.campaign).await.map_err(store_error)?;
        let known = known.iter().find(|record| record.plan.id == episode);
        let attempt = known.map_or(AttemptNumber(0), |record| record.attempt);
        let mut recorded = Vec::new();
        for earlier in 1..=attempt.0 {
            let turns = self.engine.store.turns(&episode, AttemptNumber(earlier)).await;
            recorded.extend(turns.map_err(store_error)?);
        }
        Ok(DraftCalls {
            number,
            episode,
            attempt,
            is_begun: false,
            turn: 0,
            recorded,
            asked: 0,
            replayed: 0,
            cost: Money::ZERO,
        })
    }

    /// The answer of a role: the recorded one, or that of its model.
    pub(super) async fn ask(
        &self,
        calls: &mut DraftCalls,
        role: DraftRole,
        request: ChatRequest,
    ) -> Result<ChatReply, Fault> {
        let model = self.playing(role);
        if let Some(turn) = calls.recorded_turn(model, &request) {
            calls.replayed += 1;
            calls.cost = calls.cost.saturating_add(turn.step.cost);
            return Ok(turn.reply);
        }
        self.begin(calls).await?;
        let call = ModelCall {
            campaign: self.campaign.clone(),
            attempt: calls.attempt,
            model: model.to_owned(),
            request: Arc::new(request.clone()),
            sample: 0,
            context: CallContext {
                episode: calls.episode.clone(),
                script: None,
                turn: calls.turn,
                retry: 0,
                recorder: Default::default(),
            },
            limit: PATIENCE,
        };
        let (answer, settlement) = self.engine.services.router.call_unsettled(call).await?;
        let said = json!({ "role": role }).to_string();
        let turn = answer.into_turn(calls.turn, said, request);
        calls.turn += 1;
        calls.asked += 1;
        calls.cost = calls.cost.saturating_add(turn.step.cost);
        let reply = turn.reply.clone();
        let (episode, attempt) = (calls.episode.clone(), calls.attempt);
        let taken = JournalEntry::TurnTaken { episode, attempt, turn: Box::new(turn) };
        settlement.write_with(vec![taken]).await?;
        Ok(reply)
    }

    /// Begins an attempt of this run, unless it has one.
    async fn begin(&self, calls: &mut DraftCalls) -> Result<(), Fault> {
        if calls.is_begun {
            return Ok(());
        }
        calls.attempt = calls.attempt.next();
        let plan = self.plan(calls);
        let started = JournalEntry::AttemptStarted {
            episode: calls.episode.clone(),
            attempt: calls.attempt,
            resumed_from: None,
            at_ms: self.engine.services.clock.now_ms(),
        };
        let entries = vec![JournalEntry::Planned(vec![plan]), started];
        self.engine.services.collector.record(entries).await?;
        calls.is_begun = true;
        Ok(())
    }

    /// The episode of a draft as the store keeps it. It has no task, so its template is only a name.
    fn plan(&self, calls: &DraftCalls) -> PlannedEpisode {
        let name = format!("draft/{}", calls.number);
        PlannedEpisode {
            id: calls.episode.clone(),
            campaign: self.campaign.clone(),
            ordinal: u64::from(calls.number),
            task: TaskId(name.clone()),
            template: name,
            index: 0,
            category: "draft".to_owned(),
            difficulty: String::new(),
            model: self.models.first().cloned().unwrap_or_default(),
            scaffold: "none".to_owned(),
            reason: None,
        }
    }
}

impl DraftCalls {
    /// Takes the first recorded turn in which this model answered this request.
    fn recorded_turn(&mut self, model: &str, request: &ChatRequest) -> Option<Turn> {
        let is_same = |turn: &Turn| {
            turn.model.as_deref() == Some(model) && turn.opening.as_deref() == Some(request)
        };
        let place = self.recorded.iter().position(is_same)?;
        Some(self.recorded.remove(place))
    }
}
