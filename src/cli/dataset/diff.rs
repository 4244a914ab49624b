//! `synthd dataset diff`: what differs between two versions.

use crate::cli::terminal::output::{pluralize, print_json, print_line};
use crate::cli::terminal::terminal_text::escape_line;
use crate::curation::notes_of;
use crate::dataset::{VersionRows, metadata_of, rows_of};
use crate::error::Result;
use clap::Args;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The most ids that are printed of one sort.
const SHOWN: usize = 20;

#[derive(Args)]
#[command(after_help = "Rows are the same if they have the same id and the same content.

Examples:
  synthd dataset diff synthd-data/datasets/agents/v1 synthd-data/datasets/agents/v2
  synthd dataset diff v1 v2 --json | jq .removed")]
pub(in crate::cli) struct DatasetDiffArgs {
    /// The directory of the first version
    before: PathBuf,
    /// The directory of the second version
    after: PathBuf,
    /// Print one JSON document, with all ids
    #[arg(long)]
    json: bool,
}

/// The ids of rows that differ.
#[derive(Default)]
struct VersionDiff {
    added: Vec<String>,
    /// With the stage of the second version's recipe that rejected the row, if one did.
    removed: Vec<(String, Option<String>)>,
    changed: Vec<String>,
    moved: Vec<String>,
    same: u64,
}

/// Compares two versions.
pub(super) fn run(args: &DatasetDiffArgs) -> Result<ExitCode> {
    let (before, after) = (rows_of(&args.before)?, rows_of(&args.after)?);
    let diff = compared(&before, &after, &rejections(&args.after)?);
    let stages = (stages(&args.before)?, stages(&args.after)?);
    match args.json {
        true => print_json(&document(&diff, &stages))?,
        false => show(&diff, &stages),
    }
    Ok(ExitCode::SUCCESS)
}

/// Which stage rejected which row of a version.
fn rejections(dir: &Path) -> Result<BTreeMap<String, String>> {
    let mut rejections = BTreeMap::new();
    notes_of(dir, &mut |line| {
        rejections.extend(line.rejected.map(|stage| (line.row, stage)));
    })?;
    Ok(rejections)
}

/// The stages of a version's recipe, each as a line.
fn stages(dir: &Path) -> Result<Vec<String>> {
    let curation = metadata_of(dir)?.curation;
    let line = |stage: &synthd_actors::model::CuratedStage| {
        format!("{} {} {} (version {})", stage.action, stage.kind, stage.settings, stage.version)
    };
    Ok(curation.iter().flat_map(|curation| &curation.stages).map(line).collect())
}

fn compared(
    before: &VersionRows,
    after: &VersionRows,
    rejections: &BTreeMap<String, String>,
) -> VersionDiff {
    let mut diff = VersionDiff::default();
    for (id, (split, digest)) in before {
        match after.get(id) {
            None => diff.removed.push((id.clone(), rejections.get(id).cloned())),
            Some((_, other)) if other != digest => diff.changed.push(id.clone()),
            Some((other, _)) if other != split => diff.moved.push(id.clone()),
            Some(_) => diff.same += 1,
        }
    }
    diff.added = after.keys().filter(|id| !before.contains_key(*id)).cloned().collect();
    diff
}

fn document(diff: &VersionDiff, stages: &(Vec<String>, Vec<String>)) -> serde_json::Value {
    let removed = diff.removed.iter().map(|(row, stage)| json!({ "row": row, "rejected": stage }));
    json!({
        "same": diff.same, "added": diff.added, "removed": removed.collect::<Vec<_>>(),
        "changed": diff.changed, "moved": diff.moved,
        "stages": { "before": stages.0, "after": stages.1 },
    })
}

fn show(diff: &VersionDiff, stages: &(Vec<String>, Vec<String>)) {
    let count = |rows: usize| pluralize(rows as u64, "row");
    print_line(&format!("{} are the same", pluralize(diff.same, "row")));
    for gone in stages.0.iter().filter(|stage| !stages.1.contains(stage)) {
        print_line(&format!("- stage {}", escape_line(gone)));
    }
    for new in stages.1.iter().filter(|stage| !stages.0.contains(stage)) {
        print_line(&format!("+ stage {}", escape_line(new)));
    }
    let list = |what: &str, rows: Vec<String>| {
        if rows.is_empty() {
            return;
        }
        print_line(&format!("\n{what}: {}", count(rows.len())));
        rows.iter().take(SHOWN).for_each(|row| print_line(&format!("  {}", escape_line(row))));
        if rows.len() > SHOWN {
            print_line(&format!("  and {} more; --json has all", rows.len() - SHOWN));
        }
    };
    list("added", diff.added.clone());
    let removed = diff.removed.iter().map(|(row, stage)| match stage {
        Some(stage) => format!("{row}  rejected by {stage}"),
        None => row.clone(),
    });
    list("removed", removed.collect());
    list("changed", diff.changed.clone());
    list("in another split", diff.moved.clone());
}
