//! Group commit: many appends, one transaction. Each append stands in its own savepoint, so
//! that one which contradicts the store fails alone; a full or failing disk fails them all.

use super::apply::{self, Applied};
use super::prepare::Write;
use super::trouble::Trouble;
use rusqlite::Connection;

/// What became of one append: how many of its entries the fence dropped, or why none is in.
pub(super) type Verdict = Result<u64, Trouble>;

/// Either all verdicts, and what they say is committed; or nothing is.
pub(super) fn commit(conn: &Connection, appends: &[&[Write]]) -> Result<Vec<Verdict>, Trouble> {
    // Left behind only by a rollback that failed.
    if !conn.is_autocommit() {
        execute(conn, "ROLLBACK")?;
    }
    execute(conn, "BEGIN IMMEDIATE")?;
    let done = appends
        .iter()
        .map(|writes| append(conn, writes))
        .collect::<Result<Vec<_>, _>>()
        .and_then(|verdicts| execute(conn, "COMMIT").map(|()| verdicts));
    if done.is_err() && !conn.is_autocommit() {
        execute(conn, "ROLLBACK")?;
    }
    done
}

/// The outer error ends the transaction, the inner one only this append.
fn append(conn: &Connection, writes: &[Write]) -> Result<Verdict, Trouble> {
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
