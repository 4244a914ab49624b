//! Models: one adapter a family. An adapter makes exactly one attempt; retries, limits and
//! money belong to the router.

mod scripted;

pub use scripted::{Behaviour, ScriptedModel};

use std::sync::Arc;
use synthd_actors::model::{Fault, FaultKind, ModelConfig};
use synthd_actors::ports::{ChatModel, ModelFactory};

/// Every model this version can call.
pub struct Models;

impl ModelFactory for Models {
    fn model(&self, config: &ModelConfig) -> Result<Arc<dyn ChatModel>, Fault> {
        let unknown = || {
            Fault::new(FaultKind::ModelPermanent, format!("no adapter for model {}", config.name))
        };
        let (provider, name) = config.name.split_once('/').ok_or_else(unknown)?;
        let behaviour = Behaviour::named(name).filter(|_| provider == "scripted");
        Ok(Arc::new(ScriptedModel::new(behaviour.ok_or_else(unknown)?)))
    }
}
