//! The card and the metadata, as their readers see them.

use super::super::card::size_category;
use super::super::fixture::{FixtureJournal, edition, record, within, write};
use super::super::{ParquetSink, ShardLimits};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use synthd_actors::model::CampaignName;
use synthd_actors::ports::DatasetSink;
use tempfile::tempdir;

fn settings() -> insta::Settings {
    let mut settings = insta::Settings::clone_current();
    settings.add_filter("[0-9a-f]{64}", "<sha256>");
    settings.add_filter(r"synthd \d+\.\d+\.\d+", "synthd <version>");
    settings
}

async fn text(name: &str) -> String {
    let dir = tempdir().unwrap();
    let record = write(dir.path(), &FixtureJournal::numbered(60)).await;
    fs::read_to_string(Path::new(&record.path).join(name)).unwrap()
}

/// The categories of the Hub.
#[test]
fn the_size_category_has_the_number_of_rows() {
    let of = [
        (999, "n<1K"),
        (1_000, "1K<n<10K"),
        (9_999_999, "1M<n<10M"),
        (10_000_000, "10M<n<100M"),
        (999_999_999, "100M<n<1B"),
        (1_000_000_000, "1B<n<10B"),
        (u64::MAX, "n>1T"),
    ];
    for (rows, category) in of {
        assert_eq!(size_category(rows), category, "{rows}");
    }
}

#[tokio::test]
async fn the_card_of_a_dataset_with_scripted_rows() {
    let card = text("README.md").await;
    settings().bind(|| insta::assert_snapshot!("card", card));
}

#[tokio::test]
async fn the_metadata() {
    let metadata = text("metadata.json").await;
    settings().bind(|| insta::assert_snapshot!("metadata", metadata));
}

#[tokio::test]
async fn the_header_names_shards_by_pattern_and_survives_odd_names() {
    let dir = tempdir().unwrap();
    let mut rows: Vec<_> = (0..30).map(record).collect();
    for row in &mut rows {
        within(row).llm_provider = "acme".to_owned();
        within(row).llm_model = "acme/a|b\nc".to_owned();
    }
    let journal = Arc::new(FixtureJournal { rows: rows.into(), ..FixtureJournal::default() });
    let mut edition = edition(&journal);
    edition.licence = "my \"own\": #1".to_owned();
    let limits = ShardLimits { rows: 10, ..Default::default() };
    let record = ParquetSink::with_limits(dir.path(), limits).write(edition).await.unwrap().record;
    let card = fs::read_to_string(Path::new(&record.path).join("README.md")).unwrap();
    assert!(card.contains("| acme/a\\|b c | "), "{card}");
    assert!(!card.contains("scripted models"), "no script acted here");
    let header = card.split("---").nth(1).unwrap();
    let bound = settings().bind_to_scope();
    insta::assert_snapshot!(header.trim(), @r#"
    license: "my \"own\": #1"
    pretty_name: "Agent trajectories: fixture v1"
    task_categories:
    - text-generation
    size_categories:
    - n<1K
    tags:
    - agent-trajectories
    - synthd
    - synthetic
    dataset_info:
      config_name: default
      description: "Agent trajectories: fixture v1, digest <sha256>"
    configs:
    - config_name: default
      default: true
      data_files:
      - split: train
        path: train-*.parquet
      - split: validation
        path: validation.parquet
      - split: test
        path: test.parquet
    "#);
    drop(bound);
}

#[tokio::test]
async fn a_split_without_rows_is_not_listed_where_it_would_spoil_the_others() {
    let dir = tempdir().unwrap();
    let record = write(dir.path(), &FixtureJournal::numbered(20)).await;
    let card = fs::read_to_string(Path::new(&record.path).join("README.md")).unwrap();
    let header = card.split("---").nth(1).unwrap();
    assert!(header.contains("split: train") && !header.contains("split: test"), "{header}");
    assert!(card.contains("Without rows in this version: `validation`, `test`."), "{card}");
    assert!(Path::new(&record.path).join("test.parquet").exists());
}

/// Two versions of one campaign and one of another: each is a configuration of its own above.
#[tokio::test]
async fn the_cards_above_name_each_version_with_rows() {
    let dir = tempdir().unwrap();
    let empty = write(dir.path(), &FixtureJournal::numbered(0)).await;
    let journal = FixtureJournal::numbered(20);
    let second = write(dir.path(), &journal).await;
    journal.rows.lock().unwrap().push(record(28));
    let third = write(dir.path(), &journal).await;
    assert_eq!([empty.version, second.version, third.version], [1, 2, 3]);
    let mut other = edition(&FixtureJournal::numbered(3));
    other.campaign = CampaignName("another".to_owned());
    ParquetSink::new(dir.path()).write(other).await.unwrap();
    let root = dir.path().join("datasets");
    let cards = [root.join("fixture/README.md"), root.join("README.md")];
    let cards = cards.map(|path| fs::read_to_string(path).unwrap()).join("\n=====\n");
    settings().bind(|| insta::assert_snapshot!("cards_above", cards));
}

#[tokio::test]
async fn a_version_without_a_card_above_gets_one_when_its_rows_are_written_again() {
    let dir = tempdir().unwrap();
    let journal = FixtureJournal::numbered(20);
    let first = write(dir.path(), &journal).await;
    let card = dir.path().join("datasets/fixture/README.md");
    let text = fs::read_to_string(&card).unwrap();
    fs::remove_file(&card).unwrap();
    assert_eq!(write(dir.path(), &journal).await, first);
    assert_eq!(fs::read_to_string(&card).unwrap(), text);
}
