//! `synthd money`: what is held and counted, and corrections of it.

mod list;
mod reconcile;
mod statement;

use crate::engine::in_system;
use crate::error::Result;
use crate::store::Store;
use clap::Subcommand;
use std::process::ExitCode;

#[derive(Subcommand)]
pub(super) enum MoneyCommand {
    /// List money that counts in full because nobody knows better
    List(list::ListArgs),
    /// Correct what a call is counted as, with a trace
    Reconcile(reconcile::ReconcileArgs),
}

pub(super) fn run(command: &MoneyCommand) -> Result<ExitCode> {
    match command {
        MoneyCommand::List(args) => {
            let store = Store::open_read_only(&args.data.data_dir)?;
            in_system(list::run(&store, args))?
        }
        MoneyCommand::Reconcile(args) => reconcile::run(args),
    }
}
