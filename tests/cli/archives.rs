//! `synthd campaign archive` and `unarchive`.

use super::campaign::{copy, shared};
use super::harness::{Ran, synthd_in};
use serde_json::Value;
use std::path::Path;

fn on(dir: &Path, data: &str, args: &[&str]) -> Ran {
    synthd_in(dir, &[args, &["--data-dir", data]].concat())
}

/// What a campaign's page and its dataset come to.
fn shown(dir: &Path, data: &str) -> (Value, Value) {
    let mut page = on(dir, data, &["campaign", "show", "small", "--json"]).succeeds().document();
    for version in page["versions"].as_array_mut().unwrap() {
        // Where it lies.
        version.as_object_mut().unwrap().remove("path").unwrap();
    }
    let built = on(dir, data, &["dataset", "build", "small", "--json"]).succeeds().document();
    let manifest = Path::new(built["path"].as_str().unwrap()).join("manifest.json");
    let manifest = std::fs::read(dir.join(manifest)).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    (page, manifest["digest"].clone())
}

#[test]
fn an_archived_campaign_is_the_same_in_a_directory_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    copy(&shared().dir, dir);
    let before = shown(dir, "data");
    assert!(before.1.is_string(), "{before:?}");
    let made = on(dir, "data", &["campaign", "archive", "small", "--json"]).succeeds().document();
    assert_eq!(made["head"]["episodes"], 12, "{made:#}");
    assert!(made["emptied"].is_null());
    on(dir, "data", &["campaign", "archive", "small"]).fails(2, "SYN-0711");
    on(dir, "data", &["campaign", "archive", "none"]).fails(2, "SYN-0105");
    on(dir, "new", &["campaign", "unarchive", "small.synthd-archive"]).succeeds();
    assert_eq!(shown(dir, "new"), before);
    on(dir, "new", &["store", "verify"]).succeeds();
    // It has all of it already.
    on(dir, "new", &["campaign", "unarchive", "small.synthd-archive"]).succeeds();
    let mut bytes = std::fs::read(dir.join("small.synthd-archive")).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(dir.join("torn"), bytes).unwrap();
    on(dir, "newer", &["campaign", "unarchive", "torn"]).fails(2, "SYN-0711");
    on(dir, "newer", &["campaign", "unarchive", "none"]).fails(2, "SYN-0711");
}

#[test]
fn what_goes_into_an_archive_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    copy(&shared().dir, dir);
    let before = shown(dir, "data");
    let to = ["campaign", "archive", "small", "--to", "a.archive", "--empty"];
    on(dir, "data", &to).succeeds();
    let sizes = on(dir, "data", &["store", "stats", "--json"]).succeeds().document();
    assert_eq!(sizes["campaigns"][0]["turn_bytes"], 0, "{sizes:#}");
    on(dir, "data", &["store", "verify"]).succeeds();
    let listed = on(dir, "data", &["episode", "list", "--json"]).succeeds().document();
    let id = listed["episodes"][0]["id"].as_str().unwrap().to_owned();
    let templates = super::campaign::templates();
    let replay = ["episode", "replay", &id, "--templates", templates.to_str().unwrap()];
    let refused = on(dir, "data", &replay).fails(2, "SYN-0710");
    assert!(refused.stderr.contains("synthd campaign unarchive"), "{refused:?}");
    // A second archive would have nothing of that.
    let second = ["campaign", "archive", "small", "--to", "b.archive"];
    let told = on(dir, "data", &second).fails(2, "SYN-0711");
    assert!(told.stderr.contains("in an earlier archive"), "{told:?}");
    let back = on(dir, "data", &["campaign", "unarchive", "a.archive", "--json"]);
    assert_eq!(back.succeeds().document()["put_back"], 12);
    on(dir, "data", &["store", "verify"]).succeeds();
    assert_eq!(shown(dir, "data"), before);
    let again = on(dir, "data", &["campaign", "unarchive", "a.archive", "--json"]);
    assert_eq!(again.succeeds().document()["put_back"], 0);
}

/// A store with a campaign of the same name is still another store.
#[test]
fn an_archive_of_another_store_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    copy(&shared().dir, dir);
    on(dir, "data", &["campaign", "archive", "small", "--to", "a.archive"]).succeeds();
    let other = dir.join("other");
    std::fs::create_dir(&other).unwrap();
    super::campaign::run(&other, "small", &["oracle"], &["--json"]).succeeds();
    let told = on(dir, "other/data", &["campaign", "unarchive", "a.archive"]).fails(2, "SYN-0711");
    assert!(told.stderr.contains("another one"), "{told:?}");
    on(dir, "other/data", &["store", "verify"]).succeeds();
}
