//! Signals, for the commands that live long.

use crate::error::{Code, Error, Result};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What a signal wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SignalAction {
    Stop,
    Reload,
}

pub(super) struct SignalListener {
    interrupt: Signal,
    terminate: Signal,
    hangup: Option<Signal>,
}

impl SignalListener {
    /// Interrupts and terminations; a hang-up ends the process, as it does by default.
    pub(super) fn listen() -> Result<Self> {
        let (interrupt, terminate) =
            (heard(SignalKind::interrupt())?, heard(SignalKind::terminate())?);
        Ok(Self { interrupt, terminate, hangup: None })
    }

    /// Hang-ups too: a daemon reloads on them.
    pub(super) fn with_reload(mut self) -> Result<Self> {
        self.hangup = Some(heard(SignalKind::hangup())?);
        Ok(self)
    }

    pub(super) async fn next(&mut self) -> SignalAction {
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

    pub(super) async fn wait_for_stop(&mut self) {
        while self.next().await != SignalAction::Stop {}
    }
}

fn heard(kind: SignalKind) -> Result<Signal> {
    signal(kind).map_err(|e| Error::new(Code::Unexpected, "signals cannot be heard").with_source(e))
}
