//! Stage `length`: rows that are too short or too long. What counts is what the model did or wrote: its
//! steps, its tokens, or the characters of its words and calls. A row that does not tell it says
//! nothing.

use crate::curation::{RowFinder, StageRemark, TextSource, visit_strings};
use crate::model::{DatasetRow, RowRecord};
use serde::{Deserialize, Serialize};

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LengthUnit {
    /// Steps of a trajectory. A completion has none.
    Steps,
    /// Tokens that the model wrote, as the provider counted them.
    Tokens,
    /// Characters that the model wrote: thoughts, words, and strings of calls.
    Characters,
}

impl LengthUnit {
    pub const ALL: [(&str, Self); 3] =
        [("steps", Self::Steps), ("tokens", Self::Tokens), ("characters", Self::Characters)];

    fn as_str(self) -> &'static str {
        let named = Self::ALL.into_iter().find(|(_, unit)| *unit == self);
        named.map_or("", |(name, _)| name)
    }

    /// How many a row has. None if it does not tell.
    fn of(self, row: &DatasetRow) -> Option<u64> {
        match (self, row) {
            (Self::Steps, DatasetRow::Trajectory(row)) => u64::try_from(row.trajectory.len()).ok(),
            (Self::Steps, DatasetRow::Completion(_)) => None,
            (Self::Tokens, DatasetRow::Trajectory(row)) => {
                row.trajectory.iter().try_fold(0_u64, |sum, step| {
                    Some(sum.saturating_add(u64::try_from(step.output_tokens?).ok()?))
                })
            }
            (Self::Tokens, DatasetRow::Completion(row)) => u64::try_from(row.output_tokens?).ok(),
            (Self::Characters, row) => Some(written_characters(row)),
        }
    }
}

/// The characters that the model wrote. The conversation and the single actions of a step have the
/// same words once more.
fn written_characters(row: &DatasetRow) -> u64 {
    let mut count = 0;
    visit_strings(row, &mut |place, text| {
        let again = place.column == "messages" || place.field == "actions.arguments";
        if place.source == TextSource::Written && !again {
            count += text.chars().count() as u64;
        }
    });
    count
}

/// Finds rows that are too short or too long.
pub struct LengthFinder {
    unit: LengthUnit,
    least: Option<u64>,
    most: Option<u64>,
}

impl LengthFinder {
    pub fn new(unit: LengthUnit, least: Option<u64>, most: Option<u64>) -> Self {
        Self { unit, least, most }
    }
}

impl RowFinder for LengthFinder {
    fn find(&self, record: &RowRecord) -> Vec<StageRemark> {
        let Some(count) = self.unit.of(&record.row) else { return Vec::new() };
        let unit = self.unit.as_str();
        let short = self.least.filter(|least| count < *least);
        let short = short.map(|least| format!("{count} {unit}, fewer than {least}"));
        let long = self.most.filter(|most| count > *most);
        let long = long.map(|most| format!("{count} {unit}, more than {most}"));
        let told = short.or(long).into_iter();
        told.map(|detail| StageRemark::new(detail).scored(count as f64)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::behaviour::tests::{any_trajectory, ran, record, with_steps};
    use super::*;
    use crate::curation::tests::row;
    use proptest::prelude::*;

    fn told(finder: &LengthFinder, record: &RowRecord) -> Vec<String> {
        finder.find(record).into_iter().map(|remark| remark.detail).collect()
    }

    #[test]
    fn bounds_are_part_of_what_is_wanted() {
        let record = record(with_steps(vec![ran("ls", 0, ""); 4]));
        let steps = |least, most| told(&LengthFinder::new(LengthUnit::Steps, least, most), &record);
        assert_eq!(steps(Some(5), None), ["4 steps, fewer than 5"]);
        assert_eq!(steps(None, Some(3)), ["4 steps, more than 3"]);
        assert_eq!(steps(Some(4), Some(4)), Vec::<String>::new());
    }

    #[test]
    fn only_what_the_model_wrote_counts() {
        let mut trajectory = with_steps(vec![ran("ls ü", 0, "a long output")]);
        trajectory.trajectory[0].reasoning = "Look.".to_owned();
        let characters = LengthFinder::new(LengthUnit::Characters, Some(100), None);
        // `Look.`, `command` and `ls ü`.
        assert_eq!(told(&characters, &record(trajectory)), ["16 characters, fewer than 100"]);
        assert_eq!(told(&characters, &row(0, "ab")), ["2 characters, fewer than 100"]);
    }

    #[test]
    fn tokens_that_nobody_counted_say_nothing() {
        let mut trajectory = with_steps(vec![ran("ls", 0, ""); 2]);
        let tokens = LengthFinder::new(LengthUnit::Tokens, Some(1_000), None);
        trajectory.trajectory.iter_mut().for_each(|step| step.output_tokens = Some(2));
        let counted = record(trajectory.clone());
        assert_eq!(told(&tokens, &counted), ["4 tokens, fewer than 1000"]);
        trajectory.trajectory[1].output_tokens = None;
        assert_eq!(told(&tokens, &record(trajectory)), Vec::<String>::new());
        assert_eq!(told(&tokens, &row(0, "ab")), Vec::<String>::new());
        let steps = LengthFinder::new(LengthUnit::Steps, Some(1_000), None);
        assert_eq!(told(&steps, &row(0, "ab")), Vec::<String>::new());
    }

    proptest! {
        /// A row is too short, or too long, or neither, and never both.
        #[test]
        fn every_row_is_judged_once(row in any_trajectory(), least in 0..40_u64, more in 0..40_u64) {
            let row = record(row);
            for (_, unit) in LengthUnit::ALL {
                let finder = LengthFinder::new(unit, Some(least), Some(least + more));
                prop_assert!(finder.find(&row).len() <= 1);
                prop_assert_eq!(finder.find(&row), finder.find(&row));
            }
        }
    }
}
