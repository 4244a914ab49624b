//! Admission: how a campaign is checked and started. `run`, `submit`, `resume`, `retry` and a
//! restarted daemon all come through here, so all of them refuse for the same reasons.
//!
//! A start has three steps: the preflight (`crate::preflight`), the digests of the images, and the
//! engine's own preparation. Every refusal of the engine becomes an error with a code and a hint.

use crate::config::{self, ConfigErrors, LoadedCampaign};
use crate::error::{Code, Error, Result};
use crate::preflight::{
    Preflight, PullListener, changed_settings, changed_templates, nothing_to_draw, nothing_to_run,
};
use crate::running_engine::{RunningEngine, fault_error, store_error};
use crate::sandbox::docker::PullProgress;
use crate::templates::TemplateLibrary;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use synthd_actors::campaign::{CampaignHandle, PrepareError, ReopenFilter, RestartOptions};
use synthd_actors::engine::SubmitError;
use synthd_actors::model::FaultCounts;
use synthd_actors::model::{CampaignConfig, CampaignRecord, CampaignState};
use synthd_actors::ports::Journal;
use synthd_actors::supervisor::AskError;
use synthd_actors::task::TemplateError;
use synthd_actors::work::WorkInputs;
use tokio_util::sync::DropGuard;

/// How long a restarted daemon waits before it asks an absent container engine again.
const ENGINE_AGAIN: Duration = Duration::from_secs(10);

/// Starts a campaign if its file and this host pass the preflight. A campaign that the store knows
/// is resumed. `source` is the text of the file; the store keeps it for restarts. `again` says
/// which faulted episodes are tried again, and whether changed templates are accepted. `told` hears
/// the progress of image pulls. A refusal by the preflight or by the preparation leaves the stored
/// campaign as it was. After a fault of the store, its configuration, its editions and its reopened
/// episodes may be stored already. If a drain has begun meanwhile, its configuration and its editions
/// may be stored already.
pub async fn start_campaign(
    engine: &RunningEngine,
    inputs: &WorkInputs,
    config: &Arc<CampaignConfig>,
    source: String,
    again: RestartOptions,
    told: PullListener<'_>,
) -> Result<CampaignHandle> {
    let known = engine.store.campaign(&config.name).await.map_err(store_error)?;
    let mut digests = ready(engine, inputs, config, known.as_ref(), told).await?;
    // The stored digests also cover images of templates that are not selected now. They must stay,
    // in case the templates are selected again.
    digests.extend(known.iter().flat_map(|record| record.images.clone()));
    let config = Arc::new(CampaignConfig { digests, ..CampaignConfig::clone(config) });
    let submitted = engine.handle.submit_with(inputs.clone(), config.clone(), source, again).await;
    submitted.map_err(|error| refused(&error, &config, known.as_ref()))
}

/// Runs the preflight. Returns the digests of the images, or all findings as one error.
async fn ready(
    engine: &RunningEngine,
    inputs: &WorkInputs,
    config: &CampaignConfig,
    known: Option<&CampaignRecord>,
    told: PullListener<'_>,
) -> Result<BTreeMap<String, String>> {
    let preflight = Preflight { inputs, config, known };
    let mut findings = check_file(inputs, config, known).await?;
    // An image may be large, so nothing is pulled for a file that is refused anyway.
    let told = findings.is_empty().then_some(told);
    let survey = preflight.check_host(&engine.backend, told).await;
    findings.extend(survey.findings);
    match Error::combine(findings) {
        Some(error) => Err(error),
        None => Ok(survey.digests),
    }
}

/// The findings of a campaign's file. They are found on a blocking thread: the draw of many tasks, and
/// the tasks that stand for their templates, take long. Err means that the check panicked.
async fn check_file(
    inputs: &WorkInputs,
    config: &CampaignConfig,
    known: Option<&CampaignRecord>,
) -> Result<Vec<Error>> {
    let (inputs, config, known) = (inputs.clone(), config.clone(), known.cloned());
    let check =
        move || Preflight { inputs: &inputs, config: &config, known: known.as_ref() }.check_file();
    let found = tokio::task::spawn_blocking(check).await;
    found.map_err(|e| Error::new(Code::Unexpected, "checking the campaign panicked").with_source(e))
}

/// Reads the text of a campaign and the templates in its directories. The outer error means that
/// the reading panicked; the inner one lists the mistakes of the file. It runs on a blocking
/// thread, because the one thread of the actors must not wait for files. `name` is what messages
/// call the file.
pub(super) async fn with_templates(
    library: &TemplateLibrary,
    name: String,
    text: String,
) -> Result<Result<(LoadedCampaign, TemplateLibrary), ConfigErrors>> {
    let library = library.clone();
    let reading = move || config::parse_campaign_with(&library, &name, &text);
    let read = tokio::task::spawn_blocking(reading).await;
    read.map_err(|e| Error::new(Code::Unexpected, "reading the campaign panicked").with_source(e))
}

/// Starts a stored campaign again from the text in the store. `reopen` says which faulted episodes
/// are tried again. The template directories are read again, so changed templates are noticed.
pub(super) async fn restart_campaign(
    engine: &RunningEngine,
    library: &TemplateLibrary,
    record: &CampaignRecord,
    reopen: ReopenFilter,
) -> Result<CampaignHandle> {
    let name = format!("the stored campaign {}", record.name);
    let (loaded, library) = with_templates(library, name, record.config.clone()).await??;
    let told = |pulled: &PullProgress| tracing::debug!(%pulled, "an image");
    let (config, inputs) = (Arc::new(loaded.config.clone()), loaded.inputs(&library.catalog));
    // Boxed, because this large future is nested in the futures of its callers.
    Box::pin(start_campaign(engine, &inputs, &config, loaded.source, reopen.into(), &told)).await
}

