//! A run of drafts that is interrupted or killed while a model is asked: what was answered is never asked
//! or paid for again.

use crate::models::host::{Act, Host, status};
use crate::support::synthd;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const IDEA: &str = "id: shell/sum\ntitle: A sum\nidea: Add numbers.\n";

/// A provider that has an idea and no template. While it stalls, its builder never answers.
fn provider(stalls: Arc<AtomicBool>) -> Host {
    Host::answering(move |heard| {
        let asked = heard.body["messages"][0]["content"].as_str().unwrap_or_default();
        let said = match asked.lines().next() {
            Some("Role: ideator") => IDEA,
            _ if stalls.load(Ordering::SeqCst) => return vec![Act::Stall],
            _ => "I would rather not.",
        };
        let message = json!({ "role": "assistant", "content": said });
        let body = json!({
            "id": "c", "object": "chat.completion", "created": 1, "model": "m",
            "choices": [{ "index": 0, "message": message, "finish_reason": "stop" }],
            "usage": { "prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110 },
        });
        status("200 OK", "", &body.to_string())
    })
}

fn command(dir: &Path) -> Command {
    let mut command = Command::new(synthd());
    command
        .args(["template", "draft", "--brief", "sums", "--models", "local/m", "--rounds", "1"])
        .args(["--config", "gateway.toml", "--data-dir", "data", "--json"])
        .current_dir(dir)
        .stdin(Stdio::null());
    command
}

/// Starts a run, and waits until its builder is about to be asked.
fn started(dir: &Path) -> Child {
    let mut command = command(dir);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.as_mut().unwrap());
    let mut said = String::new();
    while !said.contains("builder") {
        assert!(lines.read_line(&mut said).unwrap() > 0, "{said}");
    }
    child
}

#[test]
fn drafts_that_are_cut_off_go_on_where_they_were() {
    for (signal, code) in [(Signal::SIGINT, Some(130)), (Signal::SIGKILL, None)] {
        let stalls = Arc::new(AtomicBool::new(true));
        let (host, dir) = (provider(stalls.clone()), tempfile::tempdir().unwrap());
        let gateway = format!(
            "[providers.local]\ndialect = \"vllm\"\nbase_url = \"{}\"\n\
             [[models]]\nname = \"local/m\"\nprice = {{ input = \"1.00\", output = \"2.00\" }}\n",
            host.url()
        );
        std::fs::write(dir.path().join("gateway.toml"), gateway).unwrap();
        let mut child = started(dir.path());
        kill(Pid::from_raw(child.id().cast_signed()), signal).unwrap();
        assert_eq!(child.wait().unwrap().code(), code);
        stalls.store(false, Ordering::SeqCst);
        let last = command(dir.path()).output().unwrap();
        let told = String::from_utf8_lossy(&last.stderr);
        assert!(last.status.code() == Some(1) && told.contains("SYN-0231"), "{told}");
        let document: Value = serde_json::from_slice(&last.stdout).unwrap();
        let one = &document["drafts"][0];
        assert_eq!(one["answers"], json!({ "asked": 2, "recorded": 1 }), "{document:#}");
        assert_eq!(one["cost_usd"], "0.00036", "three answers of 100 and 10 tokens");
        let roles =
            host.heard().into_iter().map(|heard| heard.body["messages"][0]["content"].clone());
        let ideas = roles.filter(|role| role.as_str().unwrap().starts_with("Role: ideator"));
        assert_eq!(ideas.count(), 1, "{signal}");
    }
}
