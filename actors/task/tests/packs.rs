//! Templates that take their tasks from packs.

use crate::model::{MoveAction, Task};
use crate::pack::tests::{CODE, parts};
use crate::pack::{EmptyShelf, PackHandle, PackShelf, ProjectPack};
use crate::task::{Template, TemplateError, TemplateFolder};
use std::sync::Arc;

/// A shelf with one pack.
pub(super) struct OnePack(pub(super) Arc<ProjectPack>);

impl PackShelf for OnePack {
    fn pack(&self, name: &str) -> Option<Result<PackHandle, String>> {
        (name == self.0.head.name).then(|| Ok(PackHandle::ready(self.0.clone())))
    }

    fn names(&self) -> Vec<String> {
        vec![self.0.head.name.clone()]
    }
}

fn shelf() -> OnePack {
    OnePack(Arc::new(ProjectPack::read(parts()).unwrap()))
}

/// The text of a template with this `from_pack` and these other lines.
pub(super) fn text(from_pack: &str, more: &str) -> String {
    format!(
        "schema: synthd/template@2\nid: unit/test\ntitle: t\ncategory: unit\ndifficulty: easy\n\
         expected_steps: {{min: 1, max: 9}}\nenvironment: {{image: base}}\n\
         from_pack: {from_pack}\n{more}"
    )
}

fn read(from_pack: &str, more: &str) -> Result<Template, Vec<TemplateError>> {
    let folder = TemplateFolder::single(text(from_pack, more).into_bytes());
    Template::read_with_packs("unit/test", Arc::new(folder), &shelf())
}

fn task(seed: u64) -> Task {
    read("{pack: lib, kind: repair}", "").unwrap().task(seed, 0).unwrap()
}

/// The first mistake, with its line.
fn mistake(from_pack: &str, more: &str) -> (Option<u64>, String) {
    let error = read(from_pack, more).unwrap_err().remove(0);
    (error.location.map(|(line, _)| line), error.message)
}

#[test]
fn a_fault_of_the_pack_stands_in_the_workspace_and_its_test_is_kept_back() {
    let task = task(1);
    let content = |path: &str| {
        task.files.iter().find(|file| file.path == path).map(|file| file.content.as_str()).unwrap()
    };
    assert_eq!(content("lib.py"), CODE.replace("n + n", "n - n"));
    let shown = content("tests/test_lib.py");
    assert!(!shown.contains("test_two"), "{shown}");
    assert!(shown.ends_with("class Twice(unittest.TestCase):\n    pass\n"), "{shown}");
    assert!(task.instruction.contains(&task.canary));
    assert!(task.instruction.contains("self.assertEqual(twice(2), 4)"), "{}", task.instruction);
}

#[test]
fn the_oracle_mends_the_fault_in_a_window_of_whole_lines() {
    let task = task(1);
    let edit = task.solution.iter().find_map(|step| match &step.action {
        MoveAction::Edit { path, search, replace } => Some((path, search, replace)),
        _ => None,
    });
    let (path, search, replace) = edit.unwrap();
    assert_eq!((path.as_str(), search.as_str()), ("lib.py", "    return n - n"));
    assert_eq!(replace, "    return n + n");
    assert_eq!(task.faults[0].repair(), task.solution[3].action);
    let MoveAction::Write { content, .. } = &task.alternatives[0].moves[0].action else {
        panic!("{:?}", task.alternatives)
    };
    assert_eq!(content, CODE);
}

#[test]
fn the_seal_has_the_tests_and_no_source() {
    let verification = task(1).verification;
    let paths: Vec<&str> = verification.files.iter().map(|file| file.path.as_str()).collect();
    assert!(paths.contains(&"project/tests/test_lib.py"), "{paths:?}");
    assert!(!paths.iter().any(|path| path.ends_with("/lib.py")), "{paths:?}");
    let checks: Vec<_> =
        verification.checks.iter().map(|c| (c.name.as_str(), c.part.as_deref())).collect();
    assert_eq!(checks, [("fault-1", Some("fault-1"))], "no test is left to be kept");
    assert!(verification.milestones.is_empty(), "one change is its own milestone");
    assert_eq!(verification.cheats.len(), 4);
    let plan = verification.files.iter().find(|file| file.path == "plan.json").unwrap();
    let plan: serde_json::Value = serde_json::from_str(&plan.content).unwrap();
    assert_eq!(plan["parts"]["fault-1"], serde_json::json!([0, 1]));
    let listing = verification.files.iter().find(|file| file.path == "pack.json").unwrap();
    let listing: serde_json::Value = serde_json::from_str(&listing.content).unwrap();
    assert_eq!(listing["twins"][0]["test"], 0);
    assert_eq!(listing["others"], serde_json::json!(["tests/test_lib.py"]));
}

