//! `synthd run` in the foreground: once, again, beside a reader, and under other settings.

use super::campaign::{copy, run, run_again, shared, text};
use super::harness::{assert_fits, command, snapshot, synthd_in};
use crate::models::held_host::HeldHost;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;

#[test]
fn a_run_ends_with_figures() {
    let document = shared().ran.document();
    assert_eq!(document["state"], "complete");
    assert_eq!(document["episodes"]["finished"], 12);
    assert_eq!(document["dataset"]["version"], 1);
    assert_eq!(document["tasks"], 2);
}

/// Every file below a directory with its content.
fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![dir.to_owned()];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            found.insert(path.display().to_string(), std::fs::read(&path).unwrap());
        }
    }
    found
}

/// Every row of every table, as text; but for the number of openings, which each raises.
fn rows(data: &Path) -> Vec<String> {
    let store = rusqlite::Connection::open(data.join("synthd.db")).unwrap();
    let mut tables = store
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name != 'store'")
        .unwrap();
    let names: Vec<String> =
        tables.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let mut all = Vec::new();
    for name in names {
        let mut statement = store.prepare(&format!("SELECT * FROM {name}")).unwrap();
        let columns = statement.column_count();
        let text = |row: &rusqlite::Row<'_>| {
            let values = (0..columns).map(|at| row.get::<_, rusqlite::types::Value>(at));
            Ok(format!("{name}: {:?}", values.collect::<Result<Vec<_>, _>>()?))
        };
        all.extend(statement.query_map([], text).unwrap().map(Result::unwrap));
    }
    all
}

#[test]
fn running_a_complete_campaign_again_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    copy(&shared().dir, dir.path());
    let data = dir.path().join("data");
    let dataset = files(&data.join("datasets"));
    // It was moved, and is the same version at another place.
    let moved = run_again(dir.path(), &["--json"]).succeeds().document();
    let path = std::path::Path::new(moved["dataset"]["path"].as_str().unwrap());
    assert_eq!(
        path.canonicalize().unwrap(),
        data.join("datasets/small/v1").canonicalize().unwrap()
    );
    let before = rows(&data);
    let ran = run_again(dir.path(), &[]).succeeds();
    assert!(ran.stdout.contains("complete already; nothing was changed"), "{ran:?}");
    assert_fits(
        &ran.stdout.lines().filter(|l| !l.contains("datasets/")).collect::<Vec<_>>().join("\n"),
    );
    let again = run_again(dir.path(), &["--json"]).succeeds().document();
    let mut first = shared().ran.document();
    first["wall_seconds"] = again["wall_seconds"].clone();
    first["dataset"]["path"] = moved["dataset"]["path"].clone();
    assert_eq!(again, first);
    assert_eq!(rows(&data), before);
    assert_eq!(files(&data.join("datasets")), dataset);
}

/// What the card says is part of the version.
#[test]
fn another_licence_is_another_version() {
    let dir = tempfile::tempdir().unwrap();
    copy(&shared().dir, dir.path());
    let file = dir.path().join("campaign.toml");
    let text = std::fs::read_to_string(&file).unwrap().replace("apache-2.0", "cc-by-4.0");
    std::fs::write(&file, text).unwrap();
    let ran = run_again(dir.path(), &[]).succeeds();
    let told = "Its licence has changed, so version 2 was written.";
    assert!(ran.stdout.contains(told), "{ran:?}");
    let card = std::fs::read_to_string(dir.path().join("data/datasets/small/v2/README.md"));
    assert!(card.unwrap().contains("cc-by-4.0"));
    assert_eq!(run_again(dir.path(), &["--json"]).document()["dataset"]["version"], 2);
}

/// A byte that has changed is found, though the size has not.
#[test]
fn a_version_that_was_damaged_is_written_again() {
    let dir = tempfile::tempdir().unwrap();
    copy(&shared().dir, dir.path());
    let shard = dir.path().join("data/datasets/small/v1/train.parquet");
    let mut bytes = std::fs::read(&shard).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&shard, bytes).unwrap();
    let document = run_again(dir.path(), &["--json"]).succeeds().document();
    assert_eq!(document["dataset"]["version"], 2);
    let path = document["dataset"]["path"].as_str().unwrap();
    synthd_in(dir.path(), &["dataset", "verify", path]).succeeds();
}

#[test]
fn a_version_that_was_lost_is_written_again() {
    let dir = tempfile::tempdir().unwrap();
    copy(&shared().dir, dir.path());
    let versions = dir.path().join("data/datasets/small");
    std::fs::remove_dir_all(versions.join("v1")).unwrap();
    let ran = run_again(dir.path(), &[]).succeeds();
    assert!(ran.stdout.contains("Its dataset was missing or damaged, so version"), "{ran:?}");
    let document = run_again(dir.path(), &["--json"]).succeeds().document();
    let version = format!("v{}", document["dataset"]["version"]);
    let path = versions.join(version);
    synthd_in(dir.path(), &["dataset", "verify", path.to_str().unwrap()]).succeeds();
}

#[test]
fn another_seed_under_the_same_name_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    copy(&shared().dir, dir.path());
    let file = dir.path().join("campaign.toml");
    let changed = std::fs::read_to_string(&file).unwrap().replace("seed = 7", "seed = 8");
    std::fs::write(&file, changed).unwrap();
    let before = rows(&dir.path().join("data"));
    let ran = run_again(dir.path(), &[]).fails(2, "SYN-0103");
    snapshot("run_changed", &ran.told(), None);
    assert_eq!(rows(&dir.path().join("data")), before);
}

/// While a campaign runs, others may look at it but not work in its directory. Its provider holds one
/// call, so the campaign runs until the test has looked.
#[test]
fn looking_works_while_a_campaign_runs() {
    let dir = tempfile::tempdir().unwrap();
    let provider = HeldHost::holding(1);
    let local = format!(
        "[providers.local]\ndialect = \"vllm\"\nbase_url = \"{}\"\nfree = true\n\
         [[models]]\nname = \"local/m\"\n",
        provider.host.url()
    );
    std::fs::write(dir.path().join("c.toml"), text("held", &[], "tests/*") + &local).unwrap();
    let own = super::campaign::templates();
    let args = ["run", "c.toml", "--data-dir", "data", "--templates", own.to_str().unwrap()];
    let mut run = command(dir.path(), &args);
    let mut running = run.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    provider.is_kept_waiting();
    let list = ["episode", "list", "--json", "--data-dir", "data"];
    let seen = synthd_in(dir.path(), &list).succeeds().document();
    assert_eq!(seen["total"], 2, "{seen:#}");
    let second = synthd_in(dir.path(), &args);
    let first = seen["episodes"][0]["id"].as_str().unwrap();
    synthd_in(dir.path(), &["episode", "show", first, "--data-dir", "data"]).succeeds();
    provider.release();
    assert!(running.wait().unwrap().success());
    snapshot("run_in_use", &second.fails(2, "SYN-0301").told(), None);
}

#[test]
fn a_run_for_people_ends_with_a_table() {
    let dir = tempfile::tempdir().unwrap();
    let ran = run(dir.path(), "people", &["oracle"], &[]).succeeds();
    // Not stderr: a slow machine shows more progress there.
    snapshot("run_table", &ran.fits().stdout, None);
}
