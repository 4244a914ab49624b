//! What a campaign shows of itself: its state and its counts. `synthd status` prints it, and the
//! control socket sends it as JSON, for example `"episodes":{"planned":8,"finished":3,"resolved":2,
//! ...}`.
//!
//! The actor publishes a new [`CampaignProgress`] at every change. For a campaign that does not run
//! in this process, the same form is built from the journal ([`CampaignProgress::from_record`]).

use crate::model::{
    CampaignCounts, CampaignName, CampaignRecord, CampaignState, DatasetRecord, DiversityCounts,
    EpisodeCounts, EpisodeRecord, Fault, FaultCounts, FaultKind, Money, NewVersion, Outcome,
    RowCounts, RowDecision, TokenCounts, Turn, WorkName,
};
use crate::work::SkippedTemplate;
use serde::{Deserialize, Serialize};

/// The state of a campaign with its counts, published at every change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CampaignProgress {
    pub campaign: CampaignName,
    /// What kind of work it is.
    #[serde(default, skip_serializing_if = "WorkName::is_usual")]
    pub kind: WorkName,
    pub state: CampaignState,
    /// Why it is paused, stopped or cancelled, or complete with episodes left open, for people.
    pub reason: Option<String>,
    /// The pause came from a fault and not from a person. A client that follows the campaign does
    /// not wait then, because nobody is about to resume it.
    pub escalated: bool,
    /// The kind of that fault.
    pub cause: Option<FaultKind>,
    /// The number of different tasks in the plan.
    pub tasks: u64,
    pub episodes: EpisodeCounts,
    /// Faulted episodes by kind, as far as this process knows them.
    #[serde(default, skip_serializing_if = "FaultCounts::is_empty")]
    pub faults: FaultCounts,
    /// Attempts that run now.
    pub running: u64,
    /// Steps of the last attempts of episodes that have ended.
    pub steps: u64,
    pub tokens: TokenCounts,
    /// Everything that was spent, from the ledger. It includes calls that led to no step.
    pub cost_usd: Money,
    pub rows: RowCounts,
    /// How diverse the newest episodes are, if the campaign watches it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diversity: Option<DiversityCounts>,
    /// The newest dataset version, if there is one.
    pub dataset: Option<DatasetRecord>,
    /// Why this run wrote the dataset version. None: the version existed before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_version: Option<NewVersion>,
    /// Templates that this host cannot run.
    pub skipped: Vec<SkippedTemplate>,
    /// It was complete before this run began: every episode had an outcome.
    pub already_complete: bool,
    /// Nothing runs, and nothing will start by itself.
    pub settled: bool,
    /// Every episode has ended, and the dataset is being written.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub publishing: bool,
    /// What the episodes need and cannot have now, such as a backend that is down. Only
    /// `CampaignHandle::current_progress` sets it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_for: Option<String>,
}

impl CampaignProgress {
    /// The progress of a campaign that runs and has no counts yet.
    pub(super) fn new(
        (campaign, kind): (CampaignName, WorkName),
        tasks: u64,
        skipped: Vec<SkippedTemplate>,
    ) -> Self {
        Self {
            campaign,
            kind,
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
            diversity: None,
            dataset: None,
            new_version: None,
            skipped,
            already_complete: false,
            settled: false,
            publishing: false,
            waiting_for: None,
        }
    }

    /// The progress of a campaign that does not run in this process, built from the journal.
    pub fn from_record(
        record: &CampaignRecord,
        figures: CampaignCounts,
        dataset: Option<DatasetRecord>,
        spent: Money,
    ) -> Self {
        let mut progress = Self::new((record.name.clone(), record.kind), figures.tasks, Vec::new());
        progress.episodes = figures.episodes;
        progress.steps = figures.steps;
        progress.tokens = figures.tokens;
        progress.rows = figures.rows;
        progress.cost_usd = spent;
        progress.state = record.state;
        progress.reason = record.reason.clone();
        // The reason of a fault begins with its kind.
        progress.cause = record.reason.as_deref().and_then(FaultKind::at_the_start_of);
        progress.escalated = record.state == CampaignState::Paused && progress.cause.is_some();
        progress.already_complete = record.state == CampaignState::Complete;
        progress.settled = true;
        // A published dataset has the final counts: duplicates are rejected only when it is
        // written.
        if let Some(dataset) = &dataset {
            progress.rows.accepted = dataset.rows.values().sum();
            progress.rows.rejected = dataset.rejected.values().sum();
        }
        progress.dataset = dataset;
        progress
    }

    /// Counts an episode that was found in the journal.
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

    /// Shows a pause because of a fault. The first fault stays as the reason: the faults after it
    /// are often only its consequences.
    pub(super) fn pause_for(&mut self, fault: &Fault) {
        self.state = CampaignState::Paused;
        if !self.escalated {
            self.reason = Some(fault.to_string());
            self.cause = Some(fault.kind);
        }
        self.escalated = true;
    }

    /// The campaign's actor has died. The campaign rests until somebody submits it again.
    pub fn mark_dead(&mut self, panic: String) {
        self.pause_for(&Fault::new(FaultKind::Panicked, panic));
        self.running = 0;
        self.settled = true;
    }

    /// Counts the steps and tokens of an attempt that was judged.
    pub(super) fn add_turns(&mut self, turns: &[Turn]) {
        self.steps += turns.len() as u64;
        for turn in turns {
            self.tokens.input += turn.step.usage.input_tokens;
            self.tokens.output += turn.step.usage.output_tokens;
            self.tokens.uncounted_calls += u64::from(turn.reply.uncounted);
        }
    }

    /// Counts the outcome of one episode.
    pub(super) fn count(&mut self, outcome: &Outcome) {
        self.episodes.finished += 1;
        self.faults.add(outcome);
        match outcome.label() {
            "resolved" => self.episodes.resolved += 1,
            "faulted" => self.episodes.faulted += 1,
            "answered" => self.episodes.answered += 1,
            _ => self.episodes.unresolved += 1,
        }
    }
}
