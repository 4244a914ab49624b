//! The types of the answer to `status`: the process, its campaigns, and the counts of each part of
//! the engine. `docs/control-protocol.md` describes the JSON.

use super::messages::ControlStats;
use crate::store::StoreStats;
use serde::Serialize;
use std::path::PathBuf;
use std::time::Instant;
use synthd_actors::campaign::CampaignProgress;
use synthd_actors::pool::PoolStats;
use synthd_actors::quality::QualityStats;
use synthd_actors::router::{AccountStats, ProviderStats};
use synthd_actors::supervisor::ActorStats;

/// The kind of process that listens on the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ProcessMode {
    /// `synthd serve`: takes campaigns from clients.
    Daemon,
    /// `synthd run`: has one campaign, and ends with it.
    Foreground,
}

/// What a process knows about itself when it opens its socket.
#[derive(Clone, Debug)]
pub struct ProcessDescription {
    pub mode: ProcessMode,
    /// The data directory, as it was named; the report makes it absolute.
    pub data_dir: PathBuf,
    /// The path of the control socket, as it was named.
    pub socket: PathBuf,
    /// When the process started, for the uptime.
    pub started: Instant,
    /// The same time as text in RFC 3339.
    pub started_at: String,
    /// The most episodes at once, over all campaigns.
    pub max_episodes: usize,
}

/// The answer to `status`.
#[derive(Clone, Debug, Serialize)]
pub(super) struct StatusReport {
    /// The process itself.
    pub(super) daemon: ProcessStatus,
    /// All campaigns of the data directory, or the one that was asked for.
    pub(super) campaigns: Vec<CampaignStatus>,
    /// Sandboxes: warm, being made, waited for.
    pub(super) pool: PoolStats,
    /// Records that are not in the store yet.
    pub(super) collector: CollectorStats,
    /// Units that wait for their row.
    pub(super) quality: QualityStats,
    /// One entry for each campaign that may call models.
    pub(super) router: Vec<AccountStats>,
    /// One entry for each provider address and key.
    pub(super) providers: Vec<ProviderStats>,
    /// Commits and syncs of the store's writer.
    pub(super) store: StoreStats,
    /// Clients of this socket.
    pub(super) control: ControlStats,
    /// Panics, restarts and kills of each kind of actor.
    pub(super) actors: Vec<ActorStats>,
}

/// The part of the report about the process.
#[derive(Clone, Debug, Serialize)]
pub(super) struct ProcessStatus {
    pid: u32,
    /// The version of synthd, such as `0.1.0`.
    version: &'static str,
    mode: ProcessMode,
    data_dir: PathBuf,
    socket: PathBuf,
    started_at: String,
    /// Seconds since the process started.
    uptime_seconds: u64,
    max_episodes: usize,
    /// Episodes that run now, over all campaigns.
    running: u64,
    /// Whether the engine refuses new campaigns because it was drained.
    draining: bool,
}

impl ProcessStatus {
    /// The status at this moment. Paths are made absolute, so that a client in another directory
    /// can use them.
    pub(super) fn of(about: &ProcessDescription, running: u64, draining: bool) -> Self {
        Self {
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION"),
            mode: about.mode,
            data_dir: std::path::absolute(&about.data_dir)
                .unwrap_or_else(|_| about.data_dir.clone()),
            socket: std::path::absolute(&about.socket).unwrap_or_else(|_| about.socket.clone()),
            started_at: about.started_at.clone(),
            uptime_seconds: about.started.elapsed().as_secs(),
            max_episodes: about.max_episodes,
            running,
            draining,
        }
    }
}

/// The records on their way to the disk, as the store's writer counts them.
#[derive(Clone, Debug, Serialize)]
pub(super) struct CollectorStats {
    /// Entries that were kept.
    recorded: u64,
    /// Entries of dead attempts that were dropped.
    fenced: u64,
    /// Appends that are queued and not answered yet.
    queue_depth: usize,
    /// The most such appends; further ones wait.
    queue_bound: usize,
}

impl CollectorStats {
    /// The part of the store's counts that tells of records.
    pub(super) fn of(store: &StoreStats) -> Self {
        Self {
            recorded: store.appended.saturating_sub(store.fenced),
            fenced: store.fenced,
            queue_depth: store.queue_depth,
            queue_bound: store.queue_bound,
        }
    }
}

/// The progress of a campaign, and whether this process has an actor for it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct CampaignStatus {
    /// Whether a running actor of this process takes commands for the campaign.
    pub(super) live: bool,
    /// The counts of the campaign; in JSON they are beside `live`.
    #[serde(flatten)]
    pub(super) progress: CampaignProgress,
}
