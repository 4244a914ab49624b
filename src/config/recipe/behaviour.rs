//! The keys of stages that look at what an agent did.

use crate::config::campaign::validate::entries;
use crate::config::reading::section::ConfigSection;
use crate::config::reading::values::{choice, some_text, text, whole};
use synthd_actors::curation::stages::{HISTORY_TEMPLATES, MeansKind, StageSettings};

/// The keys of `stalls`.
pub(super) fn stalls(section: &mut ConfigSection<'_, '_>) -> StageSettings {
    let length = section.optional("length", whole(2..=1_000));
    let window = section.optional("window", whole(2..=200));
    StageSettings::Stalls { length: length.or(3), window: window.or(12) }
}

/// The keys of `error-spirals`.
pub(super) fn error_spirals(section: &mut ConfigSection<'_, '_>) -> StageSettings {
    let length = section.optional("length", whole(2..=1_000));
    StageSettings::ErrorSpirals { length: length.or(4) }
}

/// The keys of `idle`.
pub(super) fn idle(section: &mut ConfigSection<'_, '_>) -> StageSettings {
    let steps = section.optional("steps", whole(0..=1_000));
    StageSettings::Idle { steps: steps.or(1) }
}

/// The keys of `late-actions`.
pub(super) fn late_actions(section: &mut ConfigSection<'_, '_>) -> StageSettings {
    let trailing = section.optional("trailing", whole(0..=10_000));
    StageSettings::LateActions { trailing: trailing.or(5) }
}

/// The keys of `forbidden-means`.
pub(super) fn forbidden_means(section: &mut ConfigSection<'_, '_>) -> StageSettings {
    let kinds = section.list("kinds", 1, choice(&MeansKind::ALL));
    let history = section.list("history", 0, text(some_text));
    StageSettings::ForbiddenMeans {
        kinds: entries(kinds, || MeansKind::USUAL.to_vec()),
        history: entries(history, || HISTORY_TEMPLATES.map(str::to_owned).to_vec()),
    }
}
