//! Tasks from packs whose workspace is a git repository: the kinds `bisect` and `merge`.

use crate::model::{FileSpec, MoveAction, Task};
use crate::pack::{
    PACK_SCHEMA, PackFile, PackHandle, PackHead, PackLanguage, PackParts, PackRunner, PackShelf,
    ProjectPack, SlowParts, project_digest,
};
use crate::task::{Template, TemplateError, TemplateFolder};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

const CODE: &str = "\
def _step(n):
    return n + 1


def both(n):
    \"\"\"Two numbers above n.\"\"\"
    low = n + 1
    high = n + 2
    return low, high


def up(n):
    \"\"\"The next number.\"\"\"
    return _step(n)


def down(n):
    \"\"\"The number before n.\"\"\"
    return n - 1
";

/// Names of tests with what they call and what they expect.
const TESTS: [(&str, &str, u32); 8] = [
    ("test_low", "both(1)[0]", 2),
    ("test_low_again", "both(4)[0]", 5),
    ("test_high", "both(1)[1]", 3),
    ("test_high_again", "both(4)[1]", 6),
    ("test_up", "up(3)", 4),
    ("test_up_again", "up(6)", 7),
    ("test_down", "down(9)", 8),
    ("test_down_again", "down(5)", 4),
];

struct Shelf(Arc<ProjectPack>);

impl PackShelf for Shelf {
    fn pack(&self, name: &str) -> Option<Result<PackHandle, String>> {
        (name == self.0.head.name).then(|| Ok(PackHandle::ready(self.0.clone())))
    }

    fn names(&self) -> Vec<String> {
        vec![self.0.head.name.clone()]
    }
}

/// A pack with two faults on touching lines, two functions that may be missing, and twins of all tests.
fn parts() -> PackParts {
    let mut tests =
        "import unittest\nfrom lib import both, down, up\n\n\nclass All(unittest.TestCase):\n"
            .to_owned();
    let (mut map, mut index) = (Vec::new(), Vec::new());
    let mut twins = Vec::new();
    for (number, (name, call, expected)) in TESTS.iter().enumerate() {
        let start = tests.len();
        tests.push_str(&format!("    def {name}(self):\n        self.assertEqual({call}, "));
        let place = (tests.len(), tests.len() + 1);
        tests.push_str(&format!("{expected})\n"));
        map.push(json!({
            "test": format!("tests.test_lib.All.{name}"), "file": "tests/test_lib.py",
            "class": "All", "at": (start, tests.len()), "lines": {"lib.py": "1"},
        }));
        twins.push(json!({
            "kind": "twin", "id": format!("t{number}"), "file": "tests/test_lib.py", "at": place,
            "text": (expected + 1).to_string(), "test": number,
        }));
    }
    let changes = [
        ("fault", "f1", "low = n + 1", "low = n - 1", "both", [0, 1]),
        ("fault", "f2", "high = n + 2", "high = n - 2", "both", [2, 3]),
        ("stub", "s1", "return _step(n)", "raise NotImplementedError", "up", [4, 5]),
        ("stub", "s2", "return n - 1", "raise NotImplementedError", "down", [6, 7]),
    ];
    for (kind, id, old, new, function, tests) in changes {
        let start = CODE.find(old).unwrap();
        index.push(json!({
            "kind": kind, "id": id, "file": "lib.py", "at": (start, start + old.len()), "text": new,
            "operator": "x", "function": format!("lib.{function}"), "failure": "wrong",
            "tests": tests, "example": tests[0], "says": "AssertionError: 0 != 4",
        }));
    }
    index.extend(twins);
    let file = |path: &str, content: &str| PackFile {
        path: path.to_owned(),
        content: content.to_owned(),
        executable: false,
    };
    let files =
        vec![file("README.md", "# lib\n"), file("lib.py", CODE), file("tests/test_lib.py", &tests)];
    let lines = |values: &[Value]| values.iter().map(|line| format!("{line}\n")).collect();
    PackParts {
        long: String::new(),
        names: String::new(),
        slow: SlowParts::default(),
        head: PackHead {
            schema: PACK_SCHEMA.to_owned(),
            name: "lib".to_owned(),
            version: "1".to_owned(),
            language: PackLanguage::Python,
            licence: "MIT".to_owned(),
            summary: "`lib` counts.".to_owned(),
            runner: PackRunner::Unittest,
            build: Vec::new(),
            run: Vec::new(),
            requires: Vec::new(),
            source: vec!["lib.py".to_owned()],
            tests: vec!["tests".to_owned()],
            docs: vec!["README.md".to_owned()],
            source_sha256: None,
            project_sha256: project_digest(&files),
            test_seconds: 20,
            deselected: BTreeMap::new(),
        },
        head_text: String::new(),
        map: lines(&map),
        index: lines(&index),
        files,
        notices: String::new(),
    }
}

