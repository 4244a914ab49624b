//! Sandboxes of a few words: a workspace in memory and commands that touch it.
//!
//! `:`, `echo TEXT`, `put PATH TEXT`, `has PATH`, `is PATH TEXT`, `get PATH`, `exit N`,
//! `count` (a number never seen before), `flip` (succeeds every other time),
//! `fill` (no file can be written any more), `sleep SECONDS` (until its time is up), `quiet COMMAND`
//! (succeeds whatever becomes of it), `command -v NAME` (all are there but `absent`), and for agent
//! programs `hang [COMMAND]`, which runs COMMAND and never ends. `judged COMMAND` is in `judged.rs`.
//! Operations on files, and terminals, are in `operations.rs`. A service runs its command once, and
//! then its health command.

use super::jobs::{AgentCommand, Jobs};
use super::judged;
use super::traps::Traps;
use crate::model::{
    CapturedOutput, CommandStatus, ExecEnd, ExecReport, ExecRequest, Fault, FileChangeKind,
    FileSegment, FileSpec, HostAddress, InternalService, MemoryReservation, OperationReport,
    SandboxFingerprint, SandboxOperation, SandboxSpec, SandboxTree, ServiceReport, TaskService,
    TreeEntry, TreeEntryKind, WORKSPACE, WorkspaceChange, WorkspaceCopy, WorkspaceScan,
};
use crate::ports::{InterruptFuture, KeptImage, Sandbox, SandboxBackend, StoredCopy};
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use tokio::sync::{Semaphore, oneshot};

#[derive(Default)]
struct Shared {
    live: AtomicUsize,
    peak_live: AtomicUsize,
    creating: AtomicUsize,
    peak_creating: AtomicUsize,
    created: AtomicUsize,
    counter: AtomicUsize,
    /// Of agent programs.
    jobs: Jobs,
    /// What was done about sealed files, in order.
    separation: Mutex<Vec<Separation>>,
    /// Events are `create <image>`, `ping`, `exec <command>`, `read <path>`, `write <path>`,
    /// `list <path>`, `keys <terminal>`, `service <name>`, `pack`, `unpack` and `keep image`.
    traps: Traps,
    /// As many copies as may be in memory at once. Without it, any number.
    copies: OnceLock<Arc<Semaphore>>,
}

impl Shared {
    /// Waits until one more copy may be in memory.
    async fn reserve_copy(&self) -> MemoryReservation {
        match self.copies.get() {
            Some(copies) => {
                copies.clone().acquire_owned().await.map(MemoryReservation::new).unwrap_or_default()
            }
            None => MemoryReservation::default(),
        }
    }
}

/// A step that keeps agents apart from sealed files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Separation {
    Frozen,
    Sealed,
    Emptied,
    Thawed,
    /// Every program of an agent has ended.
    Ended,
}

/// Makes them.
#[derive(Clone, Default)]
pub struct FakeBackend(Arc<Shared>);

fn raise(count: &AtomicUsize, peak: &AtomicUsize) {
    let now = count.fetch_add(1, Ordering::AcqRel) + 1;
    peak.fetch_max(now, Ordering::AcqRel);
}

impl FakeBackend {
    pub fn traps(&self) -> &Traps {
        &self.0.traps
    }

    /// Of its agent programs.
    pub fn jobs(&self) -> &Jobs {
        &self.0.jobs
    }

    /// What was done about sealed files so far, in order.
    pub fn separation(&self) -> Vec<Separation> {
        self.0.separation.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Lets no more copies than these be in memory at once.
    pub fn bound_copies(&self, most: usize) {
        self.0.copies.set(Arc::new(Semaphore::new(most))).ok();
    }

    /// Sandboxes that have not been dropped.
    pub fn live(&self) -> usize {
        self.0.live.load(Ordering::Acquire)
    }

    pub fn peak_live(&self) -> usize {
        self.0.peak_live.load(Ordering::Acquire)
    }

    /// The most creations that were ever under way at once.
    pub fn peak_creating(&self) -> usize {
        self.0.peak_creating.load(Ordering::Acquire)
    }

    pub fn created(&self) -> usize {
        self.0.created.load(Ordering::Acquire)
    }
}

/// Counts a creation until it is over, however it ends.
struct Creating<'a>(&'a Shared);

impl Drop for Creating<'_> {
    fn drop(&mut self) {
        self.0.creating.fetch_sub(1, Ordering::AcqRel);
    }
}

