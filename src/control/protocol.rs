//! The wire format of the control socket: one JSON document on each line, with the version of the
//! protocol. `docs/control-protocol.md` describes it for users.
//!
//! ```text
//! request  {"v":1,"id":1,"do":"pause","campaign":"quickstart"}
//! event    {"v":1,"id":1,"event":{"waiting":"resuming","running":3}}
//! answer   {"v":1,"id":1,"ok":{...}}
//! error    {"v":1,"id":1,"error":{"code":"SYN-0504","message":"...","hint":"..."}}
//! ```
//!
//! Requests are read strictly: an unknown key is an error, because a misspelt key would otherwise
//! change the meaning of a command. Replies are read leniently: clients ignore unknown keys.

use super::limits::MAX_ID;
use crate::error::{Code, Error, Result};
use serde::de::{DeserializeOwned, Error as _, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::fmt;
use synthd_actors::model::FaultKind;

/// The only version of the protocol that this program speaks.
pub const VERSION: u64 = 1;

/// The values that `do` may have in a request.
pub const VERBS: [&str; 9] =
    ["submit", "status", "watch", "pause", "resume", "retry", "cancel", "drain", "shutdown"];

/// A request that was parsed and checked.
#[derive(Clone, Debug, PartialEq)]
pub struct ControlRequest {
    /// A number, a string of at most 128 bytes, or null. Every reply to the request repeats it.
    pub id: Value,
    /// What the client asks for.
    pub order: ControlCommand,
}

/// A command with its parameters. In JSON, `do` names the variant in `snake_case`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum ControlCommand {
    /// Start the campaign of a file, or resume it.
    Submit(SubmitParams),
    /// Report on the process and its campaigns.
    Status(OptionalCampaignParams),
    /// Follow a campaign to its end.
    Watch(OptionalCampaignParams),
    /// Start no more episodes of a campaign.
    Pause(CampaignParams),
    /// Go on with a paused or stopped campaign.
    Resume(CampaignParams),
    /// Try faulted episodes of a campaign again.
    Retry(RetryParams),
    /// End a campaign. It does not go on by itself.
    Cancel(CampaignParams),
    /// Start nothing new and answer when all campaigns are at rest.
    Drain(NoParams),
    /// End the process.
    Shutdown(ShutdownParams),
}

/// The text of a campaign file. The daemon never reads the client's files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubmitParams {
    /// What error messages call the file; usually its path.
    pub name: String,
    /// The TOML text. Prompts from other files are inlined, and template directories are absolute.
    pub source: String,
    /// Whether to go on if the templates have changed since the campaign was begun.
    #[serde(default, skip_serializing_if = "is_false")]
    pub accept_changed: bool,
}

/// Leaves a flag out of the JSON if it is false, which is its default.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_false(flag: &bool) -> bool {
    !flag
}

/// The faulted episodes that are to be tried again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetryParams {
    /// The campaign's name.
    pub campaign: String,
    /// The kinds of faults to match. An empty list matches every kind.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<FaultKind>,
    /// A glob over template ids, such as `git/*`. None matches every template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
}

/// The parameters of commands that need a campaign's name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CampaignParams {
    pub campaign: String,
}

/// The parameters of commands that may name a campaign. None means all campaigns for `status`, and
/// the only running one for `watch`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OptionalCampaignParams {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub campaign: Option<String>,
}

/// The parameters of commands that have none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoParams {}

/// The parameters of `shutdown`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShutdownParams {
    /// Whether to cut off running episodes instead of letting them finish.
    #[serde(default)]
    pub now: bool,
}

/// An error as JSON on the socket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// The error code, such as `SYN-0504`. It is text, because another version may know other
    /// codes.
    pub code: String,
    /// The statement with its causes on one line, separated by colons.
    pub message: String,
    /// What the user can do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The error for people where one line is not enough, such as all mistakes of a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The content of `text` as JSON, for programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Value>,
    /// Further errors that were found together with this one.
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
    /// A code that this version does not know becomes `ControlProtocol`, with the code in the text.
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

