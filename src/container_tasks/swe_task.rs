//! The task of a row in the style of SWE-bench.

use super::judge_engine::JudgeEngine;
use super::oracle_moves::{DIRECTORY, oracle_moves};
use super::swe_judge::{SweJudge, SweWork, applying};
use super::swe_row::SweRow;
use super::task_draft::{TaskDraft, plain_name, task_of};
use crate::harbor::PROVEN_MEMORY_MB;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use synthd_actors::model::{ContainerSite, ContainerSource, Difficulty, TaskContainer};
use synthd_actors::task::ContainerTask;

/// The time of the tests of a row.
pub(super) const TESTS_TIME: Duration = Duration::from_secs(30 * 60);
/// The name of the file with the oracle's patch.
const PATCH: &str = "fix.patch";

/// The task of a row.
pub(super) fn row_task(row: SweRow, engine: &Arc<JudgeEngine>) -> ContainerTask {
    let container = TaskContainer {
        source: ContainerSource::Swe,
        origin: row.digest(),
        licence: row.licence.clone(),
        authors: row.repository.iter().cloned().collect(),
        image: row.image.clone(),
        site: ContainerSite {
            directory: Some(row.directory.clone()),
            user: None,
            variables: BTreeMap::new(),
        },
        memory_bytes: PROVEN_MEMORY_MB << 20,
    };
    let patch = [(PATCH.to_owned(), row.patch.clone().into_bytes())];
    let task = task_of(TaskDraft {
        name: plain_name(&row.id),
        title: row.id.clone(),
        difficulty: Difficulty::Hard,
        instruction: row.problem.clone(),
        solution: oracle_moves(&patch, &applying(&format!("\"{DIRECTORY}/{PATCH}\""))),
        agent_time: None,
        tests_time: TESTS_TIME,
        container,
    });
    let judged = SweWork::new(row, engine.clone());
    ContainerTask::new(task, Arc::new(SweJudge(Arc::new(judged))))
}
