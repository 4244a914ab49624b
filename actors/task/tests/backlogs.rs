//! Tasks whose changes are told one after the other, in stages. What tests say is computed here: a test
//! fails as long as a change is in the sources that breaks it.

use super::long_packs::{case_parts, long, pairs, template};
use super::packs::{OnePack, text};
use crate::model::{FileSpec, MoveAction, ScriptedMove, Task, TaskStage};
use crate::pack::{LeakScan, PackParts, ProjectPack};
use crate::task::{Template, TemplateFolder};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const FAULTS: &str =
    "{pack: lib, kind: backlog, stages: {min: 5, max: 6}, changes: {min: 1, max: 2}}";
const FUNCTIONS: &str = "{pack: lib, kind: backlog, work: functions, stages: {min: 4, max: 5}, \
     changes: {min: 1, max: 2}}";
const PAIR: &str = "{pack: lib, kind: backlog, stages: {min: 2, max: 2}}";
const CASES: &str =
    "{pack: adder, kind: backlog, stages: {min: 3, max: 5}, changes: {min: 1, max: 2}}";

/// Files by path.
type Texts<'t> = BTreeMap<&'t str, String>;

fn texts(task: &Task) -> Texts<'_> {
    task.files.iter().map(|file| (file.path.as_str(), file.content.clone())).collect()
}

/// What moves make of files. Each edit finds its text once.
fn play<'t>(texts: &mut Texts<'t>, moves: &'t [ScriptedMove]) {
    for step in moves {
        match &step.action {
            MoveAction::Edit { path, search, replace } => {
                let text = texts.get_mut(path.as_str()).unwrap();
                assert_eq!(text.matches(search.as_str()).count(), 1, "{search}");
                *text = text.replacen(search, replace, 1);
            }
            MoveAction::Write { path, content } => {
                texts.insert(path, content.clone());
            }
            MoveAction::Run(_) | MoveAction::Submit => {}
        }
    }
}

/// The tests of the wide pack that fail, and of the program with cases.
fn failing(texts: &Texts<'_>) -> BTreeSet<usize> {
    let mut failing = BTreeSet::new();
    if let Some(code) = texts.get("lib.py") {
        for (place, number) in (11..23).enumerate() {
            if !code.contains(&format!("    return x + {number}\n")) {
                failing.extend([2 * place, 2 * place + 1, 24]);
            }
        }
    }
    if let Some(code) = texts.get("tool.sh") {
        for number in 1..=5 {
            if !code.contains(&format!("echo $(($1 + {number}))")) {
                let first = 3 * (number - 1);
                failing.extend(first..first + 3);
            }
        }
    }
    failing
}

/// The parts of a stage with their tests.
fn parts(stage: &TaskStage) -> BTreeMap<String, BTreeSet<usize>> {
    let plan = stage.verification.files.iter().find(|file| file.path == "plan.json").unwrap();
    let plan: serde_json::Value = serde_json::from_str(&plan.content).unwrap();
    serde_json::from_value(plan["parts"].clone()).unwrap()
}

/// The parts of a stage that do not pass.
fn failed(stage: &TaskStage, texts: &Texts<'_>) -> Vec<String> {
    let failing = failing(texts);
    let is_failed =
        |(name, tests): (String, BTreeSet<usize>)| (!tests.is_disjoint(&failing)).then_some(name);
    parts(stage).into_iter().filter_map(is_failed).collect()
}

/// The files when each stage of the oracle begins, and when the last one has ended.
fn states(task: &Task) -> Vec<Texts<'_>> {
    let mut now = texts(task);
    let mut states = vec![now.clone()];
    for stage in &task.stages {
        play(&mut now, &stage.solution);
        states.push(now.clone());
    }
    states
}

/// Tasks of all kinds of packs that have backlogs.
fn tasks() -> Vec<Task> {
    let made = |parts: PackParts, from_pack: &str| -> Vec<Task> {
        let template = template(parts, from_pack);
        (1..24).map(|seed| template.task(seed, 0).unwrap()).collect()
    };
    [made(long(), FAULTS), made(long(), FUNCTIONS), made(pairs(), PAIR), made(case_parts(), CASES)]
        .concat()
}

