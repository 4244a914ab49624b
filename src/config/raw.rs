//! The exact image of a campaign file: every key with its type, its range and its place,
//! and nothing said yet about how they fit together, which is `validate`'s.

use super::names::{self, DIALECTS, Offer};
use super::reader::Field;
use super::section::{Entry, Section};
use super::source::Span;
use super::units::{DAY, WEEK, bytes, duration, money, seconds};
use super::values::{Fault, Read, choice, name_of, some_text, text, thousandths, whole};
use std::time::Duration;
use synthd_actors::model::{
    Ability, AllowedHost, Assignment, Backend, Difficulty, Enforcement, Filter, Money, Pull, Shell,
    StageAction,
};
use toml::de::DeValue;

pub(super) type List<T> = Field<Vec<(T, Span)>>;

pub(super) struct RawCampaign {
    pub(super) name: Field<String>,
    pub(super) seed: Field<u64>,
    pub(super) concurrency: Field<usize>,
    pub(super) tasks: RawTasks,
    pub(super) providers: Vec<RawProvider>,
    pub(super) models: Vec<RawModel>,
    pub(super) routing: RawRouting,
    pub(super) scaffolds: List<String>,
    /// Names of the user's own, with the hosts that each allows.
    pub(super) networks: Vec<(String, Span, Vec<AllowedHost>)>,
    pub(super) sandbox: RawSandbox,
    pub(super) episode: RawEpisode,
    pub(super) budget: RawBudget,
    pub(super) quality: RawQuality,
    pub(super) dataset: RawDataset,
}

pub(super) struct RawTasks {
    pub(super) templates: List<String>,
    pub(super) exclude: List<String>,
    pub(super) per_template: Field<u32>,
}

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

