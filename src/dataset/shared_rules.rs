//! Rules that rows of every format must keep: messages of known roles, known reasons why a model
//! stopped, and JSON where a text is JSON.

use serde_json::Value;
use synthd_actors::model::RowMessage;

/// Whether a text is a JSON object.
pub(super) fn is_object(text: &str) -> bool {
    matches!(serde_json::from_str(text), Ok(Value::Object(_)))
}

/// Whether a text is a JSON list.
pub(super) fn is_list(text: &str) -> bool {
    matches!(serde_json::from_str(text), Ok(Value::Array(_)))
}

/// Whether a model can have stopped for this reason.
pub(super) fn is_finish_reason(reason: &str) -> bool {
    matches!(reason, "stop" | "tool_calls" | "length" | "refusal")
}

/// The rules that messages break, as sentences. Only an assistant can have written a reply.
pub(super) fn broken_messages(messages: &[RowMessage]) -> Vec<String> {
    let mut broken = Vec::new();
    for (at, message) in messages.iter().enumerate() {
        let role = message.role.as_str();
        if !matches!(role, "system" | "user" | "assistant" | "tool") {
            broken.push(format!("message {at} has the role {role:?}"));
        }
        if let Some(weight) = message.weight
            && (weight != 1 || role != "assistant")
        {
            broken.push(format!("message {at} of {role:?} has the weight {weight}"));
        }
    }
    broken
}