/// The numbers of the changes of a stage, as its checks have them.
fn numbers(stage: &TaskStage) -> Vec<usize> {
    let names = stage.verification.checks.iter().filter(|check| check.name != "kept");
    names.map(|check| check.name.rsplit_once('-').unwrap().1.parse().unwrap()).collect()
}

#[test]
fn every_change_is_dealt_to_one_stage_and_no_stage_is_empty() {
    for task in tasks() {
        let dealt: Vec<Vec<usize>> = task.stages.iter().map(numbers).collect();
        assert!(dealt.iter().all(|numbers| (1..=2).contains(&numbers.len())), "{dealt:?}");
        let all: Vec<usize> = (1..=task.faults.len()).collect();
        assert_eq!(dealt.concat(), all, "in their order");
        let names: Vec<&str> = task.stages.iter().map(|stage| stage.name.as_str()).collect();
        let expected: Vec<String> = (1..=names.len()).map(|at| format!("item-{at}")).collect();
        assert_eq!(names, expected);
        let shares: f64 = task.stages.iter().map(|stage| stage.weight).sum();
        assert!((shares - 1.0).abs() < 1e-9, "{shares}");
        for stage in &task.stages {
            let edits = stage.solution.iter();
            let edits = edits.filter(|step| matches!(step.action, MoveAction::Edit { .. })).count();
            assert_eq!(edits, numbers(stage).len());
            let milestones = stage.verification.milestones.len();
            assert_eq!(milestones, if edits > 1 { edits } else { 0 });
        }
    }
}

#[test]
fn the_number_of_stages_and_what_they_are_about_is_drawn() {
    let template = template(long(), FAULTS);
    let tasks: Vec<Task> = (1..41).map(|seed| template.task(seed, 0).unwrap()).collect();
    let counts: BTreeSet<usize> = tasks.iter().map(|task| task.stages.len()).collect();
    assert_eq!(counts, BTreeSet::from([5, 6]));
    let edits = |task: &Task| -> Vec<String> {
        let edits = task.solution.iter().filter_map(|step| match &step.action {
            MoveAction::Edit { search, .. } => Some(search.clone()),
            MoveAction::Submit => Some("next".to_owned()),
            _ => None,
        });
        edits.collect()
    };
    let structures: BTreeSet<Vec<String>> = tasks.iter().map(edits).collect();
    assert!(structures.len() > 35, "{}", structures.len());
    for (seed, task) in (1..41).zip(&tasks) {
        assert_eq!(template.task(seed, 0).unwrap(), *task);
    }
}

/// The work of the oracle solves each stage, and only its own: what was done in the stages before is not
/// enough for the next one. Nothing holds at the start.
#[test]
fn each_stage_needs_its_own_work_and_no_later_one() {
    for task in tasks() {
        let states = states(&task);
        for (at, stage) in task.stages.iter().enumerate() {
            assert_eq!(failed(stage, &states[at + 1]), Vec::<String>::new(), "{at}");
            for number in numbers(stage) {
                let part = stage
                    .verification
                    .checks
                    .iter()
                    .find(|check| check.name.ends_with(&format!("-{number}")));
                let part = &part.unwrap().name;
                for (early, state) in states[..=at].iter().enumerate() {
                    assert!(failed(stage, state).contains(part), "{part} holds before {early}");
                }
            }
        }
        let whole = states.last().unwrap();
        assert!(failing(whole).is_empty(), "everything is mended in the end");
    }
}

/// No test is asked for twice in a stage, and a later stage asks for all that an earlier one has.
#[test]
fn what_a_stage_asks_for_is_kept_in_the_later_ones() {
    for task in tasks() {
        let mut before = BTreeSet::new();
        for stage in &task.stages {
            let parts = parts(stage);
            let asked: BTreeSet<usize> = parts.values().flatten().copied().collect();
            assert_eq!(asked.len(), parts.values().map(BTreeSet::len).sum::<usize>());
            assert!(asked.is_superset(&before), "{asked:?}");
            let kept = parts.get("kept").cloned().unwrap_or_default();
            assert!(before.iter().all(|test| kept.contains(test)), "{kept:?}");
            assert!(parts.values().all(|tests| !tests.is_empty()));
            before = asked;
        }
        let tests = if task.pack.unwrap().name == "lib" { 25 } else { 22 };
        assert_eq!(before.len(), tests, "the last stage asks for every test");
    }
}

