//! What users do with a daemon.

use super::host::{Home, Process};
use super::{ENDLESS, QUICK, WORDS, sandboxes};
use crate::models::host::{Host, status};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

#[test]
fn a_campaign_is_submitted_watched_to_its_end_and_leaves_a_dataset() {
    if !sandboxes() {
        return;
    }
    let home = Home::new();
    let file = home.campaign("small", QUICK, 1);
    let daemon = home.serve(&[]);
    let submitted = home.json(&["submit", &file, "--json"]);
    assert_eq!(submitted["campaign"], "small");
    assert_eq!(submitted["episodes"]["planned"], 2);
    // The file was taken, not remembered.
    std::fs::remove_file(home.path().join(&file)).unwrap();

    let watched = home.ask(&["watch", "--json"]);
    assert_eq!(watched.code, 0, "{watched:?}");
    let lines: Vec<Value> =
        watched.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let last = lines.last().unwrap();
    assert_eq!((&last["state"], &last["settled"]), (&"complete".into(), &true.into()));
    assert_eq!(last["episodes"]["finished"], 2);
    let dataset = home.path().join(last["dataset"]["path"].as_str().unwrap());
    assert!(dataset.join("manifest.json").is_file(), "{}", dataset.display());

    let status = home.json(&["status", "--json"]);
    assert_eq!(status["daemon"]["mode"], "daemon");
    assert_eq!(status["daemon"]["pid"], daemon.pid.as_raw());
    assert_eq!(status["campaigns"][0]["state"], "complete");
    assert_eq!(status["router"][0]["models"][0]["model"], "scripted/oracle");
    assert!(status["router"][0]["models"][0]["calls"].as_u64().unwrap() > 0);
    assert!(status["collector"]["recorded"].as_u64().unwrap() > 0);
    assert!(status["store"]["commits"].as_u64().unwrap() > 0);
    assert_eq!(status["control"]["clients"], 1);
    assert_eq!(status["quality"]["queue_depth"], 0);
    let actors = status["actors"].as_array().unwrap();
    let names: Vec<&str> = actors.iter().map(|actor| actor["name"].as_str().unwrap()).collect();
    let all = ["router", "pool", "quality", "publisher", "unit", "engine", "campaign", "control"];
    assert_eq!(names, all);
    // A panic that blocking work on the actors' thread caused would be counted here.
    let sound = |actor: &Value| {
        ["panics", "restarts", "kills", "set_aside"].iter().all(|of| actor[*of] == 0)
    };
    assert!(actors.iter().all(sound), "{actors:?}");
    let shown = home.ask(&["status"]);
    assert!(shown.out.contains("small") && shown.out.contains("2/2"), "{shown:?}");
    assert!(shown.out.contains("actors: no panics, no restarts, no kills"), "{shown:?}");
    let place = |what: &str| shown.out.find(what).unwrap();
    assert!(place("small") < place("sandboxes: "), "campaigns come first: {shown:?}");

    // Its end is still there for who comes late, in words too.
    let late = home.ask(&["watch", "small"]);
    assert_eq!(late.code, 0);
    assert!(late.out.contains("Dataset v1 is in"), "{late:?}");
    assert_eq!(home.ask(&["shutdown"]).code, 0);
    assert_eq!(daemon.exit_code(), Some(0));
}

#[test]
fn a_paused_campaign_waits_and_is_resumed() {
    if !sandboxes() {
        return;
    }
    let home = Home::new();
    let file = home.campaign("words", WORDS, 60);
    let _daemon = home.serve(&[]);
    home.json(&["submit", &file, "--json"]);
    let mut watch = home.command(&["watch", "words"]);
    let watch = watch.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    assert_eq!(home.json(&["pause", "words", "--json"])["state"], "paused");
    home.until("what ran has finished", || home.campaign_status("words")["settled"] == true);
    let finished = home.campaign_status("words")["episodes"]["finished"].clone();
    assert_ne!(finished, 60);
    let again = home.ask(&["pause", "words"]);
    assert_eq!(again.code, 2, "{again:?}");
    assert_eq!(home.campaign_status("words")["episodes"]["finished"], finished);

    let resumed = home.ask(&["resume", "words"]);
    assert_eq!(resumed.out, "words is running: it goes on\n");
    // The pause did not end the watch.
    let watched = watch.wait_with_output().unwrap();
    let said = String::from_utf8(watched.stdout).unwrap();
    assert!(watched.status.success(), "{said}");
    assert!(said.contains("words paused ["), "{said}");
    assert!(said.contains("words complete [60/60]"), "{said}");
}

