//! What the requests of both OpenAI formats have in common: keys, settings, functions, and the choice
//! of a tool. The chat format puts the fields of a choice under its type, and the Responses format
//! beside it: `{"type": "custom", "custom": {"name": "f"}}` and `{"type": "custom", "name": "f"}`.

use super::losses::LossKind;
use super::request_parser::{ChoiceReader, RequestParser, parameters};
use serde_json::{Map, Value, json};
use synthd_actors::model::{RequestSettings, ToolChoice, ToolSchema};

/// Top-level keys of both formats that are read, or that change no answer.
pub(in crate::formats) const OPENAI_KEYS: [&str; 5] = [
    "parallel_tool_calls",
    "stream_options",
    "user",
    "safety_identifier",
    // A hint for the provider's cache.
    "prompt_cache_key",
];

/// The names of the tools of a request whose argument is plain text.
pub(in crate::formats) fn custom_tools(json: &Value) -> Vec<&str> {
    let tools = json["tools"].as_array().into_iter().flatten();
    let custom = tools.filter(|tool| tool["type"] == "custom");
    custom.filter_map(|tool| tool["custom"]["name"].as_str().or(tool["name"].as_str())).collect()
}

/// The settings that have the same names in both formats.
pub(in crate::formats) fn openai_settings(
    parser: &mut RequestParser,
    json: &Value,
    others: &mut Map<String, Value>,
    choice: ChoiceReader,
) -> RequestSettings {
    let usual = parser.settings(json, others, choice);
    RequestSettings {
        parallel_calls: parser.flag(json, "parallel_tool_calls"),
        end_user: parser.end_user(&[&json["safety_identifier"], &json["user"]]),
        ..usual
    }
}

/// Reads a function from the object with its fields, which has the `known` keys.
pub(in crate::formats) fn function(
    parser: &mut RequestParser,
    name: &str,
    json: &Value,
    known: &[&str],
) -> ToolSchema {
    if json["strict"] == true {
        parser.lose(LossKind::Strict);
    }
    parser.other_keys(json, known, &[("strict", json!(false)), ("strict", json!(true))]);
    let description = parser.word(json, "description").unwrap_or_default();
    ToolSchema::new(name, description, parameters(&json["parameters"]))
}

/// Reads a choice that is a word.
pub(in crate::formats) fn word_choice(
    parser: &mut RequestParser,
    json: &Value,
) -> Option<ToolChoice> {
    match json.as_str() {
        None if json.is_null() => None,
        Some("auto") => Some(ToolChoice::Auto),
        Some("none") => Some(ToolChoice::None),
        Some("required") => Some(ToolChoice::Required),
        _ => {
            parser.lose(strange_choice(json));
            None
        }
    }
}

/// What a choice is that is neither a known word nor of a known type.
fn strange_choice(json: &Value) -> LossKind {
    match json["type"].as_str() {
        Some("function") => LossKind::Malformed("`tool_choice` names no tool".to_owned()),
        Some(kind) => LossKind::HostedTool(kind.to_owned()),
        None => LossKind::Malformed("`tool_choice` has an unknown value".to_owned()),
    }
}

/// Notes the tools in a list of allowed ones that the client's own provider runs.
pub(in crate::formats) fn hosted_tools(parser: &mut RequestParser, fields: &Value) {
    parser.each_of(fields, "tools", |parser, tool| match tool["type"].as_str() {
        Some("function" | "custom") => {}
        Some(kind) => parser.lose(LossKind::HostedTool(kind.to_owned())),
        None => parser.malformed("an allowed tool has no `type`"),
    });
}

/// Reads the choice of a tool whose argument is plain text. Other formats have no such tool.
pub(in crate::formats) fn custom_choice(
    parser: &mut RequestParser,
    fields: &Value,
) -> Option<ToolChoice> {
    let name = fields["name"].as_str();
    match name {
        Some(_) => parser.lose(LossKind::Keys(vec!["custom".to_owned()])),
        None => parser.malformed("`tool_choice` names no tool"),
    }
    name.map(|name| ToolChoice::Tool(name.to_owned()))
}

/// Reads the choice among some of the tools. If the only one is a function that must be called, it
/// is a choice that every format has. Otherwise only the mode is kept, and the list is lost.
pub(in crate::formats) fn allowed_choice(
    parser: &mut RequestParser,
    fields: &Value,
) -> Option<ToolChoice> {
    parser.other_keys(fields, &["type", "mode", "tools"], &[]);
    if let Some(name) = required_function(fields) {
        return Some(ToolChoice::Tool(name.to_owned()));
    }
    let mode = match fields["mode"].as_str() {
        Some("auto") => ToolChoice::Auto,
        Some("required") => ToolChoice::Required,
        _ => {
            parser.malformed("`tool_choice` has an unknown mode");
            return None;
        }
    };
    parser.lose(LossKind::Keys(vec!["allowed_tools".to_owned()]));
    Some(mode)
}

/// The name of the only allowed tool, if it is a function that must be called.
fn required_function(fields: &Value) -> Option<&str> {
    let [tool] = fields["tools"].as_array()?.as_slice() else { return None };
    let name = tool["name"].as_str().or(tool["function"]["name"].as_str())?;
    (fields["mode"] == "required" && tool["type"] == "function").then_some(name)
}
