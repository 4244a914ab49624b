//! The turns of an external agent: a program in the sandbox that calls its model itself. Each of
//! its calls is a turn.
//!
//! ```text
//!                     ┌────────────── its program runs ◄──────────────┐
//!                     │ calls               │ ends, is out of time     │ answered
//!                     ▼                     ▼                          │
//!   the turn before is complete: scanned, measured, durable ─► call is made, or replayed
//!                     │                     │
//!                     │ no turn, no money   └──► why it ended
//!                     └──► stopped ─────────────────┘
//! ```
//! A call comes from the gateway as an [`AgentCall`]. This file decides whether it may be made. The
//! result of a turn is known only at the next call: it is what the program tells its model next,
//! and what the workspace is by then. So an answered call stays an [`OpenTurn`] until the next
//! call, or until the program ends. Only one call is made at a time, so the trajectory is a line.
//!
//! If the task has stages, the program is started once for each of them, with the instruction of the
//! stage, in the workspace as it is by then. It ends a stage when it ends with exit code 0, or with one
//! call more than the stage has turns. Everything else ends the episode, as it does for native agents.
//! A program that ends without a turn in a later stage has failed: it does not hand in what it was
//! never asked.
//!
//! `lifecycle.rs` starts the program and reads its end, `turn.rs` completes a turn, and `replay.rs`
//! answers from the record of an earlier attempt.

mod lifecycle;
mod replay;
mod turn;

use super::active_attempt::{ActiveAttempt, StoppedAttempt};
use super::phase::AttemptPhase;
use super::stage_progress::AfterTurn;
use crate::agent_access::{AdmittedCall, AgentCall, AgentCallResult, CallDecision, GatewayDelays};
use crate::model::{
    AgentProgram, ChatReply, ChatRequest, CommandStatus, ExecEnd, ExecReport, FailedCallEffect,
    Fault, FaultKind, Money, StepState, StopReason, Turn, WorkspaceChange, WorkspaceScan,
};
use crate::policy::same_conversation;
use lifecycle::{ProgramSession, idle};
use std::collections::VecDeque;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// The most calls of one turn that are sent and not answered. Then the attempt ends. A call that is
/// not answered may cost its whole hold, and neither `max_turns` nor the agent's time may count it.
/// So a program that asks again without a pause would spend the whole budget. The libraries of
/// clients ask two or three times by themselves.
const MOST_UNANSWERED: u32 = 5;

/// The state of an attempt whose agent is a program. It wraps an [`ActiveAttempt`], which has the
/// sandbox, the conversation and the turns.
pub(super) struct ExternalAttempt<'a> {
    acting: ActiveAttempt<'a>,
    program: &'a AgentProgram,
    /// The session of the program that runs now, or ran last.
    session: ProgramSession,
    /// The time in which the gateway keeps calls waiting. It is not the program's time.
    delays: GatewayDelays,
    /// Turns of an earlier attempt whose answers are still to be given again.
    recorded: VecDeque<Turn>,
    /// Turns whose answers were given again. They are recorded when the last one has repeated.
    repeated: Vec<Turn>,
    /// The last answered call. What it led to is not known yet.
    open: Option<OpenTurn>,
    /// The fault of the last call, if the program was told of it and may go on. None after an
    /// answer.
    trouble: Option<Fault>,
    /// The program has at some time closed a call before its answer.
    hung_up: bool,
    /// Calls that were sent since the last answer, and were not answered.
    unanswered: u32,
    /// Tries of calls since the last recorded turn.
    tries: u32,
    /// The number of the next try within the turn.
    number: u32,
    /// The cost of those tries.
    cost: Money,
    /// The time of those tries that failed. It is not the agent's time.
    failed: Duration,
    /// The time of those tries whose answers the program did not wait for. It is the agent's time.
    abandoned: Duration,
    /// File changes since the last recorded turn.
    changes: Vec<WorkspaceChange>,
    /// Whether the workspace differs since the potential was measured.
    changed: bool,
}

/// A call that was answered. It becomes a turn when it is known what it led to.
struct OpenTurn {
    request: Arc<ChatRequest>,
    /// The request is not the conversation that the last turn left, so the turn records it whole.
    is_opening: bool,
    /// The state of the workspace when the call was made.
    before: StepState,
    result: AgentCallResult,
    reply: ChatReply,
    /// How long the program has worked since the answer. Its waiting for the gateway does not
    /// count.
    worked: Duration,
}

