//! The engine's side of a container engine: connects, makes containers, and finds what dead
//! owners left.

use super::body::{self, Parts};
use super::facts;
use super::keeper::{ContainerKeeper, Remover, sweep_dead};
use super::owner::Owner;
use super::program::lay_out;
use super::stream::{self, GuestStream};
use super::trouble::{explain, fault, late, refused};
use crate::sandbox::HostFacts;
use crate::sandbox::guest::{GuestSandbox, LINKAGE, with_limits};
use async_trait::async_trait;
use bollard::Docker;
use bollard::errors::Error;
use bollard::models::SystemInfo;
use bollard::query_parameters::{AttachContainerOptions, CreateContainerOptions};
use std::collections::BTreeMap;
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use synthd_actors::model::{Fault, FaultKind, Fingerprint, SandboxSpec};
use synthd_actors::ports::{Sandbox, SandboxBackend};
use synthd_actors::supervisor::{panic_text, spawn};
use tokio::sync::OnceCell;
use tokio::time::timeout;

/// For one request to the engine.
const PATIENCE: Duration = Duration::from_secs(30);
/// For the removal of everything that was dropped.
const SETTLING: Duration = Duration::from_secs(60);

#[derive(Clone, Debug)]
pub struct DockerSettings {
    /// Where the guest is laid out for containers to be shown; must be a path of the
    /// engine's host.
    pub guest_dir: PathBuf,
}

/// Sandboxes in containers.
pub struct DockerBackend {
    settings: DockerSettings,
    connected: OnceCell<Arc<Connected>>,
}

struct Connected {
    docker: Docker,
    remover: Remover,
    info: SystemInfo,
    caps_inodes: bool,
    guest: PathBuf,
    owner: Owner,
    swept: u32,
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

    /// Whether the engine has what the specification names: its image, its runtime.
    pub async fn check(&self, spec: &SandboxSpec) -> Result<(), Fault> {
        let connected = self.connected().await?;
        connected.image(&spec.image).await?;
        let known = connected.info.runtimes.iter().flatten();
        let mut runtimes: Vec<&str> = known.map(|(name, _)| name.as_str()).collect();
        runtimes.sort_unstable();
        match spec.runtime.as_deref() {
            Some(name) if !runtimes.contains(&name) => Err(refused(format!(
                "the engine has no runtime {name:?}; it has {}",
                runtimes.join(", ")
            ))),
            _ => Ok(()),
        }
    }

    async fn connected(&self) -> Result<&Arc<Connected>, Fault> {
        let connect = || async { Connected::new(&self.settings).await.map(Arc::new) };
        self.connected.get_or_try_init(connect).await
    }
}

/// Waits for the engine, but not for ever.
async fn ask<T>(doing: &str, asked: impl Future<Output = Result<T, Error>>) -> Result<T, Fault> {
    match timeout(PATIENCE, asked).await {
        Ok(answer) => answer.map_err(|error| fault(doing, &error)),
        Err(_) => Err(late(doing)),
    }
}

impl Connected {
    async fn new(settings: &DockerSettings) -> Result<Self, Fault> {
        if LINKAGE != "static" {
            return Err(refused("the guest is linked dynamically and works in no container"));
        }
        let docker = Docker::connect_with_defaults()
            .map_err(|error| refused(format!("no container engine: {}", explain(&error))))?;
        let docker = ask("reach the container engine", docker.negotiate_version()).await?;
        let info = ask("ask the container engine", docker.info()).await?;
        let version = ask("ask the container engine's version", docker.version()).await?;
        let parts = version.components.iter().flatten();
        let caps_inodes = !parts.into_iter().any(|part| part.name.starts_with("Podman"));
        let guest = lay_out(&settings.guest_dir).map_err(|error| {
            Fault::new(FaultKind::SandboxStart, format!("lay out the guest: {error}"))
        })?;
        let swept = sweep_dead(&docker).await;
        let remover = Remover::start(docker.clone());
        Ok(Self { docker, remover, info, caps_inodes, guest, owner: Owner::this(), swept })
    }

