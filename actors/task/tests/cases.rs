//! Templates that take their tasks from packs whose tests are cases.

use crate::model::{MoveAction, Task};
use crate::pack::case_tests::{TOOL, parts};
use crate::pack::{CASE_RUNNER, PackHandle, PackShelf, ProjectPack};
use crate::task::{Template, TemplateFolder};
use std::collections::BTreeSet;
use std::sync::Arc;

/// A shelf with one pack.
struct CaseShelf(Arc<ProjectPack>);

impl PackShelf for CaseShelf {
    fn pack(&self, name: &str) -> Option<Result<PackHandle, String>> {
        (name == self.0.head.name).then(|| Ok(PackHandle::ready(self.0.clone())))
    }

    fn names(&self) -> Vec<String> {
        vec![self.0.head.name.clone()]
    }
}

fn template(from_pack: &str) -> Template {
    let text = format!(
        "schema: synthd/template@2\nid: unit/test\ntitle: t\ncategory: unit\ndifficulty: easy\n\
         expected_steps: {{min: 1, max: 9}}\nenvironment: {{image: base}}\n\
         requires: [git]\nfrom_pack: {from_pack}\n"
    );
    let shelf = CaseShelf(Arc::new(ProjectPack::read(parts()).unwrap()));
    let folder = TemplateFolder::single(text.into_bytes());
    Template::read_with_packs("unit/test", Arc::new(folder), &shelf).unwrap()
}

fn task(from_pack: &str, seed: u64) -> Task {
    template(from_pack).task(seed, 0).unwrap()
}

fn repair(seed: u64) -> Task {
    task("{pack: adder, kind: repair}", seed)
}

fn content<'t>(task: &'t Task, path: &str) -> Option<&'t str> {
    task.files.iter().find(|file| file.path == path).map(|file| file.content.as_str())
}

/// The names of the cases in the workspace.
fn shown(task: &Task) -> BTreeSet<&str> {
    let cases = task.files.iter().filter_map(|file| file.path.strip_prefix("tests/cases/"));
    cases.filter_map(|path| path.split('/').next()).collect()
}

fn sealed(task: &Task, path: &str) -> serde_json::Value {
    let files = &task.verification.files;
    let file = files.iter().find(|file| file.path == path).unwrap();
    serde_json::from_str(&file.content).unwrap()
}

#[test]
fn a_fault_stands_in_the_workspace_and_its_cases_are_kept_back() {
    let task = repair(1);
    assert_eq!(content(&task, "tool.sh"), Some(TOOL.replace("$1 + $2", "$1 - $2").as_str()));
    // The fault breaks all cases but one.
    assert_eq!(shown(&task), BTreeSet::from(["zero"]));
    assert_eq!(content(&task, "tests/run"), Some(CASE_RUNNER));
    assert_eq!(content(&task, "tests/program"), Some("sh\ntool.sh\n"));
    assert_eq!(content(&task, "tests/build"), None, "nothing is built");
    let run = task.files.iter().find(|file| file.path == "tests/run").unwrap();
    assert_eq!(run.mode, 0o755);
    assert_eq!(task.requires, ["git", "sh", "python3"]);
}

#[test]
fn the_report_quotes_a_case_with_what_is_right_and_what_is_not() {
    let told = repair(1).instruction;
    for part in
        ["sh tool.sh 1 1", "exit code 0, and print:\n\n    2", "But: line 1 of what it prints"]
    {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert!(!told.contains("-1 -2") && !told.contains("1234567"), "{told}");
    let area = task("{pack: adder, kind: repair, report: {choice: [area]}}", 1).instruction;
    assert!(area.contains("wrong in `tool.sh`") && !area.contains("1 1"), "{area}");
}

#[test]
fn some_cases_of_a_missing_function_are_shown() {
    let made: Vec<Task> = (0..20)
        .map(|seed| task("{pack: adder, kind: implement, functions: {min: 1, max: 1}}", seed))
        .collect();
    for task in &made {
        assert_eq!(shown(task).len(), 2, "one half of four");
        assert!(content(task, "tool.sh").unwrap().contains("not implemented"));
        assert!(task.instruction.contains("`tool.add` in `tool.sh`"), "{}", task.instruction);
    }
    let drawn: BTreeSet<BTreeSet<&str>> = made.iter().map(shown).collect();
    assert!(drawn.len() > 1, "{drawn:?}");
}

#[test]
fn the_seal_has_what_is_expected_and_the_judged_program_has_nothing() {
    let task = repair(1);
    assert_eq!(sealed(&task, "plan.json")["parts"]["fault-1"], serde_json::json!([0, 1, 2]));
    assert_eq!(sealed(&task, "plan.json")["parts"]["kept"], serde_json::json!([3]));
    assert_eq!(sealed(&task, "pack.json")["cases"][0]["out"], "1234567\n");
    let checks: Vec<&str> = task.verification.checks.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(checks, ["fault-1", "kept"]);
    // What leaves the judge must not have what says that the seal was read.
    let files = &task.verification.files;
    let signed: Vec<&str> = files
        .iter()
        .filter(|file| file.content.contains(&task.verification.canary))
        .map(|file| file.path.as_str())
        .collect();
    assert_eq!(signed, ["check.py", ".canary"]);
}

#[test]
fn the_oracle_mends_the_fault_and_cheats_leave_it() {
    let task = repair(1);
    let edit = task.solution.iter().find_map(|step| match &step.action {
        MoveAction::Edit { path, search, replace } => Some((path, search, replace)),
        _ => None,
    });
    let (path, search, replace) = edit.unwrap();
    assert_eq!((path.as_str(), search.as_str()), ("tool.sh", "    echo $(($1 - $2))"));
    assert_eq!(replace, "    echo $(($1 + $2))");
    let cheats = &task.verification.cheats;
    let names: Vec<&str> = cheats.iter().map(|cheat| cheat.name.as_str()).collect();
    assert_eq!(names, ["emptied-source", "replaced-runner", "replaced-program", "looked-up"]);
    let MoveAction::Write { content, .. } = &cheats[3].moves[0].action else {
        panic!("{:?}", cheats[3])
    };
    assert!(content.starts_with("#!/bin/sh\n"), "{content}");
    assert!(content.contains("tests/cases") && content.contains("$1 - $2"), "{content}");
}

#[test]
fn a_task_is_the_same_for_the_same_seed() {
    assert_eq!(repair(1), repair(1));
    assert_ne!(repair(1).digest, repair(2).digest);
    assert_eq!(repair(1).cluster, Task::cluster_of("pack:adder", ""));
}

#[test]
fn a_pack_without_groups_makes_no_task_with_several_faults() {
    let error = template("{pack: adder, kind: repair-many}").task(1, 0).unwrap_err();
    assert!(error.message.contains("has no entries for this"), "{}", error.message);
}
