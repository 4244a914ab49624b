//! Both sandbox backends behind one interface. The specification of a sandbox says which one
//! makes it.
//!
//! The pool, `synthd check`, `synthd doctor` and the image commands use [`SandboxBackends`]. The
//! type also opens the egress proxy for a sandbox whose specification has a network.

use super::HostFacts;
use super::docker::{DockerAddress, DockerBackend, DockerSettings, PullProgress};
use super::egress::{EgressProxies, HostResolver, SystemResolver};
use super::namespace::NamespaceBackend;
use super::stored_copies::CopyDirectory;
use async_trait::async_trait;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use synthd_actors::model::{BackendKind, Fault, ImagePullPolicy, SandboxSpec, WorkspaceCopy};
use synthd_actors::ports::{Sandbox, SandboxBackend, StoredCopy};

/// Every backend of this process. A backend does nothing before somebody asks for a sandbox of
/// its kind: no launcher is started, and no container engine is contacted.
pub struct SandboxBackends {
    namespace: NamespaceBackend,
    docker: DockerBackend,
    egress: EgressProxies,
    copies: CopyDirectory,
}

impl SandboxBackends {
    /// `executable` is the synthd binary, which is also the launcher. `guest_dir` is a directory
    /// of this user for the guest file of containers, for sockets and for copies of workspaces. The
    /// container engine is the one that `DOCKER_HOST` names.
    pub fn new(executable: impl Into<PathBuf>, guest_dir: &Path) -> Self {
        Self::with_engine(executable, guest_dir, DockerAddress::from_environment())
    }

    /// Like [`Self::new`], with an explicit address of the container engine.
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
            copies: CopyDirectory::new(guest_dir),
        }
    }

    /// Replaces the resolver of host names that the egress proxy uses. Tests use this to lead a
    /// name to a server of their own.
    #[must_use]
    pub fn resolving_by(self, resolver: Arc<dyn HostResolver>) -> Self {
        Self { egress: self.egress.resolving_by(resolver), ..self }
    }

    /// What the given backend enforces on its host. `Err` means that the backend cannot be used.
    pub async fn host_facts(&self, backend: BackendKind) -> Result<HostFacts, Fault> {
        match backend {
            BackendKind::Namespace => self.namespace.host_facts().await,
            BackendKind::Docker => self.docker.host_facts().await,
        }
    }

    /// Pulls the image of the specification from its registry, if the pull policy says so. The
    /// namespace backend has no images to pull, so nothing happens for it. `told` is called at
    /// each step of the pull.
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

    /// Checks before a campaign begins that the image and the runtime of the specification exist.
    /// Returns the digest of the image; `None` for the namespace backend, which has no digests.
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
        // A failure here drops the sandbox, so a sandbox with a network never exists without its
        // proxy.
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
        // Both backends are waited for, even if one of them fails: what the other one still
        // removes must be gone too. The first error wins.
        let (namespace, docker) = tokio::join!(self.namespace.settle(), self.docker.settle());
        namespace.and(docker)
    }

    async fn store_copy(&self, copy: Arc<WorkspaceCopy>) -> Arc<dyn StoredCopy> {
        self.copies.store(copy).await
    }
}
