//! Builds tasks of the kind `write-tests` from packs whose tests are cases: the cases that tell some
//! faults are taken away, and the agent writes new ones. The sealed check runs them over the program as it
//! is and with each fault. A case is data, so nothing of the agent's runs there.

use super::case_task::runner_files;
use super::case_test_draw::{self, LostCases, REFUSED};
use super::case_test_text::{ALL_SECONDS, CASE_SECONDS, LostCaseText, MOST_BYTES, MOST_CASES};
use super::draw::{self, TaskRng};
use super::pack_frame::PackWork;
use super::pack_task::{PackTaskBuilder, laid, quoted, run, sealed_file};
use super::pack_test_draw::FEWEST_TESTS;
use super::pack_write_tests::{COMMANDS, noticed, noticed_parts};
use super::pack_written::{JudgedFile, WrittenTask, in_one_move};
use crate::model::{FileSpec, NamedSolution, ScriptedMove};
use crate::pack::{
    BUILD_FILE, CASE_DRIVER, CASE_RUNNER_FILE, CASES_DIRECTORY, PROGRAM_FILE, PackFile, case_name,
};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Judges the cases of the agent.
const CHECK: &str = include_str!("../pack/sealed/written_cases.py");
/// How the names of the asked cases may begin.
const PREFIXES: [&str; 4] = ["new-", "more-", "added-", "own-"];
/// How many cases one move writes, where nobody looks at the moves.
const TOGETHER: usize = 10;
/// How many lines of what the cases say the oracle looks at.
const LINES_SEEN: u32 = 15;

/// What was drawn for a task.
struct CaseWriting<'b> {
    base: &'b PackTaskBuilder<'b>,
    lost: LostCases<'b>,
    /// How the names of the asked cases begin.
    prefix: String,
}

/// The work of a task. None if the pack has not enough faults and cases.
pub(super) fn work(base: &PackTaskBuilder<'_>) -> Option<PackWork> {
    let lost = case_test_draw::draw(base.pack, &mut TaskRng::new(base.key))?;
    let writing = CaseWriting { base, lost, prefix: prefix(base) };
    Some(base.written(WrittenTask {
        entries: writing.lost.faults.iter().map(|fault| fault.id.clone()).collect(),
        files: writing.files(),
        told: writing.told(),
        solution: writing.solution(),
        alternatives: vec![writing.turned()],
        cheats: writing.cheats(),
        judging: writing.judged(),
    }))
}

/// A drawn word with which no name of a case begins.
fn prefix(base: &PackTaskBuilder<'_>) -> String {
    let first = draw::derived_rng(&base.key, "prefix").index(PREFIXES.len());
    let is_free = |word: &&str| base.pack.tests.iter().all(|test| !test.name.starts_with(*word));
    let mut words = PREFIXES.iter().copied().cycle().skip(first).take(PREFIXES.len());
    let free = words.find(is_free).map(str::to_owned);
    free.unwrap_or_else(|| format!("{}-", draw::derived_hex(&base.key, "prefix")))
}

