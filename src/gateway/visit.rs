//! Calls of an episode's own agent: told to the attempt they belong to before they leave, and
//! when they were answered.

use super::asked::Asked;
use super::overheard::overheard;
use super::refusal::Refusal;
use std::sync::Arc;
use std::time::Duration;
use synthd_actors::agents::{Heard, Leave, Visit};
use synthd_actors::model::{ChatReply, Fault, FaultKind, Money};
use synthd_actors::ports::Stage;
use tokio::sync::{mpsc, oneshot};

/// Whose calls they are.
pub(super) struct Agent {
    pub(super) calls: mpsc::Sender<Visit>,
    /// For models that play a part.
    pub(super) stage: Stage,
    /// The model that the episode was planned for: whatever name the agent calls it by.
    pub(super) model: String,
    pub(super) output_cap: u32,
}

impl Agent {
    /// Asks whether a call may leave.
    pub(super) async fn leave(&self, asked: &Asked) -> Result<Leave, Refusal> {
        let request = Arc::new(overheard(asked, self.output_cap));
        let (leave, may_leave) = oneshot::channel();
        let over = || over("the episode is over");
        self.calls.send(Visit { request, leave }).await.map_err(|_| over())?;
        may_leave.await.map_err(|_| over())
    }
}

/// Nothing more is answered, however often it is asked.
pub(super) fn over(why: &str) -> Refusal {
    Refusal { retry: Some(false), ..Refusal::new(403, "episode_over", why) }
}

/// What an attempt is told of a call of its own. One that nobody waits for any more tells it so
/// when it is dropped.
#[derive(Default)]
pub(super) struct Report {
    heard: Option<oneshot::Sender<Heard>>,
    model: String,
    tries: u32,
    cost: Money,
}

impl Report {
    pub(super) fn to(heard: oneshot::Sender<Heard>) -> Self {
        let mut report = Self::default();
        report.heard = Some(heard);
        report
    }

    /// A try was made.
    pub(super) fn tried(&mut self, model: &str, cost: Money) {
        model.clone_into(&mut self.model);
        self.tries += 1;
        self.cost = self.cost.saturating_add(cost);
    }

    pub(super) fn answered(&mut self, reply: &ChatReply, took: Duration) {
        self.tell(|| Ok(reply.clone()), took);
    }

    pub(super) fn failed(&mut self, fault: &Fault) {
        self.tell(|| Err(fault.clone()), Duration::ZERO);
    }

    fn tell(&mut self, reply: impl FnOnce() -> Result<ChatReply, Fault>, took: Duration) {
        let Some(heard) = self.heard.take() else { return };
        let model = std::mem::take(&mut self.model);
        // An attempt that has ended wants to know nothing.
        heard.send(Heard { reply: reply(), model, tries: self.tries, cost: self.cost, took }).ok();
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        let what = "the agent did not wait for the answer";
        self.tell(|| Err(Fault::new(FaultKind::ModelTransient, what)), Duration::ZERO);
    }
}
