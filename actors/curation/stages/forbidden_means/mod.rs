//! Stage `forbidden-means`: an agent that reaches for what it should not have. A finding names the kind and
//! the step, and never what stood in the command.
//!
//! - `scope`: what the row says of the task: its files, and what belongs to the work.
//! - `history`: the history of the project, which may have the fix.
//! - `network`: hosts and package indexes outside of the sandbox.
//! - `checker`: programs and processes of the checks.
//! - `kept_files`: tests and sealed files.

mod checker;
mod history;
mod kept_files;
mod network;
mod scope;
#[cfg(test)]
mod tests;

use super::behaviour::{AgentAction, agent_actions};
use crate::curation::{RowFinder, StageRemark};
use crate::model::{RowRecord, TrajectoryRow};
use scope::MeansScope;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What an agent reached for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MeansKind {
    /// The tests of the task, where it keeps them; tests that were there and that it changed.
    Tests,
    /// The history of the project.
    History,
    /// A host outside of the sandbox.
    Network,
    /// A package index.
    Packages,
    /// Programs and processes of the checks.
    Checker,
    /// The sealed files, or words that only they have.
    Sealed,
    /// What `/proc` tells of other processes.
    Processes,
}

impl MeansKind {
    pub const ALL: [(&str, Self); 7] = [
        ("tests", Self::Tests),
        ("history", Self::History),
        ("network", Self::Network),
        ("packages", Self::Packages),
        ("checker", Self::Checker),
        ("sealed", Self::Sealed),
        ("processes", Self::Processes),
    ];
    /// Those that are forbidden if a recipe names none. Many images let agents install packages.
    pub const USUAL: [Self; 6] =
        [Self::Tests, Self::History, Self::Network, Self::Checker, Self::Sealed, Self::Processes];

    pub fn as_str(self) -> &'static str {
        let named = Self::ALL.into_iter().find(|(_, kind)| *kind == self);
        named.map_or("", |(name, _)| name)
    }
}

/// Globs of templates whose work is the history of a project.
pub const HISTORY_TEMPLATES: [&str; 6] = [
    "git/**",
    "version-control/**",
    "release-engineering/**",
    "**bisect**",
    "**merge**",
    "incident-response/bad-deploy",
];

/// What was reached for, in words of this stage.
type MeansFound = (MeansKind, &'static str);

/// Finds forbidden means.
pub struct MeansFinder {
    kinds: Vec<MeansKind>,
    history: Vec<String>,
}

impl MeansFinder {
    /// `history` are globs of templates whose work is the history.
    pub fn new(kinds: Vec<MeansKind>, history: Vec<String>) -> Self {
        Self { kinds, history }
    }
}

impl RowFinder for MeansFinder {
    fn find(&self, record: &RowRecord) -> Vec<StageRemark> {
        let Some(row) = record.row.as_trajectory() else { return Vec::new() };
        let mut found: BTreeMap<MeansKind, (&'static str, i32, u32)> = BTreeMap::new();
        for (step, (kind, what)) in found_means(row, &self.history) {
            if self.kinds.contains(&kind) {
                let (_, _, count) = found.entry(kind).or_insert((what, step, 0));
                *count += 1;
            }
        }
        found
            .into_iter()
            .map(|(kind, (what, step, count))| remark(kind, what, step, count))
            .collect()
    }
}

fn remark(kind: MeansKind, what: &str, step: i32, count: u32) -> StageRemark {
    let kind = kind.as_str();
    let more = if count > 1 { format!(", {count} times in all") } else { String::new() };
    StageRemark::new(format!("{kind}: {what} in step {step}{more}"))
        .labelled(format!("forbidden-means:{kind}"))
}

/// Everything that the actions of a trajectory reached for, with the numbers of their steps.
fn found_means(row: &TrajectoryRow, history: &[String]) -> Vec<(i32, MeansFound)> {
    let mut scope = MeansScope::of(row, history);
    let mut found = Vec::new();
    for action in &agent_actions(row) {
        let step = action.step.step;
        found.extend(of_action(action, &mut scope).into_iter().map(|means| (step, means)));
    }
    found
}

fn of_action(action: &AgentAction<'_>, scope: &mut MeansScope<'_>) -> Vec<MeansFound> {
    let mut found = Vec::new();
    for command in &action.commands {
        found.extend(history::found(command, scope).map(|what| (MeansKind::History, what)));
        found.extend(network::found(command, scope).map(|what| (MeansKind::Network, what)));
        found.extend(network::installs(command).map(|what| (MeansKind::Packages, what)));
        found.extend(checker::found(command).map(|what| (MeansKind::Checker, what)));
        found.extend(checker::other_processes(command).map(|what| (MeansKind::Processes, what)));
        found.extend(kept_files::sealed(command, scope).map(|what| (MeansKind::Sealed, what)));
        found
            .extend(kept_files::tests(command, action, scope).map(|what| (MeansKind::Tests, what)));
    }
    if let Some(path) = &action.path {
        found.extend(of_path(path, action, scope));
    }
    found
}

/// What a tool for files reaches for.
fn of_path(path: &str, action: &AgentAction<'_>, scope: &MeansScope<'_>) -> Vec<MeansFound> {
    let sealed = kept_files::is_sealed(path).then_some((MeansKind::Sealed, "the sealed files"));
    let process = checker::is_other_process(path)
        .then_some((MeansKind::Processes, "what /proc tells of another process"));
    let tests = kept_files::tests_at(path, action, scope).map(|what| (MeansKind::Tests, what));
    let checker = checker::patched(path, action.arguments, action.effect)
        .map(|what| (MeansKind::Checker, what));
    [sealed, process, tests, checker].into_iter().flatten().collect()
}
