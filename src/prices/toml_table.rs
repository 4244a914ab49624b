//! Reads price tables in TOML: the one that is shipped with the program, and files like it. Prices
//! are in dollars for a million tokens, in quotes:
//!
//! ```text
//! as_of = "2026-01-15"
//! [models."openai/gpt-4.1-mini"]
//! input = "0.40"
//! output = "1.60"
//! cached = "0.10"
//! ```

use super::{FREE, ListedModel, PriceTable, digest, is_priced};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use synthd_actors::model::{ModelAbility, ModelPrice, Money, PriceTier, TokenRates};

/// The shipped table, compiled into the program.
const TEXT: &str = include_str!("../../config/prices.toml");

/// A whole file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PriceFile {
    /// The date of the prices.
    as_of: Option<String>,
    /// Where the prices were found, for models that have no `source` of their own.
    source: Option<String>,
    #[serde(default)]
    models: BTreeMap<String, PriceFileEntry>,
}

/// One model. Rates are for a million tokens.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PriceFileEntry {
    input: Money,
    output: Money,
    /// Input that is read from a cache.
    cached: Option<Money>,
    /// Input that is written to a cache.
    cache_write: Option<Money>,
    /// Reasoning, if it has a price of its own.
    reasoning: Option<Money>,
    context: Option<u64>,
    max_output: Option<u64>,
    abilities: Option<BTreeSet<ModelAbility>>,
    /// Other rates for long requests.
    #[serde(default)]
    longer: Vec<LongRequestRates>,
    source: Option<String>,
}

/// The rates of a request that has at least `from_tokens` input tokens. They apply to all tokens of
/// the request. A missing cache rate is as for short requests.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LongRequestRates {
    from_tokens: u64,
    input: Money,
    output: Money,
    cached: Option<Money>,
    cache_write: Option<Money>,
}

/// The shipped table. A test reads it, so it is valid. If it could not be read after all, the table
/// is empty: then every model needs a price in the campaign, and nothing is ever free by mistake.
pub(super) fn shipped() -> PriceTable {
    parse("config/prices.toml", TEXT).unwrap_or_else(|error| {
        tracing::error!(error, "the table of prices that comes with the program");
        PriceTable {
            name: "nothing".to_owned(),
            digest: digest(""),
            as_of: None,
            models: BTreeMap::new(),
            unusable: BTreeMap::new(),
        }
    })
}

/// Parses a table. Models that have no price for input or for output are unusable. The error is the TOML parser's
/// message.
pub(super) fn parse(name: &str, text: &str) -> Result<PriceTable, String> {
    let file: PriceFile = toml::from_str(text).map_err(|error| error.to_string())?;
    let source = file.source;
    let listed = |(model, entry): (String, PriceFileEntry)| {
        // A model's own source comes before that of the whole file.
        let source = entry.source.clone().or_else(|| source.clone());
        (model, ListedModel { source, ..listed(entry) })
    };
    let (models, nothing): (BTreeMap<_, _>, BTreeMap<_, _>) =
        file.models.into_iter().map(listed).partition(|(_, listed)| is_priced(&listed.price));
    let unusable = nothing.into_keys().map(|model| (model, FREE.to_owned()));
    Ok(PriceTable {
        name: name.to_owned(),
        digest: digest(text),
        as_of: file.as_of,
        models,
        unusable: unusable.collect(),
    })
}

/// One model's entry as a listed model. Its source is set by the caller.
fn listed(entry: PriceFileEntry) -> ListedModel {
    let rates = TokenRates {
        input_per_million: entry.input,
        output_per_million: entry.output,
        cached_per_million: entry.cached,
        cache_write_per_million: entry.cache_write,
        reasoning_per_million: entry.reasoning,
    };
    let tier = |longer: &LongRequestRates| PriceTier {
        from_tokens: longer.from_tokens,
        rates: TokenRates {
            input_per_million: longer.input,
            output_per_million: longer.output,
            cached_per_million: longer.cached.or(rates.cached_per_million),
            cache_write_per_million: longer.cache_write.or(rates.cache_write_per_million),
            reasoning_per_million: rates.reasoning_per_million,
        },
    };
    let tiers = entry.longer.iter().map(tier).collect();
    let (context, max_output) = (entry.context, entry.max_output);
    let abilities = entry.abilities;
    ListedModel { price: ModelPrice { rates, tiers }, context, max_output, abilities, source: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_table_is_read_and_says_where_it_is_from() {
        let table = parse("config/prices.toml", TEXT).unwrap();
        assert!(table.as_of.is_some() && table.models.len() >= 15, "{table:?}");
        assert!(table.unusable.is_empty());
        for (name, listed) in &table.models {
            let provider = name.split_once('/').unwrap().0;
            let known = crate::config::KNOWN_PROVIDERS.iter().any(|known| known.name == provider);
            assert!(known, "{name}");
            assert!(listed.source.as_ref().is_some_and(|source| source.contains("http")), "{name}");
            assert!(listed.context.is_some() && listed.max_output.is_some(), "{name}");
        }
    }

    #[test]
    fn what_is_no_table_is_told() {
        for text in
            ["models = 3", "[models.\"a/b\"]\ninput = 0.1", "[models.\"a/b\"]\ncost = \"1\""]
        {
            parse("t", text).unwrap_err();
        }
        let free = parse("t", "[models.\"a/b\"]\ninput = \"0\"\noutput = \"0.00\"").unwrap();
        assert!(free.get("a/b").is_none() && free.unusable("a/b").is_some());
        // Both kinds of tables have the same rule: half a price is none.
        let half = "[models.\"a/b\"]\ninput = \"0\"\noutput = \"1\"";
        let longer = "[models.\"a/b\"]\ninput = \"1\"\noutput = \"1\"\n[[models.\"a/b\".longer]]\n\
                      from_tokens = 9\ninput = \"2\"\noutput = \"0\"";
        for text in [half, longer] {
            assert_eq!(parse("t", text).unwrap().unusable("a/b"), Some(FREE), "{text}");
        }
    }
}
