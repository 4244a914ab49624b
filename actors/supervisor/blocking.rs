//! Finds blocking work on the actors' thread. All actors share one thread, so work that waits for
//! the disk, compresses or renders there would delay every one of them.
//!
//! Whatever blocks or takes long calls [`assert_may_block`] first. In tests and in programs that are
//! built with the testkit, the call panics if an actor is being polled on this thread: a handler, or
//! a future that the actor has spawned into its context. It measures no time, so it finds the same
//! work in every run. Elsewhere it does nothing.

use std::future::Future;

#[cfg(any(test, feature = "testkit"))]
mod watching {
    use std::cell::Cell;
    use std::future::{Future, poll_fn};

    thread_local! {
        /// Whether an actor is being polled on this thread now.
        static IN_ACTOR: Cell<bool> = const { Cell::new(false) };
    }

    /// Restores the flag when a poll has ended, also by a panic.
    struct PollMark(bool);

    impl Drop for PollMark {
        fn drop(&mut self) {
            IN_ACTOR.set(self.0);
        }
    }

    /// Marks the thread while `future` is polled.
    pub(super) fn marked<F: Future>(future: F) -> impl Future<Output = F::Output> {
        let mut future = Box::pin(future);
        poll_fn(move |cx| {
            let _mark = PollMark(IN_ACTOR.replace(true));
            future.as_mut().poll(cx)
        })
    }

    /// Whether an actor is being polled on this thread now.
    pub(super) fn is_in_actor() -> bool {
        IN_ACTOR.get()
    }
}

/// The life of an actor, with its thread marked while it is polled.
#[cfg(any(test, feature = "testkit"))]
pub(super) fn marked<F: Future>(future: F) -> impl Future<Output = F::Output> {
    watching::marked(future)
}

#[cfg(not(any(test, feature = "testkit")))]
pub(super) fn marked<F: Future>(future: F) -> F {
    future
}

/// Says that work begins which blocks or takes long. In tests it panics if an actor would have to
/// wait for it. `work` names it, for example `render a task`.
#[cfg(any(test, feature = "testkit"))]
#[expect(clippy::panic, reason = "a test must fail; the engine itself never gets here")]
pub fn assert_may_block(work: &str) {
    // A panic that is under way already is not replaced.
    if watching::is_in_actor() && !std::thread::panicking() {
        panic!("blocking work on the actors' thread: {work}");
    }
}

/// Says that work begins which blocks or takes long. Outside of tests it does nothing.
#[cfg(not(any(test, feature = "testkit")))]
#[inline]
pub fn assert_may_block(_work: &str) {}
