//! Versions and rows of the first format, `synthd.trajectory/1`: read as they are, carried over
//! where they are written again, and no format that is unknown is half read.

use super::super::batch::to_batch;
use super::super::first_format::{FIRST_FORMAT, FirstFormatRow};
use super::super::fixture::{FixtureJournal, completion, edition, record, row, within};
use super::super::manifest::pretty;
use super::super::read::{check_schema, from_batch};
use super::super::schema::{TableShape, earlier_schemas};
use super::super::{DatasetFigures, DatasetManifest, ParquetSink, stats, verify};
use crate::error::Code;
use arrow::array::{Array, ArrayRef, ListArray, RecordBatch, StructArray};
use arrow::datatypes::{DataType, Field, Schema};
use std::error::Error as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use synthd_actors::model::{CellValue, DatasetRow, ROW_SCHEMA, RowFormat};
use synthd_actors::ports::DatasetSink;
use tempfile::tempdir;

/// A version that synthd wrote before the format had a second edition.
fn older() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/older-dataset/v1")
}

#[test]
fn a_version_of_the_first_format_is_whole() {
    let report = verify(&older()).unwrap();
    assert_eq!((report.rows, report.files, report.campaign.as_str()), (9, 5, "older"));
    let figures = stats(&older()).unwrap().figures;
    let DatasetFigures::Trajectory(figures) = figures else { panic!("{figures:?}") };
    assert_eq!((figures.totals.rows, figures.totals.outcomes.resolved), (9, 8));
}

#[test]
fn its_rows_read_with_null_where_it_has_no_column() {
    let mut rows = Vec::new();
    let path = older().join("train.parquet");
    super::super::read::for_each_row(&path, RowFormat::Trajectory, |_, row| {
        rows.push(row.as_trajectory().unwrap().clone());
    })
    .unwrap();
    assert!(rows.iter().all(|row| row.schema_version == FIRST_FORMAT));
    assert!(rows.iter().all(|row| row.sampling.is_none() && row.pass_rate.is_none()));
    let mut steps = rows.iter().flat_map(|row| &row.trajectory);
    assert!(steps.all(|step| step.model_ms.is_none()));
}

/// A version of edition 2: it has `template_digest`, and no messages.
#[test]
fn a_version_of_an_earlier_edition_is_whole_and_has_null_for_newer_columns() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/second-edition/v1");
    let report = verify(&dir).unwrap();
    assert_eq!((report.rows, report.files, report.campaign.as_str()), (6, 5, "older2"));
    let mut rows = Vec::new();
    super::super::read::for_each_row(
        &dir.join("train.parquet"),
        RowFormat::Trajectory,
        |_, row| {
            rows.push(row.as_trajectory().unwrap().clone());
        },
    )
    .unwrap();
    assert!(!rows.is_empty());
    for row in rows {
        assert!(row.template_digest.is_some());
        assert_eq!((&row.messages, &row.tools, row.calls), (&None, &None, None));
        let mut steps = row.trajectory.iter();
        assert!(steps.all(|step| step.finish_reason.is_none() && step.calls.is_none()));
    }
}

/// An array with only the columns that a field of an earlier edition has.
fn cut(array: &ArrayRef, field: &Field) -> ArrayRef {
    match field.data_type() {
        DataType::Struct(fields) => {
            let table = array.as_any().downcast_ref::<StructArray>().unwrap();
            let columns = fields.iter().map(|field| {
                let column = table.column_by_name(field.name()).unwrap();
                cut(column, field)
            });
            let columns: Vec<ArrayRef> = columns.collect();
            Arc::new(StructArray::new(fields.clone(), columns, table.nulls().cloned()))
        }
        DataType::List(item) => {
            let lists = array.as_any().downcast_ref::<ListArray>().unwrap();
            let items = cut(lists.values(), item);
            let (offsets, nulls) = (lists.offsets().clone(), lists.nulls().cloned());
            Arc::new(ListArray::new(item.clone(), offsets, items, nulls))
        }
        _ => array.clone(),
    }
}

