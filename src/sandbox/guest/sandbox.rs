//! A sandbox seen through its guest, whichever backend isolates it.
//!
//! [`GuestSandbox`] implements the engine's `Sandbox` port with a [`GuestClient`] and with what
//! the backend keeps of the sandbox, its [`SandboxGuard`]. It adds two things to the answers of
//! the client. It asks the guard whether memory was exhausted during a command that has ended by
//! itself. And if a sandbox was lost because the container engine failed, it reports that failure
//! and not the lost sandbox.

use super::client::GuestClient;
use super::report::may_be_killed;
use async_trait::async_trait;
use std::collections::BTreeMap;
use synthd_actors::model::{
    CommandStatus, ContainerSite, ExecEnd, ExecReport, ExecRequest, Fault, FaultKind, FileSpec,
    HostAddress, OperationReport, SandboxFingerprint, SandboxOperation, SandboxSpec, SandboxTree,
    ServiceReport, TaskService, WORKSPACE, WorkspaceCopy,
};
use synthd_actors::ports::{InterruptFuture, KeptImage, Sandbox};
use tokio::io::{AsyncRead, AsyncWrite};

/// What a backend keeps of a sandbox. When the guard is dropped, the sandbox ends.
#[async_trait]
pub(crate) trait SandboxGuard: Send + Sync + 'static {
    /// How many processes of the sandbox the kernel has killed so far because memory was
    /// exhausted. None: the host cannot see the number. In a container the guest counts by
    /// itself.
    fn memory_kills(&self) -> Option<u64>;

    /// Called after a sandbox was lost: the fault of the container engine behind it, if that
    /// engine is what failed. None: the sandbox itself failed, or there is no such engine.
    async fn engine_trouble(&self) -> Option<Fault> {
        None
    }

    /// Keeps all files of the sandbox as an image, see [`Sandbox::keep_image`].
    async fn keep_image(&self) -> Result<Box<dyn KeptImage>, Fault> {
        let what = "the files of this sandbox are not kept as an image";
        Err(Fault::new(FaultKind::SandboxRefused, what))
    }

    /// Tells the guard who uses the sandbox now, so that a person who looks at the host can see
    /// it.
    fn held_by(&mut self, _: &str) {}
}

