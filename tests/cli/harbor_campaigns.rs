//! Campaigns over task folders of Harbor and over rows like those of SWE-bench, with the real binary and a
//! real container engine.

use super::harness::{Ran, synthd_in};
use crate::sandbox::{BASE, image};
use crate::support::skip;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::Command;

/// Whether there is an engine with the image of the tests.
fn has_engine() -> bool {
    let client = Command::new("docker").arg("version").output();
    image().is_some() && client.is_ok_and(|output| output.status.success())
}

fn put(dir: &Path, path: &str, text: &str) {
    let path = dir.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// Lays a Harbor task that is solved by a seven in two files. One of them is outside of its directory.
fn lay_task(dir: &Path, name: &str, solution: &str) {
    let put = |path: &str, text: &str| put(dir, &format!("tasks/{name}/{path}"), text);
    put("task.toml", "[metadata]\nlicense = \"MIT\"\nauthor_name = \"A. Uthor\"\n");
    put("instruction.md", "Write 7 into out and into /root/also.\n");
    put("environment/Dockerfile", &format!("FROM {BASE}\nUSER 0:0\nWORKDIR /app\n"));
    let tests = "grep -qx 7 /app/out && grep -qx 7 /root/also && ! test -e /tests/forged";
    let reward = "&& echo 1 > /logs/verifier/reward.txt || echo 0 > /logs/verifier/reward.txt";
    put("tests/test.sh", &format!("#!/bin/sh\n{tests} {reward}\n"));
    put("solution/solve.sh", &format!("#!/bin/sh\n{solution}\n"));
}

/// What the solution leaves in the directory of the tests and running must not count.
const SOLUTION: &str = "mkdir -p /tests; touch /tests/forged; sleep 1000 &\n\
                        echo 7 > out; . \"$(dirname \"$0\")/also.sh\"";

/// Writes a campaign over these lines of `[tasks]`.
fn write_campaign(dir: &Path, tasks: &str, sandbox: &str) {
    let text = format!(
        "[campaign]\nname = \"boxes\"\nseed = 7\n[tasks]\n{tasks}\n\
         [[models]]\nname = \"scripted/oracle\"\n[[models]]\nname = \"scripted/give-up\"\n\
         [sandbox]\n{sandbox}\n[episode]\nmax_turns = 20\n[dataset]\nlicence = \"apache-2.0\"\n"
    );
    fs::write(dir.join("campaign.toml"), text).unwrap();
}

fn contained() -> String {
    format!("backend = \"docker\"\nimage = \"{BASE}\"")
}

fn run(dir: &Path) -> Ran {
    synthd_in(dir, &["run", "campaign.toml", "--data-dir", "data", "--json"])
}

/// The model, the template and the outcome of each episode, sorted.
fn outcomes(dir: &Path) -> Vec<String> {
    let ran = synthd_in(dir, &["episode", "list", "--json", "--data-dir", "data"]).succeeds();
    let document = ran.document();
    let text = |episode: &Value, key: &str| episode[key].as_str().unwrap_or_default().to_owned();
    let told = |episode: &Value| {
        format!(
            "{} {} {}",
            text(episode, "template"),
            text(episode, "model"),
            text(episode, "outcome")
        )
    };
    let mut all: Vec<String> = document["episodes"].as_array().unwrap().iter().map(told).collect();
    all.sort();
    all
}

#[test]
fn folders_run_as_a_campaign_and_are_judged_in_fresh_containers() {
    if !has_engine() {
        return skip("campaigns over Harbor tasks", "no container engine with the test image");
    }
    let dir = tempfile::tempdir().unwrap();
    lay_task(dir.path(), "deep/seven", SOLUTION);
    put(dir.path(), "tasks/deep/seven/solution/also.sh", "echo 7 > /root/also\n");
    lay_task(dir.path(), "unproven", "echo 8 > out");
    lay_task(dir.path(), "gpu", "true");
    put(dir.path(), "tasks/gpu/task.toml", "[environment]\ngpus = 1\n");
    write_campaign(dir.path(), "harbor = [\"tasks\"]", &contained());
    let ran = run(dir.path()).succeeds();
    let done = ran.document();
    assert_eq!(done["episodes"]["resolved"], 1, "{ran:#?}");
    assert_eq!(done["episodes"]["unresolved"], 1, "{ran:#?}");
    let told = outcomes(dir.path());
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].starts_with("harbor/seven scripted/give-up unresolved"), "{told:?}");
    assert!(told[1].starts_with("harbor/seven scripted/oracle resolved"), "{told:?}");
    // Two folders were tried, and what was found is remembered.
    let proofs = fs::read_dir(dir.path().join("data/container-proofs")).unwrap();
    let mut found: Vec<String> =
        proofs.map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap()).collect();
    found.sort();
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].contains("the solution has the reward 0"), "{found:?}");
    assert_eq!(found[1], "[]");
    // A second run has nothing to do, and proves nothing again.
    run(dir.path()).succeeds();
    // A changed folder is another task.
    lay_task(dir.path(), "deep/seven", &format!("{SOLUTION}\n# changed"));
    run(dir.path()).fails(2, "SYN-0108");
}

