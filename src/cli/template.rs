//! `synthd template`: lists, shows, renders, compares, checks, calibrates and exports templates, writes new
//! ones, and prints the JSON Schema of their format. Only `check` needs sandboxes: it proves templates in
//! real ones.

use crate::cli::TemplateDirs;
use crate::cli::doctor::{guest_dir, this_executable};
use crate::cli::template_calibrate::{self, TemplateCalibrateArgs};
use crate::cli::template_export::{self, TemplateExportArgs};
use crate::cli::template_filter::TemplateFilter;
use crate::cli::template_harbor;
use crate::cli::template_new::{self, TemplateNewArgs};
use crate::cli::template_variety::{self, TemplateVarietyArgs, mistakes_under};
use crate::cli::template_watch::SeenFiles;
use crate::cli::terminal::output::{
    eprint_line, pluralize, print_error, print_json, print_line, stderr_is_terminal, table,
};
use crate::cli::terminal::terminal_text::escape_controls;
use crate::error::{Code, Error, Result};
use crate::packs::{answer_leaks, shown_answers};
use crate::running_engine::{fault_error, run_in_actor_system};
use crate::sandbox::SandboxBackends;
use crate::templates::{self, TemplateLibrary};
use crate::word_suggestion::closest;
use clap::{Args, Subcommand};
use serde_json::json;
use std::collections::HashSet;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};
use synthd_actors::agent::MinimalScaffold;
use synthd_actors::model::BASE_IMAGE;
use synthd_actors::model::{JudgePlace, SandboxSpec, ShellChoice, Task, TaskKind};
use synthd_actors::pack::AnswerLeak;
use synthd_actors::pool::{PoolConfig, PoolHandle};
use synthd_actors::ports::SandboxBackend;
use synthd_actors::proof::{ReplayProof, SeedProof, TemplateProver};
use synthd_actors::supervisor::spawn;
use synthd_actors::task::{
    Catalog, InstructionSpec, SKILLS, Template, TemplatePart, VerificationSpec,
};
use synthd_actors::variety::{FEWEST_STRUCTURES, TemplateVariety, VARIETY_SEEDS};
use tokio::sync::Semaphore;

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
    /// Print the JSON Schema of the template format
    Schema,
}

#[derive(Args)]
#[command(after_help = "Examples:
  synthd template list --kind repair --difficulty hard
  synthd template list --skill sql.ddl --json | jq '.[].id'")]
pub(super) struct TemplateListArgs {
    #[command(flatten)]
    templates: TemplateDirs,
    #[command(flatten)]
    filter: TemplateFilter,
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

#[derive(Args)]
#[command(after_help = "A template is proven if these statements are true for every seed:

  - The sandbox has the required programs.
  - The oracle and every alternative score 1.
  - Doing nothing, the template's cheats and the engine's own cheats score
    less, and so does the oracle's work with one fault put back.
  - Each check fails for doing nothing, or for a cheat.
  - A second verification gives the same result.
  - Rendering twice gives the same bytes.

Different seeds must give different tasks, and those of a shipped template must have 20 structures; see `synthd template variety`.

Examples:
  synthd template check                    every shipped template, 5 seeds
  synthd template check 'debugging/*' --seeds 20
  synthd template check my/task --templates ./templates --watch
  synthd template check --harbor ./tasks   what of Harbor tasks is refused")]
pub(super) struct TemplateCheckArgs {
    /// Globs over template ids
    #[arg(default_value = "**")]
    globs: Vec<String>,
    #[command(flatten)]
    templates: TemplateDirs,
    /// How many seeds to try
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    seeds: u64,
    /// For which seeds the engine's own cheats are tried
    #[arg(long, value_enum, default_value_t = BatterySeeds::First)]
    battery: BatterySeeds,
    /// Play the oracle of seed 1 on N other seeds; it must solve less than 5 %
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u64).range(0..=1_000))]
    replay: u64,
    /// The fewest structurally different tasks of 40 seeds; 20 for shipped templates if nothing is said
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=40))]
    structures: Option<u32>,
    /// Which shell the sandboxes use
    #[arg(long, default_value = "auto", value_parser = ["auto", "bash", "sh"])]
    shell: String,
    /// Check again when a file below --templates changes
    #[arg(long, requires = "directories")]
    watch: bool,
    /// Read Harbor task folders instead (may be repeated)
    #[arg(long, value_name = "PATH", conflicts_with_all = ["globs", "directories", "watch"])]
    harbor: Vec<PathBuf>,
    /// Run the solution and the tests of each of these tasks in containers
    #[arg(long, requires = "harbor")]
    prove: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// The seeds for which the engine's battery of cheats is tried. It takes most of the time of a proof.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum BatterySeeds {
    First,
    Every,
    None,
}

