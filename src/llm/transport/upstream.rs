//! The upstream: a provider as the gateway reaches it. The request's and the answer's bytes pass
//! unchanged (except for a redacted key). The answer is also parsed while it passes, so that the
//! gateway knows the usage and can record the reply.
//!
//! ```text
//!  body ─► open ─► refused: status, body, and the fault that it means
//!             └──► passage ─► chunk ─► chunk ─► … ─► reply (usage, finish reason), or a fault
//! ```
//!
//! `gateway/calls/pass_through.rs` calls this module. Below it are `ProviderClient` (URL and key)
//! and the reply builders of the families. Invariant: a chunk is returned only after it was parsed
//! and after it is sure that it holds no part of a complete key. If the answer breaks off, the
//! chunks end, and `PassThroughBody::reply` returns the fault.

use crate::formats::any_reply_builder::AnyReplyBuilder;
use crate::formats::chat_completions::dialect::OpenAiDialect;
use crate::formats::reading::events::{self, EventSplitter};
use crate::formats::reading::faults;
use crate::formats::writing::key_placement::ApiKeyPlacement;
use crate::formats::{WireFormat, chat_completions, messages, responses};
use crate::llm::adapters::chat_completions::OpenAiChatModel;
use crate::llm::replay::{ProviderTransport, is_not_recorded};
use crate::llm::transport::http::ProviderResponse;
use crate::llm::transport::provider::{ProviderClient, ReplyRedactor};
use crate::llm::transport::redaction::SplitKeyRedactor;
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde_json::Value;
use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::pin::Pin;
use synthd_actors::model::{
    CallFault, ChatReply, ExchangeRecorder, Fault, ModelConfig, ProviderEndpoint,
};
use synthd_actors::ports::CallContext;

/// One model of one provider, reached with bytes in the provider's own format.
pub struct UpstreamModel {
    /// Where completions are asked for.
    provider: ProviderClient,
    /// Where tokens are counted without a completion; only Anthropic has such an address.
    counter: Option<ProviderClient>,
    /// The format of requests and answers. Clients of another format need a translation.
    pub family: WireFormat,
    /// The model's name as the provider knows it, without the provider (`gpt-5`).
    pub model: String,
    /// The JSON field that caps the output tokens, for example `max_tokens`. The gateway sets it,
    /// so that the worst cost of a call is known.
    pub cap: &'static str,
    /// The JSON field that caps the reasoning tokens, for hosts where `cap` does not include them.
    pub thought_cap: Option<&'static str>,
    /// Whether a stream reports its token counts only if the request asks for them
    /// (`"stream_options": {"include_usage": true}`).
    pub asks_for_usage: bool,
    /// Whether the content of a message may be null beside tool calls.
    pub takes_null: bool,
}

/// The body of a request.
pub struct UpstreamBody {
    /// What is sent.
    pub sent: Bytes,
    /// What older versions sent in its place. A replay looks for it if it does not know `sent`.
    pub older: Option<Bytes>,
}

/// What is different between the formats, and between the hosts of one.
struct UpstreamFormat {
    family: WireFormat,
    /// The path of completions below the base URL.
    path: &'static str,
    /// The path of counts of tokens. None if the format has none.
    count_path: Option<&'static str>,
    key_in: ApiKeyPlacement,
    cap: &'static str,
    thought_cap: Option<&'static str>,
    asks_for_usage: bool,
    takes_null: bool,
}

const MESSAGES: UpstreamFormat = UpstreamFormat {
    family: WireFormat::Anthropic,
    path: messages::PATH,
    count_path: Some("messages/count_tokens"),
    key_in: ApiKeyPlacement::Header(messages::KEY_HEADER),
    cap: "max_tokens",
    thought_cap: None,
    asks_for_usage: false,
    takes_null: true,
};

const RESPONSES: UpstreamFormat = UpstreamFormat {
    family: WireFormat::Responses,
    path: responses::PATH,
    count_path: None,
    key_in: ApiKeyPlacement::Bearer,
    cap: "max_output_tokens",
    thought_cap: None,
    asks_for_usage: false,
    takes_null: true,
};

