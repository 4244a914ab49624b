//! Which rows are reviewed. Every design is a stratified one: the rows are divided, so many of each
//! stratum are drawn at random, and each row of a stratum has the same chance. No chance is zero, so
//! figures of the whole dataset can be computed from any sample.
//!
//! The seed decides by the id of a row. So the order of the rows changes nothing.

use super::contradiction::contradictions;
use crate::curation::stages::RowAspect;
use crate::model::{DatasetRow, digest_of};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use thiserror::Error;

/// How rows are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum SampleDesign {
    /// Each row has the same chance.
    Random,
    /// Of each value of an aspect at least one row, otherwise in proportion.
    Stratified { by: RowAspect },
    /// Half of them are rows where something contradicts the verdict, as far as there are so many.
    Disagreement,
    /// Half of them are rows of tasks that are solved about every second time.
    Uncertain,
}

/// The stratum that half of the sample is drawn from.
const WANTED: &str = "wanted";
const OTHER: &str = "other";
/// The pass rates that are uncertain, from 0 to 1.
const UNCERTAIN: std::ops::RangeInclusive<f64> = 0.25..=0.75;
/// The fewest tries that tell a rate.
const FEWEST_TRIES: i32 = 2;

impl SampleDesign {
    /// The stratum of a row. `noted` are the stages whose notes say something of it.
    pub fn stratum(self, row: &DatasetRow, noted: &[String]) -> String {
        let wanted = |is: bool| if is { WANTED } else { OTHER }.to_owned();
        match self {
            Self::Random => "all".to_owned(),
            Self::Stratified { by } => by.of(row),
            Self::Disagreement => wanted(!contradictions(row, noted).is_empty()),
            Self::Uncertain => wanted(is_uncertain(row)),
        }
    }
}

impl fmt::Display for SampleDesign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Random => f.write_str("random"),
            Self::Stratified { by } => write!(f, "stratified:{}", by.as_str()),
            Self::Disagreement => f.write_str("disagreement"),
            Self::Uncertain => f.write_str("uncertain"),
        }
    }
}

/// Whether the task of a row is solved about every second time.
fn is_uncertain(row: &DatasetRow) -> bool {
    let rate = row.as_trajectory().and_then(|row| row.pass_rate);
    rate.is_some_and(|rate| {
        let share = f64::from(rate.solved) / f64::from(rate.tries.max(1));
        rate.tries >= FEWEST_TRIES && UNCERTAIN.contains(&share)
    })
}

/// A row that may be drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReviewCandidate {
    pub row: String,
    pub stratum: String,
}

/// How many rows are drawn, and how many of them are reviewed twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SamplePlan {
    pub rows: usize,
    /// The share that is reviewed twice, in thousandths.
    pub twice: u32,
    pub seed: u64,
}

/// A row that was drawn. Its chance was `drawn` of `of`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SampledRow {
    pub row: String,
    pub stratum: String,
    pub drawn: u64,
    pub of: u64,
    pub twice: bool,
}

/// Why nothing can be drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SampleFault {
    #[error("there is no row to draw")]
    NoRows,
    #[error("{rows} rows are too few for {strata} strata: a row must come from each")]
    TooFew { rows: usize, strata: usize },
}

/// Draws a sample, in the order in which it is reviewed. If fewer rows are there than are wanted, all of
/// them are drawn.
pub fn draw_sample(
    candidates: Vec<ReviewCandidate>,
    design: SampleDesign,
    plan: SamplePlan,
) -> Result<Vec<SampledRow>, SampleFault> {
    let rows = plan.rows.min(candidates.len());
    if rows == 0 {
        return Err(SampleFault::NoRows);
    }
    let mut strata: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for candidate in candidates {
        strata.entry(candidate.stratum).or_default().push(candidate.row);
    }
    if rows < strata.len() {
        return Err(SampleFault::TooFew { rows, strata: strata.len() });
    }
    let sizes: Vec<usize> = strata.values().map(Vec::len).collect();
    let shares = match design {
        SampleDesign::Random | SampleDesign::Stratified { .. } => in_proportion(&sizes, rows),
        SampleDesign::Disagreement | SampleDesign::Uncertain => half(&strata, rows),
    };
    let mut sample = Vec::with_capacity(rows);
    for ((stratum, mut ids), share) in strata.into_iter().zip(shares) {
        let of = whole(ids.len());
        ids.sort_by_cached_key(|id| lot(plan.seed, "drawn", id));
        sample.extend(ids.into_iter().take(share).map(|row| SampledRow {
            row,
            stratum: stratum.clone(),
            drawn: whole(share),
            of,
            twice: false,
        }));
    }
    mark_twice(&mut sample, plan);
    // Neither the stratum nor the second review shows in the order.
    sample.sort_by_cached_key(|one| lot(plan.seed, "order", &one.row));
    Ok(sample)
}

/// Marks the rows that are reviewed twice: a random part of the sample.
fn mark_twice(sample: &mut [SampledRow], plan: SamplePlan) {
    sample.sort_by_cached_key(|one| lot(plan.seed, "twice", &one.row));
    let wanted = (whole(sample.len()) * u64::from(plan.twice)).div_ceil(1_000);
    let wanted = usize::try_from(wanted).unwrap_or(usize::MAX);
    sample.iter_mut().take(wanted).for_each(|one| one.twice = true);
}

/// One of each stratum, and the others in proportion to what is left of each (largest remainder).
/// `rows` is at least the number of strata and at most the sum of the sizes.
fn in_proportion(sizes: &[usize], rows: usize) -> Vec<usize> {
    let left = whole(sizes.iter().sum::<usize>() - sizes.len());
    let more = whole(rows - sizes.len());
    let mut shares = vec![1; sizes.len()];
    if left == 0 {
        return shares;
    }
    let mut remainders: Vec<(u128, usize)> = Vec::with_capacity(sizes.len());
    let mut given = 0;
    for (at, size) in sizes.iter().enumerate() {
        let product = u128::from(more) * u128::from(whole(size - 1));
        let share = usize::try_from(product / u128::from(left)).unwrap_or(usize::MAX);
        shares[at] += share;
        given += share;
        remainders.push((product % u128::from(left), at));
    }
    remainders.sort_unstable_by_key(|one| std::cmp::Reverse(*one));
    let missing = (rows - sizes.len()).saturating_sub(given);
    remainders.iter().take(missing).for_each(|(_, at)| shares[*at] += 1);
    shares
}

/// Half of the sample from the wanted stratum, as far as it has so many. If the other one is too small,
/// the wanted one gives more.
fn half(strata: &BTreeMap<String, Vec<String>>, rows: usize) -> Vec<usize> {
    let size = |name: &str| strata.get(name).map_or(0, Vec::len);
    let wanted = size(WANTED).min(rows - size(OTHER).min(rows / 2));
    strata.keys().map(|name| if name == WANTED { wanted } else { rows - wanted }).collect()
}

/// What the seed draws for a row: an order that no other row changes.
fn lot(seed: u64, purpose: &str, id: &str) -> String {
    digest_of(&["review", purpose, &seed.to_string(), id])
}

fn whole(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
