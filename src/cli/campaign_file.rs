//! The arguments of commands that only look at a campaign file (`check`, `estimate`): the file, the
//! templates and the prices that it is read with.

use crate::cli::TemplateDirs;
use crate::cli::prices::PriceOptions;
use crate::cli::terminal::output::print_config_errors;
use crate::config::{self, LoadedCampaign};
use crate::error::Result;
use crate::templates::TemplateLibrary;
use clap::Args;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::ExitCode;
use synthd_actors::work::WorkInputs;

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
    /// Reads the file. `Break` has an exit code: the file has mistakes, and they were printed
    /// already. The price table is set first, because models without a price in the file take
    /// theirs from it.
    pub(super) fn load(&self) -> Result<ControlFlow<ExitCode, (LoadedCampaign, WorkInputs)>> {
        self.prices.table()?;
        let library = TemplateLibrary::load(&self.templates.directories)?;
        match config::load_campaign_with(&library, &self.campaign) {
            Ok((loaded, library)) => {
                let inputs = loaded.inputs(&library.catalog);
                Ok(ControlFlow::Continue((loaded, inputs)))
            }
            Err(errors) => {
                print_config_errors(&errors, self.json);
                Ok(ControlFlow::Break(ExitCode::from(errors.code().exit_code())))
            }
        }
    }
}
