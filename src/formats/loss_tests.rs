//! What a parser cannot put into the engine's own form is told as lost, in every format: nothing is
//! dropped. What can be read of it is kept.

use crate::formats::WireFormat::{self, Anthropic, OpenAiChat, Responses};
use crate::formats::reading::losses::{FormatLoss, LossKind};
use serde_json::{Value, json};
use synthd_actors::model::{ChatRequest, ChatRole, ReasoningEffort, ToolCall, ToolChoice};

/// Checks that each value under its key is a loss, with each of the words in it.
fn assert_lost(format: WireFormat, base: &Value, cases: &[(&str, Value, &[&str])]) {
    assert!(format.parse(base, 1).lost.is_empty(), "{base}");
    for (key, value, named) in cases {
        let mut body = base.clone();
        body[*key] = value.clone();
        let told = format!("{:?}", format.parse(&body, 1).lost);
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
    assert_lost(OpenAiChat, &base, cases);
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
    assert_lost(Anthropic, &base, cases);
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
    assert_lost(Responses, &base, cases);
}

/// The request as far as it can be read.
fn read(format: WireFormat, json: &Value) -> ChatRequest {
    format.parse(json, 1).request
}

/// Roles, texts, and numbers of calls.
fn heard(format: WireFormat, json: &Value) -> Vec<(ChatRole, String, usize)> {
    let said = read(format, json).messages.into_iter();
    said.map(|message| (message.role, message.content, message.tool_calls.len())).collect()
}

fn conversation() -> Vec<(ChatRole, String, usize)> {
    let said = |role, text: &str, calls| (role, text.to_owned(), calls);
    vec![
        said(ChatRole::System, "be good", 0),
        said(ChatRole::User, "look\n\n[image]", 0),
        said(ChatRole::Assistant, "so", 1),
        said(ChatRole::Tool, "done", 0),
    ]
}

#[test]
fn a_conversation_is_the_same_in_every_format() {
    let chat = json!({ "model": "m", "odd": 1, "messages": [
        { "role": "system", "content": "be good" },
        { "role": "user", "content": [{ "type": "text", "text": "look" }, { "type": "image" }] },
        { "role": "assistant", "content": "so", "tool_calls": [{ "id": "1", "type": "function",
            "function": { "name": "sh", "arguments": "{}" } }] },
        { "role": "tool", "tool_call_id": "1", "content": "done" }] });
    assert_eq!(heard(OpenAiChat, &chat), conversation());
    let messages = json!({ "model": "m", "system": [{ "type": "text", "text": "be good" }],
        "messages": [
        { "role": "user", "content": [{ "type": "text", "text": "look" }, { "type": "image" }] },
        { "role": "assistant", "content": [{ "type": "thinking", "thinking": "hm" },
            { "type": "text", "text": "so" },
            { "type": "tool_use", "id": "1", "name": "sh", "input": {} }] },
        { "role": "user", "content": [{ "type": "tool_result", "tool_use_id": "1",
            "content": [{ "type": "text", "text": "done" }] }] }] });
    assert_eq!(heard(Anthropic, &messages), conversation());
    let responses = json!({ "model": "m", "instructions": "be good", "input": [
        { "role": "user", "content": [{ "type": "input_text", "text": "look" }, { "type": "image" }] },
        { "type": "reasoning", "summary": [] },
        { "type": "message", "role": "assistant",
            "content": [{ "type": "output_text", "text": "so" }] },
        { "type": "function_call", "call_id": "1", "name": "sh", "arguments": "{}" },
        { "type": "function_call_output", "call_id": "1", "output": "done" }] });
    assert_eq!(heard(Responses, &responses), conversation());
}

#[test]
fn reasoning_alone_is_a_reply() {
    let body = json!({ "model": "m", "input": [{ "type": "reasoning", "summary": [] },
        { "role": "user", "content": "go on" }] });
    let roles: Vec<ChatRole> = heard(Responses, &body).into_iter().map(|said| said.0).collect();
    assert_eq!(roles, [ChatRole::Assistant, ChatRole::User]);
}

/// Agents call them to patch files. Other formats have no such tool.
#[test]
fn a_call_with_plain_text_is_a_call_of_the_model() {
    let call = ToolCall {
        id: "c1".to_owned(),
        name: "apply_patch".to_owned(),
        arguments: "*** Begin".to_owned(),
    };
    let responses = json!({ "model": "m", "input": [
        { "role": "user", "content": "go" },
        { "type": "custom_tool_call", "call_id": "c1", "name": "apply_patch", "input": "*** Begin" },
        { "type": "custom_tool_call_output", "call_id": "c1", "output": "done" }] });
    let chat = json!({ "model": "m", "messages": [
        { "role": "user", "content": "go" },
        { "role": "assistant", "tool_calls": [{ "id": "c1", "type": "custom",
            "custom": { "name": "apply_patch", "input": "*** Begin" } }] },
        { "role": "tool", "tool_call_id": "c1", "content": "done" }] });
    for (format, body) in [(Responses, responses), (OpenAiChat, chat)] {
        let parsed = format.parse(&body, 1);
        assert!(!parsed.lost.is_empty(), "no other format has it");
        let messages = parsed.request.messages;
        let roles: Vec<ChatRole> = messages.iter().map(|message| message.role).collect();
        assert_eq!(roles, [ChatRole::User, ChatRole::Assistant, ChatRole::Tool], "{format:?}");
        assert_eq!(messages[1].tool_calls, std::slice::from_ref(&call), "{format:?}");
        assert_eq!(messages[2].content, "done");
    }
}

/// The record of a turn has them, whether another format has a place for them or not.
#[test]
fn settings_and_tools_are_kept_as_they_were_sent() {
    let strict = json!({ "type": "function", "function": { "name": "f", "description": "d",
        "parameters": { "type": "object" }, "strict": true } });
    let plain = json!({ "type": "function", "function": { "name": "g", "description": "",
        "parameters": { "type": "object" } } });
    let chat = json!({ "model": "m", "messages": [], "tools": [strict, plain], "temperature": 0.5,
        "top_p": 0.9, "stop": ["END"], "seed": 7, "reasoning_effort": "high", "logit_bias": { "1": 2 } });
    let read_chat = read(OpenAiChat, &chat);
    let settings = &read_chat.settings;
    assert_eq!(
        (settings.temperature, settings.top_p, settings.seed),
        (Some(0.5), Some(0.9), Some(7))
    );
    assert_eq!(settings.reasoning_effort, Some(ReasoningEffort::High));
    assert_eq!((settings.stop.len(), settings.extra["logit_bias"]["1"].as_u64()), (1, Some(2)));
    assert_eq!(
        read_chat.tools.iter().map(|tool| tool.shown()).collect::<Vec<_>>(),
        [strict, plain]
    );
    let bash = json!({ "type": "bash_20250124", "name": "bash" });
    let messages = json!({ "model": "m", "messages": [], "tools": [bash], "top_k": 5,
        "thinking": { "type": "enabled", "budget_tokens": 2_000 } });
    let read_messages = read(Anthropic, &messages);
    assert_eq!(read_messages.settings.thinking_budget, Some(2_000));
    assert_eq!(read_messages.settings.extra["top_k"], 5);
    assert_eq!(
        (read_messages.tools[0].name.as_str(), read_messages.tools[0].shown()),
        ("bash", bash)
    );
    let patch = json!({ "type": "custom", "name": "apply_patch", "description": "patches",
        "format": { "type": "grammar" } });
    let responses = json!({ "model": "m", "input": "go", "tools": [patch],
        "reasoning": { "effort": "low" }, "text": { "verbosity": "low" } });
    let read_responses = read(Responses, &responses);
    assert_eq!(read_responses.settings.reasoning_effort, Some(ReasoningEffort::Low));
    assert_eq!(read_responses.settings.extra["text"]["verbosity"], "low");
    assert_eq!(read_responses.tools[0].name, "apply_patch");
    assert_eq!(read_responses.tools[0].shown(), patch);
}

/// A choice of a tool in the chat format and in the Responses format.
fn choices(kind: &str, fields: &Value) -> [(WireFormat, Value); 2] {
    let mut beside = fields.clone();
    beside["type"] = json!(kind);
    let mut under = json!({ "type": kind });
    under[kind] = fields.clone();
    [
        (OpenAiChat, json!({ "model": "m", "messages": [], "tool_choice": under })),
        (Responses, json!({ "model": "m", "input": "go", "tool_choice": beside })),
    ]
}

#[test]
fn a_choice_that_no_other_format_has_is_lost_by_its_name_and_kept_as_it_was_sent() {
    let named = json!({ "name": "patch" });
    let some = |mode: &str| json!({ "mode": mode, "tools": [{ "type": "custom" }] });
    for (kind, fields, choice) in [
        ("custom", named, ToolChoice::Tool("patch".to_owned())),
        ("allowed_tools", some("auto"), ToolChoice::Auto),
        ("allowed_tools", some("required"), ToolChoice::Required),
    ] {
        for (format, body) in choices(kind, &fields) {
            let parsed = format.parse(&body, 1);
            let lost = LossKind::Keys(vec![kind.to_owned()]);
            assert_eq!(parsed.lost, [FormatLoss { place: "tool_choice".to_owned(), kind: lost }]);
            let settings = parsed.request.settings;
            assert_eq!(settings.tool_choice.as_ref(), Some(&choice), "{body}");
            assert_eq!(settings.extra["tool_choice"], body["tool_choice"]);
        }
    }
}

#[test]
fn one_function_that_must_be_called_is_a_choice_of_every_format() {
    let tools = [
        json!([{ "type": "function", "function": { "name": "f" } }]),
        json!([{ "type": "function", "name": "f" }]),
    ];
    for (at, tools) in tools.iter().enumerate() {
        let parsed = |mode: &str| {
            let fields = json!({ "mode": mode, "tools": tools });
            let (format, body) = &choices("allowed_tools", &fields)[at];
            format.parse(body, 1)
        };
        let required = parsed("required");
        assert!(required.lost.is_empty(), "{:?}", required.lost);
        let settings = required.request.settings;
        assert_eq!(settings.tool_choice, Some(ToolChoice::Tool("f".to_owned())));
        assert!(settings.extra.is_empty());
        // The model may also call nothing.
        assert_eq!(parsed("auto").lost.len(), 1);
    }
}

/// However little it says besides its type: no other provider runs it.
#[test]
fn the_choice_of_a_hosted_tool_is_lost_by_its_type_and_its_place() {
    let hosted = |place: &str, kind: &str| FormatLoss {
        place: place.to_owned(),
        kind: LossKind::HostedTool(kind.to_owned()),
    };
    for kind in ["web_search", "mcp", "a new one"] {
        for fields in [json!({}), json!({ "server_label": 7, "name": null }), json!({ "x": [1] })] {
            for (format, body) in choices(kind, &fields) {
                let parsed = format.parse(&body, 1);
                assert_eq!(parsed.lost, [hosted("tool_choice", kind)], "{body}");
                assert_eq!(parsed.request.settings.tool_choice, None);
                assert_eq!(parsed.request.settings.extra["tool_choice"], body["tool_choice"]);
            }
        }
    }
    let tools = json!([{ "type": "function", "name": "f" }, { "type": "mcp" }, { "name": "g" }]);
    let places = ["tool_choice.allowed_tools.tools", "tool_choice.tools"];
    let bodies = choices("allowed_tools", &json!({ "mode": "auto", "tools": tools }));
    for ((format, body), place) in bodies.iter().zip(places) {
        let lost = format.parse(body, 1).lost;
        assert_eq!(lost[0], hosted(&format!("{place}[1]"), "mcp"), "{body}");
        assert_eq!(lost[1].place, format!("{place}[2]"), "{body}");
        assert_eq!(lost.len(), 3, "{lost:?}");
    }
}

#[test]
fn a_choice_without_a_name_or_a_mode_means_nothing() {
    for kind in ["custom", "allowed_tools"] {
        for (format, body) in choices(kind, &json!({ "mode": "some" })) {
            let parsed = format.parse(&body, 1);
            let is_malformed = |loss: &FormatLoss| matches!(loss.kind, LossKind::Malformed(_));
            assert!(parsed.lost.iter().all(is_malformed) && !parsed.lost.is_empty(), "{body}");
            assert_eq!(parsed.request.settings.tool_choice, None);
        }
    }
}

#[test]
fn nothing_that_is_said_stops_a_parser() {
    for odd in [json!(1), json!([1, null]), json!({}), json!([{ "role": 1, "content": 7 }])] {
        for format in [OpenAiChat, Anthropic, Responses] {
            let body = json!({ "model": "m", "messages": odd, "input": odd, "tools": odd,
                "system": odd, "instructions": odd });
            heard(format, &body);
        }
    }
}
