//! A disk that fills up under a gateway whose models cost nothing: nothing is asked that could
//! not be recorded, and nothing that was answered is lost.

use super::gateway::{Running, list, post};
use crate::cli::full_disk::{fill, small_disk};
use crate::support;
use nix::mount::{MntFlags, umount2};
use std::path::Path;

#[test]
fn what_was_answered_is_recorded_once_there_is_room() {
    let test = std::thread::spawn(|| {
        let directory = tempfile::tempdir().unwrap();
        let data = directory.path().join("data");
        std::fs::create_dir(&data).unwrap();
        let made = small_disk(&data, "3m");
        if made.is_ok() {
            fills_up(directory.path());
        }
        umount2(&data, MntFlags::MNT_DETACH).ok();
        made
    });
    // Here and not there: a skipped test is known by the name of its thread.
    if let Err(error) = test.join().unwrap() {
        support::skip("a full disk", &format!("no mount of one's own: {error}"));
    }
}

fn fills_up(directory: &Path) {
    let config = "[gateway]\nlisten = \"127.0.0.1:0\"\n[[models]]\nname = \"scripted/echo\"\n";
    let gateway = Running::start(directory, config);
    // What nobody can make smaller.
    let words: String = (0..60_000u32).map(|n| char::from(b'a' + (n * n / 7 % 26) as u8)).collect();
    let ask = |text: &str| {
        let body = serde_json::json!({ "model": "scripted/echo",
            "messages": [{ "role": "user", "content": format!("{text} {words}") }] });
        post(&gateway.url, "/v1/chat/completions", &body.to_string())
    };
    assert!(ask("first").contains("200 OK"));
    let ballast = directory.join("data/ballast");
    fill(&ballast, 0);
    let mut answered = 1;
    let refused = loop {
        let said = ask(&format!("number {answered}"));
        if !said.contains("200 OK") {
            break said;
        }
        answered += 1;
        assert!(answered < 100, "the disk is not full");
    };
    assert!(refused.contains("503") && refused.contains("store_full"), "{refused}");
    assert!(refused.contains("space") || refused.contains("full"), "{refused}");
    assert!(ask("again").contains("503"), "as long as there is no room");
    std::fs::remove_file(&ballast).unwrap();
    assert!(ask("last").contains("200 OK"), "it goes on by itself");
    answered += 1;
    let said = gateway.stop();
    assert!(!said.contains("are not recorded"), "{said}");
    let calls = list(directory, &[]);
    assert_eq!(calls["calls"].as_array().unwrap().len(), answered, "{calls}");
}
