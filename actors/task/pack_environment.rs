//! Tasks of the kind `environment`: what runs the tests of a project is broken at several places. The
//! sources and the tests are right. The check runs the command that the agent left, over sealed copies of
//! sources and tests, and compares it with the same run in surroundings that work. Where tests are cases, the
//! task is made in `case_environment.rs`.

use super::case_environment;
use super::draw::{self, TaskRng};
use super::pack_breakages::{
    COMMAND, DrawnBreakage, SETTINGS, SUITE, SuiteProject, UNITTEST_SUITE, VARIABLES,
};
use super::pack_frame::{PackWork, part_check};
use super::pack_task::{
    KEPT, PATCHED_RUNNER, PackTaskBuilder, laid, milestones, quoted, run, sealed_file,
};
use super::pack_text::listed;
use crate::model::{
    FileSpec, MoveAction, NamedSolution, ScriptedMove, TaskCheck, TaskVerification,
};
use crate::pack::{PackFile, ProjectPack};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// The program that judges.
const JUDGE: &str = include_str!("../pack/sealed/environment.py");
/// The command that runs it.
pub(super) const RUN_JUDGE: &str = "python3 /sealed/environment.py";
/// The directory of the files that run the tests.
pub(super) const TOOLS: &str = "tools/";

/// Runs the tests with nothing but Python: what is broken beside it stays as it is.
const PLAIN_COMMAND: &str = "\
#!/bin/sh
cd \"$(dirname \"$0\")\" || exit 2
unset PYTHONPATH PYTHONHOME
exec python3 -B -m unittest \"$@\"
";
/// Says that all is good, and runs nothing.
const SAYING_COMMAND: &str = "\
#!/bin/sh
ran=$(cat tests/*.py | grep -c 'def test')
printf '%s\\nRan %d tests in 0.120s\\n\\nOK\\n' ---- \"$ran\" >&2
";
/// Runs a copy of the project that works, if the judge has left one.
pub(super) const ELSEWHERE: &str = "\
#!/bin/sh
cd /tmp/????????????/ && exec ./run-tests \"$@\"
";
/// Runs the tests, and ends with 0 whatever they say.
const FORGIVING_COMMAND: &str = "\
#!/bin/sh
cd \"$(dirname \"$0\")\" || exit 2
python3 -B -m unittest \"$@\" || :
";

/// What was drawn for a task.
struct EnvironmentTask<'b> {
    base: &'b PackTaskBuilder<'b>,
    project: SuiteProject,
    breakages: Vec<DrawnBreakage>,
}

/// The work of a task. None if the project has files of these names, or not one directory of tests.
pub(super) fn work(base: &PackTaskBuilder<'_>) -> Option<PackWork> {
    if base.has_cases() {
        return case_environment::work(base);
    }
    let project = suite_project(base.pack)?;
    let mut rng = TaskRng::new(base.key);
    let range = base.spec.count();
    let count = rng.between(i64::from(range.min), i64::from(range.max));
    let breakages = project.drawn(usize::try_from(count).unwrap_or(2), &mut rng);
    let task = EnvironmentTask { base, project, breakages };
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

impl ProjectPack {
    /// Whether files that run its tests can be laid beside the project.
    pub fn takes_suite(&self) -> bool {
        suite_project(self).is_some()
    }
}

/// The project of a pack, if files that run its tests can be laid beside it.
fn suite_project(pack: &ProjectPack) -> Option<SuiteProject> {
    let is_taken = |file: &PackFile| file.path == COMMAND || file.path.starts_with(TOOLS);
    if pack.files.iter().any(is_taken) {
        return None;
    }
    let first = |path: &String| path.split('/').next().unwrap_or_default().to_owned();
    let package = pack.head.source.first().map(first)?;
    let [tests] = &pack.head.tests[..] else { return None };
    if tests.contains('/') || tests.ends_with(".py") {
        return None;
    }
    Some(SuiteProject {
        form: &UNITTEST_SUITE,
        name: pack.head.name.clone(),
        package: package.trim_end_matches(".py").to_owned(),
        tests: tests.clone(),
        modules: filters(pack),
        more: Vec::new(),
        unbroken: Vec::new(),
    })
}

/// The names of modules with tests, each of which leaves out another one as a filter.
fn filters(pack: &ProjectPack) -> Vec<String> {
    let name = |path: &str| {
        let name = path.rsplit('/').next().unwrap_or_default();
        name.trim_end_matches(".py").to_owned()
    };
    let paths: BTreeSet<&str> = pack.tests.iter().map(|test| test.file.as_str()).collect();
    let names: BTreeSet<String> = paths.into_iter().map(name).collect();
    let leaves_out = |name: &&String| names.iter().any(|other| !other.contains(name.as_str()));
    names.iter().filter(leaves_out).cloned().collect()
}

impl EnvironmentTask<'_> {
    /// The files of the project as the agent gets them, without tests that decide nothing.
    fn project_files(&self) -> Vec<FileSpec> {
        let shown = |file: &PackFile| {
            laid(file, file.path.clone(), self.base.shown(file, &BTreeSet::new()))
        };
        self.base.pack.files.iter().map(shown).collect()
    }

    /// The files of the workspace: the project, and what runs its tests with the breakages.
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
        let tests = listed(&self.base.pack.head.tests);
        let complete = format!(
            "{about}\n\nThe project has moved to this machine, and its tests do not run here. \
             Several things are wrong at once, in `{COMMAND}`, in `tools/` or beside them. Find all \
             of them, and mend them.\n\n{rules}\n\n{kept}\n"
        );
        let ticket = format!(
            "tests do not start since the move to the new machine. `./{COMMAND}` was fine on the \
             old one, and nobody has touched the code. Please make it run all of {tests} \
             again.\n\n{rules}\n\nAbout the project: {about}\n\n{kept}\n"
        );
        let terse = format!(
            "`./{COMMAND}` does not run the tests of this project any more. Mend it.\n\n{rules} \
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
        let tests = listed(&self.base.pack.head.tests);
        format!(
            "`./{COMMAND}` must run every test below {tests} and print what unittest prints: \
             `FAIL: NAME` or `ERROR: NAME` for each that does not pass, and `Ran N tests` at the \
             end. It ends with 0 if all pass, and only then. As before, it reads `{VARIABLES}`, and \
             `{SUITE}` runs the tests as `{SETTINGS}` says; a command that does without them is not \
             accepted. It is tried with other tests in the same files, some of which fail, and with \
             one more variable and one more setting."
        )
    }

    /// What must stay.
    fn kept(&self) -> String {
        let head = &self.base.pack.head;
        let roots: Vec<String> =
            head.source.iter().chain(&head.tests).chain(&head.docs).cloned().collect();
        format!(
            "`{SUITE}` is right, and stays as it is. So do the files of the project: {}. No others are \
             put below them.",
            listed(&roots)
        )
    }

    /// The oracle: it looks, and mends one thing after the other, as each shows.
    fn solution(&self) -> Vec<ScriptedMove> {
        let tests = format!("./{COMMAND} 2>&1 | tail -n 6");
        let look = format!("ls -la . tools; cat -A {COMMAND}; head -n 40 tools/*.sh tools/*.cfg");
        let mut moves = vec![
            run("What runs the tests, and what is beside it?", look),
            run("What does it say?", tests.clone()),
            run("What should it do?", "cat tools/suite.py".to_owned()),
        ];
        for broken in &self.breakages {
            let action = broken.mend.clone();
            moves.push(ScriptedMove { think: broken.think.to_owned(), action });
            moves.push(run("What does it say now?", tests.clone()));
        }
        moves
    }

    /// The moves that take away what should not be there, and write another command.
    fn with_command(&self, content: &str) -> Vec<ScriptedMove> {
        let added: Vec<&str> =
            self.breakages.iter().filter_map(|one| one.added.as_deref()).collect();
        let mut moves = Vec::new();
        if !added.is_empty() {
            moves.push(run("", format!("rm -r {}", added.join(" "))));
        }
        let (path, content) = (COMMAND.to_owned(), content.to_owned());
        moves.push(ScriptedMove {
            think: String::new(),
            action: MoveAction::Write { path, content },
        });
        moves.push(run("", format!("chmod 755 {COMMAND}")));
        moves
    }

    /// Another honest solution: all files around the program that runs the tests are written anew.
    fn anew(&self) -> NamedSolution {
        let moves = self.project.written_anew(&self.breakages, SUITE);
        NamedSolution { name: "written-anew".to_owned(), moves }
    }

    /// The names of the parts for the breakages, and their paths.
    fn parts(&self) -> BTreeMap<String, &[String]> {
        let numbered = self.breakages.iter().zip(1..);
        numbered
            .map(|(broken, number)| (format!("breakage-{number}"), broken.paths.as_slice()))
            .collect()
    }

    /// The verification: a part for each breakage, the whole suite, and the files that must stay.
    fn verification(&self) -> TaskVerification {
        let parts = self.parts();
        let broken: Vec<TaskCheck> =
            parts.keys().map(|part| part_check(RUN_JUDGE, part, 1.0)).collect();
        let milestones = milestones(&broken);
        let mut checks = broken;
        checks.push(part_check(RUN_JUDGE, "suite", 2.0));
        checks.push(part_check(RUN_JUDGE, "untouched", 1.0));
        let (files, cheats) = (self.sealed(&parts), self.cheats());
        self.base.verified(files, checks, milestones, cheats)
    }

    /// The sealed files: the program, what it is told, the project as it was given, and what works.
    fn sealed(&self, parts: &BTreeMap<String, &[String]>) -> Vec<FileSpec> {
        let head = &self.base.pack.head;
        let (project, healthy) = (self.project_files(), self.project.healthy());
        let paths = |files: &[FileSpec]| -> Vec<String> {
            files.iter().map(|file| file.path.clone()).collect()
        };
        let plan = json!({
            "parts": parts,
            "suite": SUITE,
            "files": paths(&project),
            "healthy": paths(&healthy),
            "roots": head.source.iter().chain(&head.tests).collect::<Vec<_>>(),
        });
        let below = |place: &str, files: Vec<FileSpec>| -> Vec<FileSpec> {
            let path = |file: &FileSpec| format!("{place}/{}", file.path);
            files.into_iter().map(|file| FileSpec { path: path(&file), ..file }).collect()
        };
        let mut files = self.base.sealed(&[(KEPT.to_owned(), Vec::new())]);
        files.retain(|file| file.path != "check.py" && file.path != "plan.json");
        files.extend(below("given", project));
        files.extend(below("healthy", healthy));
        files.push(sealed_file("environment.py", JUDGE.to_owned()));
        files.push(sealed_file("environment.json", format!("{plan}\n")));
        files
    }

    /// Cheats: commands that only say something, or do without the tool, no tests, other sources, all but
    /// one thing mended.
    fn cheats(&self) -> Vec<NamedSolution> {
        let named = |name: &str, moves| NamedSolution { name: name.to_owned(), moves };
        let with = |more: Vec<ScriptedMove>| [self.solution(), more].concat();
        let roots: Vec<String> =
            self.base.pack.head.tests.iter().map(|root| quoted(root)).collect();
        let emptied = format!("find {} -name '*.py' -exec sed -i '1,$d' {{}} +", roots.join(" "));
        let mut all_but_one = self.solution();
        // The last two moves mend the last thing, and look.
        all_but_one.truncate(all_but_one.len().saturating_sub(2));
        let mut cheats = vec![
            named("saying-command", self.with_command(SAYING_COMMAND)),
            named("plain-command", self.with_command(PLAIN_COMMAND)),
            named("forgiving-command", self.with_command(FORGIVING_COMMAND)),
            named("elsewhere", self.with_command(ELSEWHERE)),
            named("emptied-tests", with(vec![run("", emptied)])),
            named("one-thing-left", all_but_one),
        ];
        let patched = self.patched_source();
        cheats.extend(patched.map(|patch| named("patched-source", with(vec![patch]))));
        cheats
    }

    /// A source that makes every test pass.
    fn patched_source(&self) -> Option<ScriptedMove> {
        let head = &self.base.pack.head;
        let mut sources = self.base.pack.files.iter().filter(|file| head.is_source(&file.path));
        let first = sources.find(|file| file.path.ends_with(".py"))?;
        let content = format!("{}{PATCHED_RUNNER}", first.content);
        let action = MoveAction::Write { path: first.path.clone(), content };
        Some(ScriptedMove { think: String::new(), action })
    }
}