/// The rows as a file of this edition has them.
fn in_edition(rows: &[DatasetRow], format: RowFormat, schema: &Schema) -> RecordBatch {
    let cells: Vec<CellValue<'_>> = rows.iter().map(DatasetRow::to_cell).collect();
    let whole = to_batch(TableShape::of(format), &cells).unwrap();
    let columns = schema.fields().iter().map(|field| {
        let column = whole.column_by_name(field.name()).unwrap();
        cut(column, field)
    });
    RecordBatch::try_new(Arc::new(schema.clone()), columns.collect()).unwrap()
}

/// Every edition of both formats: a file of it is known, is read, and loses nothing of what it has.
#[test]
fn rows_of_every_earlier_edition_are_read() {
    for format in RowFormat::ALL {
        let rows: Vec<DatasetRow> = match format {
            RowFormat::Trajectory => (0..12).map(|n| row(n).into()).collect(),
            RowFormat::Completion => (0..12).map(|n| completion(n).into()).collect(),
        };
        let mut schemas = earlier_schemas(format);
        if format == RowFormat::Trajectory {
            // The first format, of which a version is kept.
            schemas.pop();
        }
        for (at, schema) in schemas.iter().enumerate() {
            check_schema(format, schema).unwrap();
            let file = in_edition(&rows, format, schema);
            let read = from_batch(format, &file, 0).unwrap();
            let ids = |rows: &[DatasetRow]| -> Vec<String> {
                rows.iter().map(|row| row.id().to_owned()).collect()
            };
            assert_eq!(ids(&read), ids(&rows), "{format:?} {at}");
            assert_eq!(in_edition(&read, format, schema), file, "{format:?} {at}");
        }
    }
}

#[test]
fn a_format_from_elsewhere_is_refused_with_the_reason() {
    let dir = tempdir().unwrap();
    for file in fs::read_dir(older()).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), dir.path().join(file.file_name())).unwrap();
    }
    let path = dir.path().join("manifest.json");
    let manifest: DatasetManifest = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let newer = DatasetManifest { row_schema: "synthd.trajectory/9".to_owned(), ..manifest };
    fs::write(&path, pretty(&newer).unwrap()).unwrap();
    // A newer manifest may lack what this one has.
    let bare = r#"{"schema":"synthd.manifest/9","row_schema":"synthd.trajectory/9"}"#;
    for text in [None, Some(bare)] {
        if let Some(text) = text {
            fs::write(&path, text).unwrap();
        }
        for error in [verify(dir.path()).err(), stats(dir.path()).err()] {
            let error = error.unwrap();
            assert_eq!(error.code(), Code::DatasetFormat);
            assert!(error.to_string().contains("synthd.trajectory/9"), "{error}");
            let reason = error.source().unwrap().to_string();
            assert!(reason.contains(FIRST_FORMAT) && reason.contains(ROW_SCHEMA), "{reason}");
        }
    }
}

#[tokio::test]
async fn stored_rows_of_the_first_format_are_carried_over_whole() {
    let dir = tempdir().unwrap();
    let rows = (0..9).map(|n| {
        let mut record = record(n);
        within(&mut record).schema_version = FIRST_FORMAT.to_owned();
        // As the store of an older engine has it.
        let text = serde_json::to_string(&FirstFormatRow(within(&mut record))).unwrap();
        record.row = serde_json::from_str::<DatasetRow>(&text).unwrap();
        record
    });
    let journal = Arc::new(FixtureJournal {
        rows: rows.collect::<Vec<_>>().into(),
        ..FixtureJournal::default()
    });
    let written = ParquetSink::new(dir.path()).write(edition(&journal)).await.unwrap().record;
    let report = verify(Path::new(&written.path)).unwrap();
    assert!(report.rows > 0);
    let manifest = fs::read_to_string(Path::new(&written.path).join("manifest.json")).unwrap();
    assert!(manifest.contains(ROW_SCHEMA) && !manifest.contains(FIRST_FORMAT), "{manifest}");
    let again = ParquetSink::new(dir.path()).write(edition(&journal)).await.unwrap();
    assert_eq!((again.record, again.new), (written, None));
}
