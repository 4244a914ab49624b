//! `synthd money`: lists holds and settled costs, and corrects them.

mod list;
mod reconcile;
mod statement;

use crate::error::Result;
use crate::running_engine::run_in_actor_system;
use crate::store::Store;
use clap::Subcommand;
use std::process::ExitCode;

#[derive(Subcommand)]
pub(super) enum MoneyCommand {
    /// List holds that count in full because their cost is unknown
    List(list::MoneyListArgs),
    /// Correct the recorded cost of a call
    Reconcile(reconcile::MoneyReconcileArgs),
}

/// Runs one of the subcommands. `list` opens the store read-only. `reconcile` writes to it, so no
/// other process may have the data directory then.
pub(super) fn run(command: &MoneyCommand) -> Result<ExitCode> {
    match command {
        MoneyCommand::List(args) => {
            let store = Store::open_read_only(&args.data.data_dir)?;
            run_in_actor_system(list::run(&store, args))?
        }
        MoneyCommand::Reconcile(args) => reconcile::run(args),
    }
}
