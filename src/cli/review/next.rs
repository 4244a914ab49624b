//! `synthd review next`: the next item for a reviewer: with keys on a terminal, else once as text or
//! JSON.

use super::item_page::ItemDocument;
use super::session::ReviewSession;
use super::{ReviewPlace, ReviewerName, print_shown_json};
use crate::cli::terminal::output::{print_line, width};
use crate::cli::terminal::terminal_text::{TextStyler, escape_line};
use crate::error::Result;
use crate::review::{ReviewFile, ReviewRows};
use clap::Args;
use serde_json::json;
use std::io::{self, IsTerminal};
use std::process::ExitCode;

#[derive(Args)]
#[command(after_help = "Keys: y right, n wrong, u unsure, s skip, z undo, space pages, q quit.

The question is whether the work does what was asked. The verdict, the model and what others say are \
hidden until you have decided. Each decision is on the disk when the next item is shown.

Examples:
  synthd review next first --reviewer ada
  synthd review next first --reviewer ada --json")]
pub(in crate::cli) struct ReviewNextArgs {
    #[command(flatten)]
    place: ReviewPlace,
    #[command(flatten)]
    reviewer: ReviewerName,
    /// Show verdict, model and other decisions before the decision
    #[arg(long)]
    not_blind: bool,
    /// Print the next item as one JSON document
    #[arg(long)]
    json: bool,
}

/// Shows the next item.
pub(super) fn run(args: &ReviewNextArgs) -> Result<ExitCode> {
    let reviewer = args.reviewer.name()?;
    let file = ReviewFile::open(&args.place.data.data_dir, &args.place.name)?;
    let rows = ReviewRows::open(file.book().head(), args.place.version.as_deref())?;
    let keys = !args.json && io::stdin().is_terminal() && io::stdout().is_terminal();
    if keys {
        return ReviewSession::new(file, rows, reviewer, !args.not_blind).run();
    }
    once(args, &file, rows, &reviewer)?;
    Ok(ExitCode::SUCCESS)
}

/// Prints the next item.
fn once(
    args: &ReviewNextArgs,
    file: &ReviewFile,
    mut rows: ReviewRows,
    reviewer: &str,
) -> Result<()> {
    let (book, name) = (file.book(), &args.place.name);
    let left = book.waiting(reviewer).count();
    let Some(item) = book.waiting(reviewer).next() else {
        match args.json {
            true => print_shown_json(&json!({ "review": name, "left": left, "next": null }))?,
            false => print_line(&format!("no item waits for {}", escape_line(reviewer))),
        }
        return Ok(());
    };
    let row = rows.row(item, std::iter::empty())?;
    let document = ItemDocument::new(book, item, &row, args.not_blind);
    if args.json {
        return print_shown_json(&json!({ "review": name, "left": left, "next": document }));
    }
    let styler = TextStyler::for_stdout();
    let mut lines = document.lines(styler, width());
    lines.extend(document.hidden_lines(styler, width()));
    print_line(&lines.join("\n"));
    print_line("");
    print_line(&format!(
        "decide with: synthd review label {name} {} right|wrong|unsure",
        item.number
    ));
    Ok(())
}
