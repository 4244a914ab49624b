//! Builds images from a Dockerfile. The container engine does the build; synthd sends it the
//! files.
//!
//! The Dockerfile and the files of its context are sent as one tar archive, packed while it is
//! sent. The tag is a digest of all that decides the content: the text of the Dockerfile, the
//! arguments, the target and the context. Credentials for the registries of its base images are
//! sent along.

use super::build_context::BuildContext;
use super::{DockerImages, MADE_HERE, credentials, last_lines, tag_of};
use crate::sandbox::docker::engine_faults::{fault, refused};
use bollard::auth::DockerCredentials;
use bollard::models::BuildInfo;
use bollard::query_parameters::BuildImageOptions;
use futures_util::TryStreamExt;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use synthd_actors::model::Fault;
use tokio_util::io::{ReaderStream, SyncIoBridge};

/// The name of the Dockerfile in the archive. It need not lie in the context, and it must not
/// replace a file there.
const SENT_AS: &str = ".synthd.Dockerfile";
/// The most bytes between the task that packs the files and the connection.
const PIPE: usize = 256 << 10;

/// What such an image is built from. The files were already read once, for the digest.
#[derive(Clone, Debug)]
pub struct DockerfileRecipe {
    pub name: String,
    /// The name of the Dockerfile without its directory, for the label.
    file: String,
    /// The content of the Dockerfile.
    text: String,
    context: Arc<BuildContext>,
    /// Values for `ARG` lines, by name.
    arguments: BTreeMap<String, String>,
    /// The stage at which the build stops. `None` means the last one.
    target: Option<String>,
    /// SHA-256 of text, arguments, target and context.
    digest: Vec<u8>,
}

impl std::fmt::Debug for BuildContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Context")
    }
}

