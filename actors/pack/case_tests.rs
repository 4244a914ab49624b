//! Packs whose tests are cases: what is read of them, and every way they can be wrong.

use super::tests::parts as python_parts;
use super::*;
use serde_json::json;

pub(crate) const TOOL: &str =
    "#!/bin/sh\n# Adds numbers.\nadd() {\n    echo $(($1 + $2))\n}\nadd \"$1\" \"$2\"\n";

/// The cases of the pack: name, arguments, output.
const CASES: [(&str, &str, &str); 4] = [
    ("millions", "1000000\n234567\n", "1234567\n"),
    ("negative", "-1\n-2\n", "-3\n"),
    ("two", "1\n1\n", "2\n"),
    ("zero", "0\n0\n", "0\n"),
];

fn file(path: &str, content: &str) -> PackFile {
    PackFile { path: path.to_owned(), content: content.to_owned(), executable: false }
}

fn files() -> Vec<PackFile> {
    let mut files = vec![file("README.md", "It adds.\n"), file("tool.sh", TOOL)];
    for (name, args, out) in CASES {
        files.push(file(&format!("tests/cases/{name}/cmd"), args));
        files.push(file(&result_file(name), out));
    }
    files.push(file("tests/cases/zero/files/notes/a", "a\n"));
    files.push(file("tests/cases/zero/in", "b\n"));
    files.push(file("tests/cases/zero/status", "3\n"));
    files
}

fn head(files: &[PackFile]) -> PackHead {
    PackHead {
        schema: PACK_SCHEMA.to_owned(),
        name: "adder".to_owned(),
        version: "1".to_owned(),
        language: PackLanguage::Shell,
        licence: "MIT".to_owned(),
        summary: "`tool.sh` adds.".to_owned(),
        runner: PackRunner::Cases,
        build: Vec::new(),
        run: vec!["sh".to_owned(), "tool.sh".to_owned()],
        requires: vec!["sh".to_owned()],
        source: vec!["tool.sh".to_owned()],
        tests: vec!["tests".to_owned()],
        docs: vec!["README.md".to_owned()],
        source_sha256: None,
        project_sha256: project_digest(files),
        test_seconds: 5,
        deselected: std::collections::BTreeMap::new(),
    }
}

/// A line of the map.
fn test(name: &str, bytes: usize) -> serde_json::Value {
    json!({ "test": name, "file": result_file(name), "class": "", "at": [0, bytes], "lines": {} })
}

