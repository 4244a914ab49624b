//! The progress of work over rows on stderr: a bar on a terminal, lines elsewhere.

use crate::cli::run::progress;
use crate::cli::terminal::output::{eprint_line, stderr_is_terminal, write_above};
use indicatif::ProgressBar;
use std::cell::Cell;
use std::time::Instant;

/// The progress. The bar goes away when it is dropped.
pub(in crate::cli) struct RowProgress {
    bar: Option<ProgressBar>,
    last_line: Cell<Instant>,
    /// What is done with rows, for lines.
    what: &'static str,
}

impl RowProgress {
    pub(in crate::cli) fn new(what: &'static str) -> Self {
        let bar = stderr_is_terminal().then(|| progress::bar(0));
        write_above(bar.clone());
        Self { bar, last_line: Cell::new(Instant::now()), what }
    }

    /// Shows how many rows of how many are done. Lines are printed rarely.
    pub(in crate::cli) fn show(&self, rows: u64, of: u64) {
        match &self.bar {
            Some(bar) => {
                bar.set_length(of);
                bar.set_position(rows);
            }
            None if self.last_line.get().elapsed() >= progress::LINE_EVERY => {
                eprint_line(&format!("[{rows}/{of}] {}", self.what));
                self.last_line.set(Instant::now());
            }
            None => {}
        }
    }
}

impl Drop for RowProgress {
    /// Removes the bar, so that the answer stands in its place.
    fn drop(&mut self) {
        write_above(None);
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
