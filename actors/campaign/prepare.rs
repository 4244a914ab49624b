//! Before a campaign runs: is it the one the store knows, what can this host run of it,
//! what is planned, and what was done before.

use super::plan::{Planner, Skipped};
use super::progress::FaultCounts;
use super::reopen::Reopen;
use crate::episode::World;
use crate::episode::missing_programs;
use crate::model::{
    CampaignConfig, CampaignName, CampaignRecord, CampaignState, Entry, EpisodeRecord, Fault,
    FaultKind, PlannedEpisode,
};
use crate::pool::PoolHandle;
use crate::task::{Template, TemplateError};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

const PLAN_CHUNK: usize = 1_000;

/// A campaign that can run.
pub struct Prepared {
    pub planner: Arc<Planner>,
    pub episodes: Vec<EpisodeRecord>,
    pub skipped: Vec<Skipped>,
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
    #[error("campaign {0} has no matching faulted episode to try again")]
    NothingToRetry(String, FaultCounts),
    /// It has episodes that never ended, which a retry would start.
    #[error("campaign {0} was cancelled with {1} episodes that have not ended")]
    Cancelled(String, usize),
    #[error("no task is left to run")]
    NothingToRun(Vec<Skipped>),
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
    world: &World,
    planner: Arc<Planner>,
    source: String,
    reopen: &Reopen,
) -> Result<Prepared, PrepareError> {
    let config = planner.config.clone();
    let earlier = world.journal.campaign(&config.name).await?;
    let identity = config.identity();
    if earlier.as_ref().is_some_and(|record| record.identity != identity) {
        return Err(PrepareError::Changed(config.name.to_string()));
    }
    let (templates, skipped) = runnable(&world.pool, &planner).await?;
    if templates.is_empty() {
        return Err(PrepareError::NothingToRun(skipped));
    }
    let known = world.journal.episodes(&config.name).await?;
    let was_cancelled = earlier.as_ref().is_some_and(|r| r.state == CampaignState::Cancelled);
    let unended = known.iter().filter(|episode| episode.outcome.is_none()).count();
    if reopen.must_find() && was_cancelled && unended > 0 {
        return Err(PrepareError::Cancelled(config.name.to_string(), unended));
    }
    let reopened = reopen.entries(&known);
    if reopened.is_empty() && reopen.must_find() {
        let faults = FaultCounts::of(&known);
        return Err(PrepareError::NothingToRetry(config.name.to_string(), faults));
    }
    let planned = plan(planner.clone(), templates.clone(), known).await?;
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
    write_down(world, record, &planned, reopened).await?;
    let mut episodes = world.journal.episodes(&config.name).await?;
    let tasks = episodes.iter().map(|e| &e.plan.task).collect::<HashSet<_>>().len() as u64;
    let ordinal = episodes.iter().map(|e| e.plan.ordinal + 1).max().unwrap_or(0);
    leave_out(&config, &templates, &mut episodes);
    let work_left = episodes.iter().any(|episode| episode.outcome.is_none());
    // Opened again, it keeps the state it was left in; with work left, it runs now.
    if work_left && earlier.as_ref().is_some_and(|r| r.state != CampaignState::Running) {
        world.collector.record(vec![moved(&config.name, CampaignState::Running, None)]).await?;
    }
    let before = earlier.map_or((CampaignState::Cancelled, None), |r| (r.state, r.reason));
    Ok(Prepared { planner, episodes, skipped, tasks, ordinal, before })
}

/// Rendering a large plan takes long.
async fn plan(
    planner: Arc<Planner>,
    templates: Vec<Arc<Template>>,
    known: Vec<EpisodeRecord>,
) -> Result<Vec<PlannedEpisode>, PrepareError> {
    // Dropped with this future: nobody waits for the end of what nobody wants any more.
    let wanted = CancellationToken::new();
    let _wanted = wanted.clone().drop_guard();
    let work = move || planner.plan(&templates, &known, || !wanted.is_cancelled());
    let planned = tokio::task::spawn_blocking(work).await;
    let failed = |failure: tokio::task::JoinError| {
        Fault::new(FaultKind::Panicked, crate::supervisor::panic_text(failure))
    };
    Ok(planned.map_err(failed)??)
}

async fn write_down(
    world: &World,
    record: CampaignRecord,
    planned: &[PlannedEpisode],
    reopened: Vec<Entry>,
) -> Result<(), Fault> {
    if !reopened.is_empty() {
        tracing::info!(campaign = %record.name, episodes = reopened.len(), "tried again");
    }
    world.collector.record(vec![Entry::CampaignOpened(record)]).await?;
    for chunk in planned.chunks(PLAN_CHUNK) {
        world.collector.record(vec![Entry::Planned(chunk.to_vec())]).await?;
    }
    for chunk in reopened.chunks(PLAN_CHUNK) {
        world.collector.record(chunk.to_vec()).await?;
    }
    Ok(())
}

pub(crate) fn moved(
    campaign: &CampaignName,
    state: CampaignState,
    reason: Option<String>,
) -> Entry {
    Entry::CampaignMoved { campaign: campaign.clone(), state, reason }
}

/// What was planned earlier and is not to be had any more: its model or scaffold is not
/// configured now, it is a sample beyond those that are asked for now, or the host cannot run its template. It stays planned, for a time when
/// it can be run; to run it now would only make a wrong label.
fn leave_out(
    config: &CampaignConfig,
    templates: &[Arc<Template>],
    episodes: &mut Vec<EpisodeRecord>,
) {
    let templates: HashSet<&str> = templates.iter().map(|t| t.id.as_str()).collect();
    let before = episodes.len();
    episodes.retain(|EpisodeRecord { plan, outcome, .. }| {
        outcome.is_some()
            || templates.contains(plan.template.as_str())
                && config.may_answer(&plan.model)
                && config.scaffolds.contains(&plan.scaffold)
                && plan.id.sample() < config.tasks.samples.most
    });
    let left_out = before - episodes.len();
    if left_out > 0 {
        tracing::warn!(
            campaign = %config.name,
            "{left_out} episodes planned earlier are left out: their template, model or \
             scaffold is not to be had now"
        );
    }
}

/// The templates whose `requires` this host's sandboxes meet, and the others.
pub async fn runnable(
    pool: &PoolHandle,
    planner: &Planner,
) -> Result<(Vec<Arc<Template>>, Vec<Skipped>), Fault> {
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
            Some(reason) => skipped.push(Skipped { template: template.id.clone(), reason }),
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
