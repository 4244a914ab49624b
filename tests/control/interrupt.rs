//! Ctrl-C during `synthd run`: what runs may finish, and the same command goes on.

use super::WORDS;
use super::host::{Home, Process};
use super::sandboxes;
use crate::models::held_host::HeldHost;
use nix::sys::signal::Signal::SIGINT;
use serde_json::Value;
use std::fs::File;
use std::process::Command;

/// Calls of one episode: each reply is unreadable, and so many end it.
const CALLS: usize = 3;
const EPISODES: usize = 3;
/// The second one of the second episode.
const HELD: usize = CALLS + 2;

fn campaign(home: &Home, provider: &HeldHost) {
    let text = format!(
        "[campaign]\nname = \"words\"\nseed = 7\nconcurrency = 1\n\
         [tasks]\ntemplates = [{WORDS}]\nper_template = {EPISODES}\n\
         [episode]\nmalformed_in_a_row = {CALLS}\n\
         [providers.local]\ndialect = \"vllm\"\nbase_url = \"{}\"\nfree = true\n\
         [[models]]\nname = \"local/m\"\n",
        provider.host.url()
    );
    home.file("words.toml", &text);
}

fn command(home: &Home, more: &[&str]) -> Command {
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/templates");
    home.command(&[&["run", "words.toml", "--templates", fixtures], more].concat())
}

/// A run that says how it ends in a file.
fn begun(home: &Home) -> Process {
    let file = File::create(home.path().join("said")).unwrap();
    Process::start_saying(command(home, &[]), file)
}

fn interrupted(home: &Home, run: &Process) {
    assert_eq!(run.exit_code(), Some(130));
    let said = std::fs::read_to_string(home.path().join("said")).unwrap();
    let told = "Stopped. Run the same command again to resume.";
    assert!(said.contains(told), "{said}");
}

/// The same command again: the campaign is complete then.
fn completes(home: &Home) {
    let output = command(home, &["--json"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let done: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(done["state"], "complete", "{done}");
    assert_eq!(done["episodes"]["finished"], EPISODES, "{done}");
    assert_eq!(done["episodes"]["faulted"], 0, "{done}");
}

#[test]
fn an_interrupt_lets_what_runs_finish() {
    if !sandboxes() {
        return;
    }
    let (home, provider) = (Home::new(), HeldHost::holding(HELD));
    campaign(&home, &provider);
    let run = begun(&home);
    provider.is_kept_waiting();
    run.signal(SIGINT);
    let line = run.line_with("stopping: ");
    let grace = "1 episode may finish within 30 s; press Ctrl-C again to stop at once";
    assert!(line.contains(grace), "{line}");
    provider.release();
    interrupted(&home, &run);
    assert_eq!(provider.host.heard().len(), 2 * CALLS, "the second is finished, and no third");
    completes(&home);
    assert_eq!(provider.host.heard().len(), EPISODES * CALLS, "nothing is asked twice");
}

#[test]
fn a_second_interrupt_cuts_off_what_the_next_run_takes_up() {
    if !sandboxes() {
        return;
    }
    let (home, provider) = (Home::new(), HeldHost::holding(HELD));
    campaign(&home, &provider);
    let run = begun(&home);
    provider.is_kept_waiting();
    run.signal(SIGINT);
    run.line_with("press Ctrl-C again");
    run.signal(SIGINT);
    interrupted(&home, &run);
    assert_eq!(provider.host.heard().len(), HELD);
    provider.release();
    completes(&home);
    let heard = provider.host.heard().len();
    assert_eq!(heard, EPISODES * CALLS + 1, "the call that was cut off is asked again, no other");
}
