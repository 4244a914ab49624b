//! The OpenAI chat format (`POST chat/completions`) and its many hosts. What differs between hosts
//! is in `dialect`.

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
