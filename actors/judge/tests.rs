//! The judge apart, over sandboxes of a few words (`testkit`). `judged COMMAND` in the judge's
//! sandbox runs COMMAND in the judged one.

use super::judged_service::JudgedService;
use super::{JudgeSandbox, JudgedCheck};
use crate::model::{
    ExecEnd, Fault, FaultKind, FileSegment, JUDGED_LIBRARY, JudgePlace, SHELL_LIBRARY,
    ServiceRestart, Task, TaskCheck, TaskService, TreeEntry, TreeEntryKind, TunnelService,
    WorkspaceCopy,
};
use crate::ports::{CopyInMemory, StoredCopy};
use crate::task::Template;
use crate::testkit::{Kit, Options, Separation, TEMPLATES, Trap, in_test_system};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

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
        part: None,
        compare: None,
    };
    let checks = checks.iter().enumerate().map(check).collect();
    (task, checks)
}

/// Parts of one command: it runs once, and its output decides each of them.
#[test]
fn checks_that_are_parts_of_one_command_share_its_run() {
    in_test_system(Options::default(), |kit| async move {
        let (task, mut checks) = task(&["echo ok a", "echo ok a", "echo not ok c: why", "exit 1"]);
        for (check, part) in checks.iter_mut().zip(["a", "b", "c", "d"]) {
            check.part = Some(part.to_owned());
        }
        let mut judge = JudgeSandbox::new(kit.services.pool.clone(), Arc::default());
        let judged = judge.run_checks(&task, &checks, &workspace(&[])).await.unwrap();
        let words: Vec<String> = judged.iter().map(|check| check.output.clone()).collect();
        assert_eq!(ends(judged), ended(&[0, 1, 1, 1]));
        assert!(words[1].starts_with("the check says nothing of b"), "{words:?}");
        assert!(words[2].starts_with("why"), "{words:?}");
        let emptied = kit.backend.separation().into_iter().filter(|s| *s == Separation::Emptied);
        assert_eq!(emptied.count(), 3, "one of the four commands is there twice");
    });
}

/// A workspace with the file `name`, and links.
fn workspace(links: &[(&str, &str)]) -> Arc<dyn StoredCopy> {
    with_files(&["name"], links)
}

/// A workspace with these files, and links.
fn with_files(files: &[&str], links: &[(&str, &str)]) -> Arc<dyn StoredCopy> {
    let file = |path: &str| TreeEntry {
        path: path.to_owned(),
        kind: TreeEntryKind::File {
            mode: 0o644,
            content: vec![FileSegment::Bytes(b"the agent's".to_vec())],
        },
    };
    let mut entries: Vec<TreeEntry> = files.iter().map(|path| file(path)).collect();
    entries.extend(links.iter().map(|(path, target)| TreeEntry {
        path: (*path).to_owned(),
        kind: TreeEntryKind::Symlink { target: (*target).to_owned() },
    }));
    let copy = WorkspaceCopy { entries, ..WorkspaceCopy::default() };
    Arc::new(CopyInMemory(Arc::new(copy)))
}

async fn run(kit: &Kit, commands: &[&str]) -> Result<Vec<JudgedCheck>, Fault> {
    let (task, checks) = task(commands);
    let mut judge = JudgeSandbox::new(kit.services.pool.clone(), Arc::default());
    judge.run_checks(&task, &checks, &workspace(&[])).await
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
        assert_eq!(steps, [Separation::Sealed, Separation::Emptied].repeat(7));
    });
}

#[test]
fn the_library_has_one_version() {
    let (task, _) = task(&[]);
    let text = |path: &str| {
        let file = task.verification.files.iter().find(|file| file.path == path);
        file.unwrap().content.clone()
    };
    assert!(text(JUDGED_LIBRARY).contains("\nVERSION = 2\n"));
    assert!(text(SHELL_LIBRARY).contains(" Version 2. "));
}

