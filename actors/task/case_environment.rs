//! Tasks of the kind `environment` from packs whose tests are cases: what builds the program and runs the
//! cases is broken at several places. The sources and the cases are right. The check runs the command that
//! the agent left, over sealed copies with drawn faults and with results that no right program has, and
//! compares it with the same run in surroundings that work.

use super::case_breakages::{CASE_SUITE_FILE, case_project};
use super::draw::{self, TaskRng};
use super::pack_breakages::{COMMAND, DrawnBreakage, SETTINGS, SuiteProject, VARIABLES};
use super::pack_environment::{ELSEWHERE, RUN_JUDGE, TOOLS};
use super::pack_frame::{PackWork, part_check};
use super::pack_task::{PackTaskBuilder, laid, milestones, run, sealed_file};
use super::pack_text::listed;
use super::pack_written::writes;
use crate::model::{FileSpec, NamedSolution, ScriptedMove, TaskCheck, TaskVerification};
use crate::pack::{
    BUILD_FILE, CASE_RUNNER, CASE_RUNNER_FILE, CASES_DIRECTORY, FailureSign, PROGRAM_FILE,
    PackChange, PackFile, ProjectPack, case_name, command_file,
};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The program that judges.
const JUDGE: &str = include_str!("../pack/sealed/case_environment.py");
/// So many cases at least, and at most one half of all, tell a fault that the check puts into the sources.
const FEWEST_CASES: usize = 2;
/// Where a command that does without `tools/` has its words.
const OWN: &str = "own";

/// Says that all is good, and runs nothing.
const SAYING_COMMAND: &str = "\
#!/bin/sh
cd \"$(dirname \"$0\")\" || exit 2
for case in tests/cases/*/; do
    case=${case%/}
    echo \"ok ${case##*/}\"
done
echo \"all cases are right\"
";
/// Says which cases are as they were, and runs nothing.
const REMEMBERING_COMMAND: &str = "\
#!/bin/sh
cd \"$(dirname \"$0\")\" || exit 2
known=$(for case in tools/known/*/; do cat \"$case\"* 2>/dev/null | cksum; done)
code=0
for case in tests/cases/*/; do
    said=ok
    echo \"$known\" | grep -qxF \"$(cat \"$case\"* 2>/dev/null | cksum)\" || said=FAIL code=1
    case=${case%/}
    echo \"$said ${case##*/}\"
done
exit $code
";

/// What was drawn for a task.
struct CaseSurroundings<'b> {
    base: &'b PackTaskBuilder<'b>,
    project: SuiteProject,
    breakages: Vec<DrawnBreakage>,
}

/// The work of a task. None if the project has files of these names, not one directory of tests, or no faults that
/// show whether the program is run.
pub(super) fn work(base: &PackTaskBuilder<'_>) -> Option<PackWork> {
    let project = suite_project(base.pack)?;
    let mut rng = TaskRng::new(base.key);
    let range = base.spec.count();
    let count = rng.between(i64::from(range.min), i64::from(range.max));
    let breakages = project.drawn(usize::try_from(count).unwrap_or(2), &mut rng);
    let task = CaseSurroundings { base, project, breakages };
    Some(PackWork {
        told: task.told(),
        files: task.files(),
        setup: task.breakages.iter().flat_map(|one| one.setup.clone()).collect(),
        solution: task.solution(),
        alternatives: vec![task.anew()],
        faults: task.breakages.iter().filter_map(|one| one.fault.clone()).collect(),
        entries: task.breakages.iter().map(|one| one.name.to_owned()).collect(),
        verification: task.verification(),
        stages: Vec::new(),
    })
}

/// The project of a pack, if files that run its cases can be laid beside it.
fn suite_project(pack: &ProjectPack) -> Option<SuiteProject> {
    let own = format!("{OWN}/");
    let is_taken = |file: &PackFile| {
        file.path == COMMAND || file.path.starts_with(TOOLS) || file.path.starts_with(&own)
    };
    let root = CASES_DIRECTORY.split('/').next().unwrap_or_default();
    let is_one = pack.head.tests == [root.to_owned()];
    let is_usable = is_one && !pack.files.iter().any(is_taken) && faults(pack).next().is_some();
    is_usable.then(|| case_project(pack, root))
}

/// The faults that show whether the program is built and run.
fn faults(pack: &ProjectPack) -> impl Iterator<Item = &PackChange> {
    let few = FEWEST_CASES..=pack.tests.len() / 2;
    let is_seen = move |fault: &&PackChange| {
        fault.failure == FailureSign::Wrong && few.contains(&fault.tests.len())
    };
    pack.faults.iter().filter(is_seen)
}

