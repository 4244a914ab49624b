//! Tasks of the kind `environment` from packs whose tests are cases.

use super::written_cases::{commands, pack, sealed, template};
use crate::model::{MoveAction, Task};
use crate::pack::PackFile;
use std::collections::BTreeSet;

fn tasks() -> Vec<Task> {
    let template = template(pack("other-"), "environment");
    (1..=40).map(|seed| template.task(seed, 0).unwrap()).collect()
}

fn content<'t>(task: &'t Task, path: &str) -> Option<&'t str> {
    task.files.iter().find(|file| file.path == path).map(|file| file.content.as_str())
}

fn entries(task: &Task) -> &[String] {
    &task.pack.as_ref().unwrap().entries
}

#[test]
fn the_project_has_all_cases_and_another_command() {
    let pack = pack("other-");
    for task in tasks() {
        assert_eq!(content(&task, "src/canal.sh"), pack.text("src/canal.sh"));
        for test in &pack.tests {
            assert_eq!(content(&task, &test.file), pack.text(&test.file));
        }
        assert_eq!(content(&task, "tests/run"), None, "the engine's script would run them");
        assert_eq!(content(&task, "tools/build"), None, "nothing is built");
        assert!(content(&task, "tools/suite.sh").is_some());
        let has_link = entries(&task).contains(&"dangling-link".to_owned());
        assert_eq!(task.setup.is_empty(), !has_link, "{:?}", task.setup);
        let mode = task.files.iter().find(|file| file.path == "run-tests").unwrap().mode;
        assert_eq!(mode == 0o644, entries(&task).contains(&"lost-mode".to_owned()));
        assert!(task.instruction.contains("`./run-tests`"), "{}", task.instruction);
        assert!(task.instruction.contains("`FAIL NAME`"), "{}", task.instruction);
    }
}

#[test]
fn each_breakage_around_cases_is_a_part_and_the_oracle_mends_it() {
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
            let wrong = content(&task, &fault.path).unwrap();
            assert_eq!(wrong.matches(&fault.wrong).count(), 1, "{fault:?}");
        }
        assert_eq!(task.verification.cheats.len(), 7);
    }
}

#[test]
fn the_judge_of_surroundings_has_faults_with_the_cases_that_tell_them() {
    let pack = pack("other-");
    let task = &tasks()[0];
    let plan = sealed(task, "environment.json");
    assert_eq!(plan["cases"].as_array().unwrap().len(), pack.tests.len());
    let faults = plan["faults"].as_array().unwrap();
    assert_eq!(faults.len(), pack.faults.len());
    assert_eq!(faults[0]["cases"], serde_json::json!(["bridge-arch-1", "bridge-arch-2"]));
    assert_eq!(plan["roots"], serde_json::json!(["src", "tests"]));
    assert_eq!(plan["suite"], "tools/suite.sh");
    let paths: Vec<&str> =
        plan["healthy"].as_array().unwrap().iter().map(|file| file[0].as_str().unwrap()).collect();
    let known = ["run-tests", "tools/env.sh", "tools/suite.cfg", "tools/suite.sh", "tools/program"];
    assert_eq!(paths, known);
    let files = &task.verification.files;
    let signed: Vec<&str> = files
        .iter()
        .filter(|file| file.content.contains(&task.verification.canary))
        .map(|file| file.path.as_str())
        .collect();
    assert_eq!(signed, ["environment.py", ".canary"]);
}

/// The engine's script finds its words beside itself, and the cases where they are. It would be right, but
/// it does without the project's own.
#[test]
fn a_command_that_needs_none_of_the_broken_files_is_a_cheat() {
    for task in tasks() {
        let mut cheats = task.verification.cheats.iter();
        let moves = &cheats.find(|cheat| cheat.name == "own-files").unwrap().moves;
        let written: Vec<(&str, &str)> = moves
            .iter()
            .filter_map(|step| match &step.action {
                MoveAction::Write { path, content } => Some((path.as_str(), content.as_str())),
                _ => None,
            })
            .collect();
        let [(command, script), (words, program)] = written[..] else { panic!("{written:?}") };
        assert_eq!((command, words, program), ("run-tests", "own/program", "sh\nsrc/bridge.sh\n"));
        assert!(script.contains("\"$(dirname -- \"$0\")\" && pwd"), "{script}");
        assert!(script.contains("$root/own/program") && script.contains("$root/tests/cases"));
        assert!(!script.contains("tests/program") && !script.contains("tests/build"), "{script}");
        assert!(commands(moves).contains("chmod 755 run-tests"));
    }
}

#[test]
fn another_honest_solution_writes_all_but_the_script_anew() {
    for task in tasks() {
        let moves = &task.alternatives[0].moves;
        let written: Vec<&str> = moves
            .iter()
            .filter_map(|step| match &step.action {
                MoveAction::Write { path, .. } => Some(path.as_str()),
                _ => None,
            })
            .collect();
        assert_eq!(written, ["run-tests", "tools/env.sh", "tools/suite.cfg", "tools/program"]);
        assert!(commands(moves).starts_with("rm -rf "), "{}", commands(moves));
        assert!(task.instruction.contains("`tools/suite.sh` is right"), "{}", task.instruction);
    }
}

#[test]
fn seeds_break_other_things_around_cases() {
    let tasks = tasks();
    let kinds: BTreeSet<&[String]> = tasks.iter().map(entries).collect();
    assert!(kinds.len() >= 20, "{kinds:?}");
    let wordings: BTreeSet<&Option<String>> = tasks.iter().map(|task| &task.wording).collect();
    assert_eq!(wordings.len(), 3, "{wordings:?}");
}

#[test]
fn a_project_with_cases_that_has_files_of_these_names_makes_no_task() {
    for path in ["tools/own.sh", "run-tests", "own/notes"] {
        let mut taken = pack("other-");
        taken.files.push(PackFile {
            path: path.to_owned(),
            content: "x\n".to_owned(),
            executable: false,
        });
        let error = template(taken, "environment").task(1, 0).unwrap_err();
        assert!(error.message.contains("has no entries for this"), "{}", error.message);
    }
}
