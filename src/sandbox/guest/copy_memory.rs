//! The memory that copies of workspaces take: one bound for the whole engine.
//!
//! The host holds a copy in memory from the moment it is received until its last owner drops
//! it. Before the guest sends a copy, it says how large the copy will be. The client then waits
//! here until that much memory is free, so all copies together never exceed [`COPY_MEMORY`]. Only a
//! copy that is larger by itself does, and it is then the only one.
//!
//! A copy that waits for checks is not in this memory, see `stored_copies.rs`. It comes back when a
//! sandbox is ready for it. So nobody who has memory waits for a sandbox, for a check or for more
//! memory, and everybody who waits gets it.

use std::sync::{Arc, LazyLock};
use synthd_actors::model::MemoryReservation;
use tokio::sync::Semaphore;

/// Bytes that all copies of workspaces may take together.
pub const COPY_MEMORY: u64 = 256 << 20;
/// The semaphore counts memory in units of this many bytes. One permit of the semaphore is one
/// unit.
const UNIT: u64 = 4 << 10;

/// The one memory bound of this process. All guest clients reserve from it.
pub(super) static COPIES: LazyLock<CopyMemory> = LazyLock::new(|| CopyMemory::within(COPY_MEMORY));

/// Waits until there is memory for a copy of so many bytes.
pub(crate) async fn reserve_copy(bytes: u64) -> MemoryReservation {
    COPIES.reserve(bytes).await
}

/// A bound on memory, as a semaphore with one permit for each [`UNIT`].
pub(super) struct CopyMemory {
    /// Units in all. A single reservation never asks for more, because it could not be granted.
    units: u32,
    /// Units that nobody holds. The semaphore is fair, so a large copy is not overtaken for
    /// ever.
    free: Arc<Semaphore>,
}

impl CopyMemory {
    /// A bound of `bytes`, rounded up to whole units.
    fn within(bytes: u64) -> Self {
        let units = units(bytes);
        Self { units, free: Arc::new(Semaphore::new(units as usize)) }
    }

    /// Waits until `bytes` are free and reserves them. Requests are served in the order in
    /// which they arrive. A copy that is larger than the whole bound waits until no other copy
    /// is left, and then holds the whole bound. The memory is free again when the last clone of
    /// the reservation is dropped.
    pub(super) async fn reserve(&self, bytes: u64) -> MemoryReservation {
        let wanted = units(bytes).min(self.units);
        // `acquire_many_owned` fails only on a closed semaphore, and nobody closes this one.
        self.free
            .clone()
            .acquire_many_owned(wanted)
            .await
            .map(MemoryReservation::new)
            .unwrap_or_default()
    }
}

/// The number of units that hold so many bytes, rounded up.
fn units(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    fn now<T>(future: impl Future<Output = T>) -> Option<T> {
        match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(value) => Some(value),
            Poll::Pending => None,
        }
    }

    #[test]
    fn a_copy_larger_than_all_is_the_only_one() {
        let copies = CopyMemory::within(1 << 20);
        let small = now(copies.reserve(1)).unwrap();
        assert!(now(copies.reserve(u64::MAX)).is_none());
        drop(small);
        let large = now(copies.reserve(u64::MAX)).unwrap();
        let shared = large.clone();
        drop(large);
        assert!(now(copies.reserve(1)).is_none(), "an owner is left");
        drop(shared);
        assert!(now(copies.reserve(1)).is_some());
    }

    proptest! {
        #[test]
        fn what_is_held_at_once_stays_within_the_bound(
            sizes in prop::collection::vec((0_u64..3 << 20, any::<bool>()), 1..40),
        ) {
            let copies = CopyMemory::within(4 << 20);
            let mut held: Vec<(u64, MemoryReservation)> = Vec::new();
            for (size, ends) in sizes {
                if ends {
                    held.pop();
                }
                if let Some(room) = now(copies.reserve(size)) {
                    held.push((size, room));
                }
                prop_assert!(held.iter().map(|(size, _)| size).sum::<u64>() <= 4 << 20);
            }
        }
    }
}
