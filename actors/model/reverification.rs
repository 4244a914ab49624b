//! A later verdict on a finished episode: its kept workspace was judged again, with the checks and the
//! judge of a later day. It stands beside the verdict of the episode and never replaces it. An episode
//! may have several; the newest one is in the row.

use super::{
    AttemptNumber, CheckResult, EpisodeId, JudgeEnvironment, RowReverification, Task, TaskId,
    Verdict, digest_of,
};
use serde::{Deserialize, Serialize};
use std::fmt;

/// One later verdict, with the reason why it may differ from the first one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reverification {
    pub episode: EpisodeId,
    /// The attempt whose workspace was judged.
    pub attempt: AttemptNumber,
    /// What has judged, see [`Reverification::judge_digest`].
    pub judge: String,
    pub reason: ReverificationReason,
    pub verdict: Verdict,
    /// RFC 3339, UTC.
    pub at: String,
    /// Milliseconds since 1970, UTC.
    pub at_ms: i64,
}

/// What is not the same any more since the episode was judged first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReverificationReason {
    /// The version of the engine that has judged again.
    pub engine: String,
    /// The digest of the template's files when the episode was tried. None where no record says.
    pub template_then: Option<String>,
    pub template_now: String,
    pub task_then: String,
    pub task_now: String,
    /// Where the checks ran, such as `apart, library 1`. None where no record says.
    pub judge_then: Option<String>,
    pub judge_now: Option<String>,
    /// The files of the template that have changed, such as `git/undo/sealed/check.sh changed`.
    pub files: Vec<String>,
    /// The checks that have changed or say something else, such as
    /// ``check `total` passed and fails now``.
    pub checks: Vec<String>,
}

impl Reverification {
    /// A digest of all that decides about a verdict: the task with its checks and the judge's
    /// library, and the version of the engine. What was judged with the same digest need not be
    /// judged again.
    pub fn judge_digest(task: &Task, engine: &str) -> String {
        digest_of(&["reverification", &task.digest, engine])
    }

    /// The verdict as a column of the row. A flaky verdict counts as a score of 0, as in the row.
    pub fn row(&self) -> RowReverification {
        let score = if self.verdict.flaky { 0.0 } else { self.verdict.score };
        RowReverification {
            outcome: self.verdict.label().to_owned(),
            score,
            reason: self.reason.to_string(),
            template_digest: self.reason.template_now.clone(),
            at: self.at.clone(),
        }
    }
}

impl ReverificationReason {
    /// The reason from both tasks and both verdicts. The template's digest of before and the changed
    /// files are known to the store alone.
    pub fn of(
        engine: &str,
        (tried, recorded): (&TaskId, &Verdict),
        (task, found): (&Task, &Verdict),
    ) -> Self {
        Self {
            engine: engine.to_owned(),
            template_then: None,
            template_now: task.template_digest.clone(),
            task_then: tried.to_string(),
            task_now: task.id.to_string(),
            judge_then: recorded.judge.as_deref().map(judge_version),
            judge_now: found.judge.as_deref().map(judge_version),
            files: Vec::new(),
            checks: changed_checks(&recorded.checks, &found.checks),
        }
    }
}

/// For people: `the task is another one; sum.yaml changed; judged by synthd 0.1.0`.
impl fmt::Display for ReverificationReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.task_then == self.task_now {
            f.write_str("the task is the same")?;
        } else {
            f.write_str("the task is another one")?;
        }
        if let Some(then) = self.template_then.as_ref().filter(|then| **then != self.template_now) {
            write!(f, "; template {} is now {}", short(then), short(&self.template_now))?;
        }
        for change in self.files.iter().chain(&self.checks) {
            write!(f, "; {change}")?;
        }
        if let (Some(then), Some(now)) = (&self.judge_then, &self.judge_now)
            && then != now
        {
            write!(f, "; the judge was {then}, and is {now}")?;
        }
        write!(f, "; judged by synthd {}", self.engine)
    }
}

/// The beginning of a digest, as task ids have it.
fn short(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}

/// Where checks ran, with the version of the library.
fn judge_version(judge: &JudgeEnvironment) -> String {
    let version = judge.library.map(|version| format!(", library {version}"));
    format!("{}{}", judge.place.as_str(), version.unwrap_or_default())
}

