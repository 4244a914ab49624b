//! Where the program's words go: answers to stdout, everything else to stderr. A reader
//! that closes its end early (`| head`) is no error.

use super::terminal_text::escape_controls;
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

/// Whether anything was said, and whether it could not be written.
static SAID: AtomicBool = AtomicBool::new(false);
static UNSAID: Mutex<Option<io::Error>> = Mutex::new(None);

/// Prints an answer.
pub(crate) fn print_line(text: &str) {
    print_bytes(format!("{text}\n").as_bytes());
}

/// Prints an answer as it is. That it could not be written is told at the end, by
/// [`unsaid`]; a reader who has gone has heard enough.
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

/// Whether the reader of standard output has gone, so that nothing more need be said. A pipe
/// or socket without a reader shows it before anything is written.
pub(crate) fn stdout_closed() -> bool {
    let stdout = io::stdout();
    let mut watched = [PollFd::new(stdout.as_fd(), PollFlags::empty())];
    let gone = PollFlags::POLLERR | PollFlags::POLLHUP | PollFlags::POLLNVAL;
    poll(&mut watched, PollTimeout::ZERO).is_ok()
        && watched[0].revents().is_some_and(|found| found.intersects(gone))
}

/// Why an answer could not be written.
pub(crate) fn take_write_error() -> Option<Error> {
    let error = UNSAID.lock().unwrap_or_else(PoisonError::into_inner).take()?;
    let what = "the answer could not be written to standard output";
    Some(Error::new(Code::Io, what).with_source(error).hint(
        "check whether the disk of the output is \
                                                         full",
    ))
}

/// Tells of an error: to people always, and as the one document where that is what was asked
/// for and nothing was said yet.
pub(crate) fn print_error(error: &Error, json: bool) {
    // A cause may quote what an agent wrote.
    eprint_line(&escape_controls(&error.report()));
    if json && !SAID.load(Ordering::Relaxed) {
        let body = ErrorBody::from(error);
        let document = serde_json::json!({ "ok": false, "error": body });
        print_line(&format!("{document:#}"));
    }
}

/// Prints progress or a complaint.
pub(crate) fn eprint_line(text: &str) {
    complain_bytes(format!("{text}\n").as_bytes()).ok();
}

/// The bar that is on the terminal now.
static BAR: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// What is written from now on to standard error stands above this bar.
pub(crate) fn write_above(bar: Option<ProgressBar>) {
    *BAR.lock().unwrap_or_else(PoisonError::into_inner) = bar;
}

/// Writes whole lines to standard error. A progress bar is taken away meanwhile.
pub(crate) fn complain_bytes(bytes: &[u8]) -> io::Result<()> {
    let bar = BAR.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let write = || io::stderr().lock().write_all(bytes);
    match bar {
        Some(bar) => bar.suspend(write),
        None => write(),
    }
}

/// Prints exactly one JSON document.
pub(crate) fn print_json(value: &impl Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|e| Error::new(Code::Unexpected, "the answer is not JSON").with_source(e))?;
    print_line(&text);
    Ok(())
}

/// How wide a line of an answer may be: as wide as the terminal, and as wide as it gets where
/// a program reads it.
pub(crate) fn width() -> Option<usize> {
    let terminal_size::Width(columns) = terminal_size::terminal_size_of(io::stdout())?.0;
    Some(usize::from(columns).max(NARROWEST))
}

/// Terminals that call themselves narrower do not know.
const NARROWEST: usize = 20;

/// A plain table that fits the terminal. In a pipe, every cell is whole and on one line.
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

pub(crate) fn stderr_is_terminal() -> bool {
    std::io::stderr().is_terminal()
}

/// Prints every mistake of a configuration file, and the code they share.
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

/// A count with its noun.
pub(crate) fn pluralize(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