pub(super) struct RawBudget {
    pub(super) usd: Field<Money>,
    pub(super) day: Field<Money>,
    pub(super) episode: Field<Money>,
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

pub(super) struct RawSandbox {
    pub(super) backend: Field<Backend>,
    pub(super) image: Field<String>,
    pub(super) images: Vec<Entry>,
    pub(super) runtime: Field<String>,
    pub(super) filter: Field<Filter>,
    pub(super) shell: Field<Shell>,
    pub(super) require: List<Enforcement>,
    pub(super) memory: Field<u64>,
    pub(super) processes: Field<u32>,
    pub(super) pull: Field<Pull>,
    pub(super) network: Field<String>,
    pub(super) disk: Field<u64>,
    pub(super) inodes: Field<u64>,
    pub(super) cpu: Field<u32>,
    pub(super) command_cpu: Field<Duration>,
    pub(super) command_timeout: Field<Duration>,
    pub(super) output_kept: Field<u64>,
    pub(super) output_killed: Field<u64>,
    pub(super) copy: Field<u64>,
}

pub(super) struct RawEpisode {
    pub(super) max_turns: Field<u32>,
    pub(super) timeout: Field<Duration>,
    pub(super) malformed_in_a_row: Field<u32>,
    pub(super) attempts: Field<u32>,
}

pub(super) struct RawQuality {
    pub(super) format: Field<StageAction>,
    pub(super) leak: Field<StageAction>,
    pub(super) tampering: Field<StageAction>,
    pub(super) loops: Field<StageAction>,
    pub(super) truncation: Field<StageAction>,
    pub(super) duplicates: Field<StageAction>,
    pub(super) unresolved: Field<StageAction>,
    pub(super) loop_length: Field<u32>,
}

pub(super) struct RawDataset {
    /// None where the key is absent.
    pub(super) splits: Option<RawSplits>,
    pub(super) licence: Field<String>,
}

pub(super) struct RawSplits {
    pub(super) place: Span,
    /// Train, validation and test.
    pub(super) shares: [Field<u32>; 3],
}

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

const ASSIGN: [(&str, Assignment); 6] = [
    ("cross", Assignment::Cross),
    ("round-robin", Assignment::RoundRobin),
    ("weighted", Assignment::Weighted),
    ("cheapest-capable", Assignment::CheapestCapable),
    ("difficulty", Assignment::Difficulty),
    ("least-latency", Assignment::LeastLatency),
];
const DIFFICULTIES: [(&str, Difficulty); 3] =
    [("easy", Difficulty::Easy), ("medium", Difficulty::Medium), ("hard", Difficulty::Hard)];
const BACKENDS: [(&str, Backend); 2] =
    [("namespace", Backend::Namespace), ("docker", Backend::Docker)];
const FILTERS: [(&str, Filter); 2] = [("strict", Filter::Strict), ("engine", Filter::Engine)];
const PULLS: [(&str, Pull); 3] =
    [("never", Pull::Never), ("missing", Pull::Missing), ("always", Pull::Always)];
const SHELLS: [(&str, Shell); 3] =
    [("auto", Shell::Auto), ("sh", Shell::Sh), ("bash", Shell::Bash)];
const STAGES: [(&str, StageAction); 3] =
    [("reject", StageAction::Reject), ("label", StageAction::Label), ("off", StageAction::Off)];

impl RawCampaign {
    pub(super) fn read(mut root: Section<'_, '_>, offer: &Offer<'_>) -> Self {
        let mut campaign = root.required_section("campaign");
        let providers: Vec<RawProvider> =
            root.named_sections("providers").into_iter().map(RawProvider::read).collect();
        let own: Vec<String> = providers.iter().map(|provider| provider.name.clone()).collect();
        let raw = Self {
            name: campaign.required("name", "\"my-campaign\"", text(names::campaign)),
            seed: campaign.optional("seed", whole(0..=i64::MAX.unsigned_abs())),
            concurrency: campaign.optional("concurrency", whole(1..=4096)),
            tasks: RawTasks::read(root.required_section("tasks")),
            models: root
                .sections("models")
                .into_iter()
                .map(|m| RawModel::read(m, offer, &own))
                .collect(),
            providers,
            routing: RawRouting::read(root.section("routing")),
            scaffolds: read_scaffolds(root.section("scaffolds"), offer),
            networks: root.text_lists("networks", allowed_host),
            sandbox: RawSandbox::read(root.section("sandbox")),
            episode: RawEpisode::read(root.section("episode")),
            budget: RawBudget::read(root.section("budget")),
            quality: RawQuality::read(root.section("quality")),
            dataset: RawDataset::read(root.section("dataset")),
        };
        campaign.finish();
        root.finish();
        raw
    }
}

fn allowed_host(value: &DeValue<'_>) -> Read<AllowedHost> {
    let DeValue::String(text) = value else {
        return Err(Fault::expected("a host's name", value));
    };
    text.parse().map_err(|error| {
        let hint = "such as \"pypi.org\", \"*.crates.io\" or \"mirror.example:8080\"";
        Fault::new(format!("{text:?}: {error}")).hint(hint)
    })
}

impl RawRouting {
    fn read(mut section: Section<'_, '_>) -> Self {
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

fn read_scaffolds(mut section: Section<'_, '_>, offer: &Offer<'_>) -> List<String> {
    let list = section.list("names", 1, text(name_of("scaffold", offer.scaffolds)));
    section.finish();
    list
}

impl RawBudget {
    pub(super) fn read(mut section: Section<'_, '_>) -> Self {
        let raw = Self {
            usd: section.optional("usd", money),
            day: section.optional("day_usd", money),
            episode: section.optional("episode_usd", money),
        };
        section.finish();
        raw
    }
}

impl RawTasks {
    fn read(mut section: Section<'_, '_>) -> Self {
        let raw = Self {
            templates: section.required_list("templates", "[\"**\"]", text(names::template_glob)),
            exclude: section.list("exclude", 0, text(names::template_glob)),
            per_template: section.optional("per_template", whole(1..=1_000_000)),
        };
        section.finish();
        raw
    }
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

impl RawSandbox {
    fn read(mut section: Section<'_, '_>) -> Self {
        let enforcements = Enforcement::ALL.map(|one| (one.as_str(), one));
        let raw = Self {
            backend: section.optional("backend", choice(&BACKENDS)),
            image: section.optional("image", text(some_text)),
            images: section.texts("images"),
            runtime: section.optional("runtime", text(some_text)),
            filter: section.optional("filter", choice(&FILTERS)),
            pull: section.optional("pull", choice(&PULLS)),
            network: section.optional("network", text(some_text)),
            shell: section.optional("shell", choice(&SHELLS)),
            require: section.list("require", 0, choice(&enforcements)),
            memory: section.optional("memory", bytes(16 * MIB..=16_384 * GIB)),
            processes: section.optional("processes", whole(8..=65_536)),
            disk: section.optional("disk", bytes(MIB..=16_384 * GIB)),
            inodes: section.optional("inodes", whole(64..=1_000_000_000)),
            cpu: section.optional("cpu", thousandths(0.05..=256.0)),
            command_cpu: section.optional("command_cpu", duration(seconds(1)..=DAY)),
            command_timeout: section.optional("command_timeout", duration(TENTH..=DAY)),
            output_kept: section.optional("output_kept", bytes(1 << 10..=16 * MIB)),
            output_killed: section.optional("output_killed", bytes(1 << 10..=1_024 * GIB)),
            copy: section.optional("copy", bytes(MIB..=64 * GIB)),
        };
        section.finish();
        raw
    }
}

/// No shell starts sooner on a busy host.
const TENTH: Duration = Duration::from_millis(100);

impl RawEpisode {
    fn read(mut section: Section<'_, '_>) -> Self {
        let raw = Self {
            max_turns: section.optional("max_turns", whole(1..=10_000)),
            timeout: section.optional("timeout", duration(seconds(1)..=WEEK)),
            malformed_in_a_row: section.optional("malformed_in_a_row", whole(1..=1_000)),
            attempts: section.optional("attempts", whole(1..=100)),
        };
        section.finish();
        raw
    }
}

impl RawQuality {
    fn read(mut section: Section<'_, '_>) -> Self {
        let stage = choice(&STAGES);
        let raw = Self {
            format: section.optional("format", &stage),
            leak: section.optional("leak", &stage),
            tampering: section.optional("tampering", &stage),
            loops: section.optional("loops", &stage),
            truncation: section.optional("truncation", &stage),
            duplicates: section.optional("duplicates", &stage),
            unresolved: section.optional("unresolved", &stage),
            loop_length: section.optional("loop_length", whole(2..=1_000)),
        };
        section.finish();
        raw
    }
}

impl RawDataset {
    fn read(mut section: Section<'_, '_>) -> Self {
        let splits = RawSplits::read(section.section("splits"));
        let licence = section.alias("licence", "license");
        let licence = section.optional(licence, text(names::licence));
        section.finish();
        Self { splits, licence }
    }
}

impl RawSplits {
    fn read(mut section: Section<'_, '_>) -> Option<Self> {
        let (given, place) = (section.given(), section.place());
        let mut share = |key| section.optional(key, whole(0..=100));
        let shares = [share("train"), share("validation"), share("test")];
        section.finish();
        given.then_some(Self { place, shares })
    }
}
