//! The OpenAI chat format and its many hosts: one attempt a call, streamed from the provider
//! and put together here.

mod assembly;
mod dialect;
mod request;

use super::events;
use super::faults::{self, malformed};
use super::http::{self, Answer, Patience};
use super::key::Key;
use assembly::{Assembly, Chunk};
use async_trait::async_trait;
use dialect::Dialect;
use reqwest::Client;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use std::ops::ControlFlow;
use synthd_actors::model::{CallFault, ChatReply, ChatRequest, Endpoint, Fault, FaultKind};
use synthd_actors::ports::{CallContext, ChatModel};

/// The end of a stream, as this family marks it.
const DONE: &str = "[DONE]";

/// One model of one host.
pub(super) struct OpenAiChat {
    client: Client,
    url: String,
    key: Option<Key>,
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
        let key = key.map(|key| Key::new(dialect.key_in, key)).transpose()?;
        let url = format!("{}/chat/completions", endpoint.base_url.trim_end_matches('/'));
        let (client, model) = (http::client()?, model.to_owned());
        Ok(Self { client, url, key, model, dialect, patience })
    }

    async fn ask(&self, request: &ChatRequest) -> Result<Answer, CallFault> {
        let body = request::body(&self.model, request, &self.dialect).to_string();
        let post = self.client.post(&self.url).header(CONTENT_TYPE, "application/json");
        let mut post = post.header(ACCEPT, "text/event-stream, application/json").body(body);
        if let Some(key) = &self.key {
            post = key.put(post);
        }
        http::send(post, self.patience).await
    }
}

#[async_trait]
impl ChatModel for OpenAiChat {
    async fn complete(
        &self,
        request: &ChatRequest,
        _: &CallContext,
    ) -> Result<ChatReply, CallFault> {
        self.answered(request).await.map_err(|fault| Key::hide(self.key.as_ref(), fault))
    }
}

impl OpenAiChat {
    async fn answered(&self, request: &ChatRequest) -> Result<ChatReply, CallFault> {
        let answer = self.ask(request).await?;
        let (status, headers) = (answer.status, answer.headers.clone());
        if !status.is_success() {
            let said = Key::without(self.key.as_ref(), answer.complaint().await);
            if faults::is_filtered(status, &said) {
                return Ok(faults::filtered());
            }
            return Err(faults::refused(status, &headers, &said));
        }
        if answer.is_events() { streamed(answer).await } else { whole(answer).await }
    }
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
    events::each(answer, |event| {
        let data = event.data.unwrap_or_default();
        if data.trim() == DONE {
            return Ok(ControlFlow::Break(()));
        }
        if !data.trim().is_empty() {
            assembly.take(chunk(data.as_bytes())?)?;
        }
        Ok(ControlFlow::Continue(()))
    })
    .await?;
    assembly.reply()
}

fn chunk(bytes: &[u8]) -> Result<Chunk, CallFault> {
    serde_json::from_slice(bytes)
        .map_err(|error| malformed(&format!("its answer is not what it should be: {error}")))
}
