//! Tasks of the kind `write-tests` from packs whose tests are cases.

use crate::model::{MoveAction, ScriptedMove, Task};
use crate::pack::case_tests::parts;
use crate::pack::{PackFile, PackHandle, PackShelf, ProjectPack, project_digest, result_file};
use crate::task::{Template, TemplateFolder};
use crate::variety::TemplateVariety;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;

const FILES: [&str; 2] = ["bridge", "canal"];
const FUNCTIONS: [&str; 6] = ["arch", "bolt", "cable", "deck", "edge", "frame"];
/// Cases that no fault breaks.
const OTHERS: usize = 12;
/// Seeds under which everything that can be drawn is drawn.
const SEEDS: u64 = 60;

fn file(path: &str, content: &str) -> PackFile {
    PackFile { path: path.to_owned(), content: content.to_owned(), executable: false }
}

/// A pack with two files of six functions. Two cases tell the two faults of each.
pub(super) fn pack(others: &str) -> ProjectPack {
    let mut parts = parts();
    let mut files = vec![file("README.md", "x\n")];
    let (mut names, mut index) = (Vec::new(), String::new());
    for (at, name) in FILES.into_iter().enumerate() {
        let path = format!("src/{name}.sh");
        let place = |number: usize| format!("$1 + {at}{number}");
        let body = |(number, function): (usize, &&str)| {
            format!("{function}() {{\n    echo $(({}))\n}}\n", place(number))
        };
        let code: String = FUNCTIONS.iter().enumerate().map(body).collect();
        for (number, function) in FUNCTIONS.into_iter().enumerate() {
            let right = place(number);
            let (start, first) = (code.find(&right).unwrap(), names.len());
            names.extend([1, 2].map(|value| format!("{name}-{function}-{value}")));
            for sign in ["-", "*"] {
                let line = json!({
                    "kind": "fault", "id": format!("f{at}{number}{sign}"), "file": path,
                    "at": [start, start + right.len()], "text": right.replace('+', sign),
                    "operator": "x", "function": format!("{name}.{function}"), "failure": "wrong",
                    "tests": [first, first + 1], "example": first, "says": "x",
                });
                index.push_str(&format!("{line}\n"));
            }
        }
        files.push(file(&path, &code));
    }
    names.extend((0..OTHERS).map(|number| format!("{others}{number}")));
    let mut map = String::new();
    for name in &names {
        files.push(file(&format!("tests/cases/{name}/cmd"), &format!("{name}\n")));
        files.push(file(&result_file(name), "it's 1\n"));
        let line = json!({
            "test": name, "file": result_file(name), "class": "", "at": [0, 7], "lines": {},
        });
        map.push_str(&format!("{line}\n"));
    }
    files.sort_by(|one, other| one.path.cmp(&other.path));
    parts.head.source = vec!["src".to_owned()];
    parts.head.run = vec!["sh".to_owned(), "src/bridge.sh".to_owned()];
    parts.head.project_sha256 = project_digest(&files);
    (parts.files, parts.map, parts.index) = (files, map, index);
    ProjectPack::read(parts).unwrap()
}

/// A shelf with one pack.
struct LostShelf(Arc<ProjectPack>);

impl PackShelf for LostShelf {
    fn pack(&self, name: &str) -> Option<Result<PackHandle, String>> {
        (name == self.0.head.name).then(|| Ok(PackHandle::ready(self.0.clone())))
    }

    fn names(&self) -> Vec<String> {
        vec![self.0.head.name.clone()]
    }
}

pub(super) fn template(pack: ProjectPack, kind: &str) -> Template {
    let text = format!(
        "schema: synthd/template@2\nid: unit/test\ntitle: t\ncategory: unit\ndifficulty: easy\n\
         expected_steps: {{min: 1, max: 9}}\nenvironment: {{image: base}}\nrequires: [sh]\n\
         from_pack: {{pack: adder, kind: {kind}}}\n"
    );
    let folder = TemplateFolder::single(text.into_bytes());
    Template::read_with_packs("unit/test", Arc::new(folder), &LostShelf(Arc::new(pack))).unwrap()
}

/// The tasks of a pack under all seeds.
fn tasks(pack: ProjectPack) -> Vec<Task> {
    let template = template(pack, "write-tests");
    (1..=SEEDS).map(|seed| template.task(seed, 0).unwrap()).collect()
}

pub(super) fn sealed(task: &Task, path: &str) -> Value {
    let file = task.verification.files.iter().find(|file| file.path == path);
    serde_json::from_str(&file.unwrap_or_else(|| panic!("{path} is not sealed")).content).unwrap()
}

