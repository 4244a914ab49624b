//! Faults of providers: what a refusal means, and what an error in the middle of an answer means.
//! The kind of a fault decides what the router does next, for example try again, ask a fallback
//! model, or pause the campaign (`docs/faults.md`). The charge of a fault decides what is settled.
//!
//! Hosts report errors in several ways: by the HTTP status, by a type or code in the JSON body, and
//! some only in words. A typical body is `{"error":{"message":"…","type":"…","code":"…"}}`.

use super::{counts, retry_after};
use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde_json::Value;
use std::time::{Duration, SystemTime};
use synthd_actors::model::{
    CallCharge, CallFault, ChatMessage, ChatReply, ChatRole, Fault, FaultKind, FinishReason, Usage,
};

/// The most characters of a provider's message that people are shown.
const SHOWN: usize = 600;

/// Error codes for an account without money. Trying again does not help, so these are permanent
/// faults.
const NO_CREDIT: [&str; 7] = [
    "insufficient_quota",
    "credit_balance_exhausted",
    "billing_hard_limit_reached",
    "billing_not_active",
    "insufficient_balance",
    "payment_required",
    "enforced_spend_limit_reached",
];
/// Error codes for a key that the host does not accept, with a status that is not 401.
const BAD_KEY: [&str; 3] = ["invalid_api_key", "api_key_invalid", "authentication_error"];
/// Phrases for a conversation that is longer than the model's context. There is no code that all
/// hosts use.
const TOO_LONG: [&str; 12] = [
    "longer than the context length",
    "exceeds the context length",
    "context_length_exceeded",
    "this model's maximum context length is",
    "model's maximum context limit",
    "is longer than the model's context length",
    "input tokens exceed the configured limit",
    "exceeds the available context size",
    "exceeds the maximum number of tokens allowed",
    "exceed context limit",
    "maximum input length is",
    "prompt is too long",
];
/// The error code for a single field that is too long. Its message reads like one of `TOO_LONG`,
/// but a shorter conversation would not help.
const ONE_FIELD: &str = "string_above_max_length";

/// Error codes of content filters.
const FILTERED: [&str; 5] = [
    "content_filter",
    "content_policy_violation",
    "data_inspection_failed",
    "invalid_prompt",
    "responsible_ai_policy_violation",
];
/// Phrases of content filters, in lower case, for hosts that give no code.
const FILTERED_WORDS: [&str; 2] = ["content exists risk", "blocked by content filtering policy"];
/// The error code for a tool call of the model that the host could not parse. Another try may give
/// a better call.
const GARBLED: &str = "tool_use_failed";
/// HTTP statuses with which a host certainly refuses before the model has worked, so nothing is
/// charged. An overloaded host (503, 529) may answer so after the model has worked.
const TURNED_AWAY: [u16; 8] = [400, 401, 402, 403, 404, 413, 422, 429];

/// Whether a refusal comes from a content filter. That is no failure: the request was answered with
/// a refusal, and trying again would give the same.
pub(crate) fn is_filtered(status: StatusCode, said: &str) -> bool {
    let complaint = ProviderErrorBody::read(said);
    let message = complaint.message.to_lowercase();
    [400, 403].contains(&status.as_u16())
        && (complaint.is_any(&FILTERED) || FILTERED_WORDS.iter().any(|w| message.contains(w)))
}

/// The reply for a request that a content filter has refused. It has no words, because the model
/// said none. Its usage is unknown, because some hosts charge for what the filter has read.
pub(crate) fn filtered() -> ChatReply {
    let message = ChatMessage::text(ChatRole::Assistant, "");
    let refused = ChatReply::new(message, FinishReason::Refusal, Usage::default());
    ChatReply { uncounted: true, ..refused }
}

