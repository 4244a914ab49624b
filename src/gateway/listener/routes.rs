//! Answers one HTTP request: what it asks for, which session it belongs to, and what it gets.
//!
//! ```text
//!  path? ─► token? ─► closing? ─► list of models ─────────────────────────► answer
//!   │ 404    │ 401      │ 503   └► slot ─► body ─► request ─► count ───────► answer
//!   │        │          │          │ 429    │ 408, 413, 503 ─► GatewayCall ─► answer
//!   └────────┴──────────┴──────────┴────────┴──► refusal
//! ```
//! `http_listener` calls [`answer`] for each request. The order matters: nothing of the body is
//! read before the token is known to be valid, so a client without one takes no memory. A
//! completion becomes a task of its own, because it must not end when the client disconnects.
//! Everything else ends with the connection.
//!
//! Every request gets an answer, unless its client has gone. Refusals are written in the wire
//! format that the path names.

use crate::formats::WireFormat;
use crate::gateway::ModelGateway;
use crate::gateway::calls::call::GatewayCall;
use crate::gateway::calls::pass_through::{forwarded_headers, is_the_gateways};
use crate::gateway::listener::body_memory::BodyReservation;
use crate::gateway::listener::response_sink::{GatewayResponse, ResponseSink};
use crate::gateway::refusal::GatewayRefusal;
use crate::gateway::request_check::request::GatewayRequest;
use crate::gateway::sessions::external_agent::CallSlot;
use crate::gateway::sessions::session::GatewaySession;
use crate::gateway::sessions::token_authenticator::{
    AuthenticatedClient, SessionError, TokenAuthenticator,
};
use crate::llm::UpstreamResponse;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body as _, Incoming};
use hyper::{Method, Request};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use synthd_actors::model::{EpisodeId, ExchangeRecorder, SOONEST};
use synthd_actors::ports::CallContext;
use synthd_actors::supervisor::spawn;
use tokio::time::{Instant, timeout};

/// The most bytes of one request's body.
const MOST_BODY: usize = 16 << 20;
/// Bodies of this size or more are parsed on a blocking thread.
const LARGE: usize = 256 << 10;
/// The time for receiving a whole body. Time in which the gateway itself waits for memory does not
/// count.
const BODY_PATIENCE: Duration = Duration::from_secs(120);
/// The time between two pieces of a body.
const PIECE_PATIENCE: Duration = Duration::from_secs(30);

/// What the method and the path ask for.
enum GatewayRoute {
    /// A completion, in any of the three wire formats.
    Completion,
    /// The number of tokens of a request (`/v1/messages/count_tokens`).
    Count,
    /// The list of models.
    Models,
    /// One model, by a name that the client wrote.
    Model(String),
}

/// The answer to a request.
pub(in crate::gateway) struct RoutedResponse {
    pub(in crate::gateway) answer: GatewayResponse,
    /// Whether the request has shown a valid token. The connection limit uses it.
    pub(in crate::gateway) is_known: bool,
}

/// Answers a request. `authenticator` is None if the gateway is gone. The path is checked before the
/// token, so a request to an unknown path does not count as having shown one.
pub(in crate::gateway) async fn answer(
    authenticator: Option<Arc<dyn TokenAuthenticator>>,
    request: Request<Incoming>,
) -> RoutedResponse {
    let (family, mut is_known) = (family_of(&request), false);
    let answered = match (wanted(&request), authenticator) {
        (Ok(wanted), Some(authenticator)) => match caller(&*authenticator, &request).await {
            Ok(caller) => {
                is_known = true;
                respond(caller, request, family, wanted).await
            }
            Err(refusal) => Err(refusal),
        },
        (Ok(_), None) => Err(closing()),
        (Err(refusal), _) => Err(refusal),
    };
    let answer = answered.unwrap_or_else(|refusal| GatewayResponse::refusal(&refusal, family));
    RoutedResponse { answer, is_known }
}

/// The client's wire format. The path decides. `/v1/models` belongs to two formats; there, only
/// clients of the Messages format send `anthropic-version`.
fn family_of(request: &Request<Incoming>) -> WireFormat {
    let path = request.uri().path().trim_end_matches('/');
    let shared = path.contains("/models") && request.headers().contains_key("anthropic-version");
    match path.contains("/messages") || shared {
        true => WireFormat::Anthropic,
        false if path.ends_with("/responses") => WireFormat::Responses,
        false => WireFormat::OpenAiChat,
    }
}

