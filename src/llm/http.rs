//! One exchange with a provider over HTTP: everything it sends is bounded in size and time.
//!
//! ```text
//!  sent ─► head ─► body, piece by piece ─► whole
//!    │       │          └─ silent, too long, cut ─► fault, charge unknown
//!    │       └─ a status that refuses ─► fault of the family's
//!    └─ never reached ─► fault, charge nothing
//! ```

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use reqwest::header::{HeaderMap, HeaderValue, SET_COOKIE};
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use std::error::Error as _;
use std::time::Duration;
use synthd_actors::model::{CallFault, Fault, FaultKind, Headers, Witness};
use tokio::time::timeout;

const CONNECTING: Duration = Duration::from_secs(15);
/// How long a provider may be silent.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Before the head of an answer: some think long before they speak.
    pub first_byte: Duration,
    /// Between two pieces of a body.
    pub idle: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { first_byte: Duration::from_secs(300), idle: Duration::from_secs(120) }
    }
}

/// Of a whole answer.
const MOST: usize = 32 << 20;
/// Of an answer that only says what is wrong.
const MOST_OF_ERROR: usize = 64 << 10;

/// A client with its own pool of connections.
pub(super) fn client() -> Result<Client, Fault> {
    // The first of the process counts; any later is the same.
    rustls::crypto::ring::default_provider().install_default().ok();
    Client::builder()
        .connect_timeout(CONNECTING)
        // A provider that moves would be sent the key elsewhere.
        .redirect(Policy::none())
        .referer(false)
        .http2_max_header_list_size(MOST_OF_ERROR as u32)
        .user_agent(concat!("synthd/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| Fault::new(FaultKind::ModelPermanent, format!("no HTTP client: {error}")))
}

/// An answer whose body has not been read.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    /// Of the response, which has none any more.
    pub(super) headers: HeaderMap,
    response: Response,
    idle: Duration,
    witness: Witness,
}

/// Sends a request; whoever answers, with whatever status.
pub(super) async fn send(
    request: RequestBuilder,
    patience: Patience,
    witness: &Witness,
) -> Result<Answer, CallFault> {
    match timeout(patience.first_byte, request.send()).await {
        Ok(Ok(response)) => Ok(Answer::of(response, patience.idle, witness.clone())),
        Ok(Err(error)) => Err(unsent(&error)),
        Err(_) => Err(silent("it does not answer")),
    }
}

/// What is kept of the headers of an answer: nobody's session.
fn kept(headers: &HeaderMap) -> Headers {
    let plain = headers.iter().filter(|(name, _)| *name != SET_COOKIE);
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    plain.map(|(name, value)| (name.to_string(), text(value))).collect()
}

impl Answer {
    /// One that somebody gave before.
    pub(super) fn recorded(response: http::Response<Vec<u8>>, witness: Witness) -> Self {
        Self::of(Response::from(response), Patience::default().idle, witness)
    }

    fn of(mut response: Response, idle: Duration, witness: Witness) -> Self {
        let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
        witness.answered(status.as_u16(), kept(&headers));
        Self { status, headers, response, idle, witness }
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
    pub(super) async fn complaint(self) -> String {
        let mut said = Vec::new();
        let mut pieces = Box::pin(self.bounded(MOST_OF_ERROR));
        while let Some(Ok(piece)) = pieces.next().await {
            said.extend_from_slice(&piece);
        }
        String::from_utf8_lossy(&said).into_owned()
    }

    fn bounded(self, most: usize) -> impl Stream<Item = Result<Bytes, CallFault>> + Send {
        let (body, idle) = (Box::pin(self.response.bytes_stream()), self.idle);
        let start = (body, self.witness, 0);
        futures_util::stream::unfold(start, move |(mut body, witness, before)| async move {
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
                    witness.received(&piece);
                    (Ok(piece), read)
                }
            };
            Some((item, (body, witness, read)))
        })
    }
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
