//! Stages: each looks for one defect that would harm a dataset. A stage has a rule (its name, its
//! version, and the action that the campaign chooses) and a finder. What every stage found is kept
//! beside the row, whatever the action is.
//!
//! ```text
//!  row ─► row stage 1 ─► row stage 2 ─► … ─► the first rejection, the labels, all findings
//!  all rows, in plan order ─► set stage 1 ─► … ─► the same, for the rows that are still accepted
//! ```
//! A row stage sees one row and remembers nothing. A set stage sees all accepted rows of a dataset,
//! one after the other in plan order, while the dataset is written (`review.rs`). What it needs
//! besides the rows is handed to it when it is made.

use crate::model::{QualityPolicy, RowRecord, RowRejection, StageAction, StageFinding};

/// What a stage is, apart from what it looks for.
#[derive(Clone, Copy)]
pub struct StageRule {
    /// The name, for records, counts and the campaign file.
    pub name: &'static str,
    /// The label of a row with the defect.
    pub label: &'static str,
    /// Raised whenever the stage may say something else of the same row.
    pub version: u32,
    /// What the campaign wants done with a finding.
    pub action: fn(&QualityPolicy) -> StageAction,
}

impl StageRule {
    /// A rule whose label is its name.
    pub const fn new(
        name: &'static str,
        version: u32,
        action: fn(&QualityPolicy) -> StageAction,
    ) -> Self {
        Self { name, label: name, version, action }
    }
}

/// One stage over rows of the type `R`.
pub struct RowStage<R: ?Sized> {
    pub rule: StageRule,
    /// What is wrong with a row, for people. None if the row is clean.
    pub find: fn(&R) -> Option<String>,
}

/// What a set stage looks for. It sees every accepted row once, in plan order.
pub(super) type SetFinder = Box<dyn FnMut(&RowRecord) -> Option<String> + Send>;

/// One stage over all rows of a dataset.
pub struct SetStage {
    pub(super) rule: StageRule,
    /// What is wrong with a row, in the light of the rows before it. It remembers what it needs.
    pub(super) find: SetFinder,
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
    pub(super) fn apply(&mut self, rule: &StageRule, policy: &QualityPolicy, detail: String) {
        let (stage, version) = (rule.name.to_owned(), rule.version);
        self.found.push(StageFinding { stage: stage.clone(), version, detail: detail.clone() });
        match (rule.action)(policy) {
            StageAction::Off => {}
            StageAction::Label => self.label(rule.label),
            StageAction::Reject if self.rejected.is_none() => {
                self.rejected = Some(RowRejection { stage, detail });
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
            findings.apply(&stage.rule, policy, detail);
        }
    }
    plain.iter().for_each(|label| findings.label(label));
    findings
}

/// Shows a row to every set stage. A row that one of them rejects is not shown to the next ones.
pub(super) fn run_set_stages(
    stages: &mut [SetStage],
    policy: &QualityPolicy,
    record: &RowRecord,
) -> StageFindings {
    let mut findings = StageFindings::default();
    for stage in stages {
        if findings.rejected.is_some() {
            break;
        }
        if let Some(detail) = (stage.find)(record) {
            findings.apply(&stage.rule, policy, detail);
        }
    }
    findings
}
