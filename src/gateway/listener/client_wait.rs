//! How long a client had waited without a byte of its answer when it left. This tells a client that
//! hung up from one that a silent provider made give up.
//!
//! The end that reads the answer has the [`ClientWait`]. It is dropped when the client leaves, and
//! notes then how long the client had waited. The end that writes the answer reads the note, in
//! its [`ClientSilence`].
//!
//! Invariant: the wait is dropped before the channel of the answer. So a writer that finds the
//! channel closed finds the note.

use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::time::Instant;

/// What the writer of an answer knows of the wait of its client. Clones share the note.
#[derive(Clone, Debug, Default)]
pub(in crate::gateway) struct ClientSilence(Arc<OnceLock<Duration>>);

impl ClientSilence {
    /// Begins to measure a wait of the client.
    pub(in crate::gateway) fn begin(&self) -> ClientWait {
        ClientWait { since: Instant::now(), note: Some(self.clone()) }
    }

    /// How long the client had waited for the next byte when it left. Zero if it has not left.
    pub(in crate::gateway) fn length(&self) -> Duration {
        self.0.get().copied().unwrap_or_default()
    }
}

/// One wait of a client. If it is dropped before it was ended, the client has left.
#[derive(Debug)]
pub(in crate::gateway) struct ClientWait {
    since: Instant,
    /// None once the wait has ended.
    note: Option<ClientSilence>,
}

impl ClientWait {
    /// The client has got a byte, and waits for the next one.
    pub(in crate::gateway) fn restart(&mut self) {
        self.since = Instant::now();
    }

    /// The client waits no longer, because what it waited for has come.
    pub(in crate::gateway) fn end(&mut self) {
        self.note = None;
    }
}

impl Drop for ClientWait {
    fn drop(&mut self) {
        if let Some(ClientSilence(note)) = self.note.take() {
            note.set(self.since.elapsed()).ok();
        }
    }
}
