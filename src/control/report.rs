//! What `status` says: the process, its campaigns, and how each part of the engine fares.

use super::messages::ControlStats;
use crate::store::StoreStats;
use serde::Serialize;
use std::path::PathBuf;
use std::time::Instant;
use synthd_actors::campaign::CampaignProgress;
use synthd_actors::collector::CollectorStats;
use synthd_actors::pool::PoolStats;
use synthd_actors::router::{AccountStats, ProviderStats};

/// What kind of process listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ProcessMode {
    /// `synthd serve`
    Daemon,
    /// `synthd run`: one campaign, and the process ends with it.
    Foreground,
}

/// What a process says of itself.
#[derive(Clone, Debug)]
pub struct ProcessDescription {
    pub mode: ProcessMode,
    pub data_dir: PathBuf,
    pub socket: PathBuf,
    pub started: Instant,
    pub started_at: String,
    /// Episodes at once, over all campaigns.
    pub max_episodes: usize,
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct StatusReport {
    pub(super) daemon: ProcessStatus,
    pub(super) campaigns: Vec<CampaignStatus>,
    pub(super) pool: PoolStats,
    pub(super) collector: CollectorStats,
    pub(super) router: Vec<AccountStats>,
    pub(super) providers: Vec<ProviderStats>,
    pub(super) store: StoreStats,
    pub(super) control: ControlStats,
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct ProcessStatus {
    pid: u32,
    version: &'static str,
    mode: ProcessMode,
    data_dir: PathBuf,
    socket: PathBuf,
    started_at: String,
    uptime_seconds: u64,
    max_episodes: usize,
    running: u64,
    draining: bool,
}

impl ProcessStatus {
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

/// A campaign, and whether this process runs it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct CampaignStatus {
    pub(super) live: bool,
    #[serde(flatten)]
    pub(super) progress: CampaignProgress,
}
