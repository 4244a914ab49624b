//! Which versions come to be, and when none does.

use super::super::fixture::{
    FixtureJournal, FixtureReview, completion_record, edition, record, reviewed, row, write,
};
use super::super::read::for_each_row;
use super::super::sink::{VersionFacts, why_new};
use super::super::{DatasetFigures, DatasetMetadata, ParquetSink, stats, verify};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use synthd_actors::model::{
    CampaignName, DatasetSplit, FaultKind, NewVersion, PassRate, RowFormat,
};
use synthd_actors::ports::{DatasetSink, DatasetWriteRequest};
use tempfile::tempdir;

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let mut names: Vec<_> =
        entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn home(dir: &Path) -> PathBuf {
    dir.join("datasets/fixture")
}

#[tokio::test]
async fn a_version_holds_what_was_accepted_and_says_what_was_not() {
    let dir = tempdir().unwrap();
    let record = write(dir.path(), &FixtureJournal::numbered(100)).await;
    assert_eq!(record.version, 1);
    assert_eq!(record.path, home(dir.path()).join("v1").display().to_string());
    assert_eq!(
        names(Path::new(&record.path)),
        [
            "README.md",
            "croissant.json",
            "manifest.json",
            "metadata.json",
            "test.parquet",
            "train.parquet",
            "validation.parquet"
        ]
    );
    assert_eq!(names(&home(dir.path())), ["README.md", "v1"]);
    assert_eq!(record.rejected["leak"], 14);
    assert_eq!(record.rejected["duplicate"], 1);
    assert_eq!(record.rows.values().sum::<u64>(), 85);
    let report = verify(Path::new(&record.path)).unwrap();
    assert_eq!((report.rows, report.version, report.digest), (85, 1, record.digest));
}

#[tokio::test]
async fn the_stages_add_up() {
    let dir = tempdir().unwrap();
    let record = write(dir.path(), &FixtureJournal::numbered(100)).await;
    let text = fs::read_to_string(Path::new(&record.path).join("metadata.json")).unwrap();
    let metadata: DatasetMetadata = serde_json::from_str(&text).unwrap();
    let stages = metadata.stages;
    assert_eq!((stages.planned, stages.finished, stages.faulted), (102, 102, 2));
    let rejected: u64 = stages.rejected.values().sum();
    assert_eq!(stages.judged, rejected + stages.accepted.values().sum::<u64>());
    assert_eq!(metadata.seed, u64::MAX);
    assert_eq!(metadata.figures.scripted_models(), ["scripted/oracle"]);
}

#[tokio::test]
async fn the_same_rows_are_the_same_version() {
    let dir = tempdir().unwrap();
    let journal = FixtureJournal::numbered(30);
    let first = write(dir.path(), &journal).await;
    journal.datasets.lock().unwrap().push(first.clone());
    let before = fs::metadata(Path::new(&first.path).join("manifest.json")).unwrap();
    assert_eq!(write(dir.path(), &journal).await, first);
    let after = fs::metadata(Path::new(&first.path).join("manifest.json")).unwrap();
    assert_eq!(before.modified().unwrap(), after.modified().unwrap());
    assert_eq!(names(&home(dir.path())), ["README.md", "v1"]);
}

#[tokio::test]
async fn a_version_that_never_reached_the_journal_is_adopted() {
    let dir = tempdir().unwrap();
    let journal = FixtureJournal::numbered(30);
    let written = write(dir.path(), &journal).await;
    let mut later = edition(&journal);
    later.now_ms += 5_000;
    let adopted = ParquetSink::new(dir.path()).write(later).await.unwrap().record;
    assert_eq!(adopted, written);
}

#[tokio::test]
async fn more_rows_or_another_configuration_are_the_next_version() {
    let dir = tempdir().unwrap();
    let journal = FixtureJournal::numbered(30);
    let first = write(dir.path(), &journal).await;
    journal.rows.lock().unwrap().push(record(30));
    let second = write(dir.path(), &journal).await;
    assert_eq!((first.version, second.version), (1, 2));
    let mut other = edition(&journal);
    other.config_digest = "decaf".to_owned();
    let third = ParquetSink::new(dir.path()).write(other).await.unwrap();
    assert_eq!((third.record.version, third.new), (3, Some(NewVersion::Configuration)));
    for version in ["v1", "v2", "v3"] {
        verify(&home(dir.path()).join(version)).unwrap();
    }
}

