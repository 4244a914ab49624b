//! The keys of stages that find passages: what is allowed, and names to look for.

use crate::config::campaign::validate::entries;
use crate::config::reading::section::ConfigSection;
use crate::config::reading::values::{ValueFault, ValueResult, some_text, text};
use synthd_actors::curation::stages::{SHORTEST_NAME, StageSettings, check_allowed};

/// The keys of `secrets`.
pub(super) fn secrets(section: &mut ConfigSection<'_, '_>) -> StageSettings {
    StageSettings::Secrets { allow: allow(section) }
}

/// The keys of `personal-data`.
pub(super) fn personal_data(section: &mut ConfigSection<'_, '_>) -> StageSettings {
    StageSettings::PersonalData { names: names(section), allow: allow(section) }
}

/// The keys of `host-leaks`.
pub(super) fn host_leaks(section: &mut ConfigSection<'_, '_>) -> StageSettings {
    StageSettings::HostLeaks { names: names(section), allow: allow(section) }
}

/// The keys of `identity`.
pub(super) fn identity(section: &mut ConfigSection<'_, '_>) -> StageSettings {
    StageSettings::Identity { names: names(section), allow: allow(section) }
}

/// `allow`: texts, and regular expressions behind `re:`.
fn allow(section: &mut ConfigSection<'_, '_>) -> Vec<String> {
    entries(section.list("allow", 0, text(allowed)), Vec::new)
}

/// `names`: what is looked for besides.
fn names(section: &mut ConfigSection<'_, '_>) -> Vec<String> {
    entries(section.list("names", 0, text(name)), Vec::new)
}

fn allowed(entry: &str) -> ValueResult<()> {
    some_text(entry)?;
    check_allowed(entry).map_err(|error| {
        // The last line says what is wrong; those above show where.
        let reason = error.lines().last().unwrap_or_default().trim_start_matches("error: ");
        ValueFault::new(format!("not a regular expression: {reason}"))
            .hint("escape the characters that have a meaning, or leave out `re:` for a text")
    })
}

fn name(entry: &str) -> ValueResult<()> {
    some_text(entry)?;
    if entry.len() < SHORTEST_NAME {
        let fault = ValueFault::new(format!("a name of fewer than {SHORTEST_NAME} bytes"));
        return Err(fault.hint("it would be found in many words; leave it out"));
    }
    Ok(())
}
