//! The key for a provider's prompt cache.

use synthd_actors::model::{ChatRequest, digest_of};

/// The key for the provider's prompt cache: 32 hex digits over the first two messages. All requests
/// of an episode begin with the same two messages, so they share the key, and so do the same
/// requests of another campaign. Hosts send requests with one key to one place, where the prefix is
/// cached.
pub(in crate::formats) fn cache_key(request: &ChatRequest) -> String {
    let opening = request.messages.iter().take(2).map(|message| message.content.as_str());
    digest_of(&["opening", &opening.collect::<Vec<_>>().concat()])[..32].to_owned()
}
