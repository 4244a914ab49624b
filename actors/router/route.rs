//! The choice of a model. An episode uses the model of its plan until this model fails in a way that
//! has a fallback. From then on, the episode uses the fallback model.
//!
//! ```text
//!  planned ──context full──► the next of `context`
//!     │ ─────declined──────► the next of `filter`
//!     │ ─────no answer─────► the next of `outage`
//!     └ ─────budget spent──► the next of `spent`
//! ```

use super::account::Account;
use super::slot::ModelSlot;
use crate::model::{CallFault, ChatReply, Failure, Fault, FaultKind, FinishReason, SOONEST};
use std::sync::Arc;

/// A model and the reason for its choice. The planned model has no reason.
#[derive(Clone)]
pub(super) struct Choice {
    pub(super) slot: Arc<ModelSlot>,
    pub(super) why: String,
}

impl Choice {
    pub(super) fn told(self) -> (String, String) {
        (self.slot.config.name.clone(), self.why)
    }
}

/// The kinds of failure that may lead to a fallback model.
pub fn failure_of_call(reply: &Result<ChatReply, CallFault>) -> Option<Failure> {
    match reply {
        Ok(reply) => declined(reply),
        Err(failure) => failure_of(&failure.fault),
    }
}

/// The same for what ends a call.
pub fn failure_of(fault: &Fault) -> Option<Failure> {
    fault.kind.policy().stands_in
}

/// The same for what was answered.
pub(super) fn declined(reply: &ChatReply) -> Option<Failure> {
    (reply.finish == FinishReason::Refusal).then_some(Failure::Filter)
}

impl Account {
    /// The first model to ask.
    pub(super) fn choose(&self, wanted: &str) -> Result<Choice, Fault> {
        if wanted != SOONEST {
            let planned = Choice { slot: self.slot(wanted)?, why: String::new() };
            let own = [wanted.to_owned()];
            if !planned.slot.is_down() || !self.stands_ready(&planned.slot, &own) {
                return Ok(planned);
            }
            return Ok(self.instead(&planned.slot, Failure::Outage, &own).unwrap_or(planned));
        }
        let slots = self.slots.values().filter(|slot| slot.is_able());
        let nobody = || Fault::new(FaultKind::ModelPermanent, "there is no model to choose from");
        // The name decides what nothing else does.
        let chosen = slots.min_by_key(|slot| (slot.rank(), &slot.config.name));
        let chosen = chosen.ok_or_else(nobody)?;
        chosen.tried();
        let why = match chosen.latency() {
            Some(latency) => format!("least latency: {} ms", latency.as_millis()),
            None => "least latency: not measured before".to_owned(),
        };
        Ok(Choice { slot: chosen.clone(), why })
    }

    /// Whether there is a fallback for a model that does not answer, and this fallback answers.
    pub(super) fn stands_ready(&self, slot: &ModelSlot, asked: &[String]) -> bool {
        let names = slot.config.standing.fallback.outage.iter();
        let mut others =
            names.filter(|name| !asked.contains(name)).filter_map(|n| self.slot(n).ok());
        others.any(|other| !other.is_down())
    }

    /// The model to ask instead. `asked` has the models that were asked already.
    pub(super) fn instead(
        &self,
        of: &ModelSlot,
        failure: Failure,
        asked: &[String],
    ) -> Option<Choice> {
        let next = of.config.standing.fallback.of(failure).iter();
        let next =
            next.filter(|name| !asked.contains(name)).filter_map(|name| self.slot(name).ok());
        // A model that answers comes before a model that does not answer.
        let next = next.min_by_key(|slot| slot.is_down())?;
        let why = format!("fallback from {}: {}", of.config.name, failure.as_str());
        Some(Choice { slot: next, why })
    }
}
