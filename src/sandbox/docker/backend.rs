//! The engine's side of a container engine: connects, makes containers, and finds what dead
//! owners left.

use super::body::{self, Parts};
use super::connect::{EngineAddress, Reach};
use super::facts;
use super::image::Image;
use super::images::{Images, Pulled};
use super::keeper::{ContainerKeeper, Remover, sweep};
use super::ours::Expected;
use super::owner::Owner;
use super::program::{self, Guest, lay_out};
use super::seccomp;
use super::stream::{self, GuestStream};
use super::trouble::{ask, late, refused};
use crate::sandbox::HostFacts;
use crate::sandbox::guest::{GuestSandbox, LINKAGE, with_limits};
use async_trait::async_trait;
use bollard::Docker;
use bollard::models::{SystemInfo, SystemVersion};
use bollard::query_parameters::{AttachContainerOptions, CreateContainerOptions};
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use synthd_actors::model::{Fault, FaultKind, Fingerprint, Pull, SandboxSpec};
use synthd_actors::ports::{Sandbox, SandboxBackend};
use synthd_actors::supervisor::{panic_text, spawn};
use tokio::sync::OnceCell;
use tokio::time::timeout;

/// Of Docker 20.10, the first whose every field that hardens a container is kept.
const LEAST_API: (u32, u32) = (1, 41);
/// For the removal of everything that was dropped.
const SETTLING: Duration = Duration::from_secs(60);

#[derive(Clone, Debug)]
pub struct DockerSettings {
    /// Where the guest is laid out for an engine that sees this host's files.
    pub guest_dir: PathBuf,
    pub engine: EngineAddress,
}

/// Sandboxes in containers.
pub struct DockerBackend {
    settings: DockerSettings,
    connected: OnceCell<Arc<Connected>>,
}

