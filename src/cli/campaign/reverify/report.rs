//! What `synthd campaign reverify` prints: how the old and the new verdicts compare, which episodes
//! are judged otherwise, and which have no new verdict.

use super::judging::{JudgedAgain, ReverifyResult, UnjudgedReason};
use crate::cli::terminal::layout::{TableColumn, lines};
use crate::cli::terminal::output::{pluralize, width};
use crate::cli::terminal::terminal_text::escape_line;
use crate::error::{Code, Error, Result};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::process::ExitCode;
use synthd_actors::model::{CampaignName, Reverification};

/// How many episodes without a new verdict are named for each reason. JSON has all of them.
const MOST_NAMED: usize = 10;

/// Says which workspaces a campaign keeps.
const KEEPING: &str = "`[episode] keep_workspaces` of a campaign says which are kept";

/// The episodes of the campaign after the command.
pub(super) struct ReverifyReport {
    campaign: CampaignName,
    /// How many episodes were to be judged.
    pub(super) of: usize,
    /// What has become of them so far.
    pub(super) episodes: Vec<JudgedAgain>,
    /// Whether a signal has ended the work.
    pub(super) interrupted: bool,
}

impl ReverifyReport {
    pub(super) fn new(campaign: CampaignName, of: usize) -> Self {
        Self { campaign, of, episodes: Vec::new(), interrupted: false }
    }

    /// Adds an episode at its place in the plan.
    pub(super) fn add(&mut self, episode: JudgedAgain) {
        let at = self.episodes.partition_point(|known| known.ordinal < episode.ordinal);
        self.episodes.insert(at, episode);
    }

    /// The episodes with a verdict of today's checks, each with that verdict.
    fn judged(&self) -> impl Iterator<Item = (&JudgedAgain, &Reverification)> {
        self.episodes.iter().filter_map(|episode| match &episode.result {
            ReverifyResult::Judged { again, .. } => Some((episode, again.as_ref())),
            ReverifyResult::Unjudged { .. } => None,
        })
    }

    /// The episodes whose label is another one now.
    fn changed(&self) -> impl Iterator<Item = (&JudgedAgain, &Reverification)> {
        self.judged().filter(|(episode, again)| episode.before != again.verdict.label())
    }

    /// How many episodes have another label now.
    pub(super) fn otherwise(&self) -> usize {
        self.changed().count()
    }

    /// The episodes without a new verdict by reason, each with what is known besides.
    fn unjudged(&self) -> BTreeMap<UnjudgedReason, Vec<(&JudgedAgain, &str)>> {
        let mut reasons: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for episode in &self.episodes {
            if let ReverifyResult::Unjudged { reason, detail } = &episode.result {
                reasons.entry(*reason).or_default().push((episode, detail.as_str()));
            }
        }
        reasons
    }

    /// How many episodes went from one label to another, or kept it.
    fn transitions(&self) -> BTreeMap<(&'static str, &'static str), u64> {
        let mut counts = BTreeMap::new();
        for (episode, again) in self.judged() {
            *counts.entry((episode.before, again.verdict.label())).or_default() += 1;
        }
        counts
    }

    /// How many verdicts an earlier run of the command has recorded.
    fn earlier(&self) -> usize {
        let is_earlier = |episode: &&JudgedAgain| {
            matches!(episode.result, ReverifyResult::Judged { earlier: true, .. })
        };
        self.episodes.iter().filter(is_earlier).count()
    }

    /// The report as JSON. Keys of this document must not change, because scripts read them.
    pub(super) fn document(&self) -> Value {
        let transitions: Vec<Value> = (self.transitions().into_iter())
            .map(
                |((before, now), count)| json!({ "before": before, "now": now, "episodes": count }),
            )
            .collect();
        let unjudged = self.unjudged();
        let not_judged: BTreeMap<&str, usize> =
            unjudged.iter().map(|(why, all)| (why.as_str(), all.len())).collect();
        json!({
            "campaign": self.campaign,
            "interrupted": self.interrupted,
            "episodes_with_verdict": self.of,
            "judged": self.judged().count(),
            "judged_earlier": self.earlier(),
            "otherwise": self.otherwise(),
            "transitions": transitions,
            "not_judged": not_judged,
            "episodes": self.episodes.iter().map(episode_document).collect::<Vec<_>>(),
        })
    }

