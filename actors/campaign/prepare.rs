//! What happens before a campaign runs. [`prepare`] answers four questions:
//!
//! 1. Is this the campaign that the store knows under this name? If a setting changed that must not
//!    change, it is refused.
//! 2. Which sources of tasks (templates, for example) can this host use?
//! 3. Which episodes are planned now, besides those that are planned already?
//! 4. Which earlier episodes are run, and which faulted ones are tried again?
//!
//! The kind of work answers 2 and 3. Nothing is written for a campaign that cannot run.

use super::choices::failed_entries;
use super::reopen::{ChangedTemplates, RestartOptions, close_entries, reopen_entries};
use crate::model::{
    CampaignConfig, CampaignName, CampaignRecord, CampaignState, DrawRule, EpisodeRecord, Fault,
    FaultCounts, FaultKind, JournalEntry, Outcome, PlannedEpisode, TemplateEdition, WorkName,
};
use crate::policy::draw::{InformativeDraw, PassCounts};
use crate::policy::{ChangedTemplate, changed_templates};
use crate::ports::{Journal, StoreFault};
use crate::task::TemplateError;
use crate::work::{CampaignPlan, EngineServices, SkippedTemplate, WorkKind, WorkSources};
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Planned episodes in one entry of the journal, so that a large plan is not one huge batch.
const PLAN_CHUNK: usize = 1_000;

