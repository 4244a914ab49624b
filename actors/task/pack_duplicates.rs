//! Tasks of the kind `de-duplicate`: helpers of the project are written out where they are called, and
//! the agent is asked for one home for each. The tests pass from the start, so a second program judges
//! the form of the sources: how much is written several times, and whether the interface is kept.

use super::draw::{self, TaskRng};
use super::pack_frame::{PackWork, part_check};
use super::pack_task::{KEPT, PackTaskBuilder, RUN_CHECK, laid, quoted, run, sealed_file};
use super::pack_text::listed;
use crate::model::{FileSpec, MoveAction, NamedSolution, ScriptedMove, TaskVerification};
use crate::pack::{CLONE_METER, HelperInline, PackFile, ProjectPack};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// The program that judges the form of the sources.
const JUDGE: &str = include_str!("../pack/sealed/duplicates.py");
/// The command that runs it.
const RUN_JUDGE: &str = "python3 /sealed/duplicates.py";
/// Where the agent has the program that measures.
const METER: &str = "tools/clones.py";
/// How often entries are drawn until enough of them are apart.
const TRIES: usize = 64;
/// Lines that a file may be longer than the longest of the project.
const MORE_LINES: usize = 40;
/// Characters that a line may be longer than the longest of the project.
const MORE_WIDTH: usize = 20;

/// What was drawn, and what may be left of it.
struct DuplicateTask<'b> {
    base: &'b PackTaskBuilder<'b>,
    /// The entries, in the order of their ids.
    inlines: Vec<&'b HelperInline>,
    /// The files that they change.
    texts: BTreeMap<&'b str, String>,
    limits: CloneLimits,
}

/// The bounds of the sources that are handed in.
struct CloneLimits {
    /// Tokens that may be written several times.
    several: u64,
    /// All tokens.
    tokens: u64,
    /// Tokens written several times at half of the way.
    half: u64,
    /// Fewer tokens than these are no de-duplication.
    least: u64,
    /// Lines of a file.
    lines: usize,
    /// Characters of a line.
    width: usize,
}

/// The work of a task. None if the pack has too few entries that are apart.
pub(super) fn work(base: &PackTaskBuilder<'_>) -> Option<PackWork> {
    let inlines = drawn(base)?;
    let texts = base.pack.written_out(&inlines);
    let limits = CloneLimits::of(base.pack, &inlines, &texts)?;
    let task = DuplicateTask { base, inlines, texts, limits };
    Some(PackWork {
        told: task.told(),
        files: task.files(),
        setup: Vec::new(),
        solution: task.solution(),
        alternatives: vec![task.renamed()],
        faults: Vec::new(),
        entries: task.inlines.iter().map(|inline| inline.id.clone()).collect(),
        verification: task.verification(),
        stages: Vec::new(),
    })
}

/// Draws entries that are apart from each other: fewer, if the pack has not so many.
fn drawn<'b>(base: &PackTaskBuilder<'b>) -> Option<Vec<&'b HelperInline>> {
    let mut rng = TaskRng::new(base.key);
    let range = base.spec.count();
    let count = rng.between(i64::from(range.min), i64::from(range.max));
    let pack: &'b ProjectPack = base.pack;
    let mut counts = (i64::from(range.min)..=count).rev();
    counts.find_map(|count| {
        let count = usize::try_from(count).ok()?;
        (0..TRIES).find_map(|_| apart(pack, count, &mut rng))
    })
}

/// So many entries that are apart. None if these draws lead to too few.
fn apart<'p>(
    pack: &'p ProjectPack,
    count: usize,
    rng: &mut TaskRng,
) -> Option<Vec<&'p HelperInline>> {
    let mut left: Vec<&HelperInline> = pack.inlines.iter().collect();
    let mut chosen: Vec<&HelperInline> = Vec::new();
    while chosen.len() < count && !left.is_empty() {
        let one = left.swap_remove(rng.index(left.len()));
        left.retain(|other| other.is_apart(one));
        chosen.push(one);
    }
    chosen.sort_by(|one, other| one.id.cmp(&other.id));
    (chosen.len() == count).then_some(chosen)
}

