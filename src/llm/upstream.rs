//! A provider as the gateway reaches it: bytes go there and come back as they are, and are
//! understood beside.
//!
//! ```text
//!  body ─► open ─► refused: what it said, and what that means
//!             └──► passage ─► piece ─► piece ─► … ─► reply (counts, finish), or why there is none
//! ```

use super::anthropic::{self, AnthropicModel};
use super::api_key::ApiKeyPlacement;
use super::events::{self, EventSplitter, ReplyBuilder};
use super::faults;
use super::http::ProviderResponse;
use super::openai::{self, OpenAiChatModel};
use super::provider::{ProviderClient, ReplyRedactor};
use super::redaction::SplitKeyRedactor;
use super::replay::ProviderTransport;
use super::responses::{self, ResponsesModel, ResponsesReplyBuilder as ResponsesAssembly};
use super::{
    anthropic::AnthropicReplyBuilder as MessagesAssembly,
    openai::OpenAiReplyBuilder as ChatAssembly,
};
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

/// A wire format that clients and providers share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WireFormat {
    OpenAiChat,
    Anthropic,
    Responses,
}

/// One model of one provider.
pub struct UpstreamModel {
    provider: ProviderClient,
    counter: Option<ProviderClient>,
    pub family: WireFormat,
    /// As the provider names it.
    pub model: String,
    /// The field that caps the output.
    pub cap: &'static str,
    /// The field that caps the reasoning, where the other one does not.
    pub thought_cap: Option<&'static str>,
    /// Whether a stream counts tokens only where that is asked for.
    pub asks_for_usage: bool,
}

/// What came of opening an exchange.
pub enum UpstreamResponse {
    Passage(Box<PassThroughBody>),
    /// With the body as it was, but for the key.
    Refused {
        status: StatusCode,
        headers: HeaderMap,
        body: String,
        fault: Box<CallFault>,
        /// By a filter of the provider's.
        filtered: bool,
    },
}

impl UpstreamModel {
    pub(super) fn new(
        endpoint: &ProviderEndpoint,
        config: &ModelConfig,
        key: Option<&str>,
        way: impl Into<ProviderTransport>,
    ) -> Result<Self, Fault> {
        let way = way.into();
        let model = config.name.split_once('/').map_or("", |(_, model)| model).to_owned();
        if endpoint.dialect == AnthropicModel::DIALECT {
            let key = || key.map(|key| (ApiKeyPlacement::Header(anthropic::KEY_HEADER), key));
            let provider = ProviderClient::new(endpoint, "messages", key(), way.clone())?;
            let counter = ProviderClient::new(endpoint, "messages/count_tokens", key(), way)?;
            let (family, counter) = (WireFormat::Anthropic, Some(counter));
            let (cap, asks_for_usage) = ("max_tokens", false);
            let thought_cap = None;
            return Ok(Self { provider, counter, family, model, cap, thought_cap, asks_for_usage });
        }
        if endpoint.dialect == ResponsesModel::DIALECT {
            let key = key.map(|key| (ApiKeyPlacement::Bearer, key));
            let provider = ProviderClient::new(endpoint, responses::PATH, key, way)?;
            let (family, counter, thought_cap) = (WireFormat::Responses, None, None);
            let (cap, asks_for_usage) = ("max_output_tokens", false);
            return Ok(Self { provider, counter, family, model, cap, thought_cap, asks_for_usage });
        }
        let dialect = OpenAiChatModel::dialect(endpoint)?;
        let key = key.map(|key| (dialect.key_in, key));
        let provider = ProviderClient::new(endpoint, openai::PATH, key, way)?;
        let (family, counter) = (WireFormat::OpenAiChat, None);
        let (cap, thought_cap) = (dialect.cap, dialect.thought_cap);
        let asks_for_usage = dialect.asks_for_usage;
        Ok(Self { provider, counter, family, model, cap, thought_cap, asks_for_usage })
    }

