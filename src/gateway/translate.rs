//! A call to a model of another family, or of the engine's own: understood, asked in the
//! model's format, and told in the client's.

use super::exchange::{ExchangeContext, ExchangeOutcome, ResponseEnding};
use super::refusal::GatewayRefusal;
use super::request::GatewayRequest;
use super::response_sink::{GatewayResponse, ResponseSink};
use super::unsupported_settings::refuse_unsupported;
use super::{anthropic_beta, chat, messages, response_events, responses};
use crate::llm::WireFormat;
use bytes::Bytes;
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};
use synthd_actors::model::{
    CallFault, CallPosition, ChatReply, ChatRequest, FaultKind, HeaderList, digest_of,
};

/// A reply as it is told to a client.
pub(super) struct ReplyEnvelope<'a> {
    pub(super) reply: &'a ChatReply,
    /// As the client has named it.
    pub(super) model: &'a str,
    pub(super) id: String,
    pub(super) created: u64,
}

pub(super) async fn translate_call(
    exchange: &ExchangeContext<'_>,
    sink: &mut ResponseSink,
) -> ExchangeOutcome {
    let request = match canonical(exchange) {
        Ok(request) => request,
        Err(refusal) => {
            let fault = CallFault::free(FaultKind::ModelRejected, refusal.message.clone());
            return ExchangeOutcome {
                reply: Err(fault),
                last: ResponseEnding::Refuse(refusal),
                filtered: false,
            };
        }
    };
    let context = exchange.context();
    if exchange.is_own {
        // Nothing goes over a wire but what the client says itself.
        let (path, dialect) = match exchange.asked.family {
            WireFormat::OpenAiChat => ("/v1/chat/completions", "openai"),
            WireFormat::Anthropic => ("/v1/messages", "anthropic"),
            WireFormat::Responses => ("/v1/responses", "responses"),
        };
        exchange.witness.sent(path, dialect, Vec::new(), &exchange.asked.body);
    }
    let reply = exchange.keyed.model.complete(&request, &context).await;
    let last = match &reply {
        Ok(reply) => render_reply(exchange, reply, sink),
        Err(fault) => ResponseEnding::Refuse(GatewayRefusal::of_call(fault)),
    };
    ExchangeOutcome { reply, last, filtered: false }
}

fn canonical(exchange: &ExchangeContext<'_>) -> Result<ChatRequest, GatewayRefusal> {
    let request = understood(exchange)?;
    refuse_unsupported(exchange.keyed.dialect.as_deref(), &request.settings)?;
    Ok(request)
}

fn understood(exchange: &ExchangeContext<'_>) -> Result<ChatRequest, GatewayRefusal> {
    if let Some(refusal) = anthropic_beta::untranslatable(exchange.headers) {
        return Err(refusal);
    }
    let asked = exchange.asked;
    let cap = asked.cap(exchange.output_cap).min(u64::from(u32::MAX)) as u32;
    match asked.family {
        WireFormat::OpenAiChat => chat::canonical(&asked.json, cap),
        WireFormat::Anthropic => messages::canonical(&asked.json, cap),
        WireFormat::Responses => responses::canonical(&asked.json, cap),
    }
}

/// In the client's own format, as a stream or whole.
pub(super) fn render_reply(
    exchange: &ExchangeContext<'_>,
    reply: &ChatReply,
    sink: &mut ResponseSink,
) -> ResponseEnding {
    tell_as(exchange.asked, exchange.place, reply, sink, |headers, pieces| {
        keep(exchange, headers, pieces);
    })
}

/// The same of an answer that nobody was asked for now.
pub(super) fn render_recorded_reply(
    asked: &GatewayRequest,
    place: &CallPosition,
    reply: &ChatReply,
    sink: &mut ResponseSink,
) -> ResponseEnding {
    tell_as(asked, place, reply, sink, |_, _| {})
}

fn tell_as(
    asked: &GatewayRequest,
    place: &CallPosition,
    reply: &ChatReply,
    sink: &mut ResponseSink,
    keep: impl FnOnce(&HeaderList, &[String]),
) -> ResponseEnding {
    let created = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let id = digest_of(&["gateway-call", &place.id()])[..24].to_owned();
    let told = ReplyEnvelope { reply, model: &asked.model, id, created };
    let kind = if asked.stream { "text/event-stream" } else { "application/json" };
    let headers = vec![("content-type".to_owned(), kind.to_owned())];
    if !asked.stream {
        let body = whole(asked.family, &told).to_string();
        keep(&headers, std::slice::from_ref(&body));
        return ResponseEnding::Answer(GatewayResponse::Whole {
            status: 200,
            headers,
            body: Bytes::from(body),
        });
    }
    let events = match asked.family {
        WireFormat::OpenAiChat => chat::events(&told, asked.counts),
        WireFormat::Anthropic => messages::events(&told),
        WireFormat::Responses => response_events::events(&told),
    };
    keep(&headers, &events);
    sink.start_stream(headers);
    ResponseEnding::Pieces(events.into_iter().map(Bytes::from).collect())
}

