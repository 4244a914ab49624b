//! The models and the providers of a file, key by key: which models there are (`[[models]]`), how
//! they are reached (`[providers.<name>]`), and which of them gets which tasks (`[routing]`).
//! Campaign files and gateway files share these sections. `config/reference.toml` explains each
//! key.

use crate::config::campaign::names::{self, DIALECTS, KnownNames};
use crate::config::campaign::raw::RawList;
use crate::config::campaign::raw_sampling::RawSampling;
use crate::config::reading::reader::RawField;
use crate::config::reading::section::ConfigSection;
use crate::config::reading::source::Span;
use crate::config::reading::units::money;
use crate::config::reading::values::{
    ValueFault, ValueResult, choice, name_of, some_text, text, whole,
};
use synthd_actors::model::{Difficulty, ModelAbility, ModelAssignment, Money};
use toml::de::DeValue;

/// The values of `models.difficulty`.
const DIFFICULTIES: [(&str, Difficulty); 3] =
    [("easy", Difficulty::Easy), ("medium", Difficulty::Medium), ("hard", Difficulty::Hard)];

/// The values of `routing.assign`.
const ASSIGN: [(&str, ModelAssignment); 6] = [
    ("cross", ModelAssignment::Cross),
    ("round-robin", ModelAssignment::RoundRobin),
    ("weighted", ModelAssignment::Weighted),
    ("cheapest-capable", ModelAssignment::CheapestCapable),
    ("difficulty", ModelAssignment::Difficulty),
    ("least-latency", ModelAssignment::LeastLatency),
];

/// A provider that the file adds, or other settings for a known one.
pub(in crate::config) struct RawProvider {
    /// The position of its table.
    pub(in crate::config) place: Span,
    /// The part of the table's name after `providers.`.
    pub(in crate::config) name: String,
    /// The wire format and its variant, one of `names::DIALECTS`.
    pub(in crate::config) dialect: RawField<String>,
    /// The address, without the path of a single endpoint.
    pub(in crate::config) base_url: RawField<String>,
    /// Names of environment variables that hold keys, never the keys themselves.
    pub(in crate::config) key_env: RawField<Vec<String>>,
    /// Open calls at the same time with each key, over all models.
    pub(in crate::config) concurrency: RawField<usize>,
    /// The provider's tokens cost nothing.
    pub(in crate::config) free: RawField<bool>,
    /// The HTTP proxy for requests to this provider.
    pub(in crate::config) proxy: RawField<String>,
    /// Only for a replay: the data directory with the record, and the recorded campaign's name.
    pub(in crate::config) record: RawField<String>,
    pub(in crate::config) campaign: RawField<String>,
}

/// One entry of `[[models]]`.
pub(in crate::config) struct RawModel {
    /// `provider/model`.
    pub(in crate::config) name: RawField<String>,
    /// The share of the tasks, if tasks are assigned by weight.
    pub(in crate::config) weight: RawField<u32>,
    /// Calls at the same time with each key.
    pub(in crate::config) concurrency: RawField<usize>,
    pub(in crate::config) requests_per_minute: RawField<u32>,
    pub(in crate::config) tokens_per_minute: RawField<u64>,
    /// What the model can do. Without this key, the price table says it.
    pub(in crate::config) abilities: RawList<ModelAbility>,
    /// Which tasks the model gets, if tasks are assigned by difficulty.
    pub(in crate::config) difficulty: RawList<Difficulty>,
    /// The model gets no tasks of its own; it is only a fallback.
    pub(in crate::config) reserve: RawField<bool>,
    /// What the campaign may spend on this model.
    pub(in crate::config) budget: RawField<Money>,
    pub(in crate::config) fallback: RawFallback,
    /// Tokens that the model can read and write together.
    pub(in crate::config) context: RawField<u64>,
    pub(in crate::config) sampling: RawSampling,
    /// None where the key is absent.
    pub(in crate::config) price: Option<RawPrice>,
}

/// Names of models that are asked in place of this one, by the reason.
pub(in crate::config) struct RawFallback {
    /// The conversation is too long for this model.
    pub(in crate::config) context: RawList<String>,
    /// A filter or the model itself refuses to answer.
    pub(in crate::config) filter: RawList<String>,
    /// The model does not answer after several tries.
    pub(in crate::config) outage: RawList<String>,
    /// The model's own budget is spent. The key's name in the file is `spent`.
    pub(in crate::config) budget: RawList<String>,
}

/// `[routing]`: which models try which tasks.
pub(in crate::config) struct RawRouting {
    pub(in crate::config) assign: RawField<ModelAssignment>,
    /// What a model must be able to do to get any task.
    pub(in crate::config) needs: RawList<ModelAbility>,
}

/// A model's price, in dollars for a million tokens.
pub(in crate::config) struct RawPrice {
    pub(in crate::config) input: RawField<Money>,
    pub(in crate::config) output: RawField<Money>,
    pub(in crate::config) cached: RawField<Money>,
    pub(in crate::config) cache_write: RawField<Money>,
    pub(in crate::config) reasoning: RawField<Money>,
}

