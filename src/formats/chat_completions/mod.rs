//! The OpenAI chat format (`POST chat/completions`) and its many hosts. What differs between hosts
//! is in `dialect`.

pub(in crate::formats) mod allowlist;
pub(crate) mod dialect;
mod reply_reader;
pub(crate) mod reply_writer;
pub(crate) mod request_reader;
pub(crate) mod request_writer;

pub(crate) use reply_reader::OpenAiReplyBuilder;

/// The path below the provider's base URL.
pub(crate) const PATH: &str = "chat/completions";
/// The family's name in `Reasoning::verbatim`. Only this family gets such reasoning back.
const FAMILY: &str = "openai-chat";
/// The type of a part that is an image.
pub(in crate::formats) const IMAGE_PART: &str = "image_url";
