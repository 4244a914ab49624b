//! Supervision of actors by their join handles. The supervisor of actix does not see panics; a join
//! handle does.
//!
//! ```text
//!            factory()                    panic
//!  start ───────────────► running ───────────────► within intensity? ──yes──► factory()
//!                           │ stop, or no             │ no
//!                           ▼ handle is left          ▼
//!                        stopped                   escalated
//! ```
//! State that must survive a panic is not in the actor. The factory shares it with every new actor.

use super::handle::ActorHandle;
use super::live_counts;
use crate::policy::RestartIntensity;
use actix::{Actor, Addr, AsyncContext, Context};
use std::any::Any;
use tokio::sync::watch;
use tokio::task::JoinHandle;
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
    let future = live_counts::counted_actor(context.into_future(actor));
    #[expect(clippy::disallowed_methods, reason = "the supervisor itself starts it")]
    (address, actix::spawn(future))
}

/// Keeps one actor alive. After a panic, `factory` builds a new actor with fresh state and a new
/// address; the returned handle leads to the new address. If panics come more often than
/// `intensity` allows, the supervision ends with [`ActorExit::Escalated`].
///
/// When the last handle is dropped, nobody can send a message any more, and the actor ends. So a
/// whole tree of actors ends when its root is dropped.
pub fn supervise<A, F>(
    name: &'static str,
    mut intensity: RestartIntensity,
    mut factory: F,
) -> (ActorHandle<A>, JoinHandle<ActorExit>)
where
    A: Actor<Context = Context<A>>,
    F: FnMut() -> A + 'static,
{
    let (publish, address) = watch::channel(None);
    let handle = ActorHandle::new(name, address);
    let life = async move {
        loop {
            let (address, mut joined) = spawn_actor(factory());
            publish.send_replace(Some(address));
            let ended = tokio::select! {
                // The actor ended by itself: it stopped or panicked.
                ended = &mut joined => ended,
                // The last handle is gone.
                () = publish.closed() => {
                    publish.send_replace(None);
                    joined.abort();
                    joined.await
                }
            };
            // An abort is a normal end; only a panic leads to a restart.
            let Err(failure) = ended else { return ActorExit::Stopped };
            if failure.is_cancelled() {
                return ActorExit::Stopped;
            }
            let panic = panic_text(failure);
            tracing::error!(actor = name, %panic, "actor panicked");
            if !intensity.allows(Instant::now()) {
                publish.send_replace(None);
                return ActorExit::Escalated { name, panic };
            }
        }
    };
    #[expect(clippy::disallowed_methods, reason = "the supervisor itself starts it")]
    (handle, actix::spawn(live_counts::counted_task(life)))
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
