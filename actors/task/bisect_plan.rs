//! The history of a task of the kind `bisect`. First the project comes file by file, with some functions
//! that are not written yet; a tag stands there. Behind it functions are written, other faults come and are
//! mended, and much changes that does not count: statements are written differently, variables get other names,
//! comments come into functions. So what the tag and the tip have different is much more than the fault, and so is what
//! the fault's commit changes. The fault's tests run none of these functions, and no
//! other fault breaks them: at every commit from the tag on, they tell whether the fault is there.

use super::draw::TaskRng;
use super::pack_draw;
use super::pack_git::{function_name, short_name, shuffle};
use super::pack_history::PackHistory;
use super::pack_task::PackTaskBuilder;
use super::project_state::ProjectState;
use super::standing_changes::can_stand_together;
use crate::pack::{ChangeKind, PackChange, ProjectPack};
use std::collections::BTreeSet;

/// The most commits of a history.
const MOST_COMMITS: usize = 60;
/// The fewest and the most commits after the tag. So a guess names the right one with a chance of one in
/// 26 at most.
const AFTER_TAG: (usize, usize) = (26, 38);
/// The most functions that are written after the tag.
const MOST_WRITTEN: usize = 6;
/// The most faults that come after the tag and are mended before the fault comes.
const MOST_PASSING: usize = 3;
/// How many commits touch the fault's own file without need: before the fault's, and after it.
const NEAR: (usize, usize) = (2, 3);

/// What was drawn of the pack.
pub(super) struct BisectPlan<'p> {
    pub(super) fault: &'p PackChange,
    /// Functions that are written after the tag.
    written: Vec<&'p PackChange>,
    /// Faults that come after the tag and are mended before the fault comes.
    passing: Vec<&'p PackChange>,
    /// Cases that are never there, see `PackTaskBuilder::kept_back`.
    kept_back: BTreeSet<usize>,
}

