//! The preflight: checks what a campaign needs before it begins. `synthd check` shows every
//! finding, and `run` and `submit` refuse to start for the same findings.
//!
//! ```text
//! file:  globs ─► shares ─► resources that templates state ─► budgets
//! store: free, sound, same settings, same templates (`check` only: `run` finds them as it starts)
//! host:  keys ─► enforcement ─► images ─► programs (`check` only: `run` asks while it prepares)
//! live:  each model is asked once (`check --live`, `run --dry-run`)
//! ```
//!
//! A finding is an [`Error`] that is collected instead of returned, so that the user sees all of
//! them at once. Nothing here changes the store, except the live check, which records its calls.

mod changes;
mod containers;
mod draws;
mod globs;
mod live;
mod resources;
mod sandboxes;
mod turns;

pub use changes::{changed_settings, changed_templates};
pub use draws::nothing_to_draw;
pub use globs::unmatched;
pub use live::{LiveAnswer, LiveCheckReport, ask_each};

use crate::error::{Code, Error};
use crate::estimate::{self, check_affordable};
use crate::llm::AdapterFactory;
use crate::running_engine::fault_error;
use crate::sandbox::SandboxBackends;
use crate::sandbox::docker::PullProgress;
use containers::{refused_tasks, unplayable_containers};
use draws::{undrawable, undrawable_here};
use resources::ungranted;
use sandboxes::SandboxPreflight;
use std::collections::BTreeMap;
use std::sync::Arc;
use synthd_actors::campaign::{ChangedTemplates, PrepareError, find_changes};
use synthd_actors::model::{CampaignConfig, CampaignRecord, TemplateEdition, WorkName};
use synthd_actors::pool::{PoolConfig, PoolHandle};
use synthd_actors::ports::{Journal, StoreFault};
use synthd_actors::router::ModelClients;
use synthd_actors::work::trajectory::{TrajectoryWork, runnable_templates};
use synthd_actors::work::{SkippedTemplate, WorkInputs};

/// A callback that hears the progress of an image pull.
pub type PullListener<'a> = &'a (dyn Fn(&PullProgress) + Send + Sync);

/// A campaign that is to be checked.
pub struct Preflight<'a> {
    /// The templates to select from, and the prompts.
    pub inputs: &'a WorkInputs,
    /// The campaign as its file describes it.
    pub config: &'a CampaignConfig,
    /// The campaign's record in the store, if the campaign was begun before.
    pub known: Option<&'a CampaignRecord>,
}

/// The result of the checks of a file and a host.
#[derive(Debug, Default)]
pub struct PreflightReport {
    /// Errors that keep the campaign from beginning.
    pub findings: Vec<Error>,
    /// Lines for the user about things that do not keep it from beginning.
    pub notes: Vec<String>,
    /// The digests of the campaign's images, by the names of the images.
    pub digests: BTreeMap<String, String>,
    /// Templates that this host cannot run and that the campaign would leave out.
    pub skipped: Vec<SkippedTemplate>,
}

