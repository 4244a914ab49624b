//! Episodes that the infrastructure ended: counted apart, never labelled, and said so.

use super::campaign::{templates, text};
use super::harness::{here, snapshot, synthd_in};
use crate::control::host::Home;
use crate::models::host::{Host, delta, finish, status, stream_of};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

#[test]
fn a_fault_is_no_label() {
    let dir = tempfile::tempdir().unwrap();
    let in_dir = |args: &[&str]| synthd_in(dir.path(), &[args, &["--data-dir", "data"]].concat());
    std::fs::write(dir.path().join("c.toml"), text("faulty", &["oracle"], "tests/*")).unwrap();
    let own = here().join("faulty");
    let ran = in_dir(&["run", "c.toml", "--json", "--templates", own.to_str().unwrap()]);
    assert_eq!(ran.code, Some(3), "{ran:#?}");
    let document = ran.document();
    assert_eq!(document["episodes"]["faulted"], 1, "{document:#}");
    assert_eq!(document["rows"]["accepted"], 0);

    let list = in_dir(&["episode", "list", "--outcome", "faulted", "--json"]).succeeds().document();
    let episode = &list["episodes"][0];
    assert!(episode["score"].is_null() && episode["stop"].is_null(), "{episode:#}");
    let id = episode["id"].as_str().unwrap();
    let shown = in_dir(&["episode", "show", id, "--templates", own.to_str().unwrap()]).succeeds();
    snapshot("episode_show_faulted", &shown.told(), None);
    let document = in_dir(&["episode", "show", id, "--json"]).succeeds().document();
    assert!(document["row"].is_null() && document["rejected"].is_null(), "{document:#}");
    assert_eq!(document["attempts"][0]["fault"]["kind"], "task_setup");
    in_dir(&["episode", "replay", id, "--templates", own.to_str().unwrap()]).fails(1, "SYN-0203");
}

/// A provider that fails until it is told to answer.
struct Mended {
    host: Host,
    answers: Arc<AtomicBool>,
}

impl Mended {
    fn new() -> Self {
        let answers = Arc::new(AtomicBool::new(false));
        let well = answers.clone();
        let host = Host::answering(move |_| match well.load(Ordering::SeqCst) {
            true => stream_of(&[delta(json!({ "content": "I am done." })), finish("stop")]),
            false => status("500 Internal Server Error", "", "{}"),
        });
        Self { host, answers }
    }

    /// A campaign of one episode with one attempt.
    fn campaign(&self, name: &str) -> String {
        let own = text(name, &[], "tests/sum");
        let own = own.replace("max_turns = 8", "max_turns = 8\nattempts = 1");
        format!(
            "{own}[providers.local]\ndialect = \"vllm\"\nbase_url = \"{}\"\nfree = true\n\
             [[models]]\nname = \"local/m\"\n",
            self.host.url()
        )
    }
}

/// The episode costs no label while its provider is down; what is run again is what it faulted.
#[test]
fn what_faulted_is_tried_again() {
    let dir = tempfile::tempdir().unwrap();
    let own = templates();
    let in_dir = |args: &[&str]| {
        let more = ["--data-dir", "data", "--templates", own.to_str().unwrap()];
        synthd_in(dir.path(), &[args, &more].concat())
    };
    for name in ["asked", "again"] {
        let mended = Mended::new();
        std::fs::write(dir.path().join("c.toml"), mended.campaign(name)).unwrap();
        let ran = in_dir(&["run", "c.toml"]);
        assert_eq!(ran.code, Some(3), "{ran:#?}");
        for said in [
            "complete, except 1 of 1 episode",
            "1 episode faulted and has no label (1 model_transient).",
            &format!("Try again: synthd retry {name}"),
        ] {
            assert!(ran.stdout.contains(said), "{said}: {ran:#?}");
        }
        mended.answers.store(true, Ordering::SeqCst);
        let other = in_dir(&["retry", name, "--fault", "out_of_time"]).fails(2, "SYN-0109");
        assert!(other.stderr.contains("1 model_transient"), "{other:#?}");
        let again = match name {
            "asked" => in_dir(&["retry", name, "--template", "tests/*", "--json"]),
            _ => in_dir(&["run", "c.toml", "--json"]),
        };
        let document = again.succeeds().document();
        let counts = &document["episodes"];
        assert_eq!((&counts["finished"], &counts["faulted"]), (&json!(1), &json!(0)));
        assert_eq!(counts["unresolved"], 1);
        let again = in_dir(&["run", "c.toml"]).succeeds();
        assert!(again.stdout.contains("complete already; nothing was changed"), "{again:#?}");
    }
    let told = in_dir(&["retry", "asked", "--fault", "model_transent"]);
    assert_eq!(told.code, Some(2));
    assert!(told.stderr.contains("did you mean model_transient?"), "{told:#?}");
    in_dir(&["retry", "nobody"]).fails(2, "SYN-0105");
}

/// Where a daemon runs on the data directory, it is the daemon that tries again.
#[test]
fn a_daemon_tries_again_what_faulted() {
    let home = Home::new();
    let mended = Mended::new();
    home.file("c.toml", &mended.campaign("held"));
    std::fs::create_dir(home.path().join("own")).unwrap();
    super::campaign::copy(&templates(), &home.path().join("own"));
    let _daemon = home.serve(&["--templates", "own"]);
    home.json(&["submit", "c.toml", "--json"]);
    assert_eq!(home.ask(&["watch", "held"]).code, 3);
    mended.answers.store(true, Ordering::SeqCst);
    let told = home.ask(&["retry", "held"]);
    assert_eq!((told.code, told.out.lines().next()), (0, Some("held: 1 episode to run")));
    assert_eq!(home.ask(&["watch", "held"]).code, 0);
    assert_eq!(home.campaign_status("held")["episodes"]["faulted"], 0);
    assert_eq!(home.ask(&["retry", "held"]).code, 2);
}
