//! What the requests of both OpenAI formats have in common: keys, settings, functions, and the words
//! of `tool_choice`.

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
            parser.malformed("`tool_choice` has an unknown value");
            None
        }
    }
}
