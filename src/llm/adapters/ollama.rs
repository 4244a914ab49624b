//! The adapter for Ollama's own format (`api/chat`). Behind its OpenAI-compatible format, Ollama
//! silently drops the beginning of a long conversation. In its own format the context size can be
//! requested, and the adapter reports a conversation that fills the context as `ContextFull`.

use crate::formats::ollama::{OllamaReplyBuilder, request_writer};
use crate::llm::replay::ProviderTransport;
use crate::llm::transport::provider::ProviderClient;
use crate::llm::without_words;
use async_trait::async_trait;
use synthd_actors::model::{CallFault, ChatReply, ChatRequest, Fault, FaultKind, ProviderEndpoint};
use synthd_actors::ports::{CallContext, ChatModel};

/// The context in tokens that is requested if the campaign sets no `context`.
const CONTEXT: u64 = 32_768;

/// One model of one Ollama server.
pub(in crate::llm) struct OllamaModel {
    provider: ProviderClient,
    model: String,
    /// The context size in tokens, sent as `num_ctx`.
    context: u64,
}

impl OllamaModel {
    /// Ollama needs no key. Fails if the base URL is no URL.
    pub(in crate::llm) fn new(
        endpoint: &ProviderEndpoint,
        model: &str,
        context: Option<u64>,
        transport: impl Into<ProviderTransport>,
    ) -> Result<Self, Fault> {
        let provider = ProviderClient::new(endpoint, "api/chat", None, transport)?;
        Ok(Self { provider, model: model.to_owned(), context: context.unwrap_or(CONTEXT) })
    }
}

#[async_trait]
impl ChatModel for OllamaModel {
    /// Makes one attempt. Fails without asking if the request needs a setting that the format does
    /// not have: a forced or forbidden tool call, or no parallel calls.
    async fn complete(
        &self,
        request: &ChatRequest,
        context: &CallContext,
    ) -> Result<ChatReply, CallFault> {
        without_words(request_writer::unsaid(&request.settings))?;
        let body = request_writer::body(&self.model, request, self.context);
        let reply = self.provider.exchange::<OllamaReplyBuilder>(&body, &[], context).await?;
        // The server may have cut a prompt that fills the context, so its reply must not be used.
        if reply.usage.input_tokens >= self.context {
            let why = format!("the conversation fills the context of {} tokens", self.context);
            return Err(CallFault::unknown(FaultKind::ContextFull, why));
        }
        Ok(reply)
    }
}
