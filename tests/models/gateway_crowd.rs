//! Clients that keep others waiting, and providers that ask to be left alone: what their
//! neighbours, and the store, see of it.

use super::gateway::{CHAT, Running, TOKEN, config, get, list, post, provider};
use super::host::{self, Host};
use crate::support::synthd;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Longer than any answer takes, and shorter than the gateway's patience with a body.
const PATIENCE: Duration = Duration::from_secs(25);

fn connect(gateway: &Running, head: &str) -> TcpStream {
    let address = gateway.url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    stream
}

fn head(token: &str, length: usize) -> String {
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nAuthorization: {token}\r\n\
         Content-Length: {length}\r\nConnection: close\r\n\r\n"
    )
}

fn hello(model: &str) -> String {
    json!({ "model": model, "messages": [{ "role": "user", "content": "hello" }] }).to_string()
}

fn read(mut stream: TcpStream) -> String {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn start(directory: &Path) -> Running {
    let host = provider(&CHAT);
    Running::start(directory, &config(&host, &host, "1.00"))
}

/// Room is taken by what was said, not by what was announced.
#[test]
fn bodies_that_do_not_come_keep_nobody_waiting() {
    let directory = tempfile::tempdir().unwrap();
    let gateway = start(directory.path());
    let bearer = format!("Bearer {TOKEN}.idle");
    let announced: Vec<_> = (0..40).map(|_| connect(&gateway, &head(&bearer, 16 << 20))).collect();
    let body = hello("scripted/echo");
    for _ in 0..10 {
        let honest = head(&format!("Bearer {TOKEN}"), body.len()) + &body;
        let answer = read(connect(&gateway, &honest));
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    drop(announced);
}

#[test]
fn a_scheme_may_be_written_in_any_case() {
    let directory = tempfile::tempdir().unwrap();
    let gateway = start(directory.path());
    let body = hello("scripted/echo");
    for scheme in ["bearer", "BEARER", "Bearer"] {
        let asked = head(&format!("{scheme} {TOKEN}"), body.len()) + &body;
        let answer = read(connect(&gateway, &asked));
        assert!(answer.starts_with("HTTP/1.1 200"), "{scheme}: {answer}");
    }
    let basic = head(&format!("Basic {TOKEN}"), body.len()) + &body;
    assert!(read(connect(&gateway, &basic)).starts_with("HTTP/1.1 401"));
}

/// Who has said all it has to say may close its half of the connection.
#[test]
fn a_client_that_is_half_closed_is_answered() {
    let directory = tempfile::tempdir().unwrap();
    let gateway = start(directory.path());
    for model in ["local/chat-1", "scripted/echo"] {
        let body = hello(model);
        let asked = head(&format!("Bearer {TOKEN}"), body.len()) + &body;
        let stream = connect(&gateway, &asked);
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let answer = read(stream);
        assert!(answer.starts_with("HTTP/1.1 200"), "{model}: {answer:?}");
    }
}

fn sessions(directory: &Path) -> Vec<Value> {
    let mut command = Command::new(synthd());
    command.args(["episode", "list", "--json", "--data-dir", "data"]);
    let output = command.current_dir(directory).output().unwrap();
    let listed: Value = serde_json::from_slice(&output.stdout).unwrap();
    listed["episodes"].as_array().unwrap().clone()
}

/// Names that change with every request are written down with their first call alone.
#[test]
fn who_makes_no_call_leaves_no_session_behind() {
    let directory = tempfile::tempdir().unwrap();
    let gateway = start(directory.path());
    for number in 0..50 {
        let asked = format!(
            "GET /v1/models HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {TOKEN}.n{number}\r\n\
             Connection: close\r\n\r\n"
        );
        assert!(read(connect(&gateway, &asked)).starts_with("HTTP/1.1 200"));
    }
    let asked = post(&gateway.url, "/v1/chat/completions", &hello("scripted/echo"));
    assert!(asked.starts_with("HTTP/1.1 200"), "{asked}");
    assert!(get(&gateway.url, "/v1/models").starts_with("HTTP/1.1 200"));
    gateway.stop();
    let sessions = sessions(directory.path());
    assert_eq!(sessions.len(), 1, "{sessions:?}");
    assert_eq!(sessions[0]["template"], "gateway/default");
}

/// Until a provider wants to be asked again, clients are told what it told the first of them.
#[test]
fn a_provider_that_asks_for_an_hour_is_told_as_such() {
    let directory = tempfile::tempdir().unwrap();
    let gateway = start(directory.path());
    let asked = |text: &str| {
        let messages = json!([{ "role": "user", "content": text }]);
        let body = json!({ "model": "local/chat-1", "messages": messages }).to_string();
        post(&gateway.url, "/v1/chat/completions", &body).to_ascii_lowercase()
    };
    assert!(asked("always hour").contains("retry-after: 3600"));
    let answer = asked("hello");
    assert!(answer.starts_with("http/1.1 429"), "{answer}");
    let after = answer.split("retry-after: ").nth(1).unwrap();
    let seconds: u64 = after.split("\r\n").next().unwrap().parse().unwrap();
    assert!((1_801..=3_600).contains(&seconds), "{answer}");
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let body: Value = serde_json::from_str(body).unwrap();
    assert_eq!(body["error"]["code"], "rate_limit_exceeded");
}

/// Work that a provider counts is paid for, whatever status it is told with; nothing else is.
#[test]
fn a_refusal_that_counts_costs_what_it_counts() {
    let host = Host::answering(|heard| {
        let told = heard.body["messages"][0]["content"].as_str().unwrap();
        let (status, counts) = told.split_once(": ").unwrap();
        let counts: Value = serde_json::from_str(counts).unwrap();
        let said = json!({ "error": { "message": "no" }, "usage": counts });
        host::status(status, "", &said.to_string())
    });
    let directory = tempfile::tempdir().unwrap();
    let gateway = Running::start(directory.path(), &config(&host, &host, "1.00"));
    let cases = [
        ("400 Bad Request", json!({ "prompt_tokens": 100, "completion_tokens": 20 }), "0.00014"),
        (
            "429 Too Many Requests",
            json!({ "prompt_tokens": 50, "completion_tokens": 0 }),
            "0.00005",
        ),
        ("400 Bad Request", json!({ "prompt_tokens": 0, "completion_tokens": 0 }), "0.00"),
        ("429 Too Many Requests", Value::Null, "0.00"),
        // The whole hold: more than it, and more than can be.
        ("400 Bad Request", json!({ "prompt_tokens": 100, "completion_tokens": 9_000 }), "0.003"),
        ("400 Bad Request", json!({ "prompt_tokens": u64::MAX, "completion_tokens": 1 }), "0.003"),
    ];
    for (status, counts, _) in &cases {
        let messages = json!([{ "role": "user", "content": format!("{status}: {counts}") }]);
        let body = json!({ "model": "local/chat-1", "messages": messages }).to_string();
        let answer = post(&gateway.url, "/v1/chat/completions", &body);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
    }
    gateway.stop();
    let calls = list(directory.path(), &[])["calls"].as_array().unwrap().clone();
    assert_eq!(calls.len(), cases.len());
    for (call, (status, counts, cost)) in calls.iter().zip(&cases) {
        let spent = call["cost_usd"].as_str().unwrap();
        match *cost {
            "0.003" => assert!(spent.starts_with(cost), "{status} {counts}: {spent}"),
            cost => assert_eq!(spent, cost, "{status} {counts}"),
        }
    }
    assert_eq!((&calls[0]["input_tokens"], &calls[0]["output_tokens"]), (&100.into(), &20.into()));
    assert!(calls[2]["input_tokens"].is_null() && calls[5]["input_tokens"].is_null());
}
