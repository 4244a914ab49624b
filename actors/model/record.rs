//! What the journal keeps. A [`JournalEntry`] is appended; the records are read back from it after
//! a restart, or by commands such as `synthd status`.
//!
//! The campaign, the attempts, the router and quality make entries. The collector drops the starts,
//! turns and ends of dead attempts, and passes everything else to the `Journal` port, which the
//! store implements. Appending is idempotent: an entry that is there already changes nothing.

use super::{
    AttemptNumber, CallRecord, CampaignConfig, CampaignName, DatasetRow, EpisodeId, Fault, Money,
    Outcome, Reverification, SandboxFingerprint, StageFinding, TaskId, Turn, Usage, WorkName,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

/// The state of a campaign.
///
/// ```text
/// running ⇄ paused
///  │ │ │       └──► cancelled
///  │ │ └──────────► cancelled
///  │ └────────────► stopped (at its budget)
///  └──────────────► complete
/// ```
/// A campaign in any state runs again if it is submitted again and has work left. For example, a
/// stopped campaign continues with a larger budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CampaignState {
    /// It starts episodes, or waits for running ones.
    Running,
    /// It starts no new episodes. A user or a fault paused it.
    Paused,
    /// Its budget is spent, and work is left.
    Stopped,
    /// A user cancelled it. It stays cancelled until it is submitted again.
    Cancelled,
    /// Every planned episode has an outcome.
    Complete,
}

impl CampaignState {
    /// The word in the store and in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Stopped => "stopped",
            Self::Cancelled => "cancelled",
            Self::Complete => "complete",
        }
    }
}

/// A campaign as it is stored. Its identity may not change under the same name, nor may the sampling
/// parameters of a model. Concurrency, budget, prices and the list of models may change, and the plan
/// may grow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CampaignRecord {
    pub name: CampaignName,
    /// What kind of work it is.
    #[serde(default, skip_serializing_if = "WorkName::is_usual")]
    pub kind: WorkName,
    /// The digest of the settings that must not change, see [`super::CampaignConfig::identity`].
    pub identity: String,
    /// The sampling parameters of each model that the campaign ever had, see
    /// [`super::CampaignConfig::sampling`]. None in a record of an older synthd, whose identity
    /// contains them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sampling: Option<BTreeMap<String, String>>,
    /// The text of the campaign file, from which the campaign can be restarted.
    pub config: String,
    /// The digests of the container images when the campaign began, by image name.
    pub images: BTreeMap<String, String>,
    /// The digest of the price table with which its models were priced, if a table was used.
    pub price_table: Option<String>,
    pub state: CampaignState,
    /// Why the campaign is in this state, for people; for example the fault that paused it.
    pub reason: Option<String>,
    /// Milliseconds since 1970, UTC, as all times here.
    pub created_at_ms: i64,
}

impl CampaignRecord {
    /// Whether rows of this campaign and rows that `config` gives are comparable: the identity is the
    /// same, and each model that both have is sampled in the same way. `planned` has the models of
    /// the planned episodes. For a record of an older synthd, they are the models that it surely had.
    pub fn has_settings_of(&self, config: &CampaignConfig, planned: &HashSet<&str>) -> bool {
        let Some(sampling) = &self.sampling else {
            let of_planned = config.digest_with(|model| planned.contains(model.name.as_str()));
            return [config.settings_digest(), of_planned].contains(&self.identity);
        };
        let now = config.sampling();
        let is_kept = |(model, was)| now.get(model).is_none_or(|is: &String| is == was);
        self.identity == config.identity() && sampling.iter().all(is_kept)
    }

    /// The sampling parameters to store when the campaign is opened with `config`: those of all
    /// models that it ever had. `earlier` is the stored record.
    pub fn sampling_with(
        earlier: Option<&Self>,
        config: &CampaignConfig,
    ) -> BTreeMap<String, String> {
        let mut all = config.sampling();
        all.extend(earlier.and_then(|record| record.sampling.clone()).unwrap_or_default());
        all
    }
}

/// The edition of a template from which a campaign makes its tasks: the digests of its files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemplateEdition {
    /// The id of the template.
    pub template: String,
    /// The digest over all files together.
    pub digest: String,
    /// The digest of each file. The keys are paths relative to the templates directory.
    pub files: BTreeMap<String, String>,
    /// How many tasks of the template the campaign asks for.
    pub tasks: u32,
}

