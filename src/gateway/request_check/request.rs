//! The parts of a request that the gateway must understand before it does anything: the model,
//! whether the answer is a stream, and the most tokens that the call may use. `routes` reads each
//! body with [`GatewayRequest::read`].
//!
//! The worst cost of a call follows from [`GatewayRequest::worst`], and the router holds it before
//! the call leaves. So the numbers here must never be too small. For a model with a price, the
//! allow-list makes sure that nothing else in the request costs money.
//!
//! A body is refused with a 400 if it is not a JSON object, names no model, has numbers that make
//! no sense, or if a key occurs twice at the top level. The bytes of
//! the body are kept, because a call that is passed through sends them unchanged.

use crate::formats::WireFormat;
use crate::formats::reading::json_path::JsonPath;
use crate::formats::reading::request_parser::ParsedRequest;
use crate::gateway::refusal::GatewayRefusal;
use crate::gateway::request_check::allowlist;
use crate::gateway::request_check::duplicate_keys;
use crate::gateway::request_check::null_content;
use crate::gateway::request_check::raw_json::RawJsonObject;
use crate::llm::{UpstreamBody, UpstreamModel};
use bytes::Bytes;
use serde_json::{Value, json};
use std::ops::Range;
use synthd_actors::model::Usage;

/// Tokens that a provider adds to a request by itself. They are counted once for the request and
/// once for each tool that the provider describes to its model.
const OVERHEAD: u64 = 1_024;
/// The largest allowed `n`: how many answers one request may ask for.
const MOST_CHOICES: u64 = 128;
/// The largest allowed output limit, in tokens. A request with a larger one is refused.
const MOST_OUTPUT: u64 = 10_000_000;
/// The most tokens that any known provider counts for one image.
const IMAGE: u64 = 60_000;

/// A request for a completion, or for a count of tokens, as far as the gateway understands it.
pub(in crate::gateway) struct GatewayRequest {
    /// The client's wire format, known from the path.
    pub(in crate::gateway) family: WireFormat,
    /// The body as the client sent it.
    pub(in crate::gateway) body: Bytes,
    /// The same body, parsed. The last of two equal keys counts.
    pub(in crate::gateway) json: Value,
    /// The first key that occurs twice in its object. It is below the top level; later ones are not
    /// looked for.
    pub(in crate::gateway) repeated: Option<JsonPath>,
    /// The model as the client names it.
    pub(in crate::gateway) model: String,
    /// Where the value of `model` stands in the body, in bytes and with its quotes.
    model_at: Range<usize>,
    pub(in crate::gateway) stream: bool,
    /// Whether the client wants the token counts at the end of a stream (`"stream_options":
    /// {"include_usage": true}`).
    pub(in crate::gateway) counts: bool,
    /// The largest output limit that the request names, in tokens, under any of its three keys.
    cap: Option<u64>,
    /// How many answers the request asks for, from 1 to `MOST_CHOICES`.
    choices: u64,
}

impl GatewayRequest {
    /// Reads a body. An error is a 400 that says what is wrong.
    pub(in crate::gateway) fn read(
        family: WireFormat,
        body: Bytes,
    ) -> Result<Self, GatewayRefusal> {
        let (json, repeated) = duplicate_keys::parse_json(&body).map_err(|error| {
            GatewayRefusal::invalid_request(format!("the body is not JSON: {error}"))
        })?;
        let Some(object) = json.as_object() else {
            return Err(GatewayRefusal::invalid_request("the body is not a JSON object"));
        };
        let Some(model) = object.get("model").and_then(Value::as_str) else {
            return Err(GatewayRefusal::invalid_request("the body names no model"));
        };
        let outermost = RawJsonObject::read(&body)
            .map_err(|error| GatewayRefusal::invalid_request(error.to_string()))?;
        // A key below the top level is only a problem for models with a price; the allow-list
        // looks at it. Here every key counts: a provider may take the second `model`.
        if let Some(key) = outermost.repeated() {
            let mut path = JsonPath::default();
            path.below_key(key);
            return Err(GatewayRefusal::invalid_request(format!(
                "the key `{path}` occurs twice in the body"
            )));
        }
        let model_at = outermost.place("model", &body);
        let model_at =
            model_at.ok_or_else(|| GatewayRefusal::invalid_request("the body names no model"))?;
        // Which of these keys counts depends on the provider. The largest value is safe for all of
        // them.
        let caps = ["max_completion_tokens", "max_tokens", "max_output_tokens"];
        let caps: Vec<Option<u64>> =
            caps.iter().map(|key| number(&json, key)).collect::<Result<_, _>>()?;
        let cap = caps.into_iter().flatten().max();
        if cap.is_some_and(|cap| cap > MOST_OUTPUT) {
            return Err(GatewayRefusal::invalid_request(format!(
                "the output limit is above {MOST_OUTPUT}"
            )));
        }
        let choices = number(&json, "n")?.unwrap_or(1);
        if choices == 0 || choices > MOST_CHOICES {
            return Err(GatewayRefusal::invalid_request(format!(
                "`n` is not between 1 and {MOST_CHOICES}"
            )));
        }
        let stream = json["stream"] == true;
        let counts = json["stream_options"]["include_usage"] == true;
        let model = model.to_owned();
        Ok(Self { family, body, model, model_at, stream, counts, cap, choices, json, repeated })
    }

