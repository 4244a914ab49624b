//! `--json`: exactly one document on stdout and nothing else, from every command.

use super::campaign::{shared, templates};
use super::harness::synthd;
use serde_json::Value;

#[test]
fn every_command_prints_one_document() {
    let own = templates();
    let own = own.to_str().unwrap();
    let dataset = shared().dataset();
    let dataset = dataset.to_str().unwrap();
    let commands: [&[&str]; 9] = [
        &["doctor", "--json"],
        &["template", "list", "--json"],
        &["template", "schema"],
        &["schema", "trajectory", "--json"],
        &["schema", "completion", "--json"],
        &["template", "show", "tests/sum", "--templates", own, "--json"],
        &["template", "render", "tests/sum", "--templates", own, "--json"],
        &["dataset", "verify", dataset, "--json"],
        &["dataset", "stats", dataset, "--json"],
    ];
    for command in commands {
        let document = synthd(command).document();
        assert!(document.is_object() || document.is_array(), "{command:?}");
    }
}

/// The keys of the contract, in their order.
#[test]
fn run_ends_with_its_contract() {
    let text = &shared().ran.stdout;
    let document: Value = serde_json::from_str(text).unwrap();
    assert!(document["cost_usd"].is_string());
    let order = [
        "campaign",
        "state",
        "tasks",
        "episodes",
        "steps",
        "tokens",
        "cost_usd",
        "rows",
        "dataset",
        "wall_seconds",
    ];
    let places: Vec<usize> =
        order.iter().map(|key| text.find(&format!("\n  \"{key}\":")).unwrap()).collect();
    assert!(places.is_sorted(), "{text}");
    let keys = |part: &str| {
        let mut keys: Vec<String> = document[part].as_object().unwrap().keys().cloned().collect();
        keys.sort();
        keys
    };
    assert_eq!(document.as_object().unwrap().len(), order.len());
    assert_eq!(keys("episodes"), ["faulted", "finished", "planned", "resolved", "unresolved"]);
    assert_eq!(keys("tokens"), ["input", "output"]);
    assert_eq!(keys("rows"), ["accepted", "rejected"]);
    assert_eq!(keys("dataset"), ["path", "version"]);
}

#[test]
fn the_document_of_an_episode_has_its_keys() {
    let id = shared().id_of("oracle", "tests/sum");
    let document = shared().synthd(&["episode", "show", &id, "--json"]).succeeds().document();
    for key in ["episode", "attempts", "row", "rejected", "opening", "tools", "turns"] {
        assert!(document.get(key).is_some(), "{key}");
    }
    let turn = &document["turns"][0];
    for key in ["step", "reply", "messages", "calls"] {
        assert!(turn.get(key).is_some(), "{key}");
    }
    let action = &turn["step"]["actions"][0];
    for key in ["type", "tool", "arguments", "call_id", "ran", "observation", "duration_ms"] {
        assert!(action.get(key).is_some(), "{key}");
    }
}

/// Also where there is nothing to answer with.
#[test]
fn a_refusal_is_one_document_too() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("bad.toml"), "[campaign]\nnam = 1\n").unwrap();
    let commands: [(&[&str], &str); 5] = [
        (&["run", "bad.toml", "--json"], "SYN-0102"),
        (&["check", "absent.toml", "--json"], "SYN-0101"),
        (&["submit", "absent.toml", "--json"], "SYN-0101"),
        (&["status", "--json"], "SYN-0501"),
        (&["dataset", "stats", "nowhere", "--json"], "SYN-0701"),
    ];
    for (command, code) in commands {
        let ran = super::harness::synthd_in(dir.path(), command);
        let document = ran.document();
        assert!(document.is_object(), "{command:?}");
        assert!(ran.stdout.contains(code), "{command:?}: {ran:?}");
    }
}

/// An answer that could not be written was not given.
#[test]
fn a_full_disk_under_the_answer_is_an_error() {
    for command in [&["template", "list"][..], &["completions", "bash"], &["doctor", "--json"]] {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let mut child = std::process::Command::new(crate::support::synthd());
        let ran = child.args(command).stdout(full).output().unwrap();
        assert_eq!(ran.status.code(), Some(1), "{command:?}");
        assert!(String::from_utf8_lossy(&ran.stderr).contains("SYN-0003"), "{command:?}");
    }
}
