//! The store: one SQLite file per data directory, written by one thread, read by many.
//!
//! ```text
//! append ─► prepare (encode, caller's core) ─► queue ─► thread ─► batch ─► apply ─► WAL
//! read   ─► readers (blocking threads, own connections) ─► read
//! ```
//!
//! A process kill loses nothing that was acknowledged. A power cut loses no hold and no
//! settlement, and at most one second of everything else.

mod adjust;
mod apply;
mod archive;
mod backup;
mod batch;
mod blob;
mod calls;
mod check;
mod encoding_cost;
mod epoch;
mod error;
mod fence;
mod high_water_mark;
mod ledger;
mod level;
mod lock;
mod money;
mod open;
mod plan;
mod prepare;
mod read;
mod readers;
mod reconcile;
mod request_delta;
mod restore;
mod schema;
mod stats;
mod verify;
mod writer;
mod writer_thread;

#[cfg(test)]
mod tests;

pub use adjust::{CorrectedHold, HoldCorrection};
pub use archive::open_archive;
pub use backup::{BackupReport, backup};
pub use calls::CallSummary;
pub use level::{MissingEntries, MissingSum};
pub use lock::{holder, is_held};
pub use money::{AdjustmentRecord, HoldState, HoldSummary};
pub use reconcile::{ReconcileReport, reconcile, reconcile_with};
pub use restore::{RestoreReport, RestoreRequest, restore};
pub use stats::StoreStats;
pub use verify::{CampaignSum, StoreVerifyReport, verify};

use crate::error::Result;
use async_trait::async_trait;
use error::StoreError;
use prepare::PreparedWrite;
use readers::ReaderPool;
use request_delta::{BaseRequest, NewestRequests};
use rusqlite::Connection;
use std::path::Path;
use std::sync::Arc;
use synthd_actors::model::CampaignCounts;
use synthd_actors::model::{
    AttemptNumber, AttemptRecord, CallRecord, CampaignName, CampaignRecord, DatasetRecord,
    EpisodeId, EpisodeRecord, JournalEntry, Money, RowRecord, SpendingTotals, TemplateEdition,
    Turn,
};
use synthd_actors::ports::{Journal, StoreFault};
use writer::StoreWriter;

/// A data directory's store. Clones are handles on the same one; when the last of them is
/// dropped, what is queued is written, the file is tidied and the directory let go.
#[derive(Clone)]
pub struct Store {
    inner: Arc<StoreInner>,
}

// In this order: with the readers gone, the writer can fold the whole log into the file.
struct StoreInner {
    readers: Arc<ReaderPool>,
    /// None when opened for reading only.
    writer: Option<StoreWriter>,
    newest: Arc<NewestRequests>,
}

impl Store {
    /// Takes the data directory for this process, and creates or upgrades what is in it.
    /// Blocks the thread; nothing is changed where it fails.
    pub fn open(data_dir: &Path) -> Result<Self> {
        Self::open_with(data_dir, schema::MIGRATIONS)
    }

    fn open_with(data_dir: &Path, scripts: &[&str]) -> Result<Self> {
        let lock = lock::DataDirLock::take(data_dir)?;
        let opened = open::writer(data_dir, scripts)?;
        let writer = StoreWriter::start(writer_thread::WriterParts { opened, lock })
            .map_err(|e| StoreError::from(e).on_open(data_dir))?;
        Ok(Self::on(data_dir, Some(writer)))
    }

    /// Looks into a data directory that another process may be writing. Appending to what
    /// this gives is a fault.
    pub fn open_read_only(data_dir: &Path) -> Result<Self> {
        open::check_readable(data_dir)?;
        Ok(Self::on(data_dir, None))
    }

    fn on(data_dir: &Path, writer: Option<StoreWriter>) -> Self {
        let readers = ReaderPool::new(open::database(data_dir));
        Self { inner: Arc::new(StoreInner { readers, writer, newest: Arc::default() }) }
    }

    /// All zero when opened for reading only.
    pub fn stats(&self) -> StoreStats {
        self.inner.writer.as_ref().map(StoreWriter::stats).unwrap_or_default()
    }

    pub async fn episode(&self, id: &EpisodeId) -> Result<Option<EpisodeRecord>, StoreFault> {
        let id = id.clone();
        self.read("read episode", move |conn| read::episode(conn, &id)).await
    }

    /// A campaign's figures, all zero where none of it is planned.
    pub async fn figures(&self, campaign: &CampaignName) -> Result<CampaignCounts, StoreFault> {
        let campaign = campaign.clone();
        self.read("count episodes", move |conn| read::figures(conn, &campaign)).await
    }

    /// The judged row of an episode.
    pub async fn row(&self, episode: &EpisodeId) -> Result<Option<RowRecord>, StoreFault> {
        let episode = episode.clone();
        self.read("read row", move |conn| read::row(conn, &episode)).await
    }

    /// The calls whose ids begin like this, in the order they were made.
    pub async fn calls(&self, begins: &str) -> Result<Vec<CallSummary>, StoreFault> {
        let begins = begins.to_owned();
        self.read("list calls", move |conn| calls::lines(conn, &begins)).await
    }

