//! Writes a reply in the Anthropic Messages format, as a whole body ([`whole`]) or as the events of
//! a stream ([`events`]), and the errors of this format.

use super::FAMILY;
use crate::formats::writing::envelope::{ReplyEnvelope, WireErrorBody};
use crate::formats::writing::tool_arguments::arguments_object;
use serde_json::{Value, json};
use synthd_actors::model::{ChatReply, FinishReason, ToolCall, Usage};

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

    /// A tool call. In this format its input is an object.
    fn call(call: &ToolCall) -> Self {
        let begun = json!({ "type": "tool_use", "id": call.id, "name": call.name, "input": {} });
        let input = arguments_object(call);
        // The bytes of arguments that are an object stay as the model wrote them.
        let is_object = serde_json::from_str::<Value>(&call.arguments).is_ok_and(|v| v == input);
        let written = if is_object { call.arguments.clone() } else { input.to_string() };
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
    let own = verbatim.filter(|(family, _)| family == FAMILY);
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
pub(crate) fn whole(told: &ReplyEnvelope<'_>) -> Value {
    let content = blocks(told.reply).into_iter().map(|block| block.whole).collect();
    message(told, content, json!(stop(told.reply)), usage(told.reply.usage))
}

/// The reply as the events of a stream, from `message_start` to `message_stop`.
pub(crate) fn events(told: &ReplyEnvelope<'_>) -> Vec<String> {
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

/// An error as one body. The format has fewer words for errors; they follow from the status.
pub(crate) fn error(told: &WireErrorBody<'_>) -> Value {
    json!({ "type": "error", "error": { "type": kind(told.status), "message": told.message } })
}

/// The event that ends a stream with an error.
pub(crate) fn error_event(told: &WireErrorBody<'_>) -> String {
    format!("event: error\ndata: {}\n\n", error(told))
}

/// The word for an error of this status.
fn kind(status: u16) -> &'static str {
    match status {
        400 | 413 => "invalid_request_error",
        401 => "authentication_error",
        402 => "billing_error",
        404 => "not_found_error",
        429 => "rate_limit_error",
        504 => "timeout_error",
        _ => "api_error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use synthd_actors::model::{ChatMessage, ChatRole, Reasoning};

    fn told(reply: &ChatReply) -> ReplyEnvelope<'_> {
        let (id, custom_tools) = ("1".to_owned(), Vec::new());
        ReplyEnvelope { reply, model: "m", id, created: 0, custom_tools }
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
