//! What the journal keeps: entries that are appended and records that are read back.

use super::{
    AttemptNumber, CallRecord, CampaignName, EpisodeId, Fault, Money, Outcome, SandboxFingerprint,
    TaskId, TrajectoryRow, Turn, Usage,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Where a campaign stands.
///
/// ```text
/// running ⇄ paused
///  │ │ │       └──► cancelled
///  │ │ └──────────► cancelled
///  │ └────────────► stopped (at its budget)
///  └──────────────► complete
/// ```
/// Submitted again, a campaign in any state runs if work is left: a stopped one with a larger
/// budget goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CampaignState {
    Running,
    Paused,
    /// Its budget is spent; work is left.
    Stopped,
    Cancelled,
    Complete,
}

impl CampaignState {
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

/// A campaign as stored. `identity` covers what must not change under a name: seed,
/// sandbox, limits, quality; concurrency, budget and growth of the plan may change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CampaignRecord {
    pub name: CampaignName,
    pub identity: String,
    pub config: String,
    /// The digests of the images it was begun with, by their names.
    pub images: BTreeMap<String, String>,
    /// The digest of the table that its models were priced by, where it was one.
    pub price_table: Option<String>,
    pub state: CampaignState,
    pub reason: Option<String>,
    pub created_at_ms: i64,
}

/// What a campaign made its tasks of one template from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemplateEdition {
    pub template: String,
    /// Over all files.
    pub digest: String,
    /// The digest of each file, by its path below the templates directory.
    pub files: BTreeMap<String, String>,
    /// How many tasks of it were asked for.
    pub tasks: u32,
}

/// An episode as planned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlannedEpisode {
    pub id: EpisodeId,
    pub campaign: CampaignName,
    /// Position in the plan; the order of rows in the dataset.
    pub ordinal: u64,
    pub task: TaskId,
    pub template: String,
    pub index: u32,
    pub category: String,
    pub difficulty: String,
    pub model: String,
    pub scaffold: String,
}

/// An episode as found: planned, and what came of it so far.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpisodeRecord {
    #[serde(flatten)]
    pub plan: PlannedEpisode,
    /// The newest attempt; zero before the first.
    pub attempt: AttemptNumber,
    /// Attempts that ended in a fault that consumes one.
    pub failed_attempts: u32,
    pub outcome: Option<Outcome>,
    /// What the quality stages said of it; none before they have seen it.
    pub judged: Option<RowDecision>,
    pub steps: u32,
    pub usage: Usage,
    /// Calls of the steps that the provider did not count: the usage is the least that was used.
    #[serde(default)]
    pub uncounted_calls: u64,
    /// Over all attempts.
    pub cost: Money,
    pub fingerprint: Option<SandboxFingerprint>,
    pub started_at_ms: Option<i64>,
    pub finished_at_ms: Option<i64>,
}

/// What became of an episode's row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RowDecision {
    Accepted,
    Rejected,
}

/// One attempt as found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AttemptRecord {
    pub attempt: AttemptNumber,
    pub resumed_from: Option<AttemptNumber>,
    pub fault: Option<Fault>,
    pub steps: u32,
    pub cost: Money,
    pub started_at_ms: i64,
    pub ended_at_ms: Option<i64>,
}

/// Which part of a dataset a row belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DatasetSplit {
    Train,
    Validation,
    Test,
}

impl DatasetSplit {
    pub const ALL: [Self; 3] = [Self::Train, Self::Validation, Self::Test];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Validation => "validation",
            Self::Test => "test",
        }
    }
}

/// What the quality stages decided of one finished episode.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RowRecord {
    pub episode: EpisodeId,
    pub campaign: CampaignName,
    pub ordinal: u64,
    /// The stage that rejected the row and why; none for an accepted row.
    pub rejected: Option<RowRejection>,
    pub split: DatasetSplit,
    /// Equal for rows with the same task, actions and observations.
    pub content_digest: String,
    pub row: TrajectoryRow,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowRejection {
    pub stage: String,
    pub detail: String,
}

/// A written dataset version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetRecord {
    pub campaign: CampaignName,
    pub version: u32,
    pub path: String,
    pub rows: BTreeMap<DatasetSplit, u64>,
    pub rejected: BTreeMap<String, u64>,
    /// Over rows, their order and splits: versions with equal digests are the same version.
    pub digest: String,
    pub created_at_ms: i64,
}

/// What came of publishing a dataset.
#[derive(Clone, Debug, PartialEq)]
pub struct Publication {
    pub record: DatasetRecord,
    /// None: the version was there before, with the same content.
    pub new: Option<NewVersion>,
}

/// Why a version was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NewVersion {
    /// There was none before.
    First,
    /// The newest one is missing, or its files are not what its manifest says.
    Lost,
    /// The newest one has rows of another format.
    RowFormat,
    Licence,
    Configuration,
    /// Other rows, or other counts of what was judged.
    Rows,
}

/// What is appended. Appending an entry twice changes nothing, so a caller that lost the
/// answer may send it again; entries of an attempt that is no longer current are dropped.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JournalEntry {
    CampaignOpened(CampaignRecord),
    CampaignMoved {
        campaign: CampaignName,
        state: CampaignState,
        reason: Option<String>,
    },
    /// What a campaign makes its tasks from now, in place of what it had before of each of these
    /// templates.
    EditionsUsed {
        campaign: CampaignName,
        editions: Vec<TemplateEdition>,
    },
    Planned(Vec<PlannedEpisode>),
    /// Makes `attempt` the current one: the fence.
    AttemptStarted {
        episode: EpisodeId,
        attempt: AttemptNumber,
        /// The attempt whose recorded turns this one took over.
        resumed_from: Option<AttemptNumber>,
        at_ms: i64,
    },
    TurnTaken {
        episode: EpisodeId,
        attempt: AttemptNumber,
        turn: Box<Turn>,
    },
    /// An attempt that ended without an outcome.
    AttemptFaulted {
        episode: EpisodeId,
        attempt: AttemptNumber,
        fault: Fault,
        at_ms: i64,
    },
    /// The one final result of an episode.
    Finished {
        episode: EpisodeId,
        attempt: AttemptNumber,
        outcome: Box<Outcome>,
        fingerprint: Option<SandboxFingerprint>,
        at_ms: i64,
    },
    /// A faulted episode is to be tried again: its outcome is taken back, and its attempts start
    /// to count from zero. Its earlier attempts stay. `attempt` is the one that faulted.
    Reopened {
        episode: EpisodeId,
        attempt: AttemptNumber,
    },
    Judged(Box<RowRecord>),
    /// Money set aside before a call; durable before the request leaves.
    Held {
        id: String,
        campaign: CampaignName,
        episode: EpisodeId,
        attempt: AttemptNumber,
        amount: Money,
        model: String,
        at_ms: i64,
    },
    /// The true cost in its place. A hold that is never settled counts in full.
    Settled {
        id: String,
        amount: Money,
    },
    /// One try of a call, whatever came of it. Shared, because it is large, and kept by who
    /// appends it until it is known to be there.
    Called(Arc<CallRecord>),
    DatasetWritten(DatasetRecord),
}
