//! How many actors and tasks are alive, so that tests can tell that none is left behind.
//! Outside of tests nothing is counted.

use std::future::Future;

#[cfg(any(test, feature = "testkit"))]
pub use counting::LiveCounts;

#[cfg(any(test, feature = "testkit"))]
mod counting {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    thread_local! {
        static HERE: Arc<LiveCounts> = Arc::default();
    }

    /// The living, as started from one thread.
    #[derive(Debug, Default)]
    pub struct LiveCounts {
        pub(super) actors: AtomicUsize,
        pub(super) tasks: AtomicUsize,
    }

    impl LiveCounts {
        /// The census of what this thread starts.
        pub fn here() -> Arc<Self> {
            HERE.with(Arc::clone)
        }

        pub fn actors(&self) -> usize {
            self.actors.load(Ordering::Acquire)
        }

        pub fn tasks(&self) -> usize {
            self.tasks.load(Ordering::Acquire)
        }
    }

    /// Counts one until it is dropped, however that comes about and on whichever thread.
    pub(super) struct LiveCountGuard(Arc<LiveCounts>, fn(&LiveCounts) -> &AtomicUsize);

    impl LiveCountGuard {
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

#[cfg(any(test, feature = "testkit"))]
pub(super) fn counted_actor<F: Future>(future: F) -> impl Future<Output = F::Output> {
    counted(future, |census| &census.actors)
}

#[cfg(any(test, feature = "testkit"))]
pub(super) fn counted_task<F: Future>(future: F) -> impl Future<Output = F::Output> {
    counted(future, |census| &census.tasks)
}

#[cfg(any(test, feature = "testkit"))]
fn counted<F: Future>(
    future: F,
    which: fn(&LiveCounts) -> &std::sync::atomic::AtomicUsize,
) -> impl Future<Output = F::Output> {
    // Counted from now on, not from the first poll: a task may be aborted before it.
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
