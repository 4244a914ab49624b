//! The engine's part between a check and the judged sandbox. It takes the requests of checks, one at
//! a time, and performs them in the judged sandbox of the current run.
//!
//! ```text
//!            first request               operation ends
//!  (no lease) ───────────► leased ◄────────────────────── performing
//!      ▲                      └───── request ──────────────►│
//!      │                                                    ├── check killed: the lease is dropped,
//!      └────────────────────────────────────────────────────┤   the next request gets a fresh one
//!                                                           └── sandbox failed: the run is void
//! ```
//!
//! A lease begins with the services of the task that are judged, and a later check asks for their
//! health before its first request (`service_health.rs`). One that is not healthy is the work of the
//! agent: requests are refused until the next reset, and each check that asks fails.

use super::engine_commands::ensure_started;
use super::judged_protocol::{self, JudgedRequest, JudgedRun, read_request};
use crate::model::{
    DirectoryRead, ExecRequest, Fault, FaultKind, FileRead, FileWrite, OperationReport,
    OperationResult, RefusalKind, SandboxOperation, SandboxSpec, ServedConnection, Task,
    TaskService, TunnelService, WORKSPACE,
};
use crate::pool::{PoolHandle, SandboxLease};
use crate::ports::{Sandbox, StoredCopy};
use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncWriteExt, DuplexStream};
use tokio::sync::{Mutex, watch};

/// Bytes of each output stream of a judged program that a check gets.
const OUTPUT_KEPT: u32 = 1 << 20;
/// Bytes of the longest command of a judged program.
const LONGEST_COMMAND: usize = 4_000_000;
/// Where the input of a judged program waits until its shell has opened it.
const INPUT: &str = "/tmp/.input";

/// Serves the checks of one judge's sandbox.
pub(super) struct JudgedService {
    pool: PoolHandle,
    spec: Arc<SandboxSpec>,
    /// The run that goes on. Requests wait for each other here.
    run: Arc<Mutex<Option<JudgedRunState>>>,
    /// The fault that made the run void.
    fault: Arc<StdMutex<Option<Fault>>>,
    /// Why a request of the current check was refused: a service is not healthy.
    unhealthy: Arc<StdMutex<Option<String>>>,
    /// The number of the check that runs. A connection belongs to the check in which it was opened,
    /// and ends with it.
    check: Arc<watch::Sender<u64>>,
}

/// One run of the checks.
struct JudgedRunState {
    copy: Arc<dyn StoredCopy>,
    /// The longest time that a judged program may take.
    longest: Duration,
    /// What runs beside the judged programs.
    services: Vec<TaskService>,
    /// None before the first request, and after one that was cut off.
    lease: Option<SandboxLease>,
    /// Why a service is not healthy, in words. It would not be in another sandbox either, so nothing is
    /// performed until a reset.
    trouble: Option<String>,
    /// The check in which the services of the lease were last found healthy.
    healthy_in: Option<u64>,
}

impl JudgedService {
    pub(super) fn new(pool: PoolHandle, spec: Arc<SandboxSpec>) -> Self {
        let (run, fault, unhealthy) = (Arc::default(), Arc::default(), Arc::default());
        Self { pool, spec, run, fault, unhealthy, check: Arc::default() }
    }

    /// Begins a run over a copy. What was left of the run before is dropped.
    pub(super) async fn begin(&self, task: &Task, copy: Arc<dyn StoredCopy>) {
        let longest = task.verification.timeout;
        let judged = task.services.iter().filter(|service| service.judged);
        let services = judged.cloned().collect();
        *self.run.lock().await = Some(JudgedRunState {
            copy,
            longest,
            services,
            lease: None,
            trouble: None,
            healthy_in: None,
        });
        self.fault_slot().take();
        self.take_unhealthy();
    }

    /// Ends the run: the judged sandbox is gone, and no request is served until the next run.
    pub(super) async fn end(&self) {
        self.run.lock().await.take();
    }

    /// Ends the connections of a check that has ended, for example because its time was up. A request
    /// that was not performed yet never is. The judged sandbox of one that was is dropped.
    pub(super) fn cut_off(&self) {
        self.check.send_modify(|check| *check += 1);
    }

    /// The fault that made the run void; none if the judged sandbox did what it was asked.
    pub(super) fn fault(&self) -> Option<Fault> {
        self.fault_slot().clone()
    }

