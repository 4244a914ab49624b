//! Ollama's own format (`POST api/chat`). Clients of the gateway do not speak it.

mod reply_reader;
pub(crate) mod request_writer;

pub(crate) use reply_reader::OllamaReplyBuilder;
/// The dialect's name in a campaign.
pub(crate) const DIALECT: &str = "ollama-native";
