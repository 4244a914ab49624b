//! The control socket of a running engine, as `serve` and `run` open it.

use super::admission::revive_all;
use super::desk::{EngineDesk, Farewell, Wires};
use super::limits::Limits;
use super::messages::ControlHandle;
use super::report::{About, Mode};
use super::socket::Socket;
use crate::engine::Engine;
use crate::error::{Code, Error, Result};
use crate::templates::Library;
use std::sync::Arc;
use synthd_actors::supervisor::{Ended, spawn};
use tokio::net::UnixListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

/// An open control socket.
pub struct Console {
    handle: ControlHandle,
    farewell: watch::Receiver<Farewell>,
    life: JoinHandle<Ended>,
    /// A daemon takes up earlier campaigns while it is already listening.
    revival: Option<AbortOnDropHandle<()>>,
}

impl Console {
    /// Listens, and has a daemon take up what the last one left. Must be called inside the actor system.
    pub fn open(
        socket: &Socket,
        engine: &Engine,
        library: Arc<Library>,
        about: About,
    ) -> Result<Self> {
        let (wish, farewell) = watch::channel(Farewell::Stay);
        let revived = CancellationToken::new();
        // Dropped with the task, however that ends; at once where there is none.
        let done = revived.clone().drop_guard();
        let earlier =
            (about.mode == Mode::Daemon).then(|| revive_all(engine.clone(), library.clone(), done));
        let desk = EngineDesk::new(engine.clone(), library, about, Wires { wish, revived });
        let desk = Arc::new(desk);
        let listener = socket.listener().and_then(UnixListener::from_std).map_err(|error| {
            Error::new(Code::SocketUnusable, "the control socket does not listen").because(error)
        })?;
        let (handle, life) = ControlHandle::start(listener, desk.clone(), Limits::default());
        desk.attach(handle.clone());
        let revival = earlier.map(|earlier| spawn("revive campaigns", earlier));
        Ok(Self { handle, farewell, life, revival })
    }

    /// What clients want of the process; changes when they want more.
    pub fn farewell(&self) -> watch::Receiver<Farewell> {
        self.farewell.clone()
    }

    /// Takes up no more of what the last daemon left.
    pub fn leave_the_rest(&mut self) {
        self.revival = None;
    }

    /// Resolves when the socket's actor has failed for good.
    pub async fn failed(&mut self) -> String {
        match (&mut self.life).await {
            Ok(Ended::Escalated { name, panic }) => {
                format!("the {name} actor keeps panicking: {panic}")
            }
            Ok(Ended::Stopped) => "the control actor stopped".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    pub async fn close(self) {
        self.handle.close().await;
    }
}
