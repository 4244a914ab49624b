//! Writes a request body in the Responses format, where a conversation is a list of items.

use super::FAMILY;
use super::items::{CALL, call_item};
use crate::formats::writing::cache_key::cache_key;
use crate::formats::writing::extra::merge;
use crate::formats::writing::fields::put_fields;
use crate::formats::writing::tool_choice::openai_choice;
use crate::formats::writing::unsaid::{STOP, first_of};
use crate::formats::writing::verbatim::own_parts;
use serde_json::{Value, json};
use synthd_actors::model::{ChatMessage, ChatRequest, ChatRole, RequestSettings, ToolSchema};

/// The first setting that the format has no field for, in words.
pub(crate) fn unsaid(settings: &RequestSettings) -> Option<&'static str> {
    first_of(&[(!settings.stop.is_empty(), STOP)])
}

/// The body of a request. It always asks for a stream, always sets the output cap, and tells the
/// provider to store nothing and to include the encrypted reasoning.
pub(crate) fn body(model: &str, request: &ChatRequest) -> Value {
    let input: Vec<Value> = request.messages.iter().flat_map(items).collect();
    let mut body = json!({ "model": model, "input": input, "stream": true, "store": false,
        "include": ["reasoning.encrypted_content"],
        "prompt_cache_key": cache_key(request),
        "max_output_tokens": request.max_output_tokens });
    if !request.tools.is_empty() {
        // An empty list of tools is left out.
        body["tools"] = request.tools.iter().map(tool).collect();
    }
    set(&mut body, &request.settings);
    merge(&mut body, &request.settings.extra);
    body
}

/// The sampling parameters and the choice of tools. The format has no field for stop sequences; the
/// adapter has refused them before.
fn set(body: &mut Value, settings: &RequestSettings) {
    // `stop` and `seed` have no field in this format.
    let RequestSettings { temperature, top_p, tool_choice, parallel_calls, end_user, .. } =
        settings;
    let effort = settings.reasoning_effort.map(|effort| json!({ "effort": effort.as_str() }));
    let named = |name: &str| json!({ "type": "function", "name": name });
    let choice = tool_choice.as_ref().map(|choice| openai_choice(choice, named));
    let wanted = [
        ("temperature", temperature.map(Value::from)),
        ("top_p", top_p.map(Value::from)),
        ("tool_choice", choice),
        ("parallel_tool_calls", parallel_calls.map(Value::from)),
        ("safety_identifier", end_user.as_deref().map(Value::from)),
        ("reasoning", effort),
    ];
    put_fields(body, wanted);
}

/// A tool. It is not `strict`, because strict schemas would need every parameter to be required.
fn tool(tool: &ToolSchema) -> Value {
    let ToolSchema { name, description, parameters, .. } = tool;
    json!({ "type": "function", "name": name, "description": description,
        "parameters": parameters, "strict": false })
}

/// The items of one message. A system message has the role `developer` here.
fn items(message: &ChatMessage) -> Vec<Value> {
    match (message.role, &message.tool_call_id) {
        (ChatRole::Assistant, _) => said(message),
        (_, Some(id)) => {
            vec![
                json!({ "type": "function_call_output", "call_id": id, "output": message.content }),
            ]
        }
        (role, None) => {
            let role = if role == ChatRole::System { "developer" } else { "user" };
            let content = json!([{ "type": "input_text", "text": message.content }]);
            vec![json!({ "type": "message", "role": role, "content": content })]
        }
    }
}

/// The items of a message of the assistant. If it came from this family, its items go back as
/// the reply builder has kept them. Otherwise only its text and its calls are sent.
fn said(message: &ChatMessage) -> Vec<Value> {
    if let Some(items) = own_parts(message, FAMILY) {
        return items;
    }
    let mut items = Vec::new();
    if !message.content.is_empty() {
        let content = json!([{ "type": "output_text", "text": message.content }]);
        items.push(json!({ "type": "message", "role": "assistant", "content": content }));
    }
    items.extend(message.tool_calls.iter().map(|call| call_item(CALL, call)));
    items
}
