//! The tasks of a version that every sample or no sample has solved. Such tasks teach little: one is too easy for
//! the model, the other too hard or broken.

use super::markdown::{cell, table};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use synthd_actors::model::DatasetRow;

/// The most tasks that are named of each sort.
const NAMED: usize = 20;

/// What the samples of tasks came to. A task counts once for each model and scaffold that tried it at least twice.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SampleFigures {
    /// Tasks that were tried at least twice.
    pub tasks: u64,
    /// Those that every sample has solved.
    pub always: u64,
    /// Those that no sample has solved.
    pub never: u64,
    /// The first of those that were never solved, with model, scaffold and number of tries.
    pub never_solved: Vec<String>,
}

/// The pass rates of the rows so far: tries and solved, by task, model and scaffold.
#[derive(Clone, Debug, Default)]
pub(super) struct SampleTally(BTreeMap<(String, String, String), (i32, i32)>);

impl SampleTally {
    /// Looks at a row, accepted or not.
    pub(super) fn add(&mut self, row: &DatasetRow) {
        let Some(row) = row.as_trajectory() else { return };
        if let Some(rate) = row.pass_rate.filter(|rate| rate.tries >= 2) {
            let key = (row.task_id.clone(), row.llm_model.clone(), row.scaffold.clone());
            self.0.insert(key, (rate.tries, rate.solved));
        }
    }

    /// The figures. None if no task is of either sort.
    pub(super) fn figures(&self) -> Option<SampleFigures> {
        let mut figures = SampleFigures { tasks: self.0.len() as u64, ..Default::default() };
        for ((task, model, scaffold), (tries, solved)) in &self.0 {
            if solved >= tries {
                figures.always += 1;
            } else if *solved <= 0 {
                figures.never += 1;
                if figures.never_solved.len() < NAMED {
                    let what = format!("{task} by {model} with {scaffold}, {tries} tries");
                    figures.never_solved.push(what);
                }
            }
        }
        (figures.always + figures.never > 0).then_some(figures)
    }
}

/// The section of the card. Empty without figures.
pub(super) fn samples_section(figures: Option<&SampleFigures>) -> String {
    let Some(figures) = figures else { return String::new() };
    let rows = [
        ("tried at least twice", figures.tasks),
        ("solved by every sample", figures.always),
        ("solved by no sample", figures.never),
    ];
    let rows = rows.iter().map(|(what, count)| vec![(*what).to_owned(), count.to_string()]);
    let mut text = format!(
        "## Tasks tried several times\n\nEach task counts once for each model and scaffold. `pass_rate` of a row \
         has the rate of its task.\n\n{}",
        table(&["tasks", "count"], rows)
    );
    if !figures.never_solved.is_empty() {
        text.push_str("\n\nSolved by no sample, at most the first twenty:\n");
        for task in &figures.never_solved {
            text.push_str(&format!("\n- {}", cell(task)));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::fixture::row;
    use synthd_actors::model::{PassRate, TrajectoryRow};

    fn rated(task: &str, tries: i32, solved: i32) -> DatasetRow {
        let pass_rate = Some(PassRate { tries, solved, low: 0.0, high: 1.0 });
        TrajectoryRow { task_id: task.to_owned(), pass_rate, ..row(1) }.into()
    }

    #[test]
    fn tasks_that_all_or_no_samples_solved_are_said() {
        let mut tally = SampleTally::default();
        tally.add(&rated("once", 1, 0));
        tally.add(&rated("some", 4, 2));
        assert_eq!(tally.figures(), None);
        assert_eq!(samples_section(None), "");
        for task in ["always", "never", "never"] {
            tally.add(&rated(task, 4, if task == "never" { 0 } else { 4 }));
        }
        let figures = tally.figures().unwrap();
        assert_eq!((figures.tasks, figures.always, figures.never), (3, 1, 1));
        let text = samples_section(Some(&figures));
        assert!(text.contains("| solved by no sample | 1 |"), "{text}");
        assert!(text.contains("- never by "), "{text}");
    }
}
