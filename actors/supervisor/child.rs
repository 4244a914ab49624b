//! Supervision by joining. actix's own supervisor does not see panics; a join handle does.
//!
//! ```text
//!            factory()                    panic
//!  start ───────────────► running ───────────────► within intensity? ──yes──► factory()
//!                           │ stop, or no             │ no
//!                           ▼ handle is left          ▼
//!                        finished                     escalated
//! ```

use super::handle::ActorHandle;
use super::live_counts;
use crate::policy::RestartIntensity;
use actix::{Actor, Addr, AsyncContext, Context};
use std::any::Any;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// How a supervised actor's life ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ActorExit {
    /// It stopped itself.
    Stopped,
    /// It panicked more often than its intensity allows; the last panic's message.
    Escalated { name: &'static str, panic: String },
}

/// Starts an actor and keeps its join handle, which alone tells a panic from a stop.
pub fn spawn_actor<A: Actor<Context = Context<A>>>(actor: A) -> (Addr<A>, JoinHandle<()>) {
    let context = Context::new();
    let address = context.address();
    let future = live_counts::counted_actor(context.into_future(actor));
    #[expect(clippy::disallowed_methods, reason = "this is the door itself")]
    (address, actix::spawn(future))
}

/// Keeps one actor alive: rebuilt from `factory` after a panic, with fresh state and a new
/// address behind the same handle. When the last handle is dropped nobody can ask for
/// anything any more, and the actor ends; so whole trees end from their root.
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
                ended = &mut joined => ended,
                () = publish.closed() => {
                    publish.send_replace(None);
                    joined.abort();
                    joined.await
                }
            };
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
    #[expect(clippy::disallowed_methods, reason = "this is the door itself")]
    (handle, actix::spawn(live_counts::counted_task(life)))
}

/// What a panic said.
pub fn panic_text(failure: tokio::task::JoinError) -> String {
    failure.try_into_panic().map_or_else(|_| "cancelled".to_owned(), payload_text)
}

/// The same of one that was caught.
pub fn payload_text(payload: Box<dyn Any + Send>) -> String {
    match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => payload
            .downcast_ref::<&str>()
            .map_or_else(|| "a panic without a message".to_owned(), |text| (*text).to_owned()),
    }
}