/// The fault for a refusal: the kind, the charge, and how long to wait. `said` is the body as text,
/// in any form.
pub(crate) fn refused(status: StatusCode, headers: &HeaderMap, said: &str) -> CallFault {
    let complaint = ProviderErrorBody::read(said);
    let kind = kind_of(status, &complaint);
    let retry_after = retry_after::of(headers, SystemTime::now()).or(complaint.retry_after);
    // The host may charge for a request that failed in the middle of the work.
    let away = TURNED_AWAY.contains(&status.as_u16()) && !complaint.is_any(&[GARBLED]);
    let charge = match (away, counts::in_refusal(said)) {
        (true, None) => CallCharge::Nothing,
        (true, Some(usage)) => CallCharge::Counted(usage),
        (false, _) => CallCharge::Unknown,
    };
    let rate_limited = status == StatusCode::TOO_MANY_REQUESTS && kind.is_transient();
    CallFault {
        fault: Fault::new(kind, format!("status {}: {}", status.as_u16(), complaint.shown())),
        charge,
        retry_after,
        rate_limited,
        said_nothing: false,
    }
}

/// The fault for an error inside an answer that began with a good status. Its charge is unknown,
/// since the model has already worked. It is transient, except if the account has no money.
pub(crate) fn stream_fault(error: &Value) -> CallFault {
    let complaint = ProviderErrorBody::of(error);
    let passes = !complaint.is_any(&NO_CREDIT);
    let kind = if passes { FaultKind::ModelTransient } else { FaultKind::ModelPermanent };
    CallFault::unknown(kind, format!("it broke off: {}", complaint.shown()))
}

/// The kind of a refusal. Codes in the body come before the status, because hosts use statuses in
/// different ways. The quota of a day counts like an empty account: no wait of this call helps.
fn kind_of(status: StatusCode, complaint: &ProviderErrorBody) -> FaultKind {
    if complaint.is_any(&NO_CREDIT) || complaint.for_today {
        return FaultKind::ModelPermanent;
    }
    if complaint.is_any(&[GARBLED]) {
        return FaultKind::ModelTransient;
    }
    match status.as_u16() {
        401 => FaultKind::KeyRejected,
        400 | 403 if complaint.is_any(&BAD_KEY) => FaultKind::KeyRejected,
        400 | 413 | 422 if complaint.is_too_long() => FaultKind::ContextFull,
        // Something is wrong with this one conversation; other conversations are not concerned.
        400 | 413 | 422 => FaultKind::ModelRejected,
        408 | 409 | 425 | 429 => FaultKind::ModelTransient,
        500.. => FaultKind::ModelTransient,
        _ => FaultKind::ModelPermanent,
    }
}

/// The parts of an error body, wherever the host has put them.
struct ProviderErrorBody {
    /// What people are told.
    message: String,
    /// Types, codes, statuses and reasons, in lower case.
    names: Vec<String>,
    /// The wait that the body asks for (`retryDelay`), for hosts that send no header.
    retry_after: Option<Duration>,
    /// The quota of a whole day is used up.
    for_today: bool,
}

impl ProviderErrorBody {
    /// Parses a body. A list stands for its first element. A body that is no JSON is the message.
    fn read(said: &str) -> Self {
        match serde_json::from_str::<Value>(said) {
            // Gemini may wrap its error into a list.
            Ok(Value::Array(list)) => Self::of(list.first().unwrap_or(&Value::Null)),
            Ok(value) => Self::of(&value),
            Err(_) => Self {
                message: said.to_owned(),
                names: Vec::new(),
                retry_after: None,
                for_today: false,
            },
        }
    }

