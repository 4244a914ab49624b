//! What a request has in common with the one before it in its episode: long episodes repeat
//! their whole history in every one.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use synthd_actors::model::EpisodeId;

/// Of requests kept in mind, all together.
const MOST_BYTES: usize = 64 << 20;
/// Requests between one that is kept whole and the next: reading one reads at most so many.
const MOST_DEPTH: u32 = 32;

/// A request that is in the store.
#[derive(Clone)]
pub(super) struct BaseRequest {
    /// Of its call.
    pub(super) id: String,
    pub(super) body: Arc<[u8]>,
    /// How many others must be read for it.
    pub(super) depth: u32,
}

/// The newest request of each episode.
#[derive(Default)]
pub(super) struct NewestRequests(Mutex<KeptRequests>);

#[derive(Default)]
struct KeptRequests {
    /// With the number it was kept by.
    known: HashMap<EpisodeId, (u64, BaseRequest)>,
    /// By their numbers: oldest first.
    order: BTreeMap<u64, EpisodeId>,
    next: u64,
    bytes: usize,
}

impl NewestRequests {
    /// What a request of the episode may be told by.
    pub(super) fn base(&self, episode: &EpisodeId) -> Option<BaseRequest> {
        let kept = self.kept();
        let (_, known) = kept.known.get(episode)?;
        (known.depth < MOST_DEPTH).then(|| known.clone())
    }

    /// To be told only of what is in the store for certain.
    pub(super) fn keep(&self, episode: EpisodeId, known: BaseRequest) {
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

    fn kept(&self) -> MutexGuard<'_, KeptRequests> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl KeptRequests {
    fn forget(&mut self, episode: &EpisodeId) {
        if let Some((number, known)) = self.known.remove(episode) {
            self.order.remove(&number);
            self.bytes -= known.body.len();
        }
    }
}

/// How many bytes two texts begin with in common, and with how many more they end.
pub(super) fn common_ends(base: &[u8], body: &[u8]) -> (usize, usize) {
    let head = base.iter().zip(body).take_while(|(a, b)| a == b).count();
    let (base, body) = (&base[head..], &body[head..]);
    let tail = base.iter().rev().zip(body.iter().rev()).take_while(|(a, b)| a == b).count();
    (head, tail)
}

/// The text again, of what it has in common with another and what it has not.
pub(super) fn rebuild(base: &[u8], head: usize, tail: usize, between: &[u8]) -> Option<Vec<u8>> {
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
