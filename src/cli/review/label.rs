//! `synthd review label`: a decision without a terminal.

use super::{ReviewerName, unknown_item};
use crate::cli::DataDir;
use crate::cli::terminal::output::print_line;
use crate::dataset::rfc3339;
use crate::error::{Code, Error, Result};
use crate::review::ReviewFile;
use crate::running_engine::SystemClock;
use clap::Args;
use std::process::ExitCode;
use synthd_actors::model::{ReviewDecision, ReviewValue};
use synthd_actors::ports::Clock;

#[derive(Args)]
#[command(
    after_help = "A second decision on an item takes the first one back. Both stay in the file.

Examples:
  synthd review label first 3 wrong --reviewer ada
  synthd review label first 3 unsure --note \"the task is ambiguous\""
)]
pub(in crate::cli) struct ReviewLabelArgs {
    /// The name of the review
    name: String,
    /// The number of the item, or the id of its row
    item: String,
    /// right, wrong or unsure: whether the work does what was asked
    #[arg(value_parser = named_value)]
    value: ReviewValue,
    #[command(flatten)]
    reviewer: ReviewerName,
    /// Why
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// Verdict, model or other decisions were known
    #[arg(long)]
    not_blind: bool,
    #[command(flatten)]
    data: DataDir,
}

/// The longest note, in characters.
const LONGEST_NOTE: usize = 10_000;

/// Keeps a decision.
pub(super) fn run(args: &ReviewLabelArgs) -> Result<ExitCode> {
    let reviewer = args.reviewer.name()?;
    if args.note.as_ref().is_some_and(|note| note.chars().count() > LONGEST_NOTE) {
        let what = format!("the note has more than {LONGEST_NOTE} characters");
        return Err(Error::new(Code::BadUsage, what).hint("give a shorter --note"));
    }
    let mut file = ReviewFile::open(&args.data.data_dir, &args.name)?;
    let book = file.book();
    let item = book.named(&args.item).map(|item| item.number);
    let item = item.ok_or_else(|| unknown_item(&args.name, &args.item, book.items().len()))?;
    let decision = ReviewDecision {
        item,
        reviewer,
        value: args.value,
        note: args.note.clone(),
        blind: !args.not_blind,
        at: rfc3339(SystemClock.now_ms()),
    };
    file.add(|book| Ok(book.decided(decision)))?;
    print_line(&format!("item {item}: {}", args.value.as_str()));
    Ok(ExitCode::SUCCESS)
}

/// Reads a decision.
fn named_value(text: &str) -> Result<ReviewValue, String> {
    let found = ReviewValue::ALL.into_iter().find(|(name, _)| *name == text);
    found.map(|(_, value)| value).ok_or_else(|| "one of right, wrong, unsure".to_owned())
}
