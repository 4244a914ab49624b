//! The one door to the runtime. `clippy.toml` bans the others.

use std::future::Future;
use tokio_util::task::AbortOnDropHandle;

/// Starts a task on the runtime's workers. Dropping the handle aborts the task, so what it
/// owns (a sandbox, a connection) is released with it.
#[must_use = "dropping the handle aborts the task"]
pub fn spawn<T, F>(name: &'static str, future: F) -> AbortOnDropHandle<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    tracing::trace!(task = name, "spawn");
    #[expect(clippy::disallowed_methods, reason = "this is the door itself")]
    AbortOnDropHandle::new(tokio::spawn(super::live_counts::counted_task(future)))
}
