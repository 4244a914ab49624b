//! The state machine of one draft. It decides what comes next, and never does it: the caller performs
//! [`DraftMachine::step`] and tells what came of it.
//!
//! ```text
//!  ideating ─► building ─► gating ─► critiquing ─► solving ─► trying ─► offered
//!     ▲│         ▲ ▲│         │           │
//!     └┘         │ └┘         │           │        an answer that cannot be used is asked for again
//!                └────────────┴───────────┘        repair: with the findings of the gate or the critic
//!  any ─► given up (no round is left, or a model declined), out of budget
//! ```
//! A round is an answer that is asked for again, whatever the reason. A draft has a fixed number of them,
//! so it ends. The same answers give the same steps, so a recorded draft can be played again.

use super::draft_end::{DraftEnd, GiveUpReason, OfferedDraft, SolverResult};
use super::draft_files::DraftFiles;
use super::draft_idea::DraftIdea;
use super::draft_prompts::{self, DraftBrief};
use super::draft_review::{read_commands, read_defects};
use super::draft_role::DraftRole;
use crate::model::{ChatReply, ChatRequest, FinishReason, ScriptedMove};
use std::collections::BTreeSet;
use std::sync::Arc;

/// An idea with the files that a builder wrote for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenDraft {
    pub idea: DraftIdea,
    pub files: DraftFiles,
}

/// What the caller does next.
#[derive(Clone, Debug, PartialEq)]
pub enum DraftStep {
    /// Ask a model; then [`DraftMachine::answered`] or [`DraftMachine::out_of_budget`].
    Ask(DraftRole, Box<ChatRequest>),
    /// Prove the draft; then [`DraftMachine::gated`].
    Gate(WrittenDraft),
    /// Run a solver's commands in a fresh task; then [`DraftMachine::tried`].
    Try(WrittenDraft, Vec<ScriptedMove>),
    /// Nothing.
    End(DraftEnd),
}

/// What a builder has to repair.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct DraftRepair {
    /// The last files that could be read. None before there were any.
    pub(super) files: Option<DraftFiles>,
    /// What the gate or the critic found in them.
    pub(super) findings: Vec<String>,
    /// Why the last answer could not be used.
    pub(super) mistakes: Vec<String>,
}

/// Where a draft is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum DraftState {
    /// With the mistakes of the last answer.
    Ideating(Vec<String>),
    Building {
        idea: DraftIdea,
        repair: DraftRepair,
    },
    Gating(WrittenDraft),
    /// With the instruction of a task, and the mistakes of the last answer.
    Critiquing {
        draft: WrittenDraft,
        instruction: String,
        mistakes: Vec<String>,
    },
    Solving {
        draft: WrittenDraft,
        instruction: String,
    },
    Trying {
        draft: WrittenDraft,
        moves: Vec<ScriptedMove>,
    },
    Ended(DraftEnd),
}

/// One draft.
#[derive(Clone, Debug)]
pub struct DraftMachine {
    brief: Arc<DraftBrief>,
    /// The ids of other templates.
    taken: BTreeSet<String>,
    /// The most rounds.
    most_rounds: u32,
    /// Those that were used.
    rounds: u32,
    state: DraftState,
}

impl DraftMachine {
    /// A draft that has not begun. `taken` has the ids of other templates, and `most_rounds` is how often
    /// an answer may be asked for again.
    pub fn new(brief: Arc<DraftBrief>, taken: BTreeSet<String>, most_rounds: u32) -> Self {
        let state = DraftState::Ideating(Vec::new());
        Self { brief, taken, most_rounds, rounds: 0, state }
    }

    /// How often an answer was asked for again.
    pub fn rounds(&self) -> u32 {
        self.rounds
    }

    /// What the draft is about. None before the idea, and at the end of a draft that is not offered.
    pub fn idea(&self) -> Option<&DraftIdea> {
        match &self.state {
            DraftState::Ideating(_) => None,
            DraftState::Building { idea, .. } => Some(idea),
            DraftState::Gating(draft)
            | DraftState::Critiquing { draft, .. }
            | DraftState::Solving { draft, .. }
            | DraftState::Trying { draft, .. } => Some(&draft.idea),
            DraftState::Ended(DraftEnd::Offered(offered)) => Some(&offered.draft.idea),
            DraftState::Ended(_) => None,
        }
    }

    /// What comes next. Asking again gives the same step.
    pub fn step(&self) -> DraftStep {
        let brief = &self.brief;
        let ask = |role, request| DraftStep::Ask(role, Box::new(request));
        match &self.state {
            DraftState::Ideating(mistakes) => {
                ask(DraftRole::Ideator, draft_prompts::ideate(brief, &self.taken, mistakes))
            }
            DraftState::Building { idea, repair } => {
                ask(DraftRole::Builder, draft_prompts::build(brief, idea, repair))
            }
            DraftState::Critiquing { draft, instruction, mistakes } => {
                ask(DraftRole::Critic, draft_prompts::critique(draft, instruction, mistakes))
            }
            DraftState::Solving { instruction, .. } => {
                ask(DraftRole::Solver, draft_prompts::solve(instruction))
            }
            DraftState::Gating(draft) => DraftStep::Gate(draft.clone()),
            DraftState::Trying { draft, moves } => DraftStep::Try(draft.clone(), moves.clone()),
            DraftState::Ended(end) => DraftStep::End(end.clone()),
        }
    }

    /// Takes the answer of the model that the step names. It changes nothing if no answer was asked for.
    pub fn answered(&mut self, reply: &ChatReply) {
        self.state = match self.state.clone() {
            DraftState::Ideating(_) => self.ideated(reply),
            DraftState::Building { idea, repair } => self.built(reply, idea, repair),
            DraftState::Critiquing { draft, instruction, .. } => {
                self.criticised(reply, draft, instruction)
            }
            DraftState::Solving { draft, .. } => solved(reply, draft),
            other => other,
        };
    }

