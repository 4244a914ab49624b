//! Completions: prompts from files, answered by models. A unit is one answer of one model to one
//! prompt. No sandbox and no agent take part, and nothing is verified: an answer has no score.
//!
//! - `prompts`: how lines of files become prompts.
//! - `plan`: which completions the campaign consists of.
//! - `attempt`: one attempt, from the start to the recorded outcome.
//! - `row`, `stages`: the row of a completion, and what quality says of it.

mod attempt;
mod plan;
mod prompts;
mod row;
mod stages;
#[cfg(test)]
mod tests;

pub use plan::request;
pub use prompts::{PromptFormat, PromptSet, read_prompt};
pub use row::FinishedCompletion;
pub use stages::COMPLETION_LABELS;

use super::{AttemptResult, AttemptSpec, CampaignPlan, EngineServices, WorkKind, WorkSources};
use crate::model::{CampaignConfig, EpisodeRecord, Fault, FaultKind, Outcome, PlannedEpisode};
use crate::quality::FinishedUnit;
use crate::task::TemplateError;
use async_trait::async_trait;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// The kind `completions`, with the settings of one campaign and its prompts.
pub struct CompletionWork {
    pub config: Arc<CampaignConfig>,
    pub prompts: Arc<PromptSet>,
}

#[async_trait]
impl WorkKind for CompletionWork {
    fn config(&self) -> &Arc<CampaignConfig> {
        &self.config
    }

    /// The files of prompts. They may grow, so they have no editions.
    async fn sources(&self, _services: &EngineServices) -> Result<WorkSources, Fault> {
        let usable = self.wanted_prompts().map(|prompt| prompt.source.clone()).collect();
        Ok(WorkSources { usable, ..WorkSources::default() })
    }

    fn plan(
        &self,
        _sources: &WorkSources,
        known: &[EpisodeRecord],
        wanted: &dyn Fn() -> bool,
    ) -> Result<CampaignPlan, TemplateError> {
        Ok(self.plan_prompts(known, wanted))
    }

    fn may_run(&self, _unit: &PlannedEpisode) -> bool {
        true
    }

    /// The files do not have the prompt any more, or not so many prompts are asked for now.
    fn is_superseded(
        &self,
        unit: &PlannedEpisode,
        _sources: &WorkSources,
        plan: &CampaignPlan,
    ) -> bool {
        !plan.tasks.contains(&unit.task)
    }

    async fn attempt(
        &self,
        services: &EngineServices,
        spec: &AttemptSpec,
        cancel: &CancellationToken,
    ) -> Result<AttemptResult, Fault> {
        let prompt = self.prompts.get(&spec.plan.task).cloned().ok_or_else(|| {
            let what = format!("{} has no such prompt any more", spec.plan.template);
            Fault::new(FaultKind::TaskSetup, what)
        })?;
        let (outcome, unit) = attempt::run(services, spec, &self.config, prompt, cancel).await?;
        Ok(AttemptResult { outcome, unit: Arc::new(unit) })
    }

    async fn recover(
        &self,
        services: &EngineServices,
        record: EpisodeRecord,
    ) -> Result<Arc<dyn FinishedUnit>, Fault> {
        let turns = services.journal.turns(&record.plan.id, record.attempt).await?;
        if !matches!(record.outcome, Some(Outcome::Answered { .. })) || turns.is_empty() {
            let what = format!("completion {} has no answer to make a row of", record.plan.id);
            return Err(Fault::new(FaultKind::Store, what));
        }
        Ok(Arc::new(FinishedCompletion {
            attempt: record.attempt,
            plan: record.plan,
            turns,
            finished_at_ms: record.finished_at_ms.unwrap_or_default(),
            policy: self.config.quality.clone(),
            splits: self.config.dataset.splits,
        }))
    }
}