/// A small pack: a fault that breaks three cases, and a function without its body.
pub(crate) fn parts() -> PackParts {
    let files = files();
    let map = CASES.map(|(name, _, out)| test(name, out.len()));
    let change = |kind: &str, id: &str, old: &str, new: &str, tests: &[usize]| {
        let start = TOOL.find(old).unwrap();
        json!({
            "kind": kind, "id": id, "file": "tool.sh", "at": [start, start + old.len()], "text": new,
            "operator": "arith_swap", "function": "tool.add", "failure": "wrong", "tests": tests,
            "example": 2, "says": "line 1 of what it prints is `0`",
        })
    };
    let stub = "echo \"not implemented\" >&2; return 70";
    let index = [
        change("fault", "f0001", "$1 + $2))", "$1 - $2))", &[0, 1, 2]),
        change("stub", "s0001", "echo $(($1 + $2))", stub, &[0, 1, 2, 3]),
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

/// The problem of parts after a change. The digest is that of the changed files.
fn problem(change: impl Fn(&mut PackParts)) -> String {
    let mut parts = parts();
    change(&mut parts);
    parts.head.project_sha256 = project_digest(&parts.files);
    ProjectPack::read(parts).unwrap_err().to_string()
}

#[test]
fn cases_are_read_with_all_their_parts() {
    let cases = program_cases(&files()).unwrap();
    let names: Vec<&str> = cases.iter().map(|case| case.name.as_str()).collect();
    assert_eq!(names, ["millions", "negative", "two", "zero"]);
    assert_eq!(
        (cases[2].args.as_slice(), cases[2].out.as_str()),
        (["1", "1"].map(str::to_owned).as_slice(), "2\n")
    );
    let zero = &cases[3];
    assert_eq!((zero.input.as_str(), zero.status), ("b\n", 3));
    assert_eq!(zero.files.get("notes/a").map(String::as_str), Some("a\n"));
    assert_eq!(cases[0].status, 0);
}

#[test]
fn an_argument_is_a_line() {
    let args = |text: &str| {
        let files = [file("tests/cases/a/cmd", text), file("tests/cases/a/out", "")];
        program_cases(&files).unwrap().remove(0).args
    };
    assert_eq!(args(""), [""; 0]);
    assert_eq!(args("\n"), [""]);
    assert_eq!(args("a b\n\n c"), ["a b", "", " c"]);
    assert_eq!(args("a\nb\n"), ["a", "b"]);
}

#[test]
fn a_pack_with_cases_is_read_and_told_to_the_check() {
    let pack = ProjectPack::read(parts()).unwrap();
    assert_eq!((pack.tests.len(), pack.faults.len(), pack.stubs.len()), (4, 1, 1));
    let listing: serde_json::Value = serde_json::from_str(&pack.listing).unwrap();
    assert_eq!(listing["run"], json!(["sh", "tool.sh"]));
    assert_eq!(listing["others"], json!([["README.md", "It adds.\n", false]]));
    assert_eq!(listing["cases"][3]["status"], 3);
    assert_eq!(listing["cases"][3]["files"], json!({ "notes/a": "a\n" }));
    assert!(!pack.listing.contains("millions"), "the names of cases are told nobody");
}

/// A change in the order of the files must not move the numbers of the cases.
#[test]
fn the_check_gets_the_cases_in_the_order_of_the_map() {
    let mut parts = parts();
    let lines: Vec<&str> = parts.map.lines().rev().collect();
    parts.map = lines.join("\n");
    let pack = ProjectPack::read(parts).unwrap();
    let listing: serde_json::Value = serde_json::from_str(&pack.listing).unwrap();
    assert_eq!(pack.tests[0].name, "zero");
    assert_eq!(listing["cases"][0]["status"], 3);
}

#[test]
fn what_is_wrong_with_a_case_is_said_with_its_place() {
    let with = |path: &str, content: &str| {
        problem(|parts| {
            parts.files.retain(|file| file.path != path);
            parts.files.push(file(path, content));
        })
    };
    let without = problem(|parts| parts.files.retain(|file| file.path != result_file("two")));
    assert_eq!(without, "project/tests/cases/two/out: the file is missing");
    let status = with("tests/cases/two/status", "300\n");
    assert!(status.starts_with("project/tests/cases/two/status: it is no exit code"), "{status}");
    let part = with("tests/cases/two/args", "x");
    assert!(part.starts_with("project/tests/cases/two/args: no part of a case"), "{part}");
    let lone = with("tests/cases/list", "x");
    assert_eq!(lone, "project/tests/cases/list: a case is a directory");
    let name = with("tests/cases/a b/out", "x");
    assert!(name.contains("letters, digits"), "{name}");
    let none = problem(|parts| parts.files.retain(|file| case_name(&file.path).is_none()));
    assert_eq!(none, "project/tests/cases: there are no cases");
}

#[test]
fn what_is_wrong_with_the_runner_is_said() {
    let python = problem(|parts| parts.head.language = PackLanguage::Python);
    assert!(python.contains("in Python is not `tests/run`"), "{python}");
    let unittest = problem(|parts| parts.head.runner = PackRunner::Unittest);
    assert!(unittest.contains("is not `python3 -m unittest`"), "{unittest}");
    let run = problem(|parts| parts.head.run.clear());
    assert!(run.starts_with("pack.toml: `run` has the command"), "{run}");
    let lines = problem(|parts| parts.head.build = vec!["a\nb".to_owned()]);
    assert!(lines.contains("no lines"), "{lines}");
    let mut other = python_parts();
    other.head.run = vec!["x".to_owned()];
    let other = ProjectPack::read(other).unwrap_err().to_string();
    assert!(other.contains("only the runner `cases`"), "{other}");
}

#[test]
fn a_line_of_the_map_names_a_case_as_a_whole() {
    for change in [("[0,2]", "[0,1]"), ("cases/two/out", "cases/zero/out")] {
        let said = problem(|parts| parts.map = parts.map.replacen(change.0, change.1, 1));
        assert!(said.contains("a case is known by all bytes of"), "{change:?}: {said}");
    }
}

/// One exit code, or one word, can be guessed.
#[test]
fn a_good_change_breaks_a_long_case_or_two_that_are_not_quoted() {
    let count = |tests: &str| {
        let mut parts = parts();
        parts.index = parts.index.replace("\"tests\":[0,1,2]", &format!("\"tests\":{tests}"));
        let pack = ProjectPack::read(parts).unwrap();
        pack.good_changes(ChangeKind::Fault).count()
    };
    assert_eq!(count("[0,2]"), 1, "the first has eight bytes");
    assert_eq!(count("[1,2]"), 0, "only a short one is not quoted");
    assert_eq!(count("[1,2,3]"), 1);
    assert_eq!(count("[2]"), 0, "the only one is quoted");
}

#[test]
fn the_words_of_a_head_are_read_and_written() {
    for language in PackLanguage::ALL {
        assert_eq!(language.as_str().parse::<PackLanguage>(), Ok(language));
        assert_eq!(json!(language), json!(language.as_str()));
    }
    let unknown = "perl".parse::<PackLanguage>().unwrap_err();
    assert!(unknown.contains("python, c, javascript"), "{unknown}");
}

/// The script, and the commands that it finds in files.
#[test]
fn a_command_is_written_a_word_a_line() {
    assert_eq!(command_file(&["sh".to_owned(), "a b".to_owned()]), "sh\na b\n");
    assert!(CASE_RUNNER.starts_with("#!/bin/sh\n"));
    for path in [PROGRAM_FILE, BUILD_FILE] {
        assert!(CASE_RUNNER.contains(path), "{path}");
    }
}
