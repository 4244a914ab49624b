//! `synthd review`: people look at a sample of a dataset version and say what they think of each row.
//! Rows are hostile text, so everything of a row passes `terminal_text` before it is printed; JSON is
//! printed in ASCII.

mod create;
mod export;
mod item_page;
mod label;
mod next;
mod raw_terminal;
mod session;
mod show;
mod stats;

use crate::cli::terminal::output::print_line;
use crate::cli::{DataDir, operator};
use crate::error::{Code, Error, Result};
use clap::{Args, Subcommand};
use serde::Serialize;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Subcommand)]
pub(super) enum ReviewCommand {
    /// Draw a sample of a dataset version
    Create(create::ReviewCreateArgs),
    /// Look at the next item and decide by a key
    Next(next::ReviewNextArgs),
    /// Show an item
    Show(show::ReviewShowArgs),
    /// Decide on an item without a terminal
    Label(label::ReviewLabelArgs),
    /// Print a line of JSON for each item, for the stage `review` of a recipe
    Export(export::ReviewExportArgs),
    /// Show how many labels are wrong, and how far reviewers agree
    Stats(stats::ReviewStatsArgs),
}

/// Runs one of the subcommands.
pub(super) fn run(command: &ReviewCommand) -> Result<ExitCode> {
    match command {
        ReviewCommand::Create(args) => create::run(args),
        ReviewCommand::Next(args) => next::run(args),
        ReviewCommand::Show(args) => show::run(args),
        ReviewCommand::Label(args) => label::run(args),
        ReviewCommand::Export(args) => export::run(args),
        ReviewCommand::Stats(args) => stats::run(args),
    }
}

/// Which review, and where its rows are.
#[derive(Args, Debug)]
struct ReviewPlace {
    /// The name of the review
    name: String,
    /// The directory of the reviewed version, if it was moved
    #[arg(long, value_name = "DIR")]
    version: Option<PathBuf>,
    #[command(flatten)]
    data: DataDir,
}

/// Who reviews.
#[derive(Args, Debug)]
struct ReviewerName {
    /// The name of the reviewer; without it, that of the user
    #[arg(long, value_name = "NAME")]
    reviewer: Option<String>,
}

/// The longest name of a reviewer, in characters.
const LONGEST_REVIEWER: usize = 64;

impl ReviewerName {
    /// The name. It stands in the file and on other people's terminals.
    fn name(&self) -> Result<String> {
        let name = self.reviewer.clone().unwrap_or_else(operator);
        let fits = (1..=LONGEST_REVIEWER).contains(&name.chars().count());
        if name.trim() != name || !fits || name.chars().any(char::is_control) {
            let what = format!("{name:?} is no name of a reviewer");
            return Err(Error::new(Code::BadUsage, what)
                .hint("give --reviewer up to 64 characters, without blanks around them"));
        }
        Ok(name)
    }
}

/// An item that the review does not have.
fn unknown_item(review: &str, item: &str, count: usize) -> Error {
    let what = format!("the review {review} has no item {item:?}");
    Error::new(Code::ReviewUnusable, what)
        .hint(format!("items have the numbers 1 to {count}, or the ids of their rows"))
}

/// Prints a value with texts of rows as one JSON document in ASCII, so that no text reaches a terminal as
/// it is.
fn print_shown_json(value: &impl Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(value).map_err(|error| {
        Error::new(Code::Unexpected, "the answer is not JSON").with_source(error)
    })?;
    print_line(&in_ascii(&text));
    Ok(())
}

/// JSON with an escape for each character outside of printable ASCII. Outside of its strings JSON has
/// none but newlines.
fn in_ascii(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    let mut units = [0; 2];
    for c in json.chars() {
        match c {
            '\n' | ' '..='~' => text.push(c),
            other => {
                let units = other.encode_utf16(&mut units).iter();
                units.for_each(|unit| text.push_str(&format!("\\u{unit:04x}")));
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn json_in_ascii_says_the_same(said in any::<String>()) {
            let text = in_ascii(&serde_json::to_string_pretty(&[&said]).unwrap());
            prop_assert!(text.bytes().all(|byte| byte == b'\n' || (b' '..=b'~').contains(&byte)));
            prop_assert_eq!(serde_json::from_str::<Vec<String>>(&text).unwrap(), [said]);
        }
    }

    #[test]
    fn reviewers_have_plain_names() {
        let named = |name: &str| ReviewerName { reviewer: Some(name.to_owned()) }.name();
        assert_eq!(named("Ada Lovelace").unwrap(), "Ada Lovelace");
        for name in ["", " ada", "a\u{1b}[2J", &"x".repeat(65)] {
            assert_eq!(named(name).unwrap_err().code(), Code::BadUsage, "{name:?}");
        }
    }
}
