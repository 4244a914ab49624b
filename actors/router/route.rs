//! Chooses the model of a call. An episode uses its planned model until this model has a failure
//! for which the campaign has a fallback. From then on, the episode uses the fallback model.
//!
//! ```text
//!  planned ──context full──► the next of `context`
//!     │ ─────declined──────► the next of `filter`
//!     │ ─────no answer─────► the next of `outage`
//!     └ ─────budget spent──► the next of `spent`
//! ```
//! The names on the right are the lists of `fallback` in the campaign file, see
//! [`crate::model::FallbackModels`].

use super::account::CampaignAccount;
use super::campaign_model::CampaignModel;
use crate::model::{CallFault, ChatReply, Fault, FaultKind, FinishReason, ModelFailure, SOONEST};
use std::sync::Arc;

/// A model and the reason for choosing it. The reason is empty for the planned model.
#[derive(Clone)]
pub(super) struct ModelChoice {
    pub(super) slot: Arc<CampaignModel>,
    pub(super) why: String,
}

impl ModelChoice {
    /// The name of the model, and the reason.
    pub(super) fn into_parts(self) -> (String, String) {
        (self.slot.config.name.clone(), self.why)
    }
}

/// The kind of failure for which a fallback model may be asked; none for a good answer and for
/// failures without a fallback.
pub fn failure_of_call(reply: &Result<ChatReply, CallFault>) -> Option<ModelFailure> {
    match reply {
        Ok(reply) => failure_of_reply(reply),
        Err(failure) => failure_of(&failure.fault),
    }
}

/// Like [`failure_of_call`], for a fault that ends a call.
pub fn failure_of(fault: &Fault) -> Option<ModelFailure> {
    fault.kind.policy().stands_in
}

/// Like [`failure_of_call`], for a reply: a refusal counts as a filter.
pub(super) fn failure_of_reply(reply: &ChatReply) -> Option<ModelFailure> {
    (reply.finish == FinishReason::Refusal).then_some(ModelFailure::Filter)
}

impl CampaignAccount {
    /// The first model to ask. If the planned model is down and a fallback for outages is not, it
    /// is the fallback. For the placeholder [`SOONEST`] it is the model with the lowest latency
    /// rank.
    pub(super) fn choose(&self, wanted: &str) -> Result<ModelChoice, Fault> {
        if wanted != SOONEST {
            let planned = ModelChoice { slot: self.model(wanted)?, why: String::new() };
            let own = [wanted.to_owned()];
            if !planned.slot.is_down() || !self.has_ready_fallback(&planned.slot, &own) {
                return Ok(planned);
            }
            return Ok(self.fallback(&planned.slot, ModelFailure::Outage, &own).unwrap_or(planned));
        }
        let slots = self.slots.values().filter(|slot| slot.is_able());
        let nobody = || Fault::new(FaultKind::ModelPermanent, "there is no model to choose from");
        // The name decides between equal ranks, so that the choice is deterministic.
        let chosen = slots.min_by_key(|slot| (slot.rank(), &slot.config.name));
        let chosen = chosen.ok_or_else(nobody)?;
        chosen.tried();
        let why = match chosen.latency() {
            Some(latency) => format!("least latency: {} ms", latency.as_millis()),
            None => "least latency: not measured before".to_owned(),
        };
        Ok(ModelChoice { slot: chosen.clone(), why })
    }

    /// Whether there is a fallback for outages that was not asked yet and is not down.
    pub(super) fn has_ready_fallback(&self, slot: &CampaignModel, asked: &[String]) -> bool {
        let names = slot.config.routing.fallback.outage.iter();
        let mut others =
            names.filter(|name| !asked.contains(name)).filter_map(|n| self.model(n).ok());
        others.any(|other| !other.is_down())
    }

    /// The next fallback model for this failure. `asked` has the models that were asked already.
    /// None if all were asked, or the list is empty.
    pub(super) fn fallback(
        &self,
        of: &CampaignModel,
        failure: ModelFailure,
        asked: &[String],
    ) -> Option<ModelChoice> {
        let next = of.config.routing.fallback.of(failure).iter();
        let next =
            next.filter(|name| !asked.contains(name)).filter_map(|name| self.model(name).ok());
        // A model that is not down comes before a model that is down; among equals, the first in
        // the list.
        let next = next.min_by_key(|slot| slot.is_down())?;
        let why = format!("fallback from {}: {}", of.config.name, failure.as_str());
        Some(ModelChoice { slot: next, why })
    }
}
