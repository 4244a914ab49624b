//! `[quality.diversity]`: the floor below which the newest episodes must not fall.

use crate::config::campaign::raw_models::truth;
use crate::config::reading::reader::{ConfigReader, RawField};
use crate::config::reading::section::ConfigSection;
use crate::config::reading::source::Span;
use crate::config::reading::values::{ValueFault, thousandths, whole};
use synthd_actors::model::DiversityFloor;

/// The episodes of a window, if the file does not say it.
const WINDOW: u32 = 32;

/// The section as it was read.
pub(in crate::config) struct RawDiversity {
    /// The position of the section. None if the file has none.
    place: Option<Span>,
    window: RawField<u32>,
    distinct: RawField<u32>,
    vendi: RawField<u32>,
    pause: RawField<bool>,
}

impl RawDiversity {
    pub(in crate::config) fn read(mut section: ConfigSection<'_, '_>) -> Self {
        let raw = Self {
            place: section.given().then(|| section.place()),
            window: section.optional("window", whole(4..=256)),
            distinct: section.optional("distinct", thousandths(0.0..=1.0)),
            vendi: section.optional("vendi", thousandths(0.0..=1.0)),
            pause: section.optional("pause", truth),
        };
        section.finish();
        raw
    }

    /// Reports a section without a floor.
    pub(in crate::config) fn check(&self, reader: &ConfigReader) {
        let Some(place) = &self.place else { return };
        if self.distinct.is_absent() && self.vendi.is_absent() {
            let fault = ValueFault::new("`[quality.diversity]` has no floor");
            reader.value(place, fault.hint("add for example `vendi = 0.2` or `distinct = 0.1`"));
        }
    }

    /// The floor; none without the section.
    pub(in crate::config) fn floor(&self) -> Option<DiversityFloor> {
        self.place.as_ref().map(|_| DiversityFloor {
            window: self.window.clone().or(WINDOW),
            distinct: self.distinct.given().copied(),
            vendi: self.vendi.given().copied(),
            pauses: self.pause.clone().or(false),
        })
    }
}
