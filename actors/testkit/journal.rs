//! A journal in memory: idempotent and fenced as [`Entry`] says, failing or stalling on
//! demand.

use super::ledger::{Hold, Ledger};
use super::traps::Traps;
use crate::model::{
    AttemptNumber, AttemptRecord, CampaignName, CampaignRecord, DatasetRecord, EpisodeId,
    EpisodeRecord, Fault, JournalEntry, Money, Outcome, PlannedEpisode, RowDecision, RowRecord,
    SandboxFingerprint, SpendingTotals, TemplateEdition, Turn, Usage,
};
use crate::ports::{Journal, StoreFault};
use crate::supervisor::assert_may_block;
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

struct Try {
    resumed_from: Option<AttemptNumber>,
    fault: Option<Fault>,
    started_at_ms: i64,
    ended_at_ms: Option<i64>,
    turns: BTreeMap<u32, Turn>,
}

struct Episode {
    plan: PlannedEpisode,
    tries: BTreeMap<AttemptNumber, Try>,
    failed: u32,
    finished: Option<(Outcome, Option<SandboxFingerprint>, i64)>,
}

#[derive(Default)]
struct State {
    campaigns: BTreeMap<CampaignName, CampaignRecord>,
    editions: BTreeMap<CampaignName, BTreeMap<String, TemplateEdition>>,
    episodes: BTreeMap<EpisodeId, Episode>,
    rows: BTreeMap<(CampaignName, u64), RowRecord>,
    datasets: Vec<DatasetRecord>,
    ledger: Ledger,
    log: Vec<JournalEntry>,
}

/// The journal.
pub struct MemoryJournal {
    state: Mutex<State>,
    broken: AtomicBool,
    unsure: AtomicBool,
    stalled: watch::Sender<bool>,
    fenced: AtomicU64,
    appends: AtomicU64,
    /// Events are `append`, `attempts` and `turns`.
    pub traps: Traps,
}

impl Default for MemoryJournal {
    fn default() -> Self {
        Self {
            state: Mutex::default(),
            broken: AtomicBool::new(false),
            unsure: AtomicBool::new(false),
            stalled: watch::Sender::new(false),
            fenced: AtomicU64::new(0),
            appends: AtomicU64::new(0),
            traps: Traps::default(),
        }
    }
}

impl MemoryJournal {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on every write fails, or none does.
    pub fn break_down(&self, broken: bool) {
        self.broken.store(broken, Ordering::Release);
    }

    /// From now on every write is kept and reported as failed, or none is.
    pub fn lose_answers(&self, unsure: bool) {
        self.unsure.store(unsure, Ordering::Release);
    }

    /// From now on writes wait, or go on.
    pub fn stall(&self, stalled: bool) {
        self.stalled.send_replace(stalled);
    }

    /// Entries of dead attempts that were dropped here.
    pub fn fenced(&self) -> u64 {
        self.fenced.load(Ordering::Acquire)
    }

    pub fn appends(&self) -> u64 {
        self.appends.load(Ordering::Acquire)
    }

    /// Everything that was kept, in order, repetitions included.
    pub fn log(&self) -> Vec<JournalEntry> {
        self.state().log.clone()
    }

    pub fn peak(&self) -> Money {
        self.state().ledger.peak
    }

    pub fn unsettled(&self) -> usize {
        self.state().ledger.unsettled()
    }

    pub fn holds(&self) -> usize {
        self.state().ledger.len()
    }

    /// Replaces the record of a campaign, as if another version had written it.
    pub fn put_campaign(&self, record: CampaignRecord) {
        self.state().campaigns.insert(record.name.clone(), record);
    }

    fn fault(operation: &'static str, message: impl Into<String>) -> StoreFault {
        StoreFault::new(operation, message)
    }

    async fn pass(&self, event: &'static str) -> Result<(), StoreFault> {
        self.traps.pass(event).await.map_err(|fault| Self::fault(event, fault.message))
    }
}

impl State {
    fn episode(&mut self, id: &EpisodeId) -> Result<&mut Episode, String> {
        self.episodes.get_mut(id).ok_or_else(|| format!("episode {id} is not planned"))
    }

