//! Egress: the way out of a sandbox to the hosts that a campaign allows by name, and to nothing
//! else.
//!
//! It is an HTTP proxy inside of synthd, behind the guest's tunnel:
//!
//! ```text
//!  program ─► 127.0.0.1:3128 ═ tunnel ═ Unix socket ─► allowed name? ─► resolve ─► public? ─► host
//!                                                           └─ no: 403 ◄──────────────┘
//! ```
//! The sandbox itself stays without a network, whatever isolates it, and it asks no name server.
//! The proxy resolves names on this host and checks the addresses before it connects to them.
//!
//! `SandboxBackends` calls [`EgressProxies::open`] for each sandbox whose specification has a
//! network policy. All sandboxes with the same policy share one proxy, which is a Unix socket and
//! a task. A failure to open the proxy is a fault of the sandbox's start (`SandboxStart`).
//!
//! The sockets are in a directory of this user and are named for the process (`ProcessOwner`):
//! `egress-OWNER-NUMBER` for a proxy, `agents-OWNER` for the agent gateway. `sweep` removes the
//! sockets of dead processes.

mod addresses;
mod body;
mod proxy;
mod request;
mod resolve;

pub use addresses::is_public;
pub use resolve::{HostResolver, SystemResolver};

use crate::private_directory::own_directory;
use crate::sandbox::process_owner::ProcessOwner;
use crate::socket_path::bind_unix;
use proxy::EgressProxy;
use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use synthd_actors::model::{Fault, FaultKind, HostAddress, NetworkPolicy};
use synthd_actors::ports::Sandbox;
use synthd_actors::supervisor::spawn;
use tokio::sync::Mutex;
use tokio_util::task::AbortOnDropHandle;

/// The port of the sandbox's loopback at which programs find the proxy.
pub const PORT: u16 = NetworkPolicy::PORT;
/// The front of a proxy's socket name.
const SOCKETS: &str = "egress-";
/// The front of the agent gateway's socket name. External agents call their models at this
/// socket. A sandbox has only one tunnel, so the proxy forwards to this socket each request that
/// is addressed to the proxy itself (such as `POST /v1/messages`).
const AGENTS: &str = "agents-";

/// The path of the Unix socket at which the agent gateway of this process listens. `directory`
/// must be the same for the gateway and for the proxies.
pub fn agents_socket(directory: &Path) -> PathBuf {
    directory.join(format!("{AGENTS}{}", ProcessOwner::this()))
}

/// Makes the directory of the sockets, removes sockets of dead processes, and returns where agents
/// of this process ask their models.
pub fn prepare_agents_socket(directory: &Path) -> io::Result<PathBuf> {
    own_directory(directory)?;
    sweep(directory)?;
    Ok(agents_socket(directory))
}

/// The proxies of this process, one for each network.
pub struct EgressProxies {
    /// Where the sockets are. Only this user may write there.
    directory: PathBuf,
    resolver: Arc<dyn HostResolver>,
    /// The running proxies by policy. The lock is held while a proxy starts, so that two
    /// sandboxes that start at once do not both start one.
    listeners: Mutex<HashMap<NetworkPolicy, EgressListener>>,
}

/// A running proxy. Dropping it stops the listener and removes the socket. Open connections go
/// on.
struct EgressListener {
    socket: PathBuf,
    _serving: AbortOnDropHandle<()>,
}

impl Drop for EgressListener {
    fn drop(&mut self) {
        fs::remove_file(&self.socket).ok();
    }
}

impl EgressProxies {
    /// Starts nothing yet. `directory` gets the sockets; it is made private to this user when the
    /// first proxy starts.
    pub fn new(directory: &Path, resolver: Arc<dyn HostResolver>) -> Self {
        Self { directory: directory.to_owned(), resolver, listeners: Mutex::default() }
    }

    /// Uses another resolver. Proxies that already run are not affected.
    pub(super) fn resolving_by(self, resolver: Arc<dyn HostResolver>) -> Self {
        Self { resolver, ..self }
    }

    /// Connects a sandbox to the proxy of its policy: opens the tunnel from port [`PORT`] of the
    /// sandbox, and sets the proxy variables for the commands in it. Starts the proxy if it does
    /// not run yet.
    pub async fn open(
        &self,
        network: &NetworkPolicy,
        sandbox: &mut dyn Sandbox,
    ) -> Result<(), Fault> {
        let socket = self.socket_for(network).await.map_err(|error| {
            Fault::new(FaultKind::SandboxStart, format!("start the egress proxy: {error}"))
        })?;
        sandbox.tunnel(PORT, HostAddress::Unix(socket)).await?;
        sandbox.environment(&variables()).await
    }

