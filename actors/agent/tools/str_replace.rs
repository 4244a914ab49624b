//! `str_replace`: replaces a text in a file by another one. The text must occur exactly once, so that
//! the model knows what it changes.
//!
//! ```text
//!  begin ─► read the file ──once──► write it ─► done
//!                  └── not there, more than once, no text ─► failed; the file stays as it is
//! ```
//! A call has the arguments `{"path": "a.py", "old": "x = 1", "new": "x = 2"}`.

use super::file_call;
use crate::agent::{AgentTool, ToolObservation, ToolStep};
use crate::model::{FileWrite, OperationReport, OperationResult, SandboxOperation, ToolSchema};
use serde::Deserialize;
use serde_json::json;

/// The tool. It remembers what the call in progress asks for.
#[derive(Default)]
pub struct ReplaceTextTool(Option<ReplaceArguments>);

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReplaceArguments {
    path: String,
    old: String,
    new: String,
}

impl ReplaceTextTool {
    /// The name of the tool.
    pub const NAME: &'static str = "str_replace";
}

impl AgentTool for ReplaceTextTool {
    fn schema(&self) -> ToolSchema {
        let properties = json!({
            "path": { "type": "string", "description": file_call::PATH },
            "old": {
                "type": "string",
                "description": "The text to replace. It must occur exactly once in the file."
            },
            "new": { "type": "string", "description": "The text that takes its place." }
        });
        let what = "Replace a text in a file by another text.";
        file_call::schema(Self::NAME, what, properties, &["path", "old", "new"])
    }

    fn begin(&mut self, arguments: &str) -> Result<ToolStep, String> {
        let asked: ReplaceArguments = file_call::arguments(arguments)?;
        if asked.old.is_empty() || asked.old == asked.new {
            return Err("`old` must be a text, and another one than `new`".to_owned());
        }
        let read = file_call::whole_file(&asked.path)?;
        self.0 = Some(asked);
        Ok(ToolStep::Ask(read))
    }

    fn advance(&mut self, report: OperationReport) -> ToolStep {
        let Some(asked) = self.0.take() else { return file_call::failed(Self::NAME, &report) };
        match report.result {
            OperationResult::File(bytes) => match replaced(&asked, bytes) {
                Ok(write) => {
                    self.0 = Some(asked);
                    ToolStep::Ask(SandboxOperation::WriteFile(write))
                }
                Err(why) => ToolStep::Done(ToolObservation::failed(why)),
            },
            OperationResult::Written => {
                file_call::done(format!("replaced the text in {}", asked.path))
            }
            _ => file_call::failed(&asked.path, &report),
        }
    }
}

/// The file with the new text. Err says why there is none.
fn replaced(asked: &ReplaceArguments, bytes: Vec<u8>) -> Result<FileWrite, String> {
    let ReplaceArguments { path, old, new } = asked;
    let text = file_call::text_of(path, bytes)?;
    match text.matches(old.as_str()).count() {
        1 => {
            let content = text.replacen(old.as_str(), new, 1).into_bytes();
            Ok(FileWrite { path: file_call::absolute(path)?, content })
        }
        0 => Err(format!("{path}: the text does not occur")),
        count => Err(format!("{path}: the text occurs {count} times; give more of what is around")),
    }
}
