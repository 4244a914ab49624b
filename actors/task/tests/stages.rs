//! Templates with stages: the tasks that they make, and what is wrong with some.

use super::{mistakes, second, told};
use crate::model::{MoveAction, Task};
use crate::task::{Catalog, Template};
use crate::testkit::STAGED;

fn staged() -> Task {
    Template::parse(STAGED.0, STAGED.1).unwrap().task(1, 0).unwrap()
}

/// A template in a folder with these lines as its stages.
fn with(stages: &str) -> String {
    let whole = second(stages, "[{path: a, content: a}]", "run: x");
    let (before, _) = whole.split_once("verification:\n  run: x\n").unwrap();
    before.to_owned()
}

#[test]
fn each_stage_has_its_own_part_of_the_task() {
    let task = staged();
    let names: Vec<&str> = task.stages.iter().map(|stage| stage.name.as_str()).collect();
    assert_eq!(names, ["copy", "sign", "send"]);
    let shares: Vec<f64> = task.stages.iter().map(|stage| stage.weight).collect();
    assert_eq!(shares, [0.25, 0.5, 0.25]);
    assert_eq!(task.instruction, task.stages[0].instruction);
    let end = format!("\n\n[{}]\n", task.canary);
    assert!(task.stages.iter().all(|stage| stage.instruction.ends_with(&end)));
    for (at, stage) in task.stages.iter().enumerate() {
        let part = task.at_stage(at).unwrap();
        assert_eq!((&part.instruction, &part.solution), (&stage.instruction, &stage.solution));
        assert_eq!(part.verification, stage.verification);
        assert!(part.stages.is_empty() && part.files == task.files);
        let canary = &stage.verification.canary;
        assert_eq!(*canary, task.verification.canary);
        assert!(stage.verification.files.iter().any(|file| file.content.contains(canary)));
    }
    assert_eq!(task.at_stage(3), None);
}

#[test]
fn the_whole_task_is_made_of_its_stages() {
    let task = staged();
    let submits: Vec<bool> =
        task.solution.iter().map(|step| step.action == MoveAction::Submit).collect();
    assert_eq!(submits, [false, false, true, false, true, false]);
    let whole = &task.verification;
    let checks: Vec<(&str, f64)> =
        whole.checks.iter().map(|check| (check.name.as_str(), check.weight)).collect();
    let expected = [
        ("copy/letter", 0.1875),
        ("copy/kept", 0.0625),
        ("sign/verified", 0.5),
        ("send/verified", 0.25),
    ];
    assert_eq!(checks, expected);
    let milestones: Vec<(&str, f64)> =
        whole.milestones.iter().map(|one| (one.name.as_str(), one.weight)).collect();
    assert_eq!(milestones, [("copy/begun", 0.25), ("sign/signed", 0.5)]);
    let half = whole.cheats.last().unwrap();
    assert_eq!((half.name.as_str(), half.moves.len()), ("send/half", 6));
    assert_eq!(half.moves[..5], task.solution[..5], "the oracle plays the stages before");
}

#[test]
fn an_alternative_of_one_stage_has_the_oracle_in_the_others() {
    let other =
        "    alternatives: [{name: long, steps: [{run: 'put name m'}, {run: 'put name me'}]}]\n";
    let text = STAGED.1.replace("    weight: 2\n", &format!("{other}    weight: 2\n"));
    let task = Template::parse(STAGED.0, &text).unwrap().task(1, 0).unwrap();
    let [long] = task.alternatives.as_slice() else { panic!("{:?}", task.alternatives) };
    assert_eq!((long.name.as_str(), long.moves.len()), ("sign/long", 7));
    assert_eq!(long.moves[..3], task.solution[..3]);
    assert_eq!(long.moves[5..], task.solution[4..]);
}

