//! Writes a request body in the OpenAI chat format, in the dialect of the host.

use super::FAMILY;
use super::dialect::{OpenAiDialect, ReasoningControl, ReasoningField};
use crate::formats::writing::cache_key::cache_key;
use crate::formats::writing::extra::merge;
use crate::formats::writing::fields::put_fields;
use crate::formats::writing::tool_choice::openai_choice;
use serde_json::{Map, Value, json};
use synthd_actors::model::{
    ChatMessage, ChatRequest, ChatRole, ReasoningEffort, RequestSettings, ToolCall, ToolSchema,
};

/// The body of a request. It always asks for a stream and always sets the output cap, because the
/// hold for the call was made for that many tokens.
pub(crate) fn body(model: &str, request: &ChatRequest, dialect: &OpenAiDialect) -> Value {
    let messages: Vec<Value> = request.messages.iter().map(|m| message(m, dialect)).collect();
    let mut body = json!({ "model": model, "messages": messages, "stream": true });
    let cap = request.max_output_tokens;
    body[dialect.cap] = json!(cap);
    if let Some(field) = dialect.thought_cap {
        // The two caps together are the output that the hold was made for. Without a budget for the
        // reasoning, each of them gets half.
        let thought = request.settings.thinking_budget.map_or(cap / 2, |budget| budget.min(cap));
        body[field] = json!(thought);
        body[dialect.cap] = json!(cap - thought);
    }
    if dialect.cache_key {
        body["prompt_cache_key"] = json!(cache_key(request));
    }
    if dialect.asks_for_usage {
        body["stream_options"] = json!({ "include_usage": true });
    }
    if !request.tools.is_empty() {
        body["tools"] = request.tools.iter().map(tool).collect();
    }
    set(&mut body, &request.settings, dialect);
    merge(&mut body, &request.settings.extra);
    body
}

/// The sampling parameters, the choice of tools and the name of the end user. A seed is left out if
/// the dialect has no field for it.
fn set(body: &mut Value, settings: &RequestSettings, dialect: &OpenAiDialect) {
    let RequestSettings { temperature, top_p, stop, tool_choice, parallel_calls, end_user, .. } =
        settings;
    let seed = settings.seed;
    let named = |name: &str| json!({ "type": "function", "function": { "name": name } });
    let choice = tool_choice.as_ref().map(|choice| openai_choice(choice, named));
    let wanted = [
        ("temperature", temperature.map(Value::from)),
        ("top_p", top_p.map(Value::from)),
        ("stop", (!stop.is_empty()).then(|| json!(stop))),
        ("tool_choice", choice),
        ("parallel_tool_calls", parallel_calls.map(Value::from)),
        ("user", end_user.as_deref().map(Value::from)),
    ];
    // The seed's field has another name on some hosts.
    let seed = dialect.seed.map(|key| (key, seed.map(Value::from)));
    put_fields(body, wanted.into_iter().chain(seed));
    think(body, settings, dialect);
}

/// How much the model is to reason: as a word, or as a number of tokens. In the `Object` form, the
/// number replaces the word if both are set. In the `Word` form, the number is not sent here.
fn think(body: &mut Value, settings: &RequestSettings, dialect: &OpenAiDialect) {
    let effort = settings.reasoning_effort.map(ReasoningEffort::as_str);
    match dialect.thinking {
        ReasoningControl::Word => {
            if let Some(effort) = effort {
                body["reasoning_effort"] = json!(effort);
            }
        }
        ReasoningControl::Object => {
            if let Some(effort) = effort {
                body["reasoning"] = json!({ "effort": effort });
            }
            if let Some(budget) = settings.thinking_budget {
                body["reasoning"] = json!({ "max_tokens": budget });
            }
        }
    }
}

/// A tool with its parameters as a JSON schema.
pub(in crate::formats) fn tool(tool: &ToolSchema) -> Value {
    let ToolSchema { name, description, parameters, .. } = tool;
    let function = json!({ "name": name, "description": description, "parameters": parameters });
    json!({ "type": "function", "function": function })
}

/// One message. Its content is never null: some servers fail on a null beside tool calls.
fn message(message: &ChatMessage, dialect: &OpenAiDialect) -> Value {
    let mut wire = Map::new();
    let role = match message.role {
        ChatRole::System => "system",
        ChatRole::User => "user",
        ChatRole::Assistant => "assistant",
        ChatRole::Tool => "tool",
    };
    wire.insert("role".to_owned(), json!(role));
    wire.insert("content".to_owned(), json!(message.content));
    if !message.tool_calls.is_empty() {
        wire.insert("tool_calls".to_owned(), message.tool_calls.iter().map(call).collect());
    }
    if let Some(id) = &message.tool_call_id {
        wire.insert("tool_call_id".to_owned(), json!(id));
    }
    // The host's own reasoning goes back where the host wants it.
    wire.extend(thought(message, dialect));
    Value::Object(wire)
}

/// A tool call, with the arguments as the text that the model wrote.
pub(super) fn call(call: &ToolCall) -> Value {
    let function = json!({ "name": call.name, "arguments": call.arguments });
    json!({ "id": call.id, "type": "function", "function": function })
}

/// The field and the value of the reasoning that the host wants back. None if it wants none.
fn thought(message: &ChatMessage, dialect: &OpenAiDialect) -> Option<(String, Value)> {
    let reasoning = message.reasoning.as_ref()?;
    match dialect.thought {
        ReasoningField::Shown => None,
        ReasoningField::BackWithCalls => (!message.tool_calls.is_empty())
            .then(|| ("reasoning_content".to_owned(), json!(reasoning.text))),
        ReasoningField::BackVerbatim => {
            let (family, text) = reasoning.verbatim.as_ref()?;
            let details = serde_json::from_str(text).ok().filter(|_| family == FAMILY)?;
            Some(("reasoning_details".to_owned(), details))
        }
    }
}
