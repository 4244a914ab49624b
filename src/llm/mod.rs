//! Model adapters: one folder for each family of wire formats. The router calls an adapter through
//! the `ChatModel` trait for a native agent. The gateway calls an `UpstreamModel` for a client that
//! speaks the provider's own format.
//!
//! An adapter makes exactly one attempt: it writes the request in the provider's format, sends it,
//! and puts the reply together. Retries, rate limits and money belong to the router. All adapters
//! share the same lower layers:
//!
//! ```text
//!  adapter (openai, …) ─► provider (URL, key, redaction) ─► http (timeouts, size limits)
//!                                                      └─► replay (a recorded campaign)
//! ```
//!
//! Invariant: the API key is in the request's header and nowhere else. A key that a provider
//! repeats is taken out before anyone reads, keeps or passes on the bytes (`redaction`).
//!
//! Failures: building an adapter fails with a `Fault` (for example, the key's environment variable
//! is not set). A call fails with a `CallFault`, which also says whether the provider may have
//! charged for it.

mod adapters;
mod replay;
mod scripted;
mod transport;

pub use scripted::{ScriptedBehaviour, ScriptedModel};
pub use transport::api_key::replace_secret;
pub use transport::provider::ReplyRedactor;
pub use transport::upstream::{PassThroughBody, UpstreamBody, UpstreamModel, UpstreamResponse};

use crate::formats::{gemini, messages, ollama, responses};
use adapters::chat_completions::OpenAiChatModel;
use adapters::gemini::GeminiModel;
use adapters::messages::AnthropicModel;
use adapters::ollama::OllamaModel;
use adapters::responses::ResponsesModel;
pub use replay::ReplayModel;
use replay::{ProviderTransport, ReplayRecord};
use scripted::{DrafterBehaviour, JudgeBehaviour, ScriptedDrafter, ScriptedJudge};
use secrecy::{ExposeSecret, SecretString};
use std::path::Path;
use std::sync::Arc;
use synthd_actors::model::{
    CallFault, Fault, FaultKind, ModelConfig, ProviderEndpoint, ProviderTimeouts,
};
use synthd_actors::ports::{CallArchive, ChatModel, ModelFactory};

/// Every model this version can call.
#[derive(Clone, Copy, Debug)]
pub struct AdapterFactory {
    /// How long a real provider may be silent. Scripted and replayed models do not use it.
    pub timeouts: ProviderTimeouts,
    /// For models that replay a recorded campaign.
    pub open_archive: ArchiveOpener,
}

/// Opens the recorded calls of another data directory.
pub type ArchiveOpener = fn(&Path) -> Result<Arc<dyn CallArchive>, Fault>;

impl AdapterFactory {
    /// With the usual timeouts.
    pub fn new(open_archive: ArchiveOpener) -> Self {
        Self { timeouts: ProviderTimeouts::default(), open_archive }
    }

    /// The provider for the gateway's pass-through. None for a model without an endpoint, and for a
    /// wire format that no client of the gateway speaks. Fails if the key is missing or the
    /// endpoint cannot be used.
    pub fn upstream(&self, config: &ModelConfig) -> Result<Option<UpstreamModel>, Fault> {
        let Some(endpoint) = &config.endpoint else { return Ok(None) };
        if !speaks(endpoint) {
            return Ok(None);
        }
        let key = key_of(config.provider(), endpoint)?;
        let key = key.as_ref().map(ExposeSecret::expose_secret);
        UpstreamModel::new(endpoint, config, key, self.timeouts).map(Some)
    }

    /// Makes a model that answers from a recorded campaign. Returns None if the configuration names
    /// no recorded campaign. Fails if the recorded store cannot be opened.
    pub fn replay(&self, config: &ModelConfig) -> Result<Option<Arc<ReplayModel>>, Fault> {
        let (Some(recorded), Some((_, name))) = (&config.recorded, config.name.split_once('/'))
        else {
            return Ok(None);
        };
        ReplayModel::new(recorded, name, config, self.open_archive)
            .map(|replay| Some(Arc::new(replay)))
    }
}

/// Whether clients of the gateway can speak the wire format of this endpoint.
fn speaks(endpoint: &ProviderEndpoint) -> bool {
    ![gemini::DIALECT, ollama::DIALECT].contains(&endpoint.dialect.as_str())
}

