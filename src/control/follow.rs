//! Follows a campaign to its end, for `watch`. The client gets only the newest progress. A client
//! that reads slowly misses some of the states between, and it delays nobody else.

use super::reply_writer::ReplyWriter;
use super::session::DispatchError;
use crate::error::{Code, Error};
use serde::Serialize;
use std::time::Duration;
use synthd_actors::campaign::{CampaignHandle, CampaignProgress};
use synthd_actors::model::CampaignState;
use synthd_actors::policy::CapStats;

/// The progress of a campaign for a client that follows it, with what is used up of its caps.
#[derive(Serialize)]
struct FollowedProgress {
    #[serde(flatten)]
    progress: CampaignProgress,
    budgets: Vec<CapStats>,
}

/// The least time between two progress events.
const PACE: Duration = Duration::from_millis(100);

/// Sends the newest progress after changes, at most once in [`PACE`], and in every heartbeat
/// interval without a change, until the campaign is over. Returns its last progress. If the socket
/// closes, the newest progress is the answer. An actor that ends without bringing the campaign to
/// rest is an error. `budgets` has the caps of the campaign.
pub(super) async fn follow(
    campaign: &CampaignHandle,
    budgets: impl Fn() -> Vec<CapStats>,
    writer: &mut ReplyWriter,
) -> Result<CampaignProgress, DispatchError> {
    let mut progress = campaign.progress();
    loop {
        // Marked as seen before it is read: a change after the read is then noticed by `changed`
        // below.
        progress.mark_unchanged();
        let now = campaign.current_progress();
        if is_over(&now) {
            return Ok(now);
        }
        writer.event(&FollowedProgress { progress: now.clone(), budgets: budgets() }).await?;
        tokio::time::sleep(PACE).await;
        tokio::select! {
            changed = progress.changed() => changed.map_err(|_| died(&now))?,
            () = tokio::time::sleep(writer.heartbeat()) => {}
            () = writer.closing() => return Ok(progress.borrow().clone()),
        }
    }
}

/// Whether a campaign is at rest and nothing more will happen to it by itself. A campaign that a
/// client has paused is not over, because a client is expected to resume it. A campaign that a
/// fault has paused is over.
pub fn is_over(progress: &CampaignProgress) -> bool {
    let waits = progress.state == CampaignState::Paused && !progress.escalated;
    progress.settled && !waits
}

/// The error for a campaign whose actor ended unexpectedly.
fn died(progress: &CampaignProgress) -> Error {
    Error::new(Code::Escalated, format!("the actor of campaign {} died", progress.campaign))
        .hint("read the daemon's log; submit the campaign again to resume it")
}

#[cfg(test)]
mod tests {
    use super::*;
    use synthd_actors::model::{CampaignName, CampaignRecord};

    fn resting(state: CampaignState) -> CampaignProgress {
        let record = CampaignRecord {
            name: CampaignName("a".to_owned()),
            kind: Default::default(),
            identity: String::new(),
            sampling: None,
            config: String::new(),
            images: Default::default(),
            price_table: None,
            state,
            reason: None,
            created_at_ms: 0,
        };
        CampaignProgress::from_record(&record, Default::default(), None, Default::default())
    }

    #[test]
    fn a_pause_is_an_end_only_where_nobody_will_resume_it() {
        let paused = resting(CampaignState::Paused);
        assert!(!is_over(&paused), "a client paused it");
        assert!(is_over(&CampaignProgress { escalated: true, ..paused.clone() }), "a fault did");
        assert!(!is_over(&CampaignProgress { escalated: true, settled: false, ..paused }));
        for state in [CampaignState::Complete, CampaignState::Stopped, CampaignState::Cancelled] {
            assert!(is_over(&resting(state)));
        }
    }
}
