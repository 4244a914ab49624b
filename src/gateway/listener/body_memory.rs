//! The memory for request bodies. It is reserved while the bytes of a body arrive. A client that
//! announces a large body and sends nothing takes no memory.
//!
//! ```text
//!  bytes ─► agent's own share ─► memory of all ─► a place beyond it
//!                 │ used up        │ the session would hold   │ taken: wait, or 503
//!                 │                │ more than is left free   │
//!                 └────────────────┴──────────────────────────┘
//! ```
//! `routes` reserves memory for each piece of a body with [`BodyMemory::grow`]. The
//! [`BodyReservation`] stays with the call until the call has ended, because the request is needed
//! until then.
//!
//! Invariant: a session gets common memory only if it then holds no more than is left free. So the
//! first session takes half of the memory at most, and a session that comes later takes at most
//! half of what the others have left. In addition, each agent has a share of its own.
//!
//! If no memory is free, a body waits. A place beyond the common memory lets one waiting body be
//! read to its end. So bodies that are half read never wait for each other for ever. A session has
//! one such place at most. After a minute without memory the call is refused with a 503.

use crate::gateway::refusal::GatewayRefusal;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use synthd_actors::agent_access::GatewayDelays;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::sleep;

/// The common memory for all bodies, in KiB: 192 MiB. It counts bytes of text. The parsed JSON of
/// an unusual body may need more memory than its text.
const MOST: usize = 192 << 10;
/// Bodies that may be read beyond the common memory. Each of them is 16 MiB at most.
const BEYOND: usize = 4;
/// The share that each agent has for itself, in KiB: 2 MiB. It comes in addition to the common
/// memory.
const SHARE: usize = 2 << 10;
/// How long a body waits for memory before its call is refused.
const PATIENCE: Duration = Duration::from_secs(60);

/// What one session holds of the memory for bodies.
pub(in crate::gateway) struct MemoryShare {
    /// The session's own memory, one permit for each KiB. No other session can take it.
    share: Arc<Semaphore>,
    /// KiB that the session holds of the common memory. It is changed only while the common memory
    /// is locked.
    held: Mutex<usize>,
    /// The one place beyond the common memory that the session may use.
    beyond: Arc<Semaphore>,
}

impl MemoryShare {
    /// A share with so many KiB of its own.
    fn with(share: usize) -> Arc<Self> {
        let (share, beyond) = (Arc::new(Semaphore::new(share)), Arc::new(Semaphore::new(1)));
        Arc::new(Self { share, held: Mutex::default(), beyond })
    }

    /// The share of an agent. Its own memory needs no further limit, because there are no more
    /// agents than running episodes.
    pub(in crate::gateway) fn of_agent() -> Arc<Self> {
        Self::with(SHARE)
    }

    /// The share of a client of a standalone gateway. It has no memory of its own, because clients
    /// choose how many sessions there are.
    fn of_client() -> Arc<Self> {
        Self::with(0)
    }
}

/// The shares of clients, by the names of their sessions. A share is kept only while a call uses
/// it.
#[derive(Default)]
pub(in crate::gateway) struct MemoryShares(Mutex<HashMap<String, Weak<MemoryShare>>>);

impl MemoryShares {
    /// The share of the session with this name. All calls of a session get the same share. Unused
    /// entries are removed when a new one is added, so the map stays as small as the calls in
    /// progress.
    pub(in crate::gateway) fn of(&self, name: &str) -> Arc<MemoryShare> {
        let mut all = lock(&self.0);
        if let Some(share) = all.get(name).and_then(Weak::upgrade) {
            return share;
        }
        all.retain(|_, share| share.strong_count() > 0);
        let share = MemoryShare::of_client();
        all.insert(name.to_owned(), Arc::downgrade(&share));
        share
    }
}

/// Locks a mutex, also after a panic of another holder: each change under these locks is one step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The memory for the bodies of all sessions of one gateway.
pub(in crate::gateway) struct BodyMemory {
    common: Arc<SharedMemory>,
    /// The places beyond the common memory.
    beyond: Arc<Semaphore>,
    /// Counts the bodies that wait: each of them holds a clone.
    waiting: Arc<()>,
}

/// The common memory.
struct SharedMemory {
    /// In KiB. It is always locked before `MemoryShare::held`, so the two locks cannot block each
    /// other.
    free: Mutex<usize>,
    /// Wakes all bodies that wait when memory was given back.
    freed: Notify,
}

/// Who needs memory for a body: a session, and the attempt that is told of the waiting time.
#[derive(Clone, Copy)]
pub(in crate::gateway) struct MemoryTenant<'a> {
    pub(in crate::gateway) share: &'a Arc<MemoryShare>,
    /// Time that a call of an agent waits here does not count as the agent's time. None for a
    /// client of a standalone gateway.
    pub(in crate::gateway) delays: Option<&'a GatewayDelays>,
}

