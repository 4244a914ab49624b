//! The figures of a recipe's judges, over the rows as each stage saw them.

use crate::curation::passes::for_each_page;
use crate::curation::recipe_rows::RecipeRows;
use crate::error::{Code, Error, Result};
use std::collections::BTreeMap;
use synthd_actors::curation::stages::StageSettings;
use synthd_actors::curation::{CurationRun, Recipe, StageInputs};
use synthd_actors::model::JudgeReport;
use synthd_actors::rubric::JudgeTally;

/// How many rows are in memory at once.
const PAGE: usize = 64;

/// The figures of each stage with judges, by its place in the recipe. Fails if a judge was not asked about
/// a row that its stage saw.
pub(in crate::curation) async fn judge_reports(
    run: &CurationRun,
    recipe: &Recipe,
    inputs: &StageInputs,
    rows: &RecipeRows,
) -> Result<BTreeMap<usize, JudgeReport>> {
    let mut reports = BTreeMap::new();
    for at in 0..recipe.stages.len() {
        let Some(report) = judge_report(run, at, recipe, inputs, rows).await? else { continue };
        if report.unasked > 0 {
            let what = format!(
                "the judges of the stage {} ({}) were not asked about {} of {} rows",
                at + 1,
                report.rubric,
                report.unasked,
                report.rows
            );
            return Err(Error::new(Code::JudgeAnswers, what)
                .hint("`synthd dataset judge RECIPE.toml` asks them, within a --budget"));
        }
        reports.insert(at, report);
    }
    Ok(reports)
}

/// The figures of a stage. None if it has no judges.
pub(super) async fn judge_report(
    run: &CurationRun,
    at: usize,
    recipe: &Recipe,
    inputs: &StageInputs,
    rows: &RecipeRows,
) -> Result<Option<JudgeReport>> {
    let settings = recipe.stages.get(at).map(|stage| &stage.settings);
    let Some(StageSettings::Judge { rubric, panel, review, .. }) = settings else {
        return Ok(None);
    };
    let review = review.as_ref().map(|file| inputs.file(file)).unwrap_or_default();
    let mut tally = JudgeTally::new(inputs.rubric(rubric), panel.clone(), &review, recipe.seed);
    for_each_page(rows, PAGE, &mut |page| {
        for record in page {
            if let Some(seen) = run.seen_by(at, record) {
                tally.observe(&seen);
            }
        }
        Ok(())
    })
    .await?;
    Ok(Some(tally.finish()))
}
