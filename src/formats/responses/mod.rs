//! The OpenAI Responses format (`POST responses`).

pub(in crate::formats) mod allowlist;
mod items;
mod reply_reader;
pub(crate) mod reply_writer;
pub(crate) mod request_reader;
pub(crate) mod request_writer;

pub(crate) use reply_reader::ResponsesReplyBuilder;

/// The path below the provider's base URL.
pub(crate) const PATH: &str = "responses";
/// The family's name in `Reasoning::verbatim`. Only this family gets such items back.
const FAMILY: &str = "openai-responses";
/// The dialect's name in a campaign.
pub(crate) const DIALECT: &str = "responses";
/// The type of a part that is an image.
pub(in crate::formats) const IMAGE_PART: &str = "input_image";
