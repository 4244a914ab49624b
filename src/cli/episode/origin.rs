//! Makes again what an episode began with: the stored campaign, the task from its template and
//! seed, and the scaffold. If the template now gives another task than the recorded one, that is an
//! error.

use crate::config;
use crate::error::{Code, Error, Result};
use crate::running_engine::store_error;
use crate::store::Store;
use crate::templates;
use std::path::PathBuf;
use std::sync::Arc;
use synthd_actors::agent::{Agent, AgentLimits};
use synthd_actors::model::{
    CampaignConfig, EpisodeRecord, PlannedEpisode, SandboxFingerprint, SandboxSpec, Task, Turn,
};
use synthd_actors::ports::Journal;
use synthd_actors::task::Catalog;

/// What an episode began with.
pub(super) struct EpisodeOrigin {
    pub(super) task: Arc<Task>,
    pub(super) agent: Agent,
    /// The limits that the agent is told.
    pub(super) limits: AgentLimits,
}

/// The configuration of the episode's campaign, from its text in the store. A store without the
/// campaign is damaged, because episodes are never stored without it.
pub(in crate::cli) async fn campaign_config(
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
    Ok(config::parse_stored_campaign(&name, &record.config)?.config)
}

impl EpisodeOrigin {
    /// Renders the task again and checks that its id is the recorded one. The id contains a digest
    /// of the task, so an equal id means equal bytes.
    pub(super) fn of(
        plan: &PlannedEpisode,
        config: &CampaignConfig,
        directories: &[PathBuf],
    ) -> Result<Self> {
        let origin = Self::of_today(plan, config, directories)?;
        if origin.task.id == plan.task { Ok(origin) } else { Err(origin.changed(plan)) }
    }

    /// Renders the task with the template as it is now. It may be another one than the recorded one.
    pub(super) fn of_today(
        plan: &PlannedEpisode,
        config: &CampaignConfig,
        directories: &[PathBuf],
    ) -> Result<Self> {
        let catalog = todays_catalog(config, directories)?;
        let task = todays_task(plan, config, &catalog)?;
        let agent = Agent::by_name(&plan.scaffold).ok_or_else(|| no_scaffold(plan))?;
        let limits = AgentLimits::of(config, &task.resources);
        Ok(Self { task: Arc::new(task), agent, limits })
    }

    /// The error for a template that gives another task now.
    pub(super) fn changed(&self, plan: &PlannedEpisode) -> Error {
        let task = &self.task.id;
        let what =
            format!("the template gives another task now: {task}, but {} was tried", plan.task);
        Error::new(Code::ReplayDiffers, what)
            .hint("use the synthd and the --templates directory of the campaign")
    }
}

/// The templates as they are now: the shipped ones, those of the campaign's own directories, and those
/// of `directories`. Directories of the campaign that no longer exist are left out. The user can name
/// others.
pub(in crate::cli) fn todays_catalog(
    config: &CampaignConfig,
    directories: &[PathBuf],
) -> Result<Arc<Catalog>> {
    let own = config.tasks.template_dirs.iter().filter(|directory| directory.is_dir());
    let given: Vec<PathBuf> = own.chain(directories).cloned().collect();
    templates::load(&given)
}

/// The task of an episode, rendered with the template as it is now.
pub(in crate::cli) fn todays_task(
    plan: &PlannedEpisode,
    config: &CampaignConfig,
    catalog: &Catalog,
) -> Result<Task> {
    let template = catalog.get(&plan.template).ok_or_else(|| gone(plan))?;
    template.task(config.seed, plan.index).map_err(|error| {
        Error::new(Code::TemplateInvalid, format!("{}: {}", error.template, error.message))
            .hint("`synthd template check` says what is wrong with a template")
    })
}

/// Whether the conversation opened with the instruction of this task.
pub(in crate::cli) fn is_asked(turns: &[Turn], task: &Task) -> bool {
    let opening = turns.first().and_then(|turn| turn.opening.as_deref());
    let mut messages = opening.into_iter().flat_map(|opening| &opening.messages);
    messages.any(|message| message.content.contains(task.instruction.trim_end()))
}

/// The sandbox of an episode, with the limits of its task, in the exact image that it ran in, if the
/// campaign still names that image.
pub(in crate::cli) fn recorded_spec(
    episode: &EpisodeRecord,
    config: &CampaignConfig,
    task: &Task,
) -> SandboxSpec {
    let spec = config.sandbox_for(&task.image).unwrap_or_else(|| config.sandbox.clone());
    let print = episode.fingerprint.as_ref().and_then(SandboxFingerprint::image);
    let ran_in = print.filter(|(image, _)| *image == spec.image);
    let digest = ran_in.map(|(_, digest)| digest.to_owned());
    SandboxSpec { digest, limits: task.resources.lowered(&spec.limits), ..spec }
}

/// The error for a template that is in no known directory.
fn gone(plan: &PlannedEpisode) -> Error {
    let what = format!("the template {} of {} is not here", plan.template, plan.id);
    Error::new(Code::TemplateUnknown, what)
        .hint("name the directory of the template with --templates")
}

/// The error for a scaffold that this version does not have.
fn no_scaffold(plan: &PlannedEpisode) -> Error {
    let what = format!("this synthd has no scaffold {:?}", plan.scaffold);
    Error::new(Code::BadUsage, what).hint("use the synthd of the campaign")
}
