//! An engine on another host, reached by forwarding its socket over SSH. The user's own
//! `ssh` does it, with the user's own configuration, keys and agent.
//!
//! ```text
//!            ends: the network, the far host
//!  running ───────────────────────────────────► waiting ──► running …
//! ```

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

const FAR_SOCKET: &str = "/var/run/docker.sock";
/// For the way to open at first.
const OPENING: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(20);
/// Before a forward that has ended is begun again.
const AGAIN: Duration = Duration::from_secs(2);

/// A socket of this host behind which the far engine is, for as long as this is kept.
pub(super) struct SshForward {
    directory: PathBuf,
    /// Why it was last cut.
    cut: watch::Receiver<Option<String>>,
    _running: AbortOnDropHandle<()>,
}

/// `user@host:port/path`, each part but the host left out where it is the usual one.
#[derive(Debug, PartialEq, Eq)]
struct SshDestination {
    host: String,
    port: Option<u16>,
    socket: String,
}

impl SshDestination {
    fn parse(text: &str) -> Option<Self> {
        let (place, path) = text.split_once('/').unwrap_or((text, ""));
        let (host, port) = match place.rsplit_once(':') {
            Some((host, port)) => (host, Some(port.parse().ok()?)),
            None => (place, None),
        };
        // What begins with a dash would be an option to ssh.
        let plain = |c: char| c.is_ascii_alphanumeric() || "@._-".contains(c);
        if host.is_empty() || host.starts_with('-') || !host.chars().all(plain) {
            return None;
        }
        let socket = if path.is_empty() { FAR_SOCKET.to_owned() } else { format!("/{path}") };
        Some(Self { host: host.to_owned(), port, socket })
    }
}

impl SshForward {
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

    /// Waits until the way is open, or is said not to be.
    pub(super) async fn ready(&self) -> Result<(), Fault> {
        let (mut cut, deadline) = (self.cut.clone(), Instant::now() + OPENING);
        let down = |why: String| Fault::new(FaultKind::EngineDown, format!("ssh: {why}"));
        while !self.socket().exists() {
            let why = timeout_at(deadline, async {
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

    pub(super) fn socket(&self) -> PathBuf {
        self.directory.join("engine.sock")
    }
}

impl Drop for SshForward {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.directory).ok();
    }
}

/// Only its user may use what is forwarded.
fn private_directory() -> std::io::Result<PathBuf> {
    use std::os::unix::fs::DirBuilderExt;
    static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let number = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let name = format!("synthd-ssh-{}-{number}", std::process::id());
    let directory = std::env::temp_dir().join(name);
    // Of a dead process with our number.
    std::fs::remove_dir_all(&directory).ok();
    std::fs::DirBuilder::new().mode(0o700).create(&directory)?;
    Ok(directory)
}

async fn keep_running(to: SshDestination, socket: PathBuf, cut: watch::Sender<Option<String>>) {
    loop {
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