/// The memory of one body. It is given back when the reservation is dropped.
#[derive(Default)]
pub(in crate::gateway) struct BodyReservation {
    /// What was taken of the session's own share.
    own: Option<OwnedSemaphorePermit>,
    /// What was taken of the common memory.
    common: Option<TakenMemory>,
    /// The session's place beyond, and one of all places. Once it is set, the body needs no more
    /// memory, whatever its length.
    beyond: Option<(OwnedSemaphorePermit, OwnedSemaphorePermit)>,
    /// How much was reserved in all, wherever it was taken.
    kibibytes: usize,
}

/// A part of the common memory that one session holds. Dropping it gives the part back.
struct TakenMemory {
    common: Arc<SharedMemory>,
    share: Arc<MemoryShare>,
    kibibytes: usize,
}

impl SharedMemory {
    /// Takes `more` KiB. None if they are not free, or if the session would afterwards hold more
    /// than is left free.
    fn take(self: &Arc<Self>, share: &Arc<MemoryShare>, more: usize) -> Option<TakenMemory> {
        let mut free = lock(&self.free);
        let mut held = lock(&share.held);
        let left = free.checked_sub(more)?;
        if *held + more > left {
            return None;
        }
        (*free, *held) = (left, *held + more);
        Some(TakenMemory { common: self.clone(), share: share.clone(), kibibytes: more })
    }
}

impl Drop for TakenMemory {
    fn drop(&mut self) {
        {
            let mut free = lock(&self.common.free);
            *free += self.kibibytes;
            *lock(&self.share.held) -= self.kibibytes;
        }
        self.common.freed.notify_waiters();
    }
}

impl Default for BodyMemory {
    fn default() -> Self {
        Self::of(MOST, BEYOND)
    }
}

impl BodyMemory {
    /// Memory of so many KiB, with so many places beyond.
    pub(in crate::gateway) fn of(kibibytes: usize, beyond: usize) -> Self {
        let common = SharedMemory { free: Mutex::new(kibibytes), freed: Notify::new() };
        let beyond = Arc::new(Semaphore::new(beyond));
        Self { common: Arc::new(common), beyond, waiting: Arc::default() }
    }

    /// Bodies that wait for memory.
    #[cfg(test)]
    pub(in crate::gateway) fn waiting(&self) -> usize {
        Arc::strong_count(&self.waiting) - 1
    }

    /// Enlarges a reservation so that it covers `bytes` bytes in all. It first takes the session's
    /// own memory, then the common memory, and waits if neither has enough. It fails with a 503
    /// after a minute; the reservation then keeps what it had before.
    pub(in crate::gateway) async fn grow(
        &self,
        memory: &mut BodyReservation,
        bytes: usize,
        tenant: MemoryTenant<'_>,
    ) -> Result<(), GatewayRefusal> {
        let wanted = (bytes >> 10) + 1;
        let more = wanted.saturating_sub(memory.kibibytes);
        if more == 0 || memory.beyond.is_some() {
            return Ok(());
        }
        let permits = u32::try_from(more).unwrap_or(u32::MAX);
        match tenant.share.share.clone().try_acquire_many_owned(permits) {
            Ok(permit) => merge(&mut memory.own, permit),
            Err(_) => match self.common.take(tenant.share, more) {
                Some(taken) => memory.add(taken),
                None => self.wait(memory, more, tenant).await?,
            },
        }
        memory.kibibytes = wanted;
        Ok(())
    }

    /// Waits until memory was given back or a place beyond is free. Memory is preferred, because
    /// the places are few.
    async fn wait(
        &self,
        memory: &mut BodyReservation,
        more: usize,
        tenant: MemoryTenant<'_>,
    ) -> Result<(), GatewayRefusal> {
        let _waits = self.waiting.clone();
        let _delay = tenant.delays.map(GatewayDelays::begin);
        tokio::select! {
            biased;
            taken = self.freed(tenant.share, more) => memory.add(taken),
            Some(places) = self.beyond(tenant.share) => memory.beyond = Some(places),
            () = sleep(PATIENCE) => return Err(full()),
        }
        Ok(())
    }

    /// Waits for common memory. It registers for the notification before it looks. So memory that
    /// is given back between the look and the wait is noticed.
    async fn freed(&self, share: &Arc<MemoryShare>, more: usize) -> TakenMemory {
        loop {
            let freed = self.common.freed.notified();
            if let Some(taken) = self.common.take(share, more) {
                return taken;
            }
            freed.await;
        }
    }

