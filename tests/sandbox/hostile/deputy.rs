//! Program 22: the tools of an agent as a deputy. What programs may not read or write, the guest
//! does not read or write for them.

use super::Trial;
use crate::sandbox::lab::ok;
use std::time::Duration;
use synthd_actors::model::{
    DirectoryRead, FileRead, FileWrite, OperationResult, SandboxOperation, TerminalInput,
};

/// The guest's own entries of `/proc`, and the ways there.
const GUESTS: [&str; 22] = [
    "/proc/1/environ",
    "/proc/1/exe",
    "/proc/1/mem",
    "/proc/1/maps",
    "/proc/1/fd/0",
    "/proc/1/fd/3",
    "/proc/1/root/work/kept",
    "/proc/1/cwd/work/kept",
    "/proc/1/root/../work/kept",
    "/proc/1/oom_score_adj",
    "/proc/self/environ",
    "/proc/self/exe",
    "/proc/thread-self/mem",
    "/proc/self/fd/0",
    "/proc/../proc/1/environ",
    "/proc/cpuinfo",
    "/dev/fd/3",
    "/dev/stdin",
    "/work/link",
    "/work/dir/1/environ",
    "/work/fds/3",
    "/sys/kernel/notes",
];

fn read(path: &str) -> SandboxOperation {
    SandboxOperation::ReadFile(FileRead { path: path.to_owned(), max_bytes: 1 << 20 })
}

fn write(path: &str) -> SandboxOperation {
    SandboxOperation::WriteFile(FileWrite { path: path.to_owned(), content: b"1000\n".to_vec() })
}

fn list(path: &str) -> SandboxOperation {
    let path = path.to_owned();
    SandboxOperation::ListDirectory(DirectoryRead { path, depth: 2, max_entries: 10_000 })
}

async fn result(trial: &mut Trial, operation: SandboxOperation) -> OperationResult {
    trial.sandbox.perform(&operation).await.unwrap().result
}

#[tokio::test]
async fn program_22_the_tools_of_an_agent() {
    let mut trial = Trial::new().await;
    let links = "echo kept > kept; ln -s /proc/1/environ link; ln -s /proc dir; ln -s /dev/fd fds";
    ok(&mut *trial.sandbox, links).await;
    for path in GUESTS {
        for operation in [read(path), write(path), list(path)] {
            let result = result(&mut trial, operation).await;
            assert!(matches!(result, OperationResult::Refused(_)), "{path}: {result:?}");
        }
    }
    for path in ["/proc", "/proc/1", "/proc/1/fd", "/proc/self/task", "/work/dir", "/sys"] {
        let result = result(&mut trial, list(path)).await;
        assert!(matches!(result, OperationResult::Refused(_)), "{path}: {result:?}");
    }
    // A listing of everything does not go there.
    let OperationResult::Listed(all) = result(&mut trial, list("/")).await else { panic!() };
    assert!(all.entries.iter().any(|entry| entry.path == "proc"));
    assert!(!all.entries.iter().any(|entry| entry.path.starts_with("proc/")));
    // What belongs to another user is read and written as its mode allows, not more.
    let theirs = "find / -xdev -maxdepth 2 -type f ! -readable 2>/dev/null | head -n 5";
    for path in trial.ok(theirs).await.lines() {
        let result = result(&mut trial, read(path)).await;
        assert!(matches!(result, OperationResult::Refused(_)), "{path}: {result:?}");
    }
    for path in ["/etc/passwd", "/bin/sh", "/usr/bin/env", "/.sandbox-init", "/new", "/usr/new"] {
        let result = result(&mut trial, write(path)).await;
        assert!(matches!(result, OperationResult::Refused(_)), "{path}: {result:?}");
    }
    let stuck = "for i in $(seq 1 40); do mkfifo p$i; done; \
        (while :; do ln -sf p1 swap; ln -sf kept swap; ln -sf /dev/ptmx swap; done) > /dev/null 2>&1 & :";
    trial.ok(stuck).await;
    for _ in 0..100 {
        for operation in [read("/work/swap"), write("/work/swap"), list("/work/swap")] {
            result(&mut trial, operation).await;
        }
    }
    terminal_is_a_programs(&mut trial).await;
    trial.next().await;
    trial.end().await;
}

/// A program of a terminal has the rights of a command.
async fn terminal_is_a_programs(trial: &mut Trial) {
    let rights = "grep -E '^(Uid|Gid|Groups|Cap|NoNewPrivs|Seccomp):?' /proc/self/status";
    let facts = format!("{rights} > seen; ls /proc/1/fd || : > closed\n");
    let input = TerminalInput {
        terminal: "main".to_owned(),
        keys: facts.into_bytes(),
        size: (80, 24),
        quiet: Duration::from_secs(1),
        timeout: Duration::from_secs(60),
    };
    let shown = result(trial, SandboxOperation::SendKeys(input)).await;
    assert!(matches!(shown, OperationResult::Shown(_)), "{shown:?}");
    let seen = trial.ok("until test -e closed; do :; done; cat seen").await;
    assert_eq!(seen, trial.ok(rights).await);
}
