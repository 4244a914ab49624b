//! What an episode was made from, made again: the stored campaign, the task out of its
//! template and seed, the scaffold. A task that is not the recorded one is refused.

use crate::config;
use crate::engine::store_error;
use crate::error::{Code, Error, Result};
use crate::store::Store;
use crate::templates;
use std::path::PathBuf;
use std::sync::Arc;
use synthd_actors::model::{CampaignConfig, PlannedEpisode, Task};
use synthd_actors::ports::Journal;
use synthd_actors::scaffold::{self, Scaffold};

/// Where an episode began.
pub(super) struct EpisodeOrigin {
    pub(super) task: Arc<Task>,
    pub(super) scaffold: Arc<dyn Scaffold>,
}

/// The campaign as the store has it.
pub(super) async fn campaign_config(
    store: &Store,
    plan: &PlannedEpisode,
) -> Result<CampaignConfig> {
    let found = store.campaign(&plan.campaign).await.map_err(store_error)?;
    let record = found.ok_or_else(|| {
        let what = format!("the campaign {} of {} is not in the store", plan.campaign, plan.id);
        Error::new(Code::StoreDamaged, what)
            .hint("nothing was changed; restore a backup of the store")
    })?;
    let name = format!("the stored campaign {}", plan.campaign);
    Ok(config::parse_campaign(&name, &record.config)?.config)
}

impl EpisodeOrigin {
    /// Draws the task again and makes sure that it is the same, byte for byte.
    pub(super) fn of(
        plan: &PlannedEpisode,
        config: &CampaignConfig,
        directories: &[PathBuf],
    ) -> Result<Self> {
        // Of the campaign's own directories, those that are still there.
        let own = config.tasks.template_dirs.iter().filter(|directory| directory.is_dir());
        let given: Vec<PathBuf> = own.chain(directories).cloned().collect();
        let catalog = templates::load(&given)?;
        let template = catalog.get(&plan.template).ok_or_else(|| gone(plan))?;
        let task = template.task(config.seed, plan.index).map_err(|error| {
            Error::new(Code::TemplateInvalid, format!("{}: {}", error.template, error.message))
                .hint("`synthd template check` says what is wrong with a template")
        })?;
        if task.id != plan.task {
            return Err(changed(plan, &task));
        }
        let scaffold = scaffold::by_name(&plan.scaffold).ok_or_else(|| no_scaffold(plan))?;
        Ok(Self { task: Arc::new(task), scaffold })
    }
}

fn gone(plan: &PlannedEpisode) -> Error {
    let what = format!("the template {} of {} is not here", plan.template, plan.id);
    Error::new(Code::TemplateUnknown, what)
        .hint("name the directory of the template with --templates")
}

fn changed(plan: &PlannedEpisode, task: &Task) -> Error {
    let what =
        format!("the template gives another task now: {}, but {} was tried", task.id, plan.task);
    Error::new(Code::ReplayDiffers, what)
        .hint("use the synthd and the --templates directory of the campaign")
}

fn no_scaffold(plan: &PlannedEpisode) -> Error {
    let what = format!("this synthd has no scaffold {:?}", plan.scaffold);
    Error::new(Code::BadUsage, what).hint("use the synthd of the campaign")
}
