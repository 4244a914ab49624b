//! Calls that are answered by name, in families whose results do not carry an id.

use synthd_actors::model::ChatMessage;

/// What the call of that id was a call of; ids may come again, and the last one is meant.
pub(super) fn name_of_call<'m>(id: &str, before: &'m [ChatMessage]) -> &'m str {
    let calls = before.iter().rev().flat_map(|message| &message.tool_calls);
    calls.filter(|call| call.id == id).map(|call| call.name.as_str()).next().unwrap_or("unknown")
}
