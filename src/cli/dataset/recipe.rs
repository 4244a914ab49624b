//! `synthd dataset build RECIPE.toml`: writes a dataset version by a recipe.

use super::build::DatasetBuildArgs;
use crate::cli::run::progress;
use crate::cli::terminal::layout::{TableColumn, lines};
use crate::cli::terminal::output::{
    eprint_line, pluralize, print_config_errors, print_json, print_line, stderr_is_terminal, width,
    write_above,
};
use crate::cli::terminal::terminal_text::escape_line;
use crate::config::{self, LoadedRecipe};
use crate::curation::{self, BuiltRecipe};
use crate::error::Result;
use crate::running_engine::run_in_actor_system;
use indicatif::ProgressBar;
use serde_json::json;
use std::cell::Cell;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

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
    let shown = RecipeProgress::new();
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

/// The progress on stderr: a bar on a terminal, lines elsewhere.
pub(super) struct RecipeProgress {
    bar: Option<ProgressBar>,
    last_line: Cell<Instant>,
}

impl RecipeProgress {
    pub(super) fn new() -> Self {
        let bar = stderr_is_terminal().then(|| progress::bar(0));
        write_above(bar.clone());
        Self { bar, last_line: Cell::new(Instant::now()) }
    }

    /// Shows how many rows of how many were shown to stages. Lines are printed rarely.
    pub(super) fn show(&self, rows: u64, of: u64) {
        match &self.bar {
            Some(bar) => {
                bar.set_length(of);
                bar.set_position(rows);
            }
            None if self.last_line.get().elapsed() >= progress::LINE_EVERY => {
                eprint_line(&format!("[{rows}/{of}] rows shown to stages"));
                self.last_line.set(Instant::now());
            }
            None => {}
        }
    }
}

impl Drop for RecipeProgress {
    /// Removes the bar, so that the table stands in its place.
    fn drop(&mut self) {
        write_above(None);
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
