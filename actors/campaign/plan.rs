//! The plan: which episodes a campaign consists of. Deterministic, and stable as it grows.

use crate::model::{CampaignConfig, EpisodeId, EpisodeRecord, PlannedEpisode, Task};
use crate::policy::assign;
use crate::task::{Catalog, Template, TemplateError};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::Arc;

/// A template that is left out, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    pub template: String,
    pub reason: String,
}

/// Makes plans and the tasks in them.
pub struct Planner {
    pub config: Arc<CampaignConfig>,
    pub catalog: Arc<Catalog>,
}

impl Planner {
    /// The templates the campaign asks for.
    pub fn templates(&self) -> Vec<Arc<Template>> {
        let tasks = &self.config.tasks;
        self.catalog.select(&tasks.templates, &tasks.exclude)
    }

    pub fn task(&self, template: &str, index: u32) -> Result<Task, TemplateError> {
        let known = self.catalog.get(template);
        let template = known.ok_or_else(|| TemplateError::new(template, "no such template"))?;
        template.task(self.config.seed, index)
    }

    /// Every episode over `templates`, without those in `known`, numbered after them.
    pub fn plan(
        &self,
        templates: &[Arc<Template>],
        known: &[EpisodeRecord],
    ) -> Result<Vec<PlannedEpisode>, TemplateError> {
        let taken: HashMap<&EpisodeId, u64> =
            known.iter().map(|record| (&record.plan.id, record.plan.ordinal)).collect();
        let mut next = known.iter().map(|record| record.plan.ordinal + 1).max().unwrap_or(0);
        let mut planned = Vec::new();
        for (place, template) in templates.iter().enumerate() {
            for index in 0..self.config.tasks.per_template {
                let task = template.task(self.config.seed, index)?;
                let turn = place as u64 + u64::from(index) * templates.len() as u64;
                for mut episode in self.episodes(&task, turn) {
                    if !taken.contains_key(&episode.id) {
                        episode.ordinal = next;
                        next += 1;
                        planned.push(episode);
                    }
                }
            }
        }
        Ok(planned)
    }

    fn episodes(&self, task: &Task, turn: u64) -> Vec<PlannedEpisode> {
        let config = &self.config;
        let models = assign(config.assign, &config.models, config.seed, turn);
        let pairs = models.iter().flat_map(|model| {
            config.scaffolds.iter().map(|scaffold| (&config.models[*model].name, scaffold))
        });
        pairs
            .map(|(model, scaffold)| PlannedEpisode {
                id: EpisodeId::derive(&config.name, &task.id, model, scaffold),
                campaign: config.name.clone(),
                ordinal: 0,
                task: task.id.clone(),
                template: task.template.clone(),
                index: task.index,
                category: task.category.clone(),
                difficulty: task.difficulty.as_str().to_owned(),
                model: model.clone(),
                scaffold: scaffold.clone(),
            })
            .collect()
    }
}
