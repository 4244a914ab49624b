//! A call to a provider that speaks the client's wire format: the bytes go through unchanged, in
//! both directions. `exchange` calls [`pass_through`] for one try.
//!
//! ```text
//!  body (model name, limit, counts set) ─► provider ─► refused: its status and body, unchanged
//!                                             │         (if the gateway's own key is refused: 502)
//!  client ◄─ piece by piece, without the key ◄┘
//! ```
//! The reply is also put together from the bytes, because the router needs its token counts and an
//! attempt needs its text. The last piece of a stream is not sent here. It is returned as the
//! ending, so that the attempt hears of the reply before the client knows that the reply is
//! complete.
//!
//! If the provider breaks off, a stream ends with the error event of the format, and everything
//! else becomes a refusal. The API key of the gateway is removed from everything that a client or
//! a record gets.

use crate::formats::reading::events::event_data;
use crate::gateway::calls::exchange::{ExchangeContext, ExchangeOutcome, ResponseEnding};
use crate::gateway::calls::translate::render_reply;
use crate::gateway::listener::response_sink::{GatewayResponse, ResponseSink};
use crate::gateway::refusal::GatewayRefusal;
use crate::llm::{PassThroughBody, ReplyRedactor, UpstreamModel, UpstreamResponse};
use bytes::Bytes;
use reqwest::header::HeaderMap;
use serde_json::Value;
use synthd_actors::model::{CallFault, FaultKind, FaultOwner};

/// Headers of a provider's answer that go on to the client.
const PASSED: [&str; 6] = [
    "content-type",
    "request-id",
    "x-request-id",
    "retry-after",
    "retry-after-ms",
    "x-should-retry",
];
/// Beginnings of further names of such headers.
const PASSED_FAMILIES: [&str; 4] =
    ["x-ratelimit-", "anthropic-ratelimit-", "openai-processing-", "openai-version"];

/// Sends the client's body to the provider and its answer to the client. The result says what is
/// still to be written. A refusal of the provider goes on with its status and its body, so that
/// the client's library understands it.
pub(in crate::gateway) async fn pass_through(
    exchange: &ExchangeContext<'_>,
    upstream: &UpstreamModel,
    sink: &mut ResponseSink,
) -> ExchangeOutcome {
    let body = match exchange.asked.for_upstream(upstream, exchange.output_cap) {
        Ok(body) => body,
        Err(refusal) => return refused_outcome(refusal),
    };
    // It also removes the key from the recorded bytes when it is dropped. So this happens even if
    // the exchange is cut off.
    let choices = exchange.asked.choices();
    let redactor = upstream.reply_redactor(exchange.recorder, choices);
    let headers: Vec<(&str, &str)> =
        exchange.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let mut done = match upstream.open(body, &headers, choices, &exchange.context()).await {
        Err(fault) => failed_outcome(fault),
        Ok(UpstreamResponse::Refused { fault, .. }) if is_the_gateways(&fault) => {
            failed_outcome(*fault)
        }
        Ok(UpstreamResponse::Refused { status, headers, body, fault, filtered }) => {
            let headers = forwarded_headers(&headers);
            let answer = GatewayResponse::Whole {
                status: status.as_u16(),
                headers,
                body: Bytes::from(body),
            };
            ExchangeOutcome { reply: Err(*fault), last: ResponseEnding::Answer(answer), filtered }
        }
        Ok(UpstreamResponse::Passage(passage)) if passage.is_stream != exchange.asked.stream => {
            otherwise(exchange, *passage, &redactor, sink).await
        }
        Ok(UpstreamResponse::Passage(passage)) if passage.is_stream => {
            stream(exchange, upstream, *passage, sink).await
        }
        Ok(UpstreamResponse::Passage(passage)) => whole(*passage).await,
    };
    redactor.redact(&mut done.reply);
    done
}

/// Whether the operator of the gateway must mend it, such as a rejected API key or an account
/// without money. A client must not see it as a problem of its own token.
pub(in crate::gateway) fn is_the_gateways(fault: &CallFault) -> bool {
    fault.fault.kind.policy().owner == FaultOwner::Operator
}

/// The outcome of an exchange that failed before the client received anything.
pub(in crate::gateway) fn failed_outcome(fault: CallFault) -> ExchangeOutcome {
    let refusal = GatewayRefusal::of_call(&fault);
    ExchangeOutcome { reply: Err(fault), last: ResponseEnding::Refuse(refusal), filtered: false }
}

