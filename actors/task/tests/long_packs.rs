//! Tasks with many changes, from long groups of packs.

use super::packs::{OnePack, text};
use crate::model::{MoveAction, Task};
use crate::pack::tests::wide_parts;
use crate::pack::{
    ChangeKind, PackFile, PackHead, PackParts, ProjectPack, project_digest, result_file,
};
use crate::task::{Template, TemplateFolder};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The wide pack with three pairs of faults.
pub(super) fn pairs() -> PackParts {
    let mut parts = wide_parts();
    for (number, pair) in
        [["f0001", "f0002"], ["f0003", "f0009"], ["f0005", "f0012"]].iter().enumerate()
    {
        let id = format!("g{:04}", number + 1);
        let line = json!({ "kind": "group", "id": id, "of": "fault", "parts": pair, "tests": [0] });
        parts.index.push_str(&format!("{line}\n"));
    }
    parts
}

/// The same with long groups of eight faults and of seven missing functions.
pub(super) fn long() -> PackParts {
    let mut parts = pairs();
    let pack = ProjectPack::read(parts.clone()).unwrap();
    for (kind, of, size) in [(ChangeKind::Fault, "fault", 8), (ChangeKind::Stub, "stub", 7)] {
        for number in 0..4 {
            let group = pack.drawn_long_group(kind, size, number).unwrap();
            let ids: Vec<&str> =
                group.iter().map(|part| pack.changes(kind)[*part].id.as_str()).collect();
            let id = format!("g{}{number}", of.len());
            let line = json!({ "kind": "group", "id": id, "of": of, "parts": ids });
            parts.long.push_str(&format!("{line}\n"));
        }
    }
    parts
}

pub(super) fn template(parts: PackParts, from_pack: &str) -> Template {
    let shelf = OnePack(Arc::new(ProjectPack::read(parts).unwrap()));
    let folder = TemplateFolder::single(text(from_pack, "").into_bytes());
    Template::read_with_packs("unit/test", Arc::new(folder), &shelf).unwrap()
}

const OVERHAUL: &str = "{pack: lib, kind: repair-many, faults: {min: 7, max: 8}}";
const REBUILD: &str = "{pack: lib, kind: implement, functions: {min: 6, max: 7}}";

/// The files of a task after its oracle's edits, and how many there were.
fn edited(task: &Task) -> (BTreeMap<&str, String>, usize) {
    let mut files: BTreeMap<&str, String> =
        task.files.iter().map(|file| (file.path.as_str(), file.content.clone())).collect();
    let mut edits = 0;
    for step in &task.solution {
        if let MoveAction::Edit { path, search, replace } = &step.action {
            let text = files.get_mut(path.as_str()).unwrap();
            assert_eq!(text.matches(search.as_str()).count(), 1, "{search}");
            *text = text.replacen(search, replace, 1);
            edits += 1;
        }
    }
    (files, edits)
}

/// The text of the project's source.
fn right() -> String {
    wide_parts().files.into_iter().find(|file| file.path == "lib.py").unwrap().content
}

fn commands(task: &Task) -> Vec<&str> {
    let steps = task.solution.iter();
    steps
        .filter_map(|step| match &step.action {
            MoveAction::Run(command) => Some(command.as_str()),
            _ => None,
        })
        .collect()
}

#[test]
fn eight_faults_are_mended_one_after_the_other() {
    let task = template(long(), OVERHAUL).task(1, 0).unwrap();
    assert!(task.solution.len() >= 40, "{} moves", task.solution.len());
    let (files, edits) = edited(&task);
    assert_eq!((files["lib.py"].as_str(), edits), (right().as_str(), 8));
    let commands = commands(&task);
    let tries = commands.iter().filter(|command| command.starts_with("sh /tmp/try.sh")).count();
    assert_eq!(tries, 8 * 2 + 1, "each report before and after its repair, and all in the end");
    assert!(commands.iter().any(|command| command.starts_with("sed -n '")));
    assert!(task.instruction.contains("8 faults have got into"), "{}", task.instruction);
    assert!(task.instruction.contains("Report 8. This test fails, in "), "{}", task.instruction);
    // The reported tests, and they alone, are added to what is shown.
    let written = commands.iter().find(|command| command.contains("/tmp/reports/tests")).unwrap();
    let shown = task.files.iter().find(|file| file.path == "tests/test_lib.py").unwrap();
    let count = |text: &str| text.matches("    def test_").count();
    assert_eq!(count(written), count(&shown.content) + 8);
}