    /// Sends a body of the family's; `headers` are the client's, as far as the family has some.
    pub async fn open(
        &self,
        body: Bytes,
        headers: &[(&str, &str)],
        context: &CallContext,
    ) -> Result<UpstreamResponse, CallFault> {
        self.open_at(&self.provider, body, headers, context).await
    }

    /// How many tokens a body of the family's has, as far as the provider says so.
    pub async fn count(
        &self,
        body: Bytes,
        headers: &[(&str, &str)],
        context: &CallContext,
    ) -> Option<Result<UpstreamResponse, CallFault>> {
        let counter = self.counter.as_ref()?;
        Some(self.open_at(counter, body, headers, context).await)
    }

    async fn open_at(
        &self,
        provider: &ProviderClient,
        body: Bytes,
        headers: &[(&str, &str)],
        context: &CallContext,
    ) -> Result<UpstreamResponse, CallFault> {
        let answer = provider.send(body, headers, context).await?;
        if answer.status.is_success() {
            let passage = PassThroughBody::new(answer, self.family, provider.split_key_redactor());
            return Ok(UpstreamResponse::Passage(Box::new(passage)));
        }
        let (status, headers) = (answer.status, answer.headers.clone());
        let (body, fault) = provider.read_error(answer).await;
        let filtered = faults::is_filtered(status, &body);
        let fault = Box::new(fault);
        Ok(UpstreamResponse::Refused { status, headers, body, fault, filtered })
    }

    /// Takes the key out of the reply, and out of what the witness saw, whenever it is dropped.
    pub fn reply_redactor<'a>(&self, witness: &'a ExchangeRecorder) -> ReplyRedactor<'a> {
        self.provider.reply_redactor(witness)
    }
}

type ByteStream = Pin<Box<dyn Stream<Item = Result<Bytes, CallFault>> + Send>>;

/// An answer on its way through.
pub struct PassThroughBody {
    pub headers: HeaderMap,
    pub is_stream: bool,
    pieces: ByteStream,
    splitter: EventSplitter,
    waiting: VecDeque<Bytes>,
    assembly: AnyReplyBuilder,
    failed: Option<CallFault>,
    ended: bool,
    /// Takes out a key that is spread over several events.
    joint: Option<SplitKeyRedactor>,
    /// What has been looked at, and may go on.
    looked_at: VecDeque<PassThroughChunk>,
}

/// One piece of an answer.
pub struct PassThroughChunk {
    pub bytes: Bytes,
    /// The family's mark of the end of a stream, or a whole body.
    pub is_last: bool,
    /// It breaks off here, and says nothing of it.
    pub is_broken: bool,
}

impl PassThroughChunk {
    fn of(bytes: Bytes) -> Self {
        Self { bytes, is_last: false, is_broken: false }
    }
}

impl PassThroughBody {
    fn new(
        mut answer: ProviderResponse,
        family: WireFormat,
        joint: Option<SplitKeyRedactor>,
    ) -> Self {
        let assembly = match family {
            WireFormat::OpenAiChat => AnyReplyBuilder::Chat(ChatAssembly::default()),
            WireFormat::Anthropic => AnyReplyBuilder::Messages(MessagesAssembly::default()),
            WireFormat::Responses => AnyReplyBuilder::Responses(ResponsesAssembly::default()),
        };
        Self {
            is_stream: answer.is_events(),
            headers: std::mem::take(&mut answer.headers),
            pieces: Box::pin(answer.pieces()),
            splitter: EventSplitter::default(),
            waiting: VecDeque::new(),
            assembly,
            failed: None,
            ended: false,
            joint,
            looked_at: VecDeque::new(),
        }
    }

    /// The next event as it came; all of a body that is no stream. None after the last, and
    /// after what broke it off.
    pub async fn next(&mut self) -> Option<PassThroughChunk> {
        loop {
            if let Some(piece) = self.looked_at.pop_front() {
                return Some(piece);
            }
            if self.ended || self.failed.is_some() {
                return None;
            }
            if !self.is_stream {
                return self.whole().await;
            }
            match self.waiting.pop_front() {
                Some(event) => self.look(event),
                None => self.read_on().await,
            }
        }
    }

