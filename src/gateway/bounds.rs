//! What a call to a model with a price may hold, so that its worst case is known: only what is
//! known to cost no more than its tokens. Whatever a provider thinks of tomorrow is refused
//! until somebody has looked at its price.

use super::asked::Asked;
use super::items;
use crate::llm::Family;
use serde_json::Value;

/// Keys of a request that change what is said, and not what a token costs.
const CHAT: [&str; 34] = [
    "model",
    "messages",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "stop",
    "max_tokens",
    "max_completion_tokens",
    "stream",
    "stream_options",
    "n",
    "user",
    "metadata",
    "safety_identifier",
    "prompt_cache_key",
    "seed",
    "presence_penalty",
    "frequency_penalty",
    "repetition_penalty",
    "logit_bias",
    "logprobs",
    "top_logprobs",
    "response_format",
    "reasoning_effort",
    "reasoning",
    "thinking",
    "thinking_budget",
    "verbosity",
    "store",
    "enable_thinking",
];
const MESSAGES: [&str; 14] = [
    "model",
    "messages",
    "system",
    "tools",
    "tool_choice",
    "temperature",
    "top_p",
    "top_k",
    "stop_sequences",
    "max_tokens",
    "stream",
    "metadata",
    "thinking",
    "output_config",
];
const RESPONSES: [&str; 22] = [
    "model",
    "input",
    "instructions",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "max_tool_calls",
    "temperature",
    "top_p",
    "top_logprobs",
    "max_output_tokens",
    "stream",
    "stream_options",
    "user",
    "metadata",
    "safety_identifier",
    "prompt_cache_key",
    "store",
    "include",
    "truncation",
    "reasoning",
    "text",
];
/// And some that do in some of their values.
const TIERS: [&str; 4] = ["auto", "default", "flex", "standard_only"];
/// Tools that the client runs itself.
const OWN_TOOLS: [&str; 6] =
    ["function", "custom", "bash_", "text_editor_", "memory_", "computer_"];
const TEXTS: [&str; 6] =
    ["text", "refusal", "tool_use", "tool_result", "thinking", "redacted_thinking"];
const IMAGES: [&str; 3] = ["image_url", "image", "input_image"];

/// Why no worst case is known, if none is. `writes` says whether the price of a cache's write
/// is.
pub(super) fn unbounded(asked: &Asked, writes: bool) -> Option<String> {
    let json = &asked.json;
    let known: &[&str] = match asked.family {
        Family::OpenAiChat => &CHAT,
        Family::Anthropic => &MESSAGES,
        Family::Responses => &RESPONSES,
    };
    let tier = |key: &str, value: &Value| {
        key == "service_tier" && value.as_str().is_some_and(|tier| TIERS.contains(&tier))
    };
    let keys = json.as_object().into_iter().flatten();
    let mut strange = keys.filter(|(key, value)| {
        !value.is_null() && *value != false && !known.contains(&key.as_str()) && !tier(key, value)
    });
    if let Some((key, value)) = strange.next() {
        let value = value.as_str().map_or_else(String::new, |value| format!(" ({value:.40})"));
        return Some(format!("`{key}`{value} may have a price of its own"));
    }
    let tools = json["tools"].as_array().into_iter().flatten();
    let mut kinds = tools.filter_map(|tool| tool["type"].as_str());
    if let Some(kind) = kinds.find(|kind| !OWN_TOOLS.iter().any(|own| kind.starts_with(own))) {
        return Some(format!("the tool {kind} is run by the provider, at a price of its own"));
    }
    let places = ["system", "tools", "messages", "input"].map(|key| &json[key]);
    if let Some(why) = places.iter().find_map(|place| cached(place, writes)) {
        return Some(why.to_owned());
    }
    if asked.family == Family::Responses {
        return items::unbounded(json);
    }
    places.iter().find_map(|place| foreign(place))
}

/// What is asked of a cache that the prices do not cover.
fn cached(json: &Value, writes: bool) -> Option<&'static str> {
    match json {
        Value::Array(items) => items.iter().find_map(|item| cached(item, writes)),
        Value::Object(object) => {
            let control = object.get("cache_control").filter(|control| !control.is_null());
            match control {
                Some(control) if control["ttl"] == "1h" => {
                    Some("a cache that is kept for an hour has a price of its own")
                }
                Some(_) if !writes => {
                    Some("`cache_control` is asked for, and this model has no `cache_write` price")
                }
                _ => {
                    let inside =
                        ["content", "output"].into_iter().filter_map(|key| object.get(key));
                    inside.filter_map(|inside| cached(inside, writes)).next()
                }
            }
        }
        _ => None,
    }
}

