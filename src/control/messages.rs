//! The messages to the control actor, and the handle through which the rest of the program uses it.

use super::actor::ControlActor;
use super::limits::ControlLimits;
use super::session::ControlDispatcher;
use actix::Message;
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;
use synthd_actors::policy::RestartIntensity;
use synthd_actors::supervisor::{ActorExit, ActorHandle, ActorStats, supervise};
use tokio::net::UnixListener;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Asks the actor for its counts.
#[derive(Clone, Message)]
#[rtype(result = "ControlStats")]
pub struct ControlStatsQuery;

/// Aborts all sessions and accepts no more clients.
#[derive(Clone, Message)]
#[rtype(result = "()")]
pub struct CloseControl;

/// Panics the actor, once, as tests ask.
#[cfg(test)]
#[derive(Clone, Default, Message)]
#[rtype(result = "()")]
pub(super) struct Crash(pub(super) Arc<std::sync::atomic::AtomicBool>);

/// The counts of the control socket, as the status report shows them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ControlStats {
    /// Clients that are connected now.
    pub clients: usize,
    /// The most clients at once.
    pub clients_bound: usize,
    /// Clients that connected, with the refused ones.
    pub accepted: u64,
    /// Clients that were refused: of another user, or one too many.
    pub refused: u64,
    /// Sessions that ended in a panic. Other sessions were not affected.
    pub panicked: u64,
}

/// What outlives one control actor. After a panic, a new actor goes on with the same listener, so
/// clients that are about to connect are not lost.
#[derive(Clone)]
pub(super) struct ControlResources {
    /// The socket on which clients connect.
    pub(super) listener: Arc<UnixListener>,
    /// Carries out the commands of clients.
    pub(super) dispatcher: Arc<dyn ControlDispatcher>,
    /// What the handle has too.
    pub(super) shared: ControlSharedState,
}

/// What the handle and the actor share. The dispatcher is not part of it: the dispatcher may hold a
/// handle, and then the two would keep each other alive.
#[derive(Clone)]
pub(super) struct ControlSharedState {
    pub(super) limits: Arc<ControlLimits>,
    /// One permit for each client that may be connected.
    pub(super) slots: Arc<Semaphore>,
    /// Cancelled when the socket closes. Sessions end after the answer that they are about to send.
    pub(super) closing: CancellationToken,
}

/// The control socket as the rest of the program sees it.
#[derive(Clone)]
pub struct ControlHandle {
    handle: ActorHandle<ControlActor>,
    shared: ControlSharedState,
}

impl ControlHandle {
    /// Starts a supervised control actor on `listener`. The dispatcher answers the commands of
    /// clients. The actor is rebuilt after a panic, at most five times in ten seconds. The join
    /// handle gives the reason when the supervisor ends.
    pub fn start(
        listener: UnixListener,
        dispatcher: Arc<dyn ControlDispatcher>,
        limits: ControlLimits,
    ) -> (Self, JoinHandle<ActorExit>) {
        let shared = ControlSharedState {
            slots: Arc::new(Semaphore::new(limits.clients)),
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

    /// The current counts. If the actor is gone for good, only the connected clients are counted.
    pub async fn stats(&self) -> ControlStats {
        let mut stats = self.handle.ask(ControlStatsQuery).await.unwrap_or_default();
        stats.clients_bound = self.shared.limits.clients;
        stats.clients = stats.clients_bound.saturating_sub(self.shared.slots.available_permits());
        stats
    }

    /// The counts of the control actor.
    pub(super) fn actor_stats(&self) -> ActorStats {
        self.handle.stats()
    }

    /// Lets commands that are being carried out answer, for at most the shutdown limit, then aborts
    /// the remaining sessions and stops the actor.
    pub async fn close(&self) {
        self.shared.closing.cancel();
        // Each session holds one permit until it ends. When all permits are free, all sessions
        // have ended.
        let all = u32::try_from(self.shared.limits.clients).unwrap_or(u32::MAX);
        let gone = self.shared.slots.acquire_many(all);
        if tokio::time::timeout(self.shared.limits.shutdown, gone).await.is_err() {
            tracing::warn!("clients that still waited were cut off");
        }
        // An error means that the actor has ended already; then there is nothing to close.
        self.handle.ask(CloseControl).await.ok();
    }

    #[cfg(test)]
    pub(super) async fn crash(&self) {
        self.handle.ask(Crash::default()).await.ok();
    }
}
