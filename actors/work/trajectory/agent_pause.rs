//! The pause of an agent's programs while its workspace is measured or judged.
//!
//! ```text
//!  running ──freeze──► still ──work of the judge──► still ──the slot ends──► thaw ──► running
//! ```
//! The programs go on at the end of a slot and not when the judge has ended: the length of the pause
//! would tell them what judged code knows (`PauseSlot`). The pause is none of the agent's time, because
//! no stopwatch of the agent runs while the engine measures.

use crate::model::Fault;
use crate::policy::PauseSlot;
use crate::ports::Sandbox;
use tokio::time::{Instant, sleep};

/// A pause that has begun. If it is dropped, the programs stay where they are: the attempt ends.
pub(super) struct AgentPause {
    slot: PauseSlot,
    began: Instant,
}

impl AgentPause {
    /// Stops every program of the sandbox. Err as [`Sandbox::freeze`] says.
    pub(super) async fn begin(slot: PauseSlot, live: &mut dyn Sandbox) -> Result<Self, Fault> {
        let began = Instant::now();
        live.freeze().await?;
        Ok(Self { slot, began })
    }

    /// Waits for the end of the slot and lets the programs go on. Err as [`Sandbox::thaw`] says.
    pub(super) async fn end(self, live: &mut dyn Sandbox) -> Result<(), Fault> {
        let took = self.began.elapsed();
        sleep(self.slot.pause(took).saturating_sub(took)).await;
        live.thaw().await
    }
}
