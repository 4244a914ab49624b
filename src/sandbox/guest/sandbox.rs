//! A sandbox through its guest, whatever isolates it.

use super::client::GuestClient;
use super::report::may_be_killed;
use async_trait::async_trait;
use std::collections::BTreeMap;
use synthd_actors::model::{
    CommandStatus, ExecEnd, ExecReport, ExecRequest, Fault, FaultKind, FileSpec, HostAddress,
    SandboxFingerprint, SandboxSpec, SandboxTree, WorkspaceCopy,
};
use synthd_actors::ports::{InterruptFuture, Sandbox};
use tokio::io::{AsyncRead, AsyncWrite};

/// What a backend keeps of a sandbox; dropping it ends the sandbox.
#[async_trait]
pub(crate) trait SandboxGuard: Send + Sync + 'static {
    /// Kills for want of memory so far, where the host sees what the guest does not.
    fn memory_kills(&self) -> Option<u64>;

    /// What is wrong with the engine behind a sandbox that was lost, if it is that.
    async fn engine_trouble(&self) -> Option<Fault> {
        None
    }

    /// Told who has the sandbox now.
    fn held_by(&mut self, _: &str) {}
}

pub(crate) struct GuestSandbox<S, K> {
    client: GuestClient<S>,
    keeper: K,
    spec: SandboxSpec,
    shell: &'static str,
    fingerprint: SandboxFingerprint,
    /// Kills for want of memory before the command that runs.
    kills_before: Option<u64>,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static, K: SandboxGuard> GuestSandbox<S, K> {
    /// A sandbox whose guest has answered. `fingerprint` lacks the shell, which it tells.
    pub(crate) async fn connect(
        stream: S,
        keeper: K,
        spec: &SandboxSpec,
        mut fingerprint: SandboxFingerprint,
    ) -> Result<Self, Fault> {
        let mut client = GuestClient::new(stream);
        let met = client.ping().await;
        let shell = blamed(&keeper, met).await?.path(spec.shell).ok_or_else(|| {
            let what = format!("image {} has no shell of the kind {:?}", spec.image, spec.shell);
            Fault::new(FaultKind::SandboxRefused, what)
        })?;
        shell.clone_into(&mut fingerprint.shell);
        Ok(Self { client, keeper, spec: spec.clone(), shell, fingerprint, kills_before: None })
    }

    /// What failed while the kernel killed for want of memory ran out of it.
    fn told_of_memory(&self, report: ExecReport) -> ExecReport {
        let killed = self.keeper.memory_kills() > self.kills_before;
        match may_be_killed(&report.end) && killed {
            true => ExecReport { end: ExecEnd::OutOfMemory, ..report },
            false => report,
        }
    }
}

/// A sandbox that was lost with its engine was the engine's to lose.
async fn blamed<T: Send>(keeper: &impl SandboxGuard, answer: Result<T, Fault>) -> Result<T, Fault> {
    let Err(fault) = answer else { return answer };
    if fault.kind != FaultKind::SandboxLost {
        return Err(fault);
    }
    match keeper.engine_trouble().await {
        None => Err(fault),
        Some(error) => {
            let message = format!("{}; {}", fault.message, error.message);
            Err(Fault::new(error.kind, message))
        }
    }
}

/// Each limit with its value and what holds it.
/// `with_areas` is the bound of the whole sandbox, where a cgroup holds it: work areas are
/// memory too, and come on top.
pub(crate) fn with_limits(
    spec: &SandboxSpec,
    with_areas: Option<u64>,
    mut by: BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let limits = &spec.limits;
    for (name, value) in [
        ("memory", limits.memory_bytes),
        ("processes", u64::from(limits.processes)),
        ("cpu", u64::from(limits.cpu_millis)),
    ] {
        by.entry(name.to_owned()).and_modify(|how| *how = format!("{value} by {how}"));
    }
    if let Some(whole) = with_areas {
        let and = |how: &mut String| *how = format!("{how}, {whole} with its work areas");
        by.entry("memory".to_owned()).and_modify(and);
    }
    if let Some(network) = &spec.network {
        let hosts: Vec<String> = network.allow.iter().map(ToString::to_string).collect();
        by.insert("network".to_owned(), format!("{}: {}", network.name, hosts.join(", ")));
    }
    by.insert("disk".to_owned(), format!("{} by tmpfs", limits.disk_bytes));
    by.insert("inodes".to_owned(), format!("{} by tmpfs", limits.inodes));
    by
}

#[async_trait]
impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static, K: SandboxGuard> Sandbox
    for GuestSandbox<S, K>
{
    fn fingerprint(&self) -> &SandboxFingerprint {
        &self.fingerprint
    }

    fn set_holder(&mut self, holder: &str) {
        self.keeper.held_by(holder);
    }

    async fn ping(&mut self) -> Result<(), Fault> {
        let answer = self.client.ping().await;
        blamed(&self.keeper, answer).await.map(|_| ())
    }

    async fn write_files(&mut self, tree: SandboxTree, files: &[FileSpec]) -> Result<(), Fault> {
        let answer = self.client.lay(tree, files).await;
        blamed(&self.keeper, answer).await
    }

    async fn exec(&mut self, request: &ExecRequest) -> Result<ExecReport, Fault> {
        self.kills_before = self.keeper.memory_kills();
        let answer = self.client.exec(request, self.shell, &self.spec.limits).await;
        blamed(&self.keeper, answer).await.map(|report| self.told_of_memory(report))
    }

    async fn start(&mut self, request: &ExecRequest) -> Result<(), Fault> {
        self.kills_before = self.keeper.memory_kills();
        let answer = self.client.start(request, self.shell, &self.spec.limits).await;
        blamed(&self.keeper, answer).await
    }

    async fn wait_for_command(
        &mut self,
        until: InterruptFuture<'_>,
    ) -> Result<CommandStatus, Fault> {
        let answer = self.client.attend(until).await;
        Ok(match blamed(&self.keeper, answer).await? {
            CommandStatus::Ended(report) => CommandStatus::Ended(self.told_of_memory(report)),
            running => running,
        })
    }

    async fn stop(&mut self) -> Result<ExecReport, Fault> {
        let answer = self.client.stop().await;
        blamed(&self.keeper, answer).await
    }

    async fn freeze(&mut self) -> Result<(), Fault> {
        let answer = self.client.freeze().await;
        blamed(&self.keeper, answer).await
    }

    async fn thaw(&mut self) -> Result<(), Fault> {
        let answer = self.client.thaw().await;
        blamed(&self.keeper, answer).await
    }

    async fn pack(&mut self, quiesce: bool) -> Result<WorkspaceCopy, Fault> {
        let answer = self.client.pack(&self.spec.limits, quiesce).await;
        blamed(&self.keeper, answer).await
    }

    async fn unpack(&mut self, snapshot: &WorkspaceCopy) -> Result<(), Fault> {
        let answer = self.client.unpack(snapshot).await;
        blamed(&self.keeper, answer).await
    }

    async fn reset(&mut self) -> Result<(), Fault> {
        let answer = self.client.empty().await;
        blamed(&self.keeper, answer).await
    }

    async fn tunnel(&mut self, port: u16, to: HostAddress) -> Result<(), Fault> {
        let answer = self.client.tunnel(port, to).await;
        blamed(&self.keeper, answer).await
    }

    async fn environment(&mut self, variables: &[(String, String)]) -> Result<(), Fault> {
        let answer = self.client.environment(variables).await;
        blamed(&self.keeper, answer).await
    }
}
