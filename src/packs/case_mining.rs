//! Makes the map and the index of a pack whose tests are cases: which changes are tried, what a trial
//! says of one, and which changes are tried together. It runs nothing.

use super::case_baseline::CaseBaseline;
use super::case_sandbox::{CaseReport, CaseTrial, TrialChange, TrialEnd, WrongCase};
use super::mutate::{CodeChange, code_changes};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use synthd_actors::pack::{
    ChangeKind, FailureSign, PackChange, PackFile, PackHead, ProgramCase, result_file,
};

/// A change of the project. Before it was tried, it has no tests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MinedChange {
    pub(crate) kind: ChangeKind,
    pub(crate) change: PackChange,
}

/// Changes that were tried together, by their places among all that were found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MinedGroup {
    pub(crate) kind: ChangeKind,
    pub(crate) parts: Vec<usize>,
    /// The numbers of the cases that are wrong.
    pub(crate) tests: Vec<usize>,
}

/// The cases of a pack that count, in the order of its map.
pub(crate) struct CaseTable<'c> {
    cases: Vec<&'c ProgramCase>,
    /// The places in the map, by the numbers of the cases.
    places: BTreeMap<usize, usize>,
}

impl MinedChange {
    /// The change as a trial has it.
    pub(crate) fn tried(&self) -> TrialChange<'_> {
        TrialChange { file: &self.change.file, at: self.change.at, text: &self.change.text }
    }

    /// The trial of this change alone.
    pub(crate) fn trial(&self, reversed: bool) -> CaseTrial<'_> {
        CaseTrial { changes: vec![self.tried()], reversed }
    }
}

/// All changes of the sources of a project, in the order of files and places.
pub(crate) fn case_candidates(head: &PackHead, files: &[PackFile]) -> Vec<MinedChange> {
    let sources = files.iter().filter(|file| head.is_source(&file.path));
    let found = sources.flat_map(|file| {
        let changes = code_changes(head.language, &file.path, &file.content);
        changes.into_iter().map(|change| candidate(&file.path, change))
    });
    found.collect()
}

fn candidate(file: &str, change: CodeChange) -> MinedChange {
    let CodeChange { kind, at, text, operator, function } = change;
    let change = PackChange {
        id: String::new(),
        file: file.to_owned(),
        at,
        text,
        operator: operator.to_owned(),
        function,
        failure: FailureSign::Crash,
        tests: Vec::new(),
        example: 0,
        says: String::new(),
    };
    MinedChange { kind, change }
}

/// So many faults of all, from all functions alike, and every stub. The order stays.
pub(crate) fn sampled_changes(all: Vec<MinedChange>, most: usize) -> Vec<MinedChange> {
    let mut functions: BTreeMap<&str, Vec<(Option<u64>, usize)>> = BTreeMap::new();
    for (place, mined) in all.iter().enumerate().filter(|(_, m)| m.kind == ChangeKind::Fault) {
        let order = hashed(&format!("candidates/{place}"));
        functions.entry(&mined.change.function).or_default().push((order, place));
    }
    let mut ranked = Vec::new();
    for places in functions.values_mut() {
        places.sort_unstable();
        ranked.extend(places.iter().zip(0_usize..).map(|(chosen, rank)| (rank, *chosen)));
    }
    ranked.sort_unstable();
    let kept: BTreeSet<usize> = ranked.iter().take(most).map(|(_, (_, place))| *place).collect();
    let is_kept = |(place, mined): &(usize, MinedChange)| {
        mined.kind == ChangeKind::Stub || kept.contains(place)
    };
    all.into_iter().enumerate().filter(is_kept).map(|(_, mined)| mined).collect()
}

impl<'c> CaseTable<'c> {
    pub(crate) fn new(cases: &'c [ProgramCase], baseline: &CaseBaseline) -> Self {
        let numbers = baseline.passing.iter();
        let counted = numbers.clone().filter_map(|number| cases.get(*number)).collect();
        let places = numbers.zip(0..).map(|(number, place)| (*number, place)).collect();
        Self { cases: counted, places }
    }

    /// How many cases may be wrong because of one change: one half.
    pub(crate) fn most(&self) -> usize {
        self.cases.len() / 2
    }

    /// The places of the wrong cases of a report, sorted. None if not all cases have run.
    pub(crate) fn wrong(&self, report: &CaseReport) -> Option<Vec<usize>> {
        let numbers = report.wrong()?;
        Some(numbers.iter().filter_map(|number| self.places.get(number).copied()).collect())
    }

