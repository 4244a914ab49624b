//! A worker of quality. It makes the row of one unit at a time and runs the row stages on it. Its
//! caller records the row, so that a worker does not wait for the store.
//!
//! ```text
//!  idle ──JudgeUnit──► judging (a task on the worker threads) ──row with its decision──► idle
//!                          │ panic: a fault for the sender ─────────────────────────────► idle
//! ```
//! [`QualityHandle`](super::QualityHandle) gives a worker no second unit before it has answered the
//! first one.

use super::messages::{JudgeUnit, QualityServices};
use crate::model::{Fault, FaultKind, RowRecord};
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
    type Result = ResponseFuture<Result<Box<RowRecord>, Fault>>;

    fn handle(&mut self, message: JudgeUnit, _: &mut Self::Context) -> Self::Result {
        let clock = self.tools.clock.clone();
        // A panic while judging is answered as a fault; the actor itself lives on.
        let work = spawn("judge", async move {
            // The task owns the whole message, so the worker is free when the task has ended.
            let JudgeUnit { unit, _lease } = message;
            Box::new(unit.judged(clock.stamp(unit.finished_at_ms())))
        });
        Box::pin(async move { work.await.map_err(panicked) })
    }
}

/// The fault for a task that panicked.
pub(super) fn panicked(failure: tokio::task::JoinError) -> Fault {
    Fault::new(FaultKind::Panicked, panic_text(failure))
}

#[cfg(any(test, feature = "testkit"))]
impl Handler<crate::testkit::Panic> for JudgeActor {
    type Result = ();

    #[expect(clippy::panic, reason = "the fault that tests inject")]
    fn handle(&mut self, _: crate::testkit::Panic, _: &mut Self::Context) {
        panic!("injected into quality");
    }
}