    /// Whether the entry counts; false for one of a dead attempt.
    fn apply(&mut self, entry: &JournalEntry) -> Result<bool, String> {
        match entry {
            JournalEntry::CampaignOpened(record) => {
                let known = self.campaigns.entry(record.name.clone());
                let kept = known.or_insert_with(|| record.clone());
                let is_older = kept.sampling.is_none() && record.sampling.is_some();
                if kept.identity != record.identity && !is_older {
                    return Err("another campaign of that name".to_owned());
                }
                kept.identity.clone_from(&record.identity);
                kept.sampling = record.sampling.clone().or(kept.sampling.take());
                kept.config.clone_from(&record.config);
            }
            JournalEntry::CampaignMoved { campaign, state, reason } => {
                let record = self.campaigns.get_mut(campaign).ok_or("no such campaign")?;
                record.state = *state;
                record.reason.clone_from(reason);
            }
            JournalEntry::EditionsUsed { campaign, editions } => {
                let used = self.editions.entry(campaign.clone()).or_default();
                used.extend(editions.iter().map(|one| (one.template.clone(), one.clone())));
            }
            JournalEntry::Planned(plans) => plans.iter().for_each(|plan| self.plan(plan)),
            JournalEntry::AttemptStarted { episode, attempt, resumed_from, at_ms } => {
                return Ok(self.episode(episode)?.start(*attempt, *resumed_from, *at_ms));
            }
            JournalEntry::TurnTaken { episode, attempt, turn } => {
                let Some(current) = self.episode(episode)?.current(*attempt) else {
                    return Ok(false);
                };
                current.turns.entry(turn.step.index).or_insert_with(|| (**turn).clone());
            }
            JournalEntry::AttemptFaulted { episode, attempt, fault, at_ms } => {
                return Ok(self.episode(episode)?.fail(*attempt, fault, *at_ms));
            }
            JournalEntry::Finished { episode, attempt, outcome, fingerprint, at_ms } => {
                let episode = self.episode(episode)?;
                if episode.current(*attempt).is_none() {
                    return Ok(false);
                }
                episode.finished = Some(((**outcome).clone(), fingerprint.clone(), *at_ms));
            }
            JournalEntry::Reopened { episode, attempt } => {
                return Ok(self.episode(episode)?.reopen(*attempt));
            }
            JournalEntry::Judged(row) => {
                let place = (row.campaign.clone(), row.ordinal);
                self.rows.entry(place).or_insert_with(|| (**row).clone());
            }
            JournalEntry::Held { id, campaign, episode, amount, model, at_ms, .. } => {
                let (campaign, episode, model) = (campaign.clone(), episode.clone(), model.clone());
                let (amount, at_ms) = (*amount, *at_ms);
                let hold = Hold { campaign, episode, model, at_ms, amount, settled: None };
                if !self.ledger.hold(id, hold) {
                    return Err(format!("another hold {id}"));
                }
            }
            JournalEntry::Settled { id, amount } => {
                if !self.ledger.settle(id, *amount) {
                    return Err(format!("no hold {id}"));
                }
            }
            // No actor reads it.
            JournalEntry::Called(_) | JournalEntry::Reverified(_) => {}
            JournalEntry::DatasetWritten(record) => {
                if !self.datasets.contains(record) {
                    self.datasets.push(record.clone());
                }
            }
        }
        Ok(true)
    }

    fn plan(&mut self, plan: &PlannedEpisode) {
        self.episodes.entry(plan.id.clone()).or_insert_with(|| Episode {
            plan: plan.clone(),
            tries: BTreeMap::new(),
            failed: 0,
            finished: None,
        });
    }
}

impl Episode {
    fn newest(&self) -> AttemptNumber {
        self.tries.keys().next_back().copied().unwrap_or_default()
    }

    fn current(&mut self, attempt: AttemptNumber) -> Option<&mut Try> {
        let current = self.finished.is_none() && attempt == self.newest();
        self.tries.get_mut(&attempt).filter(|_| current)
    }

    fn start(
        &mut self,
        attempt: AttemptNumber,
        resumed_from: Option<AttemptNumber>,
        at_ms: i64,
    ) -> bool {
        if self.finished.is_some() || attempt < self.newest() {
            return false;
        }
        self.tries.entry(attempt).or_insert_with(|| Try {
            resumed_from,
            fault: None,
            started_at_ms: at_ms,
            ended_at_ms: None,
            turns: BTreeMap::new(),
        });
        true
    }

    fn fail(&mut self, attempt: AttemptNumber, fault: &Fault, at_ms: i64) -> bool {
        let Some(current) = self.current(attempt) else { return false };
        if current.fault.is_none() {
            current.fault = Some(fault.clone());
            current.ended_at_ms = Some(at_ms);
            self.failed += u32::from(fault.kind.consumes_attempt());
        }
        true
    }

    fn reopen(&mut self, attempt: AttemptNumber) -> bool {
        let faulted = matches!(&self.finished, Some((Outcome::Faulted { .. }, ..)));
        if !faulted || attempt != self.newest() {
            return false;
        }
        self.finished = None;
        self.failed = 0;
        true
    }

    fn record(&self, judged: Option<RowDecision>) -> EpisodeRecord {
        let last = self.tries.values().next_back();
        let turns = || last.into_iter().flat_map(|t| t.turns.values());
        EpisodeRecord {
            plan: self.plan.clone(),
            attempt: self.newest(),
            failed_attempts: self.failed,
            outcome: self.finished.as_ref().map(|(outcome, ..)| outcome.clone()),
            judged,
            steps: turns().count() as u32,
            usage: turns().fold(Usage::default(), |sum, turn| sum.plus(turn.step.usage)),
            uncounted_calls: turns().filter(|turn| turn.reply.uncounted).count() as u64,
            cost: turns().map(|turn| turn.step.cost).sum(),
            fingerprint: self.finished.as_ref().and_then(|(_, print, _)| print.clone()),
            started_at_ms: self.tries.values().next().map(|t| t.started_at_ms),
            finished_at_ms: self.finished.as_ref().map(|(.., at)| *at),
        }
    }
}

