//! A message on its way to a supervised actor. The delivery knows whether the actor began to handle
//! the message. So when the actor dies, it is known which message it died of, and which ones only
//! waited behind it.
//!
//! ```text
//!  queued ──actor takes it──► begun ──► answered
//!     │ actor dies             │ actor dies
//!     ▼                        ▼
//!  sent to the next actor   one death of the message; after two it is set aside
//! ```

use actix::dev::MessageResponse;
use actix::{Actor, Context, Handler, Message};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::oneshot;

/// What an actor does with a delivered message.
type DeliveryWork<A> = Box<dyn FnOnce(&mut A, &mut Context<A>) + Send>;

/// A message of any type, with the channel for its answer. [`takes_deliveries!`] makes an actor
/// take it.
///
/// [`takes_deliveries!`]: crate::takes_deliveries
#[derive(Message)]
#[rtype(result = "()")]
pub struct Delivery<A: Actor<Context = Context<A>>>(DeliveryWork<A>);

/// What the sender keeps of a delivery.
pub(super) struct DeliveryReceipt<T> {
    /// Fails if the actor died with the message or before it.
    pub(super) answer: oneshot::Receiver<T>,
    begun: Arc<AtomicBool>,
}

impl<T> DeliveryReceipt<T> {
    /// Whether an actor began to handle the message.
    pub(super) fn was_begun(&self) -> bool {
        self.begun.load(Ordering::Acquire)
    }
}

impl<A: Actor<Context = Context<A>>> Delivery<A> {
    /// Packs a message. `handling` is true while the actor is inside the handler of a delivery.
    pub(super) fn of<M>(message: M, handling: Arc<AtomicBool>) -> (Self, DeliveryReceipt<M::Result>)
    where
        M: Message + Send + 'static,
        M::Result: Send,
        A: Handler<M>,
    {
        let (reply, answer) = oneshot::channel();
        let begun = Arc::new(AtomicBool::new(false));
        let receipt = DeliveryReceipt { answer, begun: begun.clone() };
        let work = move |actor: &mut A, ctx: &mut Context<A>| {
            // Nobody waits for the answer any more.
            if reply.is_closed() {
                return;
            }
            begun.store(true, Ordering::Release);
            handling.store(true, Ordering::Release);
            let response = actor.handle(message, ctx);
            response.handle(ctx, Some(reply));
            // An answer that comes later dies with its actor, but it did not kill it.
            begun.store(false, Ordering::Release);
            // A panic does not come here, so the supervisor sees `handling` then.
            handling.store(false, Ordering::Release);
        };
        (Self(Box::new(work)), receipt)
    }

    /// Lets the actor handle the message.
    pub fn handle(self, actor: &mut A, ctx: &mut Context<A>) {
        (self.0)(actor, ctx);
    }
}

/// Makes an actor take every message that it handles as a [`Delivery`], so that it can be
/// supervised.
#[macro_export]
macro_rules! takes_deliveries {
    ($actor:ty) => {
        impl ::actix::Handler<$crate::supervisor::Delivery<$actor>> for $actor {
            type Result = ();

            fn handle(
                &mut self,
                delivery: $crate::supervisor::Delivery<$actor>,
                ctx: &mut ::actix::Context<$actor>,
            ) {
                delivery.handle(self, ctx);
            }
        }
    };
}
