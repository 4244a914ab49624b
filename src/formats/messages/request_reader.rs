//! Reads a request in the Anthropic Messages format.

use crate::formats::reading::losses::LossKind;
use crate::formats::reading::request_parser::{
    COMMON_KEYS, ParsedRequest, RequestParser, join, keep_others,
};
use serde_json::{Map, Value, json};
use synthd_actors::model::{
    ChatMessage, ChatRequest, ChatRole, Reasoning, RequestSettings, ToolCall, ToolChoice,
    ToolSchema,
};

/// Top-level keys that are read, besides those that other formats have too. `settings` checks the
/// keys of `metadata`.
const OWN_KEYS: [&str; 5] = ["messages", "system", "stop_sequences", "max_tokens", "metadata"];
/// The roles of the format.
const ROLES: [(&str, ChatRole); 2] = [("user", ChatRole::User), ("assistant", ChatRole::Assistant)];

/// Reads a request. `cap` is the output limit in tokens, which the caller has read already.
pub(crate) fn parse(json: &Value, cap: u32) -> ParsedRequest {
    let mut parser = RequestParser::default();
    // Values that ask for nothing, so they need no field in another format.
    let idle = [("thinking", json!({ "type": "disabled" })), ("service_tier", json!("auto"))];
    let known = [&COMMON_KEYS[..], &OWN_KEYS[..]].concat();
    let mut others = parser.other_keys(json, &known, &idle);
    let mut messages = Vec::new();
    if !json["system"].is_null() {
        let system = parser.within("system", |parser| parser.text(&json["system"]));
        messages.push(ChatMessage::text(ChatRole::System, system));
    }
    messages.extend(parser.each_required(json, "messages", turn).into_iter().flatten());
    let tools = parser.tools(json, tool);
    let mut settings = settings(&mut parser, json, &mut others);
    keep_thinking(&mut settings, others);
    parser.finish(ChatRequest { messages, tools, max_output_tokens: cap, settings })
}

/// The sampling parameters and the other settings of a request. The only known key of `metadata`
/// is `user_id`.
fn settings(
    parser: &mut RequestParser,
    json: &Value,
    others: &mut Map<String, Value>,
) -> RequestSettings {
    if !matches!(json["metadata"], Value::Null | Value::Object(_)) {
        parser.malformed("`metadata` is not an object");
    }
    parser.within("metadata", |parser| parser.other_keys(&json["metadata"], &["user_id"], &[]));
    let usual = parser.settings(json, others, tool_choice);
    // The key of this format says the opposite.
    let alone = parser.flag(&json["tool_choice"], "disable_parallel_tool_use");
    RequestSettings {
        stop: parser.words(json, "stop_sequences"),
        parallel_calls: alone.map(|alone| !alone),
        end_user: parser.end_user(&[&json["metadata"]["user_id"]]),
        ..usual
    }
}

/// Keeps the budget of reasoning under the engine's own name, and the other settings as they were
/// sent.
fn keep_thinking(settings: &mut RequestSettings, mut others: Map<String, Value>) {
    let budget = others.get("thinking").filter(|thinking| thinking["type"] == "enabled");
    let budget = budget.and_then(|thinking| thinking["budget_tokens"].as_u64());
    let budget = budget.and_then(|budget| u32::try_from(budget).ok());
    if budget.is_some() {
        others.shift_remove("thinking");
    }
    keep_others(settings, others);
    settings.thinking_budget = budget;
}

/// Reads `tool_choice`, such as `{"type": "tool", "name": "search"}`.
fn tool_choice(parser: &mut RequestParser, json: &Value) -> Option<ToolChoice> {
    if json.is_null() {
        return None;
    }
    parser.other_keys(json, &["type", "name", "disable_parallel_tool_use"], &[]);
    match (json["type"].as_str(), json["name"].as_str()) {
        (Some("auto"), _) => Some(ToolChoice::Auto),
        (Some("none"), _) => Some(ToolChoice::None),
        (Some("any"), _) => Some(ToolChoice::Required),
        (Some("tool"), Some(name)) => Some(ToolChoice::Tool(name.to_owned())),
        (Some("tool"), None) => {
            parser.malformed("`tool_choice` names no tool");
            None
        }
        _ => {
            parser.malformed("`tool_choice` has an unknown value");
            None
        }
    }
}

