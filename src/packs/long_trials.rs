//! Tries changes of a finished pack together: which tests fail with them. It knows both runners, and
//! numbers tests as the map of the pack does.

use super::case_sandbox::{CaseReport, CaseSandbox, CaseTrial, TrialChange, TrialRules};
use super::miner_sandbox::{MinerSandbox, MiningSettings, file, no_json, unmined};
use crate::error::Result;
use serde::Deserialize;
use synthd_actors::pack::{MAP_FILE, PackChange, PackRunner, ProjectPack};
use synthd_actors::pool::PoolHandle;

/// What the miner in Python is told of the trials.
const TRIALS_FILE: &str = "state/trials.json";

/// A sandbox in which changes of a pack are tried together.
pub(crate) enum LongTrials {
    /// The tests are methods.
    Methods(MinerSandbox),
    /// The tests are cases. Their numbers in the sandbox stand in the order of the map.
    Cases { sandbox: CaseSandbox, numbers: Vec<usize> },
}

/// The answer of the miner in Python: for each trial the tests that fail, or none if they did not end.
#[derive(Deserialize)]
struct MethodAnswer {
    failing: Vec<Option<Vec<usize>>>,
}

impl LongTrials {
    /// Takes a sandbox and lays the project. `map` is the map of the pack as its file has it.
    pub(crate) async fn start(pool: &PoolHandle, pack: &ProjectPack, map: String) -> Result<Self> {
        if pack.head.runner == PackRunner::Cases {
            let sandbox = CaseSandbox::start(pool, &pack.head, &pack.files).await?;
            let named = |name: &str| sandbox.cases().iter().position(|case| case.name == name);
            let numbers = pack.tests.iter().filter_map(|test| named(&test.name)).collect();
            return Ok(Self::Cases { sandbox, numbers });
        }
        let settings = MiningSettings {
            source: pack.head.source.clone(),
            tests: pack.head.tests.clone(),
            deselected: pack.head.deselected.keys().cloned().collect(),
        };
        let state = vec![(MAP_FILE, map)];
        let miner = MinerSandbox::start(pool, &pack.files, &settings, state).await?;
        Ok(Self::Methods(miner))
    }

    /// The numbers of the tests that fail with the changes of each trial, sorted. None for a trial whose
    /// tests did not all end. The unchanged project must pass before and after.
    pub(crate) async fn failing(
        &mut self,
        trials: &[Vec<&PackChange>],
    ) -> Result<Vec<Option<Vec<usize>>>> {
        let trials: Vec<Vec<TrialChange<'_>>> = trials
            .iter()
            .map(|changes| changes.iter().map(|change| tried(change)).collect())
            .collect();
        let count = trials.len();
        let found = match self {
            Self::Methods(miner) => failing_methods(miner, &trials).await?,
            Self::Cases { sandbox, numbers } => failing_cases(sandbox, numbers, trials).await?,
        };
        match found.len() == count {
            true => Ok(found),
            false => Err(unmined("the miner has lost a trial".to_owned())),
        }
    }
}

/// A change as a trial has it.
fn tried(change: &PackChange) -> TrialChange<'_> {
    TrialChange { file: &change.file, at: change.at, text: &change.text }
}

async fn failing_methods(
    miner: &mut MinerSandbox,
    trials: &[Vec<TrialChange<'_>>],
) -> Result<Vec<Option<Vec<usize>>>> {
    let trials = serde_json::to_string(trials).map_err(no_json)?;
    miner.write(&[file(TRIALS_FILE, trials)]).await?;
    let answer = miner.step("together").await?;
    let answer: MethodAnswer = serde_json::from_value(answer).map_err(no_json)?;
    Ok(answer.failing)
}

async fn failing_cases(
    sandbox: &mut CaseSandbox,
    numbers: &[usize],
    trials: Vec<Vec<TrialChange<'_>>>,
) -> Result<Vec<Option<Vec<usize>>>> {
    let rules = TrialRules { cases: numbers.to_vec(), most: numbers.len(), stops: true };
    let mut all = vec![CaseTrial::default()];
    all.extend(trials.into_iter().map(|changes| CaseTrial { changes, reversed: false }));
    all.push(CaseTrial::default());
    let reports = sandbox.try_all(&all, &rules).await?;
    let place = |number: usize| numbers.iter().position(|known| *known == number);
    let failing = |report: &CaseReport| {
        let mut failing: Vec<usize> = report.wrong()?.into_iter().filter_map(place).collect();
        failing.sort_unstable();
        Some(failing)
    };
    let mut found: Vec<Option<Vec<usize>>> = reports.iter().map(failing).collect();
    let last = found.pop();
    let first = if found.is_empty() { None } else { Some(found.remove(0)) };
    let is_right = |control: &Option<Option<Vec<usize>>>| matches!(control, Some(Some(failing)) if failing.is_empty());
    match is_right(&first) && is_right(&last) {
        true => Ok(found),
        false => {
            Err(unmined("the control fails: cases of the unchanged project are wrong".to_owned()))
        }
    }
}
