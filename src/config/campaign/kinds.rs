//! `[campaign] kind`: which sections and keys belong to which kind of work. A section that has no
//! meaning for the campaign's kind is a mistake, because somebody expects something of it.

use crate::config::campaign::raw::{RawCampaign, RawQuality};
use crate::config::reading::reader::ConfigReader;
use crate::config::reading::source::Span;
use crate::config::reading::values::ValueFault;
use synthd_actors::model::{ModelAssignment, WorkName};

/// The words of `[campaign] kind`.
pub(in crate::config) const KINDS: [(&str, WorkName); 2] = [
    (WorkName::Trajectories.as_str(), WorkName::Trajectories),
    (WorkName::Completions.as_str(), WorkName::Completions),
];

/// The sections that only trajectories have. `agents`, `prompts` and `networks` are read apart.
pub(in crate::config) const OF_TRAJECTORIES: [&str; 4] =
    ["tasks", "scaffolds", "sandbox", "episode"];
/// The section that only completions have.
pub(in crate::config) const OF_COMPLETIONS: &str = "completions";

/// Reports sections and keys that have no meaning for the kind of the campaign.
pub(in crate::config) fn check(raw: &RawCampaign, reader: &ConfigReader) {
    match raw.kind() {
        _ if raw.is_of_no_kind() => {}
        WorkName::Trajectories => of_trajectories(raw, reader),
        WorkName::Completions => of_completions(raw, reader),
    }
}

/// Nothing of completions may be in a campaign of trajectories.
fn of_trajectories(raw: &RawCampaign, reader: &ConfigReader) {
    for (_, span) in raw.present.iter().filter(|(name, _)| *name == OF_COMPLETIONS) {
        let fault = ValueFault::new("`[completions]` needs `kind = \"completions\"`");
        reader.value(span, fault.hint("write it in [campaign], and remove [tasks]"));
    }
    if let Some(span) = raw.quality.refusal.span() {
        let fault = ValueFault::new("`refusal` is a stage of completions only");
        let hint = "a trajectory whose model declined has the label \"stop:refused\"";
        reader.value(span, fault.hint(hint));
    }
}

/// Nothing of trajectories may be in a campaign of completions.
fn of_completions(raw: &RawCampaign, reader: &ConfigReader) {
    let sections = raw.present.iter().filter(|(name, _)| *name != OF_COMPLETIONS);
    let sections = sections.map(|(name, span)| (*name, span));
    let agents = raw.agents.iter().map(|agent| ("agents", agent.place()));
    let prompts = raw.prompts.iter().map(|prompts| ("prompts", &prompts.place));
    let networks = raw.networks.iter().map(|(_, span, _)| ("networks", span));
    for (name, span) in sections.chain(agents).chain(prompts).chain(networks) {
        let fault = ValueFault::new(format!("`[{name}]` has no meaning for completions"));
        reader.value(span, fault.hint("remove it: completions have no tasks and no sandboxes"));
    }
    for (key, span) in stages_of_trajectories(&raw.quality) {
        let fault = ValueFault::new(format!("`{key}` has no meaning for completions"));
        reader.value(span, fault.hint("their stages are format, truncation, refusal, duplicates"));
    }
    if let (Some(ModelAssignment::Difficulty), Some(span)) =
        (raw.routing.assign.given(), raw.routing.assign.span())
    {
        let fault = ValueFault::new("prompts have no difficulty");
        reader.value(span, fault.hint("choose another rule, such as \"cross\""));
    }
}

/// The keys of `[quality]` that only trajectories have, where the file sets them.
fn stages_of_trajectories(raw: &RawQuality) -> impl Iterator<Item = (&'static str, &Span)> {
    let keys = [
        ("leak", raw.leak.span()),
        ("tampering", raw.tampering.span()),
        ("loops", raw.loops.span()),
        ("unresolved", raw.unresolved.span()),
        ("loop_length", raw.loop_length.span()),
    ];
    keys.into_iter().filter_map(|(key, span)| Some((key, span?)))
}
