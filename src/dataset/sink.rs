//! [`ParquetSink`]: writes the dataset of a campaign as Parquet files. It implements the port
//! [`DatasetSink`], which quality calls.
//!
//! ```text
//!  newest version looked up ─► draft begun ─► each page: read, reviewed, written ─► the same as the
//!  newest? ──yes──► draft removed, the newest returned
//!     └─no──► card, metadata, manifest ─► draft renamed
//! ```
//! The rows are read once, page by page. Each page is shown to the review of the
//! request, which knows what only the whole set tells of a row, and written into a draft. If digest,
//! licence and counts are those of the newest whole version, the draft is removed and no new version
//! is written. All blocking work runs off the async threads.

use super::card::card;
use super::carry_over::carry_over;
use super::croissant::{CROISSANT, version_croissant};
use super::digest::RowsDigest;
use super::index::write_cards;
use super::manifest::{
    CARD, DatasetManifest, MANIFEST, MANIFEST_SCHEMA, METADATA, pretty, write_file,
};
use super::metadata::{DatasetMetadata, METADATA_SCHEMA, StageCounts, rfc3339};
use super::note_file::NoteWriter;
use super::sample_figures::SampleTally;
use super::tally::DatasetTally;
use super::version::{DatasetVersions, VersionDraft};
use super::writer::{DatasetWriteError, ShardLimits, SplitWriter};
use async_trait::async_trait;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use synthd_actors::model::{
    CampaignName, CurationReport, DatasetRecord, DatasetSplit, Fault, FaultKind, NewVersion,
    Publication, RowFormat, RowRecord,
};
use synthd_actors::ports::{DatasetSink, DatasetWriteRequest, RowPages, SetReview};
use synthd_actors::supervisor::assert_may_block;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::task::spawn_blocking;

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
        let (job, review) = VersionJob::open(&self.data_dir, self.limits, edition)?;
        let known = job.known().await?;
        let version = known.newest.saturating_add(1);
        let (writer, review) = job.written(version, turn, review).await?;
        // The version on the disk is the same: only the cards above it may be missing.
        if let Some((record, said)) = &known.version
            && writer.would_say(record, said, &job.facts)
        {
            job.give_up(writer).await?;
            return Ok(Publication { record: record.clone(), new: None });
        }
        let said = known.version.as_ref().map(|(_, said)| said);
        let new = Some(why_new(known.newest, said, &job.facts));
        let record = job.publish(writer, version, review.report()).await?;
        Ok(Publication { record, new })
    }
}