#[test]
fn the_pack_counts_for_the_digests() {
    let (one, again) = (task(1), task(1));
    assert_eq!(one, again);
    assert_ne!(one.digest, task(2).digest);
    let origin = one.pack.unwrap();
    assert_eq!((origin.name.as_str(), origin.entries.len()), ("lib", 1));
    let template = read("{pack: lib, kind: repair}", "").unwrap();
    assert_eq!(template.files().get("pack:lib"), Some(&shelf().0.digest));
    let mut other = parts();
    other.notices.push('x');
    let other = OnePack(Arc::new(ProjectPack::read(other).unwrap()));
    let folder = TemplateFolder::single(text("{pack: lib, kind: repair}", "").into_bytes());
    let other = Template::read_with_packs("unit/test", Arc::new(folder), &other).unwrap();
    assert_ne!(other.digest(), template.digest());
    assert_ne!(other.task(1, 0).unwrap().digest, again.digest);
}

/// A split must not show what is right in another one.
#[test]
fn all_tasks_of_a_pack_are_in_one_cluster() {
    assert_eq!(task(1).cluster, task(2).cluster);
    assert_eq!(task(1).cluster, Task::cluster_of("pack:lib", ""));
}

#[test]
fn a_pack_must_be_there_in_the_wanted_version() {
    assert!(read("{pack: lib@1, kind: repair}", "").is_ok());
    let (line, message) = mistake("{pack: lib@2, kind: repair}", "");
    assert_eq!(line, Some(8));
    assert!(message.contains("has the version \"1\""), "{message}");
    let unknown = read("{pack: lob, kind: repair}", "").unwrap_err().remove(0);
    assert!(unknown.message.contains("there is no pack \"lob\""), "{}", unknown.message);
    assert_eq!(unknown.unknown.unwrap().known, ["lib"]);
    let folder = TemplateFolder::single(text("{pack: lib, kind: repair}", "").into_bytes());
    let none = Template::read_with_packs("unit/test", Arc::new(folder), &EmptyShelf);
    assert!(none.unwrap_err()[0].unknown.is_none());
}

#[test]
fn the_pack_stands_instead_of_other_keys() {
    let (line, message) = mistake("{pack: lib, kind: repair}", "instruction: x\n");
    assert_eq!(line, Some(9));
    assert!(message.contains("cannot stand beside `from_pack`"), "{message}");
    for (from_pack, expected) in [
        ("{pack: lib, kind: repair, faults: {min: 2, max: 3}}", "only the kind `repair-many`"),
        ("{pack: lib, kind: repair, functions: {min: 1, max: 1}}", "only the kind `implement`"),
        ("{pack: lib, kind: repair-many, faults: {min: 1, max: 3}}", "2 to 10 are possible"),
        ("{pack: lib, kind: repair-many, faults: {min: 3, max: 2}}", "min is above max"),
        ("{pack: lib, kind: implement, report: {choice: [area]}}", "no faults to report"),
        ("{pack: lib, kind: repair, report: {choice: []}}", "no form to draw"),
        ("{pack: lib, kind: repair, places: {min: 1, max: 2}}", "only the kind `speed-up`"),
        ("{pack: lib, kind: speed-up, report: {choice: [area]}}", "no faults to report"),
    ] {
        let (_, message) = mistake(from_pack, "");
        assert!(message.contains(expected), "{from_pack}: {message}");
    }
}

#[test]
fn a_pack_without_entries_of_a_kind_makes_no_task() {
    let template = read("{pack: lib, kind: implement}", "").unwrap();
    let error = template.task(1, 0).unwrap_err();
    assert!(error.message.contains("has no entries for this"), "{}", error.message);
}