impl DockerfileRecipe {
    /// Reads all that decides the content. Without a `context`, it is the directory of the
    /// Dockerfile. Fails if a file cannot be read.
    pub fn read(
        name: String,
        file: &Path,
        context: Option<PathBuf>,
        arguments: BTreeMap<String, String>,
        target: Option<String>,
    ) -> io::Result<Self> {
        let named =
            |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", file.display()));
        let text = std::fs::read_to_string(file).map_err(named)?;
        let own = || match file.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        let context = Arc::new(BuildContext::read(&context.unwrap_or_else(own))?);
        let mut hasher = Sha256::new();
        // Each part is preceded by its length, so that no two recipes give the same bytes.
        for part in [&text, &format!("{arguments:?}"), &format!("{target:?}")] {
            hasher.update((part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        context.digest_into(&mut hasher)?;
        let digest = hasher.finalize().to_vec();
        let file = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Self { name, file, text, context, arguments, target, digest })
    }

    /// The recipe in one line, such as `Dockerfile sha256:3f0a...`.
    pub fn text(&self) -> String {
        format!("{} sha256:{}", self.file, hex::encode(&self.digest))
    }

    /// The name with a tag that is a digest of the recipe.
    pub fn reference(&self) -> String {
        format!("{}:{}", self.name, tag_of(&self.digest))
    }

    /// The options of the build. Intermediate containers are removed, also after a failure.
    fn options(&self) -> BuildImageOptions {
        let arguments: HashMap<String, String> = self.arguments.clone().into_iter().collect();
        BuildImageOptions {
            dockerfile: SENT_AS.to_owned(),
            t: Some(self.reference()),
            rm: true,
            forcerm: true,
            buildargs: (!arguments.is_empty()).then_some(arguments),
            labels: Some(HashMap::from([(MADE_HERE.to_owned(), self.text())])),
            target: self.target.clone().unwrap_or_default(),
            ..Default::default()
        }
    }

    /// The registries of the base images in `FROM` lines, each once. It is only for finding
    /// credentials: names of earlier stages and variables give harmless extra entries.
    fn registries(&self) -> Vec<&str> {
        let words = self.text.lines().map(|line| line.split_whitespace());
        let mut found: Vec<&str> = words
            .filter_map(|mut words| {
                let from = words.next().is_some_and(|word| word.eq_ignore_ascii_case("from"));
                from.then(|| words.find(|word| !word.starts_with("--"))).flatten()
            })
            .map(credentials::registry_of)
            .collect();
        found.sort_unstable();
        found.dedup();
        found
    }
}

impl DockerImages {
    /// Packs and sends the context, and follows the build. All failures of the build are
    /// `SandboxRefused` with the last lines of the log.
    pub(super) async fn build_dockerfile(
        &self,
        recipe: &DockerfileRecipe,
        log: &Path,
        told: &(dyn Fn(&str) + Sync),
    ) -> Result<(), Fault> {
        let (reader, writer) = tokio::io::duplex(PIPE);
        let (context, text) = (recipe.context.clone(), recipe.text.clone());
        let packing = tokio::task::spawn_blocking(move || {
            context.archive(SENT_AS, &text, SyncIoBridge::new(writer))
        });
        let body = bollard::body_try_stream(ReaderStream::new(reader));
        let built = self.docker.build_image(
            recipe.options(),
            Some(credentials_for(recipe).await?),
            Some(body),
        );
        let built = keep(built, log, told).await;
        let packed = packing.await.map_err(|_| refused("the context could not be packed"))?;
        // A container engine that stops early breaks the pipe of the packer. Then its own message
        // is the cause, and not the broken pipe.
        match (built, packed) {
            (Ok(()), Err(error)) => Err(refused(format!("send the context: {error}"))),
            (built, _) => built,
        }
    }
}

/// The credentials that the user has for the registries of the recipe, by registry.
async fn credentials_for(
    recipe: &DockerfileRecipe,
) -> Result<HashMap<String, DockerCredentials>, Fault> {
    let mut all = HashMap::new();
    for registry in recipe.registries() {
        if let Some(found) = credentials::of(registry).await? {
            all.insert(found.serveraddress.clone().unwrap_or_default(), found);
        }
    }
    Ok(all)
}

/// Follows the messages of a build: writes them to the log, and calls `told` for each line. `Err`
/// has the error, the last lines of the log and a hint, if there is one.
async fn keep(
    built: impl futures_util::Stream<Item = Result<BuildInfo, bollard::errors::Error>>,
    log: &Path,
    told: &(dyn Fn(&str) + Sync),
) -> Result<(), Fault> {
    let unwritten = |error: io::Error| refused(format!("write {}: {error}", log.display()));
    let mut file = File::create(log).map_err(unwritten)?;
    let mut built = std::pin::pin!(built);
    let ended = loop {
        let news = match built.try_next().await {
            Ok(Some(news)) => news,
            Ok(None) => break Ok(()),
            Err(error) => break Err(fault("build an image", &error)),
        };
        if let Some(why) = news.error_detail.and_then(|detail| detail.message) {
            break Err(refused(why));
        }
        let text = news.stream.or_else(|| news.status.map(|status| status + "\n"));
        let text = text.unwrap_or_default();
        file.write_all(text.as_bytes()).map_err(unwritten)?;
        text.lines().for_each(told);
    };
    // Whatever kind the error has, it is refused here: the log tells the user what to change, and
    // a retry would not help.
    ended
        .map_err(|fault| refused(format!("{}\n{}{}", fault.message, last_lines(log), hint(&fault))))
}

/// Advice for errors with a known cause. The API that synthd uses has no BuildKit.
fn hint(fault: &Fault) -> &'static str {
    if fault.message.contains("BuildKit") {
        "\n(build it with `docker buildx build`, and use its name as it is)"
    } else {
        ""
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipe(text: &str, arguments: &[(&str, &str)]) -> DockerfileRecipe {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("Dockerfile");
        std::fs::write(&file, text).unwrap();
        let arguments =
            arguments.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        DockerfileRecipe::read("a".to_owned(), &file, None, arguments.collect(), None).unwrap()
    }

    #[test]
    fn another_text_or_argument_is_another_tag() {
        let plain = recipe("FROM x", &[]).reference();
        assert_eq!(plain, recipe("FROM x", &[]).reference());
        assert_ne!(plain, recipe("FROM y", &[]).reference());
        assert_ne!(plain, recipe("FROM x", &[("A", "1")]).reference());
    }

    #[test]
    fn registries_are_those_it_begins_from() {
        let text = "FROM --platform=linux/amd64 ghcr.io/a/b AS one\nRUN echo FROM x.io/y\n\
                    from debian:12\n";
        assert_eq!(recipe(text, &[]).registries(), ["docker.io", "ghcr.io"]);
    }
}
