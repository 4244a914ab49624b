//! Pulls images from registries, with retries.
//!
//! ```text
//!  asked ─► layers arrive ─► pulled
//!    ▲          │
//!    └─ waits ◄─┴─ failed in a way that may pass ─► failed for good after four attempts
//! ```
//! The container engine does the pull and keeps the layers that have arrived, so a retry
//! continues where the last one stopped. Errors that no retry can change (denied, not found) end
//! the pull at once.

use super::{DockerImages, credentials};
use crate::sandbox::docker::engine_faults::{fault, refused};
use bollard::errors::Error;
use bollard::models::CreateImageInfo;
use bollard::query_parameters::CreateImageOptions;
use futures_util::StreamExt;
use std::collections::HashMap;
use std::fmt;
use std::time::Duration;
use synthd_actors::model::{Fault, FaultKind};
use tokio::time::{sleep, timeout};

/// The most attempts of one pull.
const ATTEMPTS: u32 = 4;
/// The wait before the second attempt. Each later wait is twice as long.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// The longest time without a message from the container engine.
const SILENCE: Duration = Duration::from_secs(300);
/// Phrases of errors that no later attempt would change. Container engines report the cause only
/// as text.
const FINAL: [&str; 8] = [
    "denied",
    "unauthorized",
    "authentication required",
    "no basic auth credentials",
    "manifest unknown",
    "no matching manifest",
    "not found",
    "invalid reference",
];

/// How far a pull is. Its text is such as `pulling debian:12: 3 of 48 MiB`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PullProgress {
    /// The name of the image, as it was asked for.
    pub reference: String,
    /// Bytes that have arrived.
    pub bytes: u64,
    /// Bytes of all layers that are known so far. It grows while layers are announced.
    pub of: u64,
    /// For each layer, by its id: bytes that have arrived, and bytes in all.
    layers: HashMap<String, (u64, u64)>,
}

impl fmt::Display for PullProgress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pulling {}", self.reference)?;
        if self.of > 0 {
            write!(f, ": {} of {} MiB", self.bytes >> 20, self.of.div_ceil(1 << 20))?;
        }
        Ok(())
    }
}

impl PullProgress {
    /// Takes in one message of the container engine. Messages without an id or without plausible
    /// numbers change nothing.
    fn hear(&mut self, news: &CreateImageInfo) {
        let (Some(id), Some(detail)) = (&news.id, &news.progress_detail) else { return };
        let number = |said: Option<i64>| said.and_then(|n| u64::try_from(n).ok());
        let (Some(current), Some(total)) = (number(detail.current), number(detail.total)) else {
            return;
        };
        // When a layer is unpacked, its numbers start at zero again. It has arrived in full by
        // then.
        let layer = self.layers.entry(id.clone()).or_default();
        if news.status.as_deref() == Some("Downloading") {
            *layer = (current.min(total), total);
        } else {
            layer.0 = layer.1;
        }
        self.bytes = self.layers.values().map(|layer| layer.0).sum();
        self.of = self.layers.values().map(|layer| layer.1).sum();
    }
}

impl DockerImages {
    /// Pulls the image in the version that the registry has now, even if the engine has one of
    /// this name. `told` is called at each step. `SandboxRefused` means that the image cannot be
    /// had; `EngineDown` that the container engine does not answer.
    pub async fn pull(
        &self,
        reference: &str,
        told: &(dyn Fn(&PullProgress) + Send + Sync),
    ) -> Result<(), Fault> {
        let mut wait = FIRST_WAIT;
        for attempt in 1.. {
            match self.try_pull(reference, told).await {
                Err(fault) if attempt < ATTEMPTS && fault.kind != FaultKind::SandboxRefused => {
                    tracing::info!(%fault, "pulling again in {} s", wait.as_secs());
                    sleep(wait).await;
                    wait *= 2;
                }
                // The container engine was reached, and no attempt succeeded: the image cannot be
                // had. This is no failure of a sandbox, so it becomes a refusal.
                Err(fault) if fault.kind == FaultKind::SandboxStart => {
                    return Err(refused(fault.message));
                }
                ended => return ended,
            }
        }
        Ok(())
    }

