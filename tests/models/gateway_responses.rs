//! A provider that speaks the Responses format, and misbehaves when it is told to.

use super::gateway::{Format, end, whole};
use super::host::{Act, Host, events_begin};
use serde_json::{Value, json};

/// Its part of a gateway's file.
pub(super) fn section(host: &Host) -> String {
    format!(
        "[providers.resp]\ndialect = \"responses\"\nbase_url = \"{}\"\n\
         key_env = \"SYNTHD_TEST_KEY\"\n[[models]]\nname = \"resp/responses-1\"\n\
         price = {{ input = \"1.00\", output = \"2.00\" }}\n",
        host.url()
    )
}

fn response(status: &str, output: Value) -> Value {
    json!({ "id": "resp_1", "object": "response", "created_at": 1, "status": status,
        "error": null, "incomplete_details": null, "instructions": null, "metadata": {},
        "model": "responses-1-x", "output": output, "parallel_tool_calls": true,
        "temperature": 1.0, "tool_choice": "auto", "tools": [], "top_p": 1.0,
        "usage": { "input_tokens": 100, "output_tokens": 20, "total_tokens": 120,
            "input_tokens_details": { "cached_tokens": 0, "cache_write_tokens": 0 },
            "output_tokens_details": { "reasoning_tokens": 0 } } })
}

fn message(text: &str) -> Value {
    json!({ "type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
        "content": [{ "type": "output_text", "text": text, "annotations": [], "logprobs": [] }] })
}

fn call(index: usize, city: &str) -> Value {
    json!({ "type": "function_call", "id": format!("fc_{index}"), "call_id": format!("call_{index}"),
        "name": "weather", "arguments": format!("{{\"city\":\"{city}\"}}"), "status": "completed" })
}

/// Numbered, and with the item's own events in between.
fn told(items: &[Value]) -> Vec<Value> {
    let begun = response("in_progress", json!([]));
    let mut told = vec![json!({ "type": "response.created", "response": begun })];
    for (index, item) in items.iter().enumerate() {
        told.push(
            json!({ "type": "response.output_item.added", "output_index": index, "item": item }),
        );
        if let Some(text) = item["content"][0]["text"].as_str() {
            told.push(json!({ "type": "response.output_text.delta", "output_index": index,
                "content_index": 0, "item_id": item["id"], "delta": text, "logprobs": [] }));
        }
        told.push(
            json!({ "type": "response.output_item.done", "output_index": index, "item": item }),
        );
    }
    let ended = response("completed", json!(items));
    told.push(json!({ "type": "response.completed", "response": ended }));
    for (number, event) in told.iter_mut().enumerate() {
        event["sequence_number"] = json!(number);
    }
    told
}

fn events(events: &[Value]) -> Vec<Act> {
    let named = |event: &Value| {
        let name = event["type"].as_str().unwrap();
        Act::Say(format!("event: {name}\ndata: {event}\n\n").into_bytes())
    };
    [vec![events_begin()], events.iter().map(named).collect()].concat()
}

fn items(items: &[Value], stream: bool) -> Vec<Act> {
    match stream {
        true => events(&told(items)),
        false => whole(&response("completed", json!(items))),
    }
}

pub(super) const RESPONSES: Format = Format {
    says: |text, stream| items(&[message(text)], stream),
    calls: |stream| items(&[call(0, "Ulm"), call(1, "Bern")], stream),
    malformed: super::gateway::broken_json,
    broken: |how| {
        let begun = events(&told(&[message("He")])[..3]);
        let failed = json!({ "type": "response.failed", "sequence_number": 3,
            "response": { "error": { "code": "server_error", "message": "it broke" },
                "id": "resp_1", "object": "response", "created_at": 1, "model": "m",
                "output": [], "parallel_tool_calls": true, "tool_choice": "auto", "tools": [] } });
        [begun, end(how, format!("event: response.failed\ndata: {failed}\n\n"))].concat()
    },
    counted: |_, _| vec![],
};
