//! What a command prints: answers to stdout, everything else (errors, progress, notes) to stderr. A
//! reader of stdout that closes its end early, such as `| head`, is no error.

use crate::cli::terminal::terminal_text::escape_controls;
use crate::config::ConfigErrors;
use crate::control::protocol::ErrorBody;
use crate::error::{Code, Error, Result};
use comfy_table::{ContentArrangement, Table, presets};
use indicatif::ProgressBar;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde::Serialize;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// Whether anything was printed to stdout.
static SAID: AtomicBool = AtomicBool::new(false);
/// The first error of writing to stdout.
static UNSAID: Mutex<Option<io::Error>> = Mutex::new(None);

/// Prints a line of the answer to stdout.
pub(crate) fn print_line(text: &str) {
    print_bytes(format!("{text}\n").as_bytes());
}

/// Prints bytes of the answer to stdout. A failed write is kept for [`take_write_error`]. A closed
/// pipe is no failure: its reader has seen enough.
pub(crate) fn print_bytes(bytes: &[u8]) {
    SAID.store(true, Ordering::Relaxed);
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            UNSAID.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        }
        _ => {}
    }
}

/// Whether the reader of stdout has closed its end. A pipe or a socket shows this before anything
/// is written. `synthd watch` uses it to end with its reader.
pub(crate) fn stdout_closed() -> bool {
    let stdout = io::stdout();
    let mut watched = [PollFd::new(stdout.as_fd(), PollFlags::empty())];
    let gone = PollFlags::POLLERR | PollFlags::POLLHUP | PollFlags::POLLNVAL;
    poll(&mut watched, PollTimeout::ZERO).is_ok()
        && watched[0].revents().is_some_and(|found| found.intersects(gone))
}

/// The first error of writing to stdout, if there was one. A second call returns None.
pub(crate) fn take_write_error() -> Option<Error> {
    let error = UNSAID.lock().unwrap_or_else(PoisonError::into_inner).take()?;
    let what = "the answer could not be written to standard output";
    Some(Error::new(Code::Io, what).with_source(error).hint(
        "check whether the disk of the output is \
                                                         full",
    ))
}

/// Prints an error to stderr. With `json`, the error is also printed to stdout as the one JSON
/// document of the command, unless a document was printed already.
pub(crate) fn print_error(error: &Error, json: bool) {
    // A cause may quote text of an agent, so control characters are made visible.
    eprint_line(&escape_controls(&error.report()));
    if json && !SAID.load(Ordering::Relaxed) {
        let body = ErrorBody::from(error);
        let document = serde_json::json!({ "ok": false, "error": body });
        print_line(&format!("{document:#}"));
    }
}

/// Prints a line to stderr. A failure to write is ignored.
pub(crate) fn eprint_line(text: &str) {
    complain_bytes(format!("{text}\n").as_bytes()).ok();
}

/// The progress bar that is on the terminal now.
static BAR: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// Sets the progress bar. From now on, text on stderr appears above it. None removes the bar.
pub(crate) fn write_above(bar: Option<ProgressBar>) {
    *BAR.lock().unwrap_or_else(PoisonError::into_inner) = bar;
}

/// Writes whole lines to stderr. The progress bar is hidden during the write.
pub(crate) fn complain_bytes(bytes: &[u8]) -> io::Result<()> {
    let bar = BAR.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let write = || io::stderr().lock().write_all(bytes);
    match bar {
        Some(bar) => bar.suspend(write),
        None => write(),
    }
}

/// Prints one JSON document to stdout, with indentation.
pub(crate) fn print_json(value: &impl Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|e| Error::new(Code::Unexpected, "the answer is not JSON").with_source(e))?;
    print_line(&text);
    Ok(())
}

/// The width that lines may have: that of the terminal, or None if stdout is no terminal.
pub(crate) fn width() -> Option<usize> {
    let terminal_size::Width(columns) = terminal_size::terminal_size_of(io::stdout())?.0;
    Some(usize::from(columns).max(NARROWEST))
}

/// The smallest width that is believed. Some terminals report 0 or 1.
const NARROWEST: usize = 20;

/// A table without borders that wraps its cells to the terminal. In a pipe, every cell is whole and
/// on one line. `layout` has tables that cut their cells instead.
pub(crate) fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    match width().and_then(|width| u16::try_from(width).ok()) {
        Some(width) => table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width),
        None => table.set_content_arrangement(ContentArrangement::Disabled),
    };
    table.set_header(header.to_vec());
    table
}

/// Whether stderr is a terminal, so that progress bars and colours make sense.
pub(crate) fn stderr_is_terminal() -> bool {
    std::io::stderr().is_terminal()
}

/// Prints every mistake of a configuration file: with `json` as a document on stdout, otherwise as
/// text on stderr.
pub(crate) fn print_config_errors(errors: &ConfigErrors, json: bool) {
    if json {
        print_line(&format!("{:#}", errors.to_json()));
        return;
    }
    eprint_line(errors.render().trim_end());
    let many = if errors.total() == 1 { "mistake" } else { "mistakes" };
    let (code, total) = (errors.code(), errors.total());
    eprint_line(&format!("\nerror[{code}]: {total} {many} in {}", errors.path().display()));
}

/// A count with its noun: `1 task`, `2 tasks`.
pub(crate) fn pluralize(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
