//! A container engine of a test's own, to be stopped, killed and starved without harm to the
//! one everybody uses. It needs root and dockerd, and has one tiny image.

use super::skip;
use crate::sandbox::{RUNTIME, without_network};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use synthd::sandbox::docker::DockerAddress;

/// A shell and the usual tools in one static program.
pub(crate) const TINY: &str = "synthd-test/tiny:latest";
/// Several engines at once would only wait for each other.
static ONE: Mutex<()> = Mutex::new(());

pub(crate) struct OwnEngine {
    directory: PathBuf,
    arguments: Vec<String>,
    daemon: Option<Child>,
    mounted: bool,
    _one: MutexGuard<'static, ()>,
}

impl OwnEngine {
    /// None, said aloud, where there can be none. `disk` bounds what the engine may store.
    pub(crate) fn start(what: &str, disk: Option<&str>, more: &[&str]) -> Option<Self> {
        let there = |program: &str| {
            let found = Command::new("sh").args(["-c", &format!("command -v {program}")]).output();
            found.is_ok_and(|output| output.status.success())
        };
        if !geteuid().is_root() || !there("dockerd") || !Path::new("/bin/busybox").exists() {
            skip(what, "it needs root, dockerd and busybox-static");
            return None;
        }
        let one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        let directory = tempfile::Builder::new().prefix("synthd-engine-").tempdir().unwrap().keep();
        let mut engine = Self {
            arguments: more.iter().map(|argument| (*argument).to_owned()).collect(),
            daemon: None,
            mounted: disk.is_some(),
            directory,
            _one: one,
        };
        std::fs::create_dir_all(engine.data()).unwrap();
        if let Some(size) = disk {
            let size = format!("size={size}");
            let arguments = ["-t", "tmpfs", "-o", &size, "tmpfs"];
            let mounted = Command::new("mount").args(arguments).arg(engine.data()).status();
            assert!(mounted.unwrap().success());
        }
        if std::env::var_os(RUNTIME).is_some() {
            let runtime = without_network(&engine.directory);
            engine.arguments.push(format!("--add-runtime=runsc={runtime}"));
        }
        engine.restart();
        engine.import_tiny();
        Some(engine)
    }

    fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    pub(crate) fn path(&self) -> &Path {
        &self.directory
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.directory.join("s")
    }

    pub(crate) fn address(&self) -> DockerAddress {
        DockerAddress::unix(&self.socket())
    }

    /// Starts it, again if it has run before.
    pub(crate) fn restart(&mut self) {
        // Of one that was killed; where nobody reaps its number is still taken.
        std::fs::remove_file(self.directory.join("pid")).ok();
        std::fs::remove_file(self.directory.join("exec/containerd/containerd.pid")).ok();
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.directory.join("log"))
            .unwrap();
        let mut command = Command::new("dockerd");
        command.current_dir(&self.directory);
        command.arg("--data-root").arg(self.data());
        command.arg("--exec-root").arg(self.directory.join("exec"));
        command.arg("--pidfile").arg(self.directory.join("pid"));
        command.arg("-H").arg(format!("unix://{}", self.socket().display()));
        command.args(["--bridge=none", "--iptables=false", "--ip-forward=false"]);
        command.args(&self.arguments).stdout(Stdio::null()).stderr(log);
        self.daemon = Some(command.spawn().unwrap());
        self.until_it_answers();
    }

    fn until_it_answers(&self) {
        let begun = Instant::now();
        while !self.docker(&["version"]).status().unwrap().success() {
            let log = || std::fs::read_to_string(self.directory.join("log")).unwrap();
            assert!(begun.elapsed() < Duration::from_secs(60), "no engine: {}", log());
            std::thread::yield_now();
        }
    }

    /// The engine's own client.
    pub(crate) fn docker(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("docker");
        command.arg("-H").arg(format!("unix://{}", self.socket().display())).args(arguments);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// The containers there are, running or not. The engine's list shows some that it has
    /// removed, so each is looked for.
    pub(crate) fn containers(&self) -> Vec<String> {
        let ids = self.asked(&["ps", "-aq", "--no-trunc"]);
        let there = |id: &&str| self.docker(&["inspect", id]).status().unwrap().success();
        ids.lines().filter(there).map(str::to_owned).collect()
    }

    /// What the client prints.
    pub(crate) fn asked(&self, arguments: &[&str]) -> String {
        let output = self.docker(arguments).stdout(Stdio::piped()).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    fn import_tiny(&self) {
        let root = self.directory.join("root");
        let script = "mkdir -p $0/bin && cp /bin/busybox $0/bin/ && \
                      for tool in $(/bin/busybox --list | grep -vx busybox); do ln -sf busybox $0/bin/$tool; done";
        let made = Command::new("sh").args(["-c", script]).arg(&root).status();
        assert!(made.unwrap().success());
        let import = format!(
            "tar -C {} -c . | docker -H unix://{} import - {TINY}",
            root.display(),
            self.socket().display()
        );
        let imported = Command::new("sh").args(["-c", &import]).stdout(Stdio::null()).status();
        assert!(imported.unwrap().success());
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let daemon = self.daemon.as_ref().unwrap();
        kill(Pid::from_raw(i32::try_from(daemon.id()).unwrap()), signal).unwrap();
    }

    /// Stops it, and waits until each of its threads stands still: the kernel stops them one after
    /// another, and on a busy host one of them still answers meanwhile.
    pub(crate) fn freeze(&self) {
        self.signal(Signal::SIGSTOP);
        let tasks = format!("/proc/{}/task", self.daemon.as_ref().unwrap().id());
        let is_still = || {
            std::fs::read_dir(&tasks).unwrap().flatten().all(|task| {
                let stat = std::fs::read_to_string(task.path().join("stat")).unwrap_or_default();
                stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with(['T', 'Z', 'X']))
            })
        };
        while !is_still() {
            std::thread::yield_now();
        }
    }

    /// Ends it by a signal, and waits until it has.
    pub(crate) fn end(&mut self, signal: Signal) {
        if let Some(mut daemon) = self.daemon.take() {
            let pid = Pid::from_raw(i32::try_from(daemon.id()).unwrap());
            kill(pid, Signal::SIGCONT).ok();
            kill(pid, signal).unwrap();
            daemon.wait().unwrap();
        }
    }

    /// Takes all the room the engine has left.
    pub(crate) fn fill_disk(&self) {
        let file = self.data().join("filler");
        let target = format!("of={}", file.display());
        Command::new("dd").args(["if=/dev/zero", &target, "bs=64k"]).output().unwrap();
    }

    pub(crate) fn free_disk(&self) {
        std::fs::remove_file(self.data().join("filler")).unwrap();
    }
}

impl Drop for OwnEngine {
    fn drop(&mut self) {
        self.end(Signal::SIGTERM);
        // Of an engine that was killed: its own children, and what they had mounted.
        let marker = self.directory.display().to_string();
        Command::new("pkill").args(["-9", "-f", &format!("{marker}/exec")]).status().ok();
        let script = "for at in $(grep -o \"$0[^ ]*\" /proc/self/mountinfo | sort -ru); do \
                      umount -l $at; done; rm -rf $0";
        Command::new("sh").args(["-c", script, &marker]).output().ok();
        let _ = self.mounted;
    }
}
