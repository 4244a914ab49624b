//! A version from a recipe: the passes over the rows, and then the writing.

use super::note_store::NoteStore;
use super::recipe_review::RecipeReview;
use super::recipe_rows::RecipeRows;
use crate::config::LoadedRecipe;
use crate::dataset::ParquetSink;
use crate::error::{Code, Error, Result};
use crate::running_engine::{SystemClock, fault_error};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use synthd_actors::curation::{CurationRun, CurationStage, CurationStageReport, StageInputs};
use synthd_actors::model::Publication;
use synthd_actors::ports::{Clock, DatasetSink, DatasetWriteRequest, RowPages};

/// How many rows are in memory at once.
const PAGE: usize = 64;

/// A recipe that has run.
pub struct BuiltRecipe {
    pub publication: Publication,
    /// The rows of all sources.
    pub rows: u64,
    /// Each stage by its kind.
    pub stages: Vec<(&'static str, CurationStageReport)>,
    /// How long reading and writing took beside the stages.
    pub took: Duration,
    pub warnings: Vec<String>,
}

/// Builds the next version of a recipe's dataset below `data_dir`. `progress` is told how many rows of
/// how many were shown; a pass over all rows adds to both.
pub async fn build(
    loaded: &LoadedRecipe,
    data_dir: &Path,
    progress: &dyn Fn(u64, u64),
) -> Result<BuiltRecipe> {
    let began = Instant::now();
    let recipe = &loaded.recipe;
    let (rows, facts) = RecipeRows::open(loaded, data_dir).await?;
    let count = rows.count();
    if count == 0 {
        let what = "no source of the recipe has a judged row yet";
        return Err(Error::new(Code::RecipeSources, what)
            .hint("run the campaigns first; `synthd campaign list` shows their progress"));
    }
    let inputs = read_inputs(loaded)?;
    let stages = recipe.stages.iter().map(|stage| CurationStage::of(stage, &inputs));
    let mut run = CurationRun::new(stages.collect(), recipe.seed);
    let mut notes = NoteStore::open(data_dir)?;
    let (mut shown, mut whole) = (0, 0);
    while run.wants_rows() {
        whole += count;
        let mut after = None;
        loop {
            let page = rows.page(after, PAGE).await.map_err(|fault| fault_error(&fault))?;
            let Some(last) = page.last().map(|row| row.ordinal) else { break };
            page.iter().for_each(|row| run.show(row, &mut notes));
            shown += page.len() as u64;
            progress(shown, whole);
            after = Some(last);
        }
        run.end_pass();
    }
    notes.finish();
    let reports = run.stages().iter().map(|stage| stage.kind).zip(run.reports().to_vec());
    let reports: Vec<_> = reports.collect();
    let review = RecipeReview::new(run, recipe, &loaded.source, rows.sources());
    let request = DatasetWriteRequest {
        campaign: recipe.name.clone(),
        rows: Arc::new(rows),
        review: Box::new(review),
        format: facts.format,
        faulted: facts.faulted,
        planned: facts.planned,
        licence: recipe.licence.clone(),
        seed: recipe.seed,
        config_digest: recipe.digest(),
        now_ms: SystemClock.now_ms(),
    };
    let publication =
        ParquetSink::new(data_dir).write(request).await.map_err(|fault| fault_error(&fault))?;
    Ok(BuiltRecipe {
        publication,
        rows: count,
        stages: reports,
        took: began.elapsed(),
        warnings: facts.warnings,
    })
}

/// The largest file that a stage may name.
const LARGEST_FILE: u64 = 1 << 30;

/// Reads the files that stages name.
fn read_inputs(loaded: &LoadedRecipe) -> Result<StageInputs> {
    let mut inputs = StageInputs { seed: loaded.recipe.seed, ..StageInputs::default() };
    for path in loaded.recipe.stages.iter().flat_map(|stage| stage.settings.files()) {
        let place = loaded.place_of(path);
        let unread = |why: String| {
            Error::new(Code::RecipeSources, format!("{} cannot be read: {why}", place.display()))
                .hint(
                    "a stage of the recipe names this file; paths begin at the recipe's directory",
                )
        };
        let length = std::fs::metadata(&place).map_err(|error| unread(error.to_string()))?.len();
        if length > LARGEST_FILE {
            return Err(unread(format!("it has {length} bytes, and {LARGEST_FILE} are allowed")));
        }
        let text = std::fs::read_to_string(&place).map_err(|error| unread(error.to_string()))?;
        inputs.files.insert(path.to_owned(), text.into());
    }
    let mut stages = loaded.recipe.stages.iter();
    if let Some(why) = stages.find_map(|stage| stage.settings.fault_of_files(&inputs)) {
        return Err(Error::new(Code::RecipeSources, why)
            .hint("docs/recipes.md says what a file of a stage looks like"));
    }
    Ok(inputs)
}
