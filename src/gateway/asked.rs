//! What is read of a request before anything is done with it: which model, whether a stream,
//! how much it may use at most, and whether that can be known at all.

use super::refusal::Refusal;
use super::splice::Object;
use crate::llm::{Family, Upstream};
use bytes::Bytes;
use serde_json::{Value, json};
use synthd_actors::model::Usage;

/// Tokens that providers add of their own, for tools above all.
const OVERHEAD: u64 = 1_024;
const MOST_CHOICES: u64 = 128;

/// A request as far as the gateway must understand it.
pub(super) struct Asked {
    pub(super) family: Family,
    pub(super) body: Bytes,
    pub(super) json: Value,
    pub(super) model: String,
    pub(super) stream: bool,
    /// Whether the client wants the counts of a stream.
    pub(super) counts: bool,
    cap: Option<u64>,
    choices: u64,
}

impl Asked {
    pub(super) fn read(family: Family, body: Bytes) -> Result<Self, Refusal> {
        let json: Value = serde_json::from_slice(&body)
            .map_err(|error| Refusal::bad(format!("the body is not JSON: {error}")))?;
        let Some(object) = json.as_object() else {
            return Err(Refusal::bad("the body is not a JSON object"));
        };
        let Some(model) = object.get("model").and_then(Value::as_str) else {
            return Err(Refusal::bad("the body names no model"));
        };
        let caps = ["max_completion_tokens", "max_tokens"].map(|key| number(&json, key));
        let [first, second] = caps;
        let cap = match (first?, second?) {
            (Some(first), Some(second)) => Some(first.max(second)),
            (first, second) => first.or(second),
        };
        let choices = number(&json, "n")?.unwrap_or(1);
        if choices == 0 || choices > MOST_CHOICES {
            return Err(Refusal::bad(format!("`n` is not between 1 and {MOST_CHOICES}")));
        }
        let stream = json["stream"] == true;
        let counts = json["stream_options"]["include_usage"] == true;
        let model = model.to_owned();
        Ok(Self { family, body, model, stream, counts, cap, choices, json })
    }

    /// The cap that will be sent.
    pub(super) fn cap(&self, usual: u32) -> u64 {
        self.cap.unwrap_or(u64::from(usual))
    }

    /// The most that the call may use: no tokenizer makes more tokens than bytes.
    pub(super) fn worst(&self, usual: u32) -> Usage {
        let output = self.cap(usual).saturating_mul(self.choices);
        Usage::of(self.body.len() as u64 + OVERHEAD, output)
    }

    /// What would cost something that no cap covers.
    pub(super) fn unbounded(&self) -> Option<String> {
        let tools = self.json["tools"].as_array().into_iter().flatten();
        let mut kinds = tools.filter_map(|tool| tool["type"].as_str());
        if let Some(kind) = kinds.find(|kind| !["function", "custom"].contains(kind)) {
            return Some(format!("the tool {kind} is run by the provider, at a price of its own"));
        }
        if self.json["service_tier"].as_str().is_some_and(|tier| tier == "priority") {
            return Some("the service tier `priority` has a price of its own".to_owned());
        }
        let key = ["web_search_options", "audio", "mcp_servers", "container"]
            .into_iter()
            .find(|key| !self.json[key].is_null());
        if let Some(key) = key {
            return Some(format!("`{key}` has a price of its own"));
        }
        if ["system", "tools", "messages"].iter().any(|key| caches_long(&self.json[*key])) {
            return Some("a cache that is kept for an hour has a price of its own".to_owned());
        }
        refers(&self.json["messages"]).then(|| {
            "what stands elsewhere (a URL, a file's id) has a size that nobody knows; send its \
             content"
                .to_owned()
        })
    }

    /// The body with the model as its provider names it.
    pub(super) fn named(&self, model: &str) -> Result<Bytes, Refusal> {
        let unreadable = |error: serde_json::Error| Refusal::bad(error.to_string());
        let mut object = Object::read(&self.body).map_err(unreadable)?;
        object.set("model", json!(model));
        object.write().map(Bytes::from).map_err(unreadable)
    }