impl ModelFactory for AdapterFactory {
    /// Makes the adapter of a model. The order is: a replayed model, a model with an endpoint, a
    /// scripted model. Fails for any other name, if a key is missing, or if the record cannot be
    /// opened.
    fn model(&self, config: &ModelConfig) -> Result<Arc<dyn ChatModel>, Fault> {
        let unknown = || {
            Fault::new(FaultKind::ModelPermanent, format!("no adapter for model {}", config.name))
        };
        let (provider, name) = config.name.split_once('/').ok_or_else(unknown)?;
        // A replayed model also has a provider's name, so the record is looked at before the
        // endpoint.
        if let Some(replay) = self.replay(config)? {
            return Ok(replay);
        }
        if let Some(endpoint) = &config.endpoint {
            let key = key_of(provider, endpoint)?;
            let key = key.as_ref().map(ExposeSecret::expose_secret);
            return made(endpoint, name, config, key, self.timeouts);
        }
        if provider == "scripted"
            && let Some(behaviour) = DrafterBehaviour::named(name)
        {
            return Ok(Arc::new(ScriptedDrafter::new(behaviour)));
        }
        if provider == "scripted"
            && let Some(behaviour) = JudgeBehaviour::named(name)
        {
            return Ok(Arc::new(ScriptedJudge::new(behaviour)));
        }
        let behaviour = ScriptedBehaviour::named(name).filter(|_| provider == "scripted");
        Ok(Arc::new(ScriptedModel::new(behaviour.ok_or_else(unknown)?)))
    }
}

/// Makes the adapter for an endpoint's dialect. Every dialect without an adapter of its own is a
/// host of the OpenAI chat format; `OpenAiChatModel::new` refuses a name that it does not know.
///
/// `name` is the model's name without the provider (`gpt-5`, not `openai/gpt-5`). `transport` says
/// whether the adapter asks over HTTP or reads a replay record.
fn made(
    endpoint: &ProviderEndpoint,
    name: &str,
    config: &ModelConfig,
    key: Option<&str>,
    transport: impl Into<ProviderTransport>,
) -> Result<Arc<dyn ChatModel>, Fault> {
    Ok(match endpoint.dialect.as_str() {
        messages::DIALECT => Arc::new(AnthropicModel::new(endpoint, name, config, key, transport)?),
        gemini::DIALECT => Arc::new(GeminiModel::new(endpoint, name, key, transport)?),
        responses::DIALECT => Arc::new(ResponsesModel::new(endpoint, name, key, transport)?),
        ollama::DIALECT => Arc::new(OllamaModel::new(endpoint, name, config.context, transport)?),
        _ => Arc::new(OpenAiChatModel::new(endpoint, name, key, transport)?),
    })
}

/// Makes the adapter that reads a replay record. It needs no key, because nothing is sent.
fn without_key(
    endpoint: &ProviderEndpoint,
    name: &str,
    config: &ModelConfig,
    record: Arc<ReplayRecord>,
) -> Result<Arc<dyn ChatModel>, Fault> {
    made(endpoint, name, config, None, record)
}

/// Refuses a setting that a family's format cannot express. Without this check the setting would be
/// dropped silently. `what` names the setting; None means that every setting can be expressed. The
/// refusal costs nothing, because nothing was sent.
fn without_words(what: Option<&str>) -> Result<(), CallFault> {
    let Some(what) = what else { return Ok(()) };
    let why = format!("this model's format has no field for {what}");
    Err(CallFault::free(FaultKind::ModelRejected, why))
}

/// Reads the API key from the environment variable that the endpoint names. This is the only place
/// where a key comes from. Returns None if the endpoint needs no key, and a permanent fault if the
/// variable is not set or blank. Spaces around the key are removed.
fn key_of(provider: &str, endpoint: &ProviderEndpoint) -> Result<Option<SecretString>, Fault> {
    let Some(variable) = &endpoint.key_env else { return Ok(None) };
    let value = std::env::var(variable).unwrap_or_default();
    if value.trim().is_empty() {
        let why = format!("{provider} needs a key: set the environment variable {variable}");
        return Err(Fault::new(FaultKind::ModelPermanent, why));
    }
    Ok(Some(SecretString::from(value.trim())))
}