/// A campaign that was checked and planned, and can start.
pub struct PreparedCampaign {
    /// The kind of work, with the settings of the campaign.
    pub kind: Arc<dyn WorkKind>,
    /// The episodes to run, and those that have ended. In plan order.
    pub episodes: Vec<EpisodeRecord>,
    /// The choice of tasks that goes on while the campaign runs. None if the plan is whole.
    pub draw: Option<InformativeDraw>,
    /// Templates that this host cannot run, and sources that lost the tasks of open episodes.
    pub skipped: Vec<SkippedTemplate>,
    /// Why planned episodes without an outcome are not run, if their tasks are gone. A campaign
    /// that completes without them says so.
    pub left_open: Option<String>,
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
    /// The shares of the campaign exclude every template that this host can run. The list has those
    /// that it cannot run.
    #[error("the shares leave no task to draw")]
    NothingToDraw(Vec<SkippedTemplate>),
    #[error(transparent)]
    Template(#[from] TemplateError),
    #[error(transparent)]
    Fault(#[from] Fault),
}

impl From<StoreFault> for PrepareError {
    fn from(fault: StoreFault) -> Self {
        Self::Fault(fault.into())
    }
}

/// Checks and plans a campaign, and writes the plan to the journal. `source` is the text of the
/// campaign file, for the record. `again` says which faulted episodes to try again.
///
/// The order matters: all checks come before the first write.
pub async fn prepare(
    services: &EngineServices,
    kind: Arc<dyn WorkKind>,
    source: String,
    again: &RestartOptions,
) -> Result<PreparedCampaign, PrepareError> {
    let config = kind.config().clone();
    let earlier = services.journal.campaign(&config.name).await?;
    // What was planned before, by any earlier start of this campaign.
    let known = services.journal.episodes(&config.name).await?;
    if let Some(record) = &earlier {
        same_settings(record, &config, &known)?;
    }
    let created_at_ms =
        earlier.as_ref().map_or_else(|| services.clock.now_ms(), |r| r.created_at_ms);
    let mut sources = kind.sources(services).await?;
    if config.tasks.draw.rule == DrawRule::Informative {
        sources.past = past_results(&*services.journal, &config.name, created_at_ms).await?;
    }
    let sources = Arc::new(sources);
    if sources.usable.is_empty() {
        return Err(PrepareError::NothingToRun(sources.skipped.clone()));
    }
    let was_cancelled = earlier.as_ref().is_some_and(|r| r.state == CampaignState::Cancelled);
    let unended = known.iter().filter(|episode| episode.outcome.is_none()).count();
    if again.reopen.requires_match() && was_cancelled && unended > 0 {
        return Err(PrepareError::Cancelled(config.name.to_string(), unended));
    }
    let editions = editions(services, &config.name, &sources, &known, again.changed).await?;
    let (known, plan) = plan(kind.clone(), sources.clone(), known).await?;
    let is_by_shares = config.tasks.draw.rule == DrawRule::Shares;
    if is_by_shares && known.is_empty() && plan.tasks.is_empty() {
        return Err(PrepareError::NothingToDraw(sources.skipped.clone()));
    }
    let wanted = RequestedEpisodes { kind: &*kind, sources: &sources, plan: &plan };
    let reopened = again.reopen.choose(known.iter().filter(|record| wanted.may_reopen(record)));
    if reopened.is_empty() && again.reopen.requires_match() {
        let faults = FaultCounts::of(&known);
        return Err(PrepareError::NothingToRetry(config.name.to_string(), faults));
    }
    let record = CampaignRecord {
        name: config.name.clone(),
        kind: config.kind,
        identity: config.identity(),
        sampling: Some(CampaignRecord::sampling_with(earlier.as_ref(), &config)),
        config: source,
        images: config.digests.clone(),
        price_table: config.price_table.clone(),
        state: CampaignState::Running,
        reason: None,
        created_at_ms,
    };
    let mut undo = close_entries(&reopened);
    write_down(services, record, editions, &plan, reopen_entries(&reopened)).await?;
    // Read again, because a reopened episode has lost its outcome and new ones were added.
    let all = services.journal.episodes(&config.name).await?;
    let skipped = sources.skipped.clone();
    let selected = select(kind.clone(), sources.clone(), plan, all).await?;
    let SelectedEpisodes { episodes, draw, lost, tasks, ordinal } = selected;
    let work_left = episodes.iter().any(|episode| episode.outcome.is_none());
    // A campaign that is complete keeps its state. One with work left runs now, whatever it was
    // before.
    if work_left && earlier.as_ref().is_some_and(|r| r.state != CampaignState::Running) {
        services
            .collector
            .record(vec![state_change_entry(&config.name, CampaignState::Running, None)])
            .await?;
    }
    // A campaign that never ran is shown as cancelled if it may not start.
    let before = earlier.map_or((CampaignState::Cancelled, None), |r| (r.state, r.reason));
    undo.push(state_change_entry(&config.name, before.0, before.1));
    let left_open = reason_of(&lost);
    let skipped = [skipped, lost].concat();
    Ok(PreparedCampaign { kind, episodes, draw, skipped, left_open, tasks, ordinal, undo })
}

/// The sources that lost tasks as one text. None if there is none.
fn reason_of(lost: &[SkippedTemplate]) -> Option<String> {
    let told: Vec<String> =
        lost.iter().map(|source| format!("{}: {}", source.template, source.reason)).collect();
    (!told.is_empty()).then(|| told.join("; "))
}

/// Why the campaign may not go on as it is now: changed settings, changed templates. Empty for a
/// campaign that the store does not know. `editions` are those of the templates that are asked for
/// now. [`prepare`] refuses for the same reasons; nothing is written here.
pub async fn find_changes(
    journal: &dyn Journal,
    config: &CampaignConfig,
    editions: &[TemplateEdition],
    changed: ChangedTemplates,
) -> Result<Vec<PrepareError>, StoreFault> {
    let Some(record) = journal.campaign(&config.name).await? else { return Ok(Vec::new()) };
    let known = journal.episodes(&config.name).await?;
    let before = journal.editions(&config.name).await?;
    let settings = same_settings(&record, config, &known);
    let templates = same_editions(&config.name, &before, editions, &known, changed);
    Ok([settings, templates].into_iter().filter_map(Result::err).collect())
}

/// Err if a setting has changed that belongs to the identity of the stored campaign.
fn same_settings(
    record: &CampaignRecord,
    config: &CampaignConfig,
    known: &[EpisodeRecord],
) -> Result<(), PrepareError> {
    let models = known.iter().map(|episode| episode.plan.model.as_str()).collect();
    match record.has_settings_of(config, &models) {
        true => Ok(()),
        false => Err(PrepareError::Changed(config.name.to_string())),
    }
}

/// Err if a template has changed from which episodes were planned, and nobody has accepted this.
fn same_editions(
    name: &CampaignName,
    before: &[TemplateEdition],
    now: &[TemplateEdition],
    known: &[EpisodeRecord],
    changed: ChangedTemplates,
) -> Result<(), PrepareError> {
    let planned: HashSet<&str> = known.iter().map(|r| r.plan.template.as_str()).collect();
    let mut changes = changed_templates(before, now);
    changes.retain(|change| planned.contains(change.template.as_str()));
    match changes.is_empty() || changed == ChangedTemplates::Accept {
        true => Ok(()),
        false => Err(PrepareError::ChangedTemplates(name.to_string(), changes)),
    }
}

/// What other campaigns of the store knew of templates and models when this one began. What they learn
/// later does not count, so that this campaign makes the same choices whenever it is resumed.
async fn past_results(
    journal: &dyn Journal,
    name: &CampaignName,
    began_ms: i64,
) -> Result<PassCounts, StoreFault> {
    let mut past = PassCounts::default();
    for other in journal.campaigns().await? {
        if other.name == *name || other.kind != WorkName::Trajectories {
            continue;
        }
        let episodes = journal.episodes(&other.name).await?;
        episodes.iter().for_each(|record| past.add_record(record, began_ms));
    }
    Ok(past)
}

/// Makes the plan on a blocking thread, because rendering many tasks takes long. Returns `known`
/// unchanged beside the plan.
async fn plan(
    kind: Arc<dyn WorkKind>,
    sources: Arc<WorkSources>,
    known: Vec<EpisodeRecord>,
) -> Result<(Vec<EpisodeRecord>, CampaignPlan), PrepareError> {
    // If this future is dropped, the planner stops early: nobody wants the plan any more.
    let wanted = CancellationToken::new();
    let _wanted = wanted.clone().drop_guard();
    let work = move || {
        let plan = kind.plan(&sources, &known, &|| !wanted.is_cancelled())?;
        Ok::<_, TemplateError>((known, plan))
    };
    let planned = tokio::task::spawn_blocking(work).await;
    Ok(planned.map_err(panicked)??)
}

/// The fault of a step of the preparation that panicked.
fn panicked(failure: tokio::task::JoinError) -> Fault {
    Fault::new(FaultKind::Panicked, crate::supervisor::panic_text(failure))
}

/// What a start finds among all episodes on record.
struct SelectedEpisodes {
    /// The episodes to run, and those that have ended. In plan order.
    episodes: Vec<EpisodeRecord>,
    /// The choice of tasks that goes on while the campaign runs.
    draw: Option<InformativeDraw>,
    /// The sources that lost the tasks of open episodes.
    lost: Vec<SkippedTemplate>,
    /// The number of different tasks of all episodes.
    tasks: u64,
    /// The next free place in the plan.
    ordinal: u64,
}

/// Finds what this start runs, out of all episodes on record. It works on a blocking thread, because a
/// campaign may have very many.
async fn select(
    kind: Arc<dyn WorkKind>,
    sources: Arc<WorkSources>,
    plan: CampaignPlan,
    mut episodes: Vec<EpisodeRecord>,
) -> Result<SelectedEpisodes, Fault> {
    let work = move || {
        let tasks = episodes.iter().map(|e| &e.plan.task).collect::<HashSet<_>>().len() as u64;
        let ordinal = episodes.iter().map(|e| e.plan.ordinal + 1).max().unwrap_or(0);
        let draw = kind.draw(&sources, &episodes, &plan.tasks);
        let wanted = RequestedEpisodes { kind: &*kind, sources: &sources, plan: &plan };
        let lost = wanted.leave_out_others(&mut episodes);
        SelectedEpisodes { episodes, draw, lost, tasks, ordinal }
    };
    tokio::task::spawn_blocking(work).await.map_err(panicked)
}

/// The template editions that must be recorded because they are new. If a template has changed that
/// episodes were planned from, this is an error, unless somebody has accepted the change.
async fn editions(
    services: &EngineServices,
    name: &CampaignName,
    sources: &WorkSources,
    known: &[EpisodeRecord],
    changed: ChangedTemplates,
) -> Result<Vec<TemplateEdition>, PrepareError> {
    let (before, now) = (services.journal.editions(name).await?, &sources.editions);
    same_editions(name, &before, now, known, changed)?;
    if before.is_empty() && !known.is_empty() && !now.is_empty() {
        tracing::warn!(
            campaign = %name,
            "an older synthd began this campaign and did not record its templates; they are \
             recorded now, and a change from here on is noticed"
        );
    }
    Ok(now.iter().filter(|edition| !before.contains(edition)).cloned().collect())
}

/// Writes the campaign, its template editions, the new episodes, the choices that have failed and the
/// reopened episodes, in this order. A kill in between leaves a shorter plan, and the next start adds the rest. Episodes that
/// were not reopened yet stay faulted.
async fn write_down(
    services: &EngineServices,
    record: CampaignRecord,
    editions: Vec<TemplateEdition>,
    plan: &CampaignPlan,
    reopened: Vec<JournalEntry>,
) -> Result<(), Fault> {
    if !reopened.is_empty() {
        tracing::info!(campaign = %record.name, episodes = reopened.len(), "tried again");
    }
    let campaign = record.name.clone();
    services.collector.record(vec![JournalEntry::CampaignOpened(record)]).await?;
    if !editions.is_empty() {
        services.collector.record(vec![JournalEntry::EditionsUsed { campaign, editions }]).await?;
    }
    for chunk in plan.episodes.chunks(PLAN_CHUNK) {
        services.collector.record(vec![JournalEntry::Planned(chunk.to_vec())]).await?;
    }
    for chunk in plan.failed.chunks(PLAN_CHUNK) {
        let entries = failed_entries(chunk, services.clock.now_ms());
        services.collector.record(entries).await?;
    }
    for chunk in reopened.chunks(PLAN_CHUNK) {
        services.collector.record(chunk.to_vec()).await?;
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

/// Why so many open episodes of one source are not run.
fn lost_reason(kind: WorkName, count: u64) -> String {
    let (unit, task) = (kind.unit(), kind.task());
    let (units, its) = if count == 1 { ("", "its") } else { ("s", "their") };
    let tasks = if count == 1 { " is" } else { "s are" };
    format!("{count} planned {unit}{units} left open: {its} {task}{tasks} not to be had now")
}

/// The choice of episodes that this start runs, out of all that were ever planned for the campaign.
struct RequestedEpisodes<'a> {
    kind: &'a dyn WorkKind,
    /// The sources of tasks that this host can use.
    sources: &'a WorkSources,
    /// The current plan, with the tasks of the current template editions.
    plan: &'a CampaignPlan,
}

impl RequestedEpisodes<'_> {
    /// Removes the episodes that cannot be run now. They stay planned in the journal, for a time
    /// when they can be run. An episode is left out if its model or scaffold is not configured now,
    /// it is a sample or a task beyond those that are asked for now, this host cannot run its
    /// template, or its template has another edition (its task cannot be rendered as it was
    /// planned). So is a faulted episode whose task was replaced by a newer edition. Returns the
    /// sources whose open episodes have lost their tasks.
    fn leave_out_others(&self, episodes: &mut Vec<EpisodeRecord>) -> Vec<SkippedTemplate> {
        let (kept, others): (Vec<_>, Vec<_>) =
            std::mem::take(episodes).into_iter().partition(|record| self.is_wanted(record));
        *episodes = kept;
        if !others.is_empty() {
            tracing::warn!(
                campaign = %self.kind.config().name,
                "{} episodes planned earlier are left out: their template, its edition, \
                 their model or their scaffold is not to be had now", others.len()
            );
        }
        self.sources_of_lost(&others)
    }

    /// The sources of open episodes whose tasks are gone, with the number of these episodes.
    fn sources_of_lost(&self, left_out: &[EpisodeRecord]) -> Vec<SkippedTemplate> {
        let mut counts = BTreeMap::<&str, u64>::new();
        for record in left_out {
            if record.outcome.is_none() && self.is_superseded(&record.plan) {
                *counts.entry(&record.plan.template).or_default() += 1;
            }
        }
        let kind = self.kind.config().kind;
        let told = |(template, count): (&str, u64)| SkippedTemplate {
            template: template.to_owned(),
            reason: lost_reason(kind, count),
        };
        counts.into_iter().map(told).collect()
    }

    /// Whether this start shows or runs the episode. A judged one always counts. A faulted one
    /// counts unless its task has been replaced by a newer template edition.
    fn is_wanted(&self, record: &EpisodeRecord) -> bool {
        let EpisodeRecord { plan, outcome, .. } = record;
        match outcome {
            Some(Outcome::Faulted { .. }) => !self.is_superseded(plan),
            Some(_) => true,
            None => {
                let config = self.kind.config();
                self.plan.tasks.contains(&plan.task)
                    && config.may_answer(&plan.model)
                    && self.kind.may_run(plan)
                    && plan.id.sample() < config.tasks.samples.most
            }
        }
    }

    /// Whether a faulted episode may be tried again. A task of an older template edition cannot be
    /// made any more. A task of a template that is not asked for now may be asked for later.
    fn may_reopen(&self, record: &EpisodeRecord) -> bool {
        !self.is_superseded(&record.plan)
    }

    /// Whether the task of an episode has been replaced by another edition.
    fn is_superseded(&self, plan: &PlannedEpisode) -> bool {
        self.kind.is_superseded(plan, self.sources, self.plan)
    }
}
