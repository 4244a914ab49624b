//! A campaign followed to its end. Only the newest standing is ever told, so a client that
//! reads slowly misses some of them and holds up nobody.

use super::reply_writer::ReplyWriter;
use super::session::DispatchError;
use crate::error::{Code, Error};
use std::time::Duration;
use synthd_actors::campaign::{CampaignHandle, CampaignProgress};
use synthd_actors::model::CampaignState;

/// Progress is told at most this often.
const PACE: Duration = Duration::from_millis(100);

/// Tells of every change until the campaign is over; its last standing.
pub(super) async fn follow(
    campaign: &CampaignHandle,
    writer: &mut ReplyWriter,
) -> Result<CampaignProgress, DispatchError> {
    let mut progress = campaign.progress();
    loop {
        progress.mark_unchanged();
        let now = campaign.current_progress();
        if is_over(&now) {
            return Ok(now);
        }
        writer.event(&now).await?;
        tokio::time::sleep(PACE).await;
        tokio::select! {
            changed = progress.changed() => changed.map_err(|_| died(&now))?,
            () = tokio::time::sleep(writer.heartbeat()) => {}
            () = writer.closing() => return Ok(progress.borrow().clone()),
        }
    }
}

/// Whether nothing more will happen to a campaign by itself or by a client's `resume`.
pub fn is_over(progress: &CampaignProgress) -> bool {
    let waits = progress.state == CampaignState::Paused && !progress.escalated;
    progress.settled && !waits
}

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
            identity: String::new(),
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
