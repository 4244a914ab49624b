//! Builds tasks of the kind `write-tests`: the tests of some functions of a module are taken away, and
//! the agent writes new ones into one file. The sealed check runs them over right and wrong versions of
//! the module. Where tests are cases, the task is made in `case_write_tests.rs`.

use super::case_write_tests;
use super::draw::{self, TaskRng};
use super::pack_frame::PackWork;
use super::pack_task::{PackTaskBuilder, quoted, run, sealed_file};
use super::pack_test_draw::{self, DrawnTests, FEWEST_TESTS};
use super::pack_test_text::{SECONDS, TestText};
use super::pack_written::{JudgedFile, WrittenTask, in_one_move, stem, writes};
use crate::model::{FileSpec, NamedSolution, ScriptedMove};
use crate::pack::{PackChange, PackTest};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// Judges the tests of the agent.
const CHECK: &str = include_str!("../pack/sealed/write_tests.py");
/// Writes a module anew, so that nobody knows it by its text.
const DISGUISE: &str = include_str!("../pack/sealed/disguise.py");
/// Finds code of the module in the tests.
const COPIED_CODE: &str = include_str!("../pack/sealed/copied_code.py");
/// The commands of the checks and of the milestones.
pub(super) const COMMANDS: [&str; 2] =
    ["python3 /sealed/check.py checks", "python3 /sealed/check.py milestones"];
/// The part for right versions of the module, and its weight. Each fault weighs 1.
const ACCEPTS: (&str, u32) = ("accepts", 2);
/// Ends of the name of the file that is asked for.
const WORDS: [&str; 4] = ["behaviour", "contract", "rules", "cases"];

/// Tests that say the shape of the module's text as it is: what it compares, computes and calls.
const SHAPE: &str = "
import ast, collections, unittest
def shape():
    with open(MODULE, encoding='utf-8') as file:
        nodes = ast.walk(ast.parse(file.read()))
    return sorted(collections.Counter(type(node).__name__ for node in nodes).items())
";
/// Tests of which only the first run in a sandbox passes.
const COUNTING: &str = "
import os, unittest
RUNS = 0
if os.path.exists('/tmp/runs'):
    with open('/tmp/runs') as file:
        RUNS = int(file.read())
with open('/tmp/runs', 'w') as file:
    file.write(str(RUNS + 1))
";

