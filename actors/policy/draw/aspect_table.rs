//! The values of one aspect in a draw: how many tasks of each were drawn, how many there should be,
//! and how many there may be.

use super::candidate::DrawCandidate;
use crate::model::{DrawAspect, TaskDraw, WHOLE_SHARE};
use std::collections::BTreeMap;

/// A share of one in the units of targets. Shares are thousandths; what is left of them is divided
/// among other values, so targets are finer.
const WHOLE: i128 = 1_000_000_000;
/// The units of targets in a thousandth.
const THOUSANDTH: i128 = WHOLE / WHOLE_SHARE as i128;

/// One line of the table of shares: a value of an aspect with what it should have and has.
#[derive(Clone, Debug, PartialEq)]
pub struct ShareLine {
    pub aspect: DrawAspect,
    pub value: String,
    /// The share that it should have, as a part of one. None if the aspect gets no shares.
    pub target: Option<f64>,
    pub tasks: u64,
    /// Whether it has more tasks than its cap allows, because the other templates were not enough.
    pub is_above_cap: bool,
}

/// The values of one aspect with their counts.
#[derive(Clone, Debug)]
pub(super) struct AspectTable {
    aspect: DrawAspect,
    /// The values, sorted.
    values: Vec<String>,
    /// The values of each candidate, as places in `values`.
    of: Vec<Vec<usize>>,
    /// The share that each value should have. None for a value that gets none.
    targets: Vec<Option<i128>>,
    /// Whether the campaign states shares of the aspect.
    pub(super) is_stated: bool,
    /// The thousandths that each value may have.
    caps: Vec<Option<u32>>,
    /// Whether the campaign states the caps.
    pub(super) has_stated_caps: bool,
    /// The tasks that were drawn of each value.
    counts: Vec<u64>,
}

impl AspectTable {
    /// The table of an aspect. None if the aspect has neither shares nor a cap, so that it does not
    /// matter.
    pub(super) fn new(
        aspect: DrawAspect,
        draw: &TaskDraw,
        steers: bool,
        candidates: &[DrawCandidate],
    ) -> Option<Self> {
        if !draw.minds(aspect) {
            return None;
        }
        let mut values: Vec<String> = candidates
            .iter()
            .flat_map(|candidate| candidate.values(aspect))
            .map(str::to_owned)
            .collect();
        values.sort();
        values.dedup();
        let place = |value: &str| values.binary_search_by(|known| known.as_str().cmp(value)).ok();
        let places = |one: &DrawCandidate| -> Vec<usize> {
            one.values(aspect).into_iter().filter_map(place).collect()
        };
        let of: Vec<Vec<usize>> = candidates.iter().map(places).collect();
        let targets = match steers {
            true => targets(aspect, draw, &values, &of),
            false => vec![None; values.len()],
        };
        let (is_stated, has_stated_caps) =
            (steers && draw.shares.contains_key(&aspect), draw.states_cap(aspect));
        let (caps, counts) = (caps(aspect, draw, &values), vec![0; values.len()]);
        Some(Self { aspect, values, of, targets, is_stated, caps, has_stated_caps, counts })
    }

    /// Counts a drawn task.
    pub(super) fn count(&mut self, candidate: usize) {
        for value in &self.of[candidate] {
            self.counts[*value] += 1;
        }
    }

    /// Whether a candidate has a value that must have no tasks: its share is zero.
    pub(super) fn excludes(&self, candidate: usize, draw: &TaskDraw) -> bool {
        let is_out = |value: &usize| {
            let share = draw.share(self.aspect, &self.values[*value]);
            // A value that is not named has no share if the named ones have all. A task has several
            // skills, so their shares leave no rest.
            let is_rest = share.is_none() && self.aspect != DrawAspect::Skill;
            share == Some(0) || (is_rest && self.targets[*value] == Some(0))
        };
        self.of[candidate].iter().any(is_out)
    }

