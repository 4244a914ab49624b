//! What a run of drafts says of each: as lines for people, and as JSON.

use crate::cli::template_draft::draft_gate::GateReport;
use crate::cli::terminal::output::pluralize;
use crate::cli::terminal::terminal_text::escape_controls;
use crate::error::Code;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use synthd_actors::draft::{DraftEnd, DraftIdea, GiveUpReason, OfferedDraft, SolverResult};
use synthd_actors::model::Money;

/// The most findings that are shown of a draft that was given up, and the most lines of one.
const MOST_SHOWN: usize = 6;
const MOST_LINES: usize = 8;

/// One draft that has ended.
pub(super) struct DraftRecord {
    /// Counted from one.
    pub(super) number: u32,
    /// The last idea. None if there was none.
    pub(super) idea: Option<DraftIdea>,
    pub(super) end: DraftEnd,
    /// How often an answer was asked for again.
    pub(super) rounds: u32,
    /// Answers that models gave in this run, and those from the record.
    pub(super) asked: u32,
    pub(super) replayed: u32,
    pub(super) cost: Money,
    /// What the gate found out of the last version. None if it saw none.
    pub(super) gate: Option<GateReport>,
    /// The directory of an offered draft.
    pub(super) path: Option<PathBuf>,
}

/// The code that stands for the reason of a draft that was given up.
pub(super) fn code_of(reason: &GiveUpReason) -> Code {
    match reason {
        GiveUpReason::Unusable { .. } | GiveUpReason::Refused { .. } => Code::DraftUnusable,
        GiveUpReason::Unproven { .. } | GiveUpReason::Objected { .. } => Code::NothingPassed,
    }
}

impl DraftRecord {
    pub(super) fn is_offered(&self) -> bool {
        matches!(self.end, DraftEnd::Offered(_))
    }

    /// The draft in lines of at most 80 columns, as far as ids and paths allow.
    pub(super) fn lines(&self) -> Vec<String> {
        let (rounds, cost) = (pluralize(self.rounds.into(), "repair"), self.cost);
        let calls = pluralize(u64::from(self.asked) + u64::from(self.replayed), "answer");
        let replayed = match self.replayed {
            0 => String::new(),
            replayed => format!(", {replayed} from the record"),
        };
        let spent = format!("{rounds}, {calls}{replayed}, ${cost}");
        match &self.end {
            DraftEnd::Offered(offered) => self.offered(offered, &spent),
            DraftEnd::GivenUp(reason) => self.given_up(reason, &spent),
            DraftEnd::OutOfBudget => {
                vec![format!("stopped   draft {}: out of budget", self.number), below(&spent)]
            }
        }
    }

    fn offered(&self, offered: &OfferedDraft, spent: &str) -> Vec<String> {
        let idea = &offered.draft.idea;
        let title = escape_controls(&idea.title);
        let mut lines = vec![format!("offered   {}", idea.id), below(&title)];
        if let Some(gate) = &self.gate {
            lines.extend(facts(gate));
        }
        lines.push(below(&solver_in_words(offered.solver)));
        lines.push(below(spent));
        lines.extend(self.path.iter().map(|path| below(&path.display().to_string())));
        lines
    }

    fn given_up(&self, reason: &GiveUpReason, spent: &str) -> Vec<String> {
        let about = self.idea.as_ref().map_or(String::new(), |idea| format!(" ({})", idea.id));
        let word = reason.as_str();
        let mut lines =
            vec![format!("given up  draft {}{about}: {word}", self.number), below(spent)];
        let found = reason.lines();
        for finding in found.iter().take(MOST_SHOWN) {
            let shown = escape_controls(finding.trim_end());
            lines.extend(shown.lines().take(MOST_LINES).map(below));
        }
        if let Some(more) = found.len().checked_sub(MOST_SHOWN).filter(|more| *more > 0) {
            lines.push(below(&format!("and {more} more; report.json has all")));
        }
        lines
    }

    /// The draft as JSON.
    pub(super) fn document(&self) -> Value {
        let (end, reason, code, solver) = match &self.end {
            DraftEnd::Offered(offered) => ("offered", None, None, Some(offered.solver)),
            DraftEnd::GivenUp(reason) => {
                ("given-up", Some(reason), Some(code_of(reason).as_str()), None)
            }
            DraftEnd::OutOfBudget => {
                ("out-of-budget", None, Some(Code::BudgetReached.as_str()), None)
            }
        };
        let gate = self.gate.as_ref();
        json!({
            "draft": self.number, "end": end, "reason": reason, "code": code,
            "idea": self.idea, "path": self.path, "repairs": self.rounds,
            "answers": { "asked": self.asked, "recorded": self.replayed },
            "cost_usd": self.cost,
            "seeds": gate.map(|gate| gate.seeds),
            "problems": gate.map(|gate| &gate.problems),
            "variety": gate.and_then(|gate| gate.variety.as_ref()),
            "novelty": gate.and_then(|gate| gate.novelty.as_ref()),
            "solver": solver, "easy": solver.map(SolverResult::is_easy),
        })
    }
}

/// A line below the first one of a draft.
fn below(text: &str) -> String {
    format!("          {text}")
}

/// What the gate says of an offered draft: proof, structures, nearest templates.
fn facts(gate: &GateReport) -> Vec<String> {
    let proven = pluralize(gate.seeds, "seed");
    let structures = gate.variety.as_ref().map_or(String::new(), |variety| {
        format!(", {} structures of {} seeds", variety.structures, variety.seeds)
    });
    let mut lines = vec![below(&format!("proven: {proven}{structures}"))];
    let novelty = gate.novelty.as_ref();
    if let Some(near) = novelty.and_then(|novelty| novelty.skeleton.as_ref()) {
        lines.push(below(&format!("nearest checks: {} {:.2}", near.template, near.likeness)));
    }
    if let Some(near) = novelty.and_then(|novelty| novelty.instruction.as_ref()) {
        lines.push(below(&format!("nearest instruction: {} {:.2}", near.template, near.likeness)));
    }
    lines
}

fn solver_in_words(solver: SolverResult) -> String {
    let easy = if solver.is_easy() { ": easy" } else { "" };
    match solver {
        SolverResult::Solved { commands } => {
            let count = pluralize(u64::try_from(commands).unwrap_or(u64::MAX), "command");
            format!("a solver with the instruction alone needed {count}{easy}")
        }
        SolverResult::Unsolved { commands } => {
            let count = pluralize(u64::try_from(commands).unwrap_or(u64::MAX), "command");
            format!("a solver with the instruction alone failed with {count}")
        }
        SolverResult::Untried => "a solver proposed nothing that could be tried".to_owned(),
    }
}

/// The page for people, with what to do next.
pub(super) fn page(records: &[DraftRecord], templates: &Path) -> String {
    let blocks: Vec<String> = records.iter().map(|record| record.lines().join("\n")).collect();
    let next = match records.iter().any(DraftRecord::is_offered) {
        true => format!(
            "\nRead what is offered before you use it, then prove it again:\n\n    \
             synthd template check --templates {} --seeds 20 '<id>'\n",
            templates.display()
        ),
        false => String::new(),
    };
    // Answers of models may have fences of their own, so the block is indented.
    let shown = blocks.join("\n\n").lines().map(|line| format!("    {line}\n")).collect::<String>();
    format!("# Drafts\n\n{shown}{next}")
}
