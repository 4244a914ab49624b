//! The Anthropic Messages format as clients speak it, for translated calls. [`canonical`] reads a
//! request into the engine's own form, [`whole`] and [`events`] write a reply. `translate` calls
//! them. A key that cannot be carried to another format is refused by its name.

use crate::gateway::calls::translate::{
    ReplyEnvelope, each, end_user, flag, foreign_thought, items, refuse_untranslatable, text_of,
    word,
};
use crate::gateway::formats::chat::{number, texts};
use crate::gateway::refusal::GatewayRefusal;
use serde_json::{Value, json};
use synthd_actors::model::{
    ChatMessage, ChatReply, ChatRequest, ChatRole, FinishReason, RequestSettings, ToolCall,
    ToolChoice, ToolSchema, Usage,
};

/// Top-level keys that are carried over, or that may be ignored in a translated call.
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
    // `settings` checks its keys.
    "metadata",
];

/// The mark of reasoning that models of this format have produced. Only such reasoning is sent
/// back to a client of this format.
const ANTHROPIC: &str = "anthropic";

/// Reads a request. `cap` is the output limit in tokens, which the gateway has read already. A key
/// that is not known and not one of the values in `idle` (which ask for nothing) is refused.
pub(in crate::gateway) fn canonical(json: &Value, cap: u32) -> Result<ChatRequest, GatewayRefusal> {
    // Values that ask for nothing, so they need no field in another format.
    let idle = [("thinking", json!({ "type": "disabled" })), ("service_tier", json!("auto"))];
    refuse_untranslatable(json, &KNOWN, &idle)?;
    let Some(turns) = json["messages"].as_array() else {
        return Err(GatewayRefusal::invalid_request("`messages` is not a list"));
    };
    let mut messages = Vec::new();
    if !json["system"].is_null() {
        messages.push(ChatMessage::text(ChatRole::System, text_of(&json["system"])?));
    }
    messages.extend(each("messages", turns, turn)?.into_iter().flatten());
    Ok(ChatRequest {
        messages,
        tools: each("tools", items(json, "tools")?, tool)?,
        max_output_tokens: cap,
        settings: settings(json)?,
    })
}

/// Reads one turn of the conversation.
fn turn(json: &Value) -> Result<Vec<ChatMessage>, GatewayRefusal> {
    refuse_untranslatable(json, &["role", "content"], &[])?;
    match json["role"].as_str() {
        Some("user") => told(&json["content"]),
        Some("assistant") => Ok(vec![said(&json["content"])?]),
        _ => Err(GatewayRefusal::invalid_request("a message has an unknown role")),
    }
}

/// The sampling parameters and the other settings of a request. The only known key of `metadata`
/// is `user_id`.
fn settings(json: &Value) -> Result<RequestSettings, GatewayRefusal> {
    if !matches!(json["metadata"], Value::Null | Value::Object(_)) {
        return Err(GatewayRefusal::invalid_request("`metadata` is not an object"));
    }
    refuse_untranslatable(&json["metadata"], &["user_id"], &[])?;
    Ok(RequestSettings {
        temperature: number(json, "temperature")?,
        top_p: number(json, "top_p")?,
        stop: texts(json, "stop_sequences")?,
        tool_choice: choice(&json["tool_choice"])?,
        // The key of this format says the opposite.
        parallel_calls: flag(&json["tool_choice"], "disable_parallel_tool_use")?
            .map(|disabled| !disabled),
        end_user: end_user(&[&json["metadata"]["user_id"]])?,
        ..RequestSettings::default()
    })
}

/// Reads `tool_choice`, such as `{"type": "tool", "name": "search"}`.
fn choice(json: &Value) -> Result<Option<ToolChoice>, GatewayRefusal> {
    let unknown = || GatewayRefusal::invalid_request("`tool_choice` has an unknown value");
    if json.is_null() {
        return Ok(None);
    }
    let known = ["type", "name", "disable_parallel_tool_use"];
    refuse_untranslatable(json, &known, &[]).map_err(|refusal| refusal.within("tool_choice"))?;
    Ok(Some(match json["type"].as_str() {
        Some("auto") => ToolChoice::Auto,
        Some("none") => ToolChoice::None,
        Some("any") => ToolChoice::Required,
        Some("tool") => match json["name"].as_str() {
            Some(name) => ToolChoice::Tool(name.to_owned()),
            None => return Err(GatewayRefusal::invalid_request("`tool_choice` names no tool")),
        },
        _ => return Err(unknown()),
    }))
}

