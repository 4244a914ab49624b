//! How a long-lived command ends: why, and how the engine is brought to rest.

use super::signals::SignalListener;
use crate::control::ShutdownRequest;
use crate::engine::Engine;
use std::future::Future;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, interval_at, sleep};

const REPORT_EVERY: Duration = Duration::from_secs(5);

/// Stops admission and lets running episodes finish, for `grace` or until somebody is in a
/// hurry; what still runs then is cut off. Whether anything was.
pub(super) async fn drain_engine(
    engine: &Engine,
    grace: Duration,
    hurry: impl Future<Output = ()>,
    say: impl Fn(u64),
) -> bool {
    engine.handle.drain(false).await;
    let deadline = sleep(grace);
    tokio::pin!(deadline, hurry);
    let mut report = interval_at(Instant::now() + REPORT_EVERY, REPORT_EVERY);
    let finished = loop {
        tokio::select! {
            biased;
            () = engine.handle.wait_until_settled() => break true,
            () = &mut hurry => break false,
            () = &mut deadline => break false,
            _ = report.tick() => say(engine.handle.running()),
        }
    };
    let cut = !finished && engine.handle.running() > 0;
    if !finished {
        engine.handle.drain(true).await;
    }
    cut
}

/// Resolves when the user insists, by a second signal or over the socket.
pub(super) async fn immediate_shutdown_requested(
    signals: &mut SignalListener,
    shutdown: Option<watch::Receiver<ShutdownRequest>>,
) {
    tokio::select! {
        () = signals.wait_for_stop() => {}
        _ = shutdown_requested(shutdown, ShutdownRequest::Now) => {}
    }
}

/// Resolves when a client wants at least `least`.
pub(super) async fn shutdown_requested(
    shutdown: Option<watch::Receiver<ShutdownRequest>>,
    least: ShutdownRequest,
) -> ShutdownRequest {
    let Some(mut shutdown) = shutdown else { return std::future::pending().await };
    let wished = shutdown.wait_for(|request| *request >= least).await.map(|request| *request);
    match wished {
        Ok(request) => request,
        // The socket is gone: nobody will wish any more.
        Err(_) => std::future::pending().await,
    }
}

/// Resolves when an actor of the engine has failed for good.
pub(super) async fn escalation(engine: &Engine) -> String {
    let mut escalated = engine.escalated.clone();
    let why = escalated.wait_for(Option::is_some).await.map(|why| why.clone());
    match why {
        Ok(why) => why.unwrap_or_default(),
        // Every life has ended without one: the engine is shutting down.
        Err(_) => std::future::pending().await,
    }
}
