//! How long the programs of an agent stand still while their work is judged.

use std::time::Duration;

/// The shortest pause. An ordinary measurement takes about as long.
const SHORTEST: Duration = Duration::from_millis(100);

/// Makes pauses coarse: a pause lasts one slot, or two, four, eight, and so on.
///
/// Judged programs can sleep, and the programs of the agent see on a clock how long they stood still. So
/// a pause tells what judged programs know, at most the bits of its number of slots. For example, with
/// slots of 100 ms, pauses up to 100 s have eleven lengths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PauseSlot(Duration);

impl PauseSlot {
    /// A pause lasts as long as its work. For where no agent goes on after it.
    pub const NONE: Self = Self(Duration::ZERO);

    /// Slots of this length.
    pub const fn new(shortest: Duration) -> Self {
        Self(shortest)
    }

    /// How long the pause is for work that took so long.
    pub fn pause(self, took: Duration) -> Duration {
        let mut pause = self.0;
        while pause < took && !pause.is_zero() {
            pause = pause.saturating_mul(2);
        }
        pause.max(took)
    }
}

impl Default for PauseSlot {
    fn default() -> Self {
        Self(SHORTEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_a_doubled_slot_that_covers_its_work() {
        let ms = Duration::from_millis;
        let slot = PauseSlot::new(ms(100));
        for (took, pause) in
            [(0, 100), (1, 100), (100, 100), (101, 200), (201, 400), (5_000, 6_400)]
        {
            assert_eq!(slot.pause(ms(took)), ms(pause), "{took}");
        }
        assert_eq!(slot.pause(Duration::MAX), Duration::MAX);
        assert_eq!(PauseSlot::NONE.pause(ms(7)), ms(7));
    }

    /// What a pause can tell: its length is one of a few.
    #[test]
    fn pauses_of_a_minute_have_few_lengths() {
        let slot = PauseSlot::default();
        let all = (0..60_000).map(|took| slot.pause(Duration::from_millis(took)));
        assert_eq!(all.collect::<std::collections::BTreeSet<_>>().len(), 11);
    }
}
