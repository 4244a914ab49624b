//! Builds the text of `episode show`. Much of it comes from agents and models, so each piece is
//! made safe by [`TextStyler::styled`], [`escape_controls`] or [`escape_line`] before it is added.

use super::outcome_label;
use super::record::FullEpisode;
use crate::cli::terminal::terminal_text::{
    TextStyle, TextStyler, elide_middle, escape_controls, escape_line,
};
use crate::running_engine::SystemClock;
use synthd_actors::model::{
    AttemptRecord, CheckResult, ExecEnd, JudgeEnvironment, JudgePlace, Outcome, Reverification,
    SandboxFingerprint,
};
use synthd_actors::ports::Clock;

/// The most lines of a long text that are shown without `--full`.
const SHOWN: usize = 24;

/// A page to which lines are added from top to bottom.
pub(super) struct EpisodePage {
    pub(super) styler: TextStyler,
    /// Whether long texts are shown whole.
    full: bool,
    lines: Vec<String>,
    /// Whether a text was cut, so that a note at the end says so.
    was_cut: bool,
}

impl EpisodePage {
    /// An empty page.
    pub(super) fn new(styler: TextStyler, full: bool) -> Self {
        Self { styler, full, lines: Vec::new(), was_cut: false }
    }

    /// The finished page.
    pub(super) fn text(mut self) -> String {
        if self.was_cut {
            self.gap();
            self.line("long texts are cut in the middle; --full shows all of them");
        }
        self.lines.join("\n")
    }

    /// Adds a line. The caller has made its pieces safe already.
    pub(super) fn line(&mut self, line: impl Into<String>) {
        self.lines.push(line.into());
    }

    /// Adds an empty line.
    pub(super) fn gap(&mut self) {
        self.line("");
    }

    /// Adds an untrusted text of several lines. `first` stands before its first line, `rest` before
    /// the others. The middle of a long text is left out, unless the page is full.
    pub(super) fn block(&mut self, first: &str, rest: &str, style: Option<TextStyle>, text: &str) {
        let whole = text.trim_end_matches('\n');
        let text = if self.full { whole.to_owned() } else { elide_middle(whole, SHOWN) };
        self.was_cut |= text.len() < whole.len();
        for (at, line) in text.split('\n').enumerate() {
            let shown = style
                .map_or_else(|| escape_controls(line), |style| self.styler.styled(style, line));
            let mark = if at == 0 { first } else { rest };
            self.lines.push(format!("{mark}{shown}").trim_end().to_owned());
        }
    }

    /// Adds a line with a name and a value. An empty name continues the field above.
    pub(super) fn field(&mut self, name: &str, value: impl AsRef<str>) {
        let name = self.styler.styled(TextStyle::Faint, &format!("{name:<9}"));
        self.lines.push(format!("  {name} {}", value.as_ref()));
    }

    /// Adds everything above the steps: task, model, reason of the choice, sandbox, outcome, row,
    /// cost, attempts, instruction.
    pub(super) fn header(&mut self, whole: &FullEpisode) {
        let plan = &whole.episode.plan;
        let id = self.styler.styled(TextStyle::Strong, plan.id.as_str());
        self.line(format!("{id} of campaign {}", escape_line(plan.campaign.as_str())));
        // A completion has no scaffold.
        let is_answer = plan.scaffold == "none";
        let (title, place) = match is_answer {
            true => ("prompt", format!("line {} of {}", u64::from(plan.index) + 1, plan.template)),
            false => ("task", format!("{}, task {} of its template", plan.difficulty, plan.index)),
        };
        let place = format!("{} ({})", escape_line(plan.task.as_str()), escape_line(&place));
        self.field(title, place);
        let through = match is_answer {
            true => plan.model.clone(),
            false => format!("{} through {}", plan.model, plan.scaffold),
        };
        self.field("model", escape_line(&through));
        if let Some(reason) = &plan.reason {
            self.field("chosen", escape_line(reason));
        }
        self.sandbox(whole.episode.fingerprint.as_ref());
        self.outcome(whole);
        whole.later.iter().for_each(|again| self.later_verdict(again));
        self.quality(whole);
        self.expense(whole);
        self.attempts(&whole.attempts);
        self.instruction(whole);
    }

    /// Adds the sandbox in which the episode ran, with what it enforced. Nothing if none was made
    /// yet.
    fn sandbox(&mut self, fingerprint: Option<&SandboxFingerprint>) {
        let Some(print) = fingerprint else { return };
        self.field("sandbox", escape_line(&sandbox_place(print)));
        self.field("", escape_line(&print.root));
        for (what, how) in &print.enforced {
            self.field("", escape_line(&format!("{what}: {how}")));
        }
    }

