//! The oracle of a task with many changes (a long group): one command a turn, as a careful engineer
//! works. It looks at the whole, and takes one place after the other: it runs the tests that show what
//! is wrong, reads, looks who calls the function, makes one edit, and runs the same tests again. In the
//! end, it runs all tests and looks at what it has changed.
//!
//! Tests that a fault breaks are kept back, so they are written down first, from the reports or from the
//! documentation, and run on a copy of the project. Tests of a missing function are shown.

use super::pack_draw::{DrawnChange, DrawnChanges};
use super::pack_task::{fault, quoted, run};
use crate::model::ScriptedMove;
use crate::pack::{CASES_DIRECTORY, ChangeKind, PackRunner, PackTest, ProjectPack};
use std::collections::BTreeSet;

/// How many tests of one missing function are run and read.
const MOST_TESTS: usize = 3;
/// How many lines above a place its function may begin.
const FAR_ABOVE: usize = 60;
/// How many lines above a place are read if its function begins farther up, and below a place.
const ABOVE: usize = 25;
const BELOW: usize = 12;

/// The oracle of one task.
pub(super) struct LongOracle<'a> {
    pub(super) pack: &'a ProjectPack,
    pub(super) kind: ChangeKind,
    pub(super) changes: &'a DrawnChanges<'a>,
    /// The tests that the agent sees.
    pub(super) shown: BTreeSet<usize>,
    /// Whether the agent is told a test of each fault.
    pub(super) is_reported: bool,
    /// The tests that show the faults. None if functions are missing.
    pub(super) reports: Vec<ReportedTests>,
}

/// Files in which reported tests stand: path in the project, and content.
pub(super) struct ReportedTests {
    /// What is written down, in words.
    pub(super) name: String,
    pub(super) files: Vec<(String, String)>,
}