impl PackTaskBuilder<'_> {
    /// A task of the kind `write-tests`. None if no module has enough faults and tests.
    pub(super) fn write_tests(&self) -> Option<PackWork> {
        if self.has_cases() {
            return case_write_tests::work(self);
        }
        let mut rng = TaskRng::new(self.key);
        let drawn = pack_test_draw::draw(self.pack, &mut rng)?;
        let path = self.new_file(&drawn);
        let files = self.files_without(&drawn.hidden);
        let work = WrittenTask {
            entries: drawn.faults.iter().map(|fault| fault.id.clone()).collect(),
            told: self.told_tests(&drawn, &path),
            solution: self.tests_solution(&drawn, &path),
            alternatives: vec![in_one_move("turned", writes("", &path, self.turned(&drawn)))],
            cheats: self.tests_cheats(&drawn, &path),
            judging: self.judged_tests(&drawn, &path, &files),
            files,
        };
        Some(self.written(work))
    }

    /// The path of the file that is asked for. The project has none there.
    fn new_file(&self, drawn: &DrawnTests<'_>) -> String {
        let directory = drawn.home.rsplit_once('/').map_or("", |(directory, _)| directory);
        let gap = if directory.is_empty() { "" } else { "/" };
        let first = draw::derived_rng(&self.key, "file").index(WORDS.len());
        let path = |word: &str| format!("{directory}{gap}test_{}_{word}.py", stem(drawn.module));
        let words = WORDS.iter().cycle().skip(first).take(WORDS.len());
        let free = words.map(|word| path(word)).find(|path| self.pack.text(path).is_none());
        free.unwrap_or_else(|| path(&draw::derived_hex(&self.key, "file")))
    }

    /// The name of the drawn wording, and what the agent is told.
    fn told_tests(&self, drawn: &DrawnTests<'_>, path: &str) -> (String, String) {
        let text = TestText {
            head: &self.pack.head,
            module: drawn.module,
            functions: &drawn.functions,
            faults: drawn.faults.len(),
            path,
        };
        text.drawn(draw::derived_rng(&self.key, "wording").index(TestText::WORDINGS))
    }

    /// The file with most tests of the module, with none but these tests.
    fn home_with(&self, drawn: &DrawnTests<'_>, kept: &BTreeSet<usize>) -> String {
        let cut: BTreeSet<usize> =
            (0..self.pack.tests.len()).filter(|test| !kept.contains(test)).collect();
        let home = self.pack.files.iter().find(|file| file.path == drawn.home);
        home.map(|file| self.shown(file, &cut)).unwrap_or_default()
    }

    /// The oracle: it looks, writes tests that the project had, and runs them.
    fn tests_solution(&self, drawn: &DrawnTests<'_>, path: &str) -> Vec<ScriptedMove> {
        let head = &self.pack.head;
        let docs: Vec<String> = head.docs.iter().map(|path| quoted(path)).collect();
        let look = format!("ls -R . | head -n 200; cat {} /dev/null", docs.join(" "));
        let tests = |names: &str| format!("{}{names} 2>&1 | tail -n 15", head.runner.command());
        let names = format!(" {}", module_name(path));
        vec![
            run("First I look at the project and its documentation.", look),
            run("This is the module.", format!("cat {}", quoted(drawn.module))),
            run("How are other tests written here?", format!("cat {}", quoted(drawn.home))),
            run("Which tests are left?", tests("")),
            writes(
                "Each test says what a function does, edges included.",
                path,
                self.home_with(drawn, &drawn.enough),
            ),
            run("They must pass.", tests(&names)),
            run("And so must all others.", tests("")),
        ]
    }

    /// Another honest solution: all tests that are in the home of the module and were taken away. In
    /// each class, the last one comes first.
    fn turned(&self, drawn: &DrawnTests<'_>) -> String {
        let mut text = self.pack.text(drawn.home).unwrap_or_default().to_owned();
        let mut classes: BTreeMap<&str, Vec<&PackTest>> = BTreeMap::new();
        for test in drawn.own.iter().filter_map(|test| self.pack.tests.get(*test)) {
            classes.entry(&test.group).or_default().push(test);
        }
        let mut new: BTreeMap<(usize, usize), String> = BTreeMap::new();
        for tests in classes.values_mut() {
            tests.sort_by_key(|test| test.at);
            for (test, other) in tests.iter().zip(tests.iter().rev()) {
                let moved = text.get(other.at.0..other.at.1).unwrap_or_default();
                new.insert(test.at, moved.to_owned());
            }
        }
        let mut all: Vec<&PackTest> = self.pack.tests.iter().chain(&self.pack.deselected).collect();
        all.retain(|test| test.file == drawn.home);
        all.sort_by_key(|test| std::cmp::Reverse(test.at));
        let mut kept: BTreeSet<&str> = classes.into_keys().collect();
        for test in all {
            let old = text.get(test.at.0..test.at.1).unwrap_or_default();
            let indent: String = old.chars().take_while(|c| *c == ' ' || *c == '\t').collect();
            let put = match new.remove(&test.at) {
                Some(moved) => moved,
                // A class without tests has a statement.
                None if kept.insert(&test.group) => format!("{indent}pass\n"),
                None => String::new(),
            };
            text.replace_range(test.at.0..test.at.1, &put);
        }
        text
    }

    /// How the tests are judged: the check, the project as the agent got it, and the faults.
    fn judged_tests(&self, drawn: &DrawnTests<'_>, path: &str, files: &[FileSpec]) -> JudgedFile {
        let faults = drawn.faults.iter().map(|fault| {
            json!({
                "id": fault.id, "at": fault.at, "text": fault.text, "function": fault.function,
                "part": noticed(&drawn.functions, &fault.function),
            })
        });
        let faults: Vec<Value> = faults.collect();
        let parts = noticed_parts(&drawn.functions, &drawn.faults);
        let plan = json!({
            "file": path, "module": drawn.module, "least": FEWEST_TESTS, "seconds": SECONDS,
            "parts": parts.iter().map(|(name, _)| name).collect::<Vec<_>>(), "faults": faults,
        });
        let mut sealed = vec![
            sealed_file("check.py", CHECK.to_owned()),
            sealed_file("disguise.py", DISGUISE.to_owned()),
            sealed_file("copied_code.py", COPIED_CODE.to_owned()),
            // What the project's own tests do is right.
            sealed_file("home.py", self.pack.text(drawn.home).unwrap_or_default().to_owned()),
        ];
        sealed.extend(files.iter().map(|file| {
            let path = format!("project/{}", file.path);
            FileSpec { path, ..file.clone() }
        }));
        JudgedFile { sealed, plan, parts, commands: COMMANDS }
    }

    /// Cheats: tests that tell nothing, tests that know the module by its text or by its turn, and tests that
    /// have a copy of it.
    fn tests_cheats(&self, drawn: &DrawnTests<'_>, path: &str) -> Vec<NamedSolution> {
        let text = self.pack.text(drawn.module).unwrap_or_default();
        let sum = hex::encode(Sha256::digest(text.as_bytes()));
        let file = format!("MODULE = {}\n", json!(drawn.module));
        let others = self.pack.files.iter().find(|file| file.path == drawn.home);
        let others = others.map(|file| self.shown(file, &drawn.hidden)).unwrap_or_default();
        let trivial = many("import unittest\n", "self.assertTrue(True)");
        let digest = format!("import hashlib, unittest\n{file}");
        let digest = many(
            &digest,
            &format!(
                "self.assertEqual(hashlib.sha256(open(MODULE, 'rb').read()).hexdigest(), '{sum}')"
            ),
        );
        let written = |name: &str, content: String| in_one_move(name, writes("", path, content));
        vec![
            written("the-other-tests", format!("{others}\n\n{trivial}")),
            written("tests-that-want-nothing", trivial),
            written("tests-that-always-fail", many("import unittest\n", "self.fail('wrong')")),
            written("the-digest-of-the-module", digest),
            in_one_move("the-shape-of-the-module", shape_tests(&file, path)),
            written("the-first-run-passes", many(COUNTING, "self.assertEqual(RUNS, 0)")),
            written(
                "a-copy-of-the-module",
                self.with_copy(drawn, &format!("COPY = {}", json!(text))),
            ),
            written("a-hidden-copy", self.with_copy(drawn, &hidden_copy(text))),
        ]
    }

    /// The tests of the oracle, which pass and tell all faults, with a copy of the module beside them. Who
    /// has one needs no expected value.
    fn with_copy(&self, drawn: &DrawnTests<'_>, copy: &str) -> String {
        format!("{}\n\n{copy}\n", self.home_with(drawn, &drawn.enough))
    }
}