    /// A change with the cases that it breaks. Err says why it is no good.
    pub(crate) fn judged(
        &self,
        mined: &MinedChange,
        report: &CaseReport,
    ) -> Result<MinedChange, &'static str> {
        let tests = match report.ended {
            TrialEnd::Unbuilt => return Err("unbuilt"),
            TrialEnd::Hung => return Err("hung"),
            TrialEnd::Broad => return Err("breaks too much"),
            TrialEnd::Done => self.wrong(report).unwrap_or_default(),
        };
        let Some((example, shown)) = self.example(report) else { return Err("survived") };
        let mut found = mined.clone();
        found.change.failure = if shown.crash { FailureSign::Crash } else { FailureSign::Wrong };
        found.change.says = shown.says.clone();
        (found.change.tests, found.change.example) = (tests, example);
        Ok(found)
    }

    /// The wrong case that is shown in a report, with its place: the smallest one in which the program
    /// does not crash, if there is one.
    fn example<'r>(&self, report: &'r CaseReport) -> Option<(usize, &'r WrongCase)> {
        let placed = report.failed.iter().filter_map(|wrong| {
            let place = *self.places.get(&wrong.case)?;
            let size = self.cases.get(place).map_or(0, |case| size(case));
            Some((wrong.crash, size, place, wrong))
        });
        let least = placed.min_by_key(|(crash, size, place, _)| (*crash, *size, *place));
        least.map(|(_, _, place, wrong)| (place, wrong))
    }

    /// The map of the pack: the cases that count, then those that decide nothing.
    pub(crate) fn map(&self, all: &[ProgramCase], baseline: &CaseBaseline) -> String {
        let counted = self.cases.iter().map(|case| line(case, None));
        let left_out = all.iter().filter_map(|case| {
            let why = baseline.left_out.get(&case.name)?;
            Some(line(case, Some(why)))
        });
        counted.chain(left_out).map(|line| format!("{line}\n")).collect()
    }
}

/// The bytes of a case.
fn size(case: &ProgramCase) -> usize {
    let args: usize = case.args.iter().map(String::len).sum();
    let files: usize = case.files.values().map(String::len).sum();
    args + files + case.input.len() + case.out.len()
}

/// A line of the map.
fn line(case: &ProgramCase, left_out: Option<&String>) -> Value {
    let mut line = json!({
        "test": case.name, "file": result_file(&case.name), "class": "",
        "at": [0, case.out.len()], "lines": {},
    });
    if let Some(why) = left_out {
        line["left_out"] = why.as_str().into();
    }
    line
}

/// The index of the pack.
pub(crate) fn case_index(mined: &[MinedChange], groups: &[MinedGroup]) -> String {
    let ids = ids(mined);
    let mut lines = String::new();
    for (mined, id) in mined.iter().zip(&ids) {
        let mut change = mined.change.clone();
        change.id.clone_from(id);
        let mut line = json!(change);
        line["kind"] = json!(mined.kind);
        lines.push_str(&format!("{line}\n"));
    }
    for (group, number) in groups.iter().zip(1..) {
        let parts: Vec<&String> = group.parts.iter().filter_map(|part| ids.get(*part)).collect();
        let line = json!({
            "kind": "group", "id": format!("g{number:04}"), "of": group.kind, "parts": parts,
            "tests": group.tests,
        });
        lines.push_str(&format!("{line}\n"));
    }
    lines
}

/// The ids of changes: those of faults and of stubs are counted apart.
fn ids(mined: &[MinedChange]) -> Vec<String> {
    let (mut faults, mut stubs) = (0, 0);
    let id = |mined: &MinedChange| match mined.kind {
        ChangeKind::Fault => {
            faults += 1;
            format!("f{faults:04}")
        }
        ChangeKind::Stub => {
            stubs += 1;
            format!("s{stubs:04}")
        }
    };
    mined.iter().map(id).collect()
}

/// The changes of one group, as the number draws them: two to four in different functions, none of which
/// breaks only cases that another one breaks. None if there is no such group.
pub(crate) fn drawn_group(mined: &[MinedChange], number: u64) -> Option<(ChangeKind, Vec<usize>)> {
    let kind = if number % 4 == 3 { ChangeKind::Stub } else { ChangeKind::Fault };
    let size = 2 + usize::try_from(number / 4 % 3).unwrap_or(0);
    let mut functions: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (place, mined) in mined.iter().enumerate() {
        let is_good = kind == ChangeKind::Stub || mined.change.failure == FailureSign::Wrong;
        if mined.kind == kind && is_good {
            functions.entry(&mined.change.function).or_default().push(place);
        }
    }
    let mut parts = Vec::new();
    while parts.len() < size {
        let names: Vec<&str> = functions.keys().copied().collect();
        let name = *names.get(drawn(number, "function", parts.len(), names.len())?)?;
        let places = functions.remove(name)?;
        parts.push(*places.get(drawn(number, "change", parts.len(), places.len())?)?);
    }
    parts.sort_unstable();
    let changes: Vec<&PackChange> =
        parts.iter().filter_map(|part| mined.get(*part)).map(|mined| &mined.change).collect();
    (are_apart(&changes) && each_tells(&changes)).then_some((kind, parts))
}

