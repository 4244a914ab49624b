//! Templates from packs whose helpers are written out.

use super::packs::{OnePack, text};
use crate::model::{FileSpec, MoveAction, NamedSolution, ScriptedMove, Task};
use crate::pack::tests::{CODE, parts};
use crate::pack::{CLONE_METER, ProjectPack};
use crate::task::{Template, TemplateFolder};
use std::sync::Arc;

/// A line of an index: the text `old` of the source is a copy of a helper.
fn inline(id: &str, old: &str, new: &str, clones: u32) -> String {
    let start = CODE.find(old).unwrap();
    let part = serde_json::json!({"file": "lib.py", "at": [start, start + old.len()], "text": new});
    let line = serde_json::json!({
        "kind": "inline", "id": id, "helper": "lib.helper", "kept": id == "i1", "parts": [part],
        "clones": [10, clones], "tokens": [100, 130],
    });
    format!("{line}\n")
}

fn task(count: u32) -> Task {
    let mut parts = parts();
    parts.index.push_str(&inline("i1", "n + n", "2 * n", 60));
    parts.index.push_str(&inline("i2", "Twice n.", "Two of n.", 40));
    let shelf = OnePack(Arc::new(ProjectPack::read(parts).unwrap()));
    let spec =
        format!("{{pack: lib, kind: de-duplicate, duplicates: {{min: {count}, max: {count}}}}}");
    let folder = TemplateFolder::single(text(&spec, "").into_bytes());
    let template = Template::read_with_packs("unit/test", Arc::new(folder), &shelf).unwrap();
    template.task(1, 0).unwrap()
}

/// The text of the file with this path.
fn content<'f>(files: &'f [FileSpec], path: &str) -> &'f str {
    &files.iter().find(|file| file.path == path).unwrap().content
}

/// The texts that moves write to the source.
fn written(moves: &[ScriptedMove]) -> Vec<&str> {
    moves
        .iter()
        .filter_map(|step| match &step.action {
            MoveAction::Write { path, content } if path == "lib.py" => Some(content.as_str()),
            _ => None,
        })
        .collect()
}

fn plan(task: &Task) -> serde_json::Value {
    serde_json::from_str(content(&task.verification.files, "duplicates.json")).unwrap()
}

#[test]
fn copies_stand_in_the_source_and_the_agent_can_measure() {
    let task = task(2);
    let wrong = CODE.replace("n + n", "2 * n").replace("Twice n.", "Two of n.");
    assert_eq!(content(&task.files, "lib.py"), wrong);
    assert_eq!(content(&task.files, "tools/clones.py"), CLONE_METER);
    assert_eq!(content(&task.verification.files, "clones.py"), CLONE_METER);
    assert_eq!(content(&task.verification.files, "original/lib.py"), CODE);
    assert!(task.instruction.contains("2 pieces of code"), "{}", task.instruction);
    let command = "`python3 tools/clones.py 'lib.py'`";
    assert!(task.instruction.contains(command), "{}", task.instruction);
}

/// What may be left is less than what the smallest entry adds.
#[test]
fn the_limits_leave_no_room_for_a_piece() {
    let task = task(2);
    let said = "At most 20 may be left, and at most 122 tokens in all.";
    assert!(task.instruction.contains(said), "{}", task.instruction);
    let plan = plan(&task);
    assert_eq!((&plan["several"], &plan["tokens"]), (&20.into(), &122.into()));
    assert_eq!((&plan["half"], &plan["least"]), (&50.into(), &90.into()));
    assert_eq!(plan["gone"], serde_json::json!(["lib.helper"]), "the helper of i1 stays");
}

#[test]
fn the_oracle_gives_one_piece_after_the_other_its_home() {
    let task = task(2);
    let half = CODE.replace("Twice n.", "Two of n.");
    assert_eq!(written(&task.solution), [half.as_str(), CODE]);
    assert_eq!(written(&task.alternatives[0].moves), [CODE]);
    assert_eq!(task.pack.unwrap().entries, ["i1", "i2"]);
}

#[test]
fn only_a_task_with_several_pieces_has_a_milestone() {
    let names = |solutions: &[NamedSolution]| -> Vec<String> {
        solutions.iter().map(|solution| solution.name.clone()).collect()
    };
    let (one, two) = (task(1).verification, task(2).verification);
    assert!(one.milestones.is_empty());
    assert_eq!(two.milestones[0].part.as_deref(), Some("fewer"));
    assert!(!names(&one.cheats).contains(&"one-piece-left".to_owned()));
    assert!(names(&two.cheats).contains(&"one-piece-left".to_owned()));
    let left = two.cheats.iter().find(|cheat| cheat.name == "one-piece-left").unwrap();
    assert_eq!(written(&left.moves), [CODE.replace("Twice n.", "Two of n.")]);
    let checks: Vec<_> = one.checks.iter().filter_map(|check| check.part.as_deref()).collect();
    assert_eq!(checks, ["kept", "clones", "interface", "form"]);
}

/// A pack may have fewer entries than a template asks for, but not fewer than the least.
#[test]
fn a_task_has_as_many_pieces_as_the_pack_has() {
    let mut parts = parts();
    parts.index.push_str(&inline("i1", "n + n", "2 * n", 60));
    let shelf = OnePack(Arc::new(ProjectPack::read(parts).unwrap()));
    let task = |range: &str| {
        let spec = format!("{{pack: lib, kind: de-duplicate, duplicates: {range}}}");
        let folder = TemplateFolder::single(text(&spec, "").into_bytes());
        let template = Template::read_with_packs("unit/test", Arc::new(folder), &shelf).unwrap();
        template.task(1, 0)
    };
    assert_eq!(task("{min: 1, max: 4}").unwrap().pack.unwrap().entries, ["i1"]);
    let error = task("{min: 2, max: 4}").unwrap_err();
    assert!(error.message.contains("has no entries for this"), "{}", error.message);
}

#[test]
fn code_in_a_text_is_a_text_of_python() {
    let task = task(1);
    let cheat = task.verification.cheats.iter().find(|cheat| cheat.name == "code-in-a-text");
    let moves = written(&cheat.unwrap().moves);
    assert!(moves[0].starts_with("exec(\"def twice(n):\\n"), "{moves:?}");
}
