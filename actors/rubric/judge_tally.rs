//! The figures of a stage's judges: counts, cost, and how far they agree with the sealed check and with
//! reviewers. A judge changes no verdict; here it only stands beside it.

use super::agreement_figures::agreement_of;
use super::judge_panel::{JudgePanel, PanelAnswer, PanelAnswers, PanelScore, PanelVerdict, mean};
use super::rubric_form::{Rubric, RubricForm};
use super::rubric_pairs::PairPlan;
use super::rubric_view::RubricView;
use crate::model::{
    JudgeAgreement, JudgeReport, ReviewValue, ReviewedRow, RowRecord, SealedVerdict,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A rubric with the answers that are stored for it.
#[derive(Clone, Debug, Default)]
pub struct RubricInputs {
    pub rubric: Rubric,
    pub answers: PanelAnswers,
}

/// What others say of a row: whether its work is right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct OtherVerdicts {
    check: Option<bool>,
    reviewers: Option<bool>,
}

/// A row with a score.
struct ScoredRow {
    score: PanelScore,
    others: OtherVerdicts,
}

/// Counts what the judges of a stage said.
pub struct JudgeTally {
    inputs: Arc<RubricInputs>,
    panel: JudgePanel,
    /// What more than half of the reviewers say, by the id of the row.
    reviews: BTreeMap<String, bool>,
    /// Rows that are compared, if the rubric compares.
    pairs: PairPlan,
    others: BTreeMap<u64, OtherVerdicts>,
    subjects: BTreeSet<String>,
    scored: Vec<ScoredRow>,
    report: JudgeReport,
}

impl JudgeTally {
    /// A tally without rows. `review` is the text of an exported review, or empty.
    pub fn new(inputs: Arc<RubricInputs>, panel: JudgePanel, review: &str, seed: u64) -> Self {
        let report = JudgeReport {
            rubric: inputs.rubric.name.clone(),
            rubric_version: inputs.rubric.version,
            rubric_digest: inputs.rubric.digest(),
            rule: panel.told(),
            ..JudgeReport::default()
        };
        Self {
            inputs,
            panel,
            reviews: consensus_of(review),
            pairs: PairPlan::new(seed),
            others: BTreeMap::new(),
            subjects: BTreeSet::new(),
            scored: Vec::new(),
            report,
        }
    }

    /// Takes a row as the stage saw it.
    pub fn observe(&mut self, record: &RowRecord) {
        self.report.rows += 1;
        let Some(view) = RubricView::of(&record.row, &self.inputs.rubric) else {
            self.report.empty += 1;
            return;
        };
        let others = self.others_of(record);
        match self.inputs.rubric.form {
            RubricForm::One => {
                let verdict = self.panel.verdict(&self.inputs.answers, &view.digest);
                self.subjects.insert(view.digest);
                self.count(verdict, others);
            }
            RubricForm::Pair => {
                self.pairs.add(record, &view.digest);
                self.others.insert(record.ordinal, others);
            }
        }
    }

    /// The figures of all rows.
    pub fn finish(mut self) -> JudgeReport {
        if self.inputs.rubric.form == RubricForm::Pair {
            self.count_pairs();
        }
        self.count_answers();
        let mean_of = |value: fn(&ScoredRow) -> u32| {
            let sum: f64 = self.scored.iter().map(|row| f64::from(value(row)) / 1_000.0).sum();
            (!self.scored.is_empty()).then(|| sum / self.scored.len() as f64)
        };
        self.report.mean = mean_of(|row| row.score.score);
        self.report.spread = mean_of(|row| row.score.spread());
        self.report.panel = self.agreement(|row| Some(row.score.score));
        for model in &self.panel.models {
            let alone = |row: &ScoredRow| {
                let mut judges = row.score.judges.iter();
                judges.find(|(judge, _)| judge == model).map(|(_, score)| *score)
            };
            let agreement = self.agreement(alone);
            self.report.judges.insert(model.clone(), agreement);
        }
        self.report
    }

    /// What the check and the reviewers say of a row.
    fn others_of(&self, record: &RowRecord) -> OtherVerdicts {
        let check = match SealedVerdict::of(&record.row) {
            SealedVerdict::Resolved => Some(true),
            SealedVerdict::Unresolved => Some(false),
            SealedVerdict::Flaky | SealedVerdict::Unchecked => None,
        };
        OtherVerdicts { check, reviewers: self.reviews.get(record.row.id()).copied() }
    }

    fn count(&mut self, verdict: PanelVerdict, others: OtherVerdicts) {
        match verdict {
            PanelVerdict::Unasked => self.report.unasked += 1,
            PanelVerdict::Short => self.report.short += 1,
            PanelVerdict::Scored(score) => {
                self.report.scored += 1;
                self.scored.push(ScoredRow { score, others });
            }
        }
    }

