//! Before a campaign runs: is it the one the store knows, what can this host run of it,
//! what is planned, and what was done before.

use super::plan::{Planner, Skipped};
use crate::episode::World;
use crate::model::{
    CampaignRecord, CampaignState, Entry, EpisodeRecord, ExecRequest, Fault, SandboxSpec,
};
use crate::task::{Template, TemplateError};
use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

const PLAN_CHUNK: usize = 1_000;

/// A campaign that can run.
pub struct Prepared {
    pub planner: Planner,
    pub record: CampaignRecord,
    pub episodes: Vec<EpisodeRecord>,
    pub skipped: Vec<Skipped>,
    pub tasks: u64,
}

/// Why a campaign cannot.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    #[error("campaign {0} was made with another seed, sandbox, limits, quality rules or splits")]
    Changed(String),
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

/// Looks everything up and writes the plan down.
pub async fn prepare(
    world: &World,
    planner: Planner,
    source: String,
) -> Result<Prepared, PrepareError> {
    let config = planner.config.clone();
    let earlier = world.journal.campaign(&config.name).await?;
    let identity = config.identity();
    if earlier.as_ref().is_some_and(|record| record.identity != identity) {
        return Err(PrepareError::Changed(config.name.to_string()));
    }
    let earlier_state = earlier.as_ref().map(|record| record.state);
    let (templates, skipped) = runnable(world, &planner).await?;
    if templates.is_empty() {
        return Err(PrepareError::NothingToRun(skipped));
    }
    let record = CampaignRecord {
        name: config.name.clone(),
        identity,
        config: source,
        state: CampaignState::Running,
        reason: None,
        created_at_ms: earlier.map_or_else(|| world.clock.now_ms(), |r| r.created_at_ms),
    };
    world.collector.record(vec![Entry::CampaignOpened(record.clone())]).await?;
    let known = world.journal.episodes(&config.name).await?;
    let planned = planner.plan(&templates, &known)?;
    for chunk in planned.chunks(PLAN_CHUNK) {
        world.collector.record(vec![Entry::Planned(chunk.to_vec())]).await?;
    }
    let episodes = world.journal.episodes(&config.name).await?;
    // Opened again, it keeps the state it was left in; with work left, it runs now.
    let at_rest = earlier_state.is_some_and(|state| state != CampaignState::Running);
    if at_rest && episodes.iter().any(|episode| episode.outcome.is_none()) {
        let moved = Entry::CampaignMoved {
            campaign: config.name.clone(),
            state: CampaignState::Running,
            reason: None,
        };
        world.collector.record(vec![moved]).await?;
    }
    let tasks = episodes.iter().map(|e| &e.plan.task).collect::<HashSet<_>>().len() as u64;
    Ok(Prepared { planner, record, episodes, skipped, tasks })
}

/// The templates whose `requires` this host's sandboxes meet, and the others.
async fn runnable(
    world: &World,
    planner: &Planner,
) -> Result<(Vec<Arc<Template>>, Vec<Skipped>), Fault> {
    let all = planner.templates();
    let wanted: BTreeSet<&str> =
        all.iter().flat_map(|template| &template.requires).map(String::as_str).collect();
    let missing = missing_programs(world, &planner.config.sandbox, &wanted).await?;
    let mut skipped = Vec::new();
    let mut kept = Vec::new();
    for template in all {
        let lacks: Vec<&str> =
            template.requires.iter().map(String::as_str).filter(|r| missing.contains(*r)).collect();
        if lacks.is_empty() {
            kept.push(template);
        } else {
            let reason = format!("the sandbox has no {}", lacks.join(", "));
            skipped.push(Skipped { template: template.id.clone(), reason });
        }
    }
    Ok((kept, skipped))
}

/// Asks a real sandbox, because that is where they must be.
async fn missing_programs(
    world: &World,
    spec: &SandboxSpec,
    wanted: &BTreeSet<&str>,
) -> Result<HashSet<String>, Fault> {
    let mut missing = HashSet::new();
    if wanted.is_empty() {
        return Ok(missing);
    }
    let mut lease = world.pool.acquire(&Arc::new(spec.clone())).await?;
    for program in wanted {
        let plain = program.bytes().all(|b| b.is_ascii_alphanumeric() || b"._+-".contains(&b));
        let request = ExecRequest {
            command: format!("command -v {program}"),
            session: false,
            timeout: Duration::from_secs(10),
            scan: false,
        };
        if !plain || !lease.sandbox().exec(&request).await?.end.success() {
            missing.insert((*program).to_owned());
        }
    }
    Ok(missing)
}
