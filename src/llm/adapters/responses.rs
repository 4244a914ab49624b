//! The adapter for the OpenAI Responses format. It makes one attempt for each call, reads a stream
//! and puts the reply together. The provider stores nothing (`store: false`), so the reasoning
//! travels with the conversation in encrypted form.

use crate::formats::responses::{PATH, ResponsesReplyBuilder, request_writer};
use crate::formats::writing::key_placement::ApiKeyPlacement;
use crate::llm::replay::ProviderTransport;
use crate::llm::transport::provider::ProviderClient;
use crate::llm::without_words;
use async_trait::async_trait;
use synthd_actors::model::{CallFault, ChatReply, ChatRequest, Fault, ProviderEndpoint};
use synthd_actors::ports::{CallContext, ChatModel};

/// One model of one host.
pub(in crate::llm) struct ResponsesModel {
    provider: ProviderClient,
    model: String,
}

impl ResponsesModel {
    /// Fails if the base URL is no URL, or if the key cannot be in a header.
    pub(in crate::llm) fn new(
        endpoint: &ProviderEndpoint,
        model: &str,
        key: Option<&str>,
        transport: impl Into<ProviderTransport>,
    ) -> Result<Self, Fault> {
        let key = key.map(|key| (ApiKeyPlacement::Bearer, key));
        let provider = ProviderClient::new(endpoint, PATH, key, transport)?;
        Ok(Self { provider, model: model.to_owned() })
    }
}

#[async_trait]
impl ChatModel for ResponsesModel {
    async fn complete(
        &self,
        request: &ChatRequest,
        context: &CallContext,
    ) -> Result<ChatReply, CallFault> {
        without_words(request_writer::unsaid(&request.settings))?;
        let body = request_writer::body(&self.model, request);
        self.provider.exchange::<ResponsesReplyBuilder>(&body, &[], context).await
    }
}
