//! The judge's sandbox: runs the checks of a task over a copy of a workspace.
//!
//! ```text
//!  (none) ──acquire, tunnel──► ready ──lay──► checks run ──► emptied ──► ready …
//!                                    └──── fault, or a check cut short ────► dropped
//! ```
//! The sandbox may be used for one run after the other of the same task, because no program of the
//! agent runs in it. It is emptied after each run, so nothing sealed is there while an agent acts.

use super::declared_check::evaluate;
use super::engine_commands::run_engine_command;
use super::judged_service::JudgedService;
use crate::model::{
    ExecEnd, ExecReport, Fault, FileSpec, HostAddress, InternalService, JUDGED_LIBRARY,
    JUDGED_PORT_VARIABLE, JudgeEnvironment, JudgePlace, SUBMISSION_LEFT_OUT, SandboxFingerprint,
    SandboxSpec, Task, TaskCheck, TreeEntry, TreeEntryKind, WorkspaceCopy,
};
use crate::pool::{PoolHandle, SandboxLease};
use std::sync::Arc;

/// The port of the judged sandbox on the loopback of the judge's.
const PORT: u16 = 4_114;
/// Lines that a failed check lists of what was left out, at most, and characters of each.
const LINES_TOLD: usize = 5;
const LINE_TOLD: usize = 120;
/// Characters of a link's target that are listed.
const LONGEST_TARGET: usize = 256;
/// Bytes of the whole list of what was left out.
const LEFT_OUT_BYTES: usize = 256 << 10;

/// What one check did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JudgedCheck {
    pub end: ExecEnd,
    /// What the check wrote, to its output and then to its error stream.
    pub output: String,
}

impl JudgedCheck {
    /// The same check, failed for a reason of the engine's, whatever the check itself made of it.
    fn failed(self, why: &str) -> Self {
        let end = if self.end.success() { ExecEnd::Exited(1) } else { self.end };
        Self { end, output: format!("{}\n{why}", self.output.trim_end()) }
    }
}

/// Runs the checks of one task. It takes its sandbox when it is first needed.
pub struct JudgeSandbox {
    pool: PoolHandle,
    spec: Arc<SandboxSpec>,
    service: Arc<JudgedService>,
    /// None before the first run, and after one that was cut short.
    lease: Option<SandboxLease>,
    /// What the first sandbox ran on. None before a command has run.
    fingerprint: Option<SandboxFingerprint>,
}

impl JudgeSandbox {
    /// `spec` is the judged sandbox's. The judge's has the sealed directory besides.
    pub fn new(pool: PoolHandle, spec: Arc<SandboxSpec>) -> Self {
        let judging = Arc::new(spec.judging());
        let service = Arc::new(JudgedService::new(pool.clone(), spec));
        Self { pool, spec: judging, service, lease: None, fingerprint: None }
    }

    /// Where the checks of a task have run so far.
    pub fn environment(&self, task: &Task) -> JudgeEnvironment {
        let sandbox = self.fingerprint.clone();
        JudgeEnvironment { place: JudgePlace::Apart, sandbox, library: library_version(task) }
    }

    /// Runs the checks one after the other, in their order, over one copy. Err means that a sandbox
    /// failed, on either side; a failed check is a result.
    pub async fn run_checks(
        &mut self,
        task: &Task,
        checks: &[TaskCheck],
        copy: Arc<WorkspaceCopy>,
    ) -> Result<Vec<JudgedCheck>, Fault> {
        if checks.iter().all(|check| check.compare.is_some()) {
            let all = checks.iter().filter_map(|check| declared(check, task, &copy));
            return Ok(all.collect());
        }
        let mut lease = match self.lease.take() {
            Some(lease) => lease,
            None => self.acquire().await?,
        };
        let left_out = left_out(&copy);
        let files = with_left_out(&task.verification.files, &left_out);
        lease.sandbox().lay_judge(&files, &copy).await?;
        self.service.begin(task, copy.clone()).await;
        let results = self.run_all(&mut lease, task, checks, &copy, &left_out).await;
        drop(copy);
        self.service.end().await;
        let results = results?;
        if self.fingerprint.is_none() {
            self.fingerprint = Some(lease.sandbox().fingerprint().clone());
        }
        lease.sandbox().reset().await?;
        // A check that was killed may have left the sandbox in a bad state.
        let whole = results.iter().all(|check| matches!(check.end, ExecEnd::Exited(_)));
        self.lease = whole.then_some(lease);
        Ok(results)
    }

