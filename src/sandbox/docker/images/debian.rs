//! Images of Debian packages: a root made by mmdebstrap and imported, without a registry.

use super::{Images, MADE_HERE, last_lines, tag_of};
use crate::sandbox::docker::trouble::{fault, refused};
use bollard::query_parameters::{CreateImageOptions, RemoveImageOptions};
use futures_util::TryStreamExt;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use synthd_actors::model::Fault;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{ChildStderr, ChildStdout, Command};
use tokio_util::io::ReaderStream;

/// What an image of packages is made of.
#[derive(Clone, Debug)]
pub struct Debian {
    pub name: String,
    pub suite: String,
    /// In order, each once.
    pub packages: Vec<String>,
    pub mirror: Option<String>,
}

impl Debian {
    pub fn text(&self) -> String {
        let mirror = self.mirror.as_deref().unwrap_or("default");
        format!("debian {} from {mirror}: {}", self.suite, self.packages.join(","))
    }

    pub fn reference(&self) -> String {
        format!("{}:{}", self.name, tag_of(&Sha256::digest(self.text())))
    }
}

impl Images {
    pub(super) async fn build_debian(
        &self,
        recipe: &Debian,
        log: &Path,
        told: &dyn Fn(&str),
    ) -> Result<(), Fault> {
        let mut tool = Command::new("mmdebstrap");
        tool.args(["--variant=minbase", &format!("--include={}", recipe.packages.join(","))]);
        tool.arg(&recipe.suite).arg("-").args(&recipe.mirror);
        tool.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = tool.spawn().map_err(|error| {
            refused(format!("mmdebstrap: {error} (install the package mmdebstrap)"))
        })?;
        let (Some(root), Some(words)) = (child.stdout.take(), child.stderr.take()) else {
            return Err(refused("mmdebstrap has no output"));
        };
        let imported = self.import(recipe, ReaderStream::new(root));
        let (imported, kept) = tokio::join!(imported, keep(words, log, told));
        kept.map_err(|error| refused(format!("write {}: {error}", log.display())))?;
        let ended = child.wait().await.map_err(|error| refused(format!("mmdebstrap: {error}")))?;
        if !ended.success() {
            // The engine has taken what came for a whole root.
            let options = None::<RemoveImageOptions>;
            self.docker.remove_image(&recipe.reference(), options, None).await.ok();
            let why = last_lines(log);
            return Err(refused(format!("mmdebstrap ended with {ended}:\n{why}")));
        }
        imported
    }

    async fn import(&self, recipe: &Debian, root: ReaderStream<ChildStdout>) -> Result<(), Fault> {
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
}

async fn keep(words: ChildStderr, log: &Path, told: &dyn Fn(&str)) -> std::io::Result<()> {
    let mut file = File::create(log)?;
    let mut lines = BufReader::new(words).split(b'\n');
    while let Some(line) = lines.next_segment().await? {
        file.write_all(&line)?;
        file.write_all(b"\n")?;
        told(&String::from_utf8_lossy(&line));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_content_is_another_tag() {
        let recipe = |packages: &[&str], suite: &str| Debian {
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
