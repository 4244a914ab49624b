//! The floor below which the newest rows of a campaign must not fall in diversity, and what was measured.

use serde::{Deserialize, Serialize};

/// `[quality.diversity]` of a campaign. Floors are in thousandths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiversityFloor {
    /// How many episodes are measured together.
    pub window: u32,
    /// The least share of different pairs of words among all pairs.
    pub distinct: Option<u32>,
    /// The least Vendi score as a share of the texts: 1 if all are entirely different.
    pub vendi: Option<u32>,
    /// Whether the campaign pauses below the floor. Otherwise it only says so.
    pub pauses: bool,
}

/// What was measured over one window of episodes that followed each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WindowDiversity {
    /// The texts that were compared.
    pub texts: u64,
    /// The length at which they were compared, in characters.
    pub length: u64,
    pub distinct: f64,
    pub vendi: f64,
}

/// The windows of a campaign that this process has measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DiversityCounts {
    pub windows: u64,
    /// Those below the floor.
    pub low: u64,
    pub newest: WindowDiversity,
}

impl DiversityFloor {
    /// What of a window is below the floor, for people. None if nothing is.
    pub fn shortfall(&self, found: &WindowDiversity) -> Option<String> {
        let figures = [
            ("distinct pairs of words", found.distinct, self.distinct),
            ("the Vendi share", found.vendi, self.vendi),
        ];
        let (what, value, floor) = figures.into_iter().find_map(|(what, value, floor)| {
            let floor = f64::from(floor?) / 1_000.0;
            (value < floor).then_some((what, value, floor))
        })?;
        Some(format!(
            "the newest {} episodes repeat each other: {what} {value:.3}, and the floor is {floor:.3}",
            found.texts
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_low_below_any_floor_that_is_stated() {
        let found = WindowDiversity { texts: 8, length: 100, distinct: 0.5, vendi: 0.25 };
        let floor = DiversityFloor { window: 8, distinct: None, vendi: None, pauses: false };
        assert_eq!(floor.shortfall(&found), None);
        assert_eq!(DiversityFloor { distinct: Some(500), ..floor }.shortfall(&found), None);
        let low = DiversityFloor { vendi: Some(251), ..floor }.shortfall(&found).unwrap();
        assert!(low.contains("Vendi share 0.250, and the floor is 0.251"), "{low}");
        let low = DiversityFloor { distinct: Some(600), ..floor }.shortfall(&found).unwrap();
        assert!(low.contains("newest 8 episodes") && low.contains("distinct"), "{low}");
    }
}
