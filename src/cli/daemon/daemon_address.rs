//! How commands reach a daemon: the options that name its socket, the connection, and the printing
//! of answers and refusals.

use crate::cli::terminal::output::{eprint_line, print_json};
use crate::control::client::{ControlClient, ControlClientError};
use crate::control::protocol::{ControlCommand, ErrorBody};
use crate::error::{Code, Error, Result};
use crate::store::holder;
use clap::Args;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Where a daemon is.
#[derive(Args, Clone, Debug)]
pub(in crate::cli) struct DaemonAddress {
    #[command(flatten)]
    pub(in crate::cli) data: crate::cli::DataDir,
    /// The control socket [default: <data-dir>/synthd.sock]
    #[arg(long, value_name = "PATH")]
    pub(in crate::cli) socket: Option<PathBuf>,
}

impl DaemonAddress {
    /// The path of the control socket: `--socket`, or `synthd.sock` in the data directory.
    pub(in crate::cli) fn path(&self) -> PathBuf {
        self.socket.clone().unwrap_or_else(|| self.data.data_dir.join("synthd.sock"))
    }

    /// Connects to the daemon. If a standalone gateway has the data directory, the error says so: a
    /// gateway has no control socket, and "no daemon" would be misleading.
    pub(in crate::cli) fn connect(&self) -> Result<ControlClient> {
        ControlClient::connect(&self.path()).map_err(|error| match self.gateway() {
            Some(pid) if error.code() == Code::NoDaemon => has_no_socket(pid, &self.data.data_dir),
            _ => error,
        })
    }

    /// The process id of a standalone gateway that has the data directory. None if `--socket` was
    /// given, because then the data directory says nothing about the socket.
    fn gateway(&self) -> Option<u32> {
        let pid = holder(&self.data.data_dir).filter(|_| self.socket.is_none())?;
        is_gateway(pid).then_some(pid)
    }

    /// Sends one command and returns the answer. The inner `Err` is an exit code: the daemon
    /// refused, and the refusal was printed already.
    pub(in crate::cli) fn ask(
        &self,
        order: &ControlCommand,
        json: bool,
        on_event: impl FnMut(Value),
    ) -> Result<Result<Value, ExitCode>> {
        self.connect()?
            .ask(order, on_event)
            .map_or_else(|why| print_failure(why, json).map(Err), |a| Ok(Ok(a)))
    }
}

impl DaemonAddress {
    /// Sends one command and prints the answer: with `json` as it came, otherwise through `show`.
    pub(in crate::cli) fn ask_and_print(
        &self,
        order: &ControlCommand,
        json: bool,
        show: impl FnOnce(Value) -> Result<()>,
    ) -> Result<ExitCode> {
        match self.ask(order, json, |_| {})? {
            Err(code) => return Ok(code),
            Ok(answer) if json => print_json(&answer)?,
            Ok(answer) => show(answer)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Whether a living process is `synthd gateway`, judged by its command line in `/proc`.
fn is_gateway(pid: u32) -> bool {
    let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let mut words = line.split(|byte| *byte == 0);
    words.next().is_some_and(|program| program.ends_with(b"synthd"))
        && words.any(|word| word == b"gateway")
}

/// The error for a data directory that a standalone gateway has.
fn has_no_socket(pid: u32, data_dir: &Path) -> Error {
    let shown = data_dir.display();
    let what = format!("process {pid} in {shown} is a gateway, which takes no orders");
    Error::new(Code::NoDaemon, what).hint(format!(
        "see its calls with `synthd call list --campaign gateway --data-dir {shown}`; Ctrl-C \
         ends the gateway"
    ))
}

/// Shows why there is no answer. A refusal with details (all mistakes of a file) is printed in full
/// and gives an exit code. Every other failure is returned as the error, and `cli::main` prints it.
pub(in crate::cli) fn print_failure(failure: ControlClientError, json: bool) -> Result<ExitCode> {
    let body = match failure {
        ControlClientError::Broken(error) => return Err(error),
        ControlClientError::Refused(body) => *body,
    };
    let shown = match &body {
        ErrorBody { details: Some(details), .. } if json => print_json(details).map(|()| true)?,
        ErrorBody { text: Some(text), .. } => {
            eprint_line(text.trim_end());
            eprint_line(&format!("\nerror[{}]: {}", body.code, body.message));
            true
        }
        _ => false,
    };
    let error = Error::from(body);
    if shown { Ok(ExitCode::from(error.code().exit_code())) } else { Err(error) }
}

/// Reads an answer into a type of this version. Keys that this version does not know are ignored.
/// An answer that does not fit is an error of the protocol.
pub(in crate::cli) fn parse_answer<T: DeserializeOwned>(answer: Value) -> Result<T> {
    serde_json::from_value(answer).map_err(|error| {
        Error::new(Code::ControlProtocol, "the daemon's answer cannot be understood")
            .with_source(error)
            .hint("use the same version of `synthd` as the daemon")
    })
}