struct Connected {
    reach: Reach,
    remover: Remover,
    info: SystemInfo,
    caps_inodes: bool,
    guest_dir: PathBuf,
    guest: OnceCell<Guest>,
    seccomp: String,
    owner: Owner,
    swept: u32,
    /// Images as they were when they were looked at: a tag that moves meanwhile changes
    /// nothing for what has begun.
    pins: Mutex<HashMap<String, Image>>,
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
        pull: Pull,
        told: &(dyn Fn(&Pulled) + Send + Sync),
    ) -> Result<(), Fault> {
        let images = Images::of(self.connected().await?.docker());
        let wanted = match pull {
            Pull::Never => false,
            Pull::Missing => !images.has(image).await?,
            Pull::Always => true,
        };
        if wanted { images.pull(image, told).await } else { Ok(()) }
    }

    /// Whether the engine has what the specification names: its image, its runtime.
    pub async fn check(&self, spec: &SandboxSpec) -> Result<(), Fault> {
        let connected = self.connected().await?;
        let image = connected.look_up(&spec.image).await?;
        connected.has_memory_for(spec, &image)?;
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

impl Connected {
    async fn new(settings: &DockerSettings) -> Result<Self, Fault> {
        if LINKAGE != "static" {
            return Err(refused("the guest is linked dynamically and works in no container"));
        }
        let reach = Reach::new(&settings.engine).await?.negotiated().await?;
        let version = ask("reach the container engine", reach.docker.version()).await?;
        check_version(&version)?;
        let info = ask("ask the container engine", reach.docker.info()).await?;
        let parts = version.components.iter().flatten();
        let caps_inodes = !parts.into_iter().any(|part| part.name.starts_with("Podman"));
        let seccomp = if caps_inodes {
            seccomp::profile()
        } else {
            // Podman wants a file.
            program::lay_out_profile(&settings.guest_dir, &seccomp::profile())?
        };
        let swept = sweep(&reach.docker, None).await;
        let owner = Owner::this();
        let remover = Remover::start(reach.docker.clone(), owner.clone());
        Ok(Self {
            reach,
            remover,
            info,
            caps_inodes,
            guest_dir: settings.guest_dir.clone(),
            guest: OnceCell::new(),
            seccomp,
            owner,
            swept,
            pins: Mutex::default(),
        })
    }

    fn docker(&self) -> &Docker {
        &self.reach.docker
    }

    /// The guest where this engine finds it. An engine of another name is one of another
    /// host, or sees other files than we do: we may be in a container ourselves.
    async fn guest(&self, image: &str) -> Result<&Guest, Fault> {
        let here = nix::unistd::gethostname().unwrap_or_default();
        let same = self.info.name.as_deref() == here.to_str();
        self.guest
            .get_or_try_init(|| async {
                if !self.reach.local || !same {
                    return program::send(self.docker(), image, &self.owner).await;
                }
                lay_out(&self.guest_dir).map(Guest::File).map_err(|error| {
                    Fault::new(FaultKind::SandboxStart, format!("lay out the guest: {error}"))
                })
            })
            .await
    }

    fn pins(&self) -> std::sync::MutexGuard<'_, HashMap<String, Image>> {
        self.pins.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn image(&self, name: &str) -> Result<Image, Fault> {
        let pinned = self.pins().get(name).cloned();
        match pinned {
            Some(image) => Ok(image),
            None => self.look_up(name).await,
        }
    }

    /// Looks at an image anew, and pins what is found.
    async fn look_up(&self, name: &str) -> Result<Image, Fault> {
        let found = ask(&format!("find image {name}"), self.docker().inspect_image(name)).await?;
        let image = Image::read(name, found, self.info.architecture.as_deref())?;
        self.pins().insert(name.to_owned(), image.clone());
        Ok(image)
    }

    fn has_memory_for(&self, spec: &SandboxSpec, image: &Image) -> Result<(), Fault> {
        let wanted = body::memory(spec, image);
        let there = self.info.mem_total.and_then(|bytes| u64::try_from(bytes).ok());
        match there.filter(|there| *there > 0 && *there < wanted) {
            None => Ok(()),
            Some(there) => Err(refused(format!(
                "a sandbox of {} MiB with its work areas, on an engine that has {} MiB",
                wanted >> 20,
                there >> 20
            ))),
        }
    }

    /// In a task that is not ended with whoever waits: between the engine's making of a
    /// container and our hearing of it, nobody could remove it.
    async fn bring_up(
        self: Arc<Self>,
        spec: SandboxSpec,
        image: Image,
    ) -> Result<(GuestStream, ContainerKeeper, Expected), Fault> {
        let expected = self.remover.ours.expect();
        let starting = spawn("start container", async move {
            let started = self.start(&spec, &image, &expected.creation).await;
            let (stream, keeper) = started.inspect_err(|fault| self.remover.ours.note(fault))?;
            // Expected until it is somebody's, or dropped: at no moment unknown.
            Ok((stream, keeper, expected))
        });
        let panicked = |failure| Err(Fault::new(FaultKind::SandboxStart, panic_text(failure)));
        starting.detach().await.unwrap_or_else(panicked)
    }

    async fn start(
        &self,
        spec: &SandboxSpec,
        image: &Image,
        creation: &str,
    ) -> Result<(GuestStream, ContainerKeeper), Fault> {
        let parts = Parts {
            spec,
            image,
            guest: self.guest(&image.digest).await?,
            owner: &self.owner,
            creation,
            seccomp: &self.seccomp,
            caps_inodes: self.caps_inodes,
        };
        let options = None::<CreateContainerOptions>;
        let created = self.docker().create_container(options, body::container(&parts));
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
        let attached = self.docker().attach_container(&id, Some(options));
        let attached = ask("attach to a container", attached).await?;
        ask("start a container", self.docker().start_container(&id, None)).await?;
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

/// Whether the engine knows every field we depend on.
fn check_version(version: &SystemVersion) -> Result<(), Fault> {
    let text = version.api_version.as_deref().unwrap_or_default();
    let parsed = text.split_once('.').and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
    if parsed.is_some_and(|api: (u32, u32)| api >= LEAST_API) {
        return Ok(());
    }
    let (major, minor) = LEAST_API;
    Err(refused(format!(
        "the container engine speaks version {text:?} of its interface, and {major}.{minor} is the \
         least (Docker 20.10, Podman 4)"
    )))
}

#[async_trait]
impl SandboxBackend for DockerBackend {
    fn name(&self) -> &'static str {
        "docker"
    }

    async fn create(&self, spec: &SandboxSpec) -> Result<Box<dyn Sandbox>, Fault> {
        let connected = self.connected().await?;
        let image = connected.image(&spec.image).await?;
        let (stream, keeper, _expected) =
            connected.clone().bring_up(spec.clone(), image.clone()).await?;
        let fingerprint = connected.fingerprint(spec, &image.digest);
        Ok(Box::new(GuestSandbox::meet(stream, keeper, spec, fingerprint).await?))
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
        settled.map_err(|_| late("remove dropped containers"))?;
        if ours.outages() > 0 {
            // What it was asked for when it went away, it may have made all the same.
            sweep(connected.docker(), Some(ours)).await;
        }
        Ok(())
    }
}
