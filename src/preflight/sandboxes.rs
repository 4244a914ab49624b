//! What a campaign's sandboxes need of the host: enforcement, an engine, images.

use super::{PreflightReport, PullListener};
use crate::engine::{check_enforcement, ensure_image};
use crate::error::{Code, Error, Result};
use crate::sandbox::SandboxBackends;
use std::collections::BTreeMap;
use synthd_actors::model::{CampaignConfig, CampaignRecord, ImagePullPolicy, SandboxSpec};
use synthd_actors::task::Catalog;

pub(super) struct SandboxPreflight<'a> {
    pub(super) config: &'a CampaignConfig,
    pub(super) known: Option<&'a CampaignRecord>,
    pub(super) backends: &'a SandboxBackends,
    /// None where nothing is to be pulled.
    pub(super) told: Option<PullListener<'a>>,
}

impl SandboxPreflight<'_> {
    /// Every sandbox that a selected template wants must be one this host can make. The digests
    /// of their images: what the campaign was begun with, it goes on with.
    pub(super) async fn look(&self, catalog: &Catalog, survey: &mut PreflightReport) {
        let wanted = self.wanted(catalog);
        if let Some(templates) = wanted.values().next()
            && let Err(error) = check_enforcement(self.backends, &self.config.sandbox).await
        {
            // Without it no image can be looked at either.
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

    /// Logical names of images, with the templates that want each.
    fn wanted(&self, catalog: &Catalog) -> BTreeMap<String, Vec<String>> {
        let tasks = &self.config.tasks;
        let mut wanted: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for template in catalog.select(&tasks.templates, &tasks.exclude) {
            wanted.entry(template.environment.image.clone()).or_default().push(template.id.clone());
        }
        wanted
    }

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

    /// Whether the image is only missing because nothing is pulled now.
    fn would_be_pulled(&self, spec: &SandboxSpec, error: &Error) -> bool {
        let pulls = self.told.is_none() && self.config.pull != ImagePullPolicy::Never;
        pulls && spec.digest.is_none() && error.code() == Code::ImageUnavailable
    }
}

enum ImagePresence {
    /// With its name and digest, where it has one.
    Here(Option<(String, String)>),
    Later(String),
}

fn stands_for_nothing(image: &str, templates: &str) -> Error {
    let what = format!("[sandbox] names no image for {image}, which {templates} needs");
    Error::new(Code::ImageUnavailable, what).hint(format!(
        "add images = {{ {image} = \"...\" }} under [sandbox], or exclude the template"
    ))
}

fn in_short(templates: &[String]) -> String {
    const NAMED: usize = 3;
    let named = templates[..templates.len().min(NAMED)].join(", ");
    match templates.len().saturating_sub(NAMED) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}