/// Whether no two changes share bytes of a file.
fn are_apart(changes: &[&PackChange]) -> bool {
    let mut places: Vec<(&str, (usize, usize))> =
        changes.iter().map(|change| (change.file.as_str(), change.at)).collect();
    places.sort_unstable();
    let mut pairs = places.iter().zip(places.iter().skip(1));
    pairs.all(|((file, (_, end)), (next, (start, _)))| file != next || end <= start)
}

/// Whether each change breaks a case that none of the others breaks.
fn each_tells(changes: &[&PackChange]) -> bool {
    changes.iter().all(|change| {
        let others =
            changes.iter().filter(|other| other.at != change.at || other.file != change.file);
        let others: BTreeSet<usize> =
            others.flat_map(|other| other.tests.iter().copied()).collect();
        change.tests.iter().any(|test| !others.contains(test))
    })
}

/// Whether the wrong cases of a group are those of its changes, and not nearly all.
pub(crate) fn group_tells(
    mined: &[MinedChange],
    parts: &[usize],
    wrong: &[usize],
    all: usize,
) -> bool {
    let changes = parts.iter().filter_map(|part| mined.get(*part));
    let keeps =
        changes.clone().all(|mined| mined.change.tests.iter().all(|test| wrong.contains(test)));
    keeps && changes.count() == parts.len() && wrong.len() * 10 <= all * 7
}

/// A number below a bound that depends on nothing but its name. None if the bound is 0.
fn drawn(number: u64, what: &str, step: usize, bound: usize) -> Option<usize> {
    let bound = u64::try_from(bound).ok().filter(|bound| *bound > 0)?;
    usize::try_from(hashed(&format!("groups/{number}/{what}/{step}"))? % bound).ok()
}