impl BatterySeeds {
    /// Whether the battery is tried for a seed. Seeds begin at 1.
    fn include(self, seed: u64) -> bool {
        match self {
            Self::First => seed == 1,
            Self::Every => true,
            Self::None => false,
        }
    }
}

/// Runs one of the subcommands. `schema` prints the JSON Schema that editors use to check
/// templates.
pub(super) fn run(command: TemplateCommand) -> Result<ExitCode> {
    match command {
        TemplateCommand::List(args) => list(&args),
        TemplateCommand::Show(args) => show(&args),
        TemplateCommand::Render(args) => render(&args),
        TemplateCommand::Check(args) if !args.harbor.is_empty() => {
            template_harbor::check(&args.harbor, args.prove, args.json)
        }
        TemplateCommand::Check(args) if args.watch => run_in_actor_system(check_always(&args))?,
        TemplateCommand::Check(args) => run_in_actor_system(check(&args))?,
        TemplateCommand::Variety(args) => template_variety::run(&args),
        TemplateCommand::Calibrate(args) => template_calibrate::run(&args),
        TemplateCommand::Export(args) => template_export::run(&args),
        TemplateCommand::New(args) => template_new::run(&args),
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
    if args.json {
        let all: Vec<_> = selected.iter().map(|t| summary(t)).collect();
        print_json(&all)?;
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

/// `template check --watch`: checks, and checks again after each change. It never returns by itself.
async fn check_always(args: &TemplateCheckArgs) -> Result<ExitCode> {
    let directories = &args.templates.directories;
    loop {
        // Looked at before the check, so that a change during the check is seen after it.
        let seen = SeenFiles::below(directories);
        if let Err(error) = Box::pin(check(args)).await {
            print_error(&error, args.json);
        }
        seen.change(directories).await;
    }
}

/// `template check`: starts a pool of sandboxes, proves the selected templates, and closes the
/// pool. The error `TemplateUnproven` counts the templates that are not proven, and `AnswerShown` the
/// places that give answers away.
async fn check(args: &TemplateCheckArgs) -> Result<ExitCode> {
    let library = TemplateLibrary::load(&args.templates.directories)?;
    let selected = library.catalog.select(&args.globs, &[]);
    if selected.is_empty() {
        return Err(crate::templates::nothing_matches(&args.globs));
    }
    let backend = Arc::new(SandboxBackends::new(this_executable()?, &guest_dir()));
    let (pool, exit) = PoolHandle::start(backend.clone(), PoolConfig::default());
    let spec = SandboxSpec {
        image: BASE_IMAGE.to_owned(),
        shell: shell(&args.shell),
        ..SandboxSpec::default()
    };
    let prover = TemplateProver {
        pool: pool.clone(),
        spec: Arc::new(spec),
        scaffold: Arc::new(MinimalScaffold),
        tries_battery: false,
    };
    let proved = prove_selected(&prover, &selected, &library, args).await;
    pool.shut_down().await;
    // Sandboxes are removed before the result is looked at, so that an error leaves nothing behind.
    let settled = backend.settle().await.map_err(|fault| fault_error(&fault));
    drop(exit);
    let (unproven, leaks) = proved?;
    settled?;
    warn_of_shared_judges(&selected);
    warn_of_skills(&selected);
    if leaks > 0 {
        return Err(shown_answers(leaks, "some templates"));
    }
    if unproven == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    let of = selected.len();
    Err(Error::new(Code::TemplateUnproven, format!("not proven: {unproven} of {of} templates"))
        .hint("docs/templates.md lists the rules for templates"))
}

/// Warns of templates whose checks share a sandbox with the code that they judge.
fn warn_of_shared_judges(selected: &[Arc<Template>]) {
    let is_shared = |template: &&Arc<Template>| template.judge() == JudgePlace::Shared;
    let shared = selected.iter().filter(is_shared).count();
    if shared > 0 {
        let of = selected.len();
        eprint_line(&format!(
            "warning: in {shared} of {of} templates, checks and judged code share a sandbox; \
             `verification.judge: apart` separates them"
        ));
    }
}

/// Warns of skills that are not on the list. They may be the user's own, or misspelt.
fn warn_of_skills(selected: &[Arc<Template>]) {
    for template in selected {
        for skill in template.unknown_skills() {
            let near = closest(skill, SKILLS)
                .map_or(String::new(), |near| format!("; did you mean `{near}`?"));
            let id = &template.id;
            eprint_line(&format!("warning: {id}: docs/skills.md has no skill `{skill}`{near}"));
        }
    }
}

/// The value of `--shell`; clap has checked it already.
fn shell(name: &str) -> ShellChoice {
    match name {
        "sh" => ShellChoice::Sh,
        "bash" => ShellChoice::Bash,
        _ => ShellChoice::Auto,
    }
}

/// Proves the templates one after the other and prints each result at once. If a fault of the host
/// ends the work, the results so far are still printed. Returns how many templates are not proven, and
/// how many places give answers away.
async fn prove_selected(
    prover: &TemplateProver,
    selected: &[Arc<Template>],
    library: &TemplateLibrary,
    args: &TemplateCheckArgs,
) -> Result<(usize, usize)> {
    let (mut unproven, mut leaks) = (0, 0);
    let mut report = Vec::new();
    let mut ended = Ok(());
    for template in selected {
        let checked = match check_one(prover, template, args).await {
            Ok(checked) => checked,
            Err(error) => {
                ended = Err(error);
                break;
            }
        };
        let fewest = fewest_structures(template, library, args);
        let problems = checked.problems(template, fewest, &args.templates);
        unproven += usize::from(!problems.is_empty());
        leaks += checked.leaks.len();
        tell(template, &checked, &problems, args.json);
        report.push(checked.document(template, &problems));
    }
    if args.json {
        print_json(&report)?;
    }
    ended.map(|()| (unproven, leaks))
}

/// The fewest structurally different tasks that a template must make. What the user's own templates
/// are for, the user knows.
fn fewest_structures(
    template: &Template,
    library: &TemplateLibrary,
    args: &TemplateCheckArgs,
) -> usize {
    let usual = if library.is_own(&template.id) { 0 } else { FEWEST_STRUCTURES };
    args.structures.map_or(usual, |asked| usize::try_from(asked).unwrap_or(usize::MAX))
}

/// What a check has found out of one template.
struct CheckedTemplate {
    /// In the order of the seeds, from 1.
    proofs: Vec<SeedProof>,
    /// None for a template that makes no task under some seed.
    variety: Option<TemplateVariety>,
    /// None if no replay was asked for, or there was nothing to play.
    replay: Option<ReplayProof>,
    /// What gives the answer of its first task away; nothing where it is not proven.
    leaks: Vec<AnswerLeak>,
    /// How long all of it took.
    wall: Duration,
}

/// Proves one template, compares its tasks, and plays its oracle on other seeds if that is asked for.
async fn check_one(
    prover: &TemplateProver,
    template: &Arc<Template>,
    args: &TemplateCheckArgs,
) -> Result<CheckedTemplate> {
    let begun = Instant::now();
    let proofs = prove_all(prover, template, args).await?;
    let is_usable = proofs.iter().all(|proof| proof.unusable.is_none());
    let variety = match is_usable {
        true => TemplateVariety::of(template, VARIETY_SEEDS).ok(),
        false => None,
    };
    let replay = match variety.is_some() && args.replay > 0 {
        true => Some(replay_all(prover, template, args.replay).await?),
        false => None,
    };
    let leaks = match proofs.iter().all(|proof| proof.problems.is_empty()) && is_usable {
        true => Box::pin(leaks_of(prover, template)).await?,
        false => Vec::new(),
    };
    Ok(CheckedTemplate { proofs, variety, replay, leaks, wall: begun.elapsed() })
}

/// What gives the answer of the first task of a template from a pack away.
async fn leaks_of(prover: &TemplateProver, template: &Arc<Template>) -> Result<Vec<AnswerLeak>> {
    match template.from_pack.as_ref().map(|_| template.task(1, 0)) {
        Some(Ok(task)) => answer_leaks(&prover.pool, &prover.spec, &task).await,
        _ => Ok(Vec::new()),
    }
}

impl CheckedTemplate {
    /// Everything that keeps the template from being proven.
    fn problems(&self, template: &Template, fewest: usize, dirs: &TemplateDirs) -> Vec<String> {
        let mut problems = problems_of(template, &self.proofs, dirs);
        // Other seeds may be the ones under which it makes no task.
        let is_usable = self.proofs.iter().all(|proof| proof.unusable.is_none());
        if is_usable && self.variety.is_none() {
            let mistakes = mistakes_under(template, VARIETY_SEEDS);
            problems.push(templates::render_errors(template, &mistakes, &dirs.directories));
        }
        problems.extend(self.leaks.iter().map(|leak| format!("SYN-0224: {leak}")));
        if let Some(TemplateVariety { structures, seeds, .. }) = self.variety
            && structures < fewest
        {
            problems.push(format!(
                "{seeds} seeds give only {structures} structurally different tasks; \
                 at least {fewest} are wanted"
            ));
        }
        if let Some(replay) = self.replay
            && !replay.holds()
        {
            let ReplayProof { tries, solved } = replay;
            problems.push(format!(
                "the oracle's moves of seed 1 solve {solved} of {tries} tasks of other seeds"
            ));
        }
        problems
    }

    /// The result as JSON.
    fn document(&self, template: &Template, problems: &[String]) -> serde_json::Value {
        json!({
            "template": template.id, "seeds": self.proofs.len(), "proven": problems.is_empty(),
            "problems": problems, "variety": self.variety, "replay": self.replay,
            "leaks": self.leaks,
            "wall_seconds": self.wall.as_secs_f64(),
        })
    }
}

/// Plays the oracle's moves of seed 1 on so many other seeds, several at a time.
async fn replay_all(
    prover: &TemplateProver,
    template: &Arc<Template>,
    others: u64,
) -> Result<ReplayProof> {
    let slots = proof_slots();
    let tasks: Vec<_> = (2..=others + 1)
        .map(|seed| {
            let (prover, template, slots) = (prover.clone(), template.clone(), slots.clone());
            spawn("replay", async move {
                let _place = slots.acquire_owned().await;
                prover.replay(&template, 1, seed..=seed).await
            })
        })
        .collect();
    let mut sum = ReplayProof::default();
    for task in tasks {
        let one = task.await.map_err(panicked)?.map_err(|fault| fault_error(&fault))?;
        sum.tries += one.tries;
        sum.solved += one.solved;
    }
    Ok(sum)
}

/// Places for proofs that run at the same time: at most two for each core.
fn proof_slots() -> Arc<Semaphore> {
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    Arc::new(Semaphore::new(cores * 2))
}

/// The error for a proof that panicked.
fn panicked(error: tokio::task::JoinError) -> Error {
    Error::new(Code::Unexpected, "a proof panicked").with_source(error)
}

/// Proves one template under the seeds 1 to `seeds`, several at a time. The proofs are returned in
/// the order of the seeds. An error is a fault of the host, not of the template.
async fn prove_all(
    prover: &TemplateProver,
    template: &Arc<Template>,
    args: &TemplateCheckArgs,
) -> Result<Vec<SeedProof>> {
    let slots = proof_slots();
    let tasks: Vec<_> = (1..=args.seeds)
        .map(|seed| {
            let tries_battery = args.battery.include(seed);
            let prover = TemplateProver { tries_battery, ..prover.clone() };
            let (template, slots) = (template.clone(), slots.clone());
            spawn("proof", async move {
                let _place = slots.acquire_owned().await;
                prover.prove(&template, seed).await
            })
        })
        .collect();
    let mut proofs = Vec::new();
    for task in tasks {
        let proof = task.await.map_err(panicked)?;
        proofs.push(proof.map_err(|fault| fault_error(&fault))?);
    }
    Ok(proofs)
}

/// The problems of a template. Each problem appears once, with the seeds under which it was found.
/// A template that makes no task has only that problem.
fn problems_of(template: &Template, proofs: &[SeedProof], templates: &TemplateDirs) -> Vec<String> {
    // The proofs are in the order of the seeds, from 1.
    let unusable = (1..).zip(proofs).find(|(_, proof)| proof.unusable.is_some());
    if let Some((seed, _)) = unusable {
        let mistakes = template.mistakes(seed, 0);
        return vec![templates::render_errors(template, &mistakes, &templates.directories)];
    }
    let mut seeds: Vec<(&str, Vec<usize>)> = Vec::new();
    for (at, proof) in proofs.iter().enumerate() {
        for problem in &proof.problems {
            match seeds.iter_mut().find(|(known, _)| known == problem) {
                Some((_, under)) => under.push(at + 1),
                None => seeds.push((problem, vec![at + 1])),
            }
        }
    }
    let told = |(problem, under): (&str, Vec<usize>)| {
        format!("{}: {problem}", named(&under, proofs.len()))
    };
    let mut problems: Vec<String> = seeds.into_iter().map(told).collect();
    // Two seeds with the same digest made the same task, so the parameters do not vary enough.
    let different: HashSet<&str> = proofs.iter().map(|p| p.digest.as_str()).collect();
    if different.len() < proofs.len() {
        let (some, all) = (different.len(), proofs.len());
        problems.push(format!("{all} seeds give only {some} different tasks"));
    }
    problems
}

/// The seeds in a few words: `seed 3`, `seeds 1, 2, 5`, `every seed`.
fn named(under: &[usize], all: usize) -> String {
    const SHOWN: usize = 5;
    let listed: Vec<String> = under.iter().take(SHOWN).map(ToString::to_string).collect();
    match (under.len(), under.len().saturating_sub(SHOWN)) {
        (1, _) => format!("seed {}", listed.join("")),
        (some, _) if some == all => "every seed".to_owned(),
        (_, 0) => format!("seeds {}", listed.join(", ")),
        (_, more) => format!("seeds {} and {more} more", listed.join(", ")),
    }
}

/// Prints the result for one template and its problems. With JSON, stdout is for the document; then
/// the line goes to stderr if that is a terminal, to show that the work goes on. Problems may quote
/// output of commands, so they are made safe.
fn tell(template: &Template, checked: &CheckedTemplate, problems: &[String], json: bool) {
    let mark = if problems.is_empty() { "proven" } else { "UNPROVEN" };
    let seeds = pluralize(checked.proofs.len() as u64, "seed");
    let wall = checked.wall.as_secs_f64();
    let replay = checked
        .replay
        .map_or(String::new(), |replay| format!(", replay {} of {}", replay.solved, replay.tries));
    let line = format!("{mark:<9} {} ({seeds}), {wall:.1} s{replay}", template.id);
    if !json {
        print_line(&line);
    } else if stderr_is_terminal() {
        eprint_line(&line);
    }
    for problem in problems {
        eprint_line(&escape_controls(&format!(
            "          {}",
            problem.trim_end().replace('\n', "\n          ")
        )));
    }
}
