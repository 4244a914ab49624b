//! `read_file`: shows the lines of a text file.
//!
//! A call has the arguments `{"path": "a.txt", "first_line": 3, "lines": 20}`; only the path is
//! needed. The observation looks like this:
//!
//! ```text
//!  <content>
//!  the third line
//!  the last line
//!  </content>
//!  <note>lines 3 to 4 of 4</note>
//! ```

use super::file_call;
use crate::agent::{AgentTool, ToolObservation, ToolStep};
use crate::model::{OperationReport, OperationResult, ToolSchema};
use serde::Deserialize;
use serde_json::json;

/// The most bytes of a file that one call shows.
const SHOWN: usize = 32 << 10;

/// The tool. It remembers what the call in progress asks for.
#[derive(Default)]
pub struct ReadFileTool(Option<ReadArguments>);

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReadArguments {
    path: String,
    /// Counted from 1.
    first_line: Option<usize>,
    lines: Option<usize>,
}

impl ReadFileTool {
    /// The name of the tool.
    pub const NAME: &'static str = "read_file";
}

impl AgentTool for ReadFileTool {
    fn schema(&self) -> ToolSchema {
        let properties = json!({
            "path": { "type": "string", "description": file_call::PATH },
            "first_line": {
                "type": "integer", "minimum": 1,
                "description": "The first line to show, counted from 1. Left out: 1."
            },
            "lines": {
                "type": "integer", "minimum": 1,
                "description": "The most lines to show. Left out: all that fit into 32 KiB."
            }
        });
        file_call::schema(Self::NAME, "Show the lines of a text file.", properties, &["path"])
    }

    fn begin(&mut self, arguments: &str) -> Result<ToolStep, String> {
        let asked: ReadArguments = file_call::arguments(arguments)?;
        if asked.first_line == Some(0) || asked.lines == Some(0) {
            return Err("`first_line` and `lines` must be at least 1".to_owned());
        }
        let read = file_call::whole_file(&asked.path)?;
        self.0 = Some(asked);
        Ok(ToolStep::Ask(read))
    }

    fn advance(&mut self, report: OperationReport) -> ToolStep {
        let Some(asked) = self.0.take() else { return file_call::failed(Self::NAME, &report) };
        let OperationResult::File(bytes) = report.result else {
            return file_call::failed(&asked.path, &report);
        };
        ToolStep::Done(match file_call::text_of(&asked.path, bytes) {
            Ok(text) => shown(&asked, &text),
            Err(why) => ToolObservation::failed(why),
        })
    }
}

/// The lines that a call asks for, as far as they fit.
fn shown(asked: &ReadArguments, text: &str) -> ToolObservation {
    let (first, most) = (asked.first_line.unwrap_or(1), asked.lines.unwrap_or(usize::MAX));
    let total = text.lines().count();
    if total == 0 {
        return note("the file is empty");
    }
    if first > total {
        return ToolObservation::failed(format!("{}: it has only {total} lines", asked.path));
    }
    let wanted = text.split_inclusive('\n').skip(first - 1).take(most);
    let (content, lines, truncated) = fitting(wanted);
    let last = first - 1 + lines;
    let close = if content.ends_with('\n') { "" } else { "\n" };
    let mut shown = format!("<content>\n{content}{close}</content>");
    if truncated || (first, last) != (1, total) {
        shown.push_str(&format!("\n<note>lines {first} to {last} of {total}</note>"));
    }
    ToolObservation { text: shown, truncated, ..ToolObservation::default() }
}

/// An observation that is only a note.
fn note(text: &str) -> ToolObservation {
    ToolObservation { text: format!("<note>{text}</note>"), ..ToolObservation::default() }
}

/// The first lines that fit into [`SHOWN`] bytes, how many they are, and whether something was left
/// out. Of a first line that is too long, the beginning is shown.
fn fitting<'t>(lines: impl Iterator<Item = &'t str>) -> (String, usize, bool) {
    let (mut content, mut count) = (String::new(), 0);
    for line in lines {
        if content.len() + line.len() > SHOWN {
            if content.is_empty() {
                count = 1;
                content.push_str(beginning(line));
            }
            return (content, count, true);
        }
        count += 1;
        content.push_str(line);
    }
    (content, count, false)
}

/// As many characters of a line as fit.
fn beginning(line: &str) -> &str {
    let end = (0..=SHOWN).rev().find(|end| line.is_char_boundary(*end));
    &line[..end.unwrap_or_default()]
}
