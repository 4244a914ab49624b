//! What gives the answer of a task from a pack away.

use super::packs::{OnePack, text};
use crate::model::{FileSpec, Task};
use crate::pack::tests::parts;
use crate::pack::{
    AlikeFile, AnswerLeak, LeakListing, LeakReason, LeakScan, PackFile, ProjectPack, project_digest,
};
use crate::task::{Template, TemplateFolder};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Enough lines to be known again. They stand behind all places of the pack.
const MORE: &str = "\n\ndef other(number):\n    first = number + 1\n    second = first * 2\n    \
third = second - number\n    fourth = third // 3\n    fifth = fourth + second\n    \
sixth = fifth * third\n    seventh = sixth - first\n    eighth = seventh % 97\n    \
ninth = eighth + sixth\n    return ninth + eighth\n";

/// A task whose fault is in a source with more lines.
fn task() -> Task {
    let mut parts = parts();
    parts.files[0].content.push_str(MORE);
    parts.head.project_sha256 = project_digest(&parts.files);
    let pack = Arc::new(ProjectPack::read(parts).unwrap());
    let folder = TemplateFolder::single(text("{pack: lib, kind: repair}", "").into_bytes());
    let template = Template::read_with_packs("unit/test", Arc::new(folder), &OnePack(pack));
    template.unwrap().task(1, 0).unwrap()
}

fn with_file(path: &str, content: &str) -> Task {
    let mut task = task();
    task.files.push(FileSpec { path: path.to_owned(), content: content.to_owned(), mode: 0o644 });
    task
}

fn within(task: &Task) -> Vec<String> {
    LeakScan::of(task).unwrap().within().iter().map(ToString::to_string).collect()
}

#[test]
fn the_task_itself_gives_nothing_away() {
    assert_eq!(within(&task()), Vec::<String>::new());
}

#[test]
fn a_document_with_the_right_lines_is_found() {
    let task = {
        // The line of the fault alone is too short to be no accident.
        let mut task = task();
        task.faults[0].right = "    return number + number + number".to_owned();
        task
    };
    let mut told = task.clone();
    let content = "In short:\n\n    return number + number + number\n".to_owned();
    told.files.push(FileSpec { path: "docs/lib.md".to_owned(), content, mode: 0o644 });
    assert_eq!(within(&told), ["docs/lib.md has the right text of a place in lib.py"]);
    let mut source = task;
    source.files[0].content.push_str("    return number + number + number\n");
    assert_eq!(within(&source), Vec::<String>::new(), "a source may say the same twice");
}

#[test]
fn a_document_with_a_test_that_is_kept_back_is_found() {
    let quoted = with_file("NOTES", "It must hold:\n  self.assertEqual(twice(2), 4)\n");
    assert_eq!(within(&quoted), ["NOTES has the text of test_two, a test that is kept back"]);
}

#[test]
fn what_a_build_leaves_is_found() {
    for path in ["build/lib/x.txt", ".git/config", "lib.egg-info/SOURCES", "a/x.pyc"] {
        let expected = format!("{path} is what a history or a build leaves");
        assert_eq!(within(&with_file(path, "")), [expected]);
    }
    assert_eq!(within(&with_file("builder/x.txt", "")), Vec::<String>::new());
}

#[test]
fn a_module_of_the_name_and_most_lines_of_a_source_are_found() {
    let task = task();
    let scan = LeakScan::of(&task).unwrap();
    let request: serde_json::Value = serde_json::from_str(&scan.request().unwrap()).unwrap();
    assert_eq!(request["modules"], serde_json::json!(["lib"]));
    let all = request["sources"]["lib.py"].as_array().unwrap().len();
    assert!(request["sources"].to_string().contains("return n + n"), "the right lines");
    let file = |path: &str, equal: usize| AlikeFile {
        path: path.to_owned(),
        source: "lib.py".to_owned(),
        equal,
    };
    let listing = LeakListing {
        modules: BTreeMap::from([
            ("lib".to_owned(), "/usr/lib/lib.py".to_owned()),
            ("json".to_owned(), "/usr/lib/json.py".to_owned()),
        ]),
        files: vec![file("/usr/a.py", all / 2), file("/usr/b.py", all / 2 + 1)],
    };
    let leaks = scan.outside(&listing);
    let module = AnswerLeak {
        place: "/usr/lib/lib.py".to_owned(),
        reason: LeakReason::Module("lib".to_owned()),
    };
    assert_eq!(leaks[0], module);
    assert_eq!(leaks.len(), 2, "{leaks:?}");
    assert!(leaks[1].to_string().starts_with("/usr/b.py has 5"), "{}", leaks[1]);
    assert!(scan.outside(&LeakListing::default()).is_empty());
}

#[test]
fn a_task_that_is_not_from_a_pack_is_not_looked_at() {
    let task = Task { pack: None, ..task() };
    assert!(LeakScan::of(&task).is_none());
}

/// A file of the project is laid as the pack has it, so what a build left in it is seen.
#[test]
fn a_leftover_of_the_project_is_in_the_workspace() {
    let mut parts = parts();
    let path = "dist/lib.txt".to_owned();
    parts.files.push(PackFile { path, content: "x\n".to_owned(), executable: false });
    parts.head.project_sha256 = project_digest(&parts.files);
    let pack = Arc::new(ProjectPack::read(parts).unwrap());
    let folder = TemplateFolder::single(text("{pack: lib, kind: repair}", "").into_bytes());
    let template = Template::read_with_packs("unit/test", Arc::new(folder), &OnePack(pack));
    let task = template.unwrap().task(1, 0).unwrap();
    assert_eq!(within(&task), ["dist/lib.txt is what a history or a build leaves"]);
}
