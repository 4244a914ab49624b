//! The level of a store: how far it has come. It consists of the newest row keys and of the sum of
//! each campaign with its count of changes. The keys and the counts only rise, while a sum may also
//! fall. So a store whose level is below one that was on the disk before has lost records.
//!
//! The writer keeps the level in the high-water mark. `check`, `verify` and `restore` compare the
//! store with it.

use crate::store::error::StoreError;
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::fmt;
use synthd_actors::model::Money;

/// A random number that a store gets with the schema that introduced the mark. A mark of another
/// store has another id. A store that was restored has the id of the mark it was compared with.
pub(in crate::store) type StoreId = [u8; 16];

/// The level of a store. The default value is that of a mark in which nothing was recorded yet. No
/// store has it: each store has an id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::store) struct StoreLevel {
    pub(in crate::store) store: StoreId,
    /// The epoch of the last writer.
    pub(in crate::store) epoch: i64,
    pub(in crate::store) keys: NewestKeys,
    /// The sum of each campaign, by the campaign's row key.
    pub(in crate::store) campaigns: BTreeMap<i64, LedgerSum>,
}

/// The newest row keys of three tables. Their rows are never deleted. Zero for an empty table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::store) struct NewestKeys {
    pub(in crate::store) attempts: i64,
    pub(in crate::store) steps: i64,
    pub(in crate::store) calls: i64,
}

/// The sum of a campaign: settled money, and each open hold in full.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::store) struct LedgerSum {
    /// The campaign's name. In a mark, a very long name may be cut.
    pub(in crate::store) name: String,
    /// How often the sum has changed. It only rises, while the sum itself also falls.
    pub(in crate::store) moves: i64,
    /// Nano-dollars.
    pub(in crate::store) spent: i64,
}

/// What a store lacks of a level that it had before.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct MissingEntries {
    /// By how many rows the newest attempt is behind, and then the same for steps and for calls.
    pub attempts: i64,
    pub steps: i64,
    pub calls: i64,
    /// The campaigns whose newest sums are missing.
    pub campaigns: Vec<MissingSum>,
}

/// A campaign whose newest sum is missing in the store.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct MissingSum {
    pub campaign: String,
    /// The sum in the mark.
    pub known_usd: Money,
    /// The sum in the store. Zero if the campaign is missing.
    pub found_usd: Money,
    /// The money that is spent and that the store does not know of. Zero if the store has the
    /// larger sum.
    pub missing_usd: Money,
}

impl MissingEntries {
    /// The missing money of all campaigns.
    pub fn money(&self) -> Money {
        self.campaigns.iter().map(|sum| sum.missing_usd).sum()
    }
}

impl fmt::Display for MissingEntries {
    /// Example: `$1.50 of campaign paid ($2.00 known, $0.50 found); 3 steps; 1 call`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts: Vec<String> = self.campaigns.iter().map(ToString::to_string).collect();
        for (count, what) in
            [(self.attempts, "attempt"), (self.steps, "step"), (self.calls, "call")]
        {
            match count {
                ..=0 => {}
                1 => parts.push(format!("1 {what}")),
                count => parts.push(format!("{count} {what}s")),
            }
        }
        f.write_str(&parts.join("; "))
    }
}

impl fmt::Display for MissingSum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { campaign, known_usd, found_usd, missing_usd } = self;
        write!(f, "${missing_usd} of campaign {campaign} (${known_usd} known, ${found_usd} found)")
    }
}

impl NewestKeys {
    /// Reads the newest keys.
    pub(in crate::store) fn read(conn: &Connection) -> Result<Self, StoreError> {
        let newest = |sql| {
            let mut statement = conn.prepare_cached(sql)?;
            Ok::<i64, StoreError>(statement.query_row([], |row| row.get(0))?)
        };
        Ok(Self {
            attempts: newest("SELECT coalesce(max(key), 0) FROM attempt")?,
            steps: newest("SELECT coalesce(max(key), 0) FROM step")?,
            calls: newest("SELECT coalesce(max(key), 0) FROM call")?,
        })
    }
}

impl LedgerSum {
    /// Reads the sum of the campaign with this row key. Fails if the campaign has no sum.
    pub(in crate::store) fn read(conn: &Connection, campaign: i64) -> Result<Self, StoreError> {
        let sql = "SELECT name, moves, spent FROM ledger
            JOIN campaign ON campaign.key = ledger.campaign WHERE ledger.campaign = ?1";
        let of = |row: &rusqlite::Row<'_>| {
            Ok(Self { name: row.get(0)?, moves: row.get(1)?, spent: row.get(2)? })
        };
        Ok(conn.prepare_cached(sql)?.query_row([campaign], of)?)
    }
}

