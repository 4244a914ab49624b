//! The turns of a native agent. Each turn asks the model, reads the actions of the reply, runs them
//! through the tools, and records the turn. It goes on until there is a reason to stop.
//!
//! ```text
//!  ask (router) ─► parse (scaffold) ─► actions (tools, sandbox) ─► milestones ─► record ─► ask …
//!                                                  a stage of the task has ended: verify ─┘
//! ```
//! The turn that ends a stage records the next instruction as its last message, before the stage is
//! verified. So nothing is asked for again if the verification fails.

use super::actions::{ActionLimits, PerformedAction, run_action};
use super::active_attempt::{ActiveAttempt, StoppedAttempt, failed_ms, millis};
use super::changes::changes_of;
use super::phase::AttemptPhase;
use super::replay_match::matches_recorded;
use super::stage_progress::AfterTurn;
use crate::agent::{FormatError, RequestedAction, Scaffold, Toolbox, next_instruction, opened};
use crate::model::{
    ActionType, ChatMessage, ChatReply, ChatRequest, Fault, FaultKind, FinishReason, Step,
    StepAction, StepState, StopReason, Turn, TurnAction, WorkspaceScan, joined_observation,
};
use crate::pool::SandboxLease;
use crate::ports::{CallContext, ScriptContext};
use crate::router::{ModelAnswer, ModelCall};
use crate::work::EngineServices;
use crate::work::trajectory::orders::{AttemptOrders, AttemptState};
use std::sync::Arc;
use std::time::Duration;

/// The state of an attempt whose agent is a scaffold.
pub(super) struct NativeAttempt<'a> {
    acting: ActiveAttempt<'a>,
    scaffold: Arc<dyn Scaffold>,
    /// The tools, with what they remember of the attempt.
    tools: Toolbox,
    /// Replies in a row that could not be read.
    malformed: u32,
}

/// What came of one reply.
struct ReplyResult {
    actions: Vec<TurnAction>,
    /// The messages that answer the reply in the conversation.
    messages: Vec<ChatMessage>,
    /// The workspace after each operation that reported it.
    scans: Vec<WorkspaceScan>,
    /// None if the agent goes on.
    stop: Option<StopReason>,
}

impl<'a> NativeAttempt<'a> {
    /// Replays the recorded turns, and goes on from there until the agent stops.
    pub(super) async fn run(
        services: &'a EngineServices,
        orders: &'a AttemptOrders,
        attempt_state: &'a AttemptState,
        lease: SandboxLease,
        scaffold: &Arc<dyn Scaffold>,
        recorded: Vec<Turn>,
    ) -> Result<StoppedAttempt, Fault> {
        let history = opened(&orders.config, &**scaffold, &orders.task);
        let acting = ActiveAttempt::begin(services, orders, attempt_state, lease, history).await?;
        let (scaffold, tools) = (scaffold.clone(), scaffold.tools());
        let mut attempt = Self { acting, scaffold, tools, malformed: 0 };
        if !recorded.is_empty() {
            attempt.replay(recorded).await?;
        }
        attempt.act().await
    }

    /// Runs the recorded actions again and takes the turns over. All turns are recorded at once at
    /// the end. If the attempt dies before, it has no turns, and the record of the earlier attempt
    /// stays the newest one.
    ///
    /// Fails with `ReplayDiffers` if an observation is not what it was.
    async fn replay(&mut self, recorded: Vec<Turn>) -> Result<(), Fault> {
        // The conversation goes on as it was begun, even if the prompts have changed since.
        if let Some(opening) = recorded.first().and_then(|turn| turn.opening.as_ref()) {
            self.acting.history.clone_from(&opening.messages);
        }
        for turn in &recorded {
            self.acting
                .attempt_state
                .enter_phase(AttemptPhase::Replaying { turn: turn.step.index });
            self.acting.stages.resume(turn.step.stage.as_deref());
            if turn.ran().next().is_some() && !self.repeats(turn).await? {
                let differs = format!("turn {} does not repeat", turn.step.index);
                return Err(Fault::new(FaultKind::ReplayDiffers, differs));
            }
            self.acting.resume_from(turn);
            self.acting.stages.count_turn();
            // Unreadable replies of the earlier attempt count towards the limit.
            let bad = turn.step.kind() == ActionType::Malformed;
            self.malformed = if bad { self.malformed + 1 } else { 0 };
        }
        self.acting.record(recorded).await
    }

    /// Runs the actions of a recorded turn that ran then. Returns whether they gave the same
    /// observation again.
    async fn repeats(&mut self, turn: &Turn) -> Result<bool, Fault> {
        let Ok(calls) = self.scaffold.parse(&turn.reply) else { return Ok(false) };
        let ran = turn.ran().count();
        let mut observed = Vec::new();
        for (at, call) in calls.iter().enumerate() {
            if at < ran {
                let done = self.run_call(call, self.acting.left).await?;
                for scan in &done.scans {
                    self.acting.apply_scan(scan);
                }
                observed.push(done.action.observation);
            } else {
                observed.push(self.not_run().to_owned());
            }
        }
        let found = joined_observation(observed.iter().map(String::as_str));
        Ok(matches_recorded(&turn.step.observation(), &found))
    }