#[tokio::test]
async fn a_new_version_says_why_it_was_written() {
    let dir = tempdir().unwrap();
    let (sink, journal) = (ParquetSink::new(dir.path()), FixtureJournal::numbered(5));
    let first = sink.write(edition(&journal)).await.unwrap();
    assert_eq!(first.new, Some(NewVersion::First));
    assert_eq!(sink.write(edition(&journal)).await.unwrap().new, None);
    let mut licensed = edition(&journal);
    licensed.licence = "mit".to_owned();
    assert_eq!(sink.write(licensed).await.unwrap().new, Some(NewVersion::Licence));
    let back = sink.write(edition(&journal)).await.unwrap().record;
    journal.rows.lock().unwrap().push(record(5));
    let more = sink.write(edition(&journal)).await.unwrap();
    assert_eq!(more.new, Some(NewVersion::Rows));
    fs::write(Path::new(&more.record.path).join("train.parquet"), "short").unwrap();
    assert_eq!(sink.write(edition(&journal)).await.unwrap().new, Some(NewVersion::Lost));
    // Another format counts before all else: of such rows nothing else compares.
    let text = fs::read_to_string(Path::new(&back.path).join("metadata.json")).unwrap();
    let mut older: DatasetMetadata = serde_json::from_str(&text).unwrap();
    older.row_schema = "synthd.trajectory/1".to_owned();
    older.licence = "mit".to_owned();
    let (_, _, facts) = VersionFacts::of(edition(&journal));
    let why = why_new(back.version, Some(&older), &facts);
    assert_eq!(why, NewVersion::RowFormat);
}

#[tokio::test]
async fn a_number_in_use_is_never_used_again() {
    let dir = tempdir().unwrap();
    let theirs = home(dir.path()).join("v4");
    fs::create_dir_all(&theirs).unwrap();
    fs::write(theirs.join("notes.txt"), "mine").unwrap();
    let journal = FixtureJournal::numbered(3);
    let written = write(dir.path(), &journal).await;
    assert_eq!(written.version, 5);
    assert_eq!(names(&theirs), ["notes.txt"]);
    // Known to the journal, but gone from the disk: the number stays spent.
    journal.datasets.lock().unwrap().push(written.clone());
    fs::remove_dir_all(&written.path).unwrap();
    assert_eq!(write(dir.path(), &journal).await.version, 6);
}

#[tokio::test]
async fn a_torn_version_is_not_taken_for_a_whole_one() {
    let dir = tempdir().unwrap();
    let journal = FixtureJournal::numbered(20);
    let first = write(dir.path(), &journal).await;
    fs::write(Path::new(&first.path).join("train.parquet"), "short").unwrap();
    assert_eq!(write(dir.path(), &journal).await.version, 2);
}

#[tokio::test]
async fn no_rows_still_make_three_readable_splits() {
    let dir = tempdir().unwrap();
    let record = write(dir.path(), &FixtureJournal::numbered(0)).await;
    assert_eq!(record.rows.values().sum::<u64>(), 0);
    assert_eq!(record.rows.len(), DatasetSplit::ALL.len());
    let report = verify(Path::new(&record.path)).unwrap();
    assert_eq!((report.rows, report.files), (0, 6));
}

#[tokio::test]
async fn a_journal_that_repeats_itself_is_a_fault_and_leaves_nothing() {
    let dir = tempdir().unwrap();
    let rows = FixtureJournal { repeats_itself: true, ..FixtureJournal::default() };
    rows.rows.lock().unwrap().extend((0..3).map(record));
    let fault = ParquetSink::new(dir.path()).write(edition(&Arc::new(rows))).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Store);
    assert_eq!(names(&home(dir.path())), Vec::<String>::new());
}

#[tokio::test]
async fn what_cannot_be_written_is_a_fault_that_says_so() {
    let dir = tempdir().unwrap();
    fs::write(dir.path().join("datasets"), "in the way").unwrap();
    let fault = ParquetSink::new(dir.path())
        .write(edition(&FixtureJournal::numbered(1)))
        .await
        .unwrap_err();
    assert!(fault.message.starts_with("could not write the dataset: "), "{fault}");
    let mut outside = edition(&FixtureJournal::numbered(1));
    outside.campaign = CampaignName("../up".to_owned());
    assert!(ParquetSink::new(dir.path()).write(outside).await.is_err());
}

