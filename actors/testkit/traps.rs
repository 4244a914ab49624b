//! Traps: faults that wait for an event, in the order they were set.

use crate::model::{Fault, FaultKind};
use std::future::pending;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// What happens to who springs it.
#[derive(Clone, Debug)]
pub enum Trap {
    Fault(FaultKind),
    Panic,
    /// Never comes back.
    Hang,
    Slow(Duration),
}

struct Set {
    /// Part of the event's text.
    event: String,
    /// Events let by before.
    skip: usize,
    /// Events caught.
    times: usize,
    trap: Trap,
}

/// The traps that are set.
#[derive(Default)]
pub struct Traps(Mutex<Vec<Set>>);

impl Traps {
    /// Catches the next event whose text contains `event`.
    pub fn once(&self, event: &str, trap: Trap) {
        self.set(event, 0, 1, trap);
    }

    /// Catches `times` events after letting `skip` by.
    pub fn set(&self, event: &str, skip: usize, times: usize, trap: Trap) {
        let set = Set { event: event.to_owned(), skip, times, trap };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(set);
    }

    pub fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn sprung(&self, event: &str) -> Option<Trap> {
        let mut traps = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let set = traps.iter_mut().find(|set| set.times > 0 && event.contains(&set.event))?;
        if set.skip > 0 {
            set.skip -= 1;
            return None;
        }
        set.times -= 1;
        Some(set.trap.clone())
    }

    /// Goes by the traps.
    #[expect(clippy::panic, reason = "the fault that tests inject")]
    pub(super) async fn pass(&self, event: &str) -> Result<(), Fault> {
        match self.sprung(event) {
            None => Ok(()),
            Some(Trap::Fault(kind)) => Err(Fault::new(kind, format!("a trap at {event}"))),
            Some(Trap::Panic) => panic!("a trap at {event}"),
            Some(Trap::Hang) => pending().await,
            Some(Trap::Slow(wait)) => {
                tokio::time::sleep(wait).await;
                Ok(())
            }
        }
    }
}