    /// Takes turns until there is a reason to stop.
    async fn act(mut self) -> Result<StoppedAttempt, Fault> {
        // The recorded turns may have ended the episode, or a stage of the task.
        let recorded = self.acting.stages.after_turn(self.stop_in_record());
        let mut stop = self.follow(recorded).await?;
        while stop.is_none() {
            let index = self.acting.turns.len() as u32;
            if index >= self.acting.orders.config.episode.max_turns {
                stop = Some(StopReason::StepLimit);
            } else if self.acting.left.is_zero() {
                stop = Some(StopReason::TimeLimit);
            } else {
                self.acting.attempt_state.enter_phase(AttemptPhase::Acting { turn: index });
                stop = self.turn(index).await?;
            }
        }
        let stop = stop.unwrap_or(StopReason::StepLimit);
        let ActiveAttempt { turns, lease, fingerprint, stages, .. } = self.acting;
        Ok(StoppedAttempt { stop, turns, lease, fingerprint, stages })
    }

    /// Does what follows a turn that is recorded. Returns the reason to stop, if there is one.
    async fn follow(&mut self, after: AfterTurn) -> Result<Option<StopReason>, Fault> {
        match after {
            AfterTurn::GoesOn => Ok(None),
            AfterTurn::Stops(stop) => Ok(Some(stop)),
            AfterTurn::NextStage => Box::pin(self.acting.end_stage()).await.map(|()| None),
        }
    }

    /// The message with the instruction of the next stage of the task.
    fn next_instruction(&self) -> Option<ChatMessage> {
        let next = self.acting.stages.next_part()?;
        Some(next_instruction(&self.acting.orders.config, &*self.scaffold, &next))
    }

