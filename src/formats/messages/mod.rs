//! The Anthropic Messages format (`POST messages`).

pub(in crate::formats) mod allowlist;
pub(crate) mod beta_features;
mod reply_reader;
pub(crate) mod reply_writer;
pub(crate) mod request_reader;
pub(crate) mod request_writer;

pub(crate) use reply_reader::AnthropicReplyBuilder;

/// The path below the provider's base URL.
pub(crate) const PATH: &str = "messages";
/// The header that carries the key.
pub(crate) const KEY_HEADER: &str = "x-api-key";
/// The family's name in `Reasoning::verbatim`. Only this family gets such blocks back.
const FAMILY: &str = "anthropic";
/// The dialect's name in a campaign.
pub(crate) const DIALECT: &str = "anthropic";
/// The type of a part that is an image.
pub(in crate::formats) const IMAGE_PART: &str = "image";
