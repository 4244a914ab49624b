//! The wire: one JSON document a line, each with the protocol's version. Requests are read
//! strictly, because a key that is misspelt would otherwise be a command misunderstood.
//! `docs/control-protocol.md` is this file for people.

use super::limits::MAX_ID;
use crate::error::{Code, Error, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use synthd_actors::model::FaultKind;

/// The one version this program speaks.
pub const VERSION: u64 = 1;

/// What clients may ask for.
pub const VERBS: [&str; 9] =
    ["submit", "status", "watch", "pause", "resume", "retry", "cancel", "drain", "shutdown"];

/// A request, read.
#[derive(Clone, Debug, PartialEq)]
pub struct ControlRequest {
    pub id: Value,
    pub order: ControlCommand,
}

/// What is wanted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum ControlCommand {
    Submit(SubmitParams),
    Status(OptionalCampaignParams),
    Watch(OptionalCampaignParams),
    Pause(CampaignParams),
    Resume(CampaignParams),
    Retry(RetryParams),
    Cancel(CampaignParams),
    Drain(NoParams),
    Shutdown(ShutdownParams),
}

/// A campaign's file: its text, and what errors call it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubmitParams {
    pub name: String,
    pub source: String,
    /// Go on though the templates have changed since the campaign was begun.
    #[serde(default, skip_serializing_if = "is_false")]
    pub accept_changed: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_false(flag: &bool) -> bool {
    !flag
}

/// Faulted episodes that are to be tried again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetryParams {
    pub campaign: String,
    /// Kinds of faults; all where there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<FaultKind>,
    /// A glob over template ids.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CampaignParams {
    pub campaign: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OptionalCampaignParams {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub campaign: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoParams {}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShutdownParams {
    /// Cut running episodes off instead of letting them finish.
    #[serde(default)]
    pub now: bool,
}

/// An error as it travels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    pub code: String,
    pub message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// What people are shown in its place where one line is not enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The same for programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Value>,
    /// What else is wrong, where several things were looked at together.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<Self>,
}

impl From<&Error> for ErrorBody {
    fn from(error: &Error) -> Self {
        let mut message = error.to_string();
        let mut cause = std::error::Error::source(error);
        while let Some(error) = cause {
            message.push_str(&format!(": {error}"));
            cause = error.source();
        }
        Self {
            code: error.code().to_string(),
            message,
            hint: error.hint_text().map(str::to_owned),
            text: None,
            details: None,
            others: error.others().iter().map(Self::from).collect(),
        }
    }
}

impl From<ErrorBody> for Error {
    /// A code that this version does not know is a protocol of another one.
    fn from(body: ErrorBody) -> Self {
        let known = Code::ALL.iter().find(|code| code.as_str() == body.code);
        let error = match known {
            Some(code) => Self::new(*code, body.message),
            None => Self::new(Code::ControlProtocol, format!("{}: {}", body.code, body.message)),
        };
        let error = error.with_others(body.others.into_iter().map(Self::from).collect());
        match body.hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }
}

/// What a line is answered with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplyContent {
    Ok(Value),
    Error(ErrorBody),
    /// More follows.
    Event(Value),
}

/// A line from the server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ControlReply {
    pub v: u64,
    pub id: Value,
    #[serde(flatten)]
    pub content: ReplyContent,
}

impl ControlReply {
    pub fn new(id: Value, content: ReplyContent) -> Self {
        Self { v: VERSION, id, content }
    }
}

/// Why a line is no request.
#[derive(Clone, Debug, PartialEq)]
pub struct ControlRequestError {
    /// As far as it could be read.
    pub id: Value,
    pub error: Box<ErrorBody>,
    /// The line is not JSON, so its sender does not speak the protocol.
    pub garbage: bool,
}

