//! Reads a request in the OpenAI chat format.

use crate::formats::reading::losses::LossKind;
use crate::formats::reading::openai_request::{
    OPENAI_KEYS, allowed_choice, custom_choice, function, hosted_tools, openai_settings,
    word_choice,
};
use crate::formats::reading::request_parser::{
    COMMON_KEYS, ParsedRequest, RequestParser, keep_others,
};
use serde_json::{Map, Value, json};
use synthd_actors::model::{
    ChatMessage, ChatRequest, ChatRole, Reasoning, RequestSettings, ToolCall, ToolChoice,
    ToolSchema,
};

/// Top-level keys that are read, besides those that other formats have too.
const OWN_KEYS: [&str; 5] = ["messages", "stop", "max_tokens", "max_completion_tokens", "n"];
/// The roles of the format.
const ROLES: [(&str, ChatRole); 5] = [
    ("system", ChatRole::System),
    ("developer", ChatRole::System),
    ("user", ChatRole::User),
    ("assistant", ChatRole::Assistant),
    ("tool", ChatRole::Tool),
];

/// Reads a request. `cap` is the output limit in tokens, which the caller has read already.
pub(crate) fn parse(json: &Value, cap: u32) -> ParsedRequest {
    let mut parser = RequestParser::default();
    // Values that ask for nothing, so they need no field in another format.
    let idle = [
        ("store", json!(false)),
        ("metadata", json!({})),
        ("logprobs", json!(false)),
        ("presence_penalty", json!(0)),
        ("presence_penalty", json!(0.0)),
        ("frequency_penalty", json!(0)),
        ("frequency_penalty", json!(0.0)),
        ("service_tier", json!("auto")),
        ("response_format", json!({ "type": "text" })),
    ];
    let known = [&COMMON_KEYS[..], &OPENAI_KEYS[..], &OWN_KEYS[..]].concat();
    let mut others = parser.other_keys(json, &known, &idle);
    // The engine's own form has one answer. A missing `n` means one.
    if json["n"].as_u64().is_some_and(|n| n != 1) {
        parser.lose(LossKind::Choices);
        others.insert("n".to_owned(), json["n"].clone());
    }
    let messages = parser.each_required(json, "messages", message);
    let tools = parser.tools(json, tool);
    let mut settings = settings(&mut parser, json, &mut others);
    keep_others(&mut settings, others);
    parser.finish(ChatRequest { messages, tools, max_output_tokens: cap, settings })
}

/// The sampling parameters and the other settings of a request.
fn settings(
    parser: &mut RequestParser,
    json: &Value,
    others: &mut Map<String, Value>,
) -> RequestSettings {
    let usual = openai_settings(parser, json, others, choice);
    RequestSettings { stop: parser.words(json, "stop"), ..usual }
}

/// Reads `tool_choice`: a word, or `{"type": "function", "function": {"name": "search"}}`, or one
/// of the types `custom` and `allowed_tools`.
fn choice(parser: &mut RequestParser, json: &Value) -> Option<ToolChoice> {
    match json["type"].as_str() {
        Some(kind @ "custom") => custom_choice(parser, &json[kind]),
        Some(kind @ "allowed_tools") => {
            parser.other_keys(json, &["type", kind], &[]);
            parser.within(kind, |parser| hosted_tools(parser, &json[kind]));
            allowed_choice(parser, &json[kind])
        }
        _ if json["function"]["name"].is_string() => {
            parser.other_keys(json, &["function"], &[("type", json!("function"))]);
            parser.other_keys(&json["function"], &["name"], &[]);
            json["function"]["name"].as_str().map(|name| ToolChoice::Tool(name.to_owned()))
        }
        _ => word_choice(parser, json),
    }
}

/// Reads one tool. A `custom` tool has no schema, and models of other formats enforce none.
fn tool(parser: &mut RequestParser, json: &Value) -> ToolSchema {
    let fields = &json["function"];
    let Some(name) = fields["name"].as_str().filter(|_| json["type"] == "function") else {
        return parser.odd_tool(json, "a tool is not a function with a name");
    };
    let tool = function(parser, name, fields, &["name", "description", "parameters"]);
    // `cache_control` is a hint for the cache of its own provider. It changes no answer.
    parser.other_keys(json, &["type", "function", "cache_control"], &[]);
    tool
}

/// Reads one message. A refusal of an earlier reply counts as its text, because the next model
/// must see what was said.
fn message(parser: &mut RequestParser, json: &Value) -> ChatMessage {
    let role = parser.role(json, &ROLES);
    // `name` is not among them: the engine's own form has no field for it.
    let known = ["role", "content", "tool_calls", "tool_call_id", "reasoning_content", "refusal"];
    parser.other_keys(json, &known, &[("annotations", json!([]))]);
    let thought = parser.word(json, "reasoning_content");
    let refused = parser.word(json, "refusal").unwrap_or_default();
    ChatMessage {
        role,
        content: parser.text(&json["content"]) + &refused,
        tool_calls: parser.each_of(json, "tool_calls", call),
        tool_call_id: parser.word(json, "tool_call_id"),
        reasoning: thought.map(|text| Reasoning { text, verbatim: None }),
    }
}

/// Reads a tool call of an earlier reply. Its arguments stay text, as in the format. The argument of
/// a `custom` tool is its `input`.
fn call(parser: &mut RequestParser, json: &Value) -> ToolCall {
    let is_custom = json["type"] == "custom";
    let (called, arguments) = match is_custom {
        true => (&json["custom"], "input"),
        false => (&json["function"], "arguments"),
    };
    match is_custom {
        true => parser.lose(LossKind::Item("custom".to_owned())),
        // `index` is the number of a call in a stream, which some clients send back.
        false => {
            let idle = [("type", json!("function"))];
            drop(parser.other_keys(json, &["id", "function", "index"], &idle));
        }
    }
    parser.other_keys(called, &["name", arguments], &[]);
    let parts = [&json["id"], &called["name"], &called[arguments]];
    if !parts.iter().all(|part| part.is_string()) {
        parser.malformed("a tool call lacks its id, its name or its arguments");
    }
    let [id, name, arguments] = parts.map(|part| part.as_str().unwrap_or_default().to_owned());
    ToolCall { id, name, arguments }
}
