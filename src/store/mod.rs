//! The store: one SQLite file (`synthd.db`) per data directory. One thread writes the file, and
//! several connections read it.
//!
//! ```text
//! append ─► prepare (encode, on the caller's core) ─► queue ─► thread ─► batch ─► apply ─► WAL
//! read   ─► readers (blocking threads, own connections) ─► read
//! ```
//!
//! The engine writes through the port `Journal`, which [`Store`] implements. The command line opens
//! the store read-only, or uses the functions for maintenance: `verify`, `backup`, `restore` and
//! `reconcile`. Where to begin to read:
//!
//! * `open`, `schema` and `integrity/check` open the file, upgrade it and refuse a damaged one.
//! * `writing`: `writer` is the queue, `writer_thread` decides when to commit and to sync, `batch`
//!   is one transaction, `apply` turns journal entries into rows, `fence` drops entries of dead
//!   attempts, and `write_behind` writes the log of a busy writer ahead of time.
//! * `accounting`: `ledger` writes holds and settlements, `money` lists them, `reconcile` corrects
//!   them. `call_records`: `calls` packs model calls. `read` turns rows into records.
//! * `keeping`: sizes, rules of retention, free pages, also beside an engine.
//! * `integrity`: `lock` and `epoch` keep a second writer out. `high_water_mark` and `level` find out
//!   whether the store has lost records.
//!
//! Durability: if the process is killed, the store keeps everything that it acknowledged. After a
//! power cut it keeps every hold and every settlement that it acknowledged, and it loses at most
//! one second of everything else. A failure reaches the engine as a `StoreFault`, and a user as an
//! error with a code.

mod accounting;
mod blob;
mod call_records;
mod error;
mod integrity;
mod keeping;
mod open;
mod plan;
mod read;
mod readers;
mod schema;
mod writing;

#[cfg(test)]
mod tests;

pub use accounting::adjust::{CorrectedHold, HoldCorrection};
pub use accounting::money::{AdjustmentRecord, HoldState, HoldSummary};
pub use accounting::reconcile::{ReconcileReport, reconcile, reconcile_with};
pub use call_records::archive::open_archive;
pub use call_records::calls::CallSummary;
pub use integrity::backup::{BackupReport, backup, backup_with};
pub use integrity::level::{MissingEntries, MissingSum};
pub use integrity::lock::{holder, is_held};
pub use integrity::restore::{RestoreReport, RestoreRequest, restore};
pub use integrity::verify::{CampaignSum, StoreVerifyReport, verify};
pub use keeping::archive::{ArchiveReport, ArchiveRequest, archive};
pub use keeping::archive_file::ArchiveHead;
pub use keeping::prune::{
    CampaignRetention, PruneCount, PruneReport, PruneRequest, PrunedCampaign, prune,
};
pub use keeping::pruned::{PruneRecord, PrunedPart};
pub use keeping::summary::{CampaignSize, StoreSummary, TableSize, summary};
pub use keeping::unarchive::{UnarchiveReport, unarchive};
pub use keeping::vacuum::{VacuumReport, vacuum};
pub use writing::stats::StoreStats;

use crate::error::Result;
use async_trait::async_trait;
use call_records::request_delta::{BaseRequest, NewestRequests};
use error::StoreError;
use readers::ReaderPool;
use rusqlite::Connection;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use synthd_actors::model::CampaignCounts;
use synthd_actors::model::{
    AttemptNumber, AttemptRecord, CallRecord, CampaignName, CampaignRecord, DatasetRecord,
    EpisodeId, EpisodeRecord, JournalEntry, Money, Reverification, RowRecord, SpendingTotals,
    TemplateEdition, Turn,
};
use synthd_actors::ports::{Journal, StoreFault};
use writing::prepare::PreparedWrite;
use writing::writer::StoreWriter;

/// The store of one data directory. A clone is another handle on the same store. When the last
/// handle is dropped, the writer thread writes what is queued, folds the log into the database file
/// and unlocks the data directory.
#[derive(Clone)]
pub struct Store {
    inner: Arc<StoreInner>,
}

