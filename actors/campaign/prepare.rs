//! What happens before a campaign runs. [`prepare`] answers four questions:
//!
//! 1. Is this the campaign that the store knows under this name? If a setting changed that must not
//!    change, it is refused.
//! 2. Which templates can this host run?
//! 3. Which episodes are planned now, besides those that are planned already?
//! 4. Which earlier episodes are run, and which faulted ones are tried again?
//!
//! Nothing is written for a campaign that cannot run.

use super::plan::{CampaignPlan, CampaignPlanner, SkippedTemplate};
use super::reopen::{ChangedTemplates, RestartOptions, close_entries, reopen_entries};
use crate::episode::EngineServices;
use crate::episode::missing_programs;
use crate::model::{
    CampaignConfig, CampaignName, CampaignRecord, CampaignState, EpisodeRecord, Fault, FaultCounts,
    FaultKind, JournalEntry, Outcome, PlannedEpisode, TaskId, TemplateEdition,
};
use crate::policy::{ChangedTemplate, changed_templates};
use crate::pool::PoolHandle;
use crate::task::{Template, TemplateError};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Planned episodes in one entry of the journal, so that a large plan is not one huge batch.
const PLAN_CHUNK: usize = 1_000;

/// A campaign that was checked and planned, and can start.
pub struct PreparedCampaign {
    pub planner: Arc<CampaignPlanner>,
    /// The episodes to run, and those that have ended. In plan order.
    pub episodes: Vec<EpisodeRecord>,
    /// Templates that this host cannot run.
    pub skipped: Vec<SkippedTemplate>,
    /// The number of different tasks over all episodes of the plan.
    pub tasks: u64,
    /// The next free place in the plan.
    pub ordinal: u64,
    /// What the engine writes if the campaign may not start after all, because the engine began to
    /// drain meanwhile: the state before this start, and the outcomes of reopened episodes.
    pub undo: Vec<JournalEntry>,
}

