//! The adapter for Anthropic's Messages format. It makes one attempt for each call, reads a stream
//! and puts the reply together. The gateway's pass-through uses the same reply builder.

use crate::formats::messages::{AnthropicReplyBuilder, KEY_HEADER, PATH, request_writer};
use crate::formats::writing::key_placement::ApiKeyPlacement;
use crate::llm::replay::{ProviderTransport, is_not_recorded};
use crate::llm::transport::provider::ProviderClient;
use crate::llm::without_words;
use async_trait::async_trait;
use synthd_actors::model::{
    CallFault, ChatReply, ChatRequest, Fault, ModelConfig, ProviderEndpoint,
};
use synthd_actors::ports::{CallContext, ChatModel};

/// The version of the format, which every request must name.
const VERSION: (&str, &str) = ("anthropic-version", "2023-06-01");

/// One model of one host.
pub(in crate::llm) struct AnthropicModel {
    provider: ProviderClient,
    model: String,
    /// Whether the request marks the prefix to be cached. A cache write costs more than plain
    /// input. It is only asked for if the model's price says how much, so that the hold is high
    /// enough.
    caches: bool,
}

impl AnthropicModel {
    /// Fails if the base URL is no URL, or if the key cannot be in a header.
    pub(in crate::llm) fn new(
        endpoint: &ProviderEndpoint,
        model: &str,
        config: &ModelConfig,
        key: Option<&str>,
        transport: impl Into<ProviderTransport>,
    ) -> Result<Self, Fault> {
        let key = key.map(|key| (ApiKeyPlacement::Header(KEY_HEADER), key));
        let provider = ProviderClient::new(endpoint, PATH, key, transport)?;
        // A price without a cache rate cannot bound the cost of a cache write.
        let caches = config.price.rates.cache_write_per_million.is_some();
        Ok(Self { provider, model: model.to_owned(), caches })
    }
}

#[async_trait]
impl ChatModel for AnthropicModel {
    /// Makes one attempt. Only with a replay record are two bodies tried.
    async fn complete(
        &self,
        request: &ChatRequest,
        context: &CallContext,
    ) -> Result<ChatReply, CallFault> {
        without_words(request_writer::unsaid(&request.settings))?;
        let replied = self.ask(request, self.caches, context).await;
        match &replied {
            // Only a replay gives this fault. The record does not say whether the recorded request
            // had cache marks, which depends on the price at that time. So both forms are tried,
            // and if neither is recorded, the first fault is returned.
            Err(fault) if is_not_recorded(fault) => {
                match self.ask(request, !self.caches, context).await {
                    Err(fault) if is_not_recorded(&fault) => replied,
                    found => found,
                }
            }
            _ => replied,
        }
    }
}

impl AnthropicModel {
    /// Makes the attempt, with or without cache marks.
    async fn ask(
        &self,
        request: &ChatRequest,
        caches: bool,
        context: &CallContext,
    ) -> Result<ChatReply, CallFault> {
        let body = request_writer::body(&self.model, request, caches);
        self.provider.exchange::<AnthropicReplyBuilder>(&body, &[VERSION], context).await
    }
}
