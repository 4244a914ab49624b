//! How a sketch is cut into bands. Two rows are compared if all values of one band are equal, so
//! the bands decide which pairs are missed. They are chosen from the threshold.

/// The share of pairs at the threshold that are compared, at least. Pairs above it are missed less often.
pub(super) const RECALL: f64 = 0.995;
/// The most values of a sketch.
pub(super) const MOST_VALUES: u32 = 256;

/// The form of a sketch: so many bands of so many values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SketchBands {
    pub(super) bands: u32,
    /// The values of a band.
    pub(super) values: u32,
}

impl SketchBands {
    /// The widest bands that still find enough: the wider a band is, the fewer unlike rows are compared.
    /// The threshold is in thousandths.
    pub(super) fn of(threshold: u32) -> Self {
        let alike = f64::from(threshold.clamp(1, 1_000)) / 1_000.0;
        let widths = (1..=MOST_VALUES).rev();
        let mut forms = widths.map(|values| Self { bands: MOST_VALUES / values, values });
        let found = forms.find(|form| form.recall(alike) >= RECALL);
        let mut form = found.unwrap_or(Self { bands: MOST_VALUES, values: 1 });
        while form.bands > 1 && (Self { bands: form.bands - 1, ..form }).recall(alike) >= RECALL {
            form.bands -= 1;
        }
        form
    }

    /// The share of pairs of this similarity that are compared.
    pub(super) fn recall(self, alike: f64) -> f64 {
        let band = alike.powf(f64::from(self.values));
        1.0 - (1.0 - band).powf(f64::from(self.bands))
    }

    /// How many values a sketch has.
    pub(super) fn sketch(self) -> usize {
        (self.bands * self.values) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bands_find_enough_at_every_threshold() {
        for threshold in 300..=1_000 {
            let (form, alike) = (SketchBands::of(threshold), f64::from(threshold) / 1_000.0);
            assert!(form.recall(alike) >= RECALL, "{threshold}: {form:?}");
            assert!(form.sketch() <= MOST_VALUES as usize, "{threshold}: {form:?}");
            // A wider band would find too little with as many values.
            let values = form.values + 1;
            let wider = SketchBands { bands: MOST_VALUES / values, values };
            assert!(wider.bands == 0 || wider.recall(alike) < RECALL, "{threshold}: {form:?}");
        }
        assert_eq!(SketchBands::of(800), SketchBands { bands: 29, values: 8 });
        assert_eq!(SketchBands::of(1_000), SketchBands { bands: 1, values: 256 });
    }
}
