//! `synthd store`, `synthd campaign` and `synthd money` on a complete campaign.

use super::campaign::{copy, shared};
use super::harness::{snapshot, synthd_in};

#[test]
fn campaigns_are_listed_and_shown_without_a_daemon() {
    let shared = shared();
    snapshot("campaign_list", &shared.synthd(&["campaign", "list"]).succeeds().fits().told(), None);
    let shown = shared.synthd(&["campaign", "show", "small"]).succeeds();
    snapshot("campaign_show", &shown.told(), Some(&shared.dir));
    let document = shared.synthd(&["campaign", "show", "small", "--json"]).succeeds().document();
    assert_eq!(document["models"].as_array().unwrap().len(), super::campaign::MODELS.len());
    assert_eq!(document["versions"][0]["version"], 1, "{document:#}");
    let unknown = shared.synthd(&["campaign", "show", "none"]).fails(2, "SYN-0105");
    assert!(unknown.stderr.contains("holds small"), "{unknown:?}");
}

#[test]
fn a_store_is_verified_copied_and_brought_back() {
    let dir = tempfile::tempdir().unwrap();
    copy(&shared().dir, dir.path());
    let on = |args: &[&str]| synthd_in(dir.path(), &[args, &["--data-dir", "data"]].concat());
    snapshot("store_verify", &on(&["store", "verify"]).succeeds().fits().told(), None);
    on(&["store", "backup", "copy.db"]).succeeds();
    on(&["store", "backup", "copy.db"]).fails(2, "SYN-0307");
    let kept = dir.path().join("data/workspaces");
    let count = || std::fs::read_dir(&kept).map_or(0, Iterator::count);
    let before = count();
    assert!(before > 0 && dir.path().join("copy.db-workspaces").exists());
    std::fs::remove_dir_all(&kept).unwrap();
    std::fs::remove_file(dir.path().join("data/synthd.db")).unwrap();
    on(&["campaign", "list"]).fails(1, "SYN-0306");
    let back = on(&["store", "restore", "copy.db", "--json"]).succeeds().document();
    assert_eq!((count(), back["workspaces"].as_u64()), (before, Some(before as u64)), "{back:#}");
    assert!(back["missing"].is_null() && back["compared"] == true, "{back:#}");
    on(&["campaign", "list"]).succeeds();
    let built = on(&["dataset", "build", "small", "--json"]).succeeds().document();
    assert_eq!((&built["version"], &built["left_out"]), (&1.into(), &0.into()), "{built:#}");
    let money = on(&["money", "list", "--json"]).succeeds().document();
    assert_eq!(money["total"], 0, "{money:#}");
    on(&["money", "reconcile", "none", "--cost", "1", "--reason", "x"]).fails(2, "SYN-0309");
    on(&["money", "reconcile", "none", "--cost", "x", "--reason", "x"]).fails(2, "SYN-0105");
    on(&["store", "restore", "none.db"]).fails(2, "SYN-0307");
}