#[async_trait]
impl SandboxBackend for FakeBackend {
    fn name(&self) -> &'static str {
        "fake"
    }

    async fn create(&self, spec: &SandboxSpec) -> Result<Box<dyn Sandbox>, Fault> {
        let shared = &self.0;
        raise(&shared.creating, &shared.peak_creating);
        let _creating = Creating(shared);
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        shared.traps.pass(&format!("create {}", spec.image)).await?;
        raise(&shared.live, &shared.peak_live);
        shared.created.fetch_add(1, Ordering::AcqRel);
        let print =
            SandboxFingerprint { backend: "fake".to_owned(), ..SandboxFingerprint::default() };
        let (shared, files) = (shared.clone(), BTreeMap::new());
        let (token, task) = (String::new(), String::new());
        let (hung, told) = (Vec::new(), BTreeMap::new());
        let (full, service) = (false, None);
        Ok(Box::new(FakeSandbox { shared, print, files, told, token, task, hung, full, service }))
    }

    async fn store_copy(&self, copy: Arc<WorkspaceCopy>) -> Arc<dyn StoredCopy> {
        let room = MemoryReservation::default();
        let copy = WorkspaceCopy { room, ..Arc::unwrap_or_clone(copy) };
        Arc::new(FakeStoredCopy { shared: self.0.clone(), copy })
    }

    async fn sweep(&self) -> Result<u32, Fault> {
        Ok(0)
    }

    async fn settle(&self) -> Result<(), Fault> {
        Ok(())
    }
}

/// A copy that needs its memory again when it is loaded.
struct FakeStoredCopy {
    shared: Arc<Shared>,
    copy: WorkspaceCopy,
}

#[async_trait]
impl StoredCopy for FakeStoredCopy {
    async fn load(&self) -> Result<Arc<WorkspaceCopy>, Fault> {
        let room = self.shared.reserve_copy().await;
        Ok(Arc::new(WorkspaceCopy { room, ..self.copy.clone() }))
    }
}

pub(super) struct FakeSandbox {
    shared: Arc<Shared>,
    print: SandboxFingerprint,
    pub(super) files: BTreeMap<String, String>,
    /// The files as the last scan told of them: like a guest, it tells each change once.
    told: BTreeMap<String, String>,
    /// What its agent program is known by.
    token: String,
    /// What its agent program is told to do.
    task: String,
    /// What it does for ever.
    hung: Vec<oneshot::Sender<String>>,
    /// Nothing can be written.
    pub(super) full: bool,
    /// The service at the other end of its tunnel.
    service: Option<InternalService>,
}

impl Drop for FakeSandbox {
    fn drop(&mut self) {
        self.shared.live.fetch_sub(1, Ordering::AcqRel);
    }
}

impl FakeSandbox {
    fn did(&self, what: Separation) {
        self.shared.separation.lock().unwrap_or_else(PoisonError::into_inner).push(what);
    }

    /// Waits at the trap of an event, if there is one.
    pub(super) async fn pass(&self, event: &str) -> Result<(), Fault> {
        let shared = self.shared.clone();
        shared.traps.pass(event).await
    }

    /// Exit code and output.
    pub(super) fn run(&mut self, command: &str) -> (i32, String) {
        let count = || self.shared.counter.fetch_add(1, Ordering::AcqRel);
        let words: Vec<&str> = command.splitn(3, ' ').collect();
        let truth = |yes: bool| (i32::from(!yes), String::new());
        match words.as_slice() {
            [":"] => truth(true),
            ["command", "-v", name] => truth(*name != "absent"),
            ["echo", rest @ ..] => (0, format!("{}\n", rest.join(" "))),
            ["put", path, text] => {
                self.files.insert((*path).to_owned(), (*text).to_owned());
                truth(true)
            }
            ["has", path] => truth(self.files.contains_key(*path)),
            ["is", path, text] => truth(self.files.get(*path).is_some_and(|t| t == text)),
            ["get", path] => (0, self.files.get(*path).cloned().unwrap_or_default()),
            ["exit", code] => (code.parse().unwrap_or(2), String::new()),
            ["count"] => (0, format!("{}\n", count())),
            ["fill"] => {
                self.full = true;
                truth(true)
            }
            ["flip"] => truth(count().is_multiple_of(2)),
            _ => (127, String::new()),
        }
    }