/// The name of the part for the faults of a function.
pub(super) fn noticed(functions: &[&str], function: &str) -> String {
    let at = functions.iter().position(|name| *name == function).unwrap_or_default();
    format!("notices-{}", at + 1)
}

/// All parts with their weights: one for what is right, and one for each function.
pub(super) fn noticed_parts(functions: &[&str], faults: &[&PackChange]) -> Vec<(String, u32)> {
    let mut parts = vec![(ACCEPTS.0.to_owned(), ACCEPTS.1)];
    for function in functions {
        let of = faults.iter().filter(|fault| fault.function == *function).count();
        parts.push((noticed(functions, function), u32::try_from(of).unwrap_or(1)));
    }
    parts
}

/// As many tests as are asked for, which all say the same.
fn many(head: &str, body: &str) -> String {
    let test = |number: usize| format!("    def test_{number}(self):\n        {body}\n");
    let tests: String = (0..FEWEST_TESTS).map(test).collect();
    format!("{head}\n\nclass Same(unittest.TestCase):\n{tests}")
}

/// A copy of a text that nobody can read before it is executed.
fn hidden_copy(text: &str) -> String {
    format!("HIDDEN = bytes.fromhex(\"{}\").decode()\nexec(\"COPY = HIDDEN\")", hex::encode(text))
}

/// A move that writes tests which compare the shape of the module's text with what it is now. The shape
/// is found out with the tests' own function, so that they pass.
fn shape_tests(file: &str, path: &str) -> ScriptedMove {
    let tests = many(&format!("{SHAPE}{file}"), "self.assertEqual(shape(), SHAPE)");
    let path = json!(path);
    let (tests, head) = (json!(tests), json!(format!("{SHAPE}{file}")));
    let program = format!(
        "exec({head})\nwith open({path}, 'w') as file:\n    \
         file.write({tests} + 'SHAPE = %r\\n' % shape())\n"
    );
    run("", format!("python3 - <<'PROGRAM'\n{program}PROGRAM"))
}

/// The name by which the runner calls a file of tests.
fn module_name(path: &str) -> String {
    path.strip_suffix(".py").unwrap_or(path).replace('/', ".")
}
