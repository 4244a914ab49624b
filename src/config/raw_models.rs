//! The part of a file that says which models there are, where they are asked, and which of them
//! has what: key by key, as it stands there.

use super::names::{self, DIALECTS, Offer};
use super::raw::List;
use super::raw_sampling::RawSampling;
use super::reader::Field;
use super::section::Section;
use super::source::Span;
use super::units::money;
use super::values::{Fault, Read, choice, name_of, some_text, text, whole};
use synthd_actors::model::{Ability, Assignment, Difficulty, Money};
use toml::de::DeValue;

const DIFFICULTIES: [(&str, Difficulty); 3] =
    [("easy", Difficulty::Easy), ("medium", Difficulty::Medium), ("hard", Difficulty::Hard)];

const ASSIGN: [(&str, Assignment); 6] = [
    ("cross", Assignment::Cross),
    ("round-robin", Assignment::RoundRobin),
    ("weighted", Assignment::Weighted),
    ("cheapest-capable", Assignment::CheapestCapable),
    ("difficulty", Assignment::Difficulty),
    ("least-latency", Assignment::LeastLatency),
];

pub(super) struct RawProvider {
    pub(super) place: Span,
    /// The user's own, or a known one whose settings differ.
    pub(super) name: String,
    pub(super) dialect: Field<String>,
    pub(super) base_url: Field<String>,
    /// One, or several keys.
    pub(super) key_env: Field<Vec<String>>,
    pub(super) concurrency: Field<usize>,
    pub(super) free: Field<bool>,
    pub(super) proxy: Field<String>,
    /// Of a replay: where its calls were recorded, and by whom.
    pub(super) record: Field<String>,
    pub(super) campaign: Field<String>,
}

pub(super) struct RawModel {
    pub(super) name: Field<String>,
    pub(super) weight: Field<u32>,
    pub(super) concurrency: Field<usize>,
    pub(super) requests_per_minute: Field<u32>,
    pub(super) tokens_per_minute: Field<u64>,
    pub(super) abilities: List<Ability>,
    pub(super) difficulty: List<Difficulty>,
    pub(super) reserve: Field<bool>,
    pub(super) budget: Field<Money>,
    pub(super) fallback: RawFallback,
    pub(super) context: Field<u64>,
    pub(super) sampling: RawSampling,
    /// None where the key is absent.
    pub(super) price: Option<RawPrice>,
}

/// Names of other models.
pub(super) struct RawFallback {
    pub(super) context: List<String>,
    pub(super) filter: List<String>,
    pub(super) outage: List<String>,
    pub(super) budget: List<String>,
}

pub(super) struct RawRouting {
    pub(super) assign: Field<Assignment>,
    pub(super) needs: List<Ability>,
}

pub(super) struct RawPrice {
    pub(super) input: Field<Money>,
    pub(super) output: Field<Money>,
    pub(super) cached: Field<Money>,
    pub(super) cache_write: Field<Money>,
    pub(super) reasoning: Field<Money>,
}

impl RawRouting {
    pub(super) fn read(mut section: Section<'_, '_>) -> Self {
        let raw = Self {
            assign: section.optional("assign", choice(&ASSIGN)),
            needs: section.list("needs", 1, choice(&abilities())),
        };
        section.finish();
        raw
    }
}

fn abilities() -> [(&'static str, Ability); 3] {
    Ability::ALL.map(|ability| (ability.as_str(), ability))
}

impl RawModel {
    pub(super) fn read(mut section: Section<'_, '_>, offer: &Offer<'_>, own: &[String]) -> Self {
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
    pub(super) fn read((name, mut section): (String, Section<'_, '_>)) -> Self {
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
fn one_or_many(check: fn(&str) -> Read<()>) -> impl Fn(&DeValue<'_>) -> Read<Vec<String>> {
    move |value| {
        let DeValue::Array(list) = value else { return Ok(vec![text(check)(value)?]) };
        let all: Read<Vec<String>> = list.iter().map(|one| text(check)(one.get_ref())).collect();
        let all = all?;
        let twice = (1..all.len()).find(|at| all[..*at].contains(&all[*at]));
        match twice {
            Some(at) => Err(Fault::new(format!("{} is listed twice", all[at]))),
            None if all.is_empty() => Err(Fault::new("an empty list")),
            None => Ok(all),
        }
    }
}

impl RawFallback {
    fn read(mut section: Section<'_, '_>) -> Self {
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
        lists.into_iter().filter_map(Field::given).flatten()
    }
}

fn truth(value: &DeValue<'_>) -> Read<bool> {
    match value {
        DeValue::Boolean(truth) => Ok(*truth),
        other => Err(Fault::expected("true or false", other)),
    }
}

impl RawPrice {
    fn read(mut section: Section<'_, '_>) -> Option<Self> {
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
