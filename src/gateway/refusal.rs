//! A refusal, in the words of the format that the client speaks.

use crate::llm::WireFormat;
use serde_json::{Value, json};
use std::time::Duration;
use synthd_actors::model::{CallFault, ClientAnswer, Fault};

/// Why a call was not answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct GatewayRefusal {
    pub(super) status: u16,
    /// As the OpenAI format names it; the other has fewer words.
    pub(super) code: &'static str,
    pub(super) message: String,
    /// The path of the request's key that is refused.
    pub(super) param: Option<String>,
    pub(super) retry_after: Option<Duration>,
    /// Whether the client's own retries would help, where its format has a way to say so.
    pub(super) retry: Option<bool>,
}

impl GatewayRefusal {
    pub(super) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        let (message, param) = (message.into(), None);
        Self { status, code, message, param, retry_after: None, retry: None }
    }

    pub(super) fn invalid_request(message: impl Into<String>) -> Self {
        Self::new(400, "invalid_request", message)
    }

    /// What the engine could not do, as the table of faults has it.
    pub(super) fn of(fault: &Fault) -> Self {
        let ClientAnswer { status, code, is_final } = fault.kind.policy().client;
        let retry = is_final.then_some(false);
        Self { retry, ..Self::new(status, code, fault.message.clone()) }
    }

    /// What a provider could not do.
    pub(super) fn of_call(failure: &CallFault) -> Self {
        let refusal = Self::of(&failure.fault);
        let (status, code) = match failure.rate_limited {
            true => (429, "rate_limit_exceeded"),
            false => (refusal.status, refusal.code),
        };
        Self { status, code, retry_after: failure.retry_after, ..refusal }
    }

    /// The body, in the client's own envelope.
    pub(super) fn body(&self, family: WireFormat) -> Value {
        match family {
            WireFormat::OpenAiChat | WireFormat::Responses => {
                json!({ "error": { "message": self.message,
                "type": self.code, "param": self.param, "code": self.code } })
            }
            WireFormat::Anthropic => json!({ "type": "error", "error": { "type": self.kind(),
                "message": self.message } }),
        }
    }

    /// An event that breaks a stream off.
    pub(super) fn event(&self, family: WireFormat) -> String {
        let body = self.body(family);
        match family {
            WireFormat::Responses => {
                let event = json!({ "type": "error", "code": self.code, "message": self.message,
                    "param": self.param, "sequence_number": 0 });
                format!("event: error\ndata: {event}\n\n")
            }
            WireFormat::OpenAiChat => format!("data: {body}\n\n"),
            WireFormat::Anthropic => format!("event: error\ndata: {body}\n\n"),
        }
    }

    /// As the Messages format names it.
    fn kind(&self) -> &'static str {
        match self.status {
            400 | 413 => "invalid_request_error",
            401 => "authentication_error",
            402 => "billing_error",
            404 => "not_found_error",
            429 => "rate_limit_error",
            504 => "timeout_error",
            _ => "api_error",
        }
    }

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
