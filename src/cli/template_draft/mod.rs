//! `synthd template draft`: models propose, write and repair templates. What passes the gate is offered
//! in a work area for a person to read, and is never shipped by itself.
//!
//! `synthd_actors::draft` decides what comes next. This folder does it: `draft_models` asks the models
//! through the router, `draft_gate` proves in sandboxes, `work_area` writes, `draft_report` tells.
//!
//! The state of a run is the store's record of its answers. A run that was cut off begins again from the
//! start: recorded answers are taken from the record, and the proofs are repeated.

mod draft_gate;
mod draft_models;
mod draft_report;
mod work_area;

use crate::cli::daemon::signals::SignalListener;
use crate::cli::doctor::this_executable;
use crate::cli::prices::PriceOptions;
use crate::cli::template_new::starter_answer;
use crate::cli::terminal::output::{
    eprint_line, pluralize, print_config_errors, print_json, print_line,
};
use crate::cli::{DataDir, TemplateDirs};
use crate::config::{self, GatewayConfig};
use crate::error::{Code, Error, Result};
use crate::packs::PackLibrary;
use crate::running_engine::{EngineOptions, RunningEngine, fault_error, run_in_actor_system};
use crate::templates::TemplateLibrary;
use clap::Args;
use draft_gate::DraftGate;
use draft_models::DraftModels;
use draft_report::{DraftRecord, code_of, page};
use serde_json::json;
use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use synthd_actors::agent::MinimalScaffold;
use synthd_actors::draft::{DraftBrief, DraftEnd, DraftMachine, DraftStep};
use synthd_actors::model::{BASE_IMAGE, FaultKind, Money, SandboxSpec, digest_of};
use synthd_actors::pool::PoolConfig;
use synthd_actors::proof::TemplateProver;
use synthd_actors::variety::FEWEST_STRUCTURES;
use tokio::task::spawn_blocking;
use work_area::WorkArea;

/// What builders are told of the format.
const FORMAT: &str = include_str!("../../../docs/templates.md");
/// The most bytes of a brief, 64 KiB.
const MOST_BRIEF: u64 = 64 << 10;
/// The exit code of a run that a signal has ended.
const INTERRUPTED: u8 = 130;

#[derive(Args)]
#[command(
    after_help = "The models take four roles: ideator, builder, critic, solver. With one model, it plays all; with two, the first is ideator and critic, the second builder and solver.

A draft is offered if it passes the proof of `synthd template check`, makes enough structures, is new beside the library, and its critic names no defect. Read it before you use it. A second run with the same --name continues and asks nothing twice.

Examples:
  synthd template draft --brief 'logs with gaps' --models scripted/drafter
  synthd template draft --brief brief.md --models anthropic/claude-sonnet-4-5 \\
      --budget 2.50 --count 3 --out drafts"
)]
pub(super) struct TemplateDraftArgs {
    /// What the templates should be about: words, or a file with them
    #[arg(long, value_name = "TEXT|FILE")]
    brief: String,
    /// The models, as in a campaign; they take the roles in turn
    #[arg(long, value_name = "NAME", value_delimiter = ',', required = true)]
    models: Vec<String>,
    /// The work area
    #[arg(long, value_name = "DIR", default_value = "drafts")]
    out: PathBuf,
    /// How many drafts to begin
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
    count: u32,
    /// The most dollars that all runs of this name may spend
    #[arg(long, value_name = "USD", default_value = "1.00")]
    budget: Money,
    /// How often an answer of one draft may be asked for again
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(0..=50))]
    rounds: u32,
    /// For how many seeds a draft is proven
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=1_000))]
    seeds: u64,
    /// The fewest structurally different tasks of 40 seeds
    #[arg(long, value_name = "N", default_value_t = FEWEST_STRUCTURES)]
    structures: usize,
    /// The name of the drafts in the data directory
    #[arg(long, value_name = "NAME", default_value = "drafts")]
    name: String,
    /// A gateway file with the models' providers and prices
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    templates: TemplateDirs,
    #[command(flatten)]
    prices: PriceOptions,
    #[command(flatten)]
    data: DataDir,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Everything that a run works with.
