//! Draws what a task of the kind `write-tests` is about: a module, some of its functions, faults in
//! them, and the tests that are taken away because they tell such faults.

use super::draw::TaskRng;
use crate::pack::{FailureSign, PackChange, ProjectPack};
use std::collections::{BTreeMap, BTreeSet};

/// How often is drawn until enough tests tell the faults.
pub(super) const TRIES: usize = 64;
/// The fewest and the most faults of a task.
const FAULTS: (usize, usize) = (8, 12);
/// The fewest and the most functions, as long as they have enough faults.
const FUNCTIONS: (i64, i64) = (2, 5);
/// The most faults in one function.
const MOST_OF_ONE: usize = 4;
/// So many tests an agent writes at least. The project has so many for the drawn functions.
pub(super) const FEWEST_TESTS: usize = 5;

/// A module that has lost its tests.
pub(super) struct DrawnTests<'p> {
    /// The file of the module.
    pub(super) module: &'p str,
    /// The file with the most tests of the module.
    pub(super) home: &'p str,
    /// The functions, sorted.
    pub(super) functions: Vec<&'p str>,
    /// Faults in them, sorted by function. Tests of `home` tell each of them.
    pub(super) faults: Vec<&'p PackChange>,
    /// All tests of the pack that tell any fault in the functions.
    pub(super) hidden: BTreeSet<usize>,
    /// Those of them that are in `home`.
    pub(super) own: BTreeSet<usize>,
    /// Some of those, which together tell all faults of the task.
    pub(super) enough: BTreeSet<usize>,
}

/// Draws. None if no module of the pack has enough faults and tests.
pub(super) fn draw<'p>(pack: &'p ProjectPack, rng: &mut TaskRng) -> Option<DrawnTests<'p>> {
    let modules = modules(pack);
    (0..TRIES).find_map(|_| modules.get(rng.index(modules.len()))?.drawn(pack, rng))
}

/// A module of which one file of tests tells enough faults.
struct TestedModule<'p> {
    file: &'p str,
    home: &'p str,
    /// The faults that it tells, by function.
    functions: BTreeMap<&'p str, Vec<&'p PackChange>>,
}

/// The faults that give a wrong result.
fn wrong(pack: &ProjectPack) -> impl Iterator<Item = &PackChange> {
    pack.faults.iter().filter(|fault| fault.failure == FailureSign::Wrong)
}

/// The modules that can be drawn, sorted by path.
fn modules(pack: &ProjectPack) -> Vec<TestedModule<'_>> {
    let mut files: BTreeMap<&str, Vec<&PackChange>> = BTreeMap::new();
    for fault in wrong(pack) {
        files.entry(&fault.file).or_default().push(fault);
    }
    let module = |(file, faults)| TestedModule::of(pack, file, faults);
    files.into_iter().filter_map(module).collect()
}

/// How many faults of each function can be in one task, in all.
fn room<'f, 'p: 'f>(functions: impl Iterator<Item = &'f Vec<&'p PackChange>>) -> usize {
    functions.map(|faults| faults.len().min(MOST_OF_ONE)).sum()
}

impl<'p> TestedModule<'p> {
    /// The module with the file of tests that tells the most of its faults: of several, the first one.
    /// None if these are too few.
    fn of(pack: &'p ProjectPack, file: &'p str, faults: Vec<&'p PackChange>) -> Option<Self> {
        let mut homes: BTreeMap<&'p str, Vec<&'p PackChange>> = BTreeMap::new();
        for fault in faults {
            let tests = fault.tests.iter().filter_map(|test| pack.tests.get(*test));
            let files: BTreeSet<&'p str> = tests.map(|test| test.file.as_str()).collect();
            for home in files {
                homes.entry(home).or_default().push(fault);
            }
        }
        let (home, told) = homes.into_iter().rev().max_by_key(|(_, told)| told.len())?;
        let mut functions: BTreeMap<&'p str, Vec<&'p PackChange>> = BTreeMap::new();
        for fault in told {
            functions.entry(&fault.function).or_default().push(fault);
        }
        (room(functions.values()) >= FAULTS.0).then_some(Self { file, home, functions })
    }

