//! Writes a reply in the OpenAI Responses format, as a whole body ([`whole`]) or as the events of
//! a stream ([`events`]), and the errors of this format.
//!
//! A reply is a list of items here: reasoning, one message, and each tool call. In a stream, each
//! item begins empty, is filled by deltas, and is repeated complete at its end. All events have a
//! `sequence_number`, which grows from zero.

use super::FAMILY;
use super::items::{CALL, CUSTOM_CALL, arguments_key, call_item};
use crate::formats::writing::envelope::{ReplyEnvelope, WireErrorBody};
use serde_json::{Value, json};
use synthd_actors::model::{ChatReply, FinishReason, Reasoning, ToolCall, Usage};

/// The reply as one body, of `"object": "response"`.
pub(crate) fn whole(told: &ReplyEnvelope<'_>) -> Value {
    let items = items(told).into_iter().map(|item| item.done).collect();
    response(told, status(told.reply), items, counts(told.reply))
}

/// The reply as the events of a stream, from `response.created` to `response.completed` (or
/// `response.incomplete`, if the output limit was reached).
pub(crate) fn events(told: &ReplyEnvelope<'_>) -> Vec<String> {
    // The first two events show the reply without any content.
    let begun = response(told, "in_progress", json!([]), Value::Null);
    let mut events = vec![
        json!({ "type": "response.created", "response": begun }),
        json!({ "type": "response.in_progress", "response": begun }),
    ];
    for (index, item) in items(told).into_iter().enumerate() {
        events.push(json!({ "type": "response.output_item.added", "output_index": index,
            "item": item.begun }));
        for mut event in item.events {
            event["output_index"] = json!(index);
            event["item_id"] = item.done["id"].clone();
            events.push(event);
        }
        events.push(json!({ "type": "response.output_item.done", "output_index": index,
            "item": item.done }));
    }
    let end = match status(told.reply) {
        "incomplete" => "response.incomplete",
        _ => "response.completed",
    };
    events.push(json!({ "type": end, "response": whole(told) }));
    // The format has the type twice: in the line `event:` and in the JSON.
    let shown = |(number, mut event): (usize, Value)| {
        event["sequence_number"] = json!(number);
        format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap_or_default())
    };
    events.into_iter().enumerate().map(shown).collect()
}

/// The format's word for how the reply ended.
fn status(reply: &ChatReply) -> &'static str {
    match reply.finish {
        FinishReason::Length => "incomplete",
        FinishReason::Stop | FinishReason::ToolCalls | FinishReason::Refusal => "completed",
    }
}

/// The envelope of a reply. Fields that repeat the request have neutral values, because only the
/// reply is known here.
fn response(told: &ReplyEnvelope<'_>, status: &str, output: Value, usage: Value) -> Value {
    let cut = match status {
        "incomplete" => json!({ "reason": "max_output_tokens" }),
        _ => Value::Null,
    };
    json!({ "id": format!("resp_{}", told.id), "object": "response", "created_at": told.created,
        "status": status, "error": Value::Null, "incomplete_details": cut,
        "instructions": Value::Null, "metadata": {}, "model": told.model, "output": output,
        "parallel_tool_calls": true, "temperature": Value::Null, "tool_choice": "auto",
        "tools": [], "top_p": Value::Null, "usage": usage })
}

/// The token counts. This format has no value for "not counted": a detail that nobody counted is
/// zero. If nothing at all was counted, the whole object is `null`.
fn counts(reply: &ChatReply) -> Value {
    if reply.uncounted {
        return Value::Null;
    }
    let Usage { input_tokens, output_tokens, .. } = reply.usage;
    json!({ "input_tokens": input_tokens, "output_tokens": output_tokens,
        "total_tokens": reply.usage.total(),
        "input_tokens_details": { "cached_tokens": reply.usage.cached_tokens.unwrap_or(0),
            "cache_write_tokens": reply.usage.cache_write_tokens.unwrap_or(0) },
        "output_tokens_details": { "reasoning_tokens": reply.usage.reasoning_tokens.unwrap_or(0) } })
}

