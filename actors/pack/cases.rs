//! Cases: the tests of a command-line program. A case is data and no code: a directory below
//! `tests/cases` of the project.
//!
//! ```text
//!  tests/cases/NAME/cmd      the arguments, one a line      (none if the file is missing)
//!                   in       the standard input             (empty if it is missing)
//!                   files/…  what lies in the directory in which the program runs
//!                   out      what the program must print
//!                   status   its exit code                  (0 if it is missing)
//! ```
//! A line of the map names the file `out` of a case, and all of its bytes. So no case needs a parser,
//! whatever the language is, and what is right never has to be where the program runs.

use super::head::{PACK_FILE, PackHead, PackLanguage, PackRunner, is_below};
use super::index::{PackChange, PackTest};
use super::project_pack::{PROJECT_DIRECTORY, PackFile, PackParts, PackProblem, ProjectPack};
use serde::Serialize;
use serde_json::json;
use std::collections::BTreeMap;

/// Where the cases of a project are.
pub const CASES_DIRECTORY: &str = "tests/cases";
/// The script with which people and agents run the cases. It is the same in all projects.
pub const CASE_RUNNER: &str = include_str!("run_cases.sh");
/// Where the script lies.
pub const CASE_RUNNER_FILE: &str = "tests/run";
/// Where the script finds the words of the program, one a line.
pub const PROGRAM_FILE: &str = "tests/program";
/// Where the script finds the words of the command that builds the program.
pub const BUILD_FILE: &str = "tests/build";
/// The program in Python that runs cases where the project's program runs. It compares nothing.
pub const CASE_DRIVER: &str = include_str!("sealed/case_driver.py");

/// The parts of a case besides its files.
const PARTS: [&str; 5] = ["cmd", "in", "out", "status", "err"];
/// Bytes of an output that nobody guesses.
const LONG_OUTPUT: usize = 8;

/// A case of a program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProgramCase {
    #[serde(skip)]
    pub name: String,
    pub args: Vec<String>,
    #[serde(rename = "in")]
    pub input: String,
    /// The files beside which the program runs, by path.
    pub files: BTreeMap<String, String>,
    pub out: String,
    pub status: u8,
}

/// The cases of a project in the order of their names. The error is the first mistake.
pub fn program_cases(files: &[PackFile]) -> Result<Vec<ProgramCase>, PackProblem> {
    let mut cases: BTreeMap<&str, BTreeMap<&str, &str>> = BTreeMap::new();
    for file in files {
        let Some(below) = below_cases(&file.path) else { continue };
        let Some((name, part)) = below.split_once('/') else {
            let place = format!("{PROJECT_DIRECTORY}/{}", file.path);
            return Err(PackProblem::of(&place, "a case is a directory"));
        };
        cases.entry(name).or_default().insert(part, &file.content);
    }
    cases.into_iter().map(|(name, parts)| program_case(name, &parts)).collect()
}

/// The path of a file below the directory of cases.
fn below_cases(path: &str) -> Option<&str> {
    path.strip_prefix(CASES_DIRECTORY)?.strip_prefix('/')
}

/// The name of the case of which a file of the project is a part.
pub fn case_name(path: &str) -> Option<&str> {
    below_cases(path)?.split('/').next()
}

/// The file with the output of a case, which stands for the case in the map.
pub fn result_file(name: &str) -> String {
    format!("{CASES_DIRECTORY}/{name}/out")
}

/// The content of a file with the words of a command, one a line.
pub fn command_file(words: &[String]) -> String {
    words.iter().map(|word| format!("{word}\n")).collect()
}

/// A case from its files.
fn program_case(name: &str, parts: &BTreeMap<&str, &str>) -> Result<ProgramCase, PackProblem> {
    let wrong = |part: &str, why: &str| {
        PackProblem::of(&format!("{PROJECT_DIRECTORY}/{CASES_DIRECTORY}/{name}/{part}"), why)
    };
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !name.chars().all(is_plain) || name.starts_with('-') {
        return Err(wrong("", "the name of a case has letters, digits, `-` and `_`"));
    }
    let Some(out) = parts.get("out").copied() else {
        return Err(wrong("out", "the file is missing"));
    };
    let mut files = BTreeMap::new();
    for (part, text) in parts {
        match part.strip_prefix("files/") {
            Some(path) => {
                files.insert(path.to_owned(), (*text).to_owned());
            }
            None if PARTS.contains(part) => {}
            None => return Err(wrong(part, "no part of a case has this name")),
        }
    }
    let status = parts.get("status").map_or("0", |text| text.trim());
    let Ok(status) = status.parse::<u8>() else {
        return Err(wrong("status", "it is no exit code from 0 to 255"));
    };
    Ok(ProgramCase {
        name: name.to_owned(),
        args: words(parts.get("cmd").copied().unwrap_or_default()),
        input: parts.get("in").copied().unwrap_or_default().to_owned(),
        files,
        out: out.to_owned(),
        status,
    })
}