    /// A fresh sandbox with the way to the judged one.
    async fn acquire(&mut self) -> Result<SandboxLease, Fault> {
        let mut lease = self.pool.acquire(&self.spec).await?;
        let service = InternalService::new(self.service.clone());
        lease.sandbox().tunnel(PORT, HostAddress::Service(service)).await?;
        let variables = [
            (JUDGED_PORT_VARIABLE.to_owned(), PORT.to_string()),
            ("PYTHONPATH".to_owned(), "/sealed/lib".to_owned()),
            ("PYTHONDONTWRITEBYTECODE".to_owned(), "1".to_owned()),
        ];
        lease.sandbox().environment(&variables).await?;
        Ok(lease)
    }

    async fn run_all(
        &mut self,
        lease: &mut SandboxLease,
        task: &Task,
        checks: &[TaskCheck],
        copy: &WorkspaceCopy,
        left_out: &[String],
    ) -> Result<Vec<JudgedCheck>, Fault> {
        let mut results = Vec::with_capacity(checks.len());
        for check in checks {
            if let Some(result) = declared(check, task, copy) {
                results.push(result);
                continue;
            }
            let timeout = task.verification.timeout;
            let report = run_engine_command(lease.sandbox(), &check.run, timeout).await?;
            self.service.cut_off();
            if let Some(fault) = self.service.fault() {
                return Err(fault);
            }
            let output = told(&report, left_out);
            let judged = JudgedCheck { end: report.end, output };
            results.push(match self.service.take_unhealthy() {
                Some(trouble) => judged.failed(&trouble),
                None => judged,
            });
        }
        Ok(results)
    }
}

/// The version that the library of a task's checks states of itself: `VERSION = 1`.
fn library_version(task: &Task) -> Option<u32> {
    let library = task.verification.files.iter().find(|file| file.path == JUDGED_LIBRARY)?;
    library.content.lines().find_map(|line| line.strip_prefix("VERSION = ")?.trim().parse().ok())
}

/// The result of a check that compares bytes; none for a command.
fn declared(check: &TaskCheck, task: &Task, copy: &WorkspaceCopy) -> Option<JudgedCheck> {
    let compare = check.compare.as_ref()?;
    let found = evaluate(compare, task, copy);
    Some(JudgedCheck {
        end: ExecEnd::Exited(i32::from(found.is_err())),
        output: found.err().unwrap_or_default(),
    })
}

/// What a check wrote. A failed one also tells what was not judged.
fn told(report: &ExecReport, left_out: &[String]) -> String {
    let mut output = format!("{}{}", report.stdout.text(), report.stderr.text());
    if !report.end.success() && !left_out.is_empty() {
        let line = |line: &String| line.chars().take(LINE_TOLD).collect::<String>();
        let shown = left_out.iter().take(LINES_TOLD).map(line).collect::<Vec<_>>().join(", ");
        output.push_str(&format!("\nnot judged: {shown}"));
    }
    output
}

/// What of a copy is not laid as data: its links as lines `path -> target`, and how many other
/// entries there are. The agent has made these texts, so the list is bounded.
fn left_out(copy: &WorkspaceCopy) -> Vec<String> {
    let link = |entry: &TreeEntry| match &entry.kind {
        TreeEntryKind::Symlink { target } => {
            let target: String = target.chars().take(LONGEST_TARGET).collect();
            Some(format!("{} -> {}", entry.path.escape_debug(), target.escape_debug()))
        }
        _ => None,
    };
    let mut room = LEFT_OUT_BYTES;
    let mut lines: Vec<String> = (copy.entries.iter().filter_map(link))
        .take_while(|line| {
            room = room.saturating_sub(line.len());
            room > 0
        })
        .collect();
    if copy.skipped > 0 {
        lines.push(format!("{} other entries: FIFOs, sockets, devices, odd names", copy.skipped));
    }
    lines
}

/// The sealed files with the list of what was left out, for the library.
fn with_left_out(files: &[FileSpec], left_out: &[String]) -> Vec<FileSpec> {
    let mut files = files.to_vec();
    files.push(FileSpec {
        path: SUBMISSION_LEFT_OUT.to_owned(),
        content: left_out.iter().map(|line| format!("{line}\n")).collect(),
        mode: 0o444,
    });
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The agent makes these texts: the list must fit into the judge's sandbox, whatever they are.
    #[test]
    fn the_list_of_what_was_left_out_is_bounded() {
        let link = |at: usize| TreeEntry {
            path: format!("link-{at}"),
            kind: TreeEntryKind::Symlink { target: "\u{1}".repeat(4_000) },
        };
        let entries = (0..7_500).map(link).collect();
        let copy = WorkspaceCopy { entries, skipped: 3, ..WorkspaceCopy::default() };
        let lines = left_out(&copy);
        assert!(lines[0].starts_with("link-0 -> \\u{1}"), "{}", lines[0]);
        assert!(lines.iter().map(String::len).sum::<usize>() < LEFT_OUT_BYTES + 100);
        assert!(lines.last().is_some_and(|line| line.starts_with("3 other entries")));
    }
}
