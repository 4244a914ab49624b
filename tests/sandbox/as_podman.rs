//! The same tests against Podman behind its Docker-compatible socket.

use super::containers::{BASE, image};
use super::lab::IMAGE;
use crate::support::{pass_on_skips, skip, synthd};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Podman's temporary file systems have no limit of inodes and no owner but root. Podman hides
/// no more of `/proc` than it does by itself, and does not limit terminals. `synthd doctor` and
/// `docs/SECURITY.md` say so.
const OTHERWISE: [&str; 6] = [
    "a_terminal_that_cannot_be_had_is_refused",
    "program_01_terminals_have_a_cap",
    "program_03_disk_fill",
    "program_11_a_hostile_archive",
    "program_15_what_the_kernel_shows",
    "sealed_files_are_laid_into_a_clean_place",
];

/// A Podman of this test's own, with its own images.
struct Podman {
    service: Child,
    directory: PathBuf,
}

impl Podman {
    fn start(directory: &Path) -> Self {
        let mut command = Self::command(directory);
        command.args(["system", "service", "--time=0"]);
        command.arg(format!("unix://{}", directory.join("s").display()));
        let service = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let begun = Instant::now();
        while std::os::unix::net::UnixStream::connect(directory.join("s")).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(60), "podman does not listen");
            std::thread::yield_now();
        }
        Self { service, directory: directory.to_owned() }
    }

    fn command(directory: &Path) -> Command {
        let mut command = Command::new("podman");
        // Where its monitor notes that memory ran out.
        command.current_dir(directory);
        command.arg("--root").arg(directory.join("root"));
        command.arg("--runroot").arg(directory.join("run"));
        command.args(["--cgroup-manager", "cgroupfs"]);
        if Path::new("/usr/sbin/runc").exists() {
            // Debian's crun knows no host with both versions of cgroups.
            command.args(["--runtime", "/usr/sbin/runc"]);
        }
        command
    }

    fn host(&self) -> String {
        format!("unix://{}", self.directory.join("s").display())
    }

    /// The test image, from the engine that has it.
    fn load(&self) {
        let pipe = format!("docker save {BASE} | DOCKER_HOST={} docker load", self.host());
        let loaded = Command::new("sh").args(["-c", &pipe]).output().unwrap();
        assert!(loaded.status.success(), "{}", String::from_utf8_lossy(&loaded.stderr));
    }
}

impl Drop for Podman {
    fn drop(&mut self) {
        self.service.kill().ok();
        self.service.wait().ok();
        let mut removal = Self::command(&self.directory);
        removal.args(["system", "reset", "--force"]).output().ok();
    }
}

#[test]
fn podman_keeps_the_promises_of_a_sandbox() {
    let there = Command::new("podman").arg("--version").output().is_ok();
    let Some(image) = image().filter(|_| there && nix::unistd::geteuid().is_root()) else {
        return skip("the sandbox under Podman", "it needs root, podman and the test image");
    };
    let directory = tempfile::tempdir().unwrap();
    let podman = Podman::start(directory.path());
    podman.load();
    let mut command = Command::new(std::env::current_exe().unwrap());
    let suites = [
        "basics",
        "beside",
        "changes",
        "copies",
        "egress",
        "hostile::",
        "operations",
        "services",
        "terminals",
        "tunnel",
    ];
    command.args(suites.map(|suite| format!("sandbox::{suite}")));
    for test in OTHERWISE {
        command.args(["--skip", test]);
    }
    command.args(["--test-threads", "3"]).env(IMAGE, image).env("DOCKER_HOST", podman.host());
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let tally = text.lines().rfind(|line| line.starts_with("test result")).unwrap_or("no tally");
    eprintln!("under Podman: {tally}");
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    pass_on_skips(&output);
    // The last of what a dead process had goes at the next one's start.
    let mut next = Command::new(synthd());
    let next = next.args(["image", "check", BASE]).env("DOCKER_HOST", podman.host()).output();
    assert!(next.unwrap().status.success());
    let left = Podman::command(directory.path()).args(["ps", "-aq"]).output().unwrap();
    assert!(left.stdout.is_empty(), "{}", String::from_utf8_lossy(&left.stdout));
}