struct DraftRun<'a> {
    args: &'a TemplateDraftArgs,
    brief: Arc<DraftBrief>,
    models: DraftModels<'a>,
    gate: DraftGate,
    area: WorkArea,
    /// The ids that no further draft may have.
    taken: BTreeSet<String>,
    /// The drafts that have ended.
    records: Vec<DraftRecord>,
}

/// Runs the command. Mistakes in the names of models are printed as those of a file.
pub(super) fn run(args: &TemplateDraftArgs) -> Result<ExitCode> {
    args.prices.table()?;
    let brief = brief_of(&args.brief)?;
    let config = match config_of(args)? {
        Ok(config) => config,
        Err(errors) => {
            print_config_errors(&errors, args.json);
            return Ok(ExitCode::from(errors.code().exit_code()));
        }
    };
    run_in_actor_system(live(args, brief, config))?
}

/// The brief: the text of a file, if there is one of that name, or the words themselves.
fn brief_of(given: &str) -> Result<String> {
    let path = Path::new(given);
    let text = match path.is_file() {
        true => read_brief(path)?,
        false => given.to_owned(),
    };
    if text.trim().is_empty() || text.len() as u64 > MOST_BRIEF {
        let what = "a brief has at least one word and at most 64 KiB";
        return Err(Error::new(Code::BadUsage, what).hint("say what the templates should be about"));
    }
    Ok(text)
}

fn read_brief(path: &Path) -> Result<String> {
    let mut text = String::new();
    let file = std::fs::File::open(path);
    let read = file.and_then(|file| file.take(MOST_BRIEF + 1).read_to_string(&mut text));
    read.map_err(|error| {
        let what = format!("cannot read the brief {}", path.display());
        Error::new(Code::Io, what).with_source(error).hint("a brief is a text file in UTF-8")
    })?;
    Ok(text)
}

/// The models with their prices and the budget, checked as a gateway's file is. The inner error has the
/// mistakes of that file.
fn config_of(
    args: &TemplateDraftArgs,
) -> Result<std::result::Result<GatewayConfig, config::ConfigErrors>> {
    let odd = |text: &&String| text.chars().any(|c| c.is_control() || c == '"' || c == '\\');
    if let Some(odd) = args.models.iter().chain([&args.name]).find(odd) {
        let what = format!("{odd:?} is no name");
        return Err(Error::new(Code::BadUsage, what).hint("`synthd models list` shows models"));
    }
    let Some(file) = &args.config else {
        return Ok(config::parse_gateway("the options", &options_as_file(args)));
    };
    let config = match config::load_gateway(file) {
        Ok(config) => config,
        Err(errors) => return Ok(Err(errors)),
    };
    let has = |name: &String| config.models.iter().any(|model| model.name == *name);
    if let Some(missing) = args.models.iter().find(|name| !has(name)) {
        let what = format!("{} has no model {missing:?}", file.display());
        return Err(Error::new(Code::BadUsage, what).hint("add it there under [[models]]"));
    }
    // The options name the account, whatever the file says.
    let named = config::parse_gateway("the options", &options_without_models(args));
    Ok(named.map(|named| GatewayConfig { name: named.name, budget: named.budget, ..config }))
}

/// The options as the text of a gateway's file. It is stored with the drafts.
fn options_as_file(args: &TemplateDraftArgs) -> String {
    let different: BTreeSet<&String> = args.models.iter().collect();
    let models = different.iter().map(|model| format!("\n[[models]]\nname = \"{model}\"\n"));
    options_head(args) + &models.collect::<String>()
}

/// The same with a model that needs nothing, for the name and the budget alone.
fn options_without_models(args: &TemplateDraftArgs) -> String {
    options_head(args) + "\n[[models]]\nname = \"scripted/echo\"\n"
}

fn options_head(args: &TemplateDraftArgs) -> String {
    format!("[gateway]\nname = \"{}\"\n\n[budget]\nusd = \"{}\"\n", args.name, args.budget)
}

