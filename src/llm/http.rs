//! One exchange with a provider over HTTP: everything it sends is bounded in size and time.
//!
//! ```text
//!  sent ─► head ─► body, piece by piece ─► whole
//!    │       │          └─ silent, too long, cut ─► fault, charge unknown
//!    │       └─ a status that refuses ─► fault of the family's
//!    └─ never reached ─► fault, charge nothing
//! ```

use super::redaction::{KeyMatcher, StreamRedactor};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use reqwest::header::{HeaderMap, HeaderValue, SET_COOKIE};
use reqwest::redirect::Policy;
use reqwest::{Client, Proxy, RequestBuilder, Response, StatusCode};
use std::error::Error as _;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use synthd_actors::model::{
    CallFault, ExchangeRecorder, Fault, FaultKind, HeaderList, ProviderTimeouts,
};
use tokio::time::timeout;

const CONNECTING: Duration = Duration::from_secs(15);
/// Of a whole answer.
const MOST: usize = 32 << 20;
/// Of an answer that only says what is wrong.
const MOST_OF_ERROR: usize = 64 << 10;

/// A client with its own pool of connections. A proxy is used only where the campaign names one:
/// what the environment says of proxies is not for requests that carry keys.
pub(super) fn client(proxy: Option<&str>) -> Result<Client, Fault> {
    // The first of the process counts; any later is the same.
    rustls::crypto::ring::default_provider().install_default().ok();
    let broken = |error: reqwest::Error| {
        let why = with_causes(&error);
        Fault::new(FaultKind::ModelPermanent, format!("no HTTP client: {why}"))
    };
    let client = match proxy {
        None => Client::builder().no_proxy(),
        Some(proxy) => {
            let proxy = Proxy::all(proxy).map_err(broken)?;
            Client::builder().no_proxy().proxy(proxy)
        }
    };
    client
        .connect_timeout(CONNECTING)
        // A provider that moves would be sent the key elsewhere.
        .redirect(Policy::none())
        .referer(false)
        .http2_max_header_list_size(MOST_OF_ERROR as u32)
        .user_agent(concat!("synthd/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(broken)
}

/// An answer whose body has not been read.
pub(super) struct ProviderResponse {
    pub(super) status: StatusCode,
    /// Of the response, which has none any more.
    pub(super) headers: HeaderMap,
    response: Response,
    idle: Duration,
    witness: ExchangeRecorder,
    /// Taken out of all that is said.
    secret: Option<Arc<KeyMatcher>>,
}

/// Sends a request. Returns the answer with any status.
pub(super) async fn send(
    request: RequestBuilder,
    patience: ProviderTimeouts,
    witness: &ExchangeRecorder,
    secret: Option<Arc<KeyMatcher>>,
) -> Result<ProviderResponse, CallFault> {
    match timeout(patience.first_byte, request.send()).await {
        Ok(Ok(response)) => {
            Ok(ProviderResponse::of(response, patience.idle, witness.clone(), secret))
        }
        Ok(Err(error)) => Err(unsent(&error)),
        Err(_) => Err(silent("it does not answer")),
    }
}

/// Providers repeat what they were sent.
fn redact(headers: &mut HeaderMap, secret: &KeyMatcher) {
    for value in headers.values_mut() {
        let clean = secret.redacted(value.as_bytes().to_vec());
        if let Ok(clean) = HeaderValue::from_bytes(&clean) {
            *value = clean;
        }
    }
}

/// What is kept of the headers of an answer: nobody's session.
fn kept(headers: &HeaderMap) -> HeaderList {
    let plain = headers.iter().filter(|(name, _)| *name != SET_COOKIE);
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    plain.map(|(name, value)| (name.to_string(), text(value))).collect()
}

impl ProviderResponse {
    /// One that somebody gave before.
    pub(super) fn recorded(response: http::Response<Vec<u8>>, witness: ExchangeRecorder) -> Self {
        Self::of(Response::from(response), ProviderTimeouts::default().idle, witness, None)
    }

    fn of(
        mut response: Response,
        idle: Duration,
        witness: ExchangeRecorder,
        secret: Option<Arc<KeyMatcher>>,
    ) -> Self {
        let (status, mut headers) = (response.status(), std::mem::take(response.headers_mut()));
        if let Some(secret) = &secret {
            redact(&mut headers, secret);
        }
        witness.answered(status.as_u16(), kept(&headers));
        let secret = secret.filter(|secret| !status.is_success() || !secret.is_placeholder());
        Self { status, headers, response, idle, witness, secret }
    }

    pub(super) fn is_events(&self) -> bool {
        let kind = self.headers.get(reqwest::header::CONTENT_TYPE);
        let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        kind.trim_start().to_ascii_lowercase().starts_with("text/event-stream")
    }

    /// The body piece by piece, each in time and all together bounded.
    pub(super) fn pieces(self) -> impl Stream<Item = Result<Bytes, CallFault>> + Send {
        self.bounded(MOST)
    }

    /// All of it.
    pub(super) async fn whole(self) -> Result<Vec<u8>, CallFault> {
        collect(self.bounded(MOST)).await
    }

    /// What an error says, as far as it is worth reading.
    pub(super) async fn read_error_text(self) -> String {
        let mut said = Vec::new();
        let mut pieces = Box::pin(self.bounded(MOST_OF_ERROR));
        while let Some(Ok(piece)) = pieces.next().await {
            said.extend_from_slice(&piece);
        }
        String::from_utf8_lossy(&said).into_owned()
    }

    fn bounded(self, most: usize) -> impl Stream<Item = Result<Bytes, CallFault>> + Send {
        let body = RedactedBody {
            raw: Box::pin(raw(self.response, self.idle, most).fuse()),
            redactor: self.secret.map(StreamRedactor::new),
            witness: self.witness,
            failed: None,
        };
        futures_util::stream::unfold(body, |mut body| async move {
            let next = body.next().await?;
            Some((next, body))
        })
    }
}

/// A body on its way, without the key.
struct RedactedBody {
    raw: Pin<Box<dyn Stream<Item = Result<Bytes, CallFault>> + Send>>,
    redactor: Option<StreamRedactor>,
    witness: ExchangeRecorder,
    failed: Option<CallFault>,
}

impl RedactedBody {
    async fn next(&mut self) -> Option<Result<Bytes, CallFault>> {
        loop {
            let piece = match self.raw.next().await {
                Some(Ok(piece)) => match &mut self.redactor {
                    Some(redactor) => redactor.push(piece),
                    None => piece,
                },
                Some(Err(fault)) => {
                    self.failed = Some(fault);
                    continue;
                }
                // What was kept comes before what ended it.
                None => match self.redactor.take().map(|mut redactor| redactor.end()) {
                    Some(rest) if !rest.is_empty() => rest,
                    _ => return self.failed.take().map(Err),
                },
            };
            if !piece.is_empty() {
                self.witness.received(&piece);
                return Some(Ok(piece));
            }
        }
    }
}

/// The body as it comes: each piece in time, and all together no longer than `most`.
fn raw(
    response: Response,
    idle: Duration,
    most: usize,
) -> impl Stream<Item = Result<Bytes, CallFault>> + Send {
    let start = (Box::pin(response.bytes_stream()), 0);
    futures_util::stream::unfold(start, move |(mut body, before)| async move {
        // After an error there is nothing more.
        if before > most {
            return None;
        }
        let ended = usize::MAX;
        let (item, read) = match timeout(idle, body.next()).await {
            Err(_) => (Err(silent("it stopped in the middle of its answer")), ended),
            Ok(None) => return None,
            Ok(Some(Err(error))) => (Err(cut(&error)), ended),
            Ok(Some(Ok(piece))) if before + piece.len() > most => (Err(too_long(most)), ended),
            Ok(Some(Ok(piece))) => {
                let read = before + piece.len();
                (Ok(piece), read)
            }
        };
        Some((item, (body, read)))
    })
}

async fn collect(
    pieces: impl Stream<Item = Result<Bytes, CallFault>>,
) -> Result<Vec<u8>, CallFault> {
    let mut pieces = std::pin::pin!(pieces);
    let mut whole = Vec::new();
    while let Some(piece) = pieces.next().await {
        whole.extend_from_slice(&piece?);
    }
    Ok(whole)
}

/// Certainly unsent is only what never had a connection.
fn unsent(error: &reqwest::Error) -> CallFault {
    let why = with_causes(error);
    if error.is_connect() {
        return CallFault::free(FaultKind::ModelTransient, format!("it cannot be reached: {why}"));
    }
    if error.is_builder() {
        return CallFault::free(FaultKind::ModelPermanent, format!("no such request: {why}"));
    }
    CallFault::unknown(FaultKind::ModelTransient, format!("the request failed: {why}"))
}

fn cut(error: &reqwest::Error) -> CallFault {
    let why = with_causes(error);
    CallFault::unknown(FaultKind::ModelTransient, format!("its answer was cut: {why}"))
}

fn silent(what: &str) -> CallFault {
    CallFault::unknown(FaultKind::ModelTransient, what)
}

fn too_long(most: usize) -> CallFault {
    let why = format!("its answer is longer than {} MiB", most >> 20);
    CallFault::unknown(FaultKind::ModelTransient, why)
}

/// Without the address, which may be somebody's secret, and with what is behind it.
fn with_causes(error: &reqwest::Error) -> String {
    let mut parts = Vec::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        parts.push(error.to_string());
        cause = error.source();
    }
    if parts.is_empty() { "no reason was given".to_owned() } else { parts.join(": ") }
}
