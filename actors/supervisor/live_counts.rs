//! Counts the actors and tasks that are alive, so that a test can check that none is left behind.
//! Outside of tests nothing is counted, and the functions return their future unchanged.

use std::future::Future;

#[cfg(any(test, feature = "testkit"))]
pub use counting::LiveCounts;

#[cfg(any(test, feature = "testkit"))]
mod counting {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    thread_local! {
        /// One counter for each thread, because tests run in parallel on their own threads.
        static HERE: Arc<LiveCounts> = Arc::default();
    }

    /// The numbers of living actors and tasks that were started from one thread.
    #[derive(Debug, Default)]
    pub struct LiveCounts {
        pub(super) actors: AtomicUsize,
        pub(super) tasks: AtomicUsize,
    }

    impl LiveCounts {
        /// The counter of the calling thread.
        pub fn here() -> Arc<Self> {
            HERE.with(Arc::clone)
        }

        /// How many actors are alive.
        pub fn actors(&self) -> usize {
            self.actors.load(Ordering::Acquire)
        }

        /// How many tasks are alive.
        pub fn tasks(&self) -> usize {
            self.tasks.load(Ordering::Acquire)
        }
    }

    /// Counts one actor or task until the guard is dropped. The drop may happen on any thread; the
    /// guard remembers the counter of the thread that started it.
    pub(super) struct LiveCountGuard(Arc<LiveCounts>, fn(&LiveCounts) -> &AtomicUsize);

    impl LiveCountGuard {
        /// Adds one to the counter that `which` selects.
        pub(super) fn new(which: fn(&LiveCounts) -> &AtomicUsize) -> Self {
            let census = LiveCounts::here();
            which(&census).fetch_add(1, Ordering::AcqRel);
            Self(census, which)
        }
    }

    impl Drop for LiveCountGuard {
        fn drop(&mut self) {
            (self.1)(&self.0).fetch_sub(1, Ordering::AcqRel);
        }
    }
}

/// Counts the actor whose life `future` is.
#[cfg(any(test, feature = "testkit"))]
pub(super) fn counted_actor<F: Future>(future: F) -> impl Future<Output = F::Output> {
    counted(future, |census| &census.actors)
}

/// Counts a task.
#[cfg(any(test, feature = "testkit"))]
pub(super) fn counted_task<F: Future>(future: F) -> impl Future<Output = F::Output> {
    counted(future, |census| &census.tasks)
}

/// Wraps a future, so that it is counted until it ends or is dropped.
#[cfg(any(test, feature = "testkit"))]
fn counted<F: Future>(
    future: F,
    which: fn(&LiveCounts) -> &std::sync::atomic::AtomicUsize,
) -> impl Future<Output = F::Output> {
    // The count begins now and not at the first poll: a task may be aborted before it is polled.
    let counted = counting::LiveCountGuard::new(which);
    async move {
        let _counted = counted;
        future.await
    }
}

#[cfg(not(any(test, feature = "testkit")))]
pub(super) fn counted_actor<F: Future>(future: F) -> F {
    future
}

#[cfg(not(any(test, feature = "testkit")))]
pub(super) fn counted_task<F: Future>(future: F) -> F {
    future
}
