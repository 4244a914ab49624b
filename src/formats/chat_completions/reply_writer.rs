//! Writes a reply in the OpenAI chat format, as a whole body ([`whole`]) or as the events of a
//! stream ([`events`]), and the errors of this format.

use super::request_writer::call as function_call;
use crate::formats::writing::envelope::{ReplyEnvelope, WireErrorBody};
use serde_json::{Value, json};
use synthd_actors::model::{ChatReply, FinishReason, ToolCall, Usage};

/// The format's word for why the reply ended.
fn finish(reply: &ChatReply) -> &'static str {
    match reply.finish {
        FinishReason::Stop => "stop",
        FinishReason::ToolCalls => "tool_calls",
        FinishReason::Length => "length",
        FinishReason::Refusal => "content_filter",
    }
}

/// A tool call, of the kind that its tool has.
fn tool_call(told: &ReplyEnvelope<'_>, call: &ToolCall) -> Value {
    if !told.is_custom(call) {
        return function_call(call);
    }
    let custom = json!({ "name": call.name, "input": call.arguments });
    json!({ "id": call.id, "type": "custom", "custom": custom })
}

/// The tool calls of a reply. In a stream they are `numbered`: each piece says its index.
fn calls(told: &ReplyEnvelope<'_>, numbered: bool) -> Value {
    let calls = told.reply.message.tool_calls.iter().enumerate().map(|(index, call)| {
        let mut json = tool_call(told, call);
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
        json["tool_calls"] = calls(told, numbered);
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
    told.openai_body()
}

/// The event that ends a stream with an error.
pub(crate) fn error_event(told: &WireErrorBody<'_>) -> String {
    format!("data: {}\n\n", error(told))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::chat_completions::OpenAiReplyBuilder;
    use crate::formats::reading::events::ReplyBuilder;
    use synthd_actors::model::{ChatMessage, ChatRole};

    /// A client that gets a function's call knows no function of that name.
    #[test]
    fn a_call_with_plain_text_is_told_as_one() {
        let call = |name: &str, arguments: &str| ToolCall {
            id: format!("call-{name}"),
            name: name.to_owned(),
            arguments: arguments.to_owned(),
        };
        let message = ChatMessage {
            tool_calls: vec![call("apply_patch", "*** Begin"), call("look", "{}")],
            ..ChatMessage::text(ChatRole::Assistant, "")
        };
        let reply = ChatReply::new(message, FinishReason::ToolCalls, Usage::of(1, 1));
        let told = ReplyEnvelope {
            reply: &reply,
            model: "m",
            id: "1".to_owned(),
            created: 0,
            custom_tools: vec!["apply_patch"],
        };
        let body = whole(&told);
        let calls = &body["choices"][0]["message"]["tool_calls"];
        let custom = json!({ "name": "apply_patch", "input": "*** Begin" });
        let expected = json!({ "id": "call-apply_patch", "type": "custom", "custom": custom });
        assert_eq!(calls[0], expected);
        assert_eq!(
            (&calls[1]["type"], &calls[1]["function"]["name"]),
            (&json!("function"), &json!("look"))
        );
        let mut heard = OpenAiReplyBuilder::default();
        heard.whole(body.to_string().as_bytes()).unwrap();
        assert_eq!(heard.reply().unwrap().message.tool_calls, reply.message.tool_calls);
        assert!(events(&told, false).concat().contains("\"input\":\"*** Begin\""));
    }
}
