//! Ollama's own format. Behind its OpenAI format it cuts a long conversation from the front
//! and says nothing; here the context is asked for, and a conversation that has filled it is
//! told as such.

mod reply_builder;
mod request;

use super::provider::ProviderClient;
use super::replay::ProviderTransport;
use super::without_words;
use async_trait::async_trait;
pub(super) use reply_builder::OllamaReplyBuilder;
use synthd_actors::model::{
    CallFault, ChatReply, ChatRequest, Fault, FaultKind, ProviderEndpoint, ToolChoice,
};
use synthd_actors::ports::{CallContext, ChatModel};

/// Asked for where a campaign names no `context`.
const CONTEXT: u64 = 32_768;

/// One model of one host.
pub(super) struct OllamaModel {
    provider: ProviderClient,
    model: String,
    context: u64,
}

impl OllamaModel {
    /// As a campaign names it.
    pub(super) const DIALECT: &'static str = "ollama-native";

    pub(super) fn new(
        endpoint: &ProviderEndpoint,
        model: &str,
        context: Option<u64>,
        way: impl Into<ProviderTransport>,
    ) -> Result<Self, Fault> {
        let provider = ProviderClient::new(endpoint, "api/chat", None, way)?;
        Ok(Self { provider, model: model.to_owned(), context: context.unwrap_or(CONTEXT) })
    }
}

#[async_trait]
impl ChatModel for OllamaModel {
    async fn complete(
        &self,
        request: &ChatRequest,
        context: &CallContext,
    ) -> Result<ChatReply, CallFault> {
        let choice = request.settings.tool_choice.as_ref().filter(|c| **c != ToolChoice::Auto);
        without_words(choice.map(|_| "choice of tools"))?;
        let parallel = request.settings.parallel_calls.filter(|parallel| !parallel);
        without_words(parallel.map(|_| "way to forbid calls at the same time"))?;
        let body = request::body(&self.model, request, self.context);
        let reply = self.provider.exchange::<OllamaReplyBuilder>(&body, &[], context).await?;
        if reply.usage.input_tokens >= self.context {
            let why = format!("the conversation fills the context of {} tokens", self.context);
            return Err(CallFault::unknown(FaultKind::ContextFull, why));
        }
        Ok(reply)
    }
}
