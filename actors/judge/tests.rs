//! The judge apart, over sandboxes of a few words (`testkit`). `judged COMMAND` in the judge's
//! sandbox runs COMMAND in the judged one.

use super::{JudgeSandbox, JudgedCheck};
use crate::model::{
    ExecEnd, Fault, FaultKind, FileSegment, JudgePlace, ServiceRestart, Task, TaskCheck,
    TaskService, TreeEntry, TreeEntryKind, WorkspaceCopy,
};
use crate::task::Template;
use crate::testkit::{Kit, Options, Separation, TEMPLATES, Trap, in_test_system};
use std::sync::Arc;
use std::time::Duration;

/// A task whose judge is apart, with these checks.
fn task(checks: &[&str]) -> (Task, Vec<TaskCheck>) {
    let (id, text) = TEMPLATES[0];
    let text = text.replace("verification:\n", "verification:\n  judge: apart\n");
    let task = Template::parse(id, &text).unwrap().task(1, 0).unwrap();
    assert_eq!(task.verification.judge, JudgePlace::Apart);
    let check = |(at, run): (usize, &&str)| TaskCheck {
        name: format!("check-{at}"),
        weight: 1.0,
        run: (*run).to_owned(),
        compare: None,
    };
    let checks = checks.iter().enumerate().map(check).collect();
    (task, checks)
}

/// A workspace with the file `name`, and links.
fn workspace(links: &[(&str, &str)]) -> Arc<WorkspaceCopy> {
    let file = TreeEntryKind::File {
        mode: 0o644,
        content: vec![FileSegment::Bytes(b"the agent's".to_vec())],
    };
    let mut entries = vec![TreeEntry { path: "name".to_owned(), kind: file }];
    entries.extend(links.iter().map(|(path, target)| TreeEntry {
        path: (*path).to_owned(),
        kind: TreeEntryKind::Symlink { target: (*target).to_owned() },
    }));
    Arc::new(WorkspaceCopy { entries, ..WorkspaceCopy::default() })
}

async fn run(kit: &Kit, commands: &[&str]) -> Result<Vec<JudgedCheck>, Fault> {
    let (task, checks) = task(commands);
    let mut judge = JudgeSandbox::new(kit.services.pool.clone(), Arc::default());
    judge.run_checks(&task, &checks, workspace(&[])).await
}

fn ended(codes: &[i32]) -> Vec<ExecEnd> {
    codes.iter().map(|code| ExecEnd::Exited(*code)).collect()
}

fn ends(checks: Vec<JudgedCheck>) -> Vec<ExecEnd> {
    checks.into_iter().map(|check| check.end).collect()
}

#[test]
fn what_a_check_runs_of_the_workspace_runs_in_another_sandbox() {
    in_test_system(Options::default(), |kit| async move {
        // The judge has the file as data. What it writes, the judged sandbox does not see, and the
        // other way round.
        let commands = ["has name", "judged get name", "put x 1", "judged has x", "judged put y 2"];
        let checks = run(&kit, &[&commands[..], &["has y", "judged has y"]].concat()).await;
        let checks = checks.unwrap();
        assert_eq!(checks[1].output, "the agent's");
        assert_eq!(ends(checks), ended(&[0, 0, 0, 1, 0, 1, 0]));
        let steps = kit.backend.separation();
        assert_eq!(steps, [Separation::Sealed, Separation::Emptied]);
    });
}

#[test]
fn the_judge_tells_where_its_checks_ran() {
    in_test_system(Options::default(), |kit| async move {
        let (task, checks) = task(&["exit 0"]);
        let mut judge = JudgeSandbox::new(kit.services.pool.clone(), Arc::default());
        assert_eq!(judge.environment(&task).sandbox, None);
        judge.run_checks(&task, &checks, workspace(&[])).await.unwrap();
        let environment = judge.environment(&task);
        assert_eq!((environment.place, environment.library), (JudgePlace::Apart, Some(1)));
        assert_eq!(environment.sandbox.unwrap().backend, "fake");
    });
}

#[test]
fn each_run_has_a_judged_sandbox_of_its_own() {
    in_test_system(Options::default(), |kit| async move {
        let (task, checks) = task(&["judged has mark", "judged put mark 1"]);
        let mut judge = JudgeSandbox::new(kit.services.pool.clone(), Arc::default());
        for _ in 0..2 {
            let judged = judge.run_checks(&task, &checks, workspace(&[])).await.unwrap();
            assert_eq!(ends(judged), ended(&[1, 0]));
        }
    });
}

#[test]
fn a_judged_sandbox_that_fails_is_a_fault_and_no_failed_check() {
    for (event, kind) in [
        ("exec get name", FaultKind::SandboxLost),
        ("exec get name", FaultKind::SandboxProtocol),
        ("unpack", FaultKind::SandboxLost),
    ] {
        in_test_system(Options::default(), move |kit| async move {
            kit.backend.traps().set(event, 0, 9, Trap::Fault(kind));
            let fault = run(&kit, &["judged get name", "has name"]).await.unwrap_err();
            assert_eq!(fault.kind, kind, "{event}");
        });
    }
}

/// Judged processes may have taken all processes or all memory. When they are dead, the program is
/// started; if it still is not, the host is the cause.
#[test]
fn a_program_that_is_not_started_is_tried_once_more_in_a_fresh_sandbox() {
    in_test_system(Options::default(), |kit| async move {
        kit.backend.traps().once("spawn get name", Trap::Fault(FaultKind::SandboxStart));
        assert_eq!(ends(run(&kit, &["judged get name"]).await.unwrap()), ended(&[0]));
        kit.backend.traps().set("spawn get name", 0, 2, Trap::Fault(FaultKind::SandboxStart));
        let fault = run(&kit, &["judged get name"]).await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::SandboxLost);
    });
}