/// A part of a message whose size nobody knows.
fn foreign(json: &Value) -> Option<String> {
    match json {
        Value::Array(items) => items.iter().find_map(foreign),
        Value::Object(object) => {
            let kind = object.get("type").and_then(Value::as_str);
            if kind.is_some_and(|kind| IMAGES.contains(&kind)) {
                return (!is_inline(json)).then(|| {
                    "an image that stands elsewhere has a size that nobody knows: send it inline"
                        .to_owned()
                });
            }
            let is_message = object.contains_key("role") || object.contains_key("input_schema");
            let is_tool = object.contains_key("function");
            match kind {
                Some(kind) if !is_message && !is_tool && !TEXTS.contains(&kind) => {
                    let own = OWN_TOOLS.iter().any(|own| kind.starts_with(own));
                    (!own).then(|| format!("how many tokens {kind:?} has is not known"))
                }
                // The arguments of a call may look like anything.
                Some("tool_use") => None,
                _ => object.get("content").and_then(foreign),
            }
        }
        _ => None,
    }
}

fn is_inline(part: &Value) -> bool {
    let url = part["image_url"]["url"].as_str().or(part["image_url"].as_str());
    url.is_some_and(|url| url.starts_with("data:")) || part["source"]["type"] == "base64"
}

/// How many images a conversation holds.
pub(super) fn images(json: &Value) -> u64 {
    match json {
        Value::Array(items) => items.iter().map(images).sum(),
        Value::Object(object) => {
            let kind = object.get("type").and_then(Value::as_str).unwrap_or_default();
            let inside = ["content", "messages", "system", "input", "output"].into_iter();
            let inside: u64 = inside.filter_map(|key| object.get(key)).map(images).sum();
            u64::from(IMAGES.contains(&kind)) + inside
        }
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use serde_json::json;

    fn why(family: Family, json: Value) -> Option<String> {
        let asked = Asked::read(family, Bytes::from(json.to_string())).ok().unwrap();
        unbounded(&asked, false)
    }

    fn message(part: Value) -> Value {
        json!({ "model": "m", "messages": [{ "role": "user", "content": [part] }] })
    }

    #[test]
    fn what_no_cap_covers_is_refused() {
        for json in [
            json!({ "model": "m", "input": [{ "role": "user", "content": [
                { "type": "input_text", "text": "x", "cache_control": { "type": "ephemeral" } }] }] }),
            json!({ "model": "m", "input": [{ "type": "function_call_output", "output": [
                { "type": "input_text", "text": "x", "cache_control": { "ttl": "1h" } }] }] }),
            json!({ "model": "m", "tools": [{ "type": "web_search_20250305" }] }),
            json!({ "model": "m", "service_tier": "priority" }),
            json!({ "model": "m", "service_tier": "fast" }),
            json!({ "model": "m", "speed": "fast" }),
            json!({ "model": "m", "models": ["a/b"] }),
            json!({ "model": "m", "plugins": [{ "id": "web" }] }),
            json!({ "model": "m", "enable_search": true }),
            json!({ "model": "m", "web_search_options": {} }),
            json!({ "model": "m", "cache_control": { "type": "ephemeral" } }),
            json!({ "model": "m", "system": [{ "type": "text", "cache_control": { "ttl": "1h" } }] }),
            json!({ "model": "m", "system": [{ "type": "text", "cache_control": { "type": "ephemeral" } }] }),
            message(json!({ "type": "image_url", "image_url": { "url": "https://h/i.png" } })),
            message(json!({ "type": "image_url", "image_url": "https://h/i.png" })),
            message(json!({ "type": "file", "file": { "file_id": "f" } })),
            message(json!({ "type": "input_audio", "input_audio": {} })),
            message(json!({ "type": "document", "source": { "type": "base64" } })),
            message(json!({ "type": "image", "source": { "type": "url", "url": "https://h" } })),
        ] {
            for family in [Family::OpenAiChat, Family::Anthropic, Family::Responses] {
                assert!(why(family, json.clone()).is_some(), "{json}");
            }
        }
    }

    #[test]
    fn what_costs_its_tokens_alone_is_let_through() {
        let image =
            json!({ "type": "image_url", "image_url": { "url": "data:image/png;base64,A" } });
        for json in [
            message(image.clone()),
            message(json!({ "type": "tool_use", "id": "t", "input": { "type": "url" } })),
            message(json!({ "type": "tool_result", "content": [{ "type": "text", "text": "x" }] })),
            json!({ "model": "m", "seed": 1, "tools": [{ "type": "function", "function": {} }] }),
            json!({ "model": "m", "service_tier": "flex", "stream_options": Value::Null }),
        ] {
            assert_eq!(why(Family::OpenAiChat, json.clone()), None, "{json}");
        }
        let tools = json!([{ "type": "bash_20250124", "name": "bash" },
            { "name": "look", "input_schema": { "type": "object" } }]);
        let json = json!({ "model": "m", "thinking": { "type": "disabled" }, "tools": tools });
        assert_eq!(why(Family::Anthropic, json), None);
        assert_eq!(images(&message(image)), 1);
    }
}