    /// Why a request of the check that has ended was refused: a service was not healthy. None: all that
    /// it asked for was performed.
    pub(super) fn take_unhealthy(&self) -> Option<String> {
        self.unhealthy.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Refuses a request because a service is not healthy.
    fn refuse(&self, trouble: &str) -> OperationResult {
        let mut slot = self.unhealthy.lock().unwrap_or_else(PoisonError::into_inner);
        *slot = Some(trouble.to_owned());
        refused(trouble)
    }

    fn fault_slot(&self) -> std::sync::MutexGuard<'_, Option<Fault>> {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Performs one request and returns the reply.
    async fn answer(&self, request: JudgedRequest) -> Vec<u8> {
        let mut run = self.run.lock().await;
        let Some(run) = run.as_mut() else {
            return judged_protocol::failed("no verification goes on");
        };
        match self.perform(run, request).await {
            Ok(result) => judged_protocol::done(&result),
            Err(fault) => {
                let reply = judged_protocol::failed(&fault.message);
                // The first fault is the cause of later ones.
                self.fault_slot().get_or_insert(fault);
                reply
            }
        }
    }

    /// A sandbox in which nothing has run, with the copy laid in it.
    pub(super) async fn with_copy(&self, copy: &dyn StoredCopy) -> Result<SandboxLease, Fault> {
        let mut lease = self.pool.acquire(&self.spec).await?;
        // The memory comes last, so that nobody waits with it for a sandbox.
        let copy = copy.load().await?;
        lease.sandbox().unpack(&copy).await?;
        Ok(lease)
    }

    /// A sandbox with the copy, in which only the services run. Err: why one of them is not healthy.
    ///
    /// A sandbox may be lost for a reason of the host. Services may also take all processor time, so
    /// that the guest does not answer. They did so if it happens twice, and a sandbox without them can
    /// be had.
    async fn fresh(&self, run: &mut JudgedRunState) -> Result<Result<SandboxLease, String>, Fault> {
        for _ in 0..2 {
            let mut lease = self.with_copy(&*run.copy).await?;
            match self.start_all(&mut lease, &run.services).await {
                Err(fault) if fault.kind == FaultKind::SandboxLost => {}
                trouble => return trouble.map(|trouble| self.if_healthy(run, lease, trouble)),
            }
        }
        self.with_copy(&*run.copy).await?;
        let trouble = "the judged sandbox did not answer while the services began".to_owned();
        run.trouble = Some(trouble.clone());
        Ok(Err(trouble))
    }

    /// The sandbox of an earlier request, if its services are still healthy. They are asked once in
    /// each check, because judged programs may have ended them. Err: why one of them is not.
    async fn kept(
        &self,
        run: &mut JudgedRunState,
        mut lease: SandboxLease,
    ) -> Result<Result<SandboxLease, String>, Fault> {
        let check = *self.check.borrow();
        if run.healthy_in == Some(check) {
            return Ok(Ok(lease));
        }
        match self.ask_all(&mut lease, &run.services).await {
            Err(fault) if fault.kind == FaultKind::SandboxLost => {
                drop(lease);
                self.fresh(run).await
            }
            trouble => trouble.map(|trouble| self.if_healthy(run, lease, trouble)),
        }
    }

    /// Remembers in which check the services were healthy, or why one of them was not.
    fn if_healthy(
        &self,
        run: &mut JudgedRunState,
        lease: SandboxLease,
        trouble: Option<String>,
    ) -> Result<SandboxLease, String> {
        run.healthy_in = Some(*self.check.borrow());
        run.trouble.clone_from(&trouble);
        trouble.map_or(Ok(lease), Err)
    }

    /// A program was not started in a fresh sandbox. Without services the host is the cause. With them,
    /// the host is well if a sandbox without services can be had.
    async fn blame_services(
        &self,
        run: &mut JudgedRunState,
        fault: Fault,
    ) -> Result<OperationResult, Fault> {
        if run.services.is_empty() {
            return Err(fault);
        }
        self.with_copy(&*run.copy).await?;
        let trouble = "the judged sandbox did not answer while the services ran in it".to_owned();
        let refusal = self.refuse(&trouble);
        run.trouble = Some(trouble);
        Ok(refusal)
    }

    /// Performs an operation on files. Judged processes that run on may take all processor time, so
    /// that the guest does not answer in time. If a fresh sandbox can be had, the host is not the
    /// cause, and the operation is refused.
    async fn operate(
        &self,
        lease: &mut SandboxLease,
        operation: SandboxOperation,
        run: &mut JudgedRunState,
    ) -> Result<OperationResult, Fault> {
        match lease.sandbox().perform(&operation).await {
            Err(fault) if fault.kind == FaultKind::SandboxLost => {
                match self.fresh(run).await? {
                    Ok(fresh) => *lease = fresh,
                    Err(trouble) => return Ok(self.refuse(&trouble)),
                }
                Ok(refused("the judged sandbox did not answer while judged programs ran on"))
            }
            done => done.map(|report| report.result),
        }
    }

    /// Performs a request in the judged sandbox. The lease is put back only after the operation has
    /// ended: a sandbox in which one was cut off is in an unknown state.
    async fn perform(
        &self,
        run: &mut JudgedRunState,
        request: JudgedRequest,
    ) -> Result<OperationResult, Fault> {
        // An emptied sandbox still remembers: times and modes of its directories, process numbers,
        // semaphores. So the next request gets a fresh one.
        if matches!(request, JudgedRequest::Reset) {
            (run.lease, run.trouble) = (None, None);
            return Ok(OperationResult::Written);
        }
        if let Some(trouble) = &run.trouble {
            return Ok(self.refuse(trouble));
        }
        let leased = match run.lease.take() {
            Some(lease) => self.kept(run, lease).await?,
            None => self.fresh(run).await?,
        };
        let mut lease = match leased {
            Ok(lease) => lease,
            Err(trouble) => return Ok(self.refuse(&trouble)),
        };
        let result = match request {
            JudgedRequest::Run(program) => {
                match run_program(lease.sandbox(), &program, run.longest).await {
                    // Judged processes may have taken every process or all memory. If the program is
                    // not started in a fresh sandbox either, the host is the cause.
                    Err(fault) if fault.kind == FaultKind::SandboxLost => {
                        drop(lease);
                        lease = match self.fresh(run).await? {
                            Ok(fresh) => fresh,
                            Err(trouble) => return Ok(self.refuse(&trouble)),
                        };
                        match run_program(lease.sandbox(), &program, run.longest).await {
                            Err(fault) if fault.kind == FaultKind::SandboxLost => {
                                drop(lease);
                                return self.blame_services(run, fault).await;
                            }
                            ran => ran?,
                        }
                    }
                    ran => ran?,
                }
            }
            JudgedRequest::Reset => OperationResult::Written,
            JudgedRequest::Read { path, max_bytes } => {
                let read = SandboxOperation::ReadFile(FileRead { path, max_bytes });
                self.operate(&mut lease, read, run).await?
            }
            JudgedRequest::Write { path, content } => {
                let write = SandboxOperation::WriteFile(FileWrite { path, content });
                self.operate(&mut lease, write, run).await?
            }
            JudgedRequest::List { path, depth } => {
                let max_entries = DirectoryRead::MAX_ENTRIES;
                let list = DirectoryRead { path, depth, max_entries };
                let list = SandboxOperation::ListDirectory(list);
                self.operate(&mut lease, list, run).await?
            }
        };
        run.lease = Some(lease);
        Ok(result)
    }
}

fn refused(why: &str) -> OperationResult {
    OperationReport::refused(RefusalKind::Failed, why).result
}

/// Runs a program with its input. Err if the shell itself was not started.
async fn run_program(
    sandbox: &mut dyn Sandbox,
    program: &JudgedRun,
    longest: Duration,
) -> Result<OperationResult, Fault> {
    if program.command.contains('\0') || program.command.len() > LONGEST_COMMAND {
        return Ok(refused("the command has a NUL byte, or more than 4 MB"));
    }
    let feeds = !program.input.is_empty();
    if feeds {
        let write = FileWrite { path: INPUT.to_owned(), content: program.input.clone() };
        let written = sandbox.perform(&SandboxOperation::WriteFile(write)).await?.result;
        // Judged code has put something else there, or has filled the disk.
        if written != OperationResult::Written {
            return Ok(written);
        }
    }
    let request = ExecRequest {
        command: command_line(&program.directory, feeds, &program.command),
        session: false,
        timeout: program.timeout.min(longest),
        scan: false,
        output_kept: Some(OUTPUT_KEPT),
        joined: false,
    };
    ensure_started(sandbox.exec(&request).await?).map(OperationResult::Ran)
}

/// The command with its directory and its input. The shell removes the input before the program
/// begins.
fn command_line(directory: &str, feeds: bool, command: &str) -> String {
    let mut line = String::new();
    if directory != WORKSPACE {
        let quoted = directory.replace('\'', r"'\''");
        line.push_str(&format!("cd -- '{quoted}' || exit 126\n"));
    }
    if feeds {
        line.push_str(&format!("exec 0<{INPUT} || exit 126\nrm -f {INPUT}\n"));
    }
    line + command
}

impl Clone for JudgedService {
    fn clone(&self) -> Self {
        Self {
            pool: self.pool.clone(),
            spec: self.spec.clone(),
            run: self.run.clone(),
            fault: self.fault.clone(),
            unhealthy: self.unhealthy.clone(),
            check: self.check.clone(),
        }
    }
}

impl JudgedService {
    /// Answers the requests of one connection until it ends.
    async fn answer_all(&self, mut connection: DuplexStream) {
        loop {
            let request = match read_request(&mut connection).await {
                Ok(Some(request)) => request,
                Ok(None) => return,
                Err(error) => {
                    tracing::warn!(%error, "a check wrote no request to the judged sandbox");
                    return;
                }
            };
            let reply = self.answer(request).await;
            if connection.write_all(&reply).await.is_err() {
                return;
            }
        }
    }
}

impl TunnelService for JudgedService {
    fn serve(&self, connection: DuplexStream) -> ServedConnection {
        let service = self.clone();
        let mut check = self.check.subscribe();
        Box::pin(async move {
            tokio::select! {
                // The end of the check goes first: what was sent before it may be read after it.
                biased;
                _ = check.changed() => {}
                () = service.answer_all(connection) => {}
            }
        })
    }
}