/// An episode as the plan has it, before any attempt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlannedEpisode {
    pub id: EpisodeId,
    pub campaign: CampaignName,
    /// The position in the plan, from zero. Dataset rows are written in this order.
    pub ordinal: u64,
    pub task: TaskId,
    /// The id of the template of the task.
    pub template: String,
    /// Which draw of the template the task is. With the campaign's seed it gives the task again.
    pub index: u32,
    pub category: String,
    pub difficulty: String,
    /// The planned model as `PROVIDER/MODEL`. It is `any/least-latency` if the model is chosen when
    /// the episode begins.
    pub model: String,
    /// The scaffold, such as `minimal` or `external/NAME`.
    pub scaffold: String,
    /// Why an informative draw chose the task and the model, for people. None for every other plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// An episode as it is read back: the plan and what happened so far.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpisodeRecord {
    #[serde(flatten)]
    pub plan: PlannedEpisode,
    /// The newest attempt; zero before the first one.
    pub attempt: AttemptNumber,
    /// Attempts that ended in a fault of a kind that costs an attempt.
    pub failed_attempts: u32,
    /// The end of the episode; none while it is open.
    pub outcome: Option<Outcome>,
    /// The decision of the quality stages; none before they have seen the episode.
    pub judged: Option<RowDecision>,
    /// Recorded turns of the newest attempt.
    pub steps: u32,
    /// Tokens of these turns.
    pub usage: Usage,
    /// Calls of these turns for which the provider counted no tokens. If there are any, `usage` is
    /// only a lower bound.
    #[serde(default)]
    pub uncounted_calls: u64,
    /// The cost of all attempts together.
    pub cost: Money,
    /// Where the sandbox of the episode ran; none before the outcome.
    pub fingerprint: Option<SandboxFingerprint>,
    /// When the first attempt began; none before it.
    pub started_at_ms: Option<i64>,
    /// When the episode got its outcome; none while it is open.
    pub finished_at_ms: Option<i64>,
}

impl EpisodeRecord {
    /// The record of a planned episode of which nothing has been done.
    pub fn planned(plan: PlannedEpisode) -> Self {
        Self {
            plan,
            attempt: AttemptNumber::default(),
            failed_attempts: 0,
            outcome: None,
            judged: None,
            steps: 0,
            usage: Usage::default(),
            uncounted_calls: 0,
            cost: Money::ZERO,
            fingerprint: None,
            started_at_ms: None,
            finished_at_ms: None,
        }
    }
}

/// What the quality stages decided about the row of an episode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RowDecision {
    Accepted,
    /// A quality stage rejected the row. It is kept in the store, but not in the dataset.
    Rejected,
}

/// One attempt as it is read back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AttemptRecord {
    pub attempt: AttemptNumber,
    /// The earlier attempt whose recorded turns this attempt replayed.
    pub resumed_from: Option<AttemptNumber>,
    /// The fault that ended the attempt; none if it runs or ended with an outcome.
    pub fault: Option<Fault>,
    /// Recorded turns of the attempt.
    pub steps: u32,
    pub cost: Money,
    pub started_at_ms: i64,
    /// When the attempt ended; none while it runs.
    pub ended_at_ms: Option<i64>,
}

/// The part of a dataset to which a row belongs. Tasks of one cluster are always in the same split.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DatasetSplit {
    Train,
    Validation,
    Test,
}

impl DatasetSplit {
    /// Every split, in the order of `DatasetConfig::splits`.
    pub const ALL: [Self; 3] = [Self::Train, Self::Validation, Self::Test];

    /// The word in file names and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Validation => "validation",
            Self::Test => "test",
        }
    }
}

/// The row of a finished episode, with the decision of the quality stages.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RowRecord {
    pub episode: EpisodeId,
    pub campaign: CampaignName,
    /// The position of the episode in the plan.
    pub ordinal: u64,
    /// Which stage rejected the row, and why; none for an accepted row.
    pub rejected: Option<RowRejection>,
    /// What the stages found, also where the campaign ignores it. Empty in records of earlier
    /// versions, which kept only the rejection.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<StageFinding>,
    /// The split of the row, by the cluster of its task.
    pub split: DatasetSplit,
    /// Rows with the same task, actions and observations have the same digest. The stage
    /// `duplicates` compares it.
    pub content_digest: String,
    /// The row itself, also if it is rejected.
    pub row: DatasetRow,
}

