//! Reads a request in the OpenAI Responses format. A conversation is a list of items here. The items
//! of one reply (its reasoning, its text, its tool calls) become one message of the assistant again.
//! Nobody here knows stored items, so an item that only refers to one is a loss.

use super::items;
use crate::formats::reading::losses::LossKind;
use crate::formats::reading::openai_request::{
    OPENAI_KEYS, allowed_choice, custom_choice, function, hosted_tools, openai_settings,
    word_choice,
};
use crate::formats::reading::request_parser::{
    COMMON_KEYS, ParsedRequest, RequestParser, join, keep_others, reply_of,
};
use serde_json::{Map, Value, json};
use synthd_actors::model::{
    ChatMessage, ChatRequest, ChatRole, ReasoningEffort, RequestSettings, ToolCall, ToolChoice,
    ToolSchema,
};

/// Top-level keys that are read, besides those that other formats have too.
const OWN_KEYS: [&str; 4] = [
    "input",
    "instructions",
    "max_output_tokens",
    // It only says what the client's own provider keeps.
    "store",
];
/// The roles of the format.
const ROLES: [(&str, ChatRole); 4] = [
    ("system", ChatRole::System),
    ("developer", ChatRole::System),
    ("user", ChatRole::User),
    ("assistant", ChatRole::Assistant),
];

/// Reads a request. `cap` is the output limit in tokens, which the caller has read already.
pub(crate) fn parse(json: &Value, cap: u32) -> ParsedRequest {
    let mut parser = RequestParser::default();
    // Values that ask for nothing, so they need no field in another format.
    let idle = [
        ("background", json!(false)),
        ("metadata", json!({})),
        ("include", json!([])),
        // A model of another format has no encrypted reasoning to include.
        ("include", json!(["reasoning.encrypted_content"])),
        ("truncation", json!("disabled")),
        ("service_tier", json!("auto")),
        ("text", json!({ "format": { "type": "text" } })),
        ("top_logprobs", json!(0)),
    ];
    let known = [&COMMON_KEYS[..], &OPENAI_KEYS[..], &OWN_KEYS[..]].concat();
    let mut others = parser.other_keys(json, &known, &idle);
    let messages = conversation(&mut parser, json);
    let tools = parser.tools(json, tool);
    // This format has no stop sequences.
    let mut settings = openai_settings(&mut parser, json, &mut others, choice);
    keep_reasoning(&mut settings, others);
    parser.finish(ChatRequest { messages, tools, max_output_tokens: cap, settings })
}

/// The messages of `instructions` and `input`.
fn conversation(parser: &mut RequestParser, json: &Value) -> Vec<ChatMessage> {
    let instructions = parser.word(json, "instructions");
    let system = instructions.map(|text| ChatMessage::text(ChatRole::System, text));
    let mut messages: Vec<ChatMessage> = system.into_iter().collect();
    match &json["input"] {
        Value::String(text) => messages.push(ChatMessage::text(ChatRole::User, text)),
        Value::Array(items) => {
            parser.each("input", items, |parser, item| add(parser, &mut messages, item));
        }
        _ => parser.malformed("`input` is neither a text nor a list"),
    }
    messages
}

/// Keeps an effort that stands alone under the engine's own name, and the other settings as they
/// were sent.
fn keep_reasoning(settings: &mut RequestSettings, mut others: Map<String, Value>) {
    let alone = others.get("reasoning").and_then(Value::as_object).filter(|keys| keys.len() == 1);
    let word = alone.and_then(|keys| keys.get("effort")).and_then(Value::as_str);
    let effort = ReasoningEffort::ALL.into_iter().find(|effort| Some(effort.as_str()) == word);
    if effort.is_some() {
        others.shift_remove("reasoning");
    }
    keep_others(settings, others);
    settings.reasoning_effort = effort.or(settings.reasoning_effort);
}

/// Adds one item to the messages. An item without a `type` that has a role is a message.
fn add(parser: &mut RequestParser, messages: &mut Vec<ChatMessage>, item: &Value) {
    let kind = item["type"].as_str().or_else(|| item["role"].as_str().map(|_| "message"));
    match kind.unwrap_or_default() {
        "message" => said(parser, messages, item),
        "reasoning" => think(parser, messages, item),
        kind @ ("function_call" | "custom_tool_call") => {
            let call = call(parser, kind, item);
            reply_of(messages).tool_calls.push(call);
        }
        kind @ ("function_call_output" | "custom_tool_call_output") => {
            messages.push(result(parser, kind, item));
        }
        kind => {
            parser.lose(LossKind::Item(kind.to_owned()));
            messages.push(ChatMessage::text(ChatRole::User, unknown(item, kind)));
        }
    }
}

/// The text that stands for an item of an unknown type.
fn unknown(item: &Value, kind: &str) -> String {
    match kind {
        "" => RequestParser::default().text(&item["content"]),
        kind => format!("[{kind}]"),
    }
}

/// Adds an item of the type `message`. Text of the assistant is joined with the reply that it
/// belongs to.
fn said(parser: &mut RequestParser, messages: &mut Vec<ChatMessage>, item: &Value) {
    parser.other_keys(item, &["type", "role", "content", "id", "status"], &[]);
    let text = parser.text(&item["content"]);
    match parser.role(item, &ROLES) {
        ChatRole::Assistant => join(&mut reply_of(messages).content, &text),
        role => messages.push(ChatMessage::text(role, text)),
    }
}

