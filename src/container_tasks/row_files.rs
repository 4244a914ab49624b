//! Files with rows: one JSON object a line, or Parquet. What is read is bounded, and a file that is
//! broken is an error and nothing worse.

use super::swe_row::SweRow;
use arrow::array::{Array, LargeStringArray, ListArray, RecordBatch, StringArray};
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use serde_json::{Map, Value};
use std::error::Error;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// The most bytes of a line.
const MOST_LINE: u64 = 32 << 20;
/// The most rows of a file.
const MOST_ROWS: usize = 100_000;
/// How many rows of Parquet are decoded at once.
const BATCH: usize = 64;

/// A row by its place, such as `line 3`: the row, or everything that is wrong with it.
pub(super) type PlacedRow = (String, Result<SweRow, String>);

/// The rows of a file, by the ending of its name. Err says why the file cannot be read.
pub(super) fn read_rows(path: &Path) -> Result<Vec<PlacedRow>, String> {
    let facts = std::fs::metadata(path).map_err(|error| error.to_string())?;
    // To open a pipe would wait for its other end.
    if !facts.is_file() {
        return Err("is no regular file".to_owned());
    }
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    match ending {
        "jsonl" | "ndjson" => read_lines(path),
        "parquet" => catch_unwind(AssertUnwindSafe(|| read_parquet(path)))
            .unwrap_or_else(|_| Err("is corrupt, and no Parquet".to_owned())),
        _ => Err("has neither the ending .jsonl nor .parquet".to_owned()),
    }
}

/// One JSON object a line. An empty line is no row.
fn read_lines(path: &Path) -> Result<Vec<PlacedRow>, String> {
    let mut reader = BufReader::new(File::open(path).map_err(|error| error.to_string())?);
    let (mut rows, mut line) = (Vec::new(), Vec::new());
    for number in 1_usize.. {
        line.clear();
        let read = reader.by_ref().take(MOST_LINE + 1).read_until(b'\n', &mut line);
        if read.map_err(|error| error.to_string())? == 0 {
            break;
        }
        if line.len() as u64 > MOST_LINE {
            return Err(format!("line {number} is longer than {} MiB", MOST_LINE >> 20));
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        bounded(rows.len())?;
        rows.push((format!("line {number}"), of_line(&line)));
    }
    Ok(rows)
}

fn of_line(line: &[u8]) -> Result<SweRow, String> {
    match serde_json::from_slice(line) {
        Ok(Value::Object(row)) => of_map(&row),
        Ok(_) => Err("is no JSON object".to_owned()),
        Err(error) => Err(format!("is no JSON: {error}")),
    }
}

fn of_map(row: &Map<String, Value>) -> Result<SweRow, String> {
    SweRow::read(row).map_err(|problems| problems.join("; "))
}

/// Fails if there are as many rows as a file may have.
fn bounded(rows: usize) -> Result<(), String> {
    match rows < MOST_ROWS {
        true => Ok(()),
        false => Err(format!("has more than {MOST_ROWS} rows")),
    }
}

/// The rows of Parquet: columns of texts, and of lists of texts. Other columns are not read.
fn read_parquet(path: &Path) -> Result<Vec<PlacedRow>, String> {
    let file = File::open(path).map_err(told)?;
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let reader =
        ParquetRecordBatchReaderBuilder::try_new_with_options(file, options).map_err(told)?;
    let batches = reader.with_batch_size(BATCH).build().map_err(told)?;
    let mut rows = Vec::new();
    for batch in batches {
        let batch = batch.map_err(told)?;
        for at in 0..batch.num_rows() {
            bounded(rows.len())?;
            rows.push((format!("row {}", rows.len() + 1), of_map(&map_of(&batch, at))));
        }
    }
    Ok(rows)
}

fn told(error: impl Error) -> String {
    error.to_string()
}

/// A row of a batch as a map.
fn map_of(batch: &RecordBatch, at: usize) -> Map<String, Value> {
    let schema = batch.schema();
    let columns = schema.fields().iter().zip(batch.columns());
    let values = columns
        .filter_map(|(field, column)| Some((field.name().clone(), value_at(column.as_ref(), at)?)));
    values.collect()
}

/// The value of a column: a text or a list of texts. None if it is null or something else.
fn value_at(column: &dyn Array, at: usize) -> Option<Value> {
    if column.is_null(at) {
        return None;
    }
    let any = column.as_any();
    if let Some(texts) = any.downcast_ref::<StringArray>() {
        return Some(Value::from(texts.value(at)));
    }
    if let Some(texts) = any.downcast_ref::<LargeStringArray>() {
        return Some(Value::from(texts.value(at)));
    }
    let list = any.downcast_ref::<ListArray>()?.value(at);
    let items = (0..list.len()).filter_map(|item| value_at(list.as_ref(), item));
    Some(Value::Array(items.collect()))
}