/// A number for a name. There always is one.
fn hashed(name: &str) -> Option<u64> {
    let digest: [u8; 32] = Sha256::digest(name).into();
    digest.first_chunk().map(|word| u64::from_le_bytes(*word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(name: &str, out: &str) -> ProgramCase {
        ProgramCase {
            name: name.to_owned(),
            args: Vec::new(),
            input: String::new(),
            files: BTreeMap::new(),
            out: out.to_owned(),
            status: 0,
        }
    }

    fn wrong(case: usize, crash: bool) -> WrongCase {
        WrongCase { case, crash, says: format!("case {case}") }
    }

    fn report(ended: TrialEnd, failed: Vec<WrongCase>) -> CaseReport {
        CaseReport { ended, why: String::new(), failed }
    }

    /// A change in a function that breaks these cases.
    fn mined(function: &str, at: usize, tests: &[usize]) -> MinedChange {
        let text = "x".to_owned();
        let kind = ChangeKind::Fault;
        let operator = "cmp_boundary";
        let change =
            CodeChange { kind, at: (at, at + 1), text, operator, function: function.to_owned() };
        let mut mined = candidate("a.c", change);
        mined.change.failure = FailureSign::Wrong;
        mined.change.tests = tests.to_vec();
        mined
    }

    /// Case 1 of four does not count.
    fn baseline() -> CaseBaseline {
        let left_out = BTreeMap::from([("b".to_owned(), "is flaky".to_owned())]);
        CaseBaseline { passing: vec![0, 2, 3], left_out }
    }

    fn cases() -> Vec<ProgramCase> {
        vec![case("a", "long output\n"), case("b", "x\n"), case("c", "x\n"), case("d", "y\n")]
    }

    #[test]
    fn a_change_breaks_the_cases_that_count_and_quotes_a_small_one() {
        let (cases, baseline) = (cases(), baseline());
        let table = CaseTable::new(&cases, &baseline);
        let failed = vec![wrong(0, false), wrong(2, true), wrong(3, false)];
        let found = table.judged(&mined("a.f", 3, &[]), &report(TrialEnd::Done, failed)).unwrap();
        assert_eq!(found.change.tests, [0, 1, 2]);
        assert_eq!((found.change.example, found.change.says.as_str()), (2, "case 3"));
        assert_eq!(found.change.failure, FailureSign::Wrong);
    }

    #[test]
    fn what_is_no_fault_is_dropped_with_the_reason() {
        let (cases, baseline) = (cases(), baseline());
        let table = CaseTable::new(&cases, &baseline);
        for (ended, why) in [
            (TrialEnd::Done, "survived"),
            (TrialEnd::Hung, "hung"),
            (TrialEnd::Unbuilt, "unbuilt"),
            (TrialEnd::Broad, "breaks too much"),
        ] {
            let verdict = table.judged(&mined("a.f", 3, &[]), &report(ended, Vec::new()));
            assert_eq!(verdict, Err(why));
        }
    }

    #[test]
    fn the_map_has_what_decides_nothing_at_its_end() {
        let (cases, baseline) = (cases(), baseline());
        let map = CaseTable::new(&cases, &baseline).map(&cases, &baseline);
        let lines: Vec<Value> = map.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        let names: Vec<&str> = lines.iter().map(|line| line["test"].as_str().unwrap()).collect();
        assert_eq!(names, ["a", "c", "d", "b"]);
        assert_eq!(lines[0]["file"], "tests/cases/a/out");
        assert_eq!(lines[0]["at"], json!([0, 12]));
        assert_eq!(lines[3]["left_out"], "is flaky");
    }

    #[test]
    fn a_sample_has_faults_of_all_functions_and_every_stub() {
        let mut all: Vec<MinedChange> = (0..20).map(|at| mined("a.f", at, &[])).collect();
        all.extend((20..23).map(|at| mined("a.g", at, &[])));
        all.push(MinedChange { kind: ChangeKind::Stub, ..mined("a.h", 30, &[]) });
        let sample = sampled_changes(all.clone(), 6);
        let count = |name: &str| sample.iter().filter(|m| m.change.function == name).count();
        assert_eq!((count("a.f"), count("a.g"), count("a.h")), (3, 3, 1));
        assert!(sample.is_sorted_by_key(|mined| mined.change.at));
        assert_eq!(sample, sampled_changes(all.clone(), 6));
        assert_eq!(sampled_changes(all.clone(), usize::MAX), all);
    }

    #[test]
    fn a_group_has_changes_in_different_functions_that_each_tell() {
        let all = vec![
            mined("a.f", 1, &[0, 1]),
            mined("a.f", 5, &[0]),
            mined("a.g", 9, &[2]),
            mined("a.h", 12, &[3]),
        ];
        let mut sizes = BTreeSet::new();
        for number in 0..200 {
            let Some((kind, parts)) = drawn_group(&all, number) else { continue };
            assert_eq!(Some((kind, parts.clone())), drawn_group(&all, number));
            let functions: BTreeSet<&str> =
                parts.iter().map(|part| all[*part].change.function.as_str()).collect();
            assert_eq!(functions.len(), parts.len(), "{parts:?}");
            assert_eq!(kind, ChangeKind::Fault, "there are no stubs");
            sizes.insert(parts.len());
        }
        assert_eq!(sizes, BTreeSet::from([2, 3]), "there are three functions");
        let hidden = vec![mined("a.f", 1, &[0]), mined("a.g", 5, &[0])];
        assert!((0..50).all(|number| drawn_group(&hidden, number).is_none()));
        let together = vec![mined("a.f", 1, &[0]), mined("a.g", 1, &[1])];
        assert!((0..50).all(|number| drawn_group(&together, number).is_none()));
    }

    #[test]
    fn a_group_must_still_break_the_cases_of_each_change() {
        let all = vec![mined("a.f", 1, &[0]), mined("a.g", 5, &[1])];
        assert!(group_tells(&all, &[0, 1], &[0, 1], 4));
        assert!(!group_tells(&all, &[0, 1], &[0], 4), "one hides the other");
        assert!(!group_tells(&all, &[0, 1], &[0, 1], 2), "nearly all are wrong");
    }

    #[test]
    fn the_index_names_the_parts_of_a_group() {
        let mut all = vec![mined("a.f", 1, &[0]), mined("a.g", 5, &[1])];
        all.push(MinedChange { kind: ChangeKind::Stub, ..mined("a.h", 9, &[2]) });
        let group = MinedGroup { kind: ChangeKind::Fault, parts: vec![0, 1], tests: vec![0, 1] };
        let lines: Vec<Value> = case_index(&all, &[group])
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let ids: Vec<&str> = lines.iter().map(|line| line["id"].as_str().unwrap()).collect();
        assert_eq!(ids, ["f0001", "f0002", "s0001", "g0001"]);
        assert_eq!(lines[2]["kind"], "stub");
        assert_eq!(lines[3]["parts"], json!(["f0001", "f0002"]));
    }
}
