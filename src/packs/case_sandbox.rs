//! A sandbox in which a program is built with changes, and its cases are run (`case_miner.py`). Each
//! trial is a fresh copy of the project.

use super::miner_sandbox::{MinerSandbox, file, laid, no_json, unmined};
use crate::error::Result;
use serde::{Deserialize, Serialize};
use serde_json::json;
use synthd_actors::pack::{CASE_DRIVER, PackFile, PackHead, ProgramCase, case_name, program_cases};
use synthd_actors::pool::PoolHandle;

/// The program that tries changes.
const MINER: &str = include_str!("case_miner.py");
/// The most seconds of processor time that a case may take while a pack is mined. Many changes make
/// loops that do not end.
const LONGEST: u32 = 5;

/// A sandbox with a project whose tests are cases.
pub(crate) struct CaseSandbox {
    miner: MinerSandbox,
    cases: Vec<ProgramCase>,
}

/// The text that replaces some bytes of a source.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct TrialChange<'p> {
    pub(crate) file: &'p str,
    pub(crate) at: (usize, usize),
    pub(crate) text: &'p str,
}

/// A copy of the project with changes.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct CaseTrial<'p> {
    pub(crate) changes: Vec<TrialChange<'p>>,
    /// The cases run in the opposite order.
    pub(crate) reversed: bool,
}

/// Which cases run in some trials, and when a trial ends early.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct TrialRules {
    /// The numbers of the cases.
    pub(crate) cases: Vec<usize>,
    /// A trial ends when more cases than these are wrong.
    pub(crate) most: usize,
    /// A trial ends when a case hangs.
    pub(crate) stops: bool,
}

/// How a trial ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum TrialEnd {
    /// All cases have run.
    Done,
    /// The program could not be built.
    Unbuilt,
    /// A case did not end.
    Hung,
    /// Too many cases are wrong.
    Broad,
}

/// A case that is wrong in a trial.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct WrongCase {
    pub(crate) case: usize,
    /// The program crashed.
    pub(crate) crash: bool,
    pub(crate) says: String,
}

/// What came of a trial.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct CaseReport {
    pub(crate) ended: TrialEnd,
    /// What the build says.
    pub(crate) why: String,
    /// The wrong cases in the order of their numbers.
    pub(crate) failed: Vec<WrongCase>,
}

impl CaseReport {
    /// The numbers of the wrong cases, if all cases have run.
    pub(crate) fn wrong(&self) -> Option<Vec<usize>> {
        let numbers = || self.failed.iter().map(|wrong| wrong.case).collect();
        (self.ended == TrialEnd::Done).then(numbers)
    }
}

/// The answer of the miner to a batch of trials.
#[derive(Deserialize)]
struct TrialAnswer {
    reports: Vec<CaseReport>,
}

impl CaseSandbox {
    /// Takes a sandbox and lays the project. Err if a program is missing that the project needs.
    pub(crate) async fn start(
        pool: &PoolHandle,
        head: &PackHead,
        project: &[PackFile],
    ) -> Result<Self> {
        let cases = program_cases(project).map_err(|problem| unmined(problem.to_string()))?;
        let settings = json!({
            "build": head.build, "run": head.run, "requires": head.requires,
            "seconds": head.test_seconds.min(LONGEST), "cases": cases,
        });
        let mut files: Vec<_> =
            project.iter().filter(|file| case_name(&file.path).is_none()).map(laid).collect();
        files.push(file("case_miner.py", MINER.to_owned()));
        files.push(file("case_driver.py", CASE_DRIVER.to_owned()));
        files.push(file("state/settings.json", settings.to_string()));
        let mut miner = MinerSandbox::with_files(pool, &files).await?;
        miner.answer("case_miner.py", "programs").await?;
        Ok(Self { miner, cases })
    }

    /// The cases of the project, by their numbers.
    pub(crate) fn cases(&self) -> &[ProgramCase] {
        &self.cases
    }

    /// Makes trials one after the other. The reports are in their order.
    pub(crate) async fn try_all(
        &mut self,
        trials: &[CaseTrial<'_>],
        rules: &TrialRules,
    ) -> Result<Vec<CaseReport>> {
        let batch = json!({
            "trials": trials, "cases": rules.cases, "most": rules.most, "stops": rules.stops,
        });
        self.miner.write(&[file("state/batch.json", batch.to_string())]).await?;
        let answer = self.miner.answer("case_miner.py", "try").await?;
        let answer: TrialAnswer = serde_json::from_value(answer).map_err(no_json)?;
        if answer.reports.len() != trials.len() {
            return Err(unmined("the miner has lost a trial".to_owned()));
        }
        Ok(answer.reports)
    }
}
