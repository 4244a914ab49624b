//! Turns of an agent program that asks its model itself: each of its calls is one.
//!
//! ```text
//!                    ┌────────────── its program runs ◄──────────────┐
//!                    │ asks                │ ends, is out of time     │ told
//!                    ▼                     ▼                          │
//!  the turn before it is known: looked at, measured, durable ─► leaves, or was recorded
//!                    │                     │
//!                    │ no turn, no money   └──► why it ended
//!                    └──► stopped ─────────────────┘
//! ```
//! What a turn has led to is what the program tells its model next, and what the workspace has
//! become by then. One call leaves at a time, so that a trajectory is a line.

mod lifecycle;
mod replay;
mod turn;

use super::phase::AttemptPhase;
use super::turns::{ActiveAttempt, StoppedAttempt};
use crate::agent_access::{
    AdmittedCall, AgentCall, AgentCallResult, AgentSessionSpec, CallDecision, GatewayDelays,
};
use crate::model::{
    AgentProgram, ChatReply, ChatRequest, CommandStatus, ExecEnd, ExecReport, FailedCallEffect,
    Fault, FaultKind, Money, StepState, StopReason, Turn, WorkspaceChange, WorkspaceScan,
};
use crate::policy::same_conversation;
use crate::ports::ScriptContext;
use lifecycle::start_program;
use std::collections::VecDeque;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// An attempt whose agent is a program.
pub(super) struct ExternalAttempt<'a> {
    acting: ActiveAttempt<'a>,
    /// What it shows; kept nowhere.
    token: String,
    visits: mpsc::Receiver<AgentCall>,
    /// Time that the door keeps calls waiting, which is none of the program's.
    delays: GatewayDelays,
    /// What an earlier attempt was told, to be told again.
    recorded: VecDeque<Turn>,
    /// Turns that are told again, until all of them are.
    repeated: Vec<Turn>,
    /// What was answered, and has led to nothing known yet.
    open: Option<OpenTurn>,
    /// What the last call failed with.
    trouble: Option<Fault>,
    /// It has left a call of its own accord.
    hung_up: bool,
    /// Of calls since the last turn was concluded.
    tries: u32,
    /// The next try's, within the turn.
    number: u32,
    cost: Money,
    /// What those of the calls took that failed.
    failed: Duration,
    changes: Vec<WorkspaceChange>,
    changed: bool,
}

/// A turn that was answered.
struct OpenTurn {
    request: Arc<ChatRequest>,
    is_opening: bool,
    before: StepState,
    heard: AgentCallResult,
    reply: ChatReply,
    /// How long the program has worked with it. What the program waited for is not in it.
    worked: Duration,
}

enum ProgramEvent {
    Ended(Box<ExecReport>),
    Asks(AgentCall),
    OutOfTime,
}

impl<'a> ExternalAttempt<'a> {
    /// Lets the program in, runs it to its end, and says how it ended.
    pub(super) async fn run(
        mut acting: ActiveAttempt<'a>,
        program: &AgentProgram,
        recorded: Vec<Turn>,
    ) -> Result<StoppedAttempt, Fault> {
        let orders = acting.orders;
        let (calls, visits) = mpsc::channel(1);
        let delays = GatewayDelays::default();
        let admission = acting.world.agents.open_session(AgentSessionSpec {
            campaign: orders.plan.campaign.clone(),
            episode: orders.plan.id.clone(),
            attempt: orders.attempt,
            model: orders.plan.model.clone(),
            config: orders.config.clone(),
            stage: ScriptContext { task: orders.task.clone(), scaffold: orders.scaffold.clone() },
            max_output_tokens: program.max_output_tokens,
            calls,
            delays: delays.clone(),
        });
        let admission = admission.await?;
        start_program(&mut acting, program, admission.to.clone(), &admission.token).await?;
        let mut hosting = Self {
            acting,
            token: admission.token.clone(),
            visits,
            delays,
            recorded: recorded.into(),
            repeated: Vec::new(),
            open: None,
            trouble: None,
            hung_up: false,
            tries: 0,
            number: 0,
            cost: Money::ZERO,
            failed: Duration::ZERO,
            changes: Vec::new(),
            changed: false,
        };
        let stop = hosting.serve().await?;
        drop(admission);
        let ActiveAttempt { turns, lease, fingerprint, .. } = hosting.acting;
        Ok(StoppedAttempt { stop, turns, lease, fingerprint })
    }

    async fn serve(&mut self) -> Result<StopReason, Fault> {
        loop {
            let stop = match self.next().await? {
                ProgramEvent::Ended(report) => return self.stop_reason_at_end(&report).await,
                ProgramEvent::OutOfTime => Some(StopReason::TimeLimit),
                ProgramEvent::Asks(call) => self.visited(call).await?,
            };
            if let Some(stop) = stop {
                let report = self.acting.lease.sandbox().stop().await?;
                self.look(report.scan.clone());
                self.record_open_turn(None, Some(&report)).await?;
                return self.out_of(stop);
            }
        }
    }

    /// An agent whose time went by while its model did not answer has not failed.
    fn out_of(&mut self, stop: StopReason) -> Result<StopReason, Fault> {
        match self.trouble.take() {
            Some(fault) if stop == StopReason::TimeLimit && fault.kind.stop_reason().is_none() => {
                Err(fault)
            }
            _ => Ok(stop),
        }
    }

    /// Whether the program does again what an earlier attempt has paid for.
    fn repeats(&self) -> bool {
        !(self.recorded.is_empty() && self.repeated.is_empty())
    }

