//! The history of a task of the kind `merge`. Two faults stand on touching lines, and two functions are not
//! written, where a branch leaves `main`. Each side mends one of the faults and writes one of the functions,
//! with tests and notes, so that the merge conflicts. The branch may also give a helper another name, which
//! the function that `main` writes calls by its old one: there nothing conflicts, and it is still wrong.
//!
//! Packs with cases have few faults on touching lines. There the faults are in one file, and each side also
//! writes a comment beside the place that the other one mends: both places conflict.

use super::draw::TaskRng;
use super::merge_names::{helpers, new_name};
use super::pack_git::{function_name, short_name, shuffle};
use super::pack_history::PackHistory;
use super::pack_task::PackTaskBuilder;
use super::project_state::{ProjectState, file_of, has_word};
use super::source_text::may_have_comment;
use super::standing_changes::can_stand_together;
use crate::pack::{ChangeKind, PackChange, PackFile, PackRunner, ProjectPack};
use std::collections::{BTreeMap, BTreeSet};

/// Commits that change nothing which counts: before the branch leaves, and on each side at most.
const NOISE: (usize, usize) = (3, 4);

/// What was drawn of the pack.
pub(super) struct MergePlan<'p> {
    /// What `main` mends, and what it writes.
    pub(super) ours: MergeSide<'p>,
    /// What the branch mends, and what it writes.
    pub(super) theirs: MergeSide<'p>,
    /// The helper to which the branch gives another name: the old one, and the new one.
    pub(super) renamed: Option<(String, String)>,
}

/// What one side does.
#[derive(Clone, Copy)]
pub(super) struct MergeSide<'p> {
    pub(super) fault: &'p PackChange,
    pub(super) stub: &'p PackChange,
    /// Where it writes a comment beside what the other side mends: the beginning of a line of that file.
    pub(super) beside: Option<usize>,
}

/// The finished history.
pub(super) struct MergeHistory<'p> {
    /// The stream.
    pub(super) text: String,
    /// The project where the branch leaves `main`, at both tips, and after the merge.
    pub(super) base: ProjectState<'p>,
    pub(super) ours: ProjectState<'p>,
    pub(super) theirs: ProjectState<'p>,
    pub(super) merged: ProjectState<'p>,
    /// The page with notes, and the lines that both sides have added to it.
    pub(super) page: &'static str,
    pub(super) notes: Vec<String>,
}

impl MergeSide<'_> {
    /// The tests that fail without the work of this side.
    pub(super) fn tests(self) -> BTreeSet<usize> {
        self.fault.tests.iter().chain(&self.stub.tests).copied().collect()
    }
}

impl<'p> MergePlan<'p> {
    /// Draws what both sides do. None if nothing fits.
    pub(super) fn draw(pack: &'p ProjectPack, rng: &mut TaskRng) -> Option<Self> {
        let places = match pack.head.runner {
            PackRunner::Unittest => touching(pack),
            PackRunner::Cases => near(pack),
        };
        let pairs = places.values().nth(rng.index(places.len()))?;
        let (one, other) = *pairs.get(rng.index(pairs.len()))?;
        let (ours, theirs) = if rng.index(2) == 0 { (one, other) } else { (other, one) };
        let mut stubs: Vec<&PackChange> = pack.good_changes(ChangeKind::Stub).collect();
        stubs.retain(|stub| is_apart(stub, ours) && is_apart(stub, theirs));
        shuffle(&mut stubs, rng);
        let mut helpers = helpers(pack);
        shuffle(&mut helpers, rng);
        let calls = |stub: &PackChange| {
            let body = body(pack, stub);
            helpers.iter().find(|helper| has_word(body, helper))
        };
        // Mostly, the function that main writes calls the helper with another name.
        if rng.index(4) > 0 {
            stubs.sort_by_key(|stub| calls(stub).is_none());
        }
        let written = *stubs.first()?;
        let helper = calls(written).or(helpers.first());
        let other = *stubs.iter().find(|stub| is_apart(stub, written))?;
        let beside = |fault: &PackChange| match pack.head.runner {
            PackRunner::Unittest => None,
            PackRunner::Cases => place_beside(pack, fault),
        };
        let plan = Self {
            ours: MergeSide { fault: ours, stub: written, beside: beside(theirs) },
            theirs: MergeSide { fault: theirs, stub: other, beside: beside(ours) },
            renamed: helper.and_then(|helper| Some((helper.clone(), new_name(pack, helper, rng)?))),
        };
        plan.can_be_told(pack).then_some(plan)
    }

