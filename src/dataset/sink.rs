//! [`ParquetSink`]: writes the dataset of a campaign as Parquet files. It implements the port
//! [`DatasetSink`], which quality calls.
//!
//! A call first looks for the newest version on the disk. If there is a whole one, all judged rows
//! of the campaign are read from the journal, page by page, only to compute their digest and to
//! count them. If digest, licence and counts are those of that version, it is returned, and no new
//! version is written. Otherwise the rows are read (again) and written as the next version. All
//! blocking work runs off the async threads.

use super::card::card;
use super::carry_over::carry_over;
use super::digest::RowsDigest;
use super::index::write_cards;
use super::manifest::{
    CARD, DatasetManifest, MANIFEST, MANIFEST_SCHEMA, METADATA, pretty, write_file,
};
use super::metadata::{DatasetMetadata, METADATA_SCHEMA, StageCounts, rfc3339};
use super::tally::DatasetTally;
use super::version::{DatasetVersions, VersionDraft};
use super::writer::{DatasetWriteError, ShardLimits, SplitWriter};
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use synthd_actors::model::{
    DatasetRecord, DatasetSplit, EpisodeId, Fault, FaultKind, NewVersion, Publication, RowFormat,
    RowRecord, RowRejection,
};
use synthd_actors::ports::{DatasetSink, DatasetWriteRequest};
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::task::spawn_blocking;

/// Rejections that were found only when all rows were seen together, such as duplicates, by
/// episode.
type LateRejections = Arc<BTreeMap<EpisodeId, RowRejection>>;
/// The right to write a version. See `ParquetSink::turn`.
type WriteLockGuard = OwnedMutexGuard<()>;

/// How many rows are in memory at once. A long trajectory takes megabytes.
const PAGE: usize = 64;

/// Writes datasets below `<data_dir>/datasets/`.
pub struct ParquetSink {
    /// An absolute path.
    data_dir: PathBuf,
    /// When a split goes on in another file.
    limits: ShardLimits,
    /// The lock that makes sure that this process writes one version at a time. Drafts are named by
    /// process id, so two drafts of one process could collide.
    turn: Arc<Mutex<()>>,
}

impl ParquetSink {
    /// A sink with the usual sizes of files.
    pub fn new(data_dir: &Path) -> Self {
        Self::with_limits(data_dir, ShardLimits::default())
    }

    /// A sink with other sizes at which a split goes on in another file. Tests use small ones.
    pub fn with_limits(data_dir: &Path, limits: ShardLimits) -> Self {
        // Dataset records contain the path, and whoever reads them may have another working
        // directory.
        let data_dir = std::path::absolute(data_dir).unwrap_or_else(|_| data_dir.to_owned());
        Self { data_dir, limits, turn: Arc::default() }
    }
}

#[async_trait]
impl DatasetSink for ParquetSink {
    /// Writes the next version, or returns the newest one if it would be the same. A fault means
    /// that no version was published.
    async fn write(&self, edition: DatasetWriteRequest) -> Result<Publication, Fault> {
        // The lock is taken before the newest version is looked up, so that two calls cannot choose
        // the same version number.
        let turn = Arc::clone(&self.turn).lock_owned().await;
        let job = VersionJob::open(&self.data_dir, self.limits, edition)?;
        let known = job.known().await?;
        // The version on the disk is the same: only the cards above it may be missing.
        if let Some((record, said)) = &known.version
            && job.would_say(record, said).await?
        {
            job.write_cards(turn).await?;
            return Ok(Publication { record: record.clone(), new: None });
        }
        let said = known.version.as_ref().map(|(_, said)| said);
        let new = Some(why_new(known.newest, said, &job.edition));
        let record = job.write(known.newest.saturating_add(1), turn).await?;
        Ok(Publication { record, new })
    }
}

/// Why a version is written. `newest` is the highest version number in use. `said` is the metadata
/// of that version: None if there is no version, or if its files are missing or damaged. `Rows` is
/// also the reason if only the counts of stages differ.
pub(super) fn why_new(
    newest: u32,
    said: Option<&DatasetMetadata>,
    edition: &DatasetWriteRequest,
) -> NewVersion {
    match said {
        None if newest == 0 => NewVersion::First,
        None => NewVersion::Lost,
        Some(said) if said.row_schema != edition.format.schema() => NewVersion::RowFormat,
        Some(said) if said.config_digest != edition.config_digest => NewVersion::Configuration,
        Some(said) if said.licence != edition.licence => NewVersion::Licence,
        Some(_) => NewVersion::Rows,
    }
}