/// The lines of a text. An empty text has none.
fn words(text: &str) -> Vec<String> {
    if text.is_empty() {
        return Vec::new();
    }
    text.strip_suffix('\n').unwrap_or(text).split('\n').map(str::to_owned).collect()
}

/// Checks what `pack.toml` says of the runner, and the cases.
pub(super) fn check(parts: &PackParts) -> Result<(), PackProblem> {
    let head = &parts.head;
    if let Some(why) = mistake(head) {
        return Err(PackProblem::of(PACK_FILE, why));
    }
    if head.runner == PackRunner::Cases && program_cases(&parts.files)?.is_empty() {
        let place = format!("{PROJECT_DIRECTORY}/{CASES_DIRECTORY}");
        return Err(PackProblem::of(&place, "there are no cases"));
    }
    Ok(())
}

/// What is wrong with the runner and its commands.
fn mistake(head: &PackHead) -> Option<String> {
    let fits = head.runner == head.language.runner();
    if !fits {
        let (language, runner) = (head.language.in_words(), head.runner.command());
        return Some(format!("the runner of projects in {language} is not `{runner}`"));
    }
    if head.language == PackLanguage::Python {
        let is_plain = head.build.is_empty() && head.run.is_empty();
        return (!is_plain).then(|| "only the runner `cases` has `build` and `run`".to_owned());
    }
    if head.run.is_empty() {
        return Some("`run` has the command of the program, such as [\"./build/tool\"]".to_owned());
    }
    let mut words = head.build.iter().chain(&head.run).chain(&head.requires);
    if words.any(|word| word.is_empty() || word.contains(['\n', '\0'])) {
        return Some("the words of `build`, `run` and `requires` are no lines".to_owned());
    }
    let is_there = is_below(CASES_DIRECTORY, &head.tests);
    (!is_there).then(|| format!("`tests` has no directory with {CASES_DIRECTORY}"))
}

/// Checks a line of the map: a case is known by its output, as a whole. `bytes` is the length of the
/// file that the line names.
pub(super) fn check_test(head: &PackHead, test: &PackTest, bytes: usize) -> Result<(), String> {
    let is_case = test.file == result_file(&test.name) && test.at == (0, bytes);
    if head.runner == PackRunner::Cases && !is_case {
        return Err(format!("a case is known by all bytes of {}", result_file(&test.name)));
    }
    Ok(())
}

/// Whether the cases that no report quotes tell a change from right code. An exit code, or a word, can
/// be guessed once.
pub(super) fn is_judged(tests: &[PackTest], change: &PackChange, quoted: &[usize]) -> bool {
    let hidden = change.tests.iter().filter(|test| !quoted.contains(test));
    let bytes: Vec<usize> =
        hidden.filter_map(|test| tests.get(*test)).map(|test| test.at.1 - test.at.0).collect();
    bytes.len() > 1 || bytes.iter().any(|bytes| *bytes >= LONG_OUTPUT)
}

/// What the sealed check is told of a pack: how its program is built and run, the files besides its
/// sources, and the cases in the order of the map. Nothing below the directories of tests is among the files.
pub(super) fn listed(pack: &ProjectPack) -> String {
    let head = &pack.head;
    // They were read before, so there is none with a mistake.
    let cases = program_cases(&pack.files).unwrap_or_default();
    let known: BTreeMap<&str, &ProgramCase> =
        cases.iter().map(|case| (case.name.as_str(), case)).collect();
    let cases: Vec<&&ProgramCase> =
        pack.tests.iter().filter_map(|test| known.get(test.name.as_str())).collect();
    let is_other =
        |file: &&PackFile| !head.is_source(&file.path) && !is_below(&file.path, &head.tests);
    let others = pack.files.iter().filter(is_other);
    let others = others.map(|file| json!([file.path, file.content, file.executable]));
    let listing = json!({
        "source": head.source,
        "others": others.collect::<Vec<_>>(),
        "build": head.build,
        "run": head.run,
        "seconds": head.test_seconds,
        "cases": cases,
    });
    format!("{listing}\n")
}
