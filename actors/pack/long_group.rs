//! Long groups: five to ten changes that stand together in one task. The file `long.jsonl` has them, a
//! line each, as the index has groups. They are no part of the index, because tasks with fewer changes
//! do not know them: such tasks, and their digests, stay when long groups come.
//!
//! Each change of a long group has tests of its own: two at least that no other change of the group
//! breaks. So what was done at one place is seen, whatever is still wrong at the others. What makes a
//! change a good one (`ProjectPack::is_good`) holds for its own tests alone.

use super::index::{ChangeGroup, ChangeKind, FailureSign, PackChange};
use super::project_pack::ProjectPack;
use crate::model::digest_of;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

/// The list of long groups. A pack without them has no such file.
pub const LONG_FILE: &str = "long.jsonl";
/// How many changes a long group has.
pub const LONG_SIZES: RangeInclusive<usize> = 5..=10;
/// The fewest tests of its own that a change has.
const LEAST_OWN: usize = 2;

/// The tests of each change that none of the others breaks, in the order of the changes.
pub fn own_tests(changes: &[&PackChange]) -> Vec<Vec<usize>> {
    let mut breaking: BTreeMap<usize, usize> = BTreeMap::new();
    for test in changes.iter().flat_map(|change| &change.tests) {
        *breaking.entry(*test).or_default() += 1;
    }
    let is_own = |test: &usize| breaking.get(test) == Some(&1);
    let own = |change: &&PackChange| -> Vec<usize> {
        change.tests.iter().copied().filter(is_own).collect()
    };
    changes.iter().map(own).collect()
}

/// Whether a long group tells what it should. `all` are the tests that fail with all its changes, and
/// `without` those that fail with all but one, for each change in turn. Every change must still break
/// all its tests, and its own ones must pass when it alone is mended.
pub fn long_group_tells(
    changes: &[&PackChange],
    all: &[usize],
    without: &[Vec<usize>],
    tests: usize,
) -> bool {
    let breaks = changes.iter().flat_map(|change| &change.tests).all(|test| all.contains(test));
    let own = own_tests(changes);
    let mut mended = own.iter().zip(without);
    let is_seen = mended.all(|(own, failing)| !own.iter().any(|test| failing.contains(test)));
    breaks && is_seen && without.len() == changes.len() && !is_most(all.len(), tests)
}

/// Whether so many failing tests are nearly all tests of a project.
fn is_most(failing: usize, tests: usize) -> bool {
    failing * 10 > tests * 7
}

impl ProjectPack {
    /// The changes of the long group that a number draws, by their places among the changes of the kind,
    /// sorted. One function after the other is taken, in an order that kind, size and number give. None
    /// if too few stand apart.
    pub fn drawn_long_group(
        &self,
        kind: ChangeKind,
        size: usize,
        number: u64,
    ) -> Option<Vec<usize>> {
        let mut functions: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (place, change) in self.changes(kind).iter().enumerate() {
            if kind == ChangeKind::Stub || change.failure == FailureSign::Wrong {
                functions.entry(&change.function).or_default().push(place);
            }
        }
        let word = kind_in_words(kind);
        let (size_text, number) = (size.to_string(), number.to_string());
        let ranked = functions.iter().filter_map(|(function, places)| {
            let rank = digest_of(&["long group", word, &size_text, &number, function]);
            let chosen = u32::from_str_radix(rank.get(..8)?, 16).ok()?;
            let chosen = usize::try_from(chosen).ok()? % places.len().max(1);
            Some((rank, *places.get(chosen)?))
        });
        // The first digits have chosen the change, so the order is that of the last ones.
        let mut ranked: Vec<(String, usize)> = ranked.collect();
        ranked.sort_by(|(one, _), (other, _)| one.get(8..).cmp(&other.get(8..)));
        let mut parts: Vec<usize> = Vec::new();
        for (_, place) in ranked {
            parts.push(place);
            if self.check_long_parts(kind, &parts).is_err() {
                parts.pop();
            }
            if parts.len() == size {
                parts.sort_unstable();
                return Some(parts);
            }
        }
        None
    }

