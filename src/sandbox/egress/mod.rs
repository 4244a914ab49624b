//! A way out of a sandbox to hosts that a campaign allows by name, and to nothing else: a
//! proxy of the engine's own behind the guest's tunnel.
//!
//! ```text
//!  program ─► 127.0.0.1:3128 ═ guest's tunnel ═ socket ─► is it named? ─► resolve ─► public? ─► host
//!                                                            └─ no: 403 ◄──────────────┘
//! ```
//! The sandbox itself stays without a network, whatever isolates it, and asks no name server:
//! names are resolved here, and what they lead to is looked at before it is connected to.

mod addresses;
mod body;
mod proxy;
mod request;
mod resolve;

pub use addresses::is_public;
pub use resolve::{HostResolver, SystemResolver};

use crate::private_directory::own_directory;
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
use tokio::net::UnixListener;
use tokio::sync::Mutex;
use tokio_util::task::AbortOnDropHandle;

/// Where programs find the proxy.
pub const PORT: u16 = NetworkPolicy::PORT;
const SOCKETS: &str = "egress-";
/// The door at which agents ask their models is a socket of the same kind: a sandbox has one way
/// out, and the proxy leads there what is said to no other host.
const AGENTS: &str = "agents-";

/// The socket of this process that agents ask at.
pub fn agents_socket(directory: &Path) -> PathBuf {
    directory.join(format!("{AGENTS}{}", std::process::id()))
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
    directory: PathBuf,
    resolver: Arc<dyn HostResolver>,
    doors: Mutex<HashMap<NetworkPolicy, EgressListener>>,
}

/// A proxy that listens.
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
    /// Sockets go to `directory`, which is nobody else's to write to.
    pub fn new(directory: &Path, resolver: Arc<dyn HostResolver>) -> Self {
        Self { directory: directory.to_owned(), resolver, doors: Mutex::default() }
    }

    pub(super) fn resolving_by(self, resolver: Arc<dyn HostResolver>) -> Self {
        Self { resolver, ..self }
    }

    /// Gives a sandbox its way out, and tells its programs of it.
    pub async fn open(
        &self,
        network: &NetworkPolicy,
        sandbox: &mut dyn Sandbox,
    ) -> Result<(), Fault> {
        let socket = self.door(network).await.map_err(|error| {
            Fault::new(FaultKind::SandboxStart, format!("start the egress proxy: {error}"))
        })?;
        sandbox.tunnel(PORT, HostAddress::Unix(socket)).await?;
        sandbox.environment(&variables()).await
    }

    async fn door(&self, network: &NetworkPolicy) -> io::Result<PathBuf> {
        let mut doors = self.doors.lock().await;
        if let Some(door) = doors.get(network) {
            return Ok(door.socket.clone());
        }
        own_directory(&self.directory)?;
        sweep(&self.directory)?;
        let socket = self.directory.join(name());
        // A name with our own number is of a process before us.
        fs::remove_file(&socket).ok();
        let listener = UnixListener::bind(&socket)?;
        fs::set_permissions(&socket, fs::Permissions::from_mode(0o600))?;
        let agents = agents_socket(&self.directory);
        let proxy = EgressProxy::new(network.clone(), self.resolver.clone(), agents);
        let serving = spawn("egress proxy", proxy.serve(listener));
        doors.insert(network.clone(), EgressListener { socket: socket.clone(), _serving: serving });
        Ok(socket)
    }
}

fn name() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{SOCKETS}{}-{number}", std::process::id())
}

/// Removes sockets of processes that are no more.
pub fn sweep(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        let ours = |name: &str| {
            [SOCKETS, AGENTS].into_iter().find(|ours| name.starts_with(ours)).map(str::len)
        };
        let rest = name.to_str().and_then(|name| name.get(ours(name)?..));
        let owner = rest.and_then(|rest| rest.split('-').next());
        if owner.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// As programs look for a proxy; some read the one spelling, some the other.
fn variables() -> Vec<(String, String)> {
    let proxy = format!("http://127.0.0.1:{PORT}");
    let local = "localhost,127.0.0.1".to_owned();
    let both = |name: &str, value: &String| {
        [(name.to_owned(), value.clone()), (name.to_uppercase(), value.clone())]
    };
    [both("http_proxy", &proxy), both("https_proxy", &proxy), both("no_proxy", &local)].concat()
}
