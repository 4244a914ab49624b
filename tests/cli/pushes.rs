//! `dataset push` into directories: what is published, and what every target gets.

use super::campaign::shared;
use super::harness::{Ran, synthd_in};
use crate::support;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

fn push(dir: &Path, target: &str, extra: &[&str]) -> Ran {
    let version = shared().dataset();
    synthd_in(dir, &[&["dataset", "push", version.to_str().unwrap(), target], extra].concat())
}

/// The paths of all files below a directory.
fn files(dir: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if entry.path().is_dir() {
            found.extend(files(&entry.path()).into_iter().map(|below| format!("{name}/{below}")));
        } else {
            found.insert(name);
        }
    }
    found
}

/// The rows of a table of a report, over all splits.
fn rows(report: &Value, table: &str) -> u64 {
    let tables = report["tables"].as_array().unwrap();
    let found = tables.iter().find(|found| found["name"] == table).unwrap();
    found["rows"].as_object().unwrap().values().filter_map(Value::as_u64).sum()
}

#[test]
fn a_version_is_published_with_its_tables_and_their_sums() {
    let dir = tempfile::tempdir().unwrap();
    let planned = push(dir.path(), "out", &["--dry-run", "--json"]).succeeds().document();
    assert_eq!(
        (&planned["state"], &planned["sent"]["files"]),
        (&"planned".into(), &planned["files"])
    );
    assert!(!dir.path().join("out").exists());
    let report = push(dir.path(), "out", &["--json"]).succeeds().document();
    assert_eq!(report["state"], "published");
    assert_eq!(report["root"], planned["root"], "the same files each time");
    assert_eq!((rows(&report, "trajectories"), rows(&report, "sft")), (10, 8));
    assert_eq!(rows(&report, "preferences"), 6);
    let version = dir.path().join("out/v1");
    let found = files(&version);
    for path in ["README.md", "SHA256SUMS", "croissant.json", "metadata.json"] {
        assert!(found.contains(path), "{found:?}");
    }
    for table in ["trajectories", "sft", "preferences"] {
        assert!(found.contains(&format!("{table}/train-00000-of-00001.parquet")), "{found:?}");
    }
    assert_eq!(report["files"], found.len());
    let sums = fs::read_to_string(version.join("SHA256SUMS")).unwrap();
    assert_eq!(report["root"], hex::encode(Sha256::digest(&sums)));
    assert_eq!(sums.lines().count(), found.len() - 1);
    for line in sums.lines() {
        let (sum, path) = line.split_once("  ").unwrap();
        assert_eq!(
            hex::encode(Sha256::digest(fs::read(version.join(path)).unwrap())),
            sum,
            "{path}"
        );
    }
    let again = push(dir.path(), "out", &[]).succeeds().fits();
    assert!(again.stdout.contains("nothing was sent"), "{again:?}");
}

#[test]
fn the_card_and_croissant_name_each_table() {
    let dir = tempfile::tempdir().unwrap();
    push(dir.path(), "out", &[]).succeeds().fits();
    let card = fs::read_to_string(dir.path().join("out/v1/README.md")).unwrap();
    let header = card.split("---\n").nth(1).unwrap();
    assert!(
        header.contains("- config_name: trajectories\n  default: true\n  data_files:\n"),
        "{header}"
    );
    for table in ["sft", "preferences"] {
        assert!(header.contains(&format!("- config_name: {table}\n  data_files:\n")), "{header}");
        assert!(header.contains(&format!("path: \"{table}/train-*.parquet\"\n")), "{header}");
    }
    let document = fs::read_to_string(dir.path().join("out/v1/croissant.json")).unwrap();
    let document: Value = serde_json::from_str(&document).unwrap();
    let names: Vec<&Value> =
        document["recordSet"].as_array().unwrap().iter().map(|set| &set["name"]).collect();
    assert_eq!(names, ["trajectories", "sft", "preferences"]);
    let listed = document["distribution"].as_array().unwrap();
    let path = "sft/train-00000-of-00001.parquet";
    let object = listed.iter().find(|object| object["contentUrl"] == path).unwrap();
    let bytes = fs::read(dir.path().join("out/v1").join(path)).unwrap();
    assert_eq!(object["sha256"], hex::encode(Sha256::digest(bytes)));
}

#[test]
fn what_cannot_be_published_is_told() {
    let dir = tempfile::tempdir().unwrap();
    push(dir.path(), "ftp://x/y", &[]).fails(2, "SYN-0105");
    push(dir.path(), "hf://me/rows", &[]).fails(2, "SYN-0105");
    synthd_in(dir.path(), &["dataset", "push", "nowhere", "out"]).fails(2, "SYN-0701");
    fs::create_dir_all(dir.path().join("out/v1")).unwrap();
    fs::write(dir.path().join("out/v1/mine"), "x").unwrap();
    push(dir.path(), "out", &[]).fails(2, "SYN-0708");
    assert_eq!(files(&dir.path().join("out")), BTreeSet::from(["v1/mine".to_owned()]));
    // A file of the version that is not what its manifest says.
    let damaged = dir.path().join("damaged");
    fs::create_dir(&damaged).unwrap();
    for name in files(&shared().dataset()) {
        fs::copy(shared().dataset().join(&name), damaged.join(&name)).unwrap();
    }
    fs::write(damaged.join("metadata.json.tmp"), "x").unwrap();
    let mut bytes = fs::read(damaged.join("train.parquet")).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xff;
    fs::write(damaged.join("train.parquet"), bytes).unwrap();
    synthd_in(dir.path(), &["dataset", "push", "damaged", "other"]).fails(1, "SYN-0702");
    assert!(!dir.path().join("other").exists());
}

#[test]
fn datasets_loads_each_table_of_a_published_version() {
    let Some(python) = std::env::var_os("SYNTHD_TEST_PYTHON") else {
        return support::skip(
            "published versions in datasets",
            "SYNTHD_TEST_PYTHON names no Python",
        );
    };
    let dir = tempfile::tempdir().unwrap();
    push(dir.path(), "out", &[]).succeeds();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/check_push.py");
    let output = Command::new(python).arg(script).arg(dir.path().join("out/v1")).output().unwrap();
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success(), "{text}");
    assert!(text.contains("3 tables agree"), "{text}");
}