/// Adds reasoning of an earlier reply. It begins that reply, also where nothing else of it follows.
/// Only the model that produced encrypted reasoning can read it.
fn think(parser: &mut RequestParser, messages: &mut Vec<ChatMessage>, item: &Value) {
    match item["encrypted_content"].as_str().is_some_and(|text| !text.is_empty()) {
        true => {
            let what = "reasoning with `encrypted_content`";
            parser.lose(LossKind::Reasoning(what.to_owned()));
        }
        false => {
            let known = ["type", "id", "summary", "content", "encrypted_content", "status"];
            drop(parser.other_keys(item, &known, &[]));
        }
    }
    let (reply, thought) = (reply_of(messages), items::thought(item));
    if !thought.is_empty() {
        join(&mut reply.reasoning.get_or_insert_default().text, &thought);
    }
}

/// The caller of a tool call that asks for nothing: the model itself.
fn direct() -> (&'static str, Value) {
    ("caller", json!({ "type": "direct" }))
}

/// Reads a tool call of an earlier reply. Its arguments stay text, as in the format.
fn call(parser: &mut RequestParser, kind: &str, item: &Value) -> ToolCall {
    let arguments = items::arguments_key(kind);
    if kind != items::CALL {
        parser.lose(LossKind::Item(kind.to_owned()));
    }
    parser.other_keys(item, &["type", "call_id", "name", arguments, "id", "status"], &[direct()]);
    if !["call_id", "name", arguments].iter().all(|key| item[*key].is_string()) {
        parser.malformed("a call lacks its `call_id`, its name or its arguments");
    }
    items::call(item)
}

/// Reads the result of a tool call.
fn result(parser: &mut RequestParser, kind: &str, item: &Value) -> ChatMessage {
    if kind != "function_call_output" {
        parser.lose(LossKind::Item(kind.to_owned()));
    }
    if !item["call_id"].is_string() {
        parser.malformed("the result of a call lacks its `call_id`");
    }
    parser.other_keys(item, &["type", "call_id", "output", "id", "status"], &[direct()]);
    let text = parser.text(&item["output"]);
    ChatMessage::tool_result(item["call_id"].as_str().unwrap_or_default(), text)
}

/// Reads one tool. A `custom` tool has no schema, and models of other formats enforce none.
fn tool(parser: &mut RequestParser, json: &Value) -> ToolSchema {
    let Some(name) = json["name"].as_str().filter(|_| json["type"] == "function") else {
        return parser.odd_tool(json, "a tool is not a function with a name");
    };
    function(parser, name, json, &["type", "name", "description", "parameters"])
}

/// Reads `tool_choice`: a word, or `{"type": "function", "name": "search"}`, or one of the types
/// `custom` and `allowed_tools`.
fn choice(parser: &mut RequestParser, json: &Value) -> Option<ToolChoice> {
    match json["type"].as_str() {
        Some("custom") => custom_choice(parser, json),
        Some("allowed_tools") => {
            hosted_tools(parser, json);
            allowed_choice(parser, json)
        }
        Some("function") if json["name"].is_string() => {
            parser.other_keys(json, &["type", "name"], &[]);
            json["name"].as_str().map(|name| ToolChoice::Tool(name.to_owned()))
        }
        _ => word_choice(parser, json),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use synthd_actors::model::Reasoning;

    #[test]
    fn the_items_of_one_reply_are_one_message_again() {
        let parsed = parse(
            &json!({ "model": "m", "instructions": "be brief", "input": [
                { "role": "user", "content": "go" },
                { "type": "reasoning", "id": "rs", "summary": [{ "type": "summary_text", "text": "hm" }] },
                { "type": "message", "role": "assistant", "id": "m", "status": "completed",
                  "content": [{ "type": "output_text", "text": "I look", "annotations": [] }] },
                { "type": "function_call", "call_id": "a", "name": "f", "arguments": "{}" },
                { "type": "function_call", "call_id": "b", "name": "g", "arguments": "{\"x\":1}" },
                { "type": "function_call_output", "call_id": "a", "output": "one" },
                { "type": "function_call_output", "call_id": "b",
                  "output": [{ "type": "input_text", "text": "two" }] },
                { "type": "message", "role": "user", "content": [{ "type": "input_text", "text": "on" }] },
            ] }),
            9,
        );
        assert!(parsed.lost.is_empty());
        let messages = parsed.request.messages;
        let roles: Vec<ChatRole> = messages.iter().map(|message| message.role).collect();
        use ChatRole::{Assistant, System, Tool, User};
        assert_eq!(roles, [System, User, Assistant, Tool, Tool, User]);
        let reply = &messages[2];
        assert_eq!((reply.content.as_str(), reply.tool_calls.len()), ("I look", 2));
        let thought = Reasoning { text: "hm".to_owned(), verbatim: None };
        assert_eq!(reply.reasoning, Some(thought));
        assert_eq!(messages[4].content, "two");
    }

    #[test]
    fn what_another_format_cannot_say_is_lost_with_its_name() {
        let base = |key: &str, value: Value| {
            let mut json = json!({ "model": "m", "input": "go" });
            json[key] = value;
            format!("{:?}", parse(&json, 1).lost)
        };
        for (key, value, named) in [
            ("previous_response_id", json!("resp_1"), "previous_response_id"),
            ("background", json!(true), "background"),
            ("input", json!([{ "type": "item_reference", "id": "x" }]), "item_reference"),
            ("input", json!([{ "type": "web_search_call" }]), "web_search_call"),
            (
                "input",
                json!([{ "role": "user", "content": [{ "type": "input_image" }] }]),
                "input_image",
            ),
            ("tools", json!([{ "type": "web_search" }]), "not a function"),
            ("tools", json!([{ "type": "function", "name": "f", "strict": true }]), "Strict"),
            ("text", json!({ "format": { "type": "json_object" } }), "text"),
            ("reasoning", json!({ "effort": "high" }), "reasoning"),
        ] {
            let told = base(key, value);
            assert!(told.contains(named), "{key}: {told}");
        }
        assert_eq!(base("store", json!(true)), "[]");
    }
}
