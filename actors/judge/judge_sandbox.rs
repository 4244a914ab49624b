//! The judge's sandbox: runs the checks of a task over a copy of a workspace.
//!
//! ```text
//!  (none) ──acquire, tunnel──► empty ──lay──► laid ──► one check ──► emptied ──► empty …
//!                                               ├── the milestones of one measurement ──► emptied
//!                                               └── fault, or a check cut short ────► dropped
//! ```
//! Each check begins in a sandbox in which no process runs and nothing is but the sealed files and the
//! submission, laid anew. Whatever a check has started or changed, the next one finds nothing of it,
//! and nothing sealed is there while an agent acts. The milestones of one measurement share what was
//! laid, because they decide no label and an agent waits for them; after one that was cut short, the
//! next begins anew.
//!
//! The sandbox may be used for one run after the other of the same task, because no program of the
//! agent runs in it.

use super::check_part::decide;
use super::check_time::CheckTime;
use super::declared_check::evaluate;
use super::engine_commands::run_engine_command;
use super::judged_service::JudgedService;
use super::left_out::LeftOutList;
use crate::model::{
    ExecEnd, ExecReport, Fault, FaultKind, FileSpec, HostAddress, InternalService, JUDGED_LIBRARY,
    JUDGED_PORT_VARIABLE, JudgeEnvironment, JudgePlace, SUBMISSION_LEFT_OUT, SandboxFingerprint,
    SandboxSpec, Task, TaskCheck, WORKSPACE, WorkspaceCopy,
};
use crate::pool::{PoolHandle, SandboxLease};
use crate::ports::{Sandbox, StoredCopy};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The port of the judged sandbox on the loopback of the judge's.
const PORT: u16 = 4_114;
/// The environment of checks besides that port. Python finds the library, and git no settings but
/// those of a repository that the check itself has made.
const VARIABLES: [(&str, &str); 5] = [
    ("PYTHONPATH", "/sealed/lib"),
    ("PYTHONDONTWRITEBYTECODE", "1"),
    ("GIT_CONFIG_GLOBAL", "/dev/null"),
    ("GIT_CONFIG_SYSTEM", "/dev/null"),
    ("GIT_CONFIG_NOSYSTEM", "1"),
];
/// Where a check may write, and the bytes that must be left there when it ends. A program whose files
/// could not be written may have passed.
const WRITABLE: [&str; 5] = ["/tmp", "/home/agent", "/run", "/dev/shm", WORKSPACE];
const ROOM_LEFT: u32 = 64 << 10;

/// What one check did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JudgedCheck {
    pub end: ExecEnd,
    /// What the check wrote, to its output and then to its error stream.
    pub output: String,
}

impl JudgedCheck {
    /// The same check, failed for a reason of the engine's, whatever the check itself made of it.
    pub(super) fn failed(self, why: &str) -> Self {
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

/// What the checks of one run need.
struct CheckRun<'r> {
    service: Arc<JudgedService>,
    copy: &'r dyn StoredCopy,
    /// The sealed files with the list of what was left out.
    files: Vec<FileSpec>,
    left_out: LeftOutList,
    time: CheckTime,
    /// Whether a check that ends by itself and leaves room leaves the sandbox to the next one.
    shared: bool,
    /// Whether the files lie in the sandbox.
    laid: bool,
}

/// A command of a check that has ended.
struct RanCommand {
    judged: JudgedCheck,
    /// Its whole output. It names the parts that passed. None: there was more than is kept.
    stdout: Option<String>,
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
        copy: &Arc<dyn StoredCopy>,
    ) -> Result<Vec<JudgedCheck>, Fault> {
        let time = CheckTime::for_each(task.verification.timeout);
        let results = self.run(task, checks, copy, time, false).await?;
        Ok(results.into_iter().flatten().collect())
    }

    /// Runs the milestones of a task like checks, but one after the other over the same laid files. All
    /// together have the time of one check. None stands for each that had no time or less than that.
    pub async fn measure(
        &mut self,
        task: &Task,
        copy: &Arc<dyn StoredCopy>,
    ) -> Result<Vec<Option<JudgedCheck>>, Fault> {
        let time = CheckTime::for_all(task.verification.timeout);
        self.run(task, &task.verification.milestones, copy, time, true).await
    }

    /// Makes the comparisons, and runs the commands if there are any.
    async fn run(
        &mut self,
        task: &Task,
        checks: &[TaskCheck],
        copy: &Arc<dyn StoredCopy>,
        time: CheckTime,
        shared: bool,
    ) -> Result<Vec<Option<JudgedCheck>>, Fault> {
        let loaded = copy.load().await?;
        let mut results: Vec<_> =
            checks.iter().map(|check| declared(check, task, &loaded)).collect();
        if results.iter().all(Option::is_some) {
            return Ok(results);
        }
        let left_out = LeftOutList::of(task, &loaded);
        // A copy that waits for a sandbox must not take memory that others wait for.
        drop(loaded);
        let files = with_left_out(&task.verification.files, &left_out);
        let service = self.service.clone();
        let laid = false;
        let mut run = CheckRun { service, copy: &**copy, files, left_out, time, shared, laid };
        let mut lease = match self.lease.take() {
            Some(lease) => lease,
            None => self.acquire().await?,
        };
        self.service.begin(task, copy.clone()).await;
        let ran = run.commands(&mut lease, checks, &mut results).await;
        self.service.end().await;
        ran?;
        if self.fingerprint.is_none() {
            self.fingerprint = Some(lease.sandbox().fingerprint().clone());
        }
        // A check that was killed may have left the sandbox in a bad state.
        let by_itself = |check: &JudgedCheck| matches!(check.end, ExecEnd::Exited(_));
        let whole = results.iter().all(|check| check.as_ref().is_some_and(by_itself));
        self.lease = whole.then_some(lease);
        Ok(results)
    }