/// The route of a request. `/v1` may be left out, because some clients add it and some do not.
fn wanted(request: &Request<Incoming>) -> Result<GatewayRoute, GatewayRefusal> {
    let path = request.uri().path();
    let path = path.strip_prefix("/v1").unwrap_or(path).trim_end_matches('/');
    let wanted = match (request.method(), path) {
        (&Method::POST, "/chat/completions" | "/messages" | "/responses") => {
            GatewayRoute::Completion
        }
        (&Method::POST, "/messages/count_tokens") => GatewayRoute::Count,
        (&Method::GET, "/models") => GatewayRoute::Models,
        // Names of models contain slashes, and some clients write them as `%2F`.
        (&Method::GET, path) if path.starts_with("/models/") => {
            GatewayRoute::Model(path["/models/".len()..].replace("%2F", "/"))
        }
        (method, path) => {
            let what = format!("there is no {method} {path} here");
            return Err(GatewayRefusal::new(404, "not_found", what));
        }
    };
    Ok(wanted)
}

/// The refusal while the gateway shuts down.
fn closing() -> GatewayRefusal {
    GatewayRefusal::new(503, "closing", "the gateway is closing")
}

/// Answers a request whose token is valid.
async fn respond(
    AuthenticatedClient { gateway, session }: AuthenticatedClient,
    request: Request<Incoming>,
    family: WireFormat,
    wanted: GatewayRoute,
) -> Result<GatewayResponse, GatewayRefusal> {
    // The shutdown has begun: calls in progress may end, and no new one begins.
    if gateway.calls.is_closed() {
        return Err(closing());
    }
    // An agent always gets the model of its episode, whatever name it writes.
    let planned = session.agent().map(|agent| agent.model.clone());
    match wanted {
        GatewayRoute::Models => {
            let names: Vec<&str> = match &planned {
                Some(planned) => vec![planned],
                None => gateway.names(),
            };
            let data: Vec<Value> = names.iter().map(|name| model(name, family)).collect();
            Ok(json_answer(&json!({ "object": "list", "data": data, "has_more": false,
                "first_id": names.first(), "last_id": names.last() })))
        }
        // For an agent, every name is a name of its model.
        GatewayRoute::Model(name)
            if planned.is_some() || (name == SOONEST && gateway.has_choice()) =>
        {
            Ok(json_answer(&model(&name, family)))
        }
        GatewayRoute::Model(name) => match gateway.behind(&name) {
            Some((name, _)) => Ok(json_answer(&model(name, family))),
            None => {
                let what = format!("there is no model {name:?} behind this gateway");
                Err(GatewayRefusal::new(404, "model_not_found", what))
            }
        },
        GatewayRoute::Count => {
            let headers = forwarded(&request);
            // Waits for a slot of the agent before the body is read, so that waiting calls hold no
            // memory.
            let _place = place(&session).await?;
            let (_room, body) = body(&gateway, &session, request).await?;
            let asked = understood(family, body).await?;
            count(&gateway, &asked, planned.as_deref().unwrap_or(&asked.model), &headers).await
        }
        GatewayRoute::Completion => {
            let headers = forwarded(&request);
            let _place = place(&session).await?;
            let (_room, body) = body(&gateway, &session, request).await?;
            let asked = understood(family, body).await?;
            // The shutdown may have begun while the body arrived.
            if gateway.calls.is_closed() {
                return Err(closing());
            }
            // The call is also cancelled when its attempt is over.
            let over = session.agent().map(|agent| agent.over.child_token());
            let unwanted = over.unwrap_or_default();
            // This future is dropped when the client disconnects before it is answered. The guard
            // then cancels the call, unless its request has left already.
            let wanted = unwanted.clone().drop_guard();
            let (sink, answer) = ResponseSink::new(family);
            let calls = gateway.calls.clone();
            let call = GatewayCall { gateway, session, asked, headers, unwanted, _room, _place };
            // The future is large. In a box, it is not copied by each function that it passes
            // through.
            let performing = Box::pin(call.perform(sink));
            spawn("gateway call", calls.track_future(performing)).detach();
            // The sink was dropped without an answer, because the task panicked or the attempt of
            // the agent is over.
            let died = |_| {
                GatewayRefusal::new(500, "engine_failed", "the call has ended without an answer")
            };
            let answer = answer.receive().await.map_err(died)?;
            // The answer has begun. From here on, the sink notices when the client disconnects.
            drop(wanted.disarm());
            Ok(answer)
        }
    }
}

