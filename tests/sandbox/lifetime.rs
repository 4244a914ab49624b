//! Nothing outlives what it belongs to: sandboxes their handle, launchers their engine,
//! whoever is killed and whenever.

use super::lab::{Lab, host_mounts, ok, request, run, works};
use crate::support::{SYNTHD_OVERRIDE, synthd};
use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use synthd_actors::model::{FaultKind, SandboxProtection};
use synthd_actors::ports::SandboxBackend;

/// Makes the test binary play an engine; its value marks everything it starts.
const PLAY_ENGINE: &str = "SYNTHD_TEST_PLAY_ENGINE";
const SANDBOXES: usize = 10;
/// Far beyond what any of this takes; reached only by a failure.
const PATIENCE: Duration = Duration::from_secs(60);

/// Not a test of its own: what [`Engine`] runs in another process.
#[tokio::test]
async fn played_engine() {
    let Ok(marker) = std::env::var(PLAY_ENGINE) else { return };
    let lab = Lab::new().await;
    let mut commands = Vec::new();
    for _ in 0..SANDBOXES {
        let mut sandbox = lab.sandbox().await;
        let command =
            format!(": {marker}; touch started; setsid sleep 1000 & trap '' TERM; sleep 1000");
        commands.push(async move { run(&mut *sandbox, &command).await });
    }
    eprintln!("engine ready: {} {}", lab.facts.swept, lab.facts.cgroup_version);
    futures_of(commands).await;
}

/// Runs all of them until the process is killed.
async fn futures_of<F: Future + Send + 'static>(commands: Vec<F>)
where
    F::Output: Send,
{
    let running: Vec<_> = commands
        .into_iter()
        .map(|command| synthd_actors::supervisor::spawn("command", command))
        .collect();
    for command in running {
        command.await.ok();
    }
}

/// A process of its own with ten sandboxes at work.
struct Engine {
    process: Child,
    marker: String,
    /// Sandboxes of dead engines its launcher removed when it started.
    swept: u32,
    /// Which cgroups it found: `none` where an ordinary user may make none.
    cgroups: String,
}

fn owned((left, right): (&str, &str)) -> (String, String) {
    (left.to_owned(), right.to_owned())
}

impl Engine {
    fn start(name: &str) -> Self {
        let marker = format!("engine-{name}-{}", std::process::id());
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["sandbox::lifetime::played_engine", "--exact", "--nocapture"])
            .env(PLAY_ENGINE, &marker)
            .env(SYNTHD_OVERRIDE, synthd())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let mut ready = lines
            .map_while(Result::ok)
            .filter_map(|line| line.strip_prefix("engine ready: ").map(str::to_owned));
        let (swept, cgroups) = ready.next().unwrap().split_once(' ').map(owned).unwrap();
        let engine = Self { process, marker, swept: swept.parse().unwrap(), cgroups };
        // Two marked shells each: the command's own and its background child.
        until("commands run", || processes_with(&engine.marker).len() >= SANDBOXES);
        engine
    }

    fn launcher(&self) -> u32 {
        let children = children_of(self.process.id());
        assert_eq!(children.len(), 1, "the launcher is the engine's only child");
        children[0]
    }

    /// Everything of it that the host can see: its processes and its cgroups.
    fn is_gone(&self, launcher: u32) -> bool {
        processes_with(&self.marker).is_empty() && groups_of(launcher).is_empty()
    }

    fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

fn until(what: &str, mut true_now: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !true_now() {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        std::thread::yield_now();
    }
}

fn numbers_in_proc() -> impl Iterator<Item = u32> {
    fs::read_dir("/proc").unwrap().flatten().filter_map(|e| e.file_name().to_str()?.parse().ok())
}

/// Processes with the marker in their command line, other than this test's own.
fn processes_with(marker: &str) -> Vec<u32> {
    let marked = |pid: &u32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(marker)
    };
    numbers_in_proc().filter(marked).collect()
}

