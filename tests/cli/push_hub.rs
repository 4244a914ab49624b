//! `dataset push` to a Hub that fails on purpose.

use super::campaign::shared;
use super::harness::{Ran, command};
use crate::support::{Hub, TOKEN, Trouble};
use std::fs;

/// Pushes the shared trajectories with a token.
fn push(hub: &Hub, extra: &[&str]) -> Ran {
    push_as(hub, Some(TOKEN), extra)
}

/// Whatever happens, no output has a token or a signature.
fn push_as(hub: &Hub, token: Option<&str>, extra: &[&str]) -> Ran {
    let (dir, version) = (tempfile::tempdir().unwrap(), shared().dataset());
    let args = ["dataset", "push", version.to_str().unwrap(), "hf://datasets/me/rows"];
    let mut command = command(dir.path(), &[&args, extra].concat());
    command.env("HF_ENDPOINT", hub.address()).env("HF_HOME", dir.path());
    command.envs(token.map(|token| ("HF_TOKEN", token)));
    let ran = Ran::from(command.output().unwrap());
    for part in [&ran.stdout, &ran.stderr] {
        assert!(!part.contains("canary"), "{ran:?}");
    }
    ran
}

/// The bytes of a file of the shared version.
fn original(name: &str) -> Vec<u8> {
    fs::read(shared().dataset().join(name)).unwrap()
}

const TRAIN: &str = "trajectories/train-00000-of-00001.parquet";

#[test]
fn a_version_is_one_commit_and_the_next_push_sends_nothing() {
    let hub = Hub::start();
    let before = hub.state().commits;
    let report = push(&hub, &["--json"]).succeeds().document();
    assert_eq!(report["state"], "published");
    assert_eq!(report["sent"]["files"], report["files"]);
    {
        let state = hub.state();
        assert_eq!(state.commits, before + 1);
        assert_eq!(state.files[TRAIN], original("train.parquet"));
        assert!(state.large.contains_key(TRAIN) && !state.large.contains_key("README.md"));
        let card = String::from_utf8(state.files["README.md"].clone()).unwrap();
        assert!(card.contains("load_dataset(\"me/rows\", \"sft\")"), "{card}");
        assert!(state.files.contains_key(".gitattributes"), "other files stay");
    }
    let puts = hub.count("PUT ");
    let again = push(&hub, &["--json"]).succeeds().document();
    assert_eq!(again["state"], "known");
    assert_eq!((hub.count("PUT "), hub.count("/commit/")), (puts, 1));
}

#[test]
fn a_hub_that_fails_for_a_while_gets_the_same_version() {
    let hub = Hub::start();
    hub.trouble("whoami", &[Trouble::Status(429), Trouble::Half]);
    hub.trouble("/revision/", &[Trouble::Status(500)]);
    hub.trouble("/preupload/", &[Trouble::Cut]);
    hub.trouble("/batch", &[Trouble::Status(503)]);
    hub.trouble("PUT ", &[Trouble::Cut, Trouble::Status(500), Trouble::Status(429)]);
    hub.trouble("/verify", &[Trouble::Half]);
    hub.trouble("/commit/", &[Trouble::Status(502)]);
    hub.trouble("/tree/", &[Trouble::Half]);
    push(&hub, &[]).succeeds().fits();
    assert!(hub.state().troubles.is_empty(), "{:?}", hub.state().troubles);
    assert_eq!(hub.state().files[TRAIN], original("train.parquet"));
}

#[test]
fn a_push_that_was_cut_off_goes_on_where_it_ended() {
    let hub = Hub::start();
    // The first large file is stored; the second fails for good.
    let first = Trouble::Status(503);
    hub.trouble("/verify", &[first; 5]);
    push(&hub, &[]).fails(1, "SYN-0709");
    assert_eq!(hub.state().stored.len(), 1);
    assert_eq!(hub.count("/commit/"), 0);
    assert!(!hub.state().files.contains_key(TRAIN), "nothing is published");
    let puts = hub.count("PUT ");
    let report = push(&hub, &["--json"]).succeeds().document();
    let large = hub.state().large.len();
    assert_eq!(hub.count("PUT ") - puts, large - 1, "what was stored is not sent again");
    assert!(report["sent"]["files"].as_u64() < report["files"].as_u64());
}

