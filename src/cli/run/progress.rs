//! Shows the progress of a campaign while it runs: as a bar on a terminal, as lines of text
//! elsewhere. `run`, `retry` and `watch` use it. The rate of finished episodes gives an estimate of
//! the time that is left.

use crate::cli::terminal::output::{eprint_line, pluralize, stderr_is_terminal, write_above};
use crate::cli::terminal::terminal_text::is_no_color;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use std::collections::VecDeque;
use std::fmt;
use std::time::{Duration, Instant};
use synthd_actors::campaign::CampaignProgress;
use synthd_actors::model::{Money, WorkName};
use synthd_actors::policy::{CapScope, CapStats};

/// How often the display is updated.
pub(in crate::cli) const TICK: Duration = Duration::from_millis(200);
/// The least time between two lines of text, so that a log does not fill up.
pub(in crate::cli) const LINE_EVERY: Duration = Duration::from_secs(5);
/// The rate is measured over the last so many finished episodes.
const RATE_OVER: usize = 50;
/// The fewest finished episodes for which a rate is shown. With fewer, the rate would be chance.
const RATE_FROM: usize = 3;

#[derive(Args, Clone, Copy, Debug, Default)]
pub(in crate::cli) struct ProgressOptions {
    /// Show no progress
    #[arg(long)]
    pub(in crate::cli) no_progress: bool,
    /// Print only errors and the summary at the end
    #[arg(long, short)]
    pub(in crate::cli) quiet: bool,
}

impl ProgressOptions {
    /// Whether no progress is shown.
    pub(in crate::cli) fn is_hidden(self) -> bool {
        self.no_progress || self.quiet
    }
}

/// What is left of one cap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) struct CapLeft {
    /// `budget`, `today`, or the name of a model.
    pub(in crate::cli) name: String,
    /// The cap less what is spent and held.
    pub(in crate::cli) left: Money,
}

impl CapLeft {
    /// What is left of a cap. Open holds count as spent.
    pub(in crate::cli) fn of(cap: CapStats) -> Self {
        let name = match (cap.scope, cap.model) {
            (_, Some(model)) => model,
            (CapScope::Day, None) => "today".to_owned(),
            _ => "budget".to_owned(),
        };
        let used = cap.spent_usd.saturating_add(cap.held_usd);
        Self { name, left: cap.cap_usd.saturating_sub(used) }
    }
}

impl fmt::Display for CapLeft {
    /// For people: `budget $1.20 left`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ${} left", self.name, self.left)
    }
}

/// The progress of one campaign on stderr.
pub(in crate::cli) struct ProgressDisplay {
    options: ProgressOptions,
    /// The bar, if stderr is a terminal and progress is not hidden.
    bar: Option<ProgressBar>,
    /// When the last line of text was printed.
    last_line: Instant,
    /// The finished episodes at that time. No line is printed while the number stays the same.
    last_finished: u64,
    /// Whether the user was told that the campaign waits for something.
    waits: bool,
    /// Measures how fast episodes finish.
    rate: CompletionRate,
}

impl ProgressDisplay {
    /// A display that begins with the state `first`. It prints the skipped templates and, without a
    /// bar, how much there is to do.
    pub(in crate::cli) fn new(first: &CampaignProgress, options: ProgressOptions) -> Self {
        for skipped in first.skipped.iter().filter(|_| !options.quiet) {
            eprint_line(&format!("skipping {}: {}", skipped.template, skipped.reason));
        }
        let bar =
            (stderr_is_terminal() && !options.is_hidden()).then(|| bar(first.episodes.planned));
        write_above(bar.clone());
        if bar.is_none() && !first.already_complete && !options.is_hidden() {
            let counts = &first.episodes;
            eprint_line(&format!(
                "{}: {} over {}, {} done before",
                first.campaign,
                pluralize(counts.planned, first.kind.unit()),
                pluralize(first.tasks, first.kind.task()),
                counts.finished
            ));
        }
        Self {
            options,
            bar,
            last_line: Instant::now(),
            last_finished: first.episodes.finished,
            waits: false,
            rate: CompletionRate::new(Instant::now(), first.episodes.finished),
        }
    }

    /// Shows a newer state. It may be called as often as the caller likes; lines are printed
    /// rarely.
    pub(in crate::cli) fn show(&mut self, progress: &CampaignProgress, caps: &[CapLeft]) {
        let counts = &progress.episodes;
        self.rate.look(Instant::now(), counts.finished);
        if self.options.is_hidden() {
            return;
        }
        self.tell_of_waiting(progress);
        let remaining = counts.planned.saturating_sub(counts.finished);
        let text = || format!("{}{}", line(progress), outlook(&self.rate, remaining, caps));
        match &self.bar {
            Some(bar) => {
                bar.set_length(counts.planned);
                bar.set_position(counts.finished);
                bar.set_message(text());
            }
            None if self.last_line.elapsed() >= LINE_EVERY
                && counts.finished > self.last_finished =>
            {
                eprint_line(&format!("[{}/{}] {}", counts.finished, counts.planned, text()));
                self.last_line = Instant::now();
                self.last_finished = counts.finished;
            }
            None => {}
        }
    }

    /// Prints a line when the campaign begins to wait, for example for a container engine, and one
    /// when it goes on.
    fn tell_of_waiting(&mut self, progress: &CampaignProgress) {
        let told = std::mem::replace(&mut self.waits, progress.waiting_for.is_some());
        match &progress.waiting_for {
            Some(what) if !told => eprint_line(&format!("waiting for {what}")),
            None if told => eprint_line("going on"),
            _ => {}
        }
    }