    /// How much the candidate's values lack, if one more task is drawn after `drawn`. A candidate
    /// with several values counts with their mean. Values that get no share lack nothing.
    pub(super) fn lack(&self, candidate: usize, drawn: u64) -> i128 {
        let of = &self.of[candidate];
        let lack = |value: &usize| {
            let target = self.targets[*value]?;
            Some(target * i128::from(drawn + 1) - i128::from(self.counts[*value]) * WHOLE)
        };
        of.iter().filter_map(lack).sum::<i128>() / (of.len().max(1) as i128)
    }

    /// By how many tasks the candidate would bring one of its values above its cap, if it is drawn
    /// after `drawn`. A cap is rounded up to a whole task.
    pub(super) fn excess(&self, candidate: usize, drawn: u64) -> u64 {
        let excess = |value: &usize| {
            let Some(cap) = self.caps[*value] else { return 0 };
            let most = (u64::from(cap) * (drawn + 1)).div_ceil(u64::from(WHOLE_SHARE));
            (self.counts[*value] + 1).saturating_sub(most)
        };
        self.of[candidate].iter().map(excess).max().unwrap_or(0)
    }

    /// The lines of a report: each value with what it should have and has of `drawn` tasks.
    pub(super) fn lines(&self, draw: &TaskDraw, drawn: u64) -> Vec<ShareLine> {
        let line = |(at, value): (usize, &String)| {
            let tasks = self.counts[at];
            let most = |cap: u32| (u64::from(cap) * drawn).div_ceil(u64::from(WHOLE_SHARE));
            ShareLine {
                aspect: self.aspect,
                value: value.clone(),
                target: self.targets[at].map(|target| target as f64 / WHOLE as f64),
                tasks,
                is_above_cap: draw.cap(self.aspect, value).is_some_and(|cap| tasks > most(cap)),
            }
        };
        self.values.iter().enumerate().map(line).collect()
    }
}

/// The share of each value: its stated share, or an equal part of what the stated shares leave. If
/// every value has a stated share, they are scaled, so that nothing is left. A task has several skills:
/// a skill that is not named gets a share only if the campaign draws by skill.
fn targets(
    aspect: DrawAspect,
    draw: &TaskDraw,
    values: &[String],
    of: &[Vec<usize>],
) -> Vec<Option<i128>> {
    let share = |value: &String| draw.share(aspect, value).map(i128::from);
    let stated: i128 = values.iter().filter_map(share).sum();
    let open = values.iter().filter(|value| share(value).is_none()).count();
    // The shares of skills add up to the mean number of skills, all others to one.
    let all: usize = of.iter().map(Vec::len).sum();
    let whole = all as i128 * WHOLE / (of.len().max(1) as i128);
    // Shares that add up to everything leave nothing to values without one, also where a value that
    // has a share is not there.
    let named = draw.shares.get(&aspect).into_iter().flat_map(BTreeMap::values);
    let named: i128 = named.map(|share| i128::from(*share)).sum();
    let is_full = aspect != DrawAspect::Skill && named >= i128::from(WHOLE_SHARE);
    let left = if is_full { 0 } else { whole - stated * THOUSANDTH };
    let rest = left.max(0) / (open.max(1) as i128);
    let rest = (aspect != DrawAspect::Skill || draw.by.contains(&aspect)).then_some(rest);
    let is_scaled = (open == 0 || is_full) && aspect != DrawAspect::Skill && stated > 0;
    let target = |share: i128| match is_scaled {
        true => share * WHOLE / stated,
        false => share * THOUSANDTH,
    };
    values.iter().map(|value| share(value).map(target).or(rest)).collect()
}

/// The caps of values. None if all of them together are less than everything: caps that cannot hold
/// would only make every value equal.
fn caps(aspect: DrawAspect, draw: &TaskDraw, values: &[String]) -> Vec<Option<u32>> {
    let caps: Vec<Option<u32>> = values.iter().map(|value| draw.cap(aspect, value)).collect();
    let sum: u64 = caps.iter().map(|cap| u64::from(cap.unwrap_or(WHOLE_SHARE))).sum();
    if sum < u64::from(WHOLE_SHARE) { vec![None; values.len()] } else { caps }
}