/// Reads one tool that the client runs itself. Tools of the provider's own (such as
/// `bash_20250124`) have no `input_schema` and are refused.
pub(in crate::gateway) fn tool(json: &Value) -> Result<ToolSchema, GatewayRefusal> {
    let Some(name) = json["name"].as_str().filter(|_| json["input_schema"].is_object()) else {
        return Err(GatewayRefusal::invalid_request("a tool lacks its name or its `input_schema`"));
    };
    let known = ["name", "description", "input_schema", "cache_control"];
    let idle = [("strict", json!(false)), ("type", json!("custom"))];
    refuse_untranslatable(json, &known, &idle)?;
    let description = word(json, "description")?.unwrap_or_default().to_owned();
    Ok(ToolSchema { name: name.to_owned(), description, parameters: json["input_schema"].clone() })
}

/// Reads a turn of the user. Each tool result becomes a message of its own, in front of the other
/// blocks, because other formats want results directly after the calls.
fn told(content: &Value) -> Result<Vec<ChatMessage>, GatewayRefusal> {
    let Value::Array(blocks) = content else {
        return Ok(vec![ChatMessage::text(ChatRole::User, text_of(content)?)]);
    };
    let (results, rest): (Vec<Value>, Vec<Value>) =
        blocks.iter().cloned().partition(|block| block["type"] == "tool_result");
    let mut messages = results.iter().map(result).collect::<Result<Vec<_>, _>>()?;
    if !rest.is_empty() {
        messages.push(ChatMessage::text(ChatRole::User, text_of(&Value::Array(rest))?));
    }
    Ok(messages)
}

/// Reads the result of a tool. `cache_control` is a hint for the cache of its own provider.
fn result(json: &Value) -> Result<ChatMessage, GatewayRefusal> {
    let known = ["type", "tool_use_id", "content", "is_error", "cache_control"];
    refuse_untranslatable(json, &known, &[])?;
    let Some(id) = json["tool_use_id"].as_str() else {
        return Err(GatewayRefusal::invalid_request("a tool's result lacks its `tool_use_id`"));
    };
    // Other formats have no mark for a failed tool, so the text says it.
    let failed = flag(json, "is_error")? == Some(true);
    let failed = if failed { "[the tool failed]\n" } else { "" };
    Ok(ChatMessage::tool_result(id, format!("{failed}{}", text_of(&json["content"])?)))
}

/// Reads a turn of the assistant. Reasoning blocks are refused: they are signed for the model that
/// produced them, and no other model can read them.
fn said(content: &Value) -> Result<ChatMessage, GatewayRefusal> {
    let Value::Array(blocks) = content else {
        return Ok(ChatMessage::text(ChatRole::Assistant, text_of(content)?));
    };
    let (mut texts, mut tool_calls) = (Vec::new(), Vec::new());
    for block in blocks {
        match block["type"].as_str() {
            Some("tool_use") => tool_calls.push(call(block)?),
            Some(kind @ ("thinking" | "redacted_thinking")) => {
                return Err(foreign_thought(&format!("a block of the type {kind:?}")));
            }
            _ => texts.push(block.clone()),
        }
    }
    let content = text_of(&Value::Array(texts))?;
    Ok(ChatMessage { tool_calls, ..ChatMessage::text(ChatRole::Assistant, content) })
}

/// Reads one tool call of an earlier reply.
fn call(block: &Value) -> Result<ToolCall, GatewayRefusal> {
    let known = ["type", "id", "name", "input", "cache_control"];
    refuse_untranslatable(block, &known, &[("caller", json!({ "type": "direct" }))])?;
    match (block["id"].as_str(), block["name"].as_str()) {
        (Some(id), Some(name)) => Ok(ToolCall {
            id: id.to_owned(),
            name: name.to_owned(),
            // An object in this format, JSON text in the engine's own form.
            arguments: block["input"].to_string(),
        }),
        _ => Err(GatewayRefusal::invalid_request("a tool's use lacks its id or its name")),
    }
}

