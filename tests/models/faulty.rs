//! Hosts that fail: each failure is told for what it is, costs what it may have cost, and
//! takes neither memory nor time without bound.

use super::host::{Act, Host, delta, event, events_begin, finish, status, stream_of, usage};
use super::say_hello;
use serde_json::json;
use std::time::Duration;
use synthd_actors::model::{CallCharge, CallFault, FaultKind};

async fn fault(acts: Vec<Act>) -> CallFault {
    let said = format!("{acts:?}").chars().take(300).collect::<String>();
    say_hello(&Host::doing(acts)).await.expect_err(&said)
}

/// A failure that passes, and that may have been charged for.
async fn may_have_cost(what: &str, acts: Vec<Act>) -> CallFault {
    let told = fault(acts).await;
    let expected = (FaultKind::ModelTransient, CallCharge::Unknown);
    assert_eq!((told.fault.kind, told.charge), expected, "{what}: {told}");
    told
}

fn say(text: &str) -> Act {
    Act::Say(text.as_bytes().to_vec())
}

#[tokio::test]
async fn refusals_say_how_long_to_wait_and_cost_nothing() {
    let limit = r#"{"error":{"message":"slow down","code":"rate_limit_exceeded"}}"#;
    for (headers, seconds) in [
        ("Retry-After: 7\r\n", Some(7)),
        ("retry-after-ms: 2000\r\n", Some(2)),
        ("x-ratelimit-reset-tokens: 6m0s\r\n", Some(360)),
        ("", None),
    ] {
        let told = fault(status("429 Too Many Requests", headers, limit)).await;
        assert_eq!(told.retry_after, seconds.map(Duration::from_secs), "{headers}");
        assert!(told.rate_limited && told.charge == CallCharge::Nothing);
        assert_eq!(told.fault.kind, FaultKind::ModelTransient);
    }
    let quota = r#"{"error":{"message":"no money","type":"insufficient_quota"}}"#;
    let told = fault(status("429 Too Many Requests", "", quota)).await;
    assert!(!told.rate_limited && told.fault.kind == FaultKind::ModelPermanent);
}

#[tokio::test]
async fn what_fails_before_it_is_asked_costs_nothing() {
    let gone = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}/v1", listener.local_addr().unwrap())
    };
    let nowhere = "http://no-such-host.invalid/v1".to_owned();
    for base_url in [gone, nowhere] {
        let endpoint = synthd_actors::model::ProviderEndpoint::new("openai", base_url, None);
        let told = super::ask(&*super::at(endpoint), vec![]).await.unwrap_err();
        assert_eq!(
            (told.fault.kind, told.charge),
            (FaultKind::ModelTransient, CallCharge::Nothing)
        );
        assert!(told.fault.message.contains("cannot be reached"), "{told}");
    }
}

#[tokio::test]
async fn what_breaks_off_may_have_cost_everything() {
    let begun = || vec![events_begin(), event(&delta(json!({ "content": "so" })).to_string())];
    let with = |act: Act| [begun(), vec![act]].concat();
    let whole = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{";
    let cases = [
        ("broken at the start", vec![Act::Reset]),
        ("silent in the middle", with(Act::Stall)),
        ("broken in the middle", with(Act::Reset)),
        ("ended in the middle", begun()),
        ("marked as done in the middle", with(event("[DONE]"))),
        ("cut", vec![say(whole)]),
        ("an error in the stream", with(event(r#"{"error":{"message":"overloaded","code":502}}"#))),
        ("an error as its end", with(event(&finish("error").to_string()))),
        ("status 500", status("500 Internal Server Error", "", "{}")),
    ];
    for (what, acts) in cases {
        may_have_cost(what, acts).await;
    }
}

#[tokio::test]
async fn silence_from_the_start_is_no_failure_that_is_asked_again() {
    let told = fault(vec![Act::Stall]).await;
    assert_eq!((told.fault.kind, told.charge), (FaultKind::OutOfTime, CallCharge::Unknown));
    assert!(!told.fault.kind.policy().asks_again, "{told}");
}

#[tokio::test]
async fn what_is_no_answer_is_told_as_such() {
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let many: Vec<_> = (0..10_000)
        .map(|n| json!({ "index": n, "id": format!("{n}"), "function": { "name": "x" } }))
        .collect();
    let json_type =
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n";
    let cases: Vec<(&str, Vec<Act>)> = vec![
        ("not JSON", vec![say(json_type), say("<html>")]),
        ("no content type", vec![say("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello")]),
        ("another shape", vec![say(json_type), say("[1, 2]")]),
        ("deep", vec![say(json_type), say(&deep)]),
        ("deep in a stream", vec![events_begin(), event(&deep)]),
        ("no text", vec![events_begin(), Act::Say(b"data: \xff\xfe\n\n".to_vec())]),
        ("ten thousand calls", stream_of(&[delta(json!({ "tool_calls": many })), finish("stop")])),
        ("a hundred megabytes", vec![say(json_type), Act::Pour(100 << 20)]),
        ("a line without end", vec![events_begin(), say("data: "), Act::Pour(100 << 20)]),
        ("headers without end", vec![say("HTTP/1.1 200 OK\r\n"), say(&"X: y\r\n".repeat(100_000))]),
        ("a header without end", vec![say("HTTP/1.1 200 OK\r\nX: "), say(&"y".repeat(8 << 20))]),
        ("no HTTP", vec![say("SSH-2.0-OpenSSH\r\n")]),
    ];
    for (what, acts) in cases {
        let told = may_have_cost(what, acts).await;
        assert!(told.fault.message.len() < 1_000, "{what}: {told}");
    }
    // Nor is where it points to followed: the key would go there.
    let moved = status("307 Temporary Redirect", "Location: http://127.0.0.1:1/\r\n", "");
    assert_eq!(fault(moved).await.fault.kind, FaultKind::ModelPermanent);
}

#[tokio::test]
async fn one_failure_does_not_spoil_the_next_answer() {
    let first = std::sync::atomic::AtomicBool::new(true);
    let host = Host::answering(move |_| {
        if first.swap(false, std::sync::atomic::Ordering::SeqCst) {
            vec![events_begin(), Act::Reset]
        } else {
            stream_of(&[delta(json!({ "content": "hi" })), finish("stop"), usage(1, 1)])
        }
    });
    assert!(say_hello(&host).await.is_err());
    assert_eq!(say_hello(&host).await.unwrap().message.content, "hi");
}
