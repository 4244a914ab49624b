//! `synthd check`: finds everything that would keep a campaign from beginning, and shows it at
//! once.
//!
//! The command reads the file, compares it with the data directory, runs the preflight, and with
//! `--live` asks each model one question.
//! It never creates a data directory, except with `--live`, which records its calls.

use crate::cli::DataDir;
use crate::cli::campaign_file::CampaignFile;
use crate::cli::doctor::{guest_dir, this_executable};
use crate::cli::draw_page;
use crate::cli::dry_run::{self, DryRunReport};
use crate::cli::terminal::output::{eprint_line, pluralize, print_json, print_line};
use crate::config::LoadedCampaign;
use crate::control::protocol::ErrorBody;
use crate::draw_table::DrawTable;
use crate::error::{Error, Result};
use crate::estimate;
use crate::preflight::{Preflight, PreflightReport};
use crate::running_engine::{run_in_actor_system, store_error};
use crate::sandbox::SandboxBackends;
use crate::store::Store;
use clap::Args;
use serde_json::{Value, json};
use std::ops::ControlFlow;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use synthd_actors::campaign::ChangedTemplates;
use synthd_actors::model::{CampaignName, CampaignRecord, SamplePolicy, WorkName};
use synthd_actors::ports::{Journal, SandboxBackend};
use synthd_actors::work::WorkInputs;

#[derive(Args)]
#[command(
    after_help = "The file is checked first, and every mistake is shown at once. Then the host is checked as \
`run` would check it: the data directory and what it has of the campaign, keys, enforcement, \
images, and the programs that templates need. With \
--live, each model is asked one short question. Its cost is held and recorded in the data \
directory under NAME.check, which has the same caps as the campaign for itself. Templates of \
your own come from --templates and from `tasks.template_dirs` of the file. A relative path there \
starts at the file's directory; for `-`, it starts at the working directory.

Examples:
  synthd check config/quickstart.toml
  synthd check campaign.toml --live
  cat campaign.toml | synthd check - --file-only"
)]
pub(super) struct CheckArgs {
    #[command(flatten)]
    file: CampaignFile,
    #[command(flatten)]
    data: DataDir,
    /// Ask each model once; this may cost money
    #[arg(long, conflicts_with = "file_only")]
    live: bool,
    /// Check only the file, the templates and the budget, not this host
    #[arg(long)]
    file_only: bool,
}

/// Reads the file, checks it and the host, and prints the result. Mistakes of the file end the
/// command before anything on the host is looked at, because the campaign that they describe is not
/// known.
pub(super) fn run(args: &CheckArgs) -> Result<ExitCode> {
    let (loaded, inputs) = match args.file.load()? {
        ControlFlow::Continue(loaded) => loaded,
        ControlFlow::Break(code) => return Ok(code),
    };
    let mut looked = look(args, &loaded, &inputs)?;
    // A call costs money, so models are asked only if everything else is in order.
    if args.live && looked.findings.is_empty() {
        dry_run::ask_models(&args.data.data_dir, &loaded, &mut looked)?;
    }
    conclude(args, &loaded, &inputs, looked)
}

/// Runs the preflight in an actor system of its own.
fn look(args: &CheckArgs, loaded: &LoadedCampaign, inputs: &WorkInputs) -> Result<DryRunReport> {
    let (data_dir, changed) = (&args.data.data_dir, ChangedTemplates::Refuse);
    let preflight = run_preflight(data_dir, loaded, inputs, changed, args.file_only);
    Ok(DryRunReport::from(run_in_actor_system(preflight)??))
}

