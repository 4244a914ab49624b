//! How a long-lived command ends: why, and how the engine is brought to rest.

use super::signals::Signals;
use crate::control::Farewell;
use crate::engine::Engine;
use std::future::Future;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, interval_at, sleep};

const REPORT_EVERY: Duration = Duration::from_secs(5);

/// Stops admission and lets running episodes finish, for `grace` or until somebody is in a
/// hurry; what still runs then is cut off. Whether anything was.
pub(super) async fn come_to_rest(
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
            () = engine.handle.rested() => break true,
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
pub(super) async fn hurry(signals: &mut Signals, farewell: Option<watch::Receiver<Farewell>>) {
    tokio::select! {
        () = signals.stop() => {}
        _ = wished(farewell, Farewell::Now) => {}
    }
}

/// Resolves when a client wants at least `least`.
pub(super) async fn wished(
    farewell: Option<watch::Receiver<Farewell>>,
    least: Farewell,
) -> Farewell {
    let Some(mut farewell) = farewell else { return std::future::pending().await };
    let wished = farewell.wait_for(|wish| *wish >= least).await.map(|wish| *wish);
    match wished {
        Ok(wish) => wish,
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