    /// The changes of the long groups of a kind.
    pub fn long_groups_of(&self, kind: ChangeKind) -> Vec<Vec<&PackChange>> {
        let groups = self.long_groups.iter().filter(|group| group.kind == kind);
        groups.map(|group| self.parts_of(group)).collect()
    }

    /// The changes of a group.
    pub fn parts_of(&self, group: &ChangeGroup) -> Vec<&PackChange> {
        let changes = self.changes(group.kind);
        group.parts.iter().filter_map(|part| changes.get(*part)).collect()
    }

    /// The digest that counts for a task. Long groups count only for tasks that know them.
    pub fn digest_for(&self, knows_long_groups: bool) -> &str {
        if knows_long_groups { &self.long_digest } else { &self.digest }
    }

    /// The highest number of the ids of groups, such as 12 of `g0012`.
    pub fn last_group(&self) -> u64 {
        let ids = self.groups.iter().chain(&self.long_groups).map(|group| &group.id);
        ids.filter_map(|id| id.strip_prefix('g')?.parse().ok()).max().unwrap_or_default()
    }

    /// Checks that changes can stand in one long group. Err says why they cannot.
    pub(super) fn check_long_parts(&self, kind: ChangeKind, parts: &[usize]) -> Result<(), String> {
        let all = self.changes(kind);
        let changes: Vec<&PackChange> = parts.iter().filter_map(|part| all.get(*part)).collect();
        let functions: BTreeSet<&str> =
            changes.iter().map(|change| change.function.as_str()).collect();
        if functions.len() < changes.len() {
            return Err("two of its changes are in one function".to_owned());
        }
        let quoted: Vec<usize> = changes.iter().map(|change| change.example).collect();
        for (change, own) in changes.iter().zip(own_tests(&changes)) {
            let is_told = kind == ChangeKind::Stub || own.contains(&change.example);
            let alone = PackChange { tests: own, ..PackChange::clone(change) };
            if !is_told || alone.tests.len() < LEAST_OWN || !self.is_good(kind, &alone, &quoted) {
                return Err(format!("{} has too few tests of its own", change.id));
            }
        }
        let broken: BTreeSet<usize> =
            changes.iter().flat_map(|change| change.tests.iter().copied()).collect();
        match is_most(broken.len(), self.tests.len()) {
            true => Err("its changes break nearly all tests".to_owned()),
            false => Ok(()),
        }
    }
}

