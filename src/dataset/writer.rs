//! Writes one split as Parquet files. The rows keep their order. When a file (shard) is full, the
//! split goes on in another one.
//!
//! The options of the files are chosen for the Hugging Face Hub, which finds equal parts of files
//! and scans columns: compression with zstd, content-defined chunks, a page index, few large row
//! groups, and no dictionary for text that never repeats.

use super::batch::{text_bytes, to_batch};
use super::manifest::{FileEntry, HashingFile};
use super::schema::{TableShape, long_texts, table_schema};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{CdcOptions, WriterProperties};
use parquet::schema::types::ColumnPath;
use std::io;
use std::path::{Path, PathBuf};
use synthd_actors::model::{CellValue, DatasetRow, DatasetSplit, Fault, FaultKind, RowFormat};

/// Compressed bytes of a row group. The writer keeps one row group in memory for each split.
const ROW_GROUP_BYTES: usize = 64 << 20;
/// How many bytes of text go into one batch. A single row may have more, up to [`MAX_ROW_TEXT`].
const BATCH_TEXT: usize = 32 << 20;
/// The most bytes of text in one row. Arrow counts offsets into a column with 32 bits.
const MAX_ROW_TEXT: usize = 1 << 30;
/// The compression level of zstd.
const ZSTD_LEVEL: i32 = 3;

/// When a split goes on in another file: as soon as one of the limits is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShardLimits {
    /// Rows in one file.
    pub rows: u64,
    /// Compressed bytes in one file. A file may exceed it by one batch.
    pub bytes: u64,
}

impl Default for ShardLimits {
    /// One million rows or 500 MB.
    fn default() -> Self {
        Self { rows: 1_000_000, bytes: 500_000_000 }
    }
}

/// Why a version was not written. The engine sees it as a fault of the store.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DatasetWriteError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Parquet(#[from] ParquetError),
    #[error(transparent)]
    Arrow(#[from] arrow::error::ArrowError),
    /// A row with more text than [`MAX_ROW_TEXT`].
    #[error("row {id} holds {bytes} bytes of text, more than a column can take")]
    RowTooLarge { id: String, bytes: usize },
    /// A condition that should always hold does not.
    #[error("{0}")]
    Refused(String),
}

impl From<DatasetWriteError> for Fault {
    fn from(error: DatasetWriteError) -> Self {
        let kind = if is_full(&error) { FaultKind::StoreFull } else { FaultKind::Store };
        Self::new(kind, format!("could not write the dataset: {error}"))
    }
}

