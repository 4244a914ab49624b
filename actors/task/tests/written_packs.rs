//! Tasks from packs that ask for a file: tests of a module, and a reference of one.

use crate::model::{MoveAction, ScriptedMove, Task};
use crate::pack::tests::parts;
use crate::pack::{PackFile, PackHandle, PackShelf, ProjectPack, project_digest};
use crate::task::{Template, TemplateError, TemplateFolder};
use crate::variety::TemplateVariety;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;

const MODULES: [&str; 3] = ["harbour", "meadow", "orchard"];
const FUNCTIONS: [&str; 5] = ["anchor", "bellow", "carve", "drift", "embed"];
/// Seeds under which everything that can be drawn is drawn.
const SEEDS: u64 = 60;

/// A pack with three modules of five functions. Two tests tell the three faults of each.
fn pack() -> ProjectPack {
    let mut parts = parts();
    let (mut files, mut map, mut index) = (Vec::new(), String::new(), String::new());
    for (at, module) in MODULES.into_iter().enumerate() {
        let (code, path) = (code(at, module), format!("lib/{module}.py"));
        let (tests, home) = (tests(at, module), format!("tests/test_{module}.py"));
        for (number, function) in FUNCTIONS.into_iter().enumerate() {
            let n = constant(at, number);
            let first = map.lines().count();
            for value in [1, 2] {
                let text = test(module, function, value, n);
                let start = tests.find(&text).unwrap();
                let name =
                    format!("tests.test_{module}.{function}.{}", name(module, function, value));
                let line = json!({
                    "test": name, "file": home, "class": function,
                    "at": [start, start + text.len()], "lines": {},
                });
                map.push_str(&format!("{line}\n"));
            }
            let right = format!("value + {n}");
            let start = code.find(&right).unwrap();
            for (sign, wrong) in ["-", "*", "%"].into_iter().enumerate() {
                let line = json!({
                    "kind": "fault", "id": format!("f{at}{number}{sign}"), "file": path,
                    "at": [start, start + right.len()], "text": format!("value {wrong} {n}"),
                    "operator": "x", "function": format!("lib.{module}.{function}"),
                    "failure": "wrong", "tests": [first, first + 1], "example": first, "says": "x",
                });
                index.push_str(&format!("{line}\n"));
            }
        }
        files.push((path, code));
        files.push((home, tests));
    }
    files.push(("lib/__init__.py".to_owned(), String::new()));
    files.sort();
    let file = |(path, content)| PackFile { path, content, executable: false };
    parts.files = files.into_iter().map(file).collect();
    parts.head.source = vec!["lib".to_owned()];
    parts.head.project_sha256 = project_digest(&parts.files);
    (parts.map, parts.index) = (map, index);
    ProjectPack::read(parts).unwrap()
}

/// A number that occurs once in a module.
fn constant(module: usize, function: usize) -> usize {
    100 * (module + 1) + 10 * (function + 1)
}

fn code(at: usize, module: &str) -> String {
    let function = |(number, name): (usize, &&str)| {
        let n = constant(at, number);
        format!(
            "def {name}(value):\n    \"\"\"{name} of {module}.\"\"\"\n    return value + {n}\n\n\n"
        )
    };
    FUNCTIONS.iter().enumerate().map(function).collect()
}

fn name(module: &str, function: &str, value: usize) -> String {
    format!("test_{module}_{function}_{}", ["one", "two"][value - 1])
}

fn test(module: &str, function: &str, value: usize, n: usize) -> String {
    let (name, sum) = (name(module, function, value), value + n);
    format!(
        "    def {name}(self):\n        self.assertEqual({module}.{function}({value}), {sum})\n"
    )
}

fn tests(at: usize, module: &str) -> String {
    let class = |(number, name): (usize, &&str)| {
        let n = constant(at, number);
        let (one, two) = (test(module, name, 1, n), test(module, name, 2, n));
        format!("class {name}(unittest.TestCase):\n{one}\n{two}\n\n")
    };
    let classes: String = FUNCTIONS.iter().enumerate().map(class).collect();
    format!("import unittest\n\nfrom lib import {module}\n\n\n{classes}")
}

/// A shelf with one pack.
struct OneShelf(Arc<ProjectPack>);

impl PackShelf for OneShelf {
    fn pack(&self, name: &str) -> Option<Result<PackHandle, String>> {
        (name == self.0.head.name).then(|| Ok(PackHandle::ready(self.0.clone())))
    }

    fn names(&self) -> Vec<String> {
        vec![self.0.head.name.clone()]
    }
}

