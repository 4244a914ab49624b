//! Signals for commands that run for long: SIGINT (Ctrl-C) and SIGTERM stop them, SIGHUP makes a
//! daemon reload its log level.

use crate::error::{Code, Error, Result};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum SignalAction {
    /// SIGINT or SIGTERM.
    Stop,
    /// SIGHUP, if the listener was made with [`SignalListener::with_reload`].
    Reload,
}

/// Receives signals in place of their default actions. Signals that arrive while nobody waits are
/// kept until the next wait.
pub(in crate::cli) struct SignalListener {
    interrupt: Signal,
    terminate: Signal,
    hangup: Option<Signal>,
}

impl SignalListener {
    /// Listens for SIGINT and SIGTERM. SIGHUP keeps its default: it ends the process.
    pub(in crate::cli) fn listen() -> Result<Self> {
        let (interrupt, terminate) =
            (heard(SignalKind::interrupt())?, heard(SignalKind::terminate())?);
        Ok(Self { interrupt, terminate, hangup: None })
    }

    /// Listens for SIGHUP too.
    pub(in crate::cli) fn with_reload(mut self) -> Result<Self> {
        self.hangup = Some(heard(SignalKind::hangup())?);
        Ok(self)
    }

    /// Waits for the next signal.
    pub(in crate::cli) async fn next(&mut self) -> SignalAction {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => SignalAction::Stop,
            _ = self.terminate.recv() => SignalAction::Stop,
            _ = hangup => SignalAction::Reload,
        }
    }

    /// Waits for a signal that asks for the end.
    pub(in crate::cli) async fn wait_for_stop(&mut self) {
        while self.next().await != SignalAction::Stop {}
    }
}

/// Installs the handler for one signal.
fn heard(kind: SignalKind) -> Result<Signal> {
    signal(kind).map_err(|e| Error::new(Code::Unexpected, "signals cannot be heard").with_source(e))
}