    /// The output limit of the call in tokens: the client's, or else `usual`, the gateway's own.
    pub(in crate::gateway) fn cap(&self, usual: u32) -> u64 {
        self.cap.unwrap_or(u64::from(usual))
    }

    /// The request in the engine's own form, as far as it can be read, with what was lost. `usual`
    /// is the output limit in tokens of a request that names none.
    pub(in crate::gateway) fn parsed(&self, usual: u32) -> ParsedRequest {
        let cap = u32::try_from(self.cap(usual)).unwrap_or(u32::MAX);
        self.family.parse(&self.json, cap)
    }

    /// How many completions the request asks for, at least one.
    pub(in crate::gateway) fn choices(&self) -> usize {
        usize::try_from(self.choices).unwrap_or(usize::MAX)
    }

    /// The most tokens that the call may use. No tokenizer makes more tokens than the text has
    /// bytes, so the input is at most the length of the body, plus images and what the provider
    /// adds. The output is the limit (plus reasoning beyond it, if the provider has that) for each
    /// of the choices.
    pub(in crate::gateway) fn worst(&self, usual: u32, upstream: Option<&UpstreamModel>) -> Usage {
        let images = IMAGE.saturating_mul(allowlist::images(&self.json));
        let tools = OVERHEAD.saturating_mul(allowlist::described_tools(&self.json));
        let input = (self.body.len() as u64 + OVERHEAD).saturating_add(images + tools);
        let thought = upstream.and_then(|upstream| upstream.thought_cap);
        let thought = thought.map_or(0, |field| self.thought(field, usual));
        let output = self.cap(usual).saturating_add(thought);
        Usage::of(input, output.saturating_mul(self.choices))
    }

    /// The most tokens of reasoning, for providers whose output limit does not include reasoning.
    /// If the client names no limit for it, the gateway sends the output limit as one.
    fn thought(&self, field: &str, usual: u32) -> u64 {
        self.json[field].as_u64().unwrap_or_else(|| self.cap(usual))
    }

    /// The body with the provider's name of the model in place of the client's. All other bytes
    /// stay.
    pub(in crate::gateway) fn with_model_name(&self, model: &str) -> Bytes {
        if self.model == model {
            return self.body.clone();
        }
        let name = json!(model).to_string();
        let (before, after) = (&self.body[..self.model_at.start], &self.body[self.model_at.end..]);
        Bytes::from([before, name.as_bytes(), after].concat())
    }

    /// The body for a provider of the same wire format: the client's bytes, with the provider's
    /// name of the model. An output limit, a limit of reasoning and the request for token counts
    /// are added if they are missing: without the limits the worst cost would be unknown, and
    /// without the counts the real cost. For a provider that fails on a null beside tool calls, the
    /// null becomes an empty text.
    pub(in crate::gateway) fn for_upstream(
        &self,
        upstream: &UpstreamModel,
        usual: u32,
    ) -> Result<UpstreamBody, GatewayRefusal> {
        let body = self.with_limits(upstream, usual)?;
        let sent = match upstream.takes_null {
            true => body.clone(),
            false => null_content::as_text(body.clone()).map_err(unreadable)?,
        };
        // Older versions sent the null.
        let older = (sent != body).then_some(body);
        Ok(UpstreamBody { sent, older })
    }

