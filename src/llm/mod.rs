//! Models: one adapter a family. An adapter makes exactly one attempt; retries, limits and
//! money belong to the router.

mod anthropic;
mod counts;
mod events;
mod extra;
mod faults;
#[cfg(test)]
mod fuzz;
mod gemini;
mod http;
mod key;
mod named;
mod ollama;
mod openai;
mod provider;
mod redaction;
mod responses;
mod retry_after;
mod scripted;
mod tape;
mod upstream;

pub use events::data as event_data;
pub use http::Patience;
pub use key::without;
pub use provider::Censor;
pub use scripted::{Behaviour, ScriptedModel};
pub use upstream::{Family, Opened, Passage, Upstream};

use anthropic::Messages;
use gemini::Gemini;
use ollama::Ollama;
use openai::OpenAiChat;
use responses::Responses;
use secrecy::{ExposeSecret, SecretString};
use std::sync::Arc;
use synthd_actors::model::{
    CallFault, ChatRequest, Endpoint, Fault, FaultKind, ModelConfig, digest_of,
};
use synthd_actors::ports::{ChatModel, ModelFactory};
pub use tape::Replay;
use tape::{Tape, Way};

/// Every model this version can call.
#[derive(Clone, Copy, Debug, Default)]
pub struct Models {
    /// With providers.
    pub patience: Patience,
}

impl Models {
    /// The way to a model for bytes that are passed on as they are; none to models of the
    /// engine's own, and to families that no client here speaks.
    pub fn upstream(&self, config: &ModelConfig) -> Result<Option<Upstream>, Fault> {
        let Some(endpoint) = &config.endpoint else { return Ok(None) };
        if !speaks(endpoint) {
            return Ok(None);
        }
        let key = key_of(config.provider(), endpoint)?;
        let key = key.as_ref().map(ExposeSecret::expose_secret);
        Upstream::new(endpoint, config, key, self.patience).map(Some)
    }

    /// A model that answers from what was recorded, if it is one.
    pub fn replay(&self, config: &ModelConfig) -> Result<Option<Arc<Replay>>, Fault> {
        let (Some(recorded), Some((_, name))) = (&config.recorded, config.name.split_once('/'))
        else {
            return Ok(None);
        };
        Replay::new(recorded, name, config).map(|replay| Some(Arc::new(replay)))
    }
}

/// Whether clients of a gateway speak what is spoken there.
fn speaks(endpoint: &Endpoint) -> bool {
    ![Gemini::DIALECT, Ollama::DIALECT].contains(&endpoint.dialect.as_str())
}

impl ModelFactory for Models {
    fn model(&self, config: &ModelConfig) -> Result<Arc<dyn ChatModel>, Fault> {
        let unknown = || {
            Fault::new(FaultKind::ModelPermanent, format!("no adapter for model {}", config.name))
        };
        let (provider, name) = config.name.split_once('/').ok_or_else(unknown)?;
        if let Some(replay) = self.replay(config)? {
            return Ok(replay);
        }
        if let Some(endpoint) = &config.endpoint {
            let key = key_of(provider, endpoint)?;
            let key = key.as_ref().map(ExposeSecret::expose_secret);
            return made(endpoint, name, config, key, self.patience);
        }
        let behaviour = Behaviour::named(name).filter(|_| provider == "scripted");
        Ok(Arc::new(ScriptedModel::new(behaviour.ok_or_else(unknown)?)))
    }
}

/// The adapter of an endpoint's family.
fn made(
    endpoint: &Endpoint,
    name: &str,
    config: &ModelConfig,
    key: Option<&str>,
    way: impl Into<Way>,
) -> Result<Arc<dyn ChatModel>, Fault> {
    Ok(match endpoint.dialect.as_str() {
        Messages::DIALECT => Arc::new(Messages::new(endpoint, name, config, key, way)?),
        Gemini::DIALECT => Arc::new(Gemini::new(endpoint, name, key, way)?),
        Responses::DIALECT => Arc::new(Responses::new(endpoint, name, key, way)?),
        Ollama::DIALECT => Arc::new(Ollama::new(endpoint, name, config.context, way)?),
        _ => Arc::new(OpenAiChat::new(endpoint, name, key, way)?),
    })
}

/// The same for what was recorded.
fn without_key(
    endpoint: &Endpoint,
    name: &str,
    config: &ModelConfig,
    tape: Arc<Tape>,
) -> Result<Arc<dyn ChatModel>, Fault> {
    made(endpoint, name, config, None, tape)
}

/// What all requests of an episode have in common, and those of another campaign that asks the
/// same: hosts that cache send requests with one key to one place.
fn cache_key(request: &ChatRequest) -> String {
    let opening = request.messages.iter().take(2).map(|message| message.content.as_str());
    digest_of(&["opening", &opening.collect::<Vec<_>>().concat()])[..32].to_owned()
}

/// A setting that a family has no word for: it is told, and not left out in silence.
fn without_words(what: Option<&str>) -> Result<(), CallFault> {
    let Some(what) = what else { return Ok(()) };
    let why = format!("this model's format has no {what}");
    Err(CallFault::free(FaultKind::ModelRejected, why))
}

/// From the environment alone, and kept nowhere but in the header it goes into.
fn key_of(provider: &str, endpoint: &Endpoint) -> Result<Option<SecretString>, Fault> {
    let Some(variable) = &endpoint.key_env else { return Ok(None) };
    let value = std::env::var(variable).unwrap_or_default();
    if value.trim().is_empty() {
        let why = format!("{provider} needs a key: set the environment variable {variable}");
        return Err(Fault::new(FaultKind::ModelPermanent, why));
    }
    Ok(Some(SecretString::from(value.trim())))
}
