//! `synthd dataset explain`: what each stage of a recipe thought of a row.

use crate::cli::terminal::output::{print_json, print_line};
use crate::cli::terminal::terminal_text::escape_line;
use crate::curation::{NoteLine, NotedStage, notes_of};
use crate::dataset::{metadata_of, row_in};
use crate::error::{Code, Error, Result};
use clap::Args;
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;
use synthd_actors::model::{CuratedStage, DatasetSplit};

#[derive(Args)]
#[command(
    after_help = "The row may also be one that a stage rejected. A stage after that one was not asked.

Examples:
  synthd dataset explain synthd-data/datasets/agents/v1 ep-c30213e9c0359cc5
  synthd dataset explain synthd-data/datasets/agents/v1 ep-c30213e9c0359cc5 --json"
)]
pub(in crate::cli) struct DatasetExplainArgs {
    /// The directory of one version
    dir: PathBuf,
    /// The id of the row
    row: String,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// What is known of the row.
struct ExplainedRow {
    stages: Vec<CuratedStage>,
    /// The split; none if the row is not in the version.
    split: Option<DatasetSplit>,
    note: NoteLine,
}

/// Explains a row.
pub(super) fn run(args: &DatasetExplainArgs) -> Result<ExitCode> {
    let curation = metadata_of(&args.dir)?.curation.ok_or_else(|| {
        let what = format!("{} was made by no recipe", args.dir.display());
        Error::new(Code::DatasetFormat, what)
            .hint("`synthd episode show ROW` has the findings of the campaign's own stages")
    })?;
    let mut note = None;
    notes_of(&args.dir, &mut |line| {
        if line.row == args.row {
            note = Some(line);
        }
    })?;
    let split = row_in(&args.dir, &args.row)?;
    if note.is_none() && split.is_none() {
        let what = format!("{} has no row {:?}", args.dir.display(), args.row);
        return Err(Error::new(Code::EpisodeUnknown, what)
            .hint("the id is in the column trajectory_id or completion_id"));
    }
    let nothing = NoteLine { row: args.row.clone(), rejected: None, stages: Vec::new() };
    let row = ExplainedRow { stages: curation.stages, split, note: note.unwrap_or(nothing) };
    match args.json {
        true => print_json(&document(&row))?,
        false => show(&row),
    }
    Ok(ExitCode::SUCCESS)
}

impl ExplainedRow {
    /// What a stage says of the row.
    fn said(&self, at: usize) -> Option<&NotedStage> {
        self.note.stages.iter().find(|stage| stage.stage == at)
    }

    /// The stage that rejected the row.
    fn last(&self) -> usize {
        let rejects = |stage: &&NotedStage| stage.action == "reject";
        self.note.stages.iter().find(rejects).map_or(usize::MAX, |stage| stage.stage)
    }

    /// Each stage with what it thought, in a word.
    fn verdicts(&self) -> Vec<(usize, &CuratedStage, &'static str)> {
        let verdict = |(at, stage): (usize, &CuratedStage)| -> &'static str {
            match (self.said(at), stage.action.as_str()) {
                _ if at > self.last() => "not asked",
                (None, _) => "nothing",
                (Some(_), "reject") => "rejects",
                (Some(_), "label") => "labels",
                (Some(_), "replace") => "replaces",
                (Some(_), _) => "scores",
            }
        };
        self.stages
            .iter()
            .enumerate()
            .map(|(at, stage)| (at, stage, verdict((at, stage))))
            .collect()
    }
}

fn document(row: &ExplainedRow) -> serde_json::Value {
    let stages = row.verdicts().into_iter().map(|(at, stage, verdict)| {
        json!({
            "kind": stage.kind, "version": stage.version, "action": stage.action,
            "settings": stage.settings, "verdict": verdict,
            "remarks": row.said(at).map(|said| &said.remarks),
            "replaced": row.said(at).map_or(0, |said| said.replaced),
        })
    });
    json!({
        "row": row.note.row, "split": row.split, "rejected": row.note.rejected,
        "stages": stages.collect::<Vec<_>>(),
    })
}

fn show(row: &ExplainedRow) {
    let place = match (row.split, &row.note.rejected) {
        (Some(split), _) => format!("in {}", split.as_str()),
        (None, Some(stage)) => format!("rejected by {stage}"),
        (None, None) => "not in the version".to_owned(),
    };
    print_line(&format!("{}: {place}", escape_line(&row.note.row)));
    for (at, stage, verdict) in row.verdicts() {
        print_line(&format!("  {}. {:<20} {verdict}", at + 1, stage.kind));
        for remark in row.said(at).iter().flat_map(|said| &said.remarks) {
            let score = remark.score.map_or(String::new(), |score| format!(" ({score:.3})"));
            print_line(&format!("     {}{score}", escape_line(&remark.detail)));
        }
    }
}