/// The client that the token in `x-api-key` or `Authorization: Bearer` stands for. Without a valid
/// token this is a 401.
async fn caller(
    authenticator: &dyn TokenAuthenticator,
    request: &Request<Incoming>,
) -> Result<AuthenticatedClient, GatewayRefusal> {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let bearer = header("authorization").and_then(bearer);
    // Clients of the Messages format usually send the first header, all others the second.
    let shown = header("x-api-key").or(bearer).unwrap_or_default().trim();
    let what = "this is not a token of the gateway. The gateway prints its token when it starts. \
                An agent has its token in its environment, valid for one attempt";
    let stranger = |SessionError::Stranger| GatewayRefusal::new(401, "invalid_api_key", what);
    authenticator.authenticate(shown).await.map_err(stranger)
}

/// The token in `Bearer sgw-...`. The scheme may be in upper or lower case. None for another
/// scheme.
fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.trim_start().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token)
}

/// A slot among the calls of an agent. Clients of a standalone gateway need none.
async fn place(session: &GatewaySession) -> Result<Option<CallSlot>, GatewayRefusal> {
    match session.agent() {
        Some(agent) => agent.acquire_slot().await.map(Some),
        None => Ok(None),
    }
}

/// The headers of the client that go on to a provider of the Messages format. Several headers of
/// one name become one, with commas.
fn forwarded(request: &Request<Incoming>) -> Vec<(String, String)> {
    let named = ["anthropic-version", "anthropic-beta"].into_iter();
    let values = |name: &str| {
        let all = request.headers().get_all(name).iter().filter_map(|value| value.to_str().ok());
        all.collect::<Vec<_>>().join(",")
    };
    let all = named.map(|name| (name.to_owned(), values(name)));
    all.filter(|(_, value)| !value.is_empty()).collect()
}

/// Receives the body, and reserves memory for each piece before it is kept. A body whose announced
/// length is too large is refused before any of it is read.
async fn body(
    gateway: &ModelGateway,
    session: &GatewaySession,
    request: Request<Incoming>,
) -> Result<(BodyReservation, Bytes), GatewayRefusal> {
    if request.body().size_hint().lower() > MOST_BODY as u64 {
        return Err(too_large());
    }
    let tenant = session.tenant();
    // If this returns early, dropping the reservation gives the memory back.
    let (mut memory, mut body, mut left) =
        (BodyReservation::default(), BytesMut::new(), BODY_PATIENCE);
    let mut pieces = request.into_body();
    while let Some(piece) = next_piece(&mut pieces, &mut left).await? {
        if body.len() + piece.len() > MOST_BODY {
            return Err(too_large());
        }
        // While the gateway waits for memory here, the client's time does not run.
        gateway.rooms.grow(&mut memory, body.len() + piece.len(), tenant).await?;
        body.extend_from_slice(&piece);
    }
    Ok((memory, body.freeze()))
}

/// The next bytes of the body, or None at its end. `left` is what is left of the time for the
/// whole body. Too late is a 408, and a body that breaks off is a 400.
async fn next_piece(
    body: &mut Incoming,
    left: &mut Duration,
) -> Result<Option<Bytes>, GatewayRefusal> {
    let started = Instant::now();
    let late = |_| GatewayRefusal::new(408, "timeout", "the body did not come in time");
    loop {
        let limit = left.saturating_sub(started.elapsed()).min(PIECE_PATIENCE);
        let piece = match timeout(limit, body.frame()).await.map_err(late)? {
            None => None,
            Some(Ok(frame)) => match frame.into_data() {
                Ok(piece) => Some(piece),
                // Trailers mean nothing here.
                Err(_) => continue,
            },
            Some(Err(error)) => {
                return Err(GatewayRefusal::invalid_request(format!(
                    "the body ended early: {error}"
                )));
            }
        };
        *left = left.saturating_sub(started.elapsed());
        return Ok(piece);
    }
}