impl Preflight<'_> {
    /// Checks the file alone, against the templates and the prices: globs that match nothing, resources
    /// that templates state and the campaign does not grant, and a budget that cannot be enough.
    pub fn check_file(&self) -> Vec<Error> {
        let mut findings = match self.config.kind {
            WorkName::Trajectories => {
                let mut findings = refused_tasks(&self.inputs.catalog);
                if findings.is_empty() {
                    findings = unmatched(&self.inputs.catalog, &self.config.tasks);
                }
                findings.extend(unplayable_containers(&self.inputs.catalog, self.config));
                findings.extend(undrawable(&self.inputs.catalog, self.config));
                findings.extend(ungranted(&self.inputs.catalog, self.config));
                findings
            }
            WorkName::Completions => Vec::new(),
        };
        // The least cost of the whole campaign is compared with the budget only at the first
        // start. A campaign that goes on has paid a part of it already.
        if self.known.is_none() {
            let estimate = estimate::estimate_campaign(self.inputs, self.config);
            findings.extend(estimate.and_then(|estimate| check_affordable(&estimate)).err());
        }
        findings
    }

    /// Lines for the user about the file that do not keep the campaign from beginning.
    pub fn notes(&self) -> Vec<String> {
        match self.config.kind {
            WorkName::Trajectories => {
                turns::cut_short(&self.inputs.catalog, self.config).into_iter().collect()
            }
            WorkName::Completions => Vec::new(),
        }
    }

    /// The tasks of containers that cannot be used, with the reasons.
    pub fn refused(&self) -> Vec<SkippedTemplate> {
        let skipped = |(template, reason): (&str, &str)| SkippedTemplate {
            template: template.to_owned(),
            reason: reason.to_owned(),
        };
        self.inputs.catalog.refused().map(skipped).collect()
    }

    /// Compares the campaign with what the store has of it. `run` refuses for the same reasons while
    /// it prepares. Templates in `skipped` do not count, because the campaign leaves them out.
    pub async fn check_stored(
        &self,
        journal: &dyn Journal,
        changed: ChangedTemplates,
        skipped: &[SkippedTemplate],
    ) -> Result<Vec<Error>, StoreFault> {
        let editions = self.editions(skipped);
        let changes = find_changes(journal, self.config, &editions, changed).await?;
        Ok(changes.iter().filter_map(|change| self.changed(change)).collect())
    }

    /// The editions of the templates that the campaign asks for. Prompts have none.
    fn editions(&self, skipped: &[SkippedTemplate]) -> Vec<TemplateEdition> {
        if self.config.kind != WorkName::Trajectories {
            return Vec::new();
        }
        let config = Arc::new(self.config.clone());
        let work = TrajectoryWork { config, catalog: self.inputs.catalog.clone() };
        let mut templates = work.templates();
        templates.retain(|template| skipped.iter().all(|one| one.template != template.id));
        work.editions(&templates)
    }

    /// The error for a change. None for what is no change.
    fn changed(&self, change: &PrepareError) -> Option<Error> {
        match change {
            PrepareError::Changed(_) => Some(changed_settings(self.known, self.config)),
            PrepareError::ChangedTemplates(name, changes) => Some(changed_templates(name, changes)),
            _ => None,
        }
    }

    /// Checks the host: keys of models, protections, images. Missing images are pulled only if the
    /// campaign's pull policy says so and there is a listener `told`.
    pub async fn check_host(
        &self,
        backends: &SandboxBackends,
        told: Option<PullListener<'_>>,
    ) -> PreflightReport {
        let mut survey =
            PreflightReport { findings: self.keys().await, ..PreflightReport::default() };
        let sandboxes = SandboxPreflight { config: self.config, known: self.known, backends, told };
        sandboxes.look(&self.inputs.catalog, &mut survey).await;
        survey
    }

    /// One finding for each model whose client cannot be made, for example because its key is not
    /// set. No request is sent.
    async fn keys(&self) -> Vec<Error> {
        let models = self.config.models.clone();
        let amiss = move || {
            let faults = models.iter().filter_map(|one| {
                ModelClients::new(one, &AdapterFactory::new(crate::store::open_archive)).err()
            });
            faults.map(|fault| fault_error(&fault)).collect()
        };
        // This runs on a blocking thread, because making a client reads the system's certificates.
        tokio::task::spawn_blocking(amiss).await.unwrap_or_default()
    }

    /// Does the same as [`check_host`](Self::check_host) without any pull. Then it looks for the
    /// programs that templates need, in one sandbox of each kind.
    pub async fn check_host_and_programs(
        &self,
        backends: &Arc<SandboxBackends>,
    ) -> PreflightReport {
        let mut survey = self.check_host(backends, None).await;
        // Sandboxes can be made only if their images are here and their protections are enforced. A
        // note means that an image is missing. Findings about models do not matter for sandboxes.
        let can_run = survey.notes.is_empty() && survey.findings.iter().all(is_not_of_sandboxes);
        let selected = &self.config.tasks;
        let some = !self.inputs.catalog.select(&selected.templates, &selected.exclude).is_empty();
        if can_run && some {
            self.look_for_programs(backends, &mut survey).await;
        }
        survey.skipped.extend(self.refused());
        survey
    }

    /// Starts a pool only for this check, asks which templates this host can run, and closes the
    /// pool. Templates that lack a program are listed as skipped. If none is left, or none that a draw
    /// by shares may take, that is a finding.
    async fn look_for_programs(
        &self,
        backends: &Arc<SandboxBackends>,
        survey: &mut PreflightReport,
    ) {
        // The digests that were found are used, so that the programs are looked for in exactly
        // these images.
        let digests = survey.digests.clone();
        let config = Arc::new(CampaignConfig { digests, ..self.config.clone() });
        let work = TrajectoryWork { config, catalog: self.inputs.catalog.clone() };
        // One sandbox at a time, and none in advance: the pool lives only for this check.
        let limits = PoolConfig { warm: 0, parallel_creation: 1, ..PoolConfig::default() };
        let (pool, exit) = PoolHandle::start(backends.clone(), limits);
        let found = runnable_templates(&pool, &work).await;
        pool.shut_down().await;
        drop(exit);
        match found {
            Ok((templates, skipped)) if templates.is_empty() => {
                survey.findings.push(nothing_to_run(&skipped));
            }
            Ok((templates, skipped)) => {
                survey.findings.extend(undrawable_here(&templates, &skipped, self.config));
                survey.skipped = skipped;
            }
            Err(fault) => survey.findings.push(fault_error(&fault)),
        }
    }
}

/// Whether a finding is about a model's client and not about sandboxes.
fn is_not_of_sandboxes(error: &Error) -> bool {
    error.code() == Code::ModelUnusable
}

/// The error for a campaign of which the host can run no template. It lists the reason for each.
pub fn nothing_to_run(skipped: &[SkippedTemplate]) -> Error {
    Error::new(Code::NothingToRun, format!("no task is left to run{}", listed(skipped)))
        .hint("install the missing programs, or choose other templates")
}

/// A line for each template that the host cannot run.
fn listed(skipped: &[SkippedTemplate]) -> String {
    skipped.iter().map(|s| format!("\n  {}: {}", s.template, s.reason)).collect()
}
