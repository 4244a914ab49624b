//! Reads Parquet files as rows, without trusting the files. [`for_each_row`] is what `verify` and
//! `stats` call.
//!
//! A file must have a known schema before a value is read. If the Parquet reader panics because of
//! damaged bytes, this is an error of the file and does not end the process. Files of the first
//! format, and of earlier editions of a format, lack some columns; their values are then unknown.

use super::array_reader::ArrayReader;
use super::schema::{earlier_schemas, row_schema};
use arrow::array::{Array, RecordBatch, StructArray};
use arrow::datatypes::{Field, FieldRef, Schema};
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use synthd_actors::model::{CellError, DatasetRow, RowFormat};

/// How many rows are decoded at once. A long trajectory takes megabytes.
const BATCH_ROWS: usize = 64;

/// Why a file gave no rows, or stopped giving rows.
#[derive(Debug, thiserror::Error)]
pub(super) enum ParquetReadError {
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("not readable as parquet: {0}")]
    Parquet(#[from] parquet::errors::ParquetError),
    #[error("not readable as arrow: {0}")]
    Arrow(#[from] arrow::error::ArrowError),
    /// The differences from the schema, one sentence for each column.
    #[error("the schema is not the canonical one: {}", .0.join("; "))]
    Schema(Vec<String>),
    /// A value that cannot be right. `from` is the number of the first row of its batch.
    #[error("column {column}, among the rows from {from} on: {message}")]
    Value { column: String, from: u64, message: String },
    /// The array of this column has another type than the schema says.
    #[error("column {0} is not of its declared type")]
    Column(String),
    /// The Parquet reader panicked.
    #[error("the parquet reader gave up on corrupt bytes")]
    Panicked,
}

/// Passes each row of a file with its number (from zero) to `each`, and returns how many rows there
/// were. The file must be of this format. After an error, `each` may have seen some of the rows
/// already.
pub(super) fn for_each_row(
    path: &Path,
    format: RowFormat,
    mut each: impl FnMut(u64, DatasetRow),
) -> Result<u64, ParquetReadError> {
    catch_unwind(AssertUnwindSafe(|| read_rows(path, format, &mut each)))
        .unwrap_or(Err(ParquetReadError::Panicked))
}

/// Like [`for_each_row`], without catching panics.
fn read_rows(
    path: &Path,
    format: RowFormat,
    each: &mut impl FnMut(u64, DatasetRow),
) -> Result<u64, ParquetReadError> {
    // The Arrow schema that a writer may put into a file is ignored. The types come from the
    // Parquet schema.
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let file = File::open(path)?;
    let reader = ParquetRecordBatchReaderBuilder::try_new_with_options(file, options)?;
    check_schema(format, reader.schema())?;
    let mut seen = 0;
    // One batch at a time, so that memory does not grow with the file.
    for batch in reader.with_batch_size(BATCH_ROWS).build()? {
        for row in from_batch(format, &batch?, seen)? {
            each(seen, row);
            seen += 1;
        }
    }
    Ok(seen)
}

/// Fails if a file has none of the known schemas: the present one, those of earlier editions, and
/// that of the first format. The error names the differences from the present schema.
pub(super) fn check_schema(format: RowFormat, found: &Schema) -> Result<(), ParquetReadError> {
    let differences = schema_differences(&row_schema(format), found);
    let is_of = |schema: &Schema| schema_differences(schema, found).is_empty();
    if differences.is_empty() || earlier_schemas(format).iter().any(is_of) {
        return Ok(());
    }
    Err(ParquetReadError::Schema(differences))
}

/// How a file's schema differs from the wanted one, one sentence for each column. Columns are
/// compared by position.
pub(super) fn schema_differences(wanted: &Schema, found: &Schema) -> Vec<String> {
    let count = wanted.fields().len().max(found.fields().len());
    (0..count)
        .filter_map(|i| difference(i, wanted.fields().get(i), found.fields().get(i)))
        .collect()
}

/// How the columns at one position differ. None if they are equal.
fn difference(
    position: usize,
    wanted: Option<&FieldRef>,
    found: Option<&FieldRef>,
) -> Option<String> {
    match (wanted, found) {
        (Some(w), None) => Some(format!("column {} is missing", w.name())),
        (None, Some(f)) => Some(format!("column {} does not belong here", f.name())),
        (Some(w), Some(f)) if w.name() != f.name() => {
            Some(format!("column {position} is {}, not {}", f.name(), w.name()))
        }
        (Some(w), Some(f)) if !same(w, f) => {
            Some(format!("column {} is {}, not {}", w.name(), kind(f), kind(w)))
        }
        _ => None,
    }
}

/// Whether two fields have the same type and the same nullability.
fn same(wanted: &Field, found: &Field) -> bool {
    wanted.data_type() == found.data_type() && wanted.is_nullable() == found.is_nullable()
}

/// The type of a field, for a message.
fn kind(field: &Field) -> String {
    let null = if field.is_nullable() { "nullable " } else { "" };
    format!("{null}{}", field.data_type())
}

/// The rows of a batch. `first` is the number of its first row in the file, for messages.
pub(super) fn from_batch(
    format: RowFormat,
    batch: &RecordBatch,
    first: u64,
) -> Result<Vec<DatasetRow>, ParquetReadError> {
    let table = StructArray::from(batch.clone());
    let reader = ArrayReader::of_columns(format.columns(), &table)?;
    let wrong = |CellError { column, message }: CellError| ParquetReadError::Value {
        column,
        from: first,
        message,
    };
    (0..table.len())
        .map(|at| reader.cell(at).and_then(|cell| format.row(cell)).map_err(wrong))
        .collect()
}
