//! Memory for what clients say. It is taken as bytes come: who declares a large body and says
//! nothing takes nothing. Each agent has a share of its own that nobody else can take, so that a
//! body of usual size never waits for others.
//!
//! ```text
//!  bytes ─► share of the session ─► memory of all ─► the one place beyond it
//!                 │ used up             │ used up        │ taken: waits, or 503
//!                 └─────────────────────┴────────────────┘
//! ```
//! The place beyond lets one body at a time be read to its end, so that bodies that are half read
//! never wait for each other for ever.

use super::refusal::Refusal;
use std::sync::Arc;
use std::time::Duration;
use synthd_actors::agents::Delays;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::sleep;

/// Of all calls on their way, in KiB; what JSON says oddly is larger in memory.
const MOST: usize = 256 << 10;
/// Of one agent's calls, beside that.
const SHARE: usize = 2 << 10;
/// For others to give memory back.
const PATIENCE: Duration = Duration::from_secs(60);

/// The share of one session.
pub(super) fn share() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(SHARE))
}

/// The memory for all bodies.
pub(super) struct Rooms {
    common: Arc<Semaphore>,
    beyond: Arc<Semaphore>,
}

/// Who needs room: a session with a share, whose waiting is told to its attempt.
#[derive(Clone, Copy)]
pub(super) struct Tenant<'a> {
    pub(super) share: &'a Arc<Semaphore>,
    pub(super) delays: &'a Delays,
}

/// The memory of one body, given back when it is dropped.
#[derive(Default)]
pub(super) struct Room {
    own: Option<OwnedSemaphorePermit>,
    common: Option<OwnedSemaphorePermit>,
    beyond: Option<OwnedSemaphorePermit>,
    kibibytes: usize,
}

impl Default for Rooms {
    fn default() -> Self {
        Self::of(MOST)
    }
}

impl Rooms {
    fn of(kibibytes: usize) -> Self {
        let common = Arc::new(Semaphore::new(kibibytes));
        Self { common, beyond: Arc::new(Semaphore::new(1)) }
    }

    /// Makes a room large enough for so many bytes.
    pub(super) async fn grow(
        &self,
        room: &mut Room,
        bytes: usize,
        tenant: Option<Tenant<'_>>,
    ) -> Result<(), Refusal> {
        let wanted = (bytes >> 10) + 1;
        let more = u32::try_from(wanted.saturating_sub(room.kibibytes)).unwrap_or(u32::MAX);
        if more == 0 || room.beyond.is_some() {
            return Ok(());
        }
        let own = tenant.and_then(|tenant| tenant.share.clone().try_acquire_many_owned(more).ok());
        match (own, self.common.clone().try_acquire_many_owned(more)) {
            (Some(permit), _) => merge(&mut room.own, permit),
            (None, Ok(permit)) => merge(&mut room.common, permit),
            (None, Err(_)) => self.wait(room, more, tenant).await?,
        }
        room.kibibytes = wanted;
        Ok(())
    }

    async fn wait(
        &self,
        room: &mut Room,
        more: u32,
        tenant: Option<Tenant<'_>>,
    ) -> Result<(), Refusal> {
        let _delay = tenant.map(|tenant| tenant.delays.begin());
        tokio::select! {
            biased;
            Ok(permit) = self.common.clone().acquire_many_owned(more) => {
                merge(&mut room.common, permit);
            }
            Ok(permit) = self.beyond.clone().acquire_owned() => room.beyond = Some(permit),
            () = sleep(PATIENCE) => return Err(full()),
        }
        Ok(())
    }
}

fn merge(held: &mut Option<OwnedSemaphorePermit>, permit: OwnedSemaphorePermit) {
    match held {
        Some(held) => held.merge(permit),
        None => *held = Some(permit),
    }
}

fn full() -> Refusal {
    let what = "the gateway has no memory left for requests: try again later";
    let again = Some(Duration::from_secs(1));
    Refusal { retry_after: again, ..Refusal::new(503, "too_much_said", what) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_share_is_there_however_much_others_say() {
        let rooms = Rooms::of(10);
        let mut greedy = [Room::default(), Room::default()];
        rooms.grow(&mut greedy[0], 9 << 10, None).await.ok().unwrap();
        rooms.grow(&mut greedy[1], 99 << 10, None).await.ok().unwrap();
        assert!(greedy[1].beyond.is_some(), "one may go beyond");
        let (share, delays) = (share(), Delays::default());
        let tenant = Tenant { share: &share, delays: &delays };
        let mut honest = Room::default();
        rooms.grow(&mut honest, 500 << 10, Some(tenant)).await.ok().unwrap();
        rooms.grow(&mut honest, 2_000 << 10, Some(tenant)).await.ok().unwrap();
        assert_eq!(delays.total(), Duration::ZERO, "it has not waited");
        // More than its share waits for the others, on nobody's time.
        let refused = rooms.grow(&mut honest, 9_000 << 10, Some(tenant)).await.unwrap_err();
        assert_eq!((refused.status, delays.total()), (503, PATIENCE));
        drop(greedy);
        rooms.grow(&mut honest, 2_005 << 10, Some(tenant)).await.ok().unwrap();
        drop(honest);
        assert_eq!((share.available_permits(), rooms.common.available_permits()), (SHARE, 10));
    }

    #[tokio::test(start_paused = true)]
    async fn bodies_that_are_half_read_come_to_their_end() {
        let rooms = Rooms::of(100);
        let read = async || {
            let mut room = Room::default();
            for kibibyte in 0..80 {
                rooms.grow(&mut room, kibibyte << 10, None).await?;
                tokio::task::yield_now().await;
            }
            Ok::<_, Refusal>(())
        };
        let (a, b, c, d) = tokio::join!(read(), read(), read(), read());
        assert!([a, b, c, d].iter().all(Result::is_ok));
        assert_eq!(rooms.common.available_permits(), 100);
    }
}