/// Each part of a change has the tests that are its own; a milestone tells of one change.
#[test]
fn each_change_has_a_part_of_its_own_and_a_milestone() {
    for (from_pack, word, count) in [(OVERHAUL, "fault", 8), (REBUILD, "function", 7)] {
        let verification = template(long(), from_pack).task(1, 0).unwrap().verification;
        let names: Vec<&str> = verification.checks.iter().map(|c| c.name.as_str()).collect();
        let mut expected: Vec<String> =
            (1..=count).map(|number| format!("{word}-{number}")).collect();
        let own = expected.clone();
        expected.extend(["together", "kept"].map(str::to_owned));
        assert_eq!(names, expected);
        let milestones: Vec<&str> =
            verification.milestones.iter().map(|check| check.name.as_str()).collect();
        assert_eq!(milestones, own);
        let whole: f64 = verification.milestones.iter().map(|check| check.weight).sum();
        assert!((whole - 1.0).abs() < 1e-9, "{whole}");
        let plan = verification.files.iter().find(|file| file.path == "plan.json").unwrap();
        let plan: serde_json::Value = serde_json::from_str(&plan.content).unwrap();
        let mut seen = BTreeSet::new();
        for (part, tests) in plan["parts"].as_object().unwrap() {
            for test in tests.as_array().unwrap() {
                assert!(seen.insert(test.as_u64().unwrap()), "{part} shares {test}");
            }
        }
        assert_eq!(seen.len(), 25, "every test is in one part");
    }
}

#[test]
fn of_each_missing_function_an_own_test_is_shown_and_another_kept_back() {
    for seed in 1..20 {
        let task = template(long(), REBUILD).task(seed, 0).unwrap();
        assert!(task.solution.len() >= 40, "{} moves", task.solution.len());
        let (files, edits) = edited(&task);
        assert_eq!((files["lib.py"].as_str(), edits), (right().as_str(), 7));
        let shown =
            &task.files.iter().find(|file| file.path == "tests/test_lib.py").unwrap().content;
        for fault in &task.faults {
            let number: usize = fault.name[1..].parse::<usize>().unwrap() + 10;
            let own =
                ["a", "b"].map(|letter| shown.contains(&format!("def test_{letter}{number}(")));
            assert_ne!(own[0], own[1], "one of two is shown");
            let name = format!("test_{}{number}'", if own[0] { "a" } else { "b" });
            let runs =
                commands(&task).into_iter().filter(|command| command.contains(&name)).count();
            assert_eq!(runs, 2, "the shown one runs before and after");
        }
    }
}

/// What a draw of few changes gives does not depend on long groups, and neither do its digests.
#[test]
fn long_groups_move_no_task_with_few_changes() {
    for from_pack in [
        "{pack: lib, kind: repair}",
        "{pack: lib, kind: repair-many, faults: {min: 2, max: 2}}",
        "{pack: lib, kind: implement, functions: {min: 1, max: 1}}",
    ] {
        let (before, after) = (template(pairs(), from_pack), template(long(), from_pack));
        assert_eq!(before.digest(), after.digest());
        for seed in 1..8 {
            assert_eq!(before.task(seed, 0).unwrap(), after.task(seed, 0).unwrap());
        }
    }
    let (before, after) = (template(pairs(), OVERHAUL), template(long(), OVERHAUL));
    assert_ne!(before.digest(), after.digest());
    let error = before.task(1, 0).unwrap_err();
    assert!(error.message.contains("has no entries for this"), "{}", error.message);
    let again = template(long(), OVERHAUL);
    let origin = |template: &Template| template.task(3, 0).unwrap().pack.unwrap().digest;
    assert_eq!(origin(&after), origin(&again));
    let few = template(long(), "{pack: lib, kind: repair}");
    assert_ne!(origin(&after), origin(&few), "the long groups count for it");
}

