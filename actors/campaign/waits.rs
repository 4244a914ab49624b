//! What a campaign waits for: the ends of its attempts, and the answers of quality and of the store.
//!
//! The context of an actor polls everything that was spawned into it whenever one thing of it is ready, and again
//! after each spawn. A campaign waits for hundreds of attempts at once, so it spawns one future, which polls only
//! what is ready.
//!
//! ```text
//!  when ──► open ──ready──► `then`, with the actor ──► … ──none is open──► the poller ends
//! ```
//! The poller ends with the last wait, so an actor that waits for nothing ends when nobody holds its address.

use super::actor::CampaignActor;
use actix::{ActorContext, ActorFuture, AsyncContext, Context};
use futures_util::stream::{FuturesUnordered, Stream};
use std::pin::Pin;
use std::task::{Poll, Waker};

/// What the actor does when a wait is over.
type WaitSequel = Box<dyn FnOnce(&mut CampaignActor, &mut Context<CampaignActor>)>;

/// The waits of one campaign. They end with its actor.
#[derive(Default)]
pub(super) struct CampaignWaits {
    open: FuturesUnordered<Pin<Box<dyn Future<Output = WaitSequel>>>>,
    /// Whether a [`WaitPoller`] is in the actor's context.
    polled: bool,
    /// Wakes the context, so that the poller sees a new wait. None while the poller runs: it looks again by itself.
    waker: Option<Waker>,
}

impl CampaignActor {
    /// Waits for `wait`, and then does `then` with its result.
    pub(super) fn when<T: 'static>(
        &mut self,
        ctx: &mut Context<Self>,
        wait: impl Future<Output = T> + 'static,
        then: impl FnOnce(T, &mut Self, &mut Context<Self>) + 'static,
    ) {
        self.waits.open.push(Box::pin(async move {
            let result = wait.await;
            Box::new(move |actor: &mut Self, ctx: &mut Context<Self>| then(result, actor, ctx))
                as WaitSequel
        }));
        if !self.waits.polled {
            self.waits.polled = true;
            ctx.spawn(WaitPoller);
        } else if let Some(waker) = &self.waits.waker {
            waker.wake_by_ref();
        }
    }
}

/// Polls the waits of its actor. There is one in the context while any wait is open.
struct WaitPoller;

impl ActorFuture<CampaignActor> for WaitPoller {
    type Output = ();

    fn poll(
        self: Pin<&mut Self>,
        actor: &mut CampaignActor,
        ctx: &mut Context<CampaignActor>,
        task: &mut std::task::Context<'_>,
    ) -> Poll<()> {
        actor.waits.waker = None;
        // An actor that stops does nothing more.
        while ctx.state().alive() {
            match Pin::new(&mut actor.waits.open).poll_next(task) {
                Poll::Ready(Some(then)) => then(actor, ctx),
                Poll::Ready(None) => {
                    actor.waits.polled = false;
                    return Poll::Ready(());
                }
                Poll::Pending => {
                    actor.waits.waker = Some(task.waker().clone());
                    break;
                }
            }
        }
        Poll::Pending
    }
}
