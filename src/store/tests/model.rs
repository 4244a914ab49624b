//! The store against a model of itself: random entries, some twice, some late, some wrong.

use super::{samples, store};
use proptest::prelude::*;
use std::collections::BTreeMap;
use synthd_actors::model::*;
use synthd_actors::ports::Journal;

const EPISODES: u64 = 2;

#[derive(Clone, Debug)]
enum Op {
    Start { episode: u64, attempt: u32, from: Option<u32> },
    Turn { episode: u64, attempt: u32, index: u32, cost: u64 },
    Fault { episode: u64, attempt: u32, kind: FaultKind },
    Finish { episode: u64, attempt: u32 },
    Hold { hold: u8, episode: u64, amount: u64 },
    Settle { hold: u8, amount: u64 },
}

fn op() -> impl Strategy<Value = Op> {
    let episode = || 0..EPISODES;
    let attempt = || 0u32..5;
    let kind = prop_oneof![Just(FaultKind::Panicked), Just(FaultKind::Cancelled)];
    prop_oneof![
        3 => (episode(), attempt(), proptest::option::of(attempt()))
            .prop_map(|(episode, attempt, from)| Op::Start { episode, attempt, from }),
        8 => (episode(), attempt(), 0u32..4, 0u64..100).prop_map(
            |(episode, attempt, index, cost)| Op::Turn { episode, attempt, index, cost }
        ),
        2 => (episode(), attempt(), kind)
            .prop_map(|(episode, attempt, kind)| Op::Fault { episode, attempt, kind }),
        1 => (episode(), attempt()).prop_map(|(episode, attempt)| Op::Finish { episode, attempt }),
        2 => (0u8..4, episode(), prop_oneof![0u64..100, Just(7)])
            .prop_map(|(hold, episode, amount)| Op::Hold { hold, episode, amount }),
        2 => (0u8..4, 0u64..100).prop_map(|(hold, amount)| Op::Settle { hold, amount }),
    ]
}

/// Appends of one or more entries, some of them sent a second time.
fn appends() -> impl Strategy<Value = Vec<(Vec<Op>, bool)>> {
    let append = (proptest::collection::vec(op(), 1..3), any::<bool>());
    proptest::collection::vec(append, 0..60)
}

impl Op {
    fn entry(&self) -> JournalEntry {
        match *self {
            Self::Start { episode, attempt, from } => samples::start("c", episode, attempt, from),
            Self::Turn { episode, attempt, index, cost } => {
                samples::turn("c", episode, attempt, index, cost)
            }
            Self::Fault { episode, attempt, kind } => samples::faulted("c", episode, attempt, kind),
            Self::Finish { episode, attempt } => samples::finished("c", episode, attempt),
            Self::Hold { hold, episode, amount } => {
                samples::held(&hold.to_string(), "c", episode, amount)
            }
            Self::Settle { hold, amount } => samples::settled(&hold.to_string(), amount),
        }
    }
}

#[derive(Clone, Debug, Default)]
struct Model {
    episodes: [ModelEpisode; EPISODES as usize],
    /// Holds: the owner, the held amount, and the settled amount.
    holds: BTreeMap<u8, (u64, u64, Option<u64>)>,
    fenced: u64,
}

#[derive(Clone, Debug, Default)]
struct ModelEpisode {
    attempts: BTreeMap<u32, ModelAttempt>,
    failed: u32,
    finished: bool,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct ModelAttempt {
    from: Option<u32>,
    fault: Option<FaultKind>,
    /// Cost, and whether it was inherited, by step.
    turns: BTreeMap<u32, (u64, bool)>,
}

struct Wrong;

impl Model {
    fn apply(&mut self, op: &Op) -> Result<(), Wrong> {
        let kept = match *op {
            Op::Start { episode, attempt, from } => {
                self.episodes[episode as usize].start(attempt, from)?
            }
            Op::Turn { episode, attempt, index, cost } => {
                self.episodes[episode as usize].turn(attempt, index, cost)
            }
            Op::Fault { episode, attempt, kind } => {
                self.episodes[episode as usize].fault(attempt, kind)
            }
            Op::Finish { episode, attempt } => self.episodes[episode as usize].finish(attempt),
            Op::Hold { hold, episode, amount } => {
                let there = self.holds.entry(hold).or_insert((episode, amount, None));
                // Another one by the same id is refused.
                if (there.0, there.1) != (episode, amount) {
                    return Err(Wrong);
                }
                true
            }
            Op::Settle { hold, amount } => {
                self.holds.get_mut(&hold).ok_or(Wrong)?.2.get_or_insert(amount);
                true
            }
        };
        self.fenced += u64::from(!kept);
        Ok(())
    }

    fn spent(&self) -> u64 {
        self.holds.values().map(|(_, held, settled)| settled.unwrap_or(*held)).sum()
    }
}

impl ModelEpisode {
    fn current(&self) -> u32 {
        self.attempts.keys().next_back().copied().unwrap_or(0)
    }

