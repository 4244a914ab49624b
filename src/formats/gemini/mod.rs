//! Gemini's `generateContent`. Clients of the gateway do not speak it.

mod reply_reader;
pub(crate) mod request_writer;

pub(crate) use reply_reader::GeminiReplyBuilder;
/// The family's name in `Reasoning::verbatim`. Only this family gets such parts back.
const FAMILY: &str = "gemini";
/// The dialect's name in a campaign.
pub(crate) const DIALECT: &str = "gemini";
