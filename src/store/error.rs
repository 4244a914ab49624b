//! Errors of the store. Inside the store a failure is a [`StoreError`]. A user gets an [`Error`]
//! with a code and a hint what to do ([`StoreError::on_open`]). The engine gets a [`StoreFault`]
//! and decides what stops ([`StoreError::fault`]).

use crate::error::{Code, Error};
use rusqlite::{ErrorCode, ffi};
use std::fmt::Display;
use std::io;
use std::path::Path;
use synthd_actors::ports::{StoreFault, StoreFaultKind};

/// A failure inside the store.
#[derive(Debug, thiserror::Error)]
pub(super) enum StoreError {
    /// The entry contradicts what is stored, or it cannot be stored. Only its append fails.
    #[error("{0}")]
    Refused(String),
    /// Stored data cannot be read back.
    #[error("the store has data that this version cannot read: {0}")]
    Unreadable(String),
    #[error(
        "another synthd has opened this store since, so this synthd writes nothing more (epoch \
         {epoch}, now {now})"
    )]
    /// Another process has opened the store for writing since this process did. This process must
    /// not write any more.
    TakenOver { epoch: i64, now: i64 },
    /// SQLite reported an error.
    #[error("{}", explain(.0))]
    Sqlite(#[from] rusqlite::Error),
    /// An operation on a file failed.
    #[error("{}", explain_io(.0))]
    Io(#[from] io::Error),
}

impl StoreError {
    /// The error for an entry that cannot be stored.
    pub(super) fn refused(what: impl Into<String>) -> Self {
        Self::Refused(what.into())
    }

    /// The error for stored data that cannot be read.
    pub(super) fn unreadable(what: impl Display) -> Self {
        Self::Unreadable(what.to_string())
    }

    /// Whether only the append with this error fails. If not, the whole transaction fails.
    pub(super) fn is_local(&self) -> bool {
        match self {
            Self::Refused(_) | Self::Unreadable(_) => true,
            Self::Sqlite(error) => matches!(
                error.sqlite_error_code(),
                None | Some(
                    ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch | ErrorCode::TooBig
                )
            ),
            Self::Io(_) | Self::TakenOver { .. } => false,
        }
    }

    /// The fault that the engine sees. `operation` says what the store was doing, such as `append`.
    pub(super) fn fault(&self, operation: &'static str) -> StoreFault {
        StoreFault {
            operation,
            message: self.to_string(),
            kind: match self.code() {
                Code::DataDirFull => StoreFaultKind::Full,
                Code::StoreDamaged => StoreFaultKind::Damaged,
                _ => StoreFaultKind::Other,
            },
        }
    }

    /// The error that a user sees who opens the data directory `dir`.
    pub(super) fn on_open(self, dir: &Path) -> Error {
        let code = self.code();
        let error = Error::new(code, format!("{} {}", dir.display(), statement(code)));
        error.hint(way_out(code)).with_source(self)
    }

    /// The error code for the user.
    pub(super) fn code(&self) -> Code {
        match self {
            Self::Refused(_) => Code::Io,
            Self::Unreadable(_) => Code::StoreDamaged,
            Self::TakenOver { .. } => Code::DataDirInUse,
            Self::Sqlite(error) => code_of_sqlite(error),
            Self::Io(error) => code_of_io(error),
        }
    }
}

/// The error code for an error of SQLite.
fn code_of_sqlite(error: &rusqlite::Error) -> Code {
    match error.sqlite_error_code() {
        _ if is_full(error) => Code::DataDirFull,
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => {
            Code::DataDirUnwritable
        }
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Code::StoreDamaged,
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Code::DataDirInUse,
        _ => Code::Io,
    }
}

/// The error code for an error of a file operation.
fn code_of_io(error: &io::Error) -> Code {
    use io::ErrorKind as Kind;
    match error.kind() {
        Kind::StorageFull | Kind::QuotaExceeded => Code::DataDirFull,
        Kind::PermissionDenied
        | Kind::ReadOnlyFilesystem
        | Kind::NotADirectory
        | Kind::AlreadyExists
        | Kind::IsADirectory => Code::DataDirUnwritable,
        _ => Code::Io,
    }
}

// Whether the disk is full. SQLite has a separate code if there is no room for the shared index of
// the log.
fn is_full(error: &rusqlite::Error) -> bool {
    let extended = error.sqlite_error().map(|e| e.extended_code);
    error.sqlite_error_code() == Some(ErrorCode::DiskFull)
        || extended == Some(ffi::SQLITE_IOERR_SHMSIZE)
}

/// The message for an error of SQLite, in the words of the user if its cause is known.
fn explain(error: &rusqlite::Error) -> String {
    if is_full(error) {
        return format!("the data directory is full; free some space and continue ({error})");
    }
    match code_of_sqlite(error) {
        Code::StoreDamaged => format!("the store is damaged ({error})"),
        Code::DataDirInUse => format!("another program has locked the store ({error})"),
        _ => error.to_string(),
    }
}

/// The message for an error of a file operation.
fn explain_io(error: &io::Error) -> String {
    match code_of_io(error) {
        Code::DataDirFull => {
            format!("the data directory is full; free some space and continue ({error})")
        }
        _ => error.to_string(),
    }
}

/// The second part of the message `DIR ...` for an error code.
fn statement(code: Code) -> &'static str {
    match code {
        Code::DataDirFull => "has no space left for the store",
        Code::DataDirUnwritable => "cannot be used as a data directory: it cannot be written",
        Code::StoreDamaged => "holds a store that cannot be read",
        Code::DataDirInUse => "holds a store that another program has locked",
        _ => "holds a store that could not be opened",
    }
}

/// The hint for an error code: what the user can do.
fn way_out(code: Code) -> &'static str {
    match code {
        Code::DataDirFull => "free some space there, or choose another place with --data-dir",
        Code::DataDirUnwritable => {
            "give this user write permission there, or choose another place with --data-dir"
        }
        Code::StoreDamaged => {
            "nothing was changed; `synthd store verify` shows the damage, `synthd store restore \
             BACKUP` continues from a backup; or choose another place with --data-dir"
        }
        Code::DataDirInUse => "end the program that has synthd.db open (fuser lists it)",
        _ => "read the cause, or choose another place with --data-dir",
    }
}
