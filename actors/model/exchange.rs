//! What went over the wire for one call: bytes as they were sent and received, secrets left
//! out.

use super::{AttemptNumber, CampaignName, EpisodeId, Fault, Money, Usage};
use serde::{Deserialize, Serialize};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Names and values, as they came.
pub type HeaderList = Vec<(String, String)>;

/// One exchange with a provider, as far as it came.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpExchange {
    pub url: String,
    /// How the bodies are to be read, such as `openai` or `anthropic`.
    pub dialect: String,
    pub request_headers: HeaderList,
    pub request: Vec<u8>,
    /// None where nobody answered.
    pub status: Option<u16>,
    pub response_headers: HeaderList,
    pub response: Vec<u8>,
    /// From the request to the first byte of the answer's head, and to the last that came.
    pub first_byte: Option<Duration>,
    pub last_byte: Option<Duration>,
}

/// Sees an exchange while it goes on, so that what was heard before a cut is kept as well.
#[derive(Clone, Debug, Default)]
pub struct ExchangeRecorder(Arc<Mutex<RecorderState>>);

#[derive(Debug, Default)]
struct RecorderState {
    exchange: HttpExchange,
    began: Option<Instant>,
}

impl ExchangeRecorder {
    /// Before the request leaves.
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

    pub fn answered(&self, status: u16, headers: HeaderList) {
        let mut seen = self.seen();
        let at = seen.elapsed();
        seen.exchange.status = Some(status);
        seen.exchange.response_headers = headers;
        seen.exchange.first_byte = at;
        seen.exchange.last_byte = at;
    }

    pub fn received(&self, piece: &[u8]) {
        let mut seen = self.seen();
        seen.exchange.last_byte = seen.elapsed();
        seen.exchange.response.extend_from_slice(piece);
    }

    /// Takes out of the answer what may not be kept.
    pub fn censor(&self, with: impl FnOnce(&mut HttpExchange)) {
        with(&mut self.seen().exchange);
    }

    /// What was seen; nothing where nothing was sent.
    pub fn take(&self) -> Option<HttpExchange> {
        let mut seen = self.seen();
        seen.began.take()?;
        Some(std::mem::take(&mut seen.exchange))
    }

    fn seen(&self) -> MutexGuard<'_, RecorderState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RecorderState {
    fn elapsed(&self) -> Option<Duration> {
        self.began.map(|began| began.elapsed())
    }
}

/// Which call of which episode.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallPosition {
    pub campaign: CampaignName,
    pub episode: EpisodeId,
    pub attempt: AttemptNumber,
    /// How many replies the conversation held already.
    pub turn: u32,
    /// Which try of the call it was, from zero.
    pub retry: u32,
}

impl CallPosition {
    /// The same for the call's hold and for its record.
    pub fn id(&self) -> String {
        format!("{}/{}/{}/{}", self.episode, self.attempt, self.turn, self.retry)
    }
}

/// One try of a call, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallRecord {
    pub place: CallPosition,
    /// The model that was asked, as the campaign names it.
    pub model: String,
    /// The provider and the key that were used, by the names the engine has for them.
    #[serde(default)]
    pub provider: Option<String>,
    /// Why this model, where it is not simply the one that was planned.
    #[serde(default)]
    pub why: String,
    /// The model that answered, as the provider names it.
    pub answered_by: Option<String>,
    pub usage: Option<Usage>,
    pub cost: Money,
    pub fault: Option<Fault>,
    pub at_ms: i64,
    pub exchange: HttpExchange,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_heard_before_a_cut_is_kept() {
        let witness = ExchangeRecorder::default();
        assert_eq!(witness.take(), None);
        witness.sent("http://h/v1", "openai", Vec::new(), b"{}");
        witness.answered(200, vec![("a".to_owned(), "b".to_owned())]);
        witness.received(b"data: ");
        witness.received(b"{");
        let seen = witness.take().unwrap();
        assert_eq!((seen.status, seen.response.as_slice()), (Some(200), b"data: {".as_slice()));
        assert!(seen.first_byte <= seen.last_byte);
        assert_eq!(witness.take(), None, "it is one exchange's");
    }
}