/// A sandbox with its client and its guard. When it is dropped, the stream closes and the guard
/// ends the sandbox.
pub(crate) struct GuestSandbox<S, K> {
    client: GuestClient<S>,
    /// The backend's guard of this sandbox.
    guard: K,
    spec: SandboxSpec,
    /// The path of the shell for commands, such as `/bin/bash`.
    shell: &'static str,
    fingerprint: SandboxFingerprint,
    /// What [`SandboxGuard::memory_kills`] said before the current command began.
    kills_before: Option<u64>,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static, K: SandboxGuard> GuestSandbox<S, K> {
    /// Waits for the guest's first answer and makes a sandbox of its stream. `fingerprint`
    /// comes without the shell, because only the guest knows which shells there are. A
    /// [`FaultKind::SandboxRefused`] means that the image has no shell of the kind that the
    /// specification wants.
    pub(crate) async fn connect(
        stream: S,
        guard: K,
        spec: &SandboxSpec,
        mut fingerprint: SandboxFingerprint,
    ) -> Result<Self, Fault> {
        let mut client = GuestClient::new(stream);
        let met = client.ping().await;
        let shell = blamed(&guard, met).await?.path(spec.shell).ok_or_else(|| {
            let what = format!("image {} has no shell of the kind {:?}", spec.image, spec.shell);
            Fault::new(FaultKind::SandboxRefused, what)
        })?;
        shell.clone_into(&mut fingerprint.shell);
        Ok(Self { client, guard, spec: spec.clone(), shell, fingerprint, kills_before: None })
    }

    /// Changes the end of a failed command to [`ExecEnd::OutOfMemory`] if the kernel killed a
    /// process during the command because memory was exhausted.
    fn told_of_memory(&self, report: ExecReport) -> ExecReport {
        let killed = self.guard.memory_kills() > self.kills_before;
        match may_be_killed(&report.end) && killed {
            true => ExecReport { end: ExecEnd::OutOfMemory, ..report },
            false => report,
        }
    }
}

/// Finds the cause of a lost sandbox. If the container engine has failed, the fault becomes the
/// engine's, so that no episode pays for it. All other answers pass unchanged.
async fn blamed<T: Send>(guard: &impl SandboxGuard, answer: Result<T, Fault>) -> Result<T, Fault> {
    let Err(fault) = answer else { return answer };
    if fault.kind != FaultKind::SandboxLost {
        return Err(fault);
    }
    match guard.engine_trouble().await {
        None => Err(fault),
        Some(error) => {
            let message = format!("{}; {}", fault.message, error.message);
            Err(Fault::new(error.kind, message))
        }
    }
}

/// The operation with a path of the workspace of ordinary sandboxes led to the workspace of this one. None:
/// it has no such path.
fn in_site(operation: &SandboxOperation, site: &ContainerSite) -> Option<SandboxOperation> {
    let directory = site.directory.as_deref()?;
    let mut own = operation.clone();
    let path = match &mut own {
        SandboxOperation::ReadFile(read) => &mut read.path,
        SandboxOperation::WriteFile(write) => &mut write.path,
        SandboxOperation::ListDirectory(read) => &mut read.path,
        SandboxOperation::Run(_) | SandboxOperation::SendKeys(_) => return None,
    };
    let below =
        path.strip_prefix(WORKSPACE).filter(|rest| rest.is_empty() || rest.starts_with('/'));
    *path = format!("{}{}", directory.trim_end_matches('/'), below?);
    if path.is_empty() {
        path.push('/');
    }
    Some(own)
}

/// The limits of a sandbox by name, each with its value and with what enforces it. `by` says
/// what enforces each limit. `with_areas` is the memory bound of the whole sandbox, where a
/// cgroup enforces it: the work areas are memory too and come on top of the processes' memory.
/// Example of an entry: `memory` is `536870912 by cgroup v2, 805306368 with its work areas`.
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
        self.guard.held_by(holder);
    }

    async fn ping(&mut self) -> Result<(), Fault> {
        let answer = self.client.ping().await;
        blamed(&self.guard, answer).await.map(|_| ())
    }

    async fn write_files(&mut self, tree: SandboxTree, files: &[FileSpec]) -> Result<(), Fault> {
        let answer = self.client.lay(tree, files).await;
        blamed(&self.guard, answer).await
    }

    async fn exec(&mut self, request: &ExecRequest) -> Result<ExecReport, Fault> {
        self.kills_before = self.guard.memory_kills();
        let answer = self.client.exec(request, self.shell, &self.spec.limits).await;
        blamed(&self.guard, answer).await.map(|report| self.told_of_memory(report))
    }

    async fn perform(&mut self, operation: &SandboxOperation) -> Result<OperationReport, Fault> {
        if let SandboxOperation::Run(request) = operation {
            return self.exec(request).await.map(OperationReport::ran);
        }
        let own = self.spec.site.as_ref().and_then(|site| in_site(operation, site));
        let operation = own.as_ref().unwrap_or(operation);
        let answer = self.client.perform(operation, self.shell, &self.spec.limits).await;
        blamed(&self.guard, answer).await
    }

    async fn start(&mut self, request: &ExecRequest) -> Result<(), Fault> {
        self.kills_before = self.guard.memory_kills();
        let answer = self.client.start(request, self.shell, &self.spec.limits).await;
        blamed(&self.guard, answer).await
    }

    async fn wait_for_command(
        &mut self,
        until: InterruptFuture<'_>,
    ) -> Result<CommandStatus, Fault> {
        let answer = self.client.attend(until).await;
        Ok(match blamed(&self.guard, answer).await? {
            CommandStatus::Ended(report) => CommandStatus::Ended(self.told_of_memory(report)),
            running => running,
        })
    }

    async fn stop(&mut self) -> Result<ExecReport, Fault> {
        let answer = self.client.stop().await;
        blamed(&self.guard, answer).await.map(|report| self.told_of_memory(report))
    }

    async fn start_service(&mut self, service: &TaskService) -> Result<ServiceReport, Fault> {
        let answer = self.client.start_service(service, self.shell).await;
        blamed(&self.guard, answer).await
    }

    async fn freeze(&mut self) -> Result<(), Fault> {
        let answer = self.client.freeze().await;
        blamed(&self.guard, answer).await
    }

    async fn thaw(&mut self) -> Result<(), Fault> {
        let answer = self.client.thaw().await;
        blamed(&self.guard, answer).await
    }

    async fn pack(&mut self, quiesce: bool) -> Result<WorkspaceCopy, Fault> {
        let answer = self.client.pack(&self.spec.limits, quiesce).await;
        blamed(&self.guard, answer).await
    }

    async fn unpack(&mut self, snapshot: &WorkspaceCopy) -> Result<(), Fault> {
        let answer = self.client.unpack(snapshot).await;
        blamed(&self.guard, answer).await
    }

    async fn lay_judge(
        &mut self,
        files: &[FileSpec],
        submission: &WorkspaceCopy,
    ) -> Result<(), Fault> {
        let answer = self.client.lay_judge(files, submission).await;
        blamed(&self.guard, answer).await
    }

    async fn without_room(&mut self, areas: &[&str], bytes: u32) -> Result<Option<String>, Fault> {
        let answer = self.client.without_room(areas, bytes).await;
        blamed(&self.guard, answer).await
    }

    async fn reset(&mut self) -> Result<(), Fault> {
        let answer = self.client.empty().await;
        blamed(&self.guard, answer).await
    }

    async fn tunnel(&mut self, port: u16, to: HostAddress) -> Result<(), Fault> {
        let answer = self.client.tunnel(port, to).await;
        blamed(&self.guard, answer).await
    }

    async fn environment(&mut self, variables: &[(String, String)]) -> Result<(), Fault> {
        let answer = self.client.environment(variables).await;
        blamed(&self.guard, answer).await
    }

    async fn keep_image(&mut self) -> Result<Box<dyn KeptImage>, Fault> {
        if self.spec.site.is_none() {
            let what = "the work of this sandbox is in memory, and no image can have it";
            return Err(Fault::new(FaultKind::SandboxRefused, what));
        }
        self.guard.keep_image().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::guest::wire::{PROTOCOL, PayloadWriter, encode, end, kind};
    use synthd_actors::model::FileRead;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    /// A guard that has seen the kernel kill one process.
    struct KillCountGuard;

    impl SandboxGuard for KillCountGuard {
        fn memory_kills(&self) -> Option<u64> {
            Some(1)
        }
    }

    /// A stream whose guest answers a PING, and reports an end for every other request.
    fn guest(ending: u8) -> DuplexStream {
        let (ours, mut theirs) = duplex(1 << 12);
        #[expect(clippy::disallowed_methods, reason = "lives as long as the test's runtime")]
        tokio::spawn(async move {
            let mut asked = [0; 1 << 12];
            while theirs.read(&mut asked).await.is_ok_and(|count| count >= 9) {
                let id = u32::from_le_bytes([asked[4], asked[5], asked[6], asked[7]]);
                let mut said = PayloadWriter::default();
                let kind = match asked[8] {
                    kind::PING => {
                        said.u32(PROTOCOL).u8(1);
                        kind::PONG
                    }
                    _ => {
                        said.u8(ending).i32(9).bytes(b"");
                        said.u64(0).bytes(b"").bytes(b"").u64(0).bytes(b"").bytes(b"");
                        said.bytes(b"/work").u64(42).u64(0).u8(0);
                        kind::EXITED
                    }
                };
                theirs.write_all(&encode(id, kind, &said.0)).await.ok();
            }
        });
        ours
    }

    /// What the stopped command is said to have ended with.
    async fn stopped(ending: u8) -> ExecEnd {
        let (spec, fingerprint) = (SandboxSpec::default(), SandboxFingerprint::default());
        let connected = GuestSandbox::connect(guest(ending), KillCountGuard, &spec, fingerprint);
        connected.await.unwrap().stop().await.unwrap().end
    }

    /// Tools know only the usual workspace.
    #[test]
    fn a_path_of_the_workspace_leads_to_that_of_the_site() {
        let led = |path: &str, directory: Option<&str>| {
            let site = ContainerSite {
                directory: directory.map(str::to_owned),
                ..ContainerSite::default()
            };
            let read = FileRead { path: path.to_owned(), max_bytes: 1 };
            match in_site(&SandboxOperation::ReadFile(read), &site) {
                Some(SandboxOperation::ReadFile(read)) => Some(read.path),
                _ => None,
            }
        };
        assert_eq!(led("/work/a/b", Some("/app")).as_deref(), Some("/app/a/b"));
        assert_eq!(led("/work", Some("/app/")).as_deref(), Some("/app"));
        assert_eq!(led("/work/a", Some("/")).as_deref(), Some("/a"));
        assert_eq!(led("/work", Some("/")).as_deref(), Some("/"));
        for other in ["/etc/hosts", "/workshop/a"] {
            assert_eq!(led(other, Some("/app")), None, "{other}");
        }
        assert_eq!(led("/work/a", None), None);
    }

    #[tokio::test]
    async fn a_command_that_memory_killed_before_it_was_stopped_is_told_so() {
        assert_eq!(stopped(end::SIGNALED).await, ExecEnd::OutOfMemory);
        assert_eq!(stopped(end::TIMED_OUT).await, ExecEnd::TimedOut);
    }
}