#[test]
fn the_judge_tells_where_its_checks_ran() {
    in_test_system(Options::default(), |kit| async move {
        let (task, checks) = task(&["exit 0"]);
        let mut judge = JudgeSandbox::new(kit.services.pool.clone(), Arc::default());
        assert_eq!(judge.environment(&task).sandbox, None);
        judge.run_checks(&task, &checks, &workspace(&[])).await.unwrap();
        let environment = judge.environment(&task);
        assert_eq!((environment.place, environment.library), (JudgePlace::Apart, Some(2)));
        assert_eq!(environment.sandbox.unwrap().backend, "fake");
    });
}

#[test]
fn each_run_has_a_judged_sandbox_of_its_own() {
    in_test_system(Options::default(), |kit| async move {
        let (task, checks) = task(&["judged has mark", "judged put mark 1"]);
        let mut judge = JudgeSandbox::new(kit.services.pool.clone(), Arc::default());
        for _ in 0..2 {
            let judged = judge.run_checks(&task, &checks, &workspace(&[])).await.unwrap();
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
        let judged = judge.run_checks(&task, &checks, &copy).await.unwrap();
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
        // Only the judge's sandbox is emptied, after each check.
        let emptied = kit.backend.separation().into_iter().filter(|s| *s == Separation::Emptied);
        assert_eq!(emptied.count(), commands.len());
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
    judge.run_checks(&task, &checks, &workspace(&[])).await
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

/// Judged programs may end a service. Within one check nobody asks for it again.
#[test]
fn a_judged_service_that_died_fails_the_next_check_that_asks() {
    in_test_system(Options::default(), |kit| async move {
        let services = services("put served 1", "is served 1");
        let died = ["judged put served 2", "exit 0", "judged get name", "judged get name"];
        let commands = [&died[..], &["judged reset", "judged is served 1"]].concat();
        let checks = run_beside(&kit, services, &commands).await.unwrap();
        let words = "\nthe service shop is not healthy any more";
        let output: Vec<&str> = checks.iter().map(|check| check.output.as_str()).collect();
        assert_eq!(output, ["", "", words, words, "", ""]);
        assert_eq!(ends(checks), ended(&[0, 0, 125, 125, 0, 0]));
    });
}

/// Judged programs may take all processes. If another sandbox can be had, the host is well.
#[test]
fn a_sandbox_that_is_lost_while_a_service_is_asked() {
    in_test_system(Options::default(), |kit| async move {
        let start = || services("put served 1", "has served");
        let commands = ["judged get name", "judged get name"];
        for event in ["exec has served", "spawn has served"] {
            kit.backend.traps().once(event, Trap::Fault(FaultKind::SandboxLost));
            let checks = run_beside(&kit, start(), &commands).await.unwrap();
            assert_eq!(ends(checks), ended(&[0, 0]), "{event}: a fresh one is asked");
        }
        kit.backend.traps().once("exec has served", Trap::Fault(FaultKind::SandboxProtocol));
        let fault = run_beside(&kit, start(), &commands).await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::SandboxProtocol);
    });
}

/// For example, it has taken the port of the other one.
#[test]
fn a_judged_service_that_answers_for_another_fails_the_check() {
    in_test_system(Options::default(), |kit| async move {
        let port = |taken: &str| {
            let mut both = services(taken, "has name");
            both.extend(services("put port second", "has port"));
            both[3].name = "desk".to_owned();
            both
        };
        let checks = run_beside(&kit, port("put port first"), &["judged get name"]).await.unwrap();
        let words =
            "\nthe health of the service desk held before it began: another one answers for it";
        assert_eq!(checks[0].output, words);
        assert_eq!(ends(checks), ended(&[125]));
        let checks = run_beside(&kit, port("put other 1"), &["judged get name"]).await.unwrap();
        assert_eq!(ends(checks), ended(&[0]));
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
        // Once may be the host's doing, twice is the services'.
        kit.backend.traps().once("service shop", Trap::Fault(FaultKind::SandboxLost));
        let checks = run_beside(&kit, start(), &["judged get name"]).await.unwrap();
        assert_eq!(ends(checks), ended(&[0]));
        kit.backend.traps().set("service shop", 0, 2, Trap::Fault(FaultKind::SandboxLost));
        let checks = run_beside(&kit, start(), &["judged get name"]).await.unwrap();
        assert!(checks[0].output.contains("did not answer while the services began"));
        for (event, kind) in
            [("unpack", FaultKind::SandboxLost), ("service shop", FaultKind::SandboxProtocol)]
        {
            kit.backend.traps().once(event, Trap::Fault(kind));
            let fault = run_beside(&kit, start(), &["judged get name"]).await.unwrap_err();
            assert_eq!(fault.kind, kind, "{event}");
        }
    });
}

/// A service of the agent may keep every program from being started, also in a fresh sandbox.
#[test]
fn programs_that_services_keep_from_starting_fail_the_check() {
    in_test_system(Options::default(), |kit| async move {
        kit.backend.traps().set("spawn get name", 0, 2, Trap::Fault(FaultKind::SandboxStart));
        let services = services("put served 1", "has served");
        let checks = run_beside(&kit, services, &["judged get name"]).await.unwrap();
        assert_eq!(checks[0].end, ExecEnd::Exited(125));
        assert!(checks[0].output.contains("did not answer while the services ran"));
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

/// Whatever code of the agent a check may have run in the judge's sandbox, the next check finds its
/// files as they were laid, and nothing else.
#[test]
fn each_check_finds_nothing_of_the_one_before() {
    in_test_system(Options::default(), |kit| async move {
        let commands = ["put left 1", "has left", "put name forged", "is name forged", "has name"];
        assert_eq!(ends(run(&kit, &commands).await.unwrap()), ended(&[0, 1, 0, 1, 0]));
    });
}

/// The milestones of one measurement share what was laid. The next measurement finds nothing of it, nor
/// does a milestone behind one that was cut short or left no room.
#[test]
fn milestones_of_one_measurement_share_what_was_laid() {
    in_test_system(Options::default(), |kit| async move {
        let mut judge = JudgeSandbox::new(kit.services.pool.clone(), Arc::default());
        let rounds: [(&[&str], &[i32], usize); 3] = [
            (&["put left 1", "has left", "exit 1", "has left"], &[0, 0, 1, 0], 1),
            (&["has left", "put left 1", "fill", "has left"], &[1, 0, 1, 1], 2),
            (&["has left"], &[1], 1),
        ];
        for (commands, codes, emptied) in rounds {
            let (mut task, checks) = task(commands);
            task.verification.milestones = checks;
            let is_emptied = |separation: &Separation| *separation == Separation::Emptied;
            let before = kit.backend.separation().iter().filter(|s| is_emptied(s)).count();
            let measured = judge.measure(&task, &workspace(&[])).await.unwrap();
            assert_eq!(ends(measured.into_iter().flatten().collect()), ended(codes));
            let after = kit.backend.separation().iter().filter(|s| is_emptied(s)).count();
            assert_eq!(after - before, emptied, "{commands:?}");
        }
    });
}

#[test]
fn git_of_a_check_obeys_nothing_of_the_agent() {
    in_test_system(Options::default(), |kit| async move {
        let (task, checks) = task(&["has .git/config", "judged has .git/config"]);
        let copy = with_files(&[".git/config"], &[("out", "/")]);
        let mut judge = JudgeSandbox::new(kit.services.pool.clone(), Arc::default());
        let judged = judge.run_checks(&task, &checks, &copy).await.unwrap();
        let words = "\nnot judged: .git/config: a setting of git, out -> /";
        assert_eq!(judged[0].output, words, "the check names it");
        assert_eq!(ends(judged), ended(&[1, 0]));
    });
    for variable in ["GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1"] {
        in_test_system(Options::default(), move |kit| async move {
            let set = format!("set {variable}");
            kit.backend.traps().once(&set, Trap::Fault(FaultKind::SandboxStart));
            let fault = run(&kit, &["exit 0"]).await.unwrap_err();
            assert_eq!(fault.kind, FaultKind::SandboxStart, "{variable} is not set");
        });
    }
}

/// A script may lose the exit code of the helper, as in `$(judged run ...)`.
#[test]
fn a_fault_of_the_judged_sandbox_is_one_whatever_the_check_makes_of_it() {
    in_test_system(Options::default(), |kit| async move {
        kit.backend.traps().set("exec get name", 0, 9, Trap::Fault(FaultKind::SandboxLost));
        let fault = run(&kit, &["quiet judged get name", "exit 0"]).await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::SandboxLost);
    });
}

/// Nobody knows what a check could not write, so its result is no verdict.
#[test]
fn a_check_that_fills_its_sandbox_does_not_pass() {
    in_test_system(Options::default(), |kit| async move {
        let checks = run(&kit, &["exit 0", "fill", "exit 0"]).await.unwrap();
        let said = "\nthe check left no room in its sandbox: /tmp: No space left on device";
        assert_eq!(checks[1].output, said);
        assert_eq!(ends(checks), ended(&[0, 1, 0]));
    });
}

/// Judged programs that run on may take all processor time.
#[test]
fn a_silent_judged_sandbox_is_refused_if_a_fresh_one_can_be_had() {
    in_test_system(Options::default(), |kit| async move {
        // The first event is the check itself.
        let lost = Trap::Fault(FaultKind::SandboxLost);
        let silent = || kit.backend.traps().set("read /work/name", 1, 1, lost.clone());
        silent();
        let commands = ["judged read /work/name", "judged read /work/name"];
        let checks = run(&kit, &commands).await.unwrap();
        assert_eq!(checks[1].output, "the agent's");
        assert_eq!(ends(checks), ended(&[125, 0]));
        // The host is the cause if there is no other sandbox.
        silent();
        kit.backend.traps().set("unpack", 1, 9, Trap::Fault(FaultKind::SandboxStart));
        let fault = run(&kit, &commands).await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::SandboxStart);
    });
}

/// A request to begin anew, and its reply.
const RESET: [u8; 5] = [1, 0, 0, 0, 5];
const WRITTEN: [u8; 5] = [1, 0, 0, 0, 0];

#[test]
fn a_request_belongs_to_the_check_that_has_made_it() {
    in_test_system(Options::default(), |kit| async move {
        let service = JudgedService::new(kit.services.pool.clone(), Arc::default());
        service.begin(&task(&[]).0, workspace(&[])).await;
        let (mut check, far) = duplex(1 << 10);
        let connection = service.serve(far);
        check.write_all(&RESET).await.unwrap();
        // The check ends before its request is read.
        service.cut_off();
        connection.await;
        let mut reply = Vec::new();
        check.read_to_end(&mut reply).await.unwrap();
        assert_eq!(reply, b"", "the request was performed");
        let (mut next, far) = duplex(1 << 10);
        let connection = service.serve(far);
        let asked = async {
            next.write_all(&RESET).await.unwrap();
            let mut reply = [0; 5];
            next.read_exact(&mut reply).await.unwrap();
            reply
        };
        tokio::select! {
            reply = asked => assert_eq!(reply, WRITTEN),
            () = connection => panic!("the next check is not served"),
        }
        service.end().await;
    });
}

/// A workspace as it comes from an agent's sandbox.
async fn packed(kit: &Kit) -> Arc<dyn StoredCopy> {
    let mut lease = kit.services.pool.acquire(&Arc::default()).await.unwrap();
    let copy = lease.sandbox().pack(true).await.unwrap();
    kit.services.pool.store_copy(Arc::new(copy)).await
}

/// A verification whose judged program hangs.
async fn hangs(kit: &Kit) {
    let (task, checks) = task(&["judged get name"]);
    let mut judge = JudgeSandbox::new(kit.services.pool.clone(), Arc::default());
    judge.run_checks(&task, &checks, &packed(kit).await).await.unwrap();
}

#[test]
fn checks_that_hang_keep_no_copy_in_memory() {
    in_test_system(Options::default(), |kit| async move {
        kit.backend.bound_copies(1);
        kit.backend.traps().set("exec get name", 0, 9, Trap::Hang);
        let next = async {
            tokio::time::sleep(Duration::from_secs(60)).await;
            packed(&kit).await.load().await.unwrap();
        };
        tokio::select! {
            _ = async { tokio::join!(hangs(&kit), hangs(&kit), hangs(&kit)) } => panic!("they hang"),
            () = next => {}
        }
    });
}
