//! The start of an external agent, and what its end says of the episode.

use super::ExternalAttempt;
use crate::agent::AgentLimits;
use crate::judge::engine_commands::tail;
use crate::model::{
    AgentProgram, ExecEnd, ExecReport, ExecRequest, Fault, FaultKind, HostAddress, NetworkPolicy,
    StopReason,
};
use crate::work::trajectory::active_attempt::ActiveAttempt;
use std::time::Duration;

/// A time limit that is never reached: the engine stops the program, the guest does not.
const WEEK: Duration = Duration::from_secs(7 * 24 * 3_600);
/// The longest instruction in bytes. The program gets it in an environment variable, and the length
/// of a variable is limited.
const MOST_INSTRUCTION: usize = 90 << 10;

/// Starts the program with its task, its limits, its model's address and its token in environment
/// variables, such as `SYNTHD_TASK` and `OPENAI_BASE_URL`. It does not wait for the program.
///
/// A sandbox has only one tunnel. Without a network it is opened here and leads to the gateway.
/// With a network it is open already; then it leads to an egress proxy, which also passes calls to
/// the gateway.
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
    let limits =
        AgentLimits::of(&acting.orders.config, &acting.orders.task.resources).list_for_program();
    let variables =
        program.variables((task.as_str(), limits.as_str()), &acting.orders.plan.model, token, port);
    let sandbox = acting.lease.sandbox();
    if !has_network {
        sandbox.tunnel(port, to).await?;
    }
    sandbox.environment(&variables).await?;
    let command = program.command.clone();
    sandbox
        .start(&ExecRequest {
            command,
            session: false,
            timeout: WEEK,
            scan: true,
            output_kept: None,
            joined: false,
        })
        .await
}

impl ExternalAttempt<'_> {
    /// Why the episode is over when the program has ended by itself: it submitted its work (exit
    /// code 0) or it failed. Err if the agent must not be judged: the program did not start, it
    /// asked less than the recorded attempt, its last call failed by no fault of its own, or it
    /// never heard its model.
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
            // The program ended because its last call was not answered.
            Some(fault) => fault.stop_after(self.acting.turns.len()),
            None if self.acting.turns.is_empty() => Err(unused(report, &self.token, self.hung_up)),
            None if report.end.success() => Ok(StopReason::Submitted),
            None => Ok(StopReason::AgentFailed),
        }
    }
}

/// The fault for a program that ended and never heard its model: it asked nothing, or it hung up
/// each time. Nothing can be said of its model. The message has the last output of the program,
/// without the token.
fn unused(report: &ExecReport, token: &str, hung_up: bool) -> Fault {
    let end = report.end.describe();
    broken(&format!("ended ({end})"), report, token, hung_up)
}

/// The fault for a program that never heard its model and did not end.
pub(super) fn idle(report: &ExecReport, token: &str, hung_up: bool) -> Fault {
    broken("went on until its time was up", report, token, hung_up)
}

fn broken(how: &str, report: &ExecReport, token: &str, hung_up: bool) -> Fault {
    let (kind, why) = match hung_up {
        true => (FaultKind::AgentLeft, "and waited for no answer of its model"),
        false => (FaultKind::AgentBroken, "and asked its model nothing"),
    };
    let said = format!("{}\n{}", report.stdout.text(), report.stderr.text());
    let said = said.replace(token, "[token]");
    let what = format!("the agent program {how} {why}: {}", tail(said.trim()));
    Fault::new(kind, what).before_any_turn()
}
