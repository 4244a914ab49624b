//! Which cases of an unchanged project are right every time.

use super::case_sandbox::{CaseReport, CaseSandbox, CaseTrial, TrialEnd, TrialRules};
use super::miner_sandbox::unmined;
use crate::error::Result;
use std::collections::BTreeMap;

/// How often all cases run. The last time, they run in the opposite order.
const RUNS: usize = 4;

/// The cases that count, and those that do not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CaseBaseline {
    /// The numbers of the cases that are right every time.
    pub(crate) passing: Vec<usize>,
    /// The names of the others, and why.
    pub(crate) left_out: BTreeMap<String, String>,
}

impl CaseBaseline {
    /// Runs all cases of a project some times, each time in a fresh copy. Cases that are left out by
    /// name need not be right.
    pub(crate) async fn find(
        sandbox: &mut CaseSandbox,
        deselected: &BTreeMap<String, String>,
    ) -> Result<Self> {
        let cases = sandbox.cases().len();
        let rules = TrialRules { cases: (0..cases).collect(), most: cases, stops: false };
        let trial = |run| CaseTrial { reversed: run + 1 == RUNS, ..CaseTrial::default() };
        let trials: Vec<CaseTrial<'_>> = (0..RUNS).map(trial).collect();
        let reports = sandbox.try_all(&trials, &rules).await?;
        if let Some(report) = reports.iter().find(|report| report.ended != TrialEnd::Done) {
            return Err(unmined(report.why.clone()));
        }
        let names = sandbox.cases().iter().map(|case| case.name.as_str());
        Ok(Self::of(names, deselected, &reports))
    }

    /// What some runs say of the cases with these names.
    fn of<'n>(
        names: impl Iterator<Item = &'n str>,
        deselected: &BTreeMap<String, String>,
        reports: &[CaseReport],
    ) -> Self {
        let mut found = Self::default();
        for (number, name) in names.enumerate() {
            let wrong = reports
                .iter()
                .filter_map(|report| report.failed.iter().find(|wrong| wrong.case == number));
            let wrong: Vec<&str> = wrong.map(|wrong| wrong.says.as_str()).collect();
            let why = match (deselected.get(name), wrong.first()) {
                (Some(why), _) => why.clone(),
                (None, None) => {
                    found.passing.push(number);
                    continue;
                }
                (None, Some(says)) if wrong.len() == reports.len() => format!("is wrong: {says}"),
                (None, Some(says)) => format!("is flaky: {says}"),
            };
            found.left_out.insert(name.to_owned(), why);
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::super::case_sandbox::WrongCase;
    use super::*;

    fn report(wrong: &[usize]) -> CaseReport {
        let case = |case: &usize| WrongCase { case: *case, crash: false, says: "no".to_owned() };
        let failed = wrong.iter().map(case).collect();
        CaseReport { ended: TrialEnd::Done, why: String::new(), failed }
    }

    #[test]
    fn what_is_not_right_every_time_is_left_out() {
        let deselected = BTreeMap::from([("d".to_owned(), "slow".to_owned())]);
        let reports = [report(&[1, 2]), report(&[1])];
        let found = CaseBaseline::of(["a", "b", "c", "d"].into_iter(), &deselected, &reports);
        assert_eq!(found.passing, [0]);
        let reasons: Vec<(&str, &str)> =
            found.left_out.iter().map(|(name, why)| (name.as_str(), why.as_str())).collect();
        assert_eq!(reasons, [("b", "is wrong: no"), ("c", "is flaky: no"), ("d", "slow")]);
    }
}
