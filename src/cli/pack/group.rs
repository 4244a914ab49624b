//! `synthd pack group`: finds long groups for a pack that is mined already. Map and index stay as they
//! are, and so do the long groups that are there.

use super::{checked, parts_of, tell, with_sandboxes};
use crate::cli::terminal::output::{print_json, print_line};
use crate::error::{Code, Error, Result};
use crate::packs::{LongTrials, replace_file};
use clap::Args;
use serde_json::json;
use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::process::ExitCode;
use synthd_actors::pack::{
    ChangeKind, LONG_FILE, LONG_SIZES, PackChange, PackParts, ProjectPack, long_group_tells,
};
use synthd_actors::pool::PoolHandle;

#[derive(Args)]
#[command(after_help = "A long group has five to ten changes in different functions. With all of \
them, each must break its own tests, and those must pass when it alone is mended. The pack must be \
mined. Groups that are there stay; a second run with the same numbers adds none.

Examples:
  synthd pack group packs/tabq
  synthd pack group packs/tabq --faults 7-9 --functions 6-6 --groups 20")]
pub(in crate::cli) struct PackGroupArgs {
    /// The pack's folder
    folder: PathBuf,
    /// How many faults a group has
    #[arg(long, value_name = "MIN-MAX", default_value = "7-9", value_parser = sizes)]
    faults: LongSizes,
    /// How many missing functions a group has
    #[arg(long, value_name = "MIN-MAX", default_value = "6-8", value_parser = sizes)]
    functions: LongSizes,
    /// How many groups to try of each number of changes
    #[arg(long, default_value_t = 12)]
    groups: u64,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// How many groups are tried between two controls.
const BATCH: usize = 8;

/// How many changes groups have.
#[derive(Clone, Debug)]
struct LongSizes(RangeInclusive<usize>);

/// Reads `7-9`.
fn sizes(text: &str) -> Result<LongSizes, String> {
    let (least, most) = (*LONG_SIZES.start(), *LONG_SIZES.end());
    let wrong = || format!("two numbers from {least} to {most}, such as 7-9");
    let (min, max) = text.split_once('-').ok_or_else(wrong)?;
    let (Ok(min), Ok(max)) = (min.parse::<usize>(), max.parse::<usize>()) else {
        return Err(wrong());
    };
    let is_possible = LONG_SIZES.contains(&min) && LONG_SIZES.contains(&max) && min <= max;
    is_possible.then_some(LongSizes(min..=max)).ok_or_else(wrong)
}

/// A group that tells what it should.
struct LongGroup {
    kind: ChangeKind,
    /// The places of its changes among those of the kind.
    parts: Vec<usize>,
    /// The tests that fail with all of them.
    tests: Vec<usize>,
}

/// Finds long groups and adds them to those of the pack.
pub(super) async fn group(args: PackGroupArgs) -> Result<ExitCode> {
    let parts = parts_of(&args.folder)?;
    let pack = checked(&args.folder, parts.clone())?;
    if pack.tests.is_empty() {
        let what = format!("the pack {} is not mined", pack.head.name);
        return Err(Error::new(Code::PackUnmined, what).hint("mine it first: `synthd pack mine`"));
    }
    let found = with_sandboxes(async |pool| tried(pool, &args, &pack, &parts).await).await?;
    let long = format!("{}{}", parts.long, lines(&pack, &found));
    // What is written must be readable; the old list stays if it is not.
    let pack = checked(&args.folder, PackParts { long: long.clone(), ..parts })?;
    if !found.is_empty() {
        replace_file(&args.folder.join(LONG_FILE), &long)?;
    }
    let (name, added, all) = (&pack.head.name, found.len(), pack.long_groups.len());
    if args.json {
        print_json(&json!({
            "pack": name, "digest": pack.digest_for(true), "added": added, "long_groups": all,
        }))?;
    } else {
        print_line(&format!("{name}: {added} long groups were added, {all} are there"));
    }
    Ok(ExitCode::SUCCESS)
}

/// The lines of groups. Their ids go on behind those that are there.
fn lines(pack: &ProjectPack, found: &[LongGroup]) -> String {
    let numbered = found.iter().zip(pack.last_group() + 1..);
    let line = |(group, number): (&LongGroup, u64)| {
        let line = json!({
            "kind": "group", "id": format!("g{number:04}"), "of": group.kind,
            "parts": ids(&changes_of(pack, group.kind, &group.parts)), "tests": group.tests,
        });
        format!("{line}\n")
    };
    numbered.map(line).collect()
}

/// Draws and tries groups of all sizes. Those that are there already are not tried.
async fn tried(
    pool: &PoolHandle,
    args: &PackGroupArgs,
    pack: &ProjectPack,
    parts: &PackParts,
) -> Result<Vec<LongGroup>> {
    let mut trials = LongTrials::start(pool, pack, parts.map.clone()).await?;
    let mut known: BTreeSet<Vec<&str>> =
        pack.long_groups.iter().map(|group| ids(&pack.parts_of(group))).collect();
    let mut found = Vec::new();
    for (kind, word, sizes) in [
        (ChangeKind::Fault, "faults", &args.faults),
        (ChangeKind::Stub, "missing functions", &args.functions),
    ] {
        for size in sizes.0.clone() {
            let drawn = (0..args.groups).filter_map(|n| pack.drawn_long_group(kind, size, n));
            let new = |group: &Vec<usize>| known.insert(ids(&changes_of(pack, kind, group)));
            let drawn: Vec<Vec<usize>> = drawn.filter(new).collect();
            let before = found.len();
            for batch in drawn.chunks(BATCH) {
                found.extend(kept(&mut trials, pack, kind, batch).await?);
            }
            let (kept, of) = (found.len() - before, drawn.len());
            tell(&format!("{kept} of {of} groups of {size} {word} are kept"));
        }
    }
    Ok(found)
}

/// Tries groups, each whole and with one change mended after the other. Those that tell what they should.
async fn kept(
    trials: &mut LongTrials,
    pack: &ProjectPack,
    kind: ChangeKind,
    drawn: &[Vec<usize>],
) -> Result<Vec<LongGroup>> {
    let groups: Vec<Vec<&PackChange>> =
        drawn.iter().map(|parts| changes_of(pack, kind, parts)).collect();
    let all: Vec<Vec<&PackChange>> =
        groups.iter().flat_map(|group| with_one_left_out(group)).collect();
    let mut failing = trials.failing(&all).await?.into_iter();
    let mut kept = Vec::new();
    for (parts, group) in drawn.iter().zip(&groups) {
        let whole = failing.next().flatten();
        let without: Vec<Option<Vec<usize>>> = failing.by_ref().take(group.len()).collect();
        let without: Option<Vec<Vec<usize>>> = without.into_iter().collect();
        let (Some(tests), Some(without)) = (whole, without) else { continue };
        if long_group_tells(group, &tests, &without, pack.tests.len()) {
            kept.push(LongGroup { kind, parts: parts.clone(), tests });
        }
    }
    Ok(kept)
}

/// All changes of a group, then all but the first one, and so on.
fn with_one_left_out<'p>(group: &[&'p PackChange]) -> Vec<Vec<&'p PackChange>> {
    let mut trials = vec![group.to_vec()];
    for left_out in 0..group.len() {
        let mut trial = group.to_vec();
        trial.remove(left_out);
        trials.push(trial);
    }
    trials
}

/// The changes at some places among those of a kind.
fn changes_of<'p>(pack: &'p ProjectPack, kind: ChangeKind, parts: &[usize]) -> Vec<&'p PackChange> {
    parts.iter().filter_map(|part| pack.changes(kind).get(*part)).collect()
}

fn ids<'p>(changes: &[&'p PackChange]) -> Vec<&'p str> {
    changes.iter().map(|change| change.id.as_str()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_two_numbers_that_a_long_group_may_have() {
        assert_eq!(sizes("7-9").unwrap().0, 7..=9);
        assert_eq!(sizes("5-5").unwrap().0, 5..=5);
        for wrong in ["7", "", "9-7", "4-9", "5-11", "a-9", "-5-9"] {
            let message = sizes(wrong).unwrap_err();
            assert_eq!(message, "two numbers from 5 to 10, such as 7-9", "{wrong}");
        }
    }
}
