//! The limit of open connections of one listener. If there are too many, the gateway closes the
//! connection that has been idle longest. It closes connections without a valid token first. So no
//! client waits for an idle one.
//!
//! The accept loop calls [`ConnectionLimit::admit`] for each new connection. The connection then
//! holds a [`GatewayConnection`] and takes a [`BusyGuard`] for each request.
//!
//! Invariant: only connections in the table of idle ones are closed to make room, and a connection
//! with a valid token is not in it while it is answered (if its client reads, see `unsent`). A
//! request that arrives at the moment in which its idle connection is closed is lost, as with every
//! HTTP server. A thread that needs both locks takes the lock of the connection first.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// The open connections of one listener.
pub(in crate::gateway) struct ConnectionLimit {
    /// The largest number of connections at once.
    most: usize,
    members: Mutex<ConnectionTable>,
    /// Woken when a connection ends or becomes idle: then there may be room for another one.
    left: Notify,
}

/// What the listener knows of its connections.
#[derive(Default)]
struct ConnectionTable {
    /// Connections that were admitted and are not closed. A connection that is being evicted is
    /// not counted any more.
    count: usize,
    /// The number that the next connection to become idle gets.
    next: u64,
    /// The idle connections, in the order in which they may be closed: first those without a
    /// token, among them the one that has been idle longest. Cancelling the token closes the
    /// connection.
    idle: BTreeMap<EvictionRank, CancellationToken>,
}

/// Whether it has shown a valid token, and a number that grows with the time at which it became
/// idle.
type EvictionRank = (bool, u64);

/// One connection. It counts against the limit until it is dropped or evicted.
pub(in crate::gateway) struct GatewayConnection {
    limit: Arc<ConnectionLimit>,
    state: Mutex<GatewayConnectionState>,
    /// Cancelled when the gateway closes this connection to make room.
    evicted: CancellationToken,
}

/// What the connection is doing.
#[derive(Default)]
struct GatewayConnectionState {
    /// Whether it has shown a valid token, now or earlier.
    is_known: bool,
    /// Requests whose answers the socket has not taken completely.
    answering: u32,
    /// Its place in the table of idle connections. None while it is busy.
    rank: Option<EvictionRank>,
}

/// Locks a mutex, also after a panic of another holder: each change under these locks is one step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ConnectionLimit {
    /// A limit of `most` connections, with none open.
    pub(in crate::gateway) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, members: Mutex::default(), left: Notify::new() })
    }

    /// Admits one more connection. It closes an idle one if the limit is reached, and waits only
    /// if all connections are busy.
    pub(in crate::gateway) async fn admit(self: &Arc<Self>) -> Arc<GatewayConnection> {
        loop {
            // This comes before the attempt: a connection that ends in between wakes us.
            let left = self.left.notified();
            if let Some(member) = self.try_enter() {
                return member;
            }
            left.await;
        }
    }

    /// Admits a connection, if there is room or an idle connection can be closed. Only the accept
    /// loop calls this, so no other caller takes the room between the check and the count.
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

    /// Closes the first connection of the idle table. False if there is none. Its place in the
    /// count is free at once; the connection itself ends soon after.
    pub(in crate::gateway) fn evict_idle(&self) -> bool {
        let mut members = lock(&self.members);
        let Some((_, evicted)) = members.idle.pop_first() else { return false };
        members.count -= 1;
        evicted.cancel();
        true
    }
}

impl GatewayConnection {
    /// Waits until the gateway closes this connection to make room.
    pub(in crate::gateway) async fn evicted(&self) {
        self.evicted.cancelled().await;
    }

    /// A request has begun. Until the guard is dropped, the gateway does not close the connection.
    pub(in crate::gateway) fn mark_busy(self: &Arc<Self>) -> BusyGuard {
        let mut state = lock(&self.state);
        state.answering += 1;
        let rank = state.rank.take();
        drop(state);
        if let Some(rank) = rank {
            lock(&self.limit.members).idle.remove(&rank);
        }
        BusyGuard(self.clone())
    }

    /// Whether it has shown a valid token, now or earlier. `now` says whether the present request
    /// did.
    pub(in crate::gateway) fn has_shown(&self, now: bool) -> bool {
        let mut state = lock(&self.state);
        state.is_known |= now;
        state.is_known
    }

    /// Enters the connection in the table of idle ones, unless it is busy or was closed.
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

/// One request of a connection that is being answered. Dropping it may make the connection idle.
pub(in crate::gateway) struct BusyGuard(Arc<GatewayConnection>);

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