/// Why a campaign cannot start.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// A setting that belongs to the campaign's identity has changed. Rows made before and after
    /// would not be comparable.
    #[error(
        "campaign {0} was made with another seed, sandbox, limits, quality rules, splits or sampling"
    )]
    Changed(String),
    /// Templates have changed since episodes were planned from them, and nobody has accepted this.
    #[error("campaign {0} was begun with other templates, or with more tasks of them")]
    ChangedTemplates(String, Vec<ChangedTemplate>),
    /// A retry was asked for, and no faulted episode matches. The counts say which faults there
    /// are.
    #[error("campaign {0} has no matching faulted episode to try again")]
    NothingToRetry(String, FaultCounts),
    /// A retry was asked for on a cancelled campaign. It has episodes that never ended, and the
    /// retry would start them too.
    #[error("campaign {0} was cancelled with {1} episodes that have not ended")]
    Cancelled(String, usize),
    /// This host can run none of the templates. The list says why, for each one.
    #[error("no task is left to run")]
    NothingToRun(Vec<SkippedTemplate>),
    #[error(transparent)]
    Template(#[from] TemplateError),
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<crate::ports::StoreFault> for PrepareError {
    fn from(fault: crate::ports::StoreFault) -> Self {
        Self::Fault(fault.into())
    }
}

/// Checks and plans a campaign, and writes the plan to the journal. `source` is the text of the
/// campaign file, for the record. `again` says which faulted episodes to try again.
///
/// The order matters: all checks come before the first write.
pub async fn prepare(
    world: &EngineServices,
    planner: Arc<CampaignPlanner>,
    source: String,
    again: &RestartOptions,
) -> Result<PreparedCampaign, PrepareError> {
    let config = planner.config.clone();
    let earlier = world.journal.campaign(&config.name).await?;
    // What was planned before, by any earlier start of this campaign.
    let known = world.journal.episodes(&config.name).await?;
    let models = known.iter().map(|episode| episode.plan.model.as_str()).collect();
    if earlier.as_ref().is_some_and(|record| !record.has_settings_of(&config, &models)) {
        return Err(PrepareError::Changed(config.name.to_string()));
    }
    let (templates, skipped) = runnable_templates(&world.pool, &planner).await?;
    if templates.is_empty() {
        return Err(PrepareError::NothingToRun(skipped));
    }
    let was_cancelled = earlier.as_ref().is_some_and(|r| r.state == CampaignState::Cancelled);
    let unended = known.iter().filter(|episode| episode.outcome.is_none()).count();
    if again.reopen.requires_match() && was_cancelled && unended > 0 {
        return Err(PrepareError::Cancelled(config.name.to_string(), unended));
    }
    let editions = editions(world, &planner, &templates, &known, again.changed).await?;
    let (known, plan) = plan(planner.clone(), templates.clone(), known).await?;
    let wanted =
        RequestedEpisodes { config: &config, templates: ids(&templates), tasks: &plan.tasks };
    let reopened = again.reopen.choose(known.iter().filter(|record| wanted.may_reopen(record)));
    if reopened.is_empty() && again.reopen.requires_match() {
        let faults = FaultCounts::of(&known);
        return Err(PrepareError::NothingToRetry(config.name.to_string(), faults));
    }
    let record = CampaignRecord {
        name: config.name.clone(),
        identity: config.identity(),
        sampling: Some(CampaignRecord::sampling_with(earlier.as_ref(), &config)),
        config: source,
        images: config.digests.clone(),
        price_table: config.price_table.clone(),
        state: CampaignState::Running,
        reason: None,
        created_at_ms: earlier.as_ref().map_or_else(|| world.clock.now_ms(), |r| r.created_at_ms),
    };
    let mut undo = close_entries(&reopened);
    write_down(world, record, editions, &plan.episodes, reopen_entries(&reopened)).await?;
    // Read again, because a reopened episode has lost its outcome and new ones were added.
    let mut episodes = world.journal.episodes(&config.name).await?;
    let tasks = episodes.iter().map(|e| &e.plan.task).collect::<HashSet<_>>().len() as u64;
    let ordinal = episodes.iter().map(|e| e.plan.ordinal + 1).max().unwrap_or(0);
    wanted.leave_out_others(&mut episodes);
    let work_left = episodes.iter().any(|episode| episode.outcome.is_none());
    // A campaign that is complete keeps its state. One with work left runs now, whatever it was
    // before.
    if work_left && earlier.as_ref().is_some_and(|r| r.state != CampaignState::Running) {
        world
            .collector
            .record(vec![state_change_entry(&config.name, CampaignState::Running, None)])
            .await?;
    }
    // A campaign that never ran is shown as cancelled if it may not start.
    let before = earlier.map_or((CampaignState::Cancelled, None), |r| (r.state, r.reason));
    undo.push(state_change_entry(&config.name, before.0, before.1));
    Ok(PreparedCampaign { planner, episodes, skipped, tasks, ordinal, undo })
}

/// Makes the plan on a blocking thread, because rendering many tasks takes long. Returns `known`
/// unchanged beside the plan.
async fn plan(
    planner: Arc<CampaignPlanner>,
    templates: Vec<Arc<Template>>,
    known: Vec<EpisodeRecord>,
) -> Result<(Vec<EpisodeRecord>, CampaignPlan), PrepareError> {
    // If this future is dropped, the planner stops early: nobody wants the plan any more.
    let wanted = CancellationToken::new();
    let _wanted = wanted.clone().drop_guard();
    let work = move || {
        let plan = planner.plan(&templates, &known, || !wanted.is_cancelled())?;
        Ok::<_, TemplateError>((known, plan))
    };
    let planned = tokio::task::spawn_blocking(work).await;
    let failed = |failure: tokio::task::JoinError| {
        Fault::new(FaultKind::Panicked, crate::supervisor::panic_text(failure))
    };
    Ok(planned.map_err(failed)??)
}

/// The template editions that must be recorded because they are new. If a template has changed that
/// episodes were planned from, this is an error, unless somebody has accepted the change.
async fn editions(
    world: &EngineServices,
    planner: &CampaignPlanner,
    templates: &[Arc<Template>],
    known: &[EpisodeRecord],
    changed: ChangedTemplates,
) -> Result<Vec<TemplateEdition>, PrepareError> {
    let name = &planner.config.name;
    let (before, now) = (world.journal.editions(name).await?, planner.editions(templates));
    let planned: HashSet<&str> = known.iter().map(|r| r.plan.template.as_str()).collect();
    let mut changes = changed_templates(&before, &now);
    changes.retain(|change| planned.contains(change.template.as_str()));
    if !changes.is_empty() && changed == ChangedTemplates::Refuse {
        return Err(PrepareError::ChangedTemplates(name.to_string(), changes));
    }
    if before.is_empty() && !known.is_empty() {
        tracing::warn!(
            campaign = %name,
            "an older synthd began this campaign and did not record its templates; they are \
             recorded now, and a change from here on is noticed"
        );
    }
    Ok(now.into_iter().filter(|edition| !before.contains(edition)).collect())
}

/// Writes the campaign, its template editions, the new episodes and the reopened episodes, in this
/// order. A kill in between leaves a shorter plan, and the next start adds the rest. Episodes that
/// were not reopened yet stay faulted.
async fn write_down(
    world: &EngineServices,
    record: CampaignRecord,
    editions: Vec<TemplateEdition>,
    planned: &[PlannedEpisode],
    reopened: Vec<JournalEntry>,
) -> Result<(), Fault> {
    if !reopened.is_empty() {
        tracing::info!(campaign = %record.name, episodes = reopened.len(), "tried again");
    }
    let campaign = record.name.clone();
    world.collector.record(vec![JournalEntry::CampaignOpened(record)]).await?;
    if !editions.is_empty() {
        world.collector.record(vec![JournalEntry::EditionsUsed { campaign, editions }]).await?;
    }
    for chunk in planned.chunks(PLAN_CHUNK) {
        world.collector.record(vec![JournalEntry::Planned(chunk.to_vec())]).await?;
    }
    for chunk in reopened.chunks(PLAN_CHUNK) {
        world.collector.record(chunk.to_vec()).await?;
    }
    Ok(())
}

/// The journal entry that says: the campaign has this state from now on.
pub(crate) fn state_change_entry(
    campaign: &CampaignName,
    state: CampaignState,
    reason: Option<String>,
) -> JournalEntry {
    JournalEntry::CampaignMoved { campaign: campaign.clone(), state, reason }
}

/// The ids of the templates.
fn ids(templates: &[Arc<Template>]) -> HashSet<&str> {
    templates.iter().map(|template| template.id.as_str()).collect()
}

/// The choice of episodes that this start runs, out of all that were ever planned for the campaign.
struct RequestedEpisodes<'a> {
    config: &'a CampaignConfig,
    /// Ids of the templates that this host can run.
    templates: HashSet<&'a str>,
    /// Every task of the current plan, with the current template editions.
    tasks: &'a HashSet<TaskId>,
}

