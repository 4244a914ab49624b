//! Faults of templates: the drawn wrong text, its repair, and the fault put back.

use super::{in_folder, mistakes, second};
use crate::model::{MoveAction, Task};
use std::collections::HashSet;

const FAULTS: &str = "\
faults:
  - {name: bound, file: app.py, at: 'range(', right: 'size + {{ n }}', wrong: {off: size, far: 'size + 8'}}
instruction: do
solution: [{edit: {fault: bound}}]
alternatives: [{name: other, steps: [{run: 'echo {{ right.bound }}'}]}]";
const FILES: &str =
    "[{path: app.py, content: 'for x in range({{ fault.bound }}): # {{ fault_variant.bound }}'}]";
const CHECK: &str = "run: 'test {{ right.bound }} {{ fault_variant.bound }}'";

fn tasks() -> Vec<Task> {
    let template = in_folder(&second(FAULTS, FILES, CHECK), &[]).unwrap();
    (0..20).map(|index| template.task(1, index).unwrap()).collect()
}

#[test]
fn the_wrong_text_is_drawn_and_the_oracle_repairs_it() {
    let mut variants = HashSet::new();
    for task in tasks() {
        let fault = task.faults[0].clone();
        let wrong = match fault.variant.as_str() {
            "off" => "size",
            "far" => "size + 8",
            other => panic!("{other}"),
        };
        let variant = &fault.variant;
        assert_eq!(task.files[0].content, format!("for x in range({wrong}): # {variant}"));
        let repair = MoveAction::Edit {
            path: "app.py".to_owned(),
            search: format!("range({wrong}"),
            replace: "range(size + 7".to_owned(),
        };
        assert_eq!((&task.solution[0].action, &fault.repair()), (&repair, &repair));
        let MoveAction::Edit { search, replace, .. } = fault.put_back().action else { panic!() };
        assert_eq!((search, replace), ("range(size + 7".to_owned(), format!("range({wrong}")));
        let said = MoveAction::Run("echo size + 7".to_owned());
        assert_eq!(task.alternatives[0].moves[0].action, said);
        assert_eq!(task.verification.checks[0].run, format!("test size + 7 {variant}"));
        variants.insert(fault.variant);
    }
    assert_eq!(variants.len(), 2);
}

/// The draw of a fault moves no parameter.
#[test]
fn a_fault_leaves_the_parameters_as_they_are() {
    let parameters = "{n: {int: {min: 0, max: 999999}}}";
    let drawn = |keys: &str, files: &str| {
        let text =
            second(keys, files, "run: 'true {{ n }}'").replace("{n: {choice: [7]}}", parameters);
        in_folder(&text, &[]).unwrap().task(3, 0).unwrap().verification.checks[0].run.clone()
    };
    assert_eq!(drawn(FAULTS, FILES), drawn(super::KEYS, "[]"));
}

#[test]
fn the_right_text_is_known_only_to_what_no_agent_sees() {
    let files = FILES.replace("fault.bound", "right.bound");
    let errors = mistakes(&second(FAULTS, &files, CHECK), &[]);
    assert!(errors[0].message.contains("`environment.files.0.content`: "), "{errors:?}");
    assert!(errors[0].message.contains("is undefined"), "{errors:?}");
}

#[test]
fn faults_have_rules() {
    for (from, to, said) in [
        ("at: 'range(', ", "", "times in app.py; give `at`"),
        ("range({{ fault.bound }})", "range(x)", "write `{{ fault.bound }}` there"),
        ("file: app.py", "file: other.py", "the workspace has no file \"other.py\""),
        ("wrong: {off: size, far: 'size + 8'}", "wrong: {}", "there is no wrong text"),
        ("off: size", "off: 'size + {{ n }}'", "the same as the right text"),
        ("name: bound", "name: a-b", "is not a plain word"),
        ("edit: {fault: bound}", "edit: {fault: bond}", "there is no fault \"bond\""),
        ("edit: {fault: bound}", "edit: {fault: bound, path: x}", "`fault` stands alone"),
        ("edit: {fault: bound}", "edit: {path: x}", "it needs `path`, `search` and `replace`"),
        ("{n: {choice: [7]}}", "{n: {choice: [7]}, right: {bool: {}}}", "rename the parameter"),
    ] {
        // Where the text before it is missing, the wrong text stands there twice.
        let doubled = FILES.replace("fault_variant.bound", "fault.bound");
        let files = if from.starts_with("at:") { doubled.as_str() } else { FILES };
        let text = second(FAULTS, files, CHECK);
        assert!(text.contains(from), "{from}");
        let errors = mistakes(&text.replacen(from, to, 1), &[]);
        assert!(errors.iter().any(|e| e.message.contains(said)), "{said}: {errors:?}");
    }
    let twice = FAULTS.replace(
        "instruction:",
        "  - {name: bound, file: x, right: a, wrong: {b: c}}\ninstruction:",
    );
    let errors = mistakes(&second(&twice, FILES, CHECK), &[]);
    assert!(errors.iter().any(|e| e.message.contains("\"bound\" is there twice")), "{errors:?}");
    let empty = FAULTS.replace("at: 'range(', ", "").replace("off: size", "off: ''");
    let errors = mistakes(&second(&empty, FILES, CHECK), &[]);
    assert!(errors.iter().any(|e| e.message.contains("needs `at`")), "{errors:?}");
}
