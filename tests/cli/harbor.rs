//! Harbor's task folders: what is written, what others' loader and a container engine make of it, and what
//! of folders of others is refused.

use super::campaign::templates;
use super::harness::{Ran, command, synthd_in};
use crate::sandbox::{BASE, image};
use crate::support::skip;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Exports templates of the tests and of the library into `tasks`.
fn export(dir: &Path, globs: &[&str], more: &[&str]) -> Ran {
    let own = templates();
    let always = ["--harbor", "tasks", "--templates", own.to_str().unwrap()];
    synthd_in(dir, &[&["template", "export"], globs, &always[..], more].concat())
}

fn check(dir: &Path) -> Ran {
    synthd_in(dir, &["template", "check", "--harbor", "tasks"])
}

#[test]
fn what_is_exported_is_understood() {
    let dir = tempfile::tempdir().unwrap();
    let ran = export(dir.path(), &["tests/greeting"], &["--seeds", "3"]).succeeds();
    assert_eq!(ran.stdout, "3 tasks written to tasks\n");
    let names: Vec<String> = (1..=3).map(|seed| format!("tests-greeting-s{seed}")).collect();
    let mut found: Vec<String> = fs::read_dir(dir.path().join("tasks"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    found.sort();
    assert_eq!(found, names, "nothing half-written is left");
    let told = check(dir.path()).succeeds().stdout;
    let lines = names
        .iter()
        .map(|name| format!("understood synthd/{name} (1.4, environment/Dockerfile)\n"));
    assert_eq!(told, lines.collect::<String>());
}

#[test]
fn nothing_is_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    export(dir.path(), &["tests/greeting"], &[]).succeeds();
    let path = dir.path().join("tasks/tests-greeting-s1/instruction.md");
    fs::write(&path, "mine").unwrap();
    let ran = export(dir.path(), &["tests/greeting"], &[]).fails(2, "SYN-0105");
    assert!(ran.stderr.contains("tasks/tests-greeting-s1 is already there"), "{ran:?}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
}

#[test]
fn an_image_is_a_name_and_a_glob_matches_something() {
    let dir = tempfile::tempdir().unwrap();
    export(dir.path(), &["tests/greeting"], &["--image", "a\nRUN b"]).fails(2, "SYN-0105");
    export(dir.path(), &["tests/nothing"], &[]).fails(2, "SYN-0104");
    assert!(!dir.path().join("tasks").exists());
}

#[test]
fn each_task_is_refused_by_itself_with_its_reasons() {
    let dir = tempfile::tempdir().unwrap();
    export(dir.path(), &["tests/greeting"], &["--seeds", "3"]).succeeds();
    let manifest = |seed: u32| dir.path().join(format!("tasks/tests-greeting-s{seed}/task.toml"));
    let change = |seed: u32, lines: &str| {
        let text = fs::read_to_string(manifest(seed)).unwrap();
        let changed = text.replace("[environment]\n", &format!("[environment]\n{lines}\n"));
        assert_ne!(text, changed);
        fs::write(manifest(seed), changed).unwrap();
    };
    change(2, "gpus = 1\nos = \"windows\"");
    let ran = check(dir.path()).fails(2, "SYN-0212");
    assert!(ran.stdout.starts_with("understood synthd/tests-greeting-s1 "), "{ran:?}");
    assert!(ran.stdout.contains("\nREFUSED    tasks/tests-greeting-s2\n"), "{ran:?}");
    for field in ["environment.gpus", "environment.os"] {
        assert!(ran.stderr.contains(&format!("SYN-0212: task.toml: {field}: ")), "{ran:?}");
    }
    change(3, "network_mode = \"sometimes\"");
    let ran = check(dir.path()).fails(2, "SYN-0211");
    assert!(ran.stderr.contains("SYN-0211: task.toml"), "{ran:?}");
    let folders = synthd_in(dir.path(), &["template", "check", "--harbor", "tasks", "--json"]);
    let folders = folders.document();
    let understood: Vec<bool> =
        folders.as_array().unwrap().iter().map(|one| one["understood"] == true).collect();
    assert_eq!(understood, [true, false, false]);
    assert_eq!(folders[1]["problems"][0]["code"], "SYN-0212");
    fs::create_dir(dir.path().join("empty")).unwrap();
    let empty = synthd_in(dir.path(), &["template", "check", "--harbor", "empty"]);
    empty.fails(2, "SYN-0211");
}

#[test]
fn harbors_own_loader_takes_every_exported_task() {
    let Some(harbor) = std::env::var_os("SYNTHD_TEST_HARBOR") else {
        return skip("Harbor's loader", "SYNTHD_TEST_HARBOR names no directory with it");
    };
    let python = std::env::var_os("SYNTHD_TEST_PYTHON").unwrap_or_else(|| "python3".into());
    let dir = tempfile::tempdir().unwrap();
    // Some templates have no form in Harbor; what is written counts.
    let ran = export(dir.path(), &["**"], &["--image", "synthd-test/base", "--json"]);
    let written = ran.stdout.lines().filter(|line| line.contains("-s1\"")).count();
    assert!(written > 15, "{ran:?}");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/check_harbor.py");
    let mut command = Command::new(python);
    command.arg(script).arg(dir.path().join("tasks")).env("PYTHONPATH", harbor);
    let told = text_of(&command.output().unwrap());
    assert!(told.contains(&format!("Harbor loads {written} tasks")), "{told}");
}

fn text_of(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    format!("{}{}", String::from_utf8_lossy(out), String::from_utf8_lossy(err))
}

/// Runs the container engine's client and returns what it printed.
fn docker(args: &[&str]) -> String {
    let output = Command::new("docker").args(args).output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", text_of(&output));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A container or an image, which is removed at the end of the test.
struct Removed<'a>(&'a [&'a str], String);

impl Drop for Removed<'_> {
    fn drop(&mut self) {
        Command::new("docker").args(self.0).arg(&self.1).output().ok();
    }
}

/// The image of an exported task. It is built without a network: other engines of the tests take away
/// the bridge of this host's.
fn built(folder: &Path, tag: &str) -> Removed<'static> {
    let name = format!("synthd-test/harbor-{}:{tag}", std::process::id());
    let context = folder.join("environment");
    docker(&["build", "-q", "--network", "none", "-t", &name, context.to_str().unwrap()]);
    Removed(&["rmi", "-f"], name)
}

/// The reward of a task as Harbor runs it: the oracle or nothing, then the tests in the same container.
fn reward(image: &str, folder: &Path, is_solved: bool) -> f64 {
    let id = docker(&["create", "--network", "none", image, "sleep", "infinity"]);
    let container = Removed(&["rm", "-f"], id);
    let id = container.1.as_str();
    docker(&["start", id]);
    let copy = |from: &str| {
        let target = format!("{id}:/{from}");
        docker(&["cp", folder.join(from).to_str().unwrap(), &target]);
    };
    let run =
        |user: &str, line: &str| docker(&["exec", "-u", user, "-w", "/work", id, "sh", "-c", line]);
    if is_solved {
        copy("solution");
        run("agent", "/solution/solve.sh > /tmp/log 2>&1 || { cat /tmp/log; exit 1; }");
    }
    copy("tests");
    // What the agent has left there must not count, whatever it is.
    run("root", "mkdir -p -m 777 /logs/verifier");
    run("agent", "mkdir /logs/verifier/reward.json; ln -s /work/x /logs/verifier/checks.json");
    run("root", "/tests/test.sh");
    let left = "test ! -e /logs/verifier/reward.json && stat -c %a /logs/verifier";
    assert_eq!(run("root", left), "777", "the agent's owner and mode are there again");
    run("root", "cat /logs/verifier/reward.txt").parse().unwrap()
}

/// Programs of the work send requests too, and share a user with what reads and writes files for checks.
#[test]
fn no_program_of_the_work_hinders_the_judge() {
    let python = std::env::var_os("SYNTHD_TEST_PYTHON").unwrap_or_else(|| "python3".into());
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let dir = tempfile::tempdir().unwrap();
    let mut command = Command::new(python);
    command.arg(root.join("tests/python/check_judge.py")).current_dir(dir.path());
    let output = command.arg(root.join("src/harbor/export/judge.py")).output();
    let Ok(output) = output else { return skip("the judge of exported tasks", "no python3") };
    assert!(text_of(&output).contains("the judge holds"), "{}", text_of(&output));
}

/// What the engine proves of the template is true of the folder: its solution has the whole reward, and
/// nothing has less.
#[test]
fn an_exported_task_is_solved_by_its_solution_and_not_by_nothing() {
    let client = Command::new("docker").arg("version").output();
    if image().is_none() || !client.is_ok_and(|output| output.status.success()) {
        return skip("exported tasks in containers", "no container engine with the test image");
    }
    let dir = tempfile::tempdir().unwrap();
    for template in ["debugging/broken-pipeline", "git/bisect-regression"] {
        export(dir.path(), &[template], &["--image", BASE]).succeeds();
        let folder = dir.path().join(format!("tasks/{}-s1", template.replace('/', "-")));
        let image = built(&folder, &format!("{}", template.len()));
        assert_eq!(reward(&image.1, &folder, true), 1.0, "{template}");
        assert!(reward(&image.1, &folder, false) < 1.0, "{template}");
    }
}

/// A small task of Terminal-Bench in `tasks`, with these parts.
fn put_small_task(dir: &Path, lines: &str, tests: &str, solution: &str) {
    let folder = dir.join("tasks/small");
    fs::create_dir_all(&folder).unwrap();
    let put = |path: &str, text: &str| fs::write(folder.join(path), text).unwrap();
    put("task.yaml", "instruction: Write 7 into /app/out.\n");
    put("docker-compose.yaml", "services:\n  client:\n    build: .\n");
    put("Dockerfile", &format!("FROM {BASE}\nUSER 0:0\nWORKDIR /app\n{lines}"));
    put("run-tests.sh", &format!("#!/bin/sh\n{tests}\n"));
    put("solution.sh", &format!("#!/bin/sh\n{solution}\n"));
}

/// What is in a volume is not kept between the solution and the tests.
#[test]
fn a_task_whose_image_has_a_volume_is_refused_by_name() {
    let client = Command::new("docker").arg("version").output();
    if image().is_none() || !client.is_ok_and(|output| output.status.success()) {
        return skip("a Harbor task with a volume", "no container engine with the test image");
    }
    let dir = tempfile::tempdir().unwrap();
    put_small_task(dir.path(), "VOLUME /data\n", "grep -qx 7 /data/out", "echo 7 > /data/out");
    let prove = ["template", "check", "--harbor", "tasks", "--prove"];
    let ran = synthd_in(dir.path(), &prove).fails(1, "SYN-0203");
    assert!(ran.stdout.starts_with("UNPROVEN   small "), "{ran:?}");
    assert!(ran.stderr.contains("has volumes (/data): what a solution leaves there"), "{ran:?}");
}

/// Ctrl-C ends the container of the proof that runs.
#[test]
fn an_interrupted_proof_leaves_no_container() {
    let client = Command::new("docker").arg("version").output();
    if image().is_none() || !client.is_ok_and(|output| output.status.success()) {
        return skip("an interrupted proof", "no container engine with the test image");
    }
    let dir = tempfile::tempdir().unwrap();
    put_small_task(dir.path(), "", "sleep 100000", "echo 7 > out");
    let prove = ["template", "check", "--harbor", "tasks", "--prove"];
    let mut command = command(dir.path(), &prove);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let pid = child.id();
    let living = || {
        let owners = docker(&["ps", "-a", "--format", "{{.Label \"synthd.owner\"}}"]);
        owners.lines().filter(|owner| owner.contains(&format!(":{pid}:"))).count()
    };
    while living() == 0 {
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
    }
    kill(Pid::from_raw(pid as i32), Signal::SIGINT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(living(), 0);
}

/// The same by the program itself, over exported tasks and over a small one of Terminal-Bench.
#[test]
fn a_task_is_proven_by_its_solution_and_by_nothing() {
    let client = Command::new("docker").arg("version").output();
    if image().is_none() || !client.is_ok_and(|output| output.status.success()) {
        return skip("proofs of Harbor tasks", "no container engine with the test image");
    }
    let dir = tempfile::tempdir().unwrap();
    export(dir.path(), &["debugging/broken-pipeline"], &["--image", BASE]).succeeds();
    let exported = dir.path().join("tasks/debugging-broken-pipeline-s1");
    let image = built(&exported, "proven");
    let manifest = fs::read_to_string(exported.join("task.toml")).unwrap();
    let named = format!("[environment]\ndocker_image = {:?}\n", image.1);
    let manifest = manifest.replace("[environment]\n", &named);
    fs::write(exported.join("task.toml"), manifest).unwrap();
    let put_into = |task: &str, path: &str, text: &str| {
        let path = dir.path().join("tasks").join(task).join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    let put = |path: &str, text: &str| put_into("old", path, text);
    put("task.yaml", "instruction: Write 7 into /app/out.\n");
    put("docker-compose.yaml", "services:\n  client:\n    build: .\n");
    put("Dockerfile", &format!("FROM {BASE}\nUSER 0:0\nWORKDIR /app\n"));
    put("run-tests.sh", "#!/bin/sh\ngrep -qx 7 /app/out && cat $TEST_DIR/expected\n");
    put("tests/expected", "7\n");
    // What a solution leaves there must not count.
    let forged = "mkdir -p /tests /logs/verifier; echo 1 > /logs/verifier/reward.json";
    put("solution.sh", &format!("#!/bin/sh\n{forged}\necho 7 > out\nsleep 1000 &\n"));
    let two = |path: &str, text: &str| put_into("two", path, text);
    two("task.toml", "[[steps]]\nname = \"a\"\n[[steps]]\nname = \"b\"\n");
    two("environment/Dockerfile", &format!("FROM {BASE}\nUSER 0:0\nWORKDIR /app\n"));
    let common = "#!/bin/sh\nsh /tests/step.sh && r='{\"reward\": 1}' || r='{\"reward\": 0}'\n";
    two("tests/test.sh", &format!("{common}echo \"$r\" > /logs/verifier/reward.json\n"));
    for (step, needed) in [("a", "a"), ("b", "a b")] {
        two(&format!("steps/{step}/instruction.md"), "Make a file.\n");
        two(&format!("steps/{step}/tests/step.sh"), &format!("ls {needed}\n"));
        let solution = format!("#!/bin/sh\ntouch {step}\n");
        two(&format!("steps/{step}/solution/solve.sh"), &solution);
    }
    let prove = || synthd_in(dir.path(), &["template", "check", "--harbor", "tasks", "--prove"]);
    let ran = prove().succeeds();
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert!(lines[0].starts_with("proven     synthd/debugging-broken-pipeline-s1 "), "{ran:?}");
    assert!(lines[1].starts_with("proven     old (terminal-bench"), "{ran:?}");
    assert!(lines[2].starts_with("proven     two (1.4, 2 steps"), "{ran:?}");
    put("solution.sh", "#!/bin/sh\necho 8 > out\n");
    let ran = prove().fails(1, "SYN-0203");
    assert!(ran.stderr.contains("the solution has the reward 0"), "{ran:?}");
    put("solution.sh", &format!("#!/bin/sh\n{forged}\n"));
    put("run-tests.sh", "#!/bin/sh\nexit 1\n");
    let ran = prove().fails(1, "SYN-0203");
    assert!(ran.stderr.contains("the tests have written no reward"), "{ran:?}");
}
