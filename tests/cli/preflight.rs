//! `check` and `run` find the same: what one calls valid, the other begins.

use super::campaign::{copy, shared, templates, text};
use super::harness::{Ran, command, snapshot, synthd_in};
use crate::models::host::{Act, Host, delta, finish, status, stream_of, usage};
use serde_json::json;
use std::path::Path;
use synthd::store::Store;

/// Runs a command on the campaign in `dir`, with a key for the provider.
fn with_key(dir: &Path, args: &[&str], key: Option<&str>) -> Ran {
    let own = templates();
    let all = [args, &["--data-dir", "data", "--templates", own.to_str().unwrap()]].concat();
    let mut command = command(dir, &all);
    if let Some(key) = key {
        command.env("CHECK_KEY", key);
    }
    Ran::from(command.output().unwrap())
}

/// A campaign with one model of a provider at `url`, and one of the engine's own.
fn campaign(dir: &Path, url: &str, globs: &str) {
    let own = text("live", &["oracle"], "tests/*").replace("[\"tests/*\"]", globs);
    let more = format!(
        "[providers.local]\ndialect = \"openai\"\nbase_url = \"{url}\"\nkey_env = \"CHECK_KEY\"\n\
         [[models]]\nname = \"local/m\"\nprice = {{ input = \"1\", output = \"2\" }}\n[budget]\nusd = \"1\"\n"
    );
    std::fs::write(dir.join("c.toml"), format!("{own}{more}")).unwrap();
}

fn ready() -> Vec<Act> {
    stream_of(&[
        delta(json!({ "role": "assistant", "content": "ready" })),
        finish("stop"),
        usage(100, 10),
    ])
}

