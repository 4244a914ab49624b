//! Draws a backlog: changes that stand together in one task, and the stages to which they are dealt. All
//! of them are in the workspace from the beginning. A stage is about its own changes; those of the stages
//! before are mended when it begins, and those of the stages after it may still be wrong when it ends.
//!
//! So what a test tells depends on the stage. It waits as long as a change of a later stage breaks it. A
//! change has tests of its own: no other change breaks them that is still wrong when its stage begins.

use super::draw::TaskRng;
use super::pack_draw::{self, DrawnChange, DrawnChanges, TRIES};
use super::pack_spec::PackSpec;
use super::pack_task::KEPT;
use super::template::StepRange;
use crate::pack::{
    ChangeGroup, ChangeKind, FailureSign, LONG_SIZES, PackChange, ProjectPack, own_tests,
};
use std::collections::{BTreeMap, BTreeSet};

/// The changes of one task, dealt to its stages.
pub(super) struct DrawnBacklog<'p> {
    pub(super) kind: ChangeKind,
    pub(super) changes: DrawnChanges<'p>,
    /// The places of the changes of each stage among all changes, in the order in which they are mended.
    pub(super) stages: Vec<Vec<usize>>,
    /// The tests that fail with all changes together, although none of them breaks them alone.
    joint: Vec<usize>,
}

/// Draws the backlog of a task. None if the pack has no changes that can be dealt like that.
pub(super) fn draw<'p>(
    pack: &'p ProjectPack,
    spec: &PackSpec,
    rng: &mut TaskRng,
) -> Option<DrawnBacklog<'p>> {
    (0..TRIES).find_map(|_| dealt(pack, spec, rng))
}

/// The backlog of one draw.
fn dealt<'p>(
    pack: &'p ProjectPack,
    spec: &PackSpec,
    rng: &mut TaskRng,
) -> Option<DrawnBacklog<'p>> {
    let (kind, range) = (spec.change_kind()?, spec.count());
    let has_groups = |count: &usize| !groups_of(pack, kind, *count).is_empty();
    let counts: Vec<usize> = (size(range.min)..=size(range.max)).filter(has_groups).collect();
    let count = *counts.get(rng.index(counts.len()))?;
    let groups = groups_of(pack, kind, count);
    let group: &'p ChangeGroup = groups.get(rng.index(groups.len())).copied()?;
    let sizes = sizes(count, spec.stages(), spec.stage_changes(), rng)?;
    let changes = pack.parts_of(group);
    let broken: BTreeSet<usize> =
        changes.iter().flat_map(|change| change.tests.iter().copied()).collect();
    let joint = group.tests.iter().copied().filter(|test| !broken.contains(test)).collect();
    let changes = pack_draw::windows(pack, changes)?;
    let stages = split(shuffled(count, rng), &sizes);
    let backlog = DrawnBacklog { kind, changes, stages, joint };
    backlog.stands(pack).then_some(backlog)
}

/// A number of a template as a size.
fn size(number: u32) -> usize {
    usize::try_from(number).unwrap_or_default()
}

/// The groups of so many changes of a kind.
fn groups_of(pack: &ProjectPack, kind: ChangeKind, count: usize) -> Vec<&ChangeGroup> {
    let all = if LONG_SIZES.contains(&count) { &pack.long_groups } else { &pack.groups };
    all.iter().filter(|group| group.kind == kind && group.parts.len() == count).collect()
}

/// How many of `count` changes each stage has. None if they cannot be dealt like that.
fn sizes(
    count: usize,
    stages: StepRange,
    changes: StepRange,
    rng: &mut TaskRng,
) -> Option<Vec<usize>> {
    let (least, most) = (size(changes.min), size(changes.max));
    let can_have = |stages: &usize| (stages * least..=stages * most).contains(&count);
    let possible: Vec<usize> = (size(stages.min)..=size(stages.max)).filter(can_have).collect();
    let stages = *possible.get(rng.index(possible.len()))?;
    let mut sizes = vec![least; stages];
    for _ in stages * least..count {
        let mut open: Vec<&mut usize> = sizes.iter_mut().filter(|size| **size < most).collect();
        let chosen = rng.index(open.len());
        **open.get_mut(chosen)? += 1;
    }
    Some(sizes)
}

/// The numbers below `count` in a drawn order.
fn shuffled(count: usize, rng: &mut TaskRng) -> Vec<usize> {
    let mut left: Vec<usize> = (0..count).collect();
    let mut order = Vec::new();
    while !left.is_empty() {
        order.push(left.remove(rng.index(left.len())));
    }
    order
}

/// Places in their order, so many for each stage.
fn split(order: Vec<usize>, sizes: &[usize]) -> Vec<Vec<usize>> {
    let mut order = order.into_iter();
    let stage = |size: &usize| {
        let mut places: Vec<usize> = order.by_ref().take(*size).collect();
        places.sort_unstable();
        places
    };
    sizes.iter().map(stage).collect()
}