#[test]
fn large_files_go_in_parts() {
    let hub = Hub::start();
    hub.state().part = 1_000;
    hub.trouble("/2?", &[Trouble::Status(500), Trouble::Cut]);
    push(&hub, &[]).succeeds();
    assert_eq!(hub.state().files[TRAIN], original("train.parquet"));
    assert!(hub.count("/complete") > 0);
}

#[test]
fn bytes_that_differ_afterwards_are_told() {
    let hub = Hub::start();
    hub.state().misstates = true;
    let ran = push(&hub, &[]).fails(1, "SYN-0709");
    assert!(ran.stderr.contains("other bytes of"), "{ran:?}");
    hub.state().misstates = false;
    push(&hub, &[]).succeeds();
}

#[test]
fn a_token_that_may_not_write_is_told_before_anything_is_sent() {
    let hub = Hub::start();
    let ran = push_as(&hub, None, &[]).fails(2, "SYN-0708");
    assert!(ran.stderr.contains("HF_TOKEN"), "{ran:?}");
    assert!(hub.state().asked.is_empty());
    push_as(&hub, Some("hf_another_canary"), &[]).fails(2, "SYN-0708");
    hub.state().role = "read";
    push(&hub, &[]).fails(2, "SYN-0708");
    assert_eq!(hub.count("POST "), 0);
    hub.state().role = "fineGrained";
    hub.state().writes = false;
    for extra in [&["--dry-run"][..], &[]] {
        let ran = push(&hub, extra).fails(2, "SYN-0708");
        assert!(ran.stderr.contains("may not write"), "{ran:?}");
    }
    assert_eq!((hub.count("PUT "), hub.count("/commit/"), hub.count("/batch")), (0, 0, 0));
}

#[test]
fn a_commit_of_somebody_else_is_not_overwritten() {
    let hub = Hub::start();
    hub.state().is_raced = true;
    let ran = push(&hub, &[]).fails(1, "SYN-0709");
    assert!(ran.stderr.contains("somebody else"), "{ran:?}");
    assert!(!hub.state().files.contains_key(TRAIN));
    push(&hub, &[]).succeeds();
}

#[test]
fn a_commit_whose_answer_was_lost_counts() {
    let hub = Hub::start();
    hub.state().loses_answer = true;
    push(&hub, &[]).succeeds();
    assert_eq!(hub.state().commits, 2, "it was made once");
}

#[test]
fn files_that_only_the_version_before_has_are_removed() {
    let hub = Hub::start();
    let old = "sft/train-00001-of-00002.parquet";
    // One of the listed files was removed by hand.
    let sum = "0".repeat(64);
    let sums = format!("{sum}  {old}\n{sum}  sft/away.parquet\n{sum}  README.md\n");
    for (path, text) in [(old, "old"), ("mine.txt", "mine"), ("SHA256SUMS", sums.as_str())] {
        hub.state().files.insert(path.to_owned(), text.as_bytes().to_vec());
    }
    push(&hub, &[]).succeeds();
    let state = hub.state();
    assert!(!state.files.contains_key(old) && state.files.contains_key("mine.txt"));
}

#[test]
fn a_repository_is_made_only_if_that_was_asked_for() {
    let hub = Hub::start();
    hub.state().exists = false;
    let ran = push(&hub, &[]).fails(2, "SYN-0708");
    assert!(ran.stderr.contains("--create"), "{ran:?}");
    let plan = push(&hub, &["--create", "--dry-run", "--json"]).succeeds().document();
    assert_eq!((&plan["state"], &plan["sent"]["files"]), (&"planned".into(), &plan["files"]));
    assert_eq!(hub.count("POST "), 0);
    push(&hub, &["--create"]).succeeds();
    assert_eq!(hub.state().files[TRAIN], original("train.parquet"));
}

#[test]
fn a_plan_sends_nothing() {
    let hub = Hub::start();
    let plan = push(&hub, &["--dry-run", "--json"]).succeeds().document();
    assert_eq!(plan["state"], "planned");
    assert_eq!((hub.count("PUT "), hub.count("/commit/"), hub.count("/batch")), (0, 0, 0));
}