    /// Whether tests with twins, or cases, tell of each fault that its side was lost, whatever the other side
    /// did, and whether the sources can be built on the way.
    fn can_be_told(&self, pack: &ProjectPack) -> bool {
        let (ours, theirs) = (self.ours.tests(), self.theirs.tests());
        has_own_tests(pack, self.ours.fault, &theirs)
            && has_own_tests(pack, self.theirs.fault, &ours)
            && can_stand_together(pack, &self.all())
    }

    /// All changes, those of `main` first.
    pub(super) fn all(&self) -> Vec<&'p PackChange> {
        vec![self.ours.fault, self.ours.stub, self.theirs.fault, self.theirs.stub]
    }

    /// The history, with this branch.
    pub(super) fn history(
        &self,
        builder: &'p PackTaskBuilder<'p>,
        branch: &str,
    ) -> MergeHistory<'p> {
        let mut state = ProjectState::new(builder);
        state.changes = self.all();
        let broken: BTreeSet<usize> =
            self.ours.tests().union(&self.theirs.tests()).copied().collect();
        state.hidden = builder.kept_back(&broken);
        state.hidden.extend(broken);
        let mut history = PackHistory::new(builder, state, self.all());
        history.replay();
        (0..NOISE.0).for_each(|_| history.noise());
        let base = history.state.clone();
        history.fork(branch);
        let mut notes = self.work(self.ours, &self.theirs.tests(), None, &mut history);
        let ours = history.state.clone();
        history.go_on(branch, base.clone());
        let renamed = self.renamed.as_ref();
        notes.extend(self.work(self.theirs, &self.ours.tests(), renamed, &mut history));
        let theirs = history.state.clone();
        let (page, merged) = (history.page, merged(&base, &ours, &theirs));
        MergeHistory { text: history.text(), base, ours, theirs, merged, page, notes }
    }

    /// The commits of one side. The lines that it adds to the page with notes.
    fn work(
        &self,
        side: MergeSide<'p>,
        others: &BTreeSet<usize>,
        renamed: Option<&(String, String)>,
        history: &mut PackHistory<'p>,
    ) -> Vec<String> {
        let noise = 1 + history.rng.index(NOISE.1);
        let mut order: Vec<usize> = (0..noise + 3).collect();
        shuffle(&mut order, &mut history.rng);
        let mut notes = Vec::new();
        for step in order {
            match step {
                0 => notes.push(mend(side, history)),
                1 => notes.push(write(side, others, history)),
                2 => rename(renamed, history),
                _ => history.noise(),
            }
        }
        notes
    }
}

/// A commit that mends a fault. The note of it.
fn mend(side: MergeSide<'_>, history: &mut PackHistory<'_>) -> String {
    let fault = side.fault;
    if let Some(at) = side.beside {
        history.comment_at(&fault.file, at);
    }
    history.state.changes.retain(|other| other.id != fault.id);
    let what = format!("{} was wrong", function_name(&fault.function));
    let note = history.add_note(&what);
    let page = history.page;
    let message = format!("{}: {what}", short_name(&fault.file));
    history.commit(&message, [fault.file.as_str(), page]);
    note
}

