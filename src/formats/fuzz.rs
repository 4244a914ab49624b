//! Fuzz tests of the reply builders: whatever a provider sends, each family makes a reply of it or
//! returns a fault, and never panics.

use crate::formats::reading::events::ReplyBuilder;
use crate::formats::{chat_completions, gemini, messages, ollama, responses};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::ops::ControlFlow;

/// Names and words that mean something to one family or another.
const WORDS: [&str; 60] = [
    "choices",
    "delta",
    "message",
    "content",
    "tool_calls",
    "function",
    "arguments",
    "index",
    "id",
    "name",
    "finish_reason",
    "usage",
    "error",
    "type",
    "text",
    "stop",
    "length",
    "prompt_tokens",
    "completion_tokens",
    "reasoning_details",
    "refusal",
    "model",
    "candidates",
    "parts",
    "functionCall",
    "args",
    "finishReason",
    "STOP",
    "usageMetadata",
    "promptTokenCount",
    "promptFeedback",
    "blockReason",
    "thought",
    "thoughtSignature",
    "content_block",
    "content_block_start",
    "content_block_delta",
    "message_start",
    "message_delta",
    "message_stop",
    "input_json_delta",
    "partial_json",
    "text_delta",
    "stop_reason",
    "tool_use",
    "input",
    "response",
    "response.completed",
    "response.output_item.done",
    "item",
    "output",
    "summary",
    "reasoning",
    "function_call",
    "status",
    "incomplete",
    "done",
    "done_reason",
    "prompt_eval_count",
    "details",
];

fn word() -> impl Strategy<Value = String> {
    prop::sample::select(WORDS.to_vec()).prop_map(str::to_owned)
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        prop_oneof![Just(0), Just(1), any::<i64>()].prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        word().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(word(), inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Shapes that each family knows, with anything at all in their places.
fn shaped(inner: &Value) -> Vec<Value> {
    vec![
        json!({ "choices": [{ "delta": inner, "finish_reason": "stop" }] }),
        json!({ "choices": [{ "message": inner, "finish_reason": "stop" }], "usage": inner }),
        json!({ "choices": [{ "delta": { "tool_calls": [inner] } }] }),
        json!({ "type": "content_block_start", "index": 0, "content_block": inner }),
        json!({ "type": "content_block_delta", "index": 0, "delta": inner }),
        json!({ "type": "message_delta", "delta": inner, "usage": inner }),
        json!({ "type": "message_start", "message": inner }),
        json!({ "candidates": [inner] }),
        json!({ "candidates": [{ "content": inner, "finishReason": "STOP" }] }),
        json!({ "candidates": inner, "usageMetadata": inner, "promptFeedback": inner }),
        json!({ "type": "response.output_item.done", "item": inner }),
        json!({ "type": "response.completed", "response": inner }),
        json!({ "message": inner, "done": true }),
        json!({ "error": inner }),
        json!({ "content": [inner], "stop_reason": "end_turn" }),
        json!({ "output": [inner], "status": "incomplete" }),
    ]
}

fn survives<A: ReplyBuilder>(events: &[Value]) {
    let mut builder = A::default();
    for event in events {
        match builder.event(&event.to_string()) {
            Ok(ControlFlow::Continue(())) => {}
            Ok(ControlFlow::Break(())) | Err(_) => break,
        }
    }
    drop(builder.reply());
    for body in events {
        let mut builder = A::default();
        if builder.whole(body.to_string().as_bytes()).is_ok() {
            drop(builder.reply());
        }
    }
}

fn all_survive(events: &[Value]) {
    survives::<chat_completions::OpenAiReplyBuilder>(events);
    survives::<messages::AnthropicReplyBuilder>(events);
    survives::<gemini::GeminiReplyBuilder>(events);
    survives::<responses::ResponsesReplyBuilder>(events);
    survives::<ollama::OllamaReplyBuilder>(events);
}

proptest! {
    #[test]
    fn any_events_are_survived(events in prop::collection::vec(value(), 1..5)) {
        all_survive(&events);
    }

    #[test]
    fn known_shapes_with_anything_in_them_are_survived(
        inner in value(),
        order in prop::collection::vec(any::<prop::sample::Index>(), 1..6),
    ) {
        let shapes = shaped(&inner);
        let events: Vec<Value> = order.iter().map(|at| at.get(&shapes).clone()).collect();
        all_survive(&events);
    }

    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let mut builder = chat_completions::OpenAiReplyBuilder::default();
        drop(builder.event(&text).and(builder.whole(&bytes)));
        let mut builder = ollama::OllamaReplyBuilder::default();
        drop(builder.event(&text).and(builder.whole(&bytes)));
    }
}
