//! The state machine of an attempt.
//!
//! ```text
//!  provisioning ─► replaying ─► acting ─► verifying ─► done
//!        │            │           │           │
//!        └────────────┴───────────┴───────────┴──► faulted   (no label; maybe another attempt)
//! ```

use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "phase")]
pub enum Phase {
    Provisioning,
    /// Running again what an interrupted attempt recorded.
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

impl Phase {
    /// Whether the machine above has an arrow from `self` to `next`.
    pub fn may_become(self, next: Self) -> bool {
        match (self, next) {
            (Self::Done | Self::Faulted, _) => false,
            (_, Self::Faulted)
            | (Self::Provisioning, Self::Replaying { .. } | Self::Acting { turn: 0 })
            | (Self::Acting { .. }, Self::Verifying)
            | (Self::Verifying, Self::Done)
            // A replay that differs starts over in another sandbox.
            | (Self::Replaying { .. }, Self::Provisioning) => true,
            (Self::Replaying { turn: a }, Self::Replaying { turn: b }) => b == a + 1,
            // The replay may have held the whole trajectory already.
            (Self::Replaying { turn: a }, Self::Acting { turn: b }) => b == a + 1,
            (Self::Replaying { .. }, Self::Verifying) => true,
            (Self::Acting { turn: a }, Self::Acting { turn: b }) => b == a + 1,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Phase;

    #[test]
    fn ends_are_ends() {
        let all = [
            Phase::Provisioning,
            Phase::Replaying { turn: 0 },
            Phase::Acting { turn: 0 },
            Phase::Verifying,
            Phase::Done,
            Phase::Faulted,
        ];
        for next in all {
            assert!(!Phase::Done.may_become(next));
            assert!(!Phase::Faulted.may_become(next));
        }
        assert!(!Phase::Provisioning.may_become(Phase::Done), "nothing is done unverified");
        assert!(!Phase::Acting { turn: 3 }.may_become(Phase::Done));
        assert!(!Phase::Acting { turn: 3 }.may_become(Phase::Acting { turn: 5 }));
    }
}
