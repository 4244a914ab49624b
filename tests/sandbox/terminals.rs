//! Terminals of the agent: a shell that stays, and programs that misuse it.

use super::lab::{ALONE, BOTH, Lab, has_shell, ok, python, run_for, shelled, sleepers, works};
use std::time::Duration;
use synthd_actors::model::{
    OperationResult, RefusalKind, SandboxOperation, TerminalInput, TerminalOutput,
};
use synthd_actors::ports::Sandbox;

/// Reached only by a terminal that never comes to rest.
const LONG: Duration = Duration::from_secs(60);
/// A pause that a busy host does not make.
const QUIET: Duration = Duration::from_secs(1);

async fn send(
    sandbox: &mut dyn Sandbox,
    terminal: &str,
    keys: &str,
    (quiet, timeout): (Duration, Duration),
) -> Result<TerminalOutput, RefusalKind> {
    let (terminal, keys) = (terminal.to_owned(), keys.as_bytes().to_vec());
    let input = TerminalInput { terminal, keys, size: (100, 30), quiet, timeout };
    let report = sandbox.perform(&SandboxOperation::SendKeys(input)).await.unwrap();
    match report.result {
        OperationResult::Shown(output) => {
            assert!(report.scan.is_some());
            Ok(output)
        }
        OperationResult::Refused(refusal) => Err(refusal.kind),
        other => panic!("{other:?}"),
    }
}

/// What the terminal `main` shows after some keys.
async fn typed(sandbox: &mut dyn Sandbox, keys: &str) -> String {
    let output = send(sandbox, "main", keys, (QUIET, LONG)).await.unwrap();
    assert_eq!(output.dropped, 0);
    String::from_utf8_lossy(&output.bytes).into_owned()
}

/// Types into `main` until it has shown some text.
async fn typed_until(sandbox: &mut dyn Sandbox, keys: &str, text: &str) -> String {
    let mut seen = typed(sandbox, keys).await;
    while !seen.contains(text) {
        seen.push_str(&typed(sandbox, "").await);
    }
    seen
}

#[tokio::test]
async fn a_terminal_stays_from_input_to_input() {
    let lab = Lab::new().await;
    for shell in BOTH.into_iter().filter(|s| has_shell(*s, "terminals")) {
        let mut sandbox = lab.with(shelled(shell)).await;
        ok(&mut *sandbox, "mkdir sub; cd sub; export A='x y'").await;
        let facts = "echo \"$A|$TERM|$(pwd)|$(stty size)\"; tty; cat > typed\n";
        let seen = typed_until(&mut *sandbox, facts, "/dev/pts/").await;
        assert!(seen.contains("x y|xterm-256color|/work/sub|30 100\r\n"), "{seen:?}");
        // The keys were typed once, at the prompt.
        assert_eq!(seen.matches("cat > typed").count(), 1, "{seen:?}");
        typed_until(&mut *sandbox, "one\ntwo\n\u{4}echo 'and 'on\n", "and on").await;
        assert_eq!(ok(&mut *sandbox, "cat typed").await, "one\ntwo\n");
        // A key that interrupts, as it does on every terminal.
        typed_until(&mut *sandbox, "sleep 1000; echo un'stopped'\n", "sleep").await;
        typed(&mut *sandbox, "\u{3}").await;
        let seen = typed_until(&mut *sandbox, "echo 'go'es\n", "goes").await;
        assert!(!seen.contains("unstopped"), "{seen:?}");
    }
}

#[tokio::test]
async fn a_shell_that_ends_is_told_and_another_starts() {
    let lab = Lab::new().await;
    let mut sandbox = lab.sandbox().await;
    let output = send(&mut *sandbox, "main", "echo 'by'e; exit\n", (LONG, LONG)).await.unwrap();
    let shown = String::from_utf8_lossy(&output.bytes);
    assert!(!output.alive && shown.contains("bye\r\n"), "{shown:?}");
    let again = send(&mut *sandbox, "main", "echo 'ne'w\n", (QUIET, LONG)).await.unwrap();
    assert!(again.alive && String::from_utf8_lossy(&again.bytes).contains("new\r\n"));
    // One that ends while nobody looks, and one whose terminal another program still has.
    typed(&mut *sandbox, "echo $$ > shell\n").await;
    ok(&mut *sandbox, "until test -s shell; do :; done; kill -9 $(cat shell)").await;
    assert!(!send(&mut *sandbox, "main", "", (LONG, LONG)).await.unwrap().alive);
    let keeps = "(trap '' HUP; sleep 1000) & exec sh -c exit\n";
    assert!(!send(&mut *sandbox, "main", keeps, (QUIET, LONG)).await.unwrap().alive);
    works(&mut *sandbox).await;
}

