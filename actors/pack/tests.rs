//! Packs: what is checked of their parts.

use super::*;

pub(crate) const CODE: &str = "def twice(n):\n    \"\"\"Twice n.\"\"\"\n    return n + n\n";
const TEST: &str = "import unittest\nfrom lib import twice\n\n\nclass Twice(unittest.TestCase):\n    def test_two(self):\n        self.assertEqual(twice(2), 4)\n    def test_three(self):\n        self.assertEqual(twice(3), 6)\n";

fn file(path: &str, content: &str) -> PackFile {
    PackFile { path: path.to_owned(), content: content.to_owned(), executable: false }
}

/// The bytes of a text in another one.
fn at(text: &str, part: &str) -> (usize, usize) {
    let start = text.find(part).unwrap();
    (start, start + part.len())
}

fn head(files: &[PackFile]) -> PackHead {
    PackHead {
        schema: PACK_SCHEMA.to_owned(),
        name: "lib".to_owned(),
        version: "1".to_owned(),
        language: PackLanguage::Python,
        licence: "MIT".to_owned(),
        summary: "`lib` doubles.".to_owned(),
        runner: PackRunner::Unittest,
        build: Vec::new(),
        run: Vec::new(),
        requires: Vec::new(),
        source: vec!["lib.py".to_owned()],
        tests: vec!["tests".to_owned()],
        docs: Vec::new(),
        source_sha256: None,
        project_sha256: project_digest(files),
        test_seconds: 20,
        deselected: std::collections::BTreeMap::new(),
    }
}

/// The parts of a small pack: a fault that breaks both tests, a stub, a twin of each test.
pub(crate) fn parts() -> PackParts {
    let files = vec![file("lib.py", CODE), file("tests/test_lib.py", TEST)];
    let start = |name: &str| TEST.find(&format!("    def {name}")).unwrap();
    let (two, three) = (start("test_two"), start("test_three"));
    let map = [("test_two", [two, three]), ("test_three", [three, TEST.len()])];
    let map = map.map(|(name, at)| {
        serde_json::json!({
            "test": format!("tests.test_lib.Twice.{name}"), "file": "tests/test_lib.py",
            "class": "Twice", "at": at, "lines": {"lib.py": "3"},
        })
    });
    let change = |kind: &str, id: &str, old: &str, new: &str, tests: &[usize]| {
        serde_json::json!({
            "kind": kind, "id": id, "file": "lib.py", "at": at(CODE, old), "text": new,
            "operator": "x", "function": "lib.twice", "failure": "wrong", "tests": tests,
            "example": 0, "says": "AssertionError: 0 != 4",
        })
    };
    let twin = |id: &str, old: &str, new: &str, test: usize| {
        serde_json::json!({
            "kind": "twin", "id": id, "file": "tests/test_lib.py", "at": at(TEST, old),
            "text": new, "test": test,
        })
    };
    let index = [
        change("fault", "f0001", "n + n", "n - n", &[0, 1]),
        change("stub", "s0001", "return n + n", "raise NotImplementedError", &[0]),
        twin("t0001", "4)", "5)", 0),
        twin("t0002", "6)", "7)", 1),
    ];
    PackParts {
        head: head(&files),
        head_text: String::new(),
        files,
        map: map.iter().map(|line| format!("{line}\n")).collect(),
        index: index.iter().map(|line| format!("{line}\n")).collect(),
        long: String::new(),
        names: String::new(),
        slow: SlowParts::default(),
        notices: String::new(),
    }
}

