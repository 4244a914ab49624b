//! Services: programs that the guest starts, asks for their health, and starts again.

use super::lab::{ALONE, Lab, ok, request, run_for, works};
use std::time::Duration;
use synthd_actors::model::{ExecEnd, ServiceReport, ServiceRestart, TaskService};
use synthd_actors::ports::Sandbox;

/// Reached only by a guest that forgets a service.
const LONG: Duration = Duration::from_secs(60);

fn service(run: &str, health: &str) -> TaskService {
    TaskService {
        name: "one".to_owned(),
        run: run.to_owned(),
        health: health.to_owned(),
        healthy_within: LONG,
        restart: ServiceRestart::OnFailure,
        judged: false,
    }
}

/// Counts its starts in a file, and is up after that.
fn counter() -> TaskService {
    let run = "echo up $(pwd); echo start >> /tmp/starts; exec sleep 1000";
    service(run, "test -s /tmp/starts")
}

async fn started(sandbox: &mut dyn Sandbox, service: &TaskService) -> ServiceReport {
    sandbox.start_service(service).await.unwrap()
}

/// Waits until the state of the service has such a line.
async fn awaited(sandbox: &mut dyn Sandbox, line: &str) {
    let waits = format!("until grep -qx '{line}' /tmp/services/one.state; do :; done");
    ok(sandbox, &waits).await;
}

#[tokio::test]
async fn a_service_outlives_commands_and_tells_how_it_is() {
    let lab = Lab::new().await;
    let mut sandbox = lab.sandbox().await;
    let report = started(&mut *sandbox, &counter()).await;
    assert_eq!(report, ServiceReport { trouble: None, log: "up /work\n".to_owned() });
    works(&mut *sandbox).await;
    let told = ok(&mut *sandbox, "cd /tmp/services; cat one.state; cat one.log").await;
    assert_eq!(told, "state: healthy\nrestarts: 0\nup /work\n");
    let named = "until grep -qx sleep /proc/$(cat /tmp/services/one.pid)/comm; do :; done";
    ok(&mut *sandbox, named).await;
    // It ends with everything else, and nobody starts it again.
    sandbox.reset().await.unwrap();
    assert_eq!(ok(&mut *sandbox, ALONE).await, "2\n");
    ok(&mut *sandbox, "! test -e /tmp/services").await;
}

#[tokio::test]
async fn a_service_that_was_killed_is_started_again() {
    let lab = Lab::new().await;
    let mut sandbox = lab.sandbox().await;
    assert_eq!(started(&mut *sandbox, &counter()).await.trouble, None);
    for restarts in 1..=2 {
        ok(&mut *sandbox, "kill -9 $(cat /tmp/services/one.pid)").await;
        awaited(&mut *sandbox, &format!("restarts: {restarts}")).await;
        awaited(&mut *sandbox, "state: healthy").await;
        awaited(&mut *sandbox, "last end: killed by signal 9").await;
    }
    assert_eq!(ok(&mut *sandbox, "wc -l < /tmp/starts").await.trim(), "3");
}

/// What a command has started is killed at its deadline, but not a service that was started again
/// meanwhile.
#[tokio::test]
async fn the_deadline_of_a_command_spares_services() {
    let lab = Lab::new().await;
    let mut sandbox = lab.sandbox().await;
    assert_eq!(started(&mut *sandbox, &counter()).await.trouble, None);
    let kills = "kill -9 $(cat /tmp/services/one.pid); \
        until grep -qx 'restarts: 1' /tmp/services/one.state; do :; done; echo seen; sleep 1000";
    let report = run_for(&mut *sandbox, kills, Duration::from_secs(5)).await;
    assert_eq!((report.end, report.stdout.text().as_str()), (ExecEnd::TimedOut, "seen\n"));
    awaited(&mut *sandbox, "state: healthy").await;
    awaited(&mut *sandbox, "restarts: 1").await;
    ok(&mut *sandbox, "kill -0 $(cat /tmp/services/one.pid)").await;
}

