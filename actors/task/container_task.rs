//! Tasks of containers beside templates. Such a task is fixed: it stands in the catalog as a template
//! that makes this one task, whatever the seed is.

use super::template::{EnvironmentSpec, StepRange, Template};
use super::{OrderedParams, TemplateFolder};
use crate::container_judge::ContainerJudge;
use crate::model::{BASE_IMAGE, Task, TaskId, digest_of};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// The `schema` of the template of a fixed task. No file has it.
const CONTAINER_SCHEMA: &str = "synthd/container@1";

/// A task of a container, and the judge that knows its tests.
#[derive(Clone)]
pub struct ContainerTask {
    pub task: Arc<Task>,
    pub judge: Arc<dyn ContainerJudge>,
}

impl fmt::Debug for ContainerTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContainerTask").field("id", &self.task.id).finish_non_exhaustive()
    }
}

/// The judge follows from the digest of the task's origin, which is in the task.
impl PartialEq for ContainerTask {
    fn eq(&self, other: &Self) -> bool {
        self.task == other.task
    }
}

impl ContainerTask {
    /// The task with its digest and its id, which follow from everything else in it.
    pub fn new(mut task: Task, judge: Arc<dyn ContainerJudge>) -> Self {
        let origin = task.container.as_ref().map_or("", |container| container.origin.as_str());
        // A task is plain data, so it can always be serialized; its origin tells it from others anyway.
        let bytes = serde_json::to_string(&task).unwrap_or_default();
        task.digest = digest_of(&["container task", origin, &bytes]);
        task.id = TaskId(format!("{}@{}", task.template, &task.digest[..12]));
        task.template_digest.clone_from(&task.digest);
        Self { task: Arc::new(task), judge }
    }

    /// The digest of the folder or of the row. A proof holds for it.
    pub fn origin(&self) -> &str {
        self.task.container.as_ref().map_or("", |container| container.origin.as_str())
    }
}

impl Template {
    /// The template that makes only this task.
    pub fn of_container(fixed: ContainerTask) -> Self {
        let task = &fixed.task;
        Self {
            schema: CONTAINER_SCHEMA.to_owned(),
            id: task.template.clone(),
            title: task.title.clone(),
            category: task.category.clone(),
            kind: task.kind,
            skills: Vec::new(),
            difficulty: task.difficulty,
            expected_steps: StepRange { min: task.expected_steps.0, max: task.expected_steps.1 },
            requires: Vec::new(),
            parameters: OrderedParams::default(),
            faults: Vec::new(),
            environment: EnvironmentSpec {
                image: BASE_IMAGE.to_owned(),
                files: Vec::new(),
                setup: Vec::new(),
            },
            services: Vec::new(),
            resources: None,
            from_pack: None,
            instruction: None,
            solution: None,
            alternatives: Vec::new(),
            verification: None,
            stages: Vec::new(),
            measured: None,
            folder: Arc::new(TemplateFolder::default()),
            pack: None,
            fixed: Some(fixed),
        }
    }

    /// The task of a container, if the template stands for one.
    pub fn container(&self) -> Option<&ContainerTask> {
        self.fixed.as_ref()
    }

    /// How many of so many tasks the template can make. A fixed task is one.
    pub fn at_most(&self, tasks: u32) -> u32 {
        if self.fixed.is_some() { tasks.min(1) } else { tasks }
    }

    /// The digest of a fixed task in place of files.
    pub(super) fn fixed_files(&self) -> Option<BTreeMap<String, String>> {
        let fixed = self.fixed.as_ref()?;
        Some(BTreeMap::from([(self.id.clone(), fixed.task.digest.clone())]))
    }
}