/// What the program does next.
enum ProgramEvent {
    /// The program has ended.
    Ended(Box<ExecReport>),
    /// The program calls its model.
    Asks(AgentCall),
    /// The agent's time is over while the program runs.
    OutOfTime,
}

impl<'a> ExternalAttempt<'a> {
    /// Starts the program and serves its calls until it ends or is stopped; again for each stage of
    /// the task. The session ends before the work is verified. `recorded` are the turns of an earlier
    /// attempt.
    pub(super) async fn run(
        mut acting: ActiveAttempt<'a>,
        program: &'a AgentProgram,
        recorded: Vec<Turn>,
    ) -> Result<StoppedAttempt, Fault> {
        let delays = GatewayDelays::default();
        let (services, orders) = (acting.services, acting.orders);
        let session = ProgramSession::open(services, orders, program, delays.clone()).await?;
        session.connect(&mut acting, program).await?;
        session.start(&mut acting, program).await?;
        let mut hosting = Self {
            acting,
            program,
            session,
            delays,
            recorded: recorded.into(),
            repeated: Vec::new(),
            open: None,
            trouble: None,
            hung_up: false,
            unanswered: 0,
            tries: 0,
            number: 0,
            cost: Money::ZERO,
            failed: Duration::ZERO,
            abandoned: Duration::ZERO,
            changes: Vec::new(),
            changed: false,
        };
        let stop = hosting.serve().await?;
        let Self { acting, session, .. } = hosting;
        drop(session);
        let ActiveAttempt { turns, lease, fingerprint, stages, .. } = acting;
        Ok(StoppedAttempt { stop, turns, lease, fingerprint, stages })
    }

    /// Serves the program in one stage after the other, until there is a reason to stop.
    async fn serve(&mut self) -> Result<StopReason, Fault> {
        loop {
            if let AfterTurn::Stops(stop) = self.serve_program().await? {
                return Ok(stop);
            }
            if let Some(stop) = self.next_stage().await? {
                return Ok(stop);
            }
        }
    }

    /// Serves the program until it ends, or until there is a reason to stop it. Returns what follows,
    /// which is never that the program goes on.
    async fn serve_program(&mut self) -> Result<AfterTurn, Fault> {
        loop {
            let after = match self.next().await? {
                ProgramEvent::Ended(report) => return self.after_end(&report).await,
                ProgramEvent::OutOfTime => AfterTurn::Stops(StopReason::TimeLimit),
                ProgramEvent::Asks(call) => self.decide_call(call).await?,
            };
            if after != AfterTurn::GoesOn {
                let report = self.acting.lease.sandbox().stop().await?;
                self.look(report.scan.clone());
                self.record_open_turn(None, Some(&report)).await?;
                return self.out_of(after, &report);
            }
        }
    }

    /// Verifies the stage that has ended, or takes its verdict over from the record. Then it starts the
    /// program with the next instruction and a session of its own, so that no call of the program
    /// before counts in this stage. Returns the reason to stop if the episode has no turn or no time
    /// left.
    async fn next_stage(&mut self) -> Result<Option<StopReason>, Fault> {
        if let Some(turn) = self.recorded.front() {
            let stage = turn.step.stage.as_deref();
            if !self.acting.stages.is_before(stage) {
                let what = "the stage has ended sooner than before";
                return Err(Fault::new(FaultKind::ReplayDiffers, what));
            }
            self.acting.stages.resume(stage);
        } else {
            Box::pin(self.acting.end_stage()).await?;
            if let Some((stop, _)) = self.is_over(self.acting.turns.len() as u32) {
                return Ok(Some(stop));
            }
        }
        let (services, orders) = (self.acting.services, self.acting.orders);
        let opening = ProgramSession::open(services, orders, self.program, self.delays.clone());
        self.session = opening.await?;
        self.session.start(&mut self.acting, self.program).await?;
        Ok(None)
    }

