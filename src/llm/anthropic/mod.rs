//! Anthropic Messages: one attempt a call, streamed from the provider and put together here.

mod assembly;
mod request;

use super::events;
use super::faults::unreadable;
use super::http::{Answer, Patience};
use super::key::KeyIn;
use super::provider::Provider;
use assembly::Assembly;
use async_trait::async_trait;
use std::ops::ControlFlow;
use synthd_actors::model::{CallFault, ChatReply, ChatRequest, Endpoint, Fault, ModelConfig};
use synthd_actors::ports::{CallContext, ChatModel};

const VERSION: (&str, &str) = ("anthropic-version", "2023-06-01");

/// One model of one host.
pub(super) struct Messages {
    provider: Provider,
    model: String,
    /// Whether what a cache write costs is known, so that it may be asked for.
    caches: bool,
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
        let key = key.map(|key| (KeyIn::Header("x-api-key"), key));
        let provider = Provider::new(endpoint, "messages", key, patience)?;
        let caches = config.price.cache_write_per_million.is_some();
        Ok(Self { provider, model: model.to_owned(), caches })
    }
}

#[async_trait]
impl ChatModel for Messages {
    async fn complete(
        &self,
        request: &ChatRequest,
        _: &CallContext,
    ) -> Result<ChatReply, CallFault> {
        let body = request::body(&self.model, request, self.caches);
        self.provider.exchange(&body, &[VERSION], reply).await
    }
}

async fn reply(answer: Answer) -> Result<ChatReply, CallFault> {
    if !answer.is_events() {
        // From a host that does not stream, whatever it was asked for.
        let message = serde_json::from_slice(&answer.whole().await?).map_err(unreadable)?;
        return Assembly::of_message(message)?.reply();
    }
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
