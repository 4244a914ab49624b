//! Trajectories: a task, tried by a model and an agent in a sandbox, and judged by sealed checks.
//! Its unit is an episode.
//!
//! An attempt is one future (`run.rs`): take a sandbox, lay the task, replay recorded turns of an
//! earlier attempt, take new turns until the agent stops, verify the final workspace in fresh
//! sandboxes, and record the verdict. If the future is dropped, its sandbox and its calls end with
//! it.
//!
//! - `sources`, `plan`: which templates this host can run, and which episodes they make. `draw`: the
//!   plans that do not take the same number of tasks of each template.
//! - `container_proofs`: which tasks of containers are proven.
//! - `orders`: what an attempt is made from. `phase`: the state machine of an attempt.
//! - `run`: the whole attempt. `active_attempt`: what every agent's attempt has. `native_agent`: the
//!   turns of a scaffold. `external_agent`: the turns of an agent that is a program.
//! - `actions`: runs one action of a native agent through its tool.
//! - `replay_match`: whether a recorded turn has repeated.
//! - `milestones`, `verify`: measuring and judging a workspace, through `crate::judge`.
//! - `agent_pause`: the pause of the agent's programs meanwhile.
//! - `stage_progress`: how far an attempt is in the stages of its task.

mod actions;
mod active_attempt;
mod agent_pause;
mod changes;
mod container_proofs;
mod draw;
mod external_agent;
mod milestones;
mod native_agent;
mod orders;
mod phase;
mod plan;
mod replay_match;
mod run;
mod sources;
mod stage_progress;
mod verify;

pub use actions::{ActionLimits, PerformedAction, run_action};
pub use draw::draw_candidates;
pub use milestones::{MeasuredMilestones, MilestoneSandbox, milestone_potential};
pub use orders::{AttemptAgent, AttemptOrders};
pub use phase::AttemptPhase;
pub use replay_match::matches_recorded;
pub use run::provision_task;
pub(crate) use sources::missing_programs;
pub use sources::runnable_templates;
pub use verify::{verify_copy, verify_snapshot};

use super::{
    AttemptResult, AttemptSpec, CampaignPlan, ChosenUnit, EngineServices, SkippedTemplate,
    WorkKind, WorkSources,
};
use crate::model::{
    CampaignConfig, DrawRule, EpisodeRecord, Fault, FaultKind, Outcome, PlannedEpisode, TaskId,
};
use crate::policy::draw::{DrawChoice, InformativeDraw, PassCounts};
use crate::quality::{FinishedEpisode, FinishedUnit};
use crate::task::{Catalog, TemplateError};
use async_trait::async_trait;
use container_proofs::leave_out_unproven;
use orders::AttemptState;
use std::collections::HashSet;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// The kind `trajectories`, with the settings of one campaign and the templates to choose from.
pub struct TrajectoryWork {
    pub config: Arc<CampaignConfig>,
    pub catalog: Arc<Catalog>,
}

#[async_trait]
impl WorkKind for TrajectoryWork {
    fn config(&self) -> &Arc<CampaignConfig> {
        &self.config
    }

    async fn sources(&self, services: &EngineServices) -> Result<WorkSources, Fault> {
        let (mut templates, mut skipped) = runnable_templates(&services.pool, self).await?;
        let backend = self.config.sandbox.backend;
        let unproven = leave_out_unproven(services, backend, &mut templates).await?;
        let refused = self.catalog.refused().map(|(template, reason)| SkippedTemplate {
            template: template.to_owned(),
            reason: reason.to_owned(),
        });
        skipped.extend(unproven.into_iter().chain(refused));
        Ok(WorkSources {
            editions: self.editions(&templates),
            usable: templates.iter().map(|template| template.id.clone()).collect(),
            skipped,
            past: PassCounts::default(),
        })
    }

    fn plan(
        &self,
        sources: &WorkSources,
        known: &[EpisodeRecord],
        wanted: &dyn Fn() -> bool,
    ) -> Result<CampaignPlan, TemplateError> {
        let templates = self.usable_templates(sources);
        match self.config.tasks.draw.rule {
            DrawRule::Informative => self.plan_choices(&templates, &sources.past, known, wanted),
            DrawRule::Each | DrawRule::Shares => self.plan_templates(&templates, known, wanted),
        }
    }

    fn draw(
        &self,
        sources: &WorkSources,
        planned: &[EpisodeRecord],
        tasks: &HashSet<TaskId>,
    ) -> Option<InformativeDraw> {
        if self.config.tasks.draw.rule != DrawRule::Informative {
            return None;
        }
        let templates = self.usable_templates(sources);
        Some(self.informative_draw(&templates, &sources.past, planned.iter(), tasks))
    }

    fn chosen_units(&self, choices: &[DrawChoice]) -> Vec<ChosenUnit> {
        let planned = |unit| ChosenUnit { unit, failure: None };
        let mut chosen = Vec::new();
        for choice in choices {
            match self.units_of(choice) {
                Ok((_, units)) => chosen.extend(units.into_iter().map(planned)),
                Err(error) => {
                    let (unit, fault) = self.failed_unit(choice, &error);
                    chosen.push(ChosenUnit { unit, failure: Some(fault) });
                }
            }
        }
        chosen
    }

    fn may_run(&self, unit: &PlannedEpisode) -> bool {
        self.config.scaffolds.contains(&unit.scaffold)
    }

    /// The same place (template and index) has another task now, because the template has changed.
    fn is_superseded(
        &self,
        unit: &PlannedEpisode,
        sources: &WorkSources,
        plan: &CampaignPlan,
    ) -> bool {
        sources.usable.contains(&unit.template) && plan.replaces(unit)
    }

    async fn attempt(
        &self,
        services: &EngineServices,
        spec: &AttemptSpec,
        cancel: &CancellationToken,
    ) -> Result<AttemptResult, Fault> {
        let orders = AttemptOrders::of(spec, self.config.clone(), self.tasks()).await?;
        let state = AttemptState::new();
        let ended = run::run(services, &orders, &state, cancel).await;
        if ended.is_err() {
            state.enter_phase(AttemptPhase::Faulted);
        }
        let episode = ended?;
        let outcome = Outcome::Judged { stop: episode.stop, verdict: episode.verdict.clone() };
        Ok(AttemptResult { outcome, unit: Arc::new(episode) })
    }

    /// Fails with `TaskSetup` as well, if the template has changed.
    async fn recover(
        &self,
        services: &EngineServices,
        record: EpisodeRecord,
    ) -> Result<Arc<dyn FinishedUnit>, Fault> {
        let Some(Outcome::Judged { stop, verdict }) = record.outcome else {
            let what = format!("episode {} has no verdict to make a row of", record.plan.id);
            return Err(Fault::new(FaultKind::Store, what));
        };
        let turns = services.journal.turns(&record.plan.id, record.attempt).await?;
        Ok(Arc::new(FinishedEpisode {
            attempt: record.attempt,
            task: self.tasks().planned_task(record.plan.clone()).await?,
            plan: record.plan,
            turns: Arc::new(turns),
            stop,
            verdict,
            fingerprint: record.fingerprint.unwrap_or_default(),
            finished_at_ms: record.finished_at_ms.unwrap_or_default(),
            policy: self.config.quality.clone(),
            splits: self.config.dataset.splits,
        }))
    }
}