/// The commands of some moves.
pub(super) fn commands(moves: &[ScriptedMove]) -> String {
    let texts = moves.iter().filter_map(|step| match &step.action {
        MoveAction::Run(command) => Some(command.as_str()),
        _ => None,
    });
    texts.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_cases_that_tell_a_drawn_fault_are_nowhere_to_be_seen() {
    let pack = pack("other-");
    for task in tasks(pack.clone()) {
        let plan = sealed(&task, "plan.json");
        let faults = plan["faults"].as_array().unwrap();
        assert!((8..=12).contains(&faults.len()), "{}", faults.len());
        let shown: BTreeSet<&str> = task.files.iter().map(|file| file.path.as_str()).collect();
        let (oracle, other) = (commands(&task.solution), commands(&task.alternatives[0].moves));
        for drawn in faults {
            let fault = pack.faults.iter().find(|fault| drawn["id"] == fault.id.as_str()).unwrap();
            let names: Vec<&str> =
                fault.tests.iter().map(|test| pack.tests[*test].name.as_str()).collect();
            for name in &names {
                assert!(!shown.contains(result_file(name).as_str()), "{name} is shown");
                assert!(!task.instruction.contains(name), "{}", task.instruction);
                assert!(other.contains(&format!("'{name}\n'")), "{name} was taken away");
            }
            let is_written = |name: &&str| oracle.contains(&format!("'{name}\n'"));
            assert!(names.iter().any(is_written), "{} is not told", fault.id);
            let line = format!("- `{}` in `{}`", fault.function, fault.file);
            assert!(task.instruction.contains(&line), "{}", task.instruction);
        }
        let left = shown.iter().filter(|path| path.ends_with("/out")).count();
        assert!(left >= OTHERS, "{left}");
        assert!(shown.contains("tests/run") && shown.contains("src/canal.sh"), "{shown:?}");
        assert!(oracle.contains("printf '%s' 'it'\\''s 1\n' >"), "{oracle}");
    }
}

#[test]
fn the_judge_of_cases_has_the_project_without_its_tests() {
    for task in tasks(pack("other-")) {
        let (plan, project) = (sealed(&task, "plan.json"), sealed(&task, "project.json"));
        let paths: Vec<&str> =
            project.as_array().unwrap().iter().map(|file| file[0].as_str().unwrap()).collect();
        assert_eq!(paths, ["README.md", "src/bridge.sh", "src/canal.sh"]);
        assert_eq!(plan["gone"], json!(["src/bridge.sh", "src/canal.sh"]));
        let checks: Vec<&str> =
            task.verification.checks.iter().map(|check| check.name.as_str()).collect();
        assert_eq!(json!(checks), plan["parts"]);
        let faults = plan["faults"].as_array().unwrap();
        let used: BTreeSet<&str> =
            faults.iter().map(|fault| fault["part"].as_str().unwrap()).collect();
        assert_eq!(used.len() + 1, checks.len(), "each part but the first has faults");
        let worth: f64 = task.verification.milestones.iter().map(|part| part.weight).sum();
        assert!((worth - 1.0).abs() < 1e-9, "{worth}");
        // What leaves the judge must not have what says that the seal was read.
        let files = &task.verification.files;
        let signed: Vec<&str> = files
            .iter()
            .filter(|file| file.content.contains(&task.verification.canary))
            .map(|file| file.path.as_str())
            .collect();
        assert_eq!(signed, ["check.py", ".canary"]);
    }
}

#[test]
fn new_cases_have_names_with_which_no_old_one_begins() {
    for others in ["new-", "more-", "added-", "own-"] {
        let pack = pack(others);
        let mut prefixes = BTreeSet::new();
        for task in tasks(pack) {
            let plan = sealed(&task, "plan.json");
            let prefix = plan["prefix"].as_str().unwrap().to_owned();
            assert!(task.instruction.contains(&format!("`tests/cases/{prefix}*`")));
            assert!(commands(&task.solution).contains(&format!("tests/cases/{prefix}01")));
            prefixes.insert(prefix);
        }
        assert!(!prefixes.contains(others) && prefixes.len() == 3, "{prefixes:?}");
    }
}

#[test]
fn cheats_leave_something_wrong_or_reach_for_the_program() {
    let pack = pack("other-");
    for task in tasks(pack.clone()) {
        let cheats = &task.verification.cheats;
        let names: Vec<&str> = cheats.iter().map(|cheat| cheat.name.as_str()).collect();
        let known = [
            "the-other-cases",
            "one-case-again-and-again",
            "cases-that-always-fail",
            "exit-codes-alone",
            "a-linked-source",
            "the-program-itself",
        ];
        assert_eq!(names, known);
        let moves: Vec<String> = cheats.iter().map(|cheat| commands(&cheat.moves)).collect();
        let drawn = &task.pack.as_ref().unwrap().entries;
        let drawn = pack.faults.iter().filter(|fault| drawn.contains(&fault.id));
        for test in drawn.flat_map(|fault| &fault.tests) {
            let name = &pack.tests[*test].name;
            assert!(!moves[0].contains(&format!("'{name}\n'")), "{}", moves[0]);
        }
        assert!(moves[4].contains("ln -s '../../../src/"), "{}", moves[4]);
        assert!(moves[5].contains("/proc/self/exe"), "{}", moves[5]);
    }
}

#[test]
fn lost_cases_have_structures_enough_and_the_same_bytes_again() {
    let template = template(pack("other-"), "write-tests");
    let variety = TemplateVariety::of(&template, 40).unwrap();
    assert!(variety.structures >= 20, "{variety:?}");
    let (task, again) = (template.task(3, 0).unwrap(), template.task(3, 0).unwrap());
    assert_eq!(task, again);
    assert_ne!(task.digest, template.task(4, 0).unwrap().digest);
    assert_eq!(task.cluster, Task::cluster_of("pack:adder", ""));
    let wordings: BTreeSet<String> =
        (1..=SEEDS).filter_map(|seed| template.task(seed, 0).unwrap().wording).collect();
    assert_eq!(wordings.len(), 3, "{wordings:?}");
}

#[test]
fn a_pack_with_few_cases_and_a_kind_without_cases_make_no_task() {
    let small = ProjectPack::read(parts()).unwrap();
    let error = template(small, "write-tests").task(1, 0).unwrap_err();
    assert!(error.message.contains("has no entries for this"), "{}", error.message);
    let error = template(pack("other-"), "document").task(1, 0).unwrap_err();
    assert!(error.message.contains("has no tasks of this kind"), "{}", error.message);
}
