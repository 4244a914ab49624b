//! Anthropic Messages as clients speak it: understood, and told in.

use super::chat::{number, texts};
use super::refusal::Refusal;
use super::translate::{Told, text_of, untranslatable};
use serde_json::{Value, json};
use synthd_actors::model::{
    ChatReply, ChatRequest, FinishReason, Message, Role, Settings, ToolCall, ToolChoice,
    ToolSchema, Usage,
};

const KNOWN: [&str; 11] = [
    "model",
    "messages",
    "system",
    "tools",
    "tool_choice",
    "temperature",
    "top_p",
    "stop_sequences",
    "max_tokens",
    "stream",
    // Said of the client, not to the model.
    "metadata",
];

pub(super) fn canonical(json: &Value, cap: u32) -> Result<ChatRequest, Refusal> {
    let idle = [("thinking", json!({ "type": "disabled" })), ("service_tier", json!("auto"))];
    untranslatable(json, &KNOWN, &idle)?;
    let Some(turns) = json["messages"].as_array() else {
        return Err(Refusal::bad("`messages` is not a list"));
    };
    let mut messages = Vec::new();
    if !json["system"].is_null() {
        messages.push(Message::text(Role::System, text_of(&json["system"])?));
    }
    for turn in turns {
        match turn["role"].as_str() {
            Some("user") => messages.extend(told(&turn["content"])?),
            Some("assistant") => messages.push(said(&turn["content"])?),
            _ => return Err(Refusal::bad("a message's role is none that is known")),
        }
    }
    let tools = json["tools"].as_array().into_iter().flatten();
    Ok(ChatRequest {
        messages,
        tools: tools.map(tool).collect::<Result<_, _>>()?,
        max_output_tokens: cap,
        settings: settings(json)?,
    })
}

fn settings(json: &Value) -> Result<Settings, Refusal> {
    let choice = &json["tool_choice"];
    Ok(Settings {
        temperature: number(json, "temperature")?,
        top_p: number(json, "top_p")?,
        stop: texts(json, "stop_sequences")?,
        tool_choice: match choice["type"].as_str() {
            None => None,
            Some("auto") => Some(ToolChoice::Auto),
            Some("none") => Some(ToolChoice::None),
            Some("any") => Some(ToolChoice::Required),
            Some("tool") => match choice["name"].as_str() {
                Some(name) => Some(ToolChoice::Tool(name.to_owned())),
                None => return Err(Refusal::bad("`tool_choice` names no tool")),
            },
            Some(_) => return Err(Refusal::bad("`tool_choice` is none that is known")),
        },
        parallel_calls: choice["disable_parallel_tool_use"].as_bool().map(|disabled| !disabled),
    })
}

pub(super) fn tool(json: &Value) -> Result<ToolSchema, Refusal> {
    let Some(name) = json["name"].as_str().filter(|_| json["input_schema"].is_object()) else {
        return Err(Refusal::bad("a tool lacks its name or its `input_schema`"));
    };
    let known = ["name", "description", "input_schema", "cache_control"];
    let idle = [("strict", json!(false)), ("type", json!("custom"))];
    untranslatable(json, &known, &idle)?;
    let description = json["description"].as_str().unwrap_or_default().to_owned();
    Ok(ToolSchema { name: name.to_owned(), description, parameters: json["input_schema"].clone() })
}

/// Results of tools are messages of their own, in front of what is said beside them.
fn told(content: &Value) -> Result<Vec<Message>, Refusal> {
    let Value::Array(blocks) = content else {
        return Ok(vec![Message::text(Role::User, text_of(content)?)]);
    };
    let (results, rest): (Vec<Value>, Vec<Value>) =
        blocks.iter().cloned().partition(|block| block["type"] == "tool_result");
    let mut messages = Vec::new();
    for result in results {
        let Some(id) = result["tool_use_id"].as_str() else {
            return Err(Refusal::bad("a tool's result lacks its `tool_use_id`"));
        };
        let failed = if result["is_error"] == true { "[the tool failed]\n" } else { "" };
        let text = format!("{failed}{}", text_of(&result["content"])?);
        messages.push(Message::tool_result(id, text));
    }
    if !rest.is_empty() {
        messages.push(Message::text(Role::User, text_of(&Value::Array(rest))?));
    }
    Ok(messages)
}

