//! `synthd store`: verifies, backs up and restores the store of a data directory. `src/store/` does
//! the work; these files print the reports.

mod backup;
mod restore;
mod verify;

use crate::error::Result;
use clap::Subcommand;
use std::process::ExitCode;

#[derive(Subcommand)]
pub(super) enum StoreCommand {
    /// Read the whole store and report damage and missing records
    Verify(verify::StoreVerifyArgs),
    /// Copy the store into one file, also while an engine writes it
    Backup(backup::StoreBackupArgs),
    /// Continue from a backup, or from the rest of a damaged store
    Restore(restore::StoreRestoreArgs),
}

/// Runs one of the subcommands. None of them needs an actor system, because no engine is started.
pub(super) fn run(command: &StoreCommand) -> Result<ExitCode> {
    match command {
        StoreCommand::Verify(args) => verify::run(args),
        StoreCommand::Backup(args) => backup::run(args),
        StoreCommand::Restore(args) => restore::run(args),
    }
}
