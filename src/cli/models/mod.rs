//! `synthd models`: shows which models have a known price, what a campaign would use, and what a
//! number of tokens costs.

mod check;
mod list;
mod price;

use crate::error::Result;
use clap::Subcommand;
use std::process::ExitCode;

#[derive(Subcommand)]
pub(super) enum ModelsCommand {
    /// List the models whose prices are known
    List(list::ModelsListArgs),
    /// Show the address, the key variable and the price of each model of a campaign
    Check(check::ModelsCheckArgs),
    /// Show the cost of a number of tokens of a model
    Price(price::ModelsPriceArgs),
}

/// Runs one of the subcommands. None of them opens a store or asks a provider.
pub(super) fn run(command: &ModelsCommand) -> Result<ExitCode> {
    match command {
        ModelsCommand::List(args) => list::run(args),
        ModelsCommand::Check(args) => check::run(args),
        ModelsCommand::Price(args) => price::run(args),
    }
}