/// A template may leave a count open that has no group: another one is drawn.
#[test]
fn many_faults_are_drawn_by_their_number() {
    for (from_pack, counts) in [
        ("{pack: lib, kind: repair-many, faults: {min: 2, max: 8}}", vec![2, 8]),
        ("{pack: lib, kind: repair-many, faults: {min: 8, max: 10}}", vec![8]),
    ] {
        let template = template(long(), from_pack);
        let tasks = (1..40).map(|seed| template.task(seed, 0).unwrap().faults.len());
        assert_eq!(tasks.collect::<BTreeSet<usize>>(), counts.into_iter().collect());
    }
}

/// A program of the shell with five functions, each with a fault that breaks three cases. Seven cases
/// break with none.
pub(super) fn case_parts() -> PackParts {
    let plain = crate::pack::case_tests::parts();
    let functions = 1..=5;
    let function = |n: usize| format!("part{n}() {{\n    echo $(($1 + {n}))\n}}\n");
    let code: String = functions.clone().map(function).collect();
    let code = format!("#!/bin/sh\n{code}\"$@\"\n");
    let file = |path: &str, content: &str| PackFile {
        path: path.to_owned(),
        content: content.to_owned(),
        executable: false,
    };
    let own = functions.clone().flat_map(|n| [20, 30, 40].map(|x| (n, x)));
    let own = own
        .map(|(n, x)| (format!("part{n}-{x}"), format!("part{n}\n{x}\n"), format!("{}\n", n + x)));
    let kept = (1..=7).map(|n| (format!("none-{n}"), "true\n".to_owned(), String::new()));
    let mut files = vec![file("README.md", "It adds.\n"), file("tool.sh", &code)];
    let mut map = String::new();
    for (name, cmd, out) in own.chain(kept) {
        files.push(file(&format!("tests/cases/{name}/cmd"), &cmd));
        files.push(file(&result_file(&name), &out));
        let test = json!({
            "test": name, "file": result_file(&name), "class": "", "at": [0, out.len()], "lines": {},
        });
        map.push_str(&format!("{test}\n"));
    }
    let fault = |n: usize| {
        let (old, first) = (format!("$1 + {n}))"), 3 * (n - 1));
        let start = code.find(&old).unwrap();
        let line = json!({
            "kind": "fault", "id": format!("f{n:04}"), "file": "tool.sh", "at": [start, start + old.len()],
            "text": old.replace('+', "-"), "operator": "arith_swap", "function": format!("tool.part{n}"),
            "failure": "wrong", "tests": [first, first + 1, first + 2], "example": first,
            "says": "line 1 of what it prints is `0`",
        });
        format!("{line}\n")
    };
    let index = functions.map(fault).collect();
    let parts = ["f0001", "f0002", "f0003", "f0004", "f0005"];
    let long = json!({ "kind": "group", "id": "g0001", "of": "fault", "parts": parts });
    let head = PackHead { project_sha256: project_digest(&files), ..plain.head.clone() };
    PackParts { head, files, map, index, long: format!("{long}\n"), ..plain }
}

/// Reported cases are written down with their files, and run on a copy of the project.
#[test]
fn cases_are_tried_one_by_one() {
    let from_pack = "{pack: adder, kind: repair-many, faults: {min: 5, max: 5}}";
    let task = template(case_parts(), from_pack).task(1, 0).unwrap();
    assert_eq!(task.solution.len(), 4 + 1 + 5 + 5 * 5 + 3);
    let (files, edits) = edited(&task);
    let right = case_parts().files.into_iter().find(|file| file.path == "tool.sh").unwrap();
    assert_eq!((&files["tool.sh"], edits), (&right.content, 5));
    let commands = commands(&task);
    let tries = commands.iter().filter(|command| command.starts_with("sh /tmp/try.sh")).count();
    assert_eq!(tries, 5 * 2 + 1);
    for n in 1..=5 {
        let laid = format!("'/tmp/reports/tests/cases/part{n}-20/out' <<");
        assert!(commands.iter().any(|command| command.contains(&laid)), "{commands:#?}");
    }
    assert!(commands.iter().any(|command| command.contains("\ntests/run \"$@\"")));
    assert!(task.instruction.contains("Report 5. This case is wrong:"), "{}", task.instruction);
    assert_eq!(task.verification.milestones.len(), 5);
}
