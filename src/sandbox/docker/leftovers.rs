//! Ends processes that a runtime leaves on this host when a container does not start.
//!
//! gVisor's runtime starts its own kernel first and the container in it second. When the second
//! step fails, Docker forgets the container. The processes `runsc-sandbox` and `runsc-gofer` and
//! the shim of containerd stay alive, and no call of the API ends them. Their command lines
//! contain the id of the container, which no other process has. If the container engine is on
//! another host, nothing is found here, and nothing is ended.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::time::Duration;
use tokio::time::sleep;

/// How the names of the runtime's processes begin.
const RUNTIME: &str = "runsc";
/// How the name of the shim begins. The shim is the process between containerd and the runtime.
const SHIM: &str = "containerd-shim";
/// How often it is checked whether the container engine has ended the shim by itself.
const TRIES: u32 = 40;
/// The wait between two such checks. All checks together take two seconds.
const PAUSE: Duration = Duration::from_millis(50);

/// Ends what is left of a container that did not start. The container engine must still know the
/// container: it then ends the shim by itself when the runtime's own processes have ended. A shim
/// that is still there after all checks is killed.
pub(super) async fn end(container: &str) {
    if send(&processes(container, RUNTIME)) == 0 {
        return;
    }
    for _ in 0..TRIES {
        if processes(container, SHIM).is_empty() {
            return;
        }
        sleep(PAUSE).await;
    }
    send(&processes(container, SHIM));
}

/// Kills the processes. Returns how many could be signalled.
fn send(processes: &[Pid]) -> usize {
    processes.iter().filter(|pid| kill(**pid, Signal::SIGKILL).is_ok()).count()
}

/// The processes of this host whose program name begins with `program` and whose arguments name
/// the container.
fn processes(container: &str, program: &str) -> Vec<Pid> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let numbers = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    numbers
        .filter(|pid: &i32| {
            let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            names(&words, container, program)
        })
        .map(Pid::from_raw)
        .collect()
}

/// Whether a command line is of such a program and for this container. `command_line` is the
/// content of `/proc/PID/cmdline`, whose words end with zero bytes. The id must be a whole part
/// of a path in an argument, as in `--log=/run/moby/ID/log.json`.
fn names(command_line: &[u8], container: &str, program: &str) -> bool {
    let text = String::from_utf8_lossy(command_line);
    let mut words = text.split('\0');
    let path = words.next().unwrap_or_default();
    let name = path.rsplit('/').next().unwrap_or_default();
    !container.is_empty()
        && name.starts_with(program)
        && words.any(|word| word.split('/').any(|part| part == container))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "c84d319945d939acb7a269e683054881e110d65c50aa3698adad410006235eaf";

    #[test]
    fn only_the_runtimes_processes_of_the_container_are_meant() {
        let line = |words: &[&str]| words.join("\0").into_bytes();
        let log = format!("--log=/run/moby/{ID}/log.json");
        assert!(names(&line(&["runsc-sandbox", &log, "boot"]), ID, RUNTIME));
        let shim = line(&["/usr/bin/containerd-shim-runc-v2", "-namespace", "moby", "-id", ID]);
        assert!(names(&shim, ID, SHIM));
        assert!(!names(&shim, ID, RUNTIME));
        // What a user does with the same container, and the runtime of another one.
        assert!(!names(&line(&["docker", "logs", ID]), ID, RUNTIME));
        assert!(!names(&line(&["runsc-sandbox", "--log=/run/moby/other/log.json"]), ID, RUNTIME));
        assert!(!names(&line(&["runsc-sandbox", &log]), "", RUNTIME));
        assert!(!names(b"", ID, RUNTIME));
    }
}