// The order of the fields matters. The readers are dropped first, so that the writer can fold the
// whole log into the database file.
struct StoreInner {
    readers: Arc<ReaderPool>,
    /// None if the store was opened for reading only.
    writer: Option<StoreWriter>,
    /// The newest stored request of each episode. The next request is stored as the difference from
    /// it.
    newest: Arc<NewestRequests>,
}

impl Store {
    /// Locks the data directory for this process. Creates the store there, or upgrades it to the
    /// newest schema.
    ///
    /// Blocks the thread. Fails if another process has the directory, if the store is damaged or
    /// has lost records, or if it was written by a newer synthd. It changes no record if it fails
    /// on one of these checks.
    pub fn open(data_dir: &Path) -> Result<Self> {
        Self::open_with(data_dir, schema::MIGRATIONS)
    }

    /// Like [`Self::open`], with only these migration scripts. Tests give fewer to make an older
    /// store.
    fn open_with(data_dir: &Path, scripts: &[&str]) -> Result<Self> {
        let lock = integrity::lock::DataDirLock::take(data_dir)?;
        let opened = open::writer(data_dir, scripts)?;
        let parts = writing::writer_thread::WriterParts { opened, lock };
        let writer = StoreWriter::start(parts, open::database(data_dir))
            .map_err(|e| StoreError::from(e).on_open(data_dir))?;
        Ok(Self::on(data_dir, Some(writer)))
    }

    /// Opens the store for reading. Another process may write it at the same time. An append to
    /// this store, or a barrier, returns a fault.
    pub fn open_read_only(data_dir: &Path) -> Result<Self> {
        open::check_readable(data_dir)?;
        Ok(Self::on(data_dir, None))
    }

    /// Whether a start could take the data directory and its store. Changes nothing. Fails for the
    /// reason for which [`Self::open`] would fail; a process that has the directory is such a reason.
    pub fn check_startable(data_dir: &Path) -> Result<()> {
        integrity::lock::check_free(data_dir)?;
        open::check_startable(data_dir)
    }

    /// A store with readers, and with the writer if there is one. No connection is opened for
    /// reading until the first read.
    fn on(data_dir: &Path, writer: Option<StoreWriter>) -> Self {
        let readers = ReaderPool::new(open::database(data_dir));
        Self { inner: Arc::new(StoreInner { readers, writer, newest: Arc::default() }) }
    }

    /// Counters of the writer since the store was opened. All zero if it was opened for reading
    /// only.
    pub fn stats(&self) -> StoreStats {
        self.inner.writer.as_ref().map(StoreWriter::stats).unwrap_or_default()
    }

    /// One episode with its state and its figures. None if no campaign has planned this id.
    pub async fn episode(&self, id: &EpisodeId) -> Result<Option<EpisodeRecord>, StoreFault> {
        let id = id.clone();
        self.read("read episode", move |conn| read::episode(conn, &id)).await
    }

    /// The counts of one campaign. All zero if the campaign has no planned episode.
    pub async fn figures(&self, campaign: &CampaignName) -> Result<CampaignCounts, StoreFault> {
        let campaign = campaign.clone();
        self.read("count episodes", move |conn| read::figures(conn, &campaign)).await
    }

    /// The row that quality made of an episode, accepted or rejected. None if the episode has no
    /// row yet.
    pub async fn row(&self, episode: &EpisodeId) -> Result<Option<RowRecord>, StoreFault> {
        let episode = episode.clone();
        self.read("read row", move |conn| read::row(conn, &episode)).await
    }

    /// The later verdicts on the episodes of a campaign, in the order in which they were reached.
    pub async fn reverifications(
        &self,
        campaign: &CampaignName,
    ) -> Result<Vec<Reverification>, StoreFault> {
        let campaign = campaign.clone();
        let query = move |conn: &Connection| read::reverifications(conn, &campaign);
        self.read("read later verdicts", query).await
    }