    /// What the model sees in place of the observation of an action that did not run.
    fn not_run(&self) -> &'static str {
        match self.acting.stages.has_next() {
            true => self.scaffold.not_run_in_stage(),
            false => self.scaffold.not_run(),
        }
    }

    /// Why the last recorded turn ended the episode. None if it did not, or there is no turn.
    fn stop_in_record(&self) -> Option<StopReason> {
        let last = self.acting.turns.last()?;
        match last.step.kind() {
            ActionType::Submit => Some(StopReason::Submitted),
            ActionType::Refusal => Some(StopReason::Refused),
            ActionType::Malformed => self.patience_spent(last.reply.finish),
            ActionType::ToolCall | ActionType::Message => None,
        }
    }

    /// The stop reason if too many replies in a row could not be read. It is `Truncated` if the
    /// last one was cut by its output limit, else `Malformed`.
    fn patience_spent(&self, finish: FinishReason) -> Option<StopReason> {
        let cut = finish == FinishReason::Length;
        let stop = if cut { StopReason::Truncated } else { StopReason::Malformed };
        (self.malformed >= self.malformed_limit()).then_some(stop)
    }

    /// The number of unreadable replies in a row that ends an episode.
    fn malformed_limit(&self) -> u32 {
        self.acting.orders.config.episode.malformed_in_a_row
    }

    /// Takes one turn. Returns the reason to stop, if there is one. A fault of the call that the
    /// agent caused, such as a conversation that is too long, is a stop reason as well.
    async fn turn(&mut self, index: u32) -> Result<Option<StopReason>, Fault> {
        let called = match self.ask(index).await {
            Ok(called) => called,
            // A fault that the agent caused is a stop reason. Every other fault ends the attempt.
            Err(fault) => return fault.stop_after(self.acting.turns.len()).map(Some),
        };
        self.acting.left = self.acting.left.saturating_sub(called.took);
        self.acting.model.clone_from(&called.model);
        // The step records the state in which the model chose its actions.
        let before = self.acting.state.clone();
        let mut result = self.perform(&called.reply).await?;
        let mut changed = false;
        for scan in &result.scans {
            changed |= self.acting.apply_scan(scan);
        }
        // Milestones can change only if files have changed.
        if changed || self.acting.is_unmeasured {
            self.acting.evaluate_milestones().await?;
        }
        self.acting.stages.count_turn();
        let after = self.acting.stages.after_turn(result.stop);
        if after == AfterTurn::NextStage {
            result.messages.extend(self.next_instruction());
        }
        let turn = self.assemble(index, before, called, result);
        self.acting.record(vec![turn]).await?;
        self.follow(after).await
    }

    /// Asks the model through the router, which limits, pays, retries and records the call.
    async fn ask(&mut self, index: u32) -> Result<ModelAnswer, Fault> {
        let orders = self.acting.orders;
        self.acting
            .services
            .router
            .call(ModelCall {
                campaign: orders.plan.campaign.clone(),
                attempt: orders.attempt,
                model: self.acting.model.clone(),
                request: Arc::new(self.scaffold.request(&self.acting.history)),
                sample: orders.plan.id.sample(),
                context: CallContext {
                    episode: orders.plan.id.clone(),
                    script: Some(ScriptContext {
                        task: orders.task.clone(),
                        scaffold: self.scaffold.clone(),
                    }),
                    turn: index,
                    retry: 0,
                    recorder: Default::default(),
                },
                limit: self.acting.call_limit(),
            })
            .await
    }

    /// Parses a reply and runs what it asks for. A reply that cannot be read is no fault: the agent
    /// is told and may go on.
    async fn perform(&mut self, reply: &ChatReply) -> Result<ReplyResult, Fault> {
        if reply.finish == FinishReason::Refusal {
            return Ok(refusal(reply));
        }
        match self.scaffold.parse(reply) {
            Ok(calls) => {
                self.malformed = 0;
                self.run_calls(&calls).await
            }
            Err(error) => Ok(self.misread(reply, &error)),
        }
    }

    /// Runs the actions of a reply in their order, until one submits the work or the agent's time
    /// is up. The first action always runs. The others are answered as not run.
    async fn run_calls(&mut self, calls: &[RequestedAction]) -> Result<ReplyResult, Fault> {
        let mut result = ReplyResult {
            actions: Vec::new(),
            messages: Vec::new(),
            scans: Vec::new(),
            stop: None,
        };
        for call in calls {
            let is_over =
                result.stop.is_some() || (self.acting.left.is_zero() && !result.actions.is_empty());
            if is_over {
                result.actions.push(self.left_out(call));
                continue;
            }
            let done = self.run_call(call, self.acting.left).await?;
            self.acting.left = self.acting.left.saturating_sub(done.took);
            result.stop = done.submits.then_some(StopReason::Submitted);
            result.scans.extend(done.scans);
            result.actions.push(done.action);
        }
        result.messages = self.scaffold.answer(&result.actions);
        Ok(result)
    }

    /// Runs one action. `left` is the agent's time.
    async fn run_call(
        &mut self,
        call: &RequestedAction,
        left: Duration,
    ) -> Result<PerformedAction, Fault> {
        let operation = self.acting.orders.spec.limits.command_timeout;
        let limits = ActionLimits { operation, left };
        let sandbox = self.acting.lease.sandbox();
        let done = run_action(sandbox, &mut self.tools, call, limits).await?;
        if let Some(cwd) = &done.cwd {
            self.acting.state.cwd.clone_from(cwd);
        }
        Ok(done)
    }

    /// An action behind the one that ended the episode.
    fn left_out(&self, call: &RequestedAction) -> TurnAction {
        let mut action = call.action.clone();
        action.kind = ActionType::ToolCall;
        TurnAction {
            call_id: call.call_id.clone(),
            observation: self.not_run().to_owned(),
            ..TurnAction::unrun(action)
        }
    }

    /// The result of a reply that could not be read: the scaffold's correction goes to the model.
    fn misread(&mut self, reply: &ChatReply, error: &FormatError) -> ReplyResult {
        self.malformed += 1;
        let stop = self.patience_spent(reply.finish);
        let correction = self.scaffold.correct(reply, error);
        let action = StepAction {
            kind: ActionType::Malformed,
            tool: error.tool.clone(),
            arguments: error.arguments.clone(),
        };
        let action = TurnAction {
            observation: correction.text,
            error: Some(error.reason.clone()),
            ..TurnAction::unrun(action)
        };
        ReplyResult {
            actions: vec![action],
            messages: correction.messages,
            scans: Vec::new(),
            stop,
        }
    }

    /// Puts the record of a turn together. `state` is the state in which the model chose its
    /// actions. Only the first turn has the whole request: a later one is that request and the
    /// messages of the turns since.
    fn assemble(
        &mut self,
        index: u32,
        state: StepState,
        called: ModelAnswer,
        result: ReplyResult,
    ) -> Turn {
        let mut messages = vec![called.reply.message.clone()];
        messages.extend(result.messages);
        let step = Step {
            index,
            state,
            actions: result.actions,
            reasoning: called.reply.message.thoughts(),
            potential: self.acting.potential,
            milestones: self.acting.held.clone(),
            usage: called.reply.usage,
            cost: called.cost,
            model_ms: Some(millis(called.took.saturating_add(called.failed))),
            failed_ms: failed_ms(called.failed),
            stage: self.acting.stages.step_stage(),
        };
        let first = || Box::new(ChatRequest::clone(&called.request));
        let opening = (index == 0).then(first);
        let planned = &self.acting.orders.plan.model;
        Turn {
            step,
            reply: called.reply,
            messages,
            changes: changes_of(&result.scans),
            calls: called.tries,
            model: Some(called.model).filter(|model| model != planned),
            opening,
        }
    }
}

/// The result of a reply in which the model declines: the episode stops.
fn refusal(reply: &ChatReply) -> ReplyResult {
    let why = match reply.is_silent_refusal() {
        true => "a filter of the provider declined, without a word of the model".to_owned(),
        false => format!("the model declined: {}", reply.message.content),
    };
    let action =
        TurnAction { error: Some(why), ..TurnAction::unrun(StepAction::bare(ActionType::Refusal)) };
    ReplyResult {
        actions: vec![action],
        messages: Vec::new(),
        scans: Vec::new(),
        stop: Some(StopReason::Refused),
    }
}