impl StoreLevel {
    /// Reads the level of the store. The schema must be at least the one that introduced the mark.
    pub(in crate::store) fn read(conn: &Connection) -> Result<Self, StoreError> {
        let (id, epoch): (Vec<u8>, i64) =
            conn.query_row("SELECT id, epoch FROM store", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?;
        let store = id.try_into().map_err(|_| StoreError::unreadable("the store's id"))?;
        let mut keys = conn.prepare("SELECT campaign FROM ledger")?;
        let keys = keys.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<Vec<i64>>>()?;
        let sums = keys.into_iter().map(|key| Ok((key, LedgerSum::read(conn, key)?)));
        let campaigns = sums.collect::<Result<_, StoreError>>()?;
        Ok(Self { store, epoch, keys: NewestKeys::read(conn)?, campaigns })
    }

    /// What this level lacks of `known`, a level that was reached before. None if it lacks nothing.
    pub(in crate::store) fn lacks(&self, known: &Self) -> Option<MissingEntries> {
        let less = |known: i64, found: i64| known.saturating_sub(found).max(0);
        let (k, f) = (known.keys, self.keys);
        let missing = MissingEntries {
            attempts: less(k.attempts, f.attempts),
            steps: less(k.steps, f.steps),
            calls: less(k.calls, f.calls),
            campaigns: known
                .campaigns
                .iter()
                .filter_map(|(key, sum)| self.lost(*key, sum))
                .collect(),
        };
        (missing != MissingEntries::default()).then_some(missing)
    }

    /// What is missing of one campaign's sum. None if nothing is. The sum is complete if it has
    /// changed more often than the known one, or equally often and is equal. A campaign of another
    /// name is not the same campaign.
    fn lost(&self, key: i64, known: &LedgerSum) -> Option<MissingSum> {
        let found = self.campaigns.get(&key).filter(|found| found.name == known.name);
        let found = found.cloned().unwrap_or_default();
        let whole = match found.moves.cmp(&known.moves) {
            std::cmp::Ordering::Greater => true,
            std::cmp::Ordering::Equal => found.spent == known.spent,
            std::cmp::Ordering::Less => false,
        };
        let money = |nanos: i64| Money::from_nanos(nanos.unsigned_abs());
        (!whole || found.name.is_empty()).then(|| MissingSum {
            campaign: known.name.clone(),
            known_usd: money(known.spent),
            found_usd: money(found.spent),
            missing_usd: money(known.spent).saturating_sub(money(found.spent)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// One commit: of which campaign, by how much its sum changes, and how many steps it has.
    fn commits() -> impl Strategy<Value = Vec<(i64, i64, i64)>> {
        proptest::collection::vec((1i64..4, -5i64..50, 0i64..3), 1..30)
    }

    /// The level after each commit; the first is that of an empty store.
    fn levels(commits: &[(i64, i64, i64)]) -> Vec<StoreLevel> {
        let mut levels = vec![StoreLevel::default()];
        for (campaign, change, steps) in commits {
            let mut next = levels[levels.len() - 1].clone();
            let sum = next.campaigns.entry(*campaign).or_default();
            sum.name = format!("c{campaign}");
            sum.moves += 1;
            sum.spent = (sum.spent + change).max(0);
            next.keys.steps += steps;
            levels.push(next);
        }
        levels
    }

    proptest! {
        /// The mark is written after the sync of what it says. So whatever a kill or a power cut
        /// leaves, it says no more than the store has: a store that is whole never looks damaged.
        #[test]
        fn a_mark_that_lags_never_accuses_a_whole_store(
            commits in commits(), mark in any::<proptest::sample::Index>(),
            store in any::<proptest::sample::Index>(),
        ) {
            let levels = levels(&commits);
            let store = store.index(levels.len());
            let mark = mark.index(store + 1);
            prop_assert_eq!(levels[store].lacks(&levels[mark]), None);
        }

        /// A store that is behind its mark is always found out, and the charge for what is
        /// missing brings each sum to what was known.
        #[test]
        fn whatever_is_lost_is_missed_and_accounted_for(
            commits in commits(), mark in any::<proptest::sample::Index>(),
            store in any::<proptest::sample::Index>(),
        ) {
            let levels = levels(&commits);
            let mark = mark.index(levels.len() - 1) + 1;
            let store = store.index(mark);
            let missing = levels[store].lacks(&levels[mark]).unwrap();
            for (key, known) in &levels[mark].campaigns {
                let found = levels[store].campaigns.get(key).map_or(0, |sum| sum.spent);
                let charge = missing.campaigns.iter().find(|sum| sum.campaign == known.name);
                let charge = charge.map_or(0, |sum| sum.missing_usd.nanos() as i64);
                let lost = levels[store].campaigns.get(key).map_or(0, |sum| sum.moves) < known.moves;
                prop_assert_eq!(charge, if lost { (known.spent - found).max(0) } else { 0 });
                prop_assert!(found + charge >= known.spent || !lost);
            }
        }
    }
}
