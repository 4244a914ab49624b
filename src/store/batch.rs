//! Group commit: many appends, one transaction. An append that contradicts the store fails
//! alone; a full or failing disk fails them all.
//!
//! A savepoint around each append would cost a third of the writer's time, and almost no
//! append ever fails. So a batch is first tried without; only one that holds a bad append
//! is done again with savepoints.

use super::apply::{self, ApplyOutcome};
use super::epoch;
use super::error::StoreError;
use super::fence::FenceCache;
use super::prepare::PreparedWrite;
use rusqlite::Connection;

/// What became of one append: how many of its entries the fence dropped, or why none is in.
pub(super) type AppendResult = Result<u64, StoreError>;

/// Either all verdicts, and what they say is committed; or nothing is.
pub(super) fn commit(
    conn: &Connection,
    fences: &mut FenceCache,
    appends: &[&[PreparedWrite]],
) -> Result<Vec<AppendResult>, StoreError> {
    match in_transaction(conn, fences, |fences| all_at_once(conn, fences, appends)) {
        Err(error) if error.is_local() && appends.len() == 1 => Ok(vec![Err(error)]),
        Err(error) if error.is_local() => {
            in_transaction(conn, fences, |fences| one_by_one(conn, fences, appends))
        }
        done => done,
    }
}

fn in_transaction<T>(
    conn: &Connection,
    fences: &mut FenceCache,
    body: impl FnOnce(&mut FenceCache) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    // Left behind only by a rollback that failed.
    if !conn.is_autocommit() {
        execute(conn, "ROLLBACK")?;
    }
    execute(conn, "BEGIN IMMEDIATE")?;
    let current = epoch::check(conn, fences.books.epoch);
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

fn all_at_once(
    conn: &Connection,
    fences: &mut FenceCache,
    appends: &[&[PreparedWrite]],
) -> Result<Vec<AppendResult>, StoreError> {
    let all = appends.iter().map(|writes| apply_all(conn, fences, writes).map(Ok));
    let verdicts = all.collect::<Result<_, _>>()?;
    fences.books.close(conn)?;
    Ok(verdicts)
}

fn one_by_one(
    conn: &Connection,
    fences: &mut FenceCache,
    appends: &[&[PreparedWrite]],
) -> Result<Vec<AppendResult>, StoreError> {
    appends.iter().map(|writes| alone(conn, fences, writes)).collect()
}

/// The outer error ends the transaction, the inner one only this append.
fn alone(
    conn: &Connection,
    fences: &mut FenceCache,
    writes: &[PreparedWrite],
) -> Result<AppendResult, StoreError> {
    execute(conn, "SAVEPOINT append")?;
    let verdict = apply_all(conn, fences, writes)
        .and_then(|fenced| fences.books.close(conn).map(|()| fenced));
    match &verdict {
        // SQLite may have rolled everything back by itself; nothing is left to go on with.
        Err(error) if !error.is_local() || conn.is_autocommit() => return verdict.map(Ok),
        Err(_) => {
            fences.clear();
            execute(conn, "ROLLBACK TO append")?;
        }
        Ok(_) => {}
    }
    execute(conn, "RELEASE append")?;
    Ok(verdict)
}

fn apply_all(conn: &Connection, fences: &mut FenceCache, writes: &[PreparedWrite]) -> AppendResult {
    let mut fenced = 0;
    for write in writes {
        if apply::apply(conn, fences, write)? == ApplyOutcome::Fenced {
            fenced += 1;
        }
    }
    Ok(fenced)
}

fn execute(conn: &Connection, sql: &str) -> Result<(), StoreError> {
    conn.prepare_cached(sql)?.execute([])?;
    Ok(())
}