/// Why a row is not in the dataset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowRejection {
    /// The quality stage, such as `leak` or `duplicates`.
    pub stage: String,
    /// What the stage found, for people.
    pub detail: String,
}

/// A dataset version that was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetRecord {
    pub campaign: CampaignName,
    /// Counts from one in each campaign.
    pub version: u32,
    /// The directory of the version.
    pub path: String,
    /// The number of rows in each split.
    pub rows: BTreeMap<DatasetSplit, u64>,
    /// The number of rejected rows by the stage that rejected them.
    pub rejected: BTreeMap<String, u64>,
    /// A digest over the rows, their order and their splits. Versions with equal digests have the
    /// same content.
    pub digest: String,
    pub created_at_ms: i64,
}

/// The result of publishing a dataset.
#[derive(Clone, Debug, PartialEq)]
pub struct Publication {
    pub record: DatasetRecord,
    /// Why a new version was written. None means that the newest version has this content already,
    /// and nothing was written.
    pub new: Option<NewVersion>,
}

/// Why a new dataset version was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NewVersion {
    /// The campaign had no version yet.
    First,
    /// The newest version is missing, or its files differ from its manifest.
    Lost,
    /// The newest version has another row format.
    RowFormat,
    /// The licence of the dataset has changed.
    Licence,
    /// The configuration of the campaign has changed.
    Configuration,
    /// There are other rows, or other counts of judged episodes.
    Rows,
}

/// One fact that is appended to the journal. Appending an entry twice changes nothing, so a caller
/// that lost the answer sends the entry again. The start, the turns and the end of an attempt that
/// is no longer the current one are dropped. Holds, settlements and call records are never dropped
/// for that, because the money was spent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JournalEntry {
    /// A campaign was submitted, for the first time or again.
    CampaignOpened(CampaignRecord),
    /// A campaign changed its state.
    CampaignMoved {
        campaign: CampaignName,
        state: CampaignState,
        reason: Option<String>,
    },
    /// The editions from which the campaign makes its tasks from now on. They replace the earlier
    /// editions of these templates.
    EditionsUsed {
        campaign: CampaignName,
        editions: Vec<TemplateEdition>,
    },
    // Episodes were added to the plan.
    Planned(Vec<PlannedEpisode>),
    /// An attempt began. It becomes the current one, and entries of lower attempts are dropped from
    /// now on (the fence).
    AttemptStarted {
        episode: EpisodeId,
        attempt: AttemptNumber,
        /// The earlier attempt whose recorded turns this attempt replays.
        resumed_from: Option<AttemptNumber>,
        at_ms: i64,
    },
    /// A turn ended. It is durable before the next model call.
    TurnTaken {
        episode: EpisodeId,
        attempt: AttemptNumber,
        turn: Box<Turn>,
    },
    /// An attempt ended in a fault, and the episode has no outcome yet.
    AttemptFaulted {
        episode: EpisodeId,
        attempt: AttemptNumber,
        fault: Fault,
        at_ms: i64,
    },
    /// The final result of an episode. There is one, unless the episode is reopened.
    Finished {
        episode: EpisodeId,
        attempt: AttemptNumber,
        outcome: Box<Outcome>,
        fingerprint: Option<SandboxFingerprint>,
        at_ms: i64,
    },
    /// A faulted episode is tried again: its outcome is removed, and its failed attempts count from
    /// zero. Its earlier attempts stay recorded. `attempt` is the attempt that faulted.
    Reopened {
        episode: EpisodeId,
        attempt: AttemptNumber,
    },
    /// The quality stages decided about the row of an episode.
    Judged(Box<RowRecord>),
    /// The kept workspace of a finished episode was judged again. The outcome stays as it is.
    Reverified(Box<Reverification>),
    /// Money was set aside for a call. The entry is durable before the request is sent.
    Held {
        /// See [`super::CallPosition::id`].
        id: String,
        campaign: CampaignName,
        episode: EpisodeId,
        attempt: AttemptNumber,
        /// The worst case of the call.
        amount: Money,
        model: String,
        at_ms: i64,
    },
    /// The true cost replaces the hold. A hold that is never settled counts in full.
    Settled {
        id: String,
        amount: Money,
    },
    /// One try of a call with its bytes. It is shared because it is large, and because the sender
    /// keeps it until the store has confirmed it.
    Called(Arc<CallRecord>),
    /// A dataset version is complete on the disk.
    DatasetWritten(DatasetRecord),
}
