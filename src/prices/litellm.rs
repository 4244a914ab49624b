//! Reads LiteLLM's public price table: one JSON object, with one entry for each model and prices in
//! dollars for one token:
//!
//! ```text
//! {"gpt-4.1-mini": {"litellm_provider": "openai", "mode": "chat",
//!                   "input_cost_per_token": 4e-07, "output_cost_per_token": 1.6e-06}}
//! ```
//!
//! Prices for services that synthd never asks for (batches, images, priority) are ignored. A price
//! that could apply and is not understood makes its model unusable, and the reason is kept:
//! otherwise the hold for a call could be too small.

use super::decimal::per_token;
use super::{FREE, ListedModel, PriceTable, digest, is_priced};
use serde_json::value::RawValue;
use std::collections::{BTreeMap, BTreeSet};
use synthd_actors::model::{ModelAbility, ModelPrice, Money, PriceTier, TokenRates};

/// LiteLLM's names of providers and synthd's, where they differ.
const PROVIDERS: [(&str, &str); 2] = [("together_ai", "together"), ("azure_ai", "azure-ai")];
/// The kinds of models that synthd calls. Entries of other kinds are skipped.
const MODES: [&str; 3] = ["chat", "responses", "completion"];
/// Parts of the names of prices for services that synthd does not ask for.
const SERVICES: [&str; 6] =
    ["_batches", "_flex", "_priority", "_ultrafast", "_balanced", "_decisions"];
/// Parts of the names of prices that are not for text tokens.
const OTHER_UNITS: [&str; 17] = [
    "audio",
    "image",
    "video",
    "_second",
    "pixel",
    "character",
    "_page",
    "query",
    "session",
    "dbu",
    "_gb",
    "grounding",
    "search_context",
    "file_search",
    "computer_use",
    "vector_store",
    "above_1hr",
];

/// One model's fields. The values stay raw text, so that prices are never read as floats.
type LiteLlmEntry<'t> = BTreeMap<String, &'t RawValue>;

/// Reads a table. `name` is what people call it. Fails if the text is no JSON object, or if it
/// holds no usable model.
pub(super) fn parse(name: &str, text: &str) -> Result<PriceTable, String> {
    let entries: BTreeMap<String, &RawValue> =
        serde_json::from_str(text).map_err(|error| error.to_string())?;
    let (mut models, mut unusable) = (BTreeMap::new(), BTreeMap::new());
    let mut exact = BTreeSet::new();
    for (key, raw) in entries {
        // Skips everything that is no object. The table also has an entry that explains the fields;
        // it is skipped because its mode is none of the known ones.
        let Ok(entry) = serde_json::from_str::<LiteLlmEntry<'_>>(raw.get()) else { continue };
        let Some(model) = name_of(&key, &entry) else { continue };
        // The same model may stand there with and without its provider (`gpt-5`, `openai/gpt-5`).
        // The entry with the provider counts.
        let is_exact = key.contains('/');
        if exact.contains(&model) {
            continue;
        }
        models.remove(&model);
        unusable.remove(&model);
        if is_exact {
            exact.insert(model.clone());
        }
        match listed(&entry) {
            Ok(listed) => drop(models.insert(model, listed)),
            Err(why) => drop(unusable.insert(model, why)),
        }
    }
    // A JSON file of another kind would give an empty table.
    if models.is_empty() {
        return Err("it holds no model with a price".to_owned());
    }
    Ok(PriceTable { name: name.to_owned(), digest: digest(text), as_of: None, models, unusable })
}

/// The model's name as campaigns write it: `provider/model`. None if the entry names no provider,
/// or if it is no chat model.
fn name_of(key: &str, entry: &LiteLlmEntry<'_>) -> Option<String> {
    let provider = text(entry, "litellm_provider")?;
    let mode = text(entry, "mode")?;
    if !MODES.contains(&mode.as_str()) {
        return None;
    }
    let renamed = PROVIDERS.iter().find(|(theirs, _)| *theirs == provider);
    let ours = renamed.map_or(provider.as_str(), |(_, ours)| ours);
    let model = key.strip_prefix(&format!("{provider}/")).unwrap_or(key);
    Some(format!("{ours}/{model}"))
}

/// A field that is a string. None if it is missing or something else.
fn text(entry: &LiteLlmEntry<'_>, key: &str) -> Option<String> {
    serde_json::from_str(entry.get(key)?.get()).ok()
}

/// A field that is a whole number, also in quotes.
fn number(entry: &LiteLlmEntry<'_>, key: &str) -> Option<u64> {
    entry.get(key)?.get().trim_matches('"').parse().ok()
}

/// Which tokens a price is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum RateKind {
    /// Tokens that the model reads.
    Input,
    /// Tokens that the model writes.
    Output,
    /// Tokens that are read from the provider's cache.
    Cached,
    /// Tokens that are written to the provider's cache.
    CacheWrite,
    /// Tokens of reasoning, if they have a price of their own.
    Reasoning,
}

