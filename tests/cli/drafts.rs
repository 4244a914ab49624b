//! `synthd template draft` with scripted models: what is offered, what is given up, and that nothing is
//! asked twice.

use super::harness::{Ran, command, synthd_in};
use crate::support::{sandboxes_run, skip};
use serde_json::Value;
use std::fs;
use std::path::Path;

/// Runs the command in a directory, with few seeds.
fn draft(dir: &Path, model: &str, more: &[&str]) -> Ran {
    let models = format!("scripted/{model}");
    let args = ["template", "draft", "--brief", "price lists", "--models", &models, "--seeds", "2"];
    synthd_in(dir, &[&args[..], more].concat())
}

fn document(dir: &Path, model: &str, more: &[&str]) -> Value {
    draft(dir, model, &[&["--json"], more].concat()).document()
}

/// Whether proofs can run here; skips aloud where they cannot.
fn proofs_run(what: &str) -> bool {
    let run = sandboxes_run();
    if !run {
        skip(what, "no sandbox runs here");
    }
    run
}

#[test]
fn a_good_draft_is_offered_and_a_second_run_asks_nothing() {
    if !proofs_run("a draft that is offered") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let ran = draft(dir, "drafter", &[]).succeeds().fits();
    assert!(ran.stdout.contains("offered   shell/price-list\n"), "{ran:#?}");
    assert!(ran.stdout.contains("needed 2 commands: easy"), "{ran:#?}");
    let yaml = "drafts/templates/shell/price-list/template.yaml";
    assert!(dir.join(yaml).is_file());
    assert!(fs::read_to_string(dir.join("drafts/report.md")).unwrap().contains("price-list"));
    let report = fs::read_to_string(dir.join("drafts/report.json")).unwrap();
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["state"], "complete");
    let one = &report["drafts"][0];
    assert_eq!(one["answers"], serde_json::json!({ "asked": 4, "recorded": 0 }));
    assert_eq!((&one["end"], &one["easy"]), (&"offered".into(), &true.into()));
    assert!(one["variety"]["structures"].as_u64().unwrap() >= 20, "{one}");
    // What a person changes in the work area stays, and nothing is asked or paid again.
    fs::write(dir.join(yaml), "mine").unwrap();
    let again = document(dir, "drafter", &[]);
    assert_eq!(again["drafts"][0]["answers"], serde_json::json!({ "asked": 0, "recorded": 4 }));
    assert_eq!(again["cost_usd"], report["cost_usd"]);
    assert_eq!(fs::read_to_string(dir.join(yaml)).unwrap(), "mine");
    let other = ["template", "draft", "--brief", "other words", "--models", "scripted/drafter"];
    synthd_in(dir, &other).fails(2, "SYN-0103");
}

#[test]
fn what_the_gate_finds_is_repaired() {
    if !proofs_run("a draft that is repaired") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let run = document(dir.path(), "drafter-repairs", &[]);
    let one = &run["drafts"][0];
    assert_eq!((&one["end"], &one["repairs"]), (&"offered".into(), &1.into()), "{one:#}");
    assert_eq!(one["answers"]["asked"], 5);
    let check = ["template", "check", "shell/price-list", "--templates", "drafts/templates"];
    let checked = synthd_in(dir.path(), &[&check[..], &["--seeds", "2"]].concat()).succeeds();
    assert!(checked.stdout.contains("proven    shell/price-list"), "{checked:#?}");
}

#[test]
fn a_draft_that_is_never_right_is_given_up() {
    if !proofs_run("a draft that is given up") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let ran = draft(dir.path(), "drafter-stuck", &["--rounds", "1", "--json"]);
    let run = ran.document();
    let one = &run["drafts"][0];
    assert_eq!((&one["end"], &one["code"]), (&"given-up".into(), &"SYN-0232".into()), "{one:#}");
    let problems = one["reason"]["unproven"]["problems"].as_array().unwrap();
    assert!(problems.iter().any(|problem| problem.as_str().unwrap().contains("cheat")), "{one:#}");
    assert_eq!(one["answers"]["asked"], 3, "an idea, a template and one repair");
    ran.fails(1, "SYN-0232");
    assert!(!dir.path().join("drafts/templates/shell").exists());
}

#[test]
fn the_same_template_is_not_offered_twice() {
    if !proofs_run("two drafts of one template") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let run = document(dir.path(), "drafter", &["--count", "2", "--rounds", "0"]);
    assert_eq!(run["offered"], 1);
    let second = &run["drafts"][1];
    assert_eq!(second["idea"]["id"], "shell/price-list-2");
    let problems = second["reason"]["unproven"]["problems"].to_string();
    assert!(problems.contains("those of shell/price-list"), "{second:#}");
}