    async fn read_on(&mut self) {
        match self.pieces.next().await {
            Some(Ok(piece)) => self.waiting.extend(self.splitter.push(&piece)),
            Some(Err(fault)) => {
                self.failed = Some(fault);
                self.let_go();
            }
            None => {
                let rest = std::mem::take(&mut self.splitter).rest();
                if !rest.is_empty() {
                    self.look(rest);
                }
                self.ended = true;
                self.let_go();
            }
        }
    }

    /// All of it, whatever it is.
    pub async fn bytes(mut self) -> Result<Bytes, CallFault> {
        self.collect().await
    }

    async fn collect(&mut self) -> Result<Bytes, CallFault> {
        let mut body = Vec::new();
        while let Some(piece) = self.pieces.next().await {
            body.extend_from_slice(&piece?);
        }
        Ok(Bytes::from(body))
    }

    /// A body that is no reply is nothing a client should see: it is told what is wrong.
    async fn whole(&mut self) -> Option<PassThroughChunk> {
        self.ended = true;
        let body = self.collect().await;
        let understood = body.and_then(|body| self.assembly.whole(&body).map(|()| body));
        match understood {
            Ok(bytes) => Some(PassThroughChunk { bytes, is_last: true, is_broken: false }),
            Err(fault) => {
                self.failed = Some(fault);
                None
            }
        }
    }

    /// Understands an event on its way. What it breaks off with goes on as it is.
    fn look(&mut self, event: Bytes) {
        let data = events::event_data(&event);
        let taken = match data.trim().is_empty() {
            true => Ok(ControlFlow::Continue(())),
            false => self.assembly.event(&data),
        };
        let (is_last, is_broken) = match taken {
            Ok(flow) => (flow.is_break(), false),
            Err(fault) => {
                self.failed = Some(fault);
                (true, !says_why(&data))
            }
        };
        self.ended |= is_last;
        match &mut self.joint {
            None => self.looked_at.push_back(PassThroughChunk { bytes: event, is_last, is_broken }),
            Some(joint) => {
                let free = joint.push(event);
                self.looked_at.extend(free.into_iter().map(PassThroughChunk::of));
                if is_last {
                    self.let_go();
                    if let Some(last) = self.looked_at.back_mut() {
                        (last.is_last, last.is_broken) = (true, is_broken);
                    }
                }
            }
        }
    }

    /// Nothing more comes that could be the rest of a key.
    fn let_go(&mut self) {
        let held = self.joint.as_mut().map(SplitKeyRedactor::end).unwrap_or_default();
        self.looked_at.extend(held.into_iter().map(PassThroughChunk::of));
    }

    /// What was said all together, or why it is no reply.
    pub fn reply(self) -> Result<ChatReply, CallFault> {
        match self.failed {
            Some(fault) => Err(fault),
            None => self.assembly.reply(),
        }
    }
}

/// Whether an event is the family's own way to say that it breaks off.
fn says_why(data: &str) -> bool {
    let json: Value = serde_json::from_str(data).unwrap_or_default();
    ["error", "response.failed"].iter().any(|end| json["type"] == *end) || !json["error"].is_null()
}

enum AnyReplyBuilder {
    Chat(ChatAssembly),
    Messages(MessagesAssembly),
    Responses(ResponsesAssembly),
}

impl AnyReplyBuilder {
    fn event(&mut self, data: &str) -> Result<ControlFlow<()>, CallFault> {
        match self {
            Self::Chat(chat) => chat.event(data),
            Self::Messages(messages) => messages.event(data),
            Self::Responses(responses) => responses.event(data),
        }
    }

    fn whole(&mut self, body: &[u8]) -> Result<(), CallFault> {
        match self {
            Self::Chat(chat) => chat.whole(body),
            Self::Messages(messages) => messages.whole(body),
            Self::Responses(responses) => responses.whole(body),
        }
    }

    fn reply(self) -> Result<ChatReply, CallFault> {
        match self {
            Self::Chat(chat) => chat.reply(),
            Self::Messages(messages) => messages.reply(),
            Self::Responses(responses) => responses.reply(),
        }
    }
}
