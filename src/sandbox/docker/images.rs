//! Images made here: a root of Debian packages, imported under a name that tells what is in
//! it, and marked as ours so that only ours are ever listed as such.

use super::connect::{EngineAddress, Reach};
use super::trouble::{fault, refused};
use bollard::Docker;
use bollard::models::ImageSummary;
use bollard::query_parameters::{CreateImageOptions, ListImagesOptions};
use futures_util::TryStreamExt;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use synthd_actors::model::Fault;
use tokio::process::Command;
use tokio_util::io::ReaderStream;

/// The label of images made here; its value is the recipe.
pub const MADE_HERE: &str = "synthd.image";

/// What an image is made of.
#[derive(Clone, Debug)]
pub struct Recipe {
    pub name: String,
    pub suite: String,
    /// In order, each once.
    pub packages: Vec<String>,
    pub mirror: Option<String>,
}

impl Recipe {
    /// One line that says all that decides the content.
    pub fn text(&self) -> String {
        let mirror = self.mirror.as_deref().unwrap_or("default");
        format!("debian {} from {mirror}: {}", self.suite, self.packages.join(","))
    }

    /// The name with a tag that is another one for another content.
    pub fn reference(&self) -> String {
        let digest = hex::encode(Sha256::digest(self.text()));
        format!("{}:{}", self.name, &digest[..12])
    }
}

/// A container engine's images.
pub struct Images {
    docker: Docker,
    _reach: Reach,
}

impl Images {
    pub async fn connect() -> Result<Self, Fault> {
        let reach = Reach::new(&EngineAddress::from_environment()).await?.negotiated().await?;
        Ok(Self { docker: reach.docker.clone(), _reach: reach })
    }

    pub async fn has(&self, reference: &str) -> Result<bool, Fault> {
        use bollard::errors::Error::DockerResponseServerError;
        match self.docker.inspect_image(reference).await {
            Ok(_) => Ok(true),
            Err(DockerResponseServerError { status_code: 404, .. }) => Ok(false),
            Err(error) => Err(fault("look for an image", &error)),
        }
    }

    pub async fn list(&self) -> Result<Vec<ImageSummary>, Fault> {
        let listed = self.docker.list_images(None::<ListImagesOptions>).await;
        listed.map_err(|error| fault("list images", &error))
    }

    /// Only images made here; how many were removed. One in use stays.
    pub async fn prune(&self, older_than: Duration, now: i64) -> Result<Vec<String>, Fault> {
        let filters = HashMap::from([("label".to_owned(), vec![MADE_HERE.to_owned()])]);
        let options = ListImagesOptions { filters: Some(filters), ..Default::default() };
        let listed = self.docker.list_images(Some(options)).await;
        let listed = listed.map_err(|error| fault("list images", &error))?;
        let limit = now.saturating_sub(i64::try_from(older_than.as_secs()).unwrap_or(i64::MAX));
        let mut removed = Vec::new();
        for image in listed.into_iter().filter(|image| image.created <= limit) {
            // Without force: the engine itself refuses what a container uses.
            let gone = self.docker.remove_image(
                &image.id,
                None::<bollard::query_parameters::RemoveImageOptions>,
                None,
            );
            match gone.await {
                Ok(_) => removed.push(image.repo_tags.first().cloned().unwrap_or(image.id)),
                Err(error) => tracing::info!(image = %image.id, %error, "an image stays"),
            }
        }
        Ok(removed)
    }

    /// Makes an image, telling each line that the package tool says.
    pub async fn build(&self, recipe: &Recipe, log: &Path) -> Result<(), Fault> {
        let file = std::fs::File::create(log)
            .map_err(|error| refused(format!("write {}: {error}", log.display())))?;
        let mut tool = Command::new("mmdebstrap");
        tool.args(["--variant=minbase", &format!("--include={}", recipe.packages.join(","))]);
        tool.arg(&recipe.suite).arg("-").args(&recipe.mirror);
        tool.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(file).kill_on_drop(true);
        let mut child = tool.spawn().map_err(|error| {
            refused(format!("mmdebstrap: {error} (install the package mmdebstrap)"))
        })?;
        let Some(root) = child.stdout.take() else {
            return Err(refused("mmdebstrap has no output"));
        };
        let imported = self.import(recipe, ReaderStream::new(root)).await;
        let ended = child.wait().await.map_err(|error| refused(format!("mmdebstrap: {error}")))?;
        if !ended.success() {
            let why = last_lines(log);
            return Err(refused(format!("mmdebstrap ended with {ended}:\n{why}")));
        }
        imported
    }

    async fn import(
        &self,
        recipe: &Recipe,
        root: ReaderStream<tokio::process::ChildStdout>,
    ) -> Result<(), Fault> {
        let options = CreateImageOptions {
            from_src: Some("-".to_owned()),
            // The tag with the name: so both Docker and Podman take it.
            repo: Some(recipe.reference()),
            changes: vec![format!("LABEL {MADE_HERE}={:?}", recipe.text())],
            ..Default::default()
        };
        let body = bollard::body_try_stream(root);
        let told = self.docker.create_image(Some(options), Some(body), None);
        told.try_for_each(|_| async { Ok(()) })
            .await
            .map_err(|error| fault("import an image", &error))
    }

    /// Gives an image the tag that means the newest one.
    pub async fn tag_latest(&self, recipe: &Recipe) -> Result<(), Fault> {
        let options = bollard::query_parameters::TagImageOptions {
            repo: Some(recipe.name.clone()),
            tag: Some("latest".to_owned()),
        };
        let tagged = self.docker.tag_image(&recipe.reference(), Some(options)).await;
        tagged.map_err(|error| fault("tag an image", &error))
    }
}

fn last_lines(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(8)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_content_is_another_tag() {
        let recipe = |packages: &[&str], suite: &str| Recipe {
            name: "synthd/base".to_owned(),
            suite: suite.to_owned(),
            packages: packages.iter().map(|p| (*p).to_owned()).collect(),
            mirror: None,
        };
        let base = recipe(&["git", "python3"], "bookworm").reference();
        assert_eq!(base, recipe(&["git", "python3"], "bookworm").reference());
        assert_ne!(base, recipe(&["git"], "bookworm").reference());
        assert_ne!(base, recipe(&["git", "python3"], "trixie").reference());
        assert!(base.starts_with("synthd/base:") && base.len() == "synthd/base:".len() + 12);
    }
}
