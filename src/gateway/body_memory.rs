//! Memory for what clients say. It is taken as bytes come: who declares a large body and says
//! nothing takes nothing.
//!
//! ```text
//!  bytes ─► share of the agent ─► memory of all ─► a place beyond it
//!                 │ used up             │ not more than is left      │ taken: waits, or 503
//!                 └─────────────────────┴────────────────────────────┘
//! ```
//! A session never holds more of the memory of all than is left for others. So one session takes
//! half of it at most, two take a third each, and the next one always finds some. Each agent has
//! a share of its own beside that.
//!
//! A place beyond lets a body be read to its end, so that bodies that are half read never wait
//! for each other for ever. A session has one such place at most.

use super::refusal::GatewayRefusal;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use synthd_actors::agent_access::GatewayDelays;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::sleep;

/// Of all calls on their way, in KiB; what JSON says oddly is larger in memory.
const MOST: usize = 192 << 10;
/// Bodies that are read beyond that, each of 16 MiB at most.
const BEYOND: usize = 4;
/// Of one agent's calls, beside that.
const SHARE: usize = 2 << 10;
/// For others to give memory back.
const PATIENCE: Duration = Duration::from_secs(60);

/// What one session holds of the memory for bodies.
pub(super) struct MemoryShare {
    /// Nobody else can take it.
    share: Arc<Semaphore>,
    /// Changed only while the memory of all is locked.
    held: Mutex<usize>,
    beyond: Arc<Semaphore>,
}

impl MemoryShare {
    fn with(share: usize) -> Arc<Self> {
        let (share, beyond) = (Arc::new(Semaphore::new(share)), Arc::new(Semaphore::new(1)));
        Arc::new(Self { share, held: Mutex::default(), beyond })
    }

    /// An agent's; there are no more of them than episodes.
    pub(super) fn of_agent() -> Arc<Self> {
        Self::with(SHARE)
    }

    /// A client's, who chooses how many sessions there are.
    fn of_client() -> Arc<Self> {
        Self::with(0)
    }
}

/// The purses of clients, by the names of their sessions, for as long as one is used.
#[derive(Default)]
pub(super) struct MemoryShares(Mutex<HashMap<String, Weak<MemoryShare>>>);

impl MemoryShares {
    pub(super) fn of(&self, name: &str) -> Arc<MemoryShare> {
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

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The memory for all bodies.
pub(super) struct BodyMemory {
    common: Arc<SharedMemory>,
    beyond: Arc<Semaphore>,
    /// Bodies that wait.
    waiting: Arc<()>,
}

struct SharedMemory {
    free: Mutex<usize>,
    freed: Notify,
}

/// Who needs room: a session, and the attempt that its waiting is told to.
#[derive(Clone, Copy)]
pub(super) struct MemoryTenant<'a> {
    pub(super) share: &'a Arc<MemoryShare>,
    pub(super) delays: Option<&'a GatewayDelays>,
}

/// The memory of one body, given back when it is dropped.
#[derive(Default)]
pub(super) struct BodyReservation {
    own: Option<OwnedSemaphorePermit>,
    common: Option<TakenMemory>,
    beyond: Option<(OwnedSemaphorePermit, OwnedSemaphorePermit)>,
    kibibytes: usize,
}

/// Part of the memory of all.
struct TakenMemory {
    common: Arc<SharedMemory>,
    share: Arc<MemoryShare>,
    kibibytes: usize,
}

impl SharedMemory {
    /// Where a session holds no more afterwards than is left.
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
    pub(super) fn of(kibibytes: usize, beyond: usize) -> Self {
        let common = SharedMemory { free: Mutex::new(kibibytes), freed: Notify::new() };
        let beyond = Arc::new(Semaphore::new(beyond));
        Self { common: Arc::new(common), beyond, waiting: Arc::default() }
    }

    /// Bodies that wait for memory.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        Arc::strong_count(&self.waiting) - 1
    }

    /// Makes a room large enough for so many bytes.
    pub(super) async fn grow(
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

    async fn freed(&self, share: &Arc<MemoryShare>, more: usize) -> TakenMemory {
        loop {
            let freed = self.common.freed.notified();
            if let Some(taken) = self.common.take(share, more) {
                return taken;
            }
            freed.await;
        }
    }

    async fn beyond(
        &self,
        share: &MemoryShare,
    ) -> Option<(OwnedSemaphorePermit, OwnedSemaphorePermit)> {
        let own = share.beyond.clone().acquire_owned().await.ok()?;
        Some((own, self.beyond.clone().acquire_owned().await.ok()?))
    }
}

impl BodyReservation {
    fn add(&mut self, mut taken: TakenMemory) {
        match &mut self.common {
            // What is added is given back with the rest.
            Some(held) => held.kibibytes += std::mem::take(&mut taken.kibibytes),
            none => *none = Some(taken),
        }
    }
}

fn merge(held: &mut Option<OwnedSemaphorePermit>, permit: OwnedSemaphorePermit) {
    match held {
        Some(held) => held.merge(permit),
        None => *held = Some(permit),
    }
}

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
        // More than its share waits for the others, on nobody's time.
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