#[derive(Deserialize)]
struct RequestEnvelope {
    v: Option<Value>,
    #[serde(default)]
    id: Value,
    r#do: Option<Value>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

impl ControlRequest {
    /// Reads a line. Never panics, whatever it is given.
    pub fn parse(line: &[u8]) -> Result<Self, ControlRequestError> {
        let reject = |id: &Value, error: &Error, garbage| {
            let error = Box::new(ErrorBody::from(error));
            ControlRequestError { id: id.clone(), error, garbage }
        };
        let envelope: RequestEnvelope = serde_json::from_slice(line).map_err(|error| {
            let error = protocol_error(format!("not a request: {error}")).hint(EXAMPLE);
            reject(&Value::Null, &error, true)
        })?;
        let id = sound_id(envelope.id).map_err(|error| reject(&Value::Null, &error, false))?;
        let order = check_version(envelope.v.as_ref())
            .and_then(|()| order(envelope.r#do, envelope.rest))
            .map_err(|error| reject(&id, &error, false))?;
        Ok(Self { id, order })
    }
}

const EXAMPLE: &str = r#"a request is one line, such as {"v":1,"id":1,"do":"status"}"#;

fn protocol_error(message: impl Into<String>) -> Error {
    Error::new(Code::ControlProtocol, message)
}

fn sound_id(id: Value) -> Result<Value> {
    let sound = match &id {
        Value::Null | Value::Number(_) => true,
        Value::String(text) => text.len() <= MAX_ID,
        _ => false,
    };
    let what = || format!("`id` must be a number, or a string of at most {MAX_ID} bytes");
    if sound { Ok(id) } else { Err(protocol_error(what())) }
}

fn check_version(version: Option<&Value>) -> Result<()> {
    let what = match version {
        Some(v) if v.as_u64() == Some(VERSION) => return Ok(()),
        Some(Value::Number(v)) => {
            format!("this daemon speaks version {VERSION} of the protocol, not {v}")
        }
        Some(_) => "the version `v` must be a number".to_owned(),
        None => return Err(protocol_error("the request has no version `v`").hint(EXAMPLE)),
    };
    Err(protocol_error(what).hint("use a client of the same version as the daemon"))
}

fn order(verb: Option<Value>, rest: Map<String, Value>) -> Result<ControlCommand> {
    let known = || format!("`do` is one of {}", VERBS.join(", "));
    let Some(Value::String(verb)) = verb else {
        return Err(protocol_error("the request does not say what to `do`").hint(known()));
    };
    match verb.as_str() {
        "submit" => fields(rest).map(ControlCommand::Submit),
        "status" => fields(rest).map(ControlCommand::Status),
        "watch" => fields(rest).map(ControlCommand::Watch),
        "pause" => fields(rest).map(ControlCommand::Pause),
        "resume" => fields(rest).map(ControlCommand::Resume),
        "retry" => fields(rest).map(ControlCommand::Retry),
        "cancel" => fields(rest).map(ControlCommand::Cancel),
        "drain" => fields(rest).map(ControlCommand::Drain),
        "shutdown" => fields(rest).map(ControlCommand::Shutdown),
        other => {
            let shown: String = other.chars().take(40).collect();
            Err(protocol_error(format!("cannot do {shown:?}")).hint(known()))
        }
    }
}

fn fields<T: DeserializeOwned>(rest: Map<String, Value>) -> Result<T> {
    serde_json::from_value(Value::Object(rest))
        .map_err(|error| protocol_error(format!("not a request: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(line in proptest::collection::vec(any::<u8>(), 0..512)) {
            // Nothing drawn at random is a request.
            prop_assert!(ControlRequest::parse(&line).is_err());
        }

        #[test]
        fn nearly_requests_never_panic(
            v in "1|2|-1|null|\"1\"|1.0|\\[\\]",
            verb in "status|submit|watch|pause|shutdown|stat|",
            key in "campaign|name|source|now|[a-z]{0,4}",
            value in "true|1|null|\"x\"|\\{\\}|\\[1",
        ) {
            let line = format!(r#"{{"v":{v},"id":7,"do":"{verb}","{key}":{value}}}"#);
            if let Ok(request) = ControlRequest::parse(line.as_bytes()) {
                prop_assert_eq!(request.id, Value::from(7));
            }
        }

        #[test]
        fn orders_survive_the_wire(campaign in "\\PC{0,40}", now in any::<bool>(), id in "\\PC{0,20}") {
            let named = CampaignParams { campaign: campaign.clone() };
            let orders = [
                ControlCommand::Submit(SubmitParams { name: campaign.clone(), source: campaign.clone(), accept_changed: now }),
                ControlCommand::Status(OptionalCampaignParams { campaign: Some(campaign) }),
                ControlCommand::Watch(OptionalCampaignParams::default()),
                ControlCommand::Cancel(named),
                ControlCommand::Drain(NoParams {}),
                ControlCommand::Shutdown(ShutdownParams { now }),
            ];
            for order in orders {
                let mut line = serde_json::to_value(&order).unwrap();
                line["v"] = VERSION.into();
                line["id"] = id.clone().into();
                let read = ControlRequest::parse(line.to_string().as_bytes());
                prop_assert_eq!(read, Ok(ControlRequest { id: id.clone().into(), order }));
            }
        }
    }

    fn message(line: &str) -> String {
        let rejection = ControlRequest::parse(line.as_bytes()).unwrap_err();
        assert_eq!(rejection.error.code, "SYN-0503");
        rejection.error.message
    }

    #[test]
    fn says_what_is_wrong_with_a_request() {
        insta::assert_snapshot!(message(r#"{"id":1,"do":"status"}"#), @"the request has no version `v`");
        insta::assert_snapshot!(message(r#"{"v":2,"do":"status"}"#), @"this daemon speaks version 1 of the protocol, not 2");
        insta::assert_snapshot!(message(r#"{"v":1}"#), @"the request does not say what to `do`");
        insta::assert_snapshot!(message(r#"{"v":1,"do":"stauts"}"#), @r#"cannot do "stauts""#);
        insta::assert_snapshot!(message(r#"{"v":1,"do":"pause"}"#), @"not a request: missing field `campaign`");
        insta::assert_snapshot!(message(r#"{"v":1,"do":"pause","campaing":"a"}"#), @"not a request: unknown field `campaing`, expected `campaign`");
        insta::assert_snapshot!(message(r#"{"v":1,"id":[],"do":"status"}"#), @"`id` must be a number, or a string of at most 128 bytes");
        insta::assert_snapshot!(message("hello"), @"not a request: expected value at line 1 column 1");
    }

    #[test]
    fn every_verb_is_described() {
        let page = include_str!("../../docs/control-protocol.md");
        for verb in VERBS {
            assert!(page.contains(&format!("\n| `{verb}` |")), "{verb} is missing");
            assert!(page.contains(&format!("\n- **{verb}**:")) || verb == "status", "{verb}");
            let line = format!(r#"{{"v":1,"do":"{verb}"}}"#);
            let refused = ControlRequest::parse(line.as_bytes()).err();
            assert!(refused.is_none_or(|r| !r.error.message.starts_with("cannot do")), "{verb}");
        }
    }

    #[test]
    fn garbage_is_told_from_mistakes() {
        assert!(ControlRequest::parse(b"GET / HTTP/1.1").unwrap_err().garbage);
        assert!(ControlRequest::parse(&[0; 64]).unwrap_err().garbage);
        let mistake = ControlRequest::parse(br#"{"v":1,"id":"a","do":"x"}"#).unwrap_err();
        assert!(!mistake.garbage);
        assert_eq!(mistake.id, Value::from("a"));
    }

    #[test]
    fn an_error_keeps_its_code_and_hint() {
        let sent = Error::new(Code::ControlRefused, "no").hint("ask again");
        let body = ErrorBody::from(&sent);
        let got = Error::from(body.clone());
        assert_eq!((got.code(), got.hint_text()), (Code::ControlRefused, Some("ask again")));
        let newer = ErrorBody { code: "SYN-9999".to_owned(), ..body.clone() };
        assert_eq!(Error::from(newer).to_string(), "SYN-9999: no");
        let two = ErrorBody { others: vec![body], ..ErrorBody::from(&Error::new(Code::Io, "so")) };
        assert_eq!(Error::from(two).others()[0].code(), Code::ControlRefused);
    }
}
