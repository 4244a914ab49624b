//! Reaches a container engine on another host: forwards its socket over SSH to a socket of this
//! host.
//!
//! The user's own `ssh` program does this, so the user's configuration, keys and agent apply. A
//! task keeps the program running:
//!
//! ```text
//!            ssh ends: the network or the other host failed
//!  running ────────────────────────────────────────────────► waiting (2 s) ──► running …
//! ```
//! While the forward is down, requests to the container engine fail (`EngineDown`) and are tried
//! again by those who made them. `ssh` never asks for a password (`BatchMode`): a login that
//! needs one fails.

use super::engine_faults::refused;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use synthd_actors::model::{Fault, FaultKind};
use synthd_actors::supervisor::spawn;
use tokio::process::Command;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::task::AbortOnDropHandle;

/// The container engine's socket on the other host, unless the address names another one.
const FAR_SOCKET: &str = "/var/run/docker.sock";
/// The time limit for the first opening of the forward.
const OPENING: Duration = Duration::from_secs(30);
/// How often the local socket is looked for while the forward opens.
const LOOK: Duration = Duration::from_millis(20);
/// The wait before `ssh` is started again after it has ended.
const AGAIN: Duration = Duration::from_secs(2);

/// A running forward. Behind [`Self::socket`] is the container engine of the other host. Dropping
/// the value ends `ssh` and removes the socket.
pub(super) struct SshForward {
    /// A directory of this user alone, which holds only the socket.
    directory: PathBuf,
    /// Why `ssh` ended the last time; `None` while it has never ended.
    cut: watch::Receiver<Option<String>>,
    /// The task that starts `ssh` again and again. Its end kills the process (`kill_on_drop`).
    _running: AbortOnDropHandle<()>,
}

/// The parts of `user@host:port/path/of/socket`, without the `ssh://` in front. Port and path may
/// be left out.
#[derive(Debug, PartialEq, Eq)]
struct SshDestination {
    /// With the user, if one is given: `user@host`.
    host: String,
    /// `None` leaves the port to the configuration of `ssh`.
    port: Option<u16>,
    /// The absolute path of the socket on the other host.
    socket: String,
}

impl SshDestination {
    /// `None` if the text is not a destination. Only plain characters are accepted, because the
    /// host becomes an argument of `ssh`.
    fn parse(text: &str) -> Option<Self> {
        let (place, path) = text.split_once('/').unwrap_or((text, ""));
        let (host, port) = match place.rsplit_once(':') {
            Some((host, port)) => (host, Some(port.parse().ok()?)),
            None => (place, None),
        };
        // An argument that begins with a dash would be an option of `ssh`, which can run
        // commands.
        let plain = |c: char| c.is_ascii_alphanumeric() || "@._-".contains(c);
        if host.is_empty() || host.starts_with('-') || !host.chars().all(plain) {
            return None;
        }
        let socket = if path.is_empty() { FAR_SOCKET.to_owned() } else { format!("/{path}") };
        Some(Self { host: host.to_owned(), port, socket })
    }
}

impl SshForward {
    /// Starts the task that runs `ssh`, and does not wait for it. `Err` means that the
    /// destination is malformed or that the directory cannot be made.
    pub(super) fn start(destination: &str) -> Result<Self, Fault> {
        let Some(parsed) = SshDestination::parse(destination) else {
            return Err(refused(format!(
                "{destination:?} is not a destination of ssh (user@host, with :port and \
                 /path/of/socket if they are unusual)"
            )));
        };
        let directory = private_directory()
            .map_err(|error| Fault::new(FaultKind::SandboxStart, format!("ssh: {error}")))?;
        let socket = directory.join("engine.sock");
        let (tell, cut) = watch::channel(None);
        let running = spawn("ssh forward", keep_running(parsed, socket, tell));
        Ok(Self { directory, cut, _running: running })
    }

