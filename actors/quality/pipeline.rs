//! Stages over one row. A stage has a name, a version and an action that the campaign chooses, and
//! looks for one defect. What every stage found is kept beside the row, whatever the action is.
//!
//! ```text
//!  row ─► stage 1 ─► stage 2 ─► … ─► the first rejection, the labels, all findings
//! ```
//! A stage over the whole set, such as `duplicates`, runs when a dataset is written (`actor.rs`).

use crate::model::{QualityPolicy, RowRejection, StageAction, StageFinding};

/// One stage over rows of the type `R`.
pub struct RowStage<R: ?Sized> {
    /// The name, which is also its label.
    pub name: &'static str,
    /// Raised whenever the stage may say something else of the same row.
    pub version: u32,
    /// What the campaign wants done with a finding.
    pub action: fn(&QualityPolicy) -> StageAction,
    /// What is wrong with a row, for people. None if the row is clean.
    pub find: fn(&R) -> Option<String>,
}

/// What the stages found in one row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StageFindings {
    /// The first stage that rejected the row, and why. None: the row is accepted.
    pub rejected: Option<RowRejection>,
    /// The labels, in the order in which they were found.
    pub labels: Vec<String>,
    /// What each stage found, also where the campaign ignores it.
    pub found: Vec<StageFinding>,
}

impl StageFindings {
    /// Adds a label, once.
    fn label(&mut self, label: &str) {
        if !self.labels.iter().any(|known| known == label) {
            self.labels.push(label.to_owned());
        }
    }

    /// Keeps a finding, and does with it what the campaign says.
    fn apply(&mut self, stage: &str, version: u32, action: StageAction, detail: String) {
        let finding = StageFinding { stage: stage.to_owned(), version, detail: detail.clone() };
        self.found.push(finding);
        match action {
            StageAction::Off => {}
            StageAction::Label => self.label(stage),
            StageAction::Reject if self.rejected.is_none() => {
                self.rejected = Some(RowRejection { stage: stage.to_owned(), detail });
            }
            StageAction::Reject => {}
        }
    }
}

/// Runs every stage in its order. The first rejection counts; later stages still add their labels
/// and findings. `plain` are labels that come from no stage; they stand behind the others.
pub fn run_stages<R: ?Sized>(
    stages: &[RowStage<R>],
    policy: &QualityPolicy,
    row: &R,
    plain: Vec<String>,
) -> StageFindings {
    let mut findings = StageFindings::default();
    for stage in stages {
        if let Some(detail) = (stage.find)(row) {
            findings.apply(stage.name, stage.version, (stage.action)(policy), detail);
        }
    }
    plain.iter().for_each(|label| findings.label(label));
    findings
}