    /// A fresh sandbox with the way to the judged one.
    async fn acquire(&mut self) -> Result<SandboxLease, Fault> {
        let mut lease = self.pool.acquire(&self.spec).await?;
        let service = InternalService::new(self.service.clone());
        lease.sandbox().tunnel(PORT, HostAddress::Service(service)).await?;
        let port = (JUDGED_PORT_VARIABLE.to_owned(), PORT.to_string());
        let others = VARIABLES.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let variables: Vec<_> = others.into_iter().chain([port]).collect();
        lease.sandbox().environment(&variables).await?;
        Ok(lease)
    }
}

impl CheckRun<'_> {
    /// Runs the commands among the checks, whose results are missing.
    async fn commands(
        &mut self,
        lease: &mut SandboxLease,
        checks: &[TaskCheck],
        results: &mut [Option<JudgedCheck>],
    ) -> Result<(), Fault> {
        let mut ran: BTreeMap<&str, Option<RanCommand>> = BTreeMap::new();
        for (check, result) in checks.iter().zip(results) {
            if result.is_some() {
                continue;
            }
            let Some(part) = &check.part else {
                let ran = self.command(lease.sandbox(), check).await?;
                *result = ran.map(|ran| ran.judged);
                continue;
            };
            if !ran.contains_key(check.run.as_str()) {
                let once = self.command(lease.sandbox(), check).await?;
                ran.insert(&check.run, once);
            }
            let command = ran.get(check.run.as_str()).and_then(Option::as_ref);
            *result = command.map(|ran| self.part(part, ran));
        }
        self.empty(lease.sandbox()).await
    }

    /// The result of one part. A failed one also tells what was not judged.
    fn part(&self, part: &str, ran: &RanCommand) -> JudgedCheck {
        let judged = decide(part, &ran.judged, ran.stdout.as_deref());
        if judged.end.success() || !ran.judged.end.success() {
            return judged;
        }
        match self.left_out.told(&judged.output) {
            Some(list) => judged.failed(&format!("not judged: {list}")),
            None => judged,
        }
    }

    /// Lays the sealed files and the submission, if they are not there.
    async fn lay(&mut self, sandbox: &mut dyn Sandbox) -> Result<(), Fault> {
        if self.laid {
            return Ok(());
        }
        let copy = self.copy.load().await?;
        sandbox.lay_judge(&self.files, &copy).await?;
        self.laid = true;
        Ok(())
    }

    /// Ends and removes all that checks have left. A failure is the sandbox's, not the agent's.
    async fn empty(&mut self, sandbox: &mut dyn Sandbox) -> Result<(), Fault> {
        if !std::mem::take(&mut self.laid) {
            return Ok(());
        }
        sandbox.reset().await.map_err(|fault| {
            let lost = fault.kind.is_uncopied();
            if lost { Fault::new(FaultKind::SandboxLost, fault.message) } else { fault }
        })
    }

    /// Runs one check over laid files. None: the common time was too short for it.
    async fn command(
        &mut self,
        sandbox: &mut dyn Sandbox,
        check: &TaskCheck,
    ) -> Result<Option<RanCommand>, Fault> {
        let Some(time) = self.time.begin() else { return Ok(None) };
        self.lay(sandbox).await?;
        let report = run_engine_command(sandbox, &check.run, time).await?;
        let had_its_time = self.time.end(&report.end);
        self.service.cut_off();
        if let Some(fault) = self.service.fault() {
            return Err(fault);
        }
        let without_room = without_room(sandbox).await?;
        let whole = matches!(report.end, ExecEnd::Exited(_)) && without_room.is_none();
        if !self.shared || !whole {
            self.empty(sandbox).await?;
        }
        let output = told(check, &report, &self.left_out);
        let judged = JudgedCheck { end: report.end, output };
        let troubles = self.service.take_unhealthy().into_iter().chain(without_room);
        let judged = troubles.fold(judged, |judged, trouble| judged.failed(&trouble));
        let stdout = (!report.stdout.truncated()).then(|| report.stdout.text());
        Ok(had_its_time.then_some(RanCommand { judged, stdout }))
    }
}

/// Where a check has left no room, and why; none if there is room everywhere. Otherwise nobody knows
/// what it could not write, so it does not pass. It is no fault: the agent's files may have filled the
/// sandbox, and an agent must not be able to make its verdict void.
async fn without_room(sandbox: &mut dyn Sandbox) -> Result<Option<String>, Fault> {
    let area = sandbox.without_room(&WRITABLE, ROOM_LEFT).await?;
    Ok(area.map(|area| format!("the check left no room in its sandbox: {area}")))
}

/// The version that the library of a task's checks states of itself: `VERSION = 2`. The part for the
/// shell has the same.
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
fn told(check: &TaskCheck, report: &ExecReport, left_out: &LeftOutList) -> String {
    let output = format!("{}{}", report.stdout.text(), report.stderr.text());
    if report.end.success() {
        return output;
    }
    match left_out.told(&format!("{}\n{output}", check.run)) {
        Some(list) => format!("{output}\nnot judged: {list}"),
        None => output,
    }
}

/// The sealed files with the list of what was left out, for the library.
fn with_left_out(files: &[FileSpec], left_out: &LeftOutList) -> Vec<FileSpec> {
    let mut files = files.to_vec();
    files.push(FileSpec {
        path: SUBMISSION_LEFT_OUT.to_owned(),
        content: left_out.file(),
        mode: 0o444,
    });
    files
}