/// The names of the prices that are understood. Cached tokens have two names.
const KINDS: [(&str, RateKind); 6] = [
    ("input_cost_per_token", RateKind::Input),
    ("output_cost_per_token", RateKind::Output),
    ("cache_read_input_token_cost", RateKind::Cached),
    ("input_cost_per_token_cache_hit", RateKind::Cached),
    ("cache_creation_input_token_cost", RateKind::CacheWrite),
    ("output_cost_per_reasoning_token", RateKind::Reasoning),
];

/// The model's prices, or why they cannot be used. If a price is given under two names, the higher
/// one counts. The base price is the one from zero tokens on; all others are tiers for long
/// requests.
fn listed(entry: &LiteLlmEntry<'_>) -> Result<ListedModel, String> {
    // The prices by the number of tokens from which on they apply.
    let mut found: BTreeMap<u64, BTreeMap<RateKind, Money>> = BTreeMap::new();
    for (key, raw) in entry.iter().filter(|(key, _)| key.contains("cost")) {
        let Some((kind, from)) = meaning(key)? else { continue };
        let shown = raw.get().trim_matches('"');
        // Some entries name a price and leave it empty.
        if shown == "null" {
            continue;
        }
        let money = per_token(shown).ok_or_else(|| format!("`{key}` is {shown}"))?;
        let known = found.entry(from).or_default().entry(kind).or_default();
        *known = (*known).max(money);
    }
    for (from, rates) in ranges(entry)? {
        found.entry(from).or_default().extend(rates);
    }
    let base = found.remove(&0).unwrap_or_default();
    let rates = rates(&base, &base).ok_or_else(|| FREE.to_owned())?;
    let tier = |(from_tokens, own): (u64, BTreeMap<RateKind, Money>)| {
        Some(PriceTier { from_tokens, rates: self::rates(&own, &base)? })
    };
    let tiers = found.into_iter().filter_map(tier).collect();
    let price = ModelPrice { rates, tiers };
    if !is_priced(&price) {
        return Err(FREE.to_owned());
    }
    Ok(ListedModel {
        price,
        context: number(entry, "max_input_tokens"),
        max_output: number(entry, "max_output_tokens"),
        abilities: Some(abilities(entry)),
        source: text(entry, "source"),
    })
}

/// What the model can do. An ability that the entry does not mention counts as missing.
fn abilities(entry: &BTreeMap<String, &RawValue>) -> BTreeSet<ModelAbility> {
    let says = |key: &str| entry.get(key).is_some_and(|value| value.get() == "true");
    let known = [
        (ModelAbility::Tools, "supports_function_calling"),
        (ModelAbility::Vision, "supports_vision"),
        (ModelAbility::Reasoning, "supports_reasoning"),
    ];
    known.into_iter().filter(|(_, key)| says(key)).map(|(ability, _)| ability).collect()
}

/// What a price is for, and from how many tokens of a request on. For example,
/// `input_cost_per_token_above_200k_tokens` is the input price from 200,000 tokens on. Returns None
/// for services and units that are never asked for. Fails for a name that is not understood.
fn meaning(key: &str) -> Result<Option<(RateKind, u64)>, String> {
    if SERVICES.iter().any(|service| key.contains(service))
        || OTHER_UNITS.iter().any(|unit| key.contains(unit))
    {
        return Ok(None);
    }
    let exact = KINDS.iter().find(|(known, _)| key == *known);
    if let Some((_, kind)) = exact {
        return Ok(Some((*kind, 0)));
    }
    let tier = KINDS.iter().find_map(|(known, kind)| Some((*kind, key.strip_prefix(known)?)));
    if let Some((kind, rest)) = tier
        && let Some(thousands) =
            rest.strip_prefix("_above_").and_then(|r| r.strip_suffix("k_tokens"))
        && let Ok(thousands) = thousands.parse::<u64>()
    {
        return Ok(Some((kind, thousands.saturating_mul(1_000))));
    }
    Err(format!("it has a price of an unknown kind: `{key}`"))
}

/// The rates of a tier. What the tier does not say is as in the base. None if there is no price for
/// input or for output.
fn rates(own: &BTreeMap<RateKind, Money>, base: &BTreeMap<RateKind, Money>) -> Option<TokenRates> {
    let of = |kind| own.get(&kind).or_else(|| base.get(&kind)).copied();
    Some(TokenRates {
        input_per_million: of(RateKind::Input)?,
        output_per_million: of(RateKind::Output)?,
        cached_per_million: of(RateKind::Cached),
        cache_write_per_million: of(RateKind::CacheWrite),
        reasoning_per_million: of(RateKind::Reasoning),
    })
}

/// The tokens from which on a tier applies, and its prices.
type LiteLlmTier = (u64, BTreeMap<RateKind, Money>);

/// The tiers in `tiered_pricing`, a list such as `{"range": [0, 32000], "input_cost_per_token":
/// 1e-06}`. The rates apply to a whole request whose length is in the range.
fn ranges(entry: &LiteLlmEntry<'_>) -> Result<Vec<LiteLlmTier>, String> {
    let Some(raw) = entry.get("tiered_pricing") else { return Ok(Vec::new()) };
    let unreadable = |_| "its `tiered_pricing` cannot be read".to_owned();
    let list: Vec<LiteLlmEntry<'_>> = serde_json::from_str(raw.get()).map_err(unreadable)?;
    list.iter().map(range).collect()
}

