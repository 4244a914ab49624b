//! The parts of a card that only datasets of trajectories have.

use super::card::{CardParts, sum};
use super::markdown::{cell, decimal, percent, table, whole};
use super::trajectory_tally::{GroupStats, PackFigures, TrajectoryFigures};
use std::collections::BTreeMap;

/// The first sentences.
const INTRO: &str = "\
trajectories of language models that act. In each row, one model tries one task in an
isolated sandbox. The row has every action, observation and reward.";

/// How the splits were decided.
const DIVIDED: &str = "\
A hash of a task's template and content decides the split of the task. All rows of a task
are in one split, for every model. They stay in this split when the dataset grows.";

/// The section on how success was determined. It is the same for every version.
const LABEL: &str = "\
## How success was determined

Each task has sealed checks that the agent never saw. The files of the checks exist only in the
sandbox for verification. After the agent stopped, its workspace was copied into a fresh sandbox
and the checks ran there, twice. `final_result` has one of three values:

- `resolved`: every check passed in both runs.
- `unresolved`: both runs agree, and at least one check failed.
- `flaky`: the runs disagree. A disagreement never counts as success.

An episode that ended in an infrastructure fault has no label and no row here. `verification` has
the result of each check. `reward` is the change of a milestone potential between steps. The last
step adds the final score, so that the rewards sum to the score.";

/// The first words of the section on packs.
const PACKS: &str = "\
## Packs

Some tasks were made from packs: projects with tests. Files of a project stand in the rows of its tasks.
The licence of the project holds for them; keep its notices with the data.";

/// The section on what the data cannot show.
const LIMITS: &str = "\
## Limits

- Templates generate the tasks, so many rows have a similar form. Group by `template` before
  you judge how diverse the data is.
- Unsuccessful trajectories are kept and labelled on purpose. If you want only successes, filter
  by `final_result` or `labels`.
- If a command wrote more than the campaign keeps, its observation is cut (`truncated`).
- `difficulty` is the judgement of the template's author, not a measured pass rate.
- `reasoning` is the text that the model sent with its action. It need not be the cause of the
  action.";

/// The section on the canary strings.
const CANARY: &str = "\
## Canary

Every task has a unique string, and the column `canary` repeats it. Keep this column with the
data. If a model's output contains such a string, the model was trained on this task. Please do
not train on the splits `validation` and `test`.";

/// The parts for these figures.
pub(super) fn trajectory_parts(all: &TrajectoryFigures) -> CardParts {
    CardParts {
        unit: "episodes",
        intro: INTRO,
        figures: figures(all),
        label: LABEL,
        splits: splits(all),
        divided: DIVIDED,
        distributions: distributions(all),
        packs: packs(&all.packs),
        limits: LIMITS,
        canary: CANARY,
    }
}

/// The table of the totals.
fn figures(figures: &TrajectoryFigures) -> String {
    let totals = &figures.totals;
    let lengths = totals.length_in_steps;
    let rows = [
        ("trajectories", totals.rows.to_string()),
        ("steps", totals.steps.to_string()),
        ("resolved", totals.outcomes.resolved.to_string()),
        ("unresolved", totals.outcomes.unresolved.to_string()),
        ("flaky", totals.outcomes.flaky.to_string()),
        ("success rate", percent(totals.success_rate)),
        ("steps, average", decimal(lengths.average)),
        ("steps, median", whole(lengths.p50)),
        ("steps, range", format!("{} to {}", whole(lengths.min), whole(lengths.max))),
        ("tokens in", sum(totals.tokens.input)),
        ("tokens out", sum(totals.tokens.output)),
        ("cost in USD", totals.cost_usd.to_string()),
        ("seconds, average", decimal(totals.average_execution_seconds)),
    ];
    let rows = rows.iter().map(|(name, value)| vec![(*name).to_owned(), value.clone()]);
    table(&["what", "value"], rows)
}

/// The table of the splits.
fn splits(figures: &TrajectoryFigures) -> String {
    let groups = figures.splits.iter().map(|(split, group)| (split.as_str(), group));
    group_table("split", groups)
}

/// The tables of rows by model, scaffold, category, difficulty and template.
fn distributions(figures: &TrajectoryFigures) -> String {
    let all = &figures.distributions;
    let parts = [
        ("model", &all.model),
        ("scaffold", &all.scaffold),
        ("category", &all.category),
        ("difficulty", &all.difficulty),
        ("template", &all.template),
    ];
    let tables = parts.map(|(name, groups)| {
        group_table(name, groups.iter().map(|(key, group)| (key.as_str(), group)))
    });
    format!("## Models, scaffolds and tasks\n\n{}", tables.join("\n\n"))
}

/// The section on the packs: the licence of a project holds for its files in the rows. Empty without
/// packs.
fn packs(all: &BTreeMap<String, PackFigures>) -> String {
    if all.is_empty() {
        return String::new();
    }
    let rows =
        all.iter().map(|(name, own)| vec![cell(name), cell(&own.licence), own.rows.to_string()]);
    let mut text = format!("{PACKS}\n\n{}", table(&["pack", "licence", "rows"], rows));
    for (name, own) in all.iter().filter(|(_, own)| !own.notices.trim().is_empty()) {
        let lines: Vec<String> =
            own.notices.trim_end().lines().map(|line| format!("    {line}")).collect();
        text.push_str(&format!("\n\nThe notices of {}:\n\n{}", cell(name), lines.join("\n")));
    }
    text
}

/// A table of groups of rows with their success rates.
fn group_table<'a>(name: &str, groups: impl Iterator<Item = (&'a str, &'a GroupStats)>) -> String {
    let rows = groups.map(|(key, group)| {
        let (rate, steps) = (percent(group.success_rate), decimal(group.average_steps));
        vec![cell(key), group.rows.to_string(), group.resolved.to_string(), rate, steps]
    });
    table(&[name, "rows", "resolved", "success rate", "average steps"], rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packs_are_listed_with_their_licences_and_notices() {
        assert_eq!(packs(&BTreeMap::new()), "");
        let figures = |licence: &str, notices: &str| PackFigures {
            rows: 3,
            licence: licence.to_owned(),
            notices: notices.to_owned(),
        };
        let all = BTreeMap::from([
            ("daybook@1".to_owned(), figures("MIT", "LICENSE\n\nBe kind.\n")),
            ("tabq@2".to_owned(), figures("BSD-3-Clause", "")),
        ]);
        let text = packs(&all);
        assert!(text.contains("| daybook@1 | MIT | 3 |\n| tabq@2 | BSD-3-Clause | 3 |"), "{text}");
        let notices = "The notices of daybook@1:\n\n    LICENSE\n    \n    Be kind.";
        assert!(text.ends_with(notices), "{text}");
    }
}
