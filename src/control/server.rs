//! The control socket of a running engine, as `serve` and `run` open it.

use super::admission::restart_campaigns;
use super::dispatcher::{EngineDispatcher, LifecycleChannels, ShutdownRequest};
use super::limits::ControlLimits;
use super::messages::ControlHandle;
use super::report::{ProcessDescription, ProcessMode};
use super::socket::ControlSocket;
use crate::engine::Engine;
use crate::error::{Code, Error, Result};
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
    shutdown: watch::Receiver<ShutdownRequest>,
    life: JoinHandle<ActorExit>,
    /// A daemon takes up earlier campaigns while it is already listening.
    revival: Option<AbortOnDropHandle<()>>,
}

impl ControlServer {
    /// Listens, and has a daemon take up what the last one left. Must be called inside the actor system.
    pub fn open(
        socket: &ControlSocket,
        engine: &Engine,
        library: Arc<TemplateLibrary>,
        about: ProcessDescription,
    ) -> Result<Self> {
        let (request, shutdown) = watch::channel(ShutdownRequest::Stay);
        let revived = CancellationToken::new();
        // Dropped with the task, however that ends; at once where there is none.
        let done = revived.clone().drop_guard();
        let earlier = (about.mode == ProcessMode::Daemon)
            .then(|| restart_campaigns(engine.clone(), library.clone(), done));
        let dispatcher = EngineDispatcher::new(
            engine.clone(),
            library,
            about,
            LifecycleChannels { request, revived },
        );
        let dispatcher = Arc::new(dispatcher);
        let listener = socket.listener().and_then(UnixListener::from_std).map_err(|error| {
            Error::new(Code::SocketUnusable, "the control socket does not listen")
                .with_source(error)
        })?;
        let (handle, life) =
            ControlHandle::start(listener, dispatcher.clone(), ControlLimits::default());
        dispatcher.attach(handle.clone());
        let revival = earlier.map(|earlier| spawn("revive campaigns", earlier));
        Ok(Self { handle, shutdown, life, revival })
    }

    /// What clients want of the process; changes when they want more.
    pub fn shutdown_requests(&self) -> watch::Receiver<ShutdownRequest> {
        self.shutdown.clone()
    }

    /// Takes up no more of what the last daemon left.
    pub fn stop_restarting(&mut self) {
        self.revival = None;
    }

    /// Resolves when the socket's actor has failed for good.
    pub async fn failed(&mut self) -> String {
        match (&mut self.life).await {
            Ok(ActorExit::Escalated { name, panic }) => {
                format!("the {name} actor keeps panicking: {panic}")
            }
            Ok(ActorExit::Stopped) => "the control actor stopped".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    pub async fn close(self) {
        self.handle.close().await;
    }
}
