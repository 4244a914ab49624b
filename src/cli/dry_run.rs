//! `synthd run --dry-run`, and the live check that `synthd check --live` shares with it. A dry run
//! does all of a run but its episodes: the preflight, one question to each model, the plan and its
//! price.

use crate::cli::check::run_preflight;
use crate::cli::doctor::this_executable;
use crate::cli::draw_page;
use crate::cli::estimate::page;
use crate::cli::terminal::output::{eprint_line, pluralize, print_json, print_line};
use crate::config::LoadedCampaign;
use crate::control::protocol::ErrorBody;
use crate::draw_table::DrawTable;
use crate::error::{Error, Result};
use crate::estimate;
use crate::preflight::{LiveAnswer, LiveCheckReport, PreflightReport, ask_each};
use crate::running_engine::{EngineOptions, RunningEngine, run_in_actor_system};
use serde_json::json;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use synthd_actors::campaign::ChangedTemplates;
use synthd_actors::pool::PoolConfig;
use synthd_actors::task::Catalog;
use synthd_actors::work::{SkippedTemplate, WorkInputs};

/// What the preflight found, and what the models answered.
#[derive(Default)]
pub(super) struct DryRunReport {
    /// Errors that keep the campaign from beginning.
    pub(super) findings: Vec<Error>,
    /// Lines about things that do not keep it from beginning.
    pub(super) notes: Vec<String>,
    /// Templates that this host cannot run.
    pub(super) skipped: Vec<SkippedTemplate>,
    /// The models that answered. It is empty if no model was asked.
    pub(super) answers: Vec<LiveAnswer>,
}

impl From<PreflightReport> for DryRunReport {
    fn from(survey: PreflightReport) -> Self {
        let PreflightReport { findings, notes, skipped, .. } = survey;
        Self { findings, notes, skipped, answers: Vec::new() }
    }
}

impl DryRunReport {
    /// Prints notes and skipped templates to stderr, and the answers of models to stdout.
    pub(super) fn print_notes(&self) {
        self.notes.iter().for_each(|note| eprint_line(note));
        for skipped in &self.skipped {
            eprint_line(&format!("skipping {}: {}", skipped.template, skipped.reason));
        }
        for answer in &self.answers {
            let LiveAnswer { model, latency_ms, cost_usd } = answer;
            print_line(&format!("{model} answers: {latency_ms} ms, ${cost_usd}"));
        }
    }
}

/// Asks every model once. The money is held and each call is recorded in the data directory.
pub(super) fn ask_models(
    data_dir: &Path,
    loaded: &LoadedCampaign,
    looked: &mut DryRunReport,
) -> Result<()> {
    let LiveCheckReport { answers, findings } = run_in_actor_system(asked(data_dir, loaded))??;
    looked.answers = answers;
    looked.findings.extend(findings);
    Ok(())
}

/// Starts an engine only for the live check, because a call needs the router and the store. It has
/// no templates and keeps no sandbox warm. It is shut down even if the check fails.
async fn asked(data_dir: &Path, loaded: &LoadedCampaign) -> Result<LiveCheckReport> {
    if loaded.config.models.iter().all(|model| model.endpoint.is_none()) {
        // No model has a provider. Without this return, the engine would create a data directory
        // for nothing.
        return Ok(LiveCheckReport::default());
    }
    let engine = RunningEngine::start(EngineOptions {
        data_dir: data_dir.to_owned(),
        executable: this_executable()?,
        max_episodes: 1,
        pool: PoolConfig { warm: 0, ..PoolConfig::default() },
        catalog: Arc::new(Catalog::default()),
    })
    .await?;
    let heard = ask_each(&engine, &loaded.config, &loaded.source).await;
    engine.shut_down().await?;
    heard
}

/// Does all of `run --dry-run`. `changed` says whether changed templates are accepted. Models are
/// asked only if nothing else was found, because a call costs money. The plan and the estimate are
/// printed even with findings.
pub(super) fn run(
    data_dir: &Path,
    loaded: &LoadedCampaign,
    inputs: &WorkInputs,
    changed: ChangedTemplates,
    json: bool,
) -> Result<ExitCode> {
    let preflight = run_preflight(data_dir, loaded, inputs, changed, false);
    let mut looked = DryRunReport::from(run_in_actor_system(preflight)??);
    if looked.findings.is_empty() {
        ask_models(data_dir, loaded, &mut looked)?;
    }
    let estimate = estimate::estimate_campaign(inputs, &loaded.config)?;
    let episodes = estimate.episodes;
    let drawn = DrawTable::of(&inputs.catalog, &loaded.config);
    if json {
        let findings: Vec<ErrorBody> = looked.findings.iter().map(ErrorBody::from).collect();
        print_json(&json!({
            "campaign": loaded.config.name,
            "ok": findings.is_empty(),
            "findings": findings,
            "notes": looked.notes,
            "skipped": looked.skipped,
            "answers": looked.answers,
            "episodes": episodes,
            "draw": drawn.document(&loaded.config),
            "estimate": estimate,
        }))?;
        let first = looked.findings.first();
        return Ok(first.map_or(ExitCode::SUCCESS, |e| ExitCode::from(e.code().exit_code())));
    }
    looked.print_notes();
    let would = match looked.findings.is_empty() {
        true => "would run",
        false => "cannot run",
    };
    print_line(&format!(
        "{} {would}: {}",
        loaded.config.name,
        pluralize(episodes, loaded.config.kind.unit())
    ));
    if let Some(drawn) = draw_page::page(&drawn, &loaded.config) {
        print_line(&drawn);
    }
    print_line(&page(&estimate));
    Error::combine(looked.findings).map_or(Ok(ExitCode::SUCCESS), Err)
}
