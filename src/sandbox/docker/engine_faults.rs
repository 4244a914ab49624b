//! What can be wrong with a container engine, as a typed fault: whether it is this one
//! sandbox, an engine that is down for now, or something only a person can mend.

use bollard::errors::Error;
use std::future::Future;
use std::time::Duration;
use synthd_actors::model::{Fault, FaultKind};
use tokio::time::timeout;

/// For one request to the engine.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// Waits for the engine, but not for ever.
pub(super) async fn with_timeout<T>(
    doing: &str,
    asked: impl Future<Output = Result<T, Error>>,
) -> Result<T, Fault> {
    match timeout(PATIENCE, asked).await {
        Ok(answer) => answer.map_err(|error| fault(doing, &error)),
        Err(_) => Err(timeout_fault(doing)),
    }
}

pub(super) fn fault(doing: &str, error: &Error) -> Fault {
    Fault::new(kind_of(error), format!("{doing}: {}", explain(error)))
}

pub(super) fn timeout_fault(doing: &str) -> Fault {
    let why = format!("{doing}: the container engine does not answer in time");
    Fault::new(FaultKind::EngineDown, why)
}

pub(super) fn refused(why: impl Into<String>) -> Fault {
    Fault::new(FaultKind::SandboxRefused, why)
}

fn kind_of(error: &Error) -> FaultKind {
    match error {
        // What the engine will not do: no such image, no such runtime, a bad mount.
        // One that somebody has removed under our hands.
        Error::DockerResponseServerError { status_code: 404, message }
            if message.contains("No such container") || message.contains("no such container") =>
        {
            FaultKind::SandboxStart
        }
        Error::DockerResponseServerError { status_code: 400 | 404, .. } => {
            FaultKind::SandboxRefused
        }
        Error::DockerResponseServerError { status_code: 503, .. } => FaultKind::EngineDown,
        // As it is registered it starts nothing.
        Error::DockerResponseServerError { message, .. } if wants_network(message) => {
            FaultKind::SandboxRefused
        }
        // Of its own disk: nothing can be made there until somebody makes room.
        Error::DockerResponseServerError { message, .. } if is_full(message) => {
            FaultKind::EngineDown
        }
        // It answered, and this one sandbox it could not make.
        Error::DockerResponseServerError { .. }
        | Error::DockerStreamError { .. }
        | Error::DockerContainerWaitError { .. }
        | Error::JsonDataError { .. }
        | Error::JsonSerdeError { .. } => FaultKind::SandboxStart,
        _ => FaultKind::EngineDown,
    }
}

/// What the transport says of itself is in what caused its error.
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

fn is_runtime(message: &str) -> bool {
    message.contains("unknown or invalid runtime") || message.contains("Unknown runtime")
}

/// gVisor's kernel takes over the container's network, which a sandbox has none of.
fn wants_network(message: &str) -> bool {
    message.contains("cannot run with network enabled in root network namespace")
}

fn is_full(message: &str) -> bool {
    message.contains("no space left on device") || message.contains("disk quota exceeded")
}

/// With what usually stands behind it.
pub(super) fn explain(error: &Error) -> String {
    let text = error.to_string();
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
        (_, Error::DockerResponseServerError { .. }) => return text,
        _ => return with_causes(error),
    };
    format!("{text} ({hint})")
}
