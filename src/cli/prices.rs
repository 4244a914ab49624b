//! The option that names a table of prices.

use crate::error::Result;
use crate::prices::PriceTable;
use clap::Args;
use std::path::PathBuf;

#[derive(Args, Clone, Debug, Default)]
pub(crate) struct PriceOptions {
    /// Prices where a campaign says none: LiteLLM's JSON, or TOML like the shipped
    /// config/prices.toml
    #[arg(long, value_name = "FILE")]
    price_table: Option<PathBuf>,
}

impl PriceOptions {
    /// To be called before anything is priced.
    pub(crate) fn table(&self) -> Result<&'static PriceTable> {
        PriceTable::choose(self.price_table.as_deref())?;
        Ok(PriceTable::current())
    }
}
