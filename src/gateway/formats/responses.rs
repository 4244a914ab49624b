//! The OpenAI Responses format as clients speak it: reads a request into the engine's own form,
//! for translated calls and for the record of a turn. Replies in this format are written by
//! [`crate::gateway::formats::response_events`].
//!
//! Here, a conversation is a list of items. The items of one reply (its reasoning, its text, its
//! tool calls) become one message of the assistant again. A key or an item that cannot be carried
//! to another format is refused by its name. The gateway keeps no state, so items that only refer
//! to stored ones are refused, too.

use crate::gateway::calls::translate::{
    each, end_user, flag, foreign_thought, items, refuse_untranslatable, text_of, word,
};
use crate::gateway::formats::chat::number;
use crate::gateway::refusal::GatewayRefusal;
use serde_json::{Value, json};
use synthd_actors::model::{
    ChatMessage, ChatRequest, ChatRole, RequestSettings, ToolCall, ToolChoice, ToolSchema,
};

/// Top-level keys that are carried over, or that may be ignored in a translated call.
const KNOWN: [&str; 15] = [
    "model",
    "input",
    "instructions",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "temperature",
    "top_p",
    "max_output_tokens",
    "stream",
    "stream_options",
    "user",
    "safety_identifier",
    // They only say what the client's own provider caches and keeps. They change no answer.
    "prompt_cache_key",
    "store",
];

/// Reads a request. `cap` is the output limit in tokens, which the gateway has read already. A key
/// that is not known and not one of the values in `idle` (which ask for nothing) is refused.
pub(in crate::gateway) fn canonical(json: &Value, cap: u32) -> Result<ChatRequest, GatewayRefusal> {
    // Values that ask for nothing, so they need no field in another format.
    let idle = [
        ("background", json!(false)),
        ("metadata", json!({})),
        ("include", json!([])),
        // A model of another format has no encrypted reasoning to include.
        ("include", json!(["reasoning.encrypted_content"])),
        ("truncation", json!("disabled")),
        ("service_tier", json!("auto")),
        ("text", json!({ "format": { "type": "text" } })),
        ("top_logprobs", json!(0)),
    ];
    refuse_untranslatable(json, &KNOWN, &idle)?;
    let mut messages = Vec::new();
    match &json["instructions"] {
        Value::Null => {}
        Value::String(text) => messages.push(ChatMessage::text(ChatRole::System, text)),
        _ => return Err(GatewayRefusal::invalid_request("`instructions` is not a text")),
    }
    match &json["input"] {
        Value::String(text) => messages.push(ChatMessage::text(ChatRole::User, text)),
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                add(&mut messages, item)
                    .map_err(|refusal| refusal.within(&format!("input[{at}]")))?;
            }
        }
        _ => return Err(GatewayRefusal::invalid_request("`input` is neither a text nor a list")),
    }
    Ok(ChatRequest {
        messages,
        tools: each("tools", items(json, "tools")?, whole_tool)?,
        max_output_tokens: cap,
        settings: RequestSettings {
            temperature: number(json, "temperature")?,
            top_p: number(json, "top_p")?,
            // This format has no stop sequences.
            stop: Vec::new(),
            tool_choice: choice(&json["tool_choice"])?,
            parallel_calls: flag(json, "parallel_tool_calls")?,
            end_user: end_user(&[&json["safety_identifier"], &json["user"]])?,
            ..RequestSettings::default()
        },
    })
}