fn read(pack: ProjectPack, from_pack: &str) -> Result<Template, Vec<TemplateError>> {
    let text = format!(
        "schema: synthd/template@2\nid: unit/test\ntitle: t\ncategory: unit\ndifficulty: easy\n\
         expected_steps: {{min: 1, max: 9}}\nenvironment: {{image: base}}\nfrom_pack: {from_pack}\n"
    );
    let folder = TemplateFolder::single(text.into_bytes());
    Template::read_with_packs("unit/test", Arc::new(folder), &OneShelf(Arc::new(pack)))
}

fn template(kind: &str) -> Template {
    read(pack(), &format!("{{pack: lib, kind: {kind}}}")).unwrap()
}

/// The tasks of a kind under all seeds.
fn tasks(kind: &str) -> Vec<Task> {
    let template = template(kind);
    (1..=SEEDS).map(|seed| template.task(seed, 0).unwrap()).collect()
}

fn sealed<'t>(task: &'t Task, path: &str) -> &'t str {
    let file = task.verification.files.iter().find(|file| file.path == path);
    &file.unwrap_or_else(|| panic!("{path} is not sealed")).content
}

fn plan(task: &Task) -> Value {
    serde_json::from_str(sealed(task, "plan.json")).unwrap()
}

fn content<'t>(task: &'t Task, path: &str) -> &'t str {
    &task.files.iter().find(|file| file.path == path).unwrap().content
}

/// The texts that some moves write.
fn written(moves: &[ScriptedMove]) -> String {
    let texts = moves.iter().filter_map(|step| match &step.action {
        MoveAction::Write { content, .. } => Some(content.as_str()),
        _ => None,
    });
    texts.collect()
}

/// The texts of a list in a plan.
fn texts(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect()
}

#[test]
fn the_tests_that_tell_a_drawn_fault_are_nowhere_to_be_seen() {
    let pack = pack();
    for task in tasks("write-tests") {
        let plan = plan(&task);
        let faults = plan["faults"].as_array().unwrap();
        assert!((8..=12).contains(&faults.len()), "{}", faults.len());
        let seen: String = task.files.iter().map(|file| file.content.as_str()).collect();
        let oracle = written(&task.solution);
        let other = written(&task.alternatives[0].moves);
        for drawn in faults {
            let fault = pack.faults.iter().find(|fault| drawn["id"] == fault.id.as_str()).unwrap();
            assert_eq!(plan["module"], fault.file.as_str());
            let names: Vec<&str> = fault.tests.iter().map(|at| pack.tests[*at].method()).collect();
            for name in &names {
                assert!(!seen.contains(name) && !task.instruction.contains(name), "{name}");
                assert!(other.contains(name), "{name} was taken away");
            }
            assert!(names.iter().any(|name| oracle.contains(name)), "{} is not told", fault.id);
            assert!(task.instruction.contains(&fault.function), "{}", task.instruction);
        }
        assert!(oracle.matches("    def test_").count() >= 5, "{oracle}");
        let module = plan["module"].as_str().unwrap();
        assert_eq!(content(&task, module), pack.text(module).unwrap(), "nothing is wrong in it");
    }
}

#[test]
fn the_judge_of_tests_has_the_project_as_the_agent_got_it() {
    for task in tasks("write-tests") {
        for file in &task.files {
            assert_eq!(sealed(&task, &format!("project/{}", file.path)), file.content);
        }
        let plan = plan(&task);
        let path = plan["file"].as_str().unwrap();
        assert!(task.files.iter().all(|file| file.path != path), "{path} is there already");
        assert!(task.instruction.contains(path) && task.instruction.contains(&task.canary));
        let checks: Vec<&str> =
            task.verification.checks.iter().map(|check| check.name.as_str()).collect();
        assert_eq!(checks, texts(&plan["parts"]));
        let used: BTreeSet<&str> = plan["faults"]
            .as_array()
            .unwrap()
            .iter()
            .map(|f| f["part"].as_str().unwrap())
            .collect();
        assert_eq!(used.len() + 1, checks.len(), "each part but the first has faults");
        let worth: f64 = task.verification.milestones.iter().map(|part| part.weight).sum();
        assert!((worth - 1.0).abs() < 1e-9, "{worth}");
        assert_eq!(task.verification.cheats.len(), 8);
    }
}

#[test]
fn a_copy_of_the_module_beside_tests_that_tell_all_faults_is_a_cheat() {
    for task in tasks("write-tests") {
        let module = plan(&task)["module"].as_str().unwrap().to_owned();
        let text = content(&task, &module);
        let cheat = |name: &str| {
            let cheat = task.verification.cheats.iter().find(|cheat| cheat.name == name);
            written(&cheat.unwrap().moves)
        };
        let (open, hidden) = (cheat("a-copy-of-the-module"), cheat("a-hidden-copy"));
        let oracle = written(&task.solution);
        assert!(open.starts_with(&oracle) && open.contains(&json!(text).to_string()), "{open}");
        assert!(hidden.starts_with(&oracle) && hidden.contains(&hex::encode(text)), "{hidden}");
        assert!(task.instruction.contains("A copy of the module's code"), "{}", task.instruction);
        assert!(sealed(&task, "copied_code.py").contains("def problem("));
        assert!(sealed(&task, "home.py").contains(&format!("test_{}", stem_of(&module))));
    }
}