    /// The body as the provider of the same family is to have it: the client's own bytes, but
    /// for the name of the model, a cap and the counts, where they are missing.
    pub(super) fn for_upstream(&self, upstream: &Upstream, usual: u32) -> Result<Bytes, Refusal> {
        let uncounted = self.stream && !self.counts && upstream.asks_for_usage;
        if self.model == upstream.model && self.cap.is_some() && !uncounted {
            return Ok(self.body.clone());
        }
        let unreadable = |error: serde_json::Error| Refusal::bad(error.to_string());
        let mut object = Object::read(&self.body).map_err(unreadable)?;
        object.set("model", json!(upstream.model));
        if self.cap.is_none() {
            object.set(upstream.cap, json!(usual));
        }
        if uncounted {
            let mut options = self.json["stream_options"].clone();
            match options.as_object_mut() {
                Some(options) => drop(options.insert("include_usage".to_owned(), json!(true))),
                None => options = json!({ "include_usage": true }),
            }
            object.set("stream_options", options);
        }
        object.write().map(Bytes::from).map_err(unreadable)
    }
}

fn number(json: &Value, key: &str) -> Result<Option<u64>, Refusal> {
    match &json[key] {
        Value::Null => Ok(None),
        value => match value.as_u64() {
            Some(number) => Ok(Some(number)),
            None => Err(Refusal::bad(format!("`{key}` is not a whole number"))),
        },
    }
}

/// Whether anything is to be cached for longer than the price of a write is for.
fn caches_long(json: &Value) -> bool {
    match json {
        Value::Array(items) => items.iter().any(caches_long),
        Value::Object(object) => {
            object.get("cache_control").is_some_and(|control| control["ttl"] == "1h")
                || object.get("content").is_some_and(caches_long)
        }
        _ => false,
    }
}

/// Whether a message refers to something that it does not hold.
fn refers(json: &Value) -> bool {
    match json {
        Value::Array(items) => items.iter().any(refers),
        Value::Object(object) => {
            let elsewhere = |url: &Value| url.as_str().is_some_and(|url| !url.starts_with("data:"));
            let kind = object.get("type").and_then(Value::as_str).unwrap_or_default();
            let found = match kind {
                // The arguments of a call may look like anything.
                "tool_use" => return false,
                "image_url" => object.get("image_url").is_some_and(|i| elsewhere(&i["url"])),
                "file" => object.get("file").unwrap_or(json)["file_id"].is_string(),
                "url" => true,
                _ => false,
            };
            found || ["content", "source"].iter().filter_map(|key| object.get(*key)).any(refers)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(json: Value) -> Result<Asked, Refusal> {
        Asked::read(Family::OpenAiChat, Bytes::from(json.to_string()))
    }

    #[test]
    fn what_is_no_request_is_told() {
        for bad in [
            json!([]),
            json!({}),
            json!({ "model": 1 }),
            json!({ "model": "m", "n": 0 }),
            json!({ "model": "m", "max_tokens": -1 }),
            json!({ "model": "m", "n": 1_000_000 }),
        ] {
            assert_eq!(asked(bad.clone()).err().map(|refusal| refusal.status), Some(400), "{bad}");
        }
    }

    #[test]
    fn the_worst_case_covers_every_choice_and_both_caps() {
        let asked =
            asked(json!({ "model": "m", "n": 3, "max_tokens": 5, "max_completion_tokens": 7 }));
        let asked = asked.ok().unwrap();
        assert_eq!(asked.worst(100).output_tokens, 21);
        assert!(asked.worst(100).input_tokens > asked.body.len() as u64);
    }

    #[test]
    fn what_no_cap_covers_is_found() {
        let message = |part: Value| json!({ "model": "m", "messages": [{ "role": "user", "content": [part] }] });
        let unbounded = [
            json!({ "model": "m", "tools": [{ "type": "web_search_20250305" }] }),
            json!({ "model": "m", "service_tier": "priority" }),
            json!({ "model": "m", "web_search_options": {} }),
            json!({ "model": "m", "system": [{ "cache_control": { "ttl": "1h" } }] }),
            message(json!({ "type": "image_url", "image_url": { "url": "https://h/i.png" } })),
            message(json!({ "type": "file", "file": { "file_id": "f" } })),
            message(json!({ "type": "image", "source": { "type": "url", "url": "https://h" } })),
        ];
        for json in unbounded {
            assert!(asked(json.clone()).ok().unwrap().unbounded().is_some(), "{json}");
        }
        let bounded = [
            message(
                json!({ "type": "image_url", "image_url": { "url": "data:image/png;base64,AA" } }),
            ),
            message(json!({ "type": "tool_use", "input": { "type": "url" } })),
            json!({ "model": "m", "tools": [{ "type": "function" }, { "name": "bash" }] }),
        ];
        for json in bounded {
            assert_eq!(asked(json.clone()).ok().unwrap().unbounded(), None, "{json}");
        }
    }
}
