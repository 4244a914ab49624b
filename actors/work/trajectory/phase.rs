//! The state machine of an attempt.
//!
//! ```text
//!  provisioning ─► replaying ─► acting ─► verifying ─► done
//!        │            │           │           │
//!        └────────────┴───────────┴───────────┴──► faulted   (no label; maybe another attempt)
//! ```
//! Provisioning may go straight to acting. A replay that has the whole trajectory may go straight
//! to verifying. Turns count up one by one.

use serde::{Deserialize, Serialize};

/// What an attempt does now. `turn` is the index of the turn, from zero. As JSON, for example
/// `{"phase":"acting","turn":3}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "phase")]
pub enum AttemptPhase {
    Provisioning,
    /// Runs the recorded turns of an earlier attempt again.
    Replaying {
        turn: u32,
    },
    Acting {
        turn: u32,
    },
    Verifying,
    Done,
    Faulted,
}

impl AttemptPhase {
    /// Whether the state machine above has an arrow from `self` to `next`.
    pub fn may_become(self, next: Self) -> bool {
        match (self, next) {
            (Self::Done | Self::Faulted, _) => false,
            (_, Self::Faulted)
            | (Self::Provisioning, Self::Replaying { turn: 0 } | Self::Acting { turn: 0 })
            | (Self::Replaying { .. } | Self::Acting { .. }, Self::Verifying)
            | (Self::Verifying, Self::Done) => true,
            (
                Self::Replaying { turn: a },
                Self::Replaying { turn: b } | Self::Acting { turn: b },
            )
            | (Self::Acting { turn: a }, Self::Acting { turn: b }) => a.checked_add(1) == Some(b),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::AttemptPhase;

    #[test]
    fn ends_are_ends() {
        let all = [
            AttemptPhase::Provisioning,
            AttemptPhase::Replaying { turn: 0 },
            AttemptPhase::Acting { turn: 0 },
            AttemptPhase::Verifying,
            AttemptPhase::Done,
            AttemptPhase::Faulted,
        ];
        for next in all {
            assert!(!AttemptPhase::Done.may_become(next));
            assert!(!AttemptPhase::Faulted.may_become(next));
        }
        assert!(
            !AttemptPhase::Provisioning.may_become(AttemptPhase::Done),
            "nothing is done unverified"
        );
        assert!(!AttemptPhase::Acting { turn: 3 }.may_become(AttemptPhase::Done));
        assert!(!AttemptPhase::Acting { turn: 3 }.may_become(AttemptPhase::Acting { turn: 5 }));
    }

    /// Every arrow there is, written down a second time.
    #[test]
    fn no_other_arrow_exists() {
        let turns = 0..4_u32;
        let all: Vec<AttemptPhase> = turns
            .flat_map(|turn| [AttemptPhase::Replaying { turn }, AttemptPhase::Acting { turn }])
            .chain([
                AttemptPhase::Provisioning,
                AttemptPhase::Verifying,
                AttemptPhase::Done,
                AttemptPhase::Faulted,
            ])
            .collect();
        for from in &all {
            for to in &all {
                assert_eq!(from.may_become(*to), arrows(*from).contains(to), "{from:?} {to:?}");
            }
        }
    }

    fn arrows(from: AttemptPhase) -> Vec<AttemptPhase> {
        use AttemptPhase::{Acting, Done, Faulted, Provisioning, Replaying, Verifying};
        match from {
            Provisioning => vec![Replaying { turn: 0 }, Acting { turn: 0 }, Faulted],
            Replaying { turn } => {
                let turn = turn + 1;
                vec![Replaying { turn }, Acting { turn }, Verifying, Faulted]
            }
            Acting { turn } => vec![Acting { turn: turn + 1 }, Verifying, Faulted],
            Verifying => vec![Done, Faulted],
            Done | Faulted => Vec::new(),
        }
    }
}
