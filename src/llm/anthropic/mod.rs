//! Anthropic Messages: one attempt a call, streamed from the provider and put together here.

mod reply_builder;
mod request;

use super::api_key::ApiKeyPlacement;
use super::provider::ProviderClient;
use super::replay::ProviderTransport;
use super::without_words;
use async_trait::async_trait;
pub(super) use reply_builder::AnthropicReplyBuilder;
use synthd_actors::model::{
    CallFault, ChatReply, ChatRequest, Fault, FaultKind, ModelConfig, ProviderEndpoint,
};
use synthd_actors::ports::{CallContext, ChatModel};

/// Where the key goes.
pub(super) const KEY_HEADER: &str = "x-api-key";
const VERSION: (&str, &str) = ("anthropic-version", "2023-06-01");

/// One model of one host.
pub(super) struct AnthropicModel {
    provider: ProviderClient,
    model: String,
    /// Whether what a cache write costs is known, so that it may be asked for.
    caches: bool,
}

impl AnthropicModel {
    /// As a campaign names it.
    pub(super) const DIALECT: &'static str = "anthropic";

    pub(super) fn new(
        endpoint: &ProviderEndpoint,
        model: &str,
        config: &ModelConfig,
        key: Option<&str>,
        way: impl Into<ProviderTransport>,
    ) -> Result<Self, Fault> {
        let key = key.map(|key| (ApiKeyPlacement::Header(KEY_HEADER), key));
        let provider = ProviderClient::new(endpoint, "messages", key, way)?;
        let caches = config.price.rates.cache_write_per_million.is_some();
        Ok(Self { provider, model: model.to_owned(), caches })
    }
}

#[async_trait]
impl ChatModel for AnthropicModel {
    async fn complete(
        &self,
        request: &ChatRequest,
        context: &CallContext,
    ) -> Result<ChatReply, CallFault> {
        // Other families go up to two.
        let hot = request.settings.temperature.is_some_and(|warm| warm > 1.0);
        without_words(hot.then_some("temperature above 1"))?;
        let replied = self.ask(request, self.caches, context).await;
        match &replied {
            // A record does not say at which price it was made, and by that what was marked.
            Err(fault) if is_unknown(fault) => {
                match self.ask(request, !self.caches, context).await {
                    Err(fault) if is_unknown(&fault) => replied,
                    found => found,
                }
            }
            _ => replied,
        }
    }
}

fn is_unknown(fault: &CallFault) -> bool {
    fault.fault.kind == FaultKind::NotRecorded
}

impl AnthropicModel {
    async fn ask(
        &self,
        request: &ChatRequest,
        caches: bool,
        context: &CallContext,
    ) -> Result<ChatReply, CallFault> {
        let body = request::body(&self.model, request, caches);
        self.provider.exchange::<AnthropicReplyBuilder>(&body, &[VERSION], context).await
    }
}
