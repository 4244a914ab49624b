//! Writes a request body in the Messages format.

use super::FAMILY;
use crate::formats::writing::extra::merge;
use crate::formats::writing::fields::put_fields;
use crate::formats::writing::tool_arguments::arguments_object;
use crate::formats::writing::unsaid::first_of;
use crate::formats::writing::verbatim::own_parts;
use serde_json::{Value, json};
use synthd_actors::model::{
    ChatMessage, ChatRequest, ChatRole, RequestSettings, ToolCall, ToolChoice, ToolSchema,
};

/// The first setting that the format has no field for, in words.
/// Other formats accept temperatures up to 2.
pub(crate) fn unsaid(settings: &RequestSettings) -> Option<&'static str> {
    let is_hot = settings.temperature.is_some_and(|warm| warm > 1.0);
    first_of(&[(is_hot, "a temperature above 1 (`temperature`)")])
}

/// The body of a request. It always asks for a stream and always sets the output cap. If `caches`
/// is true, the last system block and the last block of the conversation get a cache mark: the next
/// request of the episode repeats the conversation up to there, and reads it from the cache.
pub(crate) fn body(model: &str, request: &ChatRequest, caches: bool) -> Value {
    // System messages have a field of their own, outside of the conversation.
    let system = request.messages.iter().filter(|message| message.role == ChatRole::System);
    let mut system: Vec<Value> = system.map(|message| text(&message.content)).collect();
    let mut messages = turns(&request.messages);
    if caches {
        mark(system.last_mut());
        mark(messages.last_mut().and_then(|(_, blocks)| blocks.last_mut()));
    }
    let messages: Vec<Value> = messages
        .into_iter()
        .map(|(role, content)| json!({ "role": role, "content": content }))
        .collect();
    let mut body = json!({ "model": model, "max_tokens": request.max_output_tokens,
        "messages": messages, "stream": true });
    if !system.is_empty() {
        body["system"] = Value::Array(system);
    }
    if !request.tools.is_empty() {
        body["tools"] = request.tools.iter().map(tool).collect();
    }
    set(&mut body, &request.settings);
    think(&mut body, &request.settings);
    merge(&mut body, &request.settings.extra);
    body
}

/// The sampling parameters and the choice of tools.
fn set(body: &mut Value, settings: &RequestSettings) {
    let RequestSettings { temperature, top_p, stop, tool_choice, parallel_calls, end_user, .. } =
        settings;
    let mut choice = tool_choice.as_ref().map(|choice| match choice {
        ToolChoice::Auto => json!({ "type": "auto" }),
        ToolChoice::None => json!({ "type": "none" }),
        ToolChoice::Required => json!({ "type": "any" }),
        ToolChoice::Tool(name) => json!({ "type": "tool", "name": name }),
    });
    if let Some(parallel) = parallel_calls {
        // The switch for parallel calls is a part of the tool choice, so a choice is needed. `auto`
        // is the default. With `none` there are no calls to forbid.
        let choice = choice.get_or_insert_with(|| json!({ "type": "auto" }));
        if choice["type"] != "none" {
            choice["disable_parallel_tool_use"] = json!(!parallel);
        }
    }
    let wanted = [
        ("temperature", temperature.map(Value::from)),
        ("top_p", top_p.map(Value::from)),
        ("stop_sequences", (!stop.is_empty()).then(|| json!(stop))),
        ("tool_choice", choice),
        ("metadata", end_user.as_ref().map(|user| json!({ "user_id": user }))),
    ];
    put_fields(body, wanted);
}

/// How much the model is to think: an effort, or a number of tokens.
fn think(body: &mut Value, settings: &RequestSettings) {
    if let Some(effort) = settings.reasoning_effort {
        body["output_config"] = json!({ "effort": effort.as_str() });
    }
    if let Some(budget) = settings.thinking_budget {
        body["thinking"] = json!({ "type": "enabled", "budget_tokens": budget });
    }
}

/// Marks a block as the end of a prefix that the provider caches.
fn mark(block: Option<&mut Value>) {
    if let Some(block) = block {
        block["cache_control"] = json!({ "type": "ephemeral" });
    }
}

/// A tool with its parameters as a JSON schema.
fn tool(tool: &ToolSchema) -> Value {
    let ToolSchema { name, description, parameters, .. } = tool;
    json!({ "name": name, "description": description, "input_schema": parameters })
}

/// A block of text.
fn text(text: &str) -> Value {
    json!({ "type": "text", "text": text })
}

/// The turns of the user and of the assistant. Consecutive messages of one side are joined: the
/// format wants all results of a turn, and the text after them, in one message of the user.
fn turns(messages: &[ChatMessage]) -> Vec<(&'static str, Vec<Value>)> {
    let mut turns: Vec<(&'static str, Vec<Value>)> = Vec::new();
    for message in messages.iter().filter(|message| message.role != ChatRole::System) {
        let (role, blocks) = match message.role {
            ChatRole::Assistant => ("assistant", said(message)),
            _ => ("user", vec![told(message)]),
        };
        match turns.last_mut() {
            Some((last, known)) if *last == role => known.extend(blocks),
            _ => turns.push((role, blocks)),
        }
    }
    turns
}

/// A message of the user's side: a text, or the result of a tool.
fn told(message: &ChatMessage) -> Value {
    match &message.tool_call_id {
        Some(id) => {
            json!({ "type": "tool_result", "tool_use_id": id, "content": message.content })
        }
        None => text(&message.content),
    }
}

/// A message of the assistant. If it came from this family, its blocks go back exactly as they
/// came, with their signatures. Otherwise only its text and its calls are sent.
fn said(message: &ChatMessage) -> Vec<Value> {
    if let Some(blocks) = own_parts(message, FAMILY) {
        return blocks;
    }
    let mut blocks = Vec::new();
    // The provider refuses an empty text and an empty turn.
    if !message.content.is_empty() || message.tool_calls.is_empty() {
        let said = if message.content.is_empty() { "(nothing)" } else { &message.content };
        blocks.push(text(said));
    }
    blocks.extend(message.tool_calls.iter().map(call));
    blocks
}

/// A tool call. The format wants the arguments as an object.
fn call(call: &ToolCall) -> Value {
    let input = arguments_object(call);
    json!({ "type": "tool_use", "id": call.id, "name": call.name, "input": input })
}