#[tokio::test]
async fn concurrent_writers_of_one_sink_agree() {
    let dir = tempdir().unwrap();
    let sink = ParquetSink::new(dir.path());
    let journal = FixtureJournal::numbered(20);
    let (a, b) = tokio::join!(sink.write(edition(&journal)), sink.write(edition(&journal)));
    let (a, b) = (a.unwrap(), b.unwrap());
    assert_eq!(a.record, b.record);
    assert_eq!((a.new, b.new), (Some(NewVersion::First), None));
}

/// A version of completions is written, verified and counted like one of trajectories.
#[tokio::test]
async fn completions_are_a_dataset_too() {
    let dir = tempdir().unwrap();
    let rows = (0..40).map(completion_record).collect::<Vec<_>>().into();
    let journal = Arc::new(FixtureJournal { rows, ..FixtureJournal::default() });
    let edition = || DatasetWriteRequest { format: RowFormat::Completion, ..edition(&journal) };
    let sink = ParquetSink::new(dir.path());
    let first = sink.write(edition()).await.unwrap();
    assert_eq!(sink.write(edition()).await.unwrap().new, None, "the same rows are no new version");
    let path = Path::new(&first.record.path);
    let report = verify(path).unwrap();
    assert_eq!((report.rows, report.steps), (34, None));
    let counted = stats(path).unwrap().figures;
    let DatasetFigures::Completion(figures) = &counted else { panic!("{counted:?}") };
    assert_eq!((figures.totals.rows, figures.totals.prompts), (34, 14));
    let metadata = fs::read_to_string(path.join("metadata.json")).unwrap();
    let metadata: DatasetMetadata = serde_json::from_str(&metadata).unwrap();
    assert_eq!(metadata.figures, counted);
    assert_eq!(metadata.row_schema, "synthd.completion/1");
}

/// Nothing of a version with rows of two formats is left.
#[tokio::test]
async fn a_row_of_another_format_is_a_fault() {
    let dir = tempdir().unwrap();
    let journal = FixtureJournal::numbered(3);
    journal.rows.lock().unwrap().push(completion_record(7));
    let fault = ParquetSink::new(dir.path()).write(edition(&journal)).await.unwrap_err();
    assert!(fault.message.contains("is no trajectory"), "{fault}");
    assert_eq!(names(&home(dir.path())), Vec::<String>::new());
}

/// A pass rate in the request replaces that of the row. Without one, the row keeps its own.
#[tokio::test]
async fn pass_rates_of_the_edition_are_in_the_files() {
    let dir = tempdir().unwrap();
    let journal = FixtureJournal::numbered(40);
    let rate = |n: i32| PassRate { tries: n + 1, solved: n / 2, low: 1.0 / 3.0, high: 0.1 + 0.2 };
    let ids: Vec<_> = (0..40).map(record).map(|record| record.episode).collect();
    let rates = ids.iter().enumerate().step_by(2).map(|(n, id)| (id.clone(), rate(n as i32)));
    let review = FixtureReview { pass_rates: rates.collect(), ..FixtureReview::default() };
    let rated = reviewed(&journal, review);
    let written = ParquetSink::new(dir.path()).write(rated).await.unwrap().record;
    let mut found = BTreeMap::new();
    for split in ["train", "validation", "test"] {
        let file = Path::new(&written.path).join(format!("{split}.parquet"));
        for_each_row(&file, RowFormat::Trajectory, |_, row| {
            let row = row.as_trajectory().unwrap();
            found.insert(row.trajectory_id.clone(), row.pass_rate);
        })
        .unwrap();
    }
    assert!(found.len() > 20, "{found:?}");
    for (n, id) in ids.iter().enumerate() {
        let Some(read) = found.get(id.as_str()) else { continue };
        let own = row(n as u64).pass_rate;
        let expected = if n % 2 == 0 { Some(rate(n as i32)) } else { own };
        assert_eq!(*read, expected, "{id}");
    }
}
