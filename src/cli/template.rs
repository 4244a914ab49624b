//! `synthd template`: lists, shows and renders templates, prints the JSON Schema of their format, and hands
//! the other subcommands on. Only `check` needs sandboxes: it proves templates in real ones.

use crate::cli::TemplateDirs;
use crate::cli::template_calibrate::{self, TemplateCalibrateArgs};
use crate::cli::template_check::{self, TemplateCheckArgs};
use crate::cli::template_draft::{self, TemplateDraftArgs};
use crate::cli::template_export::{self, TemplateExportArgs};
use crate::cli::template_filter::TemplateFilter;
use crate::cli::template_new::{self, TemplateNewArgs};
use crate::cli::template_rates::MeasuredRates;
use crate::cli::template_variety::{self, TemplateVarietyArgs};
use crate::cli::terminal::output::{print_json, print_line, table};
use crate::error::{Code, Error, Result};
use crate::templates;
use clap::{Args, Subcommand};
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use synthd_actors::model::{Task, TaskKind};
use synthd_actors::task::{Catalog, InstructionSpec, Template, TemplatePart, VerificationSpec};

#[derive(Subcommand)]
pub(super) enum TemplateCommand {
    /// List all templates
    List(TemplateListArgs),
    /// Show one template: its parameters, checks and instruction
    Show(TemplateShowArgs),
    /// Render one task: the bytes an episode would get
    Render(TemplateRenderArgs),
    /// Prove templates in real sandboxes
    Check(TemplateCheckArgs),
    /// Compare tasks over seeds, and templates with each other
    Variety(TemplateVarietyArgs),
    /// Measure the difficulty of templates from finished campaigns
    Calibrate(TemplateCalibrateArgs),
    /// Write the tasks of templates as Harbor task folders
    Export(TemplateExportArgs),
    /// Write a small template to start from
    New(TemplateNewArgs),
    /// Have models propose, write and repair templates, for review
    Draft(TemplateDraftArgs),
    /// Print the JSON Schema of the template format
    Schema,
}

#[derive(Args)]
#[command(
    after_help = "With --data-dir, the list has the pass rates that campaigns there have measured: the rate of all models \
together, its 95 % interval, the number of tries, and how many tasks every sample or no sample has solved. Only tasks \
count that were tried at least twice ([tasks] samples), with the template as it is today. JSON has them by model.