    fn count_pairs(&mut self) {
        let pairs = self.pairs.pairs();
        self.subjects.extend(pairs.iter().flat_map(|pair| pair.subjects()));
        let verdicts = row_verdicts(&self.pairs, &self.panel, &self.inputs.answers);
        for (ordinal, others) in std::mem::take(&mut self.others) {
            match verdicts.get(&ordinal) {
                Some(verdict) => self.count(verdict.clone(), others),
                None => self.report.empty += 1,
            }
        }
    }

    /// Counts the answers about all subjects, each once.
    fn count_answers(&mut self) {
        for subject in &self.subjects {
            for answer in self.inputs.answers.about(subject) {
                let PanelAnswer { model, sample, score, cost } = answer;
                if self.panel.models.contains(model) && *sample < self.panel.samples {
                    match score {
                        Some(_) => self.report.answers += 1,
                        None => self.report.faults += 1,
                    }
                    self.report.cost_usd = self.report.cost_usd.saturating_add(*cost);
                }
            }
        }
    }

    /// How far scores agree, if the rubric asks what the others say.
    fn agreement(&self, score_of: impl Fn(&ScoredRow) -> Option<u32>) -> JudgeAgreement {
        let Some(right_from) = self.inputs.rubric.right_from else {
            return JudgeAgreement::default();
        };
        let with = |other: fn(&OtherVerdicts) -> Option<bool>| {
            let rows = self.scored.iter();
            let rows = rows.filter_map(|row| Some((score_of(row)?, other(&row.others)?)));
            agreement_of(&rows.collect::<Vec<_>>(), right_from)
        };
        JudgeAgreement {
            check: with(|others| others.check),
            reviewers: with(|others| others.reviewers),
        }
    }
}

/// What the panel says of each row that is compared, by its ordinal: the mean of its comparisons.
pub fn row_verdicts(
    plan: &PairPlan,
    panel: &JudgePanel,
    answers: &PanelAnswers,
) -> BTreeMap<u64, PanelVerdict> {
    let mut rows: BTreeMap<u64, Vec<PanelVerdict>> = BTreeMap::new();
    for pair in plan.pairs() {
        let verdict = panel.verdict_of_pair(answers, &pair);
        rows.entry(pair.rows[1]).or_default().push(opposite(&verdict));
        rows.entry(pair.rows[0]).or_default().push(verdict);
    }
    rows.into_iter().map(|(row, verdicts)| (row, mean_verdict(&verdicts, panel))).collect()
}

/// The verdict for the second row of a pair.
fn opposite(verdict: &PanelVerdict) -> PanelVerdict {
    let turned = |score: u32| 1_000_u32.saturating_sub(score);
    match verdict {
        PanelVerdict::Scored(PanelScore { score, judges }) => PanelVerdict::Scored(PanelScore {
            score: turned(*score),
            judges: judges.iter().map(|(judge, score)| (judge.clone(), turned(*score))).collect(),
        }),
        other => other.clone(),
    }
}

/// Several comparisons as one. Those without a score are left out.
fn mean_verdict(verdicts: &[PanelVerdict], panel: &JudgePanel) -> PanelVerdict {
    if verdicts.contains(&PanelVerdict::Unasked) {
        return PanelVerdict::Unasked;
    }
    let scores = verdicts.iter().filter_map(|verdict| match verdict {
        PanelVerdict::Scored(score) => Some(score),
        PanelVerdict::Unasked | PanelVerdict::Short => None,
    });
    let scores: Vec<&PanelScore> = scores.collect();
    let judge = |model: &String| {
        let judges = scores.iter().flat_map(|score| &score.judges);
        let values = judges.filter(|(judge, _)| judge == model).map(|(_, score)| *score);
        mean(&values.collect::<Vec<_>>()).map(|score| (model.clone(), score))
    };
    match mean(&scores.iter().map(|score| score.score).collect::<Vec<_>>()) {
        Some(score) => {
            let judges = panel.models.iter().filter_map(judge).collect();
            PanelVerdict::Scored(PanelScore { score, judges })
        }
        None => PanelVerdict::Short,
    }
}

/// What more than half of the reviewers say of each row: whether the work is right. Lines that are no
/// lines of an export are passed over; the stage has checked the file before.
fn consensus_of(review: &str) -> BTreeMap<String, bool> {
    let rows = review.lines().filter_map(|line| serde_json::from_str::<ReviewedRow>(line).ok());
    let right = |row: ReviewedRow| match row.consensus? {
        ReviewValue::Right => Some((row.row, true)),
        ReviewValue::Wrong => Some((row.row, false)),
        ReviewValue::Unsure => None,
    };
    rows.filter_map(right).collect()
}