fn read(from_pack: &str, requires: &str) -> Result<Template, Vec<TemplateError>> {
    read_with(parts(), from_pack, requires)
}

fn read_with(
    parts: PackParts,
    from_pack: &str,
    requires: &str,
) -> Result<Template, Vec<TemplateError>> {
    let text = format!(
        "schema: synthd/template@2\nid: unit/test\ntitle: t\ncategory: unit\ndifficulty: easy\n\
         expected_steps: {{min: 1, max: 60}}\nrequires: {requires}\nenvironment: {{image: base}}\n\
         from_pack: {from_pack}\n"
    );
    let shelf = Shelf(Arc::new(ProjectPack::read(parts).unwrap()));
    let folder = Arc::new(TemplateFolder::single(text.into_bytes()));
    Template::read_with_packs("unit/test", folder, &shelf)
}

fn task(kind: &str, seed: u64) -> Task {
    let template = read(&format!("{{pack: lib, kind: {kind}}}"), "[python3, git]").unwrap();
    template.task(seed, 0).unwrap()
}

/// The commits of a stream: the branch, the message, and the files by path.
pub(super) fn commits(history: &str) -> Vec<(String, String, BTreeMap<String, String>)> {
    let mut found: Vec<(String, String, BTreeMap<String, String>)> = Vec::new();
    let (mut rest, mut path) = (history, None);
    while let Some((line, after)) = rest.split_once('\n') {
        rest = after;
        if let Some(branch) = line.strip_prefix("commit refs/heads/") {
            found.push((branch.to_owned(), String::new(), BTreeMap::new()));
            path = None;
        } else if let Some(("M 100644" | "M 100755", file)) = line.split_once(" inline \"") {
            path = file.strip_suffix('"').map(str::to_owned);
        } else if let Some(count) = line.strip_prefix("data ") {
            let (data, after) = rest.split_at(count.parse().unwrap());
            let commit = found.last_mut().unwrap();
            match &path {
                Some(path) => drop(commit.2.insert(path.clone(), data.to_owned())),
                None => data.trim_end().clone_into(&mut commit.1),
            }
            rest = after;
        }
    }
    found
}

pub(super) fn sealed<'t>(task: &'t Task, path: &str) -> &'t FileSpec {
    task.verification.files.iter().find(|file| file.path == path).unwrap()
}

pub(super) fn facts(task: &Task) -> Value {
    serde_json::from_str(&sealed(task, "facts.json").content).unwrap()
}

pub(super) fn checks(task: &Task) -> Vec<&str> {
    task.verification.checks.iter().map(|check| check.name.as_str()).collect()
}

#[test]
fn the_repository_is_made_of_one_stream_here_and_in_the_seal() {
    for kind in ["bisect", "merge"] {
        let task = task(kind, 3);
        let [history] = task.files.as_slice() else { panic!("{:?}", task.files) };
        assert_eq!(history.path, "history");
        assert_eq!(sealed(&task, "history").content, history.content);
        assert!(task.setup[0].contains("git fast-import --quiet < history"), "{:?}", task.setup);
        assert_eq!(task, self::task(kind, 3));
        assert_ne!(task.digest, self::task(kind, 4).digest);
        let weights: f64 = task.verification.milestones.iter().map(|check| check.weight).sum();
        assert!((weights - 1.0).abs() < 1e-9, "{weights}");
        assert_eq!(task.cluster, Task::cluster_of("pack:lib", ""));
    }
}