/// What the journal and the disk know of a campaign's versions.
struct KnownVersion {
    /// The highest version number in use. Zero if there is none.
    newest: u32,
    /// The newest version with its metadata. None if its files are missing or damaged.
    version: Option<(DatasetRecord, DatasetMetadata)>,
}

/// One call of the sink.
struct VersionJob {
    versions: DatasetVersions,
    limits: ShardLimits,
    /// Taken out of the request, to be shared with the blocking threads.
    late: LateRejections,
    edition: DatasetWriteRequest,
}

impl VersionJob {
    /// Prepares a job. Fails if the campaign's name cannot be the name of a directory.
    fn open(
        data_dir: &Path,
        limits: ShardLimits,
        mut edition: DatasetWriteRequest,
    ) -> Result<Self, Fault> {
        let versions =
            DatasetVersions::of(data_dir, &edition.campaign).map_err(DatasetWriteError::Io)?;
        let late = Arc::new(std::mem::take(&mut edition.late_rejections));
        Ok(Self { versions, limits, late, edition })
    }

    /// Finds the newest version. The disk decides what exists: a version that is missing in the
    /// journal because of a crash is used again. The number of a version that only the journal has
    /// is not used again.
    async fn known(&self) -> Result<KnownVersion, Fault> {
        let journaled = self.edition.journal.datasets(&self.edition.campaign).await?;
        let journaled = journaled.iter().map(|record| record.version).max().unwrap_or(0);
        let versions = self.versions.clone();
        blocking(move || {
            let newest = versions.newest()?.max(journaled);
            let version = versions.record(newest).zip(versions.metadata(newest));
            Ok(KnownVersion { newest, version })
        })
        .await
    }

    /// Whether a version that was written now would have the same rows, the same licence and the
    /// same counts of stages. This is the usual case if a complete campaign is run again. It reads
    /// all rows and writes nothing.
    async fn would_say(
        &self,
        record: &DatasetRecord,
        said: &DatasetMetadata,
    ) -> Result<bool, Fault> {
        // The digest covers the accepted rows. The counts are on the card, so they must be equal
        // too.
        let (digest, seen) = self.pages(Default::default(), look).await?;
        let DatasetWriteRequest { planned, faulted, .. } = self.edition;
        let said_of = (said.stages.planned, said.stages.faulted, said.stages.judged);
        Ok(record.digest
            == digest.finish(self.edition.format.schema(), &self.edition.config_digest)
            && said.licence == self.edition.licence
            && said_of == (planned, faulted, seen.judged)
            && said.stages.rejected == seen.rejected)
    }

    /// Writes the cards above the versions again. Versions of older engines may have none there.
    async fn write_cards(&self, turn: WriteLockGuard) -> Result<(), Fault> {
        let versions = self.versions.clone();
        blocking(move || {
            let _turn = turn;
            Ok(write_cards(&versions)?)
        })
        .await
    }

    /// Writes and publishes a version, then the cards above it. Returns its record as its own files
    /// state it, after their checksums were checked.
    async fn write(&self, version: u32, turn: WriteLockGuard) -> Result<DatasetRecord, Fault> {
        let (versions, limits) = (self.versions.clone(), self.limits);
        let format = self.edition.format;
        // The draft has a name that begins with a dot until `publish` renames it. So no reader takes
        // it for a version.
        let writer =
            blocking(move || VersionWriter::begin(versions.draft(version)?, format, limits, turn))
                .await?;
        let writer = self.pages(writer, VersionWriter::add).await?;
        let facts = VersionFacts::of(&self.edition, version);
        let versions = self.versions.clone();
        blocking(move || {
            let _turn = writer.publish(facts)?;
            write_cards(&versions)?;
            versions.record(version).ok_or_else(|| {
                DatasetWriteError::Refused(format!("version {version} is not whole once written"))
            })
        })
        .await
    }

