//! A call to a model whose provider speaks another wire format than the client, or to a model that
//! the engine itself plays. The request is parsed into the engine's own form, the model's adapter
//! is asked, and the reply is rendered in the client's format.
//!
//! ```text
//!  request ─► canonical (chat, messages, responses) ─► adapter ─► ChatReply ─► client's format
//!                │ 400: a key that cannot be carried                            (whole or stream)
//!                └──► client
//! ```
//! `exchange` calls [`translate_call`] for one try. The rule for both directions: nothing that
//! changes an answer is dropped silently. A key, a part or a setting that the other format does
//! not have is refused by its name. The adapter answers in one piece, so a stream is rendered when
//! the reply is complete.

use crate::formats::WireFormat;
use crate::gateway::calls::exchange::{ExchangeContext, ExchangeOutcome, ResponseEnding};
use crate::gateway::listener::response_sink::{GatewayResponse, ResponseSink};
use crate::gateway::refusal::GatewayRefusal;
use crate::gateway::request_check::request::GatewayRequest;
use crate::gateway::request_check::unsupported_settings::refuse_unsupported;
use crate::gateway::{
    formats::chat, formats::messages, formats::response_events, formats::responses,
    request_check::anthropic_beta,
};
use bytes::Bytes;
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};
use synthd_actors::model::{
    CallFault, CallPosition, ChatReply, ChatRequest, FaultKind, HeaderList, digest_of,
};

/// A reply, with what every format writes around it.
pub(in crate::gateway) struct ReplyEnvelope<'a> {
    pub(in crate::gateway) reply: &'a ChatReply,
    /// The model as the client has named it.
    pub(in crate::gateway) model: &'a str,
    /// Twenty-four hexadecimal digits that follow from the position of the call. Each format adds
    /// its own prefix, such as `chatcmpl-` or `msg_`.
    pub(in crate::gateway) id: String,
    /// Seconds since 1970.
    pub(in crate::gateway) created: u64,
}

/// Asks the model in its own format. A request that cannot be translated is refused and costs
/// nothing.
pub(in crate::gateway) async fn translate_call(
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
        // There is no wire to copy bytes from. The record gets the client's own request instead.
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

/// The request in the engine's own form, without anything that the model's provider lacks a field
/// for.
fn canonical(exchange: &ExchangeContext<'_>) -> Result<ChatRequest, GatewayRefusal> {
    let request = understood(exchange)?;
    refuse_unsupported(exchange.keyed.dialect.as_deref(), &request.settings)?;
    Ok(request)
}

/// Parses the request with the reader of its wire format.
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

/// Renders a reply in the client's format, as a stream or whole. For a stream this writes the head
/// to the sink. The rest is returned as the ending.
pub(in crate::gateway) fn render_reply(
    exchange: &ExchangeContext<'_>,
    reply: &ChatReply,
    sink: &mut ResponseSink,
) -> ResponseEnding {
    tell_as(exchange.asked, exchange.place, reply, sink, |headers, pieces| {
        keep(exchange, headers, pieces);
    })
}

/// Renders a reply that an earlier attempt has paid for. It is not recorded again.
pub(in crate::gateway) fn render_recorded_reply(
    asked: &GatewayRequest,
    place: &CallPosition,
    reply: &ChatReply,
    sink: &mut ResponseSink,
) -> ResponseEnding {
    tell_as(asked, place, reply, sink, |_, _| {})
}

/// Renders a reply. `keep` gets the headers and the body for the call record.
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

/// The reply as one body.
fn whole(family: WireFormat, told: &ReplyEnvelope<'_>) -> Value {
    match family {
        WireFormat::OpenAiChat => chat::whole(told),
        WireFormat::Anthropic => messages::whole(told),
        WireFormat::Responses => response_events::whole(told),
    }
}

/// Writes the rendered answer to the call record, if the engine itself plays the model. For other
/// models, the record has the bytes of the provider.
fn keep(exchange: &ExchangeContext<'_>, headers: &HeaderList, body: &[String]) {
    if exchange.is_own {
        exchange.witness.answered(200, headers.clone());
        body.iter().for_each(|piece| exchange.witness.received(piece.as_bytes()));
    }
}

/// Refuses an object with keys that are not `known`, because the other format has nothing for
/// them. Keys that are `null`, or that have a value in `idle`, ask for nothing and are allowed.
/// The refusal names all such keys.
pub(in crate::gateway) fn refuse_untranslatable(
    json: &Value,
    known: &[&str],
    idle: &[(&str, Value)],
) -> Result<(), GatewayRefusal> {
    let keys = json.as_object().into_iter().flatten();
    // A key is lost if it is not known and asks for something.
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

/// Reads each item of a list. A refusal says which item it is about, such as `tools[2]`.
pub(in crate::gateway) fn each<T>(
    name: &str,
    items: &[Value],
    read: impl Fn(&Value) -> Result<T, GatewayRefusal>,
) -> Result<Vec<T>, GatewayRefusal> {
    let numbered = items.iter().enumerate();
    let read = |(at, item)| read(item).map_err(|refusal| refusal.within(&format!("{name}[{at}]")));
    numbered.map(read).collect()
}

/// The items of an optional list. Another value is refused, never ignored.
pub(in crate::gateway) fn items<'j>(
    json: &'j Value,
    key: &str,
) -> Result<&'j [Value], GatewayRefusal> {
    match &json[key] {
        Value::Null => Ok(&[]),
        Value::Array(list) => Ok(list),
        _ => Err(GatewayRefusal::invalid_request(format!("`{key}` is not a list"))),
    }
}

