//! A call to a provider of the client's own family: bytes go through as they are.

use super::exchange::{ExchangeContext, ExchangeOutcome, ResponseEnding};
use super::refusal::GatewayRefusal;
use super::response_sink::{GatewayResponse, ResponseSink};
use super::translate::render_reply;
use crate::llm::{PassThroughBody, ReplyRedactor, UpstreamModel, UpstreamResponse, event_data};
use bytes::Bytes;
use reqwest::header::HeaderMap;
use serde_json::Value;
use synthd_actors::model::{CallFault, FaultKind, FaultOwner};

/// Headers of a provider's that mean something to its clients.
const PASSED: [&str; 6] = [
    "content-type",
    "request-id",
    "x-request-id",
    "retry-after",
    "retry-after-ms",
    "x-should-retry",
];
const PASSED_FAMILIES: [&str; 4] =
    ["x-ratelimit-", "anthropic-ratelimit-", "openai-processing-", "openai-version"];

pub(super) async fn pass_through(
    exchange: &ExchangeContext<'_>,
    upstream: &UpstreamModel,
    sink: &mut ResponseSink,
) -> ExchangeOutcome {
    let body = match exchange.asked.for_upstream(upstream, exchange.output_cap) {
        Ok(body) => body,
        Err(refusal) => {
            let fault = CallFault::free(FaultKind::ModelRejected, refusal.message.clone());
            return ExchangeOutcome {
                reply: Err(fault),
                last: ResponseEnding::Refuse(refusal),
                filtered: false,
            };
        }
    };
    let mut censor = upstream.reply_redactor(exchange.witness);
    let headers: Vec<(&str, &str)> =
        exchange.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let mut done = match upstream.open(body, &headers, &exchange.context()).await {
        Err(fault) => failed_outcome(fault),
        Ok(UpstreamResponse::Refused { fault, .. }) if is_the_gateways(&fault) => {
            // It is the gateway's key that is refused, not the client's.
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
            otherwise(exchange, *passage, &mut censor, sink).await
        }
        Ok(UpstreamResponse::Passage(passage)) if passage.is_stream => {
            stream(exchange, upstream, *passage, sink).await
        }
        Ok(UpstreamResponse::Passage(passage)) => whole(*passage).await,
    };
    censor.redact(&mut done.reply);
    done
}

/// A key or an account of the gateway's.
pub(super) fn is_the_gateways(fault: &CallFault) -> bool {
    fault.fault.kind.policy().owner == FaultOwner::Operator
}

pub(super) fn failed_outcome(fault: CallFault) -> ExchangeOutcome {
    let refusal = GatewayRefusal::of_call(&fault);
    ExchangeOutcome { reply: Err(fault), last: ResponseEnding::Refuse(refusal), filtered: false }
}

/// A stream that nobody asked for, or none where one was asked for: told as it was wanted.
async fn otherwise(
    exchange: &ExchangeContext<'_>,
    mut passage: PassThroughBody,
    censor: &mut ReplyRedactor<'_>,
    sink: &mut ResponseSink,
) -> ExchangeOutcome {
    while passage.next().await.is_some() {}
    let mut reply = passage.reply();
    // It is told anew, from the reply.
    censor.redact(&mut reply);
    let last = match &reply {
        Ok(reply) => render_reply(exchange, reply, sink),
        Err(fault) => ResponseEnding::Refuse(GatewayRefusal::of_call(fault)),
    };
    ExchangeOutcome { reply, last, filtered: false }
}

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

/// Piece by piece, but for the last, which is told with how it ended.
async fn stream(
    exchange: &ExchangeContext<'_>,
    upstream: &UpstreamModel,
    mut passage: PassThroughBody,
    sink: &mut ResponseSink,
) -> ExchangeOutcome {
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
    if let (Err(fault), true) = (&reply, last.is_empty() || broken) {
        // It was cut, perhaps within an event: who reads it must not take it for whole.
        if broken {
            last.push(Bytes::from_static(b"\n\n"));
        }
        last.push(Bytes::from(GatewayRefusal::of_call(fault).event(exchange.asked.family)));
    }
    ExchangeOutcome { reply, last: ResponseEnding::Pieces(last), filtered: false }
}

/// The chunk that only counts, which the client has not asked for.
fn is_counts(event: &[u8]) -> bool {
    let json: Value = serde_json::from_str(&event_data(event)).unwrap_or_default();
    json["usage"].is_object() && json["choices"].as_array().is_some_and(Vec::is_empty)
}

pub(super) fn forwarded_headers(headers: &HeaderMap) -> Vec<(String, String)> {
    let means = |name: &str| {
        PASSED.contains(&name) || PASSED_FAMILIES.iter().any(|family| name.starts_with(family))
    };
    let text = |value: &reqwest::header::HeaderValue| value.to_str().ok().map(str::to_owned);
    let known = headers.iter().filter(|(name, _)| means(name.as_str()));
    known.filter_map(|(name, value)| Some((name.to_string(), text(value)?))).collect()
}