/// What was said to people, without its line breaks.
fn said(ran: &Ran) -> String {
    ran.stderr.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The campaign file has this mistake.
#[track_caller]
fn mistaken(ran: &Ran, what: &str) {
    assert_eq!(ran.code, Some(2), "{ran:#?}");
    let said = said(ran);
    assert!(said.contains("error[SYN-0102]") && said.contains(what), "{said}");
}

#[test]
fn what_cannot_be_used_is_named_before_anything_runs() {
    let dir = tempfile::tempdir().unwrap();
    lay_task(dir.path(), "seven", "true");
    lay_task(dir.path(), "gpu", "true");
    put(dir.path(), "tasks/gpu/task.toml", "[environment]\ngpus = 1\n");
    write_campaign(dir.path(), "harbor = [\"tasks\"]", &contained());
    let check = || synthd_in(dir.path(), &["check", "campaign.toml", "--file-only"]);
    let ran = check().succeeds();
    assert!(ran.stdout.contains("1 template, 1 task, 2 models"), "{ran:#?}");
    let named = "skipping tasks/gpu: SYN-0212: task.toml: environment.gpus";
    assert!(said(&ran).contains(named), "{ran:#?}");
    // Without containers.
    write_campaign(dir.path(), "harbor = [\"tasks\"]", "backend = \"namespace\"");
    check().fails(2, "SYN-0214");
    // Nothing is left.
    fs::remove_dir_all(dir.path().join("tasks/seven")).unwrap();
    write_campaign(dir.path(), "harbor = [\"tasks\"]", &contained());
    let ran = check().fails(2, "SYN-0215");
    assert!(said(&ran).contains("tasks/gpu: SYN-0212"), "{ran:#?}");
    // A path that is not there is a mistake of the file.
    write_campaign(dir.path(), "harbor = [\"nothing\"]", &contained());
    mistaken(&check(), "nothing: No such file or directory");
    // Fixed tasks are not drawn.
    let drawn = "harbor = [\"tasks\"]\ndraw = \"shares\"\ncount = 3";
    write_campaign(dir.path(), drawn, &contained());
    mistaken(&check(), "the tasks of `harbor` are fixed and cannot be drawn");
}

/// An image with a small repository. It is removed at the end of the test.
struct RepositoryImage(String);

impl RepositoryImage {
    fn build(dir: &Path) -> Self {
        let commit = "git -c user.name=a -c user.email=a@b.example commit -qm begin";
        let lines = format!(
            "FROM {BASE}\nUSER 0:0\nWORKDIR /testbed\nCOPY calc.py .\n\
             RUN git init -q . && git add . && {commit}\n"
        );
        put(dir, "image/Dockerfile", &lines);
        put(dir, "image/calc.py", "def add(a, b):\n    return a - b\n");
        let name = format!("synthd-test/swe-{}", std::process::id());
        let context = dir.join("image");
        let mut build = Command::new("docker");
        build.args(["build", "-q", "--network", "none", "-t", &name]).arg(context);
        let built = build.output().unwrap();
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        Self(name)
    }
}

impl Drop for RepositoryImage {
    fn drop(&mut self) {
        Command::new("docker").args(["rmi", "-f", &self.0]).output().ok();
    }
}

/// A row whose patch mends the sum. Its tests print what pytest prints.
fn row(image: &str) -> Value {
    let patch = "--- a/calc.py\n+++ b/calc.py\n@@ -1,2 +1,2 @@\n def add(a, b):\n\
                 -    return a - b\n+    return a + b\n";
    let lines = [
        "from calc import add",
        "told = {True: 'PASSED', False: 'FAILED'}",
        "print(told[add(1, 2) == 3], 'test_calc.py::test_add')",
        "print(told[add(2, 0) == 2], 'test_calc.py::test_zero')",
    ];
    let added: String = lines.iter().map(|line| format!("+{line}\n")).collect();
    let test = format!("--- /dev/null\n+++ b/test_calc.py\n@@ -0,0 +1,{} @@\n{added}", lines.len());
    json!({
        "instance_id": "demo__calc-1",
        "image_name": image,
        "problem_statement": "add subtracts.",
        "patch": patch,
        "test_patch": test,
        "test_cmd": "python3 test_calc.py",
        "FAIL_TO_PASS": ["test_calc.py::test_add"],
        "PASS_TO_PASS": ["test_calc.py::test_zero"],
    })
}

#[test]
fn rows_run_as_a_campaign_and_all_named_tests_must_pass() {
    if !has_engine() {
        return skip("campaigns over rows", "no container engine with the test image");
    }
    let dir = tempfile::tempdir().unwrap();
    let image = RepositoryImage::build(dir.path());
    let good = row(&image.0);
    let mut idle = good.clone();
    idle["instance_id"] = json!("demo__idle-1");
    // Passes before the patch as well, so it tells nothing.
    idle["FAIL_TO_PASS"] = json!(["test_calc.py::test_zero"]);
    idle["PASS_TO_PASS"] = json!([]);
    let mut lame = good.clone();
    lame["patch"] = Value::Null;
    put(dir.path(), "rows.jsonl", &format!("{good}\n{idle}\n{lame}\n"));
    write_campaign(dir.path(), "swe = [\"rows.jsonl\"]", &contained());
    let ran = run(dir.path()).succeeds();
    let done = ran.document();
    assert_eq!(done["episodes"]["resolved"], 1, "{ran:#?}");
    assert_eq!(done["episodes"]["unresolved"], 1, "{ran:#?}");
    let told = outcomes(dir.path());
    assert!(told.iter().all(|one| one.starts_with("swe/demo__calc-1 ")), "{told:?}");
    let checked = synthd_in(dir.path(), &["check", "campaign.toml", "--file-only"]).succeeds();
    let named = "skipping rows.jsonl, line 3: patch: is missing";
    assert!(said(&checked).contains(named), "{checked:#?}");
}