/// What a model of this family thought is signed for it alone, and goes to no other.
fn said(content: &Value) -> Result<Message, Refusal> {
    let Value::Array(blocks) = content else {
        return Ok(Message::text(Role::Assistant, text_of(content)?));
    };
    let (mut texts, mut tool_calls) = (Vec::new(), Vec::new());
    for block in blocks {
        match block["type"].as_str() {
            Some("tool_use") => tool_calls.push(call(block)?),
            Some("thinking" | "redacted_thinking") => {}
            _ => texts.push(block.clone()),
        }
    }
    let content = text_of(&Value::Array(texts))?;
    Ok(Message { tool_calls, ..Message::text(Role::Assistant, content) })
}

fn call(block: &Value) -> Result<ToolCall, Refusal> {
    match (block["id"].as_str(), block["name"].as_str()) {
        (Some(id), Some(name)) => Ok(ToolCall {
            id: id.to_owned(),
            name: name.to_owned(),
            arguments: block["input"].to_string(),
        }),
        _ => Err(Refusal::bad("a tool's use lacks its id or its name")),
    }
}

fn stop(reply: &ChatReply) -> &'static str {
    match reply.finish {
        FinishReason::Stop => "end_turn",
        FinishReason::ToolCalls => "tool_use",
        FinishReason::Length => "max_tokens",
        FinishReason::Refusal => "refusal",
    }
}

/// Counts of the input exclude what was read from a cache, in this family.
fn usage(usage: Usage) -> Value {
    let cached = usage.cached_tokens.unwrap_or(0);
    let written = usage.cache_write_tokens.unwrap_or(0);
    let fresh = usage.input_tokens.saturating_sub(cached).saturating_sub(written);
    json!({ "input_tokens": fresh, "output_tokens": usage.output_tokens,
        "cache_read_input_tokens": usage.cached_tokens,
        "cache_creation_input_tokens": usage.cache_write_tokens })
}

/// Blocks, with the text or the arguments that a stream brings in pieces.
fn blocks(reply: &ChatReply) -> Vec<(Value, String)> {
    let message = &reply.message;
    let mut blocks = Vec::new();
    if !message.content.is_empty() {
        blocks.push((
            json!({ "type": "text", "text": "", "citations": Value::Null }),
            message.content.clone(),
        ));
    }
    for call in &message.tool_calls {
        // This family has objects alone.
        let parsed: Option<Value> = serde_json::from_str(&call.arguments).ok();
        let arguments = match parsed.filter(Value::is_object) {
            Some(_) => call.arguments.clone(),
            None => json!({ "unreadable_arguments": call.arguments }).to_string(),
        };
        let block = json!({ "type": "tool_use", "id": call.id, "name": call.name, "input": {} });
        blocks.push((block, arguments));
    }
    blocks
}

fn message(told: &Told<'_>, content: Value, stop: Value, counts: Value) -> Value {
    json!({ "id": format!("msg_{}", told.id), "type": "message", "role": "assistant",
        "model": told.model, "content": content, "stop_reason": stop,
        "stop_sequence": Value::Null, "usage": counts })
}

/// A message.
pub(super) fn whole(told: &Told<'_>) -> Value {
    let whole = |(mut block, text): (Value, String)| {
        if block["type"] == "text" {
            block["text"] = json!(text);
        } else {
            block["input"] = serde_json::from_str(&text).unwrap_or_default();
        }
        block
    };
    let content = blocks(told.reply).into_iter().map(whole).collect();
    message(told, content, json!(stop(told.reply)), usage(told.reply.usage))
}

/// The same as the events of a stream.
pub(super) fn events(told: &Told<'_>) -> Vec<String> {
    let counts = usage(told.reply.usage);
    let mut begun = counts.clone();
    begun["output_tokens"] = json!(0);
    let start = message(told, json!([]), Value::Null, begun);
    let mut events = vec![json!({ "type": "message_start", "message": start })];
    for (index, (block, text)) in blocks(told.reply).into_iter().enumerate() {
        let delta = match block["type"] == "text" {
            true => json!({ "type": "text_delta", "text": text }),
            false => json!({ "type": "input_json_delta", "partial_json": text }),
        };
        events
            .push(json!({ "type": "content_block_start", "index": index, "content_block": block }));
        events.push(json!({ "type": "content_block_delta", "index": index, "delta": delta }));
        events.push(json!({ "type": "content_block_stop", "index": index }));
    }
    let delta = json!({ "stop_reason": stop(told.reply), "stop_sequence": Value::Null });
    events.push(json!({ "type": "message_delta", "delta": delta, "usage": counts }));
    events.push(json!({ "type": "message_stop" }));
    let shown = |event: &Value| {
        format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap_or_default())
    };
    events.iter().map(shown).collect()
}