/// A commit that writes a function, with half of the tests that the other side has no part in. The note.
fn write(side: MergeSide<'_>, others: &BTreeSet<usize>, history: &mut PackHistory<'_>) -> String {
    let stub = side.stub;
    history.state.changes.retain(|other| other.id != stub.id);
    let is_own = |test: &usize| !others.contains(test) && !side.fault.tests.contains(test);
    let new: BTreeSet<usize> = stub.tests.iter().copied().filter(is_own).step_by(2).collect();
    history.state.hidden.retain(|test| !new.contains(test));
    let what = format!("{} is there", function_name(&stub.function));
    let note = history.add_note(&what);
    let message = format!("{}: {what}", short_name(&stub.file));
    history.commit_with_tests(&message, &[stub.file.as_str(), history.page], &new);
    note
}

/// A commit that gives a helper another name, wherever it stands. Nothing without one.
fn rename(names: Option<&(String, String)>, history: &mut PackHistory<'_>) {
    let Some((old, new)) = names else { return };
    let sources = history.sources();
    let has_it =
        |path: &&str| history.state.file(path).is_some_and(|file| has_word(&file.content, old));
    let paths: Vec<&str> = sources.into_iter().filter(has_it).collect();
    history.state.renamed = Some((old.clone(), new.clone()));
    history.commit(&format!("Rename {old} to {new}"), paths);
}

/// The project with the work of both sides.
fn merged<'p>(
    base: &ProjectState<'p>,
    ours: &ProjectState<'p>,
    theirs: &ProjectState<'p>,
) -> ProjectState<'p> {
    let mut merged = ours.clone();
    merged.changes.retain(|change| theirs.changes.iter().any(|other| other.id == change.id));
    merged.hidden.retain(|test| theirs.hidden.contains(test));
    merged.renamed.clone_from(&theirs.renamed);
    for place in ours.comments.keys().chain(theirs.comments.keys()).chain(base.comments.keys()) {
        if ours.comments.get(place) == base.comments.get(place) {
            match theirs.comments.get(place) {
                Some(line) => merged.comments.insert(place.clone(), line.clone()),
                None => merged.comments.remove(place),
            };
        }
    }
    merged.tails = both(&base.tails, &ours.tails, &theirs.tails);
    merged.pages = both(&base.pages, &ours.pages, &theirs.pages);
    merged
}

/// Texts to which both sides have added.
fn both(
    base: &BTreeMap<String, String>,
    ours: &BTreeMap<String, String>,
    theirs: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let paths: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
    let text =
        |texts: &BTreeMap<String, String>, path: &str| texts.get(path).cloned().unwrap_or_default();
    let merged = paths.into_iter().map(|path| {
        let (old, one, other) = (text(base, path), text(ours, path), text(theirs, path));
        let added = other.strip_prefix(old.as_str()).map(str::to_owned);
        let whole = match added {
            _ if one == old => other,
            Some(added) => format!("{one}{added}"),
            None => one,
        };
        (path.clone(), whole)
    });
    merged.filter(|(_, text)| !text.is_empty()).collect()
}

/// Two faults on lines that touch.
type FaultPair<'p> = (&'p PackChange, &'p PackChange);

/// Faults on touching lines of one file, by file and lines. Each breaks a test with a twin that the other
/// one does not break.
fn touching(pack: &ProjectPack) -> BTreeMap<(&str, usize, usize), Vec<FaultPair<'_>>> {
    let mut by_file: BTreeMap<&str, Vec<&PackChange>> = BTreeMap::new();
    for fault in pack.good_changes(ChangeKind::Fault) {
        by_file.entry(&fault.file).or_default().push(fault);
    }
    let mut found: BTreeMap<(&str, usize, usize), Vec<FaultPair<'_>>> = BTreeMap::new();
    for (path, faults) in by_file {
        let Some(file) = file_of(pack, path) else { continue };
        let lines = file_lines(file);
        let spans: Vec<(usize, usize)> =
            faults.iter().map(|fault| changed_lines(file, &lines, fault)).collect();
        for (one, (first, last)) in faults.iter().zip(&spans) {
            for (other, (next, _)) in faults.iter().zip(&spans) {
                let touches = last <= next && next - last <= 1;
                if touches && is_pair(pack, one, other) {
                    found.entry((path, *first, *next)).or_default().push((*one, *other));
                }
            }
        }
    }
    found
}