    /// The later verdicts on one episode, in the order in which they were reached.
    pub async fn reverifications_of(
        &self,
        episode: &EpisodeId,
    ) -> Result<Vec<Reverification>, StoreFault> {
        let episode = episode.clone();
        let query = move |conn: &Connection| read::reverifications_of(conn, &episode);
        self.read("read later verdicts", query).await
    }

    /// The calls whose ids begin with `begins`, in the order in which they were recorded. An id
    /// begins with the id of its episode, so an episode's id finds all of its calls.
    pub async fn calls(&self, begins: &str) -> Result<Vec<CallSummary>, StoreFault> {
        let begins = begins.to_owned();
        self.read("list calls", move |conn| call_records::calls::lines(conn, &begins)).await
    }

    /// One call with all bytes of its request and its response. None if there is no call with this
    /// id.
    pub async fn call(&self, id: &str) -> Result<Option<CallRecord>, StoreFault> {
        let id = id.to_owned();
        self.read("read call", move |conn| call_records::calls::call(conn, &id)).await
    }

    /// The holds of one campaign or of all, by the time at which they were made.
    pub async fn holds(&self, campaign: Option<&str>) -> Result<Vec<HoldSummary>, StoreFault> {
        let campaign = campaign.map(str::to_owned);
        self.read("list holds", move |conn| accounting::money::holds(conn, campaign.as_deref()))
            .await
    }

    /// The corrections and charges that operators made, oldest first, of one campaign or of all.
    pub async fn adjustments(
        &self,
        campaign: Option<&str>,
    ) -> Result<Vec<AdjustmentRecord>, StoreFault> {
        let campaign = campaign.map(str::to_owned);
        let query =
            move |conn: &Connection| accounting::money::adjustments(conn, campaign.as_deref());
        self.read("list adjustments", query).await
    }

    /// What rules of retention have removed of an episode.
    pub async fn pruned(&self, episode: &EpisodeId) -> Result<Vec<PruneRecord>, StoreFault> {
        let episode = episode.clone();
        let query = move |conn: &Connection| keeping::pruned::of_episode(conn, episode.as_str());
        self.read("read what was pruned", query).await
    }

    /// The ordinals of the rows of a campaign whose turns were removed.
    pub async fn rows_without_turns(
        &self,
        campaign: &CampaignName,
    ) -> Result<BTreeSet<u64>, StoreFault> {
        let name = campaign.clone();
        let query =
            move |conn: &Connection| keeping::pruned::rows_without_turns(conn, name.as_str());
        self.read("read what was pruned", query).await
    }

    /// What SQLite finds wrong with the database file. Empty if the file is sound.
    pub async fn integrity_check(&self) -> Result<Vec<String>, StoreFault> {
        self.read("check the store", read::integrity).await
    }

    /// The writer, or a fault if the store was opened for reading only.
    fn writer(&self, operation: &'static str) -> Result<&StoreWriter, StoreFault> {
        let message = "the store was opened for reading only";
        self.inner.writer.as_ref().ok_or_else(|| StoreFault::new(operation, message))
    }

    /// Runs `query` on one of the reading connections, on a blocking thread.
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
        // Another request may refer to these requests only after they are stored. So they are
        // remembered after the append has succeeded, not before.
        // An episode that ends with this append makes no other request.
        let ends = writes.iter().any(PreparedWrite::is_end);
        let calls: Vec<(EpisodeId, BaseRequest)> =
            writes.iter().filter(|_| !ends).filter_map(PreparedWrite::call).collect();
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

/// Encodes and compresses the entries. Heavy entries go to a blocking thread, so that they do not
/// delay the other tasks of this thread. Fails if one of the entries cannot be encoded.
async fn prepared(
    entries: Vec<JournalEntry>,
    newest: Arc<NewestRequests>,
) -> Result<Vec<PreparedWrite>, StoreFault> {
    let writes = if writing::encoding_cost::are_heavy(&entries) {
        tokio::task::spawn_blocking(move || writing::prepare::prepare(entries, &newest))
            .await
            .map_err(|e| StoreFault::new("append", e.to_string()))?
    } else {
        writing::prepare::prepare(entries, &newest)
    };
    writes.map_err(|error| error.fault("append"))
}
