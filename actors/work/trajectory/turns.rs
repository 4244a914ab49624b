//! The turns of a native agent. Each turn asks the model, parses the reply, runs the commands,
//! observes the result and records the turn. It goes on until there is a reason to stop.
//!
//! ```text
//!  ask (router) ─► parse (scaffold) ─► run (sandbox) ─► observe ─► milestones ─► record ─► ask …
//! ```
//! A turn is durable before the next model call, so a paid reply is never lost. External agents use
//! the same [`ActiveAttempt`] for state and records, but take their turns in `external_agent`.

use super::changes::changes_of;
use super::engine_commands::ensure_exited;
use super::milestones::MilestoneSandbox;
use super::orders::{AttemptOrders, AttemptState};
use super::phase::AttemptPhase;
use super::replay_match::matches_recorded;
use crate::model::{
    ActionType, ChatMessage, ChatReply, ChatRequest, ExecEnd, ExecReport, ExecRequest, Fault,
    FaultKind, FinishReason, JournalEntry, SandboxFingerprint, Step, StepAction, StepState,
    StopReason, Turn, WORKSPACE, WorkspaceScan,
};
use crate::pool::SandboxLease;
use crate::ports::{CallContext, ScriptContext};
use crate::router::{ModelAnswer, ModelCall};
use crate::scaffold::{FormatError, ParsedAction, observe_calls, opened};
use crate::work::EngineServices;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

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
}

/// An attempt whose agent acts.
pub(super) struct ActiveAttempt<'a> {
    pub(super) world: &'a EngineServices,
    pub(super) orders: &'a AttemptOrders,
    pub(super) standing: &'a AttemptState,
    pub(super) lease: SandboxLease,
    /// The sandbox in which milestones are measured.
    beside: MilestoneSandbox,
    pub(super) fingerprint: SandboxFingerprint,
    /// The conversation so far, as the next request builds on it.
    pub(super) history: Vec<ChatMessage>,
    /// The turns so far, in order.
    pub(super) turns: Vec<Turn>,
    /// The working directory and the files, as the last command left them.
    pub(super) state: StepState,
    /// The digest of the last workspace scan. Another digest means that files have changed.
    seen: u64,
    /// The milestone potential after the last turn, or after the last one that could be measured.
    pub(super) potential: f64,
    /// The last measurement failed, so the next turn measures again.
    pub(super) is_unmeasured: bool,
    /// Replies in a row that could not be read.
    malformed: u32,
    /// The model to ask: the one that answered last, or the planned one before the first answer.
    pub(super) model: String,
    /// What is left of the agent's time. Its model calls and its commands use it up. The engine's
    /// own waiting does not. A resumed attempt goes on with what was left.
    pub(super) left: Duration,
}

/// What came of one reply.
struct ActionResult {
    action: StepAction,
    /// The commands that ran, in order.
    commands: Vec<String>,
    /// One report for each of `commands`.
    reports: Vec<ExecReport>,
    /// The time of all commands together.
    took: Duration,
    observation: String,
    /// The messages that answer the reply in the conversation.
    messages: Vec<ChatMessage>,
    /// What went wrong, for the step: an unreadable reply, a refusal, a killed command.
    error: Option<String>,
    /// None if the agent goes on.
    stop: Option<StopReason>,
}

impl<'a> ActiveAttempt<'a> {
    /// Looks at the fresh sandbox with an empty command, for the first scan of its files, and opens
    /// the conversation.
    pub(super) async fn begin(
        world: &'a EngineServices,
        orders: &'a AttemptOrders,
        standing: &'a AttemptState,
        mut lease: SandboxLease,
    ) -> Result<Self, Fault> {
        let look = ExecRequest {
            command: ":".to_owned(),
            session: true,
            timeout: Duration::from_secs(30),
            scan: true,
        };
        let first = ensure_exited(lease.sandbox().exec(&look).await?)?;
        let fingerprint = lease.sandbox().fingerprint().clone();
        let scan = first.scan.unwrap_or_default();
        Ok(Self {
            world,
            orders,
            standing,
            lease,
            beside: MilestoneSandbox::new(world.pool.clone(), orders.checking.clone()),
            fingerprint,
            history: opened(&orders.config, &*orders.scaffold, &orders.task),
            turns: Vec::new(),
            state: StepState { cwd: WORKSPACE.to_owned(), files: scan.files },
            seen: scan.digest,
            potential: 0.0,
            is_unmeasured: false,
            malformed: 0,
            model: orders.plan.model.clone(),
            left: orders.config.episode.timeout,
        })
    }

