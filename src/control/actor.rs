//! The control actor: accepts clients and owns their sessions, each a task of its own.
//!
//! ```text
//!  listening ──client──► peer of this user? place free? ──► session (task, joined)
//!      ▲                     │ no: told why, dropped            │ ends, panics
//!      └─────────────────────┴──────────────────────────────────┘
//!  closing: sessions end after their answer; then stopped
//! ```

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

/// Out of file descriptors, most likely: some client has to leave first.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

pub struct ControlActor {
    parts: ControlResources,
    /// Their tasks are owned by futures of this actor's context, so that no session
    /// outlives it.
    sessions: HashMap<u64, tokio::task::AbortHandle>,
    next: u64,
    stats: ControlStats,
}

impl ControlActor {
    pub(super) fn new(parts: ControlResources) -> Self {
        Self { parts, sessions: HashMap::new(), next: 0, stats: ControlStats::default() }
    }

    fn listen(&mut self, ctx: &mut Context<Self>) {
        let (listener, closing) = (self.parts.listener.clone(), self.parts.shared.closing.clone());
        let accepted = async move {
            tokio::select! {
                accepted = listener.accept() => Some(accepted),
                () = closing.cancelled() => None,
            }
        };
        ctx.spawn(accepted.into_actor(self).map(|accepted, this, ctx| match accepted {
            Some(Ok((stream, _))) => {
                this.welcome(stream, ctx);
                this.listen(ctx);
            }
            Some(Err(error)) => this.pause(&error, ctx),
            None => {}
        }));
    }

    fn pause(&mut self, error: &io::Error, ctx: &mut Context<Self>) {
        tracing::warn!(%error, "a control client could not be accepted");
        ctx.run_later(ACCEPT_PAUSE, |this, ctx| this.listen(ctx));
    }

    fn welcome(&mut self, stream: UnixStream, ctx: &mut Context<Self>) {
        self.stats.accepted += 1;
        if let Err(error) = same_user(&stream) {
            return self.turn_away(stream, error, ctx);
        }
        let Ok(place) = self.parts.shared.places.clone().try_acquire_owned() else {
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

    fn turn_away(&mut self, stream: UnixStream, error: Error, ctx: &mut Context<Self>) {
        self.stats.refused += 1;
        tracing::info!(%error, "a control client was turned away");
        let limits = self.parts.shared.limits.clone();
        self.own(spawn("control refusal", refuse(stream, limits, error)), ctx);
    }

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

    fn close(&mut self, ctx: &mut Context<Self>) {
        self.sessions.values().for_each(tokio::task::AbortHandle::abort);
        ctx.stop();
    }
}

/// The file's mode keeps others out; this keeps them out should it have been changed.
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
