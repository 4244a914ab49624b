//! Anthropic Messages: one attempt a call, streamed from the provider and put together here.

mod assembly;
mod request;

use super::events;
use super::faults::{self, malformed};
use super::http::{self, Answer, Patience};
use super::key::{Key, KeyIn};
use assembly::Assembly;
use async_trait::async_trait;
use reqwest::Client;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use std::ops::ControlFlow;
use synthd_actors::model::{CallFault, ChatReply, ChatRequest, Endpoint, Fault, ModelConfig};
use synthd_actors::ports::{CallContext, ChatModel};

const VERSION: (&str, &str) = ("anthropic-version", "2023-06-01");

/// One model of one host.
pub(super) struct Messages {
    client: Client,
    url: String,
    key: Option<Key>,
    model: String,
    /// Whether what a cache write costs is known, so that it may be asked for.
    caches: bool,
    patience: Patience,
}

impl Messages {
    /// As a campaign names it.
    pub(super) const DIALECT: &'static str = "anthropic";

    pub(super) fn new(
        endpoint: &Endpoint,
        model: &str,
        config: &ModelConfig,
        key: Option<&str>,
        patience: Patience,
    ) -> Result<Self, Fault> {
        let key = key.map(|key| Key::new(KeyIn::Header("x-api-key"), key)).transpose()?;
        Ok(Self {
            client: http::client()?,
            url: format!("{}/messages", endpoint.base_url.trim_end_matches('/')),
            key,
            model: model.to_owned(),
            caches: config.price.cache_write_per_million.is_some(),
            patience,
        })
    }

    async fn ask(&self, request: &ChatRequest) -> Result<Answer, CallFault> {
        let body = request::body(&self.model, request, self.caches).to_string();
        let post = self.client.post(&self.url).header(CONTENT_TYPE, "application/json");
        let post = post.header(ACCEPT, "text/event-stream, application/json");
        let mut post = post.header(VERSION.0, VERSION.1).body(body);
        if let Some(key) = &self.key {
            post = key.put(post);
        }
        http::send(post, self.patience).await
    }

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

#[async_trait]
impl ChatModel for Messages {
    async fn complete(
        &self,
        request: &ChatRequest,
        _: &CallContext,
    ) -> Result<ChatReply, CallFault> {
        self.answered(request).await.map_err(|fault| Key::hide(self.key.as_ref(), fault))
    }
}

/// From a host that does not stream, whatever it was asked for.
async fn whole(answer: Answer) -> Result<ChatReply, CallFault> {
    let bytes = answer.whole().await?;
    Assembly::of_message(serde_json::from_slice(&bytes).map_err(unreadable)?)?.reply()
}

async fn streamed(answer: Answer) -> Result<ChatReply, CallFault> {
    let mut assembly = Assembly::default();
    events::each(answer, |event| {
        let data = event.data.unwrap_or_default();
        if data.trim().is_empty() {
            return Ok(ControlFlow::Continue(()));
        }
        assembly.take(serde_json::from_str(&data).map_err(unreadable)?)
    })
    .await?;
    assembly.reply()
}

fn unreadable(error: serde_json::Error) -> CallFault {
    malformed(&format!("its answer is not what it should be: {error}"))
}
