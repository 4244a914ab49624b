//! `synthd pack mine`: finds entries for the index of a pack. All programs run in a sandbox; the parts
//! of the pack are replaced when everything is done. Packs whose tests are cases have steps of their
//! own (`mine_cases.rs`).

use super::{checked, number, parts_of, tell, with_sandboxes};
use crate::cli::terminal::output::{print_json, print_line};
use crate::error::{Code, Error, Result};
use crate::packs::{MinerSandbox, MiningSettings, replace_file};
use clap::Args;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::ExitCode;
use synthd_actors::pack::{
    INDEX_FILE, LONG_FILE, MAP_FILE, NAMES_FILE, PackParts, PackRunner, SLOW_FILE,
};
use synthd_actors::pool::PoolHandle;

#[derive(Args)]
#[command(after_help = "Faults are tried where a test runs, and kept if tests tell them. Each is \
confirmed in a fresh process. An unchanged project must pass before and after.

Examples:
  synthd pack mine packs/tabq
  synthd pack mine packs/tabq --groups 80 --batch 50")]
pub(in crate::cli) struct PackMineArgs {
    /// The pack's folder
    folder: PathBuf,
    /// How many combinations of entries to try
    #[arg(long, default_value_t = 400)]
    pub(super) groups: u64,
    /// How many faults to try at most, in all functions alike; all if nothing is said. Only for packs
    /// whose tests are cases
    #[arg(long)]
    pub(super) candidates: Option<usize>,
    /// How many entries to try between two lines of progress
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) batch: u64,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Mines a pack and replaces its map and its index.
pub(super) async fn mine(args: PackMineArgs) -> Result<ExitCode> {
    let parts = parts_of(&args.folder)?;
    let (summary, files) = with_sandboxes(async |pool| mined(pool, &args, &parts).await).await?;
    let MinedFiles { map, index, names } = files;
    let had_long_groups = !parts.long.is_empty();
    let parts = PackParts { map, index, names, long: String::new(), ..parts };
    // What is written must be readable; the old parts stay if it is not.
    let pack = checked(&args.folder, parts.clone())?;
    // Names stand in entries, and entries name tests by their numbers in the map. Ended between, the
    // pack is one without entries or names. Long groups name entries that are no more.
    if had_long_groups {
        replace_file(&args.folder.join(LONG_FILE), "")?;
    }
    replace_file(&args.folder.join(NAMES_FILE), "")?;
    replace_file(&args.folder.join(INDEX_FILE), "")?;
    replace_file(&args.folder.join(MAP_FILE), &parts.map)?;
    replace_file(&args.folder.join(INDEX_FILE), &parts.index)?;
    replace_file(&args.folder.join(NAMES_FILE), &parts.names)?;
    if args.json {
        print_json(&json!({ "pack": pack.head.name, "digest": pack.digest, "mined": summary }))?;
    } else {
        let (name, faults, stubs) = (&pack.head.name, pack.faults.len(), pack.stubs.len());
        let (groups, twins) = (pack.groups.len(), pack.twins.len());
        let inlines = pack.inlines.len();
        print_line(&format!(
            "{name}: {faults} faults, {stubs} stubs, {groups} groups, {inlines} inlines, \
             {twins} twins of tests"
        ));
    }
    Ok(ExitCode::SUCCESS)
}

/// The files of a pack that the miner writes.
struct MinedFiles {
    map: String,
    index: String,
    names: String,
}

/// Runs all steps of the miner. The answer of the step that writes the index, and the files.
async fn mined(
    pool: &PoolHandle,
    args: &PackMineArgs,
    parts: &PackParts,
) -> Result<(Value, MinedFiles)> {
    if parts.head.runner == PackRunner::Cases {
        let (summary, map, index) = mined_cases(pool, args, parts).await?;
        return Ok((summary, MinedFiles { map, index, names: String::new() }));
    }
    let settings = MiningSettings {
        source: parts.head.source.clone(),
        tests: parts.head.tests.clone(),
        deselected: parts.head.deselected.keys().cloned().collect(),
    };
    let state = vec![(SLOW_FILE, parts.slow.forms.clone())];
    let mut miner = MinerSandbox::start(pool, &parts.files, &settings, state).await?;
    let baseline = miner.step("baseline").await?;
    tell(&format!("{} tests pass every time", number(&baseline, "passing")));
    let found = number(&miner.step("candidates").await?, "candidates");
    tell(&format!("{found} candidates on lines that tests run"));
    in_batches(&mut miner, "try", found, args.batch).await?;
    let confirmed = miner.step("confirm 0 0").await?;
    in_batches(&mut miner, "confirm", number(&confirmed, "of"), args.batch).await?;
    in_batches(&mut miner, "groups", args.groups, args.batch).await?;
    let inlines = miner.step("inlines").await?;
    tell(&format!("helpers written out: {}", in_words(&inlines)));
    let summary = miner.step("write").await?;
    let named = number(&miner.step("names").await?, "names");
    tell(&format!("{named} names can be others"));
    let mut state = miner.state().await?;
    let mut take = |name: &str| {
        let missing = || Error::new(Code::Unexpected, format!("the miner left no {name}"));
        state.remove(name).ok_or_else(missing)
    };
    let (map, index, names) = (take(MAP_FILE)?, take(INDEX_FILE)?, take(NAMES_FILE)?);
    Ok((summary, MinedFiles { map, index, names }))
}

/// Mines a pack whose tests are cases.
#[cfg(feature = "mine")]
async fn mined_cases(
    pool: &PoolHandle,
    args: &PackMineArgs,
    parts: &PackParts,
) -> Result<(Value, String, String)> {
    Box::pin(super::mine_cases::mined(pool, args, parts)).await
}

/// This program has no parsers.
#[cfg(not(feature = "mine"))]
#[expect(clippy::unused_async, reason = "with the parsers it waits for sandboxes")]
async fn mined_cases(
    _pool: &PoolHandle,
    _args: &PackMineArgs,
    parts: &PackParts,
) -> Result<(Value, String, String)> {
    let language = parts.head.language.in_words();
    let what = format!("this program was built without the parsers for projects in {language}");
    Err(Error::new(Code::PackUnmined, what).hint("build it with the feature `mine`"))
}

/// Runs a step over `count` entries, some at a time.
async fn in_batches(miner: &mut MinerSandbox, step: &str, count: u64, batch: u64) -> Result<()> {
    let mut done = 0;
    while done < count {
        let next = (done + batch).min(count);
        let answer = miner.step(&format!("{step} {done} {next}")).await?;
        done = next;
        tell(&format!("{step} {done} of {count}: {}", in_words(&answer)));
    }
    Ok(())
}

/// An answer of the miner on one line: its numbers.
fn in_words(answer: &Value) -> String {
    let counts = answer.get("verdicts").unwrap_or(answer);
    let Some(counts) = counts.as_object() else { return String::new() };
    let count = |(name, value): (&String, &Value)| format!("{value} {name}");
    counts.iter().map(count).collect::<Vec<_>>().join(", ")
}
