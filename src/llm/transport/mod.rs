//! How a provider is reached: HTTP, keys, redaction and timeouts.

pub(super) mod api_key;
pub(super) mod http;
pub(super) mod provider;
mod read_reply;
pub(super) mod redaction;
pub(super) mod upstream;
