//! Campaigns of completions, as somebody meets them who has a file of prompts.

use super::harness::synthd_in;
use std::fs;
use std::path::Path;

fn write(dir: &Path, prompts: &str) {
    let campaign = "[campaign]\nname = \"answers\"\nkind = \"completions\"\n[completions]\n\
                    prompts = [\"p.jsonl\"]\nsamples = 2\n[[models]]\nname = \"scripted/echo\"\n";
    fs::write(dir.join("answers.toml"), campaign).unwrap();
    fs::write(dir.join("p.jsonl"), prompts).unwrap();
}

#[test]
fn a_file_of_prompts_is_checked_answered_grown_and_looked_at() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    write(dir, "{\"prompt\": \"one\", \"id\": 7}\n{\"prompt\": \"two\"}\n{\"prompt\": \"one\"}\n");
    let checked = synthd_in(dir, &["check", "answers.toml"]).succeeds();
    let told = "answers.toml is valid: 2 prompts, 1 model\n1 line repeats an earlier prompt and is \
                left out\n2 answers of each model to each prompt\n4 completions\n";
    assert_eq!(checked.stdout, told);
    let run = || synthd_in(dir, &["run", "answers.toml", "--json"]).succeeds().document();
    let first = run();
    assert_eq!((&first["kind"], &first["tasks"]), (&"completions".into(), &2.into()));
    assert_eq!(first["episodes"]["answered"], 4);
    assert_eq!(first["episodes"]["unresolved"], 0, "what nobody verified is not unresolved");
    assert_eq!(first["rows"]["accepted"], 4);
    // A line more is all that is asked.
    write(dir, "{\"prompt\": \"zero\"}\n{\"prompt\": \"one\", \"id\": 7}\n{\"prompt\": \"two\"}\n");
    let second = run();
    assert_eq!(second["episodes"]["answered"], 6);
    assert_eq!(second["dataset"]["version"], 2);
    let path = second["dataset"]["path"].as_str().unwrap().to_owned();
    synthd_in(dir, &["dataset", "verify", &path]).succeeds();
    let listed = synthd_in(dir, &["episode", "list", "--json"]).succeeds().document();
    let id = listed["episodes"][0]["id"].as_str().unwrap().to_owned();
    let page = synthd_in(dir, &["episode", "show", &id]).succeeds().stdout;
    assert!(page.contains("line 1 of p.jsonl") && page.contains("answered"), "{page}");
    let replayed = synthd_in(dir, &["episode", "replay", &id]).succeeds().stdout;
    assert_eq!(
        replayed,
        format!("{id} is a completion: no command ran, so there is nothing to repeat\n")
    );
    let campaigns = synthd_in(dir, &["campaign", "list"]).succeeds().stdout;
    assert!(!campaigns.contains("0.0 %"), "nothing was verified: {campaigns}");
}

#[test]
fn other_prompts_or_another_system_message_are_another_campaign() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    write(dir, "{\"prompt\": \"one\"}\n");
    synthd_in(dir, &["run", "answers.toml"]).succeeds();
    let text = fs::read_to_string(dir.join("answers.toml")).unwrap();
    let changed = text.replace("samples = 2", "samples = 2\nsystem = \"Be brief.\"");
    fs::write(dir.join("answers.toml"), changed).unwrap();
    let ran = synthd_in(dir, &["run", "answers.toml"]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.stderr.contains("SYN-0103"), "{}", ran.stderr);
    assert!(ran.stderr.contains("system"), "{}", ran.stderr);
}
