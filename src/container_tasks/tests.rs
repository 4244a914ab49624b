//! Folders and rows of real files: which tasks they make, and what is refused.

use super::swe_report::TestReport;
use super::swe_row::SweRow;
use super::{FoundContainers, containers_at};
use arrow::array::{ArrayRef, ListBuilder, RecordBatch, StringArray, StringBuilder};
use parquet::arrow::ArrowWriter;
use serde_json::{Value, json};
use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;
use synthd_actors::model::{ContainerSource, Difficulty, JudgePlace, MoveAction};
use synthd_actors::task::{Catalog, ContainerTask};

/// A row that is right, as JSON.
fn whole() -> Value {
    json!({
        "instance_id": "demo__demo-1",
        "image_name": "demo:1",
        "problem_statement": "It adds wrongly.",
        "patch": "--- a/demo.py\n+++ b/demo.py\n@@ -1 +1 @@\n-x\n+y\n",
        "test_patch": "--- /dev/null\n+++ b/test_demo.py\n@@ -0,0 +1 @@\n+x\n",
        "FAIL_TO_PASS": "[\"test_demo.py::test_add\"]",
        "PASS_TO_PASS": ["test_demo.py::test_zero"],
        "repo": "demo/demo",
        "license": "MIT",
    })
}

/// The same as a row.
pub(super) fn row() -> SweRow {
    SweRow::read(whole().as_object().unwrap()).unwrap()
}

/// What is wrong with the row when a field has another value.
fn problems(field: &str, value: Value) -> Vec<String> {
    let mut changed = whole();
    changed[field] = value;
    SweRow::read(changed.as_object().unwrap()).unwrap_err()
}

#[test]
fn a_row_is_read_with_its_defaults() {
    let row = row();
    assert_eq!((row.directory.as_str(), row.command.as_deref()), ("/testbed", None));
    assert_eq!(row.fail_to_pass, ["test_demo.py::test_add"]);
    assert_eq!(row.pass_to_pass, ["test_demo.py::test_zero"]);
    assert_eq!(row.tested_files(), ["test_demo.py"]);
    let mut other = row.clone();
    other.problem.push('!');
    assert_ne!(row.digest(), other.digest());
}

#[test]
fn everything_that_is_wrong_with_a_row_is_told() {
    assert_eq!(problems("image_name", Value::Null), ["image_name: is missing"]);
    assert_eq!(problems("instance_id", json!(7)), ["instance_id: is no text, but a number"]);
    assert_eq!(problems("PASS_TO_PASS", json!("no")), ["PASS_TO_PASS: is no list of tests"]);
    let none = problems("FAIL_TO_PASS", json!([]));
    assert_eq!(none, ["FAIL_TO_PASS: no test tells whether the problem is solved"]);
    let relative = problems("working_dir", json!("app"));
    assert_eq!(relative, ["working_dir: \"app\" is no absolute path"]);
    assert_eq!(problems("patch", json!("words")).len(), 1);
    assert_eq!(problems("base_commit", json!("main; rm -rf /")).len(), 1);
    let both = SweRow::read(json!({"instance_id": "a"}).as_object().unwrap()).unwrap_err();
    assert!(both.len() >= 6, "{both:?}");
}

fn at(source: ContainerSource, path: &Path) -> Result<FoundContainers, String> {
    containers_at(source, path, Path::new("given"))
}

fn ids(found: &FoundContainers) -> Vec<&str> {
    found.tasks.iter().map(|task| task.task.template.as_str()).collect()
}

#[test]
fn each_line_is_a_task_or_is_refused_with_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("rows.jsonl");
    let other = json!({"instance_id": "b"});
    fs::write(&path, format!("{}\n\n{{\n{other}\n[1]\n", whole())).unwrap();
    let found = at(ContainerSource::Swe, &path).unwrap();
    assert_eq!(ids(&found), ["swe/demo__demo-1"]);
    let places: Vec<&str> = found.refused.iter().map(|(place, _)| place.as_str()).collect();
    assert_eq!(places, ["given, line 3", "given, line 4", "given, line 5"]);
    assert!(found.refused[1].1.contains("image_name: is missing"), "{:?}", found.refused);
    let task = &found.tasks[0].task;
    let container = task.container.as_ref().unwrap();
    assert_eq!((container.image.as_str(), container.licence.as_deref()), ("demo:1", Some("MIT")));
    assert_eq!(container.site.directory.as_deref(), Some("/testbed"));
    assert_eq!(task.verification.judge, JudgePlace::Container);
    assert!(task.instruction.contains(&task.canary), "{}", task.instruction);
    assert!(task.id.as_str().starts_with("swe/demo__demo-1@"), "{}", task.id);
    fs::write(&path, "").unwrap();
    assert_eq!(at(ContainerSource::Swe, &path).unwrap_err(), "given has no row");
    let odd = dir.path().join("rows.csv");
    fs::write(&odd, "a,b\n").unwrap();
    assert!(at(ContainerSource::Swe, &odd).unwrap_err().contains("neither the ending"));
}

