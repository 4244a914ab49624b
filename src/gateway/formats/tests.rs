//! What a translated call cannot carry is refused aloud, in every format: nothing is dropped.

use super::{chat, messages, responses};
use crate::gateway::refusal::GatewayRefusal;
use serde_json::{Value, json};
use synthd_actors::model::ChatRequest;

type Reader = fn(&Value, u32) -> Result<ChatRequest, GatewayRefusal>;

/// Checks that each value under its key is refused by a message with each of the words.
fn assert_refused(read: Reader, base: &Value, cases: &[(&str, Value, &[&str])]) {
    assert!(read(base, 1).is_ok(), "{base}");
    for (key, value, named) in cases {
        let mut body = base.clone();
        body[*key] = value.clone();
        let told = read(&body, 1).err().map(|refusal| refusal.message).unwrap_or_default();
        assert!(named.iter().all(|word| told.contains(word)), "{body}: {told:?}");
    }
}

#[test]
fn the_chat_format_drops_nothing() {
    let function = |extra: Value| {
        let mut function = json!({ "name": "f" });
        function["x"] = extra;
        json!([{ "type": "function", "function": { "name": "g" } },
            { "type": "function", "function": function }])
    };
    let called = |call: Value| json!([{ "role": "assistant", "tool_calls": [call] }]);
    let call = json!({ "id": "a", "type": "function", "x": 1,
        "function": { "name": "f", "arguments": "{}" } });
    let base = json!({ "model": "m", "messages": [{ "role": "user", "content": "go" }],
        "tools": function(Value::Null), "parallel_tool_calls": true,
        "tool_choice": { "type": "function", "function": { "name": "f" } } });
    let cases: &[(&str, Value, &[&str])] = &[
        ("tools", json!({}), &["tools"]),
        ("tools", function(json!(1)), &["tools[1]", "x"]),
        (
            "tools",
            json!([{ "type": "function", "x": 1, "function": { "name": "f" } }]),
            &["tools[0]", "x"],
        ),
        (
            "tools",
            json!([{ "type": "function", "function": { "name": "f", "description": 7 } }]),
            &["tools[0]", "description"],
        ),
        ("tool_choice", json!("any"), &["tool_choice"]),
        (
            "tool_choice",
            json!({ "type": "function", "x": 1, "function": { "name": "f" } }),
            &["tool_choice", "x"],
        ),
        ("parallel_tool_calls", json!("no"), &["parallel_tool_calls"]),
        (
            "messages",
            json!([{ "role": "user", "content": "a" }, { "role": "user", "name": "b" }]),
            &["messages[1]", "name"],
        ),
        ("messages", json!([{ "role": "assistant", "content": "", "refusal": 1 }]), &["refusal"]),
        ("messages", called(call), &["messages[0]", "tool_calls[0]", "x"]),
    ];
    assert_refused(chat::canonical, &base, cases);
}

#[test]
fn the_messages_format_drops_nothing() {
    let tool = |extra: Value| json!([{ "name": "f", "input_schema": {}, "x": extra }]);
    let turn = |role: &str, block: Value| json!([{ "role": "user", "content": "go" }, { "role": role, "content": [block] }]);
    let base = json!({ "model": "m", "messages": [{ "role": "user", "content": "go" }],
        "tools": tool(Value::Null), "tool_choice": { "type": "any" } });
    let cases: &[(&str, Value, &[&str])] = &[
        ("tools", json!({}), &["tools"]),
        ("tools", tool(json!(1)), &["tools[0]", "x"]),
        ("tools", json!([{ "name": "f", "input_schema": {}, "description": 7 }]), &["description"]),
        ("tool_choice", json!("any"), &["tool_choice"]),
        ("tool_choice", json!({ "name": "f" }), &["tool_choice"]),
        ("tool_choice", json!({ "type": "auto", "x": 1 }), &["tool_choice", "x"]),
        (
            "tool_choice",
            json!({ "type": "auto", "disable_parallel_tool_use": 1 }),
            &["disable_parallel_tool_use"],
        ),
        ("messages", json!([{ "role": "user", "content": "go", "x": 1 }]), &["messages[0]", "x"]),
        (
            "messages",
            turn("user", json!({ "type": "text", "text": "a", "x": 1 })),
            &["messages[1]", "content[0]", "x"],
        ),
        (
            "messages",
            turn("user", json!({ "type": "tool_result", "tool_use_id": "a", "x": 1 })),
            &["messages[1]", "x"],
        ),
        (
            "messages",
            turn("user", json!({ "type": "tool_result", "tool_use_id": "a", "is_error": 1 })),
            &["messages[1]", "is_error"],
        ),
        (
            "messages",
            turn(
                "assistant",
                json!({ "type": "tool_use", "id": "a", "name": "f", "input": {}, "x": 1 }),
            ),
            &["messages[1]", "x"],
        ),
    ];
    assert_refused(messages::canonical, &base, cases);
}

#[test]
fn the_responses_format_drops_nothing() {
    let tool = |extra: Value| json!([{ "type": "function", "name": "f", "x": extra }]);
    let item = |item: Value| json!([{ "role": "user", "content": "go" }, item]);
    let base = json!({ "model": "m", "input": "go", "tools": tool(Value::Null),
        "tool_choice": { "type": "function", "name": "f" } });
    let cases: &[(&str, Value, &[&str])] = &[
        ("tools", json!({}), &["tools"]),
        ("tools", tool(json!(1)), &["tools[0]", "x"]),
        ("tool_choice", json!("any"), &["tool_choice"]),
        ("tool_choice", json!({ "type": "function", "name": "f", "x": 1 }), &["tool_choice", "x"]),
        ("parallel_tool_calls", json!(1), &["parallel_tool_calls"]),
        (
            "input",
            item(json!({ "type": "function_call", "call_id": "a", "name": "f",
            "arguments": "{}", "x": 1 })),
            &["input[1]", "x"],
        ),
        (
            "input",
            item(json!({ "type": "function_call_output", "call_id": "a", "output": "",
            "x": 1 })),
            &["input[1]", "x"],
        ),
        ("input", item(json!({ "type": "reasoning", "summary": [], "x": 1 })), &["input[1]", "x"]),
    ];
    assert_refused(responses::canonical, &base, cases);
}
