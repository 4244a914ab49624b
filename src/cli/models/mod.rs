//! `synthd models`: which models there are, what they cost, and what a campaign would use.

mod check;
mod list;
mod price;

use crate::error::Result;
use clap::Subcommand;
use std::process::ExitCode;

#[derive(Subcommand)]
pub(super) enum ModelsCommand {
    /// List the models whose prices are known
    List(list::ListArgs),
    /// Say where a campaign's models are asked, with which keys and prices
    Check(check::CheckArgs),
    /// Say what so many tokens of a model cost
    Price(price::PriceArgs),
}

pub(super) fn run(command: &ModelsCommand) -> Result<ExitCode> {
    match command {
        ModelsCommand::List(args) => list::run(args),
        ModelsCommand::Check(args) => check::run(args),
        ModelsCommand::Price(args) => price::run(args),
    }
}