    /// What follows when the program was stopped, or the fault that hides behind it. If the time ran
    /// out while the model did not answer, the agent has not failed: the fault of the last call is
    /// returned. A program that made no turn in all its time is no agent, so it is not judged.
    fn out_of(&mut self, after: AfterTurn, report: &ExecReport) -> Result<AfterTurn, Fault> {
        let turns = self.acting.turns.len();
        match self.trouble.take() {
            _ if after != AfterTurn::Stops(StopReason::TimeLimit) => Ok(after),
            None if turns == 0 => Err(idle(report, &self.session.token, self.hung_up)),
            Some(fault) if turns == 0 || fault.kind.stop_reason().is_none() => {
                fault.stop_after(turns).map(AfterTurn::Stops)
            }
            _ => Ok(after),
        }
    }

    /// Whether the program still repeats what an earlier attempt has paid for.
    fn repeats(&self) -> bool {
        !(self.recorded.is_empty() && self.repeated.is_empty())
    }

    /// How long the last recorded turn took, if all answers were given again and the earlier
    /// program ran out of time then. The repeated program gets the same time.
    fn was_late(&self) -> Option<Duration> {
        let last = self.repeated.last().filter(|_| self.recorded.is_empty())?;
        let is_late = last.step.end() == Some(&ExecEnd::TimedOut);
        is_late.then(|| Duration::from_millis(last.step.own_ms()))
    }

    /// How long to wait for the next call. While the program repeats, the whole `[episode] timeout`
    /// applies, or the time of [`Self::was_late`], because that time has been counted already.
    fn patience(&self) -> Duration {
        match self.repeats() {
            false => self.acting.left,
            true => self.was_late().unwrap_or(self.acting.orders.config.episode.timeout),
        }
    }

