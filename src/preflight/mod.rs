//! What a campaign needs before it begins, looked at together: `check` shows every finding, and
//! `run` and `submit` refuse for the same ones.
//!
//! ```text
//! file:  globs ─► budgets
//! host:  keys ─► enforcement ─► images ─► programs (`check` only: `run` asks while it prepares)
//! live:  each model is asked once (`check --live`, `run --dry-run`)
//! ```

mod globs;
mod live;
mod sandboxes;

pub use globs::unmatched;
pub use live::{LiveAnswer, LiveCheckReport, ask_each};

use crate::engine::fault_error;
use crate::error::{Code, Error};
use crate::estimate::{self, check_affordable};
use crate::llm::AdapterFactory;
use crate::sandbox::SandboxBackends;
use crate::sandbox::docker::PullProgress;
use sandboxes::SandboxPreflight;
use std::collections::BTreeMap;
use std::sync::Arc;
use synthd_actors::campaign::{CampaignPlanner, SkippedTemplate, runnable_templates};
use synthd_actors::model::{CampaignConfig, CampaignRecord};
use synthd_actors::pool::{PoolConfig, PoolHandle};
use synthd_actors::router::ModelClients;
use synthd_actors::task::Catalog;

/// Who hears how far the pull of an image is.
pub type PullListener<'a> = &'a (dyn Fn(&PullProgress) + Send + Sync);

/// A campaign that is about to be looked at.
pub struct Preflight<'a> {
    pub catalog: &'a Catalog,
    pub config: &'a CampaignConfig,
    /// What the store has of the campaign, if it was begun before.
    pub known: Option<&'a CampaignRecord>,
}

/// What was found on a host.
#[derive(Debug, Default)]
pub struct PreflightReport {
    /// What would keep the campaign from beginning.
    pub findings: Vec<Error>,
    /// What would not, and is worth a line.
    pub notes: Vec<String>,
    /// The digests of its images, by their names.
    pub digests: BTreeMap<String, String>,
    /// Templates that would be left out.
    pub skipped: Vec<SkippedTemplate>,
}

impl Preflight<'_> {
    /// What the file says by itself, held against the templates and the prices.
    pub fn check_file(&self) -> Vec<Error> {
        let mut findings = unmatched(self.catalog, &self.config.tasks);
        // What is spent already was affordable; what is left of the budget decides then.
        if self.known.is_none() {
            let estimate = estimate::estimate_campaign(self.catalog, self.config);
            findings.extend(estimate.and_then(|estimate| check_affordable(&estimate)).err());
        }
        findings
    }

    /// What the host has for it. Images are pulled where the campaign says so and somebody is
    /// `told` of it.
    pub async fn check_host(
        &self,
        backends: &SandboxBackends,
        told: Option<PullListener<'_>>,
    ) -> PreflightReport {
        let mut survey =
            PreflightReport { findings: self.keys().await, ..PreflightReport::default() };
        let sandboxes = SandboxPreflight { config: self.config, known: self.known, backends, told };
        sandboxes.look(self.catalog, &mut survey).await;
        survey
    }

    /// The models that cannot be asked as they are configured.
    async fn keys(&self) -> Vec<Error> {
        let models = self.config.models.clone();
        let amiss = move || {
            let faults = models.iter().filter_map(|one| {
                ModelClients::new(one, &AdapterFactory::new(crate::store::open_archive)).err()
            });
            faults.map(|fault| fault_error(&fault)).collect()
        };
        // Making a client reads certificates.
        tokio::task::spawn_blocking(amiss).await.unwrap_or_default()
    }

    /// The same as [`of_host`](Self::of_host) without any pull, and the programs that templates
    /// need, looked for in a sandbox of each kind.
    pub async fn check_host_and_programs(
        &self,
        backends: &Arc<SandboxBackends>,
    ) -> PreflightReport {
        let mut survey = self.check_host(backends, None).await;
        let can_run = survey.notes.is_empty() && survey.findings.iter().all(is_not_of_sandboxes);
        let selected = &self.config.tasks;
        let some = !self.catalog.select(&selected.templates, &selected.exclude).is_empty();
        if can_run && some {
            self.look_for_programs(backends, &mut survey).await;
        }
        survey
    }

    async fn look_for_programs(
        &self,
        backends: &Arc<SandboxBackends>,
        survey: &mut PreflightReport,
    ) {
        let digests = survey.digests.clone();
        let config = Arc::new(CampaignConfig { digests, ..self.config.clone() });
        let planner = CampaignPlanner { config, catalog: Arc::new(self.catalog.clone()) };
        let limits = PoolConfig { warm: 0, parallel_creation: 1, ..PoolConfig::default() };
        let (pool, life) = PoolHandle::start(backends.clone(), limits);
        let found = runnable_templates(&pool, &planner).await;
        pool.shut_down().await;
        drop(life);
        match found {
            Ok((templates, skipped)) if templates.is_empty() => {
                survey.findings.push(nothing_to_run(&skipped));
            }
            Ok((_, skipped)) => survey.skipped = skipped,
            Err(fault) => survey.findings.push(fault_error(&fault)),
        }
    }
}

fn is_not_of_sandboxes(error: &Error) -> bool {
    error.code() == Code::ModelUnusable
}

/// No template is left.
pub fn nothing_to_run(skipped: &[SkippedTemplate]) -> Error {
    let listed: String =
        skipped.iter().map(|s| format!("\n  {}: {}", s.template, s.reason)).collect();
    Error::new(Code::NothingToRun, format!("no task is left to run{listed}"))
        .hint("install the missing programs, or choose other templates")
}
