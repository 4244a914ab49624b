//! What is sent to a host of Anthropic's Messages format, and what is made of its answers.

use super::host::{Act, Host, event, events_begin, status};
use super::{ask, at, model, say_hello_to};
use serde_json::{Value, json};
use synthd_actors::model::{
    CallCharge, ChatMessage, ChatRole, FaultKind, FinishReason, ModelConfig, ModelPrice, Money,
    ProviderEndpoint, TokenRates, ToolCall,
};

fn call(id: &str, arguments: &str) -> ToolCall {
    ToolCall { id: id.to_owned(), name: "bash".to_owned(), arguments: arguments.to_owned() }
}

/// Events with their names, as the format has them.
pub(super) fn stream(events: &[Value]) -> Vec<Act> {
    let named = |event: &Value| {
        let name = event["type"].as_str().unwrap();
        Act::Say(format!("event: {name}\ndata: {event}\n\n").into_bytes())
    };
    [vec![events_begin()], events.iter().map(named).collect()].concat()
}

fn start(usage: Value) -> Value {
    json!({ "type": "message_start", "message": { "id": "m", "type": "message",
        "role": "assistant", "content": [], "model": "x", "stop_reason": null, "usage": usage } })
}

fn block(index: u64, block: Value) -> Value {
    json!({ "type": "content_block_start", "index": index, "content_block": block })
}

fn piece(index: u64, delta: Value) -> Value {
    json!({ "type": "content_block_delta", "index": index, "delta": delta })
}

fn end(reason: &str, usage: Value) -> Vec<Value> {
    let delta = json!({ "stop_reason": reason, "stop_sequence": null });
    let last = json!({ "type": "message_delta", "delta": delta, "usage": usage });
    vec![last, json!({ "type": "message_stop" })]
}

/// Thinks, speaks, calls twice; with counts as the provider makes them.
pub(super) fn thoughtful() -> Vec<Value> {
    let mut events = vec![
        start(json!({ "input_tokens": 10, "cache_creation_input_tokens": 30,
            "cache_read_input_tokens": 60, "output_tokens": 1 })),
        json!({ "type": "ping" }),
        block(0, json!({ "type": "thinking", "thinking": "", "signature": "" })),
        piece(0, json!({ "type": "thinking_delta", "thinking": "Let me " })),
        piece(0, json!({ "type": "thinking_delta", "thinking": "see." })),
        piece(0, json!({ "type": "signature_delta", "signature": "c2ln" })),
        json!({ "type": "content_block_stop", "index": 0 }),
        block(1, json!({ "type": "redacted_thinking", "data": "b3BhcXVl" })),
        block(2, json!({ "type": "text", "text": "" })),
        piece(2, json!({ "type": "text_delta", "text": "I look. é" })),
        block(3, json!({ "type": "tool_use", "id": "t1", "name": "bash", "input": {} })),
        piece(3, json!({ "type": "input_json_delta", "partial_json": "" })),
        piece(3, json!({ "type": "input_json_delta", "partial_json": "{\"command\": \"l" })),
        piece(3, json!({ "type": "input_json_delta", "partial_json": "s\"}" })),
        block(4, json!({ "type": "tool_use", "id": "t2", "name": "bash", "input": {} })),
        block(5, json!({ "type": "something_of_tomorrow", "x": 1 })),
        json!({ "type": "event_of_tomorrow" }),
    ];
    events.extend(end("tool_use", json!({ "output_tokens": 25, "cache_read_input_tokens": null })));
    events
}