/// One item of a reply, ready for a whole body and for a stream.
struct ResponsesReplyItem {
    /// The item as a stream begins it, without content. Reasoning of this format is complete at
    /// once.
    begun: Value,
    /// The events that fill it. `events` adds its id and its index.
    events: Vec<Value>,
    /// The complete item.
    done: Value,
}

/// The items of a reply: all reasoning, then the message, then the tool calls, whatever the order
/// in which the model wrote them. Without a tool call there is always a message, even if its text
/// is empty, because clients expect one.
fn items(told: &ReplyEnvelope<'_>) -> Vec<ResponsesReplyItem> {
    let message = &told.reply.message;
    let id = |kind: &str, index: usize| format!("{kind}_{}{index}", told.id);
    let mut items = Vec::new();
    match message.reasoning.as_ref() {
        // Only reasoning of this format can be sent back by the client as it is.
        Some(Reasoning { verbatim: Some((family, json)), .. }) if family == FAMILY => {
            items.extend(own_thoughts(json));
        }
        Some(Reasoning { text, .. }) if !text.is_empty() => {
            items.push(reasoning(&id("rs", 0), text));
        }
        _ => {}
    }
    if !message.content.is_empty() || message.tool_calls.is_empty() {
        items.push(text(&id("msg", 0), &message.content, told.reply.finish));
    }
    let calls = message.tool_calls.iter().enumerate().map(|(index, call)| {
        if told.is_custom(call) {
            custom(&id("ctc", index), call)
        } else {
            function(&id("fc", index), call)
        }
    });
    items.extend(calls);
    items
}

/// A call of a function. Its arguments are complete already, so they are one piece.
fn function(id: &str, call: &ToolCall) -> ResponsesReplyItem {
    let events = vec![
        json!({ "type": "response.function_call_arguments.delta", "delta": call.arguments }),
        json!({ "type": "response.function_call_arguments.done", "name": call.name,
            "arguments": call.arguments }),
    ];
    tool_call(CALL, id, call, events)
}

/// A call of a tool whose argument is plain text.
fn custom(id: &str, call: &ToolCall) -> ResponsesReplyItem {
    let events = vec![
        json!({ "type": "response.custom_tool_call_input.delta", "delta": call.arguments }),
        json!({ "type": "response.custom_tool_call_input.done", "input": call.arguments }),
    ];
    tool_call(CUSTOM_CALL, id, call, events)
}

/// A call of either type, which `events` fill.
fn tool_call(kind: &str, id: &str, call: &ToolCall, events: Vec<Value>) -> ResponsesReplyItem {
    let item = |arguments: &str, status: &str| {
        let mut item = call_item(kind, call);
        item["id"] = json!(id);
        item[arguments_key(kind)] = json!(arguments);
        item["status"] = json!(status);
        item
    };
    ResponsesReplyItem {
        begun: item("", "in_progress"),
        events,
        done: item(&call.arguments, "completed"),
    }
}

/// Reasoning that a model of this format has produced, unchanged, so that the client can send it
/// back to that model.
fn own_thoughts(json: &str) -> Vec<ResponsesReplyItem> {
    let items: Vec<Value> = serde_json::from_str(json).unwrap_or_default();
    let thoughts = items.into_iter().filter(|item| item["type"] == "reasoning");
    let whole =
        |item: Value| ResponsesReplyItem { begun: item.clone(), events: Vec::new(), done: item };
    thoughts.map(whole).collect()
}

/// Reasoning of another model, as a summary in plain text.
fn reasoning(id: &str, thought: &str) -> ResponsesReplyItem {
    let item = |summary: Value| json!({ "type": "reasoning", "id": id, "summary": summary });
    let part = |text: &str| json!({ "type": "summary_text", "text": text });
    let event = |kind: &str, key: &str, value: Value| {
        let mut event = json!({ "type": format!("response.reasoning_summary_{kind}"),
            "summary_index": 0 });
        event[key] = value;
        event
    };
    let events = vec![
        event("part.added", "part", part("")),
        event("text.delta", "delta", json!(thought)),
        event("text.done", "text", json!(thought)),
        event("part.done", "part", part(thought)),
    ];
    ResponsesReplyItem { begun: item(json!([])), events, done: item(json!([part(thought)])) }
}

