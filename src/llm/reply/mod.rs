//! How a reply is read: events of a stream, token counts, faults, names of tool calls.

pub(super) mod counts;
pub(super) mod events;
pub(super) mod faults;
pub(super) mod tool_call_names;
