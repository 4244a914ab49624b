//! Requests to the Hub and to the stores that it names, each tried several times.
//!
//! ```text
//! sent ─► success
//!    ├─► busy or broken (408, 429, 5xx, no or half an answer) ─► waits ─► sent again, at most TRIES times
//!    └─► refused (any other status) ─► `HubFault::Refused`
//! ```
//! The token goes to the Hub only. A store gets an address that the Hub has signed, which stands in no
//! message either.

use super::hub_token::HubToken;
use crate::formats::reading::retry_after;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap};
use reqwest::redirect::Policy;
use reqwest::{Body, Client, Method, Response, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::{Duration, SystemTime};

/// How often a request is sent.
const TRIES: u32 = 5;
/// The wait before the second try. Each further one is twice as long.
const WAIT: Duration = Duration::from_millis(250);
/// The longest wait that the Hub may ask for.
const LONGEST: Duration = Duration::from_secs(60);
/// How long a connection may take, and how long an answer may be silent.
const CONNECTING: Duration = Duration::from_secs(15);
const SILENCE: Duration = Duration::from_secs(120);
/// The most bytes of an answer, and of one that refuses.
const MOST: usize = 32 << 20;
const MOST_OF_REFUSAL: usize = 4 << 10;
/// The most characters of a refusal in a message.
const SHOWN: usize = 300;

/// Why a request got no success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum HubFault {
    /// The Hub has answered that it will not do it.
    Refused { status: u16, why: String },
    /// No answer could be used, even after several tries.
    Broken(String),
}

/// A client of one Hub.
pub(super) struct HubClient {
    http: Client,
    endpoint: String,
    token: HubToken,
}

/// What a request sends, made anew for each try.
pub(super) enum HubBody<'a> {
    Nothing,
    Bytes {
        kind: &'static str,
        bytes: Vec<u8>,
    },
    /// A stream with its length.
    Stream {
        length: u64,
        make: &'a (dyn Fn() -> Body + Sync),
    },
}

/// A request of one kind and address.
struct HubRequest<'a> {
    method: Method,
    address: &'a str,
    /// What it is called in messages; never a signed address.
    name: &'a str,
    body: HubBody<'a>,
    /// Whether the token goes with it.
    is_own: bool,
}

impl HubClient {
    /// A client. Fails if TLS cannot be set up.
    pub(super) fn new(endpoint: String, token: HubToken) -> Result<Self, HubFault> {
        // Sets the TLS library of the process. A later call fails, which does no harm.
        rustls::crypto::ring::default_provider().install_default().ok();
        let client = Client::builder()
            .connect_timeout(CONNECTING)
            .read_timeout(SILENCE)
            // A file may be served by another host. The token is not sent there.
            .redirect(Policy::limited(5))
            .referer(false)
            .user_agent(concat!("synthd/", env!("CARGO_PKG_VERSION")))
            .build();
        let http = client.map_err(|error| HubFault::Broken(causes(error)))?;
        Ok(Self { http, endpoint, token })
    }

    /// The address of the Hub.
    pub(super) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Reads a document of the Hub, with the headers of the answer.
    pub(super) async fn get(&self, path: &str) -> Result<(HeaderMap, Vec<u8>), HubFault> {
        self.ask(Method::GET, path, HubBody::Nothing).await
    }

    /// Reads a document of the Hub as JSON.
    pub(super) async fn read<T: DeserializeOwned>(&self, path: &str) -> Result<T, HubFault> {
        parsed(path, &self.get(path).await?.1)
    }