    /// Takes what the gate found, and the instruction of a task of the draft for the critic and the
    /// solver. No problem means that the draft passed.
    pub fn gated(&mut self, problems: Vec<String>, instruction: String) {
        let DraftState::Gating(draft) = self.state.clone() else { return };
        if problems.is_empty() {
            let mistakes = Vec::new();
            self.state = DraftState::Critiquing { draft, instruction, mistakes };
            return;
        }
        let reason = GiveUpReason::Unproven { problems: problems.clone() };
        self.state = self.repaired(reason, draft, problems);
    }

    /// Takes whether the solver's commands solved the task; none if they could not be tried.
    pub fn tried(&mut self, is_solved: Option<bool>) {
        let DraftState::Trying { draft, moves } = self.state.clone() else { return };
        let commands = moves.len();
        let solver = match is_solved {
            Some(true) => SolverResult::Solved { commands },
            Some(false) => SolverResult::Unsolved { commands },
            None => SolverResult::Untried,
        };
        self.state = offered(draft, solver);
    }

    /// Ends the draft, because the budget does not cover the next call.
    pub fn out_of_budget(&mut self) {
        if !matches!(self.state, DraftState::Ended(_)) {
            self.state = DraftState::Ended(DraftEnd::OutOfBudget);
        }
    }

    fn ideated(&mut self, reply: &ChatReply) -> DraftState {
        let role = DraftRole::Ideator;
        if reply.finish == FinishReason::Refusal {
            return given_up(GiveUpReason::Refused { role });
        }
        let parsed = whole(reply).and_then(|text| {
            DraftIdea::parse(text, &self.taken).map_err(|mistake| mistake.to_string())
        });
        match parsed {
            Ok(idea) => DraftState::Building { idea, repair: DraftRepair::default() },
            Err(mistake) => {
                let mistakes = vec![mistake];
                let reason = GiveUpReason::Unusable { role, mistakes: mistakes.clone() };
                self.again(reason, DraftState::Ideating(mistakes))
            }
        }
    }

    fn built(&mut self, reply: &ChatReply, idea: DraftIdea, repair: DraftRepair) -> DraftState {
        let role = DraftRole::Builder;
        if reply.finish == FinishReason::Refusal {
            return given_up(GiveUpReason::Refused { role });
        }
        let parsed = whole(reply).map_err(|mistake| vec![mistake]).and_then(|text| {
            DraftFiles::parse(text)
                .map_err(|mistakes| mistakes.iter().map(ToString::to_string).collect())
        });
        match parsed {
            Ok(files) => DraftState::Gating(WrittenDraft { idea, files }),
            Err(mistakes) => {
                let reason = GiveUpReason::Unusable { role, mistakes: mistakes.clone() };
                let repair = DraftRepair { mistakes, ..repair };
                self.again(reason, DraftState::Building { idea, repair })
            }
        }
    }

    fn criticised(
        &mut self,
        reply: &ChatReply,
        draft: WrittenDraft,
        instruction: String,
    ) -> DraftState {
        let role = DraftRole::Critic;
        if reply.finish == FinishReason::Refusal {
            return given_up(GiveUpReason::Refused { role });
        }
        let read =
            whole(reply).and_then(|text| read_defects(text).map_err(|mistake| mistake.to_string()));
        match read {
            Ok(defects) if defects.is_empty() => DraftState::Solving { draft, instruction },
            Ok(defects) => {
                let reason = GiveUpReason::Objected { defects: defects.clone() };
                self.repaired(reason, draft, defects)
            }
            Err(mistake) => {
                let mistakes = vec![mistake];
                let reason = GiveUpReason::Unusable { role, mistakes: mistakes.clone() };
                self.again(reason, DraftState::Critiquing { draft, instruction, mistakes })
            }
        }
    }

    /// Has a draft repaired, or gives it up for this reason.
    fn repaired(
        &mut self,
        reason: GiveUpReason,
        draft: WrittenDraft,
        findings: Vec<String>,
    ) -> DraftState {
        let WrittenDraft { idea, files } = draft;
        let repair = DraftRepair { files: Some(files), findings, mistakes: Vec::new() };
        self.again(reason, DraftState::Building { idea, repair })
    }

    /// Takes one more round, or gives up for this reason if none is left.
    fn again(&mut self, reason: GiveUpReason, next: DraftState) -> DraftState {
        if self.rounds >= self.most_rounds {
            return given_up(reason);
        }
        self.rounds += 1;
        next
    }
}

/// What a solver's answer leads to. It is asked once: an answer that cannot be used tells of the solver,
/// not of the draft.
fn solved(reply: &ChatReply, draft: WrittenDraft) -> DraftState {
    let is_answer = reply.finish != FinishReason::Refusal;
    let text = whole(reply).ok().filter(|_| is_answer);
    match text.map(read_commands) {
        Some(Ok(moves)) => DraftState::Trying { draft, moves },
        _ => offered(draft, SolverResult::Untried),
    }
}

fn offered(draft: WrittenDraft, solver: SolverResult) -> DraftState {
    DraftState::Ended(DraftEnd::Offered(Box::new(OfferedDraft { draft, solver })))
}

fn given_up(reason: GiveUpReason) -> DraftState {
    DraftState::Ended(DraftEnd::GivenUp(reason))
}

/// The text of an answer. Err for one that was cut.
fn whole(reply: &ChatReply) -> Result<&str, String> {
    match reply.finish {
        FinishReason::Length => {
            Err("the answer was cut at the output limit; write less".to_owned())
        }
        _ => Ok(&reply.message.content),
    }
}