/// The refusal for a body beyond the limit.
fn too_large() -> GatewayRefusal {
    let what = format!("the body is longer than {} MiB", MOST_BODY >> 20);
    GatewayRefusal::new(413, "request_too_large", what)
}

/// Parses the body. A large one is parsed on a blocking thread, so that it does not hold up other
/// calls.
async fn understood(family: WireFormat, body: Bytes) -> Result<GatewayRequest, GatewayRefusal> {
    if body.len() < LARGE {
        return GatewayRequest::read(family, body);
    }
    let read = tokio::task::spawn_blocking(move || GatewayRequest::read(family, body)).await;
    read.unwrap_or_else(|error| Err(GatewayRefusal::new(500, "engine_failed", error.to_string())))
}

/// Counts the tokens of a request without making a call. It costs nothing and is not recorded. An
/// Anthropic provider counts them itself. For every other model, four bytes of the body count as
/// one token.
async fn count(
    gateway: &ModelGateway,
    asked: &GatewayRequest,
    name: &str,
    headers: &[(String, String)],
) -> Result<GatewayResponse, GatewayRefusal> {
    let estimate = json!({ "input_tokens": asked.body.len().div_ceil(4) });
    if name == SOONEST {
        return Ok(json_answer(&estimate));
    }
    let Some((_, behind)) = gateway.behind(name) else {
        let what = format!("there is no model {name:?} behind this gateway");
        return Err(GatewayRefusal::new(404, "model_not_found", what));
    };
    let upstream = behind.keys.first().and_then(|keyed| keyed.upstream.as_ref());
    // There is no provider that speaks a format of the gateway, so the count is estimated.
    let Some(upstream) = upstream else { return Ok(json_answer(&estimate)) };
    let body = asked.with_model_name(&upstream.model);
    let headers: Vec<(&str, &str)> =
        headers.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    // The count belongs to no episode. Its exchange is seen by a recorder that nobody reads.
    let nobodys = CallContext {
        episode: EpisodeId(String::new()),
        script: None,
        turn: 0,
        retry: 0,
        recorder: ExchangeRecorder::default(),
    };
    match upstream.count(body, &headers, &nobodys).await {
        None => Ok(json_answer(&estimate)),
        Some(Err(fault)) => Err(GatewayRefusal::of_call(&fault)),
        // The provider has refused the gateway's key, not the client's. The client must not see
        // this as a problem of its own token.
        Some(Ok(UpstreamResponse::Refused { status, fault, .. }))
            if matches!(status.as_u16(), 401..=403) && is_the_gateways(&fault) =>
        {
            Err(GatewayRefusal::of_call(&fault))
        }
        Some(Ok(UpstreamResponse::Refused { status, headers, body, .. })) => {
            Ok(GatewayResponse::Whole {
                status: status.as_u16(),
                headers: forwarded_headers(&headers),
                body: Bytes::from(body),
            })
        }
        Some(Ok(UpstreamResponse::Passage(passage))) => match passage.bytes().await {
            Ok(body) => {
                let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
                Ok(GatewayResponse::Whole { status: 200, headers, body })
            }
            Err(fault) => Err(GatewayRefusal::of_call(&fault)),
        },
    }
}

/// The entry of one model in the list, in the client's wire format.
fn model(name: &str, family: WireFormat) -> Value {
    match family {
        WireFormat::OpenAiChat | WireFormat::Responses => {
            let owner = name.split_once('/').map_or("synthd", |(provider, _)| provider);
            json!({ "id": name, "object": "model", "created": 0, "owned_by": owner })
        }
        WireFormat::Anthropic => json!({ "id": name, "type": "model", "display_name": name,
            "lifecycle": "active", "created_at": "1970-01-01T00:00:00Z" }),
    }
}

/// A whole answer with the status 200 and a JSON body.
fn json_answer(json: &Value) -> GatewayResponse {
    let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    GatewayResponse::Whole { status: 200, headers, body: Bytes::from(json.to_string()) }
}
