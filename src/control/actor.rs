//! The control actor: accepts clients on the control socket and owns their sessions. Each session
//! is a task of its own.
//!
//! ```text
//!  listening ──client──► same user? place free? ──► session (task, joined)
//!      ▲                     │ no: refused with the reason │ ends or panics
//!      └─────────────────────┴─────────────────────────────┘
//!  closing: a session ends after its answer, or is aborted at the limit; then the actor stops
//! ```
//!
//! The actor decides only whether a client gets a session; `session.rs` does the rest. A session
//! that panics ends alone and is counted. If the actor itself panics, its supervisor builds a new
//! one, which goes on with the same listener; the sessions of the old actor end with it.

use super::messages::{
    CloseControl, ControlResources, ControlSharedState, ControlStats, ControlStatsQuery,
};
use super::session::{ControlSessionContext, refuse, serve};
use crate::error::{Code, Error};
use actix::{
    Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, MessageResult, WrapFuture,
};
use std::collections::HashMap;
use std::io;
use std::time::Duration;
use synthd_actors::supervisor::{panic_text, spawn};
use tokio::net::UnixStream;
use tokio_util::task::AbortOnDropHandle;

/// The pause after a failed accept. The usual reason is that no file descriptors are left; some
/// client has to disconnect first, and trying again at once would only use up the processor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The actor behind [`ControlHandle`](super::ControlHandle).
pub struct ControlActor {
    /// What the actor shares with its successors: listener, dispatcher, limits.
    parts: ControlResources,
    /// The running sessions by their numbers. The tasks are owned by futures in this actor's
    /// context, so no session outlives the actor.
    sessions: HashMap<u64, tokio::task::AbortHandle>,
    /// The number of the next session.
    next: u64,
    /// Counts since this actor was built. A new actor after a panic begins at zero.
    stats: ControlStats,
}

impl ControlActor {
    /// An actor that listens as soon as it is started.
    pub(super) fn new(parts: ControlResources) -> Self {
        Self { parts, sessions: HashMap::new(), next: 0, stats: ControlStats::default() }
    }

    /// Waits for the next client in the background. Each accepted client starts the next wait, so
    /// there is exactly one wait at a time. The waiting ends when the socket closes.
    fn listen(&mut self, ctx: &mut Context<Self>) {
        let (listener, closing) = (self.parts.listener.clone(), self.parts.shared.closing.clone());
        // `accept` may be cancelled without losing a client: a client that was not accepted stays
        // in the queue of the listener.
        let accepted = async move {
            tokio::select! {
                accepted = listener.accept() => Some(accepted),
                () = closing.cancelled() => None,
            }
        };
        ctx.spawn(accepted.into_actor(self).map(|accepted, this, ctx| match accepted {
            Some(Ok((stream, _))) => {
                this.accept_client(stream, ctx);
                this.listen(ctx);
            }
            Some(Err(error)) => this.pause(&error, ctx),
            None => {}
        }));
    }

    /// Logs a failed accept and listens again after [`ACCEPT_PAUSE`].
    fn pause(&mut self, error: &io::Error, ctx: &mut Context<Self>) {
        tracing::warn!(%error, "a control client could not be accepted");
        ctx.run_later(ACCEPT_PAUSE, |this, ctx| this.listen(ctx));
    }

    /// Gives a client a session. A client of another user, or one more than the limit allows, is
    /// refused instead.
    fn accept_client(&mut self, stream: UnixStream, ctx: &mut Context<Self>) {
        self.stats.accepted += 1;
        if let Err(error) = same_user(&stream) {
            return self.turn_away(stream, error, ctx);
        }
        // The place is held until the session ends. `ControlHandle::close` waits for all places.
        let Ok(place) = self.parts.shared.slots.clone().try_acquire_owned() else {
            let most = self.parts.shared.limits.clients;
            let error = Error::new(Code::ControlRefused, format!("{most} clients are connected"))
                .hint("try again when a client has left");
            return self.turn_away(stream, error, ctx);
        };
        let ControlResources {
            dispatcher, shared: ControlSharedState { limits, closing, .. }, ..
        } = self.parts.clone();
        let session = spawn("control session", async move {
            serve(stream, ControlSessionContext { dispatcher, limits, closing }).await;
            drop(place);
        });
        self.own(session, ctx);
    }

    /// Refuses a client: a task writes the reason and closes the connection. The task has no place,
    /// because it ends by itself within the limit for writing.
    fn turn_away(&mut self, stream: UnixStream, error: Error, ctx: &mut Context<Self>) {
        self.stats.refused += 1;
        tracing::info!(%error, "a control client was turned away");
        let limits = self.parts.shared.limits.clone();
        self.own(spawn("control refusal", refuse(stream, limits, error)), ctx);
    }

    /// Keeps a task alive until it ends, and counts a panic of it. If the actor ends first, the
    /// task is aborted.
    fn own(&mut self, session: AbortOnDropHandle<()>, ctx: &mut Context<Self>) {
        let id = self.next;
        self.next += 1;
        self.sessions.insert(id, session.abort_handle());
        ctx.spawn(session.into_actor(self).map(move |ended, this, _| {
            this.sessions.remove(&id);
            if let Err(failure) = ended
                && failure.is_panic()
            {
                this.stats.panicked += 1;
                tracing::error!(panic = panic_text(failure), "a control session panicked");
            }
        }));
    }

    /// Aborts all sessions and stops the actor for good; the supervisor does not build a new one.
    fn close(&mut self, ctx: &mut Context<Self>) {
        self.sessions.values().for_each(tokio::task::AbortHandle::abort);
        ctx.stop();
    }
}

/// Checks that the client runs as the same user as this process. The mode of the socket file
/// already keeps other users out; this check holds even if somebody has changed the mode.
fn same_user(stream: &UnixStream) -> Result<(), Error> {
    let own = nix::unistd::geteuid().as_raw();
    let peer = stream.peer_cred().map(|peer| peer.uid());
    if peer.as_ref().is_ok_and(|uid| *uid == own) {
        return Ok(());
    }
    let who = peer.map_or_else(|_| "an unknown user".to_owned(), |uid| format!("user {uid}"));
    Err(Error::new(Code::ControlRefused, format!("{who} may not control a daemon of user {own}"))
        .hint("run the command as the user of the daemon"))
}

impl Actor for ControlActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.listen(ctx);
    }
}

synthd_actors::takes_deliveries!(ControlActor);

impl Handler<ControlStatsQuery> for ControlActor {
    type Result = MessageResult<ControlStatsQuery>;

    fn handle(&mut self, _: ControlStatsQuery, _: &mut Self::Context) -> Self::Result {
        MessageResult(self.stats.clone())
    }
}

impl Handler<CloseControl> for ControlActor {
    type Result = ();

    fn handle(&mut self, _: CloseControl, ctx: &mut Self::Context) {
        self.close(ctx);
    }
}

#[cfg(test)]
impl Handler<super::messages::Crash> for ControlActor {
    type Result = ();

    fn handle(&mut self, crash: super::messages::Crash, _: &mut Self::Context) {
        if !crash.0.swap(true, std::sync::atomic::Ordering::SeqCst) {
            panic!("injected into the control actor");
        }
    }
}