/// The content of a reply; the key in the JSON is `ok`, `error` or `event`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplyContent {
    /// The answer. The request is done.
    Ok(Value),
    /// The request failed or was refused. The request is done.
    Error(ErrorBody),
    /// Progress before the answer. More replies follow.
    Event(Value),
}

/// One line from the server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ControlReply {
    /// The version of the protocol.
    pub v: u64,
    /// The id of the request. Null if the reply belongs to no request.
    pub id: Value,
    #[serde(flatten)]
    pub content: ReplyContent,
}

impl ControlReply {
    /// A reply in the current version.
    pub fn new(id: Value, content: ReplyContent) -> Self {
        Self { v: VERSION, id, content }
    }
}

/// Why a line is not a valid request.
#[derive(Clone, Debug, PartialEq)]
pub struct ControlRequestError {
    /// As far as it could be read.
    pub id: Value,
    /// The error reply for the client.
    pub error: Box<ErrorBody>,
    /// Whether the line is no JSON object, or has a key twice. Its sender does not
    /// speak the protocol, so the session ends. After other mistakes the client may send the next
    /// request.
    pub garbage: bool,
}

/// The keys that all requests share. The values are not checked yet, so that the id can be read and
/// repeated even if something else is wrong.
#[derive(Deserialize)]
struct RequestEnvelope {
    v: Option<Value>,
    #[serde(default)]
    id: Value,
    r#do: Option<Value>,
    /// All other keys: the parameters of the command.
    #[serde(flatten)]
    rest: UniqueParams,
}

/// The parameters of a command. A key that stands twice is an error, because nobody knows which of
/// its values is meant.
struct UniqueParams(Map<String, Value>);

impl<'de> Deserialize<'de> for UniqueParams {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(UniqueParamsVisitor)
    }
}

/// Collects the keys of [`UniqueParams`].
struct UniqueParamsVisitor;

impl<'de> Visitor<'de> for UniqueParamsVisitor {
    type Value = UniqueParams;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the parameters of a command")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<UniqueParams, A::Error> {
        let mut params = Map::new();
        while let Some((key, value)) = access.next_entry::<String, Value>()? {
            if params.contains_key(&key) {
                return Err(A::Error::custom(format!("duplicate field `{key}`")));
            }
            params.insert(key, value);
        }
        Ok(UniqueParams(params))
    }
}

impl ControlRequest {
    /// Parses one line. It never panics, whatever the bytes are.
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
            .and_then(|()| order(envelope.r#do, envelope.rest.0))
            .map_err(|error| reject(&id, &error, false))?;
        Ok(Self { id, order })
    }
}

/// The hint for a client that does not know the protocol.
const EXAMPLE: &str = r#"a request is one line, such as {"v":1,"id":1,"do":"status"}"#;

/// An error with the code `ControlProtocol` (SYN-0503).
fn protocol_error(message: impl Into<String>) -> Error {
    Error::new(Code::ControlProtocol, message)
}

/// Checks the id: a number, a short string, or null. A larger value would be repeated in every
/// reply.
fn sound_id(id: Value) -> Result<Value> {
    let sound = match &id {
        Value::Null | Value::Number(_) => true,
        Value::String(text) => text.len() <= MAX_ID,
        _ => false,
    };
    let what = || format!("`id` must be a number, or a string of at most {MAX_ID} bytes");
    if sound { Ok(id) } else { Err(protocol_error(what())) }
}

/// Checks that `v` is the number 1. The messages tell a missing version, a wrong type and another
/// version apart.
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

/// Reads the command from the verb and the other keys.
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

/// Reads the parameters of a command. Unknown and missing keys are errors.
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
        insta::assert_snapshot!(message(r#"{"v":1,"do":"pause","campaign":"a","campaign":"b"}"#), @"not a request: duplicate field `campaign` at line 1 column 50");
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
