//! Reads a conversation as far as it can be read, in any of the three wire formats. The result is
//! the record of an agent's turn; `external_agent` puts it to the attempt. It is never sent to a
//! model, and the exact bytes are kept beside it in the call record.
//!
//! It never fails. What is not text stands in it as its type in brackets, such as `[image_url]`.
//! What the strict readers (`chat::canonical` and the others) accept has the same messages with
//! the same roles here.

use crate::formats::WireFormat;
use crate::gateway::request_check::request::GatewayRequest;
use crate::gateway::{formats::chat, formats::messages, formats::responses};
use serde_json::Value;
use synthd_actors::model::{ChatMessage, ChatRequest, ChatRole, ToolCall};

/// The conversation of a request. `cap` is the output limit in tokens. Tools that cannot be read
/// are left out, and so are all settings.
pub(in crate::gateway) fn lenient_transcript(asked: &GatewayRequest, cap: u32) -> ChatRequest {
    let json = &asked.json;
    let said = match asked.family {
        WireFormat::OpenAiChat => list(&json["messages"]).map(of_chat).collect(),
        WireFormat::Anthropic => of_messages(json),
        WireFormat::Responses => of_items(json),
    };
    let tool = |tool: &Value| match asked.family {
        WireFormat::OpenAiChat => chat::tool(tool).ok(),
        WireFormat::Anthropic => messages::tool(tool).ok(),
        WireFormat::Responses => responses::tool(tool).ok(),
    };
    ChatRequest {
        messages: said,
        tools: list(&json["tools"]).filter_map(tool).collect(),
        max_output_tokens: cap,
        settings: Default::default(),
    }
}

/// The items of a list, or none.
fn list(json: &Value) -> impl Iterator<Item = &Value> {
    json.as_array().into_iter().flatten()
}

/// The role of a message. An unknown one counts as the user's.
fn role(json: &Value) -> ChatRole {
    match json["role"].as_str() {
        Some("system" | "developer") => ChatRole::System,
        Some("assistant") => ChatRole::Assistant,
        Some("tool") => ChatRole::Tool,
        _ => ChatRole::User,
    }
}

/// The text of a message's content. Parts that are no text are named by their types.
fn text(content: &Value) -> String {
    match content {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().map(part).collect::<Vec<_>>().join("\n\n"),
        other => other.to_string(),
    }
}

/// The text of one part, or its type in brackets.
fn part(part: &Value) -> String {
    let text = part["text"].as_str().or_else(|| part["refusal"].as_str());
    let kind = || format!("[{}]", part["type"].as_str().unwrap_or("unknown"));
    text.map_or_else(kind, str::to_owned)
}

/// A text, or the empty text for any other value.
fn word(json: &Value) -> String {
    json.as_str().unwrap_or_default().to_owned()
}

/// One message of the OpenAI chat format.
fn of_chat(json: &Value) -> ChatMessage {
    let call = |call: &Value| ToolCall {
        id: word(&call["id"]),
        name: word(&call["function"]["name"]),
        arguments: word(&call["function"]["arguments"]),
    };
    ChatMessage {
        tool_calls: list(&json["tool_calls"]).map(call).collect(),
        tool_call_id: json["tool_call_id"].as_str().map(str::to_owned),
        ..ChatMessage::text(role(json), text(&json["content"]) + &word(&json["refusal"]))
    }
}

/// The messages of the Anthropic Messages format. `system` becomes the first one.
fn of_messages(json: &Value) -> Vec<ChatMessage> {
    let system = Some(&json["system"]).filter(|system| !system.is_null());
    let system = system.map(|system| ChatMessage::text(ChatRole::System, text(system)));
    let turns = list(&json["messages"]).flat_map(|turn| of_turn(role(turn), &turn["content"]));
    system.into_iter().chain(turns).collect()
}

/// The messages of one turn in the Messages format. Each tool result becomes a message of its own.
/// All other blocks become one message together. Reasoning is left out.
fn of_turn(role: ChatRole, content: &Value) -> Vec<ChatMessage> {
    let Value::Array(blocks) = content else { return vec![ChatMessage::text(role, text(content))] };
    let (mut said, mut texts, mut calls) = (Vec::new(), Vec::new(), Vec::new());
    for block in blocks {
        match block["type"].as_str() {
            Some("tool_result") => {
                let id = word(&block["tool_use_id"]);
                said.push(ChatMessage::tool_result(&id, text(&block["content"])));
            }
            Some("tool_use") => calls.push(ToolCall {
                id: word(&block["id"]),
                name: word(&block["name"]),
                arguments: block["input"].to_string(),
            }),
            Some("thinking" | "redacted_thinking") => {}
            _ => texts.push(part(block)),
        }
    }
    // A turn of the user that has only tool results must not add an empty message.
    if role == ChatRole::Assistant || !texts.is_empty() {
        let whole = ChatMessage::text(role, texts.join("\n\n"));
        said.push(ChatMessage { tool_calls: calls, ..whole });
    }
    said
}

/// The messages of the OpenAI Responses format. `instructions` becomes the first one.
fn of_items(json: &Value) -> Vec<ChatMessage> {
    let mut said = Vec::new();
    if let Some(text) = json["instructions"].as_str() {
        said.push(ChatMessage::text(ChatRole::System, text));
    }
    if let Some(text) = json["input"].as_str() {
        said.push(ChatMessage::text(ChatRole::User, text));
    }
    list(&json["input"]).for_each(|item| of_item(&mut said, item));
    said
}

