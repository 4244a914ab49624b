//! Programs 1 to 8: eating processes, memory, disk, time, output.

use super::{Trial, processes_of, small};
use crate::sandbox::lab::{ENDS_BY_ITSELF, run_for, sleepers};
use std::time::Duration;
use synthd_actors::model::{ExecEnd, ExecReport, SandboxLimits, SandboxProtection};

const SOON: Duration = Duration::from_secs(1);
const LATER: Duration = ENDS_BY_ITSELF;

#[tokio::test]
async fn program_01_fork_bomb() {
    let mut trial = Trial::new().await;
    for bomb in [
        "b() { b | b & }; b; sleep 1000",
        "b() { (setsid sh -c \"$1\" x \"$1\" &); b; }; b 'while :; do sh -c \"$1\" x \"$1\" & done'",
    ] {
        let (report, most) = watched(&mut trial, bomb).await;
        assert_eq!(report.end, ExecEnd::TimedOut, "{report:?}");
        // However seldom a busy host lets us look, it must never be more.
        assert!(most <= 64, "{most} on the host");
        trial.alone().await;
    }
    let fork = r#"
import signal
children = []
try:
    while True:
        child = os.fork()
        if child == 0: signal.pause()
        children.append(child)
except OSError as error:
    print(name(error.errno), 40 < len(children) < 64)
for child in children: os.kill(child, 9)
"#;
    let told = trial.python_ok("the fork bomb in C", fork).await;
    assert!(told.is_none_or(|text| text == "EAGAIN True\n"));
    // One that has gone to the background holds every slot; the next command gets one.
    trial.run("b() { b | b & }; b", SOON).await;
    trial.next().await;
    trial.sandbox.pack(true).await.unwrap();
    trial.alone().await;
    trial.end().await;
}

/// Runs a bomb for a while; the most processes of it the host has seen meanwhile.
async fn watched(trial: &mut Trial, bomb: &str) -> (ExecReport, usize) {
    let marker = trial.marker.clone();
    let running = trial.run(bomb, SOON);
    tokio::pin!(running);
    let mut most = 0;
    loop {
        tokio::select! {
            report = &mut running => return (report, most),
            () = tokio::task::yield_now() => most = most.max(processes_of(&marker)),
        }
    }
}

#[tokio::test]
async fn program_02_memory_bomb() {
    let mut trial = Trial::new().await;
    let bounded = trial.lab.enforces(SandboxProtection::MemoryCgroup);
    let pages = "x = []\nwhile True: x.append(bytearray(b'x') * (4 << 20))";
    let memfd = "try:\n  for i in range(900):\n    os.write(os.memfd_create('m'), b'x' * (4 << 20))\nexcept OSError as e: sys.exit(name(e.errno))";
    for (program, without) in [(pages, "MemoryError"), (memfd, "ENOSYS")] {
        let Some(report) = trial.python("the memory bombs", program).await else { break };
        if bounded {
            assert_eq!(report.end, ExecEnd::OutOfMemory, "{report:?}");
        } else {
            assert_eq!(report.end, ExecEnd::Exited(1), "{report:?}");
            assert!(report.stderr.text().contains(without), "{report:?}");
        }
        trial.alone().await;
    }
    // Filled work areas are a full disk and leave the memory to programs.
    let fill = "for d in /work /tmp; do cat /dev/zero > $d/fill; done 2>&1; \
                x=$(head -c 8000000 /dev/zero | tr '\\0' x); echo ${#x}";
    let text = trial.ok(fill).await;
    assert!(text.ends_with("8000000\n"), "{text}");
    trial.alone().await;
    trial.end().await;
}