/// The word for a kind in draws.
fn kind_in_words(kind: ChangeKind) -> &'static str {
    match kind {
        ChangeKind::Fault => "fault",
        ChangeKind::Stub => "stub",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pack::PackParts;
    use crate::pack::tests::{parts, wide_parts};
    use serde_json::{Value, json};

    fn pack() -> ProjectPack {
        ProjectPack::read(wide_parts()).unwrap()
    }

    fn line(id: &str, of: &str, parts: &[&str]) -> String {
        let line = json!({ "kind": "group", "id": id, "of": of, "parts": parts, "tests": [0, 1] });
        format!("{line}\n")
    }

    fn problem(long: String) -> String {
        let parts = PackParts { long, ..wide_parts() };
        ProjectPack::read(parts).unwrap_err().to_string()
    }

    #[test]
    fn a_number_draws_the_same_group_from_different_functions() {
        let pack = pack();
        let mut seen = BTreeSet::new();
        for kind in [ChangeKind::Fault, ChangeKind::Stub] {
            for size in [5, 8] {
                for number in 0..20 {
                    let parts = pack.drawn_long_group(kind, size, number).unwrap();
                    assert_eq!(Some(&parts), pack.drawn_long_group(kind, size, number).as_ref());
                    assert_eq!(parts.len(), size);
                    assert!(parts.is_sorted(), "{parts:?}");
                    assert_eq!(pack.check_long_parts(kind, &parts), Ok(()));
                    seen.insert(parts);
                }
            }
        }
        assert!(seen.len() > 40, "{}", seen.len());
        assert_eq!(pack.drawn_long_group(ChangeKind::Fault, 10, 0), None, "that breaks nearly all");
        let small = ProjectPack::read(parts()).unwrap();
        assert_eq!(small.drawn_long_group(ChangeKind::Fault, 5, 0), None);
    }

    #[test]
    fn an_own_test_is_broken_by_one_change_alone() {
        let pack = pack();
        let changes: Vec<&PackChange> = pack.faults.iter().take(3).collect();
        assert_eq!(own_tests(&changes), [[0, 1], [2, 3], [4, 5]]);
        assert_eq!(own_tests(&changes[..1]), [[0, 1, 24]], "the test of all is its own then");
    }

    #[test]
    fn a_long_group_tells_of_each_change_by_itself() {
        let pack = pack();
        let changes: Vec<&PackChange> = pack.faults.iter().take(2).collect();
        let without = [vec![2, 3, 24], vec![0, 1, 24]];
        assert!(long_group_tells(&changes, &[0, 1, 2, 3, 24], &without, 25));
        assert!(!long_group_tells(&changes, &[0, 1, 2, 24], &without, 25), "one hides another");
        let still = [vec![1, 2, 3, 24], vec![0, 1, 24]];
        assert!(
            !long_group_tells(&changes, &[0, 1, 2, 3, 24], &still, 25),
            "the other one breaks 1"
        );
        assert!(!long_group_tells(&changes, &[0, 1, 2, 3, 24], &without[..1], 25));
        assert!(!long_group_tells(&changes, &[0, 1, 2, 3, 24], &without, 6), "nearly all fail");
    }

    #[test]
    fn long_groups_count_for_a_digest_of_their_own() {
        let plain = pack();
        assert_eq!(plain.digest_for(true), plain.digest_for(false));
        let long = line("g0001", "fault", &["f0001", "f0002", "f0003", "f0004", "f0005"]);
        let parts = PackParts { long, ..wide_parts() };
        let pack = ProjectPack::read(parts.clone()).unwrap();
        assert_eq!(pack.digest_for(false), plain.digest);
        assert_ne!(pack.digest_for(true), plain.digest);
        assert_eq!(pack.listing, plain.listing);
        assert_eq!((pack.long_groups.len(), pack.groups.len()), (1, 0));
        assert_eq!(pack.last_group(), 1);
        assert_eq!(pack.long_groups_of(ChangeKind::Fault)[0].len(), 5);
        assert!(pack.long_groups_of(ChangeKind::Stub).is_empty());
        let more = line("g0002", "stub", &["s0001", "s0002", "s0003", "s0004", "s0005"]);
        let more = PackParts { long: parts.long.clone() + &more, ..wide_parts() };
        assert_ne!(ProjectPack::read(more).unwrap().long_digest, pack.long_digest);
    }

    #[test]
    fn what_is_no_long_group_is_refused() {
        let short = problem(line("g1", "fault", &["f0001", "f0002"]));
        assert_eq!(short, "long.jsonl:1: a long group has 5 to 10 changes, not 2");
        let unknown = problem(line("g1", "fault", &["f0001", "f0002", "f0003", "f0004", "s0001"]));
        assert!(unknown.contains("no earlier line of its kind has the id \"s0001\""), "{unknown}");
        let all: Vec<String> = (1..=10).map(|number| format!("f{number:04}")).collect();
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        let most = problem(line("g1", "fault", &all));
        assert_eq!(most, "long.jsonl:1: its changes break nearly all tests");
        let twice = problem(line("g1", "fault", &["f0001", "f0001", "f0002", "f0003", "f0004"]));
        assert!(twice.contains("overlap"), "{twice}");
        let index = wide_parts().index;
        let fault = index.lines().next().unwrap();
        assert_eq!(problem(format!("{fault}\n")), "long.jsonl:1: it is no group");
        // A fault whose quoted test another one breaks too.
        let mut first: Value = serde_json::from_str(fault).unwrap();
        first["example"] = json!(24);
        let parts = PackParts {
            index: index.replace(fault, &first.to_string()),
            long: line("g1", "fault", &["f0001", "f0002", "f0003", "f0004", "f0005"]),
            ..wide_parts()
        };
        let shared = ProjectPack::read(parts).unwrap_err().to_string();
        assert_eq!(shared, "long.jsonl:1: f0001 has too few tests of its own");
    }
}
