//! `list_directory`: lists what is in a directory.
//!
//! A call has the arguments `{"path": "src", "depth": 2}`; without a path it lists the workspace. The
//! observation looks like this:
//!
//! ```text
//!  <entries>
//!  lib/
//!  lib/a.py (120 bytes)
//!  link (link)
//!  </entries>
//! ```

use super::file_call;
use crate::agent::{AgentTool, ToolObservation, ToolStep};
use crate::model::{
    DirectoryEntries, DirectoryEntry, DirectoryEntryKind, DirectoryRead, OperationReport,
    OperationResult, SandboxOperation, ToolSchema,
};
use serde::Deserialize;
use serde_json::json;

/// The most entries that one call shows.
const SHOWN: u32 = 1_000;
/// The most levels that one call shows.
const DEEPEST: u32 = 8;

/// The tool. It remembers the path of the call in progress.
#[derive(Default)]
pub struct ListDirectoryTool {
    path: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ListArguments {
    path: Option<String>,
    depth: Option<u32>,
}

impl ListDirectoryTool {
    /// The name of the tool.
    pub const NAME: &'static str = "list_directory";
}

impl AgentTool for ListDirectoryTool {
    fn schema(&self) -> ToolSchema {
        let path = format!("{} Left out: the workspace.", file_call::PATH);
        let properties = json!({
            "path": { "type": "string", "description": path },
            "depth": {
                "type": "integer", "minimum": 1, "maximum": DEEPEST,
                "description": "1 lists the directory itself, 2 also its directories. Left out: 1."
            }
        });
        file_call::schema(Self::NAME, "List what is in a directory.", properties, &[])
    }

    fn begin(&mut self, arguments: &str) -> Result<ToolStep, String> {
        let asked: ListArguments = file_call::arguments(arguments)?;
        let depth = asked.depth.unwrap_or(1);
        if !(1..=DEEPEST).contains(&depth) {
            return Err(format!("`depth` must be from 1 to {DEEPEST}"));
        }
        self.path = asked.path.unwrap_or_else(|| ".".to_owned());
        let path = file_call::absolute(&self.path)?;
        let list = DirectoryRead { path, depth, max_entries: SHOWN };
        Ok(ToolStep::Ask(SandboxOperation::ListDirectory(list)))
    }

    fn advance(&mut self, report: OperationReport) -> ToolStep {
        match &report.result {
            OperationResult::Listed(found) => ToolStep::Done(listed(found)),
            _ => file_call::failed(&self.path, &report),
        }
    }
}

/// The entries as text, one on each line.
fn listed(found: &DirectoryEntries) -> ToolObservation {
    let mut text = "<entries>\n".to_owned();
    for DirectoryEntry { path, kind, size } in &found.entries {
        text.push_str(&match kind {
            DirectoryEntryKind::Directory => format!("{path}/\n"),
            DirectoryEntryKind::File => format!("{path} ({size} bytes)\n"),
            DirectoryEntryKind::Symlink => format!("{path} (link)\n"),
            DirectoryEntryKind::Other => format!("{path} (no regular file)\n"),
        });
    }
    text.push_str("</entries>");
    let truncated = found.left_out > 0;
    if truncated {
        text.push_str(&format!("\n<note>{} further entries are not shown</note>", found.left_out));
    }
    ToolObservation { text, truncated, ..ToolObservation::default() }
}
