//! The choice of a tool in the formats of OpenAI.

use serde_json::{Value, json};
use synthd_actors::model::ToolChoice;

/// The choice as a word, or the tool that must be called as `named` writes it.
pub(in crate::formats) fn openai_choice(
    choice: &ToolChoice,
    named: impl FnOnce(&str) -> Value,
) -> Value {
    match choice {
        ToolChoice::Auto => json!("auto"),
        ToolChoice::None => json!("none"),
        ToolChoice::Required => json!("required"),
        ToolChoice::Tool(name) => named(name),
    }
}