    /// Takes the error out of a JSON value: the object below `error`, or the value itself.
    fn of(value: &Value) -> Self {
        // Most hosts put the error below `error`. Some put its fields at the top.
        let error = value.get("error").filter(|error| !error.is_null()).unwrap_or(value);
        let text = |value: &Value| match value {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
        let message = ["message", "detail", "error"].iter().find_map(|key| text(error.get(key)?));
        let names =
            ["type", "code", "error_code", "status"].iter().filter_map(|key| text(error.get(key)?));
        // Gemini's details hold reasons, delays and the quotas that are used up.
        let details = error.get("details").and_then(Value::as_array).into_iter().flatten();
        let reasons = details.clone().filter_map(|detail| text(&detail["reason"]));
        let names = names.chain(reasons);
        let delays = details.clone().filter_map(|detail| detail["retryDelay"].as_str());
        let quotas =
            details.flat_map(|detail| detail["violations"].as_array().into_iter().flatten());
        let mut quotas = quotas.filter_map(|violation| violation["quotaId"].as_str());
        Self {
            retry_after: delays.filter_map(retry_after::seconds).next(),
            for_today: quotas.any(|quota| quota.contains("PerDay")),
            names: names.map(|name| name.to_ascii_lowercase()).collect(),
            message: message.or_else(|| text(error)).unwrap_or_else(|| error.to_string()),
        }
    }

    /// Whether a type or code of the error is one of these.
    fn is_any(&self, names: &[&str]) -> bool {
        self.names.iter().any(|name| names.contains(&name.as_str()))
    }

    /// Whether the conversation is longer than the model's context.
    fn is_too_long(&self) -> bool {
        let message = self.message.to_lowercase();
        // The phrase of vLLM since version 0.16: `you passed 9000 input tokens …`.
        let counted = message.contains("you passed") && message.contains("input tokens");
        let known = TOO_LONG.iter().any(|words| message.contains(words));
        !self.is_any(&[ONE_FIELD])
            && (self.is_any(&["context_length_exceeded"]) || counted || known)
    }

    /// The message for people, with the first type or code in parentheses.
    fn shown(&self) -> String {
        let text = shown(&self.message);
        match self.names.first() {
            Some(name) => format!("{text} ({})", shown(name)),
            None => text,
        }
    }
}

/// A provider's text in a form that is safe for logs and terminals: limited in length, on one line,
/// and without characters that move the cursor, change colours, or turn the direction of reading.
fn shown(text: &str) -> String {
    let plain = |c: char| match c {
        '\n' | '\r' | '\t' => ' ',
        '\u{61c}' | '\u{200e}' | '\u{200f}' => char::REPLACEMENT_CHARACTER,
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => char::REPLACEMENT_CHARACTER,
        c if c.is_control() => char::REPLACEMENT_CHARACTER,
        c => c,
    };
    text.chars().take(SHOWN).map(plain).collect()
}

/// The fault for an answer that is no valid reply. The model has answered, so the charge is
/// unknown. It is transient: another try may give a valid reply.
pub(crate) fn malformed(why: &str) -> CallFault {
    // The message may quote the answer, so its length is limited.
    CallFault::unknown(FaultKind::ModelTransient, shown(why))
}

/// The fault for an answer that does not parse as JSON, or not as the expected fields.
pub(crate) fn unreadable(error: serde_json::Error) -> CallFault {
    malformed(&format!("its answer does not have the expected form: {error}"))
}

/// The fault for an answer that ended without a finish reason.
pub(crate) fn incomplete_answer() -> CallFault {
    malformed("its answer ended without a reason")
}

/// The same for an answer without any text or tool call. Some servers do this when the conversation
/// is too long; the router uses `said_nothing` to find that out.
pub(crate) fn unbegun() -> CallFault {
    CallFault { said_nothing: true, ..malformed("its answer ended without a word or a reason") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use FaultKind::{ContextFull, KeyRejected, ModelPermanent, ModelRejected, ModelTransient};

    fn fault(status: u16, said: &str) -> CallFault {
        refused(StatusCode::from_u16(status).unwrap(), &HeaderMap::new(), said)
    }

    #[test]
    fn each_refusal_is_what_it_means() {
        let quota =
            r#"{"error":{"message":"You exceeded your quota","type":"insufficient_quota"}}"#;
        let limit = r#"{"error":{"message":"Rate limit reached","type":"requests","code":"rate_limit_exceeded"}}"#;
        let long = r#"{"error":{"message":"This model's maximum context length is 8192 tokens","code":"context_length_exceeded"}}"#;
        // The message has none of the known phrases; the code alone tells.
        let code = r#"{"error":{"message":"Your input exceeds the context window of this model.","code":"context_length_exceeded"}}"#;
        let vllm = r#"{"object":"error","message":"You passed 9000 input tokens and requested 1 output tokens.","code":400}"#;
        let prompt = r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 9 tokens > 8 maximum"}}"#;
        let both = r#"{"type":"error","error":{"type":"invalid_request_error","message":"input length and `max_tokens` exceed context limit: 9 + 9 > 10"}}"#;
        let unknown_key = r#"{"error":{"code":400,"status":"INVALID_ARGUMENT","details":[{"reason":"API_KEY_INVALID"}]}}"#;
        let spend = r#"{"type":"error","error":{"type":"rate_limit_error","message":"limit","error_code":"enforced_spend_limit_reached"}}"#;
        let garbled =
            r#"{"error":{"message":"Failed to call a function","code":"tool_use_failed"}}"#;
        let field = r#"{"error":{"message":"Invalid: exceeds the maximum number of tokens allowed","code":"string_above_max_length"}}"#;
        for (status, said, kind, limited) in [
            (429, limit, ModelTransient, true),
            (429, "slow down", ModelTransient, true),
            (429, quota, ModelPermanent, false),
            (402, "{}", ModelPermanent, false),
            (401, r#"{"error":"no key"}"#, KeyRejected, false),
            (403, r#"{"error":{"code":"invalid_api_key"}}"#, KeyRejected, false),
            (403, r#"{"error":{"message":"not in your region"}}"#, ModelPermanent, false),
            (400, unknown_key, KeyRejected, false),
            (404, "<html>", ModelPermanent, false),
            (307, "", ModelPermanent, false),
            (500, "[]", ModelTransient, false),
            (503, "overloaded", ModelTransient, false),
            (529, "", ModelTransient, false),
            (400, long, ContextFull, false),
            (400, code, ContextFull, false),
            (400, vllm, ContextFull, false),
            (400, prompt, ContextFull, false),
            (400, both, ContextFull, false),
            (429, spend, ModelPermanent, false),
            (400, field, ModelRejected, false),
            (422, "{}", ModelRejected, false),
            (400, garbled, ModelTransient, false),
            (524, "", ModelTransient, false),
        ] {
            let fault = fault(status, said);
            assert_eq!((fault.fault.kind, fault.rate_limited), (kind, limited), "{status} {said}");
        }
    }

    #[test]
    fn what_was_turned_away_cost_nothing() {
        for (status, charge) in [
            (400, CallCharge::Nothing),
            (429, CallCharge::Nothing),
            (503, CallCharge::Unknown),
            (529, CallCharge::Unknown),
            (500, CallCharge::Unknown),
            (502, CallCharge::Unknown),
            (504, CallCharge::Unknown),
            (408, CallCharge::Unknown),
            (520, CallCharge::Unknown),
            (524, CallCharge::Unknown),
        ] {
            assert_eq!(fault(status, "x").charge, charge, "{status}");
        }
    }

    #[test]
    fn a_filtered_question_is_no_failure() {
        let said = r#"{"error":{"message":"The response was filtered","code":"content_filter"}}"#;
        assert!(is_filtered(StatusCode::BAD_REQUEST, said));
        assert!(!is_filtered(StatusCode::OK, said));
        assert!(!is_filtered(StatusCode::BAD_REQUEST, "content_filter"));
        let words = r#"{"error":{"message":"Output blocked by content filtering policy","type":"invalid_request_error"}}"#;
        assert!(is_filtered(StatusCode::BAD_REQUEST, words));
        assert!(filtered().uncounted && filtered().is_silent_refusal());
    }

    #[test]
    fn a_long_complaint_is_told_in_short() {
        let said = format!(r#"{{"error":{{"message":"{}"}}}}"#, "x".repeat(10_000));
        assert!(fault(400, &said).fault.message.len() < 700);
    }
}
