//! Tasks of the kind `merge`: somebody merges a branch into `main`, so that the work of both sides holds.
//! `merge_plan.rs` makes the history.

use super::draw::{self, TaskRng};
use super::merge_plan::{MergeHistory, MergePlan};
use super::pack_frame::{PackWork, part_check};
use super::pack_git::{
    GitVerdict, GitWork, chosen, does, git, left_in_order, named, quoted_all, short_name, write,
};
use super::pack_task::{KEPT, PATCHED_ASSERTIONS, PackTaskBuilder, quoted, run};
use super::pack_text::listed;
use super::project_state::ProjectState;
use crate::model::{NamedSolution, ScriptedMove, TaskFault};
use crate::pack::PackChange;
use serde_json::json;
use std::collections::BTreeSet;

/// The sealed program.
const CHECK: (&str, &str) = ("merged.py", include_str!("../pack/sealed/merged.py"));
const RUN_CHECK: &str = "python3 /sealed/merged.py main";
/// The checks beside [`KEPT`].
const MERGED: &str = "merged";
const RESOLVED: &str = "resolved";
const OURS: &str = "ours";
const THEIRS: &str = "theirs";

/// How often changes are drawn until some fit.
const TRIES: usize = 64;
/// Names for the branch.
const BRANCHES: [&str; 6] =
    ["next", "review", "summer-work", "second-desk", "cleanup", "from-lotte"];

/// Everything that the texts, the moves and the check need.
struct MergeWork<'p> {
    builder: &'p PackTaskBuilder<'p>,
    plan: MergePlan<'p>,
    history: MergeHistory<'p>,
    branch: &'static str,
    faults: Vec<TaskFault>,
}

/// The files of the project that the merge must bring together by hand: path, and right text.
struct HandMerge {
    /// Those that both sides have changed.
    both: Vec<(String, String)>,
    /// Those that one side alone has changed, and that the other side's new name makes wrong.
    late: Vec<(String, String)>,
}

impl PackTaskBuilder<'_> {
    /// A task of the kind `merge`. None if the pack has nothing for it.
    pub(super) fn merge(&self) -> Option<PackWork> {
        let mut rng = TaskRng::new(self.key);
        let branch = BRANCHES.get(rng.index(BRANCHES.len())).copied().unwrap_or_default();
        let work = (0..TRIES).find_map(|_| {
            let plan = MergePlan::draw(self.pack, &mut rng)?;
            let history = plan.history(self, branch);
            let faults = [plan.ours.fault, plan.theirs.fault];
            let faults = faults.map(|change| fault(&history, change));
            let faults = faults.into_iter().collect::<Option<Vec<_>>>()?;
            Some(MergeWork { builder: self, plan, history, branch, faults })
        });
        work.map(|work| self.in_repository(work.whole()))
    }
}

/// A fault that a side has mended, as it stands after the merge. None if it has no window.
fn fault(history: &MergeHistory<'_>, change: &PackChange) -> Option<TaskFault> {
    let (right, wrong) = history.merged.window(change)?;
    Some(TaskFault {
        name: change.id.clone(),
        variant: change.operator.clone(),
        path: change.file.clone(),
        right,
        wrong,
    })
}

