//! `synthd dataset export`: writes a version in the form that a trainer reads.

use super::row_progress::RowProgress;
use crate::cli::terminal::layout::{TableColumn, lines};
use crate::cli::terminal::output::{print_json, print_line, width};
use crate::cli::terminal::terminal_text::escape_line;
use crate::error::{Code, Error, Result};
use crate::export::{
    ExportFilter, ExportFormat, ExportRecord, ExportRequest, PairRules, SolvedOrder, export,
};
use clap::builder::PossibleValue;
use clap::{Args, ValueEnum};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use synthd_actors::model::DatasetSplit;

/// The formats whose lines are made of several rows, by what they are made of.
const GROUPS: &str = "`--to trl-preference`, `reward-model` and `best-of-n`";
const PAIRS: &str = "`--to trl-preference` and `reward-model`";
const BEST: &str = "`--to best-of-n`";

#[derive(Args)]
#[command(
    after_help = "Messages stay as they were sent and received. A row that a format cannot say is left \
out and counted; so is a part that it has no key for. docs/exports.md has what each format keeps and \
loses.

Examples:
  synthd dataset export synthd-data/datasets/agents/v1 --to trl-sft
  synthd dataset export v1 --to openai-ft --split train --label resolved
  synthd dataset export v1 --to trl-preference --better cheaper --margin 10
  synthd dataset export v1 --to verl-rl --split train"
)]
pub(in crate::cli) struct DatasetExportArgs {
    /// The directory of one version
    dir: PathBuf,
    /// The format
    #[arg(long, value_name = "FORMAT", value_enum)]
    to: ExportFormat,
    /// The directory to write; by default one of the version's name and the format
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Which splits to write: train, validation, test; all by default
    #[arg(long, value_name = "SPLIT", value_delimiter = ',', value_parser = parse_split)]
    split: Vec<DatasetSplit>,
    /// Only rows with this label; with several, rows that have each
    #[arg(long, value_name = "LABEL")]
    label: Vec<String>,
    /// Only rows without this label
    #[arg(long, value_name = "LABEL")]
    without_label: Vec<String>,
    #[command(flatten)]
    pairs: PairOptions,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// How rows of one task are put together, for `trl-preference`, `reward-model` and `best-of-n`.
#[derive(Args)]
struct PairOptions {
    /// For pairs and best-of-n: also compare rows that solved the task, by this order
    #[arg(long, value_name = "ORDER", value_enum)]
    better: Option<SolvedOrder>,
    /// For pairs: the least difference of score, cost or length; for best-of-n: of score; 0 by default
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u32).range(0..=100))]
    margin: Option<u32>,
    /// For pairs: the most of each sort for one task; 4 by default
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1_000))]
    pairs_per_task: Option<u16>,
    /// For best-of-n: the most tries in a line; 8 by default
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(2..=64))]
    candidates: Option<u16>,
}

impl ValueEnum for ExportFormat {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.as_str()).aliases(self.alias()))
    }
}

impl ValueEnum for SolvedOrder {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Cheaper, Self::Shorter]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.as_str()))
    }
}

/// The split of this name.
fn parse_split(name: &str) -> Result<DatasetSplit, String> {
    let found = DatasetSplit::ALL.into_iter().find(|split| split.as_str() == name);
    found.ok_or_else(|| "the splits are train, validation and test".to_owned())
}

/// Exports the version.
pub(super) fn run(args: &DatasetExportArgs) -> Result<ExitCode> {
    check_options(args)?;
    let out = match &args.out {
        Some(out) => out.clone(),
        None => default_out(&args.dir, args.to)?,
    };
    let splits = match args.split.as_slice() {
        [] => DatasetSplit::ALL.to_vec(),
        some => DatasetSplit::ALL.into_iter().filter(|split| some.contains(split)).collect(),
    };
    let (labels, without_labels) = (args.label.clone(), args.without_label.clone());
    let rules = PairRules {
        margin: args.pairs.margin.unwrap_or(0),
        per_task: args.pairs.pairs_per_task.map_or(4, usize::from),
        candidates: args.pairs.candidates.map_or(8, usize::from),
        among_solved: args.pairs.better,
    };
    let filter = ExportFilter { splits, labels, without_labels };
    let request = ExportRequest { version: &args.dir, out: &out, format: args.to, filter, rules };
    let progress = RowProgress::new("rows read");
    let record = export(&request, &|rows, of| progress.show(rows, of));
    drop(progress);
    let record = record?;
    match args.json {
        true => print_json(&json!({ "directory": out.display().to_string(), "export": record }))?,
        false => show(&record, &out),
    }
    Ok(ExitCode::SUCCESS)
}

