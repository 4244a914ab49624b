//! The adapter for the OpenAI chat format and its many hosts. It makes one attempt for each call,
//! reads a stream and puts the reply together. What differs between hosts is in `dialect`.

use crate::formats::chat_completions::{
    OpenAiReplyBuilder, PATH, dialect::OpenAiDialect, request_writer,
};
use crate::llm::replay::ProviderTransport;
use crate::llm::transport::provider::ProviderClient;
use async_trait::async_trait;
use synthd_actors::model::{CallFault, ChatReply, ChatRequest, Fault, FaultKind, ProviderEndpoint};
use synthd_actors::ports::{CallContext, ChatModel};

/// One model of one host.
pub(in crate::llm) struct OpenAiChatModel {
    provider: ProviderClient,
    /// The model's name as the host knows it.
    model: String,
    dialect: OpenAiDialect,
}

impl OpenAiChatModel {
    /// `key` is the secret itself; it is never shown. Fails for an unknown dialect, a base URL that
    /// is no URL, or a key that cannot be in a header.
    pub(in crate::llm) fn new(
        endpoint: &ProviderEndpoint,
        model: &str,
        key: Option<&str>,
        transport: impl Into<ProviderTransport>,
    ) -> Result<Self, Fault> {
        let dialect = Self::dialect(endpoint)?;
        let key = key.map(|key| (dialect.key_in, key));
        let provider = ProviderClient::new(endpoint, PATH, key, transport)?;
        Ok(Self { provider, model: model.to_owned(), dialect })
    }
}

impl OpenAiChatModel {
    /// The dialect of an endpoint. Fails if no adapter knows its name.
    pub(in crate::llm) fn dialect(endpoint: &ProviderEndpoint) -> Result<OpenAiDialect, Fault> {
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
        let body = request_writer::body(&self.model, request, &self.dialect);
        self.provider.exchange::<OpenAiReplyBuilder>(&body, &[], context).await
    }
}