/// Starts an engine, runs the drafts until they have ended or a signal comes, and shuts it down.
async fn live(args: &TemplateDraftArgs, brief: String, config: GatewayConfig) -> Result<ExitCode> {
    let mut signals = SignalListener::listen()?;
    let library = TemplateLibrary::load(&args.templates.directories)?;
    let area = WorkArea::open(&args.out)?;
    let engine = RunningEngine::start(EngineOptions {
        data_dir: args.data.data_dir.clone(),
        executable: this_executable()?,
        max_episodes: 1,
        pool: PoolConfig { warm: 0, ..PoolConfig::default() },
        catalog: library.catalog.clone(),
    })
    .await?;
    let drafted = Box::pin(drafted(&engine, args, brief, &config, &library, area, &mut signals));
    let drafted = drafted.await;
    engine.shut_down().await?;
    drafted
}

/// Makes the drafts, and tells of them.
async fn drafted(
    engine: &RunningEngine,
    args: &TemplateDraftArgs,
    brief: String,
    config: &GatewayConfig,
    library: &TemplateLibrary,
    area: WorkArea,
    signals: &mut SignalListener,
) -> Result<ExitCode> {
    let identity = digest_of(&["template-draft", &brief]);
    let models = DraftModels::open(engine, config, identity, args.models.clone()).await?;
    let gate = gate_of(engine, args, library)?;
    let taken = library.catalog.ids().map(str::to_owned).collect();
    let brief = DraftBrief { text: brief, format: FORMAT.to_owned(), example: starter_answer() };
    let (brief, records) = (Arc::new(brief), Vec::new());
    let mut run = DraftRun { args, brief, models, gate, area, taken, records };
    let ended = tokio::select! {
        ended = Box::pin(run.draft_all()) => Some(ended),
        () = signals.wait_for_stop() => None,
    };
    let Some(ended) = ended else {
        eprint_line("interrupted; run the command again to go on: nothing is asked twice");
        run.report("interrupted").await?;
        run.tell("interrupted")?;
        return Ok(ExitCode::from(INTERRUPTED));
    };
    if let Err(error) = ended {
        run.tell("failed")?;
        return Err(error);
    }
    run.finish().await
}

/// The gate of a run.
fn gate_of(
    engine: &RunningEngine,
    args: &TemplateDraftArgs,
    library: &TemplateLibrary,
) -> Result<DraftGate> {
    let spec = SandboxSpec { image: BASE_IMAGE.to_owned(), ..SandboxSpec::default() };
    let prover = TemplateProver {
        pool: engine.services.pool.clone(),
        spec: Arc::new(spec),
        scaffold: Arc::new(MinimalScaffold),
        tries_battery: false,
    };
    let mut packs = PackLibrary::shipped();
    for directory in &args.templates.directories {
        packs.add(directory)?;
    }
    let (seeds, structures, catalog) = (args.seeds, args.structures, library.catalog.clone());
    Ok(DraftGate { prover, seeds, structures, catalog, known: None, packs })
}

