//! `synthd pack` with a project that is not in Python: a program of the shell, whose tests are cases.

use super::harness::synthd_in;
use crate::support::skip;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::Command;

const TOOL: &str = r#"#!/bin/sh
# Counts and compares numbers: tool.sh COMMAND NUMBER...

# Prints the sum of the numbers that are not negative, and how many they are.
total() {
    sum=0
    count=0
    for n in "$@"; do
        if [ "$n" -lt 0 ]; then
            continue
        fi
        sum=$((sum + n))
        count=$((count + 1))
    done
    echo "the sum of $count numbers is $sum"
}

# Prints the largest number. Without numbers, it fails with 4.
largest() {
    if [ $# -eq 0 ]; then
        echo "there is no number"
        return 4
    fi
    most=$1
    for n in "$@"; do
        if [ "$n" -gt "$most" ]; then
            most=$n
        fi
    done
    echo "the largest number is $most"
}

case "$1" in
    total) shift; total "$@" ;;
    largest) shift; largest "$@" ;;
    *) echo "usage: tool.sh total|largest NUMBER..."; exit 2 ;;
esac
"#;

/// The cases: name, arguments, output, exit code. The last one is wrong.
const CASES: [(&str, &[&str], &str, u8); 12] = [
    ("total-two", &["total", "1", "2"], "the sum of 2 numbers is 3\n", 0),
    ("total-none", &["total"], "the sum of 0 numbers is 0\n", 0),
    ("total-negative", &["total", "5", "-7"], "the sum of 1 numbers is 5\n", 0),
    ("total-zero", &["total", "0", "4", "-1"], "the sum of 2 numbers is 4\n", 0),
    ("largest-one", &["largest", "3"], "the largest number is 3\n", 0),
    ("largest-last", &["largest", "3", "8"], "the largest number is 8\n", 0),
    ("largest-first", &["largest", "9", "2", "4"], "the largest number is 9\n", 0),
    ("largest-none", &["largest"], "there is no number\n", 4),
    ("usage", &["sum", "1"], "usage: tool.sh total|largest NUMBER...\n", 2),
    ("nothing", &[], "usage: tool.sh total|largest NUMBER...\n", 2),
    ("empty", &[""], "usage: tool.sh total|largest NUMBER...\n", 2),
    ("wrong", &["total", "1"], "the sum is 1\n", 0),
];

const ADD: [&str; 17] = [
    "pack",
    "add",
    "project",
    "--name",
    "counts",
    "--version",
    "1",
    "--licence",
    "MIT",
    "--language",
    "shell",
    "--run",
    "sh tool.sh",
    "--requires",
    "sh",
    "--source",
    "tool.sh",
];

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// Writes the project below a directory.
fn project(dir: &Path) {
    write(&dir.join("tool.sh"), TOOL);
    write(&dir.join("README.md"), "# counts\n\nNumbers, counted and compared.\n");
    write(&dir.join("NEWS"), "nothing\n");
    for (name, args, out, status) in CASES {
        let case = dir.join("tests/cases").join(name);
        write(&case.join("out"), out);
        if !args.is_empty() {
            let lines: String = args.iter().map(|arg| format!("{arg}\n")).collect();
            write(&case.join("cmd"), &lines);
        }
        if status != 0 {
            write(&case.join("status"), &format!("{status}\n"));
        }
    }
}

fn document(dir: &Path, args: &[&str]) -> Value {
    synthd_in(dir, args).succeeds().document()
}

/// What the script of the project says of cases, and whether all are right.
fn run_cases(project: &Path, names: &[&str]) -> (String, bool) {
    let output = Command::new("sh").arg(project.join("tests/run")).args(names).output().unwrap();
    (String::from_utf8(output.stdout).unwrap(), output.status.success())
}

#[test]
fn a_project_without_a_command_or_without_cases_is_no_pack() {
    let dir = tempfile::tempdir().unwrap();
    project(&dir.path().join("project"));
    let mut without: Vec<&str> = ADD.to_vec();
    without.retain(|word| !["--run", "sh tool.sh"].contains(word));
    let ran = synthd_in(dir.path(), &without).fails(2, "SYN-0221");
    assert!(ran.stderr.contains("`run` has the command"), "{}", ran.stderr);
    let status = dir.path().join("project/tests/cases/usage/status");
    write(&status, "two\n");
    let ran = synthd_in(dir.path(), &ADD).fails(2, "SYN-0221");
    assert!(ran.stderr.contains("project/tests/cases/usage/status"), "{}", ran.stderr);
    let language = [&ADD[..10], &["perl"], &ADD[11..]].concat();
    let ran = synthd_in(dir.path(), &language);
    assert!(ran.code == Some(2) && ran.stderr.contains("typescript"), "{ran:?}");
    assert!(!dir.path().join("packs").exists(), "nothing is written");
}

