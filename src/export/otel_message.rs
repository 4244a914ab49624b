//! Messages and tools in the JSON of the conventions for generative AI: a message is a list of parts.

use super::left_reason::LeftReason;
use super::plain_json::plain_object;
use serde::Serialize;
use serde_json::value::RawValue;
use synthd_actors::model::{RowMessage, RowToolCall};

/// One message.
#[derive(Serialize)]
struct OtelMessage<'a> {
    role: &'a str,
    parts: Vec<OtelPart<'a>>,
}

/// A part of a message. No key is there without a value.
#[derive(Default, Serialize)]
struct OtelPart<'a> {
    /// `text`, `reasoning`, `tool_call` or `tool_call_response`.
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    arguments: Option<PartArguments<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response: Option<&'a str>,
}

/// The arguments of a call: an object as the model wrote it, or a text that is none.
#[derive(Serialize)]
#[serde(untagged)]
enum PartArguments<'a> {
    Object(Box<RawValue>),
    Text(&'a str),
}

/// Messages as a JSON list.
pub(super) fn messages_json(messages: &[RowMessage]) -> Result<String, LeftReason> {
    let messages: Vec<_> = messages.iter().map(otel_message).collect();
    serde_json::to_string(&messages).map_err(|_| LeftReason::NoJson)
}

fn otel_message(message: &RowMessage) -> OtelMessage<'_> {
    let thought = message.reasoning.as_deref();
    let thought = thought.map(|text| OtelPart { content: Some(text), ..OtelPart::of("reasoning") });
    let calls = message.tool_calls.iter().flatten().map(call_part);
    let parts = thought.into_iter().chain(said_part(message)).chain(calls).collect();
    OtelMessage { role: &message.role, parts }
}

/// The text of a message. None if it is empty, but for a result.
fn said_part(message: &RowMessage) -> Option<OtelPart<'_>> {
    let (id, said) = (message.tool_call_id.as_deref(), message.content.as_str());
    match (message.role.as_str(), said) {
        ("tool", _) => {
            Some(OtelPart { id, response: Some(said), ..OtelPart::of("tool_call_response") })
        }
        (_, "") => None,
        _ => Some(OtelPart { content: Some(said), ..OtelPart::of("text") }),
    }
}

fn call_part(call: &RowToolCall) -> OtelPart<'_> {
    let object = plain_object(&call.arguments).map(PartArguments::Object);
    let arguments = Some(object.unwrap_or(PartArguments::Text(&call.arguments)));
    let (id, name) = (Some(call.id.as_str()), Some(call.name.as_str()));
    OtelPart { id, name, arguments, ..OtelPart::of("tool_call") }
}

impl OtelPart<'_> {
    /// A part of this kind with nothing else.
    fn of(kind: &'static str) -> Self {
        Self { kind, ..Self::default() }
    }
}

/// The functions of a list of tools, without the object around each. Other tools stay as they are.
pub(super) fn tools_json(tools: &RawValue) -> Result<String, LeftReason> {
    let tools: Vec<serde_json::Value> =
        serde_json::from_str(tools.get()).map_err(|_| LeftReason::OddTools)?;
    let flat: Vec<_> = tools.into_iter().map(flat_tool).collect();
    serde_json::to_string(&flat).map_err(|_| LeftReason::NoJson)
}

fn flat_tool(mut tool: serde_json::Value) -> serde_json::Value {
    if !tool.get("function").is_some_and(serde_json::Value::is_object) {
        return tool;
    }
    let mut function = tool["function"].take();
    function["type"] = "function".into();
    function
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn tools_are_flat_and_others_stay() {
        let tools = json!([{"type": "function", "function": {"name": "bash"}}, {"type": "web"}]);
        let tools = RawValue::from_string(tools.to_string()).unwrap();
        let flat: serde_json::Value = serde_json::from_str(&tools_json(&tools).unwrap()).unwrap();
        assert_eq!(flat, json!([{"type": "function", "name": "bash"}, {"type": "web"}]));
        let odd = RawValue::from_string("{}".to_owned()).unwrap();
        assert_eq!(tools_json(&odd), Err(LeftReason::OddTools));
    }
}
