//! What several formats need to write a request or a reply.

pub(super) mod cache_key;
pub(crate) mod envelope;
pub(super) mod extra;
pub(crate) mod key_placement;
pub(super) mod tool_arguments;
pub(super) mod tool_call_names;
pub(super) mod unsaid;
