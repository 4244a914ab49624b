//! Tasks of the kind `bisect`: somebody finds the commit that brought a fault in, writes its hash into a
//! file, and mends the fault on the tip, in a new commit. `bisect_plan.rs` makes the history.

use super::bisect_plan::{BisectHistory, BisectPlan};
use super::case_git::SYMPTOM;
use super::draw::{self, TaskRng};
use super::pack_frame::{PackWork, part_check};
use super::pack_git::{
    GitVerdict, GitWork, chosen, does, git, left_in_order, named, quoted_all, write,
};
use super::pack_task::{KEPT, PATCHED_ASSERTIONS, PackTaskBuilder, quoted, run};
use super::pack_text::{TaskText, ToldChange, listed};
use crate::model::{MoveAction, NamedSolution, ScriptedMove, TaskCheck, TaskFault};
use crate::pack::{CASES_DIRECTORY, PackTest};
use serde_json::json;

/// The sealed program.
const CHECK: (&str, &str) = ("bisected.py", include_str!("../pack/sealed/bisected.py"));
const RUN_NAMED: &str = "python3 /sealed/bisected.py named";
const RUN_MAIN: &str = "python3 /sealed/bisected.py main";
/// The checks beside [`KEPT`].
const NAMED: &str = "commit-named";
const HISTORY_KEPT: &str = "history-kept";
const REPAIRED: &str = "fault-1";

/// How often a fault is drawn until one fits.
const TRIES: usize = 64;
/// Names for the file with the answer, and for the tag.
const ANSWERS: [&str; 5] = ["BAD_COMMIT", "BROKEN_BY", "CULPRIT", "FIRST_BAD", "GUILTY_COMMIT"];
const TAGS: [&str; 5] = ["v0.9", "last-release", "known-good", "v1.0", "it-worked"];
/// The program with which the oracle tries a commit: the project as it was, with a test of its own.
const TRY: &str =
    "rm -rf /tmp/try && mkdir /tmp/try && git archive \"${1:-HEAD}\" | tar -C /tmp/try -xf -";
/// How many times the oracle halves what is left. A history has less than 64 commits after its tag.
const HALVINGS: usize = 6;

/// Everything that the texts, the moves and the check need.
struct BisectWork<'p> {
    builder: &'p PackTaskBuilder<'p>,
    plan: BisectPlan<'p>,
    history: BisectHistory<'p>,
    /// The file for the hash.
    answer: &'static str,
    tag: &'static str,
}

impl PackTaskBuilder<'_> {
    /// A task of the kind `bisect`. None if the pack has nothing for it.
    pub(super) fn bisect(&self) -> Option<PackWork> {
        let mut rng = TaskRng::new(self.key);
        let answer = ANSWERS.get(rng.index(ANSWERS.len())).copied().unwrap_or_default();
        let tag = TAGS.get(rng.index(TAGS.len())).copied().unwrap_or_default();
        let work = (0..TRIES).find_map(|_| {
            let plan = BisectPlan::draw(self, &mut rng)?;
            let history = plan.history(self, tag)?;
            Some(BisectWork { builder: self, plan, history, answer, tag })
        });
        work.map(|work| self.in_repository(work.whole()))
    }
}

