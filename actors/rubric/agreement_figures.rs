//! How far scores agree with a yes or no of somebody else: confusion, kappa, calibration.

use crate::model::{AgreementFigures, CalibrationBin};
use crate::policy::wilson;

/// How many bins scores are sorted into.
const BINS: u32 = 5;

/// The figures of scores in thousandths, each with the other's word. From `right_from` on, a score is a
/// yes. None without a row.
pub(super) fn agreement_of(rows: &[(u32, bool)], right_from: u32) -> Option<AgreementFigures> {
    let all = u32::try_from(rows.len()).ok().filter(|all| *all > 0)?;
    let count = |judge: bool, other: bool| {
        let same =
            rows.iter().filter(|(score, yes)| (*score >= right_from) == judge && *yes == other);
        u32::try_from(same.count()).unwrap_or(u32::MAX)
    };
    let [both_yes, only_judge] = [count(true, true), count(true, false)];
    let [only_other, both_no] = [count(false, true), count(false, false)];
    let equal = f64::from(both_yes + both_no) / f64::from(all);
    let (low, high) = wilson(both_yes + both_no, all);
    let bins: Vec<CalibrationBin> = (0..BINS).filter_map(|at| bin(rows, at)).collect();
    let errors = bins.iter().map(|bin| (bin.mean - bin.yes).abs() * bin.rows as f64);
    let squares =
        rows.iter().map(|(score, yes)| (share(*score) - f64::from(u8::from(*yes))).powi(2));
    Some(AgreementFigures {
        rows: u64::from(all),
        both_yes: u64::from(both_yes),
        only_judge: u64::from(only_judge),
        only_other: u64::from(only_other),
        both_no: u64::from(both_no),
        equal,
        low,
        high,
        kappa: kappa([both_yes, only_judge, only_other, both_no].map(f64::from)),
        brier: squares.sum::<f64>() / f64::from(all),
        calibration_error: errors.sum::<f64>() / f64::from(all),
        bins,
    })
}

/// Cohen's kappa: how much more the two agree than chance would make them. None if chance alone would
/// always agree.
fn kappa([both_yes, only_judge, only_other, both_no]: [f64; 4]) -> Option<f64> {
    let all = both_yes + only_judge + only_other + both_no;
    let observed = (both_yes + both_no) / all;
    let yes = (both_yes + only_judge) * (both_yes + only_other);
    let no = (only_other + both_no) * (only_judge + both_no);
    let expected = (yes + no) / (all * all);
    (expected < 1.0).then(|| (observed - expected) / (1.0 - expected))
}

/// The bin of this number. None if no score is in it.
fn bin(rows: &[(u32, bool)], at: u32) -> Option<CalibrationBin> {
    let width = 1_000 / BINS;
    let within = |score: u32| (score / width).min(BINS - 1) == at;
    let rows: Vec<_> = rows.iter().filter(|(score, _)| within(*score)).collect();
    let count = u32::try_from(rows.len()).ok().filter(|count| *count > 0)?;
    let sum: f64 = rows.iter().map(|(score, _)| share(*score)).sum();
    let yes: f64 = rows.iter().map(|(_, yes)| f64::from(u8::from(*yes))).sum();
    Some(CalibrationBin {
        from: share(at * width),
        rows: u64::from(count),
        mean: sum / f64::from(count),
        yes: yes / f64::from(count),
    })
}

fn share(thousandths: u32) -> f64 {
    f64::from(thousandths) / 1_000.0
}
