//! Gemini's generateContent: one attempt a call, streamed from the provider and put together
//! here.

mod reply_builder;
mod request;

use super::api_key::ApiKeyPlacement;
use super::provider::ProviderClient;
use super::replay::ProviderTransport;
use super::without_words;
use async_trait::async_trait;
pub(super) use reply_builder::GeminiReplyBuilder;
use synthd_actors::model::{CallFault, ChatReply, ChatRequest, Fault, ProviderEndpoint};
use synthd_actors::ports::{CallContext, ChatModel};

/// One model.
pub(super) struct GeminiModel {
    provider: ProviderClient,
}

impl GeminiModel {
    /// As a campaign names it.
    pub(super) const DIALECT: &'static str = "gemini";

    pub(super) fn new(
        endpoint: &ProviderEndpoint,
        model: &str,
        key: Option<&str>,
        way: impl Into<ProviderTransport>,
    ) -> Result<Self, Fault> {
        let key = key.map(|key| (ApiKeyPlacement::Header("x-goog-api-key"), key));
        let path = format!("models/{model}:streamGenerateContent?alt=sse");
        Ok(Self { provider: ProviderClient::new(endpoint, &path, key, way)? })
    }
}

#[async_trait]
impl ChatModel for GeminiModel {
    async fn complete(
        &self,
        request: &ChatRequest,
        context: &CallContext,
    ) -> Result<ChatReply, CallFault> {
        let parallel = request.settings.parallel_calls;
        without_words(parallel.filter(|p| !p).map(|_| "way to forbid calls at the same time"))?;
        let body = request::body(request);
        self.provider.exchange::<GeminiReplyBuilder>(&body, &[], context).await
    }
}