impl RequestedEpisodes<'_> {
    /// Removes the episodes that cannot be run now. They stay planned in the journal, for a time
    /// when they can be run. An episode is left out if its model or scaffold is not configured now,
    /// it is a sample or a task beyond those that are asked for now, this host cannot run its
    /// template, or its template has another edition (its task cannot be rendered as it was
    /// planned). So is a faulted episode whose task was replaced by a newer edition.
    fn leave_out_others(&self, episodes: &mut Vec<EpisodeRecord>) {
        let before = episodes.len();
        episodes.retain(|record| self.is_wanted(record));
        let left_out = before - episodes.len();
        if left_out > 0 {
            tracing::warn!(
                campaign = %self.config.name,
                "{left_out} episodes planned earlier are left out: their template, its edition, \
                 their model or their scaffold is not to be had now"
            );
        }
    }

    /// Whether this start shows or runs the episode. A judged one always counts. A faulted one
    /// counts unless its task has been replaced by a newer template edition.
    fn is_wanted(&self, record: &EpisodeRecord) -> bool {
        let EpisodeRecord { plan, outcome, .. } = record;
        match outcome {
            Some(Outcome::Faulted { .. }) => !self.is_superseded(plan),
            Some(_) => true,
            None => {
                self.tasks.contains(&plan.task)
                    && self.config.may_answer(&plan.model)
                    && self.config.scaffolds.contains(&plan.scaffold)
                    && plan.id.sample() < self.config.tasks.samples.most
            }
        }
    }

    /// Whether a faulted episode may be tried again. A task of an older template edition cannot be
    /// made any more. A task of a template that is not asked for now may be asked for later.
    fn may_reopen(&self, record: &EpisodeRecord) -> bool {
        !self.is_superseded(&record.plan)
    }

    /// Whether the same place (template and index) has another task now, because the template has
    /// changed.
    fn is_superseded(&self, plan: &PlannedEpisode) -> bool {
        self.templates.contains(plan.template.as_str())
            && plan.index < self.config.tasks.per_template
            && !self.tasks.contains(&plan.task)
    }
}

/// Divides the campaign's templates: those that this host's sandboxes can run, and the others with
/// the reason. It takes one sandbox for each image and looks for the required programs in it.
pub async fn runnable_templates(
    pool: &PoolHandle,
    planner: &CampaignPlanner,
) -> Result<(Vec<Arc<Template>>, Vec<SkippedTemplate>), Fault> {
    let all = planner.templates();
    let mut wanted: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for template in &all {
        let programs = template.requires.iter().map(String::as_str);
        wanted.entry(&template.environment.image).or_default().extend(programs);
    }
    let mut missing = HashMap::new();
    for (image, programs) in wanted {
        // An image that the campaign maps to nothing is reported for each template, in `lacking`.
        if let Some(spec) = planner.config.sandbox_for(image) {
            missing.insert(image.to_owned(), missing_programs(pool, &spec, &programs).await?);
        }
    }
    let mut skipped = Vec::new();
    let mut kept = Vec::new();
    for template in all {
        match lacking(&template, &missing) {
            None => kept.push(template),
            Some(reason) => skipped.push(SkippedTemplate { template: template.id.clone(), reason }),
        }
    }
    Ok((kept, skipped))
}

/// Why a template cannot run here. None if it can. `missing` has the programs that each image
/// lacks.
fn lacking(template: &Template, missing: &HashMap<String, HashSet<String>>) -> Option<String> {
    let image = &template.environment.image;
    let Some(missing) = missing.get(image) else {
        return Some(format!("[sandbox] names no image for {image}"));
    };
    let lacks = template.requires.iter().map(String::as_str).filter(|r| missing.contains(*r));
    let lacks: Vec<&str> = lacks.collect();
    (!lacks.is_empty()).then(|| format!("the sandbox has no {}", lacks.join(", ")))
}