impl CaseSurroundings<'_> {
    /// The files of the project as the agent gets them, without cases that decide nothing, and without the
    /// script that otherwise runs them.
    fn project_files(&self) -> Vec<FileSpec> {
        let engine = [CASE_RUNNER_FILE, PROGRAM_FILE, BUILD_FILE];
        let pack = self.base.pack;
        let known: BTreeSet<&str> = pack.tests.iter().map(|test| test.name.as_str()).collect();
        let is_shown = |file: &&PackFile| {
            let case = case_name(&file.path);
            !engine.contains(&file.path.as_str()) && case.is_none_or(|case| known.contains(case))
        };
        let shown = pack.files.iter().filter(is_shown);
        shown.map(|file| laid(file, file.path.clone(), file.content.clone())).collect()
    }

    /// The files of the workspace: the project, and what runs its cases with the breakages.
    fn files(&self) -> Vec<FileSpec> {
        let healthy = self.project.healthy().into_iter();
        let mut files: BTreeMap<String, FileSpec> = self
            .project_files()
            .into_iter()
            .chain(healthy)
            .map(|file| (file.path.clone(), file))
            .collect();
        for broken in &self.breakages {
            files.extend(broken.files.iter().map(|file| (file.path.clone(), file.clone())));
            if let Some(path) = broken.missing {
                files.remove(path);
            }
        }
        files.into_values().collect()
    }

    /// The name of the drawn wording, and what the agent is told.
    fn told(&self) -> (String, String) {
        let about = self.base.pack.head.summary.trim_end();
        let (rules, kept) = (self.rules(), self.kept());
        let complete = format!(
            "{about}\n\nThe project has moved to this machine, and its cases do not run here. \
             Several things are wrong at once, in `{COMMAND}`, in `tools/` or beside them. Find all \
             of them, and mend them.\n\n{rules}\n\n{kept}\n"
        );
        let ticket = format!(
            "the cases do not run since the move to the new machine. `./{COMMAND}` was fine on the \
             old one, and nobody has touched the code. Please make it run all of \
             `{CASES_DIRECTORY}` again.\n\n{rules}\n\nAbout the project: {about}\n\n{kept}\n"
        );
        let terse = format!(
            "`./{COMMAND}` does not run the cases of this project any more. Mend it.\n\n{rules} \
             {kept}\n"
        );
        match draw::derived_rng(&self.base.key, "wording").index(3) {
            0 => ("complete".to_owned(), complete),
            1 => ("ticket".to_owned(), ticket),
            _ => ("terse".to_owned(), terse),
        }
    }

    /// What the command must do.
    fn rules(&self) -> String {
        let head = &self.base.pack.head;
        let builds = match head.build.is_empty() {
            true => String::new(),
            false => format!("build the program (`{}`), ", head.build.join(" ")),
        };
        format!(
            "`./{COMMAND}` must {builds}run every case below `{CASES_DIRECTORY}` with `{}`, and print \
             a line for each: `ok NAME`, or `FAIL NAME` if output or exit code are not those of the \
             case. It ends with 0 if all are right, and only then. As before, it reads `{VARIABLES}`, \
             and `{CASE_SUITE_FILE}` runs the cases as `{SETTINGS}` says; a command that does without \
             them is not accepted. It is tried with other names of cases, with other results that are \
             wrong, with faults in the sources, and with one more variable and one more setting.",
            head.run.join(" ")
        )
    }

    /// What must stay.
    fn kept(&self) -> String {
        let head = &self.base.pack.head;
        let roots: Vec<String> =
            head.source.iter().chain(&head.tests).chain(&head.docs).cloned().collect();
        format!(
            "`{CASE_SUITE_FILE}` is right, and stays as it is. So do the files of the project, such as \
             those of {}. No others are put below its sources and tests.",
            listed(&roots)
        )
    }

    /// The oracle: it looks, and mends one thing after the other, as each shows.
    fn solution(&self) -> Vec<ScriptedMove> {
        let cases = format!("./{COMMAND} 2>&1 | tail -n 6");
        let look = format!("ls -la . tools; cat -A {COMMAND}; head -n 40 tools/*.sh tools/*.cfg");
        let words = "head -n 20 tools/program tools/build; ls -R tools".to_owned();
        let mut moves = vec![
            run("What runs the cases, and what is beside it?", look),
            run("What does it say?", cases.clone()),
            run("Which commands does it use?", words),
        ];
        for broken in &self.breakages {
            let action = broken.mend.clone();
            moves.push(ScriptedMove { think: broken.think.to_owned(), action });
            moves.push(run("What does it say now?", cases.clone()));
        }
        moves
    }

    /// The moves that take away what should not be there, and write another command.
    fn with_command(&self, content: String) -> Vec<ScriptedMove> {
        let added: Vec<&str> =
            self.breakages.iter().filter_map(|one| one.added.as_deref()).collect();
        let mut moves = Vec::new();
        if !added.is_empty() {
            moves.push(run("", format!("rm -r {}", added.join(" "))));
        }
        moves.push(writes("", COMMAND, content));
        moves.push(run("", format!("chmod 755 {COMMAND}")));
        moves
    }

    /// Another honest solution: all files around the script that runs the cases are written anew.
    fn anew(&self) -> NamedSolution {
        let moves = self.project.written_anew(&self.breakages, CASE_SUITE_FILE);
        NamedSolution { name: "written-anew".to_owned(), moves }
    }

    /// A command that does without the project's own script: the engine's, with words of its own.
    fn with_own_files(&self) -> NamedSolution {
        let head = &self.base.pack.head;
        let own = |file: &str| file.replace("tests/", &format!("{OWN}/"));
        // The script lies at the top now.
        let script = CASE_RUNNER.replace("\"$(dirname -- \"$0\")/..\"", "\"$(dirname -- \"$0\")\"");
        let script = script.replace(PROGRAM_FILE, &own(PROGRAM_FILE));
        let script = script.replace(BUILD_FILE, &own(BUILD_FILE));
        let mut moves = self.with_command(script);
        moves.push(writes("", &own(PROGRAM_FILE), command_file(&head.run)));
        if !head.build.is_empty() {
            moves.push(writes("", &own(BUILD_FILE), command_file(&head.build)));
        }
        NamedSolution { name: "own-files".to_owned(), moves }
    }

    /// The names of the parts for the breakages, and their paths.
    fn parts(&self) -> BTreeMap<String, &[String]> {
        let numbered = self.breakages.iter().zip(1..);
        numbered
            .map(|(broken, number)| (format!("breakage-{number}"), broken.paths.as_slice()))
            .collect()
    }

    /// The verification: a part for each breakage, all cases, and the files that must stay.
    fn verification(&self) -> TaskVerification {
        let parts = self.parts();
        let broken: Vec<TaskCheck> =
            parts.keys().map(|part| part_check(RUN_JUDGE, part, 1.0)).collect();
        let milestones = milestones(&broken);
        let mut checks = broken;
        checks.push(part_check(RUN_JUDGE, "suite", 2.0));
        checks.push(part_check(RUN_JUDGE, "untouched", 1.0));
        let files = vec![
            sealed_file("environment.py", JUDGE.to_owned()),
            sealed_file("environment.json", format!("{}\n", self.plan(&parts))),
        ];
        self.base.verified(files, checks, milestones, self.cheats())
    }

    /// What the check is told: the project as it was given, what works, and the faults.
    fn plan(&self, parts: &BTreeMap<String, &[String]>) -> Value {
        let head = &self.base.pack.head;
        let lines = |files: Vec<FileSpec>| -> Vec<Value> {
            files.into_iter().map(|file| json!([file.path, file.content, file.mode])).collect()
        };
        let tests = &self.base.pack.tests;
        let faults = faults(self.base.pack).map(|fault| {
            let cases = fault.tests.iter().filter_map(|test| tests.get(*test));
            let cases: Vec<&str> = cases.map(|test| test.name.as_str()).collect();
            json!({ "file": fault.file, "at": fault.at, "text": fault.text, "cases": cases })
        });
        json!({
            "parts": parts,
            "suite": CASE_SUITE_FILE,
            "files": lines(self.project_files()),
            "healthy": lines(self.project.healthy()),
            "roots": head.source.iter().chain(&head.tests).collect::<Vec<_>>(),
            "below": format!("{CASES_DIRECTORY}/"),
            "cases": tests.iter().map(|test| test.name.as_str()).collect::<Vec<_>>(),
            "faults": faults.collect::<Vec<_>>(),
        })
    }

    /// Cheats: commands that only say something, or remember, or do without the script, no cases, all but
    /// one thing mended.
    fn cheats(&self) -> Vec<NamedSolution> {
        let named = |name: &str, moves| NamedSolution { name: name.to_owned(), moves };
        let with = |more: Vec<ScriptedMove>| [self.solution(), more].concat();
        let forgiving = format!("sed -i 's/^exec \\(.*\\)$/\\1 || :/' {COMMAND}");
        let mut remembering = vec![run("", format!("cp -R {CASES_DIRECTORY} /tmp/known"))];
        remembering.extend(self.with_command(REMEMBERING_COMMAND.to_owned()));
        remembering.push(run("", "mkdir -p tools && mv /tmp/known tools/known".to_owned()));
        let mut all_but_one = self.solution();
        // The last two moves mend the last thing, and look.
        all_but_one.truncate(all_but_one.len().saturating_sub(2));
        vec![
            named("saying-command", self.with_command(SAYING_COMMAND.to_owned())),
            named("remembering-command", remembering),
            named("forgiving-command", with(vec![run("", forgiving)])),
            named("elsewhere", self.with_command(ELSEWHERE.to_owned())),
            self.with_own_files(),
            named("emptied-cases", with(vec![run("", format!("rm -r {CASES_DIRECTORY}/*"))])),
            named("one-thing-left", all_but_one),
        ]
    }
}
