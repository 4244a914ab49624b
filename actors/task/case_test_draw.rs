//! Draws what a task of the kind `write-tests` is about if the tests of a pack are cases: faults in some
//! functions of the program, and the cases that are taken away because they tell such faults. A case
//! runs the whole program, so the functions may be in different files.

use super::draw::TaskRng;
use super::pack_test_draw::{FEWEST_TESTS, TRIES, enough, some_count, some_faults, some_functions};
use crate::pack::{FailureSign, PackChange, ProgramCase, ProjectPack, program_cases};
use std::collections::{BTreeMap, BTreeSet};

/// What more than one case in so many tells is no fault of a task: any case would notice it, and too few
/// would be left.
const SHARE: usize = 6;
/// What no case of the agent may name: what the system says of processes, through which a program could
/// print its own text.
pub(super) const REFUSED: [&str; 3] = ["/proc", "/dev/", "/sys/"];

/// A program that has lost cases.
pub(super) struct LostCases<'p> {
    /// The functions, sorted.
    pub(super) functions: Vec<&'p str>,
    /// Faults in them, sorted by function.
    pub(super) faults: Vec<&'p PackChange>,
    /// The cases that tell one of the faults, as far as an agent may write them.
    pub(super) own: BTreeSet<usize>,
    /// Some of those, which together tell all faults.
    pub(super) enough: BTreeSet<usize>,
    /// The cases that no fault breaks. The agent sees them.
    pub(super) left: BTreeSet<usize>,
}

/// Draws. None if the pack has not enough faults and cases.
pub(super) fn draw<'p>(pack: &'p ProjectPack, rng: &mut TaskRng) -> Option<LostCases<'p>> {
    let (functions, allowed) = (functions(pack), allowed(pack));
    (0..TRIES).find_map(|_| drawn(pack, &functions, &allowed, rng))
}

/// The faults that can be drawn, by function.
fn functions(pack: &ProjectPack) -> BTreeMap<&str, Vec<&PackChange>> {
    let mut functions: BTreeMap<&str, Vec<&PackChange>> = BTreeMap::new();
    for fault in &pack.faults {
        let is_rare = fault.tests.len() * SHARE <= pack.tests.len();
        if fault.failure == FailureSign::Wrong && is_rare {
            functions.entry(&fault.function).or_default().push(fault);
        }
    }
    functions
}

/// The numbers of the cases that an agent may write.
fn allowed(pack: &ProjectPack) -> BTreeSet<usize> {
    // They were read before, so there is none with a mistake.
    let cases = program_cases(&pack.files).unwrap_or_default();
    let fits = cases.iter().filter(|case| is_allowed(case));
    let names: BTreeSet<&str> = fits.map(|case| case.name.as_str()).collect();
    let numbered = pack.tests.iter().zip(0..);
    numbered.filter(|(test, _)| names.contains(test.name.as_str())).map(|(_, at)| at).collect()
}

/// Whether the check takes a case like this: no argument leads out of the directory of the case, and it
/// names nothing that is refused.
fn is_allowed(case: &ProgramCase) -> bool {
    let leads_out = |arg: &String| arg.starts_with('/') || arg.split('/').any(|part| part == "..");
    let mut texts = case.args.iter().chain([&case.input]).chain(case.files.keys());
    let mut files = case.files.values();
    let is_refused = |text: &String| REFUSED.iter().any(|word| text.contains(word));
    !case.args.iter().any(leads_out) && !texts.any(is_refused) && !files.any(is_refused)
}

/// One draw. None if the faults are too few, or the cases that tell them, or those that are left.
fn drawn<'p>(
    pack: &'p ProjectPack,
    all: &BTreeMap<&'p str, Vec<&'p PackChange>>,
    allowed: &BTreeSet<usize>,
    rng: &mut TaskRng,
) -> Option<LostCases<'p>> {
    let count = some_count(rng);
    let functions = some_functions(all, count, rng);
    let faults = some_faults(all, &functions, count, rng);
    if faults.len() < count {
        return None;
    }
    let hidden: BTreeSet<usize> =
        faults.iter().flat_map(|fault| fault.tests.iter().copied()).collect();
    let own: BTreeSet<usize> = hidden.intersection(allowed).copied().collect();
    let enough = enough(&faults, &own)?;
    let left: BTreeSet<usize> =
        (0..pack.tests.len()).filter(|test| !hidden.contains(test)).collect();
    let is_known = left.intersection(allowed).count() >= FEWEST_TESTS;
    is_known.then_some(LostCases { functions, faults, own, enough, left })
}
