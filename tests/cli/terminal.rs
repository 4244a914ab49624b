//! What people see while a campaign runs: on a terminal, in a log, with colours and without, more
//! or less of it.

use super::harness::{Ran, both_on_terminal, command, synthd_in};
use crate::models::host::{Host, status};
use std::path::Path;

/// A campaign of completions. Its first model declines, and another one stands in with a warning.
fn campaign(dir: &Path, host: &Host, prompts: usize) {
    let text = format!(
        "[campaign]\nname = \"shown\"\nkind = \"completions\"\n[completions]\n\
         prompts = [\"p.jsonl\"]\n[providers.local]\ndialect = \"openai\"\nbase_url = \"{}\"\n\
         free = true\n[[models]]\nname = \"local/m\"\nfallback = {{ filter = [\"scripted/echo\"] }}\n\
         [[models]]\nname = \"scripted/echo\"\nreserve = true\n",
        host.url()
    );
    std::fs::write(dir.join("c.toml"), text).unwrap();
    let lines = (0..prompts).map(|at| format!("{{\"prompt\": \"{at}\"}}\n")).collect::<String>();
    std::fs::write(dir.join("p.jsonl"), lines).unwrap();
}

fn declines() -> Host {
    Host::doing(status("400 Bad Request", "", r#"{"error":{"code":"content_filter"}}"#))
}

/// The codes that move the cursor or colour the text: what stands between `ESC [` and the letter
/// that ends a code, and that letter.
fn codes(text: &str) -> Vec<&str> {
    let rest = text.split("\u{1b}[").skip(1);
    rest.filter_map(|rest| rest.split_inclusive(|c: char| c.is_ascii_alphabetic()).next()).collect()
}

/// The text without its codes.
fn bare(text: &str) -> String {
    let codes = codes(text).into_iter();
    codes.fold(text.to_owned(), |text, code| text.replacen(&format!("\u{1b}[{code}"), "", 1))
}

fn has_colours(text: &str) -> bool {
    codes(text).iter().any(|code| code.ends_with('m'))
}

#[test]
fn a_warning_above_the_bar_stays_whole() {
    let (dir, host) = (tempfile::tempdir().unwrap(), declines());
    campaign(dir.path(), &host, 30);
    let shown = bare(&both_on_terminal(command(dir.path(), &["run", "c.toml"]), 200));
    // From the year to the last field.
    let is_whole = |line: &&str| {
        let line = line.trim_matches(['\r', ' ']);
        line.starts_with("20") && line.contains(" WARN ") && line.ends_with("to=\"scripted/echo\"")
    };
    assert_eq!(shown.lines().filter(is_whole).count(), 30, "{shown}");
    assert_eq!(shown.matches("WARN").count(), 30, "{shown}");
    assert!(shown.contains("30 answered"), "{shown}");
}

#[test]
fn colours_are_for_terminals_and_for_who_wants_them() {
    let (dir, host) = (tempfile::tempdir().unwrap(), declines());
    campaign(dir.path(), &host, 2);
    let shown = |data: &str, no_color: Option<&str>| {
        let mut run = command(dir.path(), &["run", "c.toml", "--data-dir", data]);
        run.env("TERM", "xterm-256color");
        if let Some(value) = no_color {
            run.env("NO_COLOR", value);
        }
        both_on_terminal(run, 100)
    };
    assert!(has_colours(&shown("a", None)));
    assert!(has_colours(&shown("b", Some(""))), "an empty value forbids nothing");
    let plain = shown("c", Some("1"));
    assert!(plain.contains("WARN") && !has_colours(&plain), "{plain}");
    let logged = synthd_in(dir.path(), &["run", "c.toml", "--data-dir", "d"]).succeeds();
    assert!(logged.stderr.contains("WARN") && !logged.stderr.contains('\u{1b}'), "{logged:?}");
}

#[test]
fn who_wants_less_sees_less() {
    let (dir, host) = (tempfile::tempdir().unwrap(), declines());
    campaign(dir.path(), &host, 2);
    let run = |data: &str, more: &[&str]| -> Ran {
        let run = ["run", "c.toml", "--data-dir", data];
        synthd_in(dir.path(), &[&run[..], more].concat()).succeeds()
    };
    let begins = "shown: 2 completions over 2 prompts, 0 done before\n";
    let usual = run("a", &[]);
    assert!(usual.stderr.contains(begins) && usual.stderr.contains("WARN"), "{usual:?}");
    let less = run("b", &["--no-progress"]);
    assert!(!less.stderr.contains(begins) && less.stderr.contains("WARN"), "{less:?}");
    let least = run("c", &["--quiet"]);
    assert_eq!(least.stderr, "", "warnings are no errors");
    assert!(least.stdout.contains("2 answered"), "the summary stays: {least:?}");
    assert!(run("d", &["--quiet", "--log-level", "warn"]).stderr.contains("WARN"));
}

#[test]
fn the_environment_names_the_data_directory() {
    let (dir, host) = (tempfile::tempdir().unwrap(), declines());
    campaign(dir.path(), &host, 1);
    let with = |args: &[&str]| {
        let mut command = command(dir.path(), args);
        Ran::from(command.env("SYNTHD_DATA_DIR", "elsewhere").output().unwrap())
    };
    with(&["run", "c.toml"]).succeeds();
    assert!(dir.path().join("elsewhere/synthd.db").is_file());
    assert_eq!(with(&["episode", "list", "--json"]).succeeds().document()["total"], 1);
    // The command line says more than the environment does.
    with(&["run", "c.toml", "--data-dir", "named"]).succeeds();
    assert!(dir.path().join("named/synthd.db").is_file());
}