    /// Brings a row to the present format, and adds the labels and the pass rate that were found over
    /// all rows.
    fn complete(&self, record: &mut RowRecord) {
        if let Some(row) = record.row.as_trajectory_mut() {
            carry_over(row);
            let rate = self.edition.pass_rates.get(&record.episode);
            row.pass_rate = rate.copied().or(row.pass_rate);
        }
        // After the others: the digest of a row depends on the order of its labels.
        if let Some(labels) = self.edition.late_labels.get(&record.episode) {
            record.row.labels_mut().extend(labels.iter().cloned());
        }
    }

    /// Passes every judged row to `each`, one page at a time, on blocking threads. Each row is
    /// completed before.
    async fn pages<S: Send + 'static>(
        &self,
        mut state: S,
        each: fn(&mut S, &[RowRecord], &LateRejections) -> Result<(), DatasetWriteError>,
    ) -> Result<S, Fault> {
        let mut after = None;
        loop {
            let mut page = self.edition.journal.rows(&self.edition.campaign, after, PAGE).await?;
            for record in &mut page {
                self.complete(record);
            }
            // An empty page is the end.
            let Some(last) = page.last() else { return Ok(state) };
            let last = last.ordinal;
            check_order(&page, after)?;
            let late = Arc::clone(&self.late);
            state = blocking(move || each(&mut state, &page, &late).map(|()| state)).await?;
            after = Some(last);
        }
    }
}

/// Fails if the journal returns a row twice or out of order. Otherwise a row would be in the
/// dataset twice, or the reading would never end.
fn check_order(page: &[RowRecord], after: Option<u64>) -> Result<(), Fault> {
    let first = page.first().map(|record| record.ordinal);
    let ascending = page.windows(2).all(|pair| pair[0].ordinal < pair[1].ordinal);
    if ascending && (after.is_none() || first > after) {
        return Ok(());
    }
    Err(Fault::new(FaultKind::Store, "the journal returned rows out of plan order"))
}

/// Adds the accepted rows of a page to the digest, and counts the others.
fn look(
    (digest, stages): &mut (RowsDigest, StageCounts),
    page: &[RowRecord],
    late: &LateRejections,
) -> Result<(), DatasetWriteError> {
    for record in accepted(stages, page, late) {
        digest.add(record.split, &record.row)?;
    }
    Ok(())
}

/// The rows of a page that no stage rejected. All rows are counted in `stages`.
fn accepted<'a>(
    stages: &mut StageCounts,
    page: &'a [RowRecord],
    late: &LateRejections,
) -> Vec<&'a RowRecord> {
    let mut accepted = Vec::with_capacity(page.len());
    for record in page {
        stages.judged += 1;
        match rejection(record, late) {
            Some(found) => *stages.rejected.entry(found.stage.clone()).or_default() += 1,
            None => accepted.push(record),
        }
    }
    accepted
}

/// Why a row is rejected: by a stage, or later when all rows were seen together. None if it is
/// accepted.
fn rejection<'a>(record: &'a RowRecord, late: &'a LateRejections) -> Option<&'a RowRejection> {
    record.rejected.as_ref().or_else(|| late.get(&record.episode))
}

/// A version that is being written.
struct VersionWriter {
    draft: VersionDraft,
    /// The lock is kept until the draft is renamed or removed, even if the caller has stopped
    /// waiting.
    turn: WriteLockGuard,
    /// The writer of each split.
    splits: [(DatasetSplit, SplitWriter); 3],
    /// The figures of the accepted rows.
    tally: DatasetTally,
    /// The digest of the accepted rows.
    digest: RowsDigest,
    /// What each stage rejected.
    stages: StageCounts,
}

impl VersionWriter {
    /// A writer for the files of this draft.
    fn begin(
        draft: VersionDraft,
        format: RowFormat,
        limits: ShardLimits,
        turn: WriteLockGuard,
    ) -> Result<Self, DatasetWriteError> {
        let splits = DatasetSplit::ALL
            .map(|split| (split, SplitWriter::new(draft.dir(), split, format, limits)));
        Ok(Self {
            draft,
            turn,
            splits,
            tally: DatasetTally::of(format),
            digest: RowsDigest::default(),
            stages: StageCounts::default(),
        })
    }