/// Wordings are drawn for each stage, and move nothing else.
#[test]
fn each_stage_draws_its_wording() {
    let wordings = "{complete: Sign it with me., terse: Sign.}";
    let text = STAGED.1.replace("Sign the letter.", wordings);
    let template = Template::parse(STAGED.0, &text).unwrap();
    let tasks: Vec<Task> = (0..20).map(|index| template.task(1, index).unwrap()).collect();
    let drawn = |name: &str| {
        tasks.iter().filter(|task| task.stages[1].wording.as_deref() == Some(name)).count()
    };
    assert!(drawn("complete") > 0 && drawn("terse") > 0);
    assert_eq!(drawn("complete") + drawn("terse"), 20);
    assert_eq!(tasks[0].files, staged().files);
    assert!(tasks.iter().all(|task| task.wording.is_none()), "the first stage has one wording");
    let clusters: std::collections::HashSet<&str> =
        tasks.iter().map(|task| task.cluster.as_str()).collect();
    assert_eq!(clusters.len(), 20, "tasks differ by their words, and not by their wordings");
}

/// The instruction of a later stage is a part of the work, so it counts for the cluster.
#[test]
fn every_instruction_counts_for_the_cluster() {
    let other = STAGED.1.replace("Send the letter.", "Post the letter.");
    let other = Template::parse(STAGED.0, &other).unwrap().task(1, 0).unwrap();
    assert_ne!(other.cluster, staged().cluster);
}

#[test]
fn all_mistakes_of_stages_are_told_at_once() {
    let stages = "\
stages:
  - name: a/b
    weight: 0
    turns: 0
    solution: []
    verification: {}
  - {name: c, instruction: {terse: t}, solution: [{run: x, write: {path: p}}]}
  - {name: c, instruction: 'do {{ m }}', solution: [{run: x}], verification: {run: x}}
";
    let found = told(&mistakes(&with(stages), &[]));
    let expected = [
        "`stages.0.name`: \"a/b\" has other characters than letters, digits, - and _",
        "`stages.0.weight`: 0 is not above 0",
        "`stages.0.turns`: a stage needs a turn at least",
        "`stages.2.name`: \"c\" is there twice",
        "`stages.0`: the key `instruction` is missing",
        "`stages.1.instruction`: the wording `complete` is missing",
        "`stages.1.instruction`: 1 wordings; 2 to 6 are allowed",
        "`stages.0.solution`: there is no step",
        "`stages.1.solution.0.write`: it needs `content` or `from`",
        "`stages.0.verification`: it needs either `run` or `checks`",
        "`stages.1`: the key `verification` is missing",
    ];
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.ends_with(expected), "{found}");
        assert!(!found.contains(":0:0:"), "{found} has a place");
    }
    // What only a task tells is found for every stage.
    let stages = stages.replace("a/b", "a").replace("weight: 0", "weight: 1");
    let stages = stages.replace("turns: 0", "instruction: 'do {{ k }}'");
    let stages = stages.replace("solution: []", "solution: [{run: '{{ j }}'}]");
    let stages = stages.replace("verification: {}", "verification: {run: '{{ sealed_canary }}'}");
    let stages = stages.replace("{terse: t}", "x").replace(", write: {path: p}}]}", "}]}");
    let stages = stages
        .replace("name: c, instruction: x", "name: b, verification: {run: x}, instruction: x");
    let found = told(&mistakes(&with(&stages), &[]));
    let fields = ["stages.2.instruction", "stages.0.solution.0.run", "stages.0.verification.run"];
    for field in ["stages.0.instruction"].iter().chain(&fields) {
        assert!(found.iter().any(|one| one.contains(&format!("`{field}`"))), "{field}: {found:?}");
    }
    assert_eq!(found.len(), 4, "{found:#?}");
}

#[test]
fn stages_stand_alone_and_only_in_the_second_format() {
    let one = "stages: [{name: a, instruction: x, solution: [{run: x}], verification: {run: x}}]";
    let found = told(&mistakes(&second(&format!("instruction: do\n{one}"), "[]", "run: x"), &[]));
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(found[0].ends_with("`stages`: 1 stages; 2 to 8 are allowed"), "{found:?}");
    let beside = "it stands in each of the `stages`, not beside them";
    assert!(found[1].ends_with(&format!("`instruction`: {beside}")), "{found:?}");
    assert!(found[2].ends_with(&format!("`verification`: {beside}")), "{found:?}");
    let older = STAGED.1.replace("template@2", "template@1");
    let errors = Catalog::read([(STAGED.0, older.as_str())]).unwrap_err();
    let needs = "`stages`: it needs synthd/template@2";
    assert!(errors.iter().any(|error| error.message == needs), "{errors:?}");
}