/// Resumes the campaigns that were running when the last daemon ended, in whatever way it ended. A
/// campaign that cannot be resumed stays as it is in the store, and the log says why. If only its
/// container engine is absent, the campaign is tried again every 10 s until the engine is back.
/// `taken_up` is dropped when each campaign was tried once; requests that name a campaign wait for
/// that.
pub(super) async fn restart_campaigns(
    engine: RunningEngine,
    library: Arc<TemplateLibrary>,
    taken_up: DropGuard,
) {
    let records = match engine.store.campaigns().await {
        Ok(records) => records,
        Err(error) => return tracing::error!(%error, "stored campaigns cannot be read"),
    };
    let running = |record: &CampaignRecord| record.state == CampaignState::Running;
    let mut waiting: Vec<CampaignRecord> = records.into_iter().filter(running).collect();
    waiting = take_up(&engine, &library, waiting).await;
    drop(taken_up);
    while !waiting.is_empty() {
        tokio::time::sleep(ENGINE_AGAIN).await;
        // A client may have resumed or cancelled one of them in the meantime.
        waiting.retain(|record| engine.handle.campaign(&record.name).is_none());
        waiting = take_up(&engine, &library, waiting).await;
    }
}

/// Tries to resume each campaign. Returns the ones that must wait for their container engine.
async fn take_up(
    engine: &RunningEngine,
    library: &TemplateLibrary,
    records: Vec<CampaignRecord>,
) -> Vec<CampaignRecord> {
    let mut waiting = Vec::new();
    for record in records {
        // The record is read again: a client may have cancelled the campaign while it waited for
        // its turn.
        match engine.store.campaign(&record.name).await {
            Ok(Some(now)) if now.state == CampaignState::Running => {}
            _ => continue,
        }
        match restart_campaign(engine, library, &record, ReopenFilter::Nothing).await {
            Ok(_) => tracing::info!(campaign = %record.name, "resumed"),
            Err(error) if error.code() == Code::EngineUnavailable => {
                let why = error.report();
                tracing::warn!(campaign = %record.name, why, "waiting to resume a campaign");
                waiting.push(record);
            }
            Err(error) => {
                let why = error.report();
                tracing::error!(campaign = %record.name, why, "a campaign was not resumed");
            }
        }
    }
    waiting
}

/// The error for a retry that matches no faulted episode. It lists the faults that there are.
fn nothing_to_retry(error: &SubmitError, faults: &FaultCounts) -> Error {
    let hint = match faults.is_empty() {
        true => "the campaign has no faulted episode".to_owned(),
        false => format!(
            "the campaign has these faulted episodes: {faults}; `synthd episode \
                          list` shows them"
        ),
    };
    Error::new(Code::NothingToRetry, error.to_string()).hint(hint)
}

/// Turns a refusal of the engine into an error with a code and a hint.
fn refused(error: &SubmitError, config: &CampaignConfig, known: Option<&CampaignRecord>) -> Error {
    match error {
        SubmitError::Prepare(PrepareError::Changed(_)) => changed_settings(known, config),
        SubmitError::Prepare(PrepareError::ChangedTemplates(name, changes)) => {
            changed_templates(name, changes)
        }
        SubmitError::Prepare(PrepareError::NothingToRetry(_, faults)) => {
            nothing_to_retry(error, faults)
        }
        SubmitError::Prepare(PrepareError::Cancelled(..)) => {
            Error::new(Code::NothingToRetry, error.to_string()).hint(
                "`synthd run` or `synthd submit` with the campaign's file starts these episodes, \
                 and tries faulted ones again whose reason may have passed",
            )
        }
        SubmitError::Prepare(PrepareError::NothingToRun(skipped)) => nothing_to_run(skipped),
        SubmitError::Prepare(PrepareError::NothingToDraw(skipped)) => nothing_to_draw(skipped),
        SubmitError::Prepare(PrepareError::Template(template)) => {
            Error::new(Code::TemplateInvalid, format!("{}: {}", placed(template), template.message))
                .hint("`synthd template check` says what is wrong with a template")
        }
        SubmitError::Prepare(PrepareError::Fault(fault)) | SubmitError::Fault(fault) => {
            fault_error(fault)
        }
        SubmitError::AlreadyRunning(_) => Error::new(Code::ControlRefused, error.to_string())
            .hint(format!("`synthd watch {}` shows it", config.name)),
        SubmitError::Draining => Error::new(Code::ControlRefused, error.to_string())
            .hint("wait until the daemon is at rest, start it again, and submit again"),
        SubmitError::Unasked(AskError::Gone(_)) => Error::new(Code::Escalated, error.to_string())
            .hint("read the daemon's log; start the daemon again, and its campaigns resume"),
        SubmitError::Unasked(AskError::SetAside(_)) => {
            Error::new(Code::SetAside, error.to_string())
                .hint("the daemon lives on; report what its log says of the panic")
        }
    }
}

/// The file with line and column, where they are known: `git/undo-commit.yaml:12:3`.
fn placed(error: &TemplateError) -> String {
    match error.location {
        Some((line, column)) => format!("{}:{line}:{column}", error.path),
        None => error.template.clone(),
    }
}
