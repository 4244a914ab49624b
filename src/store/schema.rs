//! The schema of the database and its migrations. The migration scripts are applied in order, each
//! one whole or not at all. The number of applied scripts is the schema version. SQLite keeps it in
//! the file, as `user_version`.

use crate::error::{Code, Error, Result};
use crate::store::error::StoreError;
use rusqlite::{Connection, TransactionBehavior};
use std::path::Path;

/// Marks a database as one of synthd ("SYNd"). SQLite keeps it in the file.
const APPLICATION_ID: i64 = 0x5359_4e64;

/// All migration scripts. A script that was released must never change, because stores have applied
/// it already. A change of the schema is a new script at the end.
pub(super) const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001_initial.sql"),
    include_str!("migrations/0002_figures.sql"),
    include_str!("migrations/0003_images.sql"),
    include_str!("migrations/0004_calls.sql"),
    include_str!("migrations/0005_prices.sql"),
    include_str!("migrations/0006_scopes.sql"),
    include_str!("migrations/0007_fewer_pages.sql"),
    include_str!("migrations/0008_no_random_pages.sql"),
    include_str!("migrations/0009_epoch.sql"),
    include_str!("migrations/0010_high_water.sql"),
    include_str!("migrations/0011_editions.sql"),
    include_str!("migrations/0012_counted.sql"),
    include_str!("migrations/0013_sampling.sql"),
    include_str!("migrations/0014_kind.sql"),
    include_str!("migrations/0015_rows_of_turns.sql"),
    include_str!("migrations/0016_actions.sql"),
    include_str!("migrations/0017_reverification.sql"),
    include_str!("migrations/0018_draw.sql"),
    include_str!("migrations/0019_pruned.sql"),
];

/// The first schema version of stores that have a high-water mark beside them.
pub(super) const HIGH_WATER: usize = 10;

/// The oldest schema version that can be read without an upgrade. Later scripts changed only what
/// is written, or added what a query can check for.
pub(super) const READ_FROM: usize = 6;

/// What a database file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SchemaState {
    /// Nothing was ever written to it.
    Empty,
    /// A database of synthd. `version` is the number of migration scripts that it has had.
    Ours { version: usize },
    /// A database of another program.
    Foreign,
}

/// Finds out what the database is. Changes nothing.
pub(super) fn state_of(conn: &Connection) -> Result<SchemaState, StoreError> {
    let application: i64 = conn.query_row("PRAGMA application_id", [], |r| r.get(0))?;
    let version: i64 = conn.query_row("PRAGMA user_version", [], |r| r.get(0))?;
    let tables: i64 = conn.query_row("SELECT count(*) FROM sqlite_schema", [], |r| r.get(0))?;
    Ok(match (application, usize::try_from(version)) {
        (0, Ok(0)) if tables == 0 => SchemaState::Empty,
        (APPLICATION_ID, Ok(version)) => SchemaState::Ours { version },
        _ => SchemaState::Foreign,
    })
}

/// The schema version of the store; zero for an empty file. Fails if the database is of another
/// program or of a newer synthd that has more than `known` scripts. Changes nothing.
pub(super) fn check(conn: &Connection, dir: &Path, known: usize) -> Result<usize> {
    match state_of(conn).map_err(|t| t.on_open(dir))? {
        SchemaState::Empty => Ok(0),
        SchemaState::Ours { version } if version <= known => Ok(version),
        SchemaState::Ours { version } => Err(newer(dir, version, known)),
        SchemaState::Foreign => {
            Err(StoreError::unreadable("synthd.db was written by another program").on_open(dir))
        }
    }
}

/// Applies the scripts after version `from`. Each script has its own transaction, so a kill leaves
/// the schema at some complete version, and the next start goes on from there.
pub(super) fn migrate(
    conn: &mut Connection,
    from: usize,
    scripts: &[&str],
) -> Result<(), StoreError> {
    for (index, script) in scripts.iter().enumerate().skip(from) {
        let step = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        step.execute_batch(script)?;
        step.execute_batch(&format!(
            "PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {};",
            index + 1
        ))?;
        step.commit()?;
    }
    Ok(())
}

/// The error for a store of a newer synthd.
fn newer(dir: &Path, version: usize, known: usize) -> Error {
    let what = format!(
        "{} holds a store of schema {version}; this synthd knows schemas up to {known}",
        dir.display()
    );
    Error::new(Code::StoreNewer, what)
        .hint("use the newer synthd that wrote the store, or choose another place with --data-dir")
}
