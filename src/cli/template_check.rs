//! `synthd template check`: proves templates in real sandboxes, once or after each change of their files.

use crate::cli::TemplateDirs;
use crate::cli::doctor::{guest_dir, this_executable};
use crate::cli::template_harbor;
use crate::cli::template_variety::mistakes_under;
use crate::cli::template_watch::SeenFiles;
use crate::cli::terminal::output::{
    eprint_line, pluralize, print_error, print_json, print_line, stderr_is_terminal,
};
use crate::cli::terminal::terminal_text::escape_controls;
use crate::error::{Code, Error, Result};
use crate::packs::{shown_answers, workspace_leaks};
use crate::running_engine::{fault_error, run_in_actor_system};
use crate::sandbox::SandboxBackends;
use crate::templates::{self, TemplateLibrary};
use crate::word_suggestion::closest;
use clap::Args;
use serde_json::json;
use std::collections::HashSet;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};
use synthd_actors::agent::MinimalScaffold;
use synthd_actors::model::{BASE_IMAGE, Fault, JudgePlace, SandboxSpec, ShellChoice};
use synthd_actors::pack::AnswerLeak;
use synthd_actors::pool::{PoolConfig, PoolHandle};
use synthd_actors::ports::SandboxBackend;
use synthd_actors::proof::{ReplayProof, SeedProof, TemplateProver};
use synthd_actors::supervisor::spawn;
use synthd_actors::task::{SKILLS, Template};
use synthd_actors::variety::{FEWEST_STRUCTURES, TemplateVariety, VARIETY_SEEDS};
use tokio::sync::Semaphore;

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
pub(super) enum BatterySeeds {
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

/// Checks templates, or Harbor task folders.
pub(super) fn run(args: &TemplateCheckArgs) -> Result<ExitCode> {
    if !args.harbor.is_empty() {
        return template_harbor::check(&args.harbor, args.prove, args.json);
    }
    match args.watch {
        true => run_in_actor_system(check_always(args))?,
        false => run_in_actor_system(check(args))?,
    }
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
    /// What in the workspace gives the answer of its first task away.
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
    let proved = prove_seeds(prover, template, args.seeds, args.battery).await?;
    let proofs = proved.map_err(|fault| fault_error(&fault))?;
    let is_usable = proofs.iter().all(|proof| proof.unusable.is_none());
    let variety = match is_usable {
        true => TemplateVariety::of(template, VARIETY_SEEDS).ok(),
        false => None,
    };
    let replay = match variety.is_some() && args.replay > 0 {
        true => Some(replay_all(prover, template, args.replay).await?),
        false => None,
    };
    let leaks = template.task(1, 0).map_or_else(|_| Vec::new(), |task| workspace_leaks(&task));
    Ok(CheckedTemplate { proofs, variety, replay, leaks, wall: begun.elapsed() })
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
/// the order of the seeds. The inner error is a fault that no proof is made of, mostly the host's.
pub(super) async fn prove_seeds(
    prover: &TemplateProver,
    template: &Arc<Template>,
    seeds: u64,
    battery: BatterySeeds,
) -> Result<Result<Vec<SeedProof>, Fault>> {
    let slots = proof_slots();
    let tasks: Vec<_> = (1..=seeds)
        .map(|seed| {
            let tries_battery = battery.include(seed);
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
        match task.await.map_err(panicked)? {
            Ok(proof) => proofs.push(proof),
            Err(fault) => return Ok(Err(fault)),
        }
    }
    Ok(Ok(proofs))
}

/// The problems of a template. Each problem appears once, with the seeds under which it was found.
/// A template that makes no task has only that problem.
pub(super) fn problems_of(
    template: &Template,
    proofs: &[SeedProof],
    templates: &TemplateDirs,
) -> Vec<String> {
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