#[test]
fn one_commit_brings_the_fault_in_and_it_stays() {
    for seed in 1..=8 {
        let task = task("bisect", seed);
        let commits = commits(&task.files[0].content);
        assert!((28..=60).contains(&commits.len()), "{}", commits.len());
        let wrong = task.faults[0].wrong.lines().find(|line| line.contains(" - ")).unwrap();
        let has_it: Vec<(usize, bool)> = commits
            .iter()
            .enumerate()
            .filter_map(|(at, commit)| Some((at, commit.2.get("lib.py")?.contains(wrong))))
            .collect();
        let first = has_it.iter().find(|(_, has_it)| *has_it).unwrap().0;
        assert_eq!(facts(&task)["bad"], first);
        assert!(has_it.iter().all(|(at, has_it)| *has_it == (*at >= first)), "{has_it:?}");
        assert!(has_it.iter().filter(|(at, _)| *at > first).count() >= 3, "{has_it:?}");
        assert!(!commits[first].1.contains("both"), "{}", commits[first].1);
    }
}

/// The versions of the source in the history of a task.
fn sources(task: &Task) -> Vec<String> {
    let commits = commits(&task.files[0].content).into_iter();
    commits.filter_map(|commit| commit.2.get("lib.py").cloned()).collect()
}

#[test]
fn statements_are_written_differently_on_the_way() {
    let texts: Vec<String> = (1..=8).flat_map(|seed| sources(&task("bisect", seed))).collect();
    let reworded = "    result = low, high\n    return result\n";
    assert!(texts.iter().any(|text| text.contains(reworded)), "{texts:?}");
    assert!(
        texts.iter().all(|text| text.contains(reworded) != text.contains("return low, high\n"))
    );
    assert!(texts.iter().any(|text| text.contains("\n    # ")), "comments come into functions");
}

#[test]
fn a_variable_gets_another_name_in_the_source_and_in_the_fault() {
    let mut parts = parts();
    let sites: Vec<usize> = CODE.match_indices("low").map(|(at, _)| at).collect();
    let low = json!({
        "name": "low", "kind": "local", "files": {"lib.py": sites}, "entries": {"f1": [0]},
    });
    parts.names = format!("{low}\n");
    let template = read_with(parts, "{pack: lib, kind: bisect}", "[python3, git]").unwrap();
    let mut renamed = 0;
    for seed in 1..=8 {
        let task = template.task(seed, 0).unwrap();
        let texts = sources(&task);
        for text in &texts {
            let name = if text.contains("    low = n ") { "low" } else { "entry" };
            renamed += usize::from(name == "entry");
            assert!(text.contains(&format!("    {name} = n ")), "{text}");
            assert!(text.contains(&format!(" {name}, high\n")), "{text}");
        }
        let tip = texts.last().unwrap();
        assert_eq!(tip.matches(&task.faults[0].wrong).count(), 1, "{tip}");
    }
    assert!(renamed > 0, "no variable has another name");
}

#[test]
fn a_function_that_is_written_later_comes_with_its_tests() {
    let task = task("bisect", 1);
    let commits = commits(&task.files[0].content);
    let written: Vec<_> =
        commits.iter().filter(|(_, message, _)| message.starts_with("lib: write ")).collect();
    assert!(!written.is_empty(), "{commits:?}");
    for (_, message, files) in written {
        let name = message.rsplit(' ').next().unwrap();
        assert!(files["tests/test_lib.py"].contains(&format!("test_{name}")), "{message}");
        assert!(!files["lib.py"].is_empty());
    }
}

#[test]
fn the_judge_of_a_bisection_asks_for_the_commit_the_repair_and_the_history() {
    let task = task("bisect", 2);
    assert_eq!(checks(&task), ["commit-named", "history-kept", "fault-1", "kept"]);
    let facts = facts(&task);
    assert!(task.instruction.contains(facts["answer"].as_str().unwrap()), "{}", task.instruction);
    assert!(task.solution.len() >= 15, "{}", task.solution.len());
    let repairs = task.solution.iter().filter(|step| step.action == task.faults[0].repair());
    assert_eq!(repairs.count(), 1);
    let cheats: Vec<&str> =
        task.verification.cheats.iter().map(|cheat| cheat.name.as_str()).collect();
    for cheat in ["names-the-tip", "names-the-last-of-the-file", "another-history", "removes-tests"]
    {
        assert!(cheats.contains(&cheat), "{cheats:?}");
    }
}

