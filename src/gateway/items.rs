//! The same of a conversation in the Responses format: every item, and every part of one, is
//! known, or the call is refused. Much of what this format may name lies with the provider, where
//! nobody here knows how long it is.

use serde_json::Value;

/// Parts whose texts stand in the body.
const TEXTS: [&str; 6] =
    ["input_text", "output_text", "text", "refusal", "summary_text", "reasoning_text"];

/// Why no worst case is known, if none is.
pub(super) fn unbounded(json: &Value) -> Option<String> {
    if !matches!(json["instructions"], Value::Null | Value::String(_)) {
        return Some("`instructions` is no text".to_owned());
    }
    match &json["input"] {
        Value::Null | Value::String(_) => None,
        Value::Array(items) => items.iter().find_map(item),
        _ => Some("`input` is neither a text nor a list".to_owned()),
    }
}

fn item(item: &Value) -> Option<String> {
    let kind = match &item["type"] {
        Value::String(kind) => kind.as_str(),
        Value::Null if item["role"].is_string() => "message",
        _ => "",
    };
    match kind {
        "message" => parts(&item["content"]),
        "function_call" | "custom_tool_call" => None,
        "function_call_output" | "custom_tool_call_output" => parts(&item["output"]),
        // Without it, the provider looks it up.
        "reasoning" if item["encrypted_content"].as_str().is_some_and(|s| !s.is_empty()) => None,
        "reasoning" => Some(
            "reasoning without its `encrypted_content` has a length that nobody knows: ask for \
             `include: [\"reasoning.encrypted_content\"]`, or leave it out"
                .to_owned(),
        ),
        kind => Some(format!("how many tokens an item {kind:?} has is not known")),
    }
}

fn parts(content: &Value) -> Option<String> {
    match content {
        Value::String(_) => None,
        Value::Array(parts) => parts.iter().find_map(part),
        // Nothing is said here, and may be said by what lies there under the item's name.
        _ => Some("what an item says is neither a text nor a list".to_owned()),
    }
}

fn part(part: &Value) -> Option<String> {
    let kind = part["type"].as_str().unwrap_or_default();
    let inline = part["image_url"].as_str().is_some_and(|url| url.starts_with("data:"));
    match kind {
        kind if TEXTS.contains(&kind) => None,
        "input_image" if inline && part["file_id"].is_null() => None,
        "input_image" => Some(
            "an image that stands elsewhere has a size that nobody knows: send it inline"
                .to_owned(),
        ),
        kind => Some(format!("how many tokens {kind:?} has is not known")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn with(item: Value) -> Option<String> {
        unbounded(&json!({ "model": "m", "input": [item] }))
    }

    #[test]
    fn what_lies_with_the_provider_is_refused() {
        let image = json!({ "type": "input_image", "image_url": "https://h/i.png" });
        let file = json!({ "type": "input_file", "file_url": "https://h/f.pdf" });
        for item in [
            json!({ "id": "rs_1" }),
            json!({ "type": null, "id": "rs_1" }),
            json!({ "type": "item_reference", "id": "rs_1", "role": "user" }),
            json!({ "type": "reasoning", "id": "rs_1", "summary": [] }),
            json!({ "type": "input_file", "file_id": "f", "role": "user" }),
            json!({ "type": "computer_call_output", "output": { "type": "computer_screenshot", "file_id": "f" } }),
            json!({ "type": "web_search_call", "id": "ws" }),
            json!({ "type": "reasoning", "id": "rs_1", "encrypted_content": "" }),
            json!({ "role": "user", "id": "msg_1" }),
            json!({ "type": "function_call_output", "call_id": "c" }),
            json!({ "role": "user", "content": [file] }),
            json!({ "role": "user", "content": [image] }),
            json!({ "role": "user", "content": { "type": "input_text" } }),
            json!({ "type": "function_call_output", "call_id": "c", "output": [image] }),
            json!({ "type": "custom_tool_call_output", "call_id": "c", "output": [file] }),
            json!({ "type": "function_call_output", "output": [{ "text": "untyped" }] }),
        ] {
            assert!(with(item.clone()).is_some(), "{item}");
        }
        assert!(unbounded(&json!({ "instructions": [{ "type": "x" }], "input": "go" })).is_some());
    }

    #[test]
    fn what_stands_in_the_body_is_let_through() {
        let inline = json!({ "type": "input_image", "image_url": "data:image/png;base64,A" });
        for item in [
            json!({ "role": "user", "content": "go" }),
            json!({ "type": "message", "role": "user", "content": [inline] }),
            json!({ "type": "reasoning", "id": "rs", "summary": [], "encrypted_content": "x" }),
            json!({ "type": "function_call", "call_id": "c", "name": "f", "arguments": "{}" }),
            json!({ "type": "function_call_output", "call_id": "c", "output": "rain" }),
            json!({ "type": "custom_tool_call_output", "output": [{ "type": "input_text", "text": "x" }] }),
        ] {
            assert_eq!(with(item.clone()), None, "{item}");
        }
        assert_eq!(unbounded(&json!({ "instructions": "be brief", "input": "go" })), None);
    }
}
