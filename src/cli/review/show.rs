//! `synthd review show`: one item, as its reviewer may see it.

use super::item_page::ItemDocument;
use super::{ReviewPlace, ReviewerName, print_shown_json, unknown_item};
use crate::cli::terminal::output::{print_line, width};
use crate::cli::terminal::terminal_text::TextStyler;
use crate::error::Result;
use crate::review::{ReviewFile, ReviewRows};
use clap::Args;
use std::process::ExitCode;

#[derive(Args)]
#[command(
    after_help = "Verdict, model and decisions are shown if the reviewer has decided on the item, or \
with --not-blind.

Examples:
  synthd review show first 3 --reviewer ada
  synthd review show first ep-c30213e9c0359cc5 --not-blind --json"
)]
pub(in crate::cli) struct ReviewShowArgs {
    #[command(flatten)]
    place: ReviewPlace,
    /// The number of the item, or the id of its row
    item: String,
    #[command(flatten)]
    reviewer: ReviewerName,
    /// Show verdict, model and decisions in any case
    #[arg(long)]
    not_blind: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Shows an item.
pub(super) fn run(args: &ReviewShowArgs) -> Result<ExitCode> {
    let reviewer = args.reviewer.name()?;
    let file = ReviewFile::open(&args.place.data.data_dir, &args.place.name)?;
    let book = file.book();
    let item = book.named(&args.item);
    let item =
        item.ok_or_else(|| unknown_item(&args.place.name, &args.item, book.items().len()))?;
    let mut rows = ReviewRows::open(book.head(), args.place.version.as_deref())?;
    let row = rows.row(item, std::iter::empty())?;
    let open = args.not_blind || book.decision_of(item.number, &reviewer).is_some();
    let document = ItemDocument::new(book, item, &row, open);
    if args.json {
        print_shown_json(&document)?;
        return Ok(ExitCode::SUCCESS);
    }
    let styler = TextStyler::for_stdout();
    let mut lines = document.lines(styler, width());
    lines.extend(document.hidden_lines(styler, width()));
    print_line(&lines.join("\n"));
    Ok(ExitCode::SUCCESS)
}
