//! How a campaign gets in: what `run`, `submit` and a restarted daemon have in common.

use crate::config;
use crate::engine::{Engine, fault_error, require, store_error};
use crate::error::{Code, Error, Result};
use crate::estimate::{self, affordable};
use crate::sandbox::Backends;
use crate::sandbox::docker::Pulled;
use crate::templates::nothing_matches;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use synthd_actors::campaign::{CampaignHandle, PrepareError, Skipped};
use synthd_actors::engine::SubmitError;
use synthd_actors::model::{CampaignConfig, CampaignRecord, CampaignState, SandboxSpec};
use synthd_actors::ports::Journal;
use synthd_actors::task::Catalog;
use tokio_util::sync::DropGuard;

/// Before a container engine that was not there is asked again.
const ENGINE_AGAIN: Duration = Duration::from_secs(10);

/// Who hears how far the pull of an image is.
pub(super) type Told<'a> = &'a (dyn Fn(&Pulled) + Send + Sync);

/// Starts a campaign, if this host can run what it wants.
pub async fn admit(
    engine: &Engine,
    catalog: &Catalog,
    config: &Arc<CampaignConfig>,
    source: String,
    told: Told<'_>,
) -> Result<CampaignHandle> {
    check_selection(catalog, config)?;
    let known = engine.store.campaign(&config.name).await.map_err(store_error)?;
    if known.is_none() {
        affordable(&estimate::campaign(catalog, config)?)?;
    }
    let begun_with = known.map(|record| record.images).unwrap_or_default();
    let mut digests = require_all(&engine.backend, catalog, config, &begun_with, told).await?;
    // Of templates that are not selected now, too: they may be again.
    digests.extend(begun_with);
    let config = Arc::new(CampaignConfig { digests, ..CampaignConfig::clone(config) });
    let submitted = engine.handle.submit(config.clone(), source).await;
    submitted.map_err(|error| refused(&error, &config))
}

/// Every sandbox that a selected template wants must be one this host can make. The digests
/// of their images: what the campaign was begun with, it goes on with.
async fn require_all(
    backends: &Backends,
    catalog: &Catalog,
    config: &CampaignConfig,
    begun_with: &BTreeMap<String, String>,
    told: Told<'_>,
) -> Result<BTreeMap<String, String>> {
    let tasks = &config.tasks;
    let mut wanting: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for template in catalog.select(&tasks.templates, &tasks.exclude) {
        wanting.entry(template.environment.image.clone()).or_default().push(template.id.clone());
    }
    let mut digests = BTreeMap::new();
    for (image, templates) in wanting {
        let templates = in_short(&templates);
        let Some(spec) = config.sandbox_for(&image) else {
            let what = format!("nothing stands for the image {image}, which {templates} wants");
            return Err(Error::new(Code::ImageUnavailable, what).hint(format!(
                "name it under [sandbox]: images = {{ {image} = \"...\" }}, or exclude the template"
            )));
        };
        let spec = SandboxSpec { digest: begun_with.get(&spec.image).cloned(), ..spec };
        let there = require(backends, &spec, Some((config.pull, told))).await;
        let digest = there.map_err(|error| error.wanted_by(&templates))?;
        digests.extend(digest.map(|digest| (spec.image, digest)));
    }
    Ok(digests)
}

fn in_short(templates: &[String]) -> String {
    const NAMED: usize = 3;
    let named = templates[..templates.len().min(NAMED)].join(", ");
    match templates.len().saturating_sub(NAMED) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

/// Starts a stored campaign again, from the text it was made from.
pub(super) async fn revive(
    engine: &Engine,
    catalog: &Catalog,
    record: &CampaignRecord,
) -> Result<CampaignHandle> {
    let name = format!("the stored campaign {}", record.name);
    let loaded = config::parse_campaign(&name, &record.config)?;
    let told = |pulled: &Pulled| tracing::debug!(%pulled, "an image");
    let config = Arc::new(loaded.config);
    // Far down in whoever asks for it.
    Box::pin(admit(engine, catalog, &config, loaded.source, &told)).await
}

/// Takes up what was running when the last daemon ended, however it ended. One that cannot
/// be is left as it is, and said; one whose container engine is not there is tried again
/// until it is. `taken_up` is let go when each has been tried.
pub(super) async fn revive_all(engine: Engine, catalog: Arc<Catalog>, taken_up: DropGuard) {
    let records = match engine.store.campaigns().await {
        Ok(records) => records,
        Err(error) => return tracing::error!(%error, "stored campaigns cannot be read"),
    };
    let running = |record: &CampaignRecord| record.state == CampaignState::Running;
    let mut waiting: Vec<CampaignRecord> = records.into_iter().filter(running).collect();
    waiting = take_up(&engine, &catalog, waiting).await;
    drop(taken_up);
    while !waiting.is_empty() {
        tokio::time::sleep(ENGINE_AGAIN).await;
        // Somebody may have resumed or cancelled one meanwhile.
        waiting.retain(|record| engine.handle.campaign(&record.name).is_none());
        waiting = take_up(&engine, &catalog, waiting).await;
    }
}

/// Those that wait for their container engine.
async fn take_up(
    engine: &Engine,
    catalog: &Catalog,
    records: Vec<CampaignRecord>,
) -> Vec<CampaignRecord> {
    let mut waiting = Vec::new();
    for record in records {
        // Somebody may have cancelled it while it waited for its turn.
        match engine.store.campaign(&record.name).await {
            Ok(Some(now)) if now.state == CampaignState::Running => {}
            _ => continue,
        }
        match revive(engine, catalog, &record).await {
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

/// A campaign that selects nothing is a mistake in its file.
pub fn check_selection(catalog: &Catalog, config: &CampaignConfig) -> Result<()> {
    let tasks = &config.tasks;
    if !catalog.select(&tasks.templates, &tasks.exclude).is_empty() {
        return Ok(());
    }
    Err(nothing_matches(&tasks.templates))
}

fn refused(error: &SubmitError, config: &CampaignConfig) -> Error {
    match error {
        SubmitError::Prepare(PrepareError::Changed(_)) => {
            Error::new(Code::CampaignChanged, error.to_string())
                .hint("give the campaign another name, or another --data-dir")
        }
        SubmitError::Prepare(PrepareError::NothingToRun(skipped)) => {
            Error::new(Code::NothingToRun, format!("no task is left to run{}", listed(skipped)))
                .hint("install what is missing, or choose other templates")
        }
        SubmitError::Prepare(PrepareError::Template(template)) => Error::new(
            Code::TemplateInvalid,
            format!("{}: {}", template.template, template.message),
        )
        .hint("`synthd template check` says what is wrong with a template"),
        SubmitError::Prepare(PrepareError::Fault(fault)) | SubmitError::Fault(fault) => {
            fault_error(fault)
        }
        SubmitError::AlreadyRunning(_) => Error::new(Code::ControlRefused, error.to_string())
            .hint(format!("`synthd watch {}` shows it", config.name)),
        SubmitError::Draining => Error::new(Code::ControlRefused, error.to_string())
            .hint("start the daemon again when it has come to rest, then submit"),
        SubmitError::Gone(gone) => Error::new(Code::Escalated, gone.to_string())
            .hint("the daemon's log says why; start it again, campaigns are resumable"),
    }
}

fn listed(skipped: &[Skipped]) -> String {
    skipped.iter().map(|s| format!("\n  {}: {}", s.template, s.reason)).collect()
}
