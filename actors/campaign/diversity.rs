//! Watches the diversity of the newest episodes. Each full window is measured on a worker thread. Below the floor
//! the campaign says so, and pauses if its file says so. A restart begins with an empty window.
//!
//! ```text
//!  filling ──episode──► full ──measured──► filling
//!                                  └── below the floor: alarm, perhaps a pause
//! ```

use super::actor::CampaignActor;
use crate::curation::{window_diversity, written_text};
use crate::model::{CampaignState, DiversityFloor, Turn, WindowDiversity};
use actix::Context;

/// The window that is being filled.
pub(super) struct DiversityWatch {
    floor: DiversityFloor,
    /// What the models wrote in its episodes.
    texts: Vec<String>,
}

impl DiversityWatch {
    pub(super) fn new(floor: DiversityFloor) -> Self {
        Self { floor, texts: Vec::new() }
    }

    /// Adds an episode. A full window is returned, and the next one begins.
    fn add(&mut self, turns: &[Turn]) -> Option<Vec<String>> {
        self.texts.push(written_text(turns));
        let is_full = self.texts.len() >= usize::try_from(self.floor.window).unwrap_or(usize::MAX);
        is_full.then(|| std::mem::take(&mut self.texts))
    }
}

impl CampaignActor {
    /// Adds an episode that has ended to the window, and has a full window measured.
    pub(super) fn watch_diversity(&mut self, turns: &[Turn], ctx: &mut Context<Self>) {
        let Some(window) = self.diversity.as_mut().and_then(|watch| watch.add(turns)) else {
            return;
        };
        self.writing += 1;
        let measuring = tokio::task::spawn_blocking(move || window_diversity(&window));
        self.when(ctx, measuring, |measured, this, ctx| {
            this.writing -= 1;
            match measured {
                Ok(found) => found.iter().for_each(|found| this.judge_window(found)),
                Err(error) => tracing::warn!(%error, "a window was not measured"),
            }
            this.admit(ctx);
        });
    }

    /// Counts a window, and holds it against the floor.
    fn judge_window(&mut self, found: &WindowDiversity) {
        let Some(floor) = self.diversity.as_ref().map(|watch| watch.floor) else { return };
        let shortfall = floor.shortfall(found);
        self.update_progress(|p| {
            let counts = p.diversity.get_or_insert_default();
            counts.windows += 1;
            counts.low += u64::from(shortfall.is_some());
            counts.newest = *found;
        });
        let Some(why) = shortfall else { return };
        tracing::warn!(campaign = %self.config.name, why, "the diversity is below the floor");
        if floor.pauses && self.state() == CampaignState::Running && !self.publishing {
            // Nobody waits for a client to resume it, as after a fault, but there is no fault.
            self.update_progress(|p| {
                p.state = CampaignState::Paused;
                p.reason = Some(why);
                p.escalated = true;
            });
        }
    }
}