fn whole(family: WireFormat, told: &ReplyEnvelope<'_>) -> Value {
    match family {
        WireFormat::OpenAiChat => chat::whole(told),
        WireFormat::Anthropic => messages::whole(told),
        WireFormat::Responses => response_events::whole(told),
    }
}

/// What a model of the engine's own was told as having said.
fn keep(exchange: &ExchangeContext<'_>, headers: &HeaderList, body: &[String]) {
    if exchange.is_own {
        exchange.witness.answered(200, headers.clone());
        body.iter().for_each(|piece| exchange.witness.received(piece.as_bytes()));
    }
}

/// Keys of a request that mean something, and that nothing here can say to another family.
pub(super) fn refuse_untranslatable(
    json: &Value,
    known: &[&str],
    idle: &[(&str, Value)],
) -> Result<(), GatewayRefusal> {
    let keys = json.as_object().into_iter().flatten();
    let lost = keys.filter(|(key, value)| {
        let says_nothing = value.is_null() || idle.iter().any(|(k, v)| k == key && v == *value);
        !known.contains(&key.as_str()) && !says_nothing
    });
    let lost: Vec<&str> = lost.map(|(key, _)| key.as_str()).collect();
    if lost.is_empty() {
        return Ok(());
    }
    let what = format!(
        "the model behind this name speaks another format, which has no {}; leave it out, or ask \
         a model of this format",
        lost.join(", ")
    );
    Err(GatewayRefusal::new(400, "unsupported_parameter", what))
}

/// A text, or the texts of parts; anything else is told.
pub(super) fn text_of(content: &Value) -> Result<String, GatewayRefusal> {
    match content {
        Value::Null => Ok(String::new()),
        Value::String(text) => Ok(text.clone()),
        Value::Array(parts) => {
            let texts: Result<Vec<&str>, GatewayRefusal> = parts.iter().map(part).collect();
            Ok(texts?.join("\n\n"))
        }
        _ => {
            Err(GatewayRefusal::invalid_request("a message's content is neither a text nor a list"))
        }
    }
}

fn part(part: &Value) -> Result<&str, GatewayRefusal> {
    // A mark of a cache is a hint to its own provider, and changes no answer.
    let known = ["type", "text", "refusal", "cache_control"];
    let empty = || json!([]);
    let idle = [("annotations", empty()), ("logprobs", empty()), ("citations", empty())];
    let kind = part["type"].as_str().unwrap_or_default();
    let text = match kind {
        "text" | "input_text" | "output_text" => part["text"].as_str(),
        "refusal" => part["refusal"].as_str(),
        _ => None,
    };
    let text = text.map(|text| refuse_untranslatable(part, &known, &idle).map(|()| text));
    text.unwrap_or_else(|| {
        let what = format!("the model behind this name accepts only texts, and no {kind:?}");
        Err(GatewayRefusal::new(400, "unsupported_content", what))
    })
}

/// Thoughts that only the model that had them can read.
pub(super) fn foreign_thought(what: &str) -> GatewayRefusal {
    let what = format!(
        "only the model that produced {what} can read it, and the model behind this name is \
         another one; leave it out, or ask the model that produced it"
    );
    GatewayRefusal::new(400, "unsupported_content", what)
}

/// Whose request it is, as its provider is to know. The same is said once.
pub(super) fn end_user(said: &[&Value]) -> Result<Option<String>, GatewayRefusal> {
    let mut users = said.iter().filter(|said| !said.is_null()).map(|said| {
        said.as_str().ok_or_else(|| {
            GatewayRefusal::invalid_request(
                "the user of the request is not a \
                                                              text",
            )
        })
    });
    let first = users.next().transpose()?;
    for other in users {
        if Some(other?) != first {
            let what = "`user` and `safety_identifier` differ, but the model behind this name \
                        accepts only one of them";
            return Err(GatewayRefusal::new(400, "unsupported_parameter", what));
        }
    }
    Ok(first.map(str::to_owned))
}
