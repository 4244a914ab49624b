//! Checks what a campaign's sandboxes need from the host: protections, a container engine, images.
//!
//! A template names a logical image, such as `base`. The campaign file says which real image stands
//! for it: `[sandbox] image` for `base`, `[sandbox] images` for every other name. Each image is
//! checked once, for all templates that want it.

use super::{PreflightReport, PullListener};
use crate::error::{Code, Error, Result};
use crate::running_engine::{check_enforcement, ensure_image};
use crate::sandbox::SandboxBackends;
use std::collections::BTreeMap;
use synthd_actors::model::{CampaignConfig, CampaignRecord, ImagePullPolicy, SandboxSpec};
use synthd_actors::task::Catalog;

/// The part of the preflight that deals with sandboxes.
pub(super) struct SandboxPreflight<'a> {
    /// The campaign as its file describes it.
    pub(super) config: &'a CampaignConfig,
    /// The campaign's record, if it was begun before. It has the digests of the images.
    pub(super) known: Option<&'a CampaignRecord>,
    /// The backends that are asked.
    pub(super) backends: &'a SandboxBackends,
    /// The listener for pulls. None means that nothing is pulled.
    pub(super) told: Option<PullListener<'a>>,
}

impl SandboxPreflight<'_> {
    /// Checks that this host can make every sandbox that a selected template wants. Adds findings,
    /// notes and the digests of the images to the report. A campaign that was begun before goes on
    /// with the digests that it began with.
    pub(super) async fn look(&self, catalog: &Catalog, survey: &mut PreflightReport) {
        let (wanted, contained) = (self.wanted(catalog), self.contained(catalog));
        let contained = Some(&contained).filter(|tasks| !tasks.is_empty());
        if let Some(templates) = wanted.values().next().or(contained)
            && let Err(error) = check_enforcement(self.backends, &self.config.sandbox).await
        {
            // Without a working backend no image can be checked either, so this is the only
            // finding.
            return survey.findings.push(error.wanted_by(&in_short(templates)));
        }
        for (image, templates) in wanted {
            match self.image(&image, &templates).await {
                Ok(ImagePresence::Here(digest)) => survey.digests.extend(digest),
                Ok(ImagePresence::Later(note)) => survey.notes.push(note),
                Err(error) => survey.findings.push(error),
            }
        }
    }

    /// The selected tasks of containers. On another backend, they are a finding of the file.
    fn contained(&self, catalog: &Catalog) -> Vec<String> {
        let tasks = &self.config.tasks;
        let mut selected = catalog.select(&tasks.templates, &tasks.exclude);
        selected.retain(|template| template.container().is_some());
        selected.iter().map(|template| template.id.clone()).collect()
    }

    /// The logical image names of the selected templates, with the templates that want each.
    fn wanted(&self, catalog: &Catalog) -> BTreeMap<String, Vec<String>> {
        let tasks = &self.config.tasks;
        let mut wanted: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let selected = catalog.select(&tasks.templates, &tasks.exclude);
        // A task of a container brings its image, which is made or found when the campaign begins.
        for template in selected.iter().filter(|template| template.container().is_none()) {
            wanted.entry(template.environment.image.clone()).or_default().push(template.id.clone());
        }
        wanted
    }

    /// Checks one logical image. An error names the templates that want it.
    async fn image(&self, image: &str, templates: &[String]) -> Result<ImagePresence> {
        let templates = in_short(templates);
        let Some(spec) = self.config.sandbox_for(image) else {
            return Err(stands_for_nothing(image, &templates));
        };
        let begun_with = self.known.and_then(|known| known.images.get(&spec.image).cloned());
        let spec = SandboxSpec { digest: begun_with, ..spec };
        let fetch = self.told.map(|told| (self.config.pull, told));
        match ensure_image(self.backends, &spec, fetch).await {
            Ok(digest) => Ok(ImagePresence::Here(digest.map(|digest| (spec.image, digest)))),
            Err(error) if self.would_be_pulled(&spec, &error) => Ok(ImagePresence::Later(format!(
                "{} is not here yet; `synthd run` pulls it",
                spec.image
            ))),
            Err(error) => Err(error.wanted_by(&templates)),
        }
    }

    /// Whether the image is missing only because nothing is pulled during this check. Then `synthd
    /// run` would pull it, and its absence is a note and no finding.
    fn would_be_pulled(&self, spec: &SandboxSpec, error: &Error) -> bool {
        let pulls = self.told.is_none() && self.config.pull != ImagePullPolicy::Never;
        pulls && spec.digest.is_none() && error.code() == Code::ImageUnavailable
    }
}

/// The result of the check of one image.
enum ImagePresence {
    /// The image exists. The pair is its name and its digest; None if it has no digest.
    Here(Option<(String, String)>),
    /// The image does not exist yet, but a run would pull it. The text is a note for the user.
    Later(String),
}

/// The finding for a logical image for which the campaign file names no real image.
fn stands_for_nothing(image: &str, templates: &str) -> Error {
    let what = format!("[sandbox] names no image for {image}, which {templates} needs");
    Error::new(Code::ImageUnavailable, what).hint(format!(
        "add images = {{ {image} = \"...\" }} under [sandbox], or exclude the template"
    ))
}

/// The first three template ids, and how many more there are: `a, b, c and 4 more`.
fn in_short(templates: &[String]) -> String {
    const NAMED: usize = 3;
    let named = templates[..templates.len().min(NAMED)].join(", ");
    match templates.len().saturating_sub(NAMED) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}
