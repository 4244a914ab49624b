//! What a request may hold: parsing, duplicate keys, and the allow-list of models with a price.

pub(super) mod allowlist;
pub(super) mod anthropic_beta;
pub(super) mod duplicate_keys;
pub(super) mod null_content;
pub(super) mod raw_json;
pub(super) mod request;
