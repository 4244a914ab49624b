//! The wire formats that clients of the gateway and providers share.

use super::reading::allowed_shape::{ShapeContext, ShapeResult};
use super::reading::openai_request;
use super::reading::request_parser::ParsedRequest;
use super::writing::envelope::{ReplyEnvelope, WireErrorBody};
use super::{chat_completions, messages, responses};
use serde_json::Value;

/// The types of image parts in all wire formats.
pub(crate) const IMAGE_PARTS: [&str; 3] =
    [chat_completions::IMAGE_PART, messages::IMAGE_PART, responses::IMAGE_PART];

/// A wire format that clients of the gateway and providers share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WireFormat {
    /// `POST chat/completions`.
    OpenAiChat,
    /// `POST messages`, and `POST messages/count_tokens`.
    Anthropic,
    /// `POST responses`.
    Responses,
}

impl WireFormat {
    /// Reads a request as far as it can be read. `cap` is its output limit in tokens.
    pub(crate) fn parse(self, json: &Value, cap: u32) -> ParsedRequest {
        match self {
            Self::OpenAiChat => chat_completions::request_reader::parse(json, cap),
            Self::Anthropic => messages::request_reader::parse(json, cap),
            Self::Responses => responses::request_reader::parse(json, cap),
        }
    }

    /// The names of the tools of a request whose argument is plain text. The Messages format has no
    /// such tools; its `custom` tools are functions.
    pub(crate) fn custom_tools(self, json: &Value) -> Vec<&str> {
        match self {
            Self::OpenAiChat | Self::Responses => openai_request::custom_tools(json),
            Self::Anthropic => Vec::new(),
        }
    }

    /// Checks a request against the allow-list of its format: what a request to a model with a
    /// price may hold, so that its worst cost is known. It returns the first violation.
    pub(crate) fn check(self, json: &Value, limits: ShapeContext) -> ShapeResult {
        match self {
            Self::OpenAiChat => chat_completions::allowlist::REQUEST.check(json, limits),
            Self::Anthropic => messages::allowlist::REQUEST.check(json, limits),
            Self::Responses => responses::allowlist::REQUEST.check(json, limits),
        }
    }

    /// A reply as one body.
    pub(crate) fn whole(self, told: &ReplyEnvelope<'_>) -> Value {
        match self {
            Self::OpenAiChat => chat_completions::reply_writer::whole(told),
            Self::Anthropic => messages::reply_writer::whole(told),
            Self::Responses => responses::reply_writer::whole(told),
        }
    }

    /// A reply as the events of a stream. `counts` says whether the client asked for token counts,
    /// which the chat format has only then.
    pub(crate) fn events(self, told: &ReplyEnvelope<'_>, counts: bool) -> Vec<String> {
        match self {
            Self::OpenAiChat => chat_completions::reply_writer::events(told, counts),
            Self::Anthropic => messages::reply_writer::events(told),
            Self::Responses => responses::reply_writer::events(told),
        }
    }

    /// An error as one body.
    pub(crate) fn error(self, told: &WireErrorBody<'_>) -> Value {
        match self {
            Self::OpenAiChat => chat_completions::reply_writer::error(told),
            Self::Anthropic => messages::reply_writer::error(told),
            Self::Responses => responses::reply_writer::error(told),
        }
    }

    /// The event that ends a stream with an error.
    pub(crate) fn error_event(self, told: &WireErrorBody<'_>) -> String {
        match self {
            Self::OpenAiChat => chat_completions::reply_writer::error_event(told),
            Self::Anthropic => messages::reply_writer::error_event(told),
            Self::Responses => responses::reply_writer::error_event(told),
        }
    }

    /// The path of a request, and the dialect of this format, for the record of a call that goes
    /// to no provider.
    pub(crate) fn path_and_dialect(self) -> (String, &'static str) {
        let (path, dialect) = match self {
            Self::OpenAiChat => (chat_completions::PATH, "openai"),
            Self::Anthropic => (messages::PATH, messages::DIALECT),
            Self::Responses => (responses::PATH, responses::DIALECT),
        };
        (format!("/v1/{path}"), dialect)
    }
}
