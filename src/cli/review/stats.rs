//! `synthd review stats`: how many labels are wrong, how far reviewers agree, and what is left.

use crate::cli::DataDir;
use crate::cli::terminal::layout::{TableColumn, lines};
use crate::cli::terminal::output::{pluralize, print_json, print_line, width};
use crate::cli::terminal::terminal_text::escape_line;
use crate::error::Result;
use crate::review::ReviewFile;
use clap::Args;
use serde_json::json;
use std::process::ExitCode;
use synthd_actors::model::ReviewState;
use synthd_actors::review::{LabelError, ReviewAgreement, ReviewBook, ReviewFigures, ValueCounts};

#[derive(Args)]
#[command(
    after_help = "The label error is the share of rows of the dataset whose label is wrong, with its \
interval of 95 % (Wilson). Only items count that are agreed or settled as right or wrong.

Example:
  synthd review stats first --json"
)]
pub(in crate::cli) struct ReviewStatsArgs {
    /// The name of the review
    name: String,
    #[command(flatten)]
    data: DataDir,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

const COUNTS: [TableColumn; 4] = [
    TableColumn::new("").at_least(8),
    TableColumn::right("right"),
    TableColumn::right("wrong"),
    TableColumn::right("unsure"),
];

/// Shows the figures.
pub(super) fn run(args: &ReviewStatsArgs) -> Result<ExitCode> {
    let file = ReviewFile::open(&args.data.data_dir, &args.name)?;
    let figures = ReviewFigures::of(file.book());
    match args.json {
        true => print_json(&json!({
            "review": file.book().head(), "figures": figures, "torn_bytes": file.torn(),
        }))?,
        false => show(file.book(), &figures),
    }
    Ok(ExitCode::SUCCESS)
}

fn show(book: &ReviewBook, figures: &ReviewFigures) {
    let head = book.head();
    print_line(&format!(
        "{}: version {} of {}, {} of {} by {}, seed {}",
        head.name,
        head.version,
        escape_line(&head.dataset),
        pluralize(head.items, "item"),
        pluralize(head.rows, "row"),
        head.design,
        head.seed
    ));
    let count = |state: ReviewState| figures.states.get(&state).copied().unwrap_or(0);
    let states = ReviewState::ALL.map(|state| format!("{} {}", count(state), state.as_str()));
    print_line(&states.join(", "));
    print_line("");
    print_line(&label_error(figures.label_error.as_ref()));
    print_line(&agreement(&figures.agreement));
    if let Some(share) = figures.sealed_agreement {
        print_line(&format!("reviewers say what the sealed check says: {}", percent(share)));
    }
    let sealed = figures.sealed.iter();
    let sealed = sealed.map(|(verdict, counts)| cells(verdict.as_str(), *counts));
    table(sealed.collect());
    let reviewers = figures.reviewers.iter();
    table(reviewers.map(|(name, counts)| cells(name, counts.values)).collect());
}

/// Prints a table of counts, if it has a row.
fn table(rows: Vec<Vec<String>>) {
    if !rows.is_empty() {
        print_line("");
        print_line(&lines(&COUNTS, &rows, width()));
    }
}

fn cells(name: &str, counts: ValueCounts) -> Vec<String> {
    let numbers = [counts.right, counts.wrong, counts.unsure].map(|count| count.to_string());
    std::iter::once(name.to_owned()).chain(numbers).collect()
}

fn label_error(error: Option<&LabelError>) -> String {
    let Some(error) = error else {
        return "wrong labels: nothing is known yet".to_owned();
    };
    let weighed = if error.estimator == "plain" { "" } else { ", weighed by chance" };
    format!(
        "wrong labels: {} ({} to {}), {} of {}{weighed}",
        percent(error.rate),
        percent(error.low),
        percent(error.high),
        error.wrong,
        pluralize(error.items, "item")
    )
}

fn agreement(agreement: &ReviewAgreement) -> String {
    let Some(pairs) = agreement.equal_pairs else {
        return "agreement: no item has two decisions yet".to_owned();
    };
    let alpha =
        agreement.alpha.map_or("all say the same".to_owned(), |alpha| format!("{alpha:.3}"));
    format!(
        "agreement: {} of pairs on {}; alpha (Krippendorff): {alpha}",
        percent(pairs),
        pluralize(agreement.items, "item")
    )
}

/// A share as people read it.
fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}
