//! Asks the judges of a recipe about the rows that their stages see, as far as no answer is stored.
//!
//! ```text
//!  stages before it run ─► rows that are left ─► questions ─► answers ─► the next stage with judges
//! ```
//! A row that an earlier stage rejects is asked about by nobody, and a passage that an earlier stage
//! replaces is seen by no judge.

use super::judge_calls::{JudgeCalls, JudgeQuestion};
use super::judge_store::{AnswerKey, JudgeStore, StoredOutcome};
use super::stage_figures::judge_report;
use crate::config::LoadedRecipe;
use crate::curation::build::{new_run, read_inputs};
use crate::curation::note_store::NoteStore;
use crate::curation::passes::run_passes;
use crate::curation::recipe_rows::RecipeRows;
use crate::error::{Code, Error, Result};
use crate::running_engine::fault_error;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use std::path::Path;
use std::sync::Arc;
use synthd_actors::curation::stages::StageSettings;
use synthd_actors::curation::{CurationRun, CurationStage};
use synthd_actors::model::{Fault, FaultKind, JudgeReport, Money};
use synthd_actors::ports::RowPages;
use synthd_actors::rubric::{JudgePanel, PairPlan, Rubric, RubricForm, RubricOutcome, RubricView};

/// How many rows are asked about at once. The router limits the calls.
const ROWS: usize = 16;

/// How a run has ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AskState {
    /// Each question has its outcome.
    #[default]
    Complete,
    /// The budget does not cover the next answer.
    OutOfBudget,
}

impl AskState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::OutOfBudget => "out-of-budget",
        }
    }
}

/// What a run has done.
#[derive(Clone, Debug, Default)]
pub struct AskReport {
    pub state: AskState,
    /// The stages with judges, as far as they were reached.
    pub stages: Vec<AskedStage>,
    pub warnings: Vec<String>,
}

/// What was asked for one stage.
#[derive(Clone, Debug, Default)]
pub struct AskedStage {
    /// Its place in the recipe, from 0.
    pub stage: usize,
    /// The questions that had an outcome before.
    pub known: u64,
    /// Those that have one now.
    pub asked: u64,
    /// Of these, the ones that ended as a fault.
    pub faults: u64,
    /// What these have cost.
    pub cost: Money,
    /// The figures of all answers.
    pub figures: JudgeReport,
}

/// How far a run is.
#[derive(Clone, Copy, Debug, Default)]
pub struct AskProgress {
    pub rows: u64,
    pub of: u64,
}

/// Asks what the recipe needs. With `retry_faults`, questions that ended as faults are asked again. Err is
/// a mistake of the recipe, or a fault of a provider or of the store; answers until then are kept.
pub async fn ask(
    loaded: &LoadedRecipe,
    data_dir: &Path,
    calls: &JudgeCalls<'_>,
    retry_faults: bool,
    progress: &dyn Fn(AskProgress),
) -> Result<AskReport> {
    let (rows, facts) = RecipeRows::open(loaded, data_dir).await?;
    let answers = JudgeStore::open(data_dir)?;
    let mut report = AskReport { warnings: facts.warnings, ..AskReport::default() };
    for (at, stage) in loaded.recipe.stages.iter().enumerate() {
        let StageSettings::Judge { rubric, panel, .. } = &stage.settings else { continue };
        let inputs = read_inputs(loaded, data_dir)?;
        let before = loaded.recipe.stages[..at].iter();
        let before = before.map(|stage| CurationStage::of(stage, &inputs)).collect();
        let mut run = new_run(before, data_dir)?;
        let mut notes = NoteStore::open(data_dir)?;
        run_passes(&mut run, &rows, &mut notes, &|_, _| ()).await?;
        notes.finish();
        let known = inputs.rubric(rubric);
        let mut asking = StageAsking {
            calls,
            answers: &answers,
            rows: &rows,
            run: &run,
            at,
            rubric: &known.rubric,
            digest: known.rubric.digest(),
            panel,
            retry_faults,
            progress,
            asked: AskedStage { stage: at, ..AskedStage::default() },
            is_out: false,
        };
        match known.rubric.form {
            RubricForm::One => asking.ask_rows().await?,
            RubricForm::Pair => asking.ask_pairs(loaded.recipe.seed).await?,
        }
        let (mut asked, is_out) = (asking.asked, asking.is_out);
        let inputs = read_inputs(loaded, data_dir)?;
        let figures = judge_report(&run, at, &loaded.recipe, &inputs, &rows).await?;
        asked.figures = figures.unwrap_or_default();
        report.stages.push(asked);
        if is_out {
            report.state = AskState::OutOfBudget;
            return Ok(report);
        }
    }
    if report.stages.is_empty() {
        let what = "the recipe has no stage of the kind `judge`";
        return Err(Error::new(Code::BadUsage, what).hint("docs/judges.md shows one"));
    }
    calls.end(&answers)?;
    Ok(report)
}

/// Asks for one stage.
struct StageAsking<'a> {
    calls: &'a JudgeCalls<'a>,
    answers: &'a JudgeStore,
    rows: &'a RecipeRows,
    /// The stages before this one.
    run: &'a CurationRun,
    at: usize,
    rubric: &'a Rubric,
    /// The digest of the rubric.
    digest: String,
    panel: &'a JudgePanel,
    retry_faults: bool,
    progress: &'a dyn Fn(AskProgress),
    asked: AskedStage,
    /// Whether the budget is used up.
    is_out: bool,
}