/// The whole way: from a project to tasks that are proven.
#[test]
fn a_project_of_cases_is_added_mined_checked_and_used() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    project(&dir.join("project"));
    let added = synthd_in(dir, &[&ADD[..], &["--json"]].concat());
    if added.code == Some(6) {
        return skip("packs of cases", "no sandbox can run here");
    }
    let added = added.succeeds().document();
    assert_eq!(added["tests"], 11);
    let why = added["deselected"]["wrong"].as_str().unwrap();
    assert!(why.starts_with("is wrong: line 1 of what it prints is `the sum of 1"), "{why}");
    let pack = dir.join("packs/counts");
    assert!(!pack.join("project/NEWS").exists(), "only what a task needs is kept");

    let (said, is_right) = run_cases(&pack.join("project"), &["total-two", "empty", "nothing"]);
    assert_eq!(
        (said.as_str(), is_right),
        ("ok total-two\nok empty\nok nothing\nall 3 cases are right\n", true)
    );
    let (said, is_right) = run_cases(&pack.join("project"), &["wrong"]);
    assert!(said.contains("FAIL wrong") && said.contains("-the sum is 1") && !is_right, "{said}");

    let mined = document(dir, &["pack", "mine", "packs/counts", "--groups", "40", "--json"]);
    let counts = &mined["mined"]["counts"];
    assert_eq!(counts["stub"], 2, "{mined}");
    assert!(counts["fault"].as_u64().unwrap() >= 10, "{mined}");
    assert!(counts["group"].as_u64().unwrap() >= 1, "{mined}");
    let check = ["pack", "check", "counts", "--packs", "packs", "--json"];
    let report = document(dir, &check);
    assert_eq!(report["entries"]["differing"], json!([]));
    assert!(report["entries"]["checked"].as_u64().unwrap() >= 12, "{report}");
    assert_eq!(report["problems"], json!([]));

    let list = document(dir, &["pack", "list", "--packs", "packs", "--json"]);
    let listed = list.as_array().unwrap().iter().find(|pack| pack["name"] == "counts").unwrap();
    assert_eq!((&listed["language"], &listed["tests"]), (&json!("shell"), &json!(11)));
}

/// The sealed check of tasks from such packs, over answers that a judged side might give.
#[test]
fn the_check_of_cases_believes_only_results() {
    check_is_right("check_cases.py");
}

/// The check of tasks with a history, over repositories that an agent might leave.
#[test]
fn the_check_of_commits_takes_sources_alone() {
    if Command::new("git").arg("--version").output().is_err() {
        return skip("the check of commits", "no git");
    }
    check_is_right("check_committed.py");
}

/// The check of cases that an agent wrote.
#[test]
fn the_check_of_written_cases_takes_only_what_the_program_does() {
    check_is_right("check_written_cases.py");
}

/// The check of tasks in which what runs the cases is broken.
#[test]
fn the_check_of_broken_surroundings_compares_with_those_that_work() {
    check_is_right("check_case_environment.py");
}

/// A template has only files of its own folder, so one has a copy of what the packs' judge of tests looks with.
#[test]
fn copies_of_code_are_looked_for_in_one_way() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| std::fs::read_to_string(root.join(path)).unwrap();
    let copy = read("templates/testing/mutation-killing-tests/sealed/copied_code.py");
    assert_eq!(copy, read("actors/pack/sealed/copied_code.py"));
}

/// Runs a test of the sealed programs, which is in Python.
fn check_is_right(script: &str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = std::env::var_os("SYNTHD_TEST_PYTHON").unwrap_or_else(|| "python3".into());
    let mut command = Command::new(python);
    command.arg(root.join("tests/python").join(script)).arg(root.join("actors/pack/sealed"));
    command.arg(root.join("actors/pack/environment"));
    let Ok(output) = command.output() else { return skip("the check of cases", "no python3") };
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        said.contains("the check is right"),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