#[tokio::test]
async fn a_stream_is_put_together_and_goes_back_as_it_came() {
    let host = Host::doing(stream(&thoughtful()));
    let reply = say_hello_to(&*model(&host, "anthropic")).await.unwrap();
    assert_eq!(reply.finish, FinishReason::ToolCalls);
    assert_eq!(reply.message.content, "I look. é");
    assert_eq!(reply.message.tool_calls, [call("t1", "{\"command\":\"ls\"}"), call("t2", "{}")]);
    assert_eq!(reply.message.reasoning.as_ref().unwrap().text, "Let me see.");
    let usage = reply.usage;
    assert_eq!((usage.input_tokens, usage.output_tokens), (100, 25));
    assert_eq!((usage.cached_tokens, usage.cache_write_tokens), (Some(60), Some(30)));

    let history = vec![
        ChatMessage::text(ChatRole::System, "be brief"),
        ChatMessage::text(ChatRole::User, "hello"),
        reply.message,
        ChatMessage::tool_result("t1", "a\nb"),
        ChatMessage::tool_result("t2", "done"),
        ChatMessage::text(ChatRole::User, "go on"),
    ];
    ask(&*model(&host, "anthropic"), history).await.unwrap();
    let heard = host.heard().remove(1);
    assert_eq!(heard.line.trim(), "POST /v1/messages HTTP/1.1");
    assert_eq!(heard.header("anthropic-version"), Some("2023-06-01"));
    let expected = json!({
        "model": "some/model-1",
        "max_tokens": 77,
        "stream": true,
        "system": [{ "type": "text", "text": "be brief" }],
        "tools": [{ "name": "bash", "description": "runs", "input_schema": { "type": "object" } }],
        "messages": [
            { "role": "user", "content": [{ "type": "text", "text": "hello" }] },
            { "role": "assistant", "content": [
                { "type": "thinking", "thinking": "Let me see.", "signature": "c2ln" },
                { "type": "redacted_thinking", "data": "b3BhcXVl" },
                { "type": "text", "text": "I look. é" },
                { "type": "tool_use", "id": "t1", "name": "bash", "input": { "command": "ls" } },
                { "type": "tool_use", "id": "t2", "name": "bash", "input": {} },
                { "type": "something_of_tomorrow", "x": 1 },
            ] },
            { "role": "user", "content": [
                { "type": "tool_result", "tool_use_id": "t1", "content": "a\nb" },
                { "type": "tool_result", "tool_use_id": "t2", "content": "done" },
                { "type": "text", "text": "go on" },
            ] },
        ],
    });
    assert_eq!(heard.body, expected);
}

/// What the output cap has cut would be refused, each time it is sent back.
#[tokio::test]
async fn a_reply_that_was_cut_goes_back_without_what_was_cut() {
    let mut events = vec![
        start(json!({ "input_tokens": 1, "output_tokens": 1 })),
        block(0, json!({ "type": "thinking", "thinking": "hm", "signature": "c2ln" })),
        block(1, json!({ "type": "tool_use", "id": "t1", "name": "bash", "input": {} })),
        piece(1, json!({ "type": "input_json_delta", "partial_json": "{\"comm" })),
    ];
    events.extend(end("max_tokens", json!({ "output_tokens": 77 })));
    let host = Host::doing(stream(&events));
    let reply = say_hello_to(&*model(&host, "anthropic")).await.unwrap();
    assert_eq!(reply.finish, FinishReason::Length);
    assert_eq!(reply.message.tool_calls, [call("t1", "{\"comm")]);
    ask(&*model(&host, "anthropic"), vec![ChatMessage::text(ChatRole::User, "x"), reply.message])
        .await
        .unwrap();
    let sent = host.heard()[1].body["messages"][1]["content"].clone();
    let input = json!({ "unreadable_arguments": "{\"comm" });
    assert_eq!(sent, json!([{ "type": "tool_use", "id": "t1", "name": "bash", "input": input }]));
}

