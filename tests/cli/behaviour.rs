//! Stages of recipes that look at what agents did, over a campaign of scripted models.

use super::campaign::{copy, shared};
use super::harness::{Ran, synthd_in};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// A copy of the shared campaign, as the data directory of the command.
fn copied() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    copy(&shared().data(), &dir.path().join("synthd-data"));
    dir
}

fn build(dir: &Path, stages: &str) -> Ran {
    let head = "[recipe]\nname = \"behaviour\"\n[[sources]]\ncampaign = \"small\"\n";
    fs::write(dir.join("recipe.toml"), format!("{head}{stages}")).unwrap();
    synthd_in(dir, &["dataset", "build", "recipe.toml", "--json"])
}

fn stage(kind: &str, action: &str, keys: &str) -> String {
    format!("[[stages]]\nkind = \"{kind}\"\naction = \"{action}\"\n{keys}\n")
}

/// How many rows each stage has found, by its kind.
fn found(document: &Value, kind: &str) -> u64 {
    let stages = document["stages"].as_array().unwrap();
    stages.iter().find(|stage| stage["kind"] == kind).unwrap()["found"].as_u64().unwrap()
}

/// The rows of which a stage of this kind says something, with what it says first.
fn remarks(version: &Path, kind: &str) -> Vec<(String, String)> {
    let notes = fs::read_to_string(version.join("notes.jsonl")).unwrap();
    let notes = notes.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let mut told = Vec::new();
    for note in notes {
        let stages = note["stages"].as_array().unwrap();
        for stage in stages.iter().filter(|stage| stage["kind"] == kind) {
            let detail = stage["remarks"][0]["detail"].as_str().unwrap().to_owned();
            told.push((note["row"].as_str().unwrap().to_owned(), detail));
        }
    }
    told
}

#[test]
fn scripted_models_are_told_by_what_they_did() {
    let dir = copied();
    let stages = [
        stage("idle", "label", ""),
        stage("refusals", "label", ""),
        stage("error-spirals", "label", "length = 2"),
        stage("stalls", "label", "length = 3\nwindow = 20"),
        stage("late-actions", "label", "trailing = 2"),
        stage("forbidden-means", "label", ""),
        stage("language", "label", "wanted = [\"en\"]\nletters = 20"),
        stage("length", "label", "of = \"steps\"\nleast = 4"),
    ];
    let built = build(dir.path(), &stages.concat()).succeeds().document();
    let version = Path::new(built["path"].as_str().unwrap());
    let idle = remarks(version, "idle");
    for template in ["tests/sum", "tests/greeting"] {
        let id = shared().id_of("give-up", template);
        let looked = idle.iter().find(|(row, _)| *row == id).unwrap();
        assert_eq!(looked.1, "nothing but looking in 2 steps");
        let oracle = shared().id_of("oracle", template);
        assert!(idle.iter().all(|(row, _)| *row != oracle), "{idle:?}");
    }
    let refused: BTreeSet<String> =
        remarks(version, "refusals").into_iter().map(|(row, _)| row).collect();
    let expected = ["tests/sum", "tests/greeting"].map(|name| shared().id_of("refuse", name));
    assert_eq!(refused, BTreeSet::from(expected));
    // These scripts break nothing, reach for nothing and write English.
    for kind in ["forbidden-means", "language", "late-actions", "stalls"] {
        assert_eq!(found(&built, kind), 0, "{kind}: {:?}", remarks(version, kind));
    }
    assert!(found(&built, "length") >= 4, "{built}");
}

#[test]
fn a_rejected_row_says_what_was_done() {
    let dir = copied();
    let built = build(dir.path(), &stage("idle", "reject", "")).succeeds().document();
    let (version, id) = (built["path"].as_str().unwrap(), shared().id_of("give-up", "tests/sum"));
    let told = synthd_in(dir.path(), &["dataset", "explain", version, &id]).succeeds();
    let line = format!("  1. {:<20} rejects\n", "idle");
    let expected = format!("{id}: rejected by idle\n{line}     nothing but looking in 2 steps\n");
    assert_eq!(told.stdout, expected);
}

#[test]
fn mistakes_in_their_keys_are_listed() {
    let dir = tempfile::tempdir().unwrap();
    let stages = [
        stage("stalls", "replace", "length = 1"),
        stage("forbidden-means", "label", "kinds = [\"networks\"]"),
        stage("length", "label", "of = \"words\""),
        stage("length", "label", "of = \"steps\"\nleast = 5\nmost = 2"),
        stage("language", "label", "wanted = []"),
        stage("idle", "label", "length = 3"),
    ];
    let ran = build(dir.path(), &stages.concat());
    assert_eq!(ran.code, Some(2), "{ran:?}");
    let told = format!("{}{}", ran.stdout, ran.stderr);
    for expected in [
        "finds no passages",
        "1 is out of range",
        "unknown value \\\"networks\\\"",
        "unknown value \\\"words\\\"",
        "neither `least` nor `most` is set",
        "`most` is smaller than `least`",
        "the list is empty",
        "unknown key `length`",
    ] {
        assert!(told.contains(expected), "{expected}: {told}");
    }
}
