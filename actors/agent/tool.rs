//! Tools of native agents: pure state machines over sandbox operations.
//!
//! ```text
//!          begin(arguments)                 advance(report)
//!   idle ──────────────────► asks ──► sandbox ──────────────► asks … or done ──► idle
//!     └───────────────────────────────────────────────────────► done
//! ```
//! A tool has no I/O. It may remember things from call to call, such as an undo list. Its memory is
//! a function of the calls and reports so far, so a replay of the same calls makes the same memory.

use super::scaffold::RequestedAction;
use crate::model::{ExecEnd, OperationReport, SandboxOperation, ToolSchema};

/// What a tool does next.
#[derive(Debug)]
pub enum ToolStep {
    /// The sandbox must perform this. The tool goes on with the report.
    Ask(SandboxOperation),
    /// The call is over.
    Done(ToolObservation),
}

/// What came of a call of a tool.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToolObservation {
    /// What the model sees.
    pub text: String,
    /// What went wrong, for the record: a killed command, a refused file. None for a command that
    /// exited by itself, whatever its exit code.
    pub error: Option<String>,
    /// How the last command ended; none if no command ran.
    pub end: Option<ExecEnd>,
    /// Whether a part of the output is missing from the text.
    pub truncated: bool,
    /// What a command wrote, for people. The text has it already.
    pub diagnostics: String,
    /// The call submitted the work: the episode is over.
    pub submits: bool,
}

impl ToolObservation {
    /// A call that failed without a command, with the reason for the model.
    pub fn failed(why: impl Into<String>) -> Self {
        let why = why.into();
        Self { text: why.clone(), error: Some(why), ..Self::default() }
    }
}

/// One tool of a native agent. It serves one call at a time.
pub trait AgentTool: Send + 'static {
    /// The tool as the model sees it. Its name is unique among the tools of a scaffold.
    fn schema(&self) -> ToolSchema;

    /// Begins a call with arguments as the action records them. Err says what is wrong with them.
    fn begin(&mut self, arguments: &str) -> Result<ToolStep, String>;

    /// Goes on after the operation of the last [`ToolStep::Ask`].
    fn advance(&mut self, report: OperationReport) -> ToolStep;
}

/// The tools of one attempt, with what they remember.
#[derive(Default)]
pub struct Toolbox(Vec<Box<dyn AgentTool>>);

impl Toolbox {
    pub fn new(tools: Vec<Box<dyn AgentTool>>) -> Self {
        Self(tools)
    }

    /// The tools as the model sees them, in their order.
    pub fn schemas(&self) -> Vec<ToolSchema> {
        self.0.iter().map(|tool| tool.schema()).collect()
    }

    /// Begins a call. A call that no tool can serve is over at once, and says why.
    pub fn begin(&mut self, call: &RequestedAction) -> ToolStep {
        let begun = match self.named(&call.action.tool) {
            Some(tool) => tool.begin(&call.action.arguments),
            None => Err(format!("there is no tool named {:?}", call.action.tool)),
        };
        begun.unwrap_or_else(|why| ToolStep::Done(ToolObservation::failed(why)))
    }

    /// Goes on with a call after an operation.
    pub fn advance(&mut self, call: &RequestedAction, report: OperationReport) -> ToolStep {
        match self.named(&call.action.tool) {
            Some(tool) => tool.advance(report),
            None => ToolStep::Done(ToolObservation::failed("there is no such tool")),
        }
    }

    fn named(&mut self, name: &str) -> Option<&mut Box<dyn AgentTool>> {
        self.0.iter_mut().find(|tool| tool.schema().name == name)
    }
}
