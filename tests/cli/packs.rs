//! `synthd pack`: the shipped packs, and one's own from a project to a proven task.

use super::harness::{Ran, synthd, synthd_in};
use std::fs;
use std::path::Path;
use std::process::Command;

/// A project with two functions, tests that are inherited, and a test that is not the same every time.
fn project(dir: &Path) {
    let write = |path: &str, text: &str| {
        let path = dir.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("toy/__init__.py", TOY);
    write("tests/__init__.py", "");
    write("tests/test_toy.py", TESTS);
    write("tests/test_more.py", "import no_such_module\n");
    write("README.md", "# toy\n\nNumbers and words.\n");
    write("LICENSE", "Do what you like.\n");
    write("CHANGES", "clamp was wrong once\n");
}

const TOY: &str = r#""""A toy."""


def clamp(value, low, high):
    """The value, but not below `low` and not above `high`."""
    if value < low:
        return low
    if value > high:
        return high
    return value


def initials(words):
    """The first letters of words, in capitals. Empty words have none."""
    letters = ""
    for word in words:
        if word:
            letters += word[0].upper()
    return letters
"#;

const TESTS: &str = r#"import os
import unittest

from toy import clamp, initials


class Clamp(unittest.TestCase):
    def test_inside(self):
        self.assertEqual(clamp(3, 1, 5), 3)

    def test_below(self):
        self.assertEqual(clamp(-3, 1, 5), 1)

    def test_far_below(self):
        self.assertEqual(clamp(-9, 2, 5), 2)

    def test_above(self):
        self.assertEqual(clamp(9, 1, 5), 5)


class Initials(unittest.TestCase):
    def test_words(self):
        self.assertEqual(initials(["ab", "c"]), "AC")

    def test_empty_words(self):
        self.assertEqual(initials(["", "x", ""]), "X")

    def test_none(self):
        self.assertEqual(initials([]), "")


class Again(Initials):
    def test_again(self):
        self.assertEqual(initials(["q"]), "Q")


class Odd(unittest.TestCase):
    def test_chance(self):
        self.assertNotEqual(os.environ.get("PYTHONHASHSEED"), "1")

    def test_network(self):
        self.fail("there is none")
"#;

const ADD: [&str; 9] =
    ["pack", "add", "project", "--name", "toy", "--version", "1", "--licence", "MIT"];

fn document(dir: &Path, args: &[&str]) -> serde_json::Value {
    synthd_in(dir, args).succeeds().document()
}

/// The names of the packs in a directory.
fn listed(dir: &Path, more: &[&str]) -> Vec<String> {
    let all = document(dir, &[&["pack", "list", "--json"], more].concat());
    let names = all.as_array().unwrap().iter();
    names.map(|pack| pack["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_shipped_packs_are_listed_with_their_entries() {
    let ran = synthd(&["pack", "list"]).succeeds();
    assert!(ran.stdout.contains("tabq@1.0.0") && ran.stdout.contains("MIT"), "{}", ran.stdout);
    let all = synthd(&["pack", "list", "--json"]).succeeds().document();
    let tabq = all.as_array().unwrap().iter().find(|pack| pack["name"] == "tabq").unwrap();
    for key in ["tests", "faults", "stubs", "twins", "fault_groups", "stub_groups", "inlines"] {
        assert!(tabq[key].as_u64().unwrap() > 10, "{key}: {tabq}");
    }
}

#[test]
fn a_template_from_a_pack_makes_other_tasks_for_other_seeds() {
    let render = |seed: &str| -> Ran {
        let args =
            ["template", "render", "debugging/query-engine-faults", "--json", "--seed", seed];
        synthd(&args).succeeds()
    };
    let (one, two) = (render("1").document(), render("2").document());
    assert_eq!(one, render("1").document());
    assert_ne!(one["faults"], two["faults"]);
    assert_eq!(one["pack"]["name"], "tabq");
    assert_eq!(one["pack"]["licence"], "MIT OR Apache-2.0");
}

#[test]
fn a_project_without_tests_is_no_pack() {
    let dir = tempfile::tempdir().unwrap();
    project(&dir.path().join("project"));
    fs::remove_dir_all(dir.path().join("project/tests")).unwrap();
    let ran = synthd_in(dir.path(), &ADD).fails(2, "SYN-0221");
    assert!(
        ran.stderr.contains("no tests were found") && ran.stderr.contains("--tests"),
        "{ran:?}"
    );
    assert!(!dir.path().join("packs").exists(), "nothing is written");
}

#[test]
fn what_is_no_pack_or_no_project_is_said() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("project"), "no archive").unwrap();
    synthd_in(dir.path(), &ADD).fails(2, "SYN-0221");
    synthd_in(dir.path(), &["pack", "mine", "."]).fails(2, "SYN-0221");
    let unknown = synthd(&["pack", "check", "no-such-pack"]).fails(2, "SYN-0221");
    assert!(unknown.stderr.contains("synthd pack list"), "{}", unknown.stderr);
}

/// What a twin expects does not tell which value is the right one, and follows from the test's name.
/// What is deselected never runs, and modules that cannot be imported are left out. A test that is slow
/// under a trace does not end the mining. A candidate costs no more tests and modules than it needs.
#[test]
fn the_miner_makes_twins_and_a_baseline() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let dir = tempfile::tempdir().unwrap();
    let mut command = Command::new("python3");
    command.arg(root.join("tests/python/check_miner.py")).arg(root.join("src/packs/miner.py"));
    let output = command.current_dir(dir.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// The whole way: from a project to tasks that are proven, and to a template of one's own.
#[test]
fn a_project_is_added_mined_checked_and_used() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    project(&dir.join("project"));
    let added = document(dir, &[&ADD[..], &["--json"]].concat());
    assert_eq!(added["tests"], 11, "three are inherited");
    let left_out = &added["deselected"];
    assert!(left_out["tests.test_toy.Odd.test_chance"].as_str().unwrap().contains("flaky"));
    assert_eq!(left_out["tests.test_toy.Odd.test_network"], "fails");
    assert_eq!(left_out["tests.test_more"], "cannot be imported");
    assert!(!dir.join("packs/toy/project/tests/test_more.py").exists());
    assert!(!dir.join("packs/toy/project/CHANGES").exists(), "only what a task needs is kept");
    let notices = fs::read_to_string(dir.join("packs/toy/notices")).unwrap();
    assert!(notices.contains("Do what you like."), "{notices}");
    synthd_in(dir, &ADD).fails(2, "SYN-0105");

    document(dir, &["pack", "mine", "packs/toy", "--groups", "24", "--json"]);
    let names = fs::read_to_string(dir.join("packs/toy/names.jsonl")).unwrap();
    for name in ["\"letters\", \"kind\": \"local\"", "\"test_far_below\", \"kind\": \"test\""] {
        assert!(names.contains(name), "{names}");
    }
    assert!(!listed(dir, &[]).contains(&"toy".to_owned()));
    assert!(listed(dir, &["--packs", "packs"]).contains(&"toy".to_owned()));
    let check = ["pack", "check", "toy", "--packs", "packs", "--json"];
    let report = document(dir, &check);
    assert_eq!(report["entries"]["differing"], serde_json::json!([]));
    assert_eq!(report["problems"], serde_json::json!([]));
    assert_eq!(report["leaks"], serde_json::json!([]));

    // Two functions make no long group.
    let long = document(dir, &["pack", "group", "packs/toy", "--groups", "3", "--json"]);
    assert_eq!(long["added"], 0, "{long}");
    assert_eq!(long["long_groups"], 0, "{long}");
    assert!(!dir.join("packs/toy/long.jsonl").exists());

    // Groups are tried as well: one that says too little of the tests that it breaks is found.
    let all = document(dir, &["pack", "list", "--packs", "packs", "--json"]);
    let toy = all.as_array().unwrap().iter().find(|pack| pack["name"] == "toy").unwrap();
    let count = |key: &str| toy[key].as_u64().unwrap();
    let groups = count("fault_groups") + count("stub_groups");
    assert!(groups > 0, "{toy}");
    assert_eq!(report["entries"]["of"], count("faults") + count("stubs") + groups);
    let index = dir.join("packs/toy/index.jsonl");
    let text = fs::read_to_string(&index).unwrap();
    let line = text.lines().find(|line| line.contains("\"group\"")).unwrap();
    let mut group: serde_json::Value = serde_json::from_str(line).unwrap();
    group["tests"].as_array_mut().unwrap().pop();
    fs::write(&index, text.replace(line, &group.to_string())).unwrap();
    let all = ["pack", "check", "toy", "--packs", "packs", "--json", "--sample", "9999"];
    let differs = synthd_in(dir, &all).fails(1, "SYN-0223");
    assert_eq!(differs.document()["entries"]["differing"], serde_json::json!([group["id"]]));
    fs::write(&index, text).unwrap();

    // A changed project does not fit its index.
    let source = dir.join("packs/toy/project/toy/__init__.py");
    fs::write(&source, TOY.replace("A toy", "The toy")).unwrap();
    let ran = synthd_in(dir, &check).fails(2, "SYN-0221");
    assert!(ran.stderr.contains("project_sha256"), "{}", ran.stderr);
}

/// The lines of a list of long groups without their ids.
fn long_groups(path: &Path) -> Vec<serde_json::Value> {
    let text = fs::read_to_string(path).unwrap();
    let line = |line: &str| {
        let mut line: serde_json::Value = serde_json::from_str(line).unwrap();
        line["id"] = serde_json::Value::Null;
        line
    };
    text.lines().map(line).collect()
}

/// The same numbers find the same groups as when the pack was shipped. Index and map stay, and what is
/// there is not added again.
#[test]
fn long_groups_are_found_again() {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("packs/leaseq");
    let dir = tempfile::tempdir().unwrap();
    let copied = Command::new("cp").arg("-R").arg(&shipped).arg(dir.path()).status().unwrap();
    assert!(copied.success());
    let pack = dir.path().join("leaseq");
    fs::remove_file(pack.join("long.jsonl")).unwrap();
    let args = ["pack", "group", "leaseq", "--groups", "2", "--json"];
    let args = [&args[..], &["--faults", "8-8", "--functions", "6-6"]].concat();
    let found = document(dir.path(), &args);
    let (all, new) =
        (long_groups(&shipped.join("long.jsonl")), long_groups(&pack.join("long.jsonl")));
    assert_eq!(found["added"], new.len());
    assert!(new.len() >= 2, "{found}");
    assert!(new.iter().all(|group| all.contains(group)), "{new:?}");
    for file in ["index.jsonl", "map.jsonl"] {
        let read = |place: &Path| fs::read(place.join(file)).unwrap();
        assert!(read(&pack) == read(&shipped), "{file} has changed");
    }
    let again = document(dir.path(), &args);
    assert_eq!(again["added"], 0, "{again}");
    assert_eq!(again["long_groups"], new.len(), "{again}");
    let wrong = synthd_in(dir.path(), &["pack", "group", "leaseq", "--faults", "2-4"]);
    assert_eq!(wrong.code, Some(2), "{wrong:?}");
    assert!(wrong.stderr.contains("two numbers from 5 to 10, such as 7-9"), "{wrong:?}");
}
