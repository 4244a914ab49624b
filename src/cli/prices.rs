//! The option `--price-table`, which several commands share.

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
    /// Reads the price table and makes it the current one of the process. It must be called before
    /// a file is read, because models without a price take theirs from the table.
    pub(crate) fn table(&self) -> Result<&'static PriceTable> {
        PriceTable::set_current(self.price_table.as_deref())?;
        Ok(PriceTable::current())
    }
}