    /// Adds the outcome, and for a verdict its score, where it was reached, and its checks.
    fn outcome(&mut self, whole: &FullEpisode) {
        let label = outcome_label(&whole.episode);
        let style = match label {
            "resolved" | "answered" => TextStyle::Good,
            "pending" => TextStyle::Warn,
            _ => TextStyle::Bad,
        };
        let label = self.styler.styled(style, label);
        match &whole.episode.outcome {
            None => self.field("outcome", label),
            Some(Outcome::Faulted { fault }) => {
                self.field("outcome", format!("{label}: {}", escape_line(&fault.to_string())));
            }
            Some(Outcome::Answered { finish }) => {
                self.field("outcome", format!("{label}, ended by {}", finish.as_str()));
            }
            Some(Outcome::Judged { stop, verdict }) => {
                // The sum of no floats is minus zero, which would be shown as `-0.000`.
                let score = verdict.score + 0.0;
                let why = format!("{label}, score {score:.3}, ended by {}", stop.as_str());
                self.field("outcome", why);
                self.judge(verdict.judge.as_deref(), whole.episode.fingerprint.as_ref());
                self.checks(&verdict.checks);
            }
        }
    }

    /// Adds a verdict that was reached later, with the reason and its checks.
    fn later_verdict(&mut self, again: &Reverification) {
        let verdict = &again.verdict;
        let style = if verdict.passed { TextStyle::Good } else { TextStyle::Bad };
        let label = self.styler.styled(style, verdict.label());
        let score = verdict.score + 0.0;
        self.field("again", format!("{label}, score {score:.3}, {}", escape_line(&again.at)));
        for part in again.reason.to_string().split("; ") {
            self.field("", escape_line(part));
        }
        self.checks(&verdict.checks);
    }

    /// Adds where the checks ran. `agents` is the sandbox of the agent. Nothing if no record says.
    pub(super) fn judge(
        &mut self,
        judge: Option<&JudgeEnvironment>,
        agents: Option<&SandboxFingerprint>,
    ) {
        let Some(judge) = judge else { return };
        self.field("judge", judge_place(judge));
        match &judge.sandbox {
            None => self.field("", "no sandbox: the engine compared files"),
            Some(print) if agents.is_some_and(|agents| is_same_kind(print, agents)) => {
                self.field("", "a fresh sandbox of the same kind as the agent's");
            }
            Some(print) => {
                self.field("", escape_line(&sandbox_place(print)));
                self.field("", escape_line(&print.root));
            }
        }
    }

    /// Adds each check with its weight and its output, and the second run where it differs.
    pub(super) fn checks(&mut self, checks: &[CheckResult]) {
        for (at, check) in checks.iter().enumerate() {
            let (mark, end) = (self.mark(check.passed), failed_end(check.end.as_ref()));
            let name = escape_line(&check.name);
            let title = if at == 0 { "checks" } else { "" };
            self.field(title, format!("{mark}  {:>5.2}  {name}{end}", check.weight));
            self.check_output(&check.output);
            if let Some(second) = &check.second {
                let (mark, end) = (self.mark(second.passed), failed_end(second.end.as_ref()));
                self.field("", format!("{mark}         in the second run{end}"));
                self.check_output(&second.output);
            }
        }
    }

    /// Whether a check passed, in four letters.
    fn mark(&self, passed: bool) -> String {
        let (style, mark) =
            if passed { (TextStyle::Good, "pass") } else { (TextStyle::Bad, "FAIL") };
        self.styler.styled(style, mark)
    }

    /// Adds what a check said, if it said anything.
    fn check_output(&mut self, output: &str) {
        if !output.trim().is_empty() {
            let margin = "                  | ";
            self.block(margin, margin, Some(TextStyle::Faint), output);
        }
    }

    /// Adds what quality decided about the row: labels, and the split or the reason of a rejection.
    fn quality(&mut self, whole: &FullEpisode) {
        let Some(judged) = &whole.judged else { return };
        if !judged.row.labels().is_empty() {
            self.field("labels", escape_line(&judged.row.labels().join(", ")));
        }
        match &judged.rejected {
            None => self.field("row", format!("kept, in the {} split", judged.split.as_str())),
            Some(why) => {
                let no = self.styler.styled(TextStyle::Warn, "rejected");
                self.field("row", format!("{no} by {}: {}", why.stage, escape_line(&why.detail)));
            }
        }
    }

    /// Adds cost, tokens and time.
    fn expense(&mut self, whole: &FullEpisode) {
        let episode = &whole.episode;
        let usage = episode.usage;
        let mut tokens = format!("{} tokens in, {} out", usage.input_tokens, usage.output_tokens);
        match episode.uncounted_calls {
            0 => {}
            1 => tokens.push_str(" + 1 call without counts"),
            calls => tokens.push_str(&format!(" + {calls} calls without counts")),
        }
        self.field("cost", format!("${}, {tokens}", episode.cost));
        if let (Some(from), Some(to)) = (episode.started_at_ms, episode.finished_at_ms) {
            let seconds = to.saturating_sub(from).max(0) as f64 / 1_000.0;
            self.field("time", format!("{} + {seconds:.1} s", SystemClock.stamp(from)));
        }
    }

