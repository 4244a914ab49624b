//! What a campaign shows of itself.

use super::plan::SkippedTemplate;
use crate::model::{
    CampaignCounts, CampaignName, CampaignRecord, CampaignState, DatasetRecord, EpisodeCounts,
    EpisodeRecord, Fault, FaultCounts, FaultKind, Money, NewVersion, Outcome, RowCounts,
    RowDecision, TokenCounts, Turn,
};
use serde::{Deserialize, Serialize};

/// A campaign's standing, published at every change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CampaignProgress {
    pub campaign: CampaignName,
    pub state: CampaignState,
    pub reason: Option<String>,
    /// The pause or stop came from a fault, not from a person: nobody will resume it.
    pub escalated: bool,
    /// The kind of that fault.
    pub cause: Option<FaultKind>,
    pub tasks: u64,
    pub episodes: EpisodeCounts,
    /// The faulted ones by kind, as far as this process knows.
    #[serde(default, skip_serializing_if = "FaultCounts::is_empty")]
    pub faults: FaultCounts,
    pub running: u64,
    pub steps: u64,
    pub tokens: TokenCounts,
    /// All that was spent, as the ledger has it: also for calls that came to nothing.
    pub cost_usd: Money,
    pub rows: RowCounts,
    pub dataset: Option<DatasetRecord>,
    /// Why this run wrote that version. None: it was there before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_version: Option<NewVersion>,
    pub skipped: Vec<SkippedTemplate>,
    /// It was complete before this run began.
    pub already_complete: bool,
    /// Nothing runs and nothing will by itself.
    pub settled: bool,
    /// Every episode is over, and the dataset is being written.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub publishing: bool,
    /// What its episodes need and cannot have at the moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_for: Option<String>,
}

impl CampaignProgress {
    pub(super) fn new(campaign: CampaignName, tasks: u64, skipped: Vec<SkippedTemplate>) -> Self {
        Self {
            campaign,
            state: CampaignState::Running,
            reason: None,
            escalated: false,
            cause: None,
            tasks,
            episodes: EpisodeCounts::default(),
            faults: FaultCounts::default(),
            running: 0,
            steps: 0,
            tokens: TokenCounts::default(),
            cost_usd: Money::ZERO,
            rows: RowCounts::default(),
            dataset: None,
            new_version: None,
            skipped,
            already_complete: false,
            settled: false,
            publishing: false,
            waiting_for: None,
        }
    }

    /// A campaign that does not run here, as the journal has it.
    pub fn from_record(
        record: &CampaignRecord,
        figures: CampaignCounts,
        dataset: Option<DatasetRecord>,
        spent: Money,
    ) -> Self {
        let mut progress = Self::new(record.name.clone(), figures.tasks, Vec::new());
        progress.episodes = figures.episodes;
        progress.steps = figures.steps;
        progress.tokens = figures.tokens;
        progress.rows = figures.rows;
        progress.cost_usd = spent;
        progress.state = record.state;
        progress.reason = record.reason.clone();
        progress.already_complete = record.state == CampaignState::Complete;
        progress.settled = true;
        if let Some(dataset) = &dataset {
            progress.rows.accepted = dataset.rows.values().sum();
            progress.rows.rejected = dataset.rejected.values().sum();
        }
        progress.dataset = dataset;
        progress
    }

    /// Counts an episode found in the journal.
    pub(super) fn add_record(&mut self, record: &EpisodeRecord) {
        self.episodes.planned += 1;
        if let Some(outcome) = &record.outcome {
            self.count(outcome);
            self.steps += u64::from(record.steps);
            self.tokens.input += record.usage.input_tokens;
            self.tokens.output += record.usage.output_tokens;
            self.tokens.uncounted_calls += record.uncounted_calls;
        }
        match record.judged {
            Some(RowDecision::Accepted) => self.rows.accepted += 1,
            Some(RowDecision::Rejected) => self.rows.rejected += 1,
            None => {}
        }
    }

    /// Rests because of a fault. The first cause stands: what follows from it says less.
    pub(super) fn pause_for(&mut self, fault: &Fault) {
        self.state = CampaignState::Paused;
        if !self.escalated {
            self.reason = Some(fault.to_string());
            self.cause = Some(fault.kind);
        }
        self.escalated = true;
    }

    /// The campaign's actor is dead: it rests until somebody submits it again.
    pub fn mark_dead(&mut self, panic: String) {
        self.pause_for(&Fault::new(FaultKind::Panicked, panic));
        self.running = 0;
        self.settled = true;
    }

    pub(super) fn add_turns(&mut self, turns: &[Turn]) {
        self.steps += turns.len() as u64;
        for turn in turns {
            self.tokens.input += turn.step.usage.input_tokens;
            self.tokens.output += turn.step.usage.output_tokens;
            self.tokens.uncounted_calls += u64::from(turn.reply.uncounted);
        }
    }

    pub(super) fn count(&mut self, outcome: &Outcome) {
        self.episodes.finished += 1;
        self.faults.add(outcome);
        match outcome.label() {
            "resolved" => self.episodes.resolved += 1,
            "faulted" => self.episodes.faulted += 1,
            _ => self.episodes.unresolved += 1,
        }
    }
}
