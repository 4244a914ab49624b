//! `bash`: runs one command in the shell session and shows how it ended and what it wrote.
//!
//! A call has the arguments `{"command": "ls -l"}`. The observation looks like this:
//!
//! ```text
//!  <returncode>0</returncode>
//!  <output>
//!  a.txt
//!  </output>
//! ```
//! Output and errors stand in the order in which the command wrote them.

use crate::agent::{AgentTool, ToolObservation, ToolStep};
use crate::model::{
    ExecEnd, ExecReport, ExecRequest, OperationReport, OperationResult, SandboxOperation,
    ToolSchema,
};
use serde_json::json;
use std::time::Duration;

/// The shell as a tool. It remembers nothing: the working directory and the variables are the
/// session's.
pub struct ShellTool {
    /// A command that succeeds and whose first line of output is this submits the work.
    pub submit_marker: &'static str,
}

impl ShellTool {
    /// The name of the tool.
    pub const NAME: &'static str = "bash";

    /// The command of a call. Err says what is wrong with the arguments.
    pub fn command(arguments: &str) -> Result<String, &'static str> {
        let arguments: serde_json::Value = serde_json::from_str(arguments)
            .map_err(|_| "the tool's arguments are not valid JSON")?;
        let command = arguments
            .get("command")
            .and_then(serde_json::Value::as_str)
            .ok_or("the arguments need a string named \"command\"")?;
        match command.trim() {
            "" => Err("the command is empty"),
            _ => Ok(command.to_owned()),
        }
    }

    /// Whether the command submitted the work. Only the output counts, not the command: an `echo`
    /// that failed has submitted nothing.
    fn submits(&self, report: &ExecReport) -> bool {
        let output = String::from_utf8_lossy(&report.stdout.head);
        let first = output.lines().next().map(str::trim_end);
        report.end.success() && first == Some(self.submit_marker)
    }

    fn observe(&self, report: &ExecReport) -> ToolObservation {
        ToolObservation {
            text: render_observation(report),
            error: report.end.failure(),
            truncated: report.stdout.truncated(),
            diagnostics: report.stdout.text(),
            submits: self.submits(report),
            end: Some(report.end.clone()),
        }
    }
}

impl AgentTool for ShellTool {
    fn schema(&self) -> ToolSchema {
        let parameters = json!({
            "type": "object",
            "properties": {
                "command": { "type": "string", "description": "The command to run." }
            },
            "required": ["command"],
            "additionalProperties": false
        });
        let what = "Run a shell command in the sandbox and see its output.";
        ToolSchema::new(Self::NAME, what, parameters)
    }

    fn begin(&mut self, arguments: &str) -> Result<ToolStep, String> {
        let command = Self::command(arguments).map_err(str::to_owned)?;
        // The engine shortens the time to the limit of the sandbox and to what is left.
        let (timeout, session, scan) = (Duration::MAX, true, true);
        let (output_kept, joined) = (None, true);
        let request = ExecRequest { command, session, timeout, scan, output_kept, joined };
        Ok(ToolStep::Ask(SandboxOperation::Run(request)))
    }

    fn advance(&mut self, report: OperationReport) -> ToolStep {
        ToolStep::Done(match &report.result {
            OperationResult::Ran(report) => self.observe(report),
            OperationResult::Refused(refusal) => ToolObservation::failed(&refusal.message),
            _ => ToolObservation::failed("the sandbox gave another answer than a command's"),
        })
    }
}

/// The report of a command as text: exit code, a note if it was killed, and what it wrote.
fn render_observation(report: &ExecReport) -> String {
    let mut text = format!("<returncode>{}</returncode>\n", report.end.exit_code());
    if let Some(note) = note_of(&report.end) {
        text.push_str(&format!("<note>{note}</note>\n"));
    }
    text.push_str(&format!("<output>\n{}", report.stdout.text()));
    close(&mut text, "</output>");
    text
}

/// Ends a section on a line of its own.
fn close(text: &mut String, tag: &str) {
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text.push_str(tag);
}

/// Why a command did not exit by itself. None if it did.
fn note_of(end: &ExecEnd) -> Option<String> {
    match end {
        ExecEnd::Exited(_) => None,
        ExecEnd::Signaled(signal) => Some(format!("the command was killed by signal {signal}")),
        ExecEnd::TimedOut => Some("the command ran out of time and was killed".to_owned()),
        ExecEnd::CpuLimit => Some("the command used up its processor time".to_owned()),
        ExecEnd::OutOfMemory => Some("the sandbox ran out of memory".to_owned()),
        ExecEnd::OutputLimit => Some("the command wrote too much and was killed".to_owned()),
        ExecEnd::NotStarted(why) => Some(format!("the command could not be started: {why}")),
    }
}