#[test]
fn honest_work_in_another_order_is_accepted() {
    for task in tasks() {
        let names: Vec<&str> = task.alternatives.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["rewritten", "done-at-once"]);
        for alternative in &task.alternatives {
            let mut now = texts(&task);
            let moves: Vec<&[ScriptedMove]> =
                alternative.moves.split(|step| step.action == MoveAction::Submit).collect();
            assert_eq!(moves.len(), task.stages.len());
            for (stage, moves) in task.stages.iter().zip(moves) {
                play(&mut now, moves);
                assert_eq!(failed(stage, &now), Vec::<String>::new(), "{}", alternative.name);
            }
        }
    }
}

#[test]
fn who_starts_over_loses_the_stages_before() {
    for task in tasks() {
        let mut states = states(&task);
        for (at, stage) in task.stages.iter().enumerate() {
            let cheats = &stage.verification.cheats;
            assert!(!cheats.is_empty(), "{}", stage.name);
            let over = cheats.iter().find(|cheat| cheat.name == "started-over");
            assert_eq!(over.is_some(), at > 0);
            let Some(over) = over else { continue };
            play(&mut states[at], &over.moves);
            assert!(failed(stage, &states[at]).contains(&"kept".to_owned()), "{}", stage.name);
        }
    }
}

#[test]
fn a_stage_tells_of_its_own_changes_alone() {
    let mut wordings = BTreeSet::new();
    for task in (1..24).map(|seed| template(long(), FAULTS).task(seed, 0).unwrap()) {
        let count = task.stages.len();
        assert_eq!(task.instruction, task.stages[0].instruction);
        assert!(task.instruction.contains(&format!("comes as {count} items")));
        for (number, stage) in (1..).zip(&task.stages) {
            let told = &stage.instruction;
            assert!(told.contains(&format!("Item {number} of {count}: ")), "{told}");
            assert!(told.ends_with(&format!("[{}]\n", task.canary)), "{told}");
            assert_eq!(told.matches("This test fails, in ").count(), numbers(stage).len());
            wordings.extend(stage.wording.clone());
            let own: BTreeSet<usize> = parts(stage)
                .into_iter()
                .filter(|(name, _)| name != "kept")
                .flat_map(|(_, tests)| tests)
                .collect();
            // Of the tests of a change, the first is quoted: `test_a11` and so on.
            for (place, number) in (11..23).enumerate() {
                let is_told = told.contains(&format!("def test_a{number}("));
                assert_eq!(is_told, own.contains(&(2 * place)), "{number}: {told}");
            }
        }
    }
    assert_eq!(wordings, BTreeSet::from(["complete", "terse", "ticket"].map(str::to_owned)));
}

#[test]
fn an_area_names_the_function() {
    let from_pack = PAIR.replace("stages", "report: {choice: [area]}, stages");
    for task in (1..8).map(|seed| template(pairs(), &from_pack).task(seed, 0).unwrap()) {
        for stage in &task.stages {
            let told = &stage.instruction;
            assert!(told.contains("- Something is wrong in `lib.part"), "{told}");
            assert!(told.contains("`, in `lib.py`.") && !told.contains("assertEqual"), "{told}");
        }
    }
}

#[test]
fn of_each_missing_function_an_own_test_is_shown_and_another_kept_back() {
    for seed in 1..24 {
        let task = template(long(), FUNCTIONS).task(seed, 0).unwrap();
        let shown = texts(&task)["tests/test_lib.py"].clone();
        for stage in &task.stages {
            let hidden = parts(stage).into_iter().filter(|(name, _)| name != "kept");
            for (name, tests) in hidden {
                let names = tests.iter().map(|test| match test {
                    24 => "test_all".to_owned(),
                    test if test % 2 == 0 => format!("test_a{}", 11 + test / 2),
                    test => format!("test_b{}", 11 + test / 2),
                });
                let shown: Vec<bool> =
                    names.map(|test| shown.contains(&format!("def {test}("))).collect();
                assert!(shown.contains(&true) && shown.contains(&false), "{name}: {shown:?}");
            }
            assert!(stage.instruction.contains("NotImplementedError"), "{}", stage.instruction);
        }
    }
}

