//! Whatever a client says is understood or refused.

use crate::formats::WireFormat;
use crate::formats::reading::allowed_shape::ShapeContext;
use crate::gateway::refusal::GatewayRefusal;
use crate::gateway::request_check::allowlist;
use crate::gateway::request_check::request::GatewayRequest;
use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};

const WORDS: [&str; 31] = [
    "model",
    "messages",
    "role",
    "user",
    "assistant",
    "tool",
    "system",
    "content",
    "text",
    "type",
    "tool_calls",
    "function",
    "name",
    "arguments",
    "id",
    "tools",
    "input_schema",
    "tool_use",
    "tool_result",
    "tool_use_id",
    "image_url",
    "url",
    "source",
    "tool_choice",
    "max_tokens",
    "n",
    "stop",
    "stream",
    "cache_control",
    "ttl",
    "reasoning",
];

fn value() -> impl Strategy<Value = Value> {
    let word = || prop::sample::select(WORDS.to_vec()).prop_map(str::to_owned);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        word().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 40, 5, move |inner| {
        let word = prop::sample::select(WORDS.to_vec()).prop_map(str::to_owned);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(word, inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn survived(body: &Value) {
    for family in [WireFormat::OpenAiChat, WireFormat::Anthropic, WireFormat::Responses] {
        let Ok(asked) = GatewayRequest::read(family, Bytes::from(body.to_string())) else {
            continue;
        };
        let limits = ShapeContext { cap: 7, writes_priced: true, caps_thought: true };
        drop((allowlist::find_unbounded(&asked, limits), asked.with_model_name("m")));
        let _: synthd_actors::model::Usage = asked.worst(100, None);
        let parsed = asked.parsed(7);
        let told = parsed.lost.first().map(GatewayRefusal::of_loss);
        assert!(told.is_none_or(|refusal| refusal.status == 400), "{body}");
    }
}

proptest! {
    #[test]
    fn any_body_is_understood_or_refused(body in value()) {
        survived(&body);
    }

    #[test]
    fn anything_in_known_places_is_understood_or_refused(inner in value()) {
        for body in [
            json!({ "model": "m", "messages": [inner] }),
            json!({ "model": "m", "messages": [{ "role": "user", "content": inner }] }),
            json!({ "model": "m", "messages": [{ "role": "assistant", "content": [inner] }] }),
            json!({ "model": "m", "messages": [{ "role": "assistant", "tool_calls": [inner] }] }),
            json!({ "model": "m", "messages": [], "tools": [inner], "tool_choice": inner }),
            json!({ "model": "m", "input": [inner], "instructions": inner }),
            json!({ "model": "m", "input": [{ "type": "function_call_output", "output": inner }] }),
            json!({ "model": "m", "input": inner, "tools": [inner], "tool_choice": inner }),
            json!({ "model": "m", "messages": [], "system": inner, "n": inner, "stop": inner }),
        ] {
            survived(&body);
        }
    }

    #[test]
    fn any_bytes_are_understood_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        drop(GatewayRequest::read(WireFormat::OpenAiChat, Bytes::from(bytes)).ok());
    }
}
