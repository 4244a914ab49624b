//! The OpenAI chat format and its many hosts: one attempt a call, streamed from the provider
//! and put together here.

mod dialect;
mod reply_builder;
mod request;

use super::provider::ProviderClient;
use super::replay::ProviderTransport;
use async_trait::async_trait;
use dialect::OpenAiDialect;
pub(super) use reply_builder::OpenAiReplyBuilder;
use synthd_actors::model::{CallFault, ChatReply, ChatRequest, Fault, FaultKind, ProviderEndpoint};
use synthd_actors::ports::{CallContext, ChatModel};

/// Below a provider's address.
pub(super) const PATH: &str = "chat/completions";

/// One model of one host.
pub(super) struct OpenAiChatModel {
    provider: ProviderClient,
    model: String,
    dialect: OpenAiDialect,
}

impl OpenAiChatModel {
    /// `key` is the secret itself, which nothing here shows.
    pub(super) fn new(
        endpoint: &ProviderEndpoint,
        model: &str,
        key: Option<&str>,
        way: impl Into<ProviderTransport>,
    ) -> Result<Self, Fault> {
        let dialect = Self::dialect(endpoint)?;
        let key = key.map(|key| (dialect.key_in, key));
        let provider = ProviderClient::new(endpoint, PATH, key, way)?;
        Ok(Self { provider, model: model.to_owned(), dialect })
    }
}

impl OpenAiChatModel {
    pub(super) fn dialect(endpoint: &ProviderEndpoint) -> Result<OpenAiDialect, Fault> {
        OpenAiDialect::named(&endpoint.dialect).ok_or_else(|| {
            let why = format!("no adapter speaks {}", endpoint.dialect);
            Fault::new(FaultKind::ModelPermanent, why)
        })
    }
}

#[async_trait]
impl ChatModel for OpenAiChatModel {
    async fn complete(
        &self,
        request: &ChatRequest,
        context: &CallContext,
    ) -> Result<ChatReply, CallFault> {
        let body = request::body(&self.model, request, &self.dialect);
        self.provider.exchange::<OpenAiReplyBuilder>(&body, &[], context).await
    }
}