/// One tier of `tiered_pricing`.
fn range(entry: &LiteLlmEntry<'_>) -> Result<LiteLlmTier, String> {
    let bad = || "its `tiered_pricing` cannot be read".to_owned();
    let bounds: Vec<&RawValue> =
        serde_json::from_str(entry.get("range").ok_or_else(bad)?.get()).map_err(|_| bad())?;
    // Some ranges are written as 256e3 and some as 256000.0. This is a number of tokens, so a float
    // does no harm here.
    let from: f64 = bounds.first().ok_or_else(bad)?.get().parse().map_err(|_| bad())?;
    let from = if (0.0..1e12).contains(&from) { from as u64 } else { return Err(bad()) };
    let mut rates = BTreeMap::new();
    for (key, raw) in entry.iter().filter(|(key, _)| key.contains("cost")) {
        // Prices with a limit of their own have no meaning inside of a range.
        if let Some((kind, 0)) = meaning(key)? {
            rates.insert(kind, per_token(raw.get().trim_matches('"')).ok_or_else(bad)?);
        }
    }
    Ok((from, rates))
}

#[cfg(test)]
mod tests {
    use super::*;
    use synthd_actors::model::Usage;

    const TABLE: &str = r#"{
        "sample_spec": { "mode": "one of: chat", "litellm_provider": "one of them" },
        "plain": { "litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 4e-07,
            "output_cost_per_token": "1.6e-06", "cache_read_input_token_cost": 1e-07,
            "input_cost_per_token_batches": 2e-07, "search_context_cost_per_query": { "low": 1 },
            "max_input_tokens": 1000, "max_output_tokens": "10", "source": "https://h" },
        "gemini/tiered": { "litellm_provider": "gemini", "mode": "chat",
            "input_cost_per_token": 1.25e-06, "input_cost_per_token_above_200k_tokens": 2.5e-06,
            "output_cost_per_token": 1e-05, "output_cost_per_token_above_200k_tokens": 1.5e-05,
            "output_cost_per_token_above_200k_tokens_priority": 9 },
        "together_ai/Q/w": { "litellm_provider": "together_ai", "mode": "chat",
            "tiered_pricing": [
                { "range": [0, 32000.0], "input_cost_per_token": 1e-06, "output_cost_per_token": 2e-06 },
                { "range": [32e3, 1e6], "input_cost_per_token": 3e-06, "output_cost_per_token": 4e-06 }] },
        "thinker": { "litellm_provider": "xai", "mode": "responses", "input_cost_per_token": 1e-6,
            "output_cost_per_token": 2e-6, "output_cost_per_reasoning_token": 5e-6 },
        "free": { "litellm_provider": "groq", "mode": "chat", "input_cost_per_token": 0.0,
            "output_cost_per_token": 0 },
        "half": { "litellm_provider": "groq", "mode": "chat", "input_cost_per_token": 0,
            "output_cost_per_token": 1e-6 },
        "odd": { "litellm_provider": "groq", "mode": "chat", "input_cost_per_token": 1e-6,
            "output_cost_per_token": 1e-6, "input_cost_per_prayer": 1 },
        "negative": { "litellm_provider": "groq", "mode": "chat", "input_cost_per_token": -1e-6,
            "output_cost_per_token": 1e-6 },
        "picture": { "litellm_provider": "openai", "mode": "image_generation" }
    }"#;

    #[test]
    fn prices_are_what_they_say_and_what_is_not_understood_is_told() {
        let table = parse("t", TABLE).unwrap();
        let cost = |model: &str, usage| table.get(model).unwrap().price.of(usage).to_string();
        let cached = Usage { cached_tokens: Some(500_000), ..Usage::of(1_000_000, 1_000_000) };
        assert_eq!(cost("openai/plain", cached), "1.85");
        assert_eq!(table.get("openai/plain").unwrap().max_output, Some(10));
        assert_eq!(cost("gemini/tiered", Usage::of(100_000, 0)), "0.125");
        assert_eq!(cost("gemini/tiered", Usage::of(400_000, 100_000)), "2.50");
        assert_eq!(cost("together/Q/w", Usage::of(10_000, 0)), "0.01");
        assert_eq!(cost("together/Q/w", Usage::of(100_000, 0)), "0.30");
        let thought = Usage { reasoning_tokens: Some(1_000_000), ..Usage::of(0, 1_000_000) };
        assert_eq!(cost("xai/thinker", thought), "5.00");
        let told: Vec<(&str, &str)> =
            table.unusable.iter().map(|(name, why)| (name.as_str(), why.as_str())).collect();
        assert_eq!(told.len(), 4, "{told:?}");
        assert!(table.unusable("groq/odd").unwrap().contains("input_cost_per_prayer"));
        assert!(table.unusable("groq/negative").unwrap().contains("-1e-6"));
        assert_eq!(table.unusable("groq/free"), Some(FREE));
        assert_eq!(table.unusable("groq/half"), Some(FREE));
        assert!(parse("t", "{}").is_err() && parse("t", "{").is_err());
    }
}