/// Adds one item to the messages. An item without a `type` that has a role is a message.
fn add(messages: &mut Vec<ChatMessage>, item: &Value) -> Result<(), GatewayRefusal> {
    let kind = item["type"].as_str().or_else(|| item["role"].as_str().map(|_| "message"));
    match kind.unwrap_or_default() {
        "message" => said(messages, item)?,
        // Only the model that produced encrypted reasoning can read it.
        "reasoning" if item["encrypted_content"].as_str().is_some_and(|text| !text.is_empty()) => {
            return Err(foreign_thought("reasoning with `encrypted_content`"));
        }
        "reasoning" => {
            let known = ["type", "id", "summary", "content", "encrypted_content", "status"];
            refuse_untranslatable(item, &known, &[])?;
            let thought = thought(item);
            let reply = reply(messages);
            let reasoning = reply.reasoning.get_or_insert_default();
            join(&mut reasoning.text, &thought);
        }
        "function_call" => {
            let call = call(item)?;
            reply(messages).tool_calls.push(call);
        }
        "function_call_output" => {
            let Some(id) = item["call_id"].as_str() else {
                return Err(GatewayRefusal::invalid_request(
                    "the result of a call lacks its `call_id`",
                ));
            };
            refuse_untranslatable(
                item,
                &["type", "call_id", "output", "id", "status"],
                &[direct()],
            )?;
            messages.push(ChatMessage::tool_result(id, text_of(&item["output"])?));
        }
        kind => {
            let what = format!("the model behind this name accepts no item of the type {kind:?}");
            return Err(GatewayRefusal::new(400, "unsupported_content", what));
        }
    }
    Ok(())
}

/// The caller of a tool call that asks for nothing: the model itself.
fn direct() -> (&'static str, Value) {
    ("caller", json!({ "type": "direct" }))
}

/// The message of the assistant that is being put together, or a new one.
fn reply(messages: &mut Vec<ChatMessage>) -> &mut ChatMessage {
    // Items of one reply follow each other directly. A message of the user or a result ends it.
    let goes_on = messages.last().is_some_and(|last| last.role == ChatRole::Assistant);
    if !goes_on {
        messages.push(ChatMessage::text(ChatRole::Assistant, ""));
    }
    let last = messages.len() - 1;
    &mut messages[last]
}

/// Adds an item of the type `message`. Text of the assistant is joined with the reply that it
/// belongs to.
fn said(messages: &mut Vec<ChatMessage>, item: &Value) -> Result<(), GatewayRefusal> {
    let known = ["type", "role", "content", "id", "status"];
    refuse_untranslatable(item, &known, &[])?;
    let text = text_of(&item["content"])?;
    match item["role"].as_str() {
        Some("system" | "developer") => messages.push(ChatMessage::text(ChatRole::System, text)),
        Some("user") => messages.push(ChatMessage::text(ChatRole::User, text)),
        Some("assistant") => join(&mut reply(messages).content, &text),
        _ => return Err(GatewayRefusal::invalid_request("a message has an unknown role")),
    }
    Ok(())
}

/// Appends a text, with an empty line between two texts.
fn join(text: &mut String, more: &str) {
    if !text.is_empty() && !more.is_empty() {
        text.push_str("\n\n");
    }
    text.push_str(more);
}

/// The readable text of an item of reasoning: its summary and its content.
fn thought(item: &Value) -> String {
    let lists = ["summary", "content"].map(|key| item[key].as_array());
    let parts = lists.into_iter().flatten().flatten();
    parts.filter_map(|part| part["text"].as_str()).collect::<Vec<_>>().join("\n\n")
}

/// Reads a tool call of an earlier reply. Its arguments stay text, as in the format.
fn call(item: &Value) -> Result<ToolCall, GatewayRefusal> {
    let text = |key: &str| item[key].as_str().map(str::to_owned);
    let known = ["type", "call_id", "name", "arguments", "id", "status"];
    refuse_untranslatable(item, &known, &[direct()])?;
    match (text("call_id"), text("name"), text("arguments")) {
        (Some(id), Some(name), Some(arguments)) => Ok(ToolCall { id, name, arguments }),
        _ => Err(GatewayRefusal::invalid_request(
            "a call lacks its `call_id`, its name or its arguments",
        )),
    }
}

/// Reads one tool and refuses everything in it that [`tool`] does not read.
fn whole_tool(json: &Value) -> Result<ToolSchema, GatewayRefusal> {
    let read = tool(json)?;
    let known = ["type", "name", "description", "parameters"];
    refuse_untranslatable(json, &known, &[("strict", json!(false))])?;
    word(json, "description").map(|_| read)
}