    /// One attempt. A retriable failure is `SandboxStart` or `EngineDown`.
    async fn try_pull(
        &self,
        reference: &str,
        told: &(dyn Fn(&PullProgress) + Send + Sync),
    ) -> Result<(), Fault> {
        let registry = credentials::registry_of(reference);
        let credentials = credentials::of(registry).await?;
        let known = credentials.is_some();
        let options =
            CreateImageOptions { from_image: Some(with_tag(reference)), ..Default::default() };
        let mut news = self.docker.create_image(Some(options), None, credentials);
        let mut pulled =
            PullProgress { reference: reference.to_owned(), ..PullProgress::default() };
        told(&pulled);
        loop {
            let Ok(item) = timeout(SILENCE, news.next()).await else {
                let why = format!("pull {reference}: the engine says nothing any more");
                return Err(Fault::new(FaultKind::SandboxStart, why));
            };
            match item {
                None => return Ok(()),
                Some(Ok(item)) => {
                    pulled.hear(&item);
                    told(&pulled);
                }
                Some(Err(error)) => return Err(failure(reference, registry, known, &error)),
            }
        }
    }
}

/// The fault of a failed attempt. `known` says whether credentials were sent. Phrases in
/// [`FINAL`] make it a refusal, unless the registry denied credentials that were sent. Everything
/// else may be tried again.
fn failure(reference: &str, registry: &str, known: bool, error: &Error) -> Fault {
    let said = fault(&format!("pull {reference}"), error);
    let text = said.message.to_lowercase();
    if !FINAL.iter().any(|word| text.contains(word)) {
        // The status code does not matter here: the engine also uses 404 for errors of the
        // network.
        let kind = match said.kind {
            FaultKind::SandboxRefused => FaultKind::SandboxStart,
            other => other,
        };
        return Fault::new(kind, said.message);
    }
    let denied = ["denied", "unauthorized", "authentication required", "basic auth"];
    match denied.iter().any(|word| text.contains(word)) {
        // Retried, although it looks final: an engine that lost its first connection to the
        // registry may not have shown the credentials, and reports the same error.
        true if known => {
            let hint = " (the registry does not take the credentials of `docker login`)";
            Fault::new(FaultKind::SandboxStart, said.message + hint)
        }
        true => refused(format!("{} (log in first: docker login {registry})", said.message)),
        false => refused(said.message),
    }
}

/// The reference with the tag `latest`, if it has neither a tag nor a digest. Without one, the
/// engine would pull all tags of the name.
fn with_tag(reference: &str) -> String {
    let name = reference.rsplit('/').next().unwrap_or(reference);
    if name.contains([':', '@']) { reference.to_owned() } else { format!("{reference}:latest") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bollard::models::ProgressDetail;

    #[test]
    fn a_name_without_a_tag_is_the_latest() {
        assert_eq!(with_tag("debian"), "debian:latest");
        assert_eq!(with_tag("registry:5000/a/b"), "registry:5000/a/b:latest");
        assert_eq!(with_tag("registry:5000/a/b:1"), "registry:5000/a/b:1");
        assert_eq!(with_tag("a@sha256:00"), "a@sha256:00");
    }

    #[test]
    fn layers_are_added_up_and_unpacking_counts_as_arrived() {
        let news = |id: &str, status: &str, current, total| CreateImageInfo {
            id: Some(id.to_owned()),
            status: Some(status.to_owned()),
            progress_detail: Some(ProgressDetail { current: Some(current), total: Some(total) }),
            ..Default::default()
        };
        let mut pulled = PullProgress { reference: "a".to_owned(), ..PullProgress::default() };
        assert_eq!(pulled.to_string(), "pulling a");
        pulled.hear(&news("1", "Downloading", 1 << 20, 4 << 20));
        pulled.hear(&news("2", "Downloading", 2 << 20, 2 << 20));
        assert_eq!(pulled.to_string(), "pulling a: 3 of 6 MiB");
        pulled.hear(&news("1", "Extracting", 1, 4 << 20));
        assert_eq!(pulled.to_string(), "pulling a: 6 of 6 MiB");
        pulled.hear(&news("1", "Downloading", -1, 3));
        assert_eq!(pulled.to_string(), "pulling a: 6 of 6 MiB");
    }

    #[test]
    fn what_may_pass_is_told_from_what_will_not() {
        let kind = |status_code: u16, message: &str| {
            let message = message.to_owned();
            let error = Error::DockerResponseServerError { status_code, message };
            failure("a", "r", false, &error)
        };
        let passing = [(500, "Get https://r/v2/: net/http: TLS handshake timeout"), (404, "EOF")];
        for (status, message) in passing {
            assert_eq!(kind(status, message).kind, FaultKind::SandboxStart, "{message}");
        }
        let denied = kind(500, "Head https://r/v2: no basic auth credentials");
        assert_eq!(denied.kind, FaultKind::SandboxRefused);
        assert!(denied.message.contains("docker login r"), "{}", denied.message);
        let unknown = kind(404, "manifest for a:1 not found: manifest unknown");
        assert_eq!(unknown.kind, FaultKind::SandboxRefused);
    }
}
