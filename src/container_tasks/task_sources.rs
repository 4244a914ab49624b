//! The paths of a campaign that name tasks of containers: directories with Harbor folders, and files with
//! rows. Each task is judged by itself: what cannot be used is refused with its place and the reason, and
//! the others are taken.

use super::folder_task::folder_task;
use super::judge_engine::JudgeEngine;
use super::row_files::read_rows;
use super::swe_task::row_task;
use crate::harbor::find_tasks_below;
use std::path::Path;
use std::sync::Arc;
use synthd_actors::model::ContainerSource;
use synthd_actors::task::ContainerTask;

/// What one path of a campaign gives.
#[derive(Debug, Default)]
pub struct FoundContainers {
    pub tasks: Vec<ContainerTask>,
    /// What cannot be used, by its place, with the reason.
    pub refused: Vec<(String, String)>,
}

/// The tasks at a path, which people call `shown`. Err: the path gives nothing at all, and why.
pub fn containers_at(
    source: ContainerSource,
    path: &Path,
    shown: &Path,
) -> Result<FoundContainers, String> {
    let engine = Arc::new(JudgeEngine::default());
    match source {
        ContainerSource::Harbor => folders_at(path, shown, &engine),
        ContainerSource::Swe => rows_at(path, shown, &engine),
    }
}

fn folders_at(
    path: &Path,
    shown: &Path,
    engine: &Arc<JudgeEngine>,
) -> Result<FoundContainers, String> {
    let folders = find_tasks_below(path);
    let folders = folders.map_err(|error| format!("{}: {error}", shown.display()))?;
    if folders.is_empty() {
        return Err(format!("{} has no Harbor task", shown.display()));
    }
    let mut found = FoundContainers::default();
    for folder in folders {
        match folder_task(&folder, engine) {
            Ok(task) => found.tasks.push(task),
            Err(why) => {
                let below = folder.strip_prefix(path).unwrap_or(&folder);
                let place = shown.join(below).display().to_string();
                found.refused.push((place.trim_end_matches('/').to_owned(), why));
            }
        }
    }
    Ok(found)
}

fn rows_at(
    path: &Path,
    shown: &Path,
    engine: &Arc<JudgeEngine>,
) -> Result<FoundContainers, String> {
    let shown = shown.display();
    let rows = read_rows(path).map_err(|why| format!("{shown}: {why}"))?;
    if rows.is_empty() {
        return Err(format!("{shown} has no row"));
    }
    let mut found = FoundContainers::default();
    for (place, row) in rows {
        match row {
            Ok(row) => found.tasks.push(row_task(row, engine)),
            Err(why) => found.refused.push((format!("{shown}, {place}"), why)),
        }
    }
    Ok(found)
}