    /// Removes the bar, so that the summary stands in its place.
    pub(in crate::cli) fn finish(&self) {
        write_above(None);
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// A bar of 24 characters with counts, time and message.
pub(in crate::cli) fn bar(length: u64) -> ProgressBar {
    let colour = if is_no_color() { "" } else { ".green" };
    let style = format!("{{bar:24{colour}}} {{pos}}/{{len}} {{elapsed}} {{wide_msg}}");
    let bar = ProgressBar::new(length);
    match ProgressStyle::with_template(&style) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// The state as text: `8 resolved, 4 not, 97 steps, $0.12`.
pub(in crate::cli) fn line(progress: &CampaignProgress) -> String {
    let counts = &progress.episodes;
    let mut line = match progress.kind {
        WorkName::Trajectories => {
            format!("{} resolved, {} not", counts.resolved, counts.unresolved)
        }
        WorkName::Completions => format!("{} answered", counts.answered),
    };
    if counts.faulted > 0 {
        line.push_str(&format!(", {} faulted", counts.faulted));
    }
    if progress.kind == WorkName::Trajectories {
        line.push_str(&format!(", {} steps", progress.steps));
    }
    if !progress.cost_usd.is_zero() {
        line.push_str(&format!(", ${}", progress.cost_usd));
    }
    if let Some(what) = &progress.waiting_for {
        line.push_str(&format!(", waiting: {what}"));
    }
    line
}

/// What is left, as text: the time at the current rate, and the money of each cap.
fn outlook(rate: &CompletionRate, remaining: u64, caps: &[CapLeft]) -> String {
    let mut text = String::new();
    if let Some(hourly) = rate.per_hour().filter(|_| remaining > 0) {
        let seconds = (remaining as f64 / hourly * 3_600.0).ceil().min(1e9) as u64;
        text.push_str(&format!(", {hourly:.0}/h, {} left", about(seconds)));
    }
    for cap in caps {
        text.push_str(&format!(", {cap}"));
    }
    text
}

/// A time in at most two units, such as `1 h 5 min`.
fn about(seconds: u64) -> String {
    match (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60) {
        (0, 0, 0, s) => format!("{s} s"),
        (0, 0, m, s) => format!("{m} min {s} s"),
        (0, h, m, _) => format!("{h} h {m} min"),
        (d, h, ..) => format!("{d} d {h} h"),
    }
}

/// The rate at which episodes end, measured over the last of them. A slow start or a pause no
/// longer counts after so many more episodes have ended.
struct CompletionRate {
    /// When the count was seen to rise, and the count after it. The first entry is where the
    /// measuring begins.
    ends: VecDeque<(Instant, u64)>,
    /// When the count was last looked at.
    now: Instant,
}

impl CompletionRate {
    /// Begins to measure at `now`. Episodes that ended before do not count.
    fn new(now: Instant, finished: u64) -> Self {
        Self { ends: VecDeque::from([(now, finished)]), now }
    }

    /// Takes note of the count of finished episodes at `now`.
    fn look(&mut self, now: Instant, finished: u64) {
        self.now = now;
        let Some((_, last)) = self.ends.back().copied() else { return };
        if finished > last {
            self.ends.push_back((now, finished));
            if self.ends.len() > RATE_OVER {
                self.ends.pop_front();
            }
        }
    }

    /// Episodes per hour, or None with too few of them. The time since the last end counts too, so
    /// the rate falls while nothing ends.
    fn per_hour(&self) -> Option<f64> {
        let ((since, from), (_, to)) = (self.ends.front()?, self.ends.back()?);
        let seconds = self.now.duration_since(*since).as_secs_f64();
        let enough = self.ends.len() > RATE_FROM && seconds > 0.0;
        enough.then(|| (to - from) as f64 / seconds * 3_600.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_of_the_last_ends_and_falls_while_nothing_ends() {
        let begun = Instant::now();
        let at = |seconds: u64| begun + Duration::from_secs(seconds);
        let mut rate = CompletionRate::new(begun, 10);
        for end in 1..=3 {
            assert_eq!(rate.per_hour(), None, "after {} ends", end - 1);
            rate.look(at(end * 60), 10 + end);
        }
        assert_eq!(rate.per_hour().map(f64::round), Some(60.0));
        rate.look(at(360), 13);
        assert_eq!(rate.per_hour().map(f64::round), Some(30.0));
        // A slow beginning is forgotten.
        for end in 0..100 {
            rate.look(at(10_000 + end), 14 + end);
        }
        assert_eq!(rate.per_hour().map(f64::round), Some(3_600.0));
    }

    #[test]
    fn what_is_left_is_said_in_two_units() {
        let told = [5, 65, 3_660, 90_000].map(about);
        assert_eq!(told, ["5 s", "1 min 5 s", "1 h 1 min", "1 d 1 h"]);
        let mut rate = CompletionRate::new(Instant::now(), 0);
        let caps = [CapLeft { name: "usd".to_owned(), left: Money::from_nanos(1_500_000_000) }];
        assert_eq!(outlook(&rate, 4, &caps), ", usd $1.50 left");
        let begun = rate.now;
        (1..=4).for_each(|n| rate.look(begun + Duration::from_secs(n * 36), n));
        assert_eq!(outlook(&rate, 10, &[]), ", 100/h, 6 min 0 s left");
        assert_eq!(outlook(&rate, 0, &[]), "");
    }
}
