//! A container engine that answers: what it said of itself, and what is asked of it.

use super::DockerSettings;
use super::connection::DockerConnection;
use super::container::{self, ContainerParts};
use super::container_remover::{ContainerGuard, ContainerRemover, sweep};
use super::container_tracker::PendingContainer;
use super::engine_faults::{refused, with_timeout};
use super::facts;
use super::guest_program::{self, GuestMount, write_guest_file};
use super::image::ContainerImage;
use super::leftovers;
use super::owner::ContainerOwner;
use super::seccomp;
use super::stream::{self, GuestStream};
use crate::sandbox::guest::{LINKAGE, with_limits};
use bollard::Docker;
use bollard::models::{SystemInfo, SystemVersion};
use bollard::query_parameters::{AttachContainerOptions, CreateContainerOptions};
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use synthd_actors::model::{Fault, FaultKind, SandboxFingerprint, SandboxSpec};
use synthd_actors::supervisor::{panic_text, spawn};
use tokio::sync::OnceCell;

/// Of Docker 20.10, the first whose every field that hardens a container is kept.
const LEAST_API: (u32, u32) = (1, 41);

pub(super) struct DockerEngine {
    reach: DockerConnection,
    pub(super) remover: ContainerRemover,
    pub(super) info: SystemInfo,
    pub(super) caps_inodes: bool,
    guest_dir: PathBuf,
    guest: OnceCell<GuestMount>,
    seccomp: String,
    owner: ContainerOwner,
    pub(super) swept: u32,
    /// Images as they were when they were last looked at.
    known: Mutex<HashMap<String, ContainerImage>>,
}

