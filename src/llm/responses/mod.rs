//! OpenAI Responses: one attempt a call, streamed from the provider and put together here.
//! Nothing is kept there (`store: false`): reasoning travels with the conversation, encrypted.

mod reply_builder;
mod request;

use super::api_key::ApiKeyPlacement;
use super::provider::ProviderClient;
use super::replay::ProviderTransport;
use super::without_words;
use async_trait::async_trait;
pub(super) use reply_builder::ResponsesReplyBuilder;
use synthd_actors::model::{CallFault, ChatReply, ChatRequest, Fault, ProviderEndpoint};
use synthd_actors::ports::{CallContext, ChatModel};

/// Below the endpoint's address.
pub(super) const PATH: &str = "responses";

/// One model of one host.
pub(super) struct ResponsesModel {
    provider: ProviderClient,
    model: String,
}

impl ResponsesModel {
    /// As a campaign names it.
    pub(super) const DIALECT: &'static str = "responses";

    pub(super) fn new(
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
        let stops = !request.settings.stop.is_empty();
        without_words(stops.then_some("sequences that end an answer"))?;
        let body = request::body(&self.model, request);
        self.provider.exchange::<ResponsesReplyBuilder>(&body, &[], context).await
    }
}
