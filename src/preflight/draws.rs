//! Finds shares in `[tasks.shares]` that no selected template can have, and shares that leave no
//! template at all.

use crate::error::{Code, Error};
use crate::word_suggestion::one_of;
use synthd_actors::model::{CampaignConfig, DrawAspect, DrawRule};
use synthd_actors::policy::draw::{DrawCandidate, ShareDraw};
use synthd_actors::task::Catalog;
use synthd_actors::work::trajectory::draw_candidates;

/// One finding for each stated share of a value that no selected template has, and one if nothing can
/// be drawn.
pub(super) fn undrawable(catalog: &Catalog, config: &CampaignConfig) -> Vec<Error> {
    let tasks = &config.tasks;
    let selected = catalog.select(&tasks.templates, &tasks.exclude);
    // Without a template, there is a finding already.
    if tasks.draw.rule != DrawRule::Shares || selected.is_empty() {
        return Vec::new();
    }
    let candidates = draw_candidates(&selected);
    let stated = tasks.draw.shares.iter().flat_map(|(aspect, shares)| {
        let some = shares.iter().filter(|(_, share)| **share > 0);
        some.map(move |(value, _)| (*aspect, value.as_str()))
    });
    let findings: Vec<Error> =
        stated.filter_map(|(aspect, value)| lost(aspect, value, &candidates)).collect();
    let is_empty = ShareDraw::new(&tasks.draw, config.seed, &candidates).draw().is_none();
    match findings.is_empty() && is_empty {
        true => vec![nothing_drawn()],
        false => findings,
    }
}

/// The finding for a share of a value that no template has.
fn lost(aspect: DrawAspect, value: &str, candidates: &[DrawCandidate]) -> Option<Error> {
    let mut known: Vec<&str> =
        candidates.iter().flat_map(|candidate| candidate.values(aspect)).collect();
    known.sort_unstable();
    known.dedup();
    let aspect = aspect.as_str();
    let what = format!("[tasks.shares] {aspect}: no selected template has {value:?}");
    (!known.contains(&value))
        .then(|| Error::new(Code::GlobUnmatched, what).hint(one_of(value, &known)))
}

/// The finding for shares that exclude every template.
fn nothing_drawn() -> Error {
    Error::new(Code::NothingToRun, "[tasks.shares] excludes every selected template")
        .hint("a share of 0 leaves a value out, and so do other shares that add up to 1")
}