    /// The report for people.
    pub(super) fn text(&self) -> String {
        let mut parts = vec![self.headline()];
        let transitions: Vec<Vec<String>> = (self.transitions().into_iter())
            .map(|((before, now), count)| vec![before.into(), now.into(), count.to_string()])
            .collect();
        if !transitions.is_empty() {
            parts.push(lines(&TRANSITIONS, &transitions, width()));
        }
        let changed: Vec<Vec<String>> = self.changed().map(changed_row).collect();
        if !changed.is_empty() {
            parts.push(lines(&CHANGED, &changed, width()));
        }
        parts.extend(self.unjudged().iter().map(|(why, all)| unjudged_text(*why, all)));
        parts.join("\n\n")
    }

    /// How much was judged.
    fn headline(&self) -> String {
        let (judged, of) = (self.judged().count(), pluralize(self.of as u64, "episode"));
        let mut line =
            format!("{}: {judged} of {of} judged again", escape_line(self.campaign.as_str()));
        if self.earlier() > 0 {
            line.push_str(&format!(", {} of them earlier", self.earlier()));
        }
        line.push_str(&format!("; {} judged otherwise", self.otherwise()));
        if self.interrupted {
            line.push_str("\ninterrupted; the same command goes on");
        }
        line
    }

    /// How the command ends: 0, 3 after faults, 130 after a signal. That nothing could be judged is an
    /// error; that verdicts differ is none.
    pub(super) fn conclusion(&self) -> Result<ExitCode> {
        let unjudged = self.unjudged();
        if self.interrupted {
            return Ok(ExitCode::from(Code::Interrupted.exit_code()));
        }
        if unjudged.contains_key(&UnjudgedReason::Faulted) {
            return Ok(ExitCode::from(3));
        }
        if self.judged().next().is_some() {
            return Ok(ExitCode::SUCCESS);
        }
        let what = format!("no episode of campaign {} could be judged again", self.campaign);
        let has = |reason| unjudged.contains_key(&reason);
        let hint = match (has(UnjudgedReason::OtherWork), has(UnjudgedReason::Staged)) {
            (true, _) => "name the directory of the campaign's templates with --templates",
            (false, true) => "tasks with stages cannot be judged again",
            (false, false) => KEEPING,
        };
        Err(Error::new(Code::BadUsage, what).hint(hint))
    }
}

/// The columns of the table of all verdicts.
const TRANSITIONS: [TableColumn; 3] =
    [TableColumn::new("recorded"), TableColumn::new("today"), TableColumn::right("episodes")];

/// The columns of the table of changed verdicts.
const CHANGED: [TableColumn; 4] = [
    TableColumn::new("judged otherwise"),
    TableColumn::new("recorded"),
    TableColumn::new("today"),
    TableColumn::new("template").at_least(12),
];

/// A row of the table of changed verdicts.
fn changed_row((episode, again): (&JudgedAgain, &Reverification)) -> Vec<String> {
    let now = again.verdict.label();
    vec![episode.episode.to_string(), episode.before.into(), now.into(), episode.template.clone()]
}

/// The episodes that have no new verdict for one reason.
fn unjudged_text(why: UnjudgedReason, all: &[(&JudgedAgain, &str)]) -> String {
    let mut lines = vec![format!("not judged, {}: {}", why.told(), all.len())];
    for (episode, detail) in all.iter().take(MOST_NAMED) {
        let line = format!("  {}  {}", episode.episode, escape_line(detail));
        lines.push(line.trim_end().to_owned());
    }
    if all.len() > MOST_NAMED {
        lines.push(format!("  and {} more, which --json names", all.len() - MOST_NAMED));
    }
    if why == UnjudgedReason::NotKept {
        lines.push(KEEPING.to_owned());
    }
    lines.join("\n")
}