/// The last content of a file on a branch, or where it left `main`.
pub(super) fn at_tip(task: &Task, branch: &str, path: &str) -> String {
    let history = &task.files[0].content;
    let reset = format!("reset refs/heads/{}\n", facts(task)["branch"].as_str().unwrap());
    let (before, after) = history.split_once(&reset).unwrap();
    let mut commits = [commits(before), commits(after)].concat();
    let shared = self::commits(before).len();
    let mut number = 0;
    commits.retain(|commit| {
        number += 1;
        number <= shared || commit.0 == branch
    });
    commits.iter().rev().find_map(|commit| commit.2.get(path)).unwrap().clone()
}

#[test]
fn each_side_mends_one_fault_and_writes_one_function() {
    for seed in 1..=8 {
        let task = task("merge", seed);
        let branch = facts(&task)["branch"].as_str().unwrap().to_owned();
        let (ours, theirs) = (at_tip(&task, "main", "lib.py"), at_tip(&task, &branch, "lib.py"));
        for text in [&ours, &theirs] {
            let count = |part: &str| text.matches(part).count();
            assert_eq!(count("low = n + 1") + count("high = n + 2"), 1, "{text}");
            assert_eq!(count("raise NotImplementedError"), 1, "{text}");
        }
        assert_ne!(ours.contains("low = n + 1"), theirs.contains("low = n + 1"));
        let pages = [at_tip(&task, "main", "CHANGES.md"), at_tip(&task, &branch, "CHANGES.md")];
        let notes = facts(&task)["notes"].as_array().unwrap().clone();
        assert_eq!(notes.len(), 4);
        for note in &notes {
            let note = note.as_str().unwrap();
            let has_it = pages.iter().filter(|page| page.lines().any(|line| line == note));
            assert_eq!(has_it.count(), 1, "{note}: {pages:?}");
        }
    }
}

#[test]
fn the_oracle_of_a_merge_brings_both_sides_and_the_new_name_together() {
    let mut names = 0;
    for seed in 1..=8 {
        let task = task("merge", seed);
        let written = task.solution.iter().rev().find_map(|step| match &step.action {
            MoveAction::Write { path, content } if path == "lib.py" => Some(content.as_str()),
            _ => None,
        });
        let written = written.unwrap();
        assert!(written.contains("low = n + 1\n    high = n + 2\n"), "{written}");
        assert!(!written.contains("NotImplementedError"), "{written}");
        let old = facts(&task)["old_name"].as_str().unwrap().to_owned();
        names += usize::from(!old.is_empty());
        assert!(old.is_empty() || !written.contains(&format!("{old}(")), "{written}");
        for fault in &task.faults {
            assert_eq!(written.matches(&fault.right).count(), 1, "{}", fault.right);
        }
    }
    assert_eq!(names, 8, "there is a helper, so that it gets another name");
}

#[test]
fn the_judge_of_a_merge_asks_for_both_sides() {
    let task = task("merge", 2);
    assert_eq!(checks(&task), ["merged", "resolved", "ours", "theirs"]);
    let plan: Value = serde_json::from_str(&sealed(&task, "plan.json").content).unwrap();
    let mut tests: Vec<u64> = ["ours", "theirs"]
        .iter()
        .flat_map(|part| plan["parts"][part].as_array().unwrap())
        .map(|test| test.as_u64().unwrap())
        .collect();
    tests.sort_unstable();
    assert_eq!(tests, (0..8).collect::<Vec<u64>>());
    assert!(task.instruction.contains(facts(&task)["branch"].as_str().unwrap()));
    let cheats: Vec<&str> =
        task.verification.cheats.iter().map(|cheat| cheat.name.as_str()).collect();
    for cheat in ["takes-ours", "takes-theirs", "squashed", "leaves-marks"] {
        assert!(cheats.contains(&cheat), "{cheats:?}");
    }
}

#[test]
fn a_repository_needs_git_and_a_merge_reports_no_fault() {
    for kind in ["bisect", "merge"] {
        let error = read(&format!("{{pack: lib, kind: {kind}}}"), "[python3]").unwrap_err();
        assert!(error[0].message.contains("add `git`"), "{}", error[0].message);
    }
    let error = read("{pack: lib, kind: merge, report: {choice: [area]}}", "[git]").unwrap_err();
    assert!(error[0].message.contains("no faults to report"), "{}", error[0].message);
    assert!(read("{pack: lib, kind: bisect, report: {choice: [area]}}", "[git]").is_ok());
}
