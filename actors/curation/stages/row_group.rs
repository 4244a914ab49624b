//! By what rows are grouped: for caps, for balance, and for pass rates.

use crate::model::DatasetRow;
use serde::{Deserialize, Serialize};

/// What rows of one group have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RowAspect {
    /// The task or the prompt.
    Task,
    /// The template, or the file of the prompt.
    Template,
    Category,
    Kind,
    Difficulty,
    Model,
    Scaffold,
    /// `resolved`, `unresolved` or `flaky`; of a completion, why the model stopped.
    Outcome,
    Campaign,
}

impl RowAspect {
    pub const ALL: [Self; 9] = [
        Self::Task,
        Self::Template,
        Self::Category,
        Self::Kind,
        Self::Difficulty,
        Self::Model,
        Self::Scaffold,
        Self::Outcome,
        Self::Campaign,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Task => "task",
            Self::Template => "template",
            Self::Category => "category",
            Self::Kind => "kind",
            Self::Difficulty => "difficulty",
            Self::Model => "model",
            Self::Scaffold => "scaffold",
            Self::Outcome => "outcome",
            Self::Campaign => "campaign",
        }
    }

    /// The value of a row; `none` where its format has none.
    pub(crate) fn of(self, row: &DatasetRow) -> String {
        let none = || "none".to_owned();
        match (self, row) {
            (Self::Task, row) => row.work_id().to_owned(),
            (Self::Campaign, row) => row.campaign().to_owned(),
            (Self::Template, DatasetRow::Trajectory(row)) => row.template.clone(),
            (Self::Template, DatasetRow::Completion(row)) => row.source.clone(),
            (Self::Category, DatasetRow::Trajectory(row)) => row.category.clone(),
            (Self::Kind, DatasetRow::Trajectory(row)) => row.kind.clone().unwrap_or_else(none),
            (Self::Difficulty, DatasetRow::Trajectory(row)) => row.difficulty.clone(),
            (Self::Scaffold, DatasetRow::Trajectory(row)) => row.scaffold.clone(),
            (Self::Model, DatasetRow::Trajectory(row)) => {
                format!("{}/{}", row.llm_provider, row.llm_model)
            }
            (Self::Model, DatasetRow::Completion(row)) => {
                format!("{}/{}", row.llm_provider, row.llm_model)
            }
            (Self::Outcome, DatasetRow::Trajectory(row)) => row.final_result.clone(),
            (Self::Outcome, DatasetRow::Completion(row)) => row.finish_reason.clone(),
            (Self::Category | Self::Kind | Self::Difficulty | Self::Scaffold, _) => none(),
        }
    }
}

/// The values of several aspects, as people read them: `template git/merge, outcome resolved`.
pub(super) fn group_of(aspects: &[RowAspect], row: &DatasetRow) -> String {
    let values = aspects.iter().map(|aspect| format!("{} {}", aspect.as_str(), aspect.of(row)));
    values.collect::<Vec<_>>().join(", ")
}