/// The reports of the stages before stay written down, and those of later stages are not known yet.
#[test]
fn the_oracle_writes_down_what_it_was_told() {
    let task = template(long(), FAULTS).task(1, 0).unwrap();
    let mut told = 0;
    for stage in &task.stages {
        told += numbers(stage).len();
        let written = stage.solution.iter().find_map(|step| match &step.action {
            MoveAction::Run(command) if command.contains("/tmp/reports/tests") => Some(command),
            _ => None,
        });
        let shown = texts(&task)["tests/test_lib.py"].matches("    def test_").count();
        assert_eq!(written.unwrap().matches("    def test_").count(), shown + told);
    }
    let submissions = task.solution.iter().filter(|step| step.action == MoveAction::Submit).count();
    assert_eq!(submissions, task.stages.len() - 1);
    assert!(task.solution.len() >= 50, "{} moves", task.solution.len());
}

#[test]
fn a_document_that_gives_an_answer_away_is_found_in_a_task_with_stages() {
    let mut task = template(long(), FAULTS).task(1, 0).unwrap();
    let within = |task: &Task| -> Vec<String> {
        LeakScan::of(task).unwrap().within().iter().map(ToString::to_string).collect()
    };
    assert_eq!(within(&task), Vec::<String>::new());
    let number = task.faults[0].name[1..].parse::<usize>().unwrap() + 10;
    let content = format!("    self.assertEqual(lib.part{number}(2), {})\n", number + 2);
    task.files.push(FileSpec { path: "NOTES".to_owned(), content, mode: 0o644 });
    let told = format!("NOTES has the text of test_a{number}, a test that is kept back");
    assert_eq!(within(&task), [told]);
}

/// Long groups count only for backlogs that may have as many changes.
#[test]
fn a_short_backlog_stays_when_long_groups_come() {
    let (before, after) = (template(pairs(), PAIR), template(long(), PAIR));
    assert_eq!(before.digest(), after.digest());
    for seed in 1..8 {
        assert_eq!(before.task(seed, 0).unwrap(), after.task(seed, 0).unwrap());
    }
    assert_ne!(template(pairs(), FAULTS).digest(), template(long(), FAULTS).digest());
    let error = template(pairs(), FAULTS).task(1, 0).unwrap_err();
    assert!(error.message.contains("has no entries for this"), "{}", error.message);
}

#[test]
fn what_a_backlog_cannot_be_is_refused() {
    for (from_pack, expected) in [
        ("{pack: lib, kind: repair, stages: {min: 2, max: 3}}", "only the kind `backlog`"),
        ("{pack: lib, kind: implement, work: functions}", "only the kind `backlog`"),
        ("{pack: lib, kind: repair, changes: {min: 1, max: 1}}", "only the kind `backlog`"),
        ("{pack: lib, kind: backlog, stages: {min: 1, max: 3}}", "2 to 8 are possible"),
        ("{pack: lib, kind: backlog, stages: {min: 4, max: 3}}", "min is above max"),
        ("{pack: lib, kind: backlog, changes: {min: 1, max: 5}}", "1 to 4 are possible"),
        (
            "{pack: lib, kind: backlog, stages: {min: 6, max: 6}, changes: {min: 2, max: 2}}",
            "6 stages with 2 each have more than 10",
        ),
        (
            "{pack: lib, kind: backlog, work: functions, report: {choice: [area]}}",
            "missing functions have no faults to report",
        ),
        ("{pack: lib, kind: backlog, faults: {min: 2, max: 3}}", "only the kind `repair-many`"),
    ] {
        let shelf = OnePack(Arc::new(ProjectPack::read(pairs()).unwrap()));
        let folder = TemplateFolder::single(text(from_pack, "").into_bytes());
        let error = Template::read_with_packs("unit/test", Arc::new(folder), &shelf).unwrap_err();
        assert!(error[0].message.contains(expected), "{from_pack}: {}", error[0].message);
    }
}
