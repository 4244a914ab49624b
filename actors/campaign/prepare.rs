//! Before a campaign runs: is it the one the store knows, what can this host run of it,
//! what is planned, and what was done before.

use super::plan::{CampaignPlan, CampaignPlanner, SkippedTemplate};
use super::reopen::{ChangedTemplates, RestartOptions};
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

const PLAN_CHUNK: usize = 1_000;

/// A campaign that can run.
pub struct PreparedCampaign {
    pub planner: Arc<CampaignPlanner>,
    pub episodes: Vec<EpisodeRecord>,
    pub skipped: Vec<SkippedTemplate>,
    pub tasks: u64,
    /// The next place in the plan.
    pub ordinal: u64,
    /// The state to go back to if it may not start after all.
    pub before: (CampaignState, Option<String>),
}

/// Why a campaign cannot.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    #[error("campaign {0} was made with another seed, sandbox, limits, quality rules or splits")]
    Changed(String),
    #[error("campaign {0} was begun with other templates, or with more tasks of them")]
    ChangedTemplates(String, Vec<ChangedTemplate>),
    #[error("campaign {0} has no matching faulted episode to try again")]
    NothingToRetry(String, FaultCounts),
    /// It has episodes that never ended, which a retry would start.
    #[error("campaign {0} was cancelled with {1} episodes that have not ended")]
    Cancelled(String, usize),
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

/// Looks everything up and writes the plan down. Nothing is written of a campaign that
/// cannot run.
pub async fn prepare(
    world: &EngineServices,
    planner: Arc<CampaignPlanner>,
    source: String,
    again: &RestartOptions,
) -> Result<PreparedCampaign, PrepareError> {
    let config = planner.config.clone();
    let earlier = world.journal.campaign(&config.name).await?;
    let identity = config.identity();
    if earlier.as_ref().is_some_and(|record| record.identity != identity) {
        return Err(PrepareError::Changed(config.name.to_string()));
    }
    let (templates, skipped) = runnable_templates(&world.pool, &planner).await?;
    if templates.is_empty() {
        return Err(PrepareError::NothingToRun(skipped));
    }
    let known = world.journal.episodes(&config.name).await?;
    let was_cancelled = earlier.as_ref().is_some_and(|r| r.state == CampaignState::Cancelled);
    let unended = known.iter().filter(|episode| episode.outcome.is_none()).count();
    if again.reopen.requires_match() && was_cancelled && unended > 0 {
        return Err(PrepareError::Cancelled(config.name.to_string(), unended));
    }
    let editions = editions(world, &planner, &templates, &known, again.changed).await?;
    let (known, plan) = plan(planner.clone(), templates.clone(), known).await?;
    let wanted =
        RequestedEpisodes { config: &config, templates: ids(&templates), tasks: &plan.tasks };
    let reopened = again.reopen.entries(known.iter().filter(|record| wanted.may_reopen(record)));
    if reopened.is_empty() && again.reopen.requires_match() {
        let faults = FaultCounts::of(&known);
        return Err(PrepareError::NothingToRetry(config.name.to_string(), faults));
    }
    let record = CampaignRecord {
        name: config.name.clone(),
        identity,
        config: source,
        images: config.digests.clone(),
        price_table: config.price_table.clone(),
        state: CampaignState::Running,
        reason: None,
        created_at_ms: earlier.as_ref().map_or_else(|| world.clock.now_ms(), |r| r.created_at_ms),
    };
    write_down(world, record, editions, &plan.episodes, reopened).await?;
    let mut episodes = world.journal.episodes(&config.name).await?;
    let tasks = episodes.iter().map(|e| &e.plan.task).collect::<HashSet<_>>().len() as u64;
    let ordinal = episodes.iter().map(|e| e.plan.ordinal + 1).max().unwrap_or(0);
    wanted.leave_out_others(&mut episodes);
    let work_left = episodes.iter().any(|episode| episode.outcome.is_none());
    // Opened again, it keeps the state it was left in; with work left, it runs now.
    if work_left && earlier.as_ref().is_some_and(|r| r.state != CampaignState::Running) {
        world
            .collector
            .record(vec![state_change_entry(&config.name, CampaignState::Running, None)])
            .await?;
    }
    let before = earlier.map_or((CampaignState::Cancelled, None), |r| (r.state, r.reason));
    Ok(PreparedCampaign { planner, episodes, skipped, tasks, ordinal, before })
}

/// Rendering a large plan takes long.
async fn plan(
    planner: Arc<CampaignPlanner>,
    templates: Vec<Arc<Template>>,
    known: Vec<EpisodeRecord>,
) -> Result<(Vec<EpisodeRecord>, CampaignPlan), PrepareError> {
    // Dropped with this future: nobody waits for the end of what nobody wants any more.
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

/// The editions that are to be recorded. A change of one that episodes were planned from is
/// refused, unless somebody accepts it.
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

pub(crate) fn state_change_entry(
    campaign: &CampaignName,
    state: CampaignState,
    reason: Option<String>,
) -> JournalEntry {
    JournalEntry::CampaignMoved { campaign: campaign.clone(), state, reason }
}

fn ids(templates: &[Arc<Template>]) -> HashSet<&str> {
    templates.iter().map(|template| template.id.as_str()).collect()
}

/// What is asked for now, of all that was ever planned.
struct RequestedEpisodes<'a> {
    config: &'a CampaignConfig,
    templates: HashSet<&'a str>,
    tasks: &'a HashSet<TaskId>,
}

impl RequestedEpisodes<'_> {
    /// What cannot be run any more stays planned, for a time when it can be: its model or
    /// scaffold is not configured now, it is a sample or a task beyond those that are asked for
    /// now, the host cannot run its template, or its template has another edition. To run it now
    /// would only make a wrong label.
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

    /// A task of an earlier edition cannot be made any more; one of a template that is not asked
    /// for now may be some day.
    fn may_reopen(&self, record: &EpisodeRecord) -> bool {
        !self.is_superseded(&record.plan)
    }

    fn is_superseded(&self, plan: &PlannedEpisode) -> bool {
        self.templates.contains(plan.template.as_str())
            && plan.index < self.config.tasks.per_template
            && !self.tasks.contains(&plan.task)
    }
}

/// The templates whose `requires` this host's sandboxes meet, and the others.
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
        // One that stands for nothing is told of template by template.
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

/// Why a template cannot run here.
fn lacking(template: &Template, missing: &HashMap<String, HashSet<String>>) -> Option<String> {
    let image = &template.environment.image;
    let Some(missing) = missing.get(image) else {
        return Some(format!("[sandbox] names no image for {image}"));
    };
    let lacks = template.requires.iter().map(String::as_str).filter(|r| missing.contains(*r));
    let lacks: Vec<&str> = lacks.collect();
    (!lacks.is_empty()).then(|| format!("the sandbox has no {}", lacks.join(", ")))
}