impl<'p> DrawnBacklog<'p> {
    /// The changes of one stage, in the order in which they are mended.
    pub(super) fn of_stage(&self, stage: usize) -> Vec<&DrawnChange<'p>> {
        let places = self.stages.get(stage).into_iter().flatten();
        places.filter_map(|place| self.changes.changes.get(*place)).collect()
    }

    /// The changes that are still wrong when a stage begins, those of the stage first.
    fn open(&self, stage: usize) -> Vec<&'p PackChange> {
        let stages = stage..self.stages.len();
        stages.flat_map(|stage| self.of_stage(stage)).map(|drawn| drawn.change).collect()
    }

    /// The tests of each change of a stage that no other change breaks, of those that are still wrong
    /// when the stage begins.
    pub(super) fn own_tests(&self, stage: usize) -> Vec<Vec<usize>> {
        let mut own = own_tests(&self.open(stage));
        own.truncate(self.stages.get(stage).map_or(0, Vec::len));
        own
    }

    /// The own tests of all changes.
    pub(super) fn all_own_tests(&self) -> Vec<Vec<usize>> {
        (0..self.stages.len()).flat_map(|stage| self.own_tests(stage)).collect()
    }

    /// The tests that may still fail when a stage ends.
    fn waiting(&self, stage: usize) -> BTreeSet<usize> {
        let later = self.open(stage + 1);
        let mut tests: BTreeSet<usize> =
            later.iter().flat_map(|change| change.tests.iter().copied()).collect();
        if !later.is_empty() {
            tests.extend(&self.joint);
        }
        tests
    }

    /// The names of the parts of a stage, each with the numbers of its tests: one for each change, and
    /// one for all other tests that do not wait. Changes are numbered through all stages. No test is in
    /// two parts, and no part is empty.
    pub(super) fn parts(&self, pack: &ProjectPack, stage: usize) -> Vec<(String, Vec<usize>)> {
        let word = match self.kind {
            ChangeKind::Stub => "function",
            ChangeKind::Fault => "fault",
        };
        let before: usize = self.stages.iter().take(stage).map(Vec::len).sum();
        let (own, waiting) = (self.own_tests(stage), self.waiting(stage));
        let is_kept =
            |test: &usize| !waiting.contains(test) && !own.iter().any(|tests| tests.contains(test));
        let kept: Vec<usize> = (0..pack.tests.len()).filter(is_kept).collect();
        let numbered = own.into_iter().zip(before + 1..);
        let mut parts: Vec<(String, Vec<usize>)> =
            numbered.map(|(tests, number)| (format!("{word}-{number}"), tests)).collect();
        if !kept.is_empty() {
            parts.push((KEPT.to_owned(), kept));
        }
        parts
    }

    /// The files with changes as they are when a stage begins. Behind the last stage, they are those of
    /// the project.
    pub(super) fn texts(&self, stage: usize) -> BTreeMap<&'p str, String> {
        let mut texts = self.changes.wrong.clone();
        (0..stage).for_each(|before| self.mend(&mut texts, before));
        texts
    }

    /// Mends the changes of a stage in texts of files.
    pub(super) fn mend(&self, texts: &mut BTreeMap<&'p str, String>, stage: usize) {
        for drawn in self.of_stage(stage) {
            if let Some(text) = texts.get_mut(drawn.change.file.as_str()) {
                *text = text.replacen(&drawn.wrong, &drawn.right, 1);
            }
        }
    }

    /// Whether the stages can be done one after the other, and tests tell each change in its stage.
    fn stands(&self, pack: &ProjectPack) -> bool {
        let order = self.stages.iter().flatten().copied();
        self.changes.can_be_repaired(pack, order)
            && (0..self.stages.len()).all(|stage| self.is_told(pack, stage))
    }

    /// Whether own tests tell each change of a stage, whatever reports quote. The quoted test of a fault
    /// is its own: who mends the fault sees it pass.
    fn is_told(&self, pack: &ProjectPack, stage: usize) -> bool {
        let changes = &self.changes.changes;
        let quoted: Vec<usize> = changes.iter().map(|drawn| drawn.change.example).collect();
        let mut told = self.of_stage(stage).into_iter().zip(self.own_tests(stage));
        told.all(|(drawn, own)| {
            let change = drawn.change;
            let is_seen = match self.kind {
                ChangeKind::Fault => {
                    change.failure == FailureSign::Wrong && own.contains(&change.example)
                }
                ChangeKind::Stub => own.len() > 1,
            };
            let alone = PackChange { tests: own, ..PackChange::clone(change) };
            is_seen && pack.is_judged(&alone, &quoted)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::draw;
    use proptest::prelude::*;

    proptest! {
        /// Whatever is asked for: every stage has as many changes as it may, and all are dealt.
        #[test]
        fn sizes_are_dealt_within_their_bounds(
            seed in any::<u64>(), count in 1usize..14, stages in (2u32..6, 0u32..4), each in (1u32..3, 0u32..3),
        ) {
            let stages = StepRange { min: stages.0, max: stages.0 + stages.1 };
            let each = StepRange { min: each.0, max: each.0 + each.1 };
            let mut rng = TaskRng::new(draw::key(seed, "t", 0));
            let can_be = (stages.min..=stages.max).any(|stages| {
                (stages * each.min..=stages * each.max).contains(&u32::try_from(count).unwrap())
            });
            let sizes = sizes(count, stages, each, &mut rng);
            prop_assert_eq!(sizes.is_some(), can_be);
            let Some(sizes) = sizes else { return Ok(()) };
            prop_assert_eq!(sizes.iter().sum::<usize>(), count);
            let number = u32::try_from(sizes.len()).unwrap();
            prop_assert!(stages.min <= number && number <= stages.max);
            let fits = |size: &usize| {
                let size = u32::try_from(*size).unwrap();
                each.min <= size && size <= each.max
            };
            prop_assert!(sizes.iter().all(fits));
            let stages = split(shuffled(count, &mut rng), &sizes);
            let mut all: Vec<usize> = stages.iter().flatten().copied().collect();
            prop_assert!(stages.iter().all(|places| places.is_sorted()));
            all.sort_unstable();
            prop_assert_eq!(all, (0..count).collect::<Vec<_>>());
        }
    }
}
