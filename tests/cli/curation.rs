//! Datasets by recipe: what is built, what is told of a row, and what differs between versions.

use super::harness::{Ran, snapshot, synthd_in};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::sync::OnceLock;
use tempfile::TempDir;

/// A data directory with two finished campaigns of six answers each. Both have the same prompts.
fn finished() -> &'static Path {
    static DIR: OnceLock<TempDir> = OnceLock::new();
    DIR.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let prompts: String = (0..3).map(|n| format!("{{\"prompt\": \"Say {n}.\"}}\n")).collect();
        fs::write(dir.path().join("prompts.jsonl"), prompts).unwrap();
        for name in ["first", "second"] {
            let campaign = format!(
                "[campaign]\nname = \"{name}\"\nkind = \"completions\"\n[completions]\n\
                 prompts = [\"prompts.jsonl\"]\nsamples = 2\n[[models]]\nname = \"scripted/echo\"\n"
            );
            fs::write(dir.path().join(format!("{name}.toml")), campaign).unwrap();
            synthd_in(dir.path(), &["run", &format!("{name}.toml"), "--no-progress"]).succeeds();
        }
        dir
    })
    .path()
}

/// A copy of it, so that each test has its own versions.
fn copied() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    super::campaign::copy(&finished().join("synthd-data"), &dir.path().join("synthd-data"));
    dir
}

const HEAD: &str = "[recipe]\nname = \"both\"\nlicence = \"cc0-1.0\"\n\
    [[sources]]\ncampaign = \"first\"\n[[sources]]\ncampaign = \"second\"\n";

fn build(dir: &Path, stages: &str) -> Ran {
    fs::write(dir.join("recipe.toml"), format!("{HEAD}{stages}")).unwrap();
    synthd_in(dir, &["dataset", "build", "recipe.toml", "--json"])
}

fn stage(kind: &str, action: &str) -> String {
    format!("[[stages]]\nkind = \"{kind}\"\naction = \"{action}\"\n")
}

/// The stages of a build: kind, rows seen, rows known.
fn stages(document: &Value) -> Vec<(String, u64, u64)> {
    let stages = document["stages"].as_array().unwrap().iter();
    let stage = |stage: &Value| {
        let count = |key: &str| stage[key].as_u64().unwrap();
        (stage["kind"].as_str().unwrap().to_owned(), count("seen"), count("known"))
    };
    stages.map(stage).collect()
}

#[test]
fn rows_of_two_campaigns_become_a_version_that_explains_itself() {
    let dir = copied();
    let built = build(dir.path(), &(stage("refusal", "label") + &stage("duplicates", "reject")));
    let built = built.succeeds().document();
    assert_eq!(built["judged"], 12);
    assert_eq!(built["rejected"]["duplicates"], 6);
    let version = built["path"].as_str().unwrap();
    let verified = synthd_in(dir.path(), &["dataset", "verify", version, "--json"]).succeeds();
    assert_eq!(verified.document()["rows"], 6);
    let metadata = fs::read_to_string(Path::new(version).join("metadata.json")).unwrap();
    let metadata: Value = serde_json::from_str(&metadata).unwrap();
    assert_eq!(metadata["curation"]["sources"][1]["campaign"], "second");
    assert_eq!(metadata["licence"], "cc0-1.0");
    let notes = fs::read_to_string(Path::new(version).join("notes.jsonl")).unwrap();
    let rejected: Value = serde_json::from_str(notes.lines().next().unwrap()).unwrap();
    let row = rejected["row"].as_str().unwrap();
    let explained = synthd_in(dir.path(), &["dataset", "explain", version, row]).succeeds();
    assert!(explained.stdout.contains(": rejected by duplicates\n"), "{explained:?}");
    assert!(explained.stdout.contains("  1. refusal              nothing\n"), "{explained:?}");
    let nobody = synthd_in(dir.path(), &["dataset", "explain", version, "ep-none"]);
    nobody.fails(2, "SYN-0601");
}

#[test]
fn an_equal_build_writes_nothing_and_a_changed_stage_runs_with_those_behind_it() {
    let dir = copied();
    let first = stage("refusal", "label") + &stage("truncation", "label");
    let built = build(dir.path(), &first).succeeds().document();
    assert_eq!((&built["new"], &built["version"]), (&Value::Bool(true), &Value::from(1)));
    let again = build(dir.path(), &first).succeeds().document();
    assert_eq!((&again["new"], &again["version"]), (&Value::Bool(false), &Value::from(1)));
    let known = |kind: &str, known| (kind.to_owned(), 12, known);
    assert_eq!(stages(&again), [known("refusal", 12), known("truncation", 12)]);
    let second =
        stage("refusal", "label") + &stage("loops", "label") + &stage("duplicates", "reject");
    let other = build(dir.path(), &second).succeeds().document();
    assert_eq!(other["version"], 2);
    let expected = [known("refusal", 12), known("loops", 0), known("duplicates", 0)];
    assert_eq!(stages(&other), expected);
    let home = dir.path().join("synthd-data/datasets/both");
    let diff = synthd_in(&home, &["dataset", "diff", "v1", "v2", "--json"]).succeeds().document();
    assert_eq!((&diff["same"], diff["removed"].as_array().unwrap().len()), (&Value::from(6), 6));
    assert_eq!(diff["removed"][0]["rejected"], "duplicates");
    let told = synthd_in(&home, &["dataset", "diff", "v1", "v2"]).succeeds().fits();
    assert!(told.stdout.starts_with("6 rows are the same\n- stage label truncation"), "{told:?}");
}