/// What another family thought is not sent here, and what it wrote is not lost.
#[tokio::test]
async fn a_conversation_of_another_family_is_translated() {
    let mut events = vec![start(json!({ "input_tokens": 1, "output_tokens": 1 }))];
    events.extend(end("end_turn", json!({ "output_tokens": 1 })));
    let host = Host::doing(stream(&events));
    let said = ChatMessage {
        tool_calls: vec![call("a", "{broken"), call("b", "[1]")],
        reasoning: Some(synthd_actors::model::Reasoning {
            text: "why".to_owned(),
            verbatim: Some(("openai-chat".to_owned(), "[{\"data\": 1}]".to_owned())),
        }),
        ..ChatMessage::text(ChatRole::Assistant, "")
    };
    let silent = ChatMessage::text(ChatRole::Assistant, "");
    let history = vec![
        ChatMessage::text(ChatRole::User, "x"),
        said,
        ChatMessage::tool_result("a", "no"),
        silent,
    ];
    ask(&*model(&host, "anthropic"), history).await.unwrap();
    let messages = &host.heard()[0].body["messages"];
    assert_eq!(
        messages[1]["content"],
        json!([
            { "type": "tool_use", "id": "a", "name": "bash", "input": { "unreadable_arguments": "{broken" } },
            { "type": "tool_use", "id": "b", "name": "bash", "input": { "unreadable_arguments": "[1]" } },
        ])
    );
    assert_eq!(messages[3]["content"], json!([{ "type": "text", "text": "(nothing)" }]));
}

/// The prefix is marked where what a write costs is known, and only there.
#[tokio::test]
async fn caches_are_asked_for_where_their_price_is_known() {
    let mut events = vec![start(json!({ "input_tokens": 1, "output_tokens": 1 }))];
    events.extend(end("end_turn", json!({ "output_tokens": 1 })));
    let host = Host::doing(stream(&events));
    let messages = || {
        vec![
            ChatMessage::text(ChatRole::System, "s"),
            ChatMessage::text(ChatRole::User, "one"),
            ChatMessage::text(ChatRole::User, "two"),
        ]
    };
    ask(&*model(&host, "anthropic"), messages()).await.unwrap();
    let endpoint = ProviderEndpoint::new("anthropic", host.url(), None);
    let rates =
        TokenRates { cache_write_per_million: Some(Money::from_nanos(1)), ..TokenRates::default() };
    let price = ModelPrice { rates, tiers: Vec::new() };
    let config = ModelConfig { price, ..super::config(endpoint) };
    ask(&*super::made(&config), messages()).await.unwrap();
    let heard = host.heard();
    assert!(!heard[0].body.to_string().contains("cache_control"));
    let marked = &heard[1].body;
    let mark = json!({ "type": "ephemeral" });
    assert_eq!(marked["system"][0]["cache_control"], mark);
    assert_eq!(marked["messages"][0]["content"][1]["cache_control"], mark);
    assert_eq!(marked.to_string().matches("cache_control").count(), 2);
}