    /// What is drawn of this module. None if too few tests tell it.
    fn drawn(&self, pack: &'p ProjectPack, rng: &mut TaskRng) -> Option<DrawnTests<'p>> {
        let functions = some_functions(&self.functions, FAULTS.0, rng);
        let count = some_count(rng);
        let faults = some_faults(&self.functions, &functions, count, rng);
        let here = wrong(pack).filter(|fault| functions.contains(&fault.function.as_str()));
        let hidden: BTreeSet<usize> = here.flat_map(|fault| fault.tests.iter().copied()).collect();
        let is_own = |test: &&usize| pack.tests.get(**test).is_some_and(|t| t.file == self.home);
        let own: BTreeSet<usize> = hidden.iter().filter(is_own).copied().collect();
        let enough = enough(&faults, &own)?;
        let (module, home) = (self.file, self.home);
        Some(DrawnTests { module, home, functions, faults, hidden, own, enough })
    }
}

/// How many faults a task has.
pub(super) fn some_count(rng: &mut TaskRng) -> usize {
    FAULTS.0 + rng.index(FAULTS.1 - FAULTS.0 + 1)
}

/// Some functions that have so many faults together, sorted. All of them if there are not so many.
pub(super) fn some_functions<'p>(
    all: &BTreeMap<&'p str, Vec<&'p PackChange>>,
    least: usize,
    rng: &mut TaskRng,
) -> Vec<&'p str> {
    let wanted = rng.between(FUNCTIONS.0, FUNCTIONS.1);
    let wanted = usize::try_from(wanted).unwrap_or(1);
    let mut left: Vec<&'p str> = all.keys().copied().collect();
    let mut found: BTreeMap<&'p str, &Vec<&'p PackChange>> = BTreeMap::new();
    while !left.is_empty() && (found.len() < wanted || room(found.values().copied()) < least) {
        let name = left.swap_remove(rng.index(left.len()));
        found.extend(all.get(name).map(|faults| (name, faults)));
    }
    found.into_keys().collect()
}

/// So many faults of these functions: one at least of each.
pub(super) fn some_faults<'p>(
    all: &BTreeMap<&'p str, Vec<&'p PackChange>>,
    functions: &[&'p str],
    count: usize,
    rng: &mut TaskRng,
) -> Vec<&'p PackChange> {
    let (mut found, mut more) = (Vec::new(), Vec::new());
    for function in functions {
        let mut left = all.get(function).cloned().unwrap_or_default();
        let mut some = Vec::new();
        while !left.is_empty() && some.len() < MOST_OF_ONE {
            some.push(left.swap_remove(rng.index(left.len())));
        }
        found.extend(some.pop());
        more.extend(some);
    }
    while !more.is_empty() && found.len() < count {
        found.push(more.swap_remove(rng.index(more.len())));
    }
    found.sort_by(|one, other| (&one.function, &one.id).cmp(&(&other.function, &other.id)));
    found
}

/// Tests that tell all faults together: again and again the one that tells the most of those that are
/// left; then others, until they are as many as are asked for. None if there are not.
pub(super) fn enough(faults: &[&PackChange], own: &BTreeSet<usize>) -> Option<BTreeSet<usize>> {
    let mut left = faults.to_vec();
    let mut found = BTreeSet::new();
    while !left.is_empty() {
        let told = |test: &usize| left.iter().filter(|fault| fault.tests.contains(test)).count();
        let best = own.iter().copied().rev().max_by_key(told)?;
        let before = left.len();
        left.retain(|fault| !fault.tests.contains(&best));
        if left.len() == before {
            return None;
        }
        found.insert(best);
    }
    let others: Vec<usize> = own.difference(&found).copied().collect();
    let lacking = FEWEST_TESTS.saturating_sub(found.len());
    found.extend(others.into_iter().take(lacking));
    (found.len() >= FEWEST_TESTS).then_some(found)
}
