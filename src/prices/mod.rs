//! What models cost, where a campaign does not say: a small table of our own, or a file that
//! the user names (`--price-table`). Decimal text becomes integers; nothing here is ever a
//! float.
//!
//! ```text
//!  config/prices.toml ─► own ─────┐
//!                                 ├─► table (digest) ─► listed price, or why it cannot be used
//!  LiteLLM's public JSON ─► litellm┘
//! ```

mod decimal;
mod litellm;
mod toml_table;

use crate::error::{Code, Error, Result};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::OnceLock;
use synthd_actors::model::{ModelAbility, ModelPrice, digest_of};

/// No table is this long.
const MAX_BYTES: u64 = 64 << 20;

/// A table of prices.
#[derive(Debug)]
pub struct PriceTable {
    /// Where it came from, as people call it.
    pub name: String,
    /// Over its bytes: what a run was priced by is part of its record.
    pub digest: String,
    /// When it was made, where it says.
    pub as_of: Option<String>,
    models: BTreeMap<String, ListedModel>,
    /// Those that have no price that could be held for, and why.
    unusable: BTreeMap<String, String>,
}

/// What a table says of a model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ListedModel {
    pub price: ModelPrice,
    /// Tokens that it reads at most, and writes at most.
    pub context: Option<u64>,
    pub max_output: Option<u64>,
    /// None where it does not say.
    pub abilities: Option<BTreeSet<ModelAbility>>,
    pub source: Option<String>,
}

/// Chosen once, before anything is priced.
static CHOSEN: OnceLock<PriceTable> = OnceLock::new();

impl PriceTable {
    /// The one that this process goes by.
    pub fn current() -> &'static Self {
        CHOSEN.get_or_init(toml_table::shipped)
    }

    /// Makes a file the one to go by; to be called before [`Self::current`].
    pub fn set_current(path: Option<&Path>) -> Result<()> {
        let Some(path) = path else { return Ok(()) };
        let table = Self::read(path)?;
        let already =
            |_| Error::new(Code::Unexpected, "prices were asked for before they were chosen");
        CHOSEN.set(table).map_err(already)
    }

    /// LiteLLM's JSON, or a table like our own.
    pub fn read(path: &Path) -> Result<Self> {
        let name = path.display().to_string();
        let unreadable = |error| {
            Error::new(Code::ConfigUnreadable, format!("the price table {name} cannot be read"))
                .with_source(error)
                .hint(
                    "name a file with --price-table: LiteLLM's JSON, or TOML like \
                       config/prices.toml",
                )
        };
        let length = std::fs::metadata(path).map_err(unreadable)?.len();
        if length > MAX_BYTES {
            let what = format!("the price table {name} is larger than {} MiB", MAX_BYTES >> 20);
            return Err(Error::new(Code::ConfigUnreadable, what).hint("check the path"));
        }
        let text = std::fs::read_to_string(path).map_err(unreadable)?;
        Self::parse(&name, &text).map_err(|why| {
            Error::new(Code::ConfigInvalid, format!("{name} is not a price table: {why}"))
                .hint("a price table is LiteLLM's JSON, or TOML like config/prices.toml")
        })
    }

    /// Of text, whichever of the two it is.
    pub fn parse(name: &str, text: &str) -> Result<Self, String> {
        match text.trim_start().starts_with('{') {
            true => litellm::parse(name, text),
            false => toml_table::parse(name, text),
        }
    }

    /// By the name that campaigns use.
    pub fn get(&self, model: &str) -> Option<&ListedModel> {
        self.models.get(model)
    }

    pub fn unusable(&self, model: &str) -> Option<&str> {
        self.unusable.get(model).map(String::as_str)
    }

    pub fn models(&self) -> impl Iterator<Item = (&str, &ListedModel)> {
        self.models.iter().map(|(name, listed)| (name.as_str(), listed))
    }
}

fn digest(text: &str) -> String {
    digest_of(&["price-table", text])
}
