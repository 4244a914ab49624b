//! All backends as one: a specification says which of them it is for.

use super::HostFacts;
use super::docker::{DockerBackend, DockerSettings, EngineAddress, Pulled};
use super::egress::{Egress, Resolve, SystemResolver};
use super::namespace::NamespaceBackend;
use async_trait::async_trait;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use synthd_actors::model::{Backend, Fault, Pull, SandboxSpec};
use synthd_actors::ports::{Sandbox, SandboxBackend};

/// Every backend of this process. Neither does anything before a sandbox of its kind is
/// asked for.
pub struct Backends {
    namespace: NamespaceBackend,
    docker: DockerBackend,
    egress: Egress,
}

impl Backends {
    /// `executable` is the synthd binary; `guest_dir` is where the guest is laid out for
    /// containers.
    pub fn new(executable: impl Into<PathBuf>, guest_dir: &Path) -> Self {
        Self::with_engine(executable, guest_dir, EngineAddress::from_environment())
    }

    pub fn with_engine(
        executable: impl Into<PathBuf>,
        guest_dir: &Path,
        engine: EngineAddress,
    ) -> Self {
        let settings = DockerSettings { guest_dir: guest_dir.to_owned(), engine };
        Self {
            namespace: NamespaceBackend::new(executable),
            docker: DockerBackend::new(settings),
            egress: Egress::new(guest_dir, Arc::new(SystemResolver)),
        }
    }

    /// The same with names resolved by somebody else.
    #[must_use]
    pub fn resolving_by(self, resolver: Arc<dyn Resolve>) -> Self {
        Self { egress: self.egress.resolving_by(resolver), ..self }
    }

    /// What the backend of a specification enforces here.
    pub async fn host_facts(&self, backend: Backend) -> Result<HostFacts, Fault> {
        match backend {
            Backend::Namespace => self.namespace.host_facts().await,
            Backend::Docker => self.docker.host_facts().await,
        }
    }

    /// Brings the image that the specification names from its registry, if the campaign says
    /// so.
    pub async fn fetch(
        &self,
        spec: &SandboxSpec,
        pull: Pull,
        told: &(dyn Fn(&Pulled) + Send + Sync),
    ) -> Result<(), Fault> {
        match spec.backend {
            Backend::Namespace => Ok(()),
            Backend::Docker => self.docker.fetch(&spec.image, pull, told).await,
        }
    }

    /// Whether what the specification names is there, before anything is begun; the digest
    /// of its image, where it has one.
    pub async fn check(&self, spec: &SandboxSpec) -> Result<Option<String>, Fault> {
        match spec.backend {
            Backend::Namespace => self.namespace.check(spec).map(|()| None),
            Backend::Docker => self.docker.check(spec).await.map(Some),
        }
    }
}

#[async_trait]
impl SandboxBackend for Backends {
    fn name(&self) -> &'static str {
        "all"
    }

    async fn create(&self, spec: &SandboxSpec) -> Result<Box<dyn Sandbox>, Fault> {
        let mut sandbox = match spec.backend {
            Backend::Namespace => self.namespace.create(spec).await,
            Backend::Docker => self.docker.create(spec).await,
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