/// The format's word for why the reply ended.
fn stop(reply: &ChatReply) -> &'static str {
    match reply.finish {
        FinishReason::Stop => "end_turn",
        FinishReason::ToolCalls => "tool_use",
        FinishReason::Length => "max_tokens",
        FinishReason::Refusal => "refusal",
    }
}

/// The token counts in this format. Here, `input_tokens` excludes what was read from a cache or
/// written to one. In the engine's own form it includes both.
fn usage(usage: Usage) -> Value {
    let cached = usage.cached_tokens.unwrap_or(0);
    let written = usage.cache_write_tokens.unwrap_or(0);
    let fresh = usage.input_tokens.saturating_sub(cached).saturating_sub(written);
    json!({ "input_tokens": fresh, "output_tokens": usage.output_tokens,
        "cache_read_input_tokens": usage.cached_tokens,
        "cache_creation_input_tokens": usage.cache_write_tokens })
}

/// One content block of a reply, ready for a whole body and for a stream.
struct AnthropicReplyBlock {
    /// The complete block, for a whole body.
    whole: Value,
    /// The empty block with which a stream begins it.
    begun: Value,
    /// The pieces with which a stream completes it.
    deltas: Vec<Value>,
}

impl AnthropicReplyBlock {
    /// A block whose `key` has the value `value` in the end, and whose stream has one piece of the
    /// type `delta` with `text`.
    fn new(begun: Value, key: &str, delta: &str, text: &str, value: Value) -> Self {
        let mut whole = begun.clone();
        whole[key] = value;
        let mut piece = json!({ "type": delta });
        // The pieces of a tool call's input have another key than the block.
        piece[if key == "input" { "partial_json" } else { key }] = json!(text);
        Self { whole, begun, deltas: vec![piece] }
    }

    /// A block of text.
    fn text(text: &str) -> Self {
        let begun = json!({ "type": "text", "text": "", "citations": Value::Null });
        Self::new(begun, "text", "text_delta", text, json!(text))
    }

    /// A tool call. In this format its input is an object. Arguments that are no JSON object are
    /// put into one, as `{"unreadable_arguments": "..."}`.
    fn call(call: &ToolCall) -> Self {
        let parsed: Option<Value> = serde_json::from_str(&call.arguments).ok();
        let unreadable = || json!({ "unreadable_arguments": call.arguments });
        let begun = json!({ "type": "tool_use", "id": call.id, "name": call.name, "input": {} });
        let (written, input) = match parsed.filter(Value::is_object) {
            Some(input) => (call.arguments.clone(), input),
            None => (unreadable().to_string(), unreadable()),
        };
        Self::new(begun, "input", "input_json_delta", &written, input)
    }

    /// A block that a model of this format has written, unchanged.
    fn own(block: &Value) -> Self {
        let mut begun = block.clone();
        let mut deltas = Vec::new();
        let texts = [
            ("text", "text_delta"),
            ("thinking", "thinking_delta"),
            ("signature", "signature_delta"),
        ];
        // A `redacted_thinking` block has none of these keys. It is complete when it begins.
        for (key, delta) in texts.into_iter().filter(|(key, _)| block[key].is_string()) {
            begun[key] = json!("");
            let mut piece = json!({ "type": delta });
            piece[key] = block[key].clone();
            deltas.push(piece);
        }
        if block["type"] == "tool_use" {
            begun["input"] = json!({});
            let input = block["input"].to_string();
            deltas.push(json!({ "type": "input_json_delta", "partial_json": input }));
        }
        Self { whole: block.clone(), begun, deltas }
    }
}