    /// Sleeps for as long as it is told, or until its time is up.
    async fn sleep(&mut self, seconds: &str, request: &ExecRequest) -> ExecReport {
        let wanted = Duration::from_secs(seconds.parse().unwrap_or_default());
        tokio::time::sleep(wanted.min(request.timeout)).await;
        let end = if wanted > request.timeout { ExecEnd::TimedOut } else { ExecEnd::Exited(0) };
        self.report(end, "", request.scan)
    }

    /// Takes over the regular files among the entries of a copy.
    fn lay_entries<'c>(&mut self, entries: impl IntoIterator<Item = &'c TreeEntry>) {
        for entry in entries {
            let TreeEntryKind::File { content, .. } = &entry.kind else {
                continue;
            };
            let bytes = content.iter().map(|piece| match piece {
                FileSegment::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
                FileSegment::Hole(length) => "\0".repeat(*length as usize),
            });
            self.files.insert(entry.path.clone(), bytes.collect());
        }
    }

    fn report(&mut self, end: ExecEnd, output: &str, scan: bool) -> ExecReport {
        let head = output.as_bytes().to_vec();
        ExecReport {
            end,
            stdout: CapturedOutput { total: head.len() as u64, head, tail: Vec::new() },
            stderr: CapturedOutput::default(),
            cwd: WORKSPACE.to_owned(),
            scan: scan.then(|| self.scan()),
            duration: std::time::Duration::ZERO,
        }
    }

    pub(super) fn scan(&mut self) -> WorkspaceScan {
        let mut hash = DefaultHasher::new();
        self.files.hash(&mut hash);
        let told = std::mem::replace(&mut self.told, self.files.clone());
        let changed = self.files.iter().filter(|(path, text)| told.get(*path) != Some(text));
        let change = |(path, text): (&String, &String)| WorkspaceChange {
            path: path.clone(),
            kind: if told.contains_key(path) {
                FileChangeKind::Modified
            } else {
                FileChangeKind::Added
            },
            size: text.len() as u64,
            sha256: None,
        };
        let changes = changed.map(change).collect();
        WorkspaceScan {
            files: self.files.keys().cloned().collect(),
            digest: hash.finish(),
            changes,
            ..WorkspaceScan::default()
        }
    }
}

#[async_trait]
impl Sandbox for FakeSandbox {
    fn fingerprint(&self) -> &SandboxFingerprint {
        &self.print
    }

    async fn ping(&mut self) -> Result<(), Fault> {
        self.shared.traps.pass("ping").await
    }

    async fn write_files(&mut self, tree: SandboxTree, files: &[FileSpec]) -> Result<(), Fault> {
        if tree == SandboxTree::Sealed {
            self.did(Separation::Sealed);
        } else {
            self.files.extend(files.iter().map(|file| (file.path.clone(), file.content.clone())));
        }
        Ok(())
    }

    async fn exec(&mut self, request: &ExecRequest) -> Result<ExecReport, Fault> {
        let shared = self.shared.clone();
        shared.traps.pass(&format!("exec {}", request.command)).await?;
        if let Some(seconds) = request.command.strip_prefix("sleep ") {
            return Ok(self.sleep(seconds, request).await);
        }
        let quiet = request.command.strip_prefix("quiet ");
        let command = quiet.unwrap_or(&request.command);
        let (code, output) = match (command.strip_prefix("judged "), &self.service) {
            (Some(command), Some(service)) => judged::run(service, command).await,
            _ => self.run(command),
        };
        let code = if quiet.is_some() { 0 } else { code };
        let end = match shared.traps.pass(&format!("spawn {}", request.command)).await {
            Ok(()) => ExecEnd::Exited(code),
            Err(fault) => ExecEnd::NotStarted(fault.message),
        };
        Ok(self.report(end, &output, request.scan))
    }

    async fn perform(&mut self, operation: &SandboxOperation) -> Result<OperationReport, Fault> {
        self.perform_operation(operation).await
    }

    async fn start(&mut self, request: &ExecRequest) -> Result<(), Fault> {
        let shared = self.shared.clone();
        shared.traps.pass(&format!("start {}", request.command)).await?;
        shared.jobs.start(&self.token, &self.task);
        Ok(())
    }

