//! Supervision of actors by their join handles. The supervisor of actix does not see panics; a join
//! handle does.
//!
//! ```text
//!            factory()            panic
//!  start ───────────────► running ──────► of a message, or within intensity? ──yes──► factory()
//!                           │ stop, or no             │ no
//!                           ▼ handle is left          ▼
//!                        stopped                   escalated
//! ```
//! State that must survive a panic is not in the actor. The factory shares it with every new actor.

use super::blocking;
use super::counts::ActorCounters;
use super::delivery::Delivery;
use super::handle::ActorHandle;
use super::live_counts;
use crate::policy::RestartIntensity;
use actix::{Actor, Addr, AsyncContext, Context, Handler};
use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::watch;
use tokio::task::{JoinError, JoinHandle};
use tokio::time::Instant;

/// How the life of a supervised actor ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ActorExit {
    /// The actor stopped itself, or nobody held a handle any more.
    Stopped,
    /// The actor panicked more often than its intensity allows. `panic` is the message of the last
    /// panic. The engine ends with an error code then.
    Escalated { name: &'static str, panic: String },
}

/// Starts an actor on this thread and keeps its join handle. Only the join handle tells a panic
/// from a stop. The actor is not restarted.
pub fn spawn_actor<A: Actor<Context = Context<A>>>(actor: A) -> (Addr<A>, JoinHandle<()>) {
    let context = Context::new();
    let address = context.address();
    let future = live_counts::counted_actor(blocking::marked(context.into_future(actor)));
    #[expect(clippy::disallowed_methods, reason = "the supervisor itself starts it")]
    (address, actix::spawn(future))
}

/// Keeps one actor alive. After a panic, `factory` builds a new actor with fresh state and a new
/// address; the returned handle leads to the new address. If panics come more often than
/// `intensity` allows, the supervision ends with [`ActorExit::Escalated`].
///
/// A panic inside the handler of a delivered message does not count for `intensity`: the message
/// is to blame, and after two deaths it is set aside.
///
/// When the last handle is dropped, nobody can send a message any more, and the actor ends. So a
/// whole tree of actors ends when its root is dropped.
pub fn supervise<A, F>(
    name: &'static str,
    intensity: RestartIntensity,
    factory: F,
) -> (ActorHandle<A>, JoinHandle<ActorExit>)
where
    A: Actor<Context = Context<A>> + Handler<Delivery<A>>,
    F: FnMut() -> A + 'static,
{
    let (publish, address) = watch::channel(None);
    let (counters, handling) = (Arc::new(ActorCounters::new(name)), Arc::default());
    let handle = ActorHandle::new(name, address, Arc::clone(&counters), Arc::clone(&handling));
    let supervision = Supervision { name, intensity, publish, counters, handling };
    let supervised = supervision.run(factory);
    #[expect(clippy::disallowed_methods, reason = "the supervisor itself starts it")]
    (handle, actix::spawn(live_counts::counted_task(supervised)))
}

/// The state of one supervisor.
struct Supervision<A: Actor> {
    name: &'static str,
    intensity: RestartIntensity,
    /// Takes the address of the newest actor.
    publish: watch::Sender<Option<Addr<A>>>,
    counters: Arc<ActorCounters>,
    /// Whether the actor is inside the handler of a delivered message.
    handling: Arc<AtomicBool>,
}

impl<A: Actor<Context = Context<A>>> Supervision<A> {
    /// Starts actors one after the other, until one of them stops or the last one escalates.
    async fn run(mut self, mut factory: impl FnMut() -> A) -> ActorExit {
        loop {
            let (address, joined) = spawn_actor(factory());
            self.publish.send_replace(Some(address));
            // An abort is a normal end; only a panic leads to a restart.
            let panic = match self.end_of(joined).await {
                Err(failure) if failure.is_panic() => panic_text(failure),
                _ => return ActorExit::Stopped,
            };
            if !self.may_restart(&panic) {
                self.publish.send_replace(None);
                return ActorExit::Escalated { name: self.name, panic };
            }
            self.counters.restarted();
        }
    }

    /// Waits until the actor has ended by itself, or ends it when the last handle is gone.
    async fn end_of(&self, mut joined: JoinHandle<()>) -> Result<(), JoinError> {
        tokio::select! {
            ended = &mut joined => ended,
            () = self.publish.closed() => {
                self.publish.send_replace(None);
                joined.abort();
                joined.await
            }
        }
    }

    /// Counts a panic. False if there were too many that no message is to blame for.
    fn may_restart(&mut self, panic: &str) -> bool {
        let of_message = self.handling.swap(false, Ordering::AcqRel);
        tracing::error!(actor = self.name, %panic, of_message, "actor panicked");
        self.counters.panicked();
        of_message || self.intensity.allows(Instant::now())
    }
}

/// The message of a panic. For a task that was aborted it is `cancelled`.
pub fn panic_text(failure: tokio::task::JoinError) -> String {
    failure.try_into_panic().map_or_else(|_| "cancelled".to_owned(), payload_text)
}

/// The message in the payload of a panic that was caught.
pub fn payload_text(payload: Box<dyn Any + Send>) -> String {
    match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => payload
            .downcast_ref::<&str>()
            .map_or_else(|| "a panic without a message".to_owned(), |text| (*text).to_owned()),
    }
}
