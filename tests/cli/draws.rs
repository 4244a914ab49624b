//! Campaigns that draw their tasks: what is told before they run, and what is recorded.

use super::campaign::{run_again, templates, text};
use super::harness::{Ran, synthd_in};
use std::path::Path;

/// A campaign over shipped templates with these keys in place of `per_template`, checked.
fn check(dir: &Path, keys: &str, more: &[&str]) -> Ran {
    let text = text("drawn", &["oracle"], "**").replace("per_template = 1\n", keys);
    std::fs::write(dir.join("c.toml"), text).unwrap();
    synthd_in(dir, &[&["check", "c.toml", "--file-only"], more].concat())
}

#[test]
fn the_table_of_shares_is_shown() {
    let dir = tempfile::tempdir().unwrap();
    let keys = "draw = \"shares\"\ncount = 100\n[tasks.shares]\nkind = { repair = 0.5 }\n";
    let ran = check(dir.path(), keys, &[]).succeeds().fits();
    assert!(ran.stdout.contains("100 tasks"), "{ran:?}");
    assert!(ran.stdout.contains("drawn by"), "{ran:?}");
    let plan = check(dir.path(), keys, &["--json"]).succeeds().document();
    let draw = &plan["plan"]["draw"];
    assert_eq!((&plan["plan"]["tasks"], &draw["rule"]), (&100.into(), &"shares".into()));
    let shares = draw["shares"].as_array().unwrap();
    let repair = shares.iter().find(|line| line["value"] == "repair").unwrap();
    let tasks = repair["tasks"].as_u64().unwrap();
    assert!((48..=52).contains(&tasks), "{repair}");
    assert_eq!(repair["target"], 0.5, "{repair}");
    let counts = draw["templates"].as_object().unwrap().values();
    assert_eq!(counts.map(|count| count.as_u64().unwrap()).sum::<u64>(), 100);
    let plain = check(dir.path(), "per_template = 2\n", &["--json"]).succeeds().document();
    assert!(plain["plan"]["draw"].is_null(), "{plain}");
}

#[test]
fn a_share_that_no_template_has_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let draw = "draw = \"shares\"\ncount = 9\n[tasks.shares]\n";
    for (shares, told) in [
        ("category = { debuging = 0.5 }", "category: no selected template has \"debuging\""),
        ("skill = { \"git.bisct\" = 0.5 }", "skill: no selected template has \"git.bisct\""),
    ] {
        let ran = check(dir.path(), &format!("{draw}{shares}\n"), &[]).fails(2, "SYN-0106");
        assert!(ran.stderr.contains(told) && ran.stderr.contains("did you mean"), "{ran:?}");
    }
    let all = "difficulty = { easy = 0, medium = 0, hard = 0 }\n";
    let ran = check(dir.path(), &format!("{draw}{all}"), &[]).fails(2, "SYN-0104");
    assert!(ran.stderr.contains("[tasks.shares] excludes every selected template"), "{ran:?}");
}

/// The record has the reason of each choice, and a run of the same file adds none.
#[test]
fn a_choice_is_shown_with_its_reason() {
    let dir = tempfile::tempdir().unwrap();
    let keys = "draw = \"informative\"\ncount = 6\n";
    let text =
        text("chosen", &["oracle", "give-up"], "tests/*").replace("per_template = 1\n", keys);
    std::fs::write(dir.path().join("campaign.toml"), text).unwrap();
    let ran = run_again(dir.path(), &["--json"]).succeeds();
    assert_eq!(ran.document()["episodes"]["planned"], 6, "{ran:?}");
    let data = |args: &[&str]| synthd_in(dir.path(), &[args, &["--data-dir", "data"]].concat());
    let list = data(&["episode", "list", "--json"]).succeeds().document();
    let episodes = list["episodes"].as_array().unwrap();
    assert_eq!(episodes.len(), 6);
    // Two templates and two models: each pair has its minimum first.
    let minimum = |episode: &&serde_json::Value| {
        episode["reason"].as_str().unwrap().starts_with("below the minimum of 1: ")
    };
    assert_eq!(episodes.iter().filter(minimum).count(), 4, "{list}");
    let id = episodes.iter().find(minimum).unwrap()["id"].as_str().unwrap();
    let own = templates();
    let shown = data(&["episode", "show", id, "--templates", own.to_str().unwrap()]).succeeds();
    assert!(shown.stdout.contains("chosen    below the minimum of 1: 0 of 0 solved"), "{shown:?}");
    let again = run_again(dir.path(), &["--json"]).succeeds().document();
    assert_eq!(again["episodes"]["planned"], 6, "{again}");
    // A campaign that is longer goes on, and knows what the first choices came to.
    let text = std::fs::read_to_string(dir.path().join("campaign.toml")).unwrap();
    let longer = text.replace("count = 6", "count = 70");
    std::fs::write(dir.path().join("campaign.toml"), longer).unwrap();
    let again = run_again(dir.path(), &["--json"]).succeeds().document();
    assert_eq!(again["episodes"]["planned"], 70, "{again}");
    let list = data(&["episode", "list", "--json"]).succeeds().document();
    let mut episodes = list["episodes"].as_array().unwrap().iter();
    let last = episodes.find(|episode| episode["ordinal"] == 69).unwrap();
    assert!(!last["reason"].as_str().unwrap().contains("0 of 0 solved"), "{last}");
}
