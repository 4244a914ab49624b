//! Replays a project of a pack as a history: first file by file, the basic ones before those that need
//! them, each test file when all that it runs is there, and cases when all sources are. Then come commits
//! that change nothing which counts: comments, helpers that nobody calls, notes, documentation. What their
//! messages say may mislead.

use super::draw::{self, TaskRng};
use super::history_stream::{HistoryStream, MAIN};
use super::pack_git::short_name;
use super::pack_task::PackTaskBuilder;
use super::project_state::{ProjectState, comment_places, file_of};
use super::source_text::{comment_line, spare_function};
use crate::pack::{PackChange, PackLanguage, PackTest};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// The sources come in at most so many steps.
const MOST_STEPS: usize = 12;
/// Cases come in at most so many steps.
const MOST_CASE_STEPS: usize = 4;
/// The file that names what nobody commits.
const IGNORED: &str = ".gitignore";
/// Names for the page with notes. The first one that the project does not have is taken.
const PAGES: [&str; 3] = ["CHANGES.md", "NEWS.md", "NOTES.md"];

/// Messages that promise little. The name of a file stands before them.
const QUIET: [&str; 8] = [
    "comments",
    "tidy up",
    "say it in fewer words",
    "name things alike",
    "wording",
    "keep the sections in order",
    "what the reviewer asked for",
    "small things",
];
/// Messages that promise much.
const LOUD: [&str; 8] = [
    "rework of the edge cases",
    "stricter about what comes in",
    "the empty case",
    "boundaries once more",
    "do not do the same work twice",
    "another order of the steps",
    "what is the default",
    "wrong results with long input",
];
/// Comments before definitions.
const COMMENTS: [&str; 10] = [
    "See the documentation.",
    "The tests say what is expected.",
    "Callers rely on this.",
    "Keep in step with what is below.",
    "Not called often.",
    "Part of what others may use.",
    "Reviewed in spring.",
    "This could be shorter.",
    "Long, but read from above to below.",
    "Worth another look one day.",
];
/// Notes on the page.
const NOTES: [&str; 6] = [
    "nothing that users see",
    "the tests run faster",
    "thanks for all reports",
    "a typing error in the documentation",
    "the next release is near",
    "some comments are better",
];
/// The bodies of helpers that nobody calls.
const HELPERS: [&str; 4] = [
    "    \"\"\"Shows a value while somebody looks for an error.\"\"\"\n    print(repr(value))\n    return value\n",
    "    \"\"\"The name of the type of a value, for messages.\"\"\"\n    return type(value).__name__\n",
    "    \"\"\"A value in at most 60 characters.\"\"\"\n    text = str(value)\n    return text if len(text) <= 60 else text[:57] + \"...\"\n",
    "    \"\"\"Whether there is something at all.\"\"\"\n    return value is not None\n",
];

/// A history that is being made, with the state of the project at its end.
pub(super) struct PackHistory<'p> {
    pub(super) builder: &'p PackTaskBuilder<'p>,
    stream: HistoryStream,
    branch: String,
    pub(super) state: ProjectState<'p>,
    pub(super) rng: TaskRng,
    /// How many commits there are, on all branches.
    pub(super) commits: usize,
    /// The changes that stand in the sources at some time. Comments keep off them.
    pub(super) changes: Vec<&'p PackChange>,
    /// The page with notes.
    pub(super) page: &'static str,
}

impl<'p> PackHistory<'p> {
    /// A history without commits. `state` is what its first commits bring.
    pub(super) fn new(
        builder: &'p PackTaskBuilder<'p>,
        mut state: ProjectState<'p>,
        changes: Vec<&'p PackChange>,
    ) -> Self {
        let free = PAGES.into_iter().find(|page| file_of(builder.pack, page).is_none());
        let page = free.unwrap_or("CHANGES-OF-THE-PROJECT.md");
        state.pages.insert(page.to_owned(), "# Changes\n\n- the first files\n".to_owned());
        let ignored = builder.ignored();
        if file_of(builder.pack, IGNORED).is_none() && !ignored.is_empty() {
            state.pages.insert(IGNORED.to_owned(), ignored);
        }
        let rng = |purpose: &str| draw::derived_rng(&builder.key, purpose);
        Self {
            builder,
            stream: HistoryStream::new(rng("history.people")),
            branch: MAIN.to_owned(),
            state,
            rng: rng("history"),
            commits: 0,
            changes,
            page,
        }
    }