/// The outcome of a call that cannot be sent. It costs nothing.
pub(in crate::gateway) fn refused_outcome(refusal: GatewayRefusal) -> ExchangeOutcome {
    let fault = CallFault::free(FaultKind::ModelRejected, refusal.message.clone());
    ExchangeOutcome { reply: Err(fault), last: ResponseEnding::Refuse(refusal), filtered: false }
}

/// The provider has streamed although the client asked for a whole body, or the reverse. The
/// answer is read to its end and rendered again in the form that the client asked for.
async fn otherwise(
    exchange: &ExchangeContext<'_>,
    mut passage: PassThroughBody,
    redactor: &ReplyRedactor<'_>,
    sink: &mut ResponseSink,
) -> ExchangeOutcome {
    while passage.next().await.is_some() {}
    let mut reply = passage.reply();
    // The client gets a rendering of the reply, so the key must be removed from it first.
    redactor.redact(&mut reply);
    let last = match &reply {
        Ok(reply) => render_reply(exchange, reply, sink),
        Err(fault) => ResponseEnding::Refuse(GatewayRefusal::of_call(fault)),
    };
    ExchangeOutcome { reply, last, filtered: false }
}

/// An answer that is no stream. A body that is no reply of this format never reaches the client.
async fn whole(mut passage: PassThroughBody) -> ExchangeOutcome {
    let headers = forwarded_headers(&passage.headers);
    let piece = passage.next().await;
    let reply = passage.reply();
    let last = match (piece, &reply) {
        (Some(piece), _) => ResponseEnding::Answer(GatewayResponse::Whole {
            status: 200,
            headers,
            body: piece.bytes,
        }),
        (None, Err(fault)) => ResponseEnding::Refuse(GatewayRefusal::of_call(fault)),
        (None, Ok(_)) => {
            ResponseEnding::Refuse(GatewayRefusal::new(502, "upstream_failed", "it said nothing"))
        }
    };
    ExchangeOutcome { reply, last, filtered: false }
}

/// Passes a stream on, event by event, up to the last one. The last event is returned in the
/// ending.
async fn stream(
    exchange: &ExchangeContext<'_>,
    upstream: &UpstreamModel,
    mut passage: PassThroughBody,
    sink: &mut ResponseSink,
) -> ExchangeOutcome {
    // The gateway has added `include_usage` for itself. The client must not see that chunk.
    let hides_counts = exchange.asked.stream && !exchange.asked.counts && upstream.asks_for_usage;
    sink.start_stream(forwarded_headers(&passage.headers));
    let (mut last, mut broken) = (Vec::new(), false);
    while let Some(piece) = passage.next().await {
        if piece.is_last {
            broken = piece.is_broken;
            last.push(piece.bytes);
        } else if !(hides_counts && is_counts(&piece.bytes)) {
            sink.send_chunk(piece.bytes).await;
        }
    }
    let reply = passage.reply();
    // The stream was cut off, perhaps within an event. Without an error event a client could take
    // it for complete. Two newlines first end the event that was cut.
    if let (Err(fault), true) = (&reply, last.is_empty() || broken) {
        if broken {
            last.push(Bytes::from_static(b"\n\n"));
        }
        last.push(Bytes::from(GatewayRefusal::of_call(fault).event(exchange.asked.family)));
    }
    ExchangeOutcome { reply, last: ResponseEnding::Pieces(last), filtered: false }
}

/// Whether an event is the chunk of the chat format that has only token counts, such as
/// `{"choices": [], "usage": {"prompt_tokens": 9, ...}}`.
fn is_counts(event: &[u8]) -> bool {
    let json: Value = serde_json::from_str(&event_data(event)).unwrap_or_default();
    json["usage"].is_object() && json["choices"].as_array().is_some_and(Vec::is_empty)
}

/// The headers of a provider's answer that go on to the client. No other header does.
pub(in crate::gateway) fn forwarded_headers(headers: &HeaderMap) -> Vec<(String, String)> {
    let means = |name: &str| {
        PASSED.contains(&name) || PASSED_FAMILIES.iter().any(|family| name.starts_with(family))
    };
    let text = |value: &reqwest::header::HeaderValue| value.to_str().ok().map(str::to_owned);
    let known = headers.iter().filter(|(name, _)| means(name.as_str()));
    known.filter_map(|(name, value)| Some((name.to_string(), text(value)?))).collect()
}
