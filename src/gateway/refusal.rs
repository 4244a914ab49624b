//! A refusal: why a call got no answer, and how it is written in the client's wire format. A
//! client's library sees the same form of error that its own provider would send, such as
//! `{"error": {"message": "...", "type": "budget_exhausted", "param": null, "code": "..."}}` in
//! the OpenAI formats, and `{"type": "error", "error": {"type": "billing_error", "message":
//! "..."}}` in the Messages format.
//!
//! `docs/gateway.md` has the table of all statuses and codes.

use crate::formats::WireFormat;
use crate::formats::reading::losses::{FormatLoss, LossKind};
use crate::formats::writing::envelope::WireErrorBody;
use serde_json::Value;
use std::time::Duration;
use synthd_actors::model::{CallFault, ClientAnswer, Fault};

/// Why a call got no answer. It is written as a whole body, or as an event that ends a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct GatewayRefusal {
    /// The HTTP status, 400 or above.
    pub(super) status: u16,
    /// The code in the OpenAI formats, such as `model_not_found`. The Messages format has fewer
    /// words, which follow from the status.
    pub(super) code: &'static str,
    /// For people. It says what to do where that is known.
    pub(super) message: String,
    /// The path of the refused key in the request, such as `messages[0].content`, or the name of
    /// the refused header.
    pub(super) param: Option<String>,
    /// How long the client should wait before it tries again.
    pub(super) retry_after: Option<Duration>,
    /// Whether the client's library should try again by itself (`x-should-retry`). None leaves the
    /// decision to the library.
    pub(super) retry: Option<bool>,
}

impl GatewayRefusal {
    /// A refusal with neither a path nor a hint about retries.
    pub(super) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        let (message, param) = (message.into(), None);
        Self { status, code, message, param, retry_after: None, retry: None }
    }

    /// A 400 for a request that the gateway cannot read or does not allow.
    pub(super) fn invalid_request(message: impl Into<String>) -> Self {
        Self::new(400, "invalid_request", message)
    }

    /// This refusal with the place in the request that it is about, such as `tools[2]`.
    pub(super) fn within(self, place: &str) -> Self {
        Self { message: format!("{place}: {}", self.message), ..self }
    }

    /// The refusal for a fault of the engine. The table of faults has the status and the code for
    /// each kind, and says whether a retry is useless.
    pub(super) fn of(fault: &Fault) -> Self {
        let ClientAnswer { status, code, is_final } = fault.kind.policy().client;
        let retry = is_final.then_some(false);
        Self { retry, ..Self::new(status, code, fault.message.clone()) }
    }

    /// The refusal for a failed call to a provider. A provider's 429 stays one, with its waiting
    /// time.
    pub(super) fn of_call(failure: &CallFault) -> Self {
        let refusal = Self::of(&failure.fault);
        let (status, code) = match failure.rate_limited {
            true => (429, "rate_limit_exceeded"),
            false => (refusal.status, refusal.code),
        };
        Self { status, code, retry_after: failure.retry_after, ..refusal }
    }

    /// The JSON body in the client's wire format.
    pub(super) fn body(&self, family: WireFormat) -> Value {
        family.error(&self.error())
    }

    /// The event that ends a stream with this error, such as `event: error` with a line of
    /// `data:`.
    pub(super) fn event(&self, family: WireFormat) -> String {
        family.error_event(&self.error())
    }

    /// This refusal as every format writes it.
    fn error(&self) -> WireErrorBody<'_> {
        let Self { status, code, message, param, .. } = self;
        WireErrorBody { status: *status, code, message, param: param.as_deref() }
    }

    /// The refusal of a setting that the format of the model's provider has no field for. Without
    /// the setting, the answer would be another one.
    pub(super) fn of_setting(setting: &str) -> Self {
        let what = format!(
            "the model behind this name speaks another format, in which there is no field for \
             {setting}; leave it out, or ask another model"
        );
        Self::new(400, "unsupported_parameter", what)
    }

    /// The refusal of a call that cannot be translated, because something of it would be lost.
    pub(super) fn of_loss(loss: &FormatLoss) -> Self {
        let (code, message) = told(&loss.kind);
        let refusal = Self::new(400, code, format!("the model behind this name {message}"));
        let refusal = match &loss.kind {
            LossKind::Malformed(what) => Self::invalid_request(what.clone()),
            _ => refusal,
        };
        match loss.place.as_str() {
            "" => refusal,
            place => Self { param: Some(place.to_owned()), ..refusal.within(place) },
        }
    }

    /// The headers of the answer. `retry-after` is in whole seconds, rounded up, so that no client
    /// comes too early. `retry-after-ms` has the exact time.
    pub(super) fn headers(&self) -> Vec<(String, String)> {
        let mut headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        if let Some(after) = self.retry_after {
            let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
            headers.push(("retry-after".to_owned(), seconds.to_string()));
            headers.push(("retry-after-ms".to_owned(), after.as_millis().to_string()));
        }
        if let Some(retry) = self.retry {
            headers.push(("x-should-retry".to_owned(), retry.to_string()));
        }
        headers
    }
}

/// The code of a loss, and what the model cannot do about it.
fn told(kind: &LossKind) -> (&'static str, String) {
    match kind {
        LossKind::Malformed(what) => ("invalid_request", what.clone()),
        LossKind::Keys(keys) => (
            "unsupported_parameter",
            format!(
                "speaks another format, which has no {}; leave it out, or ask a model of this \
                 format",
                keys.join(", ")
            ),
        ),
        LossKind::HostedTool(kind) => (
            "unsupported_parameter",
            format!(
                "cannot be told to use {kind:?}, a tool that only its own provider runs; leave the \
                 choice out, or ask a model of this format"
            ),
        ),
        LossKind::Part(kind) => {
            ("unsupported_content", format!("accepts only texts, and no {kind:?}"))
        }
        LossKind::Item(kind) => {
            ("unsupported_content", format!("accepts no item of the type {kind:?}"))
        }
        LossKind::Reasoning(what) => (
            "unsupported_content",
            format!(
                "is another one than the model that produced {what}, and only that model can read \
                 it; leave it out, or ask the model that produced it"
            ),
        ),
        LossKind::Strict => {
            ("unsupported_parameter", "enforces no schema: leave `strict` out".to_owned())
        }
        LossKind::Users => (
            "unsupported_parameter",
            "accepts only one of `user` and `safety_identifier`, but they differ".to_owned(),
        ),
        LossKind::Choices => ("invalid_request", "gives one answer: `n` must be 1".to_owned()),
    }
}