    /// Runs the recorded commands again and takes the turns over. All turns are recorded at once at
    /// the end. If the attempt dies before, it has no turns, and the record of the earlier attempt
    /// stays the newest one.
    ///
    /// Fails with `ReplayDiffers` if an observation is not what it was.
    pub(super) async fn replay(&mut self, recorded: Vec<Turn>) -> Result<(), Fault> {
        // The conversation goes on as it was begun, even if the prompts have changed since.
        if let Some(opening) = recorded.first().and_then(|turn| turn.opening.as_ref()) {
            self.history.clone_from(&opening.messages);
        }
        for turn in &recorded {
            self.standing.enter_phase(AttemptPhase::Replaying { turn: turn.step.index });
            let mut reports = Vec::new();
            for command in turn.commands() {
                let (report, _) = self.execute(command, self.left).await?;
                self.look(&report);
                reports.push(report);
            }
            if !reports.is_empty() && !self.is_repeated(turn, &reports) {
                let differs = format!("turn {} does not repeat", turn.step.index);
                return Err(Fault::new(FaultKind::ReplayDiffers, differs));
            }
            self.resume_from(turn);
            // Unreadable replies of the earlier attempt count towards the limit.
            let bad = turn.step.action.kind == ActionType::Malformed;
            self.malformed = if bad { self.malformed + 1 } else { 0 };
        }
        self.record(recorded).await
    }

    /// Whether the commands of a recorded turn have given the same observation again.
    fn is_repeated(&self, turn: &Turn, reports: &[ExecReport]) -> bool {
        let scaffold = self.orders.scaffold.as_ref();
        scaffold.parse(&turn.reply).is_ok_and(|action| {
            matches_recorded(
                &turn.step.observation,
                &observe_calls(scaffold, &action, reports).text,
            )
        })
    }

    /// Takes over what a recorded turn left: the used time, the potential and the model.
    pub(super) fn resume_from(&mut self, turn: &Turn) {
        self.left = self.left.saturating_sub(Duration::from_millis(turn.step.own_ms()));
        self.potential = turn.step.potential;
        // A turn without a model was answered by the planned one, perhaps after another one.
        self.model.clone_from(turn.model.as_ref().unwrap_or(&self.orders.plan.model));
    }

    /// Takes turns until there is a reason to stop.
    pub(super) async fn act(mut self) -> Result<StoppedAttempt, Fault> {
        // The recorded turns may have ended the episode already.
        let mut stop = self.stop_in_record();
        while stop.is_none() {
            let index = self.turns.len() as u32;
            if index >= self.orders.config.episode.max_turns {
                stop = Some(StopReason::StepLimit);
            } else if self.left.is_zero() {
                stop = Some(StopReason::TimeLimit);
            } else {
                self.standing.enter_phase(AttemptPhase::Acting { turn: index });
                stop = self.turn(index).await?;
            }
        }
        let stop = stop.unwrap_or(StopReason::StepLimit);
        Ok(StoppedAttempt {
            stop,
            turns: self.turns,
            lease: self.lease,
            fingerprint: self.fingerprint,
        })
    }