#[test]
fn a_failed_check_tells_which_links_were_not_judged() {
    in_test_system(Options::default(), |kit| async move {
        let (task, checks) = task(&["has name", "exit 1"]);
        let mut judge = JudgeSandbox::new(kit.services.pool.clone(), Arc::default());
        let copy = workspace(&[("out/report", "/dev/stdin")]);
        let judged = judge.run_checks(&task, &checks, copy).await.unwrap();
        assert_eq!(judged[0].output, "");
        assert_eq!(judged[1].output, "\nnot judged: out/report -> /dev/stdin");
    });
}

/// An emptied sandbox would remember times, modes and process numbers.
#[test]
fn a_reset_takes_a_sandbox_in_which_nothing_has_run() {
    in_test_system(Options::default(), |kit| async move {
        let commands = ["judged put mark 1", "judged reset", "judged has mark", "judged get name"];
        let checks = run(&kit, &commands).await.unwrap();
        assert_eq!(ends(checks), ended(&[0, 0, 1, 0]));
        // Only the judge's sandbox is emptied, at the end.
        let emptied = kit.backend.separation().into_iter().filter(|s| *s == Separation::Emptied);
        assert_eq!(emptied.count(), 1);
    });
}

/// A service of the judged sandbox, and one that only agents have.
fn services(run: &str, health: &str) -> Vec<TaskService> {
    let service = |name: &str, run: &str, health: &str, judged| TaskService {
        name: name.to_owned(),
        run: run.to_owned(),
        health: health.to_owned(),
        healthy_within: Duration::from_secs(10),
        restart: ServiceRestart::default(),
        judged,
    };
    vec![service("agents", "exit 1", "exit 1", false), service("shop", run, health, true)]
}

async fn run_beside(
    kit: &Kit,
    services: Vec<TaskService>,
    commands: &[&str],
) -> Result<Vec<JudgedCheck>, Fault> {
    let (mut task, checks) = task(commands);
    task.services = services;
    let mut judge = JudgeSandbox::new(kit.services.pool.clone(), Arc::default());
    judge.run_checks(&task, &checks, workspace(&[])).await
}

#[test]
fn judged_services_run_before_the_first_request_and_after_each_reset() {
    in_test_system(Options::default(), |kit| async move {
        let services = services("put served 1", "has name");
        let commands = ["judged is served 1", "judged put served 2", "judged reset"];
        let commands = [&commands[..], &["judged is served 1", "has served"]].concat();
        let checks = run_beside(&kit, services, &commands).await.unwrap();
        assert_eq!(ends(checks), ended(&[0, 0, 0, 0, 1]), "none runs in the judge's sandbox");
    });
}

/// The check itself may be content with a refusal, so the engine fails it.
#[test]
fn a_judged_service_that_is_not_healthy_fails_each_check_that_asks() {
    in_test_system(Options::default(), |kit| async move {
        let services = services("echo no such luck", "has nothing");
        let commands = ["exit 0", "judged get name", "judged get name"];
        let checks = run_beside(&kit, services, &commands).await.unwrap();
        let words = "\nthe service shop was not healthy within 10 s: it is not up; the end of its \
             log:\nno such luck";
        let output: Vec<&str> = checks.iter().map(|check| check.output.as_str()).collect();
        assert_eq!(output, ["", words, words]);
        assert_eq!(ends(checks), ended(&[0, 125, 125]));
    });
}

#[test]
fn a_check_that_passes_beside_an_unhealthy_service_is_failed() {
    let check = JudgedCheck { end: ExecEnd::Exited(0), output: "fine\n".to_owned() };
    let failed = check.failed("the service shop was not healthy");
    assert_eq!(failed.end, ExecEnd::Exited(1));
    assert_eq!(failed.output, "fine\nthe service shop was not healthy");
}

/// Judged programs may take all processor time. If another sandbox can be had, the host is well.
#[test]
fn a_sandbox_that_is_lost_while_a_service_starts() {
    in_test_system(Options::default(), |kit| async move {
        let start = || services("put served 1", "has served");
        kit.backend.traps().once("service shop", Trap::Fault(FaultKind::SandboxLost));
        let checks = run_beside(&kit, start(), &["judged get name"]).await.unwrap();
        assert!(checks[0].output.contains("did not answer while the service shop began"));
        for (event, kind) in
            [("unpack", FaultKind::SandboxLost), ("service shop", FaultKind::SandboxProtocol)]
        {
            kit.backend.traps().once(event, Trap::Fault(kind));
            let fault = run_beside(&kit, start(), &["judged get name"]).await.unwrap_err();
            assert_eq!(fault.kind, kind, "{event}");
        }
    });
}

/// Whatever a workspace fills of the judge's disk, as much is left for the checks.
#[test]
fn a_judges_sandbox_has_room_beside_the_submission() {
    let spec = crate::model::SandboxSpec::default();
    let judging = spec.judging();
    assert!(judging.sealed && !spec.sealed);
    assert_eq!(judging.limits.disk_bytes, 2 * spec.limits.disk_bytes);
    assert_eq!(judging.limits.inodes, 2 * spec.limits.inodes);
}
