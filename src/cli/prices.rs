//! The option that names a table of prices.

use crate::error::Result;
use crate::prices::PriceTable;
use clap::Args;
use std::path::PathBuf;

#[derive(Args, Clone, Debug, Default)]
pub(crate) struct PriceOptions {
    /// Prices for models without a `price` of their own: LiteLLM's JSON, or TOML like
    /// config/prices.toml
    #[arg(long, value_name = "FILE")]
    price_table: Option<PathBuf>,
}

impl PriceOptions {
    /// To be called before anything is priced.
    pub(crate) fn table(&self) -> Result<&'static PriceTable> {
        PriceTable::set_current(self.price_table.as_deref())?;
        Ok(PriceTable::current())
    }
}