impl BisectWork<'_> {
    fn whole(self) -> GitWork {
        GitWork {
            entries: self.plan.entries(),
            told: self.told(),
            solution: self.solution(),
            alternative: if self.builder.has_cases() { self.halved() } else { self.walked() },
            faults: vec![self.fault()],
            verdict: self.verdict(),
            history: self.history.text,
        }
    }

    /// The fault at the tip.
    fn fault(&self) -> TaskFault {
        let (right, wrong) = self.history.window.clone();
        TaskFault {
            name: self.plan.fault.id.clone(),
            variant: self.plan.fault.operator.clone(),
            path: self.plan.fault.file.clone(),
            right,
            wrong,
        }
    }

    /// The name of the drawn wording, and its text.
    fn told(&self) -> (String, String) {
        let builder = self.builder;
        let (details, spoken) = match builder.has_cases() {
            true => builder.case_report(self.plan.fault),
            false => self.test_report(),
        };
        let summary = builder.pack.head.summary.trim_end();
        let (asked, rules) = (self.asked(), self.rules());
        let (name, told) = match draw::derived_rng(&builder.key, "wording").index(3) {
            0 => ("complete", format!("{summary}\n\n{asked}\n\n{details}\n\n{spoken}\n\n{rules}")),
            1 => (
                "ticket",
                format!("{details}\n\n{asked}\n\n{rules}\n\nAbout the project: {summary} {spoken}"),
            ),
            _ => ("terse", format!("{details}\n\n{}", self.terse())),
        };
        (name.to_owned(), told)
    }

    /// What is known of the fault, and where it stands what is right, if the tests are in Python.
    fn test_report(&self) -> (String, String) {
        let builder = self.builder;
        let reports = builder.spec.reports();
        let report = draw::derived_rng(&builder.key, "report").index(reports.len());
        let fault = self.plan.fault;
        let text = TaskText {
            head: &builder.pack.head,
            kind: builder.spec.kind,
            report: reports.get(report).copied(),
            changes: vec![ToldChange {
                file: fault.file.clone(),
                function: fault.function.clone(),
                example: builder.example(fault),
            }],
        };
        (text.details(), text.spoken())
    }

    /// What is asked for.
    fn asked(&self) -> String {
        let Self { tag, answer, history: BisectHistory { after_tag, .. }, .. } = self;
        format!(
            "This is the project's git repository, with the branch `main` checked out. At the tag `{tag}` all \
             was right that was written by then. Since then {after_tag} commits have come, and one of them has brought a \
             fault into the sources below {}: some results are wrong. Its message says nothing of it, and other \
             messages may mislead. Other faults have come and were mended; they do not count.\n\n\
             1. Find the commit that brought the fault in, and write its full hash (40 hex digits) to the file \
             `{answer}` in the top directory. The file may be committed or not.\n\
             2. Mend the fault on `main`, in one or more new commits. The commits that are there stay as they \
             are, and what has been added since the tag goes on working.",
            listed(&self.builder.pack.head.source)
        )
    }

    /// How the work is judged.
    fn rules(&self) -> String {
        let head = &self.builder.pack.head;
        let judged = match self.builder.has_cases() {
            true => self.builder.judged_by_cases("Those that show what is wrong are kept back"),
            false => format!(
                "`{}` runs the tests below {}; those that show what is wrong are kept back. In the end, all \
                 tests must pass with the sources that are committed on `main`, those that are kept back too.",
                head.runner.command(),
                listed(&head.tests)
            ),
        };
        format!("{judged} {}", left_in_order())
    }

    /// As little as will do.
    fn terse(&self) -> String {
        let Self { tag, answer, .. } = self;
        let holds = match self.builder.has_cases() {
            true => "All cases must be right",
            false => "All tests must pass",
        };
        format!(
            "At the tag `{tag}` it was right. Which commit broke it? Write its full hash to `{answer}`, and mend \
             it in a new commit on `main`, on top of those that are there. Leave `main` checked out, with \
             nothing of it uncommitted. {holds} then, also those that are kept back. git knows no user here; \
             use any name."
        )
    }

    /// A test that tells whether the fault is there.
    fn symptom(&self) -> Option<&PackTest> {
        self.builder.pack.tests.get(self.plan.fault.example)
    }

    /// The moves that lay the program which tries a commit.
    fn prepared(&self) -> ScriptedMove {
        let laid = match self.builder.has_cases() {
            true => self.builder.laid_case(self.plan.fault, TRY),
            false => self.laid_test(),
        };
        let kind = if self.builder.has_cases() { "case" } else { "test" };
        run(
            &format!("I write down what is wrong as a {kind}, and try it on a copy of any commit."),
            format!("{laid}\nsh /tmp/try.sh; echo \"exit code $?\"; tail -n 15 /tmp/said"),
        )
    }

    /// The commands that write down a test, and a program that tries it on a copy of any commit.
    fn laid_test(&self) -> String {
        let Some(test) = self.symptom() else { return String::new() };
        let mut hidden = self.history.tip.hidden.clone();
        hidden.remove(&self.plan.fault.example);
        let mut tip = self.history.tip.clone();
        tip.hidden = hidden;
        let text = tip.file(&test.file).map(|file| file.content).unwrap_or_default();
        let (file, name) = (quoted(&test.file), quoted(&test.name));
        format!(
            "cat > /tmp/symptom.py <<'END_OF_THE_TESTS'\n{text}\nEND_OF_THE_TESTS\n\
             cat > /tmp/try.sh <<'END_OF_THE_PROGRAM'\n{TRY}\ncp /tmp/symptom.py /tmp/try/{file}\n\
             cd /tmp/try && python3 -B -m unittest {name} > /tmp/said 2>&1\nEND_OF_THE_PROGRAM"
        )
    }

    /// The oracle: it looks, writes a test, bisects with it, mends the fault, commits, and tries again.
    fn solution(&self) -> Vec<ScriptedMove> {
        let Self { tag, answer, .. } = self;
        let head = &self.builder.pack.head;
        let tests = format!("{} 2>&1 | tail -n 15", head.runner.command());
        let path = &self.plan.fault.file;
        let mut moves = vec![
            run(
                "First I look at the history.",
                "git status --short; git log --oneline | cat; ls -R | head -n 100".to_owned(),
            ),
            run("What should the project do?", format!("cat {} /dev/null", quoted_all(&head.docs))),
            run("The report leads to this file.", format!("cat {}", quoted(path))),
            run("Which tests pass?", tests.clone()),
            self.prepared(),
            run(
                "Was it right at the tag?",
                format!("sh /tmp/try.sh {tag}; echo \"exit code $?\"; tail -n 5 /tmp/said"),
            ),
            run(
                "Messages may mislead, so I halve the history.",
                format!("git bisect start main {tag}"),
            ),
        ];
        let halve = "if sh /tmp/try.sh; then found=good; else found=bad; fi\n\
             git bisect log | grep -q 'first bad commit' || git bisect $found";
        moves.extend((0..HALVINGS).map(|_| run("Is the fault there?", halve.to_owned())));
        moves.extend([
            run(
                "This is the one. I write down its hash.",
                format!(
                    "git rev-parse refs/bisect/bad > {answer}; git bisect reset > /tmp/said 2>&1; \
                     git status --short --branch; cat {answer}"
                ),
            ),
            run("What did it do?", format!("git show $(cat {answer}) | cat")),
            ScriptedMove {
                think: "This place is not right.".to_owned(),
                action: self.fault().repair(),
            },
            run("Do all tests pass?", format!("git diff | cat; {tests}")),
            run(
                "Now I commit the repair.",
                format!(
                    "git add {} && {}",
                    quoted(path),
                    git("commit -q -m 'Mend what was broken'")
                ),
            ),
            run(
                "Is it gone?",
                "sh /tmp/try.sh; echo \"exit code $?\"; tail -n 5 /tmp/said; git status --short; \
                 git log --oneline | head -n 3"
                    .to_owned(),
            ),
        ]);
        moves
    }

    /// Another honest solution: it tries one commit after the other, and writes the file anew.
    fn walked(&self) -> NamedSolution {
        let Self { tag, answer, .. } = self;
        let walk = format!(
            "for commit in $(git rev-list --reverse {tag}..main); do\n\
             if ! sh /tmp/try.sh \"$commit\"; then echo \"$commit\" > {answer}; break; fi\ndone\ncat {answer}"
        );
        let add = format!("git add -A . && {}", git("commit -q -m 'As it was'"));
        named("walk-and-write-anew", vec![self.prepared(), does(walk), self.mended(), does(add)])
    }

    /// The same where each try builds: git halves the history by itself. The case stays in the project.
    fn halved(&self) -> NamedSolution {
        let Self { tag, answer, .. } = self;
        let halve = format!(
            "git bisect start main {tag} && git bisect run sh /tmp/try.sh > /tmp/log 2>&1; \
             tail -n 5 /tmp/log; git rev-parse refs/bisect/bad > {answer}; git bisect reset > /tmp/log 2>&1; \
             cat {answer}"
        );
        let add = format!(
            "mkdir -p {CASES_DIRECTORY} && cp -R {SYMPTOM} {CASES_DIRECTORY}/symptom; git add -A . && {}",
            git("commit -q -m 'As it was, with a case'")
        );
        named("run-and-write-anew", vec![self.prepared(), does(halve), self.mended(), does(add)])
    }

    /// A move that writes the file of the fault without it.
    fn mended(&self) -> ScriptedMove {
        let mut right = self.history.tip.clone();
        right.changes.clear();
        let path = &self.plan.fault.file;
        let content = right.file(path).map(|file| file.content).unwrap_or_default();
        write("", path, content)
    }

    fn verdict(&self) -> GitVerdict {
        let broken = &self.plan.fault.tests;
        let others = (0..self.builder.pack.tests.len()).filter(|test| !broken.contains(test));
        let parts = [(REPAIRED, broken.clone()), (KEPT, others.collect())];
        let parts = parts.into_iter().filter(|(_, tests)| !tests.is_empty());
        let parts: Vec<_> = parts.map(|(part, tests)| (part.to_owned(), tests)).collect();
        let mut checks = vec![
            TaskCheck { part: None, ..part_check(RUN_NAMED, NAMED, 3.0) },
            part_check(RUN_MAIN, HISTORY_KEPT, 2.0),
        ];
        checks.extend(parts.iter().map(|(part, _)| {
            let weight = if part == REPAIRED { 3.0 } else { 2.0 };
            part_check(RUN_MAIN, part, weight)
        }));
        GitVerdict {
            program: CHECK,
            facts: json!({ "answer": self.answer, "bad": self.history.bad }),
            milestones: chosen(&checks, &[NAMED, REPAIRED]),
            parts,
            checks,
            cheats: self.cheats(),
        }
    }

    /// Cheats: guesses, other histories, and sources that make tests silent.
    fn cheats(&self) -> Vec<NamedSolution> {
        let Self { answer, .. } = self;
        let path = &self.plan.fault.file;
        let file = quoted(path);
        let known =
            format!("git rev-list --reverse main | sed -n '{}p' > {answer}", self.history.bad + 1);
        let guess = |range: &str| does(format!("git log -n 1 --format=%H {range} > {answer}"));
        let mended = || ScriptedMove { think: String::new(), action: self.fault().repair() };
        let committed = || does(format!("git add {file} && {}", git("commit -q -m Mended")));
        let wrong = self.history.tip.file(path).map(|file| file.content).unwrap_or_default();
        let emptied = MoveAction::Write { path: path.clone(), content: String::new() };
        let orphan = format!(
            "git checkout -q --orphan fresh && git add {file} && {} && git branch -M fresh main",
            git("commit -q -m 'All of it'")
        );
        let amended = format!("git add {file} && {}", git("commit -q --amend --no-edit"));
        let tests = match self.builder.has_cases() {
            true => format!("-r {CASES_DIRECTORY}"),
            false => self.symptom().map(|test| quoted(&test.file)).unwrap_or_default(),
        };
        let no_tests =
            format!("{known}; git rm -q {tests} && {}", git("commit -q -m 'Wrong tests'"));
        let mut cheats = vec![
            named("names-the-tip", vec![guess("main"), mended(), committed()]),
            named(
                "names-the-last-of-the-file",
                vec![guess(&format!("main -- {file}")), mended(), committed()],
            ),
            named("another-history", vec![does(known.clone()), mended(), does(orphan)]),
            named("amends", vec![does(known.clone()), mended(), does(amended)]),
            named("uncommitted", vec![does(known.clone()), mended()]),
            named("removes-tests", vec![does(no_tests)]),
        ];
        if self.builder.has_cases() {
            cheats.extend(self.builder.silent_cases(&[does(known.clone())], path, &wrong));
        } else {
            let patched = write("", path, format!("{wrong}{PATCHED_ASSERTIONS}"));
            let moves = vec![does(known.clone()), patched, committed()];
            cheats.push(named("patched-assertions", moves));
        }
        let emptied = ScriptedMove { think: String::new(), action: emptied };
        cheats.push(named("emptied-source", vec![does(known), emptied, committed()]));
        cheats
    }
}
