//! `synthd run` seen and told through the same socket.

use super::host::{Home, Process};
use super::{ENDLESS, QUICK, WORDS, sandboxes};
use crate::models::held_host::HeldHost;

fn run(home: &Home, file: &str) -> Process {
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/templates");
    let process = Process::start(home.command(&["run", file, "--templates", fixtures]));
    process.line_with("episodes over");
    process
}

#[test]
fn a_run_is_watched_paused_and_resumed() {
    if !sandboxes() {
        return;
    }
    // Its first call is held, so it cannot be over before it is paused.
    let (home, provider) = (Home::new(), HeldHost::holding(1));
    let text = format!(
        "[campaign]\nname = \"words\"\nseed = 7\nconcurrency = 2\n\
         [tasks]\ntemplates = [{WORDS}]\nper_template = 60\n\
         [providers.local]\ndialect = \"vllm\"\nbase_url = \"{}\"\nfree = true\n\
         [[models]]\nname = \"local/m\"\n",
        provider.host.url()
    );
    home.file("words.toml", &text);
    let run = run(&home, "words.toml");
    provider.is_kept_waiting();
    let status = home.json(&["status", "--json"]);
    assert_eq!(status["daemon"]["mode"], "foreground");
    assert_eq!(status["daemon"]["pid"], run.pid.as_raw());
    assert_eq!(home.ask(&["pause", "words"]).code, 0);
    provider.release();
    home.until("it waits", || home.campaign_status("words")["settled"] == true);
    let refused = home.ask(&["submit", &home.campaign("small", QUICK, 1)]);
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(refused.err.contains("runs one campaign"), "{refused:?}");
    assert_eq!(home.ask(&["resume", "words"]).code, 0);
    // The run may be over before the last word is on its way, and takes it along then.
    assert_eq!(home.ask(&["watch", "words"]).code, 0);
    assert_eq!(run.exit_code(), Some(0));
    assert!(!home.socket().exists());
}

#[test]
fn a_run_is_cancelled_and_another_is_shut_down() {
    if !sandboxes() {
        return;
    }
    let home = Home::new();
    let file = home.campaign("words", ENDLESS, 4);
    let cancelled = run(&home, &file);
    assert_eq!(home.ask(&["cancel", "words"]).code, 0);
    assert_eq!(cancelled.exit_code(), Some(130));
    // Running the file again takes it up once more.
    let ended = run(&home, &file);
    assert_eq!(home.ask(&["shutdown", "--now"]).code, 0);
    assert_eq!(ended.exit_code(), Some(130));
}

#[test]
fn a_socket_that_is_held_does_not_stop_a_run() {
    if !sandboxes() {
        return;
    }
    let (home, other) = (Home::new(), Home::new());
    let daemon = other.serve(&[]);
    let socket = other.socket().display().to_string();
    let said = home.ask(&["run", &home.campaign("small", QUICK, 1), "--socket", &socket]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.err.contains("SYN-0502") && said.err.contains("going on without"), "{said:?}");
    assert!(said.err.contains(&format!("process {}", daemon.pid)), "{said:?}");
    assert_eq!(other.json(&["status", "--json"])["daemon"]["pid"], daemon.pid.as_raw());
}
