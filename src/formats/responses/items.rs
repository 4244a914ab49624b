//! Items of the Responses format that requests and replies share: tool calls and reasoning.

use serde_json::{Value, json};
use synthd_actors::model::ToolCall;

/// The type of a call whose arguments are JSON.
pub(super) const CALL: &str = "function_call";
/// The type of a call whose argument is plain text.
pub(super) const CUSTOM_CALL: &str = "custom_tool_call";

/// The key of a call's arguments.
pub(super) fn arguments_key(kind: &str) -> &'static str {
    if kind == CUSTOM_CALL { "input" } else { "arguments" }
}

/// The tool call of an item, of either type. What is missing is empty.
pub(super) fn call(item: &Value) -> ToolCall {
    let text = |key: &str| item[key].as_str().unwrap_or_default().to_owned();
    let arguments = arguments_key(item["type"].as_str().unwrap_or_default());
    ToolCall { id: text("call_id"), name: text("name"), arguments: text(arguments) }
}

/// Whether an item is a tool call.
pub(super) fn is_call(item: &Value) -> bool {
    item["type"] == CALL || item["type"] == CUSTOM_CALL
}

/// The item of a call, of one of the two types.
pub(super) fn call_item(kind: &str, call: &ToolCall) -> Value {
    let mut item = json!({ "type": kind, "call_id": call.id, "name": call.name });
    item[arguments_key(kind)] = json!(call.arguments);
    item
}

/// The readable text of an item of reasoning: its summary and its content.
pub(super) fn thought(item: &Value) -> String {
    let lists = ["summary", "content"].map(|key| item[key].as_array());
    let parts = lists.into_iter().flatten().flatten();
    parts.filter_map(|part| part["text"].as_str()).collect::<Vec<_>>().join("\n\n")
}
