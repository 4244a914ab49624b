//! A command that goes on by itself: others are answered beside it.

use super::lab::{ALONE, Lab, ok, request, run, works};
use std::future::{pending, ready};
use std::pin::pin;
use std::time::Duration;
use synthd_actors::model::{CommandStatus, ExecEnd, ExecReport, ExecRequest, SandboxLimits};
use synthd_actors::ports::Sandbox;

async fn start(sandbox: &mut dyn Sandbox, command: &str, timeout: Duration) {
    let request = ExecRequest { session: false, ..request(command, timeout) };
    sandbox.start(&request).await.unwrap();
}

async fn end(sandbox: &mut dyn Sandbox) -> ExecReport {
    match sandbox.wait_for_command(pin!(pending())).await.unwrap() {
        CommandStatus::Ended(report) => report,
        running => panic!("{running:?}"),
    }
}

/// What is in the workspace of a sandbox whose command runs.
async fn look(sandbox: &mut dyn Sandbox) -> Vec<String> {
    match sandbox.wait_for_command(pin!(ready(()))).await.unwrap() {
        CommandStatus::Running(scan) => scan.unwrap().files,
        ended => panic!("{ended:?}"),
    }
}

const LONG: Duration = Duration::from_secs(600);

#[tokio::test]
async fn others_are_answered_while_it_runs() {
    let lab = Lab::new().await;
    let mut sandbox = lab.sandbox().await;
    let waits = "echo begins; mkfifo /tmp/go; echo x > made; cat /tmp/go; echo y > more; exit 3";
    start(&mut *sandbox, waits, LONG).await;
    ok(&mut *sandbox, "until test -s made && test -p /tmp/go; do :; done").await;
    assert_eq!(look(&mut *sandbox).await, ["made"]);
    assert_eq!(look(&mut *sandbox).await, ["made"], "as often as somebody likes");
    assert_eq!(sandbox.pack(false).await.unwrap().entries.len(), 1);
    works(&mut *sandbox).await;
    ok(&mut *sandbox, "echo goes on > /tmp/go").await;
    let report = end(&mut *sandbox).await;
    assert_eq!(report.end, ExecEnd::Exited(3));
    assert_eq!(report.stdout.text(), "begins\ngoes on\n");
    assert_eq!(report.scan.unwrap().files, ["made", "more"]);
    // Another may be started.
    start(&mut *sandbox, "cat made more", LONG).await;
    assert_eq!(end(&mut *sandbox).await.stdout.text(), "x\ny\n");
}

#[tokio::test]
async fn its_end_is_known_whenever_it_was() {
    let lab = Lab::new().await;
    let mut sandbox = lab.sandbox().await;
    start(&mut *sandbox, "echo $$ > pid; exit 7", LONG).await;
    // Gone before anybody attended to it.
    ok(&mut *sandbox, "until test -s pid; do :; done; while test -d /proc/$(cat pid); do :; done")
        .await;
    works(&mut *sandbox).await;
    let report = end(&mut *sandbox).await;
    assert_eq!((report.end, report.scan.unwrap().files.len()), (ExecEnd::Exited(7), 1));
    start(&mut *sandbox, "no-such-program", LONG).await;
    assert_eq!(end(&mut *sandbox).await.end, ExecEnd::Exited(127));
}

#[tokio::test]
async fn it_is_stopped_with_its_tree_and_nothing_else_is() {
    let lab = Lab::new().await;
    let mut sandbox = lab.sandbox().await;
    ok(&mut *sandbox, "sleep 1001 > /dev/null 2>&1 &").await;
    let tree = "trap '' TERM; setsid sleep 1002 & echo up > up; sleep 1003";
    start(&mut *sandbox, tree, LONG).await;
    ok(&mut *sandbox, "until test -s up; do :; done").await;
    let report = sandbox.stop().await.unwrap();
    assert_eq!((report.end, report.scan.unwrap().files.len()), (ExecEnd::TimedOut, 1));
    assert_eq!(ok(&mut *sandbox, ALONE).await, "3\n", "the sleeper of before lives");
    // One that had ended before is told as it ended.
    start(&mut *sandbox, "exit 4", LONG).await;
    let ended = sandbox.wait_for_command(pin!(pending())).await.unwrap();
    assert!(matches!(ended, CommandStatus::Ended(report) if report.end == ExecEnd::Exited(4)));
}

#[tokio::test]
async fn its_own_limits_hold() {
    let lab = Lab::new().await;
    let mut sandbox =
        lab.limited(SandboxLimits { output_killed: 1 << 20, ..SandboxLimits::default() }).await;
    start(&mut *sandbox, "sleep 1001", Duration::from_millis(300)).await;
    assert_eq!(end(&mut *sandbox).await.end, ExecEnd::TimedOut);
    start(&mut *sandbox, "yes", LONG).await;
    works(&mut *sandbox).await;
    assert_eq!(end(&mut *sandbox).await.end, ExecEnd::OutputLimit);
    // It waits for somebody to read what it says, and loses nothing.
    start(&mut *sandbox, "head -c 500000 /dev/zero", LONG).await;
    works(&mut *sandbox).await;
    assert_eq!(end(&mut *sandbox).await.stdout.total, 500_000);
}

#[tokio::test]
async fn it_ends_with_everything_else() {
    let lab = Lab::new().await;
    let mut sandbox = lab.sandbox().await;
    start(&mut *sandbox, "sleep 1001", LONG).await;
    sandbox.pack(true).await.unwrap();
    assert_eq!(end(&mut *sandbox).await.end, ExecEnd::Signaled(9));
    start(&mut *sandbox, "sleep 1001", LONG).await;
    sandbox.reset().await.unwrap();
    assert_eq!(end(&mut *sandbox).await.end, ExecEnd::Signaled(9));
    assert_eq!(run(&mut *sandbox, "true").await.end, ExecEnd::Exited(0));
}

/// A program that writes as fast as it can, one that was stopped before, and a command beside.
#[tokio::test]
async fn programs_stand_still_between_freeze_and_thaw() {
    let lab = Lab::new().await;
    let mut sandbox = lab.sandbox().await;
    sandbox.freeze().await.unwrap();
    sandbox.thaw().await.unwrap();
    let writes = "trap '' CONT; while :; do echo x >> grows; done";
    start(&mut *sandbox, writes, LONG).await;
    let stopped = "sh -c 'kill -STOP $$; echo woken > woken' > /dev/null & echo $! > pid; \
        until grep -q '^State:.T' /proc/$(cat pid)/status; do :; done; until test -s grows; do :; done";
    ok(&mut *sandbox, stopped).await;
    sandbox.freeze().await.unwrap();
    sandbox.freeze().await.unwrap();
    let first = sandbox.pack(false).await.unwrap();
    for _ in 0..3 {
        assert_eq!(sandbox.pack(false).await.unwrap(), first);
    }
    sandbox.thaw().await.unwrap();
    let goes_on = "n=$(wc -c < grows); until [ $(wc -c < grows) -gt $n ]; do :; done; \
        grep '^State:.T' /proc/$(cat pid)/status";
    ok(&mut *sandbox, goes_on).await;
    // What is frozen can be ended, and what is copied for good is.
    sandbox.freeze().await.unwrap();
    sandbox.pack(true).await.unwrap();
    assert_eq!(end(&mut *sandbox).await.end, ExecEnd::Signaled(9));
    assert_eq!(ok(&mut *sandbox, ALONE).await, "2\n");
}
