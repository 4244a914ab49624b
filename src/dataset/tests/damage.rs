//! What verification reports of damaged and forged datasets. No bytes of a file may end the process.

use super::super::fixture::{
    FixtureJournal, FixtureReview, completion, record, reviewed, row, within, write,
};
use super::super::manifest::{pretty, sha256_of};
use super::super::read::for_each_row;
use super::super::writer::{ShardLimits, SplitWriter};
use super::super::{DatasetManifest, ParquetSink, inspect, stats, verify};
use crate::error::{Code, Error};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::error::Error as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use synthd_actors::model::{DatasetRow, DatasetSplit, RowFormat, RowRecord};
use synthd_actors::ports::DatasetSink;
use tempfile::{TempDir, tempdir};

async fn dataset() -> (TempDir, PathBuf) {
    let dir = tempdir().unwrap();
    let record = write(dir.path(), &FixtureJournal::numbered(40)).await;
    let path = PathBuf::from(record.path);
    (dir, path)
}

async fn dataset_of(rows: Vec<RowRecord>) -> (TempDir, PathBuf) {
    let dir = tempdir().unwrap();
    let journal = Arc::new(FixtureJournal { rows: rows.into(), ..FixtureJournal::default() });
    let review = FixtureReview { rejections: BTreeMap::new(), ..FixtureReview::default() };
    let edition = reviewed(&journal, review);
    let record = ParquetSink::new(dir.path()).write(edition).await.unwrap().record;
    let path = PathBuf::from(record.path);
    (dir, path)
}

fn problems(dir: &Path) -> Vec<String> {
    inspect(dir).unwrap().problems.found.iter().map(ToString::to_string).collect()
}

/// Makes the manifest agree with the files again, as an attacker would.
fn relist(dir: &Path) {
    let path = dir.join("manifest.json");
    let mut manifest: DatasetManifest = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    for file in &mut manifest.files {
        file.bytes = fs::metadata(dir.join(&file.path)).unwrap().len();
        file.sha256 = sha256_of(&dir.join(&file.path)).unwrap();
    }
    fs::write(path, pretty(&manifest).unwrap()).unwrap();
}

fn code(result: Result<impl Sized, Error>) -> Code {
    result.err().unwrap().code()
}

#[tokio::test]
async fn what_has_no_manifest_is_no_dataset() {
    let dir = tempdir().unwrap();
    for path in [dir.path().to_owned(), dir.path().join("nothing")] {
        assert_eq!(code(verify(&path)), Code::NotADataset);
        assert_eq!(code(stats(&path)), Code::NotADataset);
    }
    let file = dir.path().join("file");
    fs::write(&file, "x").unwrap();
    assert_eq!(code(verify(&file)), Code::NotADataset);
    fs::write(dir.path().join("manifest.json"), "{").unwrap();
    assert_eq!(code(verify(dir.path())), Code::DatasetDamaged);
}

#[tokio::test]
async fn all_findings_are_told_at_once() {
    let (_keep, dir) = dataset().await;
    fs::remove_file(dir.join("test.parquet")).unwrap();
    fs::write(dir.join("stray.txt"), "x").unwrap();
    let mut bytes = fs::read(dir.join("train.parquet")).unwrap();
    bytes[100] ^= 1;
    fs::write(dir.join("train.parquet"), bytes).unwrap();
    let error = verify(&dir).unwrap_err();
    assert_eq!(error.code(), Code::DatasetDamaged);
    assert!(error.to_string().ends_with(": 3 problems"), "{error}");
    let told = error.source().unwrap().to_string();
    for part in ["stray.txt: not listed", "test.parquet: cannot be read", "train.parquet: sha256"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert!(error.hint_text().is_some());
}

#[tokio::test]
async fn a_wrong_length_is_named() {
    let (_keep, dir) = dataset().await;
    let bytes = fs::read(dir.join("train.parquet")).unwrap();
    fs::write(dir.join("train.parquet"), &bytes[..bytes.len() - 1]).unwrap();
    assert!(problems(&dir)[0].contains("bytes, but"), "{:?}", problems(&dir));
}

#[tokio::test]
async fn rows_that_break_their_rules_are_named() {
    let mut rows: Vec<_> = (0..6).map(record).collect();
    within(&mut rows[1]).trajectory[0].action.arguments = "no json".to_owned();
    within(&mut rows[2]).schema_version = "other/9".to_owned();
    within(&mut rows[3]).trajectory_id = rows[0].row.id().to_owned();
    rows[4].split = DatasetSplit::Test;
    let (_keep, dir) = dataset_of(rows).await;
    let told = problems(&dir);
    let wanted = [
        "train.parquet, row 1: arguments of step 0 are not a JSON object",
        "train.parquet, row 2: schema_version is \"other/9\", not \"synthd.trajectory/2\"",
        "train.parquet, row 3: trajectory_id \"ep-0000000000000000\" is already train.parquet, row 0",
        "test.parquet, row 0: task \"shell/rename@00000001\" is in test and in train",
    ];
    assert_eq!(told, wanted);
}

#[tokio::test]
async fn swapped_splits_and_false_figures_are_noticed_even_when_checksums_agree() {
    let (_keep, dir) = dataset().await;
    let swap = dir.join("swap");
    fs::rename(dir.join("test.parquet"), &swap).unwrap();
    fs::rename(dir.join("validation.parquet"), dir.join("test.parquet")).unwrap();
    fs::rename(&swap, dir.join("validation.parquet")).unwrap();
    relist(&dir);
    assert!(!problems(&dir).is_empty());

    let (_keep, dir) = dataset().await;
    let path = dir.join("metadata.json");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("synthd.trajectory/2", "synthd.trajectory/1")).unwrap();
    relist(&dir);
    let told = problems(&dir);
    assert!(told.iter().any(|m| m.contains("or row_schema is not the manifest's")), "{told:?}");

    let (_keep, dir) = dataset().await;
    let path = dir.join("metadata.json");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replacen("\"resolved\": ", "\"resolved\": 1", 1)).unwrap();
    relist(&dir);
    let told = problems(&dir);
    assert!(told.iter().any(|m| m.contains("totals.outcomes.resolved is")), "{told:?}");
}

