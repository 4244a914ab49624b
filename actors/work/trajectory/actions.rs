//! Runs one action of a native agent: its tool asks for operations, the sandbox performs them, until
//! the tool is done. Attempts, replays and proofs of templates run actions only here.
//!
//! ```text
//!  Toolbox::begin ─► asks ─► Sandbox::perform ─► Toolbox::advance ─► asks … or done
//! ```

use crate::agent::{RequestedAction, ToolObservation, ToolStep, Toolbox};
use crate::model::{
    ActionType, Fault, OperationReport, OperationResult, SandboxOperation, TurnAction,
    WorkspaceScan,
};
use crate::ports::Sandbox;
use std::time::Duration;
use tokio::time::Instant;

/// How long an action may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActionLimits {
    /// The most that one operation may take.
    pub operation: Duration,
    /// What is left of the agent's time. An operation has one second at least.
    pub left: Duration,
}

/// An action that ran.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PerformedAction {
    pub action: TurnAction,
    /// The action submitted the work.
    pub submits: bool,
    /// What its last command wrote, for people.
    pub diagnostics: String,
    /// The workspace after each operation that reported it.
    pub scans: Vec<WorkspaceScan>,
    /// The working directory of the shell session. None if no command ran.
    pub cwd: Option<String>,
    /// The time of all operations together.
    pub took: Duration,
}

/// Runs an action to its end. A command that fails, or a file that is not there, is an observation.
/// Err means that the sandbox itself failed.
pub async fn run_action(
    sandbox: &mut dyn Sandbox,
    tools: &mut Toolbox,
    call: &RequestedAction,
    limits: ActionLimits,
) -> Result<PerformedAction, Fault> {
    let (mut scans, mut cwd, mut took) = (Vec::new(), None, Duration::ZERO);
    let mut step = tools.begin(call);
    loop {
        let mut operation = match step {
            ToolStep::Ask(operation) => operation,
            ToolStep::Done(told) => {
                let (submits, diagnostics) = (told.submits, told.diagnostics.clone());
                let action = recorded(call, told, took);
                return Ok(PerformedAction { action, submits, diagnostics, scans, cwd, took });
            }
        };
        limits.shorten(&mut operation, took);
        let started = Instant::now();
        let mut report = sandbox.perform(&operation).await?;
        took = took.saturating_add(started.elapsed());
        scans.extend(report.scan.take());
        if let OperationReport { result: OperationResult::Ran(ran), .. } = &report {
            cwd = Some(ran.cwd.clone());
        }
        step = tools.advance(call, report);
    }
}

impl ActionLimits {
    /// Shortens the time that an operation asks for.
    fn shorten(self, operation: &mut SandboxOperation, took: Duration) {
        let left = self.left.saturating_sub(took).max(Duration::from_secs(1));
        let most = self.operation.min(left);
        match operation {
            SandboxOperation::Run(command) => command.timeout = command.timeout.min(most),
            SandboxOperation::SendKeys(input) => {
                input.timeout = input.timeout.min(most);
                input.quiet = input.quiet.min(most);
            }
            SandboxOperation::ReadFile(_)
            | SandboxOperation::WriteFile(_)
            | SandboxOperation::ListDirectory(_) => {}
        }
    }
}

/// The record of an action. The tool says whether the work was submitted; the scaffold only guessed
/// it from the arguments.
fn recorded(call: &RequestedAction, told: ToolObservation, took: Duration) -> TurnAction {
    let mut request = call.action.clone();
    request.kind = if told.submits { ActionType::Submit } else { ActionType::ToolCall };
    TurnAction {
        request,
        call_id: call.call_id.clone(),
        ran: true,
        observation: told.text,
        error: told.error,
        end: told.end,
        truncated: told.truncated,
        duration_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
    }
}
