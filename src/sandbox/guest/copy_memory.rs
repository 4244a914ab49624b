//! The memory that copies of workspaces take: one bound for the whole engine. A copy waits
//! until there is room for all that its guest has said it will send.

use std::sync::{Arc, LazyLock};
use synthd_actors::model::MemoryReservation;
use tokio::sync::Semaphore;

/// Of all copies together.
pub const COPY_MEMORY: u64 = 256 << 20;
/// Room is counted in pieces of this size.
const UNIT: u64 = 4 << 10;

/// The engine's.
pub(super) static COPIES: LazyLock<CopyMemory> = LazyLock::new(|| CopyMemory::within(COPY_MEMORY));

pub(super) struct CopyMemory {
    units: u32,
    free: Arc<Semaphore>,
}

impl CopyMemory {
    fn within(bytes: u64) -> Self {
        let units = units(bytes);
        Self { units, free: Arc::new(Semaphore::new(units as usize)) }
    }

    /// Room for so many bytes, in the order of asking. A copy larger than all has to be the
    /// only one.
    pub(super) async fn reserve(&self, bytes: u64) -> MemoryReservation {
        let wanted = units(bytes).min(self.units);
        // An error only if it were closed, which nobody does.
        self.free
            .clone()
            .acquire_many_owned(wanted)
            .await
            .map(MemoryReservation::new)
            .unwrap_or_default()
    }
}

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
