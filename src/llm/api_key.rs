//! A provider's key on its way into a request, and kept out of everything else.

use super::redaction::KeyMatcher;
use reqwest::RequestBuilder;
use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue};
use std::sync::Arc;
use synthd_actors::model::{Fault, FaultKind};

/// Where a key goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ApiKeyPlacement {
    Bearer,
    /// A header of this name.
    Header(&'static str),
}

pub(super) struct ApiKey {
    name: HeaderName,
    value: HeaderValue,
    /// The same, to be found in what is told.
    pub(super) secret: Arc<KeyMatcher>,
}

impl ApiKey {
    pub(super) fn new(place: ApiKeyPlacement, key: &str) -> Result<Self, Fault> {
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

    pub(super) fn put(&self, request: RequestBuilder) -> RequestBuilder {
        request.header(&self.name, &self.value)
    }
}

/// Bytes with something else in place of a secret.
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
