//! Replies that go back to the family of models that gave them.

use serde_json::Value;
use synthd_actors::model::ChatMessage;

/// The parts of a reply exactly as a model of this family gave them. None for a message of another
/// family.
pub(in crate::formats) fn own_parts(message: &ChatMessage, family: &str) -> Option<Vec<Value>> {
    let (from, json) = message.reasoning.as_ref()?.verbatim.as_ref()?;
    if from != family {
        return None;
    }
    serde_json::from_str(json).ok()
}
