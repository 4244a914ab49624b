//! The API key of a provider. It goes into the header of a request and is kept out of everything
//! else: it is in no record, no log and no message.

use crate::formats::writing::key_placement::ApiKeyPlacement;
use crate::llm::transport::redaction::KeyMatcher;
use reqwest::RequestBuilder;
use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue};
use std::sync::Arc;
use synthd_actors::model::{Fault, FaultKind};

/// A key as a request's header, and as something to look for in answers.
pub(in crate::llm) struct ApiKey {
    name: HeaderName,
    /// Marked as sensitive, so that debug output does not show it.
    value: HeaderValue,
    /// Finds the same key in what a provider says.
    pub(in crate::llm) secret: Arc<KeyMatcher>,
}

impl ApiKey {
    /// Fails if the key has characters that an HTTP header cannot hold, such as a line break.
    pub(in crate::llm) fn new(place: ApiKeyPlacement, key: &str) -> Result<Self, Fault> {
        let (name, text) = match place {
            ApiKeyPlacement::Bearer => (AUTHORIZATION, format!("Bearer {key}")),
            ApiKeyPlacement::Header(name) => (HeaderName::from_static(name), key.to_owned()),
        };
        let value = HeaderValue::from_str(&text).map_err(|_| {
            Fault::new(FaultKind::ModelPermanent, "the key has characters that a key cannot have")
        });
        let mut value = value?;
        value.set_sensitive(true);
        Ok(Self { name, value, secret: Arc::new(KeyMatcher::new(key)) })
    }

    /// Adds the header of the key to a request.
    pub(in crate::llm) fn put(&self, request: RequestBuilder) -> RequestBuilder {
        request.header(&self.name, &self.value)
    }
}

/// Replaces every occurrence of `secret` in `bytes` by `instead`. It compares plain bytes only. The
/// gateway uses it for the token of an external agent. A provider's key may be escaped in JSON and
/// needs `KeyMatcher` instead. `secret` must not be empty.
pub fn replace_secret(bytes: Vec<u8>, secret: &[u8], instead: &str) -> Vec<u8> {
    let found = |bytes: &[u8]| bytes.windows(secret.len()).position(|window| window == secret);
    let Some(mut at) = found(&bytes) else { return bytes };
    let (mut kept, mut rest) = (Vec::with_capacity(bytes.len()), bytes.as_slice());
    loop {
        kept.extend_from_slice(&rest[..at]);
        kept.extend_from_slice(instead.as_bytes());
        rest = &rest[at + secret.len()..];
        match found(rest) {
            Some(next) => at = next,
            None => break,
        }
    }
    kept.extend_from_slice(rest);
    kept
}
