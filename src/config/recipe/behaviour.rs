//! The keys of stages that look at what an agent did.

use crate::config::campaign::validate::entries;
use crate::config::reading::reader::{ConfigReader, RawField};
use crate::config::reading::section::ConfigSection;
use crate::config::reading::values::{ValueFault, choice, some_text, text, thousandths, whole};
use synthd_actors::curation::stages::{
    HISTORY_TEMPLATES, LengthUnit, MeansKind, StageSettings, TextLanguage,
};

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

/// The keys of `length`. A bound must be there, and the bounds must leave something.
pub(super) fn length(section: &mut ConfigSection<'_, '_>, reader: &ConfigReader) -> StageSettings {
    let of = section.required("of", "\"steps\"", choice(&LengthUnit::ALL));
    let least = section.optional("least", whole(1..=1_000_000_000_u64));
    let most = section.optional("most", whole(1..=1_000_000_000_u64));
    match (&least, &most) {
        (RawField::Absent, RawField::Absent) if section.given() => {
            let fault = ValueFault::new("neither `least` nor `most` is set");
            reader.value(&section.place(), fault.hint("set one of them, such as `most = 100`"));
        }
        (RawField::Given(least, _), RawField::Given(most, span)) if least > most => {
            let fault = ValueFault::new("`most` is smaller than `least`");
            reader.value(span, fault.hint(format!("at least {least}")));
        }
        _ => {}
    }
    StageSettings::Length {
        of: of.or(LengthUnit::Steps),
        least: least.into_option(),
        most: most.into_option(),
    }
}

/// The keys of `language`.
pub(super) fn language(section: &mut ConfigSection<'_, '_>) -> StageSettings {
    let wanted = section.list("wanted", 1, choice(&TextLanguage::ALL));
    let share = section.optional("share", thousandths(0.001..=1.0));
    let letters = section.optional("letters", whole(1..=1_000_000_000));
    StageSettings::Language {
        wanted: entries(wanted, || vec![TextLanguage::En]),
        share: share.or(200),
        letters: letters.or(200),
    }
}