/// One episode as JSON.
fn episode_document(episode: &JudgedAgain) -> Value {
    let JudgedAgain { episode: id, template, before, result, .. } = episode;
    match result {
        ReverifyResult::Judged { again, earlier } => json!({
            "episode": id, "template": template, "recorded": before,
            "today": again.verdict.label(), "score": again.verdict.score, "at": again.at,
            "earlier": earlier, "reason": again.reason, "told": again.reason.to_string(),
        }),
        ReverifyResult::Unjudged { reason, detail } => json!({
            "episode": id, "template": template, "recorded": before, "today": null,
            "not_judged": reason.as_str(), "detail": detail,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use synthd_actors::model::{
        AttemptNumber, CheckResult, EpisodeId, ReverificationReason, Verdict,
    };

    fn again(id: &str, passed: bool) -> Reverification {
        let check = CheckResult {
            name: "only".to_owned(),
            weight: 1.0,
            passed,
            output: String::new(),
            end: None,
            second: None,
        };
        Reverification {
            episode: EpisodeId(id.to_owned()),
            attempt: AttemptNumber(1),
            judge: "digest".to_owned(),
            reason: ReverificationReason::default(),
            verdict: Verdict::agree(vec![check.clone()], &[check]),
            at: "2026-01-01T00:00:00.000Z".to_owned(),
            at_ms: 0,
        }
    }

    fn episode(ordinal: u64, before: &'static str, result: ReverifyResult) -> JudgedAgain {
        let episode = EpisodeId(format!("ep-{ordinal:016x}"));
        JudgedAgain { episode, ordinal, template: "debugging/loop".to_owned(), before, result }
    }

    fn judged(ordinal: u64, before: &'static str, passed: bool) -> JudgedAgain {
        let again = Box::new(again(&format!("ep-{ordinal:016x}"), passed));
        episode(ordinal, before, ReverifyResult::Judged { again, earlier: ordinal == 0 })
    }

    fn unjudged(ordinal: u64, reason: UnjudgedReason, detail: &str) -> JudgedAgain {
        let detail = detail.to_owned();
        episode(ordinal, "unresolved", ReverifyResult::Unjudged { reason, detail })
    }

    fn report(episodes: Vec<JudgedAgain>) -> ReverifyReport {
        let mut report = ReverifyReport::new(CampaignName("small".to_owned()), episodes.len());
        episodes.into_iter().for_each(|episode| report.add(episode));
        report
    }

    #[test]
    fn every_change_is_counted_and_named_within_eighty_columns() {
        let report = report(vec![
            unjudged(4, UnjudgedReason::NotKept, ""),
            judged(2, "unresolved", true),
            judged(0, "resolved", true),
            judged(1, "resolved", false),
        ]);
        let text = report.text();
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        let told = [
            "small: 3 of 4 episodes judged again, 1 of them earlier; 2 judged otherwise",
            "",
            "recorded    today       episodes",
            "resolved    resolved           1",
            "resolved    unresolved         1",
            "unresolved  resolved           1",
            "",
            "judged otherwise     recorded    today       template",
            "ep-0000000000000001  resolved    unresolved  debugging/loop",
            "ep-0000000000000002  unresolved  resolved    debugging/loop",
            "",
            "not judged, the workspace is not kept: 1",
            "  ep-0000000000000004",
            KEEPING,
        ];
        assert_eq!(text, told.join("\n"));
        let document = report.document();
        assert_eq!(document["otherwise"], 2);
        assert_eq!(document["not_judged"]["not_kept"], 1);
        assert_eq!(document["episodes"][3]["today"], Value::Null);
    }

    #[test]
    fn the_end_says_whether_something_was_judged_or_failed() {
        let kept = || judged(1, "resolved", false);
        let ends = |report: ReverifyReport| report.conclusion().map(|code| format!("{code:?}"));
        let code = |code: u8| format!("{:?}", ExitCode::from(code));
        assert_eq!(ends(report(vec![kept()])).unwrap(), code(0));
        let faulted = unjudged(2, UnjudgedReason::Faulted, "the sandbox was lost");
        assert_eq!(ends(report(vec![kept(), faulted])).unwrap(), code(3));
        let stopped = ReverifyReport { interrupted: true, ..report(vec![kept()]) };
        assert_eq!(ends(stopped).unwrap(), code(130));
        let nothing = report(vec![unjudged(1, UnjudgedReason::NotKept, "")]);
        assert_eq!(ends(nothing).unwrap_err().code(), Code::BadUsage);
    }

    #[test]
    fn many_episodes_without_a_verdict_are_counted() {
        let many = (0..15).map(|at| unjudged(at, UnjudgedReason::OtherWork, "gone")).collect();
        let text = report(many).text();
        assert!(text.contains("or asks for other work: 15"), "{text}");
        assert!(text.ends_with("  and 5 more, which --json names"), "{text}");
    }
}