/// Why a version is written. `newest` is the highest version number in use. `said` is the metadata
/// of that version: None if there is no version, or if its files are missing or damaged. `Rows` is
/// also the reason if only the counts of stages differ.
pub(super) fn why_new(
    newest: u32,
    said: Option<&DatasetMetadata>,
    facts: &VersionFacts,
) -> NewVersion {
    match said {
        None if newest == 0 => NewVersion::First,
        None => NewVersion::Lost,
        Some(said) if said.row_schema != facts.format.schema() => NewVersion::RowFormat,
        Some(said) if said.config_digest != facts.config_digest => NewVersion::Configuration,
        Some(said) if said.licence != facts.licence => NewVersion::Licence,
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
    rows: Arc<dyn RowPages>,
    /// What the metadata will say, whatever the version's number is.
    facts: VersionFacts,
}

impl VersionJob {
    /// Prepares a job. Fails if the campaign's name cannot be the name of a directory.
    fn open(
        data_dir: &Path,
        limits: ShardLimits,
        edition: DatasetWriteRequest,
    ) -> Result<(Self, Box<dyn SetReview>), Fault> {
        let versions =
            DatasetVersions::of(data_dir, &edition.campaign).map_err(DatasetWriteError::Io)?;
        let (rows, review, facts) = VersionFacts::of(edition);
        Ok((Self { versions, limits, rows, facts }, review))
    }

    /// Finds the newest version. The disk decides what exists: a version that is missing in the
    /// journal because of a crash is used again. The number of a version that only the journal has
    /// is not used again.
    async fn known(&self) -> Result<KnownVersion, Fault> {
        let recorded = self.rows.recorded_version().await?;
        let versions = self.versions.clone();
        blocking(move || {
            let newest = versions.newest()?.max(recorded);
            let version = versions.record(newest).zip(versions.metadata(newest));
            Ok(KnownVersion { newest, version })
        })
        .await
    }

    /// Writes all rows into a draft. The draft has a name that begins with a dot until `publish`
    /// renames it. So no reader takes it for a version.
    async fn written(
        &self,
        version: u32,
        turn: WriteLockGuard,
        mut review: Box<dyn SetReview>,
    ) -> Result<(VersionWriter, Box<dyn SetReview>), Fault> {
        let (versions, limits, format) = (self.versions.clone(), self.limits, self.facts.format);
        let mut writer =
            blocking(move || VersionWriter::begin(versions.draft(version)?, format, limits, turn))
                .await?;
        let mut after = None;
        loop {
            let page = self.rows.page(after, PAGE).await?;
            // An empty page is the end.
            let Some(last) = page.last().map(|record| record.ordinal) else {
                return Ok((writer, review));
            };
            check_order(&page, after)?;
            (writer, review) = blocking(move || writer.add(page, review)).await?;
            after = Some(last);
        }
    }

    /// Removes a draft that says nothing new, and writes the cards above the versions again.
    /// Versions of older engines may have none there.
    async fn give_up(&self, writer: VersionWriter) -> Result<(), Fault> {
        let versions = self.versions.clone();
        blocking(move || {
            let _turn = writer.into_turn();
            Ok(write_cards(&versions)?)
        })
        .await
    }

    /// Publishes a version, then writes the cards above it. Returns its record as its own files
    /// state it, after their checksums were checked.
    async fn publish(
        self,
        writer: VersionWriter,
        version: u32,
        curation: Option<CurationReport>,
    ) -> Result<DatasetRecord, Fault> {
        let Self { versions, facts, .. } = self;
        blocking(move || {
            let _turn = writer.publish(facts, version, curation)?;
            write_cards(&versions)?;
            versions.record(version).ok_or_else(|| {
                DatasetWriteError::Refused(format!("version {version} is not whole once written"))
            })
        })
        .await
    }
}

/// Fails if the source returns a row twice or out of order. Otherwise a row would be in the
/// dataset twice, or the reading would never end.
fn check_order(page: &[RowRecord], after: Option<u64>) -> Result<(), Fault> {
    let first = page.first().map(|record| record.ordinal);
    let ascending = page.windows(2).all(|pair| pair[0].ordinal < pair[1].ordinal);
    if ascending && (after.is_none() || first > after) {
        return Ok(());
    }
    Err(Fault::new(FaultKind::Store, "the source returned rows out of their order"))
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
    /// How the samples of tasks came out, in all rows.
    samples: SampleTally,
    /// What is kept beside the rows; none if nothing is.
    notes: Option<NoteWriter>,
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
            samples: SampleTally::default(),
            notes: None,
        })
    }

    /// Brings the rows of a page to the present format, has them reviewed, and adds the accepted ones
    /// to their splits.
    fn add(
        mut self,
        mut page: Vec<RowRecord>,
        mut review: Box<dyn SetReview>,
    ) -> Result<(Self, Box<dyn SetReview>), DatasetWriteError> {
        assert_may_block("write rows");
        for record in &mut page {
            record.row.as_trajectory_mut().into_iter().for_each(carry_over);
            review.review(record);
            self.samples.add(&record.row);
            if let Some(note) = review.note(record) {
                self.note(&note)?;
            }
        }
        let accepted = self.accepted(&page);
        for record in &accepted {
            self.tally.add(record.split, &record.row);
            self.digest.add(record.split, &record.row)?;
        }
        for (split, writer) in &mut self.splits {
            let rows = accepted.iter().filter(|r| r.split == *split).map(|r| &r.row);
            writer.push(&rows.collect::<Vec<_>>())?;
        }
        Ok((self, review))
    }

    /// Keeps a note. The file begins with the first one.
    fn note(&mut self, note: &str) -> Result<(), DatasetWriteError> {
        let notes = match &mut self.notes {
            Some(notes) => notes,
            none => none.insert(NoteWriter::create(self.draft.dir())?),
        };
        Ok(notes.add(note)?)
    }

    /// The rows of a page that no stage rejected. All rows are counted.
    fn accepted<'a>(&mut self, page: &'a [RowRecord]) -> Vec<&'a RowRecord> {
        self.stages.judged += page.len() as u64;
        for found in page.iter().filter_map(|record| record.rejected.as_ref()) {
            *self.stages.rejected.entry(found.stage.clone()).or_default() += 1;
        }
        page.iter().filter(|record| record.rejected.is_none()).collect()
    }

    /// Whether a version has the same rows, the same licence and the same counts of stages as this
    /// draft. This is the usual case if a complete campaign is run again. The digest covers the
    /// accepted rows; the counts are on the card, so they must be equal too.
    fn would_say(
        &self,
        record: &DatasetRecord,
        said: &DatasetMetadata,
        facts: &VersionFacts,
    ) -> bool {
        let said_of = (said.stages.planned, said.stages.faulted, said.stages.judged);
        record.digest == self.digest.clone().finish(facts.format.schema(), &facts.config_digest)
            && said.licence == facts.licence
            && said_of == (facts.planned, facts.faulted, self.stages.judged)
            && said.stages.rejected == self.stages.rejected
    }

    /// Removes the draft, and returns the lock.
    fn into_turn(self) -> WriteLockGuard {
        self.turn
    }

    /// Closes the Parquet files, writes card, metadata and manifest, and renames the draft. Returns
    /// the lock, so that the caller keeps it while it writes the cards above.
    fn publish(
        self,
        facts: VersionFacts,
        version: u32,
        curation: Option<CurationReport>,
    ) -> Result<WriteLockGuard, DatasetWriteError> {
        let mut files = Vec::new();
        for (_, writer) in self.splits {
            files.extend(writer.finish()?);
        }
        files.extend(self.notes.map(NoteWriter::finish).transpose()?);
        // The card needs the list of Parquet files, and the manifest lists all other files. So the
        // manifest is written last.
        let digest = self.digest.finish(facts.format.schema(), &facts.config_digest);
        let metadata = facts.metadata(version, digest, self.stages, &self.tally, curation);
        let metadata = DatasetMetadata { samples: self.samples.figures(), ..metadata };
        let dir = self.draft.dir();
        let card = write_file(dir, CARD, &card(&metadata, &files))?;
        let croissant = pretty(&version_croissant(&metadata, &files))?;
        files.push(write_file(dir, CROISSANT, &croissant)?);
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
pub(super) struct VersionFacts {
    format: RowFormat,
    campaign: CampaignName,
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
    /// Takes a request apart: where the rows come from, who reviews them, and these facts.
    pub(super) fn of(
        edition: DatasetWriteRequest,
    ) -> (Arc<dyn RowPages>, Box<dyn SetReview>, Self) {
        let facts = Self {
            format: edition.format,
            campaign: edition.campaign,
            seed: edition.seed,
            config_digest: edition.config_digest,
            licence: edition.licence,
            now_ms: edition.now_ms,
            planned: edition.planned,
            faulted: edition.faulted,
        };
        (edition.rows, edition.review, facts)
    }

    /// The metadata of the version, with its digest and its figures.
    fn metadata(
        self,
        version: u32,
        digest: String,
        stages: StageCounts,
        tally: &DatasetTally,
        curation: Option<CurationReport>,
    ) -> DatasetMetadata {
        let figures = tally.figures();
        DatasetMetadata {
            schema: METADATA_SCHEMA.to_owned(),
            row_schema: self.format.schema().to_owned(),
            engine: format!("synthd {}", env!("CARGO_PKG_VERSION")),
            campaign: self.campaign.to_string(),
            version,
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
            curation,
            samples: None,
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
