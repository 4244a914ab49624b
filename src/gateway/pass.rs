//! A call to a provider of the client's own family: bytes go through as they are.

use super::outlet::{Answer, Outlet};
use super::refusal::Refusal;
use super::translate::tell;
use super::trial::{Done, Errand, Last};
use crate::llm::{Censor, Opened, Passage, Upstream, event_data};
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

pub(super) async fn pass(errand: &Errand<'_>, upstream: &Upstream, outlet: &mut Outlet) -> Done {
    let body = match errand.asked.for_upstream(upstream, errand.output_cap) {
        Ok(body) => body,
        Err(refusal) => {
            let fault = CallFault::free(FaultKind::ModelRejected, refusal.message.clone());
            return Done { reply: Err(fault), last: Last::Refuse(refusal), filtered: false };
        }
    };
    let mut censor = upstream.censor(errand.witness);
    let headers: Vec<(&str, &str)> =
        errand.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let mut done = match upstream.open(body, &headers, &errand.context()).await {
        Err(fault) => refused(fault),
        Ok(Opened::Refused { fault, .. }) if is_the_gateways(&fault) => {
            // It is the gateway's key that is refused, not the client's.
            refused(*fault)
        }
        Ok(Opened::Refused { status, headers, body, fault, filtered }) => {
            let headers = passed(&headers);
            let answer =
                Answer::Whole { status: status.as_u16(), headers, body: Bytes::from(body) };
            Done { reply: Err(*fault), last: Last::Answer(answer), filtered }
        }
        Ok(Opened::Passage(passage)) if passage.is_stream != errand.asked.stream => {
            otherwise(errand, *passage, &mut censor, outlet).await
        }
        Ok(Opened::Passage(passage)) if passage.is_stream => {
            stream(errand, upstream, *passage, outlet).await
        }
        Ok(Opened::Passage(passage)) => whole(*passage).await,
    };
    censor.redact(&mut done.reply);
    done
}

/// A key or an account of the gateway's.
pub(super) fn is_the_gateways(fault: &CallFault) -> bool {
    fault.fault.kind.policy().owner == FaultOwner::Operator
}

pub(super) fn refused(fault: CallFault) -> Done {
    let refusal = Refusal::of_call(&fault);
    Done { reply: Err(fault), last: Last::Refuse(refusal), filtered: false }
}

/// A stream that nobody asked for, or none where one was asked for: told as it was wanted.
async fn otherwise(
    errand: &Errand<'_>,
    mut passage: Passage,
    censor: &mut Censor<'_>,
    outlet: &mut Outlet,
) -> Done {
    while passage.next().await.is_some() {}
    let mut reply = passage.reply();
    // It is told anew, from the reply.
    censor.redact(&mut reply);
    let last = match &reply {
        Ok(reply) => tell(errand, reply, outlet),
        Err(fault) => Last::Refuse(Refusal::of_call(fault)),
    };
    Done { reply, last, filtered: false }
}

async fn whole(mut passage: Passage) -> Done {
    let headers = passed(&passage.headers);
    let piece = passage.next().await;
    let reply = passage.reply();
    let last = match (piece, &reply) {
        (Some(piece), _) => Last::Answer(Answer::Whole { status: 200, headers, body: piece.bytes }),
        (None, Err(fault)) => Last::Refuse(Refusal::of_call(fault)),
        (None, Ok(_)) => Last::Refuse(Refusal::new(502, "upstream_failed", "it said nothing")),
    };
    Done { reply, last, filtered: false }
}

/// Piece by piece, but for the last, which is told with how it ended.
async fn stream(
    errand: &Errand<'_>,
    upstream: &Upstream,
    mut passage: Passage,
    outlet: &mut Outlet,
) -> Done {
    let hides_counts = errand.asked.stream && !errand.asked.counts && upstream.asks_for_usage;
    outlet.begin(passed(&passage.headers));
    let (mut last, mut broken) = (Vec::new(), false);
    while let Some(piece) = passage.next().await {
        if piece.is_last {
            broken = piece.is_broken;
            last.push(piece.bytes);
        } else if !(hides_counts && is_counts(&piece.bytes)) {
            outlet.piece(piece.bytes).await;
        }
    }
    let reply = passage.reply();
    if let (Err(fault), true) = (&reply, last.is_empty() || broken) {
        // It was cut, perhaps within an event: who reads it must not take it for whole.
        if broken {
            last.push(Bytes::from_static(b"\n\n"));
        }
        last.push(Bytes::from(Refusal::of_call(fault).event(errand.asked.family)));
    }
    Done { reply, last: Last::Pieces(last), filtered: false }
}

/// The chunk that only counts, which the client has not asked for.
fn is_counts(event: &[u8]) -> bool {
    let json: Value = serde_json::from_str(&event_data(event)).unwrap_or_default();
    json["usage"].is_object() && json["choices"].as_array().is_some_and(Vec::is_empty)
}

pub(super) fn passed(headers: &HeaderMap) -> Vec<(String, String)> {
    let means = |name: &str| {
        PASSED.contains(&name) || PASSED_FAMILIES.iter().any(|family| name.starts_with(family))
    };
    let text = |value: &reqwest::header::HeaderValue| value.to_str().ok().map(str::to_owned);
    let known = headers.iter().filter(|(name, _)| means(name.as_str()));
    known.filter_map(|(name, value)| Some((name.to_string(), text(value)?))).collect()
}
