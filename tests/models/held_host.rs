//! A provider of which a test holds one call. A campaign that asks it cannot end before the test
//! says so, however fast or slow the machine is.

use super::host::{Host, delta, finish, stream_of};
use crate::control::host::PATIENCE;
use serde_json::json;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

/// Answers each call at once with words that hold no action, but for the held one: that one waits for
/// [`Self::release`], or for the end of the test.
pub(crate) struct HeldHost {
    pub(crate) host: Host,
    reached: Receiver<()>,
    release: Sender<()>,
}

impl HeldHost {
    /// Holds the call of this number, counted from one.
    pub(crate) fn holding(held: usize) -> Self {
        let (reach, reached) = channel();
        let (release, released) = channel::<()>();
        let calls = AtomicUsize::new(0);
        let gate = Mutex::new((reach, released));
        let host = Host::answering(move |_| {
            if calls.fetch_add(1, Ordering::SeqCst) + 1 == held {
                let gate = gate.lock().unwrap();
                gate.0.send(()).ok();
                // The end of the test releases it too.
                gate.1.recv().ok();
            }
            stream_of(&[delta(json!({ "content": "I am done." })), finish("stop")])
        });
        Self { host, reached, release }
    }

    /// Returns when the held call has come.
    pub(crate) fn is_kept_waiting(&self) {
        self.reached.recv_timeout(PATIENCE).expect("the held call does not come");
    }

    /// Lets the held call be answered.
    pub(crate) fn release(&self) {
        self.release.send(()).unwrap();
    }
}
