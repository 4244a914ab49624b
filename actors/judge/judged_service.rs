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

use super::engine_commands::ensure_started;
use super::judged_protocol::{self, JudgedRequest, JudgedRun, read_request};
use crate::model::{
    DirectoryRead, ExecRequest, Fault, FaultKind, FileRead, FileWrite, OperationResult,
    SandboxOperation, SandboxSpec, ServedConnection, TunnelService, WORKSPACE, WorkspaceCopy,
};
use crate::pool::{PoolHandle, SandboxLease};
use crate::ports::Sandbox;
use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncWriteExt, DuplexStream};
use tokio::sync::{Mutex, Notify};

/// Bytes of each output stream of a judged program that a check gets.
const OUTPUT_KEPT: u32 = 1 << 20;
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
    /// Cuts off the requests of a check that has ended.
    cut_off: Arc<Notify>,
}

/// One run of the checks.
struct JudgedRunState {
    copy: Arc<WorkspaceCopy>,
    /// The longest time that a judged program may take.
    longest: Duration,
    /// None before the first request, and after one that was cut off.
    lease: Option<SandboxLease>,
}

impl JudgedService {
    pub(super) fn new(pool: PoolHandle, spec: Arc<SandboxSpec>) -> Self {
        Self { pool, spec, run: Arc::default(), fault: Arc::default(), cut_off: Arc::default() }
    }

    /// Begins a run over a copy. What was left of the run before is dropped.
    pub(super) async fn begin(&self, copy: Arc<WorkspaceCopy>, longest: Duration) {
        *self.run.lock().await = Some(JudgedRunState { copy, longest, lease: None });
        self.fault_slot().take();
    }

    /// Ends the run: the judged sandbox is gone, and no request is served until the next run.
    pub(super) async fn end(&self) {
        self.run.lock().await.take();
    }

    /// Ends the requests of a check that has ended, for example because its time was up. The judged
    /// sandbox of a request that was performed is dropped.
    pub(super) fn cut_off(&self) {
        self.cut_off.notify_waiters();
    }

    /// The fault that made the run void; none if the judged sandbox did what it was asked.
    pub(super) fn fault(&self) -> Option<Fault> {
        self.fault_slot().clone()
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

    /// Performs a request in the judged sandbox. The lease is put back only after the operation has
    /// ended: a sandbox in which one was cut off is in an unknown state.
    async fn perform(
        &self,
        run: &mut JudgedRunState,
        request: JudgedRequest,
    ) -> Result<OperationResult, Fault> {
        let mut lease = match run.lease.take() {
            Some(lease) => lease,
            None => {
                let mut lease = self.pool.acquire(&self.spec).await?;
                lease.sandbox().unpack(&run.copy).await?;
                lease
            }
        };
        let result = match request {
            JudgedRequest::Run(program) => {
                run_or_retry(&mut lease, &program, &run.copy, run.longest).await?
            }
            JudgedRequest::Reset => {
                lay_anew(&mut lease, &run.copy).await?;
                OperationResult::Written
            }
            JudgedRequest::Read { path, max_bytes } => {
                let read = FileRead { path, max_bytes };
                operate(lease.sandbox(), SandboxOperation::ReadFile(read)).await?
            }
            JudgedRequest::Write { path, content } => {
                let write = FileWrite { path, content };
                operate(lease.sandbox(), SandboxOperation::WriteFile(write)).await?
            }
            JudgedRequest::List { path, depth } => {
                let max_entries = DirectoryRead::MAX_ENTRIES;
                let list = DirectoryRead { path, depth, max_entries };
                operate(lease.sandbox(), SandboxOperation::ListDirectory(list)).await?
            }
        };
        run.lease = Some(lease);
        Ok(result)
    }
}

/// Runs a program. If it was not started, judged processes may have taken every process or all
/// memory, so it is tried once more when all of them are dead. If that fails too, the host is the
/// cause.
async fn run_or_retry(
    lease: &mut SandboxLease,
    program: &JudgedRun,
    copy: &WorkspaceCopy,
    longest: Duration,
) -> Result<OperationResult, Fault> {
    match run_program(lease.sandbox(), program, longest).await {
        Err(fault) if fault.kind == FaultKind::SandboxLost => {}
        other => return other,
    }
    lay_anew(lease, copy).await?;
    run_program(lease.sandbox(), program, longest).await
}

/// Kills everything in the judged sandbox and lays the copy again.
async fn lay_anew(lease: &mut SandboxLease, copy: &WorkspaceCopy) -> Result<(), Fault> {
    lease.sandbox().reset().await?;
    lease.sandbox().unpack(copy).await
}

async fn operate(
    sandbox: &mut dyn Sandbox,
    operation: SandboxOperation,
) -> Result<OperationResult, Fault> {
    sandbox.perform(&operation).await.map(|report| report.result)
}

/// Runs a program with its input. Err if the shell itself was not started.
async fn run_program(
    sandbox: &mut dyn Sandbox,
    program: &JudgedRun,
    longest: Duration,
) -> Result<OperationResult, Fault> {
    let feeds = !program.input.is_empty();
    if feeds {
        let write = FileWrite { path: INPUT.to_owned(), content: program.input.clone() };
        let written = operate(sandbox, SandboxOperation::WriteFile(write)).await?;
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
            cut_off: self.cut_off.clone(),
        }
    }
}

impl TunnelService for JudgedService {
    fn serve(&self, connection: DuplexStream) -> ServedConnection {
        let service = self.clone();
        Box::pin(async move {
            let mut connection = connection;
            loop {
                let request = match read_request(&mut connection).await {
                    Ok(Some(request)) => request,
                    Ok(None) => return,
                    Err(error) => {
                        tracing::warn!(%error, "a check wrote no request to the judged sandbox");
                        return;
                    }
                };
                let cut_off = service.cut_off.notified();
                let reply = tokio::select! {
                    reply = service.answer(request) => reply,
                    () = cut_off => return,
                };
                if connection.write_all(&reply).await.is_err() {
                    return;
                }
            }
        })
    }
}