#[test]
fn a_version_is_made_again_byte_for_byte() {
    let dir = copied();
    let built = build(dir.path(), &(stage("duplicates", "reject") + &stage("refusal", "label")));
    let version = built.succeeds().document()["path"].as_str().unwrap().to_owned();
    let verify = |args: &[&str]| {
        synthd_in(dir.path(), &[&["dataset", "verify", &version, "--rebuild"], args].concat())
    };
    let told = verify(&[]).succeeds().fits();
    assert!(told.stdout.ends_with("every file of rows and notes is the same\n"), "{told:?}");
    assert_eq!(verify(&["--json"]).succeeds().document()["differing"], serde_json::json!([]));
    assert_eq!(fs::read_dir(Path::new(&version).parent().unwrap()).unwrap().count(), 2, "v1, card");
    // The store has other rows now.
    let more = "[campaign]\nname = \"second\"\nkind = \"completions\"\n[completions]\n\
        prompts = [\"more.jsonl\"]\nsamples = 2\n[[models]]\nname = \"scripted/echo\"\n";
    fs::write(dir.path().join("more.toml"), more).unwrap();
    let prompts: String = (0..4).map(|n| format!("{{\"prompt\": \"Say {n}.\"}}\n")).collect();
    fs::write(dir.path().join("more.jsonl"), prompts).unwrap();
    synthd_in(dir.path(), &["run", "more.toml", "--no-progress"]).succeeds();
    let ran = verify(&[]).fails(1, "SYN-0702");
    assert!(ran.stderr.contains("would be another now"), "{ran:?}");
}

#[test]
fn mistakes_of_a_recipe_are_listed_all_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let recipe = "[recipe]\nname = \"Not a name\"\nsede = 7\n\
        [[sources]]\ncampaign = \"a\"\n[[sources]]\ncampaign = \"a\"\n[[sources]]\ndata_dir = \"\"\n\
        [[stages]]\nkind = \"loop\"\naction = \"reject\"\n\
        [[stages]]\nkind = \"duplicates\"\naction = \"replace\"\n\
        [[stages]]\nkind = \"leak\"\n[[stages]]\nkind = \"leak\"\naction = \"label\"\nlevel = 3\n";
    fs::write(dir.path().join("recipe.toml"), recipe).unwrap();
    let ran = synthd_in(dir.path(), &["dataset", "build", "recipe.toml"]);
    assert_eq!(ran.code, Some(2));
    snapshot("recipe_mistakes", &ran.told(), None);
}

#[test]
fn sources_that_give_no_dataset_are_told() {
    let dir = copied();
    let missing = HEAD.replace("\"second\"", "\"third\"") + &stage("leak", "reject");
    fs::write(dir.path().join("recipe.toml"), missing).unwrap();
    let ran = synthd_in(dir.path(), &["dataset", "build", "recipe.toml"]).fails(2, "SYN-0703");
    assert!(ran.stderr.contains("this data directory holds first, second"), "{ran:?}");
    let named = HEAD.replace("\"both\"", "\"first\"") + &stage("leak", "reject");
    fs::write(dir.path().join("recipe.toml"), named).unwrap();
    let ran = synthd_in(dir.path(), &["dataset", "build", "recipe.toml"]).fails(2, "SYN-0703");
    assert!(ran.stderr.contains("first is the name of a campaign"), "{ran:?}");
    super::campaign::copy(&dir.path().join("synthd-data"), &dir.path().join("again"));
    let again = "[[sources]]\ncampaign = \"first\"\ndata_dir = \"again\"\n";
    fs::write(dir.path().join("recipe.toml"), format!("{HEAD}{again}{}", stage("leak", "reject")))
        .unwrap();
    let ran = synthd_in(dir.path(), &["dataset", "build", "recipe.toml"]).fails(2, "SYN-0703");
    assert!(ran.stderr.contains("two sources of the recipe have the row"), "{ran:?}");
    let nowhere = dir.path().join("nowhere.toml");
    let ran = synthd_in(dir.path(), &["dataset", "build", nowhere.to_str().unwrap()]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    let of_campaign = dir.path().join("synthd-data/datasets/first/v1");
    let of_campaign = of_campaign.to_str().unwrap();
    let ran = synthd_in(dir.path(), &["dataset", "explain", of_campaign, "ep-1"]);
    ran.fails(2, "SYN-0604");
}

#[test]
fn near_answers_and_texts_of_a_benchmark_are_found() {
    let dir = copied();
    let near = stage("near-duplicates", "reject") + "of = \"answer\"\nkeep = \"shortest\"\n";
    let built = build(dir.path(), &near).succeeds().document();
    assert!(built["rejected"]["near-duplicates"].as_u64().unwrap() >= 6, "{built}");
    let checked = stage("decontamination", "reject") + "benchmarks = [\"bench.txt\"]\n";
    fs::write(dir.path().join("recipe.toml"), format!("{HEAD}{checked}")).unwrap();
    let refused = |why: &str| {
        let ran = synthd_in(dir.path(), &["dataset", "build", "recipe.toml"]);
        let ran = ran.fails(2, "SYN-0703");
        assert!(ran.stderr.contains(why), "{ran:?}");
    };
    refused("bench.txt cannot be read");
    fs::write(dir.path().join("bench.txt"), "too short\n").unwrap();
    refused("no part of an item has 8 words");
    let item = "A question of a benchmark that nobody here was asked in any of the prompts.\n";
    fs::write(dir.path().join("bench.txt"), item).unwrap();
    let built = build(dir.path(), &checked).succeeds().document();
    assert_eq!(
        (&built["stages"][0]["seen"], &built["stages"][0]["found"]),
        (&12.into(), &0.into())
    );
}