#[tokio::test]
async fn a_service_that_is_never_healthy_says_why() {
    let lab = Lab::new().await;
    let mut sandbox = lab.sandbox().await;
    let never = TaskService {
        healthy_within: Duration::from_millis(200),
        ..service("exec sleep 1000", "false")
    };
    let report = started(&mut *sandbox, &never).await;
    let trouble = "its program runs, but its health command never exited with 0";
    assert_eq!(report.trouble.as_deref(), Some(trouble));
    let once = TaskService {
        restart: ServiceRestart::Never,
        ..service("echo no such luck >&2; exit 3", "false")
    };
    let report = started(&mut *sandbox, &once).await;
    assert_eq!(report.trouble.as_deref(), Some("its program ended: exit code 3"));
    assert_eq!(report.log, "no such luck\n[service: exit code 3; exited]\n");
    assert!(ok(&mut *sandbox, "cat /tmp/services/one.state").await.contains("state: exited"));
}

/// A few times in a row, and then no more.
#[tokio::test]
async fn a_service_that_always_fails_is_given_up() {
    let lab = Lab::new().await;
    let mut sandbox = lab.sandbox().await;
    let fails = service("echo start >> /tmp/starts; exit 7", "false");
    let report = started(&mut *sandbox, &fails).await;
    assert_eq!(report.trouble.as_deref(), Some("its program ended: exit code 7"));
    assert_eq!(ok(&mut *sandbox, "wc -l < /tmp/starts").await.trim(), "6");
    let state = ok(&mut *sandbox, "cat /tmp/services/one.state").await;
    assert_eq!(state, "state: given-up\nrestarts: 5\nlast end: exit code 7\n");
    ok(&mut *sandbox, "! test -e /tmp/services/one.pid").await;
}

#[tokio::test]
async fn services_stand_still_and_go_on() {
    let lab = Lab::new().await;
    let mut sandbox = lab.sandbox().await;
    let writes = service("while :; do echo x >> grows; done", "test -s grows");
    assert_eq!(started(&mut *sandbox, &writes).await.trouble, None);
    sandbox.freeze().await.unwrap();
    let first = sandbox.pack(false).await.unwrap();
    assert_eq!(sandbox.pack(false).await.unwrap(), first);
    sandbox.thaw().await.unwrap();
    let goes_on = "n=$(wc -c < grows); until [ $(wc -c < grows) -gt $n ]; do :; done";
    ok(&mut *sandbox, goes_on).await;
    // A copy for good ends it.
    sandbox.pack(true).await.unwrap();
    assert_eq!(ok(&mut *sandbox, ALONE).await, "2\n");
}

/// It has the newest output, and does not fill the disk. Links at its place are not followed.
#[tokio::test]
async fn a_log_is_bounded() {
    let lab = Lab::new().await;
    let mut sandbox = lab.sandbox().await;
    ok(&mut *sandbox, "mkdir /tmp/services; ln -s /work/kept /tmp/services/one.log").await;
    let talks =
        "head -c 3000000 /dev/zero | tr '\\0' y; echo last; touch /tmp/said; exec sleep 1000";
    let report = started(&mut *sandbox, &service(talks, "test -e /tmp/said")).await;
    assert_eq!(report.trouble, None);
    ok(&mut *sandbox, "until tail -n 1 /tmp/services/one.log | grep -q 'last$'; do :; done").await;
    let size = ok(&mut *sandbox, "wc -c < /tmp/services/one.log").await;
    let size: usize = size.trim().parse().unwrap();
    assert!((200_000..=512 << 10).contains(&size), "{size}");
    ok(&mut *sandbox, "! test -e /work/kept").await;
}

/// It can be sent beside a command that runs.
#[tokio::test]
async fn a_service_starts_beside_a_command() {
    let lab = Lab::new().await;
    let mut sandbox = lab.sandbox().await;
    sandbox.start(&request("exec sleep 1000", LONG)).await.unwrap();
    assert_eq!(started(&mut *sandbox, &counter()).await.trouble, None);
    assert_eq!(sandbox.stop().await.unwrap().end, ExecEnd::TimedOut);
    ok(&mut *sandbox, "kill -0 $(cat /tmp/services/one.pid)").await;
}
