//! One connected container engine: what it said about itself, and the requests that synthd sends
//! to it.
//!
//! `DockerBackend` makes one [`DockerEngine`] at the first use and keeps it. The connection
//! checks the API version, sweeps the containers of dead owners, and starts the tasks that remove
//! containers (`ContainerRemover`). The guest program is brought to the container engine when the
//! first container is made.
//!
//! A container is made in three requests: create, attach, start. Any of them may fail or time
//! out. The guard that `create` returned then removes the container.

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

/// The lowest API version (major, minor) that is accepted. It is that of Docker 20.10, the first
/// version that keeps every field which hardens a container. An older one would drop some of them
/// silently.
const LEAST_API: (u32, u32) = (1, 41);

/// A container engine that has answered, with what is known of it.
pub(super) struct DockerEngine {
    /// The client, and the SSH forward if there is one.
    reach: DockerConnection,
    /// Removes the containers of dropped sandboxes.
    pub(super) remover: ContainerRemover,
    /// What the container engine said about itself at the connection (`GET /info`).
    pub(super) info: SystemInfo,
    /// Whether it is Docker and not Podman. Podman takes neither a cap on the inodes of a tmpfs
    /// nor its owner, and it differs in other fields as well (`container.rs`).
    pub(super) caps_inodes: bool,
    /// The directory of this host for the guest file and the seccomp profile.
    guest_dir: PathBuf,
    /// Where the container engine finds the guest; set with the first container.
    guest: OnceCell<GuestMount>,
    /// The strict filter as the container engine takes it: JSON for Docker, a path for Podman.
    seccomp: String,
    /// This process, for the labels of containers.
    owner: ContainerOwner,
    /// How many containers of dead owners were removed at the connection.
    pub(super) swept: u32,
    /// Images that were looked up, by the name that was asked for. `look_up` replaces an entry,
    /// so a check before a campaign sees a name that has moved.
    known: Mutex<HashMap<String, ContainerImage>>,
}

impl DockerEngine {
    /// Connects, and checks that the container engine can be used. `SandboxRefused` means that it
    /// is too old, that its address is wrong, or that the guest was built with a dynamic C
    /// library. `EngineDown` means that it does not answer.
    pub(super) async fn new(settings: &DockerSettings) -> Result<Self, Fault> {
        if LINKAGE != "static" {
            return Err(refused("the guest is linked dynamically and works in no container"));
        }
        let reach = DockerConnection::new(&settings.engine).await?.negotiated().await?;
        let version = with_timeout("reach the container engine", reach.docker.version()).await?;
        check_version(&version)?;
        let info = with_timeout("ask the container engine", reach.docker.info()).await?;
        // Podman names itself among the components of its version.
        let parts = version.components.iter().flatten();
        let caps_inodes = !parts.into_iter().any(|part| part.name.starts_with("Podman"));
        let seccomp = if caps_inodes {
            seccomp::profile()
        } else {
            // Podman reads the profile from a file.
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

    /// The API client.
    pub(super) fn docker(&self) -> &Docker {
        &self.reach.docker
    }

    /// Where the container engine finds the guest program. Without this host's files, the guest
    /// is sent into a volume. `image` is any image that exists: sending needs a container.
    ///
    /// An engine whose host has another name sees other files than this process, even over a
    /// local socket: synthd may itself run in a container.
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

    /// The images that were looked up. A panic elsewhere leaves a map that can still be used.
    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<String, ContainerImage>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The image of the specification: by its digest if the campaign has pinned one, else by its
    /// name. It is looked up once and then remembered.
    pub(super) async fn image(&self, spec: &SandboxSpec) -> Result<ContainerImage, Fault> {
        let name = spec.digest.as_deref().unwrap_or(&spec.image);
        let known = self.known().get(name).cloned();
        match known {
            Some(image) => Ok(image),
            None => self.look_up(name).await,
        }
    }

    /// The image of the specification, looked up again even if it is known. A pinned image that
    /// is gone is refused with a message that explains the pin.
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

    /// Asks the container engine for the image, and remembers it.
    async fn look_up(&self, name: &str) -> Result<ContainerImage, Fault> {
        let found =
            with_timeout(&format!("find image {name}"), self.docker().inspect_image(name)).await?;
        let image = ContainerImage::read(name, found, self.info.architecture.as_deref())?;
        self.known().insert(name.to_owned(), image.clone());
        Ok(image)
    }

    /// Whether the runtime (such as `runsc`) is registered. The container engine is asked again
    /// each time, because a runtime may have been registered since the connection. `Err` lists
    /// those that are.
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

    /// Whether the container engine's host has as much memory as one sandbox may use. An engine
    /// that does not say how much it has passes the check.
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

    /// Makes and starts a container, and returns the stream of its guest.
    ///
    /// It runs in a task of its own that does not end with its caller. If the caller is cancelled
    /// in the middle of a request, the container engine may still make the container, and nobody
    /// would know its id. The task waits for the id; the guard is then dropped and the container
    /// is removed.
    pub(super) async fn bring_up(
        self: Arc<Self>,
        spec: SandboxSpec,
        image: ContainerImage,
    ) -> Result<(GuestStream, ContainerGuard, PendingContainer), Fault> {
        let expected = self.remover.ours.expect();
        let starting = spawn("start container", async move {
            let started = self.start(&spec, &image, &expected.creation).await;
            let (stream, guard) = started.inspect_err(|fault| self.remover.ours.note(fault))?;
            // The creation is expected until it is in the caller's hands or dropped. So at no
            // moment can a sweep take the container for a forgotten one.
            Ok((stream, guard, expected))
        });
        let panicked = |failure| Err(Fault::new(FaultKind::SandboxStart, panic_text(failure)));
        starting.detach().await.unwrap_or_else(panicked)
    }

    /// Creates, attaches and starts a container. On an error after the creation, the guard is
    /// dropped, which removes the container.
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
        // From here on, the container is removed whatever fails.
        let guard = self.remover.guard_container(id.clone());
        let options = AttachContainerOptions {
            stream: true,
            stdin: true,
            stdout: true,
            stderr: true,
            ..Default::default()
        };
        // Attached before it starts, so that the first bytes of the guest are not missed.
        let attached = self.docker().attach_container(&id, Some(options));
        let attached = with_timeout("attach to a container", attached).await?;
        let started =
            with_timeout("start a container", self.docker().start_container(&id, None)).await;
        // Another runtime may leave processes of its own when a start fails. They must be ended
        // while the container engine still knows the container.
        if started.is_err() && spec.runtime.is_some() {
            leftovers::end(&id).await;
        }
        started?;
        Ok((stream::of(attached), guard))
    }

    /// What a sandbox with this image is made of and which limits hold, for the record of an
    /// episode. The shell is left empty; the guest tells it later.
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
        if spec.site.is_some() {
            // Its files are in a layer of the engine.
            for limit in ["disk", "inodes"] {
                enforced.insert(limit.to_owned(), "not limited".to_owned());
            }
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

/// Whether the API is new enough. An unreadable version counts as too old.
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
