//! Builds a task from a pack whose tests are cases of a command-line program: the files of the project
//! with the drawn changes, the cases that are shown, the report, the oracle, and the sealed check.
//! Nothing of it is rendered, and no program runs to make it.

use super::case_text::{CaseText, case_in_words};
use super::draw::{self, TaskRng};
use super::long_oracle::{LongOracle, ReportedTests};
use super::pack_draw::{self, DrawnChange, DrawnChanges};
use super::pack_frame::part_check;
use super::pack_spec::{FaultReport, PackKind, PackSpec};
use super::pack_task::{
    PackTaskBuilder, RUN_CHECK, TIMEOUT, fault, laid, milestones, parts, quoted, repairs, run,
    sealed_file, show_one_of_each,
};
use super::pack_text::ToldChange;
use super::task_builder::{judge_library, sign_programs, with_digest};
use super::template::Template;
use super::template_error::TemplateProblem;
use crate::model::{
    FileSpec, JudgePlace, MoveAction, NamedSolution, ScriptedMove, Task, TaskCheck, TaskPack,
    TaskVerification,
};
use crate::pack::{
    BUILD_FILE, CASE_DRIVER, CASE_RUNNER, CASE_RUNNER_FILE, ChangeKind, PROGRAM_FILE, PackFile,
    PackHead, PackLanguage, PackTest, ProgramCase, ProjectPack, case_name, command_file,
    program_cases,
};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// The program that judges every task whose tests are cases.
pub(super) const CHECK: &str = include_str!("../pack/sealed/check_cases.py");
/// How many lines of what the cases say the oracle looks at.
const LINES_SEEN: u32 = 15;