impl UpstreamFormat {
    /// The format of an endpoint's dialect. Fails for an unknown dialect.
    fn of(endpoint: &ProviderEndpoint) -> Result<Self, Fault> {
        match endpoint.dialect.as_str() {
            messages::DIALECT => Ok(MESSAGES),
            responses::DIALECT => Ok(RESPONSES),
            // Every other dialect is a host of the OpenAI chat format.
            _ => OpenAiChatModel::dialect(endpoint).map(Self::chat),
        }
    }

    /// The OpenAI chat format at one host.
    fn chat(dialect: OpenAiDialect) -> Self {
        let OpenAiDialect { key_in, cap, thought_cap, asks_for_usage, takes_null, .. } = dialect;
        Self {
            family: WireFormat::OpenAiChat,
            path: chat_completions::PATH,
            count_path: None,
            key_in,
            cap,
            thought_cap,
            asks_for_usage,
            takes_null,
        }
    }
}

/// How the provider answered a request.
pub enum UpstreamResponse {
    /// A successful status. The body has not been read yet.
    Passage(Box<PassThroughBody>),
    /// Any other status. The body was read, up to a limit, and the key was taken out of it.
    Refused {
        status: StatusCode,
        headers: HeaderMap,
        body: String,
        /// What the refusal means for the router: retry, wait, pause.
        fault: Box<CallFault>,
        /// Whether a content filter of the provider refused the request. Some hosts charge for
        /// that.
        filtered: bool,
    },
}

impl UpstreamModel {
    /// Chooses the format by the endpoint's dialect, and with it the address, the header of the key
    /// and the names of the cap fields. Fails for an unknown dialect or a base URL that is no URL.
    pub(in crate::llm) fn new(
        endpoint: &ProviderEndpoint,
        config: &ModelConfig,
        key: Option<&str>,
        transport: impl Into<ProviderTransport>,
    ) -> Result<Self, Fault> {
        let transport: ProviderTransport = transport.into();
        let format = UpstreamFormat::of(endpoint)?;
        // Both addresses need the same key. Each client has its own connection pool.
        let client = |path: &str| {
            let key = key.map(|key| (format.key_in, key));
            ProviderClient::new(endpoint, path, key, transport.clone())
        };
        Ok(Self {
            provider: client(format.path)?,
            counter: format.count_path.map(&client).transpose()?,
            family: format.family,
            model: config.name.split_once('/').map_or("", |(_, model)| model).to_owned(),
            cap: format.cap,
            thought_cap: format.thought_cap,
            asks_for_usage: format.asks_for_usage,
            takes_null: format.takes_null,
        })
    }

    /// Sends `body`, which must be in this family's format. `headers` are the headers of the client
    /// that the gateway passes on, such as `anthropic-version`. `choices` is how many completions
    /// the body asks for. Fails if there was no answer at all; a refusal is
    /// [`UpstreamResponse::Refused`].
    pub async fn open(
        &self,
        body: UpstreamBody,
        headers: &[(&str, &str)],
        choices: usize,
        context: &CallContext,
    ) -> Result<UpstreamResponse, CallFault> {
        let UpstreamBody { sent, older } = body;
        let ask = |body| self.open_at(&self.provider, body, headers, choices, context);
        match (ask(sent).await, older) {
            // Only a replay gives this fault. If neither body is recorded, the first fault shows
            // the difference.
            (Err(fault), Some(older)) if is_not_recorded(&fault) => {
                ask(older).await.map_err(|_| fault)
            }
            (opened, _) => opened,
        }
    }

    /// Asks how many input tokens `body` has. Returns None if the provider has no address for that.
    pub async fn count(
        &self,
        body: Bytes,
        headers: &[(&str, &str)],
        context: &CallContext,
    ) -> Option<Result<UpstreamResponse, CallFault>> {
        let counter = self.counter.as_ref()?;
        Some(self.open_at(counter, body, headers, 1, context).await)
    }

