//! The reply builder of a format that is known only while the program runs.

use super::reading::events::ReplyBuilder;
use crate::formats::WireFormat;
use crate::formats::chat_completions::OpenAiReplyBuilder;
use crate::formats::messages::AnthropicReplyBuilder;
use crate::formats::responses::ResponsesReplyBuilder;
use std::ops::ControlFlow;
use synthd_actors::model::{CallFault, ChatReply};

/// The reply builder of the answer's format.
pub(crate) enum AnyReplyBuilder {
    Chat(OpenAiReplyBuilder),
    Messages(AnthropicReplyBuilder),
    Responses(ResponsesReplyBuilder),
}

impl AnyReplyBuilder {
    /// An empty builder for replies of this format.
    pub(crate) fn of(format: WireFormat) -> Self {
        match format {
            WireFormat::OpenAiChat => Self::Chat(OpenAiReplyBuilder::default()),
            WireFormat::Anthropic => Self::Messages(AnthropicReplyBuilder::default()),
            WireFormat::Responses => Self::Responses(ResponsesReplyBuilder::default()),
        }
    }

    pub(crate) fn event(&mut self, data: &str) -> Result<ControlFlow<()>, CallFault> {
        match self {
            Self::Chat(chat) => chat.event(data),
            Self::Messages(messages) => messages.event(data),
            Self::Responses(responses) => responses.event(data),
        }
    }

    pub(crate) fn whole(&mut self, body: &[u8]) -> Result<(), CallFault> {
        match self {
            Self::Chat(chat) => chat.whole(body),
            Self::Messages(messages) => messages.whole(body),
            Self::Responses(responses) => responses.whole(body),
        }
    }

    pub(crate) fn reply(self) -> Result<ChatReply, CallFault> {
        match self {
            Self::Chat(chat) => chat.reply(),
            Self::Messages(messages) => messages.reply(),
            Self::Responses(responses) => responses.reply(),
        }
    }
}
