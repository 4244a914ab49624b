//! The engine's side of the launcher: it starts the launcher, asks it for sandboxes, and starts
//! another one if it has died.
//!
//! A sandbox is created in this order: make a stream as a pair of sockets, send Spawn with one
//! end of it, wait for the answer, and wait until the guest answers on the other end. One task
//! (`dispatch`) reads the events of a launcher and gives each to the caller that waits for it,
//! so many sandboxes can be created at the same time.
//!
//! Each sandbox belongs to the launcher that made it. If that launcher dies, its sandboxes run on,
//! because their streams lead to the engine. The next launcher sweeps those that have cgroups, and
//! their clients report them as lost.

use super::LAUNCHER_COMMAND;
use super::facts::facts_of;
use super::launcher::send_with_fd;
use super::protocol::{HostReport, LaunchPlan, LauncherEvent, LauncherRequest, MAX_PACKET};
use super::root::{fingerprint_of, programs_of};
use super::slot_guard::SlotGuard;
use crate::sandbox::HostFacts;
use crate::sandbox::guest::{GuestSandbox, with_limits};
use async_trait::async_trait;
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use synthd_actors::model::BASE_IMAGE;
use synthd_actors::model::{Fault, FaultKind, SandboxFingerprint, SandboxSpec};
use synthd_actors::ports::{Sandbox, SandboxBackend};
use synthd_actors::supervisor::spawn;
use tokio::io::Interest;
use tokio::net::UnixStream;
use tokio::sync::{Mutex as AsyncMutex, oneshot};
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

/// The timeout of requests to the launcher. They take milliseconds, unless a mount or a disk
/// hangs.
const PATIENCE: Duration = Duration::from_secs(30);

/// Callers that wait for an event, by the slot or the token of their request.
type PendingReplies = Mutex<HashMap<u64, oneshot::Sender<LauncherEvent>>>;

/// The socket to one running launcher, and who waits for its events.
pub(super) struct LauncherConnection {
    /// A socket that keeps packets apart (`SOCK_SEQPACKET`). Only its Rust type says stream.
    socket: UnixStream,
    waiting: PendingReplies,
    /// What this launcher found on the host when it started.
    report: HostReport,
}

impl LauncherConnection {
    /// Sends a request, with the guest's end of a stream for a Spawn. It waits while the socket
    /// is full because the launcher cannot follow.
    async fn send(&self, order: &LauncherRequest, stream: Option<&OwnedFd>) -> io::Result<()> {
        let bytes = serde_json::to_vec(order).map_err(io::Error::other)?;
        let fd = stream.map(AsRawFd::as_raw_fd);
        let socket = self.socket.as_raw_fd();
        self.socket.async_io(Interest::WRITABLE, || send_with_fd(socket, &bytes, fd)).await
    }

