//! A version from a recipe: the passes over the rows, and then the writing.

use super::judging::{JudgeStore, judge_reports, rubric_of};
use super::note_store::NoteStore;
use super::passes::run_passes;
use super::recipe_review::RecipeReview;
use super::recipe_rows::RecipeRows;
use super::replacement_key::replacement_key;
use crate::config::LoadedRecipe;
use crate::dataset::{ParquetSink, newest_version};
use crate::error::{Code, Error, Result};
use crate::running_engine::{SystemClock, fault_error, store_error};
use crate::store::Store;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use synthd_actors::curation::stages::StageSettings;
use synthd_actors::curation::{
    CurationRun, CurationStage, CurationStageReport, Recipe, StageInputs,
};
use synthd_actors::model::Publication;
use synthd_actors::ports::{Clock, DatasetSink, DatasetWriteRequest, Journal};
use synthd_actors::rubric::RubricInputs;

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
    refuse_campaigns_name(&loaded.recipe, data_dir).await?;
    build_below(loaded, data_dir, data_dir, progress).await
}

/// The same with rows of one directory, and with the version below another one.
pub(super) async fn build_below(
    loaded: &LoadedRecipe,
    data_dir: &Path,
    target: &Path,
    progress: &dyn Fn(u64, u64),
) -> Result<BuiltRecipe> {
    let began = Instant::now();
    let recipe = &loaded.recipe;
    let (rows, facts) = RecipeRows::open(loaded, data_dir).await?;
    let count = rows.count();
    let inputs = read_inputs(loaded, data_dir)?;
    let stages = recipe.stages.iter().map(|stage| CurationStage::of(stage, &inputs)).collect();
    let mut run = new_run(stages, data_dir)?;
    let mut notes = NoteStore::open(data_dir)?;
    run_passes(&mut run, &rows, &mut notes, progress).await?;
    notes.finish();
    let reports = run.stages().iter().map(|stage| stage.kind).zip(run.reports().to_vec());
    let reports: Vec<_> = reports.collect();
    let judged = judge_reports(&run, recipe, &inputs, &rows).await?;
    let review = RecipeReview::new(run, recipe, &loaded.source, rows.sources(), judged);
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
        ParquetSink::new(target).write(request).await.map_err(|fault| fault_error(&fault))?;
    Ok(BuiltRecipe {
        publication,
        rows: count,
        stages: reports,
        took: began.elapsed(),
        warnings: facts.warnings,
    })
}

/// A run of these stages. A key is drawn only for those that replace passages.
pub(super) fn new_run(stages: Vec<CurationStage>, data_dir: &Path) -> Result<CurationRun> {
    let replaces = stages.iter().any(CurationStage::replaces);
    let key = if replaces { replacement_key(data_dir)? } else { String::new() };
    Ok(CurationRun::new(stages, key))
}

/// Refuses a recipe whose dataset would stand among the versions of a campaign.
async fn refuse_campaigns_name(recipe: &Recipe, data_dir: &Path) -> Result<()> {
    let is_campaign = match data_dir.join("synthd.db").is_file() {
        true => {
            let store = Store::open_read_only(data_dir)?;
            store.campaign(&recipe.name).await.map_err(store_error)?.is_some()
        }
        false => false,
    };
    let newest = newest_version(data_dir, &recipe.name);
    if !is_campaign && newest.is_none_or(|newest| newest.curation.is_some()) {
        return Ok(());
    }
    let what = format!("{} is the name of a campaign, which has a dataset of its own", recipe.name);
    Err(Error::new(Code::RecipeSources, what).hint("give the recipe another `name`"))
}

/// The largest file that a stage may name.
const LARGEST_FILE: u64 = 1 << 30;

/// Reads the files and the rubrics that stages name, and the answers by these rubrics.
pub(super) fn read_inputs(loaded: &LoadedRecipe, data_dir: &Path) -> Result<StageInputs> {
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
    for stage in &loaded.recipe.stages {
        stage.settings.check_files(&inputs).map_err(|why| {
            let what =
                format!("a file of the stage {} cannot be used: {why}", stage.settings.kind());
            Error::new(Code::RecipeSources, what)
                .hint("make the file anew; `docs/recipes.md` says what each stage reads")
        })?;
    }
    for stage in &loaded.recipe.stages {
        if let StageSettings::Judge { rubric: name, .. } = &stage.settings {
            let rubric = rubric_of(name, loaded)?;
            let answers = JudgeStore::open(data_dir)?.answers(&rubric.digest())?;
            inputs.rubrics.insert(name.clone(), Arc::new(RubricInputs { rubric, answers }));
        }
    }
    Ok(inputs)
}