/// The parts of a pack with twelve functions. The fault and the stub of each break two tests of its own
/// and the last one, which is a test of all. Every test has a twin.
pub(crate) fn wide_parts() -> PackParts {
    let numbers = 11..23;
    let code =
        |n: usize| format!("def part{n}(x):\n    \"\"\"x and {n}.\"\"\"\n    return x + {n}\n\n\n");
    let code: String = numbers.clone().map(code).collect();
    let own =
        numbers.clone().flat_map(|n| [(format!("test_a{n}"), n, 2), (format!("test_b{n}"), n, 5)]);
    let named = own.chain([("test_all".to_owned(), 11, 0)]);
    let mut tests = "import unittest\nimport lib\n\n\nclass Parts(unittest.TestCase):\n".to_owned();
    let (mut map, mut twins) = (String::new(), String::new());
    for (number, (name, n, x)) in named.enumerate() {
        let (start, expected) = (tests.len(), (n + x).to_string());
        tests.push_str(&format!(
            "    def {name}(self):\n        self.assertEqual(lib.part{n}({x}), "
        ));
        let value = tests.len();
        tests.push_str(&format!("{expected})\n"));
        let test = serde_json::json!({
            "test": format!("tests.test_lib.Parts.{name}"), "file": "tests/test_lib.py",
            "class": "Parts", "at": [start, tests.len()], "lines": {},
        });
        let twin = serde_json::json!({
            "kind": "twin", "id": format!("t{number:04}"), "file": "tests/test_lib.py",
            "at": [value, value + expected.len()], "text": "0", "test": number,
        });
        map.push_str(&format!("{test}\n"));
        twins.push_str(&format!("{twin}\n"));
    }
    let change = |kind: &str, place: usize, n: usize| {
        let old = format!("return x + {n}");
        let new = if kind == "stub" {
            "raise NotImplementedError".to_owned()
        } else {
            old.replace('+', "-")
        };
        let line = serde_json::json!({
            "kind": kind, "id": format!("{}{:04}", &kind[..1], place + 1), "file": "lib.py",
            "at": at(&code, &old), "text": new, "operator": "x", "function": format!("lib.part{n}"),
            "failure": "wrong", "tests": [2 * place, 2 * place + 1, 24], "example": 2 * place,
            "says": "AssertionError: 0 != 4",
        });
        format!("{line}\n")
    };
    let changes =
        |kind: &'static str| numbers.clone().enumerate().map(move |(place, n)| (kind, place, n));
    let changes = changes("fault").chain(changes("stub"));
    let changes: String = changes.map(|(kind, place, n)| change(kind, place, n)).collect();
    let files = vec![file("lib.py", &code), file("tests/test_lib.py", &tests)];
    PackParts { head: head(&files), files, map, index: changes + &twins, ..parts() }
}

/// A slow form of the function, with its workload.
pub(crate) fn slow_parts() -> SlowParts {
    let form = serde_json::json!({
        "id": "w0001", "function": "lib.twice", "operator": "step_by_step", "size": 1_000_000,
        "places": [{"file": "lib.py", "at": at(CODE, "n + n"), "text": "sum(1 for _ in range(2 * n))"}],
        "workload": "twice", "says": "`twice` of {size}",
    });
    let workload = "def data(size, draw):\n    return size\n".to_owned();
    SlowParts {
        forms: format!("{form}\n"),
        workloads: [("twice".to_owned(), workload)].into_iter().collect(),
    }
}

/// The problem of parts after a change.
fn problem(change: impl Fn(&mut PackParts)) -> String {
    let mut parts = parts();
    change(&mut parts);
    ProjectPack::read(parts).unwrap_err().to_string()
}

#[test]
fn a_pack_is_read_with_all_its_entries() {
    let pack = ProjectPack::read(parts()).unwrap();
    let counts = (pack.tests.len(), pack.faults.len(), pack.stubs.len(), pack.twins.len());
    assert_eq!(counts, (2, 1, 1, 2));
    assert_eq!(pack.tests[0].method(), "test_two");
    assert_eq!(pack.faults[0].failure, FailureSign::Wrong);
}