    /// One call, byte for byte.
    pub async fn call(&self, id: &str) -> Result<Option<CallRecord>, StoreFault> {
        let id = id.to_owned();
        self.read("read call", move |conn| calls::call(conn, &id)).await
    }

    /// Holds of one campaign or of all, in the order they were made.
    pub async fn holds(&self, campaign: Option<&str>) -> Result<Vec<HoldSummary>, StoreFault> {
        let campaign = campaign.map(str::to_owned);
        self.read("list holds", move |conn| money::holds(conn, campaign.as_deref())).await
    }

    /// What was corrected or charged by hand, oldest first.
    pub async fn adjustments(
        &self,
        campaign: Option<&str>,
    ) -> Result<Vec<AdjustmentRecord>, StoreFault> {
        let campaign = campaign.map(str::to_owned);
        let query = move |conn: &Connection| money::adjustments(conn, campaign.as_deref());
        self.read("list adjustments", query).await
    }

    /// What SQLite finds wrong with the file; nothing for a sound one.
    pub async fn integrity_check(&self) -> Result<Vec<String>, StoreFault> {
        self.read("check the store", read::integrity).await
    }

    fn writer(&self, operation: &'static str) -> Result<&StoreWriter, StoreFault> {
        let message = "the store was opened for reading only";
        self.inner.writer.as_ref().ok_or_else(|| StoreFault::new(operation, message))
    }

    async fn read<T: Send + 'static>(
        &self,
        operation: &'static str,
        query: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreFault> {
        self.inner.readers.read(operation, query).await
    }
}

#[async_trait]
impl Journal for Store {
    async fn append(&self, entries: Vec<JournalEntry>) -> Result<(), StoreFault> {
        let writer = self.writer("append")?;
        if entries.is_empty() {
            return Ok(());
        }
        let newest = &self.inner.newest;
        let writes = prepared(entries, newest.clone()).await?;
        let calls: Vec<(EpisodeId, BaseRequest)> =
            writes.iter().filter_map(PreparedWrite::call).collect();
        writer.append(writes).await?;
        calls.into_iter().for_each(|(episode, known)| newest.keep(episode, known));
        Ok(())
    }

    async fn campaign(&self, name: &CampaignName) -> Result<Option<CampaignRecord>, StoreFault> {
        let name = name.clone();
        self.read("read campaign", move |conn| read::campaign(conn, &name)).await
    }

    async fn campaigns(&self) -> Result<Vec<CampaignRecord>, StoreFault> {
        self.read("read campaigns", read::campaigns).await
    }

    async fn editions(&self, campaign: &CampaignName) -> Result<Vec<TemplateEdition>, StoreFault> {
        let campaign = campaign.clone();
        self.read("read editions", move |conn| read::editions(conn, &campaign)).await
    }

    async fn episodes(&self, campaign: &CampaignName) -> Result<Vec<EpisodeRecord>, StoreFault> {
        let campaign = campaign.clone();
        self.read("read episodes", move |conn| read::episodes(conn, &campaign)).await
    }

    async fn attempts(&self, episode: &EpisodeId) -> Result<Vec<AttemptRecord>, StoreFault> {
        let episode = episode.clone();
        self.read("read attempts", move |conn| read::attempts(conn, &episode)).await
    }

    async fn turns(
        &self,
        episode: &EpisodeId,
        attempt: AttemptNumber,
    ) -> Result<Vec<Turn>, StoreFault> {
        let episode = episode.clone();
        self.read("read turns", move |conn| read::turns(conn, &episode, attempt)).await
    }

    async fn rows(
        &self,
        campaign: &CampaignName,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Vec<RowRecord>, StoreFault> {
        let campaign = campaign.clone();
        self.read("read rows", move |conn| read::rows(conn, &campaign, after, limit)).await
    }

    async fn datasets(&self, campaign: &CampaignName) -> Result<Vec<DatasetRecord>, StoreFault> {
        let campaign = campaign.clone();
        self.read("read datasets", move |conn| read::datasets(conn, &campaign)).await
    }

    async fn spent(&self, campaign: &CampaignName) -> Result<Money, StoreFault> {
        let campaign = campaign.clone();
        self.read("read spent", move |conn| read::spent(conn, &campaign)).await
    }

    async fn spending(
        &self,
        campaign: &CampaignName,
        day: i64,
    ) -> Result<SpendingTotals, StoreFault> {
        let campaign = campaign.clone();
        self.read("read spending", move |conn| read::spending(conn, &campaign, day)).await
    }

    async fn barrier(&self) -> Result<(), StoreFault> {
        self.writer("barrier")?.barrier().await
    }
}

async fn prepared(
    entries: Vec<JournalEntry>,
    newest: Arc<NewestRequests>,
) -> Result<Vec<PreparedWrite>, StoreFault> {
    let writes = if encoding_cost::are_heavy(&entries) {
        tokio::task::spawn_blocking(move || prepare::prepare(entries, &newest))
            .await
            .map_err(|e| StoreFault::new("append", e.to_string()))?
    } else {
        prepare::prepare(entries, &newest)
    };
    writes.map_err(|error| error.fault("append"))
}
