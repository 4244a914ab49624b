//! The part of a file that says which models there are, where they are asked, and which of them
//! has what: key by key, as it stands there.

use super::names::{self, DIALECTS, KnownNames};
use super::raw::RawList;
use super::raw_sampling::RawSampling;
use super::reader::RawField;
use super::section::ConfigSection;
use super::source::Span;
use super::units::money;
use super::values::{ValueFault, ValueResult, choice, name_of, some_text, text, whole};
use synthd_actors::model::{Difficulty, ModelAbility, ModelAssignment, Money};
use toml::de::DeValue;

const DIFFICULTIES: [(&str, Difficulty); 3] =
    [("easy", Difficulty::Easy), ("medium", Difficulty::Medium), ("hard", Difficulty::Hard)];

const ASSIGN: [(&str, ModelAssignment); 6] = [
    ("cross", ModelAssignment::Cross),
    ("round-robin", ModelAssignment::RoundRobin),
    ("weighted", ModelAssignment::Weighted),
    ("cheapest-capable", ModelAssignment::CheapestCapable),
    ("difficulty", ModelAssignment::Difficulty),
    ("least-latency", ModelAssignment::LeastLatency),
];

pub(super) struct RawProvider {
    pub(super) place: Span,
    /// The user's own, or a known one whose settings differ.
    pub(super) name: String,
    pub(super) dialect: RawField<String>,
    pub(super) base_url: RawField<String>,
    /// One, or several keys.
    pub(super) key_env: RawField<Vec<String>>,
    pub(super) concurrency: RawField<usize>,
    pub(super) free: RawField<bool>,
    pub(super) proxy: RawField<String>,
    /// Of a replay: where its calls were recorded, and by whom.
    pub(super) record: RawField<String>,
    pub(super) campaign: RawField<String>,
}

pub(super) struct RawModel {
    pub(super) name: RawField<String>,
    pub(super) weight: RawField<u32>,
    pub(super) concurrency: RawField<usize>,
    pub(super) requests_per_minute: RawField<u32>,
    pub(super) tokens_per_minute: RawField<u64>,
    pub(super) abilities: RawList<ModelAbility>,
    pub(super) difficulty: RawList<Difficulty>,
    pub(super) reserve: RawField<bool>,
    pub(super) budget: RawField<Money>,
    pub(super) fallback: RawFallback,
    pub(super) context: RawField<u64>,
    pub(super) sampling: RawSampling,
    /// None where the key is absent.
    pub(super) price: Option<RawPrice>,
}

/// Names of other models.
pub(super) struct RawFallback {
    pub(super) context: RawList<String>,
    pub(super) filter: RawList<String>,
    pub(super) outage: RawList<String>,
    pub(super) budget: RawList<String>,
}

pub(super) struct RawRouting {
    pub(super) assign: RawField<ModelAssignment>,
    pub(super) needs: RawList<ModelAbility>,
}

pub(super) struct RawPrice {
    pub(super) input: RawField<Money>,
    pub(super) output: RawField<Money>,
    pub(super) cached: RawField<Money>,
    pub(super) cache_write: RawField<Money>,
    pub(super) reasoning: RawField<Money>,
}

impl RawRouting {
    pub(super) fn read(mut section: ConfigSection<'_, '_>) -> Self {
        let raw = Self {
            assign: section.optional("assign", choice(&ASSIGN)),
            needs: section.list("needs", 1, choice(&abilities())),
        };
        section.finish();
        raw
    }
}

fn abilities() -> [(&'static str, ModelAbility); 3] {
    ModelAbility::ALL.map(|ability| (ability.as_str(), ability))
}

impl RawModel {
    pub(super) fn read(
        mut section: ConfigSection<'_, '_>,
        offer: &KnownNames<'_>,
        own: &[String],
    ) -> Self {
        let raw = Self {
            name: section.required(
                "name",
                "\"scripted/oracle\"",
                text(|name| names::model(name, offer, own)),
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
    pub(super) fn read((name, mut section): (String, ConfigSection<'_, '_>)) -> Self {
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

/// A text, or a list of some.
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

    pub(super) fn all(&self) -> impl Iterator<Item = &(String, Span)> {
        let lists = [&self.context, &self.filter, &self.outage, &self.budget];
        lists.into_iter().filter_map(RawField::given).flatten()
    }
}

fn truth(value: &DeValue<'_>) -> ValueResult<bool> {
    match value {
        DeValue::Boolean(truth) => Ok(*truth),
        other => Err(ValueFault::expected("true or false", other)),
    }
}

impl RawPrice {
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
