//! Rows by what judges say of them: models with a rubric. The answers were given before; a stage asks
//! nobody. A row without a score has no finding.

use crate::curation::{RowFinder, StageRemark, WholeFinder, WholeRemarks};
use crate::model::{RowRecord, SealedVerdict};
use crate::rubric::{
    JudgePanel, PairPlan, PanelScore, PanelVerdict, RubricInputs, RubricView, row_verdicts,
};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Which scores are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScoreBounds {
    /// Scores below it, in thousandths.
    pub below: Option<u32>,
    /// Scores from it on.
    pub from: Option<u32>,
}

impl ScoreBounds {
    /// Whether a score is found. Without bounds, each is.
    fn find(self, score: u32) -> bool {
        match (self.below, self.from) {
            (None, None) => true,
            (below, from) => {
                below.is_some_and(|below| score < below) || from.is_some_and(|from| score >= from)
            }
        }
    }
}

/// What a stage of judges looks with.
struct JudgedStage {
    inputs: Arc<RubricInputs>,
    panel: JudgePanel,
    bounds: ScoreBounds,
}

impl JudgedStage {
    /// What is said of a row with this verdict. `check` is the verdict of the sealed check, which stands
    /// beside it whatever the judges say.
    fn remarks(&self, verdict: &PanelVerdict, check: SealedVerdict) -> Vec<StageRemark> {
        let PanelVerdict::Scored(score) = verdict else { return Vec::new() };
        if !self.bounds.find(score.score) {
            return Vec::new();
        }
        let detail = format!(
            "{}: {} by {}; the check says {}",
            self.inputs.rubric.name,
            said(score),
            self.panel.rule.as_str(),
            check.as_str()
        );
        vec![StageRemark::new(detail).scored(f64::from(score.score) / 1_000.0)]
    }
}

/// The score with that of each judge.
fn said(score: &PanelScore) -> String {
    let shown = |score: u32| format!("{:.3}", f64::from(score) / 1_000.0);
    let judges = score.judges.iter().map(|(judge, score)| format!("{judge} {}", shown(*score)));
    format!("{} ({})", shown(score.score), judges.collect::<Vec<_>>().join(", "))
}

/// Finds rows by their scores.
pub struct JudgedRows(JudgedStage);

impl JudgedRows {
    pub fn new(inputs: Arc<RubricInputs>, panel: JudgePanel, bounds: ScoreBounds) -> Self {
        Self(JudgedStage { inputs, panel, bounds })
    }
}

impl RowFinder for JudgedRows {
    fn find(&self, record: &RowRecord) -> Vec<StageRemark> {
        let JudgedStage { inputs, panel, .. } = &self.0;
        let Some(view) = RubricView::of(&record.row, &inputs.rubric) else { return Vec::new() };
        let verdict = panel.verdict(&inputs.answers, &view.digest);
        self.0.remarks(&verdict, SealedVerdict::of(&record.row))
    }
}

/// Finds rows by how they compare with others of their task.
pub struct JudgedPairs {
    stage: JudgedStage,
    plan: PairPlan,
    checks: BTreeMap<u64, SealedVerdict>,
}

impl JudgedPairs {
    /// `seed` is the recipe's.
    pub fn new(
        inputs: Arc<RubricInputs>,
        panel: JudgePanel,
        bounds: ScoreBounds,
        seed: u64,
    ) -> Self {
        let stage = JudgedStage { inputs, panel, bounds };
        Self { stage, plan: PairPlan::new(seed), checks: BTreeMap::new() }
    }
}

impl WholeFinder for JudgedPairs {
    fn observe(&mut self, record: &RowRecord) {
        if let Some(view) = RubricView::of(&record.row, &self.stage.inputs.rubric) {
            self.plan.add(record, &view.digest);
            self.checks.insert(record.ordinal, SealedVerdict::of(&record.row));
        }
    }

    fn decide(&mut self) -> WholeRemarks {
        let verdicts = row_verdicts(&self.plan, &self.stage.panel, &self.stage.inputs.answers);
        let remarks = verdicts.into_iter().filter_map(|(row, verdict)| {
            let check = *self.checks.get(&row)?;
            Some((row, self.stage.remarks(&verdict, check)))
        });
        remarks.filter(|(_, remarks)| !remarks.is_empty()).collect()
    }
}
