//! What the writers of replies write beside the reply itself.

use serde_json::{Value, json};
use synthd_actors::model::{ChatReply, ToolCall};

/// A reply, with what every format writes around it.
pub(crate) struct ReplyEnvelope<'a> {
    pub(crate) reply: &'a ChatReply,
    /// The model as the client has named it.
    pub(crate) model: &'a str,
    /// Twenty-four hexadecimal digits that follow from the position of the call. Each format adds
    /// its own prefix, such as `chatcmpl-` or `msg_`.
    pub(crate) id: String,
    /// Seconds since 1970.
    pub(crate) created: u64,
    /// The names of the client's tools whose argument is plain text. A call of one is written as
    /// another kind of call.
    pub(crate) custom_tools: Vec<&'a str>,
}

impl ReplyEnvelope<'_> {
    /// Whether a call of the reply is of a tool whose argument is plain text.
    pub(in crate::formats) fn is_custom(&self, call: &ToolCall) -> bool {
        self.custom_tools.contains(&call.name.as_str())
    }
}

/// An error that stands in place of a reply.
pub(crate) struct WireErrorBody<'a> {
    /// The HTTP status, 400 or above.
    pub(crate) status: u16,
    /// The code in the OpenAI formats, such as `model_not_found`.
    pub(crate) code: &'a str,
    /// For people.
    pub(crate) message: &'a str,
    /// The path of the wrong key in the request, or the name of the wrong header.
    pub(crate) param: Option<&'a str>,
}

impl WireErrorBody<'_> {
    /// The error as both formats of OpenAI have it.
    pub(in crate::formats) fn openai_body(&self) -> Value {
        let Self { code, message, param, .. } = self;
        json!({ "error": { "message": message, "type": code, "param": param, "code": code } })
    }
}
