//! Tasks from packs with drawn names.

use super::packs::{OnePack, text};
use crate::model::Task;
use crate::pack::tests::{CODE, parts};
use crate::pack::{PackParts, ProjectPack};
use crate::task::{Template, TemplateFolder};
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The parts of a pack whose parameter and first test can have other names.
fn named_parts() -> PackParts {
    let mut parts = parts();
    let sites = |text: &str, word: &str| -> Vec<usize> {
        text.match_indices(word).map(|(at, _)| at).collect()
    };
    let test = parts.files[1].content.clone();
    let code: Vec<usize> = [CODE.find("(n)").unwrap() + 1, CODE.find("n + n").unwrap()]
        .into_iter()
        .chain([CODE.find("n + n").unwrap() + 4])
        .collect();
    let names = [
        json!({"name": "n", "kind": "local", "files": {"lib.py": code}, "entries": {"f0001": [0, 4]}}),
        json!({
            "name": "test_three", "kind": "test", "entries": {},
            "files": {"tests/test_lib.py": sites(&test, "test_three")},
        }),
    ];
    parts.names = names.iter().map(|line| format!("{line}\n")).collect();
    parts
}

fn template(parts: PackParts, more: &str) -> Template {
    let pack = Arc::new(ProjectPack::read(parts).unwrap());
    let from_pack = format!("{{pack: lib, kind: repair{more}}}");
    let folder = TemplateFolder::single(text(&from_pack, "").into_bytes());
    Template::read_with_packs("unit/test", Arc::new(folder), &OnePack(pack)).unwrap()
}

fn task(seed: u64) -> Task {
    template(named_parts(), ", rename: true").task(seed, 0).unwrap()
}

/// The content of a file of the workspace.
fn content<'t>(task: &'t Task, path: &str) -> &'t str {
    task.files.iter().find(|file| file.path == path).map(|file| file.content.as_str()).unwrap()
}

/// The name between two texts.
fn between<'t>(text: &'t str, before: &str, after: &str) -> &'t str {
    text.split_once(before).unwrap().1.split_once(after).unwrap().0
}

#[test]
fn names_are_the_same_in_sources_entries_and_oracle() {
    let task = task(1);
    let code = content(&task, "lib.py");
    let new = between(code, "twice(", ")");
    assert!(new.len() >= 6 && new != "n", "{code}");
    let expected = CODE.replace("(n)", &format!("({new})"));
    assert_eq!(code, expected.replace("n + n", &format!("{new} - {new}")));
    assert_eq!(task.faults[0].right, format!("    return {new} + {new}"));
    assert_eq!(task.faults[0].wrong, format!("    return {new} - {new}"));
    assert!(code.contains("\"\"\"Twice n.\"\"\""), "a docstring is kept: {code}");
}

#[test]
fn the_seal_has_the_tests_under_their_new_names() {
    let task = task(1);
    let sealed = |path: &str| {
        let file = task.verification.files.iter().find(|file| file.path == path);
        file.unwrap().content.clone()
    };
    let listing: serde_json::Value = serde_json::from_str(&sealed("pack.json")).unwrap();
    let tests = sealed("project/tests/test_lib.py");
    for (number, test) in listing["tests"].as_array().unwrap().iter().enumerate() {
        let at: (usize, usize) = serde_json::from_value(test["at"].clone()).unwrap();
        let head = format!("    def {}(self):", test["name"].as_str().unwrap());
        assert!(tests[at.0..at.1].starts_with(&head), "{number}: {tests}");
    }
    assert_eq!(listing["tests"][0]["name"], "test_two");
    assert_ne!(listing["tests"][1]["name"], "test_three");
    let twin: (usize, usize) = serde_json::from_value(listing["twins"][1]["at"].clone()).unwrap();
    assert_eq!(&tests[twin.0..twin.1], "6)");
}

#[test]
fn each_seed_has_names_of_its_own() {
    let names: BTreeSet<String> = (1..20)
        .map(|seed| between(content(&task(seed), "lib.py"), "twice(", ")").to_owned())
        .collect();
    assert!(names.len() > 15, "{names:?}");
    assert_eq!(task(3), task(3));
}

#[test]
fn only_packs_from_an_archive_have_other_names_by_themselves() {
    let code = |parts: PackParts, more: &str| {
        let task = template(parts, more).task(1, 0).unwrap();
        content(&task, "lib.py").contains("(n)")
    };
    let mined = |mut parts: PackParts| {
        parts.head.source_sha256 = Some("0".repeat(64));
        parts
    };
    assert!(code(named_parts(), ""), "one's own");
    assert!(!code(mined(named_parts()), ""), "from an archive");
    assert!(code(mined(named_parts()), ", rename: false"));
    assert!(code(mined(parts()), ""), "without names");
    let error = template(parts(), ", rename: true").task(1, 0).unwrap_err();
    assert!(error.message.contains("has no names that can be others"), "{}", error.message);
}
