//! The end of a command that runs for long (`run`, `serve`, `gateway`): what may ask for the end,
//! and how the engine is brought to rest. These are steps 1 to 3 of the shutdown list in
//! `engine.rs`.

use crate::cli::daemon::signals::SignalListener;
use crate::control::ShutdownRequest;
use crate::running_engine::RunningEngine;
use std::future::Future;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, interval_at, sleep};

/// How often a line says which episodes are waited for.
const REPORT_EVERY: Duration = Duration::from_secs(5);

/// Stops admission and waits for running episodes: until they have finished, until `grace` is over,
/// or until `hurry` resolves. Then it cuts off what still runs. Every five seconds, `say` is called
/// with the number of running episodes. Returns whether an episode was cut off.
pub(in crate::cli) async fn drain_engine(
    engine: &RunningEngine,
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
            // Rest is looked at first. If the episodes finish at the same moment as the deadline
            // passes, nothing is cut off.
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

/// Resolves when the user asks for more haste: by a further signal, or by `synthd shutdown --now`.
pub(in crate::cli) async fn immediate_shutdown_requested(
    signals: &mut SignalListener,
    shutdown: Option<watch::Receiver<ShutdownRequest>>,
) {
    tokio::select! {
        () = signals.wait_for_stop() => {}
        _ = shutdown_requested(shutdown, ShutdownRequest::Now) => {}
    }
}

/// Resolves when a client asks for a shutdown that is at least as urgent as `least`, and returns
/// the request. Without a socket it never resolves.
pub(in crate::cli) async fn shutdown_requested(
    shutdown: Option<watch::Receiver<ShutdownRequest>>,
    least: ShutdownRequest,
) -> ShutdownRequest {
    let Some(mut shutdown) = shutdown else { return std::future::pending().await };
    let wished = shutdown.wait_for(|request| *request >= least).await.map(|request| *request);
    match wished {
        Ok(request) => request,
        // The control socket has closed, so no client can ask any more.
        Err(_) => std::future::pending().await,
    }
}

/// Resolves with the reason when an actor of the engine has failed for good. It never resolves if
/// the engine ends normally.
pub(in crate::cli) async fn escalation(engine: &RunningEngine) -> String {
    let mut escalated = engine.escalated.clone();
    let why = escalated.wait_for(Option::is_some).await.map(|why| why.clone());
    match why {
        Ok(why) => why.unwrap_or_default(),
        // All actors have ended normally: the engine is shutting down already.
        Err(_) => std::future::pending().await,
    }
}
