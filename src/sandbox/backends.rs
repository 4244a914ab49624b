//! All backends as one: a specification says which of them it is for.

use super::HostFacts;
use super::docker::{DockerAddress, DockerBackend, DockerSettings, PullProgress};
use super::egress::{EgressProxies, HostResolver, SystemResolver};
use super::namespace::NamespaceBackend;
use async_trait::async_trait;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use synthd_actors::model::{BackendKind, Fault, ImagePullPolicy, SandboxSpec};
use synthd_actors::ports::{Sandbox, SandboxBackend};

/// Every backend of this process. Neither does anything before a sandbox of its kind is
/// asked for.
pub struct SandboxBackends {
    namespace: NamespaceBackend,
    docker: DockerBackend,
    egress: EgressProxies,
}

impl SandboxBackends {
    /// `executable` is the synthd binary; `guest_dir` is where the guest is laid out for
    /// containers.
    pub fn new(executable: impl Into<PathBuf>, guest_dir: &Path) -> Self {
        Self::with_engine(executable, guest_dir, DockerAddress::from_environment())
    }

    pub fn with_engine(
        executable: impl Into<PathBuf>,
        guest_dir: &Path,
        engine: DockerAddress,
    ) -> Self {
        let settings = DockerSettings { guest_dir: guest_dir.to_owned(), engine };
        Self {
            namespace: NamespaceBackend::new(executable),
            docker: DockerBackend::new(settings),
            egress: EgressProxies::new(guest_dir, Arc::new(SystemResolver)),
        }
    }

    /// The same with names resolved by somebody else.
    #[must_use]
    pub fn resolving_by(self, resolver: Arc<dyn HostResolver>) -> Self {
        Self { egress: self.egress.resolving_by(resolver), ..self }
    }

    /// What the backend of a specification enforces here.
    pub async fn host_facts(&self, backend: BackendKind) -> Result<HostFacts, Fault> {
        match backend {
            BackendKind::Namespace => self.namespace.host_facts().await,
            BackendKind::Docker => self.docker.host_facts().await,
        }
    }

    /// Brings the image that the specification names from its registry, if the campaign says
    /// so.
    pub async fn fetch(
        &self,
        spec: &SandboxSpec,
        pull: ImagePullPolicy,
        told: &(dyn Fn(&PullProgress) + Send + Sync),
    ) -> Result<(), Fault> {
        match spec.backend {
            BackendKind::Namespace => Ok(()),
            BackendKind::Docker => self.docker.fetch(&spec.image, pull, told).await,
        }
    }

    /// Whether what the specification names is there, before anything is begun; the digest
    /// of its image, where it has one.
    pub async fn check(&self, spec: &SandboxSpec) -> Result<Option<String>, Fault> {
        match spec.backend {
            BackendKind::Namespace => self.namespace.check(spec).map(|()| None),
            BackendKind::Docker => self.docker.check(spec).await.map(Some),
        }
    }
}

#[async_trait]
impl SandboxBackend for SandboxBackends {
    fn name(&self) -> &'static str {
        "all"
    }

    async fn create(&self, spec: &SandboxSpec) -> Result<Box<dyn Sandbox>, Fault> {
        let mut sandbox = match spec.backend {
            BackendKind::Namespace => self.namespace.create(spec).await,
            BackendKind::Docker => self.docker.create(spec).await,
        }?;
        if let Some(network) = &spec.network {
            self.egress.open(network, &mut *sandbox).await?;
        }
        Ok(sandbox)
    }

    async fn sweep(&self) -> Result<u32, Fault> {
        let (namespace, docker) = tokio::join!(self.namespace.sweep(), self.docker.sweep());
        Ok(namespace? + docker?)
    }

    async fn settle(&self) -> Result<(), Fault> {
        let (namespace, docker) = tokio::join!(self.namespace.settle(), self.docker.settle());
        namespace.and(docker)
    }
}
