//! Replay: a recorded campaign answers again. The adapters and the bytes are the same as in the
//! recorded run, and no network is used.
//!
//! ```text
//!  body ─► was exactly this body sent? ─ yes ─► the recorded answer, in the recorded order
//!                  └─ no ─► fault: the first difference to what the same task sent at that turn
//! ```
//!
//! `ReplayModel` takes the place of an adapter. It makes the adapter of the recorded format, and
//! gives that adapter a `ReplayRecord` in place of the HTTP client. The record is read page by
//! page, until the request is found; the index of what was read stays in memory.
//!
//! Failures: a request that is not in the record, and a store that cannot be read, give a
//! `NotRecorded` fault. No failure here costs anything.

use crate::llm::transport::http::ProviderResponse;
use crate::llm::transport::upstream::UpstreamModel;
use crate::llm::{ArchiveOpener, speaks, without_key};
use async_trait::async_trait;
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use synthd_actors::model::{
    AnsweredCalls, CallFault, ChatReply, ChatRequest, Fault, FaultKind, HttpExchange, ModelConfig,
    ProviderEndpoint, ProviderTimeouts, ReplaySource, RequestDigest, request_digest,
};
use synthd_actors::ports::{CallArchive, CallContext, ChatModel, StoreFault};
use tokio::sync::OnceCell;

/// How many bytes of each body are shown from the first difference on. A third as many are shown
/// before it.
const SHOWN: usize = 60;
/// The URL that the record of a replayed call shows.
const NOWHERE: &str = "replay:";

/// How a provider client gets its answer.
#[derive(Clone)]
pub(super) enum ProviderTransport {
    /// It sends the request, with these timeouts.
    Http(ProviderTimeouts),
    /// It looks the request up in a recorded campaign.
    Replay(Arc<ReplayRecord>),
}

impl From<ProviderTimeouts> for ProviderTransport {
    fn from(timeouts: ProviderTimeouts) -> Self {
        Self::Http(timeouts)
    }
}

impl From<Arc<ReplayRecord>> for ProviderTransport {
    fn from(record: Arc<ReplayRecord>) -> Self {
        Self::Replay(record)
    }
}

/// The recorded calls of one model of one campaign.
pub(super) struct ReplayRecord {
    archive: Arc<dyn CallArchive>,
    recorded: ReplaySource,
    /// The model's full name in the recorded campaign, such as `openai/gpt-5`.
    model: String,
    /// What was read so far. The lock is never held while the store is read.
    index: Mutex<ReplayIndex>,
    /// Held by the task that reads the next page, so that no page is read twice. The others wait
    /// for that page and then search again.
    reading: tokio::sync::Mutex<()>,
}

/// The answers by their requests, as far as the record was read. It takes about a hundred bytes for
/// each call.
#[derive(Default)]
struct ReplayIndex {
    answers: HashMap<RequestDigest, RecordedAnswers>,
    /// How far the record was read, as the store counts it.
    until: i64,
}

/// All calls that answered one request, in the recorded order.
#[derive(Default)]
struct RecordedAnswers {
    /// The store's keys of the calls.
    calls: Vec<i64>,
    /// How many of them were played. The same request may be answered in several ways.
    played: usize,
}

impl ReplayIndex {
    /// Adds a page to the index.
    fn add(&mut self, newer: AnsweredCalls) {
        self.until = newer.until;
        for (request, call) in newer.calls {
            self.answers.entry(request).or_default().calls.push(call);
        }
    }

    /// The next call that answered this request and was not played yet. None if there is no such
    /// call in what was read.
    fn play(&mut self, request: RequestDigest) -> Option<i64> {
        let answers = self.answers.get_mut(&request)?;
        let call = answers.calls.get(answers.played).copied()?;
        answers.played += 1;
        Some(call)
    }

    /// The last call that answered this request, for a request that is asked more often than it was
    /// recorded.
    fn last(&self, request: RequestDigest) -> Option<i64> {
        self.answers.get(&request)?.calls.last().copied()
    }
}

