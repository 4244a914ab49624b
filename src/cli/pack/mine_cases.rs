//! Mines a pack whose tests are cases of a program. The changes are found here, in the syntax trees of
//! the sources; every program runs in a sandbox.

use super::mine::PackMineArgs;
use super::tell;
use crate::error::{Code, Error, Result};
use crate::packs::{
    CaseBaseline, CaseReport, CaseSandbox, CaseTable, CaseTrial, MinedChange, MinedGroup,
    TrialRules, case_candidates, case_index, drawn_group, group_tells, sampled_changes,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use synthd_actors::pack::{ChangeKind, PackParts, ProgramCase};
use synthd_actors::pool::PoolHandle;

/// How often each verdict was given.
type VerdictCounts = BTreeMap<&'static str, u64>;

/// Runs all steps. What was found, the map and the index.
pub(super) async fn mined(
    pool: &PoolHandle,
    args: &PackMineArgs,
    parts: &PackParts,
) -> Result<(Value, String, String)> {
    let all = case_candidates(&parts.head, &parts.files);
    let found = all.len();
    let all = sampled_changes(all, args.candidates.unwrap_or(usize::MAX));
    tell(&format!("{} of {found} candidates are tried", all.len()));
    let mut sandbox = CaseSandbox::start(pool, &parts.head, &parts.files).await?;
    let baseline = CaseBaseline::find(&mut sandbox, &parts.head.deselected).await?;
    tell(&format!("{} cases are right every time", baseline.passing.len()));
    let cases: Vec<ProgramCase> = sandbox.cases().to_vec();
    let table = CaseTable::new(&cases, &baseline);
    let rules = TrialRules { cases: baseline.passing.clone(), most: table.most(), stops: true };
    let mut work = CaseWork {
        sandbox,
        table,
        rules,
        batch: usize::try_from(args.batch).unwrap_or(usize::MAX),
    };
    let (tried, verdicts) = work.try_all(&all).await?;
    let mined = work.confirm(tried).await?;
    let groups = work.groups(&mined, args.groups).await?;
    let count = |kind| mined.iter().filter(|mined| mined.kind == kind).count();
    let summary = json!({
        "tests": baseline.passing.len(), "left_out": baseline.left_out, "verdicts": verdicts,
        "counts": {
            "fault": count(ChangeKind::Fault), "stub": count(ChangeKind::Stub),
            "group": groups.len(),
        },
    });
    Ok((summary, work.table.map(&cases, &baseline), case_index(&mined, &groups)))
}

/// What the steps share.
struct CaseWork<'c> {
    sandbox: CaseSandbox,
    table: CaseTable<'c>,
    rules: TrialRules,
    /// How many trials are between two lines of progress.
    batch: usize,
}

impl CaseWork<'_> {
    /// Makes trials between two of the unchanged project, in which every case must be right.
    async fn controlled(
        &mut self,
        trials: Vec<CaseTrial<'_>>,
        rules: &TrialRules,
    ) -> Result<Vec<CaseReport>> {
        let mut all = vec![CaseTrial::default()];
        all.extend(trials);
        all.push(CaseTrial::default());
        let mut reports = self.sandbox.try_all(&all, rules).await?;
        let last = reports.pop();
        let first = if reports.is_empty() { None } else { Some(reports.remove(0)) };
        let is_right = |report: &CaseReport| report.wrong().is_some_and(|wrong| wrong.is_empty());
        if [first, last].iter().flatten().filter(|report| is_right(report)).count() < 2 {
            let what = "the control fails: cases of the unchanged project are wrong";
            return Err(Error::new(Code::PackUnmined, what)
                .hint("`synthd explain SYN-0222` lists the usual causes"));
        }
        Ok(reports)
    }

    /// Tries all candidates. Those that are good, and how often each verdict was given.
    async fn try_all(
        &mut self,
        candidates: &[MinedChange],
    ) -> Result<(Vec<MinedChange>, VerdictCounts)> {
        let (mut found, mut all) = (Vec::new(), VerdictCounts::new());
        let rules = self.rules.clone();
        let mut done = 0;
        for batch in candidates.chunks(self.batch) {
            let trials = batch.iter().map(|candidate| candidate.trial(false)).collect();
            let reports = self.controlled(trials, &rules).await?;
            let mut verdicts = VerdictCounts::new();
            for (candidate, report) in batch.iter().zip(&reports) {
                let verdict = match self.table.judged(candidate, report) {
                    Ok(change) => {
                        found.push(change);
                        "valid"
                    }
                    Err(why) => why,
                };
                *verdicts.entry(verdict).or_default() += 1;
                *all.entry(verdict).or_default() += 1;
            }
            done += batch.len();
            tell(&format!("try {done} of {}: {}", candidates.len(), in_words(&verdicts)));
        }
        Ok((found, all))
    }

    /// Tries changes again, with their cases in the opposite order. Those that break the same cases.
    async fn confirm(&mut self, tried: Vec<MinedChange>) -> Result<Vec<MinedChange>> {
        let mut kept = Vec::new();
        let rules = self.rules.clone();
        let mut done = 0;
        for batch in tried.chunks(self.batch) {
            let trials = batch.iter().map(|mined| mined.trial(true)).collect();
            let reports = self.controlled(trials, &rules).await?;
            let pairs = batch.iter().zip(&reports);
            let same = pairs.filter(|(mined, report)| {
                self.table.wrong(report).as_ref() == Some(&mined.change.tests)
            });
            kept.extend(same.map(|(mined, _)| mined.clone()));
            done += batch.len();
            tell(&format!("confirm {done} of {}: {} kept", tried.len(), kept.len()));
        }
        Ok(kept)
    }

    /// Tries groups of changes.
    async fn groups(&mut self, mined: &[MinedChange], count: u64) -> Result<Vec<MinedGroup>> {
        let drawn: Vec<(ChangeKind, Vec<usize>)> =
            (0..count).filter_map(|number| drawn_group(mined, number)).collect();
        let all = self.rules.cases.len();
        let rules = TrialRules { most: all, ..self.rules.clone() };
        let (mut kept, mut done) = (Vec::new(), 0);
        for batch in drawn.chunks(self.batch) {
            let trials = batch.iter().map(|(_, parts)| {
                let changes = parts.iter().filter_map(|part| mined.get(*part));
                CaseTrial { changes: changes.map(MinedChange::tried).collect(), reversed: false }
            });
            let reports = self.controlled(trials.collect(), &rules).await?;
            for ((kind, parts), report) in batch.iter().zip(&reports) {
                let Some(tests) = self.table.wrong(report) else { continue };
                if group_tells(mined, parts, &tests, all) {
                    kept.push(MinedGroup { kind: *kind, parts: parts.clone(), tests });
                }
            }
            done += batch.len();
            tell(&format!("groups {done} of {}: {} kept", drawn.len(), kept.len()));
        }
        Ok(kept)
    }
}

/// Counts on one line.
fn in_words(counts: &VerdictCounts) -> String {
    let count = |(verdict, count): (&&str, &u64)| format!("{count} {verdict}");
    counts.iter().map(count).collect::<Vec<_>>().join(", ")
}
