//! The container backend: implements `SandboxBackend` with containers of Docker or Podman.
//!
//! It connects to the container engine when a sandbox is first asked for, and keeps that one
//! connection. `SandboxBackends` calls it. A failed connection is not kept: the next call tries
//! again. The work itself is in `engine.rs`.

use super::connection::DockerAddress;
use super::container_remover::sweep;
use super::engine::DockerEngine;
use super::engine_faults::timeout_fault;
use super::facts;
use super::images::{DockerImages, PullProgress};
use crate::sandbox::HostFacts;
use crate::sandbox::guest::GuestSandbox;
use async_trait::async_trait;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use synthd_actors::model::{Fault, ImagePullPolicy, SandboxSpec};
use synthd_actors::ports::{Sandbox, SandboxBackend};
use tokio::sync::OnceCell;
use tokio::time::timeout;

/// The time limit for the removal of all dropped containers, when synthd comes to rest.
const SETTLING: Duration = Duration::from_secs(60);

/// What the container backend needs to know before it connects.
#[derive(Clone, Debug)]
pub struct DockerSettings {
    /// The directory for the guest program and the seccomp profile, if the container engine sees
    /// the files of this host.
    pub guest_dir: PathBuf,
    /// How the container engine is reached.
    pub engine: DockerAddress,
}

/// The container backend of this process.
pub struct DockerBackend {
    settings: DockerSettings,
    /// Set by the first successful connection.
    connected: OnceCell<Arc<DockerEngine>>,
}

impl DockerBackend {
    /// Connects to nothing: the container engine is first contacted when a sandbox is asked for.
    pub fn new(settings: DockerSettings) -> Self {
        Self { settings, connected: OnceCell::new() }
    }

    /// What the container engine enforces, as it said when it was connected. `Err` means that it
    /// cannot be reached or is too old.
    pub async fn host_facts(&self) -> Result<HostFacts, Fault> {
        let connected = self.connected().await?;
        Ok(facts::of(&connected.info, connected.caps_inodes, connected.swept))
    }

    /// Pulls an image to the container engine, if the pull policy asks for it. `told` is called
    /// at each step of the pull.
    pub async fn fetch(
        &self,
        image: &str,
        pull: ImagePullPolicy,
        told: &(dyn Fn(&PullProgress) + Send + Sync),
    ) -> Result<(), Fault> {
        let images = DockerImages::of(self.connected().await?.docker());
        let wanted = match pull {
            ImagePullPolicy::Never => false,
            ImagePullPolicy::Missing => !images.has(image).await?,
            ImagePullPolicy::Always => true,
        };
        if wanted { images.pull(image, told).await } else { Ok(()) }
    }

    /// Checks that the container engine has what the specification names: the image, memory
    /// enough, and the runtime. Returns the digest of the image. `SandboxRefused` says what is
    /// missing.
    pub async fn check(&self, spec: &SandboxSpec) -> Result<String, Fault> {
        let connected = self.connected().await?;
        let image = connected.look_up_for(spec).await?;
        connected.has_memory_for(spec, &image)?;
        if let Some(runtime) = &spec.runtime {
            connected.has_runtime(runtime).await?;
        }
        Ok(image.digest)
    }

    /// The connected container engine. Callers at the same time share one attempt to connect.
    async fn connected(&self) -> Result<&Arc<DockerEngine>, Fault> {
        let connect = || async { DockerEngine::new(&self.settings).await.map(Arc::new) };
        self.connected.get_or_try_init(connect).await
    }
}

#[async_trait]
impl SandboxBackend for DockerBackend {
    fn name(&self) -> &'static str {
        "docker"
    }

    async fn create(&self, spec: &SandboxSpec) -> Result<Box<dyn Sandbox>, Fault> {
        let connected = self.connected().await?;
        let image = connected.image(spec).await?;
        // `_expected` lives to the end of this function. Until then, the container counts as
        // being created, and `settle` waits.
        let (stream, guard, _expected) =
            connected.clone().bring_up(spec.clone(), image.clone()).await?;
        let fingerprint = connected.fingerprint(spec, &image);
        Ok(Box::new(GuestSandbox::connect(stream, guard, spec, fingerprint).await?))
    }

    async fn sweep(&self) -> Result<u32, Fault> {
        // A container engine that no sandbox was asked of is not contacted for this either.
        let Some(connected) = self.connected.get() else { return Ok(0) };
        Ok(sweep(connected.docker(), Some(&connected.remover.ours)).await)
    }

    async fn settle(&self) -> Result<(), Fault> {
        // Without a connection, this process has made no container.
        let Some(connected) = self.connected.get() else { return Ok(()) };
        let ours = &connected.remover.ours;
        let settled = timeout(SETTLING, ours.empty()).await;
        settled.map_err(|_| timeout_fault("remove dropped containers"))?;
        if ours.outages() > 0 {
            // A container engine that went away during a request may have made the container
            // nevertheless. Nobody knows its id, so it is found by its labels.
            sweep(connected.docker(), Some(ours)).await;
        }
        Ok(())
    }
}