impl ReplayRecord {
    /// The recorded answer to a request body. The body must be the recorded one, byte for byte.
    /// Fails with a message that shows the first difference if the request was not recorded.
    pub(super) async fn answer(
        &self,
        body: &[u8],
        context: &CallContext,
    ) -> Result<ProviderResponse, CallFault> {
        let Some(key) = self.find(request_digest(body)).await? else {
            return Err(self.unknown(body, context).await?);
        };
        let call = self.archive.call_at(key).await.map_err(unread)?;
        let exchange = call.ok_or_else(|| not_recorded(format!("call {key} is gone")))?.exchange;
        // The replayed call gets a record of its own, with the body that was sent now.
        context.recorder.sent(NOWHERE, &exchange.dialect, exchange.request_headers, body);
        let mut response = http::Response::builder().status(exchange.status.unwrap_or(200));
        for (name, value) in &exchange.response_headers {
            response = response.header(name, value);
        }
        let response = response.body(exchange.response);
        let response = response.map_err(|error| not_recorded(error.to_string()))?;
        Ok(ProviderResponse::recorded(response, context.recorder.clone()))
    }

    /// The store's key of the call that answers now. Reads the record on until there is one. At the
    /// end of the record, the last answer to the same request is taken again. None if the request
    /// is not in the record at all.
    async fn find(&self, request: RequestDigest) -> Result<Option<i64>, CallFault> {
        loop {
            // Both are read under one lock: `until` must be how far the index was when the search
            // failed, or a page that another task adds in between would be missed.
            let (call, until) = {
                let mut index = self.index();
                (index.play(request), index.until)
            };
            if call.is_some() {
                return Ok(call);
            }
            if !self.read_on(until).await? {
                return Ok(self.index().last(request));
            }
        }
    }

    /// Reads one more page of the record. Returns whether the index has grown since `until`,
    /// through this task or another. A page that was read stays in the index, even if the caller is
    /// cancelled while the next page is read.
    async fn read_on(&self, until: i64) -> Result<bool, CallFault> {
        let _alone = self.reading.lock().await;
        // Another task has read the page while this one waited for the lock.
        if self.index().until > until {
            return Ok(true);
        }
        let (campaign, model) = (&self.recorded.campaign, &self.model);
        let newer = self.archive.answered(campaign, model, until).await.map_err(unread)?;
        let is_more = newer.until > until;
        self.index().add(newer);
        Ok(is_more)
    }

    /// Locks the index, also after another holder of the lock has panicked.
    fn index(&self) -> MutexGuard<'_, ReplayIndex> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The recorded exchange of a call by its id.
    async fn exchange(&self, id: &str) -> Result<HttpExchange, CallFault> {
        let call = self.archive.call_by_id(id).await.map_err(unread)?;
        call.map(|call| call.exchange).ok_or_else(|| not_recorded(format!("{id} is gone")))
    }

    /// Explains why a request is not in the record: how it differs from the request of the same
    /// task at the same turn, or from any recorded request if there is no task. The outer error
    /// means that the store could not be read.
    async fn unknown(&self, body: &[u8], context: &CallContext) -> Result<CallFault, CallFault> {
        let (campaign, model) = (&self.recorded.campaign, &self.model);
        let task = context.script.as_ref().map(|script| script.task.id.to_string());
        let place = task.map(|task| (task, context.turn));
        let like = self.archive.find_call_id(campaign, model, place).await.map_err(unread)?;
        let Some(id) = like else {
            let what =
                format!("{campaign} recorded no turn {} of this task by {model}", context.turn);
            return Ok(not_recorded(what));
        };
        let then = self.exchange(&id).await?.request;
        Ok(not_recorded(format!("{} than in {id}", difference(&then, body))))
    }
}

/// Where two bodies first differ, with some bytes of each.
fn difference(then: &[u8], now: &[u8]) -> String {
    let at = then.iter().zip(now).take_while(|(then, now)| then == now).count();
    let shown = |body: &[u8]| {
        let from = at.saturating_sub(SHOWN / 3);
        let to = (at + SHOWN).min(body.len());
        String::from_utf8_lossy(body.get(from..to).unwrap_or_default()).into_owned()
    };
    format!("at byte {at} it says {:?} instead of {:?}, otherwise", shown(now), shown(then))
}

/// A fault that costs nothing: no provider was asked.
fn not_recorded(what: String) -> CallFault {
    CallFault::free(FaultKind::NotRecorded, what)
}

/// Whether a replay does not hold a request.
pub(super) fn is_not_recorded(failure: &CallFault) -> bool {
    failure.fault.kind == FaultKind::NotRecorded
}

/// The fault for a store that cannot be read.
fn unread(fault: StoreFault) -> CallFault {
    CallFault::free(FaultKind::NotRecorded, fault.to_string())
}

