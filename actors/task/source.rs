//! The tasks of planned episodes: a template of the catalog, drawn under a campaign's seed.

use super::{Catalog, TemplateError};
use crate::container_judge::ContainerJudge;
use crate::model::{Fault, FaultKind, PlannedEpisode, Task};
use std::sync::Arc;

/// Makes the task of a planned episode again. The same template and seed give the same bytes.
pub struct TaskSource {
    /// The seed of the campaign.
    pub seed: u64,
    pub catalog: Arc<Catalog>,
}

impl TaskSource {
    /// Task number `index` of a template. It fails if the catalog lacks the template, or if the
    /// template cannot be rendered.
    pub fn task(&self, template: &str, index: u32) -> Result<Task, TemplateError> {
        let known = self.catalog.get(template);
        let template = known.ok_or_else(|| TemplateError::new(template, "no such template"))?;
        template.task(self.seed, index)
    }

    /// The judge of a task of a container. None for a template.
    pub fn judge_of(&self, template: &str) -> Option<Arc<dyn ContainerJudge>> {
        let container = self.catalog.get(template)?.container()?;
        Some(container.judge.clone())
    }

    /// The task of a planned episode, rendered on a blocking thread. If the template has changed
    /// since the episode was planned, this is a fault of the task: no other task stands in.
    pub async fn planned_task(self: Arc<Self>, plan: PlannedEpisode) -> Result<Arc<Task>, Fault> {
        let (template, wanted) = (plan.template.clone(), plan.task.clone());
        let rendered = tokio::task::spawn_blocking(move || self.task(&plan.template, plan.index));
        let task = rendered
            .await
            .map_err(|failure| Fault::new(FaultKind::Panicked, failure.to_string()))?
            .map_err(|error| Fault::new(FaultKind::TaskSetup, error.to_string()))?;
        if task.id == wanted {
            return Ok(Arc::new(task));
        }
        let changed = format!("the template {template} has changed since it was planned");
        Err(Fault::new(FaultKind::TaskSetup, changed))
    }
}
