//! An attempt whose agent acts: what native and external agents share. It has the sandbox, the
//! conversation, the turns so far, and what is left of the agent's time. `native_agent.rs` and
//! `external_agent/` take the turns.
//!
//! A turn is durable before the next model call, so a paid reply is never lost.

use super::milestones::MilestoneSandbox;
use super::orders::{AttemptOrders, AttemptState};
use super::stage_progress::StageProgress;
use super::verify;
use crate::judge::engine_commands::ensure_exited;
use crate::model::{
    ChatMessage, ExecRequest, Fault, JournalEntry, SandboxFingerprint, StepState, StopReason, Turn,
    WorkspaceScan,
};
use crate::pool::SandboxLease;
use crate::work::EngineServices;
use std::time::Duration;

/// The time that a model has for a reply at least, however little is left of the agent's time. A
/// shorter `[episode] timeout` goes before.
const PATIENCE: Duration = Duration::from_secs(60);

/// An attempt whose agent has stopped. The sandbox still has the final workspace.
pub(super) struct StoppedAttempt {
    pub(super) stop: StopReason,
    /// All turns, the replayed ones included.
    pub(super) turns: Vec<Turn>,
    pub(super) lease: SandboxLease,
    pub(super) fingerprint: SandboxFingerprint,
    pub(super) stages: StageProgress,
}

/// An attempt whose agent acts.
pub(super) struct ActiveAttempt<'a> {
    pub(super) services: &'a EngineServices,
    pub(super) orders: &'a AttemptOrders,
    pub(super) attempt_state: &'a AttemptState,
    pub(super) lease: SandboxLease,
    /// The sandbox in which milestones are measured.
    milestones: MilestoneSandbox,
    pub(super) fingerprint: SandboxFingerprint,
    /// The conversation so far, as the next request builds on it.
    pub(super) history: Vec<ChatMessage>,
    /// The turns so far, in order.
    pub(super) turns: Vec<Turn>,
    /// How far it is in the stages of the task.
    pub(super) stages: StageProgress,
    /// The working directory and the files, as the last command left them.
    pub(super) state: StepState,
    /// The digest of the last workspace scan. Another digest means that files have changed.
    seen: u64,
    /// The milestone potential after the last turn, or after the last one that could be measured.
    pub(super) potential: f64,
    /// The names of the milestones that the potential was measured with. None if a recorded turn does
    /// not tell them.
    pub(super) held: Option<Vec<String>>,
    /// The last measurement failed, so the next turn measures again.
    pub(super) is_unmeasured: bool,
    /// The model to ask: the one that answered last, or the planned one before the first answer.
    pub(super) model: String,
    /// What is left of the agent's time. Its model calls and its commands use it up. The engine's
    /// own waiting does not. A resumed attempt goes on with what was left.
    pub(super) left: Duration,
}

impl<'a> ActiveAttempt<'a> {
    /// Looks at the fresh sandbox with an empty command, for the first scan of its files.
    /// `history` opens the conversation.
    pub(super) async fn begin(
        services: &'a EngineServices,
        orders: &'a AttemptOrders,
        attempt_state: &'a AttemptState,
        mut lease: SandboxLease,
        history: Vec<ChatMessage>,
    ) -> Result<Self, Fault> {
        let look = ExecRequest {
            command: ":".to_owned(),
            session: true,
            timeout: Duration::from_secs(30),
            scan: true,
            output_kept: None,
            joined: false,
        };
        let first = ensure_exited(lease.sandbox().exec(&look).await?)?;
        let fingerprint = lease.sandbox().fingerprint().clone();
        let scan = first.scan.unwrap_or_default();
        Ok(Self {
            services,
            orders,
            attempt_state,
            lease,
            milestones: milestone_sandbox(services, orders),
            fingerprint,
            history,
            turns: Vec::new(),
            stages: StageProgress::new(&orders.task),
            state: StepState { cwd: orders.task.workspace().to_owned(), files: scan.files },
            seen: scan.digest,
            potential: 0.0,
            held: Some(Vec::new()),
            is_unmeasured: false,
            model: orders.plan.model.clone(),
            left: orders.config.episode.timeout,
        })
    }

    /// Takes over what a recorded turn left: the used time, the milestones and the model.
    pub(super) fn resume_from(&mut self, turn: &Turn) {
        self.left = self.left.saturating_sub(Duration::from_millis(turn.step.own_ms()));
        self.potential = turn.step.potential;
        self.held.clone_from(&turn.step.milestones);
        // The record does not say whether the last measurement failed.
        self.is_unmeasured = true;
        // A turn without a model was answered by the planned one, perhaps after another one.
        self.model.clone_from(turn.model.as_ref().unwrap_or(&self.orders.plan.model));
    }

    /// How long a call may take. A silent provider is never the agent's fault. So a call that
    /// begins before the agent's time is up has [`PATIENCE`] at least, or the whole `[episode]
    /// timeout` if that is less. A reply that comes after the agent's time still counts as a turn.
    pub(super) fn call_limit(&self) -> Duration {
        self.left.max(PATIENCE.min(self.orders.config.episode.timeout))
    }