    /// A commit on the present branch with some files as they are now.
    pub(super) fn commit<'s>(&mut self, message: &str, paths: impl IntoIterator<Item = &'s str>) {
        let files = self.state.files(paths);
        self.stream.commit(&self.branch, message, &files);
        self.commits += 1;
    }

    /// A tag at the tip of `main`.
    pub(super) fn tag(&mut self, name: &str) {
        self.stream.tag(name, MAIN);
    }

    /// A new branch at the tip of `main`. The present branch stays.
    pub(super) fn fork(&mut self, name: &str) {
        self.stream.branch(name, MAIN);
    }

    /// Goes on with another branch, whose tip has this state.
    pub(super) fn go_on(&mut self, branch: &str, state: ProjectState<'p>) {
        branch.clone_into(&mut self.branch);
        self.state = state;
    }

    /// The history as a stream.
    pub(super) fn text(self) -> String {
        self.stream.text()
    }

    /// The first commits: all files of the project, as the state has them.
    pub(super) fn replay(&mut self) {
        let pack = self.builder.pack;
        let needs = self.needs();
        let mut open: BTreeSet<&str> = needs.keys().copied().collect();
        let builder = self.builder;
        let is_test = |path: &str| needs.contains_key(path) || builder.case_of(path).is_some();
        let is_own = |path: &str| !is_test(path) && !builder.is_engine_file(path);
        let is_other = |path: &str| !pack.head.is_source(path) && is_own(path);
        let engine = builder.engine_files();
        let pages: Vec<String> = self.state.pages.keys().cloned().collect();
        let paths = pack.files.iter().map(|file| file.path.as_str());
        let mut first: Vec<&str> = paths.filter(|path| is_other(path)).collect();
        first.extend(pages.iter().map(String::as_str));
        first.extend(engine.iter().map(|file| file.path.as_str()));
        self.commit("Begin", first);
        let sources = self.sources();
        let mut there: BTreeSet<&str> = BTreeSet::new();
        for step in sources.chunks(sources.len().div_ceil(MOST_STEPS).max(1)) {
            let names: Vec<&str> = step.iter().map(|path| short_name(path)).collect();
            self.commit(&format!("Add {}", names.join(", ")), step.iter().copied());
            there.extend(step);
            let is_whole =
                |test: &&str| needs.get(*test).is_some_and(|need| need.is_subset(&there));
            let whole: Vec<&str> = open.iter().copied().filter(is_whole).collect();
            self.add_tests(&whole);
            open.retain(|test| !whole.contains(test));
        }
        let rest: Vec<&str> = open.into_iter().collect();
        self.add_tests(&rest);
        self.add_cases();
    }

    /// Commits with the cases that are there, if the pack has cases.
    fn add_cases(&mut self) {
        let builder = self.builder;
        let tests = builder.pack.tests.iter().zip(0..).filter(|_| builder.has_cases());
        let there = tests.filter(|(_, number)| !self.state.hidden.contains(number));
        let there: Vec<&PackTest> = there.map(|(test, _)| test).collect();
        for step in there.chunks(there.len().div_ceil(MOST_CASE_STEPS).max(1)) {
            let names = step.first().zip(step.last());
            let names = names.map(|(first, last)| format!("{} to {}", first.name, last.name));
            let paths = step.iter().copied().flat_map(|test| builder.test_files(test));
            self.commit(&format!("Add cases, {}", names.unwrap_or_default()), paths);
        }
    }

    /// A commit with test files, if there are any.
    fn add_tests(&mut self, paths: &[&str]) {
        if !paths.is_empty() {
            let names: Vec<&str> = paths.iter().map(|path| short_name(path)).collect();
            self.commit(&format!("Add {}", names.join(", ")), paths.iter().copied());
        }
    }

    /// The test files, each with the sources that it runs. Of cases this is not known.
    fn needs(&self) -> BTreeMap<&'p str, BTreeSet<&'p str>> {
        let mut needs: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for test in self.builder.pack.tests.iter().filter(|_| !self.builder.has_cases()) {
            needs.entry(&test.file).or_default().extend(test.lines.keys().map(String::as_str));
        }
        needs
    }

    /// The sources: those that most tests run come first.
    pub(super) fn sources(&self) -> Vec<&'p str> {
        let pack = self.builder.pack;
        let mut reached: BTreeMap<&str, usize> = BTreeMap::new();
        for path in pack.tests.iter().flat_map(|test| test.lines.keys()) {
            *reached.entry(path).or_default() += 1;
        }
        let paths = pack.files.iter().map(|file| file.path.as_str());
        let mut sources: Vec<&str> = paths.filter(|path| pack.head.is_source(path)).collect();
        sources.sort_by_key(|path| (Reverse(reached.get(path).copied()), *path));
        sources
    }

    /// A commit that changes nothing which counts.
    pub(super) fn noise(&mut self) {
        let sources = self.sources();
        let Some(path) = sources.get(self.rng.index(sources.len())).copied() else { return };
        let docs = &self.builder.pack.head.docs;
        match (self.rng.index(5), docs.first()) {
            (0, _) => self.note(),
            (1, Some(page)) => self.question(page),
            _ => self.noise_in(path),
        }
    }

    /// A commit that changes nothing which counts in one source.
    pub(super) fn noise_in(&mut self, path: &str) {
        match self.rng.index(3) {
            0 => self.helper(path),
            _ => self.comment(path),
        }
        let message = self.message(path, true);
        self.commit(&message, [path]);
    }

    /// A commit of what has changed in a source, with a comment beside it and a message about
    /// something else.
    pub(super) fn disguised(&mut self, path: &str, may_be_loud: bool) {
        self.comment(path);
        let message = self.message(path, may_be_loud);
        self.commit(&message, [path]);
    }

    /// A commit of what has changed in some files, with these tests.
    pub(super) fn commit_with_tests(
        &mut self,
        message: &str,
        paths: &[&str],
        tests: &BTreeSet<usize>,
    ) {
        let pack = self.builder.pack;
        let tests = tests.iter().filter_map(|test| pack.tests.get(*test));
        let files: BTreeSet<&str> = tests.flat_map(|test| self.builder.test_files(test)).collect();
        self.commit(message, paths.iter().copied().chain(files));
    }

    /// A note on the page.
    fn note(&mut self) {
        let what = drawn(&mut self.rng, &NOTES);
        self.add_note(what);
        let page = self.page;
        self.commit(&format!("{}: {what}", short_name(page)), [page]);
    }

    /// Adds a line to the page with notes. The line, without its end.
    pub(super) fn add_note(&mut self, what: &str) -> String {
        let line = format!("- {}: {what}", self.commits);
        let page = self.state.pages.entry(self.page.to_owned()).or_default();
        page.push_str(&format!("{line}\n"));
        line
    }

    /// A question in the documentation.
    fn question(&mut self, page: &str) {
        let number = self.commits;
        let tail = self.state.tails.entry(page.to_owned()).or_default();
        tail.push_str(&format!(
            "\nQuestion {number} was asked in a talk, and is answered above.\n"
        ));
        self.commit(&format!("{}: an answer", short_name(page)), [page]);
    }

    /// Another comment before a definition of a source. It always changes the file.
    pub(super) fn comment(&mut self, path: &str) {
        let file = file_of(self.builder.pack, path);
        let language = self.language();
        let places = file.map(|file| comment_places(language, file, &self.changes));
        let places = places.unwrap_or_default();
        let Some(place) = places.get(self.rng.index(places.len())) else {
            return self.helper(path);
        };
        let place = (path.to_owned(), *place);
        let line = comment_line(language, "", drawn(&mut self.rng, &COMMENTS));
        if self.state.comments.get(&place) == Some(&line) {
            self.state.comments.remove(&place);
        } else {
            self.state.comments.insert(place, line);
        }
    }

    /// A comment before the line of a source that begins at a byte.
    pub(super) fn comment_at(&mut self, path: &str, at: usize) {
        let text = self.builder.pack.text(path).and_then(|text| text.get(at..)).unwrap_or_default();
        let indent: String = text.chars().take_while(|c| *c == ' ' || *c == '\t').collect();
        let line = comment_line(self.language(), &indent, drawn(&mut self.rng, &COMMENTS));
        self.state.comments.insert((path.to_owned(), at), line);
    }

    /// The language of the project.
    pub(super) fn language(&self) -> PackLanguage {
        self.builder.pack.head.language
    }

    /// A helper at the end of a source that nobody calls; the one that is there goes away.
    pub(super) fn helper(&mut self, path: &str) {
        if self.state.tails.remove(path).is_some() {
            return;
        }
        if self.language() != PackLanguage::Python {
            return self.spare(path);
        }
        let (number, body) = (self.commits, drawn(&mut self.rng, &HELPERS));
        let helper = format!("\n\ndef _aside_{number}(value):\n{body}");
        self.state.tails.insert(path.to_owned(), helper);
    }

    /// A helper of another language than Python, or a comment where it cannot stand.
    fn spare(&mut self, path: &str) {
        let (language, which) = (self.language(), self.rng.index(HELPERS.len()));
        let file = file_of(self.builder.pack, path);
        let spare = file.and_then(|file| spare_function(language, file, self.commits, which));
        let text = format!("{} ({})", drawn(&mut self.rng, &NOTES), self.commits);
        let spare = spare.unwrap_or_else(|| comment_line(language, "", &text));
        self.state.tails.insert(path.to_owned(), format!("\n{spare}"));
    }

    /// A message for a commit that changes a source. Only some promise much.
    pub(super) fn message(&mut self, path: &str, may_be_loud: bool) -> String {
        let is_loud = may_be_loud && self.rng.index(2) == 0;
        let text = drawn(&mut self.rng, if is_loud { &LOUD } else { &QUIET });
        format!("{}: {text}", short_name(path))
    }
}

/// One of some texts.
fn drawn(rng: &mut TaskRng, texts: &[&'static str]) -> &'static str {
    texts.get(rng.index(texts.len())).copied().unwrap_or_default()
}
