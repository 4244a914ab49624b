//! The oracle of a task with many changes (a long group): one command a turn, as a careful engineer
//! works. It looks at the whole, and takes one place after the other: it runs the tests that show what
//! is wrong, reads, looks who calls the function, makes one edit, and runs the same tests again. In the
//! end, it runs all tests and looks at what it has changed.
//!
//! Tests that a fault breaks are kept back, so they are written down first, from the reports or from the
//! documentation, and run on a copy of the project. Tests of a missing function are shown.

use super::pack_draw::{DrawnChange, DrawnChanges};
use super::pack_spec::PackKind;
use super::pack_task::{fault, quoted, run};
use crate::model::ScriptedMove;
use crate::pack::{CASES_DIRECTORY, PackRunner, PackTest, ProjectPack};
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
    pub(super) kind: PackKind,
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
        let mut texts = self.changes.wrong.clone();
        for ((drawn, own), number) in self.changes.changes.iter().zip(&own).zip(1..) {
            let text = texts.entry(&drawn.change.file).or_default();
            moves.extend(match self.kind {
                PackKind::Implement => self.written(drawn, own, number, text),
                _ => self.mended(drawn, number, text),
            });
            *text = text.replacen(&drawn.wrong, &drawn.right, 1);
        }
        moves.extend(self.last_looks());
        moves
    }

    /// What comes first: tree, documentation, tests, and a copy of what is there.
    fn looks(&self) -> Vec<ScriptedMove> {
        let head = &self.pack.head;
        let docs: Vec<String> = head.docs.iter().map(|path| quoted(path)).collect();
        vec![
            run("First I look at the tree.", "ls -R . | head -n 200".to_owned()),
            run("What should the project do?", format!("cat {} /dev/null", docs.join(" "))),
            run("Which tests pass now?", format!("{} 2>&1 | tail -n 15", head.runner.command())),
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
        let program = format!(
            "rm -rf /tmp/try && cp -R . /tmp/try && cp -R /tmp/reports/. /tmp/try/ && cd /tmp/try || exit 2\n\
             {} \"$@\" 2>&1 | tail -n 25\n",
            self.tester()
        );
        let program = format!("rm -rf /tmp/reports; {}", laid("/tmp/try.sh", &program));
        let mut moves = vec![run(
            "What is wrong becomes tests. They run on a copy, so that the project stays as it is.",
            program,
        )];
        moves.extend(self.reports.iter().map(|report| {
            let name = &report.name;
            let think = match self.is_reported {
                true => format!("I write down what is reported: {name}."),
                false => format!("I write down what the documentation promises: {name}."),
            };
            let files = report.files.iter();
            let files = files.map(|(path, text)| laid(&format!("/tmp/reports/{path}"), text));
            run(&think, files.collect::<Vec<_>>().join("\n"))
        }));
        moves
    }

    /// Mends one fault. `text` is its file as it is now.
    fn mended(&self, drawn: &DrawnChange<'_>, number: usize, text: &str) -> Vec<ScriptedMove> {
        let count = self.changes.changes.len();
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
        number: usize,
        text: &str,
    ) -> Vec<ScriptedMove> {
        let count = self.changes.changes.len();
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
        let head = &self.pack.head;
        let mut moves = Vec::new();
        if !self.reports.is_empty() {
            let examples = self.changes.changes.iter().map(|drawn| drawn.change.example);
            let tests = examples.filter_map(|test| self.pack.tests.get(test));
            let names: Vec<String> = tests.map(|test| quoted(&test.name)).collect();
            let all = format!("sh /tmp/try.sh {}", names.join(" "));
            moves.push(run("Are they all right together?", all));
        }
        moves.push(run(
            "All tests must pass now.",
            format!("{} 2>&1 | tail -n 15", head.runner.command()),
        ));
        let differences = head.source.iter().map(|root| {
            let (before, now) = (quoted(&format!("/tmp/before/{root}")), quoted(root));
            format!("diff -ru -x __pycache__ {before} {now}")
        });
        let differences = differences.collect::<Vec<_>>().join("; ");
        moves.push(run(
            "Is this all that I wanted to change?",
            format!("({differences}) | head -n 400"),
        ));
        moves
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