#[tokio::test]
async fn another_schema_is_described_column_by_column() {
    use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
    let (_keep, dir) = dataset().await;
    let columns: [(&str, ArrayRef); 2] = [
        ("schema_version", Arc::new(StringArray::from(vec!["x"]))),
        ("id", Arc::new(Int64Array::from(vec![1]))),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let file = fs::File::create(dir.join("test.parquet")).unwrap();
    let mut writer = parquet::arrow::ArrowWriter::try_new(file, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    relist(&dir);
    let told = problems(&dir).join("\n");
    assert!(told.contains("column 1 is id, not trajectory_id"), "{told}");
    assert!(told.contains("column campaign is missing"), "{told}");
    assert_eq!(code(stats(&dir)), Code::DatasetDamaged);
}

#[tokio::test]
async fn a_manifest_that_points_elsewhere_is_not_followed() {
    let (_keep, dir) = dataset().await;
    let path = dir.join("manifest.json");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("\"train.parquet\"", "\"../v1/train.parquet\"")).unwrap();
    let told = problems(&dir);
    assert!(told.iter().any(|m| m.contains("not a plain file name")), "{told:?}");
    assert_eq!(code(stats(&dir)), Code::DatasetDamaged);
}

#[tokio::test]
async fn stats_recount_what_metadata_says() {
    let (_keep, dir) = dataset().await;
    let stats = stats(&dir).unwrap();
    let text = fs::read_to_string(dir.join("metadata.json")).unwrap();
    let metadata: super::super::DatasetMetadata = serde_json::from_str(&text).unwrap();
    assert_eq!(stats.figures, metadata.figures);
    assert!(serde_json::to_value(&stats).unwrap()["totals"]["cost_usd"].is_string());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_bytes_end_the_process(
        flips in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..6),
        footer_only in any::<bool>(),
        cut in proptest::option::of(any::<proptest::sample::Index>()),
        is_completion in any::<bool>(),
    ) {
        static FILES: std::sync::OnceLock<[Vec<u8>; 2]> = std::sync::OnceLock::new();
        let files = FILES.get_or_init(|| RowFormat::ALL.map(sound_file));
        let mut bytes = files[usize::from(is_completion)].clone();
        let from = if footer_only { bytes.len() * 3 / 4 } else { 0 };
        for (index, value) in &flips {
            let length = bytes.len() - from;
            bytes[from + index.index(length)] = *value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let dir = tempdir().unwrap();
        let path = dir.path().join("hostile.parquet");
        fs::write(&path, &bytes).unwrap();
        // Whatever comes of it, it comes back.
        let outcome = for_each_row(&path, RowFormat::ALL[usize::from(is_completion)], |_, _| ());
        prop_assert!(outcome.is_ok() || outcome.is_err());
    }
}

/// The bytes of a whole file with rows of this format.
fn sound_file(format: RowFormat) -> Vec<u8> {
    let dir = tempdir().unwrap();
    let split = DatasetSplit::Train;
    let mut writer = SplitWriter::new(dir.path(), split, format, ShardLimits::default());
    let row = |n| match format {
        RowFormat::Trajectory => row(n).into(),
        RowFormat::Completion => completion(n).into(),
    };
    let rows: Vec<DatasetRow> = (0..40).map(row).collect();
    writer.push(&rows.iter().collect::<Vec<_>>()).unwrap();
    writer.finish().unwrap();
    fs::read(dir.path().join("train.parquet")).unwrap()
}