    /// Adds the accepted rows of a page to their splits.
    fn add(&mut self, page: &[RowRecord], late: &LateRejections) -> Result<(), DatasetWriteError> {
        let accepted = accepted(&mut self.stages, page, late);
        for record in &accepted {
            self.tally.add(record.split, &record.row);
            self.digest.add(record.split, &record.row)?;
        }
        for (split, writer) in &mut self.splits {
            let rows = accepted.iter().filter(|r| r.split == *split).map(|r| &r.row);
            writer.push(&rows.collect::<Vec<_>>())?;
        }
        Ok(())
    }

    /// Closes the Parquet files, writes card, metadata and manifest, and renames the draft. Returns
    /// the lock, so that the caller keeps it while it writes the cards above.
    fn publish(self, facts: VersionFacts) -> Result<WriteLockGuard, DatasetWriteError> {
        let mut files = Vec::new();
        for (_, writer) in self.splits {
            files.extend(writer.finish()?);
        }
        // The card needs the list of Parquet files, and the manifest lists all other files. So the
        // manifest is written last.
        let digest = self.digest.finish(facts.format.schema(), &facts.config_digest);
        let metadata = facts.metadata(digest, self.stages, &self.tally);
        let dir = self.draft.dir();
        let card = write_file(dir, CARD, &card(&metadata, &files))?;
        files.push(write_file(dir, METADATA, &pretty(&metadata)?)?);
        files.push(card);
        write_file(dir, MANIFEST, &pretty(&manifest(metadata, files))?)?;
        self.draft.publish()?;
        Ok(self.turn)
    }
}

/// The manifest of a version. The manifest does not list itself.
fn manifest(metadata: DatasetMetadata, files: Vec<super::FileEntry>) -> DatasetManifest {
    DatasetManifest {
        schema: MANIFEST_SCHEMA.to_owned(),
        row_schema: metadata.row_schema,
        campaign: metadata.campaign,
        version: metadata.version,
        config_digest: metadata.config_digest,
        digest: metadata.digest,
        files,
    }
}

/// What the metadata of a version says besides its rows.
struct VersionFacts {
    format: RowFormat,
    campaign: String,
    version: u32,
    seed: u64,
    config_digest: String,
    licence: String,
    /// Milliseconds since 1970, UTC.
    now_ms: i64,
    /// How many episodes the campaign has planned.
    planned: u64,
    /// How many episodes ended in a fault and have no row.
    faulted: u64,
}

impl VersionFacts {
    /// Copies these facts out of the request.
    fn of(edition: &DatasetWriteRequest, version: u32) -> Self {
        Self {
            format: edition.format,
            campaign: edition.campaign.to_string(),
            version,
            seed: edition.seed,
            config_digest: edition.config_digest.clone(),
            licence: edition.licence.clone(),
            now_ms: edition.now_ms,
            planned: edition.planned,
            faulted: edition.faulted,
        }
    }

    /// The metadata of the version, with its digest and its figures.
    fn metadata(
        self,
        digest: String,
        stages: StageCounts,
        tally: &DatasetTally,
    ) -> DatasetMetadata {
        let figures = tally.figures();
        DatasetMetadata {
            schema: METADATA_SCHEMA.to_owned(),
            row_schema: self.format.schema().to_owned(),
            engine: format!("synthd {}", env!("CARGO_PKG_VERSION")),
            campaign: self.campaign,
            version: self.version,
            digest,
            seed: self.seed,
            config_digest: self.config_digest,
            created_at: rfc3339(self.now_ms),
            created_at_ms: self.now_ms,
            licence: self.licence,
            stages: StageCounts {
                planned: self.planned,
                finished: stages.judged.saturating_add(self.faulted),
                faulted: self.faulted,
                labelled: figures.labels().clone(),
                accepted: figures.rows_by_split(),
                ..stages
            },
            figures,
        }
    }
}

/// Runs work on a blocking thread. A panic of the work becomes a fault.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, DatasetWriteError> + Send + 'static,
) -> Result<T, Fault> {
    match spawn_blocking(work).await {
        Ok(result) => result.map_err(Fault::from),
        Err(error) => Err(Fault::new(FaultKind::Panicked, format!("writing a dataset: {error}"))),
    }
}
