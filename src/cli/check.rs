//! `synthd check`: everything that would keep a campaign from beginning, at once.

use super::DataDir;
use super::campaign_file::CampaignFile;
use super::doctor::{guest_dir, this_executable};
use super::dry_run::{self, DryRunReport};
use super::output::{eprint_line, pluralize, print_json, print_line};
use crate::config::LoadedCampaign;
use crate::control::protocol::ErrorBody;
use crate::engine::{run_in_actor_system, store_error};
use crate::error::{Error, Result};
use crate::estimate;
use crate::preflight::{Preflight, PreflightReport};
use crate::sandbox::SandboxBackends;
use crate::store::Store;
use clap::Args;
use serde_json::{Value, json};
use std::ops::ControlFlow;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use synthd_actors::model::{CampaignName, CampaignRecord, SamplePolicy};
use synthd_actors::ports::{Journal, SandboxBackend};
use synthd_actors::task::Catalog;

#[derive(Args)]
#[command(
    after_help = "The file is checked first, and every mistake is shown at once. Then the host is checked as \
`run` would check it: keys, enforcement, images, and the programs that templates need. With \
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

pub(super) fn run(args: &CheckArgs) -> Result<ExitCode> {
    let (loaded, catalog) = match args.file.load()? {
        ControlFlow::Continue(loaded) => loaded,
        ControlFlow::Break(code) => return Ok(code),
    };
    let mut looked = look(args, &loaded, &catalog)?;
    // A model is paid only for a campaign that could begin.
    if args.live && looked.findings.is_empty() {
        dry_run::ask_models(&args.data.data_dir, &loaded, &mut looked)?;
    }
    conclude(args, &loaded, &catalog, looked)
}

fn look(args: &CheckArgs, loaded: &LoadedCampaign, catalog: &Catalog) -> Result<DryRunReport> {
    let data_dir = &args.data.data_dir;
    let survey = run_in_actor_system(run_preflight(data_dir, loaded, catalog, args.file_only))??;
    Ok(DryRunReport::from(survey))
}

/// What would keep the campaign from beginning here.
pub(super) async fn run_preflight(
    data_dir: &Path,
    loaded: &LoadedCampaign,
    catalog: &Catalog,
    file_only: bool,
) -> Result<PreflightReport> {
    let known = known(data_dir, &loaded.config.name).await?;
    let preflight = Preflight { catalog, config: &loaded.config, known: known.as_ref() };
    let mut findings = preflight.check_file();
    if file_only {
        return Ok(PreflightReport { findings, ..PreflightReport::default() });
    }
    let backends = Arc::new(SandboxBackends::new(this_executable()?, &guest_dir()));
    let survey = preflight.check_host_and_programs(&backends).await;
    if let Err(fault) = backends.settle().await {
        tracing::warn!(%fault, "a sandbox of the check may be left");
    }
    findings.extend(survey.findings);
    Ok(PreflightReport { findings, ..survey })
}

/// What the data directory has of the campaign. A store of an older schema is upgraded by `run`
/// alone, and is not read here.
async fn known(data_dir: &Path, name: &CampaignName) -> Result<Option<CampaignRecord>> {
    if !data_dir.join("synthd.db").is_file() {
        return Ok(None);
    }
    match Store::open_read_only(data_dir) {
        Ok(store) => store.campaign(name).await.map_err(store_error),
        Err(error) => {
            eprint_line(&format!("the data directory was not checked: {error}"));
            Ok(None)
        }
    }
}

fn conclude(
    args: &CheckArgs,
    loaded: &LoadedCampaign,
    catalog: &Catalog,
    looked: DryRunReport,
) -> Result<ExitCode> {
    let plan = plan(loaded, catalog);
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
            print_line(&valid(loaded, &plan));
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// How much there is to do.
fn plan(loaded: &LoadedCampaign, catalog: &Catalog) -> Value {
    let config = &loaded.config;
    let samples = &config.tasks.samples;
    // A template that makes no task is a finding.
    let episodes = estimate::estimate_campaign(catalog, config).ok();
    let selected = catalog.select(&config.tasks.templates, &config.tasks.exclude);
    json!({
        "campaign": config.name,
        "templates": selected.iter().map(|t| &t.id).collect::<Vec<_>>(),
        "tasks": selected.len() as u64 * u64::from(config.tasks.per_template),
        "samples": samples.most,
        "stop_after_solved": samples.stop_after_solved,
        "pass_rate_width": samples.pass_rate_width.map(share),
        "episodes": episodes.map(|one| json!({ "least": one.least_episodes, "most": one.episodes })),
        "models": config.models.iter().map(|m| &m.name).collect::<Vec<_>>(),
        "scaffolds": config.scaffolds,
    })
}

fn valid(loaded: &LoadedCampaign, plan: &Value) -> String {
    let count = |key: &str| plan[key].as_array().map_or(0, Vec::len) as u64;
    let first = format!(
        "{} is valid: {}, {}, {}, {}",
        loaded.path.display(),
        pluralize(count("templates"), "template"),
        pluralize(plan["tasks"].as_u64().unwrap_or(0), "task"),
        pluralize(count("models"), "model"),
        pluralize(count("scaffolds"), "scaffold"),
    );
    let lines = [Some(first), sampled(&loaded.config.tasks.samples), episodes(&plan["episodes"])];
    lines.into_iter().flatten().collect::<Vec<_>>().join("\n")
}

/// How often each task is tried, where that is more than once.
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

fn episodes(counts: &Value) -> Option<String> {
    let (least, most) = (counts["least"].as_u64()?, counts["most"].as_u64()?);
    Some(match least == most {
        true => pluralize(most, "episode"),
        false => format!("{least} to {}", pluralize(most, "episode")),
    })
}

/// Thousandths as a share.
fn share(thousandths: u32) -> f64 {
    f64::from(thousandths) / 1_000.0
}
