//! The adapter for Gemini's `generateContent`. It makes one attempt for each call, reads a stream
//! and puts the reply together. Clients of the gateway do not speak this format, so there is no
//! pass-through for it.

use crate::formats::gemini::{GeminiReplyBuilder, request_writer};
use crate::formats::writing::key_placement::ApiKeyPlacement;
use crate::llm::replay::ProviderTransport;
use crate::llm::transport::provider::ProviderClient;
use crate::llm::without_words;
use async_trait::async_trait;
use synthd_actors::model::{CallFault, ChatReply, ChatRequest, Fault, ProviderEndpoint};
use synthd_actors::ports::{CallContext, ChatModel};

/// One model. Its name is part of the address, not of the body.
pub(in crate::llm) struct GeminiModel {
    provider: ProviderClient,
}

impl GeminiModel {
    /// Fails if the base URL is no URL, or if the key cannot be in a header.
    pub(in crate::llm) fn new(
        endpoint: &ProviderEndpoint,
        model: &str,
        key: Option<&str>,
        transport: impl Into<ProviderTransport>,
    ) -> Result<Self, Fault> {
        let key = key.map(|key| (ApiKeyPlacement::Header("x-goog-api-key"), key));
        let path = format!("models/{model}:streamGenerateContent?alt=sse");
        Ok(Self { provider: ProviderClient::new(endpoint, &path, key, transport)? })
    }
}

#[async_trait]
impl ChatModel for GeminiModel {
    async fn complete(
        &self,
        request: &ChatRequest,
        context: &CallContext,
    ) -> Result<ChatReply, CallFault> {
        without_words(request_writer::unsaid(&request.settings))?;
        let body = request_writer::body(request);
        self.provider.exchange::<GeminiReplyBuilder>(&body, &[], context).await
    }
}
