//! Rows of which reviewers say something, by an exported review. Rows are known by their ids. A row that
//! was not reviewed has no finding.

use crate::curation::{RowFinder, StageRemark};
use crate::model::{ReviewValue, ReviewedRow, RowRecord};
use std::collections::BTreeMap;

/// What all reviewers said of a row.
pub(super) type RowDecisions = BTreeMap<String, Vec<ReviewValue>>;

/// Finds rows of which enough reviewers said one thing.
pub(super) struct ReviewDecisions {
    decisions: RowDecisions,
    value: ReviewValue,
    /// The fewest reviewers who must say so.
    least: u32,
}

impl ReviewDecisions {
    pub(super) fn new(decisions: RowDecisions, value: ReviewValue, least: u32) -> Self {
        Self { decisions, value, least }
    }
}

/// Reads an exported review. Empty lines are passed over.
pub(super) fn read_decisions(text: &str) -> Result<RowDecisions, String> {
    let mut decisions = RowDecisions::new();
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    for (at, line) in lines {
        let row: ReviewedRow = serde_json::from_str(line)
            .map_err(|error| format!("line {} is not of an exported review: {error}", at + 1))?;
        let said = row.decisions.iter().map(|decision| decision.value);
        decisions.entry(row.row).or_default().extend(said);
    }
    if decisions.is_empty() {
        return Err("no line of an exported review is there".to_owned());
    }
    Ok(decisions)
}

impl RowFinder for ReviewDecisions {
    fn find(&self, record: &RowRecord) -> Vec<StageRemark> {
        let Some(said) = self.decisions.get(record.row.id()) else { return Vec::new() };
        let count = said.iter().filter(|value| **value == self.value).count();
        if u32::try_from(count).unwrap_or(u32::MAX) < self.least {
            return Vec::new();
        }
        let (all, value) = (said.len(), self.value.as_str());
        let share = count as f64 / all.max(1) as f64;
        vec![StageRemark::new(format!("{count} of {all} reviewers say {value}")).scored(share)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::curation::tests::row;
    use ReviewValue::{Right, Unsure, Wrong};

    /// A line of an export.
    fn line(row: &str, said: &[ReviewValue]) -> String {
        let decision = |(at, value): (usize, &ReviewValue)| {
            serde_json::json!({
                "item": 1, "reviewer": format!("r{at}"), "value": value, "blind": true, "at": "",
            })
        };
        let decisions: Vec<_> = said.iter().enumerate().map(decision).collect();
        let line = serde_json::json!({
            "review": "first", "version": "digest", "item": 1, "row": row, "probability": 0.5,
            "verdict": "resolved", "state": "agreed", "consensus": null, "decisions": decisions,
        });
        format!("{line}\n")
    }

    #[test]
    fn rows_of_which_enough_reviewers_say_it_are_found() {
        let text = line("ep-0", &[Wrong, Right, Wrong]) + "\n" + &line("ep-1", &[Unsure]);
        let found = |value, least, ordinal| {
            let decisions = read_decisions(&text).unwrap();
            let found = ReviewDecisions::new(decisions, value, least).find(&row(ordinal, "x"));
            found.into_iter().next().map(|remark| remark.detail)
        };
        let said = |text: &str| Some(text.to_owned());
        assert_eq!(found(Wrong, 2, 0), said("2 of 3 reviewers say wrong"));
        assert_eq!(found(Wrong, 3, 0), None);
        assert_eq!(found(Right, 1, 0), said("1 of 3 reviewers say right"));
        assert_eq!(found(Unsure, 1, 1), said("1 of 1 reviewers say unsure"));
        assert_eq!(found(Wrong, 1, 1), None);
        assert_eq!(found(Wrong, 1, 2), None, "it was not reviewed");
    }

    #[test]
    fn a_file_that_is_no_export_is_told() {
        let torn = line("ep-0", &[Right]) + "right\n";
        let other = line("ep-0", &[Right]).replace("right", "good");
        for (text, said) in [
            ("", "no line"),
            ("\n\n", "no line"),
            ("{}\n", "line 1 is not"),
            (torn.as_str(), "line 2 is not"),
            (other.as_str(), "line 1 is not"),
        ] {
            let told = read_decisions(text).unwrap_err();
            assert!(told.contains(said), "{told} instead of {said}");
        }
    }
}
