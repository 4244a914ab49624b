//! `synthd campaign reverify`: all kept workspaces of a campaign are judged again, and both verdicts
//! are in the store and in the dataset.

use super::campaign::{copy, templates, text};
use super::harness::{Ran, command, synthd_in};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use parquet::file::reader::{FileReader, SerializedFileReader};
use serde_json::Value;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;
use tempfile::TempDir;

/// A campaign that has run in a directory of its own, with templates of its own in `own`. Its four
/// episodes are both templates, each solved once and given up once.
fn ran(keeping: &str) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    copy(&templates(), &dir.path().join("own"));
    let keeping = format!("max_turns = 8\nkeep_workspaces = \"{keeping}\"");
    let text = text("small", &["oracle", "give-up"], "tests/*").replace("max_turns = 8", &keeping);
    std::fs::write(dir.path().join("campaign.toml"), text).unwrap();
    with_templates(dir.path(), &["run", "campaign.toml"]).succeeds();
    dir
}

fn with_templates(dir: &Path, args: &[&str]) -> Ran {
    synthd_in(dir, &[args, &["--data-dir", "data", "--templates", "own"]].concat())
}

fn reverify(dir: &Path, extra: &[&str]) -> Ran {
    with_templates(dir, &[&["campaign", "reverify", "small"], extra].concat())
}

/// Changes a template.
fn edit(dir: &Path, file: &str, changes: &[(&str, &str)]) {
    let path = dir.join("own/tests").join(file);
    let mut text = std::fs::read_to_string(&path).unwrap();
    for (before, after) in changes {
        assert!(text.contains(before), "{before} is not in {file}");
        text = text.replace(before, after);
    }
    std::fs::write(path, text).unwrap();
}

