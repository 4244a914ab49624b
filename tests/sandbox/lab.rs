//! What the sandbox tests share: a backend, what the host enforces, and short ways to run
//! things inside.

use crate::support::{skip, synthd};
use std::time::Duration;
use synthd::sandbox::{HostFacts, SandboxBackends};
use synthd_actors::model::{
    BackendKind, ExecEnd, ExecReport, ExecRequest, SandboxLimits, SandboxProtection, SandboxSpec,
    ShellChoice,
};
use synthd_actors::ports::{Sandbox, SandboxBackend};

/// Names the image of the containers that are tested instead of namespace sandboxes.
pub(crate) const IMAGE: &str = "SYNTHD_TEST_IMAGE";
/// And their runtime.
pub(crate) const RUNTIME: &str = "SYNTHD_TEST_RUNTIME";

/// A backend with what it said of this host.
pub(crate) struct Lab {
    pub(crate) backend: SandboxBackends,
    pub(crate) facts: HostFacts,
}

impl Lab {
    pub(crate) async fn new() -> Self {
        let backend = SandboxBackends::new(synthd(), &guest_dir());
        let facts = backend.host_facts(spec().backend).await.unwrap();
        Self { backend, facts }
    }

    pub(crate) fn enforces(&self, what: SandboxProtection) -> bool {
        matches!(self.facts.enforced.get(&what), Some(Ok(_)))
    }

    pub(crate) async fn sandbox(&self) -> Box<dyn Sandbox> {
        self.with(spec()).await
    }

    /// A sandbox for sealed files.
    pub(crate) async fn judge(&self) -> Box<dyn Sandbox> {
        self.with(spec().judging()).await
    }

    pub(crate) async fn limited(&self, limits: SandboxLimits) -> Box<dyn Sandbox> {
        self.with(SandboxSpec { limits, ..spec() }).await
    }

    pub(crate) async fn with(&self, spec: SandboxSpec) -> Box<dyn Sandbox> {
        self.backend.create(&spec).await.unwrap()
    }

    /// Nothing of dropped sandboxes is left, and a new one works.
    pub(crate) async fn is_well(&self) {
        self.backend.settle().await.unwrap();
        works(&mut *self.sandbox().await).await;
    }
}

fn guest_dir() -> std::path::PathBuf {
    std::env::temp_dir().join(format!("synthd-test-guest-{}", nix::unistd::geteuid()))
}

/// A sandbox of the kind under test.
pub(crate) fn spec() -> SandboxSpec {
    let Ok(image) = std::env::var(IMAGE) else {
        return SandboxSpec { image: "base".to_owned(), ..SandboxSpec::default() };
    };
    let runtime = std::env::var(RUNTIME).ok();
    SandboxSpec { image, backend: BackendKind::Docker, runtime, ..SandboxSpec::default() }
}

/// Whether containers are under test, which refuse some things in another way.
pub(crate) fn contained() -> bool {
    std::env::var_os(IMAGE).is_some()
}

pub(crate) fn shelled(shell: ShellChoice) -> SandboxSpec {
    SandboxSpec { shell, ..spec() }
}

/// Whether this host has the shell; skips aloud where it does not.
pub(crate) fn has_shell(shell: ShellChoice, what: &str) -> bool {
    let there = shell != ShellChoice::Bash || std::path::Path::new("/bin/bash").exists();
    if !there {
        skip(what, "no bash on this host");
    }
    there
}

/// Counts processes with nothing but the shell itself: the guest and it are two.
pub(crate) const ALONE: &str = "set -- /proc/[0-9]*; echo $#";

pub(crate) const BOTH: [ShellChoice; 2] = [ShellChoice::Sh, ShellChoice::Bash];

pub(crate) fn request(command: &str, timeout: Duration) -> ExecRequest {
    ExecRequest {
        command: command.to_owned(),
        session: true,
        timeout,
        scan: true,
        output_kept: None,
        joined: false,
    }
}

/// How long a command may take that must end by itself. It only ends what hangs: a busy host may take
/// a minute for what takes a second elsewhere.
pub(crate) const ENDS_BY_ITSELF: Duration = Duration::from_secs(300);

pub(crate) async fn run(sandbox: &mut dyn Sandbox, command: &str) -> ExecReport {
    run_for(sandbox, command, ENDS_BY_ITSELF).await
}

pub(crate) async fn run_for(
    sandbox: &mut dyn Sandbox,
    command: &str,
    timeout: Duration,
) -> ExecReport {
    sandbox.exec(&request(command, timeout)).await.unwrap()
}

/// Runs what must exit with zero; its standard output.
pub(crate) async fn ok(sandbox: &mut dyn Sandbox, command: &str) -> String {
    let report = run(sandbox, command).await;
    assert_eq!(report.end, ExecEnd::Exited(0), "{command}: {report:?}");
    report.stdout.text()
}

/// The next command works.
pub(crate) async fn works(sandbox: &mut dyn Sandbox) {
    assert_eq!(ok(sandbox, "echo well").await, "well\n");
}

/// Waits until exactly so many processes of the sandbox are a `sleep`: a shell that has
/// started one in the background has only forked.
pub(crate) async fn sleepers(sandbox: &mut dyn Sandbox, count: usize) {
    let counted = "grep -lx sleep /proc/[0-9]*/comm 2> /dev/null | wc -l";
    ok(sandbox, &format!("until [ \"$({counted})\" -eq {count} ]; do :; done")).await;
}

/// Runs a Python program, which must exit with zero. None: there is no Python inside, which
/// was said aloud.
pub(crate) async fn python(sandbox: &mut dyn Sandbox, what: &str, program: &str) -> Option<String> {
    let report = run_python(sandbox, what, program, ENDS_BY_ITSELF).await?;
    assert_eq!(report.end, ExecEnd::Exited(0), "{what}: {report:?}");
    Some(report.stdout.text())
}

pub(crate) async fn run_python(
    sandbox: &mut dyn Sandbox,
    what: &str,
    program: &str,
    timeout: Duration,
) -> Option<ExecReport> {
    if run(sandbox, "command -v python3").await.end != ExecEnd::Exited(0) {
        skip(what, "no python3 inside");
        return None;
    }
    let command = format!("python3 - <<'PROGRAM'\n{program}\nPROGRAM");
    Some(run_for(sandbox, &command, timeout).await)
}

/// The host's mounts at the places where a sandbox mounts; other programs' come and go.
pub(crate) fn host_mounts() -> String {
    const PLACES: [&str; 10] =
        ["work", "sealed", "proc", "dev", "home", "usr", "bin", "sbin", "lib", "etc"];
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    let ours = mounts.lines().filter(|line| {
        let at = line.split(' ').nth(4).unwrap().trim_start_matches('/');
        let first = at.split('/').next().unwrap();
        at.is_empty() || at == "tmp" || PLACES.contains(&first)
    });
    ours.collect::<Vec<_>>().join("\n")
}