#[tokio::test]
async fn program_03_disk_fill() {
    let mut trial = Trial::new().await;
    for area in ["/work", "/tmp", "/run", "/dev/shm", "/home/agent"] {
        let full = trial.run(&format!("cd {area}; yes > f"), LATER).await;
        assert!(matches!(full.end.exit_code(), 1 | 153), "{area}: {full:?}");
        let size: u64 = trial.ok(&format!("stat -c %s {area}/f")).await.trim().parse().unwrap();
        assert!(size <= 16 << 20, "{area}: {size}");
        let other = trial.run("cd /work; head -c 100000 /dev/zero > g", LATER).await;
        assert_eq!(other.end.exit_code() != 0, area == "/work", "the workspace is apart");
        let sparse = format!("rm -f /work/g {area}/f; truncate -s 1P {area}/f");
        assert!(matches!(trial.run(&sparse, LATER).await.end.exit_code(), 1 | 153));
        let many = format!("mkdir {area}/d; cd {area}/d; seq 1 5000 | xargs touch; ls | wc -l");
        let made = trial.run(&many, LATER).await.stdout.text();
        assert!((1..2_000).contains(&made.trim().parse().unwrap()), "{area}: {made}");
        trial.ok(&format!("rm -rf {area}/d {area}/f; echo x > {area}/f && rm {area}/f")).await;
    }
    // Nothing that can be written to is the host's.
    let writable =
        "grep -v ' ro,' /proc/self/mountinfo | sed 's/.* - //' | cut -d' ' -f1 | sort -u";
    let kinds = trial.ok(writable).await;
    assert!(
        // Queues have a limit of their own.
        kinds
            .split_whitespace()
            .all(|k| ["devpts", "devtmpfs", "mqueue", "proc", "tmpfs"].contains(&k)),
        "{kinds}"
    );
    assert_eq!(
        trial
            .run("for d in / /usr /etc /dev /proc/sys; do : > $d/x || echo no; done", LATER)
            .await
            .stdout
            .text(),
        "no\n".repeat(5)
    );
    trial.next().await;
    trial.end().await;
}

#[tokio::test]
async fn program_04_infinite_processor_time() {
    let limits = SandboxLimits { command_cpu: Duration::from_secs(1), ..small() };
    let mut trial = Trial::with(limits).await;
    let mut sibling = trial.lab.sandbox().await;
    let burn = "for i in 1 2 3 4 5 6 7 8; do (while :; do :; done) & done; sleep 1000";
    let (busy, other) = tokio::join!(trial.run(burn, SOON), async {
        let mut answers = 0;
        for _ in 0..10 {
            answers +=
                u32::from(run_for(&mut *sibling, "/bin/true", SOON * 30).await.end.success());
        }
        answers
    });
    assert_eq!((busy.end, other), (ExecEnd::TimedOut, 10));
    trial.alone().await;
    assert_eq!(trial.run("while :; do :; done", LATER).await.end, ExecEnd::CpuLimit);
    let threads = "import threading\ndef burn():\n  while True: pass\n[threading.Thread(target=burn).start() for i in range(8)]";
    let report = trial.python("busy threads", threads).await;
    assert!(report.is_none_or(|r| r.end == ExecEnd::CpuLimit));
    trial.alone().await;
    trial.end().await;
}

#[tokio::test]
async fn program_05_refusing_to_end() {
    let mut trial = Trial::new().await;
    for stubborn in [
        "trap '' TERM INT HUP QUIT XCPU; while :; do sleep 1; done",
        "kill -STOP $$; sleep 1000",
        "(setsid sh -c 'trap \"\" TERM; (setsid sleep 1000 &); sleep 1000' &); sleep 1000",
        "setsid setsid sh -c 'kill -STOP $$' & sleep 1000",
    ] {
        let report = trial.run(stubborn, SOON / 2).await;
        assert_eq!(report.end, ExecEnd::TimedOut, "{stubborn}");
        trial.alone().await;
    }
    // One that looks dead: its first thread has ended, and another runs on.
    if trial.has_python("a process whose first thread has ended").await {
        let undead = "python3 -c 'import ctypes, os, threading, time; \
            threading.Thread(target=time.sleep, args=(1000,)).start(); \
            ctypes.CDLL(None).syscall({\"x86_64\": 60}.get(os.uname().machine, 93), 0)'";
        for command in [format!("{undead} & sleep 1000"), format!("exec {undead}")] {
            let report = trial.run(&command, SOON).await;
            assert_eq!(report.end, ExecEnd::TimedOut, "{command}: {report:?}");
            trial.alone().await;
        }
    }
    trial.end().await;
}

#[tokio::test]
async fn program_06_background_child_holding_the_output() {
    let mut trial = Trial::new().await;
    for command in ["sleep 1000 &", "setsid sleep 1000 &", "(trap '' HUP; exec sleep 1000) & echo"]
    {
        assert_eq!(trial.run(command, LATER).await.end, ExecEnd::Exited(0), "{command}");
        trial.next().await;
    }
    // They live on, beyond the number of pipes the guest keeps for them.
    for _ in 0..40 {
        trial.ok("sleep 1000 &").await;
    }
    sleepers(&mut *trial.sandbox, 43).await;
    trial.end().await;
}