    /// Why the last recorded turn ended the episode. None if it did not, or there is no turn.
    fn stop_in_record(&self) -> Option<StopReason> {
        let last = self.turns.last()?;
        match last.step.action.kind {
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
        self.orders.config.episode.malformed_in_a_row
    }

    /// Takes one turn. Returns the reason to stop, if there is one. A fault of the call that the
    /// agent caused, such as a conversation that is too long, is a stop reason as well.
    async fn turn(&mut self, index: u32) -> Result<Option<StopReason>, Fault> {
        let called = match self.ask(index).await {
            Ok(called) => called,
            // A fault that the agent caused is a stop reason. Every other fault ends the attempt.
            Err(fault) => return fault.stop_after(self.turns.len()).map(Some),
        };
        self.left = self.left.saturating_sub(called.took);
        self.model.clone_from(&called.model);
        // The step records the state in which the model chose its action.
        let before = self.state.clone();
        let deed = self.perform(&called.reply).await?;
        self.left = self.left.saturating_sub(deed.took);
        let mut changed = false;
        for report in &deed.reports {
            changed |= self.look(report);
        }
        // Milestones can change only if files have changed.
        if changed || self.is_unmeasured {
            self.evaluate_milestones().await?;
        }
        let stop = deed.stop;
        let turn = self.assemble(index, before, called, deed);
        self.record(vec![turn]).await?;
        Ok(stop)
    }

    /// How long a call may take. A silent provider is never the agent's fault. So a call that
    /// begins before the agent's time is up has [`PATIENCE`] at least, or the whole `[episode]
    /// timeout` if that is less. A reply that comes after the agent's time still counts as a turn.
    pub(super) fn call_limit(&self) -> Duration {
        self.left.max(PATIENCE.min(self.orders.config.episode.timeout))
    }

    /// Asks the model through the router, which limits, pays, retries and records the call.
    async fn ask(&mut self, index: u32) -> Result<ModelAnswer, Fault> {
        let orders = self.orders;
        self.world
            .router
            .call(ModelCall {
                campaign: orders.plan.campaign.clone(),
                attempt: orders.attempt,
                model: self.model.clone(),
                request: Arc::new(orders.scaffold.request(&self.history)),
                sample: orders.plan.id.sample(),
                context: CallContext {
                    episode: orders.plan.id.clone(),
                    stage: Some(ScriptContext {
                        task: orders.task.clone(),
                        scaffold: orders.scaffold.clone(),
                    }),
                    turn: index,
                    retry: 0,
                    witness: Default::default(),
                },
                limit: self.call_limit(),
            })
            .await
    }

    /// Parses a reply and runs what it asks for. A reply that cannot be read is no fault: the agent
    /// is told and may go on.
    async fn perform(&mut self, reply: &ChatReply) -> Result<ActionResult, Fault> {
        if reply.finish == FinishReason::Refusal {
            return Ok(refusal(reply));
        }
        match self.orders.scaffold.parse(reply) {
            Ok(action) => {
                self.malformed = 0;
                self.run(action).await
            }
            Err(error) => Ok(self.malformed(reply, &error)),
        }
    }

    /// Runs the commands of a parsed reply.
    async fn run(&mut self, action: ParsedAction) -> Result<ActionResult, Fault> {
        let (reports, took) = self.run_calls(&action).await?;
        let observed = observe_calls(self.orders.scaffold.as_ref(), &action, &reports);
        let mut recorded = action.recorded();
        // The output decides whether the work was submitted. The parser only guessed from the
        // command.
        if observed.submitted {
            recorded.kind = ActionType::Submit;
        } else if recorded.kind == ActionType::Submit {
            recorded.kind = ActionType::ToolCall;
        }
        let ran = action.calls().take(reports.len());
        Ok(ActionResult {
            action: recorded,
            commands: ran.map(|call| call.command.clone()).collect(),
            observation: observed.text,
            messages: observed.messages,
            error: reports.iter().find_map(failure),
            stop: observed.submitted.then_some(StopReason::Submitted),
            reports,
            took,
        })
    }

    /// Runs the calls of a reply in their order, until one submits the work or the agent's time is
    /// up. The first call always runs.
    async fn run_calls(
        &mut self,
        action: &ParsedAction,
    ) -> Result<(Vec<ExecReport>, Duration), Fault> {
        let (mut reports, mut took) = (Vec::new(), Duration::ZERO);
        for call in action.calls() {
            let left = self.left.saturating_sub(took);
            if left.is_zero() && !reports.is_empty() {
                break;
            }
            let (report, time) = self.execute(&call.command, left).await?;
            took = took.saturating_add(time);
            let is_last = self.orders.scaffold.observe(call, &report).submitted;
            reports.push(report);
            if is_last {
                break;
            }
        }
        Ok((reports, took))
    }

    /// The result of a reply that could not be read: the scaffold's correction goes to the model.
    fn malformed(&mut self, reply: &ChatReply, error: &FormatError) -> ActionResult {
        self.malformed += 1;
        let stop = self.patience_spent(reply.finish);
        let observed = self.orders.scaffold.correct(reply, error);
        ActionResult {
            action: StepAction {
                kind: ActionType::Malformed,
                tool: error.tool.clone(),
                arguments: error.arguments.clone(),
            },
            commands: Vec::new(),
            reports: Vec::new(),
            took: Duration::ZERO,
            observation: observed.text,
            messages: observed.messages,
            error: Some(error.reason.clone()),
            stop,
        }
    }

    /// Runs a command of the agent in its shell session, and says how long it took. Its timeout is
    /// what is left of the agent's time, but one second at least, and never more than the sandbox's
    /// limit.
    async fn execute(
        &mut self,
        command: &str,
        left: Duration,
    ) -> Result<(ExecReport, Duration), Fault> {
        let limit = self.orders.spec.limits.command_timeout;
        let request = ExecRequest {
            command: command.to_owned(),
            session: true,
            timeout: limit.min(left.max(Duration::from_secs(1))),
            scan: true,
        };
        let started = Instant::now();
        let report = self.lease.sandbox().exec(&request).await?;
        Ok((report, started.elapsed()))
    }

    /// Takes over the working directory and the files that a command left. Returns whether files
    /// have changed.
    fn look(&mut self, report: &ExecReport) -> bool {
        self.state.cwd.clone_from(&report.cwd);
        report.scan.as_ref().is_some_and(|scan| self.apply_scan(scan))
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
        let measured = self.beside.potential(&self.orders.task, self.lease.sandbox()).await?;
        self.is_unmeasured = measured.is_none();
        self.potential = measured.unwrap_or(self.potential);
        Ok(())
    }

    /// Puts the record of a turn together. `state` is the state in which the model chose its
    /// action. Only the first turn has the whole request: a later one is that request and the
    /// messages of the turns since.
    fn assemble(
        &self,
        index: u32,
        state: StepState,
        called: ModelAnswer,
        deed: ActionResult,
    ) -> Turn {
        let mut messages = vec![called.reply.message.clone()];
        messages.extend(deed.messages);
        let cut = |report: &ExecReport| report.stdout.truncated() || report.stderr.truncated();
        let mut commands = deed.commands.into_iter();
        let step = Step {
            index,
            state,
            action: deed.action,
            observation: deed.observation,
            reasoning: called.reply.message.thoughts(),
            potential: self.potential,
            end: deed.reports.last().map(|report| report.end.clone()),
            error: deed.error,
            truncated: deed.reports.iter().any(cut),
            usage: called.reply.usage,
            cost: called.cost,
            duration_ms: millis(deed.took),
            model_ms: Some(millis(called.took.saturating_add(called.failed))),
            failed_ms: failed_ms(called.failed),
        };
        let first = || Box::new(ChatRequest::clone(&called.request));
        let opening = (index == 0).then(first);
        Turn {
            step,
            reply: called.reply,
            messages,
            command: commands.next(),
            more_commands: commands.collect(),
            changes: changes_of(&deed.reports),
            calls: called.tries,
            model: Some(called.model).filter(|model| *model != self.orders.plan.model),
            opening,
        }
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
        self.world.collector.record(entries).await
    }
}

/// Adds a turn. The journal gets whole requests. In memory only the first turn and the newest one
/// that has a request keep theirs, because requests would add up: a row is made of these two.
fn keep_openings(turns: &mut Vec<Turn>, turn: Turn) {
    if turn.opening.is_some() {
        turns.iter_mut().skip(1).for_each(|earlier| earlier.opening = None);
    }
    turns.push(turn);
}

/// The result of a reply in which the model declines: the episode stops.
fn refusal(reply: &ChatReply) -> ActionResult {
    ActionResult {
        action: StepAction {
            kind: ActionType::Refusal,
            tool: String::new(),
            arguments: "{}".to_owned(),
        },
        commands: Vec::new(),
        reports: Vec::new(),
        took: Duration::ZERO,
        observation: String::new(),
        messages: Vec::new(),
        error: Some(match reply.is_silent_refusal() {
            true => "a filter of the provider declined, without a word of the model".to_owned(),
            false => format!("the model declined: {}", reply.message.content),
        }),
        stop: Some(StopReason::Refused),
    }
}

/// The time of failed tries in milliseconds. None if no try failed.
pub(super) fn failed_ms(failed: Duration) -> Option<u64> {
    (!failed.is_zero()).then(|| millis(failed))
}

/// Whole milliseconds.
pub(super) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// What went wrong with a command. None for a command that exited by itself, whatever its exit
/// code.
fn failure(report: &ExecReport) -> Option<String> {
    (!matches!(report.end, ExecEnd::Exited(_))).then(|| describe(report))
}

/// The end of a command in words, for example `killed by signal 9`.
pub(super) fn describe(report: &ExecReport) -> String {
    match &report.end {
        ExecEnd::Exited(code) => format!("exit code {code}"),
        ExecEnd::Signaled(signal) => format!("killed by signal {signal}"),
        ExecEnd::TimedOut => "timeout".to_owned(),
        ExecEnd::CpuLimit => "processor time limit".to_owned(),
        ExecEnd::OutOfMemory => "out of memory".to_owned(),
        ExecEnd::OutputLimit => "output limit".to_owned(),
        ExecEnd::NotStarted(why) => format!("not started: {why}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ChatRole, Money, Usage};

    fn turn(index: u32, opens: bool) -> Turn {
        let message = ChatMessage::text(ChatRole::Assistant, "");
        let request = ChatRequest {
            messages: vec![ChatMessage::text(ChatRole::User, index.to_string())],
            tools: Vec::new(),
            max_output_tokens: 1,
            settings: Default::default(),
        };
        let action = StepAction {
            kind: ActionType::Message,
            tool: String::new(),
            arguments: "{}".to_owned(),
        };
        Turn {
            step: Step {
                index,
                state: StepState::default(),
                action,
                observation: String::new(),
                reasoning: String::new(),
                potential: 0.0,
                end: None,
                error: None,
                truncated: false,
                usage: Usage::default(),
                cost: Money::ZERO,
                duration_ms: 0,
                model_ms: None,
                failed_ms: None,
            },
            reply: ChatReply::new(message, FinishReason::Stop, Usage::default()),
            messages: Vec::new(),
            command: None,
            more_commands: Vec::new(),
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