    /// Waits until the local socket exists. `EngineDown` means that `ssh` ended (with its own
    /// words as the reason) or that the time limit passed.
    pub(super) async fn ready(&self) -> Result<(), Fault> {
        let (mut cut, deadline) = (self.cut.clone(), Instant::now() + OPENING);
        let down = |why: String| Fault::new(FaultKind::EngineDown, format!("ssh: {why}"));
        while !self.socket().exists() {
            let why = timeout_at(deadline, async {
                // Either `ssh` has ended, or it is time to look for the socket again. `ssh` gives
                // no other sign that the forward is open.
                tokio::select! {
                    _ = cut.wait_for(Option::is_some) => {}
                    () = sleep(LOOK) => {}
                }
            });
            why.await.map_err(|_| down("it does not open in time".to_owned()))?;
            if let Some(why) = cut.borrow().clone() {
                return Err(down(why));
            }
        }
        Ok(())
    }

    /// The local socket. It is absent while the forward is down.
    pub(super) fn socket(&self) -> PathBuf {
        self.directory.join("engine.sock")
    }
}

impl Drop for SshForward {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.directory).ok();
    }
}

/// Makes a directory that only this user may enter: whoever can use the socket controls the
/// container engine.
fn private_directory() -> std::io::Result<PathBuf> {
    use std::os::unix::fs::DirBuilderExt;
    static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let number = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let name = format!("synthd-ssh-{}-{number}", std::process::id());
    let directory = std::env::temp_dir().join(name);
    // A directory of the same name is left from a dead process with the same process id.
    std::fs::remove_dir_all(&directory).ok();
    std::fs::DirBuilder::new().mode(0o700).create(&directory)?;
    Ok(directory)
}

/// Runs `ssh` until the task is aborted. Each end is reported to `cut` and to the log.
async fn keep_running(to: SshDestination, socket: PathBuf, cut: watch::Sender<Option<String>>) {
    loop {
        // `ssh` does not bind to a path that exists.
        std::fs::remove_file(&socket).ok();
        let ended = command(&to, &socket).output().await;
        let why = match ended {
            Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            Err(error) => error.to_string(),
        };
        tracing::warn!(host = to.host, %why, "the way to the container engine is cut");
        cut.send_replace(Some(why));
        sleep(AGAIN).await;
    }
}

/// The `ssh` command, such as
/// `ssh -nNT ... -p2222 -L /tmp/synthd-ssh-1-0/engine.sock:/var/run/docker.sock -- user@host`. It
/// ends if the forward fails or if the other host does not answer keep-alive messages. The socket
/// is for this user alone (mask 0177).
fn command(to: &SshDestination, socket: &Path) -> Command {
    let mut command = Command::new("ssh");
    command.args(["-nNT", "-o", "BatchMode=yes", "-o", "ExitOnForwardFailure=yes"]);
    command.args(["-o", "ServerAliveInterval=15", "-o", "StreamLocalBindMask=0177"]);
    command.args(to.port.map(|port| format!("-p{port}")));
    command.arg("-L").arg(format!("{}:{}", socket.display(), to.socket)).arg("--").arg(&to.host);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_destination_has_its_parts() {
        let parts = |text: &str| SshDestination::parse(text).map(|d| (d.host, d.port, d.socket));
        let usual = FAR_SOCKET.to_owned();
        assert_eq!(parts("host"), Some(("host".to_owned(), None, usual.clone())));
        assert_eq!(
            parts("me@h.example:2222"),
            Some(("me@h.example".to_owned(), Some(2222), usual))
        );
        let podman = parts("h/run/user/1000/podman.sock");
        assert_eq!(podman, Some(("h".to_owned(), None, "/run/user/1000/podman.sock".to_owned())));
        for wrong in ["", ":22", "-oProxyCommand=x", "a b", "h:port", "h;x"] {
            assert_eq!(parts(wrong), None, "{wrong}");
        }
    }
}
