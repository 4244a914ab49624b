//! `write_file`: writes a whole file, and makes its directories.
//!
//! A call has the arguments `{"path": "a.txt", "content": "text\n"}`. The observation is
//! `wrote 5 bytes to a.txt`.

use super::file_call;
use crate::agent::{AgentTool, ToolStep};
use crate::model::{FileWrite, OperationReport, OperationResult, SandboxOperation, ToolSchema};
use serde::Deserialize;
use serde_json::json;

/// The tool. It remembers the path and the size of the call in progress.
#[derive(Default)]
pub struct WriteFileTool {
    path: String,
    size: usize,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WriteArguments {
    path: String,
    content: String,
}

impl WriteFileTool {
    /// The name of the tool.
    pub const NAME: &'static str = "write_file";
}

impl AgentTool for WriteFileTool {
    fn schema(&self) -> ToolSchema {
        let properties = json!({
            "path": { "type": "string", "description": file_call::PATH },
            "content": { "type": "string", "description": "The whole new content." }
        });
        let what = "Write a file. It replaces a file that is there, and makes missing directories.";
        file_call::schema(Self::NAME, what, properties, &["path", "content"])
    }

    fn begin(&mut self, arguments: &str) -> Result<ToolStep, String> {
        let WriteArguments { path, content } = file_call::arguments(arguments)?;
        let write = FileWrite { path: file_call::absolute(&path)?, content: content.into_bytes() };
        (self.path, self.size) = (path, write.content.len());
        Ok(ToolStep::Ask(SandboxOperation::WriteFile(write)))
    }

    fn advance(&mut self, report: OperationReport) -> ToolStep {
        match &report.result {
            OperationResult::Written => {
                file_call::done(format!("wrote {} bytes to {}", self.size, self.path))
            }
            _ => file_call::failed(&self.path, &report),
        }
    }
}
