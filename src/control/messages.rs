//! What the control actor is asked, and the handle through which.

use super::actor::ControlActor;
use super::limits::ControlLimits;
use super::session::ControlDispatcher;
use actix::Message;
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;
use synthd_actors::policy::RestartIntensity;
use synthd_actors::supervisor::{ActorExit, ActorHandle, supervise};
use tokio::net::UnixListener;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How the socket fares.
#[derive(Clone, Message)]
#[rtype(result = "ControlStats")]
pub struct ControlStatsQuery;

/// Let go of everybody and accept nobody.
#[derive(Clone, Message)]
#[rtype(result = "()")]
pub struct CloseControl;

/// Panics the actor, once, as tests ask.
#[cfg(test)]
#[derive(Clone, Default, Message)]
#[rtype(result = "()")]
pub(super) struct Crash(pub(super) Arc<std::sync::atomic::AtomicBool>);

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ControlStats {
    /// Connected now.
    pub clients: usize,
    pub clients_bound: usize,
    pub accepted: u64,
    /// Of other users, or one too many.
    pub refused: u64,
    /// Sessions that ended in a panic; only they were lost.
    pub panicked: u64,
}

/// What outlives the actor: a rebuilt one goes on listening where the last one died.
#[derive(Clone)]
pub(super) struct ControlResources {
    pub(super) listener: Arc<UnixListener>,
    pub(super) dispatcher: Arc<dyn ControlDispatcher>,
    pub(super) shared: ControlSharedState,
}

/// What the handle shares with the actor. Not the desk, which may hold a handle.
#[derive(Clone)]
pub(super) struct ControlSharedState {
    pub(super) limits: Arc<ControlLimits>,
    /// One for each client.
    pub(super) places: Arc<Semaphore>,
    pub(super) closing: CancellationToken,
}

/// The control socket, for everybody else.
#[derive(Clone)]
pub struct ControlHandle {
    handle: ActorHandle<ControlActor>,
    shared: ControlSharedState,
}

impl ControlHandle {
    /// Starts a supervised listener. The desk answers what clients ask.
    pub fn start(
        listener: UnixListener,
        dispatcher: Arc<dyn ControlDispatcher>,
        limits: ControlLimits,
    ) -> (Self, JoinHandle<ActorExit>) {
        let shared = ControlSharedState {
            places: Arc::new(Semaphore::new(limits.clients)),
            limits: Arc::new(limits),
            closing: CancellationToken::new(),
        };
        let parts =
            ControlResources { listener: Arc::new(listener), dispatcher, shared: shared.clone() };
        let intensity = RestartIntensity::new(5, Duration::from_secs(10));
        let (handle, joined) =
            supervise("control", intensity, move || ControlActor::new(parts.clone()));
        (Self { handle, shared }, joined)
    }

    pub async fn stats(&self) -> ControlStats {
        let mut stats = self.handle.ask(ControlStatsQuery).await.unwrap_or_default();
        stats.clients_bound = self.shared.limits.clients;
        stats.clients = stats.clients_bound.saturating_sub(self.shared.places.available_permits());
        stats
    }

    /// Lets commands in progress answer, within the farewell's time, and closes.
    pub async fn close(&self) {
        self.shared.closing.cancel();
        // Every client holds a place, so to have them all is to have joined all sessions.
        let all = u32::try_from(self.shared.limits.clients).unwrap_or(u32::MAX);
        let gone = self.shared.places.acquire_many(all);
        if tokio::time::timeout(self.shared.limits.shutdown, gone).await.is_err() {
            tracing::warn!("clients that still waited were cut off");
        }
        // An actor that is gone has closed already.
        self.handle.ask(CloseControl).await.ok();
    }

    #[cfg(test)]
    pub(super) async fn crash(&self) {
        self.handle.ask(Crash::default()).await.ok();
    }
}
