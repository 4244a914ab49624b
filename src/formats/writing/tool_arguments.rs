//! Arguments of tool calls, for the formats in which they are an object.

use serde_json::{Value, json};
use synthd_actors::model::ToolCall;

/// The arguments as an object. Arguments that are no JSON object are put into one, under
/// `unreadable_arguments`, so that the model sees what it wrote.
pub(in crate::formats) fn arguments_object(call: &ToolCall) -> Value {
    let parsed: Option<Value> = serde_json::from_str(&call.arguments).ok();
    let unreadable = || json!({ "unreadable_arguments": call.arguments });
    parsed.filter(Value::is_object).unwrap_or_else(unreadable)
}