#[tokio::test]
async fn every_way_to_end_is_told_apart() {
    for (reason, expected) in [
        ("end_turn", FinishReason::Stop),
        ("stop_sequence", FinishReason::Stop),
        ("pause_turn", FinishReason::Stop),
        ("max_tokens", FinishReason::Length),
        ("model_context_window_exceeded", FinishReason::Length),
        ("refusal", FinishReason::Refusal),
    ] {
        let message = json!({ "type": "message", "role": "assistant", "stop_reason": reason,
            "content": [{ "type": "text", "text": "hi" }],
            "usage": { "input_tokens": 3, "output_tokens": 1 } });
        let host = Host::doing(status("200 OK", "", &message.to_string()));
        let reply = say_hello_to(&*model(&host, "anthropic")).await.unwrap();
        assert_eq!((reply.finish, reply.uncounted), (expected, false), "{reason}");
        assert_eq!(reply.message.reasoning, None);
    }
    // Counts of a compatible host come with the end alone, or not at all.
    let late = [
        vec![start(Value::Null)],
        end("end_turn", json!({ "input_tokens": 4, "output_tokens": 2 })),
    ];
    let late = Host::doing(stream(&late.concat()));
    assert_eq!(say_hello_to(&*model(&late, "anthropic")).await.unwrap().usage.total(), 6);
    let early = json!({ "input_tokens": 4, "output_tokens": 1 });
    let none = json!({ "input_tokens": 0, "output_tokens": 0 });
    let said = || {
        let text = json!({ "type": "text_delta", "text": "hi" });
        [block(0, json!({ "type": "text", "text": "" })), piece(0, text)]
    };
    for (what, begin, last) in [
        ("never", Value::Null, Value::Null),
        // What is said before anything was written is not the whole.
        ("only at the beginning", early, Value::Null),
        ("zero", none.clone(), none),
    ] {
        let events = [vec![start(begin)], said().to_vec(), end("end_turn", last)].concat();
        let host = Host::doing(stream(&events));
        assert!(say_hello_to(&*model(&host, "anthropic")).await.unwrap().uncounted, "{what}");
    }
    // A smaller count takes nothing back.
    let begin = json!({ "input_tokens": 40, "cache_read_input_tokens": 7, "output_tokens": 1 });
    let last = json!({ "input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 9 });
    let events = [vec![start(begin)], said().to_vec(), end("end_turn", last)].concat();
    let reply = say_hello_to(&*model(&Host::doing(stream(&events)), "anthropic")).await.unwrap();
    assert_eq!((reply.usage.input_tokens, reply.usage.output_tokens), (47, 9));
}

#[tokio::test]
async fn failures_are_told_for_what_they_are() {
    let error = |kind: &str, message: &str| json!({ "type": "error", "error": { "type": kind, "message": message } });
    let text = |value: Value| value.to_string();
    let long = "prompt is too long: 9 tokens > 8 maximum";
    let begun = || stream(&[start(json!({})), block(0, json!({ "type": "text", "text": "so" }))]);
    let with = |acts: Vec<Act>| [begun(), acts].concat();
    let unknown = CallCharge::Unknown;
    let nothing = CallCharge::Nothing;
    for (what, acts, kind, charge) in [
        (
            "overloaded",
            status("529 ", "", &text(error("overloaded_error", "x"))),
            FaultKind::ModelTransient,
            unknown,
        ),
        (
            "limited",
            status("429 ", "", &text(error("rate_limit_error", "x"))),
            FaultKind::ModelTransient,
            nothing,
        ),
        (
            "no key",
            status("401 ", "", &text(error("authentication_error", "x"))),
            FaultKind::KeyRejected,
            nothing,
        ),
        (
            "no money",
            status("402 ", "", &text(error("billing_error", "x"))),
            FaultKind::ModelPermanent,
            nothing,
        ),
        (
            "too long",
            status("400 ", "", &text(error("invalid_request_error", long))),
            FaultKind::ContextFull,
            nothing,
        ),
        (
            "broke off",
            with(stream(&[error("overloaded_error", "x")])[1..].to_vec()),
            FaultKind::ModelTransient,
            unknown,
        ),
        ("cut", begun(), FaultKind::ModelTransient, unknown),
        ("stalled", with(vec![Act::Stall]), FaultKind::ModelTransient, unknown),
        ("no JSON", with(vec![event("{")]), FaultKind::ModelTransient, unknown),
        (
            "no block",
            with(vec![event(&piece(7, json!({ "type": "text_delta" })).to_string())]),
            FaultKind::ModelTransient,
            unknown,
        ),
    ] {
        let host = Host::doing(acts);
        let told = say_hello_to(&*model(&host, "anthropic")).await.expect_err(what);
        assert_eq!((told.fault.kind, told.charge), (kind, charge), "{what}: {told}");
    }
    // A key goes into its own header, and is kept out of what is told.
    let secret = std::env::var("PATH").unwrap();
    let host = Host::doing(status("401 ", "", &text(error("authentication_error", &secret))));
    let key_env = Some("PATH".to_owned());
    let endpoint = ProviderEndpoint::new("anthropic", host.url(), key_env);
    let told = say_hello_to(&*at(endpoint)).await.unwrap_err();
    assert_eq!(host.heard()[0].header("x-api-key"), Some(secret.as_str()));
    assert!(!format!("{told:?}").contains(&secret), "{told:?}");
}
