//! Hostile programs, numbered as in `docs/SECURITY.md`. Each has its expected outcome; the
//! host is unharmed; the next command works, in the same sandbox unless the program may end
//! it, and in a new one.

mod crossing;
mod deputy;
mod escape;
mod kernel;
mod resources;

use super::lab::{ALONE, ENDS_BY_ITSELF, Lab, host_mounts, ok, run_for, run_python, works};
use std::fs;
use std::io::Write;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use synthd_actors::model::{ExecEnd, ExecReport, SandboxLimits};
use synthd_actors::ports::{Sandbox, SandboxBackend};

/// Names a file to which is added what programs met, for the table in the document.
pub(crate) const OUTCOMES: &str = "SYNTHD_TEST_OUTCOMES";

/// Notes what the program of this test met.
fn met(what: &str) {
    let Some(file) = std::env::var_os(OUTCOMES) else { return };
    let test = std::thread::current().name().unwrap_or_default().to_owned();
    let mut file = fs::File::options().create(true).append(true).open(file).unwrap();
    file.write_all(format!("{test} {what}\n").as_bytes()).unwrap();
}

/// How a command was ended, if it did not end itself.
fn met_end(end: &ExecEnd) {
    match end {
        ExecEnd::Exited(_) | ExecEnd::Signaled(_) | ExecEnd::NotStarted(_) => {}
        cut => met(&format!("{cut:?}")),
    }
}

/// Errors of the kernel by name, in what a program printed.
fn met_errors(printed: &str) {
    let words = printed.split(|c: char| !c.is_ascii_alphanumeric());
    let errors = words.filter(|word| {
        word.len() > 3 && word.starts_with('E') && word.chars().all(|c| !c.is_ascii_lowercase())
    });
    errors.for_each(met);
}

/// Small, so that what is to be exhausted is exhausted soon.
fn small() -> SandboxLimits {
    SandboxLimits {
        memory_bytes: 128 << 20,
        processes: 64,
        disk_bytes: 16 << 20,
        inodes: 2_000,
        ..SandboxLimits::default()
    }
}

/// One hostile program against one sandbox, and the host watched meanwhile.
struct Trial {
    lab: Lab,
    sandbox: Box<dyn Sandbox>,
    /// Stands in the command line of everything the program runs.
    marker: String,
    mounts: String,
}

impl Trial {
    async fn new() -> Self {
        Self::with(small()).await
    }

    async fn with(limits: SandboxLimits) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let lab = Lab::new().await;
        let sandbox = lab.limited(limits).await;
        let marker = format!("trial-{}-{number}", std::process::id());
        Self { lab, sandbox, marker, mounts: host_mounts() }
    }

    async fn run(&mut self, command: &str, timeout: Duration) -> ExecReport {
        let marked = format!(": {}; {command}", self.marker);
        let report = run_for(&mut *self.sandbox, &marked, timeout).await;
        met_end(&report.end);
        report
    }

    /// Runs a program that must exit with zero.
    async fn ok(&mut self, command: &str) -> String {
        let report = self.run(command, ENDS_BY_ITSELF).await;
        assert_eq!(report.end.exit_code(), 0, "{command}: {report:?}");
        report.stdout.text()
    }

    /// A Python program after [`PRELUDE`]; its report. None: no Python, said aloud.
    async fn python(&mut self, what: &str, program: &str) -> Option<ExecReport> {
        let program = format!("# {}\n{PRELUDE}{program}", self.marker);
        let report = run_python(&mut *self.sandbox, what, &program, ENDS_BY_ITSELF).await?;
        met_end(&report.end);
        met_errors(&report.stdout.text());
        Some(report)
    }

    /// A Python program that must exit with zero; its output.
    async fn python_ok(&mut self, what: &str, program: &str) -> Option<String> {
        let report = self.python(what, program).await?;
        assert_eq!(report.end.exit_code(), 0, "{what}: {report:?}");
        Some(report.stdout.text())
    }

    /// Whether Python is there; said aloud if not.
    async fn has_python(&mut self, what: &str) -> bool {
        self.python(what, "").await.is_some()
    }

    /// Nothing of the program runs on, and the same sandbox is as good as new.
    async fn alone(&mut self) {
        assert_eq!(ok(&mut *self.sandbox, ALONE).await, "2\n");
        self.next().await;
    }

    async fn next(&mut self) {
        works(&mut *self.sandbox).await;
    }

    /// The sandbox ends; nothing of it is left on the host, and another one works.
    async fn end(self) {
        drop(self.sandbox);
        self.lab.backend.settle().await.unwrap();
        assert_eq!(processes_of(&self.marker), 0, "survivors on the host");
        assert_eq!(host_mounts(), self.mounts);
        self.lab.is_well().await;
    }
}

/// How many processes of the host have `marker` in their command line.
fn processes_of(marker: &str) -> usize {
    pids_of(marker).len()
}

fn pids_of(marker: &str) -> Vec<i32> {
    let marked = |pid: &i32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.windows(marker.len()).any(|part| part == marker.as_bytes())
    };
    let entries = fs::read_dir("/proc").unwrap().flatten();
    entries.filter_map(|e| e.file_name().to_str()?.parse().ok()).filter(marked).collect()
}

/// `call(number, …)` makes a system call; `says(f)` calls `f`. Both give the errno's name,
/// or `ok`.
const PRELUDE: &str = r#"
import ctypes, errno, os, socket, sys
libc = ctypes.CDLL(None, use_errno=True)
def name(number):
    return errno.errorcode.get(number, str(number)) if number else "ok"
def call(number, *arguments):
    wide = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    return name(ctypes.get_errno() if libc.syscall(ctypes.c_long(number), *wide) < 0 else 0)
def says(f, *arguments):
    try:
        f(*arguments)
        return "ok"
    except OSError as error:
        return name(error.errno)
"#;
