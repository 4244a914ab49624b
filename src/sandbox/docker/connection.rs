//! The connection to a container engine: a socket of this host, or another host over TCP, TLS or
//! SSH.
//!
//! The address has the form that Docker's own client uses, so a user who can run `docker` can run
//! synthd without more configuration. An address that makes no sense is a `SandboxRefused` fault,
//! because no retry would help.

use super::engine_faults::{explain, refused, with_timeout};
use super::ssh::SshForward;
use bollard::{API_DEFAULT_VERSION, Docker};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use synthd_actors::model::Fault;

/// The address when `DOCKER_HOST` is not set.
const DEFAULT_HOST: &str = "unix:///var/run/docker.sock";
/// Seconds that the client library waits for the headers of a response. It is the outermost
/// limit: most requests have a shorter one of their own (`with_timeout`).
const TIMEOUT: u64 = 120;

/// Which container engine to use, as `DOCKER_HOST`, `DOCKER_TLS_VERIFY` and `DOCKER_CERT_PATH`
/// say it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DockerAddress {
    /// Such as `unix:///var/run/docker.sock`, `tcp://10.0.0.5:2376` or `ssh://user@host`.
    pub host: String,
    /// The directory of `ca.pem`, `cert.pem` and `key.pem`, if the container engine is reached by
    /// TLS. `None` means without TLS.
    pub tls: Option<PathBuf>,
}

impl DockerAddress {
    /// Reads the environment variables of Docker's client. An empty variable counts as not set.
    /// With `DOCKER_TLS_VERIFY` alone, the certificates are in `~/.docker`.
    pub fn from_environment() -> Self {
        let given = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let certificates = || {
            let home = std::env::home_dir().unwrap_or_default().join(".docker");
            given("DOCKER_CERT_PATH").map_or(home, PathBuf::from)
        };
        Self {
            host: given("DOCKER_HOST").unwrap_or_else(|| DEFAULT_HOST.to_owned()),
            tls: given("DOCKER_TLS_VERIFY").map(|_| certificates()),
        }
    }

    /// The address of a socket on this host.
    pub fn unix(path: &Path) -> Self {
        Self { host: format!("unix://{}", path.display()), tls: None }
    }

    /// Whether the address is a socket on this host: a `unix://` address or a path.
    fn is_local(&self) -> bool {
        self.host.starts_with("unix://") || self.host.starts_with('/')
    }
}

/// A client of one container engine. It holds the SSH forward, if there is one, so the client
/// works only as long as this value lives.
#[derive(Clone)]
pub(super) struct DockerConnection {
    /// The API client. Clones of it share its connections.
    pub(super) docker: Docker,
    /// Whether the container engine is reached by a socket of this host. It then usually sees the
    /// files of this host, so it can mount the guest from a file.
    pub(super) local: bool,
    /// The SSH process, which ends with the last clone of this value.
    _forward: Option<Arc<SshForward>>,
}

impl DockerConnection {
    /// The same connection, with the highest API version that both ends know. This is the first
    /// request to the container engine, so it fails with `EngineDown` if nothing answers.
    pub(super) async fn negotiated(mut self) -> Result<Self, Fault> {
        let negotiated = self.docker.negotiate_version();
        self.docker = with_timeout("reach the container engine", negotiated).await?;
        Ok(self)
    }

    /// Makes a client for the address, without a request to the container engine. Over SSH, it
    /// waits until the forward is open. `Err` means that the address is malformed, that the
    /// certificates cannot be read, or that SSH does not connect.
    pub(super) async fn new(address: &DockerAddress) -> Result<Self, Fault> {
        if let Some(destination) = address.host.strip_prefix("ssh://") {
            let forward = SshForward::start(destination)?;
            forward.ready().await?;
            let docker = unix(&forward.socket())?;
            return Ok(Self { docker, local: false, _forward: Some(Arc::new(forward)) });
        }
        let docker = if address.is_local() {
            unix(Path::new(address.host.trim_start_matches("unix://")))
        } else {
            network(address)
        };
        Ok(Self { docker: docker?, local: address.is_local(), _forward: None })
    }
}

/// A client for a socket of this host.
fn unix(path: &Path) -> Result<Docker, Fault> {
    let path = path.display().to_string();
    let connected = Docker::connect_with_unix(&path, TIMEOUT, API_DEFAULT_VERSION);
    connected.map_err(|error| unusable(&path, &error))
}

/// A client for another host, with or without TLS. An address with an unknown scheme is refused.
fn network(address: &DockerAddress) -> Result<Docker, Fault> {
    let DockerAddress { host, tls } = address;
    let known = ["tcp://", "http://", "https://"].iter().any(|scheme| host.starts_with(scheme));
    if !known {
        return Err(refused(format!(
            "{host:?} is not the address of an engine (unix://, tcp://, https:// or ssh://)"
        )));
    }
    let connected = match tls {
        Some(files) => Docker::connect_with_ssl(
            host,
            &files.join("key.pem"),
            &files.join("cert.pem"),
            &files.join("ca.pem"),
            TIMEOUT,
            API_DEFAULT_VERSION,
        ),
        None if host.starts_with("https://") => {
            return Err(refused(
                "an engine behind https needs DOCKER_TLS_VERIFY=1 and DOCKER_CERT_PATH",
            ));
        }
        None => Docker::connect_with_http(host, TIMEOUT, API_DEFAULT_VERSION),
    };
    connected.map_err(|error| unusable(host, &error))
}

/// The fault of an address for which no client can be made.
fn unusable(host: &str, error: &bollard::errors::Error) -> Fault {
    refused(format!("no container engine at {host}: {}", explain(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_no_address_is_refused() {
        let reach = async |host: &str, tls: Option<&str>| {
            let address = DockerAddress { host: host.to_owned(), tls: tls.map(PathBuf::from) };
            DockerConnection::new(&address)
                .await
                .map(|reach| reach.local)
                .map_err(|fault| fault.message)
        };
        assert!(
            reach("ftp://somewhere", None)
                .await
                .unwrap_err()
                .contains("not the address of an engine")
        );
        assert!(
            reach("https://somewhere:2376", None).await.unwrap_err().contains("DOCKER_TLS_VERIFY")
        );
        let missing = reach("tcp://somewhere:2376", Some("/nonesuch")).await.unwrap_err();
        assert!(missing.contains("/nonesuch/"), "{missing}");
        assert!(reach("ssh://-oProxyCommand=x", None).await.unwrap_err().contains("destination"));
        assert_eq!(reach("tcp://127.0.0.1:1", None).await, Ok(false));
    }
}
