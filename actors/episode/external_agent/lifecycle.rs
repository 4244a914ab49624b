//! How a program begins, and what its end says of the episode.

use super::ExternalAttempt;
use crate::episode::engine_commands::tail;
use crate::episode::turns::{ActiveAttempt, describe};
use crate::model::{
    AgentProgram, ExecEnd, ExecReport, ExecRequest, Fault, FaultKind, HostAddress, NetworkPolicy,
    StopReason,
};
use std::time::Duration;

/// The guest ends nothing of itself before the engine does.
const WEEK: Duration = Duration::from_secs(7 * 24 * 3_600);
/// A value of an environment may be no longer.
const MOST_INSTRUCTION: usize = 90 << 10;

/// A sandbox has one way out. Where it leads to a network, it leads to the door as well.
pub(super) async fn start_program(
    acting: &mut ActiveAttempt<'_>,
    program: &AgentProgram,
    to: HostAddress,
    token: &str,
) -> Result<(), Fault> {
    let task = &acting.orders.task.instruction;
    if task.len() > MOST_INSTRUCTION {
        let what = "the instruction is longer than a program can be told";
        return Err(Fault::new(FaultKind::TaskSetup, what));
    }
    let has_network = acting.orders.spec.network.is_some();
    let port = if has_network { NetworkPolicy::PORT } else { program.port };
    let variables = program.variables(task, &acting.orders.plan.model, token, port);
    let sandbox = acting.lease.sandbox();
    if !has_network {
        sandbox.tunnel(port, to).await?;
    }
    sandbox.environment(&variables).await?;
    let command = program.command.clone();
    sandbox.start(&ExecRequest { command, session: false, timeout: WEEK, scan: true }).await
}

impl ExternalAttempt<'_> {
    /// Why the episode is over when the program is.
    pub(super) async fn stop_reason_at_end(
        &mut self,
        report: &ExecReport,
    ) -> Result<StopReason, Fault> {
        if let ExecEnd::NotStarted(why) = &report.end {
            let what = format!("the agent did not start: {why}");
            return Err(Fault::new(FaultKind::SandboxLost, what));
        }
        if !self.recorded.is_empty() {
            let what = "the agent has asked less than before";
            return Err(Fault::new(FaultKind::ReplayDiffers, what));
        }
        self.record_open_turn(None, Some(report)).await?;
        match self.trouble.take() {
            // It has ended because it was not answered.
            Some(fault) => fault.stop_after(self.acting.turns.len()),
            None if self.acting.turns.is_empty() && self.hung_up => Ok(StopReason::AgentFailed),
            None if self.acting.turns.is_empty() => Err(unused(report, &self.token)),
            None if report.end.success() => Ok(StopReason::Submitted),
            None => Ok(StopReason::AgentFailed),
        }
    }
}

/// A program that asks no model is no agent, and nothing can be said of its model.
fn unused(report: &ExecReport, token: &str) -> Fault {
    let said = format!("{}\n{}", report.stdout.text(), report.stderr.text());
    let said = said.replace(token, "[token]");
    let what = format!(
        "the agent program ended without asking its model ({}): {}",
        describe(report),
        tail(said.trim())
    );
    Fault::new(FaultKind::AgentBroken, what)
}
