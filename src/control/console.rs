//! The control socket of a running engine, as `serve` and `run` open it.

use super::desk::{EngineDesk, Farewell};
use super::limits::Limits;
use super::messages::ControlHandle;
use super::report::About;
use super::socket::Socket;
use crate::engine::Engine;
use crate::error::{Code, Error, Result};
use std::sync::Arc;
use synthd_actors::supervisor::Ended;
use synthd_actors::task::Catalog;
use tokio::net::UnixListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// An open control socket.
pub struct Console {
    handle: ControlHandle,
    farewell: watch::Receiver<Farewell>,
    life: JoinHandle<Ended>,
}

impl Console {
    /// Listens. Must be called inside the actor system.
    pub fn open(
        socket: &Socket,
        engine: &Engine,
        catalog: Arc<Catalog>,
        about: About,
    ) -> Result<Self> {
        let (wish, farewell) = watch::channel(Farewell::Stay);
        let desk = Arc::new(EngineDesk::new(engine.clone(), catalog, about, wish));
        let listener = socket.listener().and_then(UnixListener::from_std).map_err(|error| {
            Error::new(Code::SocketUnusable, "the control socket does not listen").because(error)
        })?;
        let (handle, life) = ControlHandle::start(listener, desk.clone(), Limits::default());
        desk.attach(handle.clone());
        Ok(Self { handle, farewell, life })
    }

    /// What clients want of the process; changes when they want more.
    pub fn farewell(&self) -> watch::Receiver<Farewell> {
        self.farewell.clone()
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