impl DraftRun<'_> {
    /// Makes one draft after the other, until one is out of budget.
    async fn draft_all(&mut self) -> Result<()> {
        for number in 1..=self.args.count {
            let record = Box::pin(self.draft(number)).await?;
            let is_last = record.end == DraftEnd::OutOfBudget;
            if !self.args.json {
                record.lines().iter().for_each(|line| print_line(line));
            }
            self.records.push(record);
            self.report("running").await?;
            if is_last {
                break;
            }
        }
        Ok(())
    }

    /// Makes one draft. Err is a fault of the host, of a provider or of the store.
    async fn draft(&mut self, number: u32) -> Result<DraftRecord> {
        let mut calls = self.models.calls_of(number).await?;
        let mut machine =
            DraftMachine::new(self.brief.clone(), self.taken.clone(), self.args.rounds);
        let (mut gate, mut idea) = (None, None);
        let end = loop {
            idea = machine.idea().cloned().or(idea);
            match machine.step() {
                DraftStep::Ask(role, request) => {
                    let model = self.models.playing(role);
                    self.say(number, &format!("{} ({model})", role.as_str()));
                    match self.models.ask(&mut calls, role, *request).await {
                        Ok(reply) => machine.answered(&reply),
                        Err(fault) if is_budget(fault.kind) => machine.out_of_budget(),
                        Err(fault) => return Err(fault_error(&fault)),
                    }
                }
                DraftStep::Gate(draft) => {
                    self.say(number, &format!("proof of {}", draft.idea.id));
                    let found = Box::pin(self.gate.examine(&draft)).await?;
                    let count = pluralize(found.problems.len() as u64, "finding");
                    self.say(number, &format!("the gate has {count}"));
                    machine.gated(found.problems.clone(), found.instruction.clone());
                    gate = Some(found);
                }
                DraftStep::Try(draft, moves) => {
                    self.say(number, "the solver's commands");
                    machine.tried(Box::pin(self.gate.try_moves(&draft, &moves)).await?);
                }
                DraftStep::End(end) => break end,
            }
        };
        let path = self.offer(&end).await?;
        Ok(DraftRecord {
            number,
            idea,
            end,
            rounds: machine.rounds(),
            asked: calls.asked,
            replayed: calls.replayed,
            cost: calls.cost,
            gate,
            path,
        })
    }

    /// Writes a draft that is offered into the work area. Later drafts are compared with it.
    async fn offer(&mut self, end: &DraftEnd) -> Result<Option<PathBuf>> {
        let DraftEnd::Offered(offered) = end else { return Ok(None) };
        let draft = &offered.draft;
        self.taken.insert(draft.idea.id.clone());
        self.gate.remember(draft).await?;
        self.area.offer(draft).map(Some)
    }

    /// A line about what goes on, on stderr.
    fn say(&self, number: u32, what: &str) {
        eprint_line(&format!("draft {number} of {}: {what}", self.args.count));
    }

    /// Everything as one document.
    fn document(&self, state: &str) -> serde_json::Value {
        let cost = self.records.iter().fold(Money::ZERO, |sum, one| sum.saturating_add(one.cost));
        let offered = self.records.iter().filter(|record| record.is_offered()).count();
        json!({
            "name": self.args.name, "state": state, "models": self.args.models,
            "budget_usd": self.args.budget, "cost_usd": cost, "offered": offered,
            "templates": self.area.templates(),
            "drafts": self.records.iter().map(DraftRecord::document).collect::<Vec<_>>(),
        })
    }

    /// Writes the reports of the work area.
    async fn report(&self, state: &str) -> Result<()> {
        let text = page(&self.records, &self.area.templates());
        let (area, document) = (self.area.clone(), self.document(state));
        let written = spawn_blocking(move || area.report(&text, &document)).await;
        written.map_err(|e| Error::new(Code::Unexpected, "the report panicked").with_source(e))?
    }

    /// Prints the document of a run that has not come to its end.
    fn tell(&self, state: &str) -> Result<()> {
        if self.args.json { print_json(&self.document(state)) } else { Ok(()) }
    }

    /// The end of a run: the reports, and an error if nothing is offered or the budget is used up.
    async fn finish(&self) -> Result<ExitCode> {
        let is_out = self.records.iter().any(|record| record.end == DraftEnd::OutOfBudget);
        let state = if is_out { "out-of-budget" } else { "complete" };
        self.report(state).await?;
        self.tell(state)?;
        if is_out {
            let what =
                format!("the budget of ${} does not cover the next answer", self.args.budget);
            return Err(Error::new(Code::BudgetReached, what)
                .hint("raise --budget and run the command again: it goes on"));
        }
        if !self.records.iter().any(DraftRecord::is_offered) {
            return Err(self.nothing_offered());
        }
        if !self.args.json {
            let report = self.args.out.join("report.md");
            print_line(&format!("read what is offered before you use it: {}", report.display()));
        }
        Ok(ExitCode::SUCCESS)
    }

    /// The error of a run without an offered draft. It is that of the answers if none could be used.
    fn nothing_offered(&self) -> Error {
        let is_unusable = |record: &DraftRecord| match &record.end {
            DraftEnd::GivenUp(reason) => code_of(reason) == Code::DraftUnusable,
            _ => false,
        };
        let count = pluralize(self.records.len() as u64, "draft");
        let (code, what) = match self.records.iter().all(is_unusable) {
            true => (Code::DraftUnusable, format!("no answer of {count} could be used")),
            false => (Code::NothingPassed, format!("{count} given up, none offered")),
        };
        let report = self.args.out.join("report.md");
        Error::new(code, what).hint(format!(
            "{} says why; try more --rounds, another model or a clearer brief",
            report.display()
        ))
    }
}

/// Whether a fault says that the budget does not cover a call.
fn is_budget(kind: FaultKind) -> bool {
    matches!(kind, FaultKind::Budget | FaultKind::ModelBudget)
}
