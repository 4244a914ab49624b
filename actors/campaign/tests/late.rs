//! The late exit of a dead attempt changes nothing.

use super::{assert_nothing_lost_or_doubled, episodes, options};
use crate::campaign::actor::CampaignActor;
use crate::model::{AttemptNumber, CampaignState, EpisodeId, Fault, FaultKind};
use crate::testkit::{Trap, campaign, in_test_system};
use crate::work::AttemptExit;
use actix::{Context, Handler, Message};
use std::time::Duration;
use tokio::time::sleep;

/// An exit as it would arrive from an attempt.
#[derive(Message)]
#[rtype(result = "()")]
struct Late(EpisodeId, AttemptNumber, AttemptExit);

impl Handler<Late> for CampaignActor {
    type Result = ();

    fn handle(&mut self, late: Late, ctx: &mut Context<Self>) {
        self.on_exit(&late.0, late.1, late.2, ctx);
    }
}

fn exit() -> AttemptExit {
    AttemptExit::Faulted(Fault::new(FaultKind::TaskSetup, "from the dead"))
}

#[test]
fn the_exit_of_a_dead_attempt_is_ignored() {
    in_test_system(options(), |kit| async move {
        let model = kit.models.named("fake/one");
        model.traps.once("turn 0", Trap::Panic);
        model.traps.once("turn 1", Trap::Slow(Duration::from_secs(60)));
        let handle = kit.submit(&campaign("c", 1)).await;
        sleep(Duration::from_secs(10)).await;
        let running = episodes(&kit, "c").await.remove(0);
        assert_eq!((running.attempt, handle.progress().borrow().running), (AttemptNumber(2), 1));
        let id = running.plan.id;
        for (id, attempt) in [
            (id.clone(), AttemptNumber(1)),
            (id.clone(), AttemptNumber(0)),
            (id, AttemptNumber(3)),
            (EpisodeId("stranger".to_owned()), AttemptNumber(2)),
        ] {
            handle.address.send(Late(id, attempt, exit())).await.unwrap();
        }
        assert_eq!(handle.progress().borrow().running, 1);
        let done = handle.wait_until_settled().await;
        assert_eq!((done.state, done.episodes.resolved), (CampaignState::Complete, 1));
        assert_eq!((done.episodes.faulted, episodes(&kit, "c").await[0].failed_attempts), (0, 1));
        assert_nothing_lost_or_doubled(&kit, "c").await;
    });
}
