//! What several formats need to write a request or a reply.

pub(super) mod cache_key;
pub(crate) mod envelope;
pub(super) mod extra;
pub(super) mod fields;
pub(crate) mod key_placement;
pub(super) mod tool_arguments;
pub(super) mod tool_call_names;
pub(super) mod tool_choice;
pub(super) mod unsaid;
pub(super) mod verbatim;