/// A model that answers as a recorded one did.
pub struct ReplayModel {
    record: Arc<ReplayRecord>,
    /// The model's configuration in this campaign, not in the recorded one.
    config: ModelConfig,
    /// The adapter of the recorded format. It is made at the first call, because only the record
    /// says which format it is.
    inner: OnceCell<Arc<dyn ChatModel>>,
    /// The same for the gateway, whose clients send bytes in a provider's format. None inside if
    /// clients do not speak the recorded format.
    upstream: OnceCell<Option<UpstreamModel>>,
}

impl ReplayModel {
    /// Opens the record. `model` is the recorded model's full name (`openai/gpt-5`). Fails if the
    /// store cannot be opened.
    pub(super) fn new(
        recorded: &ReplaySource,
        model: &str,
        config: &ModelConfig,
        open_archive: ArchiveOpener,
    ) -> Result<Self, Fault> {
        let archive = open_archive(Path::new(&recorded.data_dir))?;
        let (recorded, model) = (recorded.clone(), model.to_owned());
        let (index, reading) = Default::default();
        let record = ReplayRecord { archive, recorded, model, index, reading };
        let (record, config) = (Arc::new(record), config.clone());
        Ok(Self { record, config, inner: OnceCell::new(), upstream: OnceCell::new() })
    }

    /// The adapter of the recorded format, made once.
    async fn adapter(&self) -> Result<&Arc<dyn ChatModel>, CallFault> {
        self.inner.get_or_try_init(|| self.make()).await
    }

    /// The upstream for the gateway's pass-through. None if no client of the gateway speaks the
    /// recorded format. Fails if the record holds no call of the model.
    pub async fn upstream(&self) -> Result<Option<&UpstreamModel>, CallFault> {
        let made = self.upstream.get_or_try_init(|| self.make_upstream()).await?;
        Ok(made.as_ref())
    }

    /// Makes the upstream in the recorded format. None if no client speaks that format.
    async fn make_upstream(&self) -> Result<Option<UpstreamModel>, CallFault> {
        let endpoint = self.endpoint().await?;
        if !speaks(&endpoint) {
            return Ok(None);
        }
        // The recorded name is used, because the model's name is part of the request's body.
        let config = ModelConfig { name: self.record.model.clone(), ..self.config.clone() };
        let made = UpstreamModel::new(&endpoint, &config, None, self.record.clone());
        made.map(Some).map_err(|fault| CallFault::free(fault.kind, fault.message))
    }

    /// An endpoint without an address, in the format of the first recorded call that is found.
    async fn endpoint(&self) -> Result<ProviderEndpoint, CallFault> {
        let ReplayRecord { archive, recorded, model, .. } = &*self.record;
        let any = archive.find_call_id(&recorded.campaign, model, None).await.map_err(unread)?;
        let id = any.ok_or_else(|| {
            not_recorded(format!("{} recorded no call of {model}", recorded.campaign))
        })?;
        let dialect = self.record.exchange(&id).await?.dialect;
        Ok(ProviderEndpoint::new(&dialect, NOWHERE, None))
    }

    /// Makes the adapter. It gets no key, since nothing is sent.
    async fn make(&self) -> Result<Arc<dyn ChatModel>, CallFault> {
        let (endpoint, model) = (self.endpoint().await?, &self.record.model);
        let name = model.split_once('/').map_or(model.as_str(), |(_, name)| name);
        let made = without_key(&endpoint, name, &self.config, self.record.clone());
        made.map_err(|fault| CallFault::free(fault.kind, fault.message))
    }
}

#[async_trait]
impl ChatModel for ReplayModel {
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
    use crate::llm::{UpstreamBody, UpstreamResponse};
    use crate::store::Store;
    use bytes::Bytes;
    use futures_util::future::join_all;
    use synthd_actors::model::*;
    use synthd_actors::ports::Journal;
    use synthd_actors::testkit;

    #[test]
    fn a_request_is_answered_in_the_order_it_was_and_the_last_answer_stands() {
        let (asked, other) = (request_digest(b"a"), request_digest(b"b"));
        let mut index = ReplayIndex::default();
        assert_eq!((index.play(asked), index.last(asked)), (None, None));
        index.add(AnsweredCalls { calls: vec![(asked, 1), (other, 2), (asked, 3)], until: 3 });
        let played: Vec<_> = (0..3).map(|_| index.play(asked)).collect();
        assert_eq!((played, index.last(asked)), (vec![Some(1), Some(3), None], Some(3)));
        // The record goes on.
        index.add(AnsweredCalls { calls: vec![(asked, 4)], until: 4 });
        assert_eq!((index.until, index.play(asked), index.play(asked)), (4, Some(4), None));
        assert_eq!((index.play(other), index.play(other)), (Some(2), None));
    }

