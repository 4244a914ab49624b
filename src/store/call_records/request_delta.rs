//! Request deltas: a request is stored as the difference from the request before it in its episode.
//!
//! Each request of an episode repeats the conversation so far. So two requests in a row mostly
//! begin with the same bytes and end with the same bytes, and only the bytes between must be
//! stored. Example: after `{"messages":[A],"n":1}` only `,B` is stored of
//! `{"messages":[A,B],"n":1}`.
//!
//! [`NewestRequests`] remembers the newest stored request of each episode in memory. If it does not
//! know one (after a start, or because memory was short), the next request is stored whole.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use synthd_actors::model::EpisodeId;

/// The most bytes of requests that are remembered, over all episodes.
const MOST_BYTES: usize = 64 << 20;
/// The longest chain of requests from one that is stored whole. Reading a request reads at most so
/// many others.
const MOST_DEPTH: u32 = 32;

/// A stored request that the next request of its episode may refer to.
#[derive(Clone)]
pub(in crate::store) struct BaseRequest {
    /// The id of its call.
    pub(in crate::store) id: String,
    /// The whole body of the request.
    pub(in crate::store) body: Arc<[u8]>,
    /// How many other requests must be read to rebuild this one. Zero if it is stored whole.
    pub(in crate::store) depth: u32,
}

/// The newest stored request of each episode. All clones of a store share it.
#[derive(Default)]
pub(in crate::store) struct NewestRequests(Mutex<KeptRequests>);

/// The requests that are remembered. Each episode is once in `known` and once in `order`.
#[derive(Default)]
struct KeptRequests {
    /// Each request with the number that it has in `order`.
    known: HashMap<EpisodeId, (u64, BaseRequest)>,
    /// The episodes by the numbers of their requests, oldest first.
    order: BTreeMap<u64, EpisodeId>,
    /// The number for the next request.
    next: u64,
    /// The size of all bodies together.
    bytes: usize,
}

impl NewestRequests {
    /// The request that the next request of the episode may refer to. None if no request is
    /// remembered, or if its chain is as long as it may be. Then the next request is stored whole.
    pub(in crate::store) fn base(&self, episode: &EpisodeId) -> Option<BaseRequest> {
        let kept = self.kept();
        let (_, known) = kept.known.get(episode)?;
        (known.depth < MOST_DEPTH).then(|| known.clone())
    }

    /// Remembers a request as the newest of its episode. The request must be stored already: a
    /// request must never refer to one that is not stored. The oldest requests are forgotten if
    /// memory is short.
    pub(in crate::store) fn keep(&self, episode: EpisodeId, known: BaseRequest) {
        let mut kept = self.kept();
        kept.forget(&episode);
        let number = kept.next;
        kept.next += 1;
        kept.bytes += known.body.len();
        kept.order.insert(number, episode.clone());
        kept.known.insert(episode, (number, known));
        while kept.bytes > MOST_BYTES {
            let Some((_, oldest)) = kept.order.pop_first() else { break };
            kept.forget(&oldest);
        }
    }

    /// Locks the requests. A panic of another thread while it held the lock is ignored.
    fn kept(&self) -> MutexGuard<'_, KeptRequests> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl KeptRequests {
    /// Forgets the request of an episode.
    fn forget(&mut self, episode: &EpisodeId) {
        if let Some((number, known)) = self.known.remove(episode) {
            self.order.remove(&number);
            self.bytes -= known.body.len();
        }
    }
}

/// How many bytes two texts have in common at the beginning, and how many at the end. The two parts
/// never overlap.
pub(in crate::store) fn common_ends(base: &[u8], body: &[u8]) -> (usize, usize) {
    let head = base.iter().zip(body).take_while(|(a, b)| a == b).count();
    let (base, body) = (&base[head..], &body[head..]);
    let tail = base.iter().rev().zip(body.iter().rev()).take_while(|(a, b)| a == b).count();
    (head, tail)
}

/// The text with this head and tail of `base`, and `between` in the middle. None if `base` is
/// shorter than the head or the tail.
pub(in crate::store) fn rebuild(
    base: &[u8],
    head: usize,
    tail: usize,
    between: &[u8],
) -> Option<Vec<u8>> {
    let start = base.get(..head)?;
    let end = base.get(base.len().checked_sub(tail)?..)?;
    Some([start, between, end].concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_was_taken_apart_is_put_together(
            base in proptest::collection::vec(0u8..3, 0..20),
            body in proptest::collection::vec(0u8..3, 0..20),
        ) {
            let (head, tail) = common_ends(&base, &body);
            let between = &body[head..body.len() - tail];
            prop_assert_eq!(rebuild(&base, head, tail, between), Some(body));
        }

        #[test]
        fn no_more_is_kept_in_mind_than_may_be(sizes in proptest::collection::vec((0u8..9, 0usize..20), 0..60)) {
            let newest = NewestRequests::default();
            for (episode, mib) in sizes {
                let known = BaseRequest { id: String::new(), body: vec![0; mib << 20].into(), depth: 0 };
                newest.keep(EpisodeId(episode.to_string()), known);
                let kept = newest.kept();
                let bytes: usize = kept.known.values().map(|(_, known)| known.body.len()).sum();
                prop_assert_eq!(kept.order.len(), kept.known.len(), "each is in it once");
                prop_assert_eq!(bytes, kept.bytes);
                prop_assert!(bytes <= MOST_BYTES);
            }
        }
    }

    #[test]
    fn a_chain_comes_to_an_end() {
        let newest = NewestRequests::default();
        let episode = EpisodeId("e".to_owned());
        let known =
            |depth| BaseRequest { id: String::new(), body: Arc::from([1, 2].as_slice()), depth };
        newest.keep(episode.clone(), known(MOST_DEPTH - 1));
        assert!(newest.base(&episode).is_some());
        newest.keep(episode.clone(), known(MOST_DEPTH));
        assert!(newest.base(&episode).is_none());
    }
}
