//! Between FREEZE and THAW nothing of the sandbox runs, whatever a program does against it.

use super::lab::{Lab, ok, python, works};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use synthd_actors::model::FaultKind;
use synthd_actors::ports::Sandbox;

use crate::support::skip;

/// The same workspace as often as somebody looks.
async fn stands_still(sandbox: &mut dyn Sandbox, what: &str) {
    let first = sandbox.pack(false).await.unwrap();
    for _ in 0..8 {
        assert_eq!(sandbox.pack(false).await.unwrap(), first, "{what}");
    }
}

/// What runs goes on, after a pause as before it.
const GOES_ON: &str = "n=$(wc -c < grows); until [ $(wc -c < grows) -gt $n ]; do :; done";

/// The main thread waits for a child that borrows its memory: it takes the signal for the
/// whole process and does not act on it. Another thread sleeps most of the time.
const BESIDE_VFORK: &str = r"
import ctypes, os, threading, time
if os.fork():
    os._exit(0)
os.setsid()
def writes():
    while True:
        with open('/work/grows', 'a') as grows:
            grows.write('x')
        time.sleep(0.0003)
threading.Thread(target=writes, daemon=True).start()
with open('/work/pid', 'w') as pid:
    pid.write(str(os.getpid()))
libc = ctypes.CDLL(None)
stack = ctypes.create_string_buffer(1 << 20)
top = ctypes.c_void_p((ctypes.addressof(stack) + (1 << 20)) & ~15)
libc.clone(libc.pause, top, 0x4100 | 17, None)
";

#[tokio::test]
async fn a_thread_beside_one_that_waits_for_its_child_is_stopped() {
    let lab = Lab::new().await;
    let mut sandbox = lab.sandbox().await;
    if python(&mut *sandbox, "a writer beside a vfork", BESIDE_VFORK).await.is_none() {
        return;
    }
    let waits = "until test -s pid && test -s grows; do :; done; \
        until grep -q '^State:.D' /proc/$(cat pid)/status; do :; done";
    ok(&mut *sandbox, waits).await;
    for _ in 0..5 {
        sandbox.freeze().await.unwrap();
        stands_still(&mut *sandbox, "a writer beside a vfork").await;
        sandbox.thaw().await.unwrap();
        ok(&mut *sandbox, GOES_ON).await;
    }
}

/// Helpers that take long to end, each with a child in a process group of its own. The end of
/// a helper orphans that group, and where it is stopped already, the kernel continues it.
const ORPHANS: &str = r"
import mmap, os, signal, time
if os.fork():
    os._exit(0)
os.setsid()
def child():
    os.setpgid(0, 0)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    while True:
        with open('/work/grows', 'a') as grows:
            grows.write('x')
        time.sleep(0.0003)
def helper(told):
    memory = mmap.mmap(-1, 96 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    pid = os.fork()
    if pid == 0:
        child()
    os.write(told, pid.to_bytes(4, 'little'))
    for page in range(0, 96 << 20, 4096):
        memory[page] = 1
    os._exit(0)
reads, told = os.pipe()
children = []
while True:
    pid = os.fork()
    if pid == 0:
        helper(told)
    os.waitpid(pid, 0)
    children.append(int.from_bytes(os.read(reads, 4), 'little'))
    if len(children) > 2:
        os.kill(children.pop(0), signal.SIGKILL)
";

#[tokio::test]
async fn what_the_kernel_continues_is_stopped_again() {
    let lab = Lab::new().await;
    let mut sandbox = lab.sandbox().await;
    if python(&mut *sandbox, "orphaned process groups", ORPHANS).await.is_none() {
        return;
    }
    ok(&mut *sandbox, "until test -s grows; do :; done").await;
    for _ in 0..40 {
        sandbox.freeze().await.unwrap();
        stands_still(&mut *sandbox, "orphaned process groups").await;
        sandbox.thaw().await.unwrap();
        ok(&mut *sandbox, GOES_ON).await;
    }
}

/// Someone outside continues a program. What was copied and measured meanwhile is worth
/// nothing: both the copy and the end of the pause say so.
#[tokio::test]
async fn what_was_woken_in_between_is_told() {
    let lab = Lab::new().await;
    let mut sandbox = lab.sandbox().await;
    let mark = format!("synthd-woken-{}", std::process::id());
    ok(&mut *sandbox, &format!("(exec sh -c 'while :; do echo x >> grows; done' {mark}) &")).await;
    ok(&mut *sandbox, "until test -s grows; do :; done").await;
    let Some(outside) = by_argument(&mark) else {
        return skip("a program woken from outside", "its processes are not seen from here");
    };
    sandbox.freeze().await.unwrap();
    sandbox.pack(false).await.unwrap();
    kill(outside, Signal::SIGCONT).unwrap();
    // Stopped again or not: it has run.
    kill(outside, Signal::SIGSTOP).unwrap();
    while !status(outside).contains("\nState:\tT") {}
    assert_eq!(sandbox.pack(false).await.unwrap_err().kind, FaultKind::SandboxCopy);
    assert_eq!(sandbox.thaw().await.unwrap_err().kind, FaultKind::SandboxCopy);
    // All go on, and the next pause is a new one.
    ok(&mut *sandbox, GOES_ON).await;
    sandbox.freeze().await.unwrap();
    stands_still(&mut *sandbox, "a new pause").await;
    sandbox.thaw().await.unwrap();
    works(&mut *sandbox).await;
}

/// The process of the host that has such an argument.
fn by_argument(wanted: &str) -> Option<Pid> {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let has = |pid: &i32| {
        let arguments = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        arguments.split(|byte| *byte == 0).any(|argument| argument == wanted.as_bytes())
    };
    numbers.into_iter().find(has).map(Pid::from_raw)
}

fn status(pid: Pid) -> String {
    fs::read_to_string(format!("/proc/{pid}/status")).unwrap()
}
