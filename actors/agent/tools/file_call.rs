//! What the tools for files share: how arguments and paths are read, and what a refusal looks like.

use crate::agent::{ToolObservation, ToolStep};
use crate::model::{
    FileRead, OperationReport, OperationResult, SandboxOperation, ToolSchema, WORKSPACE,
};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

/// What a path means, for the model.
pub(super) const PATH: &str =
    "An absolute path, or a path from the workspace, wherever the shell is.";

/// The schema of a tool. `properties` are its arguments; the model must give the `required` ones.
pub(super) fn schema(name: &str, what: &str, properties: Value, required: &[&str]) -> ToolSchema {
    let parameters = json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false
    });
    ToolSchema::new(name, what, parameters)
}

/// Reads the arguments of a call. Err says what is wrong with them.
pub(super) fn arguments<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    let object: Map<String, Value> =
        serde_json::from_str(text).map_err(|_| "the tool's arguments are no JSON object")?;
    serde_json::from_value(Value::Object(object))
        .map_err(|error| format!("the tool's arguments are wrong: {error}"))
}

/// The path in the sandbox. A relative one begins in the workspace.
pub(super) fn absolute(path: &str) -> Result<String, String> {
    match path {
        "" => Err("the path is empty".to_owned()),
        "." => Ok(WORKSPACE.to_owned()),
        path if path.contains('\0') => Err("the path has a zero byte".to_owned()),
        path if path.starts_with('/') => Ok(path.to_owned()),
        path => Ok(format!("{WORKSPACE}/{path}")),
    }
}

/// The operation that reads a file as a whole.
pub(super) fn whole_file(path: &str) -> Result<SandboxOperation, String> {
    let read = FileRead { path: absolute(path)?, max_bytes: FileRead::MAX_BYTES };
    Ok(SandboxOperation::ReadFile(read))
}

/// The end of a call whose operation gave something else than was asked for: why it was refused.
pub(super) fn failed(path: &str, report: &OperationReport) -> ToolStep {
    let why = match &report.result {
        OperationResult::Refused(refusal) => refusal.message.as_str(),
        _ => "the sandbox gave another answer than was asked for",
    };
    ToolStep::Done(ToolObservation::failed(format!("{path}: {why}")))
}

/// The end of a call that did what it was to do.
pub(super) fn done(text: impl Into<String>) -> ToolStep {
    ToolStep::Done(ToolObservation { text: text.into(), ..ToolObservation::default() })
}

/// The text of a file. Err says that it is none.
pub(super) fn text_of(path: &str, bytes: Vec<u8>) -> Result<String, String> {
    let size = bytes.len();
    String::from_utf8(bytes).map_err(|_| format!("{path}: {size} bytes that are no UTF-8 text"))
}
