//! Templates from packs whose tests do not run any more.

use super::packs::{OnePack, text};
use crate::model::{FileSpec, MoveAction, Task};
use crate::pack::ProjectPack;
use crate::pack::tests::{CODE, parts};
use crate::task::{Template, TemplateFolder};
use std::collections::BTreeSet;
use std::sync::Arc;

const SPEC: &str = "{pack: lib, kind: environment}";

fn template(from_pack: &str) -> Template {
    let shelf = OnePack(Arc::new(ProjectPack::read(parts()).unwrap()));
    let folder = TemplateFolder::single(text(from_pack, "").into_bytes());
    Template::read_with_packs("unit/test", Arc::new(folder), &shelf).unwrap()
}

fn tasks() -> Vec<Task> {
    let template = template(SPEC);
    (1..=40).map(|seed| template.task(seed, 0).unwrap()).collect()
}

/// The file with this path.
fn file<'f>(files: &'f [FileSpec], path: &str) -> &'f FileSpec {
    files.iter().find(|file| file.path == path).unwrap()
}

fn entries(task: &Task) -> &[String] {
    &task.pack.as_ref().unwrap().entries
}

#[test]
fn the_project_is_as_it_was_and_its_command_is_beside_it() {
    for task in tasks() {
        assert_eq!(file(&task.files, "lib.py").content, CODE);
        assert!(file(&task.files, "tests/test_lib.py").content.contains("def test_three"));
        let mode = file(&task.files, "run-tests").mode;
        assert_eq!(mode == 0o644, entries(&task).contains(&"lost-mode".to_owned()));
        assert!(task.instruction.contains("`./run-tests`"), "{}", task.instruction);
    }
}

#[test]
fn each_breakage_is_a_part_and_the_oracle_mends_it() {
    for task in tasks() {
        let count = entries(&task).len();
        assert!((2..=4).contains(&count), "{count}");
        let checks: Vec<&str> =
            task.verification.checks.iter().map(|check| check.name.as_str()).collect();
        assert_eq!(checks.len(), count + 2, "{checks:?}");
        assert!(checks.ends_with(&["suite", "untouched"]), "{checks:?}");
        assert_eq!(task.verification.milestones.len(), count);
        assert_eq!(task.solution.len(), 3 + 2 * count);
        let actions: Vec<&MoveAction> = task.solution.iter().map(|step| &step.action).collect();
        for fault in &task.faults {
            assert!(actions.contains(&&fault.repair()), "{}", fault.name);
        }
    }
}

#[test]
fn a_wrong_text_that_is_replaced_gives_the_file_that_works() {
    for task in tasks() {
        for fault in &task.faults {
            let wrong = &file(&task.files, &fault.path).content;
            assert_eq!(wrong.matches(&fault.wrong).count(), 1, "{fault:?}");
            let sealed = file(&task.verification.files, &format!("healthy/{}", fault.path));
            assert_eq!(wrong.replace(&fault.wrong, &fault.right), sealed.content);
        }
    }
}

#[test]
fn the_seal_has_the_project_and_surroundings_that_work() {
    let task = &tasks()[0];
    let sealed = &task.verification.files;
    assert_eq!(file(sealed, "given/lib.py").content, CODE);
    assert!(file(sealed, "project/tests/test_lib.py").content.contains("def test_two"));
    assert_eq!(file(sealed, "healthy/run-tests").mode, 0o755);
    assert!(!sealed.iter().any(|file| file.path == "check.py"), "another program judges");
    let plan = &file(sealed, "environment.json").content;
    let plan: serde_json::Value = serde_json::from_str(plan).unwrap();
    assert_eq!(plan["files"], serde_json::json!(["lib.py", "tests/test_lib.py"]));
    assert_eq!(plan["suite"], "tools/suite.py");
    assert_eq!(plan["parts"].as_object().unwrap().len(), entries(task).len());
    let program = &file(sealed, "environment.py").content;
    assert!(program.trim_end().ends_with(&task.verification.canary), "it is signed");
}

#[test]
fn the_tool_of_the_project_must_be_what_runs() {
    for task in tasks() {
        assert!(task.instruction.contains("`tools/suite.py` is right"), "{}", task.instruction);
        assert!(task.instruction.contains("does without them is not accepted"));
        let anew = &task.alternatives[0];
        let writes = |path: &str| {
            let writes = |action: &MoveAction| matches!(action, MoveAction::Write { path: other, .. } if other == path);
            anew.moves.iter().any(|step| writes(&step.action))
        };
        assert!(writes("run-tests") && writes("tools/suite.cfg") && !writes("tools/suite.py"));
        let cheats = &task.verification.cheats;
        assert!(cheats.iter().any(|cheat| cheat.name == "plain-command"), "{cheats:?}");
    }
}

#[test]
fn seeds_break_other_things() {
    let tasks = tasks();
    let kinds: BTreeSet<&[String]> = tasks.iter().map(entries).collect();
    assert!(kinds.len() >= 20, "{kinds:?}");
    assert!(tasks.iter().any(|task| !task.setup.is_empty()), "some need a command");
}

#[test]
fn a_project_that_has_files_of_these_names_makes_no_task() {
    let mut taken = parts();
    taken.files.push(crate::pack::PackFile {
        path: "tools/own.py".to_owned(),
        content: String::new(),
        executable: false,
    });
    taken.head.project_sha256 = crate::pack::project_digest(&taken.files);
    let pack = ProjectPack::read(taken).unwrap();
    assert!(!pack.takes_suite() && ProjectPack::read(parts()).unwrap().takes_suite());
    let folder = TemplateFolder::single(text(SPEC, "").into_bytes());
    let shelf = OnePack(Arc::new(pack));
    let template = Template::read_with_packs("unit/test", Arc::new(folder), &shelf).unwrap();
    let error = template.task(1, 0).unwrap_err();
    assert!(error.message.contains("has no entries for this"), "{}", error.message);
}

#[test]
fn the_number_of_breakages_is_bounded() {
    let mistake = |from_pack: &str| {
        let shelf = OnePack(Arc::new(ProjectPack::read(parts()).unwrap()));
        let folder = TemplateFolder::single(text(from_pack, "").into_bytes());
        let read = Template::read_with_packs("unit/test", Arc::new(folder), &shelf);
        read.unwrap_err().remove(0).message
    };
    for (keys, expected) in [
        ("kind: environment, breakages: {min: 1, max: 3}", "2 to 4 are possible"),
        ("kind: environment, breakages: {min: 2, max: 5}", "2 to 4 are possible"),
        ("kind: environment, report: {choice: [area]}", "have no faults to report"),
        ("kind: environment, duplicates: {min: 1, max: 1}", "only the kind `de-duplicate`"),
        ("kind: de-duplicate, breakages: {min: 2, max: 2}", "only the kind `environment`"),
        ("kind: de-duplicate, duplicates: {min: 0, max: 2}", "1 to 4 are possible"),
    ] {
        let message = mistake(&format!("{{pack: lib, {keys}}}"));
        assert!(message.contains(expected), "{keys}: {message}");
    }
}
