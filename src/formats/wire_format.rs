//! The wire formats that clients of the gateway and providers share.

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
