//! Builds a task of the kind `backlog`: changes of a pack that are told one after the other, in the
//! stages of one task.
//!
//! ```text
//!  draw ─► changes, all in the workspace ─► stage 1: told, mended, judged without the tests that wait
//!                                           stage 2: told, mended, judged, and so on
//! ```
//! What is mended early stays allowed: a stage whose work is done already is solved when it is handed in.
//! What a stage spoils of those before it is seen in the part `kept`.

use super::backlog_draw::{self, DrawnBacklog};
use super::backlog_runner::BacklogRunner;
use super::backlog_text::{BacklogText, areas};
use super::case_task::CaseTaskBuilder;
use super::draw::{self, TaskRng};
use super::long_oracle::LongOracle;
use super::pack_draw::DrawnChange;
use super::pack_frame::{PackWork, part_check};
use super::pack_spec::FaultReport;
use super::pack_task::{PackTaskBuilder, RUN_CHECK, fault, milestones};
use crate::model::{
    MoveAction, NamedSolution, ScriptedMove, TaskCheck, TaskStage, TaskVerification, whole_solution,
};
use crate::pack::ChangeKind;
use std::collections::{BTreeMap, BTreeSet};

/// A task of this kind while it is built.
struct BacklogTask<'a> {
    builder: &'a PackTaskBuilder<'a>,
    runner: &'a dyn BacklogRunner,
    backlog: &'a DrawnBacklog<'a>,
    /// The tests that the agent sees.
    shown: BTreeSet<usize>,
}

impl PackTaskBuilder<'_> {
    /// The work of a task with stages. None if the pack has no changes that can be dealt like that.
    pub(super) fn backlog(&self) -> Option<PackWork> {
        let backlog = backlog_draw::draw(self.pack, self.spec, &mut TaskRng::new(self.key))?;
        let cases = CaseTaskBuilder::new(self.template, self.spec, self.pack, self.key);
        let runner: &dyn BacklogRunner = if self.has_cases() { &cases } else { self };
        let shown = runner.shown_tests(&backlog);
        let task = BacklogTask { builder: self, runner, backlog: &backlog, shown };
        Some(task.work())
    }
}

impl<'a> BacklogTask<'a> {
    fn work(&self) -> PackWork {
        let solutions = self.solutions();
        let told: Vec<(String, String)> = self.numbers().map(|stage| self.told(stage)).collect();
        let first = told.first().cloned().unwrap_or_default();
        let built = solutions.into_iter().zip(told).enumerate();
        let stages: Vec<TaskStage> =
            built.map(|(stage, (solution, told))| self.stage(stage, solution, told)).collect();
        let changes = &self.backlog.changes.changes;
        PackWork {
            told: first,
            files: self.runner.workspace(self.backlog, &self.shown),
            setup: Vec::new(),
            solution: whole_solution(&stages),
            alternatives: vec![self.rewritten(), self.done_at_once()],
            faults: changes.iter().map(fault).collect(),
            entries: changes.iter().map(|drawn| drawn.change.id.clone()).collect(),
            verification: TaskVerification::of_stages(&stages),
            stages,
        }
    }

    /// The numbers of the stages, from zero.
    fn numbers(&self) -> std::ops::Range<usize> {
        0..self.backlog.stages.len()
    }

    /// One stage. Its share in the score is that of its changes.
    fn stage(
        &self,
        stage: usize,
        solution: Vec<ScriptedMove>,
        (wording, told): (String, String),
    ) -> TaskStage {
        let parts = self.backlog.parts(self.builder.pack, stage);
        let checks: Vec<TaskCheck> =
            parts.iter().map(|(part, _)| part_check(RUN_CHECK, part, 1.0)).collect();
        let (sealed, cheats) = (self.runner.seal(&parts), self.cheats(stage));
        let milestones = milestones(&checks);
        let (own, all) = (self.backlog.of_stage(stage).len(), self.backlog.changes.changes.len());
        TaskStage {
            name: format!("item-{}", stage + 1),
            instruction: self.builder.instruction(&told),
            wording: Some(wording),
            solution,
            verification: self.builder.verified(sealed, checks, milestones, cheats),
            weight: share(own, all),
            turns: None,
        }
    }

    /// What the agent is told of the faults of a stage.
    fn report(&self, stage: usize) -> Option<FaultReport> {
        let reports = self.builder.spec.reports();
        let purpose = format!("report.{stage}");
        let drawn = draw::derived_rng(&self.builder.key, &purpose).index(reports.len());
        reports.get(drawn).copied()
    }

    /// The name of the wording of a stage, and what the agent is told.
    fn told(&self, stage: usize) -> (String, String) {
        let (kind, report) = (self.backlog.kind, self.report(stage));
        let changes = self.backlog.of_stage(stage);
        let mut words = self.runner.words(kind, report, &changes);
        if (kind, report) == (ChangeKind::Fault, Some(FaultReport::Area)) {
            words.details = areas(&changes);
        }
        let text = BacklogText {
            head: &self.builder.pack.head,
            kind,
            stage: (stage + 1, self.backlog.stages.len()),
            changes: changes.len(),
            words,
        };
        let purpose = format!("wording.{stage}");
        text.drawn(draw::derived_rng(&self.builder.key, &purpose).index(BacklogText::WORDINGS))
    }

