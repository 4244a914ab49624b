//! `synthd dataset build RECIPE.toml`: writes a dataset version by a recipe.

use super::build::DatasetBuildArgs;
use super::row_progress::RowProgress;
use crate::cli::terminal::layout::{TableColumn, lines};
use crate::cli::terminal::output::{
    eprint_line, pluralize, print_config_errors, print_json, print_line, width,
};
use crate::cli::terminal::terminal_text::escape_line;
use crate::config::{self, LoadedRecipe};
use crate::curation::{self, BuiltRecipe};
use crate::error::Result;
use crate::running_engine::run_in_actor_system;
use serde_json::json;
use std::path::Path;
use std::process::ExitCode;

/// Builds the version. Mistakes of the file are printed, and their code is the exit code.
pub(super) fn run(args: &DatasetBuildArgs, recipe: &Path) -> Result<ExitCode> {
    let loaded = match config::load_recipe(recipe) {
        Ok(loaded) => loaded,
        Err(errors) => {
            print_config_errors(&errors, args.json);
            return Ok(ExitCode::from(errors.code().exit_code()));
        }
    };
    run_in_actor_system(live(args, loaded))?
}

async fn live(args: &DatasetBuildArgs, loaded: LoadedRecipe) -> Result<ExitCode> {
    let shown = RowProgress::new("rows shown to stages");
    let built =
        curation::build(&loaded, &args.data.data_dir, &|rows, of| shown.show(rows, of)).await;
    drop(shown);
    let built = built?;
    match args.json {
        true => print_json(&document(&built))?,
        false => show(&built),
    }
    Ok(ExitCode::SUCCESS)
}

/// The version as JSON.
fn document(built: &BuiltRecipe) -> serde_json::Value {
    let version = &built.publication.record;
    let stages = built.stages.iter().map(|(kind, report)| {
        json!({
            "kind": kind, "seen": report.seen, "known": report.known, "found": report.found,
            "replaced": report.replaced, "took_ms": report.took.as_millis(),
        })
    });
    json!({
        "name": version.campaign, "version": version.version, "path": version.path,
        "new": built.publication.new.is_some(), "rows": version.rows,
        "rejected": version.rejected, "judged": built.rows, "warnings": built.warnings,
        "stages": stages.collect::<Vec<_>>(), "took_ms": built.took.as_millis(),
    })
}

/// Prints what each stage did, and then the version.
fn show(built: &BuiltRecipe) {
    for warning in &built.warnings {
        eprint_line(&format!("warning: {}", escape_line(warning)));
    }
    let columns = [
        TableColumn::new("stage"),
        TableColumn::right("rows"),
        TableColumn::right("known"),
        TableColumn::right("found"),
        TableColumn::right("replaced"),
        TableColumn::right("ms"),
    ];
    let rows = built.stages.iter().map(|(kind, report)| {
        let counts = [report.seen, report.known, report.found, report.replaced];
        let mut cells = vec![(*kind).to_owned()];
        cells.extend(counts.map(|count| count.to_string()));
        cells.push(report.took.as_millis().to_string());
        cells
    });
    print_line(lines(&columns, &rows.collect::<Vec<_>>(), width()).trim_end());
    let version = &built.publication.record;
    let rows: u64 = version.rows.values().sum();
    let of = pluralize(built.rows, "judged row");
    print_line(&format!(
        "\n{}: version {}, {} of {of}",
        escape_line(&version.path),
        version.version,
        pluralize(rows, "row")
    ));
    if built.publication.new.is_none() {
        print_line("it is the newest version already, so nothing was written");
    }
}