Examples:
  synthd template list --kind repair --difficulty hard
  synthd template list --data-dir ./synthd-data
  synthd template list --skill sql.ddl --json | jq '.[].id'"
)]
pub(super) struct TemplateListArgs {
    #[command(flatten)]
    templates: TemplateDirs,
    #[command(flatten)]
    filter: TemplateFilter,
    /// Show the pass rates that campaigns in this data directory have measured
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(super) struct TemplateShowArgs {
    /// The template's id, as `template list` prints it
    id: String,
    #[command(flatten)]
    templates: TemplateDirs,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
#[command(after_help = "Example:
  synthd template render debugging/broken-pipeline --seed 7 --index 2")]
pub(super) struct TemplateRenderArgs {
    /// The template's id
    id: String,
    #[command(flatten)]
    templates: TemplateDirs,
    /// The campaign's seed
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The number of the task
    #[arg(long, default_value_t = 0)]
    index: u32,
    /// Print the whole task, sealed parts and solution included, as JSON
    #[arg(long)]
    json: bool,
}

/// Runs one of the subcommands. `schema` prints the JSON Schema that editors use to check
/// templates.
pub(super) fn run(command: TemplateCommand) -> Result<ExitCode> {
    match command {
        TemplateCommand::List(args) => list(&args),
        TemplateCommand::Show(args) => show(&args),
        TemplateCommand::Render(args) => render(&args),
        TemplateCommand::Check(args) => template_check::run(&args),
        TemplateCommand::Variety(args) => template_variety::run(&args),
        TemplateCommand::Calibrate(args) => template_calibrate::run(&args),
        TemplateCommand::Export(args) => template_export::run(&args),
        TemplateCommand::New(args) => template_new::run(&args),
        TemplateCommand::Draft(args) => template_draft::run(&args),
        TemplateCommand::Schema => {
            print_json(&schemars::schema_for!(Template))?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// `template list`: one row for each template, the shipped ones and those of `--templates`.
fn list(args: &TemplateListArgs) -> Result<ExitCode> {
    let catalog = templates::load(&args.templates.directories)?;
    let selected = args.filter.select(&catalog)?;
    let rates = args.data_dir.as_deref().map(|dir| MeasuredRates::read(dir, &catalog));
    let rates = rates.transpose()?;
    if args.json {
        let all: Vec<_> = selected.iter().map(|t| listed(t, rates.as_ref())).collect();
        print_json(&all)?;
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(rates) = rates {
        show_rates(&selected, &rates);
        return Ok(ExitCode::SUCCESS);
    }
    let mut rows = table(&["template", "kind", "difficulty", "skills", "needs", "title"]);
    let joined = |words: &[String]| if words.is_empty() { "-".into() } else { words.join(" ") };
    for template in selected {
        let (skills, needs) = (joined(&template.skills), joined(&template.requires));
        let (kind, difficulty) = (kind_of(template), shown_difficulty(template));
        rows.add_row([&template.id, kind, &difficulty, &skills, &needs, &template.title]);
    }
    print_line(&rows.to_string());
    Ok(ExitCode::SUCCESS)
}

/// A template as JSON, with its measured pass rates if they were asked for.
fn listed(template: &Template, rates: Option<&MeasuredRates>) -> serde_json::Value {
    let mut summary = summary(template);
    if let Some(rates) = rates {
        summary["pass_rates"] = rates.document(template);
    }
    summary
}

/// Prints the templates with their measured pass rates.
fn show_rates(selected: &[&Arc<Template>], rates: &MeasuredRates) {
    let mut rows = table(&["template", "kind", "difficulty", "pass rate"]);
    for template in selected {
        let rate = rates.text(template);
        rows.add_row([&template.id, kind_of(template), &shown_difficulty(template), &rate]);
    }
    print_line(&rows.to_string());
}

/// Where a template's difficulty is from: `measured 2026-11-30`, or `declared` by its author.
fn calibration(template: &Template) -> String {
    let measured = template.measured.as_ref();
    measured.map_or("declared".to_owned(), |measured| format!("measured {}", measured.date))
}

/// The difficulty of a template, and where it is from.
fn shown_difficulty(template: &Template) -> String {
    format!("{}, {}", template.current_difficulty().as_str(), calibration(template))
}

/// The kind of a template as a word.
fn kind_of(template: &Template) -> &'static str {
    template.kind.map_or("-", TaskKind::as_str)
}

/// The names of the wordings of a template's instructions; none of those that have only one.
fn wordings(template: &Template) -> Vec<String> {
    names_of(template, |part| match part.instruction {
        Some(InstructionSpec::Wordings(wordings)) => wordings.keys().cloned().collect(),
        _ => Vec::new(),
    })
}

/// The names of things in all parts of a template. In a template with stages, each stands behind the
/// name of its stage.
fn names_of(template: &Template, names: impl Fn(&TemplatePart<'_>) -> Vec<String>) -> Vec<String> {
    let of_part = |part: TemplatePart<'_>| -> Vec<String> {
        let full = |name: String| match part.stage {
            Some((_, stage)) => format!("{}/{name}", stage.name),
            None => name,
        };
        names(&part).into_iter().map(full).collect()
    };
    template.parts().into_iter().flat_map(of_part).collect()
}

/// A template as JSON, without its texts. `moves` is the number of scripted moves of the solution, one
/// command a turn; `turns` has one more for each submission.
fn summary(template: &Template) -> serde_json::Value {
    let parts = template.parts();
    let moves = match template.from_pack {
        // The pack has the solution.
        Some(_) => template.task(1, 0).map_or(0, |task| task.solution.len()),
        None => parts.iter().map(|part| part.solution.map_or(0, <[_]>::len)).sum::<usize>(),
    };
    let steps = template.current_steps();
    let verified = |name: fn(&VerificationSpec) -> Vec<String>| {
        names_of(template, |part| part.verification.map(name).unwrap_or_default())
    };
    json!({
        "id": template.id,
        "title": template.title,
        "category": template.category,
        "kind": template.kind,
        "skills": template.skills,
        "difficulty": template.current_difficulty().as_str(),
        "calibration": calibration(template),
        "requires": template.requires,
        "expected_steps": [steps.min, steps.max],
        "parameters": template.parameters.0.iter().map(|(name, _)| name).collect::<Vec<_>>(),
        "moves": moves,
        "turns": moves + parts.len(),
        "stages": template.stages.iter().map(|stage| &stage.name).collect::<Vec<_>>(),
        "checks": verified(|spec| spec.checks.iter().map(|c| c.name.clone()).collect()),
        "milestones": verified(|spec| spec.milestones.iter().map(|m| m.name.clone()).collect()),
        "cheats": verified(|spec| spec.cheats.iter().map(|c| c.name.clone()).collect()),
        "alternatives": names_of(template, |part| {
            part.alternatives.iter().map(|a| a.name.clone()).collect()
        }),
        "faults": template.faults.iter().map(|fault| &fault.name).collect::<Vec<_>>(),
        "services": template.services.iter().map(|service| &service.name).collect::<Vec<_>>(),
        "wordings": wordings(template),
        "judge": template.judge(),
    })
}

/// The template with this id. The error `TemplateUnknown` suggests the most similar id, if one is
/// similar enough.
fn find(catalog: &Catalog, id: &str) -> Result<Arc<Template>> {
    if let Some(template) = catalog.get(id) {
        return Ok(template.clone());
    }
    let nearest = catalog
        .ids()
        .map(|known| (strsim::jaro_winkler(id, known), known))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        // Below this similarity a suggestion would confuse more than it helps.
        .filter(|(likeness, _)| *likeness > 0.7);
    let hint = match nearest {
        Some((_, known)) => format!("did you mean {known}?"),
        None => "`synthd template list` shows all ids".to_owned(),
    };
    Err(Error::new(Code::TemplateUnknown, format!("there is no template {id:?}")).hint(hint))
}

/// `template show`: the template's summary and its instruction under seed 1.
fn show(args: &TemplateShowArgs) -> Result<ExitCode> {
    let catalog = templates::load(&args.templates.directories)?;
    let template = find(&catalog, &args.id)?;
    let summary = summary(&template);
    if args.json {
        print_json(&summary)?;
        return Ok(ExitCode::SUCCESS);
    }
    print_line(&format!("{}: {}", template.id, template.title));
    for key in ["difficulty", "requires", "parameters", "turns", "checks", "milestones", "cheats"] {
        let text = words(&summary[key]);
        print_line(&format!("  {key:<11} {}", if text.is_empty() { "-" } else { &text }));
    }
    if template.measured.is_some() {
        print_line(&format!("  calibration {}", calibration(&template)));
    }
    if let Some(kind) = template.kind {
        print_line(&format!("  {:<11} {}", "kind", kind.as_str()));
    }
    // Not every template has these.
    for key in ["skills", "stages", "alternatives", "faults", "services", "wordings"] {
        let text = words(&summary[key]);
        if !text.is_empty() {
            print_line(&format!("  {key:<12} {text}"));
        }
    }
    let task = task(&template, 1, 0, &args.templates)?;
    let wording = task.wording.as_ref().map_or(String::new(), |name| format!(" ({name})"));
    let told = instructions(&task);
    print_line(&format!("\nThe instruction under seed 1{wording}:\n\n{told}"));
    Ok(ExitCode::SUCCESS)
}

/// What the agent of a task is told: its instruction, or that of each stage.
fn instructions(task: &Task) -> String {
    if task.stages.is_empty() {
        return task.instruction.clone();
    }
    let told =
        task.stages.iter().map(|stage| format!("## {}\n\n{}", stage.name, stage.instruction));
    told.collect::<Vec<_>>().join("\n")
}

/// A value of the summary in words.
fn words(value: &serde_json::Value) -> String {
    match value.as_array() {
        Some(list) => list.iter().filter_map(|v| v.as_str()).collect::<Vec<_>>().join(", "),
        None => value.as_str().map_or_else(|| value.to_string(), str::to_owned),
    }
}

/// Renders one task. An error shows all mistakes in the template's files.
fn task(template: &Template, seed: u64, index: u32, dirs: &TemplateDirs) -> Result<Task> {
    template.task(seed, index).map_err(|_| {
        templates::unusable(template, &template.mistakes(seed, index), &dirs.directories)
    })
}

/// `template render`: the instruction and the files of one task, as an episode would get them. The
/// JSON has the sealed parts too.
fn render(args: &TemplateRenderArgs) -> Result<ExitCode> {
    let catalog = templates::load(&args.templates.directories)?;
    let template = find(&catalog, &args.id)?;
    let task = task(&template, args.seed, args.index, &args.templates)?;
    if args.json {
        print_json(&task)?;
        return Ok(ExitCode::SUCCESS);
    }
    print_line(&text_of(&task));
    Ok(ExitCode::SUCCESS)
}

/// A task as text: id, instruction, then each service, then each file with its path and mode.
fn text_of(task: &Task) -> String {
    let wording = task.wording.as_ref().map_or(String::new(), |name| format!(", wording {name}"));
    let told = instructions(task);
    let mut text = format!("# {} (seed {}{wording})\n\n{told}", task.id, task.seed);
    for service in &task.services {
        let (name, run, health) = (&service.name, &service.run, &service.health);
        text.push_str(&format!("\n--- service {name}\n{run}\n--- its health\n{health}\n"));
    }
    for file in &task.files {
        text.push_str(&format!("\n--- {} ({:04o})\n{}", file.path, file.mode, file.content));
    }
    text
}
