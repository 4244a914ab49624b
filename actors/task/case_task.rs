//! Builds a task from a pack whose tests are cases of a command-line program: the files of the project
//! with the drawn changes, the cases that are shown, the report, the oracle, and the sealed check.
//! Nothing of it is rendered, and no program runs to make it.

use super::case_text::{CaseText, case_in_words};
use super::draw::{self, TaskRng};
use super::pack_draw::{self, DrawnChange, DrawnChanges};
use super::pack_frame::part_check;
use super::pack_spec::{PackKind, PackSpec};
use super::pack_task::{
    PackTaskBuilder, RUN_CHECK, TIMEOUT, fault, laid, milestones, parts, quoted, repairs, run,
    sealed_file,
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
    BUILD_FILE, CASE_DRIVER, CASE_RUNNER, CASE_RUNNER_FILE, PROGRAM_FILE, PackFile, PackHead,
    PackLanguage, PackTest, ProgramCase, ProjectPack, case_name, command_file, program_cases,
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
    pack: &'a ProjectPack,
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
        if matches!(self.spec.kind, PackKind::WriteTests | PackKind::Environment) {
            return PackTaskBuilder::new(self.template, self.spec, self.pack, self.key).make(index);
        }
        let mut rng = TaskRng::new(self.key);
        let Some(changes) = pack_draw::draw(self.pack, self.spec, &mut rng) else {
            let message = format!("the pack {name:?} has no entries for this");
            return Err(vec![TemplateProblem::at("from_pack", message)]);
        };
        let shown = self.shown(&changes);
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
            files: self.files(drawn),
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
            digest: self.pack.digest.clone(),
            licence: head.licence.clone(),
            notices: self.pack.notices.clone(),
            entries: drawn.changes.changes.iter().map(|drawn| drawn.change.id.clone()).collect(),
        }
    }

    /// The cases that the agent sees: one half of those that no change breaks, and of a missing
    /// function one half of its cases. What a fault breaks is kept back.
    fn shown(&self, changes: &DrawnChanges<'a>) -> BTreeSet<&'a str> {
        let broken: BTreeSet<usize> =
            changes.changes.iter().flat_map(|drawn| drawn.change.tests.iter().copied()).collect();
        let kept = (0..self.pack.tests.len()).filter(|test| !broken.contains(test)).collect();
        let mut shown = self.half(kept, "shown.kept");
        if self.spec.kind == PackKind::Implement {
            let mut hidden = BTreeSet::new();
            for drawn in &changes.changes {
                let purpose = format!("hidden.{}", drawn.change.id);
                hidden.extend(self.half(drawn.change.tests.clone(), &purpose));
            }
            shown.extend(broken.into_iter().filter(|test| !hidden.contains(test)));
        }
        let tests: &'a [PackTest] = &self.pack.tests;
        let name = |test: usize| tests.get(test).map(|test| test.name.as_str());
        shown.into_iter().filter_map(name).collect()
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

    /// The name of the drawn wording, and what the agent is told.
    fn told(&self, drawn: &DrawnCases<'_>) -> (String, String) {
        let reports = self.spec.reports();
        let report = draw::derived_rng(&self.key, "report").index(reports.len());
        // They were read before, so there is none with a mistake.
        let cases = program_cases(&self.pack.files).unwrap_or_default();
        let told = |drawn: &DrawnChange<'_>| ToldChange {
            file: drawn.change.file.clone(),
            function: drawn.change.function.clone(),
            example: self.example(drawn, &cases),
        };
        let text = CaseText {
            head: &self.pack.head,
            kind: self.spec.kind,
            report: reports.get(report).copied(),
            changes: drawn.changes.changes.iter().map(told).collect(),
        };
        text.drawn(draw::derived_rng(&self.key, "wording").index(CaseText::WORDINGS))
    }

    /// A case that a change breaks, and what is wrong with it.
    fn example(&self, drawn: &DrawnChange<'_>, cases: &[ProgramCase]) -> String {
        let name = self.pack.tests.get(drawn.change.example).map(|test| test.name.as_str());
        let case = cases.iter().find(|case| Some(case.name.as_str()) == name);
        case.map_or(String::new(), |case| case_in_words(&self.pack.head, case, &drawn.change.says))
    }

    /// The files of the workspace: the sources with the changes, the cases that are shown, and what
    /// runs them.
    fn files(&self, drawn: &DrawnCases<'_>) -> Vec<FileSpec> {
        let engine = [CASE_RUNNER_FILE, PROGRAM_FILE, BUILD_FILE];
        let is_shown = |file: &&PackFile| {
            let case = case_name(&file.path);
            !engine.contains(&file.path.as_str())
                && case.is_none_or(|case| drawn.shown.contains(case))
        };
        let shown = self.pack.files.iter().filter(is_shown).map(|file| {
            let wrong = drawn.changes.wrong.get(file.path.as_str());
            let content = wrong.unwrap_or(&file.content).clone();
            laid(file, file.path.clone(), content)
        });
        shown.chain(runner_files(&self.pack.head)).collect()
    }

    /// The oracle: it looks, runs the cases, mends one place after the other, and runs them again.
    fn solution(&self, drawn: &DrawnCases<'_>) -> Vec<ScriptedMove> {
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
    fn sealed(&self, parts: &[(String, Vec<usize>)]) -> Vec<FileSpec> {
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

    /// Cheats: wrong sources with something that makes the cases silent.
    fn cheats(&self, drawn: &DrawnCases<'_>) -> Vec<NamedSolution> {
        let Some((path, text)) = drawn.changes.wrong.iter().next() else { return Vec::new() };
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
        | PackKind::Environment => true,
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