impl CloneLimits {
    /// The limits of a task. The slack is less than what the smallest entry adds, so that none may be
    /// left. None without entries.
    fn of(
        pack: &ProjectPack,
        inlines: &[&HelperInline],
        texts: &BTreeMap<&str, String>,
    ) -> Option<Self> {
        let first = inlines.first()?;
        let (several, tokens) = (u64::from(first.clones.0), u64::from(first.tokens.0));
        let clones = inlines.iter().map(|inline| u64::from(inline.more_clones()));
        let (fewest, sum) = (clones.clone().min()?, clones.sum::<u64>());
        let shortest = inlines.iter().map(|inline| u64::from(inline.more_tokens())).min()?;
        // A result may have a name before it is used.
        let named: u64 = inlines.iter().map(|inline| inline.parts.len() as u64).sum();
        let sources = pack.files.iter().filter(|file| pack.head.is_source(&file.path));
        let sources: Vec<&str> = sources.map(|file| file.content.as_str()).collect();
        let lines = sources.iter().map(|text| text.lines().count()).max()?;
        let all = sources.iter().copied().chain(texts.values().map(String::as_str));
        let width = all.flat_map(str::lines).map(|line| line.chars().count()).max()?;
        Some(Self {
            several: several + fewest / 3,
            tokens: tokens + shortest * 2 / 3 + named,
            half: several + sum / 2,
            least: tokens / 10 * 9,
            lines: lines + MORE_LINES,
            width: width + MORE_WIDTH,
        })
    }
}