#[test]
fn several_campaigns_share_a_daemon_and_one_is_cancelled() {
    if !sandboxes() {
        return;
    }
    let home = Home::new();
    let _daemon = home.serve(&[]);
    for (name, templates) in [("endless", ENDLESS), ("small", QUICK)] {
        home.json(&["submit", &home.campaign(name, templates, 1), "--json"]);
    }
    let unclear = home.ask(&["watch"]);
    assert_eq!(unclear.code, 2);
    assert!(unclear.err.contains("name one of endless, small"), "{unclear:?}");
    assert_eq!(home.ask(&["watch", "small"]).code, 0, "one that waits does not hold up the other");
    home.until("the endless one runs", || home.campaign_status("endless")["running"] == 1);
    assert_eq!(home.json(&["cancel", "endless", "--json"])["state"], "cancelled");
    let watched = home.ask(&["watch", "endless"]);
    assert_eq!(watched.code, 130, "{watched:?}");
    assert_eq!(home.campaign_status("endless")["running"], 0);
    let again = home.ask(&["resume", "endless"]);
    assert_eq!(again.code, 2, "{again:?}");
}

/// The code is that of the fault, as `run` has it.
#[test]
fn a_watch_ends_as_the_run_of_its_campaign_would() {
    let host = Host::doing(status("401 Unauthorized", "", "{}"));
    let text = format!(
        "[campaign]\nname = \"refused\"\nkind = \"completions\"\n[completions]\n\
         prompts = [\"p.jsonl\"]\n[providers.local]\ndialect = \"openai\"\nbase_url = \"{}\"\n\
         [[models]]\nname = \"local/m\"\nprice = {{ input = \"1\", output = \"1\" }}\n",
        host.url()
    );
    let [daemon, alone] = [(); 2].map(|()| {
        let home = Home::new();
        home.file("p.jsonl", "{\"prompt\": \"one\"}\n");
        home.file("refused.toml", &text);
        home
    });
    let _daemon = daemon.serve(&[]);
    daemon.json(&["submit", "refused.toml", "--json"]);
    let ran = alone.ask(&["run", "refused.toml"]);
    assert_eq!(ran.code, 2, "{ran:?}");
    for more in [&[][..], &["--json"]] {
        let watched = daemon.ask(&[&["watch", "refused"], more].concat());
        assert_eq!(watched.code, ran.code, "{watched:?}");
        assert!(watched.err.contains("SYN-0411"), "{watched:?}");
    }
}

