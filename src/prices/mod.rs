//! Price tables: what models cost if a campaign does not say it. The program ships a small table
//! (`config/prices.toml`), and `--price-table` names another file. Decimal text is converted into
//! integers; no price is ever a float.
//!
//! ```text
//!  config/prices.toml ─► toml_table ─┐
//!                                    ├─► table (with a digest) ─► a price, or why there is none
//!  LiteLLM's public JSON ─► litellm ─┘
//! ```
//!
//! `config` asks the table while it reads a campaign. The table's digest becomes part of the
//! campaign, so that the record shows by which prices a run was estimated and held.
//!
//! Invariant: a model either has a price above zero, or it is in the list of unusable models with a
//! reason, or the table does not know it. A table never makes a model free.

mod decimal;
mod litellm;
mod toml_table;

use crate::error::{Code, Error, Result};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::OnceLock;
use synthd_actors::model::{ModelAbility, ModelPrice, digest_of};

/// The size limit of a file. No price table is this long.
const MAX_BYTES: u64 = 64 << 20;

/// The prices of many models, from one file.
#[derive(Debug)]
pub struct PriceTable {
    /// Where the table came from, for messages.
    pub name: String,
    /// The digest over the text of the file. It identifies the table in the record of a run.
    pub digest: String,
    /// The date of the prices, if the table gives one.
    pub as_of: Option<String>,
    /// The usable models by their names in campaigns, such as `openai/gpt-5`.
    models: BTreeMap<String, ListedModel>,
    /// Models in the table whose price cannot be used for a hold, and why.
    unusable: BTreeMap<String, String>,
}

/// What a table says of one model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ListedModel {
    pub price: ModelPrice,
    /// The most tokens that the model reads.
    pub context: Option<u64>,
    /// The most tokens that the model writes in one reply.
    pub max_output: Option<u64>,
    /// What the model can do. None if the table does not say; a model with no ability has an empty
    /// set.
    pub abilities: Option<BTreeSet<ModelAbility>>,
    /// Where the price was found, usually an address.
    pub source: Option<String>,
}

/// The table of this process. It is set once, before any price is needed.
static CHOSEN: OnceLock<PriceTable> = OnceLock::new();

impl PriceTable {
    /// The table of this process: the one from [`Self::set_current`], or the shipped one.
    pub fn current() -> &'static Self {
        CHOSEN.get_or_init(toml_table::shipped)
    }

    /// Makes a file the table of this process. None keeps the shipped table. Must be called before
    /// [`Self::current`]; it fails if a price was already asked for, or if the file cannot be used.
    pub fn set_current(path: Option<&Path>) -> Result<()> {
        let Some(path) = path else { return Ok(()) };
        let table = Self::read(path)?;
        let already =
            |_| Error::new(Code::Unexpected, "prices were asked for before they were chosen");
        CHOSEN.set(table).map_err(already)
    }

    /// Reads a file: LiteLLM's JSON, or TOML like the shipped table. Fails if the file cannot be
    /// read, is too large, or is no price table.
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

    /// Parses a table. A text that begins with `{` is JSON, everything else is TOML. The error says
    /// what is wrong with the text.
    pub fn parse(name: &str, text: &str) -> Result<Self, String> {
        match text.trim_start().starts_with('{') {
            true => litellm::parse(name, text),
            false => toml_table::parse(name, text),
        }
    }

    /// What the table says of a model, by its name in campaigns (`openai/gpt-5`).
    pub fn get(&self, model: &str) -> Option<&ListedModel> {
        self.models.get(model)
    }

    /// Why a model in the table cannot be used. None if it can be used or is not in the table.
    pub fn unusable(&self, model: &str) -> Option<&str> {
        self.unusable.get(model).map(String::as_str)
    }

    /// All usable models, in the order of their names.
    pub fn models(&self) -> impl Iterator<Item = (&str, &ListedModel)> {
        self.models.iter().map(|(name, listed)| (name.as_str(), listed))
    }
}

/// The reason for a model without a price. A table with a price of zero does not make a model free;
/// people must say in the campaign that its calls are free.
const FREE: &str = "it has no price, or a price of zero; if its calls are free, set `free = true` under its \
     provider";

/// Whether input and output have a price above zero, at every length of a request. A price of zero
/// means that the price is not known: the hold for a call would be too small.
fn is_priced(price: &ModelPrice) -> bool {
    let all = price.tiers.iter().map(|tier| &tier.rates).chain([&price.rates]);
    all.into_iter()
        .all(|rates| !rates.input_per_million.is_zero() && !rates.output_per_million.is_zero())
}

/// The digest of a table's text.
fn digest(text: &str) -> String {
    digest_of(&["price-table", text])
}
