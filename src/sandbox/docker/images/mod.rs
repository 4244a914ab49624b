//! The images of a container engine: built here from Debian packages or a Dockerfile, or pulled
//! from a registry.
//!
//! ```text
//!  packages ──► mmdebstrap ──► import ─┐
//!  Dockerfile, context ──────► build ──┼─► an image with a tag ──► pruned
//!  registry ─────────────────► pull ───┘                       (only what was built here)
//! ```
//! The commands `synthd image ...` use it, and the container backend pulls images through it. An
//! image that is built here gets two things: a tag that is a digest of its recipe, so the same
//! recipe is built only once, and the label [`MADE_HERE`], so that `prune` never removes the
//! images of others.

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

/// The label of images that synthd built. Its value is the recipe; see [`ImageRecipe::text`].
pub const MADE_HERE: &str = "synthd.image";

/// What an image is built from. (A dataset recipe is something else.)
#[derive(Clone, Debug)]
pub enum ImageRecipe {
    Debian(DebianRecipe),
    Dockerfile(DockerfileRecipe),
}

impl ImageRecipe {
    /// One line that states what decides the content of the image. It becomes the label's value.
    pub fn text(&self) -> String {
        match self {
            Self::Debian(recipe) => recipe.text(),
            Self::Dockerfile(recipe) => recipe.text(),
        }
    }

    /// The name with a tag, such as `synthd/base:3f0a9c1b2d4e`. Another recipe has another tag.
    pub fn reference(&self) -> String {
        match self {
            Self::Debian(recipe) => recipe.reference(),
            Self::Dockerfile(recipe) => recipe.reference(),
        }
    }

    /// The name without a tag, such as `synthd/base`.
    pub fn name(&self) -> &str {
        match self {
            Self::Debian(recipe) => &recipe.name,
            Self::Dockerfile(recipe) => &recipe.name,
        }
    }
}

/// Requests about the images of one container engine.
pub struct DockerImages {
    docker: Docker,
    /// The connection, if this value opened one itself. It keeps an SSH forward alive.
    _reach: Option<DockerConnection>,
}

impl DockerImages {
    /// Connects to the container engine that the environment names.
    pub async fn connect() -> Result<Self, Fault> {
        Self::connect_to(&DockerAddress::from_environment()).await
    }

    /// Connects to the container engine at the address, and agrees on an API version with it.
    pub async fn connect_to(engine: &DockerAddress) -> Result<Self, Fault> {
        let reach = DockerConnection::new(engine).await?.negotiated().await?;
        Ok(Self { docker: reach.docker.clone(), _reach: Some(reach) })
    }

    /// Uses a connection that somebody else keeps open.
    pub(super) fn of(docker: &Docker) -> Self {
        Self { docker: docker.clone(), _reach: None }
    }

    /// Whether the container engine has an image of this name.
    pub async fn has(&self, reference: &str) -> Result<bool, Fault> {
        match self.docker.inspect_image(reference).await {
            Ok(_) => Ok(true),
            Err(DockerResponseServerError { status_code: 404, .. }) => Ok(false),
            Err(error) => Err(fault("look for an image", &error)),
        }
    }

    /// The id of the image, such as `sha256:9f2c...`. An unknown name is an error.
    pub async fn digest(&self, reference: &str) -> Result<String, Fault> {
        let found = self.docker.inspect_image(reference).await;
        let found = found.map_err(|error| fault(&format!("find image {reference}"), &error))?;
        Ok(found.id.unwrap_or_default())
    }

    /// All images of the container engine, whoever made them.
    pub async fn list(&self) -> Result<Vec<ImageSummary>, Fault> {
        let listed = self.docker.list_images(None::<ListImagesOptions>).await;
        listed.map_err(|error| fault("list images", &error))
    }

    /// Builds an image. All output goes to the file `log`, and `told` is called for each line. On
    /// a failure, the message has the last lines of the log.
    pub async fn build(
        &self,
        recipe: &ImageRecipe,
        log: &Path,
        told: &(dyn Fn(&str) + Sync),
    ) -> Result<(), Fault> {
        match recipe {
            ImageRecipe::Debian(recipe) => self.build_debian(recipe, log, told).await,
            ImageRecipe::Dockerfile(recipe) => self.build_dockerfile(recipe, log, told).await,
        }
    }

    /// Gives the built image the tag `latest` as well, so that users can name it without a
    /// digest.
    pub async fn tag_latest(&self, recipe: &ImageRecipe) -> Result<(), Fault> {
        let options = TagImageOptions {
            repo: Some(recipe.name().to_owned()),
            tag: Some("latest".to_owned()),
        };
        let tagged = self.docker.tag_image(&recipe.reference(), Some(options)).await;
        tagged.map_err(|error| fault("tag an image", &error))
    }
}

/// The tag for a recipe: the first 12 hexadecimal digits of its digest.
fn tag_of(digest: &[u8]) -> String {
    hex::encode(digest)[..12].to_owned()
}

/// The last eight lines of a log. They mostly say why a tool failed. Empty if there is no log.
fn last_lines(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(8)..].join("\n")
}
