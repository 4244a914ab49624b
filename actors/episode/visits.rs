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

use super::own::tail;
use super::phase::Phase;
use super::repeat::repeats;
use super::turns::{Acting, Played, describe};
use crate::agents::{Errand, Heard, Leave, Visit, Visitor};
use crate::model::{
    ActionType, AgentProgram, Attended, Change, ChatReply, ChatRequest, ExecEnd, ExecReport,
    ExecRequest, Fault, FaultKind, HostAddress, Message, Money, Network, Scan, Step, StepState,
    StopReason, Turn,
};
use crate::policy::{goes_on, says_as, since, told};
use crate::ports::Stage;
use crate::scaffold::External;
use std::collections::VecDeque;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout};

/// The guest ends nothing of itself before the engine does.
const WEEK: Duration = Duration::from_secs(7 * 24 * 3_600);
/// A value of an environment may be no longer.
const MOST_INSTRUCTION: usize = 90 << 10;

/// An attempt whose agent is a program.
pub(super) struct Hosting<'a> {
    acting: Acting<'a>,
    visits: mpsc::Receiver<Visit>,
    /// What an earlier attempt was told, to be told again.
    recorded: VecDeque<Turn>,
    /// Turns that are told again, until all of them are.
    repeated: Vec<Turn>,
    /// What was answered, and has led to nothing known yet.
    open: Option<Open>,
    /// What the last call failed with.
    trouble: Option<Fault>,
    /// Of calls that failed since the last reply.
    tries: u32,
    cost: Money,
    changes: Vec<Change>,
    changed: bool,
}

/// A turn that was answered.
struct Open {
    request: Arc<ChatRequest>,
    is_opening: bool,
    before: StepState,
    heard: Heard,
    reply: ChatReply,
    since: Instant,
}

enum Next {
    Ended(Box<ExecReport>),
    Asks(Visit),
    OutOfTime,
}

impl<'a> Hosting<'a> {
    /// Lets the program in, runs it to its end, and says how it ended.
    pub(super) async fn host(
        mut acting: Acting<'a>,
        program: &AgentProgram,
        recorded: Vec<Turn>,
    ) -> Result<Played, Fault> {
        let orders = acting.orders;
        let (calls, visits) = mpsc::channel(1);
        let admission = acting.world.agents.admit(Visitor {
            campaign: orders.plan.campaign.clone(),
            episode: orders.plan.id.clone(),
            attempt: orders.attempt,
            model: orders.plan.model.clone(),
            config: orders.config.clone(),
            stage: Stage { task: orders.task.clone(), scaffold: orders.scaffold.clone() },
            max_output_tokens: program.max_output_tokens,
            calls,
        });
        let admission = admission.await?;
        start(&mut acting, program, admission.to.clone(), &admission.token).await?;
        let mut hosting = Self {
            acting,
            visits,
            recorded: recorded.into(),
            repeated: Vec::new(),
            open: None,
            trouble: None,
            tries: 0,
            cost: Money::ZERO,
            changes: Vec::new(),
            changed: false,
        };
        let stop = hosting.serve().await?;
        drop(admission);
        let Acting { turns, lease, fingerprint, .. } = hosting.acting;
        Ok(Played { stop, turns, lease, fingerprint })
    }

    async fn serve(&mut self) -> Result<StopReason, Fault> {
        loop {
            let stop = match self.next().await? {
                Next::Ended(report) => return self.ended(&report).await,
                Next::OutOfTime => Some(StopReason::TimeLimit),
                Next::Asks(visit) => self.visited(visit).await?,
            };
            if let Some(stop) = stop {
                let report = self.acting.lease.sandbox().stop().await?;
                self.look(report.scan.clone());
                self.conclude(None, Some(&report)).await?;
                return Ok(stop);
            }
        }
    }

    /// Waits for the program, on its own time. What is told again takes what it took.
    async fn next(&mut self) -> Result<Next, Fault> {
        let Self { acting, visits, recorded, .. } = self;
        let (started, left, mut visit) = (Instant::now(), acting.left, None);
        let wanted = async { visit = Some(timeout(left, visits.recv()).await) };
        let attended = acting.lease.sandbox().attend(pin!(wanted)).await?;
        if recorded.is_empty() {
            acting.left = acting.left.saturating_sub(started.elapsed());
        }
        match (attended, visit) {
            (Attended::Ended(report), _) => {
                self.look(report.scan.clone());
                Ok(Next::Ended(Box::new(report)))
            }
            (Attended::Running(scan), Some(Ok(Some(visit)))) => {
                self.look(scan);
                Ok(Next::Asks(visit))
            }
            (Attended::Running(_), Some(Err(_))) => Ok(Next::OutOfTime),
            (Attended::Running(_), _) => {
                Err(Fault::new(FaultKind::ActorGone, "nobody lets the agent ask any more"))
            }
        }
    }

