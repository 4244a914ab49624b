//! The open connections. If there are too many, the gateway closes the connection that has been
//! idle longest. It closes connections without a token first. So no client waits for an idle one.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// All connections of one listener.
pub(super) struct ConnectionLimit {
    most: usize,
    members: Mutex<ConnectionTable>,
    left: Notify,
}

#[derive(Default)]
struct ConnectionTable {
    count: usize,
    next: u64,
    /// Strangers first, then by how long they have been idle.
    idle: BTreeMap<EvictionRank, CancellationToken>,
}

/// Whether it has shown a token, and when it became idle.
type EvictionRank = (bool, u64);

/// One connection.
pub(super) struct GatewayConnection {
    limit: Arc<ConnectionLimit>,
    state: Mutex<GatewayConnectionState>,
    evicted: CancellationToken,
}

#[derive(Default)]
struct GatewayConnectionState {
    is_known: bool,
    /// Requests whose answers have not left.
    answering: u32,
    /// None while it is asked something.
    rank: Option<EvictionRank>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ConnectionLimit {
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, members: Mutex::default(), left: Notify::new() })
    }

    /// Takes one more in; waits only where everybody is being answered.
    pub(super) async fn admit(self: &Arc<Self>) -> Arc<GatewayConnection> {
        loop {
            let left = self.left.notified();
            if let Some(member) = self.try_enter() {
                return member;
            }
            left.await;
        }
    }

    fn try_enter(self: &Arc<Self>) -> Option<Arc<GatewayConnection>> {
        let is_full = lock(&self.members).count >= self.most;
        if is_full && !self.evict_idle() {
            return None;
        }
        lock(&self.members).count += 1;
        let (state, evicted) = (Mutex::default(), CancellationToken::new());
        let member = Arc::new(GatewayConnection { limit: self.clone(), state, evicted });
        member.idle();
        Some(member)
    }

    /// Hangs up on one that is idle, if there is one.
    pub(super) fn evict_idle(&self) -> bool {
        let mut members = lock(&self.members);
        let Some((_, evicted)) = members.idle.pop_first() else { return false };
        members.count -= 1;
        evicted.cancel();
        true
    }
}

impl GatewayConnection {
    /// Waits until it is hung up on.
    pub(super) async fn evicted(&self) {
        self.evicted.cancelled().await;
    }

    /// It asks something: until the guard is dropped, nobody hangs up on it.
    pub(super) fn mark_busy(self: &Arc<Self>) -> BusyGuard {
        let mut state = lock(&self.state);
        state.answering += 1;
        let rank = state.rank.take();
        drop(state);
        if let Some(rank) = rank {
            lock(&self.limit.members).idle.remove(&rank);
        }
        BusyGuard(self.clone())
    }

    /// Whether it has shown a token, now or earlier.
    pub(super) fn has_shown(&self, now: bool) -> bool {
        let mut state = lock(&self.state);
        state.is_known |= now;
        state.is_known
    }

    fn idle(&self) {
        let (mut state, mut members) = (lock(&self.state), lock(&self.limit.members));
        if self.evicted.is_cancelled() || state.answering > 0 {
            return;
        }
        let rank = (state.is_known, members.next);
        members.next += 1;
        members.idle.insert(rank, self.evicted.clone());
        state.rank = Some(rank);
    }
}

impl Drop for GatewayConnection {
    fn drop(&mut self) {
        let rank = lock(&self.state).rank;
        let mut members = lock(&self.limit.members);
        if let Some(rank) = rank {
            members.idle.remove(&rank);
        }
        // The count already excludes a connection that the gateway closed.
        if !self.evicted.is_cancelled() {
            members.count -= 1;
        }
        drop(members);
        self.limit.left.notify_one();
    }
}

/// One answer to a connection.
pub(super) struct BusyGuard(Arc<GatewayConnection>);

impl Drop for BusyGuard {
    fn drop(&mut self) {
        lock(&self.0.state).answering -= 1;
        self.0.idle();
        self.0.limit.left.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn enter(limit: &Arc<ConnectionLimit>) -> Arc<GatewayConnection> {
        limit.try_enter().unwrap()
    }

    #[test]
    fn the_idle_make_room_strangers_first() {
        let limit = ConnectionLimit::new(3);
        let (known, stranger, asking) = (enter(&limit), enter(&limit), enter(&limit));
        known.has_shown(true);
        drop(known.mark_busy());
        let busy = asking.mark_busy();
        let fourth = enter(&limit);
        assert!(stranger.evicted.is_cancelled() && !known.evicted.is_cancelled());
        let fifth = enter(&limit);
        assert!(fourth.evicted.is_cancelled(), "a stranger, though it came later");
        let first = fifth.mark_busy();
        let sixth = enter(&limit);
        assert!(known.evicted.is_cancelled() && !asking.evicted.is_cancelled());
        let second = sixth.mark_busy();
        assert!(limit.try_enter().is_none(), "nobody is idle");
        drop((busy, asking));
        let seventh = enter(&limit);
        drop((known, stranger, fourth, fifth, first, sixth, second, seventh));
        let members = lock(&limit.members);
        assert_eq!((members.count, members.idle.len()), (0, 0));
    }

    /// The next request may begin before the last bytes of an answer have left.
    #[test]
    fn nobody_is_idle_with_an_answer_left() {
        let limit = ConnectionLimit::new(1);
        let member = enter(&limit);
        let (first, second) = (member.mark_busy(), member.mark_busy());
        drop(first);
        assert!(!limit.evict_idle());
        drop(second);
        assert!(limit.evict_idle() && member.evicted.is_cancelled());
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_is_let_in_by_whoever_ends_first() {
        let limit = ConnectionLimit::new(1);
        let member = enter(&limit);
        let busy = member.mark_busy();
        let waits = limit.admit();
        let ends = async {
            tokio::task::yield_now().await;
            drop(busy);
        };
        let (second, ()) = tokio::join!(waits, ends);
        assert!(member.evicted.is_cancelled() && !second.evicted.is_cancelled());
    }
}