/// Fails if something is asked of rows that stand together, and the format has no such rows.
fn check_options(args: &DatasetExportArgs) -> Result<()> {
    let PairOptions { better, margin, pairs_per_task, candidates } = &args.pairs;
    let format = args.to.as_str();
    let refused = |option: &str, formats: &str| {
        let what = format!("{format} does not know {option}");
        Err(Error::new(Code::BadUsage, what).hint(format!("{option} is for {formats}")))
    };
    let (pairs, groups) = (args.to.has_pairs(), args.to.has_groups());
    let options = [
        ("--better", better.is_some() && !groups, GROUPS),
        ("--margin", margin.is_some() && !groups, GROUPS),
        ("--pairs-per-task", pairs_per_task.is_some() && !pairs, PAIRS),
        ("--candidates", candidates.is_some() && (pairs || !groups), BEST),
    ];
    match options.into_iter().find(|(_, is_odd, _)| *is_odd) {
        Some((option, _, formats)) => refused(option, formats),
        None => Ok(()),
    }
}

/// The directory of an export without `--out`, such as `agents-v1-trl-sft`.
fn default_out(version: &Path, format: ExportFormat) -> Result<PathBuf> {
    let full = version.canonicalize().unwrap_or_else(|_| version.to_owned());
    let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
    let names: Vec<String> =
        full.parent().and_then(name).into_iter().chain(name(full.as_path())).collect();
    if names.is_empty() {
        let what = format!("{} has no name for the directory of the export", version.display());
        return Err(Error::new(Code::ExportUnwritten, what).hint("name a directory with `--out`"));
    }
    Ok(PathBuf::from(format!("{}-{}", names.join("-"), format.as_str())))
}

/// Prints the files, and what is not in them.
fn show(record: &ExportRecord, out: &Path) {
    let columns = [
        TableColumn::new("split"),
        TableColumn::right("read"),
        TableColumn::right("filtered"),
        TableColumn::right("left out"),
        TableColumn::right("written"),
    ];
    let rows = record.splits.iter().map(|(split, counts)| {
        let left: u64 = counts.left_out.values().sum();
        let numbers = [counts.read, counts.filtered, left, counts.written];
        let mut cells = vec![split.as_str().to_owned()];
        cells.extend(numbers.map(|count| count.to_string()));
        cells
    });
    print_line(lines(&columns, &rows.collect::<Vec<_>>(), width()).trim_end());
    for (split, counts) in &record.splits {
        show_counts("left out", *split, &counts.left_out);
        show_counts("without", *split, &counts.lost);
    }
    print_line(&format!("\n{}: {}", escape_line(&out.display().to_string()), record.format));
}

/// Prints a line for each reason or part of a split.
fn show_counts(what: &str, split: DatasetSplit, counts: &BTreeMap<&'static str, u64>) {
    for (word, count) in counts {
        print_line(&format!("{}: {count} {what}: {word}", split.as_str()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_export_is_named_by_its_version_and_format() {
        let dir = tempfile::tempdir().unwrap();
        let version = dir.path().join("agents/v2");
        std::fs::create_dir_all(&version).unwrap();
        let out = default_out(&version, ExportFormat::TrlSft).unwrap();
        assert_eq!(out, Path::new("agents-v2-trl-sft"));
        assert!(default_out(Path::new("/"), ExportFormat::TrlSft).is_err());
    }
}
