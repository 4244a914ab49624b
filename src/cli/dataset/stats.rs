//! `synthd dataset stats`: shows the figures of a dataset version: rows, outcomes, steps, tokens,
//! cost, and groups by split, category, template, model and so on. They are counted from the rows
//! in the Parquet files, not taken from `metadata.json`.

use super::size;
use crate::cli::terminal::layout::{TableColumn, lines};
use crate::cli::terminal::output::{print_json, print_line, table, width};
use crate::cli::terminal::terminal_text::escape_line;
use crate::dataset::{
    CompletionFigures, CompletionGroup, CompletionTotals, DatasetFigures, DatasetStats,
    DatasetTokens, DatasetTotals, GroupStats, TrajectoryFigures, stats,
};
use crate::error::Result;
use clap::Args;
use comfy_table::Table;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Args)]
#[command(after_help = "The figures are counted from the Parquet files; metadata.json is not read.

Examples:
  synthd dataset stats synthd-data/datasets/quickstart/v1
  synthd dataset stats synthd-data/datasets/quickstart/v1 --json | jq .totals")]
pub(in crate::cli) struct DatasetStatsArgs {
    /// The directory of one version
    dir: PathBuf,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Counts and prints the figures of the version in a directory.
pub(super) fn run(args: &DatasetStatsArgs) -> Result<ExitCode> {
    let stats = stats(&args.dir)?;
    if args.json {
        print_json(&stats)?;
    } else {
        show(&stats);
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints the totals, then a table for each way to group the rows. A note says if scripted models
/// made some of the rows, because such rows are no work of a real model.
fn show(stats: &DatasetStats) {
    match &stats.figures {
        DatasetFigures::Trajectory(figures) => show_trajectories(stats, figures),
        DatasetFigures::Completion(figures) => show_completions(stats, figures),
    }
    labels(stats.figures.labels());
    if !stats.figures.scripted_models().is_empty() {
        print_line("\nScripted models made all or some of these rows.");
    }
}

/// Prints what only trajectories have.
fn show_trajectories(stats: &DatasetStats, figures: &TrajectoryFigures) {
    print_line(&totals(stats, &figures.totals).to_string());
    group("split", &figures.splits.iter().map(|(s, g)| (s.as_str(), g)).collect::<Vec<_>>());
    let by = &figures.distributions;
    group("category", &named(&by.category));
    group("template", &named(&by.template));
    group("model", &named(&by.model));
    group("scaffold", &named(&by.scaffold));
    group("difficulty", &named(&by.difficulty));
}

/// Prints what only completions have.
fn show_completions(stats: &DatasetStats, figures: &CompletionFigures) {
    print_line(&completion_totals(stats, &figures.totals).to_string());
    let splits: Vec<_> = figures.splits.iter().map(|(s, g)| (s.as_str(), g)).collect();
    completion_group("split", &splits);
    completion_group("model", &named(&figures.distributions.model));
    completion_group("source", &named(&figures.distributions.source));
}

/// The table of totals, with what every version has.
fn version_table(stats: &DatasetStats) -> Table {
    let mut rows = table(&["dataset", &escape_line(&stats.path)]);
    rows.add_row(["campaign", &escape_line(&stats.campaign)]);
    rows.add_row(["version", &stats.version.to_string()]);
    rows.add_row(["files", &format!("{}, {}", stats.files.len(), size(stats.bytes))]);
    rows.add_row(["rows", &stats.figures.rows().to_string()]);
    rows
}

/// The totals of trajectories.
fn totals(stats: &DatasetStats, totals: &DatasetTotals) -> Table {
    let mut rows = version_table(stats);
    rows.add_row(["outcomes", &outcomes(totals)]);
    rows.add_row(["steps", &lengths(totals)]);
    rows.add_row(["tokens", &tokens(totals.tokens)]);
    rows.add_row(["cost", &format!("${}", totals.cost_usd)]);
    let seconds = totals.average_execution_seconds;
    rows.add_row(["time", &format!("{} s on average", number(seconds, 1))]);
    rows
}

/// The totals of completions.
fn completion_totals(stats: &DatasetStats, totals: &CompletionTotals) -> Table {
    let mut rows = version_table(stats);
    rows.add_row(["prompts", &totals.prompts.to_string()]);
    rows.add_row(["ended by", &reasons(&totals.finish_reasons)]);
    let lengths = totals.length_in_characters;
    let average = number(lengths.average, 1);
    rows.add_row([
        "characters",
        &format!("{average} on average, half up to {}", whole(lengths.p50)),
    ]);
    rows.add_row(["tokens", &tokens(totals.tokens)]);
    rows.add_row(["cost", &format!("${}", totals.cost_usd)]);
    let seconds = totals.average_model_seconds;
    rows.add_row(["time", &format!("{} s on average", number(seconds, 1))]);
    rows
}

/// How many answers ended for each reason. A file may name any reason.
fn reasons(reasons: &BTreeMap<String, u64>) -> String {
    let each = reasons.iter().map(|(reason, count)| format!("{count} {}", escape_line(reason)));
    each.collect::<Vec<_>>().join(", ")
}

/// The tokens in and out; `-` for a sum that is not known.
fn tokens(tokens: DatasetTokens) -> String {
    format!("{} in, {} out", count(tokens.input), count(tokens.output))
}

/// A count; `-` if it is not known.
fn count(count: Option<i64>) -> String {
    count.map_or_else(|| "-".to_owned(), |n| n.to_string())
}

/// A whole number; `-` if there is none.
fn whole(value: Option<u64>) -> String {
    value.map_or_else(|| "-".to_owned(), |n| n.to_string())
}

/// The outcomes and the share of solved rows.
fn outcomes(totals: &DatasetTotals) -> String {
    let of = totals.outcomes;
    format!(
        "{} resolved, {} unresolved, {} flaky ({} solved)",
        of.resolved,
        of.unresolved,
        of.flaky,
        percent(totals.success_rate)
    )
}

/// The number of steps. If there are rows, also the steps of the shortest, the longest, the average
/// and the median row.
fn lengths(totals: &DatasetTotals) -> String {
    let lengths = totals.length_in_steps;
    let (Some(min), Some(p50), Some(max)) = (lengths.min, lengths.p50, lengths.max) else {
        return totals.steps.to_string();
    };
    let average = number(lengths.average, 1);
    format!("{}; a row has {min} to {max}, {average} on average, half up to {p50}", totals.steps)
}

/// The groups as a list, in the order of their names.
fn named<T>(groups: &BTreeMap<String, T>) -> Vec<(&str, &T)> {
    groups.iter().map(|(key, group)| (key.as_str(), group)).collect()
}

/// Prints one table: a line for each value of `name`, such as each model. Nothing if there is none.
fn group(name: &'static str, groups: &[(&str, &GroupStats)]) {
    let columns = [
        TableColumn::new(name).at_least(12),
        TableColumn::right("rows"),
        TableColumn::right("resolved").spare(1),
        TableColumn::right("solved"),
        TableColumn::right("steps").spare(2),
    ];
    let cells = |(key, group): &(&str, &GroupStats)| {
        let (rows, resolved) = (group.rows.to_string(), group.resolved.to_string());
        let (rate, steps) = (percent(group.success_rate), number(group.average_steps, 1));
        vec![(*key).to_owned(), rows, resolved, rate, steps]
    };
    print_table(&columns, groups.iter().map(cells));
}

/// Prints one table of completions, like [`group`].
fn completion_group(name: &'static str, groups: &[(&str, &CompletionGroup)]) {
    let columns = [
        TableColumn::new(name).at_least(12),
        TableColumn::right("rows"),
        TableColumn::right("tokens out").spare(1),
        TableColumn::right("cost"),
        TableColumn::right("characters").spare(2),
    ];
    let cells = |(key, group): &(&str, &CompletionGroup)| {
        let (rows, cost) = (group.rows.to_string(), format!("${}", group.cost_usd));
        let length = number(group.average_characters, 1);
        vec![(*key).to_owned(), rows, count(group.output_tokens), cost, length]
    };
    print_table(&columns, groups.iter().map(cells));
}

/// Prints a table below an empty line. Nothing if it has no rows.
fn print_table(columns: &[TableColumn], rows: impl Iterator<Item = Vec<String>>) {
    let rows: Vec<_> = rows.collect();
    if !rows.is_empty() {
        print_line(&format!("\n{}", lines(columns, &rows, width())));
    }
}

/// Prints how many rows have each label.
fn labels(labels: &BTreeMap<String, u64>) {
    let columns = [TableColumn::new("label").at_least(12), TableColumn::right("rows")];
    let cells = |(label, count): (&String, &u64)| vec![label.clone(), count.to_string()];
    print_table(&columns, labels.iter().map(cells));
}

/// A number with so many decimals; `-` if there is none.
fn number(value: Option<f64>, decimals: usize) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.decimals$}"))
}

/// A share as a percentage; `-` if there is none.
fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "-".to_owned(), |share| format!("{:.1} %", share * 100.0))
}