/// Faults in one file, by file and places, with a place for a comment beside each. Each breaks cases that the
/// other one does not break.
fn near(pack: &ProjectPack) -> BTreeMap<(&str, usize, usize), Vec<FaultPair<'_>>> {
    let has_place = |fault: &&PackChange| place_beside(pack, fault).is_some();
    let faults: Vec<&PackChange> = pack.good_changes(ChangeKind::Fault).filter(has_place).collect();
    let mut found: BTreeMap<(&str, usize, usize), Vec<FaultPair<'_>>> = BTreeMap::new();
    for one in &faults {
        for other in faults.iter().filter(|other| other.file == one.file) {
            let is_beside = place_beside(pack, other).is_some_and(|place| one.at.1 < place);
            if is_beside && is_pair(pack, one, other) {
                let places = (one.file.as_str(), one.at.0, other.at.0);
                found.entry(places).or_default().push((*one, *other));
            }
        }
    }
    found
}

/// The beginning of the line of a fault, if the fault changes this line and a comment may stand before it.
fn place_beside(pack: &ProjectPack, fault: &PackChange) -> Option<usize> {
    let file = file_of(pack, &fault.file)?;
    let lines = file_lines(file);
    let line = lines.partition_point(|end| *end < fault.at.0);
    let place = lines.get(line.checked_sub(1)?)? + 1;
    let is_changed = changed_lines(file, &lines, fault).0 == line;
    (is_changed && may_have_comment(pack.head.language, &file.content, place)).then_some(place)
}

/// Whether the first fault stands before the second one, and each has tests of its own.
fn is_pair(pack: &ProjectPack, one: &PackChange, other: &PackChange) -> bool {
    let has_own = |one: &PackChange, other: &PackChange| {
        has_own_tests(pack, one, &other.tests.iter().copied().collect())
    };
    one.at.1 <= other.at.0 && one.id != other.id && has_own(one, other) && has_own(other, one)
}

/// Whether a fault is told by tests that are none of `others`: one with a twin, or cases that nobody guesses.
fn has_own_tests(pack: &ProjectPack, fault: &PackChange, others: &BTreeSet<usize>) -> bool {
    pack.is_judged(fault, &others.iter().copied().collect::<Vec<usize>>())
}

/// The places of the ends of lines.
fn file_lines(file: &PackFile) -> Vec<usize> {
    file.content.match_indices('\n').map(|(at, _)| at).collect()
}

/// The first and the last line that a change really changes.
fn changed_lines(file: &PackFile, lines: &[usize], change: &PackChange) -> (usize, usize) {
    let old = file.content.get(change.at.0..change.at.1).unwrap_or_default().as_bytes();
    let new = change.text.as_bytes();
    let head = old.iter().zip(new).take_while(|(one, other)| one == other).count();
    let ends = old[head..].iter().rev().zip(new[head..].iter().rev());
    let tail = ends.take_while(|(one, other)| one == other).count();
    let line = |at: usize| lines.partition_point(|end| *end < at);
    (line(change.at.0 + head), line(change.at.1 - tail))
}

/// Whether two changes stand in different functions, and touch no common byte.
fn is_apart(one: &PackChange, other: &PackChange) -> bool {
    let is_beside = one.at.1 < other.at.0 || other.at.1 < one.at.0;
    one.file != other.file || (is_beside && one.function != other.function)
}

/// What the project has where a change stands.
fn body<'p>(pack: &'p ProjectPack, change: &PackChange) -> &'p str {
    let text = pack.text(&change.file).unwrap_or_default();
    text.get(change.at.0..change.at.1).unwrap_or_default()
}