impl DuplicateTask<'_> {
    /// The tests that are kept back: a third of them.
    fn hidden(&self) -> BTreeSet<usize> {
        let mut left: Vec<usize> = (0..self.base.pack.tests.len()).collect();
        let count = left.len() / 3;
        let mut rng = draw::derived_rng(&self.base.key, "hidden");
        (0..count).map(|_| left.swap_remove(rng.index(left.len()))).collect()
    }

    /// The files of the workspace: the sources with the copies, the tests that are shown, the meter.
    fn files(&self) -> Vec<FileSpec> {
        let hidden = self.hidden();
        let shown = |file: &PackFile| {
            let content = match self.texts.get(file.path.as_str()) {
                Some(text) => text.clone(),
                None => self.base.shown(file, &hidden),
            };
            laid(file, file.path.clone(), content)
        };
        let project = self.base.pack.files.iter().filter(|file| file.path != METER);
        let mut files: Vec<FileSpec> = project.map(shown).collect();
        let content = CLONE_METER.to_owned();
        files.push(FileSpec { path: METER.to_owned(), content, mode: 0o644 });
        files
    }

    /// The command that measures.
    fn measure(&self) -> String {
        let roots: Vec<String> =
            self.base.pack.head.source.iter().map(|root| quoted(root)).collect();
        format!("python3 {METER} {}", roots.join(" "))
    }

    /// The name of the drawn wording, and what the agent is told.
    fn told(&self) -> (String, String) {
        let (asked, limits, kept) = (self.asked(), self.measured(), self.bounds());
        let about = self.base.pack.head.summary.trim_end();
        match draw::derived_rng(&self.base.key, "wording").index(3) {
            0 => ("complete".to_owned(), format!("{about}\n\n{asked}\n\n{limits}\n\n{kept}\n")),
            1 => (
                "ticket".to_owned(),
                format!("{asked}\n\n{limits}\n\nAbout the project: {about}\n\n{kept}\n"),
            ),
            _ => ("terse".to_owned(), format!("{asked}\n\n{limits}\n\n{kept}\n")),
        }
    }

    /// What is asked for.
    fn asked(&self) -> String {
        let roots = listed(&self.base.pack.head.source);
        let what = match self.inlines.len() {
            1 => "A piece of code is written several times".to_owned(),
            count => format!("{count} pieces of code are written several times"),
        };
        let files: Vec<String> = self.texts.keys().map(|path| format!("- `{path}`")).collect();
        format!(
            "{what} below {roots}, each time with other names for what is local. Give each of them \
             one home, a function or a method, and call it. A home may be there already. These files \
             have copies:\n\n{}",
            files.join("\n")
        )
    }

    /// How far the sources must come.
    fn measured(&self) -> String {
        let (command, limits) = (self.measure(), &self.limits);
        format!(
            "`{command}` counts the tokens that are written several times: those in rows of 20 and \
             more, from the start of a statement, that stand at another place as well. Names, numbers \
             and texts are not told apart; comments, docstrings and imports do not count. At most {} \
             may be left, and at most {} tokens in all.",
            limits.several, limits.tokens
        )
    }

    /// What must stay.
    fn bounds(&self) -> String {
        let head = &self.base.pack.head;
        let (tests, sources) = (listed(&head.tests), listed(&head.source));
        let CloneLimits { lines, width, .. } = self.limits;
        format!(
            "`{}` runs the tests below {tests}; all pass now, and all must pass in the end, also \
             those that are kept back. Public names, and the parameters of public functions and \
             methods, stay. No file may have more than {lines} lines, no line more than {width} \
             characters, and no code may be run from texts or stand in formatted texts; texts and \
             numbers may have at most 100 characters more than before the code was copied. Only your changes below {sources} count.",
            head.runner.command()
        )
    }

    /// The oracle: it looks and measures, gives one piece after the other its home, and measures again.
    fn solution(&self) -> Vec<ScriptedMove> {
        let head = &self.base.pack.head;
        let tests = format!("{} 2>&1 | tail -n 5", head.runner.command());
        let look = format!("ls -R . | head -n 100; cat {METER}; {}", self.measure());
        let mut moves = vec![
            run("First I look at the project, and at what is measured.", look),
            run("The tests pass before I change anything.", tests.clone()),
        ];
        for path in self.texts.keys() {
            moves.push(run("Which lines stand here twice?", format!("cat {}", quoted(path))));
        }
        for (at, inline) in self.inlines.iter().enumerate() {
            let think = format!("The copies of {} become calls again.", inline.short_name());
            let left = self.base.pack.written_out(&self.inlines[at + 1..]);
            moves.extend(self.restored(&[*inline], &left, &think));
            moves.push(run("Is it enough?", self.measure()));
        }
        moves.push(run("All tests must still pass.", tests));
        moves
    }

    /// Writes the files of some entries with what `left` has of them.
    fn restored(
        &self,
        inlines: &[&HelperInline],
        left: &BTreeMap<&str, String>,
        think: &str,
    ) -> Vec<ScriptedMove> {
        let paths: BTreeSet<&str> = inlines
            .iter()
            .flat_map(|inline| &inline.parts)
            .map(|part| part.file.as_str())
            .collect();
        let write = |path: &str| {
            let right = self.base.pack.text(path).unwrap_or_default();
            let content = left.get(path).cloned().unwrap_or_else(|| right.to_owned());
            written(path, content, think)
        };
        paths.into_iter().map(write).collect()
    }

    /// Another honest solution: the homes have other names where nobody else knows them.
    fn renamed(&self) -> NamedSolution {
        let gone: Vec<&str> = self
            .inlines
            .iter()
            .filter(|inline| !inline.kept)
            .map(|inline| inline.short_name())
            .collect();
        let write = |file: &PackFile| {
            let content = gone.iter().fold(file.content.clone(), |text, name| {
                renamed_word(&text, name, &format!("{name}_of_all"))
            });
            let is_new = self.texts.contains_key(file.path.as_str()) || content != file.content;
            is_new.then(|| written(&file.path, content, ""))
        };
        let head = &self.base.pack.head;
        let sources = self.base.pack.files.iter().filter(|file| head.is_source(&file.path));
        NamedSolution { name: "other-names".to_owned(), moves: sources.filter_map(write).collect() }
    }

    /// The verification: all tests, and the form of the sources.
    fn verification(&self) -> TaskVerification {
        let all: Vec<usize> = (0..self.base.pack.tests.len()).collect();
        let checks = vec![
            part_check(RUN_CHECK, KEPT, 1.0),
            part_check(RUN_JUDGE, "clones", 2.0),
            part_check(RUN_JUDGE, "interface", 1.0),
            part_check(RUN_JUDGE, "form", 1.0),
        ];
        // With one piece, the milestone would be little less than the check.
        let is_long = self.inlines.len() > 1;
        let milestones = is_long.then(|| part_check(RUN_JUDGE, "fewer", 1.0)).into_iter().collect();
        let mut files = self.base.sealed(&[(KEPT.to_owned(), all)]);
        files.extend(self.sealed());
        self.base.verified(files, checks, milestones, self.cheats())
    }

    /// The sealed files of the second program: the project's own sources, and the limits.
    fn sealed(&self) -> Vec<FileSpec> {
        let head = &self.base.pack.head;
        let sources = self.base.pack.files.iter().filter(|file| head.is_source(&file.path));
        let sources: Vec<&PackFile> = sources.collect();
        let gone = self.inlines.iter().filter(|inline| !inline.kept).map(|inline| &inline.helper);
        let limits = &self.limits;
        let plan = json!({
            "source": head.source,
            "originals": sources.iter().map(|file| &file.path).collect::<Vec<_>>(),
            "gone": gone.collect::<Vec<_>>(),
            "several": limits.several,
            "tokens": limits.tokens,
            "half": limits.half,
            "least": limits.least,
            "lines": limits.lines,
            "width": limits.width,
        });
        let original =
            |file: &&PackFile| laid(file, format!("original/{}", file.path), file.content.clone());
        let mut files: Vec<FileSpec> = sources.iter().map(original).collect();
        files.push(sealed_file("duplicates.py", JUDGE.to_owned()));
        files.push(sealed_file("clones.py", CLONE_METER.to_owned()));
        files.push(sealed_file("duplicates.json", format!("{plan}\n")));
        files
    }

    /// Cheats: less code that does less, copies that only look other, code in texts, one copy left.
    fn cheats(&self) -> Vec<NamedSolution> {
        let paths: Vec<String> = self.texts.keys().map(|path| quoted(path)).collect();
        let with_python = |name: &str, program: &str| {
            let command = format!("python3 - {} <<'END'\n{program}END", paths.join(" "));
            NamedSolution { name: name.to_owned(), moves: vec![run("", command)] }
        };
        let replaced = |name: &str, content: &dyn Fn(&str) -> String| {
            let paths = self.texts.keys().copied();
            let moves = paths.map(|path| written(path, content(path), "")).collect();
            NamedSolution { name: name.to_owned(), moves }
        };
        let mut cheats = vec![
            replaced("emptied-sources", &|_| String::new()),
            with_python("other-names-in-copies", include_str!("../pack/cheats/rename_copies.py")),
            with_python("broken-up-copies", include_str!("../pack/cheats/break_copies.py")),
            with_python(
                "passed-over-copies",
                include_str!("../pack/cheats/pass_before_statements.py"),
            ),
            replaced("code-in-a-text", &|path| self.in_a_text(path)),
        ];
        cheats.extend(self.one_left());
        cheats
    }

    /// The right source as a text that is run.
    fn in_a_text(&self, path: &str) -> String {
        let right = self.base.pack.text(path).unwrap_or_default();
        format!("exec({})\n", json!(right))
    }

    /// Everything is right but the smallest entry.
    fn one_left(&self) -> Option<NamedSolution> {
        let left = *self.inlines.iter().min_by_key(|inline| inline.more_clones())?;
        let texts = self.base.pack.written_out(&[left]);
        let moves = self.restored(&self.inlines, &texts, "");
        (self.inlines.len() > 1).then(|| NamedSolution { name: "one-piece-left".to_owned(), moves })
    }
}

/// A move that writes a file.
fn written(path: &str, content: String, think: &str) -> ScriptedMove {
    let action = MoveAction::Write { path: path.to_owned(), content };
    ScriptedMove { think: think.to_owned(), action }
}

/// A program with another name for a word.
fn renamed_word(text: &str, old: &str, new: &str) -> String {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let mut made = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(old) {
        let (before, found) = rest.split_at(at);
        let after = &found[old.len()..];
        let last = before.chars().last().or_else(|| made.chars().last());
        let is_word = !last.is_some_and(is_part) && !after.chars().next().is_some_and(is_part);
        made.push_str(before);
        made.push_str(if is_word { new } else { old });
        rest = after;
    }
    made.push_str(rest);
    made
}

#[cfg(test)]
mod tests {
    use super::renamed_word;

    #[test]
    fn only_whole_words_are_renamed() {
        let text = "def at(at_all): return self.at(flat, at)\nat";
        let expected = "def to(at_all): return self.to(flat, to)\nto";
        assert_eq!(renamed_word(text, "at", "to"), expected);
        assert_eq!(renamed_word("atat at", "at", "to"), "atat to");
    }
}