impl LongOracle<'_> {
    /// All moves.
    pub(super) fn moves(&self) -> Vec<ScriptedMove> {
        let mut moves = self.looks();
        moves.extend(self.written_reports());
        let own = self.changes.own_tests();
        let count = own.len();
        let mut texts = self.changes.wrong.clone();
        for ((drawn, own), number) in self.changes.changes.iter().zip(&own).zip(1..) {
            let text = texts.entry(&drawn.change.file).or_default();
            moves.extend(self.repaired(drawn, own, (number, count), text));
            *text = text.replacen(&drawn.wrong, &drawn.right, 1);
        }
        moves.extend(self.last_looks());
        moves
    }

    /// Mends one change. `own` are its own tests, `place` is its number and how many there are, and
    /// `text` is its file as it is now.
    pub(super) fn repaired(
        &self,
        drawn: &DrawnChange<'_>,
        own: &[usize],
        place: (usize, usize),
        text: &str,
    ) -> Vec<ScriptedMove> {
        match self.kind {
            ChangeKind::Stub => self.written(drawn, own, place, text),
            ChangeKind::Fault => self.mended(drawn, place, text),
        }
    }

    /// What comes first: tree, documentation, tests, and a copy of what is there.
    pub(super) fn looks(&self) -> Vec<ScriptedMove> {
        let head = &self.pack.head;
        let docs: Vec<String> = head.docs.iter().map(|path| quoted(path)).collect();
        vec![
            run("First I look at the tree.", "ls -R . | head -n 200".to_owned()),
            run("What should the project do?", format!("cat {} /dev/null", docs.join(" "))),
            self.all_tests("Which tests pass now?"),
            run(
                "I keep a copy, so that I can see in the end what I have changed.",
                "rm -rf /tmp/before && cp -R . /tmp/before && ls /tmp/before".to_owned(),
            ),
        ]
    }

    /// Writes the tests that show faults beside the project, and the program that runs them on a copy.
    fn written_reports(&self) -> Vec<ScriptedMove> {
        if self.reports.is_empty() {
            return Vec::new();
        }
        let mut moves = vec![self.try_program()];
        moves.extend(self.reports.iter().map(|report| report.written(self.is_reported)));
        moves
    }

    /// Writes the program that runs reported tests on a copy of the project.
    pub(super) fn try_program(&self) -> ScriptedMove {
        let program = format!(
            "rm -rf /tmp/try && cp -R . /tmp/try && cp -R /tmp/reports/. /tmp/try/ && cd /tmp/try || exit 2\n\
             {} \"$@\" 2>&1 | tail -n 25\n",
            self.tester()
        );
        let program = format!("rm -rf /tmp/reports; {}", laid("/tmp/try.sh", &program));
        run(
            "What is wrong becomes tests. They run on a copy, so that the project stays as it is.",
            program,
        )
    }

    /// Mends one fault. `text` is its file as it is now.
    fn mended(
        &self,
        drawn: &DrawnChange<'_>,
        (number, count): (usize, usize),
        text: &str,
    ) -> Vec<ScriptedMove> {
        let test = self.pack.tests.get(drawn.change.example);
        let again = format!("sh /tmp/try.sh {}", test.map(|t| quoted(&t.name)).unwrap_or_default());
        vec![
            run(&format!("Fault {number} of {count}: what does its test say?"), again.clone()),
            run("Where is that done, and who calls it?", self.callers(drawn)),
            run("I read it with what is around it.", read(drawn, text)),
            ScriptedMove {
                think: "This is not what it should do.".to_owned(),
                action: fault(drawn).repair(),
            },
            run("Is it right now?", again),
        ]
    }

    /// Writes one missing function. `text` is its file as it is now.
    fn written(
        &self,
        drawn: &DrawnChange<'_>,
        own: &[usize],
        (number, count): (usize, usize),
        text: &str,
    ) -> Vec<ScriptedMove> {
        let tests = own.iter().filter(|test| self.shown.contains(test)).take(MOST_TESTS);
        let tests: Vec<&PackTest> = tests.filter_map(|test| self.pack.tests.get(*test)).collect();
        let names: Vec<String> = tests.iter().map(|test| quoted(&test.name)).collect();
        let again = format!("{} {} 2>&1 | tail -n 25", self.tester(), names.join(" "));
        let name = short_name(drawn);
        vec![
            run(
                &format!("Function {number} of {count}, {name}: what do its tests say?"),
                again.clone(),
            ),
            run("What do they expect?", self.expectations(&tests)),
            run("Who calls it, and with what?", self.callers(drawn)),
            run("What is promised, and what is beside it?", read(drawn, text)),
            ScriptedMove { think: "Now I can write it.".to_owned(), action: fault(drawn).repair() },
            run("Do its tests pass now?", again),
        ]
    }

    /// What comes last: the reported tests together, all tests, and the difference.
    fn last_looks(&self) -> Vec<ScriptedMove> {
        let mut moves = Vec::new();
        if !self.reports.is_empty() {
            let examples = self.changes.changes.iter().map(|drawn| drawn.change.example);
            let tests = examples.filter_map(|test| self.pack.tests.get(test));
            let names: Vec<String> = tests.map(|test| quoted(&test.name)).collect();
            let all = format!("sh /tmp/try.sh {}", names.join(" "));
            moves.push(run("Are they all right together?", all));
        }
        moves.push(self.all_tests("All tests must pass now."));
        moves.push(self.differences());
        moves
    }

    /// Runs all tests that are shown.
    pub(super) fn all_tests(&self, think: &str) -> ScriptedMove {
        run(think, format!("{} 2>&1 | tail -n 15", self.pack.head.runner.command()))
    }

    /// Shows what is different from the copy of the beginning.
    pub(super) fn differences(&self) -> ScriptedMove {
        let differences = self.pack.head.source.iter().map(|root| {
            let (before, now) = (quoted(&format!("/tmp/before/{root}")), quoted(root));
            format!("diff -ru -x __pycache__ {before} {now}")
        });
        let differences = differences.collect::<Vec<_>>().join("; ");
        run("Is this all that I wanted to change?", format!("({differences}) | head -n 400"))
    }

    /// The command that runs the tests whose names follow.
    fn tester(&self) -> &'static str {
        match self.pack.head.runner {
            PackRunner::Unittest => "python3 -B -m unittest",
            PackRunner::Cases => "tests/run",
        }
    }

    /// A command that finds where the function of a change is and is used.
    fn callers(&self, drawn: &DrawnChange<'_>) -> String {
        let head = &self.pack.head;
        let roots: Vec<String> =
            head.source.iter().chain(&head.tests).map(|root| quoted(root)).collect();
        let name = quoted(short_name(drawn));
        format!("grep -rnwI -e {name} {} | grep -v __pycache__ | head -n 40", roots.join(" "))
    }

    /// A command that shows tests.
    fn expectations(&self, tests: &[&PackTest]) -> String {
        let show = |test: &&PackTest| match self.pack.head.runner {
            PackRunner::Unittest => {
                let lines =
                    self.pack.text(&test.file).and_then(|text| text.get(test.at.0..test.at.1));
                let more = lines.unwrap_or_default().lines().count().saturating_sub(1);
                let name = quoted(&format!("def {}(", test.method()));
                format!("grep -n -F -A {more} {name} {}", quoted(&test.file))
            }
            PackRunner::Cases => {
                let place = quoted(&format!("{CASES_DIRECTORY}/{}", test.name));
                format!("find {place} -type f | sort | xargs head -n 40")
            }
        };
        tests.iter().map(show).collect::<Vec<_>>().join("; ")
    }
}