    /// The digest of an image, which must be of this engine's kind of machine.
    async fn image(&self, name: &str) -> Result<String, Fault> {
        let image = ask(&format!("find image {name}"), self.docker.inspect_image(name)).await?;
        let ours = self.info.architecture.as_deref().map(machine);
        let theirs = image.architecture.as_deref().filter(|text| !text.is_empty()).map(machine);
        if let (Some(ours), Some(theirs)) = (ours, theirs)
            && ours != theirs
        {
            return Err(refused(format!("image {name} is for {theirs}, the engine runs {ours}")));
        }
        image.id.ok_or_else(|| refused(format!("image {name} has no digest")))
    }

    /// In a task that is not ended with whoever waits: between the engine's making of a
    /// container and our hearing of it, nobody could remove it.
    async fn bring_up(
        self: Arc<Self>,
        spec: SandboxSpec,
        image: String,
    ) -> Result<(GuestStream, ContainerKeeper), Fault> {
        let starting = spawn("start container", async move {
            let _expected = self.remover.leaving.expect();
            self.start(&spec, &image).await
        });
        let panicked = |failure| Err(Fault::new(FaultKind::SandboxStart, panic_text(failure)));
        starting.detach().await.unwrap_or_else(panicked)
    }

    async fn start(
        &self,
        spec: &SandboxSpec,
        image: &str,
    ) -> Result<(GuestStream, ContainerKeeper), Fault> {
        let parts = Parts {
            spec,
            image,
            guest: &self.guest,
            owner: &self.owner,
            caps_inodes: self.caps_inodes,
        };
        let options = None::<CreateContainerOptions>;
        let created = self.docker.create_container(options, body::container(&parts));
        let id = ask("create a container", created).await?.id;
        let keeper = self.remover.keep(id.clone());
        let options = AttachContainerOptions {
            stream: true,
            stdin: true,
            stdout: true,
            stderr: true,
            ..Default::default()
        };
        // Before it starts: what the guest says first must not be missed.
        let attached = self.docker.attach_container(&id, Some(options));
        let attached = ask("attach to a container", attached).await?;
        ask("start a container", self.docker.start_container(&id, None)).await?;
        Ok((stream::of(attached), keeper))
    }

    fn fingerprint(&self, spec: &SandboxSpec, image: &str) -> Fingerprint {
        let by = facts::of(&self.info, self.caps_inodes, 0).cgroup_version;
        let enforced =
            ["memory", "processes", "cpu"].map(|limit| (limit.to_owned(), format!("cgroup {by}")));
        let runtime = spec.runtime.as_deref().map(|name| format!(" under {name}"));
        let mut enforced = with_limits(spec, BTreeMap::from(enforced));
        if !self.caps_inodes {
            enforced.insert("inodes".to_owned(), "not limited".to_owned());
        }
        Fingerprint {
            backend: "docker".to_owned(),
            root: format!("{} {image}{}", spec.image, runtime.unwrap_or_default()),
            kernel: self.info.kernel_version.clone().unwrap_or_default(),
            shell: String::new(),
            enforced,
        }
    }
}

/// One name for the machines that kernels and registries name differently.
fn machine(name: &str) -> &str {
    match name {
        "x86_64" | "amd64" => "amd64",
        "aarch64" | "arm64" => "arm64",
        other => other,
    }
}

#[async_trait]
impl SandboxBackend for DockerBackend {
    fn name(&self) -> &'static str {
        "docker"
    }

    async fn create(&self, spec: &SandboxSpec) -> Result<Box<dyn Sandbox>, Fault> {
        let connected = self.connected().await?;
        let image = connected.image(&spec.image).await?;
        let (stream, keeper) = connected.clone().bring_up(spec.clone(), image.clone()).await?;
        let fingerprint = connected.fingerprint(spec, &image);
        Ok(Box::new(GuestSandbox::meet(stream, keeper, spec, fingerprint).await?))
    }

    async fn sweep(&self) -> Result<u32, Fault> {
        Ok(self.connected().await?.swept)
    }

    async fn settle(&self) -> Result<(), Fault> {
        let Some(connected) = self.connected.get() else { return Ok(()) };
        let settled = timeout(SETTLING, connected.remover.leaving.empty()).await;
        settled.map_err(|_| late("remove dropped containers"))
    }
}