impl CaseWriting<'_> {
    /// The name of a case of the pack.
    fn name(&self, test: usize) -> &str {
        self.base.pack.tests.get(test).map_or("", |test| test.name.as_str())
    }

    /// The files of the workspace: the project with the cases that are left, and what runs them.
    fn files(&self) -> Vec<FileSpec> {
        let engine = [CASE_RUNNER_FILE, PROGRAM_FILE, BUILD_FILE];
        let left: BTreeSet<&str> = self.lost.left.iter().map(|test| self.name(*test)).collect();
        let is_shown = |file: &&PackFile| {
            let case = case_name(&file.path);
            !engine.contains(&file.path.as_str()) && case.is_none_or(|case| left.contains(case))
        };
        let shown = self.base.pack.files.iter().filter(is_shown);
        let shown = shown.map(|file| laid(file, file.path.clone(), file.content.clone()));
        shown.chain(runner_files(&self.base.pack.head)).collect()
    }

    /// The name of the drawn wording, and what the agent is told.
    fn told(&self) -> (String, String) {
        let text = LostCaseText {
            head: &self.base.pack.head,
            faults: &self.lost.faults,
            prefix: &self.prefix,
        };
        text.drawn(draw::derived_rng(&self.base.key, "wording").index(LostCaseText::WORDINGS))
    }

    /// A command that writes a case of the pack as a new one with this number.
    fn copied(&self, test: usize, number: usize) -> String {
        let old = format!("{CASES_DIRECTORY}/{}/", self.name(test));
        let new = self.place(number);
        let mut lines = vec![format!("mkdir -p {new}")];
        for file in &self.base.pack.files {
            let Some(part) = file.path.strip_prefix(&old).filter(|part| *part != "err") else {
                continue;
            };
            if let Some((directory, _)) = part.rsplit_once('/') {
                lines.push(format!("mkdir -p {}", quoted(&format!("{new}/{directory}"))));
            }
            let (content, path) = (quoted(&file.content), quoted(&format!("{new}/{part}")));
            lines.push(format!("printf '%s' {content} >{path}"));
        }
        lines.join(" &&\n")
    }

    /// The directory of a new case.
    fn place(&self, number: usize) -> String {
        format!("{CASES_DIRECTORY}/{}{number:02}", self.prefix)
    }

    /// The commands that write these cases, numbered from 1.
    fn all_copied(&self, tests: impl Iterator<Item = usize>) -> Vec<String> {
        tests.zip(1..).map(|(test, number)| self.copied(test, number)).collect()
    }

    /// The oracle: it looks, writes cases that the project had, and runs them.
    fn solution(&self) -> Vec<ScriptedMove> {
        let head = &self.base.pack.head;
        let docs: Vec<String> = head.docs.iter().map(|path| quoted(path)).collect();
        let look = format!("ls -R . | head -n 100; cat {} /dev/null", docs.join(" "));
        let files: BTreeSet<&str> =
            self.lost.faults.iter().map(|fault| fault.file.as_str()).collect();
        let files: Vec<String> = files.into_iter().map(quoted).collect();
        let known = self.lost.left.first().map_or("", |test| self.name(*test));
        let tests = format!("{} 2>&1 | tail -n {LINES_SEEN}", head.runner.command());
        let mut moves = vec![
            run("First I look at the project and its documentation.", look),
            run("These are the functions.", format!("cat {}", files.join(" "))),
            run(
                "How does a case look here?",
                format!("find {CASES_DIRECTORY}/{known} -type f -exec head -n 40 {{}} +"),
            ),
            run("Which cases are left?", tests.clone()),
        ];
        let more = |command| run("One case more, for what the functions do with this.", command);
        moves.extend(self.all_copied(self.lost.enough.iter().copied()).into_iter().map(more));
        moves.push(run("All cases must be right.", tests));
        moves
    }

    /// Another honest solution: all cases that were lost, the last one first. If they are more than may
    /// be written, those that tell all faults come first.
    fn turned(&self) -> NamedSolution {
        let mut tests: Vec<usize> = self.lost.enough.iter().copied().collect();
        let others = self.lost.own.difference(&self.lost.enough).copied();
        tests.extend(others.take(MOST_CASES.saturating_sub(tests.len())));
        tests.sort_unstable();
        let commands = self.all_copied(tests.into_iter().rev());
        let moves = commands.chunks(TOGETHER).map(|some| run("", some.join("\n")));
        NamedSolution { name: "turned".to_owned(), moves: moves.collect() }
    }

    /// How the cases are judged: the check, the project without tests, and the faults.
    fn judged(&self) -> JudgedFile {
        let head = &self.base.pack.head;
        let files = self.base.pack.files.iter().filter(|file| !head.is_test(&file.path));
        let project: Vec<Value> =
            files.map(|file| json!([file.path, file.content, file.executable])).collect();
        let parts = noticed_parts(&self.lost.functions, &self.lost.faults);
        let sealed = vec![
            sealed_file("check.py", CHECK.to_owned()),
            // It leaves the judge, so it is not signed.
            sealed_file("case_driver.py", CASE_DRIVER.to_owned()),
            sealed_file("project.json", format!("{}\n", Value::Array(project))),
        ];
        let plan = self.plan(&parts);
        JudgedFile { sealed, plan, parts, commands: COMMANDS }
    }

    /// What the check is told.
    fn plan(&self, parts: &[(String, u32)]) -> Value {
        let faults = self.lost.faults.iter().map(|fault| {
            json!({
                "id": fault.id, "file": fault.file, "at": fault.at, "text": fault.text,
                "function": fault.function, "part": noticed(&self.lost.functions, &fault.function),
            })
        });
        let faults: Vec<Value> = faults.collect();
        let head = &self.base.pack.head;
        let sources = self.base.pack.files.iter().filter(|file| head.is_source(&file.path));
        json!({
            "prefix": self.prefix, "least": FEWEST_TESTS, "most": MOST_CASES, "bytes": MOST_BYTES,
            "refused": REFUSED, "language": head.language.as_str(), "build": head.build,
            "run": head.run, "gone": sources.map(|file| &file.path).collect::<Vec<_>>(),
            "seconds": CASE_SECONDS, "all_seconds": ALL_SECONDS, "faults": faults,
            "parts": parts.iter().map(|(name, _)| name).collect::<Vec<_>>(),
        })
    }

    /// Cheats: cases that tell nothing, cases that are wrong, and cases that reach for the program itself.
    fn cheats(&self) -> Vec<NamedSolution> {
        let place = self.place(FEWEST_TESTS + MOST_CASES);
        let enough = || self.all_copied(self.lost.enough.iter().copied());
        let changed = |end: &str| {
            let numbered = enough().into_iter().zip(1..);
            let line = |(command, number): (String, usize)| {
                format!("{command}\n{end} >{}/out", self.place(number))
            };
            numbered.map(line).collect::<Vec<_>>().join("\n")
        };
        let same = self.lost.enough.first().copied().into_iter().cycle().take(FEWEST_TESTS);
        let others = self.lost.left.iter().copied().take(TOGETHER);
        let with = |more: String| format!("{}\n{more}", enough().join("\n"));
        let source = self.lost.faults.first().map_or("", |fault| fault.file.as_str());
        let up = "../".repeat(CASES_DIRECTORY.split('/').count() + 1);
        let linked = format!(
            "mkdir -p {place} && ln -s {} {place}/in && printf '' >{place}/out",
            quoted(&format!("{up}{source}"))
        );
        let itself = format!(
            "mkdir -p {place} && printf '/proc/self/exe\\n' >{place}/cmd && printf '' >{place}/out"
        );
        let cheat = |name: &str, command: String| in_one_move(name, run("", command));
        vec![
            cheat("the-other-cases", self.all_copied(others).join("\n")),
            cheat("one-case-again-and-again", self.all_copied(same).join("\n")),
            cheat("cases-that-always-fail", changed("printf 'wrong\\n'")),
            cheat("exit-codes-alone", changed("printf ''")),
            cheat("a-linked-source", with(linked)),
            cheat("the-program-itself", with(itself)),
        ]
    }
}