    /// Takes over the state that the program has made.
    fn look(&mut self, scan: Option<Scan>) {
        let Some(scan) = scan else { return };
        self.changed |= self.acting.see(&scan);
        self.changes.extend(scan.changes);
        self.changes.truncate(Scan::MAX_FILES);
    }

    /// One call. Why the episode is over, where it is.
    async fn visited(&mut self, visit: Visit) -> Result<Option<StopReason>, Fault> {
        let Visit { request, leave } = visit;
        self.must_repeat(&request)?;
        self.conclude(Some(&request), None).await?;
        let index = (self.acting.turns.len() + self.repeated.len()) as u32;
        if let Some((stop, why)) = self.is_over(index) {
            leave.send(Leave::Over(why)).ok();
            return Ok(Some(stop));
        }
        let is_opening = index == 0 || !goes_on(&self.acting.history, &request.messages);
        if let Some(turn) = self.recorded.pop_front() {
            self.tell_again(turn, leave);
            return Ok(None);
        }
        self.acting.standing.become_phase(Phase::Acting { turn: index });
        let (heard, hears) = oneshot::channel();
        let (model, retry) = (self.acting.model.clone(), self.tries);
        let before = self.acting.state.clone();
        leave.send(Leave::Ask(Errand { turn: index, retry, model, heard })).ok();
        match hears.await {
            Ok(heard) => self.heard(heard, request, is_opening, before),
            // The client has left before anybody was asked.
            Err(_) => Ok(None),
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
        heard: Heard,
        request: Arc<ChatRequest>,
        is_opening: bool,
        before: StepState,
    ) -> Result<Option<StopReason>, Fault> {
        self.tries += heard.tries;
        self.cost = self.cost.saturating_add(heard.cost);
        match heard.reply.clone() {
            Ok(reply) => {
                self.acting.left = self.acting.left.saturating_sub(heard.took);
                self.acting.model.clone_from(&heard.model);
                self.trouble = None;
                let since = Instant::now();
                self.open = Some(Open { request, is_opening, before, heard, reply, since });
                Ok(None)
            }
            Err(fault) => match fault.kind {
                FaultKind::EpisodeBudget => Ok(Some(StopReason::CostLimit)),
                kind if is_of_all(kind) => Err(fault),
                _ => {
                    self.trouble = Some(fault);
                    Ok(None)
                }
            },
        }
    }

    /// While answers are told again, the questions must be what they were: so must what the
    /// last of them has led to.
    fn must_repeat(&self, request: &ChatRequest) -> Result<(), Fault> {
        let repeats = match (self.recorded.front(), self.repeated.last()) {
            (Some(Turn { opening: Some(opening), .. }), _) => {
                repeat(&opening.messages, &request.messages)
            }
            (Some(_), _) => repeat(&self.acting.history, &request.messages),
            (None, Some(last)) => {
                let then = last.messages.get(1..).unwrap_or_default();
                repeat(then, since(&last.reply.message, &request.messages))
            }
            (None, None) => true,
        };
        let index = self.repeated.len();
        let differs = || format!("call {index} does not repeat");
        repeats.then_some(()).ok_or_else(|| Fault::new(FaultKind::ReplayDiffers, differs()))
    }

    /// An earlier attempt has paid for this answer.
    fn tell_again(&mut self, turn: Turn, leave: oneshot::Sender<Leave>) {
        self.acting.standing.become_phase(Phase::Replaying { turn: turn.step.index });
        if let Some(opening) = &turn.opening {
            self.acting.history.clone_from(&opening.messages);
        }
        leave.send(Leave::Told(Box::new(turn.reply.clone()))).ok();
        self.acting.resume_from(&turn);
        self.acting.history.extend(turn.messages.iter().cloned());
        self.repeated.push(turn);
    }

    /// What the last answer has led to, durable before the next one is paid for.
    async fn conclude(
        &mut self,
        next: Option<&ChatRequest>,
        end: Option<&ExecReport>,
    ) -> Result<(), Fault> {
        if !self.repeated.is_empty() && self.recorded.is_empty() {
            let repeated = std::mem::take(&mut self.repeated);
            self.acting.keep(repeated).await?;
        }
        let Some(open) = self.open.take() else { return Ok(()) };
        if std::mem::take(&mut self.changed) {
            self.acting.potential = self.acting.evaluate_milestones().await?;
        }
        let new = next.map_or(&[][..], |next| since(&open.reply.message, &next.messages));
        let mut messages = vec![open.reply.message.clone()];
        messages.extend(new.iter().cloned());
        if open.is_opening {
            self.acting.history.clone_from(&open.request.messages);
        }
        let opening = open.is_opening.then(|| Box::new((*open.request).clone()));
        let turn = Turn {
            step: self.step(&open, told(new), end),
            messages,
            command: None,
            changes: std::mem::take(&mut self.changes),
            calls: std::mem::take(&mut self.tries),
            model: Some(open.heard.model).filter(|model| *model != self.acting.orders.plan.model),
            reply: open.reply,
            opening,
        };
        self.acting.record(vec![turn]).await
    }

    fn step(&mut self, open: &Open, observation: String, end: Option<&ExecReport>) -> Step {
        let mut action = External::action(&open.reply);
        let handed_in = end.is_some_and(|report| report.end == ExecEnd::Exited(0));
        if handed_in && action.kind != ActionType::Refusal {
            action.kind = ActionType::Submit;
        }
        let took = open.heard.took.saturating_add(open.since.elapsed());
        Step {
            index: self.acting.turns.len() as u32,
            state: open.before.clone(),
            action,
            observation,
            reasoning: open.reply.message.thoughts(),
            potential: self.acting.potential,
            end: end.map(|report| report.end.clone()),
            error: end.filter(|report| !report.end.success()).map(describe),
            truncated: false,
            usage: open.reply.usage,
            cost: std::mem::replace(&mut self.cost, Money::ZERO),
            duration_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        }
    }

    /// Why the episode is over when the program is.
    async fn ended(&mut self, report: &ExecReport) -> Result<StopReason, Fault> {
        if !self.recorded.is_empty() {
            return Err(Fault::new(
                FaultKind::ReplayDiffers,
                "the agent has asked less than before",
            ));
        }
        self.conclude(None, Some(report)).await?;
        if let ExecEnd::NotStarted(why) = &report.end {
            return Err(Fault::new(
                FaultKind::SandboxLost,
                format!("the agent did not start: {why}"),
            ));
        }
        match self.trouble.take() {
            Some(fault) if fault.kind == FaultKind::ContextFull => Ok(StopReason::ContextFull),
            // It has ended because it was not answered.
            Some(fault) => Err(fault),
            None if self.acting.turns.is_empty() => Err(unused(report)),
            None if report.end.success() => Ok(StopReason::Submitted),
            None => Ok(StopReason::AgentFailed),
        }
    }
}

/// Whether a conversation is what it was, times aside.
fn repeat(then: &[Message], now: &[Message]) -> bool {
    then.len() == now.len() && then.iter().zip(now).all(|(one, other)| says_as(one, other, repeats))
}

/// What no agent can do anything about, and no other episode either.
fn is_of_all(kind: FaultKind) -> bool {
    matches!(
        kind,
        FaultKind::Budget
            | FaultKind::ModelBudget
            | FaultKind::ModelPermanent
            | FaultKind::NotRecorded
            | FaultKind::Store
            | FaultKind::StoreFull
            | FaultKind::StoreDamaged
    )
}

/// A program that asks no model is no agent, and nothing can be said of its model.
fn unused(report: &ExecReport) -> Fault {
    let said = format!("{}\n{}", report.stdout.text(), report.stderr.text());
    let what = format!(
        "the agent program ended without asking its model ({}): {}",
        describe(report),
        tail(said.trim())
    );
    Fault::new(FaultKind::AgentBroken, what)
}

/// A sandbox has one way out. Where it leads to a network, it leads to the door as well.
async fn start(
    acting: &mut Acting<'_>,
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
    let port = if has_network { Network::PORT } else { program.port };
    let variables = program.variables(task, &acting.orders.plan.model, token, port);
    let sandbox = acting.lease.sandbox();
    if !has_network {
        sandbox.tunnel(port, to).await?;
    }
    sandbox.environment(&variables).await?;
    let command = program.command.clone();
    sandbox.start(&ExecRequest { command, session: false, timeout: WEEK, scan: true }).await
}
