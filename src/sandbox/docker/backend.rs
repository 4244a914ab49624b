//! The engine's side of a container engine: connects when a sandbox is first asked for, makes
//! containers, and finds what dead owners left.

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

/// For the removal of everything that was dropped.
const SETTLING: Duration = Duration::from_secs(60);

#[derive(Clone, Debug)]
pub struct DockerSettings {
    /// Where the guest is laid out for an engine that sees this host's files.
    pub guest_dir: PathBuf,
    pub engine: DockerAddress,
}

/// Sandboxes in containers.
pub struct DockerBackend {
    settings: DockerSettings,
    connected: OnceCell<Arc<DockerEngine>>,
}

impl DockerBackend {
    /// Nothing is asked of the engine before the first sandbox is.
    pub fn new(settings: DockerSettings) -> Self {
        Self { settings, connected: OnceCell::new() }
    }

    pub async fn host_facts(&self) -> Result<HostFacts, Fault> {
        let connected = self.connected().await?;
        Ok(facts::of(&connected.info, connected.caps_inodes, connected.swept))
    }

    /// Brings an image to the engine, if it is wanted.
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

    /// Whether the engine has what the specification names: its image, its runtime. The
    /// image's digest.
    pub async fn check(&self, spec: &SandboxSpec) -> Result<String, Fault> {
        let connected = self.connected().await?;
        let image = connected.look_up_for(spec).await?;
        connected.has_memory_for(spec, &image)?;
        if let Some(runtime) = &spec.runtime {
            connected.has_runtime(runtime).await?;
        }
        Ok(image.digest)
    }

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
        let (stream, keeper, _expected) =
            connected.clone().bring_up(spec.clone(), image.clone()).await?;
        let fingerprint = connected.fingerprint(spec, &image);
        Ok(Box::new(GuestSandbox::connect(stream, keeper, spec, fingerprint).await?))
    }

    async fn sweep(&self) -> Result<u32, Fault> {
        // One that was never asked for is not asked for this either.
        let Some(connected) = self.connected.get() else { return Ok(0) };
        Ok(sweep(connected.docker(), Some(&connected.remover.ours)).await)
    }

    async fn settle(&self) -> Result<(), Fault> {
        let Some(connected) = self.connected.get() else { return Ok(()) };
        let ours = &connected.remover.ours;
        let settled = timeout(SETTLING, ours.empty()).await;
        settled.map_err(|_| timeout_fault("remove dropped containers"))?;
        if ours.outages() > 0 {
            // What it was asked for when it went away, it may have made all the same.
            sweep(connected.docker(), Some(ours)).await;
        }
        Ok(())
    }
}