    /// A record of so many calls, all asked the same.
    async fn recorded(dir: &Path, calls: u32) -> Store {
        let store = Store::open(dir).unwrap();
        let campaign = CampaignName("c".to_owned());
        let episode = EpisodeId("ep-1".to_owned());
        let opened = CampaignRecord {
            name: campaign.clone(),
            kind: Default::default(),
            identity: String::new(),
            sampling: None,
            config: String::new(),
            images: Default::default(),
            price_table: None,
            state: CampaignState::Complete,
            reason: None,
            created_at_ms: 0,
        };
        let plan = PlannedEpisode {
            id: episode.clone(),
            campaign: campaign.clone(),
            ordinal: 0,
            task: TaskId("t".to_owned()),
            template: String::new(),
            index: 0,
            category: String::new(),
            difficulty: String::new(),
            model: String::new(),
            scaffold: String::new(),
            reason: None,
        };
        store
            .append(vec![JournalEntry::CampaignOpened(opened), JournalEntry::Planned(vec![plan])])
            .await
            .unwrap();
        for turn in 0..calls {
            let (campaign, episode) = (campaign.clone(), episode.clone());
            let exchange = HttpExchange {
                request: b"a".to_vec(),
                status: Some(200),
                ..HttpExchange::default()
            };
            let call = CallRecord {
                place: CallPosition {
                    campaign,
                    episode,
                    attempt: AttemptNumber(1),
                    turn,
                    retry: 0,
                },
                model: "m".to_owned(),
                provider: None,
                why: String::new(),
                answered_by: None,
                usage: None,
                cost: Money::ZERO,
                fault: None,
                at_ms: 0,
                exchange,
            };
            store.append(vec![JournalEntry::Called(Arc::new(call))]).await.unwrap();
        }
        store
    }

    fn record_of(store: Store) -> ReplayRecord {
        let recorded =
            ReplaySource { data_dir: String::new(), campaign: CampaignName("c".to_owned()) };
        let (index, reading) = Default::default();
        ReplayRecord { archive: Arc::new(store), recorded, model: "m".to_owned(), index, reading }
    }

    /// Older versions sent vLLM and Ollama a null, which is an empty text now.
    #[tokio::test]
    async fn a_request_is_also_found_as_older_versions_sent_it() {
        let dir = tempfile::tempdir().unwrap();
        let record = Arc::new(record_of(recorded(dir.path(), 1).await));
        let endpoint = ProviderEndpoint::new("vllm", NOWHERE, None);
        let config = testkit::priced("replay/m", 0);
        let upstream = UpstreamModel::new(&endpoint, &config, None, record).unwrap();
        let context = CallContext {
            episode: EpisodeId("ep-1".to_owned()),
            script: None,
            turn: 0,
            retry: 0,
            recorder: Default::default(),
        };
        let open = |sent: &'static str, older: &'static str| {
            let (sent, older) =
                (Bytes::from_static(sent.as_bytes()), Bytes::from_static(older.as_bytes()));
            upstream.open(UpstreamBody { sent, older: Some(older) }, &[], 1, &context)
        };
        assert!(matches!(open("b", "a").await, Ok(UpstreamResponse::Passage(_))));
        let missing = open("b", "c").await.err().unwrap();
        assert!(is_not_recorded(&missing));
        let message = &missing.fault.message;
        assert!(message.contains("it says \"b\" instead of \"a\""), "{message}");
    }

    /// However many ask at once, and over however many pages: none is lost, none played twice.
    #[tokio::test]
    async fn answers_are_found_over_the_whole_record_by_whoever_asks() {
        let dir = tempfile::tempdir().unwrap();
        let record = record_of(recorded(dir.path(), 7).await);
        let (asked, other) = (request_digest(b"a"), request_digest(b"b"));
        let all = (0..9).map(|_| record.find(asked));
        let mut found: Vec<_> = join_all(all).await.into_iter().map(Result::unwrap).collect();
        found.sort_unstable();
        let keys = [1, 2, 3, 4, 5, 6, 7, 7, 7].map(Some);
        assert_eq!((found, record.find(other).await.unwrap()), (keys.to_vec(), None));
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
