//! Names of tool calls, for the formats (Gemini, Ollama) in which a tool's result refers to its
//! call by name instead of by id.

use synthd_actors::model::ChatMessage;

/// The name of the tool that the call `id` has called, searched in the messages before the result.
/// A model may use an id twice; the latest call is meant. `unknown` if no call has this id.
pub(crate) fn name_of_call<'m>(id: &str, before: &'m [ChatMessage]) -> &'m str {
    let calls = before.iter().rev().flat_map(|message| &message.tool_calls);
    calls.filter(|call| call.id == id).map(|call| call.name.as_str()).next().unwrap_or("unknown")
}
