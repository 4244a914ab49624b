//! Signals to a daemon.

use super::host::{Home, Process};
use super::{ENDLESS, WORDS, sandboxes};
use nix::sys::signal::Signal::{SIGHUP, SIGINT, SIGTERM};
use serde_json::Value;

#[test]
fn a_first_sigterm_lets_running_episodes_finish() {
    if !sandboxes() {
        return;
    }
    let home = Home::new();
    let daemon = home.serve(&[]);
    home.json(&["submit", &home.campaign("words", WORDS, 400), "--json"]);
    home.until("some are done", || home.campaign_status("words")["episodes"]["finished"] != 0);
    daemon.signal(SIGTERM);
    assert_eq!(daemon.exit_code(), Some(0));
    assert!(!home.socket().exists());
    let lines = daemon.rest();
    assert!(lines.iter().any(|line| line.contains("\"cut\":false")), "{lines:#?}");
    // Nothing was cut off: every attempt has its end.
    let _daemon = home.serve(&[]);
    home.until("it is resumed", || home.campaign_status("words")["live"] == true);
    assert_eq!(home.ask(&["cancel", "words"]).code, 0);
}

#[test]
fn a_second_one_cuts_off_at_once() {
    if !sandboxes() {
        return;
    }
    let home = Home::new();
    for second in [SIGTERM, SIGINT] {
        let daemon = endless(&home);
        daemon.signal(SIGTERM);
        daemon.line_with("shutting down");
        // It says what remains while it waits.
        daemon.line_with("waiting for running episodes");
        daemon.signal(second);
        assert_eq!(daemon.exit_code(), Some(130));
    }
}

#[test]
fn the_deadline_cuts_off_too() {
    if !sandboxes() {
        return;
    }
    let home = Home::new();
    home.file("daemon.toml", "[daemon]\ndrain_timeout = \"0s\"\n");
    let daemon = home.serve(&["--config", "daemon.toml"]);
    home.json(&["submit", &home.campaign("endless", ENDLESS, 1), "--json"]);
    home.until("it runs", || home.campaign_status("endless")["running"] == 1);
    daemon.signal(SIGTERM);
    assert_eq!(daemon.exit_code(), Some(130));
}

fn endless(home: &Home) -> Process {
    let file = home.campaign("endless", ENDLESS, 1);
    let daemon = home.serve(&[]);
    // The second time it is resumed by itself.
    home.ask(&["submit", &file]);
    home.until("it runs", || home.campaign_status("endless")["running"] == 1);
    daemon
}

#[test]
fn sighup_reads_the_level_of_logs_again() {
    if !sandboxes() {
        return;
    }
    let home = Home::new();
    home.file("daemon.toml", "[log]\nlevel = \"info\"\n");
    let daemon = home.serve(&["--config", "daemon.toml"]);
    let one = home.campaign("one", WORDS, 1);
    home.json(&["submit", &one, "--json"]);
    let logged = daemon.line_with("the attempt is judged");
    let line: Value = serde_json::from_str(&logged).unwrap();
    let span = &line["span"];
    assert_eq!(span["campaign"], "one", "{line}");
    assert_eq!(span["attempt"], 1, "{line}");
    assert!(span["episode"].as_str().unwrap().starts_with("ep-"), "{line}");

    home.file("daemon.toml", "[log]\nlevel = \"inof\"\n");
    daemon.signal(SIGHUP);
    let refused = daemon.line_with("was not reloaded");
    assert!(refused.contains("inof"), "{refused}");
    home.file("daemon.toml", "[log]\nlevel = \"debug\"\n");
    daemon.signal(SIGHUP);
    daemon.line_with("the level of logs has changed");
    home.file("daemon.toml", "[log]\nlevel = \"error\"\n");
    daemon.signal(SIGHUP);
    daemon.line_with("the level of logs changes");
    home.json(&["submit", &home.campaign("two", WORDS, 1), "--json"]);
    assert_eq!(home.ask(&["watch", "two"]).code, 0);
    assert_eq!(home.ask(&["shutdown"]).code, 0);
    daemon.wait();
    let quiet = daemon.rest();
    assert!(quiet.iter().all(|line| line.contains("ERROR")), "{quiet:#?}");
}

#[test]
fn logs_are_for_people_where_they_are_asked_to_be() {
    if !sandboxes() {
        return;
    }
    let home = Home::new();
    let process = Process::start(home.command(&["serve", "--log-format", "human"]));
    let line = process.line_with("listening");
    assert!(serde_json::from_str::<Value>(&line).is_err(), "{line}");
    process.signal(SIGINT);
    assert_eq!(process.exit_code(), Some(0));
}
