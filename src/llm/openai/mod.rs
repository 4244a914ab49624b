//! The OpenAI chat format and its many hosts: one attempt a call, streamed from the provider
//! and put together here.

mod assembly;
mod dialect;
mod faults;
mod request;

use super::http::{self, Answer, Patience};
use assembly::{Assembly, Chunk, malformed};
use async_trait::async_trait;
use dialect::{Dialect, KeyIn};
use futures_util::StreamExt;
use reqwest::Client;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use sse_stream::{Error as SseError, SseByteStream};
use synthd_actors::model::{
    CallFault, ChatReply, ChatRequest, Endpoint, Fault, FaultKind, FinishReason, Message, Role,
    Usage,
};
use synthd_actors::ports::{CallContext, ChatModel};

/// The end of a stream, as this family marks it.
const DONE: &str = "[DONE]";

/// One model of one host.
pub(super) struct OpenAiChat {
    client: Client,
    url: String,
    key: Option<(HeaderName, HeaderValue)>,
    /// The same, to be kept out of what is told.
    secret: Option<SecretString>,
    model: String,
    dialect: Dialect,
    patience: Patience,
}

impl OpenAiChat {
    /// `key` is the secret itself, which nothing here shows.
    pub(super) fn new(
        endpoint: &Endpoint,
        model: &str,
        key: Option<&str>,
        patience: Patience,
    ) -> Result<Self, Fault> {
        let wrong = |what: String| Fault::new(FaultKind::ModelPermanent, what);
        let dialect = Dialect::named(&endpoint.dialect)
            .ok_or_else(|| wrong(format!("no adapter speaks {}", endpoint.dialect)))?;
        let secret = key.map(SecretString::from);
        let key = key.map(|key| header_of(dialect.key_in, key)).transpose();
        let key = key.map_err(|_| wrong("the key has characters that no key has".to_owned()))?;
        let url = format!("{}/chat/completions", endpoint.base_url.trim_end_matches('/'));
        let (client, model) = (http::client()?, model.to_owned());
        Ok(Self { client, url, key, secret, model, dialect, patience })
    }

    async fn ask(&self, request: &ChatRequest) -> Result<Answer, CallFault> {
        let body = request::body(&self.model, request, &self.dialect).to_string();
        let post = self.client.post(&self.url).header(CONTENT_TYPE, "application/json");
        let mut post = post.header(ACCEPT, "text/event-stream, application/json").body(body);
        if let Some((name, value)) = &self.key {
            post = post.header(name, value);
        }
        http::send(post, self.patience).await
    }
}

fn header_of(place: KeyIn, key: &str) -> Result<(HeaderName, HeaderValue), ()> {
    let (name, text) = match place {
        KeyIn::Bearer => (AUTHORIZATION, format!("Bearer {key}")),
        KeyIn::Header(name) => (HeaderName::from_static(name), key.to_owned()),
    };
    let mut value = HeaderValue::from_str(&text).map_err(|_| ())?;
    value.set_sensitive(true);
    Ok((name, value))
}

#[async_trait]
impl ChatModel for OpenAiChat {
    async fn complete(
        &self,
        request: &ChatRequest,
        _: &CallContext,
    ) -> Result<ChatReply, CallFault> {
        self.answered(request).await.map_err(|fault| self.without_key(fault))
    }
}

impl OpenAiChat {
    async fn answered(&self, request: &ChatRequest) -> Result<ChatReply, CallFault> {
        let answer = self.ask(request).await?;
        let (status, headers) = (answer.status, answer.headers.clone());
        if !status.is_success() {
            let said = answer.complaint().await;
            if faults::is_filtered(status, &said) {
                return Ok(filtered());
            }
            return Err(faults::refused(status, &headers, &said));
        }
        if answer.is_events() { streamed(answer).await } else { whole(answer).await }
    }

    /// Hosts repeat what they were sent.
    fn without_key(&self, mut fault: CallFault) -> CallFault {
        if let Some(secret) = &self.secret {
            let message = &mut fault.fault.message;
            *message = message.replace(secret.expose_secret(), "[the key]");
        }
        fault
    }
}

/// The host would not even ask the model.
fn filtered() -> ChatReply {
    let what = "[the provider's content filter refused the request]";
    let message = Message::text(Role::Assistant, what);
    ChatReply::new(message, FinishReason::Refusal, Usage::default())
}

/// From a host that does not stream, whatever it was asked for.
async fn whole(answer: Answer) -> Result<ChatReply, CallFault> {
    let bytes = answer.whole().await?;
    let mut assembly = Assembly::default();
    assembly.take(chunk(&bytes)?)?;
    assembly.reply()
}

async fn streamed(answer: Answer) -> Result<ChatReply, CallFault> {
    let mut assembly = Assembly::default();
    let mut events = SseByteStream::new(Box::pin(answer.pieces()));
    while let Some(event) = events.next().await {
        let Some(data) = event.map_err(broken)?.data else { continue };
        if data.trim() == DONE {
            break;
        }
        if !data.trim().is_empty() {
            assembly.take(chunk(data.as_bytes())?)?;
        }
    }
    assembly.reply()
}

fn chunk(bytes: &[u8]) -> Result<Chunk, CallFault> {
    serde_json::from_slice(bytes)
        .map_err(|error| malformed(&format!("its answer is not what it should be: {error}")))
}

/// What the stream of bytes says of itself, or of its text.
fn broken(error: SseError) -> CallFault {
    match error {
        SseError::Body(cause) => match cause.downcast::<CallFault>() {
            Ok(fault) => *fault,
            Err(other) => malformed(&other.to_string()),
        },
        other => malformed(&format!("its answer is no stream of events: {other}")),
    }
}