/// An optional text. Another value is refused, never ignored.
pub(in crate::gateway) fn word<'j>(
    json: &'j Value,
    key: &str,
) -> Result<Option<&'j str>, GatewayRefusal> {
    match &json[key] {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text)),
        _ => Err(GatewayRefusal::invalid_request(format!("`{key}` is not a text"))),
    }
}

/// An optional flag. Another value is refused, never ignored.
pub(in crate::gateway) fn flag(json: &Value, key: &str) -> Result<Option<bool>, GatewayRefusal> {
    match &json[key] {
        Value::Null => Ok(None),
        Value::Bool(flag) => Ok(Some(*flag)),
        _ => Err(GatewayRefusal::invalid_request(format!("`{key}` is neither true nor false"))),
    }
}

/// The text of a message's content: a text, or a list of text parts, which are joined by empty
/// lines. Any other part, such as an image, is refused.
pub(in crate::gateway) fn text_of(content: &Value) -> Result<String, GatewayRefusal> {
    match content {
        Value::Null => Ok(String::new()),
        Value::String(text) => Ok(text.clone()),
        Value::Array(parts) => {
            let texts = each("content", parts, |json| part(json).map(str::to_owned))?;
            Ok(texts.join("\n\n"))
        }
        _ => {
            Err(GatewayRefusal::invalid_request("a message's content is neither a text nor a list"))
        }
    }
}

/// The text of one part.
fn part(part: &Value) -> Result<&str, GatewayRefusal> {
    // `cache_control` is a hint for the cache of its own provider. It changes no answer.
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

/// The refusal for reasoning that is signed or encrypted. Only the model that produced it can read
/// it.
pub(in crate::gateway) fn foreign_thought(what: &str) -> GatewayRefusal {
    let what = format!(
        "only the model that produced {what} can read it, and the model behind this name is \
         another one; leave it out, or ask the model that produced it"
    );
    GatewayRefusal::new(400, "unsupported_content", what)
}

/// The user that a request names for its provider. Two keys may name it. If they differ, the
/// request is refused, because other formats have only one such key.
pub(in crate::gateway) fn end_user(said: &[&Value]) -> Result<Option<String>, GatewayRefusal> {
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
