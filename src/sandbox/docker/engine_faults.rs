//! Turns errors of a container engine into typed faults.
//!
//! The kind of the fault decides what happens next, so three cases must be told apart:
//!
//! - `SandboxStart`: this one sandbox failed; the attempt is retried and counted.
//! - `EngineDown`: the container engine is down or full; everything waits, and no attempt is
//!   counted.
//! - `SandboxRefused`: only a person can repair it (no such image); the campaign pauses.
//!
//! Container engines report most problems as text alone, so some rules here look for phrases in
//! messages.

use bollard::errors::Error;
use std::future::Future;
use std::time::Duration;
use synthd_actors::model::{Fault, FaultKind};
use tokio::time::timeout;

/// The time limit of one request to the container engine.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// Waits for one request to the container engine, at most [`PATIENCE`]. `doing` says what is
/// being done and begins the message of a fault, such as `start a container`. A timeout is
/// `EngineDown`.
pub(super) async fn with_timeout<T>(
    doing: &str,
    asked: impl Future<Output = Result<T, Error>>,
) -> Result<T, Fault> {
    match timeout(PATIENCE, asked).await {
        Ok(answer) => answer.map_err(|error| fault(doing, &error)),
        Err(_) => Err(timeout_fault(doing)),
    }
}

/// The typed fault of an error, with a hint for the user where the cause is known.
pub(super) fn fault(doing: &str, error: &Error) -> Fault {
    Fault::new(kind_of(error), format!("{doing}: {}", explain(error)))
}

/// The fault of a container engine that did not answer within the time limit.
pub(super) fn timeout_fault(doing: &str) -> Fault {
    let why = format!("{doing}: the container engine does not answer in time");
    Fault::new(FaultKind::EngineDown, why)
}

/// A fault that pauses the campaign until a person has changed something.
pub(super) fn refused(why: impl Into<String>) -> Fault {
    Fault::new(FaultKind::SandboxRefused, why)
}

/// The kind of fault for an error. The order of the rules matters: the special cases of a status
/// code come before the code in general.
fn kind_of(error: &Error) -> FaultKind {
    match error {
        // Somebody removed the container while it was in use. Another one can be made.
        Error::DockerResponseServerError { status_code: 404, message }
            if message.contains("No such container") || message.contains("no such container") =>
        {
            FaultKind::SandboxStart
        }
        // What the container engine will never do: no such image, no such runtime, a bad mount.
        Error::DockerResponseServerError { status_code: 400 | 404, .. } => {
            FaultKind::SandboxRefused
        }
        Error::DockerResponseServerError { status_code: 503, .. } => FaultKind::EngineDown,
        // The runtime, as it is registered, cannot start any sandbox.
        Error::DockerResponseServerError { message, .. } if wants_network(message) => {
            FaultKind::SandboxRefused
        }
        // The disk of the container engine is full. Nothing can be made until there is space.
        Error::DockerResponseServerError { message, .. } if is_full(message) => {
            FaultKind::EngineDown
        }
        // The container engine answered, but could not make this one sandbox.
        Error::DockerResponseServerError { .. }
        | Error::DockerStreamError { .. }
        | Error::DockerContainerWaitError { .. }
        | Error::JsonDataError { .. }
        | Error::JsonSerdeError { .. } => FaultKind::SandboxStart,
        // All else is an error of the connection: nobody answered.
        _ => FaultKind::EngineDown,
    }
}

/// The message of an error followed by those of its causes, separated by colons. The client
/// library often names only the layer that failed; the reason is in the cause. A cause that the
/// text already ends with is left out.
fn with_causes(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.ends_with(&said) {
            text.push_str(&format!(": {said}"));
        }
        cause = error.source();
    }
    text
}

/// Docker's and Podman's words for a runtime that is not registered.
fn is_runtime(message: &str) -> bool {
    message.contains("unknown or invalid runtime") || message.contains("Unknown runtime")
}

/// gVisor's runtime takes over the network of the container. A sandbox has no network, so the
/// runtime must be registered with `--network=none`.
fn wants_network(message: &str) -> bool {
    message.contains("cannot run with network enabled in root network namespace")
}

/// The words of the kernel for a full disk, which the container engine passes on.
fn is_full(message: &str) -> bool {
    message.contains("no space left on device") || message.contains("disk quota exceeded")
}

/// The message of an error for the user, with a hint in parentheses about the usual cause and
/// what to do.
pub(super) fn explain(error: &Error) -> String {
    let text = error.to_string();
    // The first I/O error in the chain of causes tells why a socket does not work.
    let io = std::iter::successors(Some(error as &(dyn std::error::Error + 'static)), |error| {
        error.source()
    })
    .find_map(|error| error.downcast_ref::<std::io::Error>().map(std::io::Error::kind));
    let hint = match (io, error) {
        (Some(std::io::ErrorKind::NotFound), _) => "no engine runs there: start dockerd",
        (Some(std::io::ErrorKind::ConnectionRefused), _) => "no engine listens there",
        (Some(std::io::ErrorKind::PermissionDenied), _) => {
            "this user may not use the engine: join the group docker, or use a rootless one"
        }
        (_, Error::DockerResponseServerError { message, .. }) if is_runtime(message) => {
            "register the runtime with the engine (`runtimes` in daemon.json)"
        }
        (_, Error::DockerResponseServerError { message, .. })
            if message.contains("No such image") =>
        {
            "get it with `synthd image pull`, or make it with `synthd image build`"
        }
        (_, Error::DockerResponseServerError { message, .. }) if wants_network(message) => {
            "register the runtime with `--network=none` (`runtimeArgs` in daemon.json)"
        }
        (_, Error::DockerResponseServerError { message, .. }) if is_full(message) => {
            "the engine's disk is full: free some space, for example with `synthd image prune`"
        }
        // The container engine explained its error itself.
        (_, Error::DockerResponseServerError { .. }) => return text,
        _ => return with_causes(error),
    };
    format!("{text} ({hint})")
}