    /// How long the last turn took, where all is told again and it was out of time then.
    fn was_late(&self) -> Option<Duration> {
        let last = self.repeated.last().filter(|_| self.recorded.is_empty())?;
        let is_late = last.step.end == Some(ExecEnd::TimedOut);
        is_late.then(|| Duration::from_millis(last.step.own_ms()))
    }

    fn patience(&self) -> Duration {
        match self.repeats() {
            false => self.acting.left,
            true => self.was_late().unwrap_or(self.acting.orders.config.episode.timeout),
        }
    }

    /// Waits for the program, on its own time. What it does again has been counted.
    async fn next(&mut self) -> Result<ProgramEvent, Fault> {
        let (repeats, left, mut call) = (self.repeats(), self.patience(), None);
        let was_late = self.was_late();
        let Self { acting, visits, delays, open, .. } = self;
        let own_time = delays.stopwatch();
        let wanted = async { call = Some(own_time.within(left, visits.recv()).await) };
        let attended = acting.lease.sandbox().wait_for_command(pin!(wanted)).await?;
        if !repeats {
            acting.left = acting.left.saturating_sub(own_time.elapsed());
        }
        if let Some(open) = open {
            open.worked += own_time.elapsed();
        }
        match (attended, call) {
            (CommandStatus::Ended(report), _) => {
                self.look(report.scan.clone());
                Ok(ProgramEvent::Ended(Box::new(report)))
            }
            (CommandStatus::Running(scan), Some(Ok(Some(call)))) => {
                self.look(scan);
                Ok(ProgramEvent::Asks(call))
            }
            (CommandStatus::Running(_), Some(Err(_))) if repeats && was_late.is_none() => {
                let what = "the agent takes longer than an episode for what it did before";
                Err(Fault::new(FaultKind::ReplayDiffers, what))
            }
            (CommandStatus::Running(scan), Some(Err(_))) => {
                // The guest tells each change once.
                self.look(scan);
                Ok(ProgramEvent::OutOfTime)
            }
            (CommandStatus::Running(_), _) => {
                Err(Fault::new(FaultKind::ActorGone, "nobody lets the agent ask any more"))
            }
        }
    }

    /// Takes over the state that the program has made.
    fn look(&mut self, scan: Option<WorkspaceScan>) {
        let Some(scan) = scan else { return };
        self.changed |= self.acting.apply_scan(&scan);
        self.changes.extend(scan.changes);
        self.changes.truncate(WorkspaceScan::MAX_FILES);
    }

    /// One call. Why the episode is over, where it is.
    async fn visited(&mut self, call: AgentCall) -> Result<Option<StopReason>, Fault> {
        let AgentCall { request, leave } = call;
        if leave.is_closed() {
            // It has left while another one was on its way.
            return Ok(None);
        }
        self.ensure_repeats(&request)?;
        self.record_open_turn(Some(&request), None).await?;
        if !self.recorded.is_empty() {
            self.replay_answer(leave);
            return Ok(None);
        }
        let index = self.acting.turns.len() as u32;
        if let Some((stop, why)) = self.is_over(index) {
            leave.send(CallDecision::Over(why)).ok();
            return Ok(Some(stop));
        }
        let is_opening = index == 0 || !same_conversation(&self.acting.history, &request.messages);
        self.acting.standing.enter_phase(AttemptPhase::Acting { turn: index });
        let (heard, hears) = oneshot::channel();
        let (model, retry, limit) =
            (self.acting.model.clone(), self.number, self.acting.call_limit());
        let before = self.acting.state.clone();
        leave
            .send(CallDecision::Ask(AdmittedCall { turn: index, retry, model, limit, heard }))
            .ok();
        match hears.await {
            Ok(heard) => self.heard(heard, request, is_opening, before),
            // It has left before it was let out.
            Err(_) => {
                self.hung_up = true;
                Ok(None)
            }
        }
    }

    fn is_over(&self, index: u32) -> Option<(StopReason, String)> {
        let limits = &self.acting.orders.config.episode;
        if index >= limits.max_turns {
            let why = format!("the episode has had its {} turns", limits.max_turns);
            return Some((StopReason::StepLimit, why));
        }
        let why = || "the episode has had its time".to_owned();
        self.acting.left.is_zero().then(|| (StopReason::TimeLimit, why()))
    }

    /// What came of a call.
    fn heard(
        &mut self,
        heard: AgentCallResult,
        request: Arc<ChatRequest>,
        is_opening: bool,
        before: StepState,
    ) -> Result<Option<StopReason>, Fault> {
        self.tries += heard.tries;
        self.number += heard.numbers;
        self.cost = self.cost.saturating_add(heard.cost);
        self.failed = self.failed.saturating_add(heard.failed);
        match heard.reply.clone() {
            Ok(reply) => {
                self.acting.left = self.acting.left.saturating_sub(heard.took);
                self.acting.model.clone_from(&heard.model);
                self.trouble = None;
                self.number = 0;
                let worked = Duration::ZERO;
                self.open = Some(OpenTurn { request, is_opening, before, heard, reply, worked });
                Ok(None)
            }
            Err(fault) => match fault.kind.policy().agent_call() {
                FailedCallEffect::Ends => fault.stop_after(self.acting.turns.len()).map(Some),
                FailedCallEffect::Left => {
                    self.hung_up = true;
                    Ok(None)
                }
                FailedCallEffect::Told => {
                    self.trouble = Some(fault);
                    Ok(None)
                }
            },
        }
    }
}
