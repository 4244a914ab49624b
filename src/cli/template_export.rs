//! `synthd template export`: writes the tasks of templates as Harbor task folders.

use crate::cli::TemplateDirs;
use crate::cli::terminal::output::{eprint_line, print_json, print_line};
use crate::cli::terminal::terminal_text::escape_controls;
use crate::error::{Code, Error, Result};
use crate::harbor::{ExportSettings, HarborExport, export_task};
use crate::templates;
use clap::Args;
use serde_json::json;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use synthd_actors::task::Template;

#[derive(Args)]
#[command(after_help = "Each task is a folder of DIR with the name of its template and its seed. \
Checks and what they judge run in one container there, so a label is weaker.

Examples:
  synthd template export --harbor tasks
  synthd template export 'debugging/*' --harbor tasks --seeds 20")]
pub(super) struct TemplateExportArgs {
    /// Globs over template ids
    #[arg(default_value = "**")]
    globs: Vec<String>,
    /// The directory of the Harbor task folders
    #[arg(long, value_name = "DIR")]
    harbor: PathBuf,
    #[command(flatten)]
    templates: TemplateDirs,
    /// How many seeds of each template to write
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    seeds: u64,
    /// An image that has the programs of the tasks already
    #[arg(long, value_name = "NAME")]
    image: Option<String>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// A template of which no folder is written, and why.
struct LeftTemplate {
    id: String,
    why: String,
}

/// What was written and what not.
#[derive(Default)]
struct ExportReport {
    folders: Vec<String>,
    left: Vec<LeftTemplate>,
}

/// `template export`. A template that has no Harbor form is told of, and the others are written.
pub(super) fn run(args: &TemplateExportArgs) -> Result<ExitCode> {
    check_image(args.image.as_deref())?;
    let catalog = templates::load(&args.templates.directories)?;
    let selected = catalog.select(&args.globs, &[]);
    if selected.is_empty() {
        return Err(templates::nothing_matches(&args.globs));
    }
    let mut report = ExportReport::default();
    for template in &selected {
        export_template(template, args, &mut report)?;
    }
    tell(&report, args)?;
    if report.left.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    let (left, all) = (report.left.len(), selected.len());
    let what = format!("{left} of {all} templates have no Harbor form");
    Err(Error::new(Code::NoHarborForm, what)
        .hint("the others are written; `--image` helps where programs or images are the reason"))
}

/// The name of an image stands in a line of a Dockerfile.
fn check_image(image: Option<&str>) -> Result<()> {
    let is_odd = |image: &&str| {
        image.is_empty() || image.chars().any(|c| c.is_whitespace() || c.is_control())
    };
    match image.filter(is_odd) {
        Some(image) => Err(Error::new(Code::BadUsage, format!("{image:?} is no name of an image"))
            .hint("an image has a name such as synthd/base:latest")),
        None => Ok(()),
    }
}

/// Writes the tasks of one template, or notes why there are none.
fn export_template(
    template: &Arc<Template>,
    args: &TemplateExportArgs,
    report: &mut ExportReport,
) -> Result<()> {
    let settings = ExportSettings { image: args.image.clone() };
    for seed in 1..=args.seeds {
        let task = match template.task(seed, 0) {
            Ok(task) => task,
            // A pack that was not built here is no mistake of the template.
            Err(error) if template.from_pack.is_some() => {
                let (id, why) = (template.id.clone(), error.message);
                report.left.push(LeftTemplate { id, why });
                return Ok(());
            }
            Err(_) => {
                let (mistakes, dirs) = (template.mistakes(seed, 0), &args.templates.directories);
                return Err(templates::unusable(template, &mistakes, dirs));
            }
        };
        match export_task(&task, seed, &settings) {
            Ok(export) => {
                write_new(&args.harbor, &export)?;
                report.folders.push(export.name);
            }
            Err(why) => {
                report.left.push(LeftTemplate { id: template.id.clone(), why: why.to_string() });
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Writes a folder that is not there yet. It has its name only when all of it is written.
fn write_new(directory: &Path, export: &HarborExport) -> Result<()> {
    let target = directory.join(&export.name);
    if target.symlink_metadata().is_ok() {
        let what = format!("{} is already there", target.display());
        return Err(Error::new(Code::BadUsage, what)
            .hint("name a directory without these tasks; nothing is overwritten"));
    }
    let part = directory.join(format!(".{}.part-{}", export.name, std::process::id()));
    let written = write_files(&part, export).and_then(|()| fs::rename(&part, &target));
    written.map_err(|error| {
        fs::remove_dir_all(&part).ok();
        Error::new(Code::Io, format!("cannot write {}", target.display())).with_source(error)
    })
}

/// Writes the files of a folder.
fn write_files(folder: &Path, export: &HarborExport) -> io::Result<()> {
    for (path, file) in &export.files {
        let path = folder.join(path);
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory)?;
        }
        fs::write(&path, &file.content)?;
        fs::set_permissions(&path, Permissions::from_mode(file.mode))?;
    }
    Ok(())
}

fn tell(report: &ExportReport, args: &TemplateExportArgs) -> Result<()> {
    let directory = args.harbor.display();
    if args.json {
        let left: Vec<_> = report
            .left
            .iter()
            .map(|left| json!({ "template": left.id, "reason": left.why }))
            .collect();
        let (directory, folders) = (directory.to_string(), &report.folders);
        return print_json(&json!({ "directory": directory, "tasks": folders, "left_out": left }));
    }
    for LeftTemplate { id, why } in &report.left {
        eprint_line(&escape_controls(&format!("left out  {id}: {why}")));
    }
    let count = report.folders.len();
    let tasks = if count == 1 { "task" } else { "tasks" };
    print_line(&escape_controls(&format!("{count} {tasks} written to {directory}")));
    Ok(())
}
