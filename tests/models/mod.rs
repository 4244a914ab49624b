//! Models behind a network: the adapters against a real server that misbehaves on purpose,
//! and the real binary against one that counts what it charged.

mod adapter;
mod agent;
mod anthropic;
mod episode_agents;
mod exact_messages;
mod families;
mod faulty;
mod gateway;
mod gateway_crowd;
mod gateway_fallback;
mod gateway_record;
mod gateway_responses;
mod gateway_shapes;
pub(crate) mod held_host;
pub(crate) mod host;
mod money;
mod overrun;
mod reconcile;
mod redaction;
mod replay;
mod sampling;
mod silence;
mod slow_answer;
mod strangers;

use host::Host;
use std::sync::Arc;
use std::time::Duration;
use synthd::llm::AdapterFactory;
use synthd_actors::agent::MinimalScaffold;
use synthd_actors::model::ProviderTimeouts;
use synthd_actors::model::{
    CallFault, ChatMessage, ChatReply, ChatRequest, ChatRole, EpisodeId, ModelConfig,
    ProviderEndpoint, ToolSchema,
};
use synthd_actors::ports::{CallContext, ChatModel, ModelFactory, ScriptContext};
use synthd_actors::testkit;

/// Stands in the environment of the tests, and must be seen nowhere else.
const CANARY: &str = "sk-canary-5e1f-never-to-be-seen";

fn model(host: &Host, dialect: &str) -> Arc<dyn ChatModel> {
    let endpoint = ProviderEndpoint::new(dialect, host.url(), None);
    at(endpoint)
}

fn at(endpoint: ProviderEndpoint) -> Arc<dyn ChatModel> {
    made(&config(endpoint))
}

fn config(endpoint: ProviderEndpoint) -> ModelConfig {
    ModelConfig { endpoint: Some(endpoint), ..testkit::priced("test/some/model-1", 0) }
}

fn made(config: &ModelConfig) -> Arc<dyn ChatModel> {
    factory().model(config).unwrap()
}

/// Providers may be silent for half a second.
fn factory() -> AdapterFactory {
    let timeouts = ProviderTimeouts {
        first_byte: Duration::from_millis(500),
        idle: Duration::from_millis(500),
    };
    AdapterFactory { timeouts, open_archive: synthd::store::open_archive }
}

fn context() -> CallContext {
    let catalog = testkit::catalog();
    let template = catalog.select(&["unit/letter".to_owned()], &[]).remove(0);
    CallContext {
        episode: EpisodeId("e".to_owned()),
        script: Some(ScriptContext {
            task: Arc::new(template.task(1, 0).unwrap()),
            scaffold: Arc::new(MinimalScaffold),
        }),
        turn: 0,
        retry: 0,
        recorder: Default::default(),
    }
}

fn request(messages: Vec<ChatMessage>) -> ChatRequest {
    let parameters = serde_json::json!({ "type": "object" });
    let tool = ToolSchema::new("bash", "runs", parameters);
    let settings = Default::default();
    ChatRequest { messages, tools: vec![tool], max_output_tokens: 77, settings }
}

async fn ask(model: &dyn ChatModel, messages: Vec<ChatMessage>) -> Result<ChatReply, CallFault> {
    model.complete(&request(messages), &context()).await
}

async fn say_hello(host: &Host) -> Result<ChatReply, CallFault> {
    say_hello_to(&*model(host, "openai")).await
}

async fn say_hello_to(model: &dyn ChatModel) -> Result<ChatReply, CallFault> {
    ask(model, vec![ChatMessage::text(ChatRole::User, "hello")]).await
}