    /// Waits for a place beyond: first for the session's own one, so that one session does not
    /// queue for several of the common places. None cannot happen: the semaphores are never
    /// closed.
    async fn beyond(
        &self,
        share: &MemoryShare,
    ) -> Option<(OwnedSemaphorePermit, OwnedSemaphorePermit)> {
        let own = share.beyond.clone().acquire_owned().await.ok()?;
        Some((own, self.beyond.clone().acquire_owned().await.ok()?))
    }
}

impl BodyReservation {
    /// Joins newly taken memory of the same session with what the body holds already.
    fn add(&mut self, mut taken: TakenMemory) {
        match &mut self.common {
            // The new part is set to zero, so that dropping it gives nothing back.
            Some(held) => held.kibibytes += std::mem::take(&mut taken.kibibytes),
            none => *none = Some(taken),
        }
    }
}

/// Joins a permit with one of the same semaphore.
fn merge(held: &mut Option<OwnedSemaphorePermit>, permit: OwnedSemaphorePermit) {
    match held {
        Some(held) => held.merge(permit),
        None => *held = Some(permit),
    }
}

/// The refusal after the waiting time. The client may try again after a second.
fn full() -> GatewayRefusal {
    let what = "the gateway has no memory left for requests: try again later";
    let again = Some(Duration::from_secs(1));
    GatewayRefusal { retry_after: again, ..GatewayRefusal::new(503, "too_much_said", what) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(share: &Arc<MemoryShare>) -> MemoryTenant<'_> {
        MemoryTenant { share, delays: None }
    }

    #[tokio::test(start_paused = true)]
    async fn a_share_is_there_however_much_others_say() {
        let rooms = BodyMemory::of(20, 1);
        let others = [MemoryShare::of_client(), MemoryShare::of_client(), MemoryShare::of_client()];
        let mut greedy =
            [BodyReservation::default(), BodyReservation::default(), BodyReservation::default()];
        rooms.grow(&mut greedy[0], 9 << 10, client(&others[0])).await.ok().unwrap();
        rooms.grow(&mut greedy[1], 4 << 10, client(&others[1])).await.ok().unwrap();
        rooms.grow(&mut greedy[2], 99 << 10, client(&others[2])).await.ok().unwrap();
        assert!(greedy[2].beyond.is_some(), "one may go beyond");
        let (share, delays) = (MemoryShare::of_agent(), GatewayDelays::default());
        let tenant = MemoryTenant { share: &share, delays: Some(&delays) };
        let mut honest = BodyReservation::default();
        rooms.grow(&mut honest, 500 << 10, tenant).await.ok().unwrap();
        rooms.grow(&mut honest, 2_000 << 10, tenant).await.ok().unwrap();
        assert_eq!(delays.total(), Duration::ZERO, "it has not waited");
        // More than its share waits for the others. That is not the agent's time.
        let refused = rooms.grow(&mut honest, 9_000 << 10, tenant).await.unwrap_err();
        assert_eq!((refused.status, delays.total()), (503, PATIENCE));
        drop(greedy);
        rooms.grow(&mut honest, 2_005 << 10, tenant).await.ok().unwrap();
        drop(honest);
        assert_eq!((share.share.available_permits(), *lock(&rooms.common.free)), (SHARE, 20));
    }

    #[tokio::test(start_paused = true)]
    async fn bodies_that_are_half_read_come_to_their_end() {
        let (rooms, share) = (BodyMemory::of(100, 1), MemoryShare::of_client());
        let read = async || {
            let mut memory = BodyReservation::default();
            for kibibyte in 0..80 {
                rooms.grow(&mut memory, kibibyte << 10, client(&share)).await?;
                tokio::task::yield_now().await;
            }
            Ok::<_, GatewayRefusal>(())
        };
        let (a, b, c, d) = tokio::join!(read(), read(), read(), read());
        assert!([a, b, c, d].iter().all(Result::is_ok));
        assert_eq!((*lock(&rooms.common.free), *lock(&share.held)), (100, 0));
    }

    /// However many sessions hold all they get, there is something left for the next one.
    #[tokio::test]
    async fn a_session_holds_no_more_than_it_leaves() {
        let (rooms, shares) = (BodyMemory::of(1_200, 1), MemoryShares::default());
        let mut held = Vec::new();
        for (name, expected) in [("a", 600), ("b", 300), ("c", 150), ("d", 75)] {
            let share = shares.of(name);
            held.extend(std::iter::from_fn(|| rooms.common.take(&share, 1)));
            assert_eq!(*lock(&shares.of(name).held), expected, "{name}");
        }
        assert_eq!(lock(&shares.0).len(), 4);
        drop(held);
        assert_eq!(*lock(&rooms.common.free), 1_200);
        shares.of("e");
        assert_eq!(lock(&shares.0).len(), 1, "purses that nobody uses are forgotten");
    }
}
