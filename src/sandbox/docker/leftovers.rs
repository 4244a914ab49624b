//! Processes that a runtime leaves on this host when a container does not start.
//!
//! gVisor's runtime starts its own kernel first and the container in it second. When the second
//! step fails, Docker forgets the container: `runsc-sandbox`, `runsc-gofer` and containerd's shim
//! live on, and no call of the engine's interface ends them. They carry the container's id, which
//! no other process has. An engine on another host is not reached: nothing is found here.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::time::Duration;
use tokio::time::sleep;

const RUNTIME: &str = "runsc";
const SHIM: &str = "containerd-shim";
/// How often the engine is given time to end the shim by itself, and how much.
const TRIES: u32 = 40;
const PAUSE: Duration = Duration::from_millis(50);

/// Ends what is left of a container that did not start. It must still be known to the engine:
/// the engine then ends the shim when the runtime's own processes have ended.
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

fn send(processes: &[Pid]) -> usize {
    processes.iter().filter(|pid| kill(**pid, Signal::SIGKILL).is_ok()).count()
}

/// Processes of this host whose program has such a name and whose arguments name the container.
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

/// Whether a command line, its words ended by zeros, is of such a program for the container.
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