/// The same row as Parquet, with lists as lists.
#[test]
fn rows_of_parquet_are_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("rows.parquet");
    let row = whole();
    let text = |name: &str| -> ArrayRef { Arc::new(StringArray::from(vec![row[name].as_str()])) };
    let mut list = ListBuilder::new(StringBuilder::new());
    list.values().append_value("test_demo.py::test_zero");
    list.append(true);
    let texts = row.as_object().unwrap().keys().filter(|name| *name != "PASS_TO_PASS");
    let mut columns: Vec<(&str, ArrayRef)> =
        texts.map(|name| (name.as_str(), text(name))).collect();
    columns.push(("PASS_TO_PASS", Arc::new(list.finish())));
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut writer =
        ArrowWriter::try_new(File::create(&path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let found = at(ContainerSource::Swe, &path).unwrap();
    assert!(found.refused.is_empty(), "{:?}", found.refused);
    let lines = dir.path().join("rows.jsonl");
    fs::write(&lines, whole().to_string()).unwrap();
    let same = at(ContainerSource::Swe, &lines).unwrap();
    assert_eq!(found.tasks[0].task.id, same.tasks[0].task.id);
    fs::write(&path, b"PAR1 and nothing more").unwrap();
    assert!(at(ContainerSource::Swe, &path).is_err());
}

/// Lays a Harbor task with this manifest.
fn lay(folder: &Path, manifest: &str) {
    for (path, text) in [
        ("task.toml", manifest),
        ("instruction.md", "Write 7 into out.\n"),
        ("environment/Dockerfile", "FROM debian:bookworm-slim\nWORKDIR /app\n"),
        ("tests/test.sh", "#!/bin/sh\n"),
        ("solution/solve.sh", "#!/bin/sh\necho 7 > out\n"),
    ] {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

const MANIFEST: &str = "[task]\nname = \"org/seven\"\nauthors = [{ name = \"A. Uthor\" }]\n\
                        [metadata]\nlicense = \"MIT\"\ndifficulty = \"easy\"\n\
                        [agent]\ntimeout_sec = 60\n[environment]\nmemory_mb = 64\n";

#[test]
fn folders_below_a_path_are_tasks_or_are_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    lay(&dir.path().join("a/deep/seven"), MANIFEST);
    lay(&dir.path().join("b"), "[environment]\ngpus = 1\n");
    let found = at(ContainerSource::Harbor, dir.path()).unwrap();
    assert_eq!(ids(&found), ["harbor/org/seven"]);
    assert_eq!(found.refused.len(), 1);
    let (place, why) = &found.refused[0];
    assert_eq!(place, "given/b");
    assert!(why.starts_with("SYN-0212: task.toml: environment.gpus"), "{why}");
    let task = &found.tasks[0].task;
    assert_eq!(task.difficulty, Difficulty::Easy);
    assert_eq!(task.resources.time.map(|time| time.as_secs()), Some(60));
    let container = task.container.as_ref().unwrap();
    assert_eq!((container.licence.as_deref(), container.memory_bytes), (Some("MIT"), 64 << 20));
    assert_eq!(container.authors, ["A. Uthor"]);
    assert!(container.image.starts_with("synthd/harbor-task:"), "{}", container.image);
    let last = task.solution.last().map(|last| &last.action);
    assert!(matches!(last, Some(MoveAction::Run(line)) if line.ends_with("/solve.sh\"")));
    assert!(at(ContainerSource::Harbor, &dir.path().join("a/nothing")).is_err());
}

#[test]
fn a_task_with_steps_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    lay(dir.path(), "[[steps]]\nname = \"a\"\n[[steps]]\nname = \"b\"\n");
    for step in ["a", "b"] {
        let folder = dir.path().join("steps").join(step);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("instruction.md"), "Do it.\n").unwrap();
    }
    let found = at(ContainerSource::Harbor, dir.path()).unwrap();
    assert!(found.refused[0].1.contains("it has 2 steps"), "{:?}", found.refused);
}

