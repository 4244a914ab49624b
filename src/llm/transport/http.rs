//! One HTTP exchange with a provider. Everything that the provider sends is limited in size and in
//! time, because a provider that misbehaves must not stop the engine or fill its memory.
//!
//! ```text
//!  sent ─► head ─► body, piece by piece ─► complete
//!    │       │          └─ silent, too long, cut off ─► fault, charge unknown
//!    │       └─ a status that refuses ─► fault of the family
//!    └─ not connected ─► fault, no charge
//! ```
//!
//! `ProviderClient` calls this module. The module knows nothing of wire formats. It records the
//! exchange (`ExchangeRecorder`) and redacts the key before anyone else sees the bytes.

use crate::llm::transport::redaction::{KeyMatcher, StreamRedactor};
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

/// The timeout for a TCP and TLS connection.
const CONNECTING: Duration = Duration::from_secs(15);
/// The size limit of a body that is no refusal, in bytes.
const MOST: usize = 32 << 20;
/// The size limit of a refusal's body, and of the headers of an HTTP/2 answer, in bytes.
const MOST_OF_ERROR: usize = 64 << 10;

/// Makes an HTTP client with its own connection pool. It uses a proxy only if the campaign names
/// one. The proxy variables of the environment are ignored, because requests carry keys. Fails if
/// the proxy's address or the TLS setup cannot be used.
pub(in crate::llm) fn client(proxy: Option<&str>) -> Result<Client, Fault> {
    // Sets the TLS library of the process. A later call fails, which does no harm: the same library
    // is already set.
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
        // A redirect would send the key to another address.
        .redirect(Policy::none())
        .referer(false)
        // A provider could otherwise fill the memory with headers.
        .http2_max_header_list_size(MOST_OF_ERROR as u32)
        .user_agent(concat!("synthd/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(broken)
}

/// An answer whose head has arrived and whose body was not read yet.
pub(in crate::llm) struct ProviderResponse {
    pub(in crate::llm) status: StatusCode,
    /// The headers, already without the key. They were moved out of `response`.
    pub(in crate::llm) headers: HeaderMap,
    response: Response,
    /// How long the body may be silent.
    idle: Duration,
    recorder: ExchangeRecorder,
    /// What is taken out of the body. None if there is no key to look for.
    secret: Option<Arc<KeyMatcher>>,
}

/// Sends a request and waits for the head of the answer, at most for `timeouts.first_byte`. Returns
/// the answer with any status. `secret` is the key to redact.
pub(in crate::llm) async fn send(
    request: RequestBuilder,
    timeouts: ProviderTimeouts,
    recorder: &ExchangeRecorder,
    secret: Option<Arc<KeyMatcher>>,
) -> Result<ProviderResponse, CallFault> {
    match timeout(timeouts.first_byte, request.send()).await {
        Ok(Ok(response)) => {
            Ok(ProviderResponse::of(response, timeouts.idle, recorder.clone(), secret))
        }
        Ok(Err(error)) => Err(unsent(&error)),
        Err(_) => Err(unanswered()),
    }
}

/// Takes the key out of the headers: some providers repeat what they were sent.
fn redact(headers: &mut HeaderMap, secret: &KeyMatcher) {
    for value in headers.values_mut() {
        let clean = secret.redacted(value.as_bytes().to_vec());
        if let Ok(clean) = HeaderValue::from_bytes(&clean) {
            *value = clean;
        }
    }
}

/// The headers that the record keeps. Cookies are left out, since they may open a session.
fn kept(headers: &HeaderMap) -> HeaderList {
    let plain = headers.iter().filter(|(name, _)| *name != SET_COOKIE);
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    plain.map(|(name, value)| (name.to_string(), text(value))).collect()
}

impl ProviderResponse {
    /// An answer of a replay record. Its key was redacted when it was recorded.
    pub(in crate::llm) fn recorded(
        response: http::Response<Vec<u8>>,
        recorder: ExchangeRecorder,
    ) -> Self {
        Self::of(Response::from(response), ProviderTimeouts::default().idle, recorder, None)
    }

    /// Takes the head of an answer: redacts and records the headers. A key that is so short that it
    /// looks like a placeholder is looked for in the bodies of refusals only, because a model may
    /// well write the same word.
    fn of(
        mut response: Response,
        idle: Duration,
        recorder: ExchangeRecorder,
        secret: Option<Arc<KeyMatcher>>,
    ) -> Self {
        let (status, mut headers) = (response.status(), std::mem::take(response.headers_mut()));
        if let Some(secret) = &secret {
            redact(&mut headers, secret);
        }
        recorder.answered(status.as_u16(), kept(&headers));
        // From here on the key is looked for in the body.
        let secret = secret.filter(|secret| !status.is_success() || !secret.is_placeholder());
        Self { status, headers, response, idle, recorder, secret }
    }

    /// Whether the body is a stream of server-sent events, by its content type.
    pub(in crate::llm) fn is_events(&self) -> bool {
        let kind = self.headers.get(reqwest::header::CONTENT_TYPE);
        let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        kind.trim_start().to_ascii_lowercase().starts_with("text/event-stream")
    }

    /// The body piece by piece. Each piece must arrive within the idle timeout, and all together
    /// must stay below the size limit. After an error the stream ends.
    pub(in crate::llm) fn pieces(self) -> impl Stream<Item = Result<Bytes, CallFault>> + Send {
        self.bounded(MOST)
    }

    /// The complete body, with the same limits as [`Self::pieces`].
    pub(in crate::llm) async fn whole(self) -> Result<Vec<u8>, CallFault> {
        collect(self.bounded(MOST)).await
    }

    /// The body of a refusal as text. What exceeds the limit is dropped, and so is everything after
    /// a read error: the part that arrived is enough to see what is wrong.
    pub(in crate::llm) async fn read_error_text(self) -> String {
        let mut said = Vec::new();
        let mut pieces = Box::pin(self.bounded(MOST_OF_ERROR));
        while let Some(Ok(piece)) = pieces.next().await {
            said.extend_from_slice(&piece);
        }
        String::from_utf8_lossy(&said).into_owned()
    }

    /// The body with limits on size and time, redacted and recorded.
    fn bounded(self, most: usize) -> impl Stream<Item = Result<Bytes, CallFault>> + Send {
        let body = RedactedBody {
            raw: Box::pin(raw(self.response, self.idle, most).fuse()),
            redactor: self.secret.map(StreamRedactor::new),
            recorder: self.recorder,
            failed: None,
        };
        futures_util::stream::unfold(body, |mut body| async move {
            let next = body.next().await?;
            Some((next, body))
        })
    }
}

/// A body that is read: redacted first, then recorded, then returned.
struct RedactedBody {
    /// The limited body with the key still in it.
    raw: Pin<Box<dyn Stream<Item = Result<Bytes, CallFault>> + Send>>,
    redactor: Option<StreamRedactor>,
    recorder: ExchangeRecorder,
    /// The error that ended the body. It is kept until the redactor's last bytes were returned.
    failed: Option<CallFault>,
}

impl RedactedBody {
    /// The next piece without the key, or the error that ended the body. Empty pieces are skipped.
    async fn next(&mut self) -> Option<Result<Bytes, CallFault>> {
        loop {
            let piece = match self.raw.next().await {
                Some(Ok(piece)) => match &mut self.redactor {
                    Some(redactor) => redactor.push(piece),
                    None => piece,
                },
                // The error is kept, and the loop goes on: the next step reads the end of the
                // stream and returns the redactor's last bytes first.
                Some(Err(fault)) => {
                    self.failed = Some(fault);
                    continue;
                }
                // The redactor may hold the last bytes back, because they could begin a key. They
                // are returned before the error that ended the body.
                None => match self.redactor.take().map(|mut redactor| redactor.end()) {
                    Some(rest) if !rest.is_empty() => rest,
                    _ => return self.failed.take().map(Err),
                },
            };
            if !piece.is_empty() {
                self.recorder.received(&piece);
                return Some(Ok(piece));
            }
        }
    }
}

/// The body as it arrives, with the limits on time and size. `most` is in bytes. The counter of
/// bytes is set to `usize::MAX` after an error, so that the next step ends the stream.
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
        // Each arm gives an item and the number of bytes that were read so far.
        let (item, read) = match timeout(idle, body.next()).await {
            Err(_) => (Err(stopped()), ended),
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

/// Joins all pieces. The first error ends it.
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

/// The fault of a request without an answer. It certainly cost nothing if the connection was never
/// made or the request could not be built. Any later failure may have reached the model, so its
/// charge is unknown.
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

/// The fault of a body that the connection broke off.
fn cut(error: &reqwest::Error) -> CallFault {
    let why = with_causes(error);
    CallFault::unknown(FaultKind::ModelTransient, format!("its answer was cut: {why}"))
}

/// The fault of a provider without a word in all of `first_byte`: silence. It is not asked again
/// within the call, because each further try would cost its whole hold too.
fn unanswered() -> CallFault {
    CallFault::unknown(FaultKind::OutOfTime, "it does not answer")
}

/// The fault of a body that was silent for the idle timeout. The provider has answered, so it is
/// not down.
fn stopped() -> CallFault {
    CallFault::unknown(FaultKind::ModelTransient, "it stopped in the middle of its answer")
}

/// The fault of a body that exceeds its size limit.
fn too_long(most: usize) -> CallFault {
    let why = format!("its answer is longer than {} MiB", most >> 20);
    CallFault::unknown(FaultKind::ModelTransient, why)
}

/// The causes of an error, joined with `: `. The error itself is left out, because its text holds
/// the URL, which may be secret.
fn with_causes(error: &reqwest::Error) -> String {
    let mut parts = Vec::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        parts.push(error.to_string());
        cause = error.source();
    }
    if parts.is_empty() { "no reason was given".to_owned() } else { parts.join(": ") }
}