/// Runs the preflight without pulling images. With `file_only`, neither the host nor the data
/// directory is looked at.
pub(super) async fn run_preflight(
    data_dir: &Path,
    loaded: &LoadedCampaign,
    inputs: &WorkInputs,
    changed: ChangedTemplates,
    file_only: bool,
) -> Result<PreflightReport> {
    // `run` takes the data directory before it does anything else.
    let mut findings: Vec<Error> =
        Store::check_startable(data_dir).err().filter(|_| !file_only).into_iter().collect();
    let store = match file_only {
        true => None,
        false => readable_store(data_dir, findings.is_empty()),
    };
    let known = known(store.as_ref(), &loaded.config.name).await?;
    let preflight = Preflight { inputs, config: &loaded.config, known: known.as_ref() };
    findings.extend(preflight.check_file());
    if file_only {
        let (skipped, notes) = (preflight.refused(), preflight.notes());
        return Ok(PreflightReport { findings, skipped, notes, ..PreflightReport::default() });
    }
    let backends = Arc::new(SandboxBackends::new(this_executable()?, &guest_dir()));
    let survey = preflight.check_host_and_programs(&backends).await;
    // The sandboxes of the check are gone before the command ends. A failure is no finding.
    if let Err(fault) = backends.settle().await {
        tracing::warn!(%fault, "a sandbox of the check may be left");
    }
    findings.extend(survey.findings);
    if let Some(store) = &store {
        let changes = preflight.check_stored(store, changed, &survey.skipped).await;
        findings.extend(changes.map_err(store_error)?);
    }
    let notes = preflight.notes().into_iter().chain(survey.notes).collect();
    Ok(PreflightReport { findings, notes, ..survey })
}

/// The store of the data directory, open for reading. None if there is none, and if it cannot be read
/// in this way, for example because it has an older schema, which only `run` upgrades. With `told`,
/// people hear why.
fn readable_store(data_dir: &Path, told: bool) -> Option<Store> {
    if !data_dir.join("synthd.db").is_file() {
        return None;
    }
    let opened = Store::open_read_only(data_dir);
    if let (Err(error), true) = (&opened, told) {
        // The check goes on: everything else can be checked without the store.
        eprint_line(&format!("the campaign was not compared with the data directory: {error}"));
    }
    opened.ok()
}

/// The campaign's record in the store, if there is one.
async fn known(store: Option<&Store>, name: &CampaignName) -> Result<Option<CampaignRecord>> {
    match store {
        Some(store) => store.campaign(name).await.map_err(store_error),
        None => Ok(None),
    }
}