/// The blocks of a reply. Those of a model of this format that has reasoned are as it wrote them:
/// their order, too, is part of what is signed. Reasoning of another format is left out.
fn blocks(reply: &ChatReply) -> Vec<AnthropicReplyBlock> {
    let message = &reply.message;
    let verbatim = message.reasoning.as_ref().and_then(|reasoning| reasoning.verbatim.as_ref());
    let own = verbatim.filter(|(family, _)| family == ANTHROPIC);
    let own: Option<Vec<Value>> = own.and_then(|(_, json)| serde_json::from_str(json).ok());
    if let Some(own) = own {
        return own.iter().map(AnthropicReplyBlock::own).collect();
    }
    let text = Some(&message.content).filter(|text| !text.is_empty());
    let text = text.into_iter().map(|text| AnthropicReplyBlock::text(text));
    text.chain(message.tool_calls.iter().map(AnthropicReplyBlock::call)).collect()
}

/// The envelope of a reply, complete or as a stream begins it.
fn message(told: &ReplyEnvelope<'_>, content: Value, stop: Value, counts: Value) -> Value {
    json!({ "id": format!("msg_{}", told.id), "type": "message", "role": "assistant",
        "model": told.model, "content": content, "stop_reason": stop,
        "stop_sequence": Value::Null, "usage": counts })
}

/// The reply as one body, of `"type": "message"`.
pub(in crate::gateway) fn whole(told: &ReplyEnvelope<'_>) -> Value {
    let content = blocks(told.reply).into_iter().map(|block| block.whole).collect();
    message(told, content, json!(stop(told.reply)), usage(told.reply.usage))
}

/// The reply as the events of a stream, from `message_start` to `message_stop`.
pub(in crate::gateway) fn events(told: &ReplyEnvelope<'_>) -> Vec<String> {
    let counts = usage(told.reply.usage);
    let mut begun = counts.clone();
    // When a stream begins, no token of the output has come.
    begun["output_tokens"] = json!(0);
    let start = message(told, json!([]), Value::Null, begun);
    let mut events = vec![json!({ "type": "message_start", "message": start })];
    for (index, AnthropicReplyBlock { begun, deltas, .. }) in
        blocks(told.reply).into_iter().enumerate()
    {
        events
            .push(json!({ "type": "content_block_start", "index": index, "content_block": begun }));
        for delta in deltas {
            events.push(json!({ "type": "content_block_delta", "index": index, "delta": delta }));
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use synthd_actors::model::Reasoning;

    fn told(reply: &ChatReply) -> ReplyEnvelope<'_> {
        ReplyEnvelope { reply, model: "m", id: "1".to_owned(), created: 0 }
    }

    /// Without its signature a thought is refused by the provider it goes back to.
    #[test]
    fn a_models_own_thoughts_are_told_again_as_they_were() {
        let thinking = json!({ "type": "thinking", "thinking": "hm", "signature": "s1" });
        let redacted = json!({ "type": "redacted_thinking", "data": "x" });
        let said = json!({ "type": "text", "text": "so" });
        let call =
            json!({ "type": "tool_use", "id": "c", "name": "sh", "input": { "b": 1, "a": 2 } });
        let written = json!([thinking, said, redacted, call]);
        let verbatim = written.to_string();
        let reasoning = |family: &str| Reasoning {
            text: "hm".to_owned(),
            verbatim: Some((family.to_owned(), verbatim.clone())),
        };
        let message = |family: &str| ChatMessage {
            reasoning: Some(reasoning(family)),
            ..ChatMessage::text(ChatRole::Assistant, "so")
        };
        let reply =
            |family: &str| ChatReply::new(message(family), FinishReason::Stop, Usage::default());
        let own = reply("anthropic");
        assert_eq!(whole(&told(&own))["content"], written, "in the order in which it was written");
        let events = events(&told(&own)).concat();
        for part in [
            r#""content_block":{"type":"thinking","thinking":"","signature":""}"#,
            r#""delta":{"type":"thinking_delta","thinking":"hm"}"#,
            r#""delta":{"type":"signature_delta","signature":"s1"}"#,
            r#""index":1,"content_block":{"type":"text","text":""}"#,
            r#""index":2,"content_block":{"type":"redacted_thinking","data":"x"}"#,
            r#""partial_json":"{\"b\":1,\"a\":2}""#,
        ] {
            assert!(events.contains(part), "{part}: {events}");
        }
        // Reasoning of another family is left out.
        let other = reply("openai-responses");
        assert_eq!(whole(&told(&other))["content"].as_array().map(Vec::len), Some(1));
    }
}
