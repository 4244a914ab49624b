//! One namespace sandbox, through its guest.

use super::backend::{Link, Started};
use crate::sandbox::guest::GuestClient;
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use synthd_actors::model::{
    ExecEnd, ExecReport, ExecRequest, Fault, FileSpec, Fingerprint, SandboxSpec, Shell, Snapshot,
    Tree,
};
use synthd_actors::ports::Sandbox;
use tokio::net::UnixStream;

pub(super) struct NamespaceSandbox {
    client: GuestClient<UnixStream>,
    link: Arc<Link>,
    slot: u64,
    spec: SandboxSpec,
    shell: &'static str,
    fingerprint: Fingerprint,
    out_of_memory: Option<OomCounter>,
}

/// The kernel's count of kills for want of memory in this sandbox. Kept open: a read is two
/// microseconds then, and it is read around every command.
struct OomCounter(File);

impl OomCounter {
    fn open(path: &str) -> Option<Self> {
        File::open(path).ok().map(Self)
    }

    /// None once the sandbox and its group are gone.
    fn read(&self) -> Option<u64> {
        let mut text = [0; 512];
        let length = self.0.read_at(&mut text, 0).ok()?;
        let text = std::str::from_utf8(text.get(..length)?).ok()?;
        text.lines().find_map(|line| line.strip_prefix("oom_kill "))?.trim().parse().ok()
    }
}

impl NamespaceSandbox {
    pub(super) fn new(started: Started, spec: &SandboxSpec, root: String) -> Self {
        let shell = shell_of(spec);
        let fingerprint = Fingerprint {
            backend: "namespace".to_owned(),
            root,
            kernel: nix::sys::utsname::uname()
                .map(|names| names.release().to_string_lossy().into_owned())
                .unwrap_or_default(),
            shell: shell.to_owned(),
            enforced: with_limits(spec, started.enforced),
        };
        Self {
            client: GuestClient::new(started.stream),
            link: started.link,
            slot: started.slot,
            spec: spec.clone(),
            shell,
            fingerprint,
            out_of_memory: started.oom_events.as_deref().and_then(OomCounter::open),
        }
    }
}

/// Each limit with its value and what holds it.
fn with_limits(spec: &SandboxSpec, mut by: BTreeMap<String, String>) -> BTreeMap<String, String> {
    let limits = &spec.limits;
    for (name, value) in [
        ("memory", limits.memory_bytes),
        ("processes", u64::from(limits.processes)),
        ("cpu", u64::from(limits.cpu_millis)),
    ] {
        by.entry(name.to_owned()).and_modify(|how| *how = format!("{value} by {how}"));
    }
    by.insert("disk".to_owned(), format!("{} by tmpfs", limits.disk_bytes));
    by.insert("inodes".to_owned(), format!("{} by tmpfs", limits.inodes));
    by
}

fn shell_of(spec: &SandboxSpec) -> &'static str {
    let root = if spec.image.starts_with('/') { spec.image.as_str() } else { "/" };
    // Not through a link of the root directory's, which would be followed on the host.
    let bin = Path::new(root).join("bin");
    let bin = if root != "/" && bin.is_symlink() { Path::new(root).join("usr/bin") } else { bin };
    let has_bash = || bin.join("bash").exists();
    match spec.shell {
        Shell::Sh => "/bin/sh",
        Shell::Bash => "/bin/bash",
        Shell::Auto if has_bash() => "/bin/bash",
        Shell::Auto => "/bin/sh",
    }
}

impl Drop for NamespaceSandbox {
    fn drop(&mut self) {
        self.link.kill(self.slot);
    }
}

#[async_trait]
impl Sandbox for NamespaceSandbox {
    fn fingerprint(&self) -> &Fingerprint {
        &self.fingerprint
    }

    async fn ping(&mut self) -> Result<(), Fault> {
        self.client.ping().await
    }

    async fn lay(&mut self, tree: Tree, files: &[FileSpec]) -> Result<(), Fault> {
        self.client.lay(tree, files).await
    }

    async fn exec(&mut self, request: &ExecRequest) -> Result<ExecReport, Fault> {
        let kills = |counter: &Option<OomCounter>| counter.as_ref().and_then(OomCounter::read);
        let before = kills(&self.out_of_memory);
        let mut report = self.client.exec(request, self.shell, &self.spec.limits).await?;
        let failed = matches!(report.end, ExecEnd::Signaled(_) | ExecEnd::CpuLimit)
            || matches!(report.end, ExecEnd::Exited(code) if code != 0);
        if failed && kills(&self.out_of_memory) > before {
            report.end = ExecEnd::OutOfMemory;
        }
        Ok(report)
    }

    async fn pack(&mut self, quiesce: bool) -> Result<Snapshot, Fault> {
        self.client.pack(&self.spec.limits, quiesce).await
    }

    async fn unpack(&mut self, snapshot: &Snapshot) -> Result<(), Fault> {
        self.client.unpack(snapshot).await
    }
}