/// No sandbox is needed: nothing of such an answer is tried, or written anywhere.
#[test]
fn hostile_answers_are_refused_with_their_lines() {
    let dir = tempfile::tempdir().unwrap();
    let ran = draft(dir.path(), "drafter-hostile", &["--rounds", "2"]);
    for what in ["line 2: the path \"../../etc/cron.d/draft\"", "line 6: the path \"/etc/passwd\""]
    {
        assert!(ran.stdout.contains(what), "{what}: {ran:#?}");
    }
    assert!(ran.stdout.contains("control character"), "{ran:#?}");
    ran.fails(1, "SYN-0231");
    assert!(!dir.path().join("drafts/templates").exists());
    let again = document(dir.path(), "drafter-hostile", &["--rounds", "3"]);
    let answers = &again["drafts"][0]["answers"];
    assert_eq!(*answers, serde_json::json!({ "asked": 1, "recorded": 4 }), "one round more");
}

#[test]
fn mistakes_of_the_options_are_told_before_anything_runs() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let ran = draft(dir, "draftr", &[]);
    assert_eq!(ran.code, Some(2), "{ran:#?}");
    assert!(ran.stderr.contains("did you mean `drafter`?"), "{ran:#?}");
    draft(dir, "drafter", &["--name", "a\"b"]).fails(2, "SYN-0105");
    let empty = ["template", "draft", "--brief", " ", "--models", "scripted/drafter"];
    synthd_in(dir, &empty).fails(2, "SYN-0105");
    assert!(!dir.join("drafts").exists() && !dir.join("synthd-data").exists());
}

#[test]
fn a_budget_ends_a_run_and_a_larger_one_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let file = "[[models]]\nname = \"scripted/drafter-hostile\"\n\
                price = { input = \"1.00\", output = \"2.00\" }\n";
    fs::write(dir.join("models.toml"), file).unwrap();
    let options = ["--config", "models.toml", "--rounds", "0", "--count", "3", "--json"];
    // Enough for an idea. The files have the format of templates in their request.
    let ran = draft(dir, "drafter-hostile", &[&options[..], &["--budget", "0.05"]].concat());
    let run = ran.document();
    ran.fails(4, "SYN-0805");
    assert_eq!((&run["state"], &run["budget_usd"]), (&"out-of-budget".into(), &"0.05".into()));
    assert_eq!(run["drafts"].as_array().unwrap().len(), 1, "no further draft begins: {run:#}");
    let first = &run["drafts"][0];
    assert_eq!(first["end"], "out-of-budget");
    assert_eq!(first["answers"], serde_json::json!({ "asked": 1, "recorded": 0 }));
    let cost =
        |document: &Value| -> f64 { document["cost_usd"].as_str().unwrap().parse().unwrap() };
    assert!(0.0 < cost(first) && cost(first) <= 0.05, "{first:#}");
    let ran = draft(dir, "drafter-hostile", &[&options[..], &["--budget", "5"]].concat());
    let run = ran.document();
    ran.fails(1, "SYN-0231");
    let again = &run["drafts"][0];
    assert_eq!(again["answers"], serde_json::json!({ "asked": 1, "recorded": 1 }));
    assert!(cost(first) < cost(again) && cost(&run) <= 5.0, "{run:#}");
    draft(dir, "drafter", &["--config", "models.toml"]).fails(2, "SYN-0105");
}

#[test]
fn a_campaign_of_that_name_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let campaign = "[campaign]\nname = \"drafts\"\nkind = \"completions\"\n[completions]\n\
                    prompts = [\"p.jsonl\"]\n[[models]]\nname = \"scripted/echo\"\n";
    fs::write(dir.path().join("c.toml"), campaign).unwrap();
    fs::write(dir.path().join("p.jsonl"), "{\"prompt\": \"one\"}\n").unwrap();
    synthd_in(dir.path(), &["run", "c.toml"]).succeeds();
    draft(dir.path(), "drafter-hostile", &[]).fails(2, "SYN-0103");
    // A brief may stand in a file.
    fs::write(dir.path().join("brief.md"), "price lists").unwrap();
    let args = ["template", "draft", "--brief", "brief.md", "--name", "other", "--models"];
    let mut from_file = command(dir.path(), &[&args[..], &["scripted/drafter-hostile"]].concat());
    Ran::from(from_file.output().unwrap()).fails(1, "SYN-0231");
    draft(dir.path(), "drafter-hostile", &["--name", "other"]).fails(1, "SYN-0231");
}