    /// Waits until the program calls, ends, or is out of time. The wait counts as the program's own
    /// time, except for delays of the gateway, and except for what it repeats.
    async fn next(&mut self) -> Result<ProgramEvent, Fault> {
        let (repeats, left, mut call) = (self.repeats(), self.patience(), None);
        let was_late = self.was_late();
        let Self { acting, session, delays, open, .. } = self;
        let own_time = delays.stopwatch();
        let wanted = async { call = Some(own_time.within(left, session.visits.recv()).await) };
        let attended = acting.lease.sandbox().wait_for_command(pin!(wanted)).await?;
        // What the program repeats was counted when it was recorded.
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
            // The program repeats and has not called for a whole timeout: it does something else
            // than before.
            (CommandStatus::Running(_), Some(Err(_))) if repeats && was_late.is_none() => {
                let what = "the agent takes longer than an episode for what it did before";
                Err(Fault::new(FaultKind::ReplayDiffers, what))
            }
            (CommandStatus::Running(scan), Some(Err(_))) => {
                // The guest reports each change only once, so this scan counts as well.
                self.look(scan);
                Ok(ProgramEvent::OutOfTime)
            }
            (CommandStatus::Running(_), _) => {
                Err(Fault::new(FaultKind::ActorGone, "nobody lets the agent ask any more"))
            }
        }
    }

    /// Takes over a workspace scan. The list of changes keeps at most `WorkspaceScan::MAX_FILES`.
    fn look(&mut self, scan: Option<WorkspaceScan>) {
        let Some(scan) = scan else { return };
        self.changed |= self.acting.apply_scan(&scan);
        self.changes.extend(scan.changes);
        self.changes.truncate(WorkspaceScan::MAX_FILES);
    }

    /// Decides about one call. Returns whether the program goes on.
    ///
    /// The order matters. The last turn is completed and durable before the next call is made, so a
    /// call is never paid for while the record lacks the one before it.
    async fn decide_call(&mut self, call: AgentCall) -> Result<AfterTurn, Fault> {
        let AgentCall { request, decision } = call;
        if decision.is_closed() {
            // The program has closed this call while another one was in progress.
            self.hung_up = true;
            return Ok(AfterTurn::GoesOn);
        }
        // While answers are given again, another request than the recorded one ends the attempt.
        self.ensure_repeats(&request)?;
        self.record_open_turn(Some(&request), None).await?;
        let after = self.acting.stages.after_turn(None);
        if after != AfterTurn::GoesOn {
            let why = "this part of the work has had its turns".to_owned();
            decision.send(CallDecision::Over(why)).ok();
            return Ok(after);
        }
        if !self.recorded.is_empty() {
            self.replay_answer(decision);
            return Ok(AfterTurn::GoesOn);
        }
        if let Some((stop, why)) = self.is_over(self.acting.turns.len() as u32) {
            decision.send(CallDecision::Over(why)).ok();
            return Ok(AfterTurn::Stops(stop));
        }
        let stop = self.make_call(request, decision).await?;
        Ok(stop.map_or(AfterTurn::GoesOn, AfterTurn::Stops))
    }

    /// Lets the gateway make a call and takes its result over. Returns the stop reason if the episode
    /// is over.
    async fn make_call(
        &mut self,
        request: Arc<ChatRequest>,
        decision: oneshot::Sender<CallDecision>,
    ) -> Result<Option<StopReason>, Fault> {
        let index = self.acting.turns.len() as u32;
        // If the program has begun a new conversation or cut the old one, the whole request is
        // recorded.
        let is_opening = self.acting.stages.is_fresh()
            || !same_conversation(&self.acting.history, &request.messages);
        self.acting.attempt_state.enter_phase(AttemptPhase::Acting { turn: index });
        // The gateway reports on this channel before the program sees its answer. If it drops the
        // sender, no call was made.
        let (result, received) = oneshot::channel();
        let (model, retry, limit) =
            (self.acting.model.clone(), self.number, self.acting.call_limit());
        let before = self.acting.state.clone();
        decision
            .send(CallDecision::Ask(AdmittedCall { turn: index, retry, model, limit, result }))
            .ok();
        match received.await {
            Ok(result) => self.take_result(result, request, is_opening, before),
            // The gateway dropped the permission: the program had closed the call before it was
            // made.
            Err(_) => {
                self.hung_up = true;
                Ok(None)
            }
        }
    }

    /// The stop reason, with a text for the program, if the episode has had its turns or its time.
    fn is_over(&self, index: u32) -> Option<(StopReason, String)> {
        let limits = &self.acting.orders.config.episode;
        if index >= limits.max_turns {
            let why = format!("the episode has had its {} turns", limits.max_turns);
            return Some((StopReason::StepLimit, why));
        }
        let why = || "the episode has had its time".to_owned();
        self.acting.left.is_zero().then(|| (StopReason::TimeLimit, why()))
    }

    /// Takes over the result of a call. An answer becomes the open turn. In every case the tries,
    /// the cost and the time of the failed tries count towards the next recorded turn.
    fn take_result(
        &mut self,
        result: AgentCallResult,
        request: Arc<ChatRequest>,
        is_opening: bool,
        before: StepState,
    ) -> Result<Option<StopReason>, Fault> {
        self.tries += result.tries;
        self.number += result.numbers;
        self.cost = self.cost.saturating_add(result.cost);
        match result.reply.clone() {
            Ok(reply) => {
                self.failed = self.failed.saturating_add(result.failed);
                self.acting.left = self.acting.left.saturating_sub(result.took);
                self.acting.model.clone_from(&result.model);
                self.trouble = None;
                (self.number, self.unanswered) = (0, 0);
                let worked = Duration::ZERO;
                self.open = Some(OpenTurn { request, is_opening, before, result, reply, worked });
                Ok(None)
            }
            Err(fault) => self.failed_call(&result, fault),
        }
    }

    /// Takes over a call without an answer. The kind of its fault says whether the attempt ends,
    /// the program hung up, or the program is told and goes on. After [`MOST_UNANSWERED`] such
    /// calls the attempt ends in any case: with the last fault that the program was told of, or
    /// else because it hung up.
    fn failed_call(
        &mut self,
        result: &AgentCallResult,
        fault: Fault,
    ) -> Result<Option<StopReason>, Fault> {
        // A call that was not sent costs nothing.
        self.unanswered += u32::from(result.tries > 0);
        let effect = fault.kind.policy().agent_call();
        match effect {
            FailedCallEffect::Left => self.leave_call(result.failed),
            _ => self.failed = self.failed.saturating_add(result.failed),
        }
        let reason = match effect {
            FailedCallEffect::Ends => fault,
            FailedCallEffect::Told => self.trouble.insert(fault).clone(),
            FailedCallEffect::Left => self.trouble.clone().unwrap_or(fault),
        };
        if effect != FailedCallEffect::Ends && self.unanswered < MOST_UNANSWERED {
            return Ok(None);
        }
        reason.stop_after(self.acting.turns.len()).map(Some)
    }

    /// The program has closed a call before its answer. The time of the call was its own.
    fn leave_call(&mut self, lost: Duration) {
        self.hung_up = true;
        self.acting.left = self.acting.left.saturating_sub(lost);
        self.abandoned = self.abandoned.saturating_add(lost);
    }
}
