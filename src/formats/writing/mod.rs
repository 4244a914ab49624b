//! What several formats need to write a request.

pub(super) mod cache_key;
pub(super) mod extra;
pub(super) mod tool_call_names;
