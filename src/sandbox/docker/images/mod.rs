//! A container engine's images: made here out of packages or of a Dockerfile, or pulled from
//! a registry. What was made here is marked as ours, so that only ours are ever pruned.
//!
//! ```text
//!  packages ──► mmdebstrap ──► import ─┐
//!  Dockerfile, context ──────► build ──┼─► an image, named by what is in it ──► pruned
//!  registry ─────────────────► pull ───┘                                (only what was made here)
//! ```

mod build_context;
mod credentials;
mod debian;
mod dockerfile;
mod prune;
mod pull;

pub use debian::DebianRecipe;
pub use dockerfile::DockerfileRecipe;
pub use prune::PruneLimit;
pub use pull::PullProgress;

use super::connection::{DockerAddress, DockerConnection};
use super::engine_faults::fault;
use bollard::Docker;
use bollard::errors::Error::DockerResponseServerError;
use bollard::models::ImageSummary;
use bollard::query_parameters::{ListImagesOptions, TagImageOptions};
use std::path::Path;
use synthd_actors::model::Fault;

/// The label of images made here; its value is the recipe.
pub const MADE_HERE: &str = "synthd.image";

/// What an image can be made of.
#[derive(Clone, Debug)]
pub enum ImageRecipe {
    Debian(DebianRecipe),
    Dockerfile(DockerfileRecipe),
}

impl ImageRecipe {
    /// One line that says what decides the content.
    pub fn text(&self) -> String {
        match self {
            Self::Debian(recipe) => recipe.text(),
            Self::Dockerfile(recipe) => recipe.text(),
        }
    }

    /// The name with a tag that is another one for another content.
    pub fn reference(&self) -> String {
        match self {
            Self::Debian(recipe) => recipe.reference(),
            Self::Dockerfile(recipe) => recipe.reference(),
        }
    }

    pub fn name(&self) -> &str {
        match self {
            Self::Debian(recipe) => &recipe.name,
            Self::Dockerfile(recipe) => &recipe.name,
        }
    }
}

/// A container engine's images.
pub struct DockerImages {
    docker: Docker,
    _reach: Option<DockerConnection>,
}

impl DockerImages {
    pub async fn connect() -> Result<Self, Fault> {
        Self::connect_to(&DockerAddress::from_environment()).await
    }

    pub async fn connect_to(engine: &DockerAddress) -> Result<Self, Fault> {
        let reach = DockerConnection::new(engine).await?.negotiated().await?;
        Ok(Self { docker: reach.docker.clone(), _reach: Some(reach) })
    }

    /// Those of an engine that somebody else keeps a way to.
    pub(super) fn of(docker: &Docker) -> Self {
        Self { docker: docker.clone(), _reach: None }
    }

    pub async fn has(&self, reference: &str) -> Result<bool, Fault> {
        match self.docker.inspect_image(reference).await {
            Ok(_) => Ok(true),
            Err(DockerResponseServerError { status_code: 404, .. }) => Ok(false),
            Err(error) => Err(fault("look for an image", &error)),
        }
    }

    /// What tells it from every other image.
    pub async fn digest(&self, reference: &str) -> Result<String, Fault> {
        let found = self.docker.inspect_image(reference).await;
        let found = found.map_err(|error| fault(&format!("find image {reference}"), &error))?;
        Ok(found.id.unwrap_or_default())
    }

    pub async fn list(&self) -> Result<Vec<ImageSummary>, Fault> {
        let listed = self.docker.list_images(None::<ListImagesOptions>).await;
        listed.map_err(|error| fault("list images", &error))
    }

    /// Makes an image; all output goes to `log`, and each line is told.
    pub async fn build(
        &self,
        recipe: &ImageRecipe,
        log: &Path,
        told: &dyn Fn(&str),
    ) -> Result<(), Fault> {
        match recipe {
            ImageRecipe::Debian(recipe) => self.build_debian(recipe, log, told).await,
            ImageRecipe::Dockerfile(recipe) => self.build_dockerfile(recipe, log, told).await,
        }
    }

    /// Gives an image the tag that means the newest one.
    pub async fn tag_latest(&self, recipe: &ImageRecipe) -> Result<(), Fault> {
        let options = TagImageOptions {
            repo: Some(recipe.name().to_owned()),
            tag: Some("latest".to_owned()),
        };
        let tagged = self.docker.tag_image(&recipe.reference(), Some(options)).await;
        tagged.map_err(|error| fault("tag an image", &error))
    }
}

/// A tag that says what is in an image.
fn tag_of(digest: &[u8]) -> String {
    hex::encode(digest)[..12].to_owned()
}

/// What a tool said last, which is mostly why it failed.
fn last_lines(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(8)..].join("\n")
}
