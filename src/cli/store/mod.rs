//! `synthd store`: measures, verifies, prunes, backs up and restores the store of a data directory.
//! `src/store/` does the work; these files print the reports.

mod backup;
mod prune;
mod restore;
mod stats;
mod vacuum;
mod verify;

use crate::error::Result;
use clap::Subcommand;
use std::process::ExitCode;

#[derive(Subcommand)]
pub(super) enum StoreCommand {
    /// Show what the store has and how much room it takes
    Stats(stats::StoreStatsArgs),
    /// Read the whole store and report damage and missing records
    Verify(verify::StoreVerifyArgs),
    /// Copy the store into one file, also while an engine writes it
    Backup(backup::StoreBackupArgs),
    /// Continue from a backup, or from the rest of a damaged store
    Restore(restore::StoreRestoreArgs),
    /// Remove what the rules of [retention] do not keep
    Prune(prune::StorePruneArgs),
    /// Give free pages of the database file back to the disk
    Vacuum(vacuum::StoreVacuumArgs),
}

/// Runs one of the subcommands. None of them needs an actor system, because no engine is started.
pub(super) fn run(command: &StoreCommand) -> Result<ExitCode> {
    match command {
        StoreCommand::Verify(args) => verify::run(args),
        StoreCommand::Backup(args) => backup::run(args),
        StoreCommand::Restore(args) => restore::run(args),
        StoreCommand::Stats(args) => stats::run(args),
        StoreCommand::Prune(args) => prune::run(args),
        StoreCommand::Vacuum(args) => vacuum::run(args),
    }
}
