//! The record of one try of a model call: the bytes that were sent and received over HTTP, with
//! secrets left out.
//!
//! An adapter writes into an [`ExchangeRecorder`] while the exchange goes on. So the record also
//! has what arrived before a connection broke or a timeout passed. The router or the gateway then
//! takes the [`HttpExchange`] and puts it into a [`CallRecord`], which is stored in the same
//! transaction as the settlement of the call. A replay answers from these records.

use super::{AttemptNumber, CampaignName, EpisodeId, Fault, Money, Usage};
use serde::{Deserialize, Serialize};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Names and values of HTTP headers, in the order in which they came.
pub type HeaderList = Vec<(String, String)>;

/// One HTTP request and its response, as far as it came.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpExchange {
    /// The URL as sent, or a placeholder if the answer came from a replay.
    pub url: String,
    /// The wire format of the bodies, such as `openai` or `anthropic`.
    pub dialect: String,
    /// The headers as sent. They never include the API key.
    pub request_headers: HeaderList,
    /// The body as sent.
    pub request: Vec<u8>,
    /// The HTTP status; none if no response came.
    pub status: Option<u16>,
    pub response_headers: HeaderList,
    /// The body as received, possibly incomplete. The API key is redacted in it.
    pub response: Vec<u8>,
    /// The time from sending the request until the head of the response came.
    pub first_byte: Option<Duration>,
    /// The time from sending the request until the last piece of the response that came.
    pub last_byte: Option<Duration>,
}

/// Records an exchange while it goes on. Clones share one record: the adapter writes and the owner
/// of the call takes. If the call is cancelled, the owner still has the bytes that came before.
#[derive(Clone, Debug, Default)]
pub struct ExchangeRecorder(Arc<Mutex<RecorderState>>);

/// The exchange so far.
#[derive(Debug, Default)]
struct RecorderState {
    exchange: HttpExchange,
    /// When the request was sent; none if no request was sent since the last `take`.
    began: Option<Instant>,
}

impl ExchangeRecorder {
    /// Starts the record. The adapter calls it immediately before the request is sent. `headers`
    /// must not contain the API key. A second call begins a new record.
    pub fn sent(&self, url: &str, dialect: &str, headers: HeaderList, body: &[u8]) {
        let mut seen = self.seen();
        seen.began = Some(Instant::now());
        seen.exchange = HttpExchange {
            url: url.to_owned(),
            dialect: dialect.to_owned(),
            request_headers: headers,
            request: body.to_vec(),
            ..HttpExchange::default()
        };
    }

    /// Records the head of the response.
    pub fn answered(&self, status: u16, headers: HeaderList) {
        let mut seen = self.seen();
        let at = seen.elapsed();
        seen.exchange.status = Some(status);
        seen.exchange.response_headers = headers;
        seen.exchange.first_byte = at;
        seen.exchange.last_byte = at;
    }

    /// Appends a piece of the response's body.
    pub fn received(&self, piece: &[u8]) {
        let mut seen = self.seen();
        seen.exchange.last_byte = seen.elapsed();
        seen.exchange.response.extend_from_slice(piece);
    }

    /// Lets `with` change the record, to remove what may not be kept, such as an API key that the
    /// provider repeated.
    pub fn redact(&self, with: impl FnOnce(&mut HttpExchange)) {
        with(&mut self.seen().exchange);
    }

    /// Ends the record and returns it. None if nothing was sent since the last `take`.
    pub fn take(&self) -> Option<HttpExchange> {
        let mut seen = self.seen();
        seen.began.take()?;
        Some(std::mem::take(&mut seen.exchange))
    }

    /// Locks the state. A panic of another holder does not matter, because every state is a valid
    /// record.
    fn seen(&self) -> MutexGuard<'_, RecorderState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RecorderState {
    /// The time since the request was sent.
    fn elapsed(&self) -> Option<Duration> {
        self.began.map(|began| began.elapsed())
    }
}

/// The position of a try: which try of which call of which episode.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallPosition {
    pub campaign: CampaignName,
    pub episode: EpisodeId,
    /// The attempt that made the call.
    pub attempt: AttemptNumber,
    /// How many replies the conversation held before this call.
    pub turn: u32,
    /// The number of the try within the call, from zero.
    pub retry: u32,
}

impl CallPosition {
    /// The id of the try, for example `ep-0123456789abcdef/1/4/0`. The hold and the record of the
    /// try have the same id.
    pub fn id(&self) -> String {
        format!("{}/{}/{}/{}", self.episode, self.attempt, self.turn, self.retry)
    }
}

/// One try of a call as the journal keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallRecord {
    /// Which try it was.
    pub place: CallPosition,
    /// The model that was asked, by its name in the campaign.
    pub model: String,
    /// The provider's address and key by the names that the engine has for them. The key itself is
    /// not here.
    #[serde(default)]
    pub provider: Option<String>,
    /// Why this model was asked, if it is not simply the planned one, for example that it is a
    /// fallback. Otherwise it is empty.
    #[serde(default)]
    pub why: String,
    /// The name of the answering model as the provider reports it.
    pub answered_by: Option<String>,
    /// The tokens as counted; none if the provider did not count.
    pub usage: Option<Usage>,
    /// What the try was settled at.
    pub cost: Money,
    /// Why the try failed; none for an answer.
    pub fault: Option<Fault>,
    /// Milliseconds since 1970, UTC.
    pub at_ms: i64,
    /// The bytes of the request and of the response.
    pub exchange: HttpExchange,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_heard_before_a_cut_is_kept() {
        let recorder = ExchangeRecorder::default();
        assert_eq!(recorder.take(), None);
        recorder.sent("http://h/v1", "openai", Vec::new(), b"{}");
        recorder.answered(200, vec![("a".to_owned(), "b".to_owned())]);
        recorder.received(b"data: ");
        recorder.received(b"{");
        let seen = recorder.take().unwrap();
        assert_eq!((seen.status, seen.response.as_slice()), (Some(200), b"data: {".as_slice()));
        assert!(seen.first_byte <= seen.last_byte);
        assert_eq!(recorder.take(), None, "it is one exchange's");
    }
}