    /// Sends to one of the two addresses and sorts the answer by its status.
    async fn open_at(
        &self,
        provider: &ProviderClient,
        body: Bytes,
        headers: &[(&str, &str)],
        choices: usize,
        context: &CallContext,
    ) -> Result<UpstreamResponse, CallFault> {
        let answer = provider.send(body, headers, context).await?;
        if answer.status.is_success() {
            let redactor = provider.split_key_redactor(choices);
            let passage = PassThroughBody::new(answer, self.family, redactor);
            return Ok(UpstreamResponse::Passage(Box::new(passage)));
        }
        let (status, headers) = (answer.status, answer.headers.clone());
        let (body, fault) = provider.read_error(answer).await;
        let filtered = faults::is_filtered(status, &body);
        let fault = Box::new(fault);
        Ok(UpstreamResponse::Refused { status, headers, body, fault, filtered })
    }

    /// The guard that takes the key out of the reply and, when the guard is dropped, out of the
    /// recorded exchange. It is needed because a stream may hold a key that is split over events.
    pub fn reply_redactor<'a>(
        &self,
        recorder: &'a ExchangeRecorder,
        choices: usize,
    ) -> ReplyRedactor<'a> {
        self.provider.reply_redactor(recorder, choices)
    }
}

/// The answer's body. A piece is any number of bytes, not an event.
type ByteStream = Pin<Box<dyn Stream<Item = Result<Bytes, CallFault>> + Send>>;

/// The body of an answer while it passes to the client. The caller takes chunks with `next` until
/// there are none, and then the parsed reply with `reply`.
pub struct PassThroughBody {
    /// The headers of the provider's answer, without the key.
    pub headers: HeaderMap,
    /// Whether the body is a stream of server-sent events. If not, it is one JSON document.
    pub is_stream: bool,
    pieces: ByteStream,
    /// Cuts the pieces into events.
    splitter: EventSplitter,
    /// Complete events that were not parsed yet.
    waiting: VecDeque<Bytes>,
    /// Parses the events beside the passage, for the usage and the record.
    builder: AnyReplyBuilder,
    /// Why the answer is not complete. After it is set, no more is read from the provider.
    failed: Option<CallFault>,
    /// The end of the stream was seen; nothing more is read.
    ended: bool,
    /// Finds a key that is split over several events. None if there is no key to look for.
    redactor: Option<SplitKeyRedactor>,
    /// Chunks that were parsed and redacted and may go to the client.
    ready: VecDeque<PassThroughChunk>,
}

/// One event of a stream, or a whole body.
pub struct PassThroughChunk {
    /// The bytes as the provider sent them, with the empty line that ends an event.
    pub bytes: Bytes,
    /// The event ends the stream in the family's way (such as `data: [DONE]`), or it is an error
    /// that ends the stream, or the chunk is a whole body.
    pub is_last: bool,
    /// The stream breaks off with this event, and the event itself does not say why. The gateway
    /// must tell the client that there was an error.
    pub is_broken: bool,
}

impl PassThroughChunk {
    /// An event in the middle of a stream.
    fn of(bytes: Bytes) -> Self {
        Self { bytes, is_last: false, is_broken: false }
    }
}

impl PassThroughBody {
    /// Takes an answer whose body was not read yet. Nothing is read before `next` is called.
    fn new(
        mut answer: ProviderResponse,
        family: WireFormat,
        redactor: Option<SplitKeyRedactor>,
    ) -> Self {
        let builder = AnyReplyBuilder::of(family);
        Self {
            is_stream: answer.is_events(),
            headers: std::mem::take(&mut answer.headers),
            pieces: Box::pin(answer.pieces()),
            splitter: EventSplitter::default(),
            waiting: VecDeque::new(),
            builder,
            failed: None,
            ended: false,
            redactor,
            ready: VecDeque::new(),
        }
    }

    /// The next chunk: one event of a stream, or the whole body if it is no stream. Returns None
    /// after the last chunk, and after a failure. The chunks in `ready` come first, so that the
    /// client gets everything that arrived before a failure.
    pub async fn next(&mut self) -> Option<PassThroughChunk> {
        loop {
            if let Some(piece) = self.ready.pop_front() {
                return Some(piece);
            }
            if self.ended || self.failed.is_some() {
                return None;
            }
            if !self.is_stream {
                return self.whole().await;
            }
            match self.waiting.pop_front() {
                Some(event) => self.take_event(event),
                None => self.read_on().await,
            }
        }
    }

