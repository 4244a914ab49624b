//! A call to a model whose provider speaks another wire format than the client, or to a model that
//! the engine itself plays. The request is parsed into the engine's own form, the model's adapter
//! is asked, and the reply is rendered in the client's format.
//!
//! ```text
//!  request ─► parser of its format, without losses  ─► adapter ─► ChatReply ─► client's format
//!                │ 400: a key that cannot be carried                            (whole or stream)
//!                └──► client
//! ```
//! `exchange` calls [`translate_call`] for one try. The rule for both directions: nothing that
//! changes an answer is dropped silently. A key, a part or a setting that the other format does
//! not have is refused by its name. The adapter answers in one piece, so a stream is rendered when
//! the reply is complete.

use crate::formats::reading::request_parser::ParsedRequest;
use crate::formats::unsaid_settings::unsaid_setting;
use crate::formats::writing::envelope::ReplyEnvelope;
use crate::gateway::calls::exchange::{ExchangeContext, ExchangeOutcome, ResponseEnding};
use crate::gateway::calls::pass_through::refused_outcome;
use crate::gateway::listener::response_sink::{GatewayResponse, ResponseSink};
use crate::gateway::refusal::GatewayRefusal;
use crate::gateway::request_check::anthropic_beta;
use crate::gateway::request_check::request::GatewayRequest;
use bytes::Bytes;
use std::time::{SystemTime, UNIX_EPOCH};
use synthd_actors::model::{CallPosition, ChatReply, ChatRequest, HeaderList, digest_of};

/// Asks the model in its own format. A request that cannot be translated is refused and costs
/// nothing.
pub(in crate::gateway) async fn translate_call(
    exchange: &ExchangeContext<'_>,
    sink: &mut ResponseSink,
) -> ExchangeOutcome {
    let request = match canonical(exchange) {
        Ok(request) => request,
        Err(refusal) => return refused_outcome(refusal),
    };
    let context = exchange.context();
    if exchange.is_own {
        // There is no wire to copy bytes from. The record gets the client's own request instead.
        let (path, dialect) = exchange.asked.family.path_and_dialect();
        exchange.recorder.sent(&path, dialect, Vec::new(), &exchange.asked.body);
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
    // Models that the engine itself plays have no format and accept every setting.
    let dialect = exchange.keyed.dialect.as_deref();
    match dialect.and_then(|dialect| unsaid_setting(dialect, &request.settings)) {
        Some(setting) => Err(GatewayRefusal::of_setting(setting)),
        None => Ok(request),
    }
}

/// The request in the engine's own form. Anything that would be lost is refused.
fn understood(exchange: &ExchangeContext<'_>) -> Result<ChatRequest, GatewayRefusal> {
    if let Some(refusal) = anthropic_beta::untranslatable(exchange.headers) {
        return Err(refusal);
    }
    let ParsedRequest { request, lost } = exchange.asked.parsed(exchange.output_cap);
    match lost.first() {
        Some(loss) => Err(GatewayRefusal::of_loss(loss)),
        None => Ok(request),
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
    let told = envelope(asked, place, reply);
    let kind = if asked.stream { "text/event-stream" } else { "application/json" };
    let headers = vec![("content-type".to_owned(), kind.to_owned())];
    if !asked.stream {
        let body = asked.family.whole(&told).to_string();
        keep(&headers, std::slice::from_ref(&body));
        return ResponseEnding::Answer(GatewayResponse::Whole {
            status: 200,
            headers,
            body: Bytes::from(body),
        });
    }
    let events = asked.family.events(&told, asked.counts);
    keep(&headers, &events);
    sink.start_stream(headers);
    ResponseEnding::Pieces(events.into_iter().map(Bytes::from).collect())
}

/// A reply with what every format writes around it.
fn envelope<'a>(
    asked: &'a GatewayRequest,
    place: &CallPosition,
    reply: &'a ChatReply,
) -> ReplyEnvelope<'a> {
    let created = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let id = digest_of(&["gateway-call", &place.id()])[..24].to_owned();
    let custom_tools = asked.family.custom_tools(&asked.json);
    ReplyEnvelope { reply, model: &asked.model, id, created, custom_tools }
}

/// Writes the rendered answer to the call record, if the engine itself plays the model. For other
/// models, the record has the bytes of the provider.
fn keep(exchange: &ExchangeContext<'_>, headers: &HeaderList, body: &[String]) {
    if exchange.is_own {
        exchange.recorder.answered(200, headers.clone());
        body.iter().for_each(|piece| exchange.recorder.received(piece.as_bytes()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::WireFormat;
    use serde_json::json;
    use synthd_actors::model::{
        AttemptNumber, CampaignName, ChatMessage, ChatRole, EpisodeId, FinishReason, Usage,
    };

    /// The Messages format calls its functions `custom`.
    #[test]
    fn the_writer_of_a_reply_knows_the_tools_that_take_plain_text() {
        let place = CallPosition {
            campaign: CampaignName("c".to_owned()),
            episode: EpisodeId("ep-1".to_owned()),
            attempt: AttemptNumber(1),
            turn: 0,
            retry: 0,
        };
        let message = ChatMessage::text(ChatRole::Assistant, "so");
        let reply = ChatReply::new(message, FinishReason::Stop, Usage::of(1, 1));
        let (named, custom) = (json!({ "name": "f" }), json!({ "type": "custom", "name": "f" }));
        for (family, tool, names) in [
            (WireFormat::OpenAiChat, json!({ "type": "custom", "custom": named }), &["f"][..]),
            (WireFormat::OpenAiChat, json!({ "type": "function", "function": named }), &[]),
            (WireFormat::Responses, custom.clone(), &["f"]),
            (WireFormat::Anthropic, custom, &[]),
        ] {
            let body = json!({ "model": "m", "tools": [tool] }).to_string();
            let asked = GatewayRequest::read(family, Bytes::from(body)).ok().unwrap();
            assert_eq!(envelope(&asked, &place, &reply).custom_tools, names, "{tool}");
        }
    }
}
