//! Money in batches: however holds and settlements share a commit, and whatever else in it is
//! refused, the sums say what the entries do.

use super::samples::{held, opened, planned, settled, start};
use crate::store::writing::fence::FenceCache;
use crate::store::writing::prepare::{PreparedWrite, prepare};
use crate::store::{open, schema, writing::batch};
use proptest::prelude::*;
use rusqlite::Connection;
use std::collections::BTreeMap;
use synthd_actors::model::JournalEntry;

const CAMPAIGNS: [&str; 2] = ["c", "d"];
/// More than the writer remembers.
const EPISODES: u64 = 4;

#[derive(Clone, Debug)]
enum Op {
    /// Campaign 2 does not exist, so its holds are refused.
    Hold {
        hold: u8,
        campaign: usize,
        amount: u64,
    },
    Settle {
        hold: u8,
        amount: u64,
    },
    /// Starts an attempt: an entry that moves no money.
    Start {
        episode: u64,
    },
}

impl Op {
    fn entry(&self) -> JournalEntry {
        match *self {
            Self::Hold { hold, campaign, amount } => {
                let campaign = CAMPAIGNS.get(campaign).copied().unwrap_or("nobody's");
                held(&hold.to_string(), campaign, u64::from(hold) % EPISODES, amount)
            }
            Self::Settle { hold, amount } => settled(&hold.to_string(), amount),
            Self::Start { episode } => start("c", episode, 1, None),
        }
    }
}

/// The campaign of each hold, the held amount, and the settled amount.
type Model = BTreeMap<u8, (usize, u64, Option<u64>)>;

/// Applies an entry to the model. Returns false if the store must refuse it.
fn apply(model: &mut Model, op: &Op) -> bool {
    match *op {
        Op::Hold { amount: u64::MAX, .. } | Op::Settle { amount: u64::MAX, .. } => false,
        Op::Hold { hold, campaign, amount } => {
            let known = campaign < CAMPAIGNS.len();
            // Another hold by an id that is taken is refused.
            known && {
                let (whose, held, _) = *model.entry(hold).or_insert((campaign, amount, None));
                (whose, held) == (campaign, amount)
            }
        }
        Op::Settle { hold, amount } => {
            let Some((.., settled)) = model.get_mut(&hold) else { return false };
            settled.get_or_insert(amount);
            true
        }
        Op::Start { .. } => true,
    }
}

fn op() -> impl Strategy<Value = Op> {
    let amount = || prop_oneof![10 => 0u64..1_000, 10 => Just(7), 1 => Just(u64::MAX)];
    let campaign = prop_oneof![10 => 0usize..2, 1 => Just(2usize)];
    prop_oneof![
        (0u8..12, campaign, amount()).prop_map(|(hold, campaign, amount)| Op::Hold {
            hold,
            campaign,
            amount
        }),
        (0u8..12, amount()).prop_map(|(hold, amount)| Op::Settle { hold, amount }),
        (0u64..EPISODES).prop_map(|episode| Op::Start { episode }),
    ]
}

/// Batches of appends of entries.
fn batches() -> impl Strategy<Value = Vec<Vec<Vec<Op>>>> {
    let append = proptest::collection::vec(op(), 1..4);
    proptest::collection::vec(proptest::collection::vec(append, 1..10), 1..10)
}

fn sums(conn: &Connection) -> Vec<i64> {
    let sum = |campaign: &str| {
        let sql = "SELECT spent FROM ledger JOIN campaign ON campaign.key = campaign
                   WHERE name = ?1";
        conn.query_row(sql, [campaign], |row| row.get(0)).unwrap()
    };
    CAMPAIGNS.map(sum).to_vec()
}

fn expected(model: &Model) -> Vec<i64> {
    let of = |campaign| model.values().filter(move |(whose, ..)| *whose == campaign);
    (0..CAMPAIGNS.len())
        .map(|c| of(c).map(|(_, held, settled)| settled.unwrap_or(*held) as i64).sum())
        .collect()
}

fn writes(entries: Vec<JournalEntry>) -> Vec<PreparedWrite> {
    prepare(entries, &Default::default()).unwrap()
}

fn compare(batches: Vec<Vec<Vec<Op>>>) {
    let dir = tempfile::tempdir().unwrap();
    let store = open::writer(dir.path(), schema::MIGRATIONS).unwrap();
    let (conn, mut fences) = (store.conn, FenceCache::new(store.epoch));
    for campaign in CAMPAIGNS {
        let begun = writes(vec![opened(campaign), planned(campaign, 0..EPISODES)]);
        batch::commit(&conn, &mut fences, &[&begun]).unwrap()[0].as_ref().unwrap();
    }
    let mut model = Model::new();
    for appends in batches {
        let entries: Vec<Vec<PreparedWrite>> =
            appends.iter().map(|ops| writes(ops.iter().map(Op::entry).collect())).collect();
        let entries: Vec<&[PreparedWrite]> = entries.iter().map(Vec::as_slice).collect();
        let verdicts = batch::commit(&conn, &mut fences, &entries).unwrap();
        for (ops, verdict) in appends.iter().zip(verdicts) {
            let mut next = model.clone();
            let kept = ops.iter().all(|op| apply(&mut next, op));
            assert_eq!(verdict.is_ok(), kept, "{ops:?}: {verdict:?}");
            if kept {
                model = next;
            }
        }
        assert_eq!(sums(&conn), expected(&model), "{appends:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn sums_are_of_what_was_kept(batches in batches()) {
        compare(batches);
    }
}
