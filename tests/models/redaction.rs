//! Providers that repeat the key they were sent: in a header, in an answer, escaped, in parts. It
//! is in no reply, in no record, and told to no client.

use super::gateway::{Running, TOKEN};
use super::host::{Act, Host, delta, event, events_begin, finish, status, usage};
use super::money::{Provider, command, summary, write_campaign};
use super::{CANARY, context, made, request};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use synthd::store::Store;
use synthd_actors::model::{ChatMessage, ChatReply, ChatRole, ProviderEndpoint};

/// The variable of which the tests make a key.
const VARIABLE: &str = "CARGO_MANIFEST_DIR";

fn key() -> String {
    std::env::var(VARIABLE).unwrap()
}

fn has(bytes: &[u8], key: &str) -> bool {
    bytes.windows(key.len()).any(|part| part == key.as_bytes())
}

fn escaped(text: &str) -> String {
    text.chars().map(|c| format!("\\u{:04x}", c as u32)).collect()
}

/// Ways in which a stream repeats a key.
fn echoes(key: &str) -> Vec<Vec<Act>> {
    let (one, two) = key.split_at(key.len() / 2);
    let end = || {
        let [end, counts] = [finish("stop"), usage(1, 1)].map(|chunk| event(&chunk.to_string()));
        [end, counts, event("[DONE]")]
    };
    let chunk = |text: &str| delta(json!({ "content": text })).to_string();
    let said = |acts: Vec<Act>| [vec![events_begin()], acts, end().to_vec()].concat();
    let plain = format!("data: {}\n\n", chunk(&format!("it is {key}.")));
    let (piece, rest) = plain.split_at(plain.find(two).unwrap());
    let written = chunk("it is KEY.").replace("KEY", &escaped(key));
    vec![
        said(vec![event(&chunk(&format!("it is {key}.")))]),
        said(vec![Act::Say(piece.into()), Act::Say(rest.into())]),
        said(vec![event(&written)]),
        said(vec![event(&chunk(&format!("it is {one}"))), event(&chunk(&format!("{two}.")))]),
    ]
}

async fn heard_of(host: &Host, dialect: &str) -> (ChatReply, Vec<u8>) {
    let endpoint = ProviderEndpoint::new(dialect, host.url(), Some(VARIABLE.to_owned()));
    let model = made(&super::config(endpoint));
    let context = context();
    let said = request(vec![ChatMessage::text(ChatRole::User, format!("is it {}?", key()))]);
    let reply = model.complete(&said, &context).await.unwrap();
    let exchange = context.recorder.take().unwrap();
    let kept = serde_json::to_vec(&exchange.response_headers).unwrap();
    (reply, [kept, exchange.request, exchange.response].concat())
}

#[tokio::test]
async fn a_key_that_comes_back_in_a_good_answer_is_in_no_reply_and_no_record() {
    for acts in echoes(&key()) {
        let host = Host::doing(acts.clone());
        let (reply, kept) = heard_of(&host, "openai").await;
        assert_eq!(reply.message.content, "it is [the key].", "{acts:?}");
        let clean = String::from_utf8(kept.clone()).unwrap();
        assert!(!has(&kept, &key()) && !clean.contains(&escaped(&key())), "{clean}");
        assert!(!clean.contains(&key()[key().len() / 2..]), "{clean}");
        assert!(!host.heard()[0].body.to_string().contains(&key()), "it is sent as it is kept");
    }
    let whole = json!({ "model": key(), "choices": [{ "finish_reason": "tool_calls", "message": {
        "tool_calls": [{ "id": "a", "function": { "name": "sh",
            "arguments": json!({ "command": key() }).to_string() } }] } }],
        "usage": { "prompt_tokens": 1, "completion_tokens": 1 } });
    let header = format!("x-request-id: for {}\r\n", key());
    let host = Host::doing(status("200 OK", &header, &whole.to_string()));
    let (reply, kept) = heard_of(&host, "vllm").await;
    assert_eq!(reply.message.tool_calls[0].arguments, r#"{"command":"[the key]"}"#);
    assert_eq!(reply.answered_by.as_deref(), Some("[the key]"));
    assert!(!has(&kept, &key()) && has(&kept, "for [the key]"));
}

/// Byte for byte, as a client of the gateway hears it.
fn asked(running: &Running, stream: bool, choices: usize) -> Vec<u8> {
    let address = running.url.trim_start_matches("http://").split('/').next().unwrap();
    let body = json!({ "model": "local/chat-1", "max_tokens": 50, "stream": stream, "n": choices,
        "messages": [{ "role": "user", "content": "hello" }] })
    .to_string();
    let mut connection = TcpStream::connect(address).unwrap();
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\
         Authorization: Bearer {TOKEN}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    connection.write_all(head.as_bytes()).unwrap();
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer).unwrap();
    answer
}

/// The answer's events without what HTTP puts between them.
fn texts(answer: &[u8]) -> String {
    let answer = String::from_utf8(answer.to_vec()).unwrap();
    let events = answer.lines().filter_map(|line| line.strip_prefix("data: {"));
    let events = events.map(|json| serde_json::from_str::<Value>(&format!("{{{json}")).unwrap());
    events.filter_map(|e| e["choices"][0]["delta"]["content"].as_str().map(str::to_owned)).collect()
}

