//! Tries a sample of the entries of a pack whose tests are cases again, each in a fresh copy.

use super::tell;
use crate::error::Result;
use crate::packs::{CaseSandbox, CaseTrial, TrialChange, TrialRules};
use serde_json::{Value, json};
use synthd_actors::pack::{PackChange, ProjectPack};
use synthd_actors::pool::PoolHandle;

/// How many trials are made between two lines of progress.
const BATCH: usize = 20;

/// Tries entries again. The answer counts them, and names those that break other cases than the index
/// says.
pub(super) async fn entries(pool: &PoolHandle, pack: &ProjectPack, sample: u64) -> Result<Value> {
    let mut sandbox = CaseSandbox::start(pool, &pack.head, &pack.files).await?;
    let names: Vec<&str> = sandbox.cases().iter().map(|case| case.name.as_str()).collect();
    let number = |name: &str| names.iter().position(|known| *known == name);
    let cases: Vec<usize> = pack.tests.iter().filter_map(|test| number(&test.name)).collect();
    let rules = TrialRules { most: cases.len(), cases: cases.clone(), stops: true };
    let all: Vec<&PackChange> = pack.faults.iter().chain(&pack.stubs).collect();
    let chosen = sampled(&all, sample);
    tell(&format!("trying {} entries again", chosen.len()));
    let mut differing = Vec::new();
    let control = sandbox.try_all(&[CaseTrial::default()], &rules).await?;
    if control.iter().any(|report| report.wrong().is_none_or(|wrong| !wrong.is_empty())) {
        differing.push("the control: cases of the unchanged project are wrong".to_owned());
    }
    for batch in chosen.chunks(BATCH) {
        let trials: Vec<CaseTrial<'_>> = batch.iter().map(|change| trial(change)).collect();
        let reports = sandbox.try_all(&trials, &rules).await?;
        for (change, report) in batch.iter().zip(&reports) {
            let expected: Vec<usize> =
                change.tests.iter().filter_map(|test| cases.get(*test).copied()).collect();
            if report.wrong() != Some(expected) {
                differing.push(change.id.clone());
            }
        }
    }
    Ok(json!({ "of": all.len(), "checked": chosen.len(), "differing": differing }))
}

/// The trial of a change alone.
fn trial(change: &PackChange) -> CaseTrial<'_> {
    let tried = TrialChange { file: &change.file, at: change.at, text: &change.text };
    CaseTrial { changes: vec![tried], reversed: false }
}

/// So many changes, from everywhere in the list.
fn sampled<'p>(all: &[&'p PackChange], sample: u64) -> Vec<&'p PackChange> {
    let count = usize::try_from(sample).unwrap_or(usize::MAX).min(all.len());
    (0..count).filter_map(|at| all.get(at * all.len() / count).copied()).collect()
}
