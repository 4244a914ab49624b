//! Finds shares in `[tasks.shares]` that no selected template can have, and shares that leave no
//! template at all, or none that this host can run.

use super::listed;
use crate::error::{Code, Error};
use crate::word_suggestion::one_of;
use std::sync::Arc;
use synthd_actors::model::{CampaignConfig, DrawAspect, DrawRule};
use synthd_actors::policy::draw::{DrawCandidate, ShareDraw};
use synthd_actors::task::{Catalog, Template};
use synthd_actors::work::SkippedTemplate;
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

/// The finding for shares that leave none of the templates that this host can run. None if something
/// can be drawn, and if the shares exclude every selected template, which is a finding already.
pub(super) fn undrawable_here(
    runnable: &[Arc<Template>],
    skipped: &[SkippedTemplate],
    config: &CampaignConfig,
) -> Option<Error> {
    let draw = &config.tasks.draw;
    if draw.rule != DrawRule::Shares || skipped.is_empty() {
        return None;
    }
    let candidates = draw_candidates(runnable);
    let first = ShareDraw::new(draw, config.seed, &candidates).draw();
    first.is_none().then(|| nothing_to_draw(skipped))
}

/// The error for shares that leave no template that this host can run. It lists the reason for each
/// template that it cannot run.
pub fn nothing_to_draw(skipped: &[SkippedTemplate]) -> Error {
    let listed = listed(skipped);
    let what = format!("[tasks.shares] leaves no template that this host can run{listed}");
    Error::new(Code::NothingToRun, what)
        .hint("install the missing programs, or give a share to values of other templates")
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