    /// Adds one line for each attempt.
    fn attempts(&mut self, attempts: &[AttemptRecord]) {
        for (at, attempt) in attempts.iter().enumerate() {
            let mut text =
                format!("{}: {} steps, ${}", attempt.attempt, attempt.steps, attempt.cost);
            if let Some(from) = attempt.resumed_from {
                text.push_str(&format!(", went on from attempt {from}"));
            }
            if let Some(fault) = &attempt.fault {
                text.push_str(&format!(", {}", escape_line(&fault.to_string())));
            }
            self.field(if at == 0 { "attempts" } else { "" }, text);
        }
    }

    /// Adds the instruction. The recorded one is preferred to the one that was rendered again.
    fn instruction(&mut self, whole: &FullEpisode) {
        let drawn = whole.opening.as_ref().ok().map(|opening| opening.instruction.as_str());
        let row = whole.judged.as_ref().and_then(|judged| judged.row.as_trajectory());
        let recorded = row.map(|row| row.task_instruction.as_str());
        let Some(instruction) = recorded.or(drawn) else { return };
        self.gap();
        self.line(self.styler.styled(TextStyle::Strong, "instruction"));
        self.block("  ", "  ", None, instruction.trim_end());
    }
}

/// Backend, kernel and shell of a sandbox.
fn sandbox_place(print: &SandboxFingerprint) -> String {
    format!("{}, Linux {}, {}", print.backend, print.kernel, print.shell)
}

/// Whether two sandboxes are on the same kernel and have the same root.
fn is_same_kind(print: &SandboxFingerprint, other: &SandboxFingerprint) -> bool {
    sandbox_place(print) == sandbox_place(other) && print.root == other.root
}

/// Where checks and programs of the workspace ran, in words.
fn judge_place(judge: &JudgeEnvironment) -> String {
    let version = judge.library.map(|version| format!(", library version {version}"));
    match judge.place {
        JudgePlace::Shared => {
            "shared: the checks and the programs of the workspace in one sandbox".to_owned()
        }
        JudgePlace::Apart => {
            format!("apart: the checks in a sandbox of their own{}", version.unwrap_or_default())
        }
        JudgePlace::Container => {
            "container: the tests in a fresh container of what the agent has left".to_owned()
        }
    }
}

/// How the command of a check ended, in brackets. Nothing if it ended well or no record says.
fn failed_end(end: Option<&ExecEnd>) -> String {
    let failed = end.filter(|end| !end.success());
    failed.map(|end| format!(" ({})", escape_line(&end.describe()))).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use synthd_actors::model::CheckRerun;

    fn check(second: Option<CheckRerun>) -> CheckResult {
        CheckResult {
            name: "total".to_owned(),
            weight: 2.0,
            passed: false,
            output: "expected 3\n".to_owned(),
            end: Some(ExecEnd::TimedOut),
            second,
        }
    }

    #[test]
    fn a_check_tells_how_it_ended_and_what_its_second_run_said() {
        let mut page = EpisodePage::new(TextStyler::plain(), false);
        let (passed, end) = (true, Some(ExecEnd::Exited(0)));
        page.checks(&[check(Some(CheckRerun { passed, output: "found 3".to_owned(), end }))]);
        let lines = [
            "  checks    FAIL   2.00  total (timeout)",
            "                  | expected 3",
            "            pass         in the second run",
            "                  | found 3",
        ];
        assert_eq!(page.text(), lines.join("\n"));
    }

    #[test]
    fn the_judge_is_told_with_its_sandbox() {
        let print = |root: &str| SandboxFingerprint {
            backend: "docker".to_owned(),
            root: root.to_owned(),
            kernel: "6.1".to_owned(),
            shell: "sh".to_owned(),
            ..SandboxFingerprint::default()
        };
        let told = |place, sandbox, library| {
            let mut page = EpisodePage::new(TextStyler::plain(), false);
            let judge = JudgeEnvironment { place, sandbox, library };
            page.judge(Some(&judge), Some(&print("a")));
            page.text()
        };
        let shared = told(JudgePlace::Shared, Some(print("a")), None);
        assert!(shared.ends_with("a fresh sandbox of the same kind as the agent's"), "{shared}");
        assert!(shared.lines().all(|line| line.chars().count() <= 80), "{shared}");
        let apart = told(JudgePlace::Apart, Some(print("b")), Some(1));
        assert!(apart.contains("library version 1"), "{apart}");
        assert!(apart.ends_with("docker, Linux 6.1, sh\n            b"), "{apart}");
        let none = told(JudgePlace::Apart, None, Some(1));
        assert!(none.ends_with("the engine compared files"), "{none}");
    }
}