    /// The oracle's moves of each stage.
    fn solutions(&self) -> Vec<Vec<ScriptedMove>> {
        let oracle = LongOracle {
            pack: self.builder.pack,
            kind: self.backlog.kind,
            changes: &self.backlog.changes,
            shown: self.shown.clone(),
            is_reported: true,
            reports: Vec::new(),
        };
        let mut texts = self.backlog.texts(0);
        self.numbers().map(|stage| self.solution(stage, &oracle, &mut texts)).collect()
    }

    /// The oracle's moves of one stage. `texts` are the files with changes as they are now.
    fn solution(
        &self,
        stage: usize,
        oracle: &LongOracle<'_>,
        texts: &mut BTreeMap<&'a str, String>,
    ) -> Vec<ScriptedMove> {
        let mut moves = if stage == 0 { oracle.looks() } else { Vec::new() };
        moves.extend(self.written_reports(stage, oracle));
        let own = self.backlog.own_tests(stage);
        let changes = self.backlog.of_stage(stage);
        for ((drawn, own), number) in changes.iter().zip(&own).zip(1..) {
            let text = texts.entry(drawn.change.file.as_str()).or_default();
            moves.extend(oracle.repaired(drawn, own, (number, changes.len()), text));
            *text = text.replacen(&drawn.wrong, &drawn.right, 1);
        }
        moves.push(oracle.all_tests("Nothing else may be wrong now."));
        if stage + 1 == self.backlog.stages.len() {
            moves.push(oracle.differences());
        }
        moves
    }

    /// Writes down the tests that show the faults of a stage. Those of the stages before stay.
    fn written_reports(&self, stage: usize, oracle: &LongOracle<'_>) -> Vec<ScriptedMove> {
        if self.backlog.kind == ChangeKind::Stub {
            return Vec::new();
        }
        let examples = |stage: usize| -> BTreeSet<usize> {
            self.backlog.of_stage(stage).iter().map(|drawn| drawn.change.example).collect()
        };
        let told: BTreeSet<usize> = (0..=stage).flat_map(examples).collect();
        let is_hidden = |test: &usize| !self.shown.contains(test) && !told.contains(test);
        let tests = 0..self.builder.pack.tests.len();
        let hidden: BTreeSet<usize> = tests.filter(is_hidden).collect();
        let is_reported = self.report(stage) != Some(FaultReport::Area);
        let reports = self.runner.reports(&examples(stage), &hidden);
        let mut moves = if stage == 0 { vec![oracle.try_program()] } else { Vec::new() };
        moves.extend(reports.iter().map(|report| report.written(is_reported)));
        moves
    }

    /// The cheats of a stage. Those that make tests silent are all tried in the first stage, and one of
    /// them in each later stage, where another one starts over and loses what was mended before.
    fn cheats(&self, stage: usize) -> Vec<NamedSolution> {
        let (texts, changes) = (self.backlog.texts(stage), self.backlog.of_stage(stage));
        let file = changes.first().map(|drawn| drawn.change.file.as_str()).unwrap_or_default();
        let text = texts.get(file).map(String::as_str).unwrap_or_default();
        let mut silenced = self.runner.cheats_with(file, text);
        if stage == 0 {
            return silenced;
        }
        let chosen = stage % silenced.len().max(1);
        silenced = silenced.into_iter().skip(chosen).take(1).collect();
        silenced.push(self.started_over(stage));
        silenced
    }

    /// A cheat: the files as they came, with the changes of this stage alone mended.
    fn started_over(&self, stage: usize) -> NamedSolution {
        let mut texts = self.backlog.texts(0);
        self.backlog.mend(&mut texts, stage);
        let moves = texts.into_iter().map(|(path, content)| written(path, content)).collect();
        NamedSolution { name: "started-over".to_owned(), moves }
    }

    /// Another honest solution: it writes the files of each stage anew.
    fn rewritten(&self) -> NamedSolution {
        let of_stage = |stage: usize| -> Vec<ScriptedMove> {
            let changes = self.backlog.of_stage(stage);
            let texts = self.backlog.texts(stage + 1);
            let files = texts.into_iter().filter(|(path, _)| is_changed(&changes, path));
            files.map(|(path, content)| written(path, content)).collect()
        };
        handed_in("rewritten", self.numbers().map(of_stage).collect())
    }

    /// Another honest solution: everything is mended in the first stage, and the others are handed in as
    /// they are.
    fn done_at_once(&self) -> NamedSolution {
        let right = self.backlog.texts(self.backlog.stages.len());
        let all = right.into_iter().map(|(path, content)| written(path, content));
        let mut parts: Vec<Vec<ScriptedMove>> = vec![all.collect()];
        parts.resize_with(self.backlog.stages.len(), Vec::new);
        handed_in("done-at-once", parts)
    }
}

/// Whether one of the changes is in a file.
fn is_changed(changes: &[&DrawnChange<'_>], path: &str) -> bool {
    changes.iter().any(|drawn| drawn.change.file == path)
}

/// A move that writes a file.
fn written(path: &str, content: String) -> ScriptedMove {
    let action = MoveAction::Write { path: path.to_owned(), content };
    ScriptedMove { think: String::new(), action }
}

/// A solution of all stages: the moves of each, with a submission between two of them.
fn handed_in(name: &str, stages: Vec<Vec<ScriptedMove>>) -> NamedSolution {
    let submission = ScriptedMove { think: String::new(), action: MoveAction::Submit };
    NamedSolution { name: name.to_owned(), moves: stages.join(&submission) }
}

/// The share of some changes among all.
fn share(own: usize, all: usize) -> f64 {
    let number = |count: usize| f64::from(u32::try_from(count).unwrap_or(1));
    number(own) / number(all)
}