/// The message of a reply: its text, or its refusal if the model declined.
fn text(id: &str, said: &str, finish: FinishReason) -> ResponsesReplyItem {
    let item = |content: Value, status: &str| {
        json!({ "type": "message", "id": id, "role": "assistant", "status": status,
            "content": content })
    };
    let refused = finish == FinishReason::Refusal;
    let (kind, key) = if refused { ("refusal", "refusal") } else { ("output_text", "text") };
    let part = |text: &str| match refused {
        true => json!({ "type": kind, key: text }),
        false => json!({ "type": kind, key: text, "annotations": [], "logprobs": [] }),
    };
    let event = |kind: &str, key: &str, value: Value| {
        let mut event = json!({ "type": format!("response.{kind}"), "content_index": 0 });
        // Only the events of text have this key.
        if kind.starts_with("output_text") {
            event["logprobs"] = json!([]);
        }
        event[key] = value;
        event
    };
    let events = vec![
        event("content_part.added", "part", part("")),
        event(&format!("{kind}.delta"), "delta", json!(said)),
        event(&format!("{kind}.done"), key, json!(said)),
        event("content_part.done", "part", part(said)),
    ];
    let status = if finish == FinishReason::Length { "incomplete" } else { "completed" };
    ResponsesReplyItem {
        begun: item(json!([]), "in_progress"),
        events,
        done: item(json!([part(said)]), status),
    }
}

/// An error as one body.
pub(crate) fn error(told: &WireErrorBody<'_>) -> Value {
    told.openai_body()
}

/// The event that ends a stream with an error.
pub(crate) fn error_event(told: &WireErrorBody<'_>) -> String {
    let event = json!({ "type": "error", "code": told.code, "message": told.message,
        "param": told.param, "sequence_number": 0 });
    format!("event: error\ndata: {event}\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::reading::events::{ReplyBuilder, event_data};
    use crate::formats::responses::ResponsesReplyBuilder;
    use synthd_actors::model::{ChatMessage, ChatRole};

    fn told<'a>(reply: &'a ChatReply, custom_tools: Vec<&'a str>) -> ReplyEnvelope<'a> {
        ReplyEnvelope { reply, model: "m", id: "1".to_owned(), created: 0, custom_tools }
    }

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
        let told = told(&reply, vec!["apply_patch"]);
        let output = whole(&told)["output"].clone();
        let expected = json!({ "type": "custom_tool_call", "call_id": "call-apply_patch",
            "name": "apply_patch", "input": "*** Begin", "id": "ctc_10", "status": "completed" });
        assert_eq!(output[0], expected);
        assert_eq!((&output[1]["type"], &output[1]["id"]), (&json!(CALL), &json!("fc_11")));
        let events = events(&told);
        let pieces = ["custom_tool_call_input.delta", "custom_tool_call_input.done"];
        assert!(pieces.iter().all(|piece| events.concat().contains(piece)));
        let mut heard = ResponsesReplyBuilder::default();
        for event in &events {
            assert!(heard.event(&event_data(event.as_bytes())).is_ok());
        }
        assert_eq!(heard.reply().unwrap().message.tool_calls, reply.message.tool_calls);
    }

    /// Without what is encrypted in it, a thought that goes back is refused.
    #[test]
    fn a_models_own_thoughts_are_told_again_as_they_were() {
        let thought = json!({ "type": "reasoning", "id": "rs_1", "summary": [],
            "encrypted_content": "secret" });
        let verbatim = json!([thought, { "type": "message", "content": [] }]).to_string();
        let reasoning =
            Reasoning { text: "hm".to_owned(), verbatim: Some((FAMILY.to_owned(), verbatim)) };
        let message = ChatMessage {
            reasoning: Some(reasoning),
            ..ChatMessage::text(ChatRole::Assistant, "so")
        };
        let reply = ChatReply::new(message, FinishReason::Stop, Usage::default());
        let told = told(&reply, Vec::new());
        let output = whole(&told)["output"].clone();
        assert_eq!(output[0], thought);
        assert_eq!(output[1]["content"][0]["text"], "so");
        assert!(events(&told).concat().contains("\"encrypted_content\":\"secret\""));
    }
}
