//! How a campaign gets in: what `run`, `submit` and a restarted daemon have in common.

use crate::config;
use crate::engine::{Engine, fault_error, fetch, require};
use crate::error::{Code, Error, Result};
use crate::sandbox::Backends;
use crate::sandbox::docker::Pulled;
use crate::templates::nothing_matches;
use std::collections::BTreeMap;
use std::sync::Arc;
use synthd_actors::campaign::{CampaignHandle, PrepareError, Skipped};
use synthd_actors::engine::SubmitError;
use synthd_actors::model::{CampaignConfig, CampaignRecord, CampaignState};
use synthd_actors::ports::Journal;
use synthd_actors::task::Catalog;

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
    require_all(&engine.backend, catalog, config, told).await?;
    let submitted = engine.handle.submit(config.clone(), source).await;
    submitted.map_err(|error| refused(&error, config))
}

/// Every sandbox that a selected template wants must be one this host can make.
async fn require_all(
    backends: &Backends,
    catalog: &Catalog,
    config: &CampaignConfig,
    told: Told<'_>,
) -> Result<()> {
    let tasks = &config.tasks;
    let mut wanting: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for template in catalog.select(&tasks.templates, &tasks.exclude) {
        wanting.entry(template.environment.image.clone()).or_default().push(template.id.clone());
    }
    for (image, templates) in wanting {
        let templates = in_short(&templates);
        let Some(spec) = config.sandbox_for(&image) else {
            let what = format!("nothing stands for the image {image}, which {templates} wants");
            return Err(Error::new(Code::ImageUnavailable, what).hint(format!(
                "name it under [sandbox]: images = {{ {image} = \"...\" }}, or exclude the template"
            )));
        };
        let there = async {
            fetch(backends, &spec, config.pull, told).await?;
            require(backends, &spec).await
        };
        there.await.map_err(|error| error.wanted_by(&templates))?;
    }
    Ok(())
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
    admit(engine, catalog, &Arc::new(loaded.config), loaded.source, &told).await
}

/// Takes up what was running when the last daemon ended, however it ended. One that cannot
/// be is left as it is, and said.
pub(super) async fn revive_all(engine: Engine, catalog: Arc<Catalog>) {
    let records = match engine.store.campaigns().await {
        Ok(records) => records,
        Err(error) => return tracing::error!(%error, "stored campaigns cannot be read"),
    };
    for record in records.iter().filter(|record| record.state == CampaignState::Running) {
        match revive(&engine, &catalog, record).await {
            Ok(_) => tracing::info!(campaign = %record.name, "resumed"),
            Err(error) => {
                let why = error.report();
                tracing::error!(campaign = %record.name, why, "a campaign was not resumed");
            }
        }
    }
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
