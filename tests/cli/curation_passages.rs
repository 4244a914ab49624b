//! Stages of recipes that find passages: secrets, personal data, traces of the machine, and models that name
//! themselves, each with an action of its own.

use super::harness::synthd_in;
use serde_json::Value;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// The token that a prompt has. It opens nothing.
fn token() -> String {
    ["ghp", "aB3dE5fG7hI9jK1lM2nO4pQ6rS8tU0vW1xY3"].join("_")
}

/// A data directory with a campaign of four answers. The model repeats what it is asked.
fn answered() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let said = [
        format!("Keep {} and \"{}\".", token(), token()),
        "Write to bob@quill.dev about it.".to_owned(),
        "See /home/quill/notes.txt now.".to_owned(),
        "I am Claude, made by Anthropic.".to_owned(),
    ];
    let prompts = said.iter().map(|said| serde_json::json!({ "prompt": said }).to_string() + "\n");
    fs::write(dir.path().join("prompts.jsonl"), prompts.collect::<String>()).unwrap();
    let campaign = "[campaign]\nname = \"said\"\nkind = \"completions\"\n[completions]\n\
        prompts = [\"prompts.jsonl\"]\n[[models]]\nname = \"scripted/echo\"\n";
    fs::write(dir.path().join("said.toml"), campaign).unwrap();
    synthd_in(dir.path(), &["run", "said.toml", "--no-progress"]).succeeds();
    dir
}

fn recipe(dir: &Path, stages: &str) {
    let head = "[recipe]\nname = \"clean\"\n[[sources]]\ncampaign = \"said\"\n";
    fs::write(dir.join("recipe.toml"), format!("{head}{stages}")).unwrap();
}

fn stage(kind: &str, action: &str, keys: &str) -> String {
    format!("[[stages]]\nkind = \"{kind}\"\naction = \"{action}\"\n{keys}")
}

#[test]
fn each_stage_does_what_its_action_says() {
    let dir = answered();
    let stages = [
        stage("secrets", "replace", ""),
        stage("personal-data", "label", "allow = [\"re:@other\\\\.dev$\"]\n"),
        stage("host-leaks", "reject", "names = [\"build-host\"]\n"),
        stage("identity", "score", ""),
        stage("secrets", "reject", ""),
    ];
    recipe(dir.path(), &stages.concat());
    let built = synthd_in(dir.path(), &["dataset", "build", "recipe.toml", "--json"]).succeeds();
    let built = built.document();
    let version = Path::new(built["path"].as_str().unwrap());
    let rejected = serde_json::json!({ "host-leaks": 1 });
    assert_eq!((&built["judged"], &built["rejected"]), (&Value::from(4), &rejected));
    let metadata = fs::read_to_string(version.join("metadata.json")).unwrap();
    let notes = fs::read_to_string(version.join("notes.jsonl")).unwrap();
    let card = fs::read_to_string(version.join("README.md")).unwrap();
    for text in [&metadata, &notes, &card] {
        assert!(!text.contains(&token()), "{text}");
    }
    let metadata: Value = serde_json::from_str(&metadata).unwrap();
    let stages = metadata["curation"]["stages"].as_array().unwrap();
    let found: Vec<_> = stages.iter().map(|stage| stage["found"].as_u64().unwrap()).collect();
    assert_eq!(
        found,
        [1, 1, 1, 1, 0],
        "the last stage finds nothing, because the first replaced it"
    );
    assert!(stages[0]["replaced"].as_u64().unwrap() >= 4, "{metadata:#}");
    let remarks = notes.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let remarks: Vec<String> = remarks.map(|note| note["stages"].to_string()).collect();
    for what in ["github-token", "mail-address", "home-directory", "model-identity"] {
        assert_eq!(remarks.iter().filter(|said| said.contains(what)).count(), 1, "{what}: {notes}");
    }
}

#[test]
fn what_is_allowed_stays_and_wrong_entries_are_listed() {
    let dir = answered();
    let allow = "allow = [\"re:^ghp_\"]\n";
    recipe(dir.path(), &stage("secrets", "reject", allow));
    let built = synthd_in(dir.path(), &["dataset", "build", "recipe.toml", "--json"]).succeeds();
    assert_eq!(built.document()["rejected"], serde_json::json!({}));
    let wrong = stage("secrets", "reject", "allow = [\"re:[a\"]\n")
        + &stage("host-leaks", "replace", "names = [\"ab\", \"abc\", \"abc\"]\n")
        + &stage("identity", "label", "allowed = [\"x\"]\n");
    recipe(dir.path(), &wrong);
    let ran = synthd_in(dir.path(), &["dataset", "build", "recipe.toml"]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    for said in ["not a regular expression: ", "fewer than 3 bytes", "given twice", "`allowed`"] {
        assert!(ran.stderr.contains(said), "{said}: {ran:?}");
    }
}