#[tokio::test]
async fn program_07_zombie_flood() {
    let mut trial = Trial::new().await;
    let flood = "i=0; while [ $i -lt 10000 ]; do (: & : &); i=$((i+1)); done; echo $i";
    assert_eq!(trial.ok(flood).await, "10000\n");
    // The last of them may still be on its way to its end.
    trial.ok("until set -- /proc/[0-9]*; [ $# -eq 2 ]; do :; done").await;
    trial.alone().await;
    // And from the background, while commands come and go.
    trial.ok("(while :; do (: &); done) > /dev/null 2>&1 & :").await;
    for _ in 0..20 {
        trial.next().await;
    }
    let report = trial.run("sleep 1000", SOON / 2).await;
    assert_eq!(report.end, ExecEnd::TimedOut, "the deadline holds while orphans rain");
    trial.sandbox.pack(true).await.unwrap();
    trial.alone().await;
    trial.end().await;
}

#[tokio::test]
async fn program_08_output_flood() {
    let mut trial = Trial::with(SandboxLimits { output_killed: 256 << 20, ..small() }).await;
    let report = trial.run("yes", LATER).await;
    assert_eq!(report.end, ExecEnd::OutputLimit);
    let kept = report.stdout.head.len() + report.stdout.tail.len();
    assert!(report.stdout.total > 256 << 20 && kept <= 32 << 10);
    let report = trial.run("head -c 100000000 /dev/zero; exit 3", LATER).await;
    assert_eq!((report.end, report.stdout.total), (ExecEnd::Exited(3), 100_000_000));
    // Bytes that look like the guest's own answer are only bytes.
    let frame = "\\012\\0\\0\\0\\001\\0\\0\\0\\202\\0\\0\\0\\0\\0";
    let forged = format!(
        "for fd in 1 2; do i=0; while [ $i -lt 500 ]; do printf '{frame}\\377\\376\\033[2J\\000' >&$fd; i=$((i+1)); done; done; exit 5"
    );
    let report = trial.run(&forged, LATER).await;
    assert_eq!((report.end, report.stdout.total), (ExecEnd::Exited(5), 500 * 21));
    assert_eq!(report.stdout, report.stderr);
    trial.alone().await;
    trial.end().await;
}

/// The host has some thousand terminals for everybody.
#[tokio::test]
async fn program_01_terminals_have_a_cap() {
    let mut trial = Trial::new().await;
    let program = "import pty, errno\ncount = 0\ntry:\n  while count < 1000: pty.openpty(); count += 1\n\
        except OSError: print(count)";
    if let Some(told) = trial.python_ok("a flood of terminals", program).await {
        assert_eq!(told, "64\n");
    }
    trial.alone().await;
    trial.end().await;
}

/// Where no cgroup counts what the kernel keeps for a program, other limits bound it.
#[tokio::test]
async fn program_02_memory_of_the_kernel() {
    let limits = SandboxLimits { memory_bytes: 64 << 20, ..small() };
    let mut trial = Trial::with(limits).await;
    let program = format!(
        "import resource\n\
         print(call({}, 0, 0o1600), call({}, 0, 1, 0o1600), call({}, 0, 4096, 0o1600))\n\
         a, b = socket.socketpair()\nbefore = a.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)\n\
         a.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, before // 4)\n\
         print(a.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) == before)\n\
         print(resource.getrlimit(resource.RLIMIT_NOFILE)[1])\n\
         # The same numbers at other levels, IP_PKTINFO and TCP_SYNCNT.\n\
         a = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\na.setsockopt(0, 8, 1)\n\
         b = socket.socket(socket.AF_INET)\nb.setsockopt(6, 7, 3)\n\
         print(a.getsockopt(0, 8), b.getsockopt(6, 7))",
        libc::SYS_msgget,
        libc::SYS_semget,
        libc::SYS_shmget
    );
    let bounded = trial.lab.enforces(SandboxProtection::MemoryCgroup);
    if let Some(told) = trial.python_ok("memory of the kernel", &program).await {
        let as_told = match bounded {
            true => "ok ok ok\nFalse\n1024\n1 3\n",
            false => "ENOSYS ENOSYS ENOSYS\nTrue\n256\n1 3\n",
        };
        assert_eq!(told, as_told);
    }
    trial.alone().await;
    trial.end().await;
}
