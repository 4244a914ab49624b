//! `synthd template variety`: how different the tasks of templates are over seeds, and how different
//! templates are from each other. No sandbox is needed.

use crate::cli::TemplateDirs;
use crate::cli::terminal::output::{print_json, print_line, table};
use crate::error::{Error, Result};
use crate::templates;
use clap::Args;
use serde_json::json;
use std::panic::resume_unwind;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use synthd_actors::task::{Catalog, Template, TemplateError};
use synthd_actors::variety::{
    CountRange, NearestSkeleton, TemplateSkeleton, TemplateVariety, VARIETY_SEEDS,
    nearest_skeletons,
};

#[derive(Args)]
#[command(after_help = "The columns:

  structures  tasks that differ in more than drawn numbers and names
  choices     different values of all choices and faults; an upper bound
  alike       how alike two instructions are: the mean of all pairs
  moves       the oracle's moves, one command a turn
  files, KiB  the size of the workspace
  nearest     the template with the most similar checks and oracle

Examples:
  synthd template variety
  synthd template variety 'git/*' --seeds 100 --json")]
pub(super) struct TemplateVarietyArgs {
    /// Globs over template ids
    #[arg(default_value = "**")]
    globs: Vec<String>,
    #[command(flatten)]
    templates: TemplateDirs,
    /// How many seeds to compare
    #[arg(long, default_value_t = VARIETY_SEEDS, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    seeds: u32,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Prints one row for each selected template.
pub(super) fn run(args: &TemplateVarietyArgs) -> Result<ExitCode> {
    let catalog = templates::load(&args.templates.directories)?;
    let selected = catalog.select(&args.globs, &[]);
    if selected.is_empty() {
        return Err(templates::nothing_matches(&args.globs));
    }
    let all = varieties(&selected, args)?;
    let nearest = nearest_of(&catalog, &selected, args)?;
    let rows = selected.iter().zip(&all).zip(&nearest);
    if args.json {
        let entry = |((template, variety), nearest): (
            (&Arc<Template>, &TemplateVariety),
            &Option<NearestSkeleton>,
        )| json!({ "template": template.id, "variety": variety, "nearest": nearest });
        print_json(&rows.map(entry).collect::<Vec<_>>())?;
        return Ok(ExitCode::SUCCESS);
    }
    let header = ["template", "structures", "choices", "alike", "moves", "files", "KiB", "nearest"];
    let mut shown = table(&header);
    for ((template, variety), nearest) in rows {
        shown.add_row(cells(template, variety, nearest.as_ref()));
    }
    print_line(&shown.to_string());
    Ok(ExitCode::SUCCESS)
}

/// The cells of one row.
fn cells(
    template: &Template,
    variety: &TemplateVariety,
    nearest: Option<&NearestSkeleton>,
) -> [String; 8] {
    let kib = CountRange {
        least: variety.bytes.least.div_ceil(1_024),
        most: variety.bytes.most.div_ceil(1_024),
    };
    [
        template.id.clone(),
        format!("{} of {}", variety.structures, variety.seeds),
        variety.choices.to_string(),
        format!("{:.2}", variety.instructions.mean),
        range(variety.moves),
        range(variety.files),
        range(kib),
        nearest.map_or("-".to_owned(), |one| format!("{} {:.2}", one.template, one.likeness)),
    ]
}

/// A range in words: `7`, or `7 to 9`.
fn range(count: CountRange) -> String {
    match count.least == count.most {
        true => count.most.to_string(),
        false => format!("{} to {}", count.least, count.most),
    }
}

/// The variety of each template, in their order. All cores render.
fn varieties(
    selected: &[Arc<Template>],
    args: &TemplateVarietyArgs,
) -> Result<Vec<TemplateVariety>> {
    each(selected, |template| {
        let variety = TemplateVariety::of(template, args.seeds);
        variety.map_err(|_| unusable(template, args.seeds, &args.templates))
    })
}

/// The nearest skeleton of each selected template among all templates of the catalog.
fn nearest_of(
    catalog: &Catalog,
    selected: &[Arc<Template>],
    args: &TemplateVarietyArgs,
) -> Result<Vec<Option<NearestSkeleton>>> {
    let all: Vec<Arc<Template>> = catalog.iter().cloned().collect();
    let skeletons = each(&all, |template| {
        TemplateSkeleton::of(template).map_err(|_| unusable(template, 1, &args.templates))
    })?;
    let is_selected = |id: &str| selected.iter().any(|template| template.id == id);
    let nearest = nearest_skeletons(&skeletons).into_iter().zip(&skeletons);
    Ok(nearest.filter(|(_, one)| is_selected(&one.template)).map(|(found, _)| found).collect())
}

/// The error of a template that makes no task under one of the seeds 1 to `seeds`.
fn unusable(template: &Template, seeds: u32, dirs: &TemplateDirs) -> Error {
    templates::unusable(template, &mistakes_under(template, seeds), &dirs.directories)
}

/// The mistakes under the first of the seeds 1 to `seeds` that has any.
pub(super) fn mistakes_under(template: &Template, seeds: u32) -> Vec<TemplateError> {
    let mut of_seeds = (1..=u64::from(seeds)).map(|seed| template.mistakes(seed, 0));
    of_seeds.find(|found| !found.is_empty()).unwrap_or_default()
}

/// Does something with each template, on all cores. The first error in their order counts.
fn each<T: Send>(
    all: &[Arc<Template>],
    work: impl Fn(&Template) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let part = all.len().div_ceil(cores).max(1);
    let work = &work;
    let done: Vec<Result<T>> = thread::scope(|scope| {
        let workers: Vec<_> = all
            .chunks(part)
            .map(|part| scope.spawn(move || part.iter().map(|one| work(one)).collect::<Vec<_>>()))
            .collect();
        let joined = workers.into_iter().flat_map(|worker| match worker.join() {
            Ok(done) => done,
            Err(panic) => resume_unwind(panic),
        });
        joined.collect()
    });
    done.into_iter().collect()
}