impl StageAsking<'_> {
    /// Asks about each row, page by page.
    async fn ask_rows(&mut self) -> Result<()> {
        let (mut after, mut shown) = (None, 0);
        while !self.is_out {
            let page = self.rows.page(after, ROWS).await.map_err(|fault| fault_error(&fault))?;
            let Some(last) = page.last().map(|row| row.ordinal) else { break };
            let mut questions = Vec::new();
            for record in &page {
                let seen = self.run.seen_by(self.at, record);
                let view = seen.and_then(|seen| RubricView::of(&seen.row, self.rubric));
                if let Some(RubricView { text, digest }) = view {
                    let text: Arc<str> = text.into();
                    self.add(&mut questions, &digest, &[text])?;
                }
            }
            shown += page.len() as u64;
            self.ask_all(&questions).await?;
            (self.progress)(AskProgress { rows: shown, of: self.rows.count() });
            after = Some(last);
        }
        Ok(())
    }

    /// Asks about each pair, in both orders.
    async fn ask_pairs(&mut self, seed: u64) -> Result<()> {
        let mut plan = PairPlan::new(seed);
        let mut after = None;
        loop {
            let page = self.rows.page(after, ROWS).await.map_err(|fault| fault_error(&fault))?;
            let Some(last) = page.last().map(|row| row.ordinal) else { break };
            for record in page.iter().filter_map(|record| self.run.seen_by(self.at, record)) {
                if let Some(view) = RubricView::of(&record.row, self.rubric) {
                    plan.add(&record, &view.digest);
                }
            }
            after = Some(last);
        }
        let pairs = plan.pairs();
        let of = pairs.len() as u64;
        let mut shown = 0;
        for some in pairs.chunks(ROWS) {
            if self.is_out {
                break;
            }
            let mut questions = Vec::new();
            for pair in some {
                let [one, other] = pair.rows;
                let views = (self.view(one).await?, self.view(other).await?);
                let (Some(one), Some(other)) = views else { continue };
                let [straight, swapped] = pair.subjects();
                self.add(&mut questions, &straight, &[one.clone(), other.clone()])?;
                self.add(&mut questions, &swapped, &[other, one])?;
            }
            shown += some.len() as u64;
            self.ask_all(&questions).await?;
            (self.progress)(AskProgress { rows: shown, of });
        }
        Ok(())
    }

    /// What a judge sees of the row with this ordinal.
    async fn view(&self, ordinal: u64) -> Result<Option<Arc<str>>> {
        let page = self.rows.page(ordinal.checked_sub(1), 1).await;
        let page = page.map_err(|fault| fault_error(&fault))?;
        let record = page.first().filter(|record| record.ordinal == ordinal);
        let seen = record.and_then(|record| self.run.seen_by(self.at, record));
        let view = seen.and_then(|seen| RubricView::of(&seen.row, self.rubric));
        Ok(view.map(|view| view.text.into()))
    }

    /// Adds the questions about a subject that have no outcome and are not added yet.
    fn add(
        &mut self,
        questions: &mut Vec<JudgeQuestion>,
        subject: &str,
        views: &[Arc<str>],
    ) -> Result<()> {
        let panel = self.panel;
        for (model, sample) in panel.questions() {
            let (rubric, subject) = (self.digest.clone(), subject.to_owned());
            let key = AnswerKey { rubric, subject, model: model.to_owned(), sample };
            if self.answers.has(&key, !self.retry_faults)? {
                self.asked.known += 1;
            } else if !questions.iter().any(|question| question.key == key) {
                questions.push(JudgeQuestion { key, views: views.to_vec() });
            }
        }
        Ok(())
    }

    /// Asks all questions at once, and keeps each outcome when it is there.
    async fn ask_all(&mut self, questions: &[JudgeQuestion]) -> Result<()> {
        let (calls, rubric) = (self.calls, self.rubric);
        let asks = questions
            .iter()
            .map(|question| Box::pin(async move { (question, calls.ask(rubric, question).await) }));
        let mut asks: FuturesUnordered<_> = asks.collect();
        let mut failed: Option<Fault> = None;
        while let Some((question, ended)) = asks.next().await {
            match ended {
                Ok(stored) => {
                    self.answers.put(&question.key, &stored)?;
                    self.count(&stored);
                }
                Err(fault) if is_budget(fault.kind) => self.is_out = true,
                Err(fault) => failed = failed.or(Some(fault)),
            }
        }
        if let Some(fault) = failed {
            return Err(fault_error(&fault));
        }
        if self.is_out { Ok(()) } else { calls.next_attempt(self.answers).await }
    }

    fn count(&mut self, stored: &StoredOutcome) {
        self.asked.asked += 1;
        self.asked.faults += u64::from(matches!(stored.outcome, RubricOutcome::Faulted(_)));
        self.asked.cost = self.asked.cost.saturating_add(stored.cost);
    }
}

/// Whether a fault says that the budget does not cover a call.
fn is_budget(kind: FaultKind) -> bool {
    matches!(kind, FaultKind::Budget | FaultKind::ModelBudget)
}