/// The check of one template is stricter now, and those of the other let everything pass.
fn change_checks(dir: &Path) {
    edit(dir, "sum.yaml", &[("run: cmp sum.txt /sealed/sum", "run: echo never; exit 3")]);
    let greeted = r#"run: "grep -qxF \"$(cat /sealed/greeting)\" greeting.txt""#;
    let counted = r#"[ "$(cat count.txt)" = {{ guests | length }} ]"#;
    edit(dir, "greeting.yaml", &[(greeted, r#"run: "true""#), (counted, "true")]);
}

/// The episode of this label and template.
fn id_of(document: &Value, recorded: &str, template: &str) -> String {
    let episodes = document["episodes"].as_array().unwrap();
    let found = episodes.iter().find(|e| e["recorded"] == recorded && e["template"] == template);
    found.unwrap()["episode"].as_str().unwrap().to_owned()
}

fn show(dir: &Path, id: &str, extra: &[&str]) -> Ran {
    with_templates(dir, &[&["episode", "show", id], extra].concat()).succeeds()
}

/// The rows of a version as text.
fn rows(version: &Path) -> Vec<String> {
    let files =
        ["train", "validation", "test"].map(|split| version.join(format!("{split}.parquet")));
    let mut rows = Vec::new();
    for file in files {
        let reader = SerializedFileReader::new(File::open(file).unwrap()).unwrap();
        rows.extend(reader.get_row_iter(None).unwrap().map(|row| row.unwrap().to_string()));
    }
    rows
}

#[test]
fn changed_checks_give_second_verdicts_beside_the_first_ones() {
    let dir = ran("all");
    let dir = dir.path();
    change_checks(dir);
    let printed = reverify(dir, &["--no-progress"]).succeeds().fits();
    let headline = "small: 4 of 4 episodes judged again; 2 judged otherwise";
    assert!(printed.stdout.starts_with(headline), "{printed:?}");
    let document = reverify(dir, &["--json"]).succeeds().document();
    assert_eq!(document["judged_earlier"], 4, "{document:#}");
    let expected = serde_json::json!([
        { "before": "resolved", "now": "resolved", "episodes": 1 },
        { "before": "resolved", "now": "unresolved", "episodes": 1 },
        { "before": "unresolved", "now": "resolved", "episodes": 1 },
        { "before": "unresolved", "now": "unresolved", "episodes": 1 },
    ]);
    assert_eq!(document["transitions"], expected, "{document:#}");

    let id = id_of(&document, "resolved", "tests/sum");
    let shown = show(dir, &id, &[]).stdout;
    for line in ["outcome   resolved, score 1.000", "again     unresolved, score 0.000"] {
        assert!(shown.contains(line), "{shown}");
    }
    assert!(shown.contains("tests/sum.yaml changed"), "{shown}");
    let shown = show(dir, &id, &["--json"]).document();
    assert_eq!(shown["episode"]["outcome"]["verdict"]["passed"], true);
    let later = shown["reverifications"].as_array().unwrap();
    assert_eq!(later.len(), 1, "what the same checks have judged is not judged again");
    assert_eq!(later[0]["verdict"]["checks"][0]["output"], "never\n");
    assert_eq!(shown["row"]["final_result"], "resolved");
    assert_eq!(shown["row"]["reverified"]["outcome"], "unresolved");
    let reason = shown["row"]["reverified"]["reason"].as_str().unwrap();
    assert!(reason.contains("passed and fails now"), "{reason}");
}

#[test]
fn a_dataset_that_is_built_afterwards_has_both_labels() {
    let dir = ran("all");
    let dir = dir.path();
    let before = rows(&dir.join("data/datasets/small/v1"));
    assert!(!before.is_empty());
    assert!(before.iter().all(|row| row.contains("reverified: null")), "{before:#?}");
    change_checks(dir);
    reverify(dir, &["--json"]).succeeds();
    let build = ["dataset", "build", "small", "--data-dir", "data", "--json"];
    let built = synthd_in(dir, &build).succeeds().document();
    assert_eq!(built["version"], 2, "{built:#}");
    let version = dir.join("data/datasets/small/v2");
    synthd_in(dir, &["dataset", "verify", version.to_str().unwrap()]).succeeds();
    let after = rows(&version);
    assert_eq!(after.len(), before.len());
    let is = |row: &&String, template: &str, recorded: &str, now: &str| {
        row.contains(&format!("template: \"tests/{template}\""))
            && row.contains(&format!("final_result: \"{recorded}\""))
            && row.contains(&format!("reverified: {{outcome: \"{now}\""))
    };
    let count = |template, recorded, now| {
        after.iter().filter(|row| is(row, template, recorded, now)).count()
    };
    assert_eq!(count("sum", "resolved", "unresolved"), 1, "{after:#?}");
    assert_eq!(count("greeting", "resolved", "resolved"), 1, "{after:#?}");
    // The same verdicts are the same dataset.
    reverify(dir, &["--json"]).succeeds();
    assert_eq!(synthd_in(dir, &build).succeeds().document()["version"], 2);
}

/// A run that was cut short has judged some of them.
#[test]
fn what_is_judged_is_not_judged_again_unless_the_checks_change() {
    let dir = ran("all");
    let dir = dir.path();
    let some = reverify(dir, &["--json", "--template", "tests/sum"]).succeeds().document();
    assert_eq!(some["judged"], 2, "{some:#}");
    assert_eq!(some["otherwise"], 0, "{some:#}");
    assert_eq!(some["episodes"][0]["reason"]["files"], serde_json::json!([]));
    let all = reverify(dir, &["--json"]).succeeds().document();
    assert_eq!(all["judged"], 4, "{all:#}");
    assert_eq!(all["judged_earlier"], 2, "{all:#}");
    change_checks(dir);
    let anew = reverify(dir, &["--json"]).succeeds().document();
    assert_eq!(anew["judged"], 4, "{anew:#}");
    assert_eq!(anew["judged_earlier"], 0, "{anew:#}");
    let id = id_of(&anew, "resolved", "tests/sum");
    let later = show(dir, &id, &["--json"]).document()["reverifications"].clone();
    let passed = |again: &Value| again["verdict"]["passed"].as_bool().unwrap();
    let labels: Vec<bool> = later.as_array().unwrap().iter().map(passed).collect();
    assert_eq!(labels, [true, false], "both are kept, the newest last");
    let strange = reverify(dir, &["--template", "other/*"]).fails(2, "SYN-0105");
    assert!(strange.stderr.contains("other/*"), "{strange:?}");
}

/// A check that takes long is cut off. What was judged before stays, and the command goes on later.
#[test]
fn an_interrupted_command_goes_on() {
    let dir = ran("all");
    let dir = dir.path();
    reverify(dir, &["--json", "--template", "tests/greeting"]).succeeds();
    let quick = "run: cmp sum.txt /sealed/sum";
    edit(dir, "sum.yaml", &[(quick, "run: sleep 600; cmp sum.txt /sealed/sum")]);
    let args = ["campaign", "reverify", "small", "--data-dir", "data", "--templates", "own"];
    let mut command = command(dir, &[&args[..], &["--json"]].concat());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut told = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(told.any(|line| line.unwrap().contains("4 episodes with a verdict")));
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGINT).unwrap();
    let ended = Ran::from(child.wait_with_output().unwrap());
    assert_eq!(ended.code, Some(130), "{ended:?}");
    assert_eq!(ended.document()["interrupted"], true);
    edit(dir, "sum.yaml", &[("run: sleep 600; cmp sum.txt /sealed/sum", quick)]);
    let rest = reverify(dir, &["--json"]).succeeds().document();
    assert_eq!(rest["judged"], 4, "{rest:#}");
    assert_eq!(rest["judged_earlier"], 2, "{rest:#}");
}

/// Unless the campaign asks for more, the workspaces of unsolved episodes are not kept.
#[test]
fn episodes_without_a_workspace_are_counted_and_named() {
    let dir = ran("solved");
    let printed = reverify(dir.path(), &[]).succeeds().fits().stdout;
    assert!(printed.contains("not judged, the workspace is not kept: 2\n  ep-"), "{printed}");
    assert!(printed.contains("[episode] keep_workspaces"), "{printed}");
    std::fs::remove_dir_all(dir.path().join("data/workspaces")).unwrap();
    edit(dir.path(), "sum.yaml", &[("run: cmp sum.txt /sealed/sum", "run: exit 3")]);
    edit(dir.path(), "greeting.yaml", &[("wanted {{ guests", "expected {{ guests")]);
    let nothing = reverify(dir.path(), &[]).fails(2, "SYN-0105");
    assert!(nothing.stderr.contains("[episode] keep_workspaces"), "{nothing:?}");
    assert!(nothing.stdout.contains("the workspace is not kept: 4"), "{nothing:?}");
}

/// Work that the template no longer asks for, and a damaged file, give no verdict.
#[test]
fn what_cannot_be_judged_gets_no_verdict() {
    let dir = ran("all");
    let dir = dir.path();
    edit(dir, "sum.yaml", &[("Write the sum of", "Write the total of")]);
    for entry in std::fs::read_dir(dir.join("data/workspaces")).unwrap() {
        std::fs::write(entry.unwrap().path(), "no workspace").unwrap();
    }
    let document = reverify(dir, &["--json"]).document();
    let counts = serde_json::json!({ "other_work": 2, "unreadable": 2 });
    assert_eq!(document["not_judged"], counts, "{document:#}");
    let id = id_of(&document, "resolved", "tests/greeting");
    assert_eq!(show(dir, &id, &["--json"]).document()["reverifications"], serde_json::json!([]));
    let unknown = with_templates(dir, &["campaign", "reverify", "none"]).fails(2, "SYN-0105");
    assert!(unknown.stderr.contains("holds small"), "{unknown:?}");
}
