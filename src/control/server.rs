//! Opens and closes the control socket of a running engine. `serve` and `run` use it. It connects
//! the socket, the dispatcher and the control actor, and makes a daemon resume the campaigns of the
//! last one.
//!
//! The socket listens before those campaigns are resumed, so a client can connect at once. A
//! command that names a campaign waits until each of them was tried once (the token `restarted`).

use super::admission::restart_campaigns;
use super::dispatcher::{EngineDispatcher, LifecycleChannels, ShutdownRequest};
use super::limits::ControlLimits;
use super::messages::ControlHandle;
use super::report::{ProcessDescription, ProcessMode};
use super::socket::ControlSocket;
use crate::error::{Code, Error, Result};
use crate::running_engine::RunningEngine;
use crate::templates::TemplateLibrary;
use std::sync::Arc;
use synthd_actors::supervisor::{ActorExit, spawn};
use tokio::net::UnixListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

/// An open control socket.
pub struct ControlServer {
    handle: ControlHandle,
    /// The most urgent shutdown request of the clients.
    shutdown: watch::Receiver<ShutdownRequest>,
    /// Ends when the control actor was given up or has stopped.
    exit: JoinHandle<ActorExit>,
    /// The task that resumes the campaigns of the last daemon. The socket already listens while it
    /// runs. None for a foreground run.
    restart: Option<AbortOnDropHandle<()>>,
}

impl ControlServer {
    /// Starts to listen. A daemon also begins to resume the campaigns of the last daemon. Must be
    /// called inside the actor system. The error is `SocketUnusable` if the socket cannot be used.
    pub fn open(
        socket: &ControlSocket,
        engine: &RunningEngine,
        library: Arc<TemplateLibrary>,
        about: ProcessDescription,
    ) -> Result<Self> {
        let (request, shutdown) = watch::channel(ShutdownRequest::Stay);
        let restarted = CancellationToken::new();
        // The guard is dropped with the task, in whatever way the task ends. A foreground run has
        // no such task, so its guard is dropped at once. Either way, commands do not wait forever.
        let done = restarted.clone().drop_guard();
        let earlier = (about.mode == ProcessMode::Daemon)
            .then(|| restart_campaigns(engine.clone(), library.clone(), done));
        let dispatcher = EngineDispatcher::new(
            engine.clone(),
            library,
            about,
            LifecycleChannels { request, restarted },
        );
        let dispatcher = Arc::new(dispatcher);
        let listener = socket.listener().and_then(UnixListener::from_std).map_err(|error| {
            Error::new(Code::SocketUnusable, "the control socket does not listen")
                .with_source(error)
        })?;
        let (handle, exit) =
            ControlHandle::start(listener, dispatcher.clone(), ControlLimits::default());
        // The dispatcher reports the counts of the actor, and the actor needs the dispatcher to
        // start. So the handle is added afterwards.
        dispatcher.attach(handle.clone());
        let restart = earlier.map(|earlier| spawn("restart campaigns", earlier));
        Ok(Self { handle, shutdown, exit, restart })
    }

    /// A receiver that changes when a client asks for a more urgent shutdown.
    pub fn shutdown_requests(&self) -> watch::Receiver<ShutdownRequest> {
        self.shutdown.clone()
    }

    /// Stops resuming campaigns of the last daemon. Those that have not been tried stay as they
    /// are.
    pub fn stop_restarting(&mut self) {
        self.restart = None;
    }

    /// Resolves with the reason when the control actor has failed for good. The process must then
    /// end.
    pub async fn failed(&mut self) -> String {
        match (&mut self.exit).await {
            Ok(ActorExit::Escalated { name, panic }) => {
                format!("the {name} actor keeps panicking: {panic}")
            }
            Ok(ActorExit::Stopped) => "the control actor stopped".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    /// Closes the socket. Commands that are being carried out have a short time to answer.
    pub async fn close(self) {
        self.handle.close().await;
    }
}