    /// The socket of the policy's proxy. Starts the proxy if it does not run yet.
    async fn socket_for(&self, network: &NetworkPolicy) -> io::Result<PathBuf> {
        let mut listeners = self.listeners.lock().await;
        if let Some(listener) = listeners.get(network) {
            return Ok(listener.socket.clone());
        }
        own_directory(&self.directory)?;
        sweep(&self.directory)?;
        let socket = self.directory.join(name());
        let listener = bind_unix(&socket)?;
        // Only this user may connect. The guest's tunnel connects from synthd itself.
        fs::set_permissions(&socket, fs::Permissions::from_mode(0o600))?;
        let agents = agents_socket(&self.directory);
        let proxy = EgressProxy::new(network.clone(), self.resolver.clone(), agents);
        let serving = spawn("egress proxy", proxy.serve(listener));
        listeners
            .insert(network.clone(), EgressListener { socket: socket.clone(), _serving: serving });
        Ok(socket)
    }
}

/// The name of a new proxy's socket, such as `egress-4026531836-4711-987654-0`. Within this process,
/// each number is used once.
fn name() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{SOCKETS}{}-{number}", ProcessOwner::this())
}

/// Removes the sockets of proxies and agent gateways whose process is known to be dead. Other files
/// stay, and so do sockets of processes in other PID namespaces.
fn sweep(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_name().to_str().and_then(owner_of).is_some_and(ProcessOwner::is_dead) {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

/// The process whose socket has this name. None: it is no such socket.
fn owner_of(name: &str) -> Option<ProcessOwner> {
    let owner = match name.strip_prefix(SOCKETS) {
        Some(rest) => rest.rsplit_once('-')?.0,
        None => name.strip_prefix(AGENTS)?,
    };
    ProcessOwner::parse(owner)
}

/// Removes a file that another process may remove at the same time.
fn remove(path: &Path) -> io::Result<()> {
    fs::remove_file(path).or_else(|error| match error.kind() {
        io::ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    })
}

/// The environment variables by which programs find a proxy, such as
/// `http_proxy=http://127.0.0.1:3128`. Each is set in lower and in upper case, because some
/// programs read only one of the two.
fn variables() -> Vec<(String, String)> {
    let proxy = format!("http://127.0.0.1:{PORT}");
    let local = "localhost,127.0.0.1".to_owned();
    let both = |name: &str, value: &String| {
        [(name.to_owned(), value.clone()), (name.to_uppercase(), value.clone())]
    };
    [both("http_proxy", &proxy), both("https_proxy", &proxy), both("no_proxy", &local)].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::socket_path::connect_unix;

    #[tokio::test]
    async fn a_deep_directory_has_room_for_the_sockets() {
        let place = tempfile::tempdir().unwrap();
        let deep = place.path().join("d".repeat(120));
        let network = NetworkPolicy { name: "none".to_owned(), allow: Vec::new() };
        let proxies = EgressProxies::new(&deep, Arc::new(SystemResolver));
        let socket = proxies.socket_for(&network).await.unwrap();
        assert!(socket.exists());
        connect_unix(&socket).await.unwrap();
        drop(proxies);
        assert!(!socket.exists());
    }

    #[test]
    fn only_sockets_of_processes_that_are_known_to_be_dead_are_removed() {
        let place = tempfile::tempdir().unwrap();
        let (this, (dead, unseen)) = (ProcessOwner::this(), ProcessOwner::dead_and_unseen());
        let kept = [
            format!("egress-{this}-0"),
            format!("agents-{this}"),
            format!("egress-{unseen}-0"),
            format!("agents-{unseen}"),
            "egress-x".to_owned(),
            "other".to_owned(),
        ];
        let gone = [format!("egress-{dead}-0"), format!("agents-{dead}")];
        for name in kept.iter().chain(&gone) {
            fs::write(place.path().join(name), "").unwrap();
        }
        sweep(place.path()).unwrap();
        assert!(kept.iter().all(|name| place.path().join(name).exists()));
        assert!(!gone.iter().any(|name| place.path().join(name).exists()));
    }
}
