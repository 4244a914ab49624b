//! Gemini's generateContent: one attempt a call, streamed from the provider and put together
//! here.

mod assembly;
mod request;

use super::key::KeyIn;
use super::provider::Provider;
use super::tape::Way;
use super::without_words;
pub(super) use assembly::Assembly;
use async_trait::async_trait;
use synthd_actors::model::{CallFault, ChatReply, ChatRequest, Endpoint, Fault};
use synthd_actors::ports::{CallContext, ChatModel};

/// One model.
pub(super) struct Gemini {
    provider: Provider,
}

impl Gemini {
    /// As a campaign names it.
    pub(super) const DIALECT: &'static str = "gemini";

    pub(super) fn new(
        endpoint: &Endpoint,
        model: &str,
        key: Option<&str>,
        way: impl Into<Way>,
    ) -> Result<Self, Fault> {
        let key = key.map(|key| (KeyIn::Header("x-goog-api-key"), key));
        let path = format!("models/{model}:streamGenerateContent?alt=sse");
        Ok(Self { provider: Provider::new(endpoint, &path, key, way)? })
    }
}

#[async_trait]
impl ChatModel for Gemini {
    async fn complete(
        &self,
        request: &ChatRequest,
        context: &CallContext,
    ) -> Result<ChatReply, CallFault> {
        let parallel = request.settings.parallel_calls;
        without_words(parallel.filter(|p| !p).map(|_| "way to forbid calls at the same time"))?;
        let body = request::body(request);
        self.provider.exchange::<Assembly>(&body, &[], context).await
    }
}