/// The last name in the path of a module.
fn stem_of(module: &str) -> &str {
    module.rsplit('/').next().unwrap().strip_suffix(".py").unwrap()
}

/// The other solution has all tests, in another order.
#[test]
fn another_honest_solution_has_the_last_test_of_a_class_first() {
    for task in tasks("write-tests") {
        let other = written(&task.alternatives[0].moves);
        let (one, two) = (other.find("_one(self)").unwrap(), other.find("_two(self)").unwrap());
        assert!(two < one, "{other}");
        for class in other.split("class ").skip(1) {
            assert!(class.contains("    def ") || class.contains("    pass\n"), "{class}");
        }
    }
}

#[test]
fn a_reference_is_asked_for_with_every_rule_and_the_module_has_no_docstring() {
    let pack = pack();
    let (mut forms, mut fields) = (BTreeSet::new(), BTreeSet::new());
    for task in tasks("document") {
        let plan = plan(&task);
        forms.insert(plan["form"].as_str().unwrap().to_owned());
        fields.extend(texts(&plan["fields"]).into_iter().map(str::to_owned));
        let names = texts(&plan["names"]);
        assert!((4..=9).contains(&names.len()), "{names:?}");
        for field in texts(&plan["fields"]) {
            assert!(task.instruction.contains(&format!("\n- `{field}`: ")), "{}", task.instruction);
        }
        for name in &names {
            assert!(task.instruction.contains(&format!("\n- `{name}`\n")), "{}", task.instruction);
        }
        let module = sealed(&task, "module.py");
        assert!(module.contains("\"\"\""), "the sealed module is whole");
        let path = &pack.files.iter().find(|file| file.content == module).unwrap().path;
        let given = content(&task, path);
        assert!(!given.contains("\"\"\"") && given.matches("def ").count() == 5, "{given}");
        assert_eq!(task.verification.cheats.len(), 4);
    }
    assert_eq!(forms.len(), 3);
    assert_eq!(fields.len(), 6, "{fields:?}");
}

#[test]
fn each_part_of_a_reference_has_names_of_its_own() {
    for task in tasks("document") {
        let plan = plan(&task);
        let parts = plan["parts"].as_object().unwrap();
        let checks: Vec<&str> =
            task.verification.checks.iter().map(|check| check.name.as_str()).collect();
        assert_eq!(checks, parts.keys().map(String::as_str).collect::<Vec<_>>());
        let entries: Vec<&str> = parts.iter().skip(1).flat_map(|(_, names)| texts(names)).collect();
        assert_eq!(entries, texts(&plan["names"]));
    }
}

#[test]
fn both_kinds_have_structures_enough_and_the_same_bytes_again() {
    for kind in ["write-tests", "document"] {
        let template = template(kind);
        let variety = TemplateVariety::of(&template, 40).unwrap();
        assert!(variety.structures >= 20, "{kind}: {variety:?}");
        let (task, again) = (template.task(3, 0).unwrap(), template.task(3, 0).unwrap());
        assert_eq!(task, again);
        assert_ne!(task.digest, template.task(4, 0).unwrap().digest);
        assert_eq!(task.cluster, Task::cluster_of("pack:lib", ""));
        assert!(!task.pack.unwrap().entries.is_empty());
        let wordings: BTreeSet<String> =
            (1..=SEEDS).filter_map(|seed| template.task(seed, 0).unwrap().wording).collect();
        assert_eq!(wordings.len(), 3, "{wordings:?}");
    }
}

#[test]
fn a_pack_that_is_too_small_makes_no_task() {
    for kind in ["write-tests", "document"] {
        let small = ProjectPack::read(parts()).unwrap();
        let template = read(small, &format!("{{pack: lib, kind: {kind}}}")).unwrap();
        let error = template.task(1, 0).unwrap_err();
        assert!(error.message.contains("has no entries for this"), "{}", error.message);
    }
}

#[test]
fn there_are_no_faults_to_report() {
    for kind in ["write-tests", "document"] {
        let asked = format!("{{pack: lib, kind: {kind}, report: {{choice: [area]}}}}");
        let error = read(pack(), &asked).unwrap_err().remove(0);
        assert!(error.message.contains("no faults to report"), "{}", error.message);
    }
}
