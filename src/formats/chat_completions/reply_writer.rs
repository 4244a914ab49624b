//! Writes a reply in the OpenAI chat format, as a whole body ([`whole`]) or as the events of a
//! stream ([`events`]), and the errors of this format.

use super::request_writer::call as call_json;
use crate::formats::writing::envelope::{ReplyEnvelope, WireErrorBody};
use serde_json::{Value, json};
use synthd_actors::model::{ChatReply, FinishReason, Usage};

/// The format's word for why the reply ended.
fn finish(reply: &ChatReply) -> &'static str {
    match reply.finish {
        FinishReason::Stop => "stop",
        FinishReason::ToolCalls => "tool_calls",
        FinishReason::Length => "length",
        FinishReason::Refusal => "content_filter",
    }
}

/// The tool calls of a reply. In a stream they are `numbered`: each piece says its index.
fn calls(reply: &ChatReply, numbered: bool) -> Value {
    let calls = reply.message.tool_calls.iter().enumerate().map(|(index, call)| {
        let mut json = call_json(call);
        if numbered {
            json["index"] = json!(index);
        }
        json
    });
    calls.collect()
}

/// The reply as a message, or as the delta of one chunk. The content is `null` if the reply
/// consists of tool calls alone, as in this format.
fn said(told: &ReplyEnvelope<'_>, numbered: bool) -> Value {
    let message = &told.reply.message;
    // A reply of tool calls alone has the content `null`, not an empty text.
    let silent = message.content.is_empty() && !message.tool_calls.is_empty();
    let content = if silent { Value::Null } else { json!(message.content) };
    let mut json = json!({ "role": "assistant", "content": content, "refusal": Value::Null });
    if !message.tool_calls.is_empty() {
        json["tool_calls"] = calls(told.reply, numbered);
    }
    if let Some(reasoning) = &message.reasoning {
        json["reasoning_content"] = json!(reasoning.text);
    }
    json
}

/// The token counts in this format. Details that nobody counted are left out.
fn usage(usage: Usage) -> Value {
    let mut json = json!({ "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens, "total_tokens": usage.total() });
    if let Some(cached) = usage.cached_tokens {
        json["prompt_tokens_details"] = json!({ "cached_tokens": cached });
    }
    if let Some(reasoning) = usage.reasoning_tokens {
        json["completion_tokens_details"] = json!({ "reasoning_tokens": reasoning });
    }
    json
}

/// The reply as one body, of `"object": "chat.completion"`. Without counts it has no `usage`.
pub(crate) fn whole(told: &ReplyEnvelope<'_>) -> Value {
    let mut json = json!({
        "id": format!("chatcmpl-{}", told.id), "object": "chat.completion",
        "created": told.created, "model": told.model,
        "choices": [{ "index": 0, "message": said(told, false), "logprobs": Value::Null,
            "finish_reason": finish(told.reply) }],
    });
    if !told.reply.uncounted {
        json["usage"] = usage(told.reply.usage);
    }
    json
}

/// The reply as the events of a stream: the message in one chunk, then the reason for the end,
/// then the counts if the client asked for them (`counts`), then `data: [DONE]`.
pub(crate) fn events(told: &ReplyEnvelope<'_>, counts: bool) -> Vec<String> {
    let chunk = |choices: Value| {
        json!({ "id": format!("chatcmpl-{}", told.id), "object": "chat.completion.chunk",
            "created": told.created, "model": told.model, "choices": choices })
    };
    let choice = |delta: Value, finish: Value| json!([{ "index": 0, "delta": delta, "logprobs": Value::Null, "finish_reason": finish }]);
    // The reply is complete already, so its whole message is one chunk.
    let mut chunks = vec![
        chunk(choice(said(told, true), Value::Null)),
        chunk(choice(json!({}), json!(finish(told.reply)))),
    ];
    // The counts come in a chunk of their own, which has no choices.
    if counts && !told.reply.uncounted {
        let mut last = chunk(json!([]));
        last["usage"] = usage(told.reply.usage);
        chunks.push(last);
    }
    let mut events: Vec<String> = chunks.iter().map(|chunk| format!("data: {chunk}\n\n")).collect();
    events.push("data: [DONE]\n\n".to_owned());
    events
}

/// An error as one body.
pub(crate) fn error(told: &WireErrorBody<'_>) -> Value {
    json!({ "error": { "message": told.message, "type": told.code, "param": told.param,
        "code": told.code } })
}

/// The event that ends a stream with an error.
pub(crate) fn error_event(told: &WireErrorBody<'_>) -> String {
    format!("data: {}\n\n", error(told))
}