    /// Takes over a workspace scan. Returns whether it differs from the last one.
    pub(super) fn apply_scan(&mut self, scan: &WorkspaceScan) -> bool {
        let changed = scan.digest != self.seen;
        self.seen = scan.digest;
        self.state.files.clone_from(&scan.files);
        changed
    }

    /// Measures the milestone potential of the workspace as it is now. If that fails, the last
    /// potential stands, because the agent has lost nothing by it.
    pub(super) async fn evaluate_milestones(&mut self) -> Result<(), Fault> {
        let before = self.stages.own_names(self.held.as_deref().unwrap_or_default());
        let (task, live) = (self.stages.part(), self.lease.sandbox());
        let measured = self.milestones.evaluate(task, live, &before).await?;
        self.is_unmeasured = measured.is_none();
        if let Some(measured) = measured {
            self.potential = self.stages.potential(measured.potential);
            self.held = Some(self.stages.full_names(measured.held));
        }
        Ok(())
    }

    /// Verifies the present stage of the task over the workspace as it is now, and enters the next
    /// stage. The agent's time stands still. Err means that a sandbox failed: the attempt has no
    /// verdict over the stage, so it ends.
    pub(super) async fn end_stage(&mut self) -> Result<(), Fault> {
        // The sandboxes of the measurements go first: an attempt has at most three.
        self.milestones = milestone_sandbox(self.services, self.orders);
        let EngineServices { pool, pause_slot, .. } = self.services;
        let (task, spec) = (self.stages.part(), &self.orders.checking);
        let live = self.lease.sandbox();
        let verdict = verify::verify_live(pool, task, spec, *pause_slot, live).await?;
        self.stages.enter_next(verdict);
        // The milestones of the next stage are others. None of them is measured yet.
        self.potential = self.stages.earned();
        self.held = Some(Vec::new());
        self.is_unmeasured = false;
        Ok(())
    }

    /// Records turns and adds their messages to the conversation. Returns when the turns are
    /// durable, so that the next paid call comes after that.
    pub(super) async fn record(&mut self, turns: Vec<Turn>) -> Result<(), Fault> {
        self.history.extend(turns.iter().flat_map(|turn| turn.messages.iter().cloned()));
        self.append_turns(turns).await
    }

    /// Records turns whose messages the conversation has already.
    pub(super) async fn append_turns(&mut self, turns: Vec<Turn>) -> Result<(), Fault> {
        let entry = |turn: &Turn| JournalEntry::TurnTaken {
            episode: self.orders.plan.id.clone(),
            attempt: self.orders.attempt,
            turn: Box::new(turn.clone()),
        };
        let entries = turns.iter().map(entry).collect();
        turns.into_iter().for_each(|turn| keep_openings(&mut self.turns, turn));
        self.services.collector.record(entries).await
    }
}

/// The place in which the milestones of an attempt are measured.
fn milestone_sandbox(services: &EngineServices, orders: &AttemptOrders) -> MilestoneSandbox {
    MilestoneSandbox::new(services.pool.clone(), orders.checking.clone(), services.pause_slot)
}

/// Adds a turn. The journal gets whole requests. In memory only the first turn and the newest one
/// that has a request keep theirs, because requests would add up: a row is made of these two.
fn keep_openings(turns: &mut Vec<Turn>, turn: Turn) {
    if turn.opening.is_some() {
        turns.iter_mut().skip(1).for_each(|earlier| earlier.opening = None);
    }
    turns.push(turn);
}

/// The time of failed tries in milliseconds. None if no try failed.
pub(super) fn failed_ms(failed: Duration) -> Option<u64> {
    (!failed.is_zero()).then(|| millis(failed))
}

/// Whole milliseconds.
pub(super) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        ActionType, ChatReply, ChatRequest, ChatRole, FinishReason, Money, Step, StepAction,
        TurnAction, Usage,
    };

    fn turn(index: u32, opens: bool) -> Turn {
        let message = ChatMessage::text(ChatRole::Assistant, "");
        let request = ChatRequest {
            messages: vec![ChatMessage::text(ChatRole::User, index.to_string())],
            tools: Vec::new(),
            max_output_tokens: 1,
            settings: Default::default(),
        };
        Turn {
            step: Step {
                index,
                state: StepState::default(),
                actions: vec![TurnAction::unrun(StepAction::bare(ActionType::Message))],
                reasoning: String::new(),
                potential: 0.0,
                milestones: None,
                usage: Usage::default(),
                cost: Money::ZERO,
                model_ms: None,
                failed_ms: None,
                stage: None,
            },
            reply: ChatReply::new(message, FinishReason::Stop, Usage::default()),
            messages: Vec::new(),
            changes: Vec::new(),
            calls: 1,
            model: None,
            opening: opens.then(|| Box::new(request)),
        }
    }

    /// A row of the turns in memory must be the row of the turns in the journal: both need the first
    /// request and the newest one.
    #[test]
    fn the_first_and_the_newest_request_stay_in_memory() {
        let mut turns = Vec::new();
        for (index, opens) in [true, false, true, false, true, false].into_iter().enumerate() {
            keep_openings(&mut turns, turn(index as u32, opens));
        }
        let kept: Vec<u32> = turns
            .iter()
            .filter(|turn| turn.opening.is_some())
            .map(|turn| turn.step.index)
            .collect();
        assert_eq!(kept, [0, 4]);
    }
}
