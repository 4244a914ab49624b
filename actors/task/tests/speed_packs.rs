//! Tasks of the kind `speed-up`, from slow forms of a pack.

use super::packs::{OnePack, text};
use crate::model::{MoveAction, Task};
use crate::pack::tests::{CODE, parts, slow_parts};
use crate::pack::{PackParts, ProjectPack, SlowParts};
use crate::task::{Template, TemplateFolder};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The slow text of the pack's function.
const SLOW: &str = "sum(1 for _ in range(2 * n))";

/// A template over the pack with these slow forms.
fn template(slow: SlowParts, more: &str) -> Template {
    let pack = Arc::new(ProjectPack::read(PackParts { slow, ..parts() }).unwrap());
    let from_pack = format!("{{pack: lib, kind: speed-up{more}}}");
    let folder = TemplateFolder::single(text(&from_pack, "").into_bytes());
    Template::read_with_packs("unit/test", Arc::new(folder), &OnePack(pack)).unwrap()
}

fn task(seed: u64) -> Task {
    template(slow_parts(), ", places: {min: 1, max: 1}").task(seed, 0).unwrap()
}

/// The content of a file of the workspace.
fn content<'t>(task: &'t Task, path: &str) -> &'t str {
    task.files.iter().find(|file| file.path == path).map(|file| file.content.as_str()).unwrap()
}

/// The content of a sealed file.
fn sealed<'t>(task: &'t Task, path: &str) -> Option<&'t str> {
    let files = &task.verification.files;
    files.iter().find(|file| file.path == path).map(|file| file.content.as_str())
}

#[test]
fn the_slow_form_stands_in_the_workspace_and_all_tests_are_shown() {
    let task = task(1);
    assert_eq!(content(&task, "lib.py"), CODE.replace("n + n", SLOW));
    let shown = content(&task, "tests/test_lib.py");
    assert!(shown.contains("test_two") && shown.contains("test_three"), "{shown}");
    assert!(task.instruction.contains("- `twice` of 1,000,000"), "{}", task.instruction);
    assert!(task.instruction.contains("within 2 seconds of processor time"));
    assert!(task.instruction.contains(&task.canary));
}

#[test]
fn the_judge_has_the_workload_and_the_fast_form() {
    let task = task(1);
    let checks: Vec<_> =
        task.verification.checks.iter().map(|c| (c.name.as_str(), c.run.as_str())).collect();
    let expected = [("place-1", "python3 /sealed/speed.py"), ("kept", "python3 /sealed/check.py")];
    assert_eq!(checks, expected);
    assert_eq!(sealed(&task, "reference/lib.py"), Some(CODE));
    assert!(sealed(&task, "workloads/twice.py").unwrap().contains("def data"));
    let plan: serde_json::Value =
        serde_json::from_str(sealed(&task, "speed.json").unwrap()).unwrap();
    let place = serde_json::json!({"workload": "twice", "size": 1_000_000});
    assert_eq!(plan, serde_json::json!({"places": {"place-1": place}}));
    let tests: serde_json::Value =
        serde_json::from_str(sealed(&task, "plan.json").unwrap()).unwrap();
    assert_eq!(tests, serde_json::json!({"parts": {"kept": [0, 1]}}));
    assert!(task.files.iter().all(|file| !file.path.starts_with("workloads")));
}

#[test]
fn the_oracle_brings_the_fast_form_back_and_each_cheat_keeps_the_slow_one() {
    let task = task(1);
    assert_eq!(task.faults.len(), 1);
    assert_eq!(task.faults[0].name, "w0001");
    assert!(task.solution.iter().any(|step| step.action == task.faults[0].repair()));
    let names: Vec<&str> =
        task.verification.cheats.iter().map(|cheat| cheat.name.as_str()).collect();
    let slow = ["forged-answer", "raised-limit", "forked-processes", "patched-assertions"];
    assert_eq!(names[..4], slow);
    assert_eq!(names[4..], ["emptied-sources"]);
    for cheat in &task.verification.cheats {
        let MoveAction::Write { path, content } = &cheat.moves[0].action else {
            panic!("{:?}", cheat.moves)
        };
        assert_eq!(path, "lib.py");
        assert_eq!(content.contains(SLOW), slow.contains(&cheat.name.as_str()), "{content}");
    }
}

/// Two forms of one function would stand in each other's way.
#[test]
fn forms_of_one_task_are_of_different_functions() {
    let mut slow = slow_parts();
    let other = slow.forms.replace("w0001", "w0002");
    slow.forms.push_str(&other);
    let template = template(slow, ", places: {min: 1, max: 2}");
    let drawn: BTreeSet<Vec<String>> = (1..40)
        .filter_map(|seed| template.task(seed, 0).ok()?.pack.map(|pack| pack.entries))
        .collect();
    let alone = |id: &str| vec![id.to_owned()];
    assert_eq!(drawn, BTreeSet::from([alone("w0001"), alone("w0002")]));
}

#[test]
fn three_wordings_tell_the_same() {
    let wordings: BTreeSet<String> = (1..40).filter_map(|seed| task(seed).wording).collect();
    assert_eq!(wordings.len(), 3);
    assert_eq!(task(7), task(7));
}

#[test]
fn a_pack_without_slow_forms_makes_no_task() {
    let error = template(SlowParts::default(), "").task(1, 0).unwrap_err();
    assert!(error.message.contains("has no entries for this"), "{}", error.message);
}