    /// Waits for the next event. An error means that the launcher has closed the socket, or that
    /// it has sent something that is no event.
    async fn receive(&self) -> io::Result<LauncherEvent> {
        let mut buffer = vec![0; MAX_PACKET];
        loop {
            self.socket.readable().await?;
            // `AsyncRead` would take a short read as a sign that the socket is empty. But a
            // packet is always shorter than the buffer, and the next packet may be there
            // already.
            match self.socket.try_read(&mut buffer) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(length) => {
                    return serde_json::from_slice(&buffer[..length]).map_err(io::Error::other);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Registers a caller for the event with this key. It must be called before the request is
    /// sent, or the event could come first and be dropped.
    fn expect(&self, key: u64) -> oneshot::Receiver<LauncherEvent> {
        let (sender, receiver) = oneshot::channel();
        lock(&self.waiting).insert(key, sender);
        receiver
    }

    /// Removes a caller that waits no longer.
    fn forget(&self, key: u64) {
        lock(&self.waiting).remove(&key);
    }

    /// Gives each event of the launcher to the caller that waits for it, until the launcher is
    /// gone. Then all callers see that their channel has closed.
    async fn dispatch(&self) {
        while let Ok(news) = self.receive().await {
            let key = match &news {
                LauncherEvent::Ready(_) => continue,
                LauncherEvent::Spawned { slot, .. } | LauncherEvent::SpawnFailed { slot, .. } => {
                    *slot
                }
                LauncherEvent::Settled { token } => *token,
            };
            if let Some(waiter) = lock(&self.waiting).remove(&key) {
                // A caller that has given up has dropped its stream, which ends the guest.
                waiter.send(news).ok();
            }
        }
        lock(&self.waiting).clear();
    }

    /// Whether the launcher's end of the socket is open. The kernel is asked directly, because
    /// the dispatcher may not have run since the launcher died.
    fn is_alive(&self) -> bool {
        use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
        let mut fds = [PollFd::new(self.socket.as_fd(), PollFlags::empty())];
        let hung_up = |fds: &[PollFd<'_>]| fds.iter().all(|fd| fd.any().unwrap_or(true));
        poll(&mut fds, PollTimeout::ZERO).is_ok() && !hung_up(&fds)
    }

    /// Asks the launcher to kill a sandbox, without waiting.
    pub(super) fn kill(&self, slot: u64) {
        // If this fails, the launcher is gone or its socket is full. The guest ends all the
        // same, because its stream is closed too.
        let Ok(bytes) = serde_json::to_vec(&LauncherRequest::Kill { slot }) else { return };
        send_with_fd(self.socket.as_raw_fd(), &bytes, None).ok();
    }
}

/// Locks a mutex. No holder can leave a map half changed, so a poisoned lock is used on.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A launcher with the task that reads its events.
struct RunningLauncher {
    link: Arc<LauncherConnection>,
    _dispatcher: AbortOnDropHandle<()>,
}

/// A sandbox whose guest has been executed but has not answered yet.
pub(super) struct StartedSandbox {
    /// The host's end of the guest's stream.
    pub(super) stream: UnixStream,
    pub(super) link: Arc<LauncherConnection>,
    pub(super) slot: u64,
    /// What enforces each limit, by name.
    pub(super) enforced: BTreeMap<String, String>,
    pub(super) oom_events: Option<String>,
}

/// The backend that makes sandboxes of Linux namespaces, through a launcher.
pub struct NamespaceBackend {
    /// The synthd binary.
    executable: PathBuf,
    /// None until the first sandbox is wanted. The lock is held while a launcher starts, so
    /// that only one does.
    running: AsyncMutex<Option<RunningLauncher>>,
    /// The next slot or token. Both come from one counter, so a key has one meaning.
    next_key: AtomicU64,
    /// The fingerprint of the host's own programs, computed once.
    root_fingerprint: String,
}

impl NamespaceBackend {
    /// A backend without a launcher yet. `executable` is the synthd binary, which the launcher
    /// is started from.
    pub fn new(executable: impl Into<PathBuf>) -> Self {
        Self {
            executable: executable.into(),
            running: AsyncMutex::new(None),
            next_key: AtomicU64::new(1),
            root_fingerprint: format!("host {}", programs_of(Path::new("/"))),
        }
    }

    /// What this host enforces. It starts the launcher if none runs.
    pub async fn host_facts(&self) -> Result<HostFacts, Fault> {
        Ok(facts_of(&self.link().await?.report))
    }

    /// Checks that the root directory which the specification names exists, without creating a
    /// sandbox.
    pub fn check(&self, spec: &SandboxSpec) -> Result<(), Fault> {
        self.root(spec).map(|_| ())
    }

    /// The fingerprint of the programs that a sandbox of this specification would show. The
    /// image is the name of the base image or the absolute path of a root directory; anything
    /// else is refused.
    fn root(&self, spec: &SandboxSpec) -> Result<String, Fault> {
        match (spec.image.as_str(), &spec.runtime) {
            (_, Some(name)) => Err(refuse(format!("the runtime {name} needs a container engine"))),
            (BASE_IMAGE, None) => Ok(self.root_fingerprint.clone()),
            (path, None) if path.starts_with('/') => fingerprint_of(Path::new(path)),
            (name, None) => {
                Err(refuse(format!("there is no image {name} for namespace sandboxes")))
            }
        }
    }

    /// The connection to a launcher that lives. It starts a launcher if there is none, or if
    /// the last one has died.
    async fn link(&self) -> Result<Arc<LauncherConnection>, Fault> {
        let mut running = self.running.lock().await;
        if let Some(running) = running.as_ref().filter(|running| running.link.is_alive()) {
            return Ok(running.link.clone());
        }
        let started = start_launcher(&self.executable).await.map_err(|error| {
            let shown = self.executable.display();
            Fault::new(FaultKind::SandboxStart, format!("start the launcher from {shown}: {error}"))
        })?;
        let link = started.link.clone();
        *running = Some(started);
        Ok(link)
    }

    /// A sandbox as the bare stream of its guest, for tests that take the host's part. The
    /// sandbox ends when the stream is closed.
    #[doc(hidden)]
    pub async fn connect(&self, spec: &SandboxSpec) -> Result<UnixStream, Fault> {
        Ok(self.start(spec).await?.stream)
    }

    /// Asks the launcher for a sandbox and waits until its guest is executed. A timeout kills
    /// what may still come up.
    async fn start(&self, spec: &SandboxSpec) -> Result<StartedSandbox, Fault> {
        let link = self.link().await?;
        let slot = self.key();
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().map_err(start_fault)?;
        let answer = link.expect(slot);
        let order = LauncherRequest::Spawn { slot, plan: Box::new(plan_of(spec)) };
        link.send(&order, Some(&theirs.into())).await.map_err(start_fault)?;
        let Ok(answer) = timeout(PATIENCE, answer).await else {
            link.forget(slot);
            link.kill(slot);
            return Err(start_fault("no sandbox came up in time"));
        };
        match answer.map_err(|_| start_fault("the launcher died"))? {
            LauncherEvent::Spawned { enforced, oom_events, .. } => {
                ours.set_nonblocking(true).map_err(start_fault)?;
                let stream = UnixStream::from_std(ours).map_err(start_fault)?;
                Ok(StartedSandbox { stream, link, slot, enforced, oom_events })
            }
            LauncherEvent::SpawnFailed { step, errno, .. } => {
                Err(start_fault(explain(&step, errno)))
            }
            _ => Err(start_fault("the launcher answered something else")),
        }
    }

    /// A number for a slot or a token that was never used before.
    fn key(&self) -> u64 {
        self.next_key.fetch_add(1, Ordering::Relaxed)
    }
}

/// Starts a launcher and waits for its first event. The launcher gets its socket as standard
/// input and an empty environment, so it inherits no secret of the engine.
async fn start_launcher(executable: &Path) -> io::Result<RunningLauncher> {
    use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
    let flags = SockFlag::SOCK_CLOEXEC;
    let (ours, theirs) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, flags)?;
    let child = Command::new(executable)
        .arg(LAUNCHER_COMMAND)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::from(theirs))
        .stdout(Stdio::null())
        .spawn()?;
    reap(child)?;
    let ours = std::os::unix::net::UnixStream::from(ours);
    ours.set_nonblocking(true)?;
    let mut link = LauncherConnection {
        socket: UnixStream::from_std(ours)?,
        waiting: Mutex::default(),
        report: HostReport::default(),
    };
    let introduced = timeout(PATIENCE, link.receive()).await;
    match introduced.map_err(|_| io::Error::other("the launcher says nothing"))?? {
        LauncherEvent::Ready(report) => link.report = report,
        _ => return Err(io::Error::other("the launcher did not introduce itself")),
    }
    let link = Arc::new(link);
    let dispatching = link.clone();
    let dispatcher = spawn("launcher dispatcher", async move { dispatching.dispatch().await });
    Ok(RunningLauncher { link, _dispatcher: dispatcher })
}

/// Waits for the end of the launcher's process in a thread of its own, so that no zombie is
/// left even after the async runtime has ended.
fn reap(mut launcher: std::process::Child) -> io::Result<()> {
    let wait = move || {
        let status = launcher.wait();
        tracing::debug!(?status, "the launcher has ended");
    };
    std::thread::Builder::new().name("launcher reaper".to_owned()).spawn(wait).map(|_| ())
}

#[async_trait]
impl SandboxBackend for NamespaceBackend {
    fn name(&self) -> &'static str {
        "namespace"
    }

    async fn create(&self, spec: &SandboxSpec) -> Result<Box<dyn Sandbox>, Fault> {
        let root = self.root(spec)?;
        let StartedSandbox { stream, link, slot, enforced, oom_events } = self.start(spec).await?;
        let guard = SlotGuard::new(link.clone(), slot, oom_events.as_deref());
        // The facts of the launcher that made this sandbox count. A launcher that was started
        // again may have found less than the first one.
        let facts = facts_of(&link.report);
        if let Some((what, why)) = facts.missing(&spec.require).into_iter().next() {
            return Err(refuse(format!("{} is no longer enforced: {why}", what.as_str())));
        }
        let by_cgroup = enforced.get("memory").is_some_and(|how| how.starts_with("cgroup"));
        let whole = by_cgroup.then(|| plan_of(spec).memory_with_areas());
        let fingerprint = SandboxFingerprint {
            backend: self.name().to_owned(),
            root,
            kernel: link.report.kernel.clone(),
            shell: String::new(),
            enforced: with_limits(spec, whole, enforced),
        };
        Ok(Box::new(GuestSandbox::connect(stream, guard, spec, fingerprint).await?))
    }

    async fn sweep(&self) -> Result<u32, Fault> {
        Ok(self.link().await?.report.swept)
    }

    async fn settle(&self) -> Result<(), Fault> {
        let link = match self.running.lock().await.as_ref() {
            Some(running) => running.link.clone(),
            None => return Ok(()),
        };
        let token = self.key();
        let answer = link.expect(token);
        // If the launcher is dead there is nothing to wait for: a guest whose stream is closed
        // ends by itself.
        match link.send(&LauncherRequest::Settle { token }, None).await {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            Err(error) => Err(start_fault(error)),
            // A launcher that died has nothing left to wait for.
            Ok(()) => match timeout(PATIENCE, answer).await {
                Ok(_) => Ok(()),
                Err(_) => Err(start_fault("dropped sandboxes do not come to their end")),
            },
        }
    }
}

/// The part of a specification that the launcher needs.
fn plan_of(spec: &SandboxSpec) -> LaunchPlan {
    let root = spec.image.starts_with('/').then(|| spec.image.clone());
    LaunchPlan {
        memory_bytes: spec.limits.memory_bytes,
        processes: spec.limits.processes,
        disk_bytes: spec.limits.disk_bytes,
        inodes: spec.limits.inodes,
        cpu_millis: spec.limits.cpu_millis,
        root,
        sealed: spec.sealed,
    }
}

/// The fault of a specification that this backend cannot serve.
pub(super) fn refuse(why: String) -> Fault {
    Fault::new(FaultKind::SandboxRefused, why)
}

/// The fault of a sandbox that could not be started.
fn start_fault(cause: impl ToString) -> Fault {
    Fault::new(FaultKind::SandboxStart, cause.to_string())
}

/// Describes the step that failed, with the usual cause of such a failure where one is known.
fn explain(step: &str, errno: i32) -> String {
    let error = io::Error::from_raw_os_error(errno);
    let hint = match (step, errno) {
        ("create the namespaces", libc::EPERM | libc::EACCES) => {
            "user namespaces are forbidden here: see kernel.unprivileged_userns_clone and \
             kernel.apparmor_restrict_unprivileged_userns, or the container's seccomp profile"
        }
        ("create the namespaces", libc::ENOSPC) => "raise user.max_user_namespaces",
        ("map the user", _) => "the process may not map users; it may run in a nested container",
        ("make mounts private", _) | ("make /proc", libc::EPERM) => {
            "the container or service around synthd restricts mounts"
        }
        ("show the host's programs", libc::ENOSYS) => "Linux 5.12 or later is needed",
        _ => return format!("{step}: {error}"),
    };
    format!("{step}: {error} ({hint})")
}
