//! What the control actor is asked, and the handle through which.

use super::actor::ControlActor;
use super::limits::Limits;
use super::session::Desk;
use actix::Message;
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;
use synthd_actors::policy::Intensity;
use synthd_actors::supervisor::{Ended, Handle, supervise};
use tokio::net::UnixListener;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How the socket fares.
#[derive(Clone, Message)]
#[rtype(result = "ControlStats")]
pub struct Snapshot;

/// Let go of everybody and accept nobody.
#[derive(Clone, Message)]
#[rtype(result = "()")]
pub struct Close;

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
pub(super) struct Parts {
    pub(super) listener: Arc<UnixListener>,
    pub(super) desk: Arc<dyn Desk>,
    pub(super) shared: Shared,
}

/// What the handle shares with the actor. Not the desk, which may hold a handle.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) limits: Arc<Limits>,
    /// One for each client.
    pub(super) places: Arc<Semaphore>,
    pub(super) closing: CancellationToken,
}

/// The control socket, for everybody else.
#[derive(Clone)]
pub struct ControlHandle {
    handle: Handle<ControlActor>,
    shared: Shared,
}

impl ControlHandle {
    /// Starts a supervised listener. The desk answers what clients ask.
    pub fn start(
        listener: UnixListener,
        desk: Arc<dyn Desk>,
        limits: Limits,
    ) -> (Self, JoinHandle<Ended>) {
        let shared = Shared {
            places: Arc::new(Semaphore::new(limits.clients)),
            limits: Arc::new(limits),
            closing: CancellationToken::new(),
        };
        let parts = Parts { listener: Arc::new(listener), desk, shared: shared.clone() };
        let intensity = Intensity::new(5, Duration::from_secs(10));
        let (handle, joined) =
            supervise("control", intensity, move || ControlActor::new(parts.clone()));
        (Self { handle, shared }, joined)
    }

    pub async fn stats(&self) -> ControlStats {
        let mut stats = self.handle.ask(Snapshot).await.unwrap_or_default();
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
        if tokio::time::timeout(self.shared.limits.farewell, gone).await.is_err() {
            tracing::warn!("clients that still waited were cut off");
        }
        // An actor that is gone has closed already.
        self.handle.ask(Close).await.ok();
    }

    #[cfg(test)]
    pub(super) async fn crash(&self) {
        self.handle.ask(Crash::default()).await.ok();
    }
}