    async fn wait_for_command(
        &mut self,
        mut until: InterruptFuture<'_>,
    ) -> Result<CommandStatus, Fault> {
        let shared = self.shared.clone();
        shared.traps.pass("attend").await?;
        loop {
            let news = shared.jobs.news();
            let (commands, ended) = shared.jobs.of(&self.token);
            for AgentCommand { command, told } in commands {
                if let Some(first) = command.strip_prefix("hang") {
                    self.run(first.trim_start());
                    self.hung.push(told);
                    continue;
                }
                shared.traps.pass(&format!("exec {command}")).await?;
                told.send(self.run(&command).1).ok();
            }
            if let Some(code) = ended {
                return Ok(CommandStatus::Ended(self.report(ExecEnd::Exited(code), "", true)));
            }
            tokio::select! {
                biased;
                () = &mut until => return Ok(CommandStatus::Running(Some(self.scan()))),
                () = news => {}
            }
        }
    }

    async fn stop(&mut self) -> Result<ExecReport, Fault> {
        Ok(self.report(ExecEnd::TimedOut, "", true))
    }

    async fn start_service(&mut self, service: &TaskService) -> Result<ServiceReport, Fault> {
        let shared = self.shared.clone();
        shared.traps.pass(&format!("service {}", service.name)).await?;
        let log = self.run(&service.run).1;
        let healthy = self.run(&service.health).0 == 0;
        Ok(ServiceReport { trouble: (!healthy).then(|| "it is not up".to_owned()), log })
    }

    async fn freeze(&mut self) -> Result<(), Fault> {
        let shared = self.shared.clone();
        shared.traps.pass("freeze").await?;
        self.did(Separation::Frozen);
        Ok(())
    }

    async fn thaw(&mut self) -> Result<(), Fault> {
        // All go on, whatever is told of the time before.
        self.did(Separation::Thawed);
        let shared = self.shared.clone();
        shared.traps.pass("thaw").await
    }

    async fn pack(&mut self, quiesce: bool) -> Result<WorkspaceCopy, Fault> {
        let shared = self.shared.clone();
        shared.traps.pass("pack").await?;
        if quiesce {
            self.did(Separation::Ended);
        }
        let entry = |(path, content): (&String, &String)| TreeEntry {
            path: path.clone(),
            kind: TreeEntryKind::File {
                mode: 0o644,
                content: vec![FileSegment::Bytes(content.clone().into_bytes())],
            },
        };
        let entries = self.files.iter().map(entry).collect();
        let room = shared.reserve_copy().await;
        Ok(WorkspaceCopy { entries, room, ..WorkspaceCopy::default() })
    }

    async fn unpack(&mut self, snapshot: &WorkspaceCopy) -> Result<(), Fault> {
        let shared = self.shared.clone();
        shared.traps.pass("unpack").await?;
        self.lay_entries(&snapshot.entries);
        Ok(())
    }

    async fn lay_judge(&mut self, _: &[FileSpec], submission: &WorkspaceCopy) -> Result<(), Fault> {
        self.shared.traps.pass("judge").await?;
        self.did(Separation::Sealed);
        self.files.clear();
        self.full = false;
        self.lay_entries(submission.submission().laid);
        Ok(())
    }

    async fn without_room(&mut self, areas: &[&str], _: u32) -> Result<Option<String>, Fault> {
        let shown = areas.first().map(|area| format!("{area}: No space left on device"));
        Ok(shown.filter(|_| self.full))
    }

    async fn reset(&mut self) -> Result<(), Fault> {
        self.shared.traps.pass("empty").await?;
        self.did(Separation::Emptied);
        self.files.clear();
        self.full = false;
        Ok(())
    }

    async fn tunnel(&mut self, port: u16, to: HostAddress) -> Result<(), Fault> {
        if let HostAddress::Service(service) = to {
            self.service = Some(service);
        }
        self.shared.traps.pass(&format!("tunnel {port}")).await
    }

    async fn environment(&mut self, variables: &[(String, String)]) -> Result<(), Fault> {
        for (name, value) in variables {
            if name == "OPENAI_API_KEY" {
                self.token.clone_from(value);
            }
            if name == "SYNTHD_TASK" {
                self.task.clone_from(value);
            }
            self.shared.traps.pass(&format!("set {name}={value}")).await?;
        }
        Ok(())
    }

    async fn keep_image(&mut self) -> Result<Box<dyn KeptImage>, Fault> {
        self.shared.traps.pass("keep image").await?;
        Ok(Box::new(FakeImage))
    }
}

/// What an agent has left, as an image without files.
struct FakeImage;

impl KeptImage for FakeImage {
    fn id(&self) -> &str {
        "the agent's work"
    }
}
