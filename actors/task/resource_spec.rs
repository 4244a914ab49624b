//! What a template states of its sandboxes and of its time (`resources`), and how amounts are
//! written.

use super::template_error::TemplateProblem;
use crate::model::TaskResources;
use serde::Deserialize;
use std::time::Duration;

/// The only network that a template may state.
const NO_NETWORK: &str = "none";
/// The least memory and disk that a campaign can grant.
const LEAST_MEMORY: u64 = 16 << 20;
const LEAST_DISK: u64 = 1 << 20;
/// The longest time that a campaign can grant.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 60 * 60);
const SIZE_UNITS: [(&str, u64); 4] =
    [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40)];
const TIME_UNITS: [(&str, u64); 4] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)];
const SIZE_HINT: &str = "write a whole number and a unit, such as 256MiB";
const TIME_HINT: &str = "write a whole number and a unit, such as 10s or 20m";

/// What each sandbox of a task has, and how long an episode takes (@2). A campaign that grants less
/// does not begin.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Resources")]
pub struct ResourceSpec {
    /// Only `none`: the sandboxes of a task have no network.
    pub network: Option<String>,
    /// Memory of all processes, such as `256MiB`.
    pub memory: Option<String>,
    /// Room of the workspace, such as `512MiB`.
    pub disk: Option<String>,
    /// Wall time of an episode, such as `20m`.
    pub time: Option<String>,
}

impl ResourceSpec {
    /// The resources as numbers. What cannot be read counts as not stated; [`Self::problems`] tells
    /// of it.
    pub(super) fn resources(&self) -> TaskResources {
        let size = |text: &Option<String>| size(text.as_deref()?);
        let time = self.time.as_deref().and_then(time);
        TaskResources { memory_bytes: size(&self.memory), disk_bytes: size(&self.disk), time }
    }

    /// Every mistake, below the field of the resources.
    pub(super) fn problems(&self) -> Vec<TemplateProblem> {
        let resources = self.resources();
        let network = self.network.as_deref().filter(|network| *network != NO_NETWORK);
        let network = network.map(|network| {
            let message =
                format!("{network:?}; only `{NO_NETWORK}` is possible: a task has no network");
            TemplateProblem::at("network", message)
        });
        let least = |bytes: &u64, least: u64| *bytes >= least;
        let memory = resources.memory_bytes.filter(|bytes| least(bytes, LEAST_MEMORY));
        let disk = resources.disk_bytes.filter(|bytes| least(bytes, LEAST_DISK));
        let time = resources.time.filter(|time| (Duration::from_secs(1)..=LONGEST).contains(time));
        let amounts = [
            ("memory", &self.memory, memory.is_some(), SIZE_HINT, "at least 16MiB"),
            ("disk", &self.disk, disk.is_some(), SIZE_HINT, "at least 1MiB"),
            ("time", &self.time, time.is_some(), TIME_HINT, "from 1s to 168h"),
        ];
        let wrong = amounts.into_iter().filter_map(|(field, text, is_right, hint, range)| {
            let text = text.as_ref().filter(|_| !is_right)?;
            Some(TemplateProblem::at(field, format!("{text:?}; {hint}, {range}")))
        });
        network.into_iter().chain(wrong).collect()
    }
}

/// A number of bytes, such as `256MiB`. None: it is not written like that, or too large.
fn size(text: &str) -> Option<u64> {
    amount(text, &SIZE_UNITS)
}

/// A time, such as `10s`. None: it is not written like that, or too long.
pub(super) fn time(text: &str) -> Option<Duration> {
    amount(text, &TIME_UNITS).map(Duration::from_millis)
}

/// A whole number with one of the units.
fn amount(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let text = text.trim();
    let digits = text.find(|letter: char| !letter.is_ascii_digit())?;
    let (count, unit) = text.split_at(digits);
    let (_, scale) = units.iter().find(|(name, _)| *name == unit.trim_start())?;
    count.parse::<u64>().ok()?.checked_mul(*scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_have_a_number_and_a_unit() {
        for (text, bytes) in [("256MiB", 256 << 20), ("1 GiB", 1 << 30), ("64KiB", 64 << 10)] {
            assert_eq!(size(text), Some(bytes), "{text}");
        }
        for text in ["", "MiB", "256", "256MB", "1.5GiB", "-1MiB", "99999999999999TiB"] {
            assert_eq!(size(text), None, "{text}");
        }
        for (text, millis) in
            [("10s", 10_000), ("20m", 1_200_000), ("500ms", 500), ("1h", 3_600_000)]
        {
            assert_eq!(time(text), Some(Duration::from_millis(millis)), "{text}");
        }
        for text in ["10", "1h30m", "s", "10 seconds"] {
            assert_eq!(time(text), None, "{text}");
        }
    }
}