    /// Sends a document to the Hub, and reads the answer.
    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        kind: &'static str,
        document: &impl Serialize,
    ) -> Result<T, HubFault> {
        let bytes = serde_json::to_vec(document).map_err(|e| HubFault::Broken(e.to_string()))?;
        let (_, answer) = self.ask(Method::POST, path, HubBody::Bytes { kind, bytes }).await?;
        parsed(path, &answer)
    }

    /// Sends a request to a path of the Hub, or to an address that is one of the Hub's.
    pub(super) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: HubBody<'_>,
    ) -> Result<(HeaderMap, Vec<u8>), HubFault> {
        let address = match path.starts_with('/') {
            true => format!("{}{path}", self.endpoint),
            false => path.to_owned(),
        };
        // The token is for the Hub alone, whatever address an answer has named.
        let is_own = address.starts_with(&format!("{}/", self.endpoint));
        let name = address.split('?').next().unwrap_or_default();
        self.sent(&HubRequest { method, address: &address, name, body, is_own }).await
    }

    /// Sends a request to a signed address, without the token.
    pub(super) async fn store(
        &self,
        method: Method,
        address: &str,
        body: HubBody<'_>,
    ) -> Result<HeaderMap, HubFault> {
        let name = address.split('?').next().unwrap_or_default();
        let request = HubRequest { method, address, name, body, is_own: false };
        Ok(self.sent(&request).await?.0)
    }

    /// Sends a request until it has an answer that counts.
    async fn sent(&self, request: &HubRequest<'_>) -> Result<(HeaderMap, Vec<u8>), HubFault> {
        let mut wait = WAIT;
        let mut last = String::new();
        for attempt in 1..=TRIES {
            let (why, asked) = match self.attempt(request).await {
                Ok(answer) => return Ok(answer),
                Err(HubAttempt::Refused(fault)) => return Err(fault),
                Err(HubAttempt::Busy { why, wait }) => (why, wait),
            };
            tracing::warn!(request = request.name, attempt, why = %why, "a request of a push failed");
            last = why;
            if attempt < TRIES {
                tokio::time::sleep(asked.unwrap_or(wait).min(LONGEST)).await;
                wait *= 2;
            }
        }
        Err(HubFault::Broken(format!("{} {}: {last}", request.method, request.name)))
    }

    /// Sends a request once.
    async fn attempt(&self, request: &HubRequest<'_>) -> Result<(HeaderMap, Vec<u8>), HubAttempt> {
        let mut call = self.http.request(request.method.clone(), request.address);
        if request.is_own {
            call = call.header(AUTHORIZATION, self.token.header());
        }
        call = match &request.body {
            HubBody::Nothing => call,
            HubBody::Bytes { kind, bytes } => {
                // Git LFS wants its own media type in both directions.
                let call = match kind.starts_with("application/vnd.") {
                    true => call.header(ACCEPT, *kind),
                    false => call,
                };
                call.header(CONTENT_TYPE, *kind).body(bytes.clone())
            }
            HubBody::Stream { length, make } => call.header(CONTENT_LENGTH, *length).body(make()),
        };
        let busy = |why: String| HubAttempt::Busy { why, wait: None };
        let response = call.send().await.map_err(|error| busy(causes(error)))?;
        let (status, headers) = (response.status(), response.headers().clone());
        if status.is_success() {
            let body = whole(response, MOST).await.map_err(busy)?;
            return Ok((headers, body));
        }
        // The token is taken out before the text is cut, so that no part of it is left.
        let why: String =
            self.token.redacted(&refusal(response).await).chars().take(SHOWN).collect();
        Err(match is_busy(status) {
            true => HubAttempt::Busy {
                why: format!("status {}: {why}", status.as_u16()),
                wait: retry_after::of(&headers, SystemTime::now()),
            },
            false => HubAttempt::Refused(HubFault::Refused { status: status.as_u16(), why }),
        })
    }
}

/// Why one try got no success.
enum HubAttempt {
    Busy { why: String, wait: Option<Duration> },
    Refused(HubFault),
}

/// Whether a status says that a later try may succeed.
fn is_busy(status: StatusCode) -> bool {
    status.is_server_error() || [408, 425, 429].contains(&status.as_u16())
}

/// The body of an answer. Fails if it is cut off or too long.
async fn whole(mut response: Response, most: usize) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(causes)? {
        body.extend_from_slice(&piece);
        if body.len() > most {
            return Err(format!("the answer is longer than {most} bytes"));
        }
    }
    Ok(body)
}

/// What a refusal says, on one line.
async fn refusal(mut response: Response) -> String {
    let said = response.headers().get("x-error-message").and_then(|text| text.to_str().ok());
    if let Some(said) = said {
        return said.to_owned();
    }
    let mut body = Vec::new();
    // The part that arrived is enough to see what is wrong.
    while let Ok(Some(piece)) = response.chunk().await {
        body.extend_from_slice(&piece);
        if body.len() > MOST_OF_REFUSAL {
            break;
        }
    }
    let document: Option<serde_json::Value> = serde_json::from_slice(&body).ok();
    let error = document.as_ref().and_then(|document| document.get("error")?.as_str());
    let text = error.map_or_else(|| String::from_utf8_lossy(&body).into_owned(), str::to_owned);
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ")
}

/// The text of a transport error with its causes, and without its address, which may be signed.
fn causes(error: reqwest::Error) -> String {
    let error = error.without_url();
    let first: &(dyn std::error::Error + 'static) = &error;
    let all = std::iter::successors(Some(first), |error| error.source());
    all.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// An answer as a document.
pub(super) fn parsed<T: DeserializeOwned>(path: &str, answer: &[u8]) -> Result<T, HubFault> {
    serde_json::from_slice(answer).map_err(|error| {
        HubFault::Broken(format!("the answer of {path} is no document of the Hub: {error}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_hub_is_asked_again_and_a_refusal_is_not() {
        for status in [408, 425, 429, 500, 502, 503, 504] {
            assert!(is_busy(StatusCode::from_u16(status).unwrap()), "{status}");
        }
        for status in [400, 401, 403, 404, 409, 412, 413, 422] {
            assert!(!is_busy(StatusCode::from_u16(status).unwrap()), "{status}");
        }
    }
}