    /// Reads one more piece of the body and splits it into events. At the end of the body, or on a
    /// failure, the events that the redactor still holds are released: no rest of a key can follow.
    async fn read_on(&mut self) {
        match self.pieces.next().await {
            Some(Ok(piece)) => self.waiting.extend(self.splitter.push(&piece)),
            Some(Err(fault)) => {
                self.failed = Some(fault);
                self.release_held();
            }
            None => {
                // A provider may end the body without the empty line after the last event.
                let rest = std::mem::take(&mut self.splitter).rest();
                if !rest.is_empty() {
                    self.take_event(rest);
                }
                self.ended = true;
                self.release_held();
            }
        }
    }

    /// The whole body without parsing it, for answers that are no completions (token counts).
    pub async fn bytes(mut self) -> Result<Bytes, CallFault> {
        self.collect().await
    }

    /// Reads the rest of the body into one buffer. The size limit is in `http`.
    async fn collect(&mut self) -> Result<Bytes, CallFault> {
        let mut body = Vec::new();
        while let Some(piece) = self.pieces.next().await {
            body.extend_from_slice(&piece?);
        }
        Ok(Bytes::from(body))
    }

    /// Reads and parses a body that is no stream. A body that is no valid reply is not passed to
    /// the client: the result is None, `failed` is set, and the gateway answers with an error of
    /// its own.
    async fn whole(&mut self) -> Option<PassThroughChunk> {
        self.ended = true;
        let body = self.collect().await;
        let understood = body.and_then(|body| self.builder.whole(&body).map(|()| body));
        match understood {
            Ok(bytes) => Some(PassThroughChunk { bytes, is_last: true, is_broken: false }),
            Err(fault) => {
                self.failed = Some(fault);
                None
            }
        }
    }

    /// Parses one event and queues it for the client. An event that reports an error is passed on,
    /// too: the client should see it. `is_last` and `is_broken` are set on the last chunk that
    /// leaves the redactor, which may hold several events back.
    fn take_event(&mut self, event: Bytes) {
        let data = events::event_data(&event);
        let taken = match data.trim().is_empty() {
            true => Ok(ControlFlow::Continue(())),
            false => self.builder.event(&data),
        };
        let (is_last, is_broken) = match taken {
            Ok(flow) => (flow.is_break(), false),
            Err(fault) => {
                self.failed = Some(fault);
                (true, !says_why(&data))
            }
        };
        self.ended |= is_last;
        match &mut self.redactor {
            None => self.ready.push_back(PassThroughChunk { bytes: event, is_last, is_broken }),
            Some(redactor) => {
                let free = redactor.push(event);
                self.ready.extend(free.into_iter().map(PassThroughChunk::of));
                if is_last {
                    self.release_held();
                    if let Some(last) = self.ready.back_mut() {
                        (last.is_last, last.is_broken) = (true, is_broken);
                    }
                }
            }
        }
    }

    /// Releases the events that the redactor holds back. To be called only when no event follows.
    fn release_held(&mut self) {
        let held = self.redactor.as_mut().map(SplitKeyRedactor::end).unwrap_or_default();
        self.ready.extend(held.into_iter().map(PassThroughChunk::of));
    }

    /// The parsed reply, for the usage and the record. Fails if the body broke off, or if what came
    /// is no complete reply. Call it after `next` has returned None.
    pub fn reply(self) -> Result<ChatReply, CallFault> {
        match self.failed {
            Some(fault) => Err(fault),
            None => self.builder.reply(),
        }
    }
}

/// Whether an event is an error event of its family, for example `{"type":"error",…}` or
/// `{"error":{…}}`. Then the client learns from the event itself that the stream has failed.
fn says_why(data: &str) -> bool {
    let json: Value = serde_json::from_str(data).unwrap_or_default();
    ["error", "response.failed"].iter().any(|end| json["type"] == *end) || !json["error"].is_null()
}