#[test]
fn every_part_counts_for_the_digest() {
    let digest = |change: fn(&mut PackParts)| {
        let mut parts = parts();
        change(&mut parts);
        ProjectPack::read(parts).unwrap().digest
    };
    let plain = digest(|_| ());
    assert_eq!(plain, digest(|_| ()));
    assert_ne!(plain, digest(|parts| parts.notices.push('x')));
    assert_ne!(plain, digest(|parts| parts.head_text.push('x')));
    assert_ne!(plain, digest(|parts| parts.map.push('\n')));
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let changed = problem(|parts| parts.files[0].content.push('\n'));
    assert!(changed.starts_with("pack.toml: the files below project/"), "{changed}");
    let outside = problem(|parts| {
        parts.index = parts.index.replace("\"file\":\"lib.py\"", "\"file\":\"../x\"")
    });
    assert!(outside.starts_with("index.jsonl:1: the project has no file"), "{outside}");
    let test =
        problem(|parts| parts.index = parts.index.replace("\"tests\":[0,1]", "\"tests\":[7]"));
    assert_eq!(test, "index.jsonl:1: there is no test number 7");
    let json = problem(|parts| parts.map.push_str("{\n"));
    assert!(json.starts_with("map.jsonl:3: "), "{json}");
    let schema = problem(|parts| parts.head.schema = "synthd/pack@9".to_owned());
    assert!(schema.contains("synthd/pack@1"), "{schema}");
    let name = problem(|parts| parts.head.name = "../lib".to_owned());
    assert!(name.contains("characters"), "{name}");
    let root = problem(|parts| parts.head.source = vec!["/etc".to_owned()]);
    assert!(root.contains("must stay below"), "{root}");
}

#[test]
fn a_group_names_earlier_entries_of_its_kind() {
    let mut good = parts();
    good.index.push_str(r#"{"kind":"group","id":"g1","of":"fault","parts":["f0001"],"tests":[0]}"#);
    let group = ProjectPack::read(good).unwrap().groups.remove(0);
    assert_eq!((group.parts, group.tests), (vec![0], vec![0]));
    let wrong = problem(|parts| {
        parts.index.push_str(r#"{"kind":"group","id":"g1","of":"fault","parts":["s0001"]}"#);
    });
    assert!(wrong.contains("no earlier line of its kind"), "{wrong}");
}

#[test]
fn ranges_that_overlap_are_refused() {
    let tests = problem(|parts| parts.map = parts.map.repeat(2));
    assert_eq!(tests, "map.jsonl: two tests in tests/test_lib.py overlap");
    let changes = problem(|parts| {
        let more = r#"{"kind":"group","id":"g1","of":"fault","parts":["f0001","f0001"]}"#;
        parts.index.push_str(more);
    });
    assert_eq!(changes, "index.jsonl:5: two of its changes in lib.py overlap");
}

#[test]
fn sources_and_tests_share_no_files() {
    let shared = |source: &str, tests: &str| {
        problem(|parts| {
            parts.head.source = vec![source.to_owned()];
            parts.head.tests = vec![tests.to_owned()];
        })
    };
    for (source, tests) in [("lib", "lib/tests"), ("tests/lib", "tests"), ("lib", "lib")] {
        let said = shared(source, tests);
        assert!(said.contains("both in `source` and in `tests`"), "{source}, {tests}: {said}");
    }
}

/// Code could know the quoted test, and make a test without a twin pass.
#[test]
fn a_good_change_breaks_a_test_with_a_twin_that_is_not_quoted() {
    let count = |without: &str| {
        let mut parts = parts();
        let group = r#"{"kind":"group","id":"g1","of":"fault","parts":["f0001"]}"#;
        let lines = parts.index.lines().chain([group]);
        let lines: Vec<&str> = lines.filter(|line| !line.contains(without)).collect();
        parts.index = lines.join("\n");
        let pack = ProjectPack::read(parts).unwrap();
        (pack.good_changes(ChangeKind::Fault).count(), pack.good_groups(ChangeKind::Fault).len())
    };
    assert_eq!(count("t0001"), (1, 1));
    assert_eq!(count("t0002"), (0, 0), "only the quoted test has a twin");
}

#[test]
fn a_source_is_a_root_or_below_one() {
    let mut head = head(&[]);
    head.source = vec!["lib".to_owned(), "tool.py".to_owned()];
    let is_source = |path: &str| head.is_source(path);
    assert!(is_source("lib/a.py") && is_source("tool.py"));
    assert!(!is_source("library/a.py") && !is_source("tool.py.orig"));
}