/// The same folder makes the same task everywhere; a changed test makes another one.
#[test]
fn a_task_is_known_by_the_digest_of_its_folder() {
    let id = |change: &dyn Fn(&Path)| {
        let dir = tempfile::tempdir().unwrap();
        lay(dir.path(), MANIFEST);
        change(dir.path());
        at(ContainerSource::Harbor, dir.path()).unwrap().tasks[0].task.id.clone()
    };
    let same = id(&|_| {});
    assert_eq!(same, id(&|_| {}));
    assert_ne!(
        same,
        id(&|folder| fs::write(folder.join("tests/test.sh"), "#!/bin/bash\n").unwrap())
    );
}

#[test]
fn a_catalog_has_each_task_once() {
    let dir = tempfile::tempdir().unwrap();
    lay(&dir.path().join("a"), MANIFEST);
    lay(&dir.path().join("b"), MANIFEST);
    let found = at(ContainerSource::Harbor, dir.path()).unwrap();
    assert_eq!(found.tasks.len(), 2);
    let tasks: Vec<ContainerTask> = found.tasks;
    let catalog = Catalog::of_containers(tasks, found.refused);
    assert_eq!(catalog.ids().collect::<Vec<_>>(), ["harbor/org/seven"]);
    assert_eq!(catalog.refused().count(), 1);
    let template = catalog.get("harbor/org/seven").unwrap();
    assert_eq!((template.at_most(5), template.judge()), (1, JudgePlace::Container));
    let (one, other) = (template.task(1, 0).unwrap(), template.task(2, 0).unwrap());
    assert_eq!(one, other, "no seed changes it");
    let selected = catalog.select(&["harbor/**".to_owned()], &[]);
    assert_eq!(selected.len(), 1);
}

#[test]
fn the_lines_of_pytest_and_unittest_are_understood() {
    let report = TestReport::read(
        "\u{1b}[32mPASSED\u{1b}[0m t.py::a\n\
         FAILED t.py::b - assert 1 == 2\n\
         ERROR t.py::c\n\
         t.py::d[x y] PASSED   [ 50%]\n\
         t.py::e FAILED\n\
         SKIPPED [1] t.py:3: why\n\
         test_f (pkg.mod.Case) ... ok\n\
         test_g (pkg.mod.Case) ... FAIL\n\
         test_h (pkg.mod.Case)\n\
         It says what it does. ... ok\n\
         test_i (pkg.mod.Case) ... skipped 'why'\n",
    );
    for test in ["t.py::a", "t.py::d[x y]", "test_f (pkg.mod.Case)", "test_h (pkg.mod.Case)"] {
        assert!(report.passed(test), "{test}");
    }
    let failed =
        ["t.py::b", "t.py::c", "t.py::e", "test_g (pkg.mod.Case)", "test_i (pkg.mod.Case)"];
    for test in failed.into_iter().chain(["t.py::z"]) {
        assert!(!report.passed(test), "{test}");
    }
}

/// A program of the agent prints what it likes.
#[test]
fn what_failed_anywhere_has_failed() {
    let report = TestReport::read("PASSED t.py::a\nFAILED t.py::a - no\nPASSED t.py::a\n");
    assert!(!report.passed("t.py::a"));
}

/// A reason may look like a part of a name, and a name like one with a reason.
#[test]
fn where_the_name_of_a_failed_test_ends_does_not_matter() {
    let failed = ["t.py::a[1 - 2]", "t.py::b", "t.py::c", "t.py::d"];
    let mut printed = "FAILED t.py::a[1 - 2] - assert 1 - 2\n\
                       FAILED t.py::b - ValueError: x PASSED y\n\
                       ERROR t.py::c - \n\
                       FAILED t.py::d\n"
        .to_owned();
    for test in failed.into_iter().chain(["t.py::a[1 - 3]", "t.py::bb"]) {
        printed.push_str(&format!("PASSED {test}\n"));
    }
    let report = TestReport::read(&printed);
    for test in failed {
        assert!(!report.passed(test), "{test}");
    }
    assert!(report.passed("t.py::a[1 - 3]") && report.passed("t.py::bb"));
}

/// A removed line `-- a/x` looks like the head of a file.
#[test]
fn lines_of_hunks_name_no_files() {
    let mut row = row();
    row.test_patch = "diff --git a/one.sql b/one.sql\n--- a/one.sql\n+++ b/one.sql\n\
                      @@ -1,2 +1,2 @@ top\n--- a/lost.py\n+++ b/made.py\n same\n\
                      diff --git a/two.py b/two.py\n--- a/two.py\n+++ /dev/null\n\
                      @@ -1 +0,0 @@\n-x\n\\ No newline at end of file\n\
                      --- a/three.py\n+++ b/three.py\n@@ -1 +1 @@\n-x\n+y\n"
        .to_owned();
    assert_eq!(row.tested_files(), ["one.sql", "two.py", "three.py"]);
}