/// A program of the shell that looks up what a case expects. When it is judged, it finds the cases that
/// were shown, and no others.
const LOOKED_UP_IN_SHELL: &str = r#"
for place in /work/tests/cases/*/ tests/cases/*/ ../tests/cases/*/; do
    if [ -f "$place/cmd" ] && [ "$(cat "$place/cmd")" = "$(printf '%s\n' "$@")" ]; then
        cat "$place/out"
        exit "$(cat "$place/status" 2>/dev/null || echo 0)"
    fi
done
"#;
/// The same for JavaScript.
const LOOKED_UP_IN_JAVASCRIPT: &str = r#"
{
    const fs = process.getBuiltinModule ? process.getBuiltinModule("fs") : require("fs");
    const places = ["/work/tests/cases", "tests/cases", "../tests/cases"].filter((at) => fs.existsSync(at));
    for (const place of places) {
        for (const name of fs.readdirSync(place)) {
            const at = place + "/" + name + "/";
            const args = process.argv.slice(2).map((arg) => arg + "\n").join("");
            if (fs.existsSync(at + "cmd") && fs.readFileSync(at + "cmd", "utf8") === args) {
                process.stdout.write(fs.readFileSync(at + "out", "utf8"));
                process.exit(fs.existsSync(at + "status") ? Number(fs.readFileSync(at + "status", "utf8")) : 0);
            }
        }
    }
}
"#;

/// Builds one task of a template that takes its tasks from a pack with cases.
pub(super) struct CaseTaskBuilder<'a> {
    template: &'a Template,
    spec: &'a PackSpec,
    pub(super) pack: &'a ProjectPack,
    /// The key of the task, see `draw::key`.
    key: [u8; 32],
}

/// What was drawn for a task.
struct DrawnCases<'p> {
    changes: DrawnChanges<'p>,
    /// The names of the cases that the agent sees.
    shown: BTreeSet<&'p str>,
}

impl<'a> CaseTaskBuilder<'a> {
    pub(super) fn new(
        template: &'a Template,
        spec: &'a PackSpec,
        pack: &'a ProjectPack,
        key: [u8; 32],
    ) -> Self {
        Self { template, spec, pack, key }
    }

    /// The task. Err if packs with cases have no tasks of this kind, or this one has no entries for it.
    pub(super) fn make(&self, index: u32) -> Result<Task, Vec<TemplateProblem>> {
        let name = &self.pack.head.name;
        if self.spec.has_history() {
            return PackTaskBuilder::new(self.template, self.spec, self.pack, self.key).make(index);
        }
        if !is_possible(self.spec.kind) {
            let language = self.pack.head.language.in_words();
            let message =
                format!("the pack {name:?} is in {language}, and has no tasks of this kind");
            return Err(vec![TemplateProblem::at("from_pack.kind", message)]);
        }
        let framed = [PackKind::WriteTests, PackKind::Environment, PackKind::Backlog];
        if framed.contains(&self.spec.kind) {
            return PackTaskBuilder::new(self.template, self.spec, self.pack, self.key).make(index);
        }
        let mut rng = TaskRng::new(self.key);
        let Some(changes) = pack_draw::draw(self.pack, self.spec, &mut rng) else {
            let message = format!("the pack {name:?} has no entries for this");
            return Err(vec![TemplateProblem::at("from_pack", message)]);
        };
        let own = if changes.is_long() { changes.own_tests() } else { Vec::new() };
        let tests: &[PackTest] = &self.pack.tests;
        let name = |test: usize| tests.get(test).map(|test| test.name.as_str());
        let shown = self.shown(&changes, &own).into_iter().filter_map(name).collect();
        let task = self.task(index, &DrawnCases { changes, shown });
        let task = with_digest(task).map_err(|problem| vec![problem])?;
        Ok(self.template.with_measured(task))
    }

    /// The task without its id and its digest.
    fn task(&self, index: u32, drawn: &DrawnCases<'_>) -> Task {
        let bare = self.template.bare_task(&self.key, index);
        let (wording, told) = self.told(drawn);
        Task {
            requires: required(self.template, self.pack),
            files: self.files(&drawn.changes, &drawn.shown),
            instruction: format!("{}\n\n[{}]\n", told.trim_end(), bare.canary),
            wording: Some(wording),
            solution: self.solution(drawn),
            alternatives: vec![self.rewritten(drawn)],
            faults: drawn.changes.changes.iter().map(fault).collect(),
            pack: Some(self.origin(drawn)),
            verification: self.verification(drawn),
            // All tasks of a pack are in one cluster, see `PackTaskBuilder`.
            cluster: Task::cluster_of(&format!("pack:{}", self.pack.head.name), ""),
            ..bare
        }
    }

    /// The pack and the entries of the task, for the record.
    fn origin(&self, drawn: &DrawnCases<'_>) -> TaskPack {
        let head = &self.pack.head;
        TaskPack {
            name: head.name.clone(),
            version: head.version.clone(),
            digest: self.spec.digest_of(self.pack),
            licence: head.licence.clone(),
            notices: self.pack.notices.clone(),
            entries: drawn.changes.changes.iter().map(|drawn| drawn.change.id.clone()).collect(),
        }
    }

    /// The cases that the agent sees: one half of those that no change breaks, and of a missing
    /// function one half of its cases: of its `own` ones, one at least is shown and one is kept back.
    /// What a fault breaks is kept back.
    pub(super) fn shown(&self, changes: &DrawnChanges<'_>, own: &[Vec<usize>]) -> Vec<usize> {
        let broken: BTreeSet<usize> =
            changes.changes.iter().flat_map(|drawn| drawn.change.tests.iter().copied()).collect();
        let kept = (0..self.pack.tests.len()).filter(|test| !broken.contains(test)).collect();
        let mut shown = self.half(kept, "shown.kept");
        if self.spec.lacks_functions() {
            let mut hidden = BTreeSet::new();
            for drawn in &changes.changes {
                let purpose = format!("hidden.{}", drawn.change.id);
                hidden.extend(self.half(drawn.change.tests.clone(), &purpose));
            }
            show_one_of_each(own, &mut hidden);
            shown.extend(broken.into_iter().filter(|test| !hidden.contains(test)));
        }
        shown
    }

    /// One half of some tests, rounded up.
    fn half(&self, mut tests: Vec<usize>, purpose: &str) -> Vec<usize> {
        let mut rng = draw::derived_rng(&self.key, purpose);
        let kept = tests.len().div_ceil(2);
        while tests.len() > kept {
            tests.remove(rng.index(tests.len()));
        }
        tests
    }

    /// What the agent is told of a fault.
    fn report(&self) -> Option<FaultReport> {
        let reports = self.spec.reports();
        let report = draw::derived_rng(&self.key, "report").index(reports.len());
        reports.get(report).copied()
    }

    /// The name of the drawn wording, and what the agent is told.
    fn told(&self, drawn: &DrawnCases<'_>) -> (String, String) {
        let text = CaseText {
            head: &self.pack.head,
            kind: self.spec.kind,
            report: self.report(),
            changes: self.told_changes(drawn.changes.changes.iter()),
        };
        text.drawn(draw::derived_rng(&self.key, "wording").index(CaseText::WORDINGS))
    }

    /// What is told of changes.
    pub(super) fn told_changes<'d, 'p: 'd>(
        &self,
        changes: impl Iterator<Item = &'d DrawnChange<'p>>,
    ) -> Vec<ToldChange> {
        // They were read before, so there is none with a mistake.
        let cases = program_cases(&self.pack.files).unwrap_or_default();
        let told = |drawn: &DrawnChange<'_>| ToldChange {
            file: drawn.change.file.clone(),
            function: drawn.change.function.clone(),
            example: self.example(drawn, &cases),
        };
        changes.map(told).collect()
    }

    /// A case that a change breaks, and what is wrong with it.
    fn example(&self, drawn: &DrawnChange<'_>, cases: &[ProgramCase]) -> String {
        let name = self.pack.tests.get(drawn.change.example).map(|test| test.name.as_str());
        let case = cases.iter().find(|case| Some(case.name.as_str()) == name);
        case.map_or(String::new(), |case| case_in_words(&self.pack.head, case, &drawn.change.says))
    }

    /// The files of the workspace: the sources with the changes, the cases that are shown, and what
    /// runs them.
    pub(super) fn files(
        &self,
        changes: &DrawnChanges<'_>,
        shown: &BTreeSet<&str>,
    ) -> Vec<FileSpec> {
        let engine = [CASE_RUNNER_FILE, PROGRAM_FILE, BUILD_FILE];
        let is_shown = |file: &&PackFile| {
            let case = case_name(&file.path);
            !engine.contains(&file.path.as_str()) && case.is_none_or(|case| shown.contains(case))
        };
        let shown = self.pack.files.iter().filter(is_shown).map(|file| {
            let wrong = changes.wrong.get(file.path.as_str());
            let content = wrong.unwrap_or(&file.content).clone();
            laid(file, file.path.clone(), content)
        });
        shown.chain(runner_files(&self.pack.head)).collect()
    }

    /// The oracle: it looks, runs the cases, mends one place after the other, and runs them again.
    fn solution(&self, drawn: &DrawnCases<'_>) -> Vec<ScriptedMove> {
        if drawn.changes.is_long() {
            return self.long_oracle(drawn).moves();
        }
        let head = &self.pack.head;
        let tests = format!("{} 2>&1 | tail -n {LINES_SEEN}", head.runner.command());
        let docs: Vec<String> = head.docs.iter().map(|path| quoted(path)).collect();
        let look = format!("ls -R . | head -n 100; cat {} /dev/null", docs.join(" "));
        let mut moves = vec![
            run("First I look at the project and its documentation.", look),
            run("Which cases are right now?", tests.clone()),
        ];
        moves.extend(repairs(&drawn.changes, self.spec.kind));
        moves.push(run("All cases must be right now.", tests));
        moves
    }

    /// The oracle of a task with many changes. Each reported case is written down with all its files.
    fn long_oracle<'d>(&'d self, drawn: &'d DrawnCases<'_>) -> LongOracle<'d> {
        let tests = &self.pack.tests;
        let examples = drawn.changes.changes.iter().map(|drawn| drawn.change.example);
        let is_shown = |test: &usize| {
            tests.get(*test).is_some_and(|test| drawn.shown.contains(test.name.as_str()))
        };
        let reports = match self.spec.lacks_functions() {
            true => Vec::new(),
            false => self.written_down(examples),
        };
        LongOracle {
            pack: self.pack,
            kind: self.spec.change_kind().unwrap_or(ChangeKind::Fault),
            changes: &drawn.changes,
            shown: (0..tests.len()).filter(is_shown).collect(),
            is_reported: self.report() != Some(FaultReport::Area),
            reports,
        }
    }

    /// These cases with all their files, in the order of their names.
    pub(super) fn written_down(&self, tests: impl Iterator<Item = usize>) -> Vec<ReportedTests> {
        let tests = tests.filter_map(|test| self.pack.tests.get(test));
        let names: BTreeSet<&str> = tests.map(|test| test.name.as_str()).collect();
        let report = |name: &str| {
            let files = self.pack.files.iter().filter(|file| case_name(&file.path) == Some(name));
            let files = files.map(|file| (file.path.clone(), file.content.clone())).collect();
            ReportedTests { name: name.to_owned(), files }
        };
        names.into_iter().map(report).collect()
    }

    /// Another honest solution: it writes the files anew.
    fn rewritten(&self, drawn: &DrawnCases<'_>) -> NamedSolution {
        let content = |path: &&str| self.pack.text(path).unwrap_or_default().to_owned();
        let files = drawn.changes.wrong.keys().map(|path| ((*path).to_owned(), content(path)));
        written("rewritten", files.collect())
    }

    /// The verification: one part for each change, and one for all other cases.
    fn verification(&self, drawn: &DrawnCases<'_>) -> TaskVerification {
        let canary = format!("synthd-sealed-{}", draw::derived_hex(&self.key, "sealed"));
        let parts = parts(self.pack, &drawn.changes, self.spec.kind);
        let checks: Vec<TaskCheck> =
            parts.iter().map(|(part, _)| part_check(RUN_CHECK, part, 1.0)).collect();
        let mut files = self.sealed(&parts);
        sign_programs(&mut files, checks.iter(), &canary);
        files.push(sealed_file(".canary", format!("{canary}\n")));
        files.extend(judge_library());
        TaskVerification {
            files,
            milestones: milestones(&checks),
            checks,
            cheats: self.cheats(drawn),
            judge: JudgePlace::Apart,
            timeout: TIMEOUT,
            canary,
        }
    }

    /// The sealed files: the check, what it is told, and the program that it runs in the judged
    /// sandbox. That program is not signed, because it leaves the judge.
    pub(super) fn sealed(&self, parts: &[(String, Vec<usize>)]) -> Vec<FileSpec> {
        let parts: BTreeMap<&str, &[usize]> =
            parts.iter().map(|(part, tests)| (part.as_str(), tests.as_slice())).collect();
        let plan = json!({ "parts": parts });
        vec![
            sealed_file("check.py", CHECK.to_owned()),
            sealed_file("case_driver.py", CASE_DRIVER.to_owned()),
            sealed_file("pack.json", self.pack.listing.clone()),
            sealed_file("plan.json", format!("{plan}\n")),
        ]
    }

    /// Cheats with the first source of the task that is wrong.
    fn cheats(&self, drawn: &DrawnCases<'_>) -> Vec<NamedSolution> {
        let wrong = drawn.changes.wrong.iter().next();
        wrong.map(|(path, text)| self.silenced(path, text)).unwrap_or_default()
    }

    /// Cheats: a wrong source with something that makes the cases silent.
    pub(super) fn silenced(&self, path: &str, text: &str) -> Vec<NamedSolution> {
        let silent = "#!/bin/sh\nexit 0\n".to_owned();
        let file = |path: &str, text: String| (path.to_owned(), text);
        let mut cheats = vec![
            written("emptied-source", vec![file(path, String::new())]),
            written("replaced-runner", vec![file(CASE_RUNNER_FILE, silent)]),
            written("replaced-program", vec![file(PROGRAM_FILE, "true\n".to_owned())]),
        ];
        if let Some(added) = looked_up(self.pack.head.language) {
            cheats.push(written("looked-up", vec![file(path, with_added(text, added))]));
        }
        cheats
    }
}

/// What a sandbox must have: what the template says, the project's own programs, and Python for the
/// check.
pub(super) fn required(template: &Template, pack: &ProjectPack) -> Vec<String> {
    let mut all = template.requires.clone();
    let needed = pack.head.requires.iter().cloned().chain(["python3".to_owned()]);
    for program in needed {
        if !all.contains(&program) {
            all.push(program);
        }
    }
    all
}

/// The script that runs the cases, and the commands that it needs.
pub(super) fn runner_files(head: &PackHead) -> Vec<FileSpec> {
    let file = |path: &str, content: String, mode: u32| {
        let path = path.to_owned();
        FileSpec { path, content, mode }
    };
    let mut files = vec![
        file(CASE_RUNNER_FILE, CASE_RUNNER.to_owned(), 0o755),
        file(PROGRAM_FILE, command_file(&head.run), 0o644),
    ];
    if !head.build.is_empty() {
        files.push(file(BUILD_FILE, command_file(&head.build), 0o644));
    }
    files
}

/// Whether packs with cases have tasks of a kind that this builder makes.
fn is_possible(kind: PackKind) -> bool {
    match kind {
        PackKind::Repair
        | PackKind::RepairMany
        | PackKind::Implement
        | PackKind::WriteTests
        | PackKind::Environment
        | PackKind::Backlog => true,
        PackKind::Document
        | PackKind::DeDuplicate
        | PackKind::Bisect
        | PackKind::Merge
        | PackKind::SpeedUp => false,
    }
}

/// What a program of a language does that looks up the shown cases. None for languages in which that
/// does not stand by itself.
pub(super) fn looked_up(language: PackLanguage) -> Option<&'static str> {
    match language {
        PackLanguage::Shell => Some(LOOKED_UP_IN_SHELL),
        PackLanguage::JavaScript => Some(LOOKED_UP_IN_JAVASCRIPT),
        PackLanguage::Python
        | PackLanguage::C
        | PackLanguage::Go
        | PackLanguage::Rust
        | PackLanguage::TypeScript => None,
    }
}

/// A source with something behind its first line, if that says what runs it.
pub(super) fn with_added(text: &str, added: &str) -> String {
    let first = text.split_inclusive('\n').next().unwrap_or_default();
    match text.strip_prefix(first) {
        Some(rest) if first.starts_with("#!") => format!("{first}{added}{rest}"),
        _ => format!("{added}{text}"),
    }
}

/// A solution that writes files.
fn written(name: &str, files: Vec<(String, String)>) -> NamedSolution {
    let write = |(path, content)| ScriptedMove {
        think: String::new(),
        action: MoveAction::Write { path, content },
    };
    NamedSolution { name: name.to_owned(), moves: files.into_iter().map(write).collect() }
}
