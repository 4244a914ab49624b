//! Progress while a campaign runs: a bar on a terminal, plain lines elsewhere.

use crate::cli::output::{complain, many, on_terminal};
use indicatif::{ProgressBar, ProgressStyle};
use std::time::{Duration, Instant};
use synthd_actors::campaign::Progress;

/// How often the display looks.
pub(in crate::cli) const TICK: Duration = Duration::from_millis(200);
/// How often a plain line is worth its place in a log.
const LINE_EVERY: Duration = Duration::from_secs(5);

pub(in crate::cli) struct Shown {
    bar: Option<ProgressBar>,
    last_line: Instant,
    last_finished: u64,
    waits: bool,
}

impl Shown {
    pub(in crate::cli) fn new(first: &Progress) -> Self {
        for skipped in &first.skipped {
            complain(&format!("skipping {}: {}", skipped.template, skipped.reason));
        }
        let bar = on_terminal().then(|| bar(first.episodes.planned));
        if bar.is_none() && !first.already_complete {
            let counts = &first.episodes;
            complain(&format!(
                "{}: {} over {}, {} done before",
                first.campaign,
                many(counts.planned, "episode"),
                many(first.tasks, "task"),
                counts.finished
            ));
        }
        Self {
            bar,
            last_line: Instant::now(),
            last_finished: first.episodes.finished,
            waits: false,
        }
    }

    pub(in crate::cli) fn show(&mut self, progress: &Progress) {
        let counts = &progress.episodes;
        self.tell_of_waiting(progress);
        match &self.bar {
            Some(bar) => {
                bar.set_position(counts.finished);
                bar.set_message(line(progress));
            }
            None if self.last_line.elapsed() >= LINE_EVERY
                && counts.finished > self.last_finished =>
            {
                self.last_line = Instant::now();
                self.last_finished = counts.finished;
                complain(&format!("[{}/{}] {}", counts.finished, counts.planned, line(progress)));
            }
            None => {}
        }
    }

    /// Once when it begins and once when it ends.
    fn tell_of_waiting(&mut self, progress: &Progress) {
        let told = std::mem::replace(&mut self.waits, progress.waiting_for.is_some());
        let text = match &progress.waiting_for {
            Some(what) if !told => format!("waiting for {what}"),
            None if told => "going on".to_owned(),
            _ => return,
        };
        match &self.bar {
            Some(bar) => bar.println(text),
            None => complain(&text),
        }
    }

    pub(in crate::cli) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn bar(length: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:24} {pos}/{len} {elapsed} {msg}");
    let bar = ProgressBar::new(length);
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

pub(in crate::cli) fn line(progress: &Progress) -> String {
    let counts = &progress.episodes;
    let mut line = format!("{} resolved, {} not", counts.resolved, counts.unresolved);
    if counts.faulted > 0 {
        line.push_str(&format!(", {} faulted", counts.faulted));
    }
    line.push_str(&format!(", {} steps", progress.steps));
    if !progress.cost_usd.is_zero() {
        line.push_str(&format!(", ${}", progress.cost_usd));
    }
    if let Some(what) = &progress.waiting_for {
        line.push_str(&format!(", waiting: {what}"));
    }
    line
}