/// Where money is counted, people see how much is left; where they want less, they get less.
#[test]
fn who_watches_sees_the_money_that_is_left() {
    if !sandboxes() {
        return;
    }
    let home = Home::new();
    let file = home.campaign("endless", ENDLESS, 1);
    let text = std::fs::read_to_string(home.path().join(&file)).unwrap();
    home.file(&file, &format!("{text}[budget]\nusd = \"5.00\"\nday_usd = \"2.00\"\n"));
    let _daemon = home.serve(&[]);
    home.json(&["submit", &file, "--json"]);
    home.until("it runs", || home.campaign_status("endless")["running"] == 1);
    let mut watch = home.command(&["watch", "endless"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut reader = BufReader::new(watch.stdout.take().unwrap());
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    assert!(line.ends_with(", budget $5.00 left, today $2.00 left\n"), "{line}");
    let shown = home.ask(&["status"]);
    assert!(shown.out.contains("endless: budget $5.00 left, today $2.00 left\n"), "{shown:?}");
    let mut quiet = home.command(&["watch", "endless", "--quiet"]);
    let quiet = quiet.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut last = home.command(&["watch", "endless", "--json", "--no-progress"]);
    let last = last.stdout(Stdio::piped()).spawn().unwrap();
    home.until("they listen", || home.json(&["status", "--json"])["control"]["clients"] == 4);
    home.json(&["cancel", "endless", "--json"]);
    let said = |output: Vec<u8>| String::from_utf8(output).unwrap();
    let (quiet, last) = (quiet.wait_with_output().unwrap(), last.wait_with_output().unwrap());
    assert_eq!((quiet.status.code(), said(quiet.stderr)), (Some(130), String::new()));
    assert!(!said(quiet.stdout).contains("endless running"));
    let last: Value = serde_json::from_slice(&last.stdout).unwrap();
    assert_eq!(last["state"], "cancelled", "one document alone");
    watch.wait().unwrap();
}

/// `synthd watch | head -1`: nothing is left to be said, though the campaign goes on.
#[test]
fn a_watcher_whose_reader_leaves_ends() {
    if !sandboxes() {
        return;
    }
    let home = Home::new();
    let _daemon = home.serve(&[]);
    home.json(&["submit", &home.campaign("endless", ENDLESS, 1), "--json"]);
    for args in [&["watch", "endless"][..], &["watch", "endless", "--json"]] {
        let mut watch = home.command(args).stdout(Stdio::piped()).spawn().unwrap();
        let mut reader = BufReader::new(watch.stdout.take().unwrap());
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        assert!(line.contains("endless"), "{line}");
        drop(reader);
        assert_eq!(watch.wait().unwrap().code(), Some(0), "{args:?}");
    }
    assert_eq!(home.campaign_status("endless")["state"], "running");
    home.json(&["cancel", "endless", "--json"]);
}

#[test]
fn a_drained_daemon_refuses_what_is_new_and_stays_to_be_asked() {
    if !sandboxes() {
        return;
    }
    let home = Home::new();
    let daemon = home.serve(&[]);
    home.json(&["submit", &home.campaign("words", WORDS, 200), "--json"]);
    let drained = home.json(&["drain", "--json"]);
    assert_eq!(drained["campaigns"][0]["settled"], true);
    assert_eq!(drained["campaigns"][0]["running"], 0);
    let refused = home.ask(&["submit", &home.campaign("small", QUICK, 1)]);
    assert_eq!(refused.code, 2);
    assert!(refused.err.contains("is draining"), "{refused:?}");
    assert_eq!(home.json(&["status", "--json"])["daemon"]["draining"], true);
    assert_eq!(home.ask(&["watch", "words"]).code, 130, "stopped, and resumable");
    let left = home.ask(&["drain", "--shutdown"]);
    assert_eq!(left.code, 0, "{left:?}");
    assert_eq!(daemon.exit_code(), Some(0));
}

#[test]
fn who_shut_a_daemon_down_may_start_the_next_at_once() {
    if !sandboxes() {
        return;
    }
    let home = Home::new();
    let file = home.campaign("endless", ENDLESS, 1);
    let mut daemon = home.serve(&[]);
    home.json(&["submit", &file, "--json"]);
    for _ in 0..3 {
        home.until("it runs", || home.campaign_status("endless")["running"] == 1);
        let ended = home.ask(&["shutdown", "--now"]);
        assert_eq!((ended.code, ended.out.as_str()), (0, "the daemon has ended\n"), "{ended:?}");
        let next = home.serve(&[]);
        // Work was cut off, and is taken up by the next.
        assert_eq!(daemon.exit_code(), Some(130));
        daemon = next;
        daemon.line_with("\"resumed\"");
    }
}

#[test]
fn a_killed_daemons_campaigns_are_taken_up_again() {
    if !sandboxes() {
        return;
    }
    let home = Home::new();
    let daemon = home.serve(&[]);
    home.json(&["submit", &home.campaign("words", WORDS, 40), "--json"]);
    home.json(&["submit", &home.campaign("resting", WORDS, 40), "--json"]);
    home.json(&["pause", "resting", "--json"]);
    home.until("it rests", || home.campaign_status("resting")["settled"] == true);
    home.until("some are done", || home.campaign_status("words")["episodes"]["finished"] != 0);
    daemon.signal(nix::sys::signal::Signal::SIGKILL);
    daemon.wait();
    assert!(home.socket().exists(), "nobody was left to remove it");

    let _daemon: Process = home.serve(&[]);
    let watched = home.ask(&["watch", "words"]);
    assert_eq!(watched.code, 0, "{watched:?}");
    assert_eq!(home.campaign_status("words")["episodes"]["finished"], 40);
    // What was paused stays so until somebody wants it.
    let resting = home.campaign_status("resting");
    assert_eq!((&resting["state"], &resting["live"]), (&"paused".into(), &false.into()));
    assert_eq!(home.ask(&["resume", "resting"]).code, 0);
    assert_eq!(home.ask(&["watch", "resting"]).code, 0);
}

/// The daemon has only the text of a campaign, and runs elsewhere.
#[test]
fn a_campaign_brings_its_own_templates() {
    if !sandboxes() {
        return;
    }
    const TEMPLATE: &str =
        concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/templates/crash/word-count.yaml");
    let home = Home::new();
    let mine = home.path().join("mine");
    std::fs::create_dir_all(mine.join("own/mine")).unwrap();
    let template = std::fs::read_to_string(TEMPLATE).unwrap();
    let template = template.replace("crash/word-count", "mine/words");
    std::fs::write(mine.join("own/mine/words.yaml"), template).unwrap();
    home.campaign("mine/c", "\"mine/*\"", 1);
    let text = std::fs::read_to_string(mine.join("c.toml")).unwrap();
    let text = text
        .replace("mine/c\"", "brings\"")
        .replace("[tasks]\n", "[tasks]\ntemplate_dirs = [\"own\"]\n");
    std::fs::write(mine.join("c.toml"), &text).unwrap();
    let _daemon = home.serve(&[]);
    let socket = home.socket().display().to_string();
    let mut submit = home.command(&["submit", "c.toml", "--socket", &socket]);
    submit.current_dir(&mine);
    assert!(submit.status().unwrap().success());
    assert_eq!(home.ask(&["watch", "brings", "--json"]).code, 0);
    assert_eq!(home.campaign_status("brings")["state"], "complete");
    // Two directories of one id, of which one is the daemon's.
    let twice = home.path().join("twice/crash");
    std::fs::create_dir_all(&twice).unwrap();
    std::fs::copy(TEMPLATE, twice.join("word-count.yaml")).unwrap();
    home.file("twice.toml", &text.replace("\"own\"", "\"twice\", \"nowhere\""));
    let refused = home.ask(&["submit", "twice.toml"]);
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(refused.err.contains("crash/word-count is in two files"), "{refused:?}");
    assert!(
        refused.err.contains("twice.toml:6:18") && refused.err.contains("nowhere"),
        "{refused:?}"
    );
}

#[test]
fn a_campaign_whose_engine_was_killed_is_interrupted() {
    if !sandboxes() {
        return;
    }
    let home = Home::new();
    let file = home.campaign("endless", ENDLESS, 1);
    let daemon = home.serve(&[]);
    home.json(&["submit", &file, "--json"]);
    let state = || {
        let listed = home.json(&["campaign", "list", "--json"])["campaigns"][0]["state"].clone();
        assert_eq!(home.json(&["campaign", "show", "endless", "--json"])["state"], listed);
        listed
    };
    assert_eq!(state(), "running");
    daemon.signal(nix::sys::signal::Signal::SIGKILL);
    daemon.wait();
    assert_eq!(state(), "interrupted");
    let shown = home.ask(&["campaign", "show", "endless"]);
    assert!(shown.out.contains("interrupted: no engine runs it"), "{shown:?}");
    let listed = home.ask(&["campaign", "list"]);
    assert!(listed.out.contains(" interrupted "), "{listed:?}");
    // It is what a daemon takes up.
    let _daemon = home.serve(&[]);
    home.until("it is taken up", || home.campaign_status("endless")["running"] == 1);
    assert_eq!(state(), "running");
}
