//! The start of an external agent, and what its end says of the episode.

use super::ExternalAttempt;
use crate::agent::AgentLimits;
use crate::agent_access::{AgentCall, AgentSession, AgentSessionSpec, GatewayDelays};
use crate::judge::engine_commands::tail;
use crate::model::{
    AgentProgram, ExecEnd, ExecReport, ExecRequest, Fault, FaultKind, HostAddress, NetworkPolicy,
    StopReason,
};
use crate::ports::ScriptContext;
use crate::work::EngineServices;
use crate::work::trajectory::active_attempt::ActiveAttempt;
use crate::work::trajectory::orders::AttemptOrders;
use crate::work::trajectory::stage_progress::AfterTurn;
use std::any::Any;
use std::time::Duration;
use tokio::sync::mpsc;

/// A time limit that is never reached: the engine stops the program, the guest does not.
const WEEK: Duration = Duration::from_secs(7 * 24 * 3_600);
/// The longest instruction in bytes. The program gets it in an environment variable, and the length
/// of a variable is limited.
const MOST_INSTRUCTION: usize = 90 << 10;

/// One run of the program: its session at the gateway and the calls that it makes. It ends when it is
/// dropped.
pub(super) struct ProgramSession {
    /// The gateway token that the program shows. It is recorded nowhere.
    pub(super) token: String,
    /// The calls of the program, from the gateway.
    pub(super) visits: mpsc::Receiver<AgentCall>,
    /// Where the gateway listens.
    to: HostAddress,
    /// While it is there, the token is valid.
    _guard: Box<dyn Any + Send + Sync>,
}

impl ProgramSession {
    /// Opens a session at the gateway, which notes in `delays` when it keeps calls waiting.
    pub(super) async fn open(
        services: &EngineServices,
        orders: &AttemptOrders,
        program: &AgentProgram,
        delays: GatewayDelays,
    ) -> Result<Self, Fault> {
        // A capacity of 1: the gateway holds back further calls, which wait for their decision
        // anyway.
        let (calls, visits) = mpsc::channel(1);
        let opening = services.agents.open_session(AgentSessionSpec {
            campaign: orders.plan.campaign.clone(),
            episode: orders.plan.id.clone(),
            attempt: orders.attempt,
            model: orders.plan.model.clone(),
            config: orders.config.clone(),
            script: ScriptContext {
                task: orders.task.clone(),
                scaffold: orders.script_format.clone(),
            },
            max_output_tokens: program.max_output_tokens,
            calls,
            delays,
        });
        let AgentSession { to, token, guard } = opening.await?;
        Ok(Self { token, visits, to, _guard: guard })
    }

    /// Opens the sandbox's tunnel to the gateway, once for an attempt: a sandbox has only one tunnel,
    /// and the gateway stays where it is. With a network, the tunnel is open already; then it leads to
    /// an egress proxy, which also passes calls to the gateway.
    pub(super) async fn connect(
        &self,
        acting: &mut ActiveAttempt<'_>,
        program: &AgentProgram,
    ) -> Result<(), Fault> {
        match acting.orders.spec.network {
            Some(_) => Ok(()),
            None => acting.lease.sandbox().tunnel(program.port, self.to.clone()).await,
        }
    }

    /// Starts the program with the instruction of the present stage, its limits, its model's address
    /// and its token in environment variables, such as `SYNTHD_TASK` and `OPENAI_BASE_URL`. It does not
    /// wait for the program.
    pub(super) async fn start(
        &self,
        acting: &mut ActiveAttempt<'_>,
        program: &AgentProgram,
    ) -> Result<(), Fault> {
        let task = acting.stages.part().clone();
        if task.instruction.len() > MOST_INSTRUCTION {
            let what = "the instruction is longer than a program can be told";
            return Err(Fault::new(FaultKind::TaskSetup, what));
        }
        let has_network = acting.orders.spec.network.is_some();
        let port = if has_network { NetworkPolicy::PORT } else { program.port };
        let limits = AgentLimits::of(&acting.orders.config, &task.resources).list_for_program();
        let told = (task.instruction.as_str(), limits.as_str());
        let variables = program.variables(told, &acting.orders.plan.model, &self.token, port);
        let sandbox = acting.lease.sandbox();
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
}

impl ExternalAttempt<'_> {
    /// What follows when the program has ended by itself: it submitted its work (exit code 0), which
    /// may end a stage, or it failed. Err if the agent must not be judged: the program did not start,
    /// it asked less than the recorded attempt, its last call failed by no fault of its own, or it
    /// never heard its model.
    pub(super) async fn after_end(&mut self, report: &ExecReport) -> Result<AfterTurn, Fault> {
        if let ExecEnd::NotStarted(why) = &report.end {
            let what = format!("the agent did not start: {why}");
            return Err(Fault::new(FaultKind::SandboxLost, what));
        }
        if self.repeats_end_of_stage(&report.end) {
            return Ok(AfterTurn::NextStage);
        }
        if !self.recorded.is_empty() {
            let what = "the agent has asked less than before";
            return Err(Fault::new(FaultKind::ReplayDiffers, what));
        }
        self.record_open_turn(None, Some(report)).await?;
        let stop = self.stop_reason_at_end(report)?;
        Ok(self.acting.stages.after_turn(Some(stop)))
    }

    /// Why the program has ended. A program that asked nothing in a later stage has failed there.
    fn stop_reason_at_end(&mut self, report: &ExecReport) -> Result<StopReason, Fault> {
        let token = &self.session.token;
        match self.trouble.take() {
            // The program ended because its last call was not answered.
            Some(fault) => fault.stop_after(self.acting.turns.len()),
            None if self.acting.turns.is_empty() => Err(unused(report, token, self.hung_up)),
            None if report.end.success() && !self.acting.stages.is_fresh() => {
                Ok(StopReason::Submitted)
            }
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
