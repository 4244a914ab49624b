//! The only way to start a task. `clippy.toml` forbids the others.

use std::future::Future;
use tokio_util::task::AbortOnDropHandle;

/// Starts a task on the worker threads of the runtime. Dropping the handle aborts the task. So what
/// the task owns (a sandbox, a connection) is released with the owner of the handle. The name is
/// for the log.
#[must_use = "dropping the handle aborts the task"]
pub fn spawn<T, F>(name: &'static str, future: F) -> AbortOnDropHandle<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    tracing::trace!(task = name, "spawn");
    #[expect(clippy::disallowed_methods, reason = "the supervisor itself starts it")]
    AbortOnDropHandle::new(tokio::spawn(super::live_counts::counted_task(future)))
}
