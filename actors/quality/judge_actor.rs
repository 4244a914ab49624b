//! A worker of quality. It makes the row of one unit at a time, runs the row stages on it, and
//! records the row with the decision.
//!
//! ```text
//!  idle ──JudgeUnit──► judging (a task on the worker threads) ──row made──► idle
//!                          │                                       └─► recorded, answered
//!                          └── panic: a fault for the sender ─────► idle
//! ```
//! The worker does not wait for the store: its task records the row while the next unit is judged.
//! [`QualityHandle`](super::QualityHandle) gives a worker no second unit before the row of the first
//! one is made.

use super::messages::{JudgeReply, JudgeUnit, QualityServices};
use crate::model::{Fault, FaultKind, JournalEntry};
use crate::supervisor::{panic_text, spawn};
use actix::{Actor, Context, Handler, ResponseFuture};

/// The actor has no state besides its services.
pub struct JudgeActor {
    tools: QualityServices,
}

impl JudgeActor {
    pub(super) fn new(tools: QualityServices) -> Self {
        Self { tools }
    }
}

impl Actor for JudgeActor {
    type Context = Context<Self>;
}

crate::takes_deliveries!(JudgeActor);

impl Handler<JudgeUnit> for JudgeActor {
    type Result = ResponseFuture<Result<JudgeReply, Fault>>;

    fn handle(&mut self, message: JudgeUnit, _: &mut Self::Context) -> Self::Result {
        let tools = self.tools.clone();
        // A panic while judging is answered as a fault; the actor itself lives on.
        let work = spawn("judge", async move { judge(&tools, message).await });
        Box::pin(async move { work.await.unwrap_or_else(|f| Err(panicked(f))) })
    }
}

/// The fault for a task that panicked.
pub(super) fn panicked(failure: tokio::task::JoinError) -> Fault {
    Fault::new(FaultKind::Panicked, panic_text(failure))
}

/// Has the unit make its row and judge it, and records the row with the decision.
async fn judge(tools: &QualityServices, message: JudgeUnit) -> Result<JudgeReply, Fault> {
    let JudgeUnit { unit, lease } = message;
    let row = unit.judged(tools.clock.stamp(unit.finished_at_ms()));
    lease.release();
    let accepted = row.rejected.is_none();
    tools.collector.record_here(vec![JournalEntry::Judged(Box::new(row))]).await?;
    Ok(JudgeReply { accepted })
}

#[cfg(any(test, feature = "testkit"))]
impl Handler<crate::testkit::Panic> for JudgeActor {
    type Result = ();

    #[expect(clippy::panic, reason = "the fault that tests inject")]
    fn handle(&mut self, _: crate::testkit::Panic, _: &mut Self::Context) {
        panic!("injected into quality");
    }
}
