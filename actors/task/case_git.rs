//! What tasks with a history have of packs whose tests are cases: which files belong to a case, which cases
//! are kept back, what the check is made of, and what programs that judge themselves would do.

use super::case_task::{CHECK as CASE_CHECK, looked_up, runner_files, with_added};
use super::case_text::{CaseText, case_in_words};
use super::draw;
use super::pack_git::{does, git, named, write};
use super::pack_task::{PackTaskBuilder, quoted, sealed_file};
use super::pack_text::{ToldChange, listed};
use super::project_state::file_of;
use crate::model::{FileSpec, NamedSolution, ScriptedMove};
use crate::pack::{
    BUILD_FILE, CASE_DRIVER, CASE_RUNNER_FILE, CASES_DIRECTORY, PROGRAM_FILE, PackChange,
    PackRunner, PackTest, ProgramCase, ProjectPack, case_name, program_cases,
};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// Gives the judge's programs the cases in the place of tests.
const CHECK: &str = include_str!("../pack/sealed/committed_cases.py");
/// The files of every project with cases that are the engine's own.
const ENGINE_FILES: [&str; 3] = [CASE_RUNNER_FILE, PROGRAM_FILE, BUILD_FILE];
/// What a program in Python leaves.
const CACHES: &str = "__pycache__/\n*.pyc\n";
/// Where the oracle lays the case that tells the fault.
pub(super) const SYMPTOM: &str = "/tmp/symptom";

impl<'a> PackTaskBuilder<'a> {
    /// Whether the tests of the pack are cases.
    pub(super) fn has_cases(&self) -> bool {
        self.pack.head.runner == PackRunner::Cases
    }

