//! Group commit: many appends, one transaction. An append that contradicts the store fails
//! alone; a full or failing disk fails them all.
//!
//! A savepoint around each append would cost a third of the writer's time, and almost no
//! append ever fails. So a batch is first tried without; only one that holds a bad append
//! is done again with savepoints.

use super::apply::{self, Applied};
use super::prepare::Write;
use super::trouble::Trouble;
use rusqlite::Connection;

/// What became of one append: how many of its entries the fence dropped, or why none is in.
pub(super) type Verdict = Result<u64, Trouble>;

/// Either all verdicts, and what they say is committed; or nothing is.
pub(super) fn commit(conn: &Connection, appends: &[&[Write]]) -> Result<Vec<Verdict>, Trouble> {
    match in_transaction(conn, || all_at_once(conn, appends)) {
        Err(trouble) if trouble.is_local() && appends.len() == 1 => Ok(vec![Err(trouble)]),
        Err(trouble) if trouble.is_local() => in_transaction(conn, || one_by_one(conn, appends)),
        done => done,
    }
}

fn in_transaction<T>(
    conn: &Connection,
    body: impl FnOnce() -> Result<T, Trouble>,
) -> Result<T, Trouble> {
    // Left behind only by a rollback that failed.
    if !conn.is_autocommit() {
        execute(conn, "ROLLBACK")?;
    }
    execute(conn, "BEGIN IMMEDIATE")?;
    let done = body().and_then(|value| execute(conn, "COMMIT").map(|()| value));
    if done.is_err() && !conn.is_autocommit() {
        execute(conn, "ROLLBACK")?;
    }
    done
}

fn all_at_once(conn: &Connection, appends: &[&[Write]]) -> Result<Vec<Verdict>, Trouble> {
    appends.iter().map(|writes| apply_all(conn, writes).map(Ok)).collect()
}

fn one_by_one(conn: &Connection, appends: &[&[Write]]) -> Result<Vec<Verdict>, Trouble> {
    appends.iter().map(|writes| alone(conn, writes)).collect()
}

/// The outer error ends the transaction, the inner one only this append.
fn alone(conn: &Connection, writes: &[Write]) -> Result<Verdict, Trouble> {
    execute(conn, "SAVEPOINT append")?;
    let verdict = apply_all(conn, writes);
    match &verdict {
        // SQLite may have rolled everything back by itself; nothing is left to go on with.
        Err(trouble) if !trouble.is_local() || conn.is_autocommit() => return verdict.map(Ok),
        Err(_) => execute(conn, "ROLLBACK TO append")?,
        Ok(_) => {}
    }
    execute(conn, "RELEASE append")?;
    Ok(verdict)
}

fn apply_all(conn: &Connection, writes: &[Write]) -> Verdict {
    let mut fenced = 0;
    for write in writes {
        if apply::apply(conn, write)? == Applied::Fenced {
            fenced += 1;
        }
    }
    Ok(fenced)
}

fn execute(conn: &Connection, sql: &str) -> Result<(), Trouble> {
    conn.prepare_cached(sql)?.execute([])?;
    Ok(())
}
