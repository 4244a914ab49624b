//! What can be wrong with a container engine, as a typed fault: whether it is this one
//! sandbox, an engine that is down for now, or something only a person can mend.

use bollard::errors::Error;
use synthd_actors::model::{Fault, FaultKind};

pub(super) fn fault(doing: &str, error: &Error) -> Fault {
    Fault::new(kind_of(error), format!("{doing}: {}", explain(error)))
}

pub(super) fn late(doing: &str) -> Fault {
    let why = format!("{doing}: the container engine does not answer in time");
    Fault::new(FaultKind::SandboxStart, why)
}

pub(super) fn refused(why: impl Into<String>) -> Fault {
    Fault::new(FaultKind::SandboxRefused, why)
}

fn kind_of(error: &Error) -> FaultKind {
    match error {
        // What the engine will not do: no such image, no such runtime, a bad mount.
        Error::DockerResponseServerError { status_code: 400 | 404, .. } => {
            FaultKind::SandboxRefused
        }
        _ => FaultKind::SandboxStart,
    }
}

/// With what usually stands behind it.
pub(super) fn explain(error: &Error) -> String {
    let text = error.to_string();
    let io = std::iter::successors(Some(error as &(dyn std::error::Error + 'static)), |error| {
        error.source()
    })
    .find_map(|error| error.downcast_ref::<std::io::Error>().map(std::io::Error::kind));
    let hint = match (io, error) {
        (Some(std::io::ErrorKind::NotFound), _) => "no engine runs there: is dockerd started?",
        (Some(std::io::ErrorKind::ConnectionRefused), _) => "no engine listens there",
        (Some(std::io::ErrorKind::PermissionDenied), _) => {
            "this user may not use the engine: join the group docker, or use a rootless one"
        }
        (_, Error::DockerResponseServerError { message, .. }) if message.contains("runtime") => {
            "register the runtime with the engine (`runtimes` in daemon.json)"
        }
        (_, Error::DockerResponseServerError { message, .. })
            if message.contains("No such image") =>
        {
            "build it with `synthd image build`, or load it into the engine"
        }
        _ => return text,
    };
    format!("{text} ({hint})")
}