    fn open(&mut self, attempt: u32) -> Option<&mut ModelAttempt> {
        let admitted = !self.finished && attempt == self.current();
        self.attempts.get_mut(&attempt).filter(|_| admitted)
    }

    fn start(&mut self, attempt: u32, from: Option<u32>) -> Result<bool, Wrong> {
        if attempt == 0 || from >= Some(attempt) {
            return Err(Wrong);
        }
        if self.finished || attempt < self.current() {
            return Ok(false);
        }
        self.attempts.entry(attempt).or_insert(ModelAttempt { from, ..Default::default() });
        Ok(true)
    }

    fn turn(&mut self, attempt: u32, index: u32, cost: u64) -> bool {
        let inherited = self.sources(attempt).any(|source| source.turns.contains_key(&index));
        let Some(open) = self.open(attempt) else { return false };
        open.turns.entry(index).or_insert((cost, inherited));
        true
    }

    fn sources(&self, attempt: u32) -> impl Iterator<Item = &ModelAttempt> {
        let source = |a: &ModelAttempt| a.from.and_then(|from| self.attempts.get(&from));
        let first = self.attempts.get(&attempt).and_then(source);
        std::iter::successors(first, move |a| source(a))
    }

    fn fault(&mut self, attempt: u32, kind: FaultKind) -> bool {
        let Some(open) = self.open(attempt) else { return false };
        let first = open.fault.is_none();
        open.fault.get_or_insert(kind);
        self.failed += u32::from(first && kind.consumes_attempt());
        true
    }

    fn finish(&mut self, attempt: u32) -> bool {
        let admitted = self.open(attempt).is_some();
        self.finished |= admitted;
        admitted
    }

    fn paid(&self) -> u64 {
        self.attempts.values().map(ModelAttempt::paid).sum()
    }
}

impl ModelAttempt {
    fn paid(&self) -> u64 {
        self.turns.values().filter(|(_, inherited)| !inherited).map(|(cost, _)| cost).sum()
    }
}

async fn compare(appends: Vec<(Vec<Op>, bool)>) {
    let (_dir, store) = store();
    store.append(vec![samples::opened("c"), samples::planned("c", 0..EPISODES)]).await.unwrap();
    let mut model = Model::default();
    for (ops, twice) in appends {
        for _ in 0..=u8::from(twice) {
            let mut next = model.clone();
            let expected = ops.iter().try_for_each(|op| next.apply(op));
            let answer = store.append(ops.iter().map(Op::entry).collect()).await;
            assert_eq!(answer.is_ok(), expected.is_ok(), "{ops:?}: {answer:?}");
            if expected.is_ok() {
                model = next;
            }
        }
    }
    assert_eq!(store.spent(&samples::name("c")).await.unwrap().nanos(), model.spent());
    assert_eq!(store.stats().fenced, model.fenced);
    for (found, expected) in
        store.episodes(&samples::name("c")).await.unwrap().iter().zip(&model.episodes)
    {
        compare_episode(found, expected);
        compare_attempts(&store, &found.plan.id, expected).await;
    }
}

fn compare_episode(found: &EpisodeRecord, expected: &ModelEpisode) {
    let turns = expected.attempts.get(&expected.current()).map(|a| &a.turns);
    let steps: Vec<u32> = turns.into_iter().flatten().map(|(index, _)| *index).collect();
    assert_eq!(found.attempt, AttemptNumber(expected.current()));
    assert_eq!(found.failed_attempts, expected.failed);
    assert_eq!(found.outcome.is_some(), expected.finished);
    assert_eq!(found.steps as usize, steps.len());
    let input: u64 = steps.iter().map(|index| 100 + u64::from(*index)).sum();
    let output = 7 * steps.len() as u64;
    assert_eq!(found.usage, Usage::of(input, output));
    assert_eq!(found.cost.nanos(), expected.paid());
}

async fn compare_attempts(store: &super::Store, id: &EpisodeId, expected: &ModelEpisode) {
    let found = store.attempts(id).await.unwrap();
    assert_eq!(found.len(), expected.attempts.len());
    for (found, (number, expected)) in found.iter().zip(&expected.attempts) {
        assert_eq!(found.attempt.0, *number);
        assert_eq!(found.resumed_from.map(|a| a.0), expected.from);
        assert_eq!(found.fault.as_ref().map(|f| f.kind), expected.fault);
        assert_eq!(found.cost.nanos(), expected.paid());
        let turns = store.turns(id, found.attempt).await.unwrap();
        let turns = turns.iter().map(|t| (t.step.index, t.step.cost.nanos()));
        let kept = expected.turns.iter().map(|(index, (cost, _))| (*index, *cost));
        assert!(turns.eq(kept), "attempt {number} of {id}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_sequence_of_entries_leaves_what_the_model_says(appends in appends()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(compare(appends));
    }
}
