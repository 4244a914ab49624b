//! A reply in the OpenAI Responses format: whole, or as the events of a stream.

use super::translate::ReplyEnvelope;
use serde_json::{Value, json};
use synthd_actors::model::{ChatReply, FinishReason, Reasoning, Usage};

/// Whose thoughts are this family's own.
const OWN: &str = "openai-responses";

/// A response.
pub(super) fn whole(told: &ReplyEnvelope<'_>) -> Value {
    let items = items(told).into_iter().map(|item| item.done).collect();
    response(told, status(told.reply), items, counts(told.reply))
}

/// The same as the events of a stream.
pub(super) fn events(told: &ReplyEnvelope<'_>) -> Vec<String> {
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
    let shown = |(number, mut event): (usize, Value)| {
        event["sequence_number"] = json!(number);
        format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap_or_default())
    };
    events.into_iter().enumerate().map(shown).collect()
}

fn status(reply: &ChatReply) -> &'static str {
    match reply.finish {
        FinishReason::Length => "incomplete",
        FinishReason::Stop | FinishReason::ToolCalls | FinishReason::Refusal => "completed",
    }
}

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

/// The format knows no count that is not there: what nobody counted is zero in it, but for all
/// of them together.
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

/// One item: as it begins, what comes of it, as it is.
struct ResponsesReplyItem {
    begun: Value,
    events: Vec<Value>,
    done: Value,
}

fn items(told: &ReplyEnvelope<'_>) -> Vec<ResponsesReplyItem> {
    let message = &told.reply.message;
    let id = |kind: &str, index: usize| format!("{kind}_{}{index}", told.id);
    let mut items = Vec::new();
    match message.reasoning.as_ref() {
        Some(Reasoning { verbatim: Some((family, json)), .. }) if family == OWN => {
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
        let item = |arguments: &str, status: &str| {
            json!({ "type": "function_call", "id": id("fc", index), "call_id": call.id,
                "name": call.name, "arguments": arguments, "status": status })
        };
        let events = vec![
            json!({ "type": "response.function_call_arguments.delta", "delta": call.arguments }),
            json!({ "type": "response.function_call_arguments.done", "name": call.name,
                "arguments": call.arguments }),
        ];
        ResponsesReplyItem {
            begun: item("", "in_progress"),
            events,
            done: item(&call.arguments, "completed"),
        }
    });
    items.extend(calls);
    items
}

/// What a model of this family thought, as it may go back to it.
fn own_thoughts(json: &str) -> Vec<ResponsesReplyItem> {
    let items: Vec<Value> = serde_json::from_str(json).unwrap_or_default();
    let thoughts = items.into_iter().filter(|item| item["type"] == "reasoning");
    let whole =
        |item: Value| ResponsesReplyItem { begun: item.clone(), events: Vec::new(), done: item };
    thoughts.map(whole).collect()
}

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

/// What was said, or that nothing will be.
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

#[cfg(test)]
mod tests {
    use super::*;
    use synthd_actors::model::{ChatMessage, ChatRole};

    /// Without what is encrypted in it, a thought that goes back is refused.
    #[test]
    fn a_models_own_thoughts_are_told_again_as_they_were() {
        let thought = json!({ "type": "reasoning", "id": "rs_1", "summary": [],
            "encrypted_content": "secret" });
        let verbatim = json!([thought, { "type": "message", "content": [] }]).to_string();
        let reasoning =
            Reasoning { text: "hm".to_owned(), verbatim: Some((OWN.to_owned(), verbatim)) };
        let message = ChatMessage {
            reasoning: Some(reasoning),
            ..ChatMessage::text(ChatRole::Assistant, "so")
        };
        let reply = ChatReply::new(message, FinishReason::Stop, Usage::default());
        let told = ReplyEnvelope { reply: &reply, model: "m", id: "1".to_owned(), created: 0 };
        let output = whole(&told)["output"].clone();
        assert_eq!(output[0], thought);
        assert_eq!(output[1]["content"][0]["text"], "so");
        assert!(events(&told).concat().contains("\"encrypted_content\":\"secret\""));
    }
}
