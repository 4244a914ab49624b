//! `synthd episode replay`: what was recorded repeats, and where it does not, that is said.

use super::campaign::{copy, shared, templates};
use super::harness::{Ran, snapshot, synthd_in};
use serde_json::Value;
use std::path::Path;

fn replay(data: &Path, id: &str, extra: &[&str]) -> Ran {
    let own = templates();
    let args = ["episode", "replay", id, "--templates", own.to_str().unwrap(), "--data-dir"];
    synthd_in(data.parent().unwrap(), &[&args[..], &[data.to_str().unwrap()], extra].concat())
}

#[test]
fn every_episode_repeats() {
    for episode in shared().episodes() {
        let id = episode["id"].as_str().unwrap();
        if lists_files(id) {
            continue;
        }
        let ran = replay(&shared().data(), id, &["--json"]).succeeds();
        let document = ran.document();
        assert_eq!(document["repeats"], true, "{document:#}");
        assert_eq!(document["ran"], document["commands"]);
        assert_eq!(document["host_changes"].as_array().unwrap().len(), 0, "{document:#}");
    }
}

/// A long listing says when the task was laid, and so differs a minute later.
fn lists_files(id: &str) -> bool {
    let document = shared().synthd(&["episode", "show", id, "--json"]).succeeds().document();
    let mut turns = document["turns"].as_array().unwrap().iter();
    turns.any(|turn| turn["command"].as_str().is_some_and(|command| command.contains("ls -l")))
}

#[test]
fn the_answer_is_one_line() {
    let id = shared().id_of("oracle", "tests/greeting");
    snapshot("episode_replay", &replay(&shared().data(), &id, &[]).succeeds().told(), None);
    let id = shared().id_of("refuse", "tests/sum");
    snapshot("episode_replay_refused", &replay(&shared().data(), &id, &[]).succeeds().told(), None);
}

/// Changes what step 2 of an episode is said to have seen.
fn tamper(data: &Path, id: &str) {
    let store = rusqlite::Connection::open(data.join("synthd.db")).unwrap();
    let sql = "SELECT step.key, step.body FROM step JOIN attempt ON attempt.key = step.attempt
        JOIN episode ON episode.key = attempt.episode WHERE episode.id = ?1 AND step.step = 2";
    let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
    let (key, body): (i64, Vec<u8>) = store.query_row(sql, [id], read).unwrap();
    // A flag byte, then JSON, plain or compressed.
    let json = match body[0] {
        0 => body[1..].to_vec(),
        _ => zstd::stream::decode_all(&body[1..]).unwrap(),
    };
    let mut turn: Value = serde_json::from_slice(&json).unwrap();
    let seen = turn["step"]["actions"][0]["observation"]
        .as_str()
        .unwrap()
        .replace("\n3\n", "\n4\u{1b}[2J\n");
    turn["step"]["actions"][0]["observation"] = seen.into();
    let body = [vec![0], serde_json::to_vec(&turn).unwrap()].concat();
    store
        .execute("UPDATE step SET body = ?1 WHERE key = ?2", rusqlite::params![body, key])
        .unwrap();
}

#[test]
fn a_difference_is_shown_with_its_step() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    copy(&shared().data(), &data);
    let id = shared().id_of("oracle", "tests/greeting");
    tamper(&data, &id);
    let ran = replay(&data, &id, &[]).fails(1, "SYN-0602");
    assert!(!ran.stdout.contains('\u{1b}'), "{ran:?}");
    snapshot("episode_replay_differs", &ran.told(), None);
    let document = replay(&data, &id, &["--json"]).fails(1, "SYN-0602").document();
    assert_eq!(document["difference"]["step"], 2, "{document:#}");
    assert_eq!(document["difference"]["found_exit_code"], 0);
    assert_eq!(document["ran"], 3, "nothing runs beyond the first difference");
}

#[test]
fn a_task_that_is_another_now_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    copy(&templates(), &dir.path().join("own"));
    let edited = dir.path().join("own/tests/sum.yaml");
    let text = std::fs::read_to_string(&edited).unwrap();
    std::fs::write(&edited, text.replace("Sum a column", "Sum one column")).unwrap();
    let id = shared().id_of("oracle", "tests/sum");
    let data = shared().data();
    let args = ["episode", "replay", &id, "--templates", "own", "--data-dir"];
    let ran = synthd_in(dir.path(), &[&args, &[data.to_str().unwrap()][..]].concat());
    snapshot("episode_replay_other_task", &ran.fails(1, "SYN-0602").told(), None);
    // Without the directory there is no template at all.
    let ran = shared().synthd(&["episode", "replay", &id]);
    snapshot("episode_replay_no_template", &ran.fails(2, "SYN-0202").told(), None);
}
