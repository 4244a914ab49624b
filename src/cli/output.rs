//! Where the program's words go: answers to stdout, everything else to stderr. A reader
//! that closes its end early (`| head`) is no error.

use crate::config::ConfigErrors;
use crate::error::{Code, Error, Result};
use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;
use std::io::{IsTerminal, Write};

/// Prints an answer.
pub(crate) fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).ok();
}

/// Prints progress or a complaint.
pub(crate) fn complain(text: &str) {
    let mut out = std::io::stderr().lock();
    writeln!(out, "{text}").ok();
}

/// Prints exactly one JSON document.
pub(crate) fn say_json(value: &impl Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|e| Error::new(Code::Unexpected, "the answer is not JSON").because(e))?;
    say(&text);
    Ok(())
}

/// A plain table that fits 80 columns.
pub(crate) fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_content_arrangement(ContentArrangement::Dynamic).set_width(80);
    table.set_header(header.to_vec());
    table
}

pub(crate) fn on_terminal() -> bool {
    std::io::stderr().is_terminal()
}

/// Prints every mistake of a configuration file, and the code they share.
pub(crate) fn complain_of_config(errors: &ConfigErrors) {
    complain(errors.render().trim_end());
    let many = if errors.total() == 1 { "mistake" } else { "mistakes" };
    let (code, total) = (errors.code(), errors.total());
    complain(&format!("\nerror[{code}]: {total} {many} in {}", errors.path().display()));
}