#[tokio::test]
async fn a_flood_is_kept_in_part_and_stops_nobody() {
    let lab = Lab::new().await;
    let mut sandbox = lab.sandbox().await;
    typed(&mut *sandbox, "").await;
    let flood = (QUIET, Duration::from_secs(3));
    let output = send(&mut *sandbox, "main", "yes abcdefghijklmnop\n", flood).await.unwrap();
    assert_eq!(output.bytes.len(), 256 << 10);
    assert!(output.alive && output.dropped > 0);
    for _ in 0..3 {
        works(&mut *sandbox).await;
    }
    assert!(send(&mut *sandbox, "main", "\u{3}", (QUIET, LONG)).await.unwrap().alive);
    typed_until(&mut *sandbox, "echo 'en'd\n", "end").await;
}

#[tokio::test]
async fn keys_that_nobody_reads_are_bounded() {
    let lab = Lab::new().await;
    let mut sandbox = lab.sandbox().await;
    typed_until(&mut *sandbox, "stty raw -echo; echo 'rea'dy; sleep 1000\n", "ready").await;
    let many = "x".repeat(TerminalInput::MAX_KEYS);
    let short = (Duration::from_millis(50), Duration::from_millis(200));
    let mut refused = None;
    for _ in 0..8 {
        refused = refused.or(send(&mut *sandbox, "main", &many, short).await.err());
        works(&mut *sandbox).await;
    }
    assert_eq!(refused, Some(RefusalKind::Failed));
    let beyond = "x".repeat(TerminalInput::MAX_KEYS + 1);
    let refused = send(&mut *sandbox, "main", &beyond, short).await;
    assert_eq!(refused.unwrap_err(), RefusalKind::TooLarge);
}

#[tokio::test]
async fn four_terminals_are_all() {
    let lab = Lab::new().await;
    let mut sandbox = lab.sandbox().await;
    for name in ["a", "b", "c", "d"] {
        send(&mut *sandbox, name, "", (QUIET, LONG)).await.unwrap();
    }
    let fifth = send(&mut *sandbox, "e", "", (QUIET, LONG)).await;
    assert_eq!(fifth.unwrap_err(), RefusalKind::Failed);
    for name in ["", &"x".repeat(65)] {
        let refused = send(&mut *sandbox, name, "", (QUIET, LONG)).await;
        assert_eq!(refused.unwrap_err(), RefusalKind::Failed);
    }
    assert!(!send(&mut *sandbox, "b", "exit\n", (LONG, LONG)).await.unwrap().alive);
    assert!(send(&mut *sandbox, "e", "", (QUIET, LONG)).await.unwrap().alive);
}

#[tokio::test]
async fn terminals_end_with_everything_else() {
    let lab = Lab::new().await;
    let mut sandbox = lab.sandbox().await;
    let runs = "(trap '' HUP; sleep 1000) & setsid sleep 1001 & sleep 1002\n";
    typed(&mut *sandbox, runs).await;
    // A command that is killed takes nothing of a terminal with it.
    sleepers(&mut *sandbox, 3).await;
    run_for(&mut *sandbox, "sleep 1003", Duration::from_millis(200)).await;
    sleepers(&mut *sandbox, 3).await;
    sandbox.freeze().await.unwrap();
    sandbox.thaw().await.unwrap();
    sandbox.pack(true).await.unwrap();
    assert_eq!(ok(&mut *sandbox, ALONE).await, "2\n");
    assert!(!send(&mut *sandbox, "main", "", (LONG, LONG)).await.unwrap().alive);
    typed(&mut *sandbox, "sleep 1000\n").await;
    sandbox.reset().await.unwrap();
    assert_eq!(ok(&mut *sandbox, ALONE).await, "2\n");
    typed_until(&mut *sandbox, "echo 'ne'w\n", "new").await;
}

#[tokio::test]
async fn a_terminal_that_cannot_be_had_is_refused() {
    let lab = Lab::new().await;
    let mut sandbox = lab.sandbox().await;
    let what = "terminals that cannot be had";
    let holds = "import os, time\nkept = []\ntry:\n    while True: kept.append(os.open('/dev/ptmx', os.O_RDWR))\n\
        except OSError: pass\nif os.fork(): os._exit(0)\nfor fd in (0, 1, 2): os.close(fd)\n\
        time.sleep(1000)";
    if python(&mut *sandbox, what, holds).await.is_none() {
        return;
    }
    let refused = send(&mut *sandbox, "main", "", (QUIET, LONG)).await;
    assert_eq!(refused.unwrap_err(), RefusalKind::Failed);
    works(&mut *sandbox).await;
}
