//! Commands that the engine itself runs in a sandbox: checks, milestones, setup, probes. A command
//! that the host could not start says nothing about the agent's work, so it is a fault and no
//! failed check.

use crate::model::{ExecEnd, ExecReport, ExecRequest, Fault, FaultKind, SandboxSpec};
use crate::model::{SandboxTree, Task};
use crate::pool::{PoolHandle, SandboxLease};
use crate::ports::{Sandbox, StoredCopy};
use std::sync::Arc;
use std::time::Duration;

/// Runs a command outside of the agent's shell session, without a scan of the workspace. The report
/// says how it ended. Err if it was not started, or the sandbox failed.
pub(crate) async fn run_engine_command(
    sandbox: &mut dyn Sandbox,
    command: &str,
    timeout: Duration,
) -> Result<ExecReport, Fault> {
    let request = ExecRequest {
        command: command.to_owned(),
        session: false,
        timeout,
        scan: false,
        output_kept: None,
        joined: false,
    };
    ensure_started(sandbox.exec(&request).await?)
}

/// Returns the report of a command that ran, however it ended. Err (`SandboxLost`) if it was not
/// started.
pub(crate) fn ensure_started(report: ExecReport) -> Result<ExecReport, Fault> {
    match &report.end {
        ExecEnd::NotStarted(why) => {
            Err(Fault::new(FaultKind::SandboxLost, format!("a command was not started: {why}")))
        }
        _ => Ok(report),
    }
}

/// Returns the report of a command that exited by itself, so that its exit code can be trusted. Err
/// (`SandboxLost`) if it was killed or ran out of time.
pub(crate) fn ensure_exited(report: ExecReport) -> Result<ExecReport, Fault> {
    match &report.end {
        ExecEnd::Exited(_) => Ok(report),
        end => Err(Fault::new(
            FaultKind::SandboxLost,
            format!("a command of the engine's own was cut short: {end:?}"),
        )),
    }
}

/// The last 1,000 bytes of a text, from the next character boundary on.
pub(crate) fn tail(text: &str) -> &str {
    const KEPT: usize = 1_000;
    let from = text.len().saturating_sub(KEPT);
    let from = (from..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
    &text[from..]
}

/// Takes a fresh sandbox for sealed files and lays a copy of a workspace into it. The agent never
/// sees this sandbox.
pub(crate) async fn acquire_with_copy(
    pool: &PoolHandle,
    spec: &Arc<SandboxSpec>,
    copy: &dyn StoredCopy,
) -> Result<SandboxLease, Fault> {
    let mut lease = pool.acquire(&Arc::new(spec.judging())).await?;
    // The memory comes last, so that nobody waits with it for a sandbox.
    let copy = copy.load().await?;
    lease.sandbox().unpack(&copy).await?;
    Ok(lease)
}

/// Runs a sealed command. The sealed files are written again before each command, because a command
/// runs code of the workspace, and that code could have changed them.
pub(crate) async fn run_sealed(
    sandbox: &mut dyn Sandbox,
    task: &Task,
    command: &str,
    timeout: Duration,
) -> Result<ExecReport, Fault> {
    sandbox.write_files(SandboxTree::Sealed, &task.verification.files).await?;
    run_engine_command(sandbox, command, timeout).await
}