/// Every finding of the file and of the host, with one command and the same codes.
#[test]
fn check_refuses_what_run_refuses() {
    let dir = tempfile::tempdir().unwrap();
    campaign(dir.path(), "http://127.0.0.1:1/v1", "[\"tests/*\", \"test/*\"]");
    let checked = with_key(dir.path(), &["check", "c.toml"], None).fails(2, "SYN-0106");
    snapshot("check_host_findings", &checked.told(), None);
    let ran = with_key(dir.path(), &["run", "c.toml"], None).fails(2, "SYN-0106");
    assert_eq!(ran.stderr, checked.stderr);
    let listed = with_key(dir.path(), &["check", "c.toml", "--json"], None);
    assert_eq!(listed.code, Some(2));
    let findings = listed.document()["findings"].clone();
    let codes: Vec<&str> =
        findings.as_array().unwrap().iter().map(|one| one["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["SYN-0106", "SYN-0801"], "{findings:#}");
    // What the file alone says.
    let file = with_key(dir.path(), &["check", "c.toml", "--file-only"], None);
    assert!(!file.fails(2, "SYN-0106").stderr.contains("SYN-0801"));
}

#[test]
fn check_refuses_a_sandbox_that_cannot_be_made() {
    let dir = tempfile::tempdir().unwrap();
    let mut own = text("no-root", &["oracle"], "tests/*");
    own.push_str("[sandbox]\nimage = \"/no/such/root\"\n");
    std::fs::write(dir.path().join("c.toml"), own).unwrap();
    for command in ["check", "run"] {
        let told = with_key(dir.path(), &[command, "c.toml"], None).fails(2, "SYN-0404");
        assert!(told.stderr.contains("wanted by tests/"), "{told:#?}");
    }
}

/// Templates that lack a program are named before a run skips them, and none left is an error.
#[test]
fn check_looks_for_the_programs_that_templates_need() {
    let dir = tempfile::tempdir().unwrap();
    let own = dir.path().join("own/needs");
    std::fs::create_dir_all(&own).unwrap();
    let known = std::fs::read_to_string(templates().join("tests/sum.yaml")).unwrap();
    let lacking = known
        .replace("id: tests/sum", "id: needs/it")
        .replace("requires: []", "requires: [no-such-program]");
    std::fs::write(own.join("it.yaml"), lacking).unwrap();
    let run = |globs: &str, command: &str| {
        let text = text("needs", &["oracle"], "needs/*").replace("[\"needs/*\"]", globs);
        std::fs::write(dir.path().join("c.toml"), text).unwrap();
        synthd_in(dir.path(), &[command, "c.toml", "--templates", "own"])
    };
    for command in ["check", "run"] {
        let told = run("[\"needs/*\"]", command).fails(2, "SYN-0104");
        assert!(told.stderr.contains("the sandbox has no no-such-program"), "{told:#?}");
    }
    let told = run("[\"needs/*\", \"debugging/*\"]", "check").succeeds();
    assert!(told.stderr.contains("skipping needs/it"), "{told:#?}");
}

/// All shares go to a template that this host cannot run: a campaign without an episode is none.
#[test]
fn shares_that_leave_nothing_to_run_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let own = dir.path().join("own/needs");
    std::fs::create_dir_all(&own).unwrap();
    let known = std::fs::read_to_string(templates().join("tests/sum.yaml")).unwrap();
    std::fs::write(own.join("sum.yaml"), known.replace("id: tests/sum", "id: needs/sum")).unwrap();
    let lacking = known
        .replace("id: tests/sum", "id: needs/it")
        .replace("difficulty: medium", "difficulty: hard")
        .replace("requires: []", "requires: [no-such-program]");
    std::fs::write(own.join("it.yaml"), lacking).unwrap();
    let keys = "draw = \"shares\"\ncount = 4\n[tasks.shares]\ndifficulty = { hard = 1 }\n";
    let text = text("needs", &["oracle"], "needs/*").replace("per_template = 1\n", keys);
    std::fs::write(dir.path().join("c.toml"), text).unwrap();
    for command in ["check", "run"] {
        let told = synthd_in(dir.path(), &[command, "c.toml", "--templates", "own"]);
        let told = told.fails(2, "SYN-0104");
        let why = "[tasks.shares] leaves no template that this host can run";
        assert!(told.stderr.contains(why), "{told:#?}");
        assert!(told.stderr.contains("needs/it: the sandbox has no no-such-program"), "{told:#?}");
    }
}

/// Each model is asked once: held, recorded, and within the budget.
#[test]
fn models_are_asked_once_where_that_is_wanted() {
    let dir = tempfile::tempdir().unwrap();
    let host = Host::doing(ready());
    campaign(dir.path(), &host.url(), "[\"tests/*\"]");
    let key = Some("k-1");
    with_key(dir.path(), &["check", "c.toml"], key).succeeds().fits();
    assert_eq!(host.heard().len(), 0, "a plain check costs nothing");
    assert!(!dir.path().join("data").exists(), "a plain check writes nothing");

    let told = with_key(dir.path(), &["check", "c.toml", "--live"], key).succeeds();
    assert!(told.stdout.contains("local/m answers: "), "{told:#?}");
    assert!(told.stdout.contains("$0.00012"), "{told:#?}");
    assert_eq!(host.heard().len(), 1);
    let calls = ["call", "list", "--campaign", "live.check", "--data-dir", "data", "--json"];
    let calls = synthd_in(dir.path(), &calls).succeeds().document();
    assert_eq!(calls["calls"].as_array().unwrap().len(), 1, "{calls:#}");

    let dry = with_key(dir.path(), &["run", "c.toml", "--dry-run"], key).succeeds();
    assert!(dry.stdout.contains("live would run: 4 episodes"), "{dry:#?}");
    assert!(dry.stdout.contains("local/m answers: "), "{dry:#?}");
    assert!(dry.stdout.contains("at least"), "{dry:#?}");
    let document = with_key(dir.path(), &["run", "c.toml", "--dry-run", "--json"], key);
    let document = document.succeeds().document();
    assert_eq!((&document["ok"], &document["episodes"]), (&json!(true), &json!(4)));
    // No episode of the campaign was begun.
    let list = ["episode", "list", "--campaign", "live", "--data-dir", "data"];
    synthd_in(dir.path(), &list).fails(2, "SYN-0105");
}

/// Providers refuse a budget of thinking that is not below the output limit.
#[test]
fn a_model_that_thinks_has_room_for_its_answer() {
    let dir = tempfile::tempdir().unwrap();
    let host = Host::doing(ready());
    campaign(dir.path(), &host.url(), "[\"tests/*\"]");
    let file = dir.path().join("c.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let text = text.replace("dialect = \"openai\"", "dialect = \"openrouter\"");
    let text = text.replace("name = \"local/m\"\n", "name = \"local/m\"\nthinking_budget = 2048\n");
    std::fs::write(&file, text).unwrap();
    with_key(dir.path(), &["check", "c.toml", "--live"], Some("k-1")).succeeds();
    let asked = &host.heard()[0].body;
    assert_eq!(asked["reasoning"]["max_tokens"], 2_048, "{asked}");
    assert_eq!(asked["max_tokens"], 2_048 + 256, "{asked}");
}

/// What the data directory has of a campaign is compared with its file, as `run` does it.
#[test]
fn check_refuses_a_campaign_that_was_begun_otherwise() {
    let dir = tempfile::tempdir().unwrap();
    copy(&shared().dir, dir.path());
    let own = dir.path().join("own");
    copy(&templates(), &own);
    let told = |command: &str, file: &str| {
        let data = ["--data-dir", "data", "--templates", "own"];
        synthd_in(dir.path(), &[&[command, file], &data[..]].concat())
    };
    let both = |file: &str, code: &str| {
        let checked = told("check", file).fails(2, code);
        assert_eq!(checked.stderr, told("run", file).fails(2, code).stderr);
    };
    told("check", "campaign.toml").succeeds();
    let file = dir.path().join("campaign.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(dir.path().join("seed.toml"), text.replace("seed = 7", "seed = 8")).unwrap();
    both("seed.toml", "SYN-0103");
    let template = own.join("tests/sum.yaml");
    let known = std::fs::read_to_string(&template).unwrap();
    std::fs::write(template, format!("# Mended.\n{known}")).unwrap();
    both("campaign.toml", "SYN-0108");
    // What `run` accepts with it, a dry run accepts too.
    let dry = ["run", "campaign.toml", "--dry-run", "--accept-changed", "--templates", "own"];
    synthd_in(dir.path(), &[&dry[..], &["--data-dir", "data"]].concat()).succeeds();
}

#[test]
fn check_refuses_a_data_directory_that_is_in_use() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("c.toml"), text("held", &["oracle"], "tests/*")).unwrap();
    let held = Store::open(&dir.path().join("data")).unwrap();
    for command in ["check", "run"] {
        with_key(dir.path(), &[command, "c.toml"], None).fails(2, "SYN-0301");
    }
    drop(held);
    with_key(dir.path(), &["check", "c.toml"], None).succeeds();
}

/// A store that no run would take, and a place where none can be.
#[test]
fn check_refuses_a_data_directory_that_run_refuses() {
    type Harm = fn(&Path);
    let harms: [(Harm, i32, &str); 5] = [
        (|data| std::fs::write(data.join("synthd.db"), "no database").unwrap(), 1, "SYN-0305"),
        (is_of_a_newer_synthd, 2, "SYN-0304"),
        (|data| std::fs::remove_file(data.join("synthd.db")).unwrap(), 1, "SYN-0306"),
        (|data| std::fs::remove_file(data.join("synthd.db-mark")).unwrap(), 1, "SYN-0306"),
        (is_a_file, 2, "SYN-0302"),
    ];
    for (harm, exit, code) in harms {
        let dir = tempfile::tempdir().unwrap();
        copy(&shared().dir, dir.path());
        let text = text("other", &["oracle"], "tests/*");
        std::fs::write(dir.path().join("c.toml"), text).unwrap();
        harm(&dir.path().join("data"));
        let told = |command: &str| with_key(dir.path(), &[command, "c.toml"], None);
        let checked = told("check").fails(exit, code);
        // The cause may be another call of the system.
        let first = |ran: &Ran| ran.stderr.lines().next().map(str::to_owned);
        assert_eq!(first(&checked), first(&told("run").fails(exit, code)));
        // The file alone is in order.
        with_key(dir.path(), &["check", "c.toml", "--file-only"], None).succeeds();
    }
}

/// SQLite has the version of the schema at byte 60.
fn is_of_a_newer_synthd(data: &Path) {
    let path = data.join("synthd.db");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[60..64].copy_from_slice(&999_u32.to_be_bytes());
    std::fs::write(path, bytes).unwrap();
}

fn is_a_file(data: &Path) {
    std::fs::remove_dir_all(data).unwrap();
    std::fs::write(data, "").unwrap();
}

/// A model that fails is asked once, not five times, and named.
#[test]
fn a_model_that_gives_no_answer_is_a_finding() {
    let dir = tempfile::tempdir().unwrap();
    let host = Host::doing(status("500 Internal Server Error", "", "{}"));
    campaign(dir.path(), &host.url(), "[\"tests/*\"]");
    for command in [&["check", "c.toml", "--live"][..], &["run", "c.toml", "--dry-run"]] {
        let told = with_key(dir.path(), command, Some("k-1")).fails(1, "SYN-0107");
        assert!(told.stderr.contains("local/m gave no answer"), "{told:#?}");
    }
    assert_eq!(host.heard().len(), 2);
}

#[test]
fn a_campaign_is_read_from_standard_input() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("c.toml");
    std::fs::write(&file, text("piped", &["oracle"], "debugging/*")).unwrap();
    let from = |args: &[&str]| {
        let mut command = command(dir.path(), args);
        Ran::from(command.stdin(std::fs::File::open(&file).unwrap()).output().unwrap())
    };
    let told = from(&["check", "-", "--file-only"]).succeeds();
    assert!(told.stdout.starts_with("<stdin> is valid: "), "{told:#?}");
    std::fs::write(&file, "[campaign]\nname = 1\n").unwrap();
    let told = from(&["check", "-"]);
    assert_eq!(told.code, Some(2));
    assert!(told.stderr.contains("<stdin>:2:8") || told.stderr.contains("<stdin>"), "{told:#?}");
}