fn children_of(parent: u32) -> Vec<u32> {
    let parent = parent.to_string();
    let is_child = |pid: &u32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit(')').next().and_then(|s| s.split_whitespace().nth(1)) == Some(&parent)
    };
    numbers_in_proc().filter(is_child).collect()
}

/// The directories of a launcher's groups, in every hierarchy there is.
fn groups_of(launcher: u32) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![PathBuf::from("/sys/fs/cgroup")];
    while let Some(directory) = open.pop() {
        let directories = fs::read_dir(&directory).into_iter().flatten().flatten();
        for entry in directories.filter(|e| e.file_type().is_ok_and(|t| t.is_dir())) {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with("synthd-") && name.split('-').nth(2) == Some(&launcher.to_string())
            {
                found.push(entry.path());
            } else {
                open.push(entry.path());
            }
        }
    }
    found
}

fn signal(pid: u32, signal: nix::sys::signal::Signal) {
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid as i32), signal).unwrap();
}

const KILL: nix::sys::signal::Signal = nix::sys::signal::SIGKILL;

#[test]
fn a_killed_engine_leaves_nothing() {
    let before = host_mounts();
    let mut engine = Engine::start("killed");
    let launcher = engine.launcher();
    engine.kill();
    until("everything of the engine is gone", || engine.is_gone(launcher));
    until("the launcher has ended", || !PathBuf::from(format!("/proc/{launcher}")).exists());
    assert_eq!(host_mounts(), before);
}

#[test]
fn engine_and_launcher_killed_at_once_leave_only_what_the_next_start_sweeps() {
    let mut engine = Engine::start("both");
    let launcher = engine.launcher();
    let groups = groups_of(launcher).len();
    signal(launcher, KILL);
    engine.kill();
    // Guests end with their streams; only empty groups are left, and only where there are any.
    until("no process is left", || processes_with(&engine.marker).is_empty());
    let mut next = Engine::start("next");
    let second = next.launcher();
    assert!(groups_of(launcher).is_empty(), "{:?}", groups_of(launcher));
    if engine.cgroups == "none" {
        assert_eq!((groups, next.swept), (0, 0), "nothing to leave, nothing to sweep");
    } else {
        // Whoever starts next sweeps them; that need not be this one.
        assert!(groups > 0, "there was nothing to leave");
    }
    next.kill();
    until("the second engine is gone too", || next.is_gone(second));
}

#[tokio::test]
async fn a_killed_launcher_is_replaced_and_its_sandboxes_work_or_fail_typed() {
    let lab = Lab::new().await;
    let mut old = lab.sandbox().await;
    works(&mut *old).await;
    let guest = own_guest(&mut *old).await;
    let (launcher, group) = (parent_of(guest), group_of(guest));
    signal(launcher, KILL);
    until("the launcher is dead", || !is_alive(launcher));
    // Its guest needs no launcher to go on; but whatever engine starts from now on, one of another
    // test's as well, sweeps what the dead one had. Nothing else may end it.
    match old.exec(&request("echo on", PATIENCE)).await {
        Ok(report) => assert!(report.end.success()),
        Err(fault) => {
            assert_eq!(fault.kind, FaultKind::SandboxLost, "{fault}");
            assert!(lab.enforces(SandboxProtection::MemoryCgroup), "nobody could have swept it");
            until("it was swept", || !group.exists());
        }
    }
    let mut new = lab.sandbox().await;
    works(&mut *new).await;
    // The new launcher has swept what the old one had, where cgroups say what that was.
    match old.exec(&request("echo still", PATIENCE)).await {
        Ok(report) => {
            assert!(report.end.success() && !lab.enforces(SandboxProtection::MemoryCgroup))
        }
        Err(fault) => assert_eq!(fault.kind, FaultKind::SandboxLost, "{fault}"),
    }
    drop((old, new));
    lab.is_well().await;
}

fn is_alive(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')').next().and_then(|s| s.split_whitespace().next()).is_some_and(|s| s != "Z")
}