/// Whether the error, or one of its causes, is a full disk.
fn is_full(error: &(dyn std::error::Error + 'static)) -> bool {
    use io::ErrorKind::{QuotaExceeded, StorageFull};
    let full = |e: &io::Error| matches!(e.kind(), StorageFull | QuotaExceeded);
    std::iter::successors(Some(error), |error| error.source())
        .any(|error| error.downcast_ref::<io::Error>().is_some_and(full))
}

/// Writes the files of one split.
pub(crate) struct SplitWriter {
    /// The directory of the draft.
    dir: PathBuf,
    split: DatasetSplit,
    shape: TableShape,
    limits: ShardLimits,
    /// The file that is being written. None before the first row, and after a file was closed.
    open: Option<OpenShard>,
    /// The files that are complete. Their names are temporary until [`SplitWriter::finish`].
    done: Vec<FileEntry>,
}

/// A Parquet file that is being written.
struct OpenShard {
    writer: ArrowWriter<HashingFile>,
    /// Rows in this file so far.
    rows: u64,
}

impl SplitWriter {
    /// A writer of rows of a dataset, without a file. The first file is created with the first row.
    pub(super) fn new(
        dir: &Path,
        split: DatasetSplit,
        format: RowFormat,
        limits: ShardLimits,
    ) -> Self {
        Self::of_table(dir, split, TableShape::of(format), limits)
    }

    /// A writer of rows of any table, without a file.
    pub(crate) fn of_table(
        dir: &Path,
        split: DatasetSplit,
        shape: TableShape,
        limits: ShardLimits,
    ) -> Self {
        Self { dir: dir.to_owned(), split, shape, limits, open: None, done: Vec::new() }
    }

    /// Appends rows in their order. Fails if a row is of another format or has too much text.
    pub(super) fn push(&mut self, rows: &[&DatasetRow]) -> Result<(), DatasetWriteError> {
        let cells: Result<Vec<_>, _> =
            rows.iter().map(|row| checked(self.shape.schema, row)).collect();
        self.push_cells(&cells?)
    }

    /// Appends rows, each as the cells of its columns. It splits them where a batch or a file is full.
    /// A row must have no more text than a column can take.
    pub(crate) fn push_cells(
        &mut self,
        mut rows: &[CellValue<'_>],
    ) -> Result<(), DatasetWriteError> {
        while !rows.is_empty() {
            // How many rows the open file may still take. At least one, so that the loop makes
            // progress.
            let room = match &self.open {
                Some(shard) => self.limits.rows.saturating_sub(shard.rows).max(1),
                None => self.limits.rows.max(1),
            };
            let room = usize::try_from(room).unwrap_or(usize::MAX);
            let (now, later) = rows.split_at(batch_length(rows).min(room));
            self.append(now)?;
            rows = later;
        }
        Ok(())
    }

    /// Writes one batch and closes the file if it has reached a limit.
    fn append(&mut self, rows: &[CellValue<'_>]) -> Result<(), DatasetWriteError> {
        let mut shard = match self.open.take() {
            Some(shard) => shard,
            None => self.begin()?,
        };
        shard.writer.write(&to_batch(self.shape, rows)?)?;
        shard.rows += rows.len() as u64;
        // The bytes that were written and those of the row group that is still in memory.
        let bytes = shard.writer.bytes_written() + shard.writer.in_progress_size();
        if shard.rows >= self.limits.rows || bytes as u64 >= self.limits.bytes {
            self.end(shard)
        } else {
            self.open = Some(shard);
            Ok(())
        }
    }

    /// Creates the next file under its temporary name.
    fn begin(&self) -> Result<OpenShard, DatasetWriteError> {
        let file = HashingFile::create(&self.dir.join(self.part_name(self.done.len())))?;
        // The Arrow schema is not put into the file, so that every reader derives the same types
        // from the Parquet schema.
        let options = ArrowWriterOptions::new()
            .with_properties(properties(self.shape)?)
            .with_skip_arrow_metadata(true);
        let writer = ArrowWriter::try_new_with_options(file, table_schema(self.shape), options)?;
        Ok(OpenShard { writer, rows: 0 })
    }

    /// Closes a file and records its size and checksum. The content is then on the disk.
    fn end(&mut self, shard: OpenShard) -> Result<(), DatasetWriteError> {
        let (bytes, sha256) = shard.writer.into_inner()?.finish()?;
        self.done.push(FileEntry {
            path: self.part_name(self.done.len()),
            bytes,
            sha256,
            rows: Some(shard.rows),
            split: Some(self.split),
        });
        Ok(())
    }

    /// Closes the last file and gives each file its final name. A split without rows gets an empty
    /// file too, so that a program that loads all splits finds all of them.
    pub(crate) fn finish(mut self) -> Result<Vec<FileEntry>, DatasetWriteError> {
        if self.open.is_none() && self.done.is_empty() {
            self.open = Some(self.begin()?);
        }
        if let Some(shard) = self.open.take() {
            self.end(shard)?;
        }
        let count = self.done.len();
        for (index, file) in self.done.iter_mut().enumerate() {
            let name = shard_name(self.split, index, count);
            std::fs::rename(self.dir.join(&file.path), self.dir.join(&name))?;
            file.path = name;
        }
        Ok(self.done)
    }

    // The temporary name of a file, such as `train-00000.part`. The final name contains the number
    // of files, which is known only at the end.
    fn part_name(&self, index: usize) -> String {
        format!("{}-{index:05}.part", self.split.as_str())
    }
}

/// The final name of a file: `train.parquet`, or `train-00000-of-00003.parquet` if there are
/// several.
fn shard_name(split: DatasetSplit, index: usize, count: usize) -> String {
    match count {
        1 => format!("{}.parquet", split.as_str()),
        _ => numbered_name(split, index, count),
    }
}

/// The name of a file with its number, also if it is the only one: `train-00000-of-00001.parquet`.
pub(crate) fn numbered_name(split: DatasetSplit, index: usize, count: usize) -> String {
    format!("{}-{index:05}-of-{count:05}.parquet", split.as_str())
}

/// The cells of a row. Fails if it is of another format than the file, or has too much text.
fn checked<'a>(schema: &str, row: &'a DatasetRow) -> Result<CellValue<'a>, DatasetWriteError> {
    if row.format().schema() != schema {
        let (id, format) = (row.id(), RowFormat::of(schema).unwrap_or_default().as_str());
        return Err(DatasetWriteError::Refused(format!("the row {id} is no {format}")));
    }
    let cells = row.to_cell();
    let bytes = text_bytes(&cells);
    if bytes > MAX_ROW_TEXT {
        return Err(DatasetWriteError::RowTooLarge { id: row.id().to_owned(), bytes });
    }
    Ok(cells)
}

/// How many of the first rows fit into one batch: at least one.
fn batch_length(rows: &[CellValue<'_>]) -> usize {
    let mut total = 0;
    for (taken, row) in rows.iter().enumerate() {
        total += text_bytes(row);
        if total > BATCH_TEXT && taken > 0 {
            return taken;
        }
    }
    rows.len()
}

/// The options of a Parquet file.
fn properties(shape: TableShape) -> Result<WriterProperties, ParquetError> {
    let note = |key: &str, value: &str| KeyValue::new(key.to_owned(), value.to_owned());
    let builder = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL)?))
        .set_content_defined_chunking(Some(CdcOptions::default()))
        .set_max_row_group_row_count(None)
        .set_max_row_group_bytes(Some(ROW_GROUP_BYTES))
        .set_created_by(format!("synthd version {}", env!("CARGO_PKG_VERSION")))
        .set_key_value_metadata(Some(vec![
            note("synthd.row_schema", shape.schema),
            note("synthd.version", env!("CARGO_PKG_VERSION")),
        ]));
    let builder = long_texts(shape).into_iter().fold(builder, |builder, path| {
        builder.set_column_dictionary_enabled(ColumnPath::new(path), false)
    });
    Ok(builder.build())
}
