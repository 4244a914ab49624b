//! The OpenAI chat format and its many hosts: one attempt a call, streamed from the provider
//! and put together here.

mod assembly;
mod dialect;
mod request;

use super::provider::Provider;
use super::tape::Way;
pub(super) use assembly::Assembly;
use async_trait::async_trait;
use dialect::Dialect;
use synthd_actors::model::{CallFault, ChatReply, ChatRequest, Endpoint, Fault, FaultKind};
use synthd_actors::ports::{CallContext, ChatModel};

/// Below a provider's address.
pub(super) const PATH: &str = "chat/completions";

/// One model of one host.
pub(super) struct OpenAiChat {
    provider: Provider,
    model: String,
    dialect: Dialect,
}

impl OpenAiChat {
    /// `key` is the secret itself, which nothing here shows.
    pub(super) fn new(
        endpoint: &Endpoint,
        model: &str,
        key: Option<&str>,
        way: impl Into<Way>,
    ) -> Result<Self, Fault> {
        let dialect = Self::dialect(endpoint)?;
        let key = key.map(|key| (dialect.key_in, key));
        let provider = Provider::new(endpoint, PATH, key, way)?;
        Ok(Self { provider, model: model.to_owned(), dialect })
    }
}

impl OpenAiChat {
    pub(super) fn dialect(endpoint: &Endpoint) -> Result<Dialect, Fault> {
        Dialect::named(&endpoint.dialect).ok_or_else(|| {
            let why = format!("no adapter speaks {}", endpoint.dialect);
            Fault::new(FaultKind::ModelPermanent, why)
        })
    }
}

#[async_trait]
impl ChatModel for OpenAiChat {
    async fn complete(
        &self,
        request: &ChatRequest,
        context: &CallContext,
    ) -> Result<ChatReply, CallFault> {
        let body = request::body(&self.model, request, &self.dialect);
        self.provider.exchange::<Assembly>(&body, &[], context).await
    }
}
