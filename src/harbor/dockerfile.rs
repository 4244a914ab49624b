//! The Dockerfile of a task, as far as it can be judged without building it.

use super::harbor_files::HarborFiles;
use super::harbor_problem::HarborProblem;
use super::harbor_task::required;

/// Looks at a Dockerfile: it must begin an image.
pub(super) fn check_dockerfile(files: &HarborFiles, path: &str, problems: &mut Vec<HarborProblem>) {
    let Some(text) = required(files, path, problems) else { return };
    let mut lines = text.lines().map(str::trim_start).filter(|line| !line.starts_with('#'));
    let is_from = |line: &str| line.split_whitespace().next().is_some_and(is_from_word);
    if !lines.any(is_from) {
        problems.push(HarborProblem::invalid(path, "has no FROM"));
    }
}

fn is_from_word(word: &str) -> bool {
    word.eq_ignore_ascii_case("FROM")
}
