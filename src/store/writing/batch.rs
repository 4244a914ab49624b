//! Group commit: the entries of many appends in one transaction. The writer thread calls [`commit`]
//! for each batch.
//!
//! An append is whole or absent. An append that contradicts the store fails alone, and the others
//! of the batch are committed. If the disk is full or fails, all appends of the batch fail and
//! nothing is committed.
//!
//! A savepoint around each append would cost a third of the writer's time, and almost no append
//! ever fails. So a batch is first applied without savepoints. If one append is bad, the
//! transaction is rolled back and the whole batch is applied again with a savepoint for each
//! append.

use crate::store::error::StoreError;
use crate::store::integrity::epoch;
use crate::store::writing::apply::{self, ApplyOutcome};
use crate::store::writing::fence::FenceCache;
use crate::store::writing::prepare::PreparedWrite;
use rusqlite::Connection;

/// The result of one append: how many of its entries the fence dropped, or why no entry was
/// written.
pub(in crate::store) type AppendResult = Result<u64, StoreError>;

/// Applies all appends in one transaction. Ok holds one result for each append, in the same order,
/// and what they say is committed. Err means that nothing is committed.
pub(in crate::store) fn commit(
    conn: &Connection,
    fences: &mut FenceCache,
    appends: &[&[PreparedWrite]],
) -> Result<Vec<AppendResult>, StoreError> {
    // A single bad append needs no second try: nothing else is in its transaction.
    match in_transaction(conn, fences, |fences| all_at_once(conn, fences, appends)) {
        Err(error) if error.is_local() && appends.len() == 1 => Ok(vec![Err(error)]),
        Err(error) if error.is_local() => {
            in_transaction(conn, fences, |fences| one_by_one(conn, fences, appends))
        }
        done => done,
    }
}

/// Runs `body` in a transaction. Commits if `body` succeeds, and rolls back otherwise. Fails before
/// `body` runs if a later epoch has begun. After a failure the caches are emptied, because they may
/// hold what was rolled back.
fn in_transaction<T>(
    conn: &Connection,
    fences: &mut FenceCache,
    body: impl FnOnce(&mut FenceCache) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    // A transaction is open here only if an earlier rollback failed.
    if !conn.is_autocommit() {
        execute(conn, "ROLLBACK")?;
    }
    // This takes the write lock at once. So the epoch cannot change between the check and the
    // commit.
    execute(conn, "BEGIN IMMEDIATE")?;
    let current = epoch::check(conn, fences.buffer.epoch);
    let done = current
        .and_then(|()| body(fences))
        .and_then(|value| execute(conn, "COMMIT").map(|()| value));
    if done.is_err() {
        fences.clear();
        if !conn.is_autocommit() {
            execute(conn, "ROLLBACK")?;
        }
    }
    done
}

/// Applies all appends without savepoints. The first error of any append fails the whole batch. The
/// sums of money are written once, at the end.
fn all_at_once(
    conn: &Connection,
    fences: &mut FenceCache,
    appends: &[&[PreparedWrite]],
) -> Result<Vec<AppendResult>, StoreError> {
    let all = appends.iter().map(|writes| apply_all(conn, fences, writes).map(Ok));
    let verdicts = all.collect::<Result<_, _>>()?;
    fences.buffer.close(conn)?;
    Ok(verdicts)
}

/// Applies each append in a savepoint of its own, so that a bad one is undone alone.
fn one_by_one(
    conn: &Connection,
    fences: &mut FenceCache,
    appends: &[&[PreparedWrite]],
) -> Result<Vec<AppendResult>, StoreError> {
    appends.iter().map(|writes| alone(conn, fences, writes)).collect()
}

/// Applies one append in a savepoint. The outer error ends the transaction; the inner error fails
/// only this append. The sums of money are written inside the savepoint, so that they are undone
/// with it.
fn alone(
    conn: &Connection,
    fences: &mut FenceCache,
    writes: &[PreparedWrite],
) -> Result<AppendResult, StoreError> {
    execute(conn, "SAVEPOINT append")?;
    let verdict = apply_all(conn, fences, writes)
        .and_then(|fenced| fences.buffer.close(conn).map(|()| fenced));
    match &verdict {
        // SQLite may have rolled back the whole transaction by itself. Then there is nothing to
        // continue.
        Err(error) if !error.is_local() || conn.is_autocommit() => return verdict.map(Ok),
        // The caches may hold what this append wrote, so they are emptied before it is undone.
        Err(_) => {
            fences.clear();
            execute(conn, "ROLLBACK TO append")?;
        }
        Ok(_) => {}
    }
    execute(conn, "RELEASE append")?;
    Ok(verdict)
}

/// Applies all entries of one append. Returns how many the fence dropped.
fn apply_all(conn: &Connection, fences: &mut FenceCache, writes: &[PreparedWrite]) -> AppendResult {
    let mut fenced = 0;
    for write in writes {
        if apply::apply(conn, fences, write)? == ApplyOutcome::Fenced {
            fenced += 1;
        }
    }
    Ok(fenced)
}

/// Runs one statement without parameters.
fn execute(conn: &Connection, sql: &str) -> Result<(), StoreError> {
    conn.prepare_cached(sql)?.execute([])?;
    Ok(())
}
