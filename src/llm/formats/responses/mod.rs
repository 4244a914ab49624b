//! The adapter for the OpenAI Responses format. It makes one attempt for each call, reads a stream
//! and puts the reply together. The provider stores nothing (`store: false`), so the reasoning
//! travels with the conversation in encrypted form.

mod reply_builder;
mod request;

use crate::llm::replay::ProviderTransport;
use crate::llm::transport::api_key::ApiKeyPlacement;
use crate::llm::transport::provider::ProviderClient;
use crate::llm::without_words;
use async_trait::async_trait;
pub(in crate::llm) use reply_builder::ResponsesReplyBuilder;
use synthd_actors::model::{CallFault, ChatReply, ChatRequest, Fault, ProviderEndpoint};
use synthd_actors::ports::{CallContext, ChatModel};

/// The path below the endpoint's base URL.
pub(in crate::llm) const PATH: &str = "responses";

/// One model of one host.
pub(in crate::llm) struct ResponsesModel {
    provider: ProviderClient,
    model: String,
}

impl ResponsesModel {
    /// The dialect's name in a campaign.
    pub(in crate::llm) const DIALECT: &'static str = "responses";

    /// Fails if the base URL is no URL, or if the key cannot be in a header.
    pub(in crate::llm) fn new(
        endpoint: &ProviderEndpoint,
        model: &str,
        key: Option<&str>,
        way: impl Into<ProviderTransport>,
    ) -> Result<Self, Fault> {
        let key = key.map(|key| (ApiKeyPlacement::Bearer, key));
        let provider = ProviderClient::new(endpoint, PATH, key, way)?;
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
        // The format has no field for stop sequences.
        let stops = !request.settings.stop.is_empty();
        without_words(stops.then_some("sequences that end an answer"))?;
        let body = request::body(&self.model, request);
        self.provider.exchange::<ResponsesReplyBuilder>(&body, &[], context).await
    }
}