#[tokio::test]
async fn no_client_of_the_gateway_is_told_the_key() {
    let whole = json!({ "choices": [{ "finish_reason": "stop", "message": { "role": "assistant",
        "content": CANARY } }], "usage": { "prompt_tokens": 1, "completion_tokens": 1 } });
    let header = format!("x-request-id: for {CANARY}\r\n");
    let mut answers = echoes(CANARY);
    let streams = answers.len();
    answers.push(status("200 OK", &header, &whole.to_string()));
    answers.push(status("400 Bad Request", &header, &whole.to_string()));
    let count = std::sync::atomic::AtomicUsize::new(0);
    let host = Host::answering(move |_| {
        answers[count.fetch_add(1, std::sync::atomic::Ordering::SeqCst)].clone()
    });
    let directory = tempfile::tempdir().unwrap();
    let config = super::gateway::config(&host, &host, "5.00");
    let running = Running::start(directory.path(), &config);
    for _ in 0..streams {
        let answer = asked(&running, true, 1);
        assert_eq!(texts(&answer), "it is [the key].");
        assert!(!has(&answer, CANARY) && has(&answer, "[DONE]"));
    }
    for _ in 0..2 {
        let answer = asked(&running, false, 1);
        assert!(!has(&answer, CANARY), "{}", String::from_utf8_lossy(&answer));
        assert!(has(&answer, "for [the key]"), "{}", String::from_utf8_lossy(&answer));
    }
    let told = running.stop();
    assert!(!told.contains(CANARY));
    let store = Store::open_read_only(&directory.path().join("data")).unwrap();
    let calls = store.calls("").await.unwrap();
    assert_eq!(calls.len(), streams + 2);
    for call in calls {
        let kept = store.call(&call.id).await.unwrap().unwrap();
        let json = serde_json::to_string(&kept).unwrap();
        assert!(!json.contains(CANARY) && !has(&kept.exchange.response, CANARY), "{json}");
    }
}

/// Several completions arrive in turns, and only the first one becomes the reply.
#[tokio::test]
async fn no_further_completion_tells_the_key_in_parts() {
    let (one, two) = CANARY.split_at(CANARY.len() / 2);
    let chunk = |index: usize, text: &str| {
        let choice = json!({ "index": index, "delta": { "content": text } });
        event(&json!({ "choices": [choice] }).to_string())
    };
    let round = |text| [chunk(0, "well"), chunk(1, text), chunk(2, "yes"), chunk(3, "no")];
    let end = [finish("stop"), usage(1, 1)].map(|chunk| event(&chunk.to_string()));
    let parts = [round(one), round(two), round(".")].concat();
    let acts = [vec![events_begin()], parts, end.to_vec(), vec![event("[DONE]")]].concat();
    let host = Host::answering(move |_| acts.clone());
    let directory = tempfile::tempdir().unwrap();
    let running = Running::start(directory.path(), &super::gateway::config(&host, &host, "5.00"));
    let told = asked(&running, true, 4);
    running.stop();
    let store = Store::open_read_only(&directory.path().join("data")).unwrap();
    let call = store.calls("").await.unwrap().remove(0);
    let kept = store.call(&call.id).await.unwrap().unwrap().exchange.response;
    for said in [told, kept] {
        assert!(!has(&said, one) && !has(&said, two), "{}", String::from_utf8_lossy(&said));
        assert!(has(&said, "[the key]") && has(&said, "[DONE]"));
    }
}

/// Runs a campaign with proxies in its environment; how many calls the proxy saw.
fn with_proxy(directory: &Path, proxy: &Host) -> usize {
    let address = proxy.url();
    let address = address.trim_end_matches("/v1");
    let mut command: Command = command(directory);
    for variable in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"] {
        command.env(variable, address);
    }
    let output = command.env_remove("NO_PROXY").env_remove("no_proxy").output().unwrap();
    let summary = summary(&output);
    assert_eq!(output.status.code(), Some(0), "{summary} {output:?}");
    proxy.heard().len()
}

#[tokio::test]
async fn no_key_goes_to_a_proxy_that_only_the_environment_names() {
    if super::money::cannot("a proxy in the environment") {
        return;
    }
    let (provider, proxy) = (Provider::start(|_| None), Provider::start(|_| None));
    let directory = tempfile::tempdir().unwrap();
    write_campaign(directory.path(), &provider, 1, "5.00");
    assert_eq!(with_proxy(directory.path(), &proxy.host), 0);
    assert!(!provider.host.heard().is_empty());
}

#[tokio::test]
async fn a_proxy_that_the_campaign_names_is_used() {
    let proxy = Host::doing(super::host::stream_of(&[finish("stop"), usage(1, 1)]));
    let address = proxy.url().trim_end_matches("/v1").to_owned();
    let endpoint = ProviderEndpoint::new("openai", "http://provider.example/v1", None);
    let model = made(&super::config(ProviderEndpoint { proxy: Some(address), ..endpoint }));
    super::say_hello_to(&*model).await.unwrap();
    let heard = proxy.heard().remove(0).line;
    assert_eq!(heard.trim(), "POST http://provider.example/v1/chat/completions HTTP/1.1");
}
