//! Episodes that the infrastructure ended: counted apart, never labelled, and said so.

use super::campaign::text;
use super::harness::{here, snapshot, synthd_in};

#[test]
fn a_fault_is_no_label() {
    let dir = tempfile::tempdir().unwrap();
    let in_dir = |args: &[&str]| synthd_in(dir.path(), &[args, &["--data-dir", "data"]].concat());
    std::fs::write(dir.path().join("c.toml"), text("faulty", &["oracle"], "tests/*")).unwrap();
    let own = here().join("faulty");
    let ran = in_dir(&["run", "c.toml", "--json", "--templates", own.to_str().unwrap()]);
    assert_eq!(ran.code, Some(3), "{ran:#?}");
    let document = ran.document();
    assert_eq!(document["episodes"]["faulted"], 1, "{document:#}");
    assert_eq!(document["rows"]["accepted"], 0);

    let list = in_dir(&["episode", "list", "--outcome", "faulted", "--json"]).succeeds().document();
    let episode = &list["episodes"][0];
    assert!(episode["score"].is_null() && episode["stop"].is_null(), "{episode:#}");
    let id = episode["id"].as_str().unwrap();
    let shown = in_dir(&["episode", "show", id, "--templates", own.to_str().unwrap()]).succeeds();
    snapshot("episode_show_faulted", &shown.told(), None);
    let document = in_dir(&["episode", "show", id, "--json"]).succeeds().document();
    assert!(document["row"].is_null() && document["rejected"].is_null(), "{document:#}");
    assert_eq!(document["attempts"][0]["fault"]["kind"], "task_setup");
    in_dir(&["episode", "replay", id, "--templates", own.to_str().unwrap()]).fails(1, "SYN-0203");
}