/// What is different between the checks of two verdicts: checks that are new or gone, other weights,
/// other results.
fn changed_checks(before: &[CheckResult], now: &[CheckResult]) -> Vec<String> {
    let find = |checks: &[CheckResult], name: &str| checks.iter().position(|c| c.name == name);
    let gone = before.iter().filter(|check| find(now, &check.name).is_none());
    let gone = gone.map(|check| format!("check `{}` is gone", check.name));
    let here = now.iter().filter_map(|check| match find(before, &check.name) {
        None => Some(format!("check `{}` is new", check.name)),
        Some(at) => changed_check(&before[at], check),
    });
    gone.chain(here).collect()
}

/// How a check of the same name is different. None if it is not.
fn changed_check(before: &CheckResult, now: &CheckResult) -> Option<String> {
    let name = &now.name;
    let result = match (before.passed, now.passed) {
        (true, false) => Some("passed and fails now"),
        (false, true) => Some("failed and passes now"),
        _ => None,
    };
    let weight = (before.weight.total_cmp(&now.weight).is_ne())
        .then(|| format!("check `{name}` weighs {} in place of {}", now.weight, before.weight));
    let result = result.map(|result| format!("check `{name}` {result}"));
    let both: Vec<String> = weight.into_iter().chain(result).collect();
    (!both.is_empty()).then(|| both.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::JudgePlace;

    fn check(name: &str, weight: f64, passed: bool) -> CheckResult {
        let (name, output) = (name.to_owned(), String::new());
        CheckResult { name, weight, passed, output, end: None, second: None }
    }

    fn verdict(checks: Vec<CheckResult>, library: Option<u32>) -> Verdict {
        let judge = JudgeEnvironment { place: JudgePlace::Apart, sandbox: None, library };
        Verdict::agree(checks.clone(), &checks).judged_in(judge)
    }

    #[test]
    fn a_reason_names_each_check_that_is_different() {
        let before = [check("same", 1.0, true), check("gone", 1.0, true), check("sum", 1.0, true)];
        let now = [check("same", 1.0, true), check("sum", 2.0, false), check("new", 1.0, false)];
        let changes = changed_checks(&before, &now);
        assert_eq!(
            changes,
            [
                "check `gone` is gone",
                "check `sum` weighs 2 in place of 1; check `sum` passed and fails now",
                "check `new` is new"
            ]
        );
        assert!(changed_checks(&before, &before).is_empty());
    }

    #[test]
    fn a_reason_is_one_line_that_says_what_was_then_and_what_is_now() {
        let recorded = verdict(vec![check("sum", 1.0, true)], Some(1));
        let found = verdict(vec![check("sum", 1.0, false)], Some(2));
        let reason = ReverificationReason {
            engine: "0.1.0".to_owned(),
            template_then: Some("a".repeat(64)),
            template_now: "b".repeat(64),
            task_then: "t@1".to_owned(),
            task_now: "t@2".to_owned(),
            judge_then: recorded.judge.as_deref().map(judge_version),
            judge_now: found.judge.as_deref().map(judge_version),
            files: vec!["t.yaml changed".to_owned()],
            checks: changed_checks(&recorded.checks, &found.checks),
        };
        assert_eq!(
            reason.to_string(),
            "the task is another one; template aaaaaaaaaaaa is now bbbbbbbbbbbb; t.yaml changed; \
             check `sum` passed and fails now; the judge was apart, library 1, and is apart, \
             library 2; judged by synthd 0.1.0"
        );
        let same = ReverificationReason { engine: "1".to_owned(), ..Default::default() };
        assert_eq!(same.to_string(), "the task is the same; judged by synthd 1");
    }

    #[test]
    fn a_flaky_verdict_counts_as_zero_in_the_row() {
        let (passed, failed) = (vec![check("a", 1.0, true)], vec![check("a", 1.0, false)]);
        let again = Reverification {
            episode: EpisodeId("ep-1".to_owned()),
            attempt: AttemptNumber(1),
            judge: "d".to_owned(),
            reason: ReverificationReason::default(),
            verdict: Verdict { score: 0.5, ..Verdict::agree(passed, &failed) },
            at: "2026-01-01T00:00:00.000Z".to_owned(),
            at_ms: 1,
        };
        let row = again.row();
        assert_eq!((row.outcome.as_str(), row.score), ("flaky", 0.0));
    }
}