/// Reads one tool. `strict` is refused, because models of other formats do not enforce the schema.
pub(in crate::gateway) fn tool(json: &Value) -> Result<ToolSchema, GatewayRefusal> {
    let Some(name) = json["name"].as_str().filter(|_| json["type"] == "function") else {
        return Err(GatewayRefusal::invalid_request("a tool is not a function with a name"));
    };
    if json["strict"] == true {
        let what = "the model behind this name enforces no schema: set `strict` to false";
        return Err(GatewayRefusal::new(400, "unsupported_parameter", what));
    }
    // A function without parameters takes an empty object.
    let parameters = match &json["parameters"] {
        Value::Null => json!({ "type": "object", "properties": {} }),
        parameters => parameters.clone(),
    };
    let description = json["description"].as_str().unwrap_or_default().to_owned();
    Ok(ToolSchema { name: name.to_owned(), description, parameters })
}

/// Reads `tool_choice`: a word, or `{"type": "function", "name": "search"}`.
fn choice(json: &Value) -> Result<Option<ToolChoice>, GatewayRefusal> {
    let unknown = || GatewayRefusal::invalid_request("`tool_choice` has an unknown value");
    Ok(Some(match (json, json.as_str()) {
        (Value::Null, _) => return Ok(None),
        (_, Some("auto")) => ToolChoice::Auto,
        (_, Some("none")) => ToolChoice::None,
        (_, Some("required")) => ToolChoice::Required,
        (choice, None) if choice["type"] == "function" => {
            let within = |refusal: GatewayRefusal| refusal.within("tool_choice");
            refuse_untranslatable(choice, &["type", "name"], &[]).map_err(within)?;
            ToolChoice::Tool(choice["name"].as_str().ok_or_else(unknown)?.to_owned())
        }
        _ => return Err(unknown()),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use synthd_actors::model::Reasoning;

    #[test]
    fn the_items_of_one_reply_are_one_message_again() {
        let request = canonical(
            &json!({ "model": "m", "instructions": "be brief", "input": [
                { "role": "user", "content": "go" },
                { "type": "reasoning", "id": "rs", "summary": [{ "type": "summary_text", "text": "hm" }] },
                { "type": "message", "role": "assistant", "id": "m", "status": "completed",
                  "content": [{ "type": "output_text", "text": "I look", "annotations": [] }] },
                { "type": "function_call", "call_id": "a", "name": "f", "arguments": "{}" },
                { "type": "function_call", "call_id": "b", "name": "g", "arguments": "{\"x\":1}" },
                { "type": "function_call_output", "call_id": "a", "output": "one" },
                { "type": "function_call_output", "call_id": "b",
                  "output": [{ "type": "input_text", "text": "two" }] },
                { "type": "message", "role": "user", "content": [{ "type": "input_text", "text": "on" }] },
            ] }),
            9,
        );
        let messages = request.ok().unwrap().messages;
        let roles: Vec<ChatRole> = messages.iter().map(|message| message.role).collect();
        use ChatRole::{Assistant, System, Tool, User};
        assert_eq!(roles, [System, User, Assistant, Tool, Tool, User]);
        let reply = &messages[2];
        assert_eq!((reply.content.as_str(), reply.tool_calls.len()), ("I look", 2));
        let thought = Reasoning { text: "hm".to_owned(), verbatim: None };
        assert_eq!(reply.reasoning, Some(thought));
        assert_eq!(messages[4].content, "two");
    }

    #[test]
    fn what_cannot_be_said_to_another_family_is_named() {
        let base = |key: &str, value: Value| {
            let mut json = json!({ "model": "m", "input": "go" });
            json[key] = value;
            canonical(&json, 1).err().map(|refusal| refusal.message).unwrap_or_default()
        };
        for (key, value, named) in [
            ("previous_response_id", json!("resp_1"), "previous_response_id"),
            ("background", json!(true), "background"),
            ("input", json!([{ "type": "item_reference", "id": "x" }]), "item_reference"),
            ("input", json!([{ "type": "web_search_call" }]), "web_search_call"),
            (
                "input",
                json!([{ "role": "user", "content": [{ "type": "input_image" }] }]),
                "input_image",
            ),
            ("tools", json!([{ "type": "web_search" }]), "not a function"),
            ("tools", json!([{ "type": "function", "name": "f", "strict": true }]), "strict"),
            ("text", json!({ "format": { "type": "json_object" } }), "text"),
            ("reasoning", json!({ "effort": "high" }), "reasoning"),
        ] {
            let told = base(key, value);
            assert!(told.contains(named), "{key}: {told}");
        }
        assert_eq!(base("store", json!(true)), "");
    }
}