impl MergeWork<'_> {
    fn whole(self) -> GitWork {
        let hand = self.by_hand();
        GitWork {
            entries: self.plan.all().iter().map(|change| change.id.clone()).collect(),
            told: self.told(),
            solution: self.solution(&hand),
            alternative: self.over_ours(),
            verdict: self.verdict(&hand),
            faults: self.faults,
            history: self.history.text,
        }
    }

    /// All paths of the project and of the pages beside it.
    fn paths(&self) -> Vec<&str> {
        let files = self.builder.pack.files.iter().map(|file| &file.path);
        let paths: BTreeSet<&str> =
            files.chain(self.history.merged.pages.keys()).map(String::as_str).collect();
        paths.into_iter().collect()
    }

    /// What git cannot bring together by itself.
    fn by_hand(&self) -> HandMerge {
        let mut hand = HandMerge { both: Vec::new(), late: Vec::new() };
        let MergeHistory { base, ours, theirs, merged, .. } = &self.history;
        for path in self.paths() {
            let text = |state: &ProjectState<'_>| {
                state.file(path).map(|file| file.content).unwrap_or_default()
            };
            let (base, ours, theirs, merged) = (text(base), text(ours), text(theirs), text(merged));
            if ours != base && theirs != base {
                hand.both.push((path.to_owned(), merged));
                continue;
            }
            let taken = if ours == base { theirs } else { ours };
            if merged != taken {
                hand.late.push((path.to_owned(), merged));
            }
        }
        hand
    }

    /// The name of the drawn wording, and its text.
    fn told(&self) -> (String, String) {
        let head = &self.builder.pack.head;
        let summary = head.summary.trim_end();
        let (story, asked, rules) = (self.story(), self.asked(), self.rules());
        let docs = if head.docs.is_empty() {
            String::new()
        } else {
            format!(" and {}", listed(&head.docs))
        };
        let speaking = match self.builder.has_cases() {
            true => "comments in the sources",
            false => "docstrings",
        };
        let spoken = format!("The {speaking}{docs} say what is right.");
        let drawn = draw::derived_rng(&self.builder.key, "wording").index(3);
        let (name, told) = match drawn {
            0 => ("complete", format!("{summary}\n\n{story}\n\n{asked}\n\n{spoken}\n\n{rules}")),
            1 => (
                "ticket",
                format!("{asked}\n\n{story} {spoken}\n\n{rules}\n\nAbout the project: {summary}"),
            ),
            _ => ("terse", format!("{}\n\n{rules}", self.terse())),
        };
        (name.to_owned(), told)
    }

    /// What has happened.
    fn story(&self) -> String {
        let Self { branch, plan, .. } = self;
        let also = match &plan.renamed {
            Some((old, new)) => format!(" `{branch}` also calls `{old}` now `{new}`, everywhere."),
            None => String::new(),
        };
        let file = &plan.ours.fault.file;
        let repairs = match plan.ours.beside {
            None => format!("Each has mended a fault of `{file}`, at one and the same place"),
            Some(_) => format!(
                "Each has mended a fault of `{file}`, and has written a comment where the other one has mended"
            ),
        };
        format!(
            "This is the project's git repository, with the branch `main` checked out. The branch `{branch}` has left \
             `main` a while ago, and both have gone on. {repairs}, and each has written a function that was \
             missing.{also}"
        )
    }

    /// What is asked for.
    fn asked(&self) -> String {
        let Self { branch, history, .. } = self;
        let name = match &self.plan.renamed {
            Some((old, _)) => format!(
                " Nothing is called `{old}` any more. The old name stands nowhere in the sources, comments too."
            ),
            None => String::new(),
        };
        format!(
            "Merge `{branch}` into `main`. In the end, the commits of both branches come before the tip of \
             `main`, as they are. What either side has done holds: what it mended, what it wrote, and every \
             line that it added to `{}`.{name} No mark of a conflict is left in any file.",
            history.page
        )
    }

    /// As little as will do.
    fn terse(&self) -> String {
        let Self { branch, history, .. } = self;
        let (name, nowhere) = match &self.plan.renamed {
            Some((old, new)) => (
                format!(", and `{old}` is `{new}` everywhere"),
                " The old name stands nowhere in the sources, comments too.",
            ),
            None => (String::new(), ""),
        };
        format!(
            "Merge the branch `{branch}` into `main`, with a merge commit; squash and rewrite nothing. Both \
             sides' repairs, functions and lines of `{}` must be there then{name}, and no marks of conflicts.{nowhere}",
            history.page
        )
    }

    /// How the work is judged.
    fn rules(&self) -> String {
        let head = &self.builder.pack.head;
        let judged = match self.builder.has_cases() {
            true => self
                .builder
                .judged_by_cases("Some of those for the work of both sides are kept back"),
            false => format!(
                "`{}` runs the tests below {}; some of those for the work of both sides are kept back. All tests \
                 must pass with the sources that are committed on `main`, those that are kept back too.",
                head.runner.command(),
                listed(&head.tests)
            ),
        };
        format!("{judged} {}", left_in_order())
    }

    /// The oracle: it looks at both sides, merges, brings together what conflicts, and tries the whole.
    fn solution(&self, hand: &HandMerge) -> Vec<ScriptedMove> {
        let branch = self.branch;
        let head = &self.builder.pack.head;
        let tests = format!("{} 2>&1 | tail -n 15", head.runner.command());
        let file = quoted(&self.plan.ours.fault.file);
        let base = format!("$(git merge-base main {branch})");
        let mut moves = vec![
            run(
                "First I look at both branches.",
                "git status --short; git log --oneline --graph main ".to_owned()
                    + branch
                    + " | head -n 40",
            ),
            run(
                "What should the project do?",
                format!("cat {} {} /dev/null", quoted_all(&head.docs), self.history.page),
            ),
            run(
                "What has main done?",
                format!("git diff --stat {base} main | cat; git diff {base} main -- {file} | cat"),
            ),
            run(
                "And the other branch?",
                format!(
                    "git diff --stat {base} {branch} | cat; git diff {base} {branch} -- {file} | cat"
                ),
            ),
            run("Which tests pass before?", tests.clone()),
            run("Now I merge.", git(&format!("merge --no-edit {branch}; git status --short"))),
            run("Where does it conflict?", "git diff | head -n 200".to_owned()),
        ];
        let think = |path: &str| format!("Both sides of {} belong together.", short_name(path));
        moves.extend(hand.both.iter().map(|(path, text)| write(&think(path), path, text.clone())));
        moves.push(run(
            "Is a mark left?",
            "git grep -n -e '^<<<<<<<' -e '^>>>>>>>' ; git status --short".to_owned(),
        ));
        if let Some((old, new)) = &self.plan.renamed {
            moves.push(run(
                "Is the old name still called?",
                format!("git grep -n -w -e {old} -e {new}"),
            ));
        }
        let think = |path: &str| format!("{} still has the old name.", short_name(path));
        moves.extend(hand.late.iter().map(|(path, text)| write(&think(path), path, text.clone())));
        moves.extend([
            run("Do all tests pass?", tests),
            run("I conclude the merge.", format!("git add -u && {}", git("commit -q --no-edit"))),
            run(
                "Is it a merge?",
                "git status --short --branch; git log --oneline --graph | head -n 8; \
                 git show -s --format=%p HEAD | cat"
                    .to_owned(),
            ),
        ]);
        moves
    }

    /// Another honest solution: it begins with the files of `main`, and writes what must differ.
    fn over_ours(&self) -> NamedSolution {
        let mut moves = vec![does(git(&format!("merge -q -s ours --no-commit {}", self.branch)))];
        moves.extend(self.merged_files());
        // The cases of the other side are new files.
        let all = if self.builder.has_cases() { "-A ." } else { "-u" };
        moves.push(does(format!("git add {all} && {}", git("commit -q -m 'Both together'"))));
        named("over-our-files", moves)
    }

    /// Moves that write all files in which the merge differs from `main`.
    fn merged_files(&self) -> Vec<ScriptedMove> {
        let MergeHistory { ours, merged, .. } = &self.history;
        let files = merged.files(self.paths()).into_iter();
        let changed = files.filter(|file| ours.file(&file.path).as_ref() != Some(file));
        changed.map(|file| write("", &file.path, file.content)).collect()
    }

    fn verdict(&self, hand: &HandMerge) -> GitVerdict {
        let (ours, theirs) = (self.plan.ours.tests(), self.plan.theirs.tests());
        let one: Vec<usize> = ours.difference(&theirs).copied().collect();
        let other: Vec<usize> = theirs.difference(&ours).copied().collect();
        let is_kept = |test: &usize| ours.contains(test) == theirs.contains(test);
        let kept: Vec<usize> = (0..self.builder.pack.tests.len()).filter(is_kept).collect();
        let parts = [(OURS, one), (THEIRS, other), (KEPT, kept)];
        let parts = parts.into_iter().filter(|(_, tests)| !tests.is_empty());
        let parts: Vec<_> = parts.map(|(part, tests)| (part.to_owned(), tests)).collect();
        let names =
            [MERGED, RESOLVED].into_iter().chain(parts.iter().map(|(part, _)| part.as_str()));
        let checks: Vec<_> = names.map(|name| part_check(RUN_CHECK, name, 2.0)).collect();
        GitVerdict {
            program: CHECK,
            facts: json!({
                "branch": self.branch,
                "page": self.history.page,
                "notes": self.history.notes,
                "old_name": self.plan.renamed.as_ref().map_or("", |(old, _)| old.as_str()),
            }),
            milestones: chosen(&checks, &[MERGED, OURS, THEIRS]),
            parts,
            checks,
            cheats: self.cheats(hand),
        }
    }

    /// Cheats: one side alone, no merge, and sources that make tests silent.
    fn cheats(&self, hand: &HandMerge) -> Vec<NamedSolution> {
        let branch = self.branch;
        let merge = |words: &str| does(git(&format!("merge -q --no-edit {words} {branch}")));
        let commit = || does(format!("git add -u && {}", git("commit -q -m Merged")));
        let squash = format!("{}; git reset -q", git(&format!("merge -q --squash {branch}")));
        let theirs = format!("git checkout -q {branch} -- .");
        let begun = || does(git(&format!("merge -q -s ours --no-commit {branch}")));
        let path = &self.plan.ours.fault.file;
        let ours = self.history.ours.file(path).map(|file| file.content).unwrap_or_default();
        let mut squashed = vec![does(squash)];
        squashed.extend(self.merged_files());
        squashed.push(commit());
        let mut halves = vec![begun()];
        halves.extend(hand.both.iter().map(|(path, text)| write("", path, text.clone())));
        let mut cheats = vec![
            named("takes-ours", vec![merge("-s ours")]),
            named("takes-theirs", vec![begun(), does(theirs), commit()]),
            named("ours-where-it-conflicts", vec![merge("-X ours")]),
            named("theirs-where-it-conflicts", vec![merge("-X theirs")]),
            named("squashed", squashed),
            named("leaves-marks", vec![merge(""), commit()]),
            named("goes-to-the-branch", vec![does(format!("git reset -q --hard {branch}"))]),
            named("uncommitted", halves),
        ];
        if self.builder.has_cases() {
            cheats.extend(self.builder.silent_cases(&[begun()], path, &ours));
        } else {
            let silent = write("", path, format!("{ours}{PATCHED_ASSERTIONS}"));
            cheats.push(named("patched-assertions", vec![begun(), silent, commit()]));
        }
        cheats
    }
}
