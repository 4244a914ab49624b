//! What a campaign recorded, played again: the same adapters, the same bytes, and nobody asked.
//!
//! ```text
//!  body ─► was exactly this asked? ─► what was answered then, in the order it was
//!                  └─ no ─► the first difference to what that task was asked at that turn
//! ```

use super::http::{Answer, Patience};
use super::upstream::Upstream;
use super::{speaks, without_key};
use crate::store::{Answered, RequestDigest, Store, request_digest};
use async_trait::async_trait;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use synthd_actors::model::{
    CallFault, ChatReply, ChatRequest, Endpoint, Exchange, Fault, FaultKind, ModelConfig, Recorded,
};
use synthd_actors::ports::{CallContext, ChatModel, StoreFault};
use tokio::sync::{Mutex, OnceCell};

/// Of a difference, on each side.
const SHOWN: usize = 60;
/// Where a replayed call says it went.
const NOWHERE: &str = "replay:";

/// How a provider is reached.
#[derive(Clone)]
pub(super) enum Way {
    Http(Patience),
    Tape(Arc<Tape>),
}

impl From<Patience> for Way {
    fn from(patience: Patience) -> Self {
        Self::Http(patience)
    }
}

impl From<Arc<Tape>> for Way {
    fn from(tape: Arc<Tape>) -> Self {
        Self::Tape(tape)
    }
}

/// The calls of one model of one campaign.
pub(super) struct Tape {
    store: Store,
    recorded: Recorded,
    model: String,
    index: Mutex<Index>,
}

/// What was answered, by what was asked.
#[derive(Default)]
struct Index {
    answers: HashMap<RequestDigest, Answers>,
    /// How far the record was read; it may go on.
    until: i64,
}

/// What one request was answered, and how often it was here.
#[derive(Default)]
struct Answers {
    calls: Vec<String>,
    played: usize,
}

impl Index {
    fn add(&mut self, newer: Answered) {
        self.until = newer.until;
        for (request, call) in newer.calls {
            self.answers.entry(request).or_default().calls.push(call);
        }
    }

    /// The next answer. More often than was recorded: the last one stands.
    fn play(&mut self, request: RequestDigest) -> Option<String> {
        let answers = self.answers.get_mut(&request)?;
        let call = answers.calls.get(answers.played).or(answers.calls.last()).cloned();
        answers.played += 1;
        call
    }

    fn is_played_out(&self, request: RequestDigest) -> bool {
        self.answers.get(&request).is_none_or(|answers| answers.played >= answers.calls.len())
    }
}

impl Tape {
    pub(super) async fn answer(
        &self,
        body: &[u8],
        context: &CallContext,
    ) -> Result<Answer, CallFault> {
        let Some(id) = self.find(request_digest(body)).await? else {
            return Err(self.unknown(body, context).await?);
        };
        let exchange = self.exchange(&id).await?;
        context.witness.sent(NOWHERE, &exchange.dialect, exchange.request_headers, body);
        let mut response = http::Response::builder().status(exchange.status.unwrap_or(200));
        for (name, value) in &exchange.response_headers {
            response = response.header(name, value);
        }
        let response = response.body(exchange.response);
        let response = response.map_err(|error| not_recorded(error.to_string()))?;
        Ok(Answer::recorded(response, context.witness.clone()))
    }

    /// The call that answers a request now.
    async fn find(&self, request: RequestDigest) -> Result<Option<String>, CallFault> {
        let mut index = self.index.lock().await;
        if index.is_played_out(request) {
            let (campaign, model) = (&self.recorded.campaign, &self.model);
            let newer = self.store.answered(campaign, model, index.until).await.map_err(unread)?;
            index.add(newer);
        }
        Ok(index.play(request))
    }

    async fn exchange(&self, id: &str) -> Result<Exchange, CallFault> {
        let call = self.store.call(id).await.map_err(unread)?;
        call.map(|call| call.exchange).ok_or_else(|| not_recorded(format!("{id} is gone")))
    }

    /// What differs from what the same task was asked at the same turn.
    async fn unknown(&self, body: &[u8], context: &CallContext) -> Result<CallFault, CallFault> {
        let (campaign, model) = (&self.recorded.campaign, &self.model);
        let task = context.stage.as_ref().map(|stage| stage.task.id.to_string());
        let place = task.map(|task| (task, context.turn));
        let like = self.store.some_call(campaign, model, place).await.map_err(unread)?;
        let Some(id) = like else {
            let what =
                format!("{campaign} recorded no turn {} of this task by {model}", context.turn);
            return Ok(not_recorded(what));
        };
        let then = self.exchange(&id).await?.request;
        Ok(not_recorded(format!("{} than in {id}", difference(&then, body))))
    }
}

/// Where two bodies first differ, and how.
fn difference(then: &[u8], now: &[u8]) -> String {
    let at = then.iter().zip(now).take_while(|(then, now)| then == now).count();
    let shown = |body: &[u8]| {
        let from = at.saturating_sub(SHOWN / 3);
        let to = (at + SHOWN).min(body.len());
        String::from_utf8_lossy(body.get(from..to).unwrap_or_default()).into_owned()
    };
    format!("at byte {at} it says {:?} instead of {:?}, otherwise", shown(now), shown(then))
}