/// What a commit after the tag does.
#[derive(Clone, Copy)]
enum HistoryStep<'p> {
    /// It brings the fault in.
    Fault,
    /// It writes a function, with its tests.
    Writes(&'p PackChange),
    /// It brings in a fault that does not stay.
    Breaks(&'p PackChange),
    /// It mends that one.
    Mends(&'p PackChange),
    /// It changes the fault's own file without need.
    Near,
    /// It changes nothing that counts.
    Noise,
}

/// The finished history.
pub(super) struct BisectHistory<'p> {
    /// The stream.
    pub(super) text: String,
    /// The state of the project at the tip.
    pub(super) tip: ProjectState<'p>,
    /// The number of the commit with the fault, from 0.
    pub(super) bad: usize,
    /// How many commits there are after the tag.
    pub(super) after_tag: usize,
    /// The fault's window at the tip: right, and wrong.
    pub(super) window: (String, String),
}

impl<'p> BisectPlan<'p> {
    /// Draws a fault, and what else happens. None if the pack has no fault.
    pub(super) fn draw(builder: &'p PackTaskBuilder<'p>, rng: &mut TaskRng) -> Option<Self> {
        let pack = builder.pack;
        let fault = pack_draw::alone(pack, ChangeKind::Fault, rng)?.first().copied()?;
        let (written, passing, kept_back) = (Vec::new(), Vec::new(), BTreeSet::new());
        let mut plan = Self { fault, written, passing, kept_back };
        let mut stubs: Vec<&PackChange> = pack.changes(ChangeKind::Stub).iter().collect();
        let mut faults: Vec<&PackChange> = pack.good_changes(ChangeKind::Fault).collect();
        for changes in [&mut stubs, &mut faults] {
            shuffle(changes, rng);
            // What is in the fault's own file comes first: there it stands in the way.
            changes.sort_by_key(|change| change.file != fault.file);
        }
        let most = (1 + rng.index(MOST_WRITTEN), 1 + rng.index(MOST_PASSING));
        for stub in stubs {
            if plan.written.len() < most.0 && plan.has_room(pack, stub) {
                plan.written.push(stub);
            }
        }
        for fault in faults {
            if plan.passing.len() < most.1 && plan.has_room(pack, fault) {
                plan.passing.push(fault);
            }
        }
        plan.kept_back = builder.kept_back(&plan.hidden(&plan.written, &plan.passing));
        Some(plan)
    }

    /// Whether a change stands apart from all that was drawn: it is in another function, touches no byte
    /// of another change, breaks none of the fault's tests, and lets the sources be built with all others.
    fn has_room(&self, pack: &ProjectPack, change: &PackChange) -> bool {
        let is_apart = |other: &&PackChange| {
            let is_beside = change.at.1 < other.at.0 || other.at.1 < change.at.0;
            other.file != change.file || (is_beside && other.function != change.function)
        };
        let mut tests = change.tests.iter();
        let (mut all, is_free) = (self.all(), tests.all(|test| !self.fault.tests.contains(test)));
        let is_apart = is_free && all.iter().all(is_apart);
        all.push(change);
        is_apart && can_stand_together(pack, &all)
    }

    /// All changes of the history.
    fn all(&self) -> Vec<&'p PackChange> {
        let others = self.written.iter().chain(&self.passing).copied();
        std::iter::once(self.fault).chain(others).collect()
    }

    /// The ids of all changes, the fault's first.
    pub(super) fn entries(&self) -> Vec<String> {
        self.all().iter().map(|change| change.id.clone()).collect()
    }

    /// The history. None if the fault has no window at its tip.
    pub(super) fn history(
        &self,
        builder: &'p PackTaskBuilder<'p>,
        tag: &str,
    ) -> Option<BisectHistory<'p>> {
        let mut state = ProjectState::new(builder);
        state.changes.clone_from(&self.written);
        state.hidden = self.hidden(&self.written, &self.passing);
        let mut history = PackHistory::new(builder, state, self.all());
        history.replay();
        history.tag(tag);
        let before = history.commits;
        let most = MOST_COMMITS.saturating_sub(before).clamp(AFTER_TAG.0, AFTER_TAG.1);
        let after_tag = AFTER_TAG.0 + history.rng.index(most - AFTER_TAG.0 + 1);
        let steps = self.steps(after_tag, &mut history.rng);
        let bad = before + steps.iter().position(|step| matches!(step, HistoryStep::Fault))?;
        let mut open = self.passing.clone();
        for step in steps {
            self.take(step, &mut history, &mut open);
        }
        let window = history.state.window(self.fault)?;
        let tip = history.state.clone();
        let is_alone = tip.changes.len() == 1;
        let history = BisectHistory { text: history.text(), tip, bad, after_tag, window };
        is_alone.then_some(history)
    }

    /// The steps after the tag, in their order.
    fn steps(&self, count: usize, rng: &mut TaskRng) -> Vec<HistoryStep<'p>> {
        let mut steps: Vec<Option<HistoryStep<'p>>> = vec![None; count];
        let bad = count * 2 / 5 + rng.index(count * 2 / 5);
        // Puts a step into a free place, if there is one from `from` on and before `to`.
        let mut put = |from: usize, to: usize, step: HistoryStep<'p>| {
            let is_free = |at: &usize| matches!(steps.get(*at), Some(None));
            let free: Vec<usize> = (from..to).filter(is_free).collect();
            let at = free.get(rng.index(free.len())).copied()?;
            *steps.get_mut(at)? = Some(step);
            Some(at)
        };
        put(bad, bad + 1, HistoryStep::Fault);
        for &change in &self.passing {
            // Enough places stay free for the repairs.
            let last = bad.saturating_sub(2 * MOST_PASSING - 1);
            if let Some(at) = put(0, last, HistoryStep::Breaks(change)) {
                put(at + 1, bad, HistoryStep::Mends(change));
            }
        }
        for _ in 0..NEAR.0 {
            put(0, bad, HistoryStep::Near);
        }
        for _ in 0..NEAR.1 {
            put(bad + 1, count, HistoryStep::Near);
        }
        for &change in &self.written {
            put(0, count, HistoryStep::Writes(change));
        }
        steps.into_iter().map(|step| step.unwrap_or(HistoryStep::Noise)).collect()
    }

    /// Makes the commit of a step. `open` are the passing faults that are still to be mended.
    fn take(
        &self,
        step: HistoryStep<'p>,
        history: &mut PackHistory<'p>,
        open: &mut Vec<&'p PackChange>,
    ) {
        let file = self.fault.file.as_str();
        match step {
            HistoryStep::Near => history.rework(file),
            HistoryStep::Noise => history.noise_or_rework(),
            HistoryStep::Fault => {
                history.state.changes.push(self.fault);
                history.reword(file);
                history.disguised(file, false);
            }
            HistoryStep::Breaks(change) => {
                history.state.changes.push(change);
                history.reword(&change.file);
                history.disguised(&change.file, true);
            }
            HistoryStep::Mends(change) => {
                open.retain(|other| other.id != change.id);
                let message = format!("{} was wrong", function_name(&change.function));
                self.without(change, &message, history, open);
            }
            HistoryStep::Writes(change) => {
                let message = format!("write {}", function_name(&change.function));
                self.without(change, &message, history, open);
            }
        }
    }

    /// A commit that takes a change out of the sources, and brings the tests for it.
    fn without(
        &self,
        change: &PackChange,
        message: &str,
        history: &mut PackHistory<'p>,
        open: &[&'p PackChange],
    ) {
        history.state.changes.retain(|other| other.id != change.id);
        let hidden = self.hidden(&history.state.changes, open);
        let new: BTreeSet<usize> = history.state.hidden.difference(&hidden).copied().collect();
        history.state.hidden = hidden;
        let message = format!("{}: {message}", short_name(&change.file));
        history.commit_with_tests(&message, &[change.file.as_str()], &new);
    }

    /// The tests that are not there: always those of the fault, and those that are kept back; those of
    /// changes that stand in the sources; those of passing faults that are still to be mended.
    fn hidden(&self, standing: &[&'p PackChange], open: &[&'p PackChange]) -> BTreeSet<usize> {
        let changes = standing.iter().chain(open).copied().chain([self.fault]);
        let broken = changes.flat_map(|change| change.tests.iter().copied());
        broken.chain(self.kept_back.iter().copied()).collect()
    }
}