/// Adds one item of the Responses format. The items of one reply stand apart in the request. Here
/// they become one message again.
fn of_item(said: &mut Vec<ChatMessage>, item: &Value) {
    // Changes the reply that is being put together, or begins a new one.
    let reply = |said: &mut Vec<ChatMessage>, add: &dyn Fn(&mut ChatMessage)| match said
        .last_mut()
        .filter(|last| last.role == ChatRole::Assistant)
    {
        Some(last) => add(last),
        None => {
            let mut new = ChatMessage::text(ChatRole::Assistant, "");
            add(&mut new);
            said.push(new);
        }
    };
    match item["type"].as_str() {
        // It begins a reply, also where nothing else of that reply follows.
        Some("reasoning") => reply(said, &|_| {}),
        Some("function_call") => reply(said, &|message| {
            message.tool_calls.push(ToolCall {
                id: word(&item["call_id"]),
                name: word(&item["name"]),
                arguments: word(&item["arguments"]),
            });
        }),
        Some("function_call_output") => {
            said.push(ChatMessage::tool_result(&word(&item["call_id"]), text(&item["output"])));
        }
        // An item without a `type` is a message.
        Some("message") | None if role(item) == ChatRole::Assistant => {
            reply(said, &|message| message.content.push_str(&text(&item["content"])));
        }
        Some("message") | None => said.push(ChatMessage::text(role(item), text(&item["content"]))),
        Some(kind) => said.push(ChatMessage::text(role(item), format!("[{kind}]"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use serde_json::json;

    fn heard(family: WireFormat, json: Value) -> Vec<(ChatRole, String, usize)> {
        let asked = GatewayRequest::read(family, Bytes::from(json.to_string())).ok().unwrap();
        let said = lenient_transcript(&asked, 1).messages.into_iter();
        said.map(|message| (message.role, message.content, message.tool_calls.len())).collect()
    }

    fn conversation() -> Vec<(ChatRole, String, usize)> {
        let said = |role, text: &str, calls| (role, text.to_owned(), calls);
        vec![
            said(ChatRole::System, "be good", 0),
            said(ChatRole::User, "look\n\n[image]", 0),
            said(ChatRole::Assistant, "so", 1),
            said(ChatRole::Tool, "done", 0),
        ]
    }

    #[test]
    fn every_family_is_overheard_alike() {
        let chat = json!({ "model": "m", "odd": 1, "messages": [
            { "role": "system", "content": "be good" },
            { "role": "user", "content": [{ "type": "text", "text": "look" }, { "type": "image" }] },
            { "role": "assistant", "content": "so", "tool_calls": [{ "id": "1", "type": "function",
                "function": { "name": "sh", "arguments": "{}" } }] },
            { "role": "tool", "tool_call_id": "1", "content": "done" }] });
        assert_eq!(heard(WireFormat::OpenAiChat, chat), conversation());
        let messages = json!({ "model": "m", "system": [{ "type": "text", "text": "be good" }],
            "messages": [
            { "role": "user", "content": [{ "type": "text", "text": "look" }, { "type": "image" }] },
            { "role": "assistant", "content": [{ "type": "thinking", "thinking": "hm" },
                { "type": "text", "text": "so" },
                { "type": "tool_use", "id": "1", "name": "sh", "input": {} }] },
            { "role": "user", "content": [{ "type": "tool_result", "tool_use_id": "1",
                "content": [{ "type": "text", "text": "done" }] }] }] });
        assert_eq!(heard(WireFormat::Anthropic, messages), conversation());
        let responses = json!({ "model": "m", "instructions": "be good", "input": [
            { "role": "user", "content": [{ "type": "input_text", "text": "look" }, { "type": "image" }] },
            { "type": "reasoning", "summary": [] },
            { "type": "message", "role": "assistant",
                "content": [{ "type": "output_text", "text": "so" }] },
            { "type": "function_call", "call_id": "1", "name": "sh", "arguments": "{}" },
            { "type": "function_call_output", "call_id": "1", "output": "done" }] });
        assert_eq!(heard(WireFormat::Responses, responses), conversation());
    }

    /// The strict reader makes a message of it, too.
    #[test]
    fn reasoning_alone_is_a_reply() {
        let body = json!({ "model": "m", "input": [{ "type": "reasoning", "summary": [] },
            { "role": "user", "content": "go on" }] });
        let roles: Vec<ChatRole> =
            heard(WireFormat::Responses, body.clone()).into_iter().map(|said| said.0).collect();
        assert_eq!(roles, [ChatRole::Assistant, ChatRole::User]);
        let strict = responses::canonical(&body, 1).ok().unwrap().messages;
        assert_eq!(roles, strict.iter().map(|message| message.role).collect::<Vec<_>>());
    }

    #[test]
    fn nothing_that_is_said_stops_it() {
        for odd in [json!(1), json!([1, null]), json!({}), json!([{ "role": 1, "content": 7 }])] {
            for family in [WireFormat::OpenAiChat, WireFormat::Anthropic, WireFormat::Responses] {
                let body = json!({ "model": "m", "messages": odd, "input": odd, "tools": odd,
                    "system": odd, "instructions": odd });
                heard(family, body);
            }
        }
    }
}
