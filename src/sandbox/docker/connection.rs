//! The way to a container engine: a socket of this host, or another host over TCP, TLS or
//! SSH, named as Docker's own client names it.

use super::engine_faults::{explain, refused, with_timeout};
use super::ssh::SshForward;
use bollard::{API_DEFAULT_VERSION, Docker};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use synthd_actors::model::Fault;

const DEFAULT_HOST: &str = "unix:///var/run/docker.sock";
/// For the headers of an answer; every request has a deadline of its own besides.
const TIMEOUT: u64 = 120;

/// Which engine, as `DOCKER_HOST` and its companions say it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DockerAddress {
    pub host: String,
    /// Where `ca.pem`, `cert.pem` and `key.pem` are, for an engine that wants TLS.
    pub tls: Option<PathBuf>,
}

impl DockerAddress {
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

    /// A socket of this host.
    pub fn unix(path: &Path) -> Self {
        Self { host: format!("unix://{}", path.display()), tls: None }
    }

    fn is_local(&self) -> bool {
        self.host.starts_with("unix://") || self.host.starts_with('/')
    }
}

/// A way to an engine, for as long as this is kept.
#[derive(Clone)]
pub(super) struct DockerConnection {
    pub(super) docker: Docker,
    /// Whether the engine sees this host's files.
    pub(super) local: bool,
    _forward: Option<Arc<SshForward>>,
}

impl DockerConnection {
    /// The same way, in the version of the interface that both ends know.
    pub(super) async fn negotiated(mut self) -> Result<Self, Fault> {
        let negotiated = self.docker.negotiate_version();
        self.docker = with_timeout("reach the container engine", negotiated).await?;
        Ok(self)
    }

    /// The engine is not asked yet.
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

fn unix(path: &Path) -> Result<Docker, Fault> {
    let path = path.display().to_string();
    let connected = Docker::connect_with_unix(&path, TIMEOUT, API_DEFAULT_VERSION);
    connected.map_err(|error| unusable(&path, &error))
}

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