    /// The files of a test: that of its class, or all parts of a case.
    pub(super) fn test_files(&self, test: &'a PackTest) -> Vec<&'a str> {
        if !self.has_cases() {
            return vec![test.file.as_str()];
        }
        let paths = self.pack.files.iter().map(|file| file.path.as_str());
        paths.filter(|path| case_name(path) == Some(test.name.as_str())).collect()
    }

    /// Whether a file is a part of a case that is not there: one that is hidden, or that decides nothing.
    pub(super) fn is_away(&self, path: &str, hidden: &BTreeSet<usize>) -> bool {
        let Some(case) = self.case_of(path) else { return false };
        let number = self.pack.tests.iter().position(|test| test.name == case);
        number.is_none_or(|number| hidden.contains(&number))
    }

    /// The name of the case of which a file is a part.
    pub(super) fn case_of<'s>(&self, path: &'s str) -> Option<&'s str> {
        if self.has_cases() { case_name(path) } else { None }
    }

    /// Whether a file is the engine's own, whatever the project has there.
    pub(super) fn is_engine_file(&self, path: &str) -> bool {
        self.has_cases() && ENGINE_FILES.contains(&path)
    }

    /// The engine's own files in a project with cases: what runs them.
    pub(super) fn engine_files(&self) -> Vec<FileSpec> {
        if self.has_cases() { runner_files(&self.pack.head) } else { Vec::new() }
    }

    /// The cases that are never shown: one half of those that no change breaks. Tests in Python are shown,
    /// because they have twins.
    pub(super) fn kept_back(&self, broken: &BTreeSet<usize>) -> BTreeSet<usize> {
        if !self.has_cases() {
            return BTreeSet::new();
        }
        let mut others: Vec<usize> =
            (0..self.pack.tests.len()).filter(|test| !broken.contains(test)).collect();
        let mut rng = draw::derived_rng(&self.key, "shown.kept");
        let (shown, mut kept_back) = (others.len().div_ceil(2), BTreeSet::new());
        while others.len() > shown {
            kept_back.insert(others.remove(rng.index(others.len())));
        }
        kept_back
    }

    /// What nobody commits: what the tests or the build leave. Empty if that is nothing.
    pub(super) fn ignored(&self) -> String {
        if !self.has_cases() {
            return CACHES.to_owned();
        }
        let words = self.pack.head.run.iter().filter_map(|word| word.strip_prefix("./"));
        let built = words.map(|path| built_place(self.pack, path)).next();
        built.filter(|_| !self.pack.head.build.is_empty()).unwrap_or_default()
    }

    /// What is known of a fault, and where it stands what is right.
    pub(super) fn case_report(&self, fault: &PackChange) -> (String, String) {
        let reports = self.spec.reports();
        let report = draw::derived_rng(&self.key, "report").index(reports.len());
        let case = self.example_case(fault);
        let says = |case: &ProgramCase| case_in_words(&self.pack.head, case, &fault.says);
        let text = CaseText {
            head: &self.pack.head,
            kind: self.spec.kind,
            report: reports.get(report).copied(),
            changes: vec![ToldChange {
                file: fault.file.clone(),
                function: fault.function.clone(),
                example: case.as_ref().map(says).unwrap_or_default(),
            }],
        };
        (text.details(), text.spoken())
    }

    /// The case that a report of a fault quotes.
    fn example_case(&self, fault: &PackChange) -> Option<ProgramCase> {
        let name = &self.pack.tests.get(fault.example)?.name;
        // They were read before, so there is none with a mistake.
        let cases = program_cases(&self.pack.files).unwrap_or_default();
        cases.into_iter().find(|case| case.name == *name)
    }

    /// How the work is judged: `shown` says which cases are kept back.
    pub(super) fn judged_by_cases(&self, shown: &str) -> String {
        let head = &self.pack.head;
        let (command, tests) = (head.runner.command(), listed(&head.tests));
        let builds = match head.build.is_empty() {
            true => String::new(),
            false => format!("builds the program with `{}` and ", head.build.join(" ")),
        };
        format!(
            "`{command}` {builds}runs the cases below {tests}; a case has arguments, input, and the output that \
             is right. {shown}, and others too. In the end, all cases must be right, those that are kept back \
             too. The program is made anew of the sources below {} that are committed on `main`; all else of the \
             project, its cases too, counts as it was given.",
            listed(&head.source)
        )
    }

    /// The commands that write down the case which tells a fault, and a program that tries it on a copy of
    /// any commit, which it builds.
    pub(super) fn laid_case(&self, fault: &PackChange, copied: &str) -> String {
        let mut commands = vec![format!("rm -rf {SYMPTOM} && mkdir -p {SYMPTOM}")];
        if let Some(test) = self.pack.tests.get(fault.example) {
            let parts = self.test_files(test).into_iter().filter_map(|path| {
                let below = path.strip_prefix(CASES_DIRECTORY)?.split_once(&test.name)?.1;
                Some((format!("{SYMPTOM}{below}"), self.pack.text(path)?))
            });
            commands.extend(parts.map(|(path, text)| laid_file(&path, text)));
        }
        commands.push(format!(
            "cat > /tmp/try.sh <<'END_OF_THE_PROGRAM'\n{copied}\n\
             mkdir -p /tmp/try/{CASES_DIRECTORY} && cp -R {SYMPTOM} /tmp/try/{CASES_DIRECTORY}/symptom\n\
             cd /tmp/try && sh {CASE_RUNNER_FILE} symptom > /tmp/said 2>&1\nEND_OF_THE_PROGRAM"
        ));
        commands.join("\n")
    }

    /// Sources and commits that would make cases silent: `begin` comes before, and `path` is a source that
    /// has `wrong`.
    pub(super) fn silent_cases(
        &self,
        begin: &[ScriptedMove],
        path: &str,
        wrong: &str,
    ) -> Vec<NamedSolution> {
        let commit = || does(format!("git add -A . && {}", git("commit -q -m Done")));
        let silent = |files: Vec<(&str, String)>| {
            let written = files.into_iter().map(|(path, content)| write("", path, content));
            begin.iter().cloned().chain(written).chain([commit()]).collect::<Vec<_>>()
        };
        let runner = (CASE_RUNNER_FILE, "#!/bin/sh\nexit 0\n".to_owned());
        let program = (PROGRAM_FILE, "true\n".to_owned());
        let mut cheats = vec![named("replaced-runner", silent(vec![runner, program]))];
        if !self.pack.head.build.is_empty() {
            let (build, makefile) = ("true\n".to_owned(), "all:\n\t@true\n".to_owned());
            let files = vec![(BUILD_FILE, build), ("Makefile", makefile)];
            cheats.push(named("replaced-build", silent(files)));
        }
        if let Some(added) = looked_up(self.pack.head.language) {
            cheats.push(named("looked-up", silent(vec![(path, with_added(wrong, added))])));
        }
        cheats
    }
}

/// The line that keeps a built program out of commits: its own directory, or the program alone.
fn built_place(pack: &ProjectPack, path: &str) -> String {
    let top = path.split('/').next().unwrap_or(path);
    let is_own =
        top != path && !pack.files.iter().any(|file| file.path.starts_with(&format!("{top}/")));
    match (is_own, file_of(pack, path).is_some()) {
        (_, true) => String::new(),
        (true, false) => format!("/{top}/\n"),
        (false, false) => format!("/{path}\n"),
    }
}

/// A command that writes a file as it is, also if it does not end with a newline.
fn laid_file(path: &str, text: &str) -> String {
    let place = path.rsplit_once('/').map_or("", |(place, _)| place);
    format!("mkdir -p {} && printf %s {} > {}", quoted(place), quoted(text), quoted(path))
}

/// The sealed files of a pack with cases: the check, what it is told, and the program that it runs in the
/// judged sandbox.
pub(super) fn sealed(pack: &ProjectPack, parts: &[(String, Vec<usize>)]) -> Vec<FileSpec> {
    let parts: BTreeMap<&str, &[usize]> =
        parts.iter().map(|(part, tests)| (part.as_str(), tests.as_slice())).collect();
    let plan = json!({ "parts": parts });
    vec![
        sealed_file("check.py", CHECK.to_owned()),
        sealed_file("check_cases.py", CASE_CHECK.to_owned()),
        sealed_file("case_driver.py", CASE_DRIVER.to_owned()),
        sealed_file("pack.json", pack.listing.clone()),
        sealed_file("plan.json", format!("{plan}\n")),
    ]
}
