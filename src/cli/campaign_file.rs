//! A campaign's file with the templates and prices it is read with, for commands that only look
//! at it.

use super::TemplateDirs;
use super::output::complain_of_config;
use super::prices::PriceOptions;
use crate::config::{self, LoadedCampaign};
use crate::error::Result;
use crate::templates;
use clap::Args;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::ExitCode;
use synthd_actors::task::Catalog;

#[derive(Args)]
pub(super) struct CampaignFile {
    /// The campaign file; `-` reads standard input
    pub(super) campaign: PathBuf,
    #[command(flatten)]
    prices: PriceOptions,
    #[command(flatten)]
    templates: TemplateDirs,
    /// Print one JSON document
    #[arg(long)]
    pub(super) json: bool,
}

impl CampaignFile {
    /// What it says, if it can be believed. What is wrong with it has been told otherwise.
    pub(super) fn load(&self) -> Result<ControlFlow<ExitCode, (LoadedCampaign, Catalog)>> {
        self.prices.table()?;
        let loaded = match config::load_campaign(&self.campaign) {
            Ok(loaded) => loaded,
            Err(errors) => {
                complain_of_config(&errors, self.json);
                return Ok(ControlFlow::Break(ExitCode::from(errors.code().exit_code())));
            }
        };
        let catalog = templates::load(&self.templates.directories)?;
        Ok(ControlFlow::Continue((loaded, catalog)))
    }
}