/// Prints the result, as JSON or as text. With JSON, the first finding decides the exit code.
/// Without JSON, all findings become one error, and notes are printed before it.
fn conclude(
    args: &CheckArgs,
    loaded: &LoadedCampaign,
    inputs: &WorkInputs,
    looked: DryRunReport,
) -> Result<ExitCode> {
    let plan = plan(loaded, inputs);
    if args.file.json {
        let findings: Vec<ErrorBody> = looked.findings.iter().map(ErrorBody::from).collect();
        print_json(&json!({
            "ok": findings.is_empty(),
            "findings": findings,
            "notes": looked.notes,
            "skipped": looked.skipped,
            "answers": looked.answers,
            "plan": plan,
        }))?;
        let first = looked.findings.first();
        return Ok(first.map_or(ExitCode::SUCCESS, |e| ExitCode::from(e.code().exit_code())));
    }
    looked.print_notes();
    match Error::combine(looked.findings) {
        Some(error) => Err(error),
        None => {
            print_line(&valid(loaded, &plan, &table(loaded, inputs)));
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// The size of the campaign as JSON: what it is made from, samples, episodes, models, scaffolds. The
/// text output is made from it too.
fn plan(loaded: &LoadedCampaign, inputs: &WorkInputs) -> Value {
    let config = &loaded.config;
    let samples = &config.tasks.samples;
    // None if a template makes no task; that is a finding already.
    let episodes = estimate::estimate_campaign(inputs, config).ok();
    let mut plan = json!({
        "campaign": config.name,
        "kind": config.kind,
        "samples": samples.most,
        "models": config.models.iter().map(|m| &m.name).collect::<Vec<_>>(),
    });
    let counts = |name: &str| {
        let counts = episodes.as_ref();
        (
            name.to_owned(),
            json!(counts.map(|one| json!({ "least": one.least_episodes, "most": one.episodes }))),
        )
    };
    let more = match config.kind {
        WorkName::Trajectories => {
            let selected = inputs.catalog.select(&config.tasks.templates, &config.tasks.exclude);
            vec![
                ("templates".to_owned(), json!(selected.iter().map(|t| &t.id).collect::<Vec<_>>())),
                ("tasks".to_owned(), json!(table(loaded, inputs).tasks(config))),
                ("draw".to_owned(), table(loaded, inputs).document(config)),
                ("stop_after_solved".to_owned(), json!(samples.stop_after_solved)),
                ("pass_rate_width".to_owned(), json!(samples.pass_rate_width.map(share))),
                ("scaffolds".to_owned(), json!(config.scaffolds)),
                counts("episodes"),
            ]
        }
        WorkName::Completions => vec![
            ("prompts".to_owned(), json!(prompts(loaded, inputs))),
            ("repeated_prompts".to_owned(), json!(inputs.prompts.repeated())),
            counts("completions"),
        ],
    };
    if let Value::Object(plan) = &mut plan {
        plan.extend(more);
    }
    plan
}

/// What the campaign would draw.
fn table(loaded: &LoadedCampaign, inputs: &WorkInputs) -> DrawTable {
    DrawTable::of(&inputs.catalog, &loaded.config)
}

/// The number of prompts that the campaign asks for.
fn prompts(loaded: &LoadedCampaign, inputs: &WorkInputs) -> u64 {
    let all = inputs.prompts.len() as u64;
    loaded.config.completions.limit.map_or(all, |limit| all.min(limit))
}

/// The text for a campaign without findings: `campaign.toml is valid: 3 templates, 12 tasks, ...`.
fn valid(loaded: &LoadedCampaign, plan: &Value, drawn: &DrawTable) -> String {
    let count = |key: &str, noun: &str| {
        let count = plan[key].as_array().map_or(0, Vec::len) as u64;
        pluralize(plan[key].as_u64().unwrap_or(count), noun)
    };
    let name = loaded.path.display();
    let most = loaded.config.tasks.samples.most;
    let lines = match loaded.config.kind {
        WorkName::Trajectories => {
            let parts = [
                count("templates", "template"),
                count("tasks", "task"),
                count("models", "model"),
                count("scaffolds", "scaffold"),
            ];
            let first = format!("{name} is valid: {}", parts.join(", "));
            let sampled = sampled(&loaded.config.tasks.samples);
            let drawn = draw_page::page(drawn, &loaded.config);
            vec![Some(first), sampled, counted(&plan["episodes"], "episode"), drawn]
        }
        WorkName::Completions => {
            let parts = [count("prompts", "prompt"), count("models", "model")];
            let first = format!("{name} is valid: {}", parts.join(", "));
            let each = (most > 1).then(|| format!("{most} answers of each model to each prompt"));
            let repeated = plan["repeated_prompts"].as_u64().filter(|count| *count > 0);
            let repeated = repeated.map(|count| match count {
                1 => "1 line repeats an earlier prompt and is left out".to_owned(),
                many => format!("{many} lines repeat an earlier prompt and are left out"),
            });
            vec![Some(first), repeated, each, counted(&plan["completions"], "completion")]
        }
    };
    lines.into_iter().flatten().collect::<Vec<_>>().join("\n")
}

/// A sentence about how often each task is tried; None if each is tried once.
fn sampled(samples: &SamplePolicy) -> Option<String> {
    if samples.most == 1 {
        return None;
    }
    let solved = samples.stop_after_solved.map(|solved| match solved {
        1 => "1 solves it".to_owned(),
        solved => format!("{solved} solve it"),
    });
    let width = samples.pass_rate_width.map(share);
    let narrow = width.map(|width| format!("the interval of its pass rate is {width} wide"));
    let ends: Vec<String> = solved.into_iter().chain(narrow).collect();
    let of_each = "of each task, by each model that tries it with each scaffold";
    Some(match ends.is_empty() {
        true => format!("{} samples {of_each}", samples.most),
        false => {
            let most = samples.most;
            format!("at most {most} samples {of_each},\nfewer if {}", ends.join(", or "))
        }
    })
}

/// A number of units as text: `12 episodes`, or `12 to 48 episodes` if sampling may stop early.
/// None if there is no estimate.
fn counted(counts: &Value, unit: &str) -> Option<String> {
    let (least, most) = (counts["least"].as_u64()?, counts["most"].as_u64()?);
    Some(match least == most {
        true => pluralize(most, unit),
        false => format!("{least} to {}", pluralize(most, unit)),
    })
}

/// Turns thousandths, such as 250, into a share, such as 0.25.
fn share(thousandths: u32) -> f64 {
    f64::from(thousandths) / 1_000.0
}
