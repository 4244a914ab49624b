//! How a provider is reached: HTTP, keys, redaction, timeouts, waits that a provider asks for.

pub(super) mod api_key;
pub(super) mod http;
pub(super) mod provider;
pub(super) mod redaction;
pub(super) mod retry_after;
pub(super) mod upstream;