/// Reads one tool that the client runs itself. Tools of the provider's own (such as
/// `bash_20250124`) have no `input_schema`.
fn tool(parser: &mut RequestParser, json: &Value) -> ToolSchema {
    let Some(name) = json["name"].as_str().filter(|_| json["input_schema"].is_object()) else {
        return parser.odd_tool(json, "a tool lacks its name or its `input_schema`");
    };
    let known = ["name", "description", "input_schema", "cache_control"];
    let idle = [("strict", json!(false)), ("type", json!("custom"))];
    parser.other_keys(json, &known, &idle);
    let description = parser.word(json, "description").unwrap_or_default();
    ToolSchema::new(name, description, json["input_schema"].clone())
}

/// Reads one turn of the conversation.
fn turn(parser: &mut RequestParser, json: &Value) -> Vec<ChatMessage> {
    parser.other_keys(json, &["role", "content"], &[]);
    let role = parser.role(json, &ROLES);
    match &json["content"] {
        Value::Array(blocks) => TurnBlocks::read(parser, role, blocks).messages(role),
        content => vec![ChatMessage::text(role, parser.text(content))],
    }
}

/// The blocks of one turn, sorted by what they become.
#[derive(Default)]
struct TurnBlocks {
    results: Vec<ChatMessage>,
    texts: Vec<String>,
    calls: Vec<ToolCall>,
    thoughts: String,
}

impl TurnBlocks {
    fn read(parser: &mut RequestParser, role: ChatRole, blocks: &[Value]) -> Self {
        let mut read = Self::default();
        parser.each("content", blocks, |parser, block| read.take(parser, role, block));
        read
    }

    /// Takes one block. Tool calls belong to the assistant, and their results to the user.
    fn take(&mut self, parser: &mut RequestParser, role: ChatRole, block: &Value) {
        let is_assistant = role == ChatRole::Assistant;
        match block["type"].as_str() {
            Some(kind @ "tool_result") => {
                if is_assistant {
                    parser.lose(LossKind::Part(kind.to_owned()));
                }
                self.results.push(result(parser, block));
            }
            Some(kind @ "tool_use") => {
                if !is_assistant {
                    parser.lose(LossKind::Part(kind.to_owned()));
                }
                self.calls.push(call(parser, block));
            }
            // It is signed for the model that produced it.
            Some(kind @ ("thinking" | "redacted_thinking")) => {
                parser.lose(LossKind::Reasoning(format!("a block of the type {kind:?}")));
                join(&mut self.thoughts, block["thinking"].as_str().unwrap_or_default());
            }
            _ => self.texts.push(parser.part(block)),
        }
    }

    /// The messages of the turn. Each result is a message of its own, in front of the other blocks,
    /// because other formats want results directly after the calls. A turn of the user that has
    /// only results adds no empty message.
    fn messages(self, role: ChatRole) -> Vec<ChatMessage> {
        let Self { results: mut messages, texts, calls, thoughts } = self;
        if role == ChatRole::Assistant || !texts.is_empty() || !calls.is_empty() {
            let reasoning =
                (!thoughts.is_empty()).then_some(Reasoning { text: thoughts, verbatim: None });
            let whole = ChatMessage::text(role, texts.join("\n\n"));
            messages.push(ChatMessage { tool_calls: calls, reasoning, ..whole });
        }
        messages
    }
}

/// Reads the result of a tool. `cache_control` is a hint for the cache of its own provider.
fn result(parser: &mut RequestParser, json: &Value) -> ChatMessage {
    let known = ["type", "tool_use_id", "content", "is_error", "cache_control"];
    parser.other_keys(json, &known, &[]);
    if !json["tool_use_id"].is_string() {
        parser.malformed("a tool's result lacks its `tool_use_id`");
    }
    // Other formats have no mark for a failed tool, so the text says it.
    let failed = parser.flag(json, "is_error") == Some(true);
    let failed = if failed { "[the tool failed]\n" } else { "" };
    let text = parser.text(&json["content"]);
    let id = json["tool_use_id"].as_str().unwrap_or_default();
    ChatMessage::tool_result(id, format!("{failed}{text}"))
}

/// Reads one tool call of an earlier reply. Its input is an object in this format, and JSON text in
/// the engine's own form.
fn call(parser: &mut RequestParser, block: &Value) -> ToolCall {
    let known = ["type", "id", "name", "input", "cache_control"];
    parser.other_keys(block, &known, &[("caller", json!({ "type": "direct" }))]);
    if !(block["id"].is_string() && block["name"].is_string()) {
        parser.malformed("a tool's use lacks its id or its name");
    }
    let [id, name] = ["id", "name"].map(|key| block[key].as_str().unwrap_or_default().to_owned());
    ToolCall { id, name, arguments: block["input"].to_string() }
}