impl ReportedTests {
    /// Writes the tests down, where the program that tries them looks. `is_reported`: the agent was told.
    pub(super) fn written(&self, is_reported: bool) -> ScriptedMove {
        let name = &self.name;
        let think = match is_reported {
            true => format!("I write down what is reported: {name}."),
            false => format!("I write down what the documentation promises: {name}."),
        };
        let files = self.files.iter();
        let files = files.map(|(path, text)| laid(&format!("/tmp/reports/{path}"), text));
        run(&think, files.collect::<Vec<_>>().join("\n"))
    }
}

/// The last word of the name of a change's function.
fn short_name<'c>(drawn: &DrawnChange<'c>) -> &'c str {
    drawn.change.function.rsplit('.').next().unwrap_or_default()
}

/// A command that writes a file.
fn laid(path: &str, text: &str) -> String {
    let (folder, _) = path.rsplit_once('/').unwrap_or((".", path));
    let (folder, path) = (quoted(folder), quoted(path));
    if text.ends_with('\n') {
        format!("mkdir -p {folder} && cat > {path} <<'END_OF_THE_FILE'\n{text}END_OF_THE_FILE")
    } else {
        format!("mkdir -p {folder} && printf '%s' {} > {path}", quoted(text))
    }
}

/// A command that shows the function of a change in its file, whose text is given.
fn read(drawn: &DrawnChange<'_>, text: &str) -> String {
    let start = text.find(&drawn.wrong).unwrap_or_default();
    let before = text.get(..start).unwrap_or_default();
    let place = before.matches('\n').count() + 1;
    let name = short_name(drawn);
    let above: Vec<&str> = text.lines().take(place).collect();
    let begins = above.iter().rposition(|line| has_word(line, name)).map(|line| line + 1);
    let from = begins.filter(|line| line + FAR_ABOVE >= place);
    let from = from.unwrap_or(place.saturating_sub(ABOVE).max(1));
    let to = place + drawn.wrong.matches('\n').count() + BELOW;
    format!("sed -n '{from},{to}p' {}", quoted(&drawn.change.file))
}

/// Whether a line has a word.
fn has_word(line: &str, word: &str) -> bool {
    let is_between = |c: char| c != '_' && !c.is_alphanumeric();
    line.split(is_between).any(|part| part == word)
}
