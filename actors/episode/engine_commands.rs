//! Commands of the engine's own in a sandbox: checks, milestones, setup, looking around. One
//! that the host could not start says nothing about the agent's work, so it is a fault.

use crate::model::{
    ExecEnd, ExecReport, ExecRequest, Fault, FaultKind, SandboxSpec, WorkspaceCopy,
};
use crate::model::{SandboxTree, Task};
use crate::pool::{PoolHandle, SandboxLease};
use crate::ports::Sandbox;
use std::sync::Arc;
use std::time::Duration;

/// Runs a command outside of the agent's session.
pub(crate) async fn run_engine_command(
    sandbox: &mut dyn Sandbox,
    command: &str,
    timeout: Duration,
) -> Result<ExecReport, Fault> {
    let request = ExecRequest { command: command.to_owned(), session: false, timeout, scan: false };
    ensure_started(sandbox.exec(&request).await?)
}

/// The report of a command that ran, however it ended.
pub(super) fn ensure_started(report: ExecReport) -> Result<ExecReport, Fault> {
    match &report.end {
        ExecEnd::NotStarted(why) => {
            Err(Fault::new(FaultKind::SandboxLost, format!("a command was not started: {why}")))
        }
        _ => Ok(report),
    }
}

/// The report of a command that came to an end of its own: what it says is meant.
pub(crate) fn ensure_exited(report: ExecReport) -> Result<ExecReport, Fault> {
    match &report.end {
        ExecEnd::Exited(_) => Ok(report),
        end => Err(Fault::new(
            FaultKind::SandboxLost,
            format!("a command of the engine's own was cut short: {end:?}"),
        )),
    }
}

/// The end of a long text.
pub(super) fn tail(text: &str) -> &str {
    const KEPT: usize = 1_000;
    let from = text.len().saturating_sub(KEPT);
    let from = (from..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
    &text[from..]
}

/// A fresh sandbox with a copy of a workspace in it, for the agent not to see.
pub(super) async fn acquire_with_copy(
    pool: &PoolHandle,
    spec: &Arc<SandboxSpec>,
    snapshot: &WorkspaceCopy,
) -> Result<SandboxLease, Fault> {
    let mut lease = pool.acquire(spec).await?;
    lease.sandbox().unpack(snapshot).await?;
    Ok(lease)
}

/// Runs a sealed command. The sealed files are laid afresh before it: code of the workspace
/// that an earlier one ran could have reached for them.
pub(super) async fn run_sealed(
    sandbox: &mut dyn Sandbox,
    task: &Task,
    command: &str,
) -> Result<ExecReport, Fault> {
    sandbox.write_files(SandboxTree::Sealed, &task.verification.files).await?;
    run_engine_command(sandbox, command, task.verification.timeout).await
}
