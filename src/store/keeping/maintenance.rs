//! Writing to a store apart from the work of an engine.
//!
//! ```text
//! nobody has the data directory ──► its lock, all checks, an epoch, the mark   (Alone)
//! an engine has it              ──► a second connection, short transactions    (Beside)
//! ```
//! SQLite lets one connection write at a time, so a transaction of one side waits for the other. Beside an
//! engine, nothing is written that its writer remembers between transactions: no money, no plan, no attempt
//! and nothing of a campaign that has not ended (ADR 38).

use crate::error::{Code, Result};
use crate::store::error::StoreError;
use crate::store::integrity::lock::DataDirLock;
use crate::store::integrity::replacement::refuse_pending;
use crate::store::open::{self, OpenedDatabase};
use crate::store::schema::MIGRATIONS;
use rusqlite::Connection;
use std::path::Path;

/// A store that is open for maintenance.
pub(in crate::store) enum MaintenanceAccess {
    /// This process has the data directory. The lock is dropped last.
    Alone(Box<OpenedDatabase>, DataDirLock),
    /// An engine has it.
    Beside(Connection),
}

impl MaintenanceAccess {
    /// Opens the store of a data directory. A store of an older schema is upgraded, unless an engine has it.
    pub(in crate::store) fn open(dir: &Path) -> Result<Self> {
        refuse_pending(dir)?;
        open::database_exists(dir)?;
        match DataDirLock::take(dir) {
            Ok(lock) => Ok(Self::Alone(Box::new(open::writer(dir, MIGRATIONS)?), lock)),
            Err(error) if error.code() == Code::DataDirInUse => {
                Ok(Self::Beside(open::second_writer(dir)?))
            }
            Err(error) => Err(error),
        }
    }

    /// The connection that writes.
    pub(in crate::store) fn conn(&mut self) -> &mut Connection {
        match self {
            Self::Alone(opened, _) => &mut opened.conn,
            Self::Beside(conn) => conn,
        }
    }

    /// Brings everything to the disk and closes the store.
    pub(in crate::store) fn close(self, dir: &Path) -> Result<()> {
        let failed = |error: StoreError| error.on_open(dir);
        match self {
            Self::Alone(mut opened, lock) => {
                opened.sync_all().map_err(failed)?;
                opened.close(true).map_err(failed)?;
                drop(lock);
            }
            Self::Beside(conn) => conn.close().map_err(|(_, error)| failed(error.into()))?,
        }
        Ok(())
    }
}
