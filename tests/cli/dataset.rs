//! `synthd dataset verify` and `stats`, on a sound version and on damaged copies.

use super::campaign::{Shared, copy, shared};
use super::harness::{Ran, snapshot, synthd, synthd_in};
use serde_json::Value;
use std::path::Path;

impl Shared {
    /// A dataset command on the shared version, as one document.
    pub fn synthd_dataset(&self, args: &[&str]) -> Value {
        let path = self.dataset();
        let all = [&["dataset"], &args[..1], &[path.to_str().unwrap()], &args[1..]].concat();
        synthd(&all).succeeds().document()
    }
}

fn dataset(command: &str, dir: &Path, extra: &[&str]) -> Ran {
    let (parent, name) = (dir.parent().unwrap(), dir.file_name().unwrap().to_str().unwrap());
    synthd_in(parent, &[&["dataset", command, name], extra].concat())
}

#[test]
fn a_sound_version_is_said_to_be_sound() {
    let ran = dataset("verify", &shared().dataset(), &[]).succeeds().fits();
    snapshot("dataset_verify", &ran.told(), None);
    let document = dataset("verify", &shared().dataset(), &["--json"]).succeeds().document();
    assert_eq!(document["ok"], true);
    assert_eq!(document["problems"]["found"], serde_json::json!([]));
}

#[test]
fn stats_are_counted_from_the_rows() {
    let ran = dataset("stats", &shared().dataset(), &[]).succeeds().fits();
    snapshot("dataset_stats", &ran.told(), None);
    let document = dataset("stats", &shared().dataset(), &["--json"]).succeeds().document();
    let metadata = std::fs::read_to_string(shared().dataset().join("metadata.json")).unwrap();
    let metadata: Value = serde_json::from_str(&metadata).unwrap();
    for figures in ["totals", "splits", "distributions", "labels"] {
        assert_eq!(document[figures], metadata[figures], "{figures}");
    }
}

#[test]
fn every_damage_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let bad = dir.path().join("v1");
    copy(&shared().dataset(), &bad);
    let train = bad.join("train.parquet");
    let mut bytes = std::fs::read(&train).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xff;
    std::fs::write(&train, bytes).unwrap();
    std::fs::remove_file(bad.join("README.md")).unwrap();
    std::fs::write(bad.join("notes\u{1b}[2J.txt"), "mine").unwrap();
    let ran = dataset("verify", &bad, &[]).fails(1, "SYN-0702").fits_but_findings();
    assert!(!ran.stdout.contains('\u{1b}'), "{ran:?}");
    snapshot("dataset_verify_damaged", &ran.told(), None);
    let document = dataset("verify", &bad, &["--json"]).fails(1, "SYN-0702").document();
    assert_eq!(document["ok"], false);
    assert_eq!(document["problems"]["found"].as_array().unwrap().len(), 3, "{document:#}");
    std::fs::write(&train, "PAR1 and no more").unwrap();
    dataset("stats", &bad, &[]).fails(1, "SYN-0702");
}

impl Ran {
    /// A finding may be as long as a checksum is.
    fn fits_but_findings(self) -> Self {
        let table: Vec<&str> = self.stdout.lines().filter(|l| !l.starts_with("  ")).collect();
        super::harness::assert_fits(&table.join("\n"));
        self
    }
}

#[test]
fn what_is_no_dataset_is_told() {
    let parent = shared().data().join("datasets/small");
    snapshot("dataset_none", &dataset("verify", &parent, &[]).fails(2, "SYN-0701").told(), None);
    dataset("stats", &parent, &["--json"]).fails(2, "SYN-0701");
    let nowhere = shared().dir.join("nowhere");
    assert_eq!(dataset("verify", &nowhere, &[]).fails(2, "SYN-0701").stdout, "");
}