#[async_trait]
impl Journal for MemoryJournal {
    async fn append(&self, entries: Vec<JournalEntry>) -> Result<(), StoreFault> {
        // The store encodes and compresses entries in the task that appends them.
        assert_may_block("append to the journal");
        self.appends.fetch_add(1, Ordering::AcqRel);
        self.pass("append").await?;
        let mut stalled = self.stalled.subscribe();
        stalled.wait_for(|stalled| !stalled).await.ok();
        if self.broken.load(Ordering::Acquire) {
            return Err(Self::fault("append", "the disk is gone"));
        }
        {
            let mut state = self.state();
            for entry in entries {
                match state.apply(&entry) {
                    Ok(true) => state.log.push(entry),
                    Ok(false) => drop(self.fenced.fetch_add(1, Ordering::AcqRel)),
                    Err(why) => return Err(Self::fault("append", why)),
                }
            }
        }
        // Kept, but not acknowledged yet.
        tokio::time::sleep(Duration::from_millis(1)).await;
        match self.unsure.load(Ordering::Acquire) {
            true => Err(Self::fault("append", "the mark could not be moved")),
            false => Ok(()),
        }
    }

    async fn campaign(&self, name: &CampaignName) -> Result<Option<CampaignRecord>, StoreFault> {
        Ok(self.state().campaigns.get(name).cloned())
    }

    async fn campaigns(&self) -> Result<Vec<CampaignRecord>, StoreFault> {
        Ok(self.state().campaigns.values().cloned().collect())
    }

    async fn editions(&self, campaign: &CampaignName) -> Result<Vec<TemplateEdition>, StoreFault> {
        let state = self.state();
        let used = state.editions.get(campaign);
        Ok(used.map(|used| used.values().cloned().collect()).unwrap_or_default())
    }

    async fn episodes(&self, campaign: &CampaignName) -> Result<Vec<EpisodeRecord>, StoreFault> {
        let state = self.state();
        let mine = state.episodes.values().filter(|e| e.plan.campaign == *campaign);
        let judged = |e: &Episode| {
            let row = state.rows.get(&(campaign.clone(), e.plan.ordinal))?;
            Some(if row.rejected.is_some() { RowDecision::Rejected } else { RowDecision::Accepted })
        };
        let mut records: Vec<_> = mine.map(|e| e.record(judged(e))).collect();
        records.sort_by_key(|record| record.plan.ordinal);
        Ok(records)
    }

    async fn attempts(&self, episode: &EpisodeId) -> Result<Vec<AttemptRecord>, StoreFault> {
        self.pass("attempts").await?;
        let state = self.state();
        let tries = state.episodes.get(episode).into_iter().flat_map(|e| &e.tries);
        let records = tries.map(|(attempt, t)| AttemptRecord {
            attempt: *attempt,
            resumed_from: t.resumed_from,
            fault: t.fault.clone(),
            steps: t.turns.len() as u32,
            cost: t.turns.values().map(|turn| turn.step.cost).sum(),
            started_at_ms: t.started_at_ms,
            ended_at_ms: t.ended_at_ms,
        });
        Ok(records.collect())
    }

    async fn turns(
        &self,
        episode: &EpisodeId,
        attempt: AttemptNumber,
    ) -> Result<Vec<Turn>, StoreFault> {
        self.pass("turns").await?;
        let state = self.state();
        let found = state.episodes.get(episode).and_then(|e| e.tries.get(&attempt));
        Ok(found.map(|t| t.turns.values().cloned().collect()).unwrap_or_default())
    }

    async fn rows(
        &self,
        campaign: &CampaignName,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Vec<RowRecord>, StoreFault> {
        let state = self.state();
        let mine = state.rows.iter().filter(|((name, _), _)| name == campaign);
        let later = mine.filter(|((_, ordinal), _)| after.is_none_or(|after| *ordinal > after));
        Ok(later.take(limit).map(|(_, row)| row.clone()).collect())
    }

    async fn datasets(&self, campaign: &CampaignName) -> Result<Vec<DatasetRecord>, StoreFault> {
        let state = self.state();
        Ok(state.datasets.iter().filter(|d| d.campaign == *campaign).cloned().collect())
    }

    async fn spent(&self, campaign: &CampaignName) -> Result<Money, StoreFault> {
        Ok(self.state().ledger.spent(campaign))
    }

    async fn spending(
        &self,
        campaign: &CampaignName,
        day: i64,
    ) -> Result<SpendingTotals, StoreFault> {
        Ok(self.state().ledger.spending(campaign, day))
    }

    async fn barrier(&self) -> Result<(), StoreFault> {
        Ok(())
    }
}
