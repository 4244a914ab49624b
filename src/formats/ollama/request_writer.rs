//! Writes a request body in Ollama's own format.

use crate::formats::chat_completions::request_writer::tool;
use crate::formats::writing::extra::merge;
use crate::formats::writing::fields::put_fields;
use crate::formats::writing::tool_arguments::arguments_object;
use crate::formats::writing::tool_call_names::name_of_call;
use crate::formats::writing::unsaid::{END_USER, ONE_CALL, TOOL_CHOICE, chooses, first_of};
use serde_json::{Value, json};
use synthd_actors::model::{
    ChatMessage, ChatRequest, ChatRole, ReasoningEffort, RequestSettings, ToolCall,
};

/// The first setting that the format has no field for, in words.
pub(crate) fn unsaid(settings: &RequestSettings) -> Option<&'static str> {
    first_of(&[
        (settings.end_user.is_some(), END_USER),
        (chooses(settings), TOOL_CHOICE),
        (settings.parallel_calls == Some(false), ONE_CALL),
    ])
}

/// The body of a request. It always asks for a stream and always sets the output cap
/// (`num_predict`) and the context (`num_ctx`). `truncate` and `shift` are false, so that the
/// server refuses a conversation that is too long instead of dropping its beginning.
pub(crate) fn body(model: &str, request: &ChatRequest, context: u64) -> Value {
    let messages = request.messages.iter().enumerate();
    let messages: Vec<Value> =
        messages.map(|(at, one)| message(one, &request.messages[..at])).collect();
    let RequestSettings { temperature, top_p, stop, seed, .. } = &request.settings;
    let mut options = json!({ "num_predict": request.max_output_tokens, "num_ctx": context });
    let fields = [
        ("temperature", temperature.map(Value::from)),
        ("top_p", top_p.map(Value::from)),
        ("stop", (!stop.is_empty()).then(|| json!(stop))),
        ("seed", seed.map(Value::from)),
    ];
    put_fields(&mut options, fields);
    let mut body = json!({ "model": model, "messages": messages, "stream": true, "options": options,
            "truncate": false, "shift": false });
    if !request.tools.is_empty() {
        body["tools"] = request.tools.iter().map(tool).collect();
    }
    match request.settings.reasoning_effort {
        // `think` is false, or a word for the effort. Without the field, the server decides.
        Some(ReasoningEffort::None) => body["think"] = json!(false),
        Some(effort) => body["think"] = json!(effort.as_str()),
        None => {}
    }
    // The campaign's extra fields come last.
    merge(&mut body, &request.settings.extra);
    body
}

/// One message. `before` are the messages before it: a tool's result names its tool, and the name
/// is looked up in the call.
fn message(message: &ChatMessage, before: &[ChatMessage]) -> Value {
    let role = match message.role {
        ChatRole::System => "system",
        ChatRole::User => "user",
        ChatRole::Assistant => "assistant",
        ChatRole::Tool => "tool",
    };
    let mut wire = json!({ "role": role, "content": message.content });
    if let Some(id) = &message.tool_call_id {
        wire["tool_name"] = json!(name_of_call(id, before));
    }
    if !message.tool_calls.is_empty() {
        wire["tool_calls"] = message.tool_calls.iter().map(call).collect();
    }
    if let Some(reasoning) = message.reasoning.as_ref().filter(|r| !r.text.is_empty()) {
        wire["thinking"] = json!(reasoning.text);
    }
    wire
}

/// A tool call. Ollama wants the arguments as an object.
fn call(call: &ToolCall) -> Value {
    json!({ "function": { "name": call.name, "arguments": arguments_object(call) } })
}