/// Where the memory of a process is counted.
fn group_of(pid: u32) -> std::path::PathBuf {
    let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    let path = |named: &str| groups.lines().find_map(|line| line.split_once(named)).map(|(_, p)| p);
    match (path(":memory:"), path("0::")) {
        (Some(own), _) => format!("/sys/fs/cgroup/memory{own}").into(),
        (None, own) => format!("/sys/fs/cgroup{}", own.unwrap_or_default()).into(),
    }
}

/// The launcher behind a sandbox: the parent of its guest.
async fn own_launcher(sandbox: &mut dyn synthd_actors::ports::Sandbox) -> u32 {
    parent_of(own_guest(sandbox).await)
}

/// The parent of a shell that the host can tell by its command line.
async fn own_guest(sandbox: &mut dyn synthd_actors::ports::Sandbox) -> u32 {
    static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let number = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let marker = format!("whose-{}-{number}-", std::process::id());
    ok(sandbox, &format!("(exec sh -c ': {marker}; sleep 1000; :') & :")).await;
    // Between fork and exec a process shows no command line at all, so it is looked at once.
    let mut seen = None;
    until("its shell is seen", || {
        seen = processes_with(&marker).first().copied();
        seen.is_some()
    });
    parent_of(seen.unwrap())
}

fn parent_of(pid: u32) -> u32 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit(')').next().unwrap().split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// What this process and its launcher hold of the host.
fn holdings(launcher: u32) -> (BTreeSet<u32>, usize, usize, String) {
    let fds = |pid: &str| fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count);
    let sandboxes = groups_of(launcher)
        .iter()
        .flat_map(|group| fs::read_dir(group).into_iter().flatten().flatten())
        .filter(|entry| entry.file_type().is_ok_and(|t| t.is_dir()))
        .count();
    (
        children_of(launcher).into_iter().collect(),
        fds(&launcher.to_string()),
        sandboxes,
        host_mounts(),
    )
}

#[tokio::test]
async fn two_hundred_sandboxes_leave_no_trace() {
    let lab = Lab::new().await;
    let launcher = own_launcher(&mut *lab.sandbox().await).await;
    lab.backend.settle().await.unwrap();
    let before = holdings(launcher);
    for turn in 0..200 {
        let mut sandbox = lab.sandbox().await;
        if turn % 10 == 0 {
            ok(&mut *sandbox, "sleep 1000 & echo x > f").await;
        }
    }
    lab.backend.settle().await.unwrap();
    assert_eq!(holdings(launcher), before);
    assert!(before.0.is_empty());
}

#[tokio::test]
async fn a_sandbox_dropped_in_the_middle_of_a_command_is_gone() {
    let lab = Lab::new().await;
    let marker = format!("dropped-{}", std::process::id());
    let mut sandbox = lab.sandbox().await;
    let command = format!(": {marker}; trap '' TERM; setsid sleep 1000 & sleep 1000");
    let asked = request(&command, PATIENCE);
    tokio::select! {
        report = sandbox.exec(&asked) => panic!("{report:?}"),
        () = async { while processes_with(&marker).is_empty() { tokio::task::yield_now().await } } => {}
    }
    // A request given up half way leaves a stream in no known state.
    let fault = sandbox.exec(&request("true", PATIENCE)).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::SandboxLost, "{fault}");
    drop(sandbox);
    lab.backend.settle().await.unwrap();
    assert_eq!(processes_with(&marker), Vec::<u32>::new());
    lab.is_well().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixteen_are_made_at_once() {
    let lab = std::sync::Arc::new(Lab::new().await);
    let making: Vec<_> = (0..16)
        .map(|number| {
            let lab = lab.clone();
            synthd_actors::supervisor::spawn("create", async move {
                let mut sandbox = lab.sandbox().await;
                ok(&mut *sandbox, &format!("echo {number} > own; cat own")).await
            })
        })
        .collect();
    for (number, made) in making.into_iter().enumerate() {
        assert_eq!(made.await.unwrap(), format!("{number}\n"));
    }
    lab.is_well().await;
}
