//! Datasets of both formats in the hands of other people's readers. The tests write them where
//! `SYNTHD_DATASET_FIXTURE_DIR` says, and load them with the Python that `SYNTHD_TEST_PYTHON` names;
//! without one they are written and verified only.

use super::super::fixture::{FixtureJournal, completion, completion_record, edition, row, write};
use super::super::{ParquetSink, ShardLimits, json_schema, verify};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use synthd_actors::model::{DatasetRow, DatasetSplit, RowFormat};
use synthd_actors::ports::{DatasetSink, DatasetWriteRequest};
use tempfile::tempdir;

/// Loads a version with `tests/python/check_dataset.py`, which compares this row in it.
fn check(dir: &Path, version: &str, row: &DatasetRow) {
    verify(Path::new(version)).unwrap();
    let kind = row.format().as_str();
    let (shown, schema) =
        (dir.join(format!("{kind}.json")), dir.join(format!("{kind}.schema.json")));
    fs::write(&shown, serde_json::to_string_pretty(row).unwrap()).unwrap();
    fs::write(&schema, json_schema(row.format()).to_string()).unwrap();
    let Some(python) = std::env::var_os("SYNTHD_TEST_PYTHON") else { return };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/check_dataset.py");
    let output =
        Command::new(python).arg(script).arg(version).arg(shown).arg(schema).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

/// Where the datasets are written.
fn directory(own: &Path) -> PathBuf {
    std::env::var_os("SYNTHD_DATASET_FIXTURE_DIR").map_or_else(|| own.to_owned(), PathBuf::from)
}

#[tokio::test]
async fn other_readers_load_trajectories() {
    let own = tempdir().unwrap();
    let dir = directory(own.path());
    let journal = FixtureJournal::numbered(120);
    let limits = ShardLimits { rows: 40, ..Default::default() };
    let sharded = ParquetSink::with_limits(&dir.join("sharded"), limits);
    let sharded = sharded.write(edition(&journal)).await.unwrap().record;
    check(&dir, &sharded.path, &row(5).into());
    check(&dir, &write(&dir.join("whole"), &journal).await.path, &row(5).into());
    // The same rows without the ones that reach validation and test: two empty splits.
    let few = FixtureJournal::numbered(20);
    let record = write(&dir.join("train-only"), &few).await;
    assert_eq!(record.rows[&DatasetSplit::Test], 0);
    verify(Path::new(&record.path)).unwrap();
}

#[tokio::test]
async fn other_readers_load_completions() {
    let own = tempdir().unwrap();
    let dir = directory(own.path());
    let rows = (0..120).map(completion_record).collect::<Vec<_>>().into();
    let journal = Arc::new(FixtureJournal { rows, ..FixtureJournal::default() });
    let edition = DatasetWriteRequest { format: RowFormat::Completion, ..edition(&journal) };
    let sink = ParquetSink::new(&dir.join("completions"));
    let written = sink.write(edition).await.unwrap().record;
    check(&dir, &written.path, &completion(5).into());
}