fn not_recorded(what: String) -> CallFault {
    CallFault::free(FaultKind::NotRecorded, what)
}

fn unread(fault: StoreFault) -> CallFault {
    CallFault::free(FaultKind::NotRecorded, fault.to_string())
}

/// A model that answers as another one did.
pub struct Replay {
    tape: Arc<Tape>,
    config: ModelConfig,
    /// The adapter of the family that was recorded, once it is known.
    inner: OnceCell<Arc<dyn ChatModel>>,
    /// The same for bytes that are passed on as they are, where clients speak it.
    upstream: OnceCell<Option<Upstream>>,
}

impl Replay {
    /// `model` is the one that was recorded.
    pub(super) fn new(
        recorded: &Recorded,
        model: &str,
        config: &ModelConfig,
    ) -> Result<Self, Fault> {
        let opened = Store::open_read_only(Path::new(&recorded.data_dir));
        let store = opened.map_err(|error| {
            let what = format!("the record to replay cannot be read: {}", error.report());
            Fault::new(FaultKind::ModelPermanent, what)
        })?;
        let (recorded, model) = (recorded.clone(), model.to_owned());
        let tape = Tape { store, recorded, model, index: Mutex::default() };
        let (tape, config) = (Arc::new(tape), config.clone());
        Ok(Self { tape, config, inner: OnceCell::new(), upstream: OnceCell::new() })
    }

    async fn adapter(&self) -> Result<&Arc<dyn ChatModel>, CallFault> {
        self.inner.get_or_try_init(|| self.make()).await
    }

    /// The way for bytes that are passed on as they are, if clients speak what was recorded.
    pub async fn upstream(&self) -> Result<Option<&Upstream>, CallFault> {
        let made = self.upstream.get_or_try_init(|| self.make_upstream()).await?;
        Ok(made.as_ref())
    }

    async fn make_upstream(&self) -> Result<Option<Upstream>, CallFault> {
        let endpoint = self.endpoint().await?;
        if !speaks(&endpoint) {
            return Ok(None);
        }
        // As it was named then: its name is part of what was asked.
        let config = ModelConfig { name: self.tape.model.clone(), ..self.config.clone() };
        let made = Upstream::new(&endpoint, &config, None, self.tape.clone());
        made.map(Some).map_err(|fault| CallFault::free(fault.kind, fault.message))
    }

    /// Nowhere, in the format that was recorded.
    async fn endpoint(&self) -> Result<Endpoint, CallFault> {
        let Tape { store, recorded, model, .. } = &*self.tape;
        let any = store.some_call(&recorded.campaign, model, None).await.map_err(unread)?;
        let id = any.ok_or_else(|| {
            not_recorded(format!("{} recorded no call of {model}", recorded.campaign))
        })?;
        let dialect = self.tape.exchange(&id).await?.dialect;
        Ok(Endpoint::new(&dialect, NOWHERE, None))
    }

    async fn make(&self) -> Result<Arc<dyn ChatModel>, CallFault> {
        let (endpoint, model) = (self.endpoint().await?, &self.tape.model);
        let name = model.split_once('/').map_or(model.as_str(), |(_, name)| name);
        let made = without_key(&endpoint, name, &self.config, self.tape.clone());
        made.map_err(|fault| CallFault::free(fault.kind, fault.message))
    }
}

#[async_trait]
impl ChatModel for Replay {
    async fn complete(
        &self,
        request: &ChatRequest,
        context: &CallContext,
    ) -> Result<ChatReply, CallFault> {
        self.adapter().await?.complete(request, context).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_answered_in_the_order_it_was_and_the_last_answer_stands() {
        let (asked, other) = (request_digest(b"a"), request_digest(b"b"));
        let mut index = Index::default();
        assert!(index.is_played_out(asked) && index.play(asked).is_none());
        let calls = [(asked, "1"), (other, "2"), (asked, "3")];
        let calls = calls.map(|(request, call)| (request, call.to_owned())).to_vec();
        index.add(Answered { calls, until: 3 });
        assert_eq!(index.play(asked).as_deref(), Some("1"));
        assert!(!index.is_played_out(asked) && !index.is_played_out(other));
        assert_eq!(index.play(asked).as_deref(), Some("3"));
        assert!(index.is_played_out(asked));
        assert_eq!(index.play(asked).as_deref(), Some("3"));
        // The record goes on.
        index.add(Answered { calls: vec![(asked, "4".to_owned())], until: 4 });
        assert_eq!((index.until, index.play(asked).as_deref()), (4, Some("4")));
    }

    #[test]
    fn a_difference_is_shown_where_it_begins() {
        let told = difference(b"{\"a\":1,\"b\":2}", b"{\"a\":1,\"c\":2}");
        assert!(told.starts_with("at byte 8 it says"), "{told}");
        let told = difference(b"short", "shorté".as_bytes());
        assert!(told.contains("byte 5"), "{told}");
        let told = difference("é".as_bytes(), "è".as_bytes());
        assert!(told.contains("byte 1"), "{told}");
    }
}