    /// The body with the provider's name of the model, and with what is missing of the limits and
    /// of the request for token counts.
    fn with_limits(&self, upstream: &UpstreamModel, usual: u32) -> Result<Bytes, GatewayRefusal> {
        let uncounted = self.stream && !self.counts && upstream.asks_for_usage;
        // Only the provider's own key counts. It may ignore the key that another provider uses.
        let capped = !self.json[upstream.cap].is_null();
        let thought = upstream.thought_cap.filter(|field| self.json[*field].is_null());
        if capped && thought.is_none() && !uncounted {
            return Ok(self.with_model_name(&upstream.model));
        }
        let mut object = RawJsonObject::read(&self.body).map_err(unreadable)?;
        object.set("model", json!(upstream.model));
        if !capped {
            object.set(upstream.cap, json!(self.cap(usual)));
        }
        if let Some(field) = thought {
            object.set(field, json!(self.cap(usual)));
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

/// The refusal of a body that cannot be read.
fn unreadable(error: serde_json::Error) -> GatewayRefusal {
    GatewayRefusal::invalid_request(error.to_string())
}

/// An optional whole number that is not negative. Any other value is refused.
fn number(json: &Value, key: &str) -> Result<Option<u64>, GatewayRefusal> {
    match &json[key] {
        Value::Null => Ok(None),
        value => match value.as_u64() {
            Some(number) => Ok(Some(number)),
            None => Err(GatewayRefusal::invalid_request(format!("`{key}` is not a whole number"))),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::llm::AdapterFactory;
    use synthd_actors::model::{ModelConfig, ProviderEndpoint};
    use synthd_actors::testkit;

    fn asked(json: Value) -> Result<GatewayRequest, GatewayRefusal> {
        GatewayRequest::read(WireFormat::OpenAiChat, Bytes::from(json.to_string()))
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
        assert_eq!(asked.worst(100, None).output_tokens, 21);
        assert!(asked.worst(100, None).input_tokens > asked.body.len() as u64);
    }

    #[test]
    fn only_the_name_of_the_model_changes() {
        let body = b"{ \"n\" : 1,\r\n \"model\":  \"m\\u0061\" ,\"x\":1.50}";
        let asked =
            GatewayRequest::read(WireFormat::OpenAiChat, Bytes::from_static(body)).ok().unwrap();
        assert_eq!(
            (asked.model.as_str(), asked.with_model_name("ma")),
            ("ma", Bytes::from_static(body))
        );
        let named = b"{ \"n\" : 1,\r\n \"model\":  \"a\\\"b\" ,\"x\":1.50}";
        assert_eq!(asked.with_model_name("a\"b"), Bytes::from_static(named));
    }

    fn upstream(dialect: &str) -> UpstreamModel {
        let endpoint = ProviderEndpoint::new(dialect, "http://localhost:1/v1", None);
        let config = ModelConfig { endpoint: Some(endpoint), ..testkit::priced("local/m", 0) };
        let factory = AdapterFactory::new(crate::store::open_archive);
        factory.upstream(&config).unwrap().unwrap()
    }

    /// A replay of an older record looks for the null.
    #[test]
    fn a_null_that_is_sent_as_a_text_is_kept_beside_it() {
        let said = json!({ "role": "assistant", "content": null, "tool_calls": [] });
        let body = json!({ "model": "m", "max_tokens": 9, "messages": [said] });
        let asked = asked(body.clone()).ok().unwrap();
        let changed = asked.for_upstream(&upstream("vllm"), 9).ok().unwrap();
        let text = body.to_string().replace("null", "\"\"");
        assert_eq!((changed.sent, changed.older), (Bytes::from(text), Some(asked.body.clone())));
        let same = asked.for_upstream(&upstream("together"), 9).ok().unwrap();
        assert_eq!((same.sent, same.older), (asked.body, None));
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        let twice = Bytes::from_static(b"{\"model\":\"m\",\"n\":1,\"n\":9}");
        assert!(GatewayRequest::read(WireFormat::OpenAiChat, twice).is_err());
        // A repeated key further in must not hide one at the top: the provider may take the last.
        let hidden = br#"{"metadata":{"x":1,"x":2},"model":"a","mod\u0065l":"expensive"}"#;
        let hidden = Bytes::from_static(hidden);
        assert!(GatewayRequest::read(WireFormat::OpenAiChat, hidden).is_err());
        assert!(asked(json!({ "model": "m", "max_tokens": u64::MAX })).is_err());
    }
}