impl RawRouting {
    /// Reads `[routing]`.
    pub(in crate::config) fn read(mut section: ConfigSection<'_, '_>) -> Self {
        let raw = Self {
            assign: section.optional("assign", choice(&ASSIGN)),
            needs: section.list("needs", 1, choice(&abilities())),
        };
        section.finish();
        raw
    }
}

/// The names of all abilities.
fn abilities() -> [(&'static str, ModelAbility); 3] {
    ModelAbility::ALL.map(|ability| (ability.as_str(), ability))
}

impl RawModel {
    /// Reads one entry. `own` are the names of the providers that this file adds.
    pub(in crate::config) fn read(
        mut section: ConfigSection<'_, '_>,
        known_names: &KnownNames<'_>,
        own: &[String],
    ) -> Self {
        let raw = Self {
            name: section.required(
                "name",
                "\"scripted/oracle\"",
                text(|name| names::model(name, known_names, own)),
            ),
            weight: section.optional("weight", whole(1..=1_000_000)),
            concurrency: section.optional("concurrency", whole(1..=4096)),
            requests_per_minute: section.optional("requests_per_minute", whole(1..=1_000_000)),
            tokens_per_minute: section.optional("tokens_per_minute", whole(1..=1_000_000_000_000)),
            abilities: section.list("abilities", 0, choice(&abilities())),
            difficulty: section.list("difficulty", 1, choice(&DIFFICULTIES)),
            reserve: section.optional("reserve", truth),
            budget: section.optional("budget_usd", money),
            fallback: RawFallback::read(section.section("fallback")),
            context: section.optional("context", whole(1_024..=100_000_000)),
            sampling: RawSampling::read(&mut section),
            price: RawPrice::read(section.section("price")),
        };
        section.finish();
        raw
    }
}

impl RawProvider {
    /// Reads one table below `[providers]`.
    pub(in crate::config) fn read((name, mut section): (String, ConfigSection<'_, '_>)) -> Self {
        let raw = Self {
            place: section.place(),
            name,
            dialect: section.optional("dialect", text(name_of("dialect", &DIALECTS))),
            base_url: section.optional("base_url", text(names::base_url)),
            key_env: section.optional("key_env", one_or_many(names::variable)),
            concurrency: section.optional("concurrency", whole(1..=100_000)),
            free: section.optional("free", truth),
            proxy: section.optional("proxy", text(names::proxy)),
            record: section.optional("record", text(some_text)),
            campaign: section.optional("campaign", text(names::campaign)),
        };
        section.finish();
        raw
    }
}

/// Reads a text or a list of texts; each must pass `check`. Duplicates and an empty list are wrong.
fn one_or_many(
    check: fn(&str) -> ValueResult<()>,
) -> impl Fn(&DeValue<'_>) -> ValueResult<Vec<String>> {
    move |value| {
        let DeValue::Array(list) = value else { return Ok(vec![text(check)(value)?]) };
        let all: ValueResult<Vec<String>> =
            list.iter().map(|one| text(check)(one.get_ref())).collect();
        let all = all?;
        let twice = (1..all.len()).find(|at| all[..*at].contains(&all[*at]));
        match twice {
            Some(at) => Err(ValueFault::new(format!("{} is listed twice", all[at]))),
            None if all.is_empty() => Err(ValueFault::new("an empty list")),
            None => Ok(all),
        }
    }
}

impl RawFallback {
    fn read(mut section: ConfigSection<'_, '_>) -> Self {
        let mut names = |key| section.list(key, 1, text(some_text));
        let raw = Self {
            context: names("context"),
            filter: names("filter"),
            outage: names("outage"),
            budget: names("spent"),
        };
        section.finish();
        raw
    }

    /// Every name that is used as a fallback, with its position.
    pub(in crate::config) fn all(&self) -> impl Iterator<Item = &(String, Span)> {
        let lists = [&self.context, &self.filter, &self.outage, &self.budget];
        lists.into_iter().filter_map(RawField::given).flatten()
    }
}

/// Reads true or false.
pub(in crate::config) fn truth(value: &DeValue<'_>) -> ValueResult<bool> {
    match value {
        DeValue::Boolean(truth) => Ok(*truth),
        other => Err(ValueFault::expected("true or false", other)),
    }
}

impl RawPrice {
    /// Reads the price. None if the file does not give one; then the price table is asked.
    fn read(mut section: ConfigSection<'_, '_>) -> Option<Self> {
        let given = section.given();
        let (input, output) = (
            section.required("input", "\"0.15\"", money),
            section.required("output", "\"0.60\"", money),
        );
        let cached = section.optional("cached", money);
        let cache_write = section.optional("cache_write", money);
        let reasoning = section.optional("reasoning", money);
        section.finish();
        given.then_some(Self { input, output, cached, cache_write, reasoning })
    }
}