impl DockerEngine {
    pub(super) async fn new(settings: &DockerSettings) -> Result<Self, Fault> {
        if LINKAGE != "static" {
            return Err(refused("the guest is linked dynamically and works in no container"));
        }
        let reach = DockerConnection::new(&settings.engine).await?.negotiated().await?;
        let version = with_timeout("reach the container engine", reach.docker.version()).await?;
        check_version(&version)?;
        let info = with_timeout("ask the container engine", reach.docker.info()).await?;
        let parts = version.components.iter().flatten();
        let caps_inodes = !parts.into_iter().any(|part| part.name.starts_with("Podman"));
        let seccomp = if caps_inodes {
            seccomp::profile()
        } else {
            // Podman wants a file.
            guest_program::lay_out_profile(&settings.guest_dir, &seccomp::profile())?
        };
        let swept = sweep(&reach.docker, None).await;
        let owner = ContainerOwner::this();
        let remover = ContainerRemover::start(reach.docker.clone(), owner.clone());
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
            known: Mutex::default(),
        })
    }

    pub(super) fn docker(&self) -> &Docker {
        &self.reach.docker
    }

    /// The guest where this engine finds it. An engine of another name is one of another
    /// host, or sees other files than we do: we may be in a container ourselves.
    async fn guest(&self, image: &str) -> Result<&GuestMount, Fault> {
        let here = nix::unistd::gethostname().unwrap_or_default();
        let same = self.info.name.as_deref() == here.to_str();
        self.guest
            .get_or_try_init(|| async {
                if !self.reach.local || !same {
                    return guest_program::send(self.docker(), image, &self.owner).await;
                }
                write_guest_file(&self.guest_dir).map(GuestMount::File).map_err(|error| {
                    Fault::new(FaultKind::SandboxStart, format!("lay out the guest: {error}"))
                })
            })
            .await
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<String, ContainerImage>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the specification means: an image by its digest, or what its name stands for.
    pub(super) async fn image(&self, spec: &SandboxSpec) -> Result<ContainerImage, Fault> {
        let name = spec.digest.as_deref().unwrap_or(&spec.image);
        let known = self.known().get(name).cloned();
        match known {
            Some(image) => Ok(image),
            None => self.look_up(name).await,
        }
    }

    /// Looks anew at what the specification means.
    pub(super) async fn look_up_for(&self, spec: &SandboxSpec) -> Result<ContainerImage, Fault> {
        let Some(digest) = &spec.digest else { return self.look_up(&spec.image).await };
        self.look_up(digest).await.map_err(|fault| match fault.kind {
            FaultKind::SandboxRefused => refused(format!(
                "image {} was {digest} when this campaign began, but the engine no longer has \
                 it: load it again, or give the campaign another name",
                spec.image
            )),
            _ => fault,
        })
    }

    /// Looks at an image anew.
    async fn look_up(&self, name: &str) -> Result<ContainerImage, Fault> {
        let found =
            with_timeout(&format!("find image {name}"), self.docker().inspect_image(name)).await?;
        let image = ContainerImage::read(name, found, self.info.architecture.as_deref())?;
        self.known().insert(name.to_owned(), image.clone());
        Ok(image)
    }

    /// Asked anew: one may have been registered since.
    pub(super) async fn has_runtime(&self, name: &str) -> Result<(), Fault> {
        let info = with_timeout("ask the container engine", self.docker().info()).await?;
        let known = info.runtimes.unwrap_or_default();
        if known.contains_key(name) {
            return Ok(());
        }
        let mut names: Vec<&str> = known.keys().map(String::as_str).collect();
        names.sort_unstable();
        let has = names.join(", ");
        Err(refused(format!("the engine has no runtime {name:?}; it has {has}")))
    }

    pub(super) fn has_memory_for(
        &self,
        spec: &SandboxSpec,
        image: &ContainerImage,
    ) -> Result<(), Fault> {
        let wanted = container::memory(spec, image);
        let there = self.info.mem_total.and_then(|bytes| u64::try_from(bytes).ok());
        match there.filter(|there| *there > 0 && *there < wanted) {
            None => Ok(()),
            Some(there) => Err(refused(format!(
                "a sandbox needs {} MiB with its work areas, but the engine's host has {} MiB",
                wanted >> 20,
                there >> 20
            ))),
        }
    }

    /// Runs in a task that does not end with its caller. Otherwise nobody could remove a container
    /// that the engine has made but not yet reported.
    pub(super) async fn bring_up(
        self: Arc<Self>,
        spec: SandboxSpec,
        image: ContainerImage,
    ) -> Result<(GuestStream, ContainerGuard, PendingContainer), Fault> {
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
        image: &ContainerImage,
        creation: &str,
    ) -> Result<(GuestStream, ContainerGuard), Fault> {
        let parts = ContainerParts {
            spec,
            image,
            guest: self.guest(&image.digest).await?,
            owner: &self.owner,
            creation,
            seccomp: &self.seccomp,
            caps_inodes: self.caps_inodes,
        };
        let options = None::<CreateContainerOptions>;
        let created = self.docker().create_container(options, container::container(&parts));
        let id = with_timeout("create a container", created).await?.id;
        let keeper = self.remover.guard_container(id.clone());
        let options = AttachContainerOptions {
            stream: true,
            stdin: true,
            stdout: true,
            stderr: true,
            ..Default::default()
        };
        // Before it starts: what the guest says first must not be missed.
        let attached = self.docker().attach_container(&id, Some(options));
        let attached = with_timeout("attach to a container", attached).await?;
        let started =
            with_timeout("start a container", self.docker().start_container(&id, None)).await;
        if started.is_err() && spec.runtime.is_some() {
            leftovers::end(&id).await;
        }
        started?;
        Ok((stream::of(attached), keeper))
    }

    pub(super) fn fingerprint(
        &self,
        spec: &SandboxSpec,
        image: &ContainerImage,
    ) -> SandboxFingerprint {
        let by = facts::of(&self.info, self.caps_inodes, 0).cgroup_version;
        let enforced =
            ["memory", "processes", "cpu"].map(|limit| (limit.to_owned(), format!("cgroup {by}")));
        let whole = container::memory(spec, image);
        let mut enforced = with_limits(spec, Some(whole), BTreeMap::from(enforced));
        if !self.caps_inodes {
            enforced.insert("inodes".to_owned(), "not limited".to_owned());
        }
        SandboxFingerprint {
            backend: "docker".to_owned(),
            root: SandboxFingerprint::container_root(
                &spec.image,
                &image.digest,
                spec.runtime.as_deref(),
            ),
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
        "the container engine speaks version {text:?} of its interface, but synthd needs at \
         least {major}.{minor} (Docker 20.10, Podman 4)"
    )))
}
