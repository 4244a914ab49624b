//! Compares the turns that templates expect with those that an episode may take. An agent that is good
//! but careful may be cut off, so people are told. It keeps nothing from beginning.

use synthd_actors::model::CampaignConfig;
use synthd_actors::task::Catalog;

/// A template is told if it may take so many times the turns of an episode.
const TIMES: u32 = 2;

/// A line about the selected templates that may take far more turns than an episode has. None if there
/// is none.
pub(super) fn cut_short(catalog: &Catalog, config: &CampaignConfig) -> Option<String> {
    let most = config.episode.max_turns;
    let selected = catalog.select(&config.tasks.templates, &config.tasks.exclude);
    let longer = |turns: u32| turns > most.saturating_mul(TIMES);
    let long: Vec<(&str, u32)> = selected
        .iter()
        .map(|template| (template.id.as_str(), template.current_steps().max))
        .filter(|(_, turns)| longer(*turns))
        .collect();
    let (longest, turns) =
        long.iter().max_by_key(|(id, turns)| (*turns, std::cmp::Reverse(*id)))?;
    let noun = if long.len() == 1 { "template expects" } else { "templates expect" };
    Some(format!(
        "{} {noun} more than {TIMES} times the turns of an episode, such as {longest} with up to {turns}; raise \
         [episode] max_turns = {most}, or leave them out with [tasks] exclude",
        long.len()
    ))
}
