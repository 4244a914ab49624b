//! From the image of a campaign file to the campaign: defaults filled in, and the values
//! held against each other. Where a value was bad already, no rule that needs it speaks.

use super::names::KnownNames;
use super::prompts::RawPrompts;
use super::providers;
use super::raw::{RawBudget, RawSplits, RawTasks};
use super::raw::{RawCampaign, RawDataset, RawEpisode, RawList, RawQuality, RawSandbox};
use super::raw_agents::RawAgent;
use super::raw_models::{RawModel, RawProvider};
use super::reader::{ConfigReader, RawField};
use super::routing;
use super::sampling::{self, SamplingTarget};
use super::source::Span;
use super::units::show_bytes;
use super::values::ValueFault;
use crate::word_suggestion;
use std::collections::BTreeMap;
use std::thread::available_parallelism;
use synthd_actors::model::{
    AllowedHost, BackendKind, CampaignConfig, CampaignName, DatasetConfig, EpisodeLimits,
    ImagePullPolicy, MOST_SEED, ModelAssignment, ModelConfig, ModelPrice, Money, NetworkPolicy,
    QualityPolicy, SamplePolicy, SandboxLimits, SandboxSpec, SeccompProfile, ShellChoice,
    TaskSelection, TokenRates,
};
use synthd_actors::scaffold;

/// Fixed, so that a campaign that names no seed can still be repeated.
pub(super) const SEED: u64 = 20_260_101;
pub(super) const MODEL_CONCURRENCY: usize = 64;
pub(super) const IMAGE: &str = synthd_actors::model::BASE_IMAGE;

/// The campaign, to be believed only if `reader` holds no problem afterwards.
pub(super) fn campaign(
    raw: RawCampaign,
    offer: &KnownNames<'_>,
    reader: &ConfigReader,
) -> CampaignConfig {
    check(&raw, offer, reader);
    // Each sample of a task is drawn from a seed of its own, where the model's family takes one.
    let seed = raw.seed.given().copied().unwrap_or(SEED) & MOST_SEED;
    let several = raw.tasks.samples.given().is_some_and(|samples| *samples > 1);
    let seeded = |model: ModelConfig| {
        let dialect = model.endpoint.as_ref().map(|endpoint| endpoint.dialect.as_str());
        let takes = model.recorded.is_some() || sampling::takes_seed(dialect);
        ModelConfig { sample_seed: (several && takes).then_some(seed), ..model }
    };
    CampaignConfig {
        name: CampaignName(raw.name.or(String::new())),
        seed: raw.seed.or(SEED),
        tasks: tasks(raw.tasks),
        models: raw
            .models
            .into_iter()
            .map(|one| seeded(model(one, &raw.providers, offer)))
            .collect(),
        assign: raw.routing.assign.or(ModelAssignment::default()),
        needs: entries(raw.routing.needs, Vec::new).into_iter().collect(),
        scaffolds: entries(raw.scaffolds, || vec![scaffold::NAMES[0].to_owned()]),
        agents: raw.agents.into_iter().map(RawAgent::program).collect(),
        prompts: raw.prompts.into_iter().map(RawPrompts::prompts).collect(),
        backend: raw.sandbox.backend.clone().or(BackendKind::default()).as_str().to_owned(),
        digests: BTreeMap::new(),
        price_table: offer.prices.map(|table| table.digest.clone()),
        pull: raw.sandbox.pull.clone().or(ImagePullPolicy::default()),
        images: raw.sandbox.images.iter().map(|e| (e.name.clone(), e.text.clone())).collect(),
        sandbox: sandbox(raw.sandbox, raw.networks),
        episode: episode(raw.episode),
        concurrency: raw.concurrency.or(default_concurrency()),
        budget: raw.budget.usd.into_option(),
        day_budget: raw.budget.day.into_option(),
        episode_budget: raw.budget.episode.into_option(),
        quality: quality(raw.quality),
        dataset: dataset(raw.dataset),
    }
}

/// Episodes wait for models and commands most of the time, hence two per core.
pub(super) fn default_concurrency() -> usize {
    let cores = available_parallelism().map_or(1, std::num::NonZero::get);
    (2 * cores).clamp(1, 4096)
}

fn check(raw: &RawCampaign, offer: &KnownNames<'_>, reader: &ConfigReader) {
    check_model_names(&raw.models, reader);
    check_weights(raw, reader);
    routing::check(&raw.models, Some(&raw.routing), offer, reader);
    check_budgets(&raw.budget, &raw.models, reader);
    providers::check(&raw.providers, &raw.models, offer, reader);
    check_sampling(raw, offer, reader);
    check_exclude(&raw.tasks, reader);
    check_samples(&raw.tasks, reader);
    check_output(&raw.sandbox, reader);
    check_image(&raw.sandbox, reader);
    check_images(&raw.sandbox, reader);
    check_runtime(&raw.sandbox, reader);
    check_network(raw, reader);
    raw.agents.iter().for_each(|agent| agent.check(reader));
    raw.prompts.iter().for_each(|prompts| prompts.check(offer.scaffolds, reader));
    check_copy(&raw.sandbox, reader);
    if let Some(splits) = &raw.dataset.splits {
        check_splits(splits, reader);
    }
}

/// A model twice would try each task twice under one episode id.
pub(super) fn check_model_names(models: &[RawModel], reader: &ConfigReader) {
    let mut seen = BTreeMap::new();
    for model in models {
        let (Some(name), Some(span)) = (model.name.given(), model.name.span()) else { continue };
        if seen.insert(name, span).is_some() {
            let fault = ValueFault::new(format!("model \"{name}\" is listed twice"));
            reader.value(span, fault.hint("use `weight` to make a model more frequent"));
        }
    }
}

fn check_weights(raw: &RawCampaign, reader: &ConfigReader) {
    let (Some(ModelAssignment::Weighted), Some(assign)) =
        (raw.routing.assign.given(), raw.routing.assign.span())
    else {
        return;
    };
    let lacks = |m: &&RawModel| m.weight.is_absent() && m.reserve.given() != Some(&true);
    let lacking: Vec<&RawModel> = raw.models.iter().filter(lacks).collect();
    let hint = "add for example `weight = 3`";
    if lacking.len() == raw.models.len() && !lacking.is_empty() {
        let fault = ValueFault::new("\"weighted\" needs weights, but no model has one");
        reader.value(assign, fault.hint("add for example `weight = 3` to every model"));
        return;
    }
    for span in lacking.into_iter().filter_map(|model| model.name.span()) {
        reader.value(
            span,
            ValueFault::new("\"weighted\" needs a `weight` on every model").hint(hint),
        );
    }
}

/// Each of them, and those of models.
pub(super) fn check_budgets(budget: &RawBudget, models: &[RawModel], reader: &ConfigReader) {
    let all = [&budget.usd, &budget.day, &budget.episode];
    let all = all.into_iter().chain(models.iter().map(|model| &model.budget));
    all.for_each(|budget| check_budget(budget, reader));
}

fn check_budget(budget: &RawField<Money>, reader: &ConfigReader) {
    let (Some(budget), Some(span)) = (budget.given(), budget.span()) else { return };
    if budget.is_zero() {
        let fault = ValueFault::new("a budget of zero stops the campaign before its first call");
        reader.value(span, fault.hint("leave `[budget]` out to have no limit"));
    }
}

/// Programs of the user's own say themselves how they ask.
fn check_sampling(raw: &RawCampaign, offer: &KnownNames<'_>, reader: &ConfigReader) {
    let scaffolds = raw.scaffolds.given().into_iter().flatten();
    let mut all = scaffolds.map(|(name, _)| scaffold::ExternalScaffold::is(name)).peekable();
    let programs = all.peek().is_some() && all.all(|is| is);
    for model in &raw.models {
        if programs {
            let hint = "leave it out: the programs of `[agents]` set it in their own requests";
            sampling::refuse(model, hint, reader);
            continue;
        }
        let name = model.name.clone().or(String::new());
        let endpoint = providers::endpoint(&name, &raw.providers, offer);
        let asks = SamplingTarget {
            dialect: endpoint.as_ref().map(|endpoint| endpoint.dialect.as_str()),
            priced: !price(model, &name, &raw.providers, offer).is_free(),
            replays: providers::recorded(&name, &raw.providers).is_some(),
        };
        sampling::check(model, &asks, reader);
    }
}

/// What ends the samples of a task early needs more than one of them.
fn check_samples(tasks: &RawTasks, reader: &ConfigReader) {
    if matches!(tasks.samples, RawField::Bad) {
        return;
    }
    let most = tasks.samples.given().copied().unwrap_or(1);
    let early = [
        ("stop_after_solved", tasks.stop_after_solved.span()),
        ("pass_rate_width", tasks.pass_rate_width.span()),
    ];
    for (key, span) in early.into_iter().filter(|_| most == 1) {
        let Some(span) = span else { continue };
        let fault =
            ValueFault::new(format!("`{key}` needs several samples, but each task has one"));
        reader.value(span, fault.hint("add for example `samples = 8`"));
    }
    let solved = (tasks.stop_after_solved.given(), tasks.stop_after_solved.span());
    if let (Some(solved), Some(span)) = solved
        && most > 1
        && *solved > most
    {
        let fault = ValueFault::new(format!(
            "{solved} samples cannot solve a task that has {most} \
                                        samples"
        ));
        reader.value(span, fault.hint(format!("anything from 1 to {most}")));
    }
}

fn check_exclude(tasks: &RawTasks, reader: &ConfigReader) {
    let (Some(templates), Some(exclude)) = (tasks.templates.given(), tasks.exclude.given()) else {
        return;
    };
    let everything = |glob: &str| glob == "**";
    for (glob, span) in exclude {
        if everything(glob) || templates.iter().any(|(included, _)| included == glob) {
            let fault = ValueFault::new(format!("\"{glob}\" is in `templates` and in `exclude`"));
            reader.value(span, fault.hint("remove it from one of the two lists"));
        }
    }
}

/// Output that is killed before it is kept would never fill what is kept.
fn check_output(sandbox: &RawSandbox, reader: &ConfigReader) {
    let default = SandboxLimits::default();
    let kept = sandbox.output_kept.clone().or(u64::from(default.output_kept));
    let killed = sandbox.output_killed.clone().or(default.output_killed);
    let bad = matches!(sandbox.output_kept, RawField::Bad)
        || matches!(sandbox.output_killed, RawField::Bad);
    let span = sandbox.output_killed.span().or(sandbox.output_kept.span());
    if let (false, true, Some(span)) = (bad, killed < kept, span) {
        let (kept, killed) = (show_bytes(kept), show_bytes(killed));
        let what = format!("`output_killed` ({killed}) is less than `output_kept` ({kept})");
        reader.value(
            span,
            ValueFault::new(what).hint("lower `output_kept`, or raise `output_killed`"),
        );
    }
}

/// What a backend can show: the namespace one the host's programs or a directory, a
/// container engine its images.
fn check_image(sandbox: &RawSandbox, reader: &ConfigReader) {
    let (Some(span), Some(image)) = (sandbox.image.span(), sandbox.image.given()) else {
        if let (Some(BackendKind::Docker), Some(span)) =
            (sandbox.backend.given(), sandbox.backend.span())
        {
            let fault = ValueFault::new("a container needs an `image`");
            reader.value(
                span,
                fault.hint(
                    "name an image of the engine: `synthd image list` \
                                           shows them",
                ),
            );
        }
        return;
    };
    let backend = sandbox.backend.clone().or(BackendKind::default());
    if backend == BackendKind::Namespace && image != IMAGE && !image.starts_with('/') {
        let hint = "write \"base\" for the host's programs, or the absolute path of a directory; \
                    images need backend = \"docker\"";
        reader.value(span, ValueFault::new(format!("there is no image {image:?}")).hint(hint));
    }
}

/// The same for the images of templates that want another one.
fn check_images(sandbox: &RawSandbox, reader: &ConfigReader) {
    let backend = sandbox.backend.clone().or(BackendKind::default());
    for entry in &sandbox.images {
        if entry.name == IMAGE {
            let fault = ValueFault::new(format!("`{IMAGE}` is the image of the key `image`"));
            reader.value(&entry.span, fault.hint("set `sandbox.image` instead"));
        } else if backend == BackendKind::Namespace && !entry.text.starts_with('/') {
            let fault = ValueFault::new(format!("there is no image {:?}", entry.text));
            let hint = "write the absolute path of a directory; images need backend = \"docker\"";
            reader.value(&entry.span, fault.hint(hint));
        }
    }
}

fn check_runtime(sandbox: &RawSandbox, reader: &ConfigReader) {
    let backend = sandbox.backend.clone().or(BackendKind::default());
    let given = [
        ("runtime", sandbox.runtime.span()),
        ("filter", sandbox.filter.span()),
        ("pull", sandbox.pull.span()),
    ];
    for (key, span) in given {
        if let (BackendKind::Namespace, Some(span)) = (backend, span) {
            let fault = ValueFault::new(format!("`{key}` needs a container engine"));
            reader.value(span, fault.hint("leave it out, or set backend = \"docker\""));
        }
    }
}

/// A sandbox names one of the file's own networks.
fn check_network(raw: &RawCampaign, reader: &ConfigReader) {
    let (Some(name), Some(span)) = (raw.sandbox.network.given(), raw.sandbox.network.span()) else {
        return;
    };
    let names: Vec<&str> = raw.networks.iter().map(|(name, ..)| name.as_str()).collect();
    if names.contains(&name.as_str()) {
        return;
    }
    let hint = match word_suggestion::closest(name, names) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("add a section `[networks]` with `{name} = [\"pypi.org\"]`"),
    };
    reader.value(span, ValueFault::new(format!("there is no network {name:?}")).hint(hint));
}

/// A copy is laid into a workspace of the same size.
fn check_copy(sandbox: &RawSandbox, reader: &ConfigReader) {
    let default = SandboxLimits::default();
    let copy = sandbox.copy.clone().or(default.copy_bytes);
    let disk = sandbox.disk.clone().or(default.disk_bytes);
    let bad = matches!(sandbox.copy, RawField::Bad) || matches!(sandbox.disk, RawField::Bad);
    let given = sandbox.copy.span();
    if let (false, true, Some(span)) = (bad, copy > disk, given) {
        let (copy, disk) = (show_bytes(copy), show_bytes(disk));
        let fault = ValueFault::new(format!("`copy` ({copy}) is more than `disk` ({disk})"));
        reader.value(span, fault.hint("a copy must fit into a workspace"));
    }
}

fn check_splits(splits: &RawSplits, reader: &ConfigReader) {
    if splits.shares.iter().any(|share| matches!(share, RawField::Bad)) {
        return;
    }
    let sum: u32 = shares(splits).iter().sum();
    if sum != 100 {
        let fault = ValueFault::new(format!("`dataset.splits` sum to {sum}, not 100"));
        reader.value(
            &splits.place,
            fault.hint(
                "shares are in percent; a missing split counts as \
                                                0",
            ),
        );
    }
}

fn shares(splits: &RawSplits) -> [u32; 3] {
    splits.shares.each_ref().map(|share| share.given().copied().unwrap_or(0))
}

/// The values of a list, or the default where it is absent.
pub(super) fn entries<T>(list: RawList<T>, default: impl FnOnce() -> Vec<T>) -> Vec<T> {
    match list.into_option() {
        Some(list) => list.into_iter().map(|(entry, _): (T, Span)| entry).collect(),
        None => default(),
    }
}

fn tasks(raw: RawTasks) -> TaskSelection {
    TaskSelection {
        templates: entries(raw.templates, Vec::new),
        exclude: entries(raw.exclude, Vec::new),
        template_dirs: entries(raw.template_dirs, Vec::new).into_iter().map(Into::into).collect(),
        per_template: raw.per_template.or(1),
        samples: SamplePolicy {
            most: raw.samples.or(1),
            stop_after_solved: raw.stop_after_solved.into_option(),
            pass_rate_width: raw.pass_rate_width.into_option(),
        },
    }
}

/// What it says, or else what the table says.
fn price(
    raw: &RawModel,
    name: &str,
    providers: &[RawProvider],
    offer: &KnownNames<'_>,
) -> ModelPrice {
    let own = raw.price.as_ref().and_then(|price| {
        let of = |field: &RawField<Money>| field.given().copied();
        let (input, output) = (of(&price.input)?, of(&price.output)?);
        let rates = TokenRates {
            input_per_million: input,
            output_per_million: output,
            cached_per_million: of(&price.cached),
            cache_write_per_million: of(&price.cache_write),
            reasoning_per_million: of(&price.reasoning),
        };
        Some(ModelPrice { rates, tiers: Vec::new() })
    });
    let listed = || Some(providers::listed(name, providers, offer)?.price.clone());
    own.or_else(listed).unwrap_or_default()
}

pub(super) fn model(
    raw: RawModel,
    providers: &[RawProvider],
    offer: &KnownNames<'_>,
) -> ModelConfig {
    let name = raw.name.clone().or(String::new());
    let listed = providers::listed(&name, providers, offer);
    let standing = routing::standing(&raw, listed);
    let context = raw.context.given().copied().or_else(|| listed?.context);
    ModelConfig {
        standing,
        endpoint: providers::endpoint(&name, providers, offer),
        price: price(&raw, &name, providers, offer),
        sampling: raw.sampling.sampling(),
        sample_seed: None,
        context,
        recorded: providers::recorded(&name, providers),
        name,
        weight: raw.weight.or(1),
        concurrency: raw.concurrency.or(MODEL_CONCURRENCY),
        requests_per_minute: raw.requests_per_minute.into_option(),
    }
}

type RawNetworks = Vec<(String, Span, Vec<AllowedHost>)>;

fn sandbox(raw: RawSandbox, networks: RawNetworks) -> SandboxSpec {
    let wanted = raw.network.into_option();
    let network = networks.into_iter().find(|(name, ..)| Some(name) == wanted.as_ref());
    let default = SandboxLimits::default();
    // The range of the key fits the type.
    let kept = raw.output_kept.into_option().and_then(|kept| u32::try_from(kept).ok());
    let disk = raw.disk.clone().or(default.disk_bytes);
    SandboxSpec {
        backend: raw.backend.or(BackendKind::default()),
        runtime: raw.runtime.into_option(),
        filter: raw.filter.or(SeccompProfile::default()),
        image: raw.image.or(IMAGE.to_owned()),
        digest: None,
        shell: raw.shell.or(ShellChoice::default()),
        limits: SandboxLimits {
            memory_bytes: raw.memory.or(default.memory_bytes),
            processes: raw.processes.or(default.processes),
            disk_bytes: disk,
            inodes: raw.inodes.or(default.inodes),
            cpu_millis: raw.cpu.or(default.cpu_millis),
            command_cpu: raw.command_cpu.or(default.command_cpu),
            command_timeout: raw.command_timeout.or(default.command_timeout),
            output_kept: kept.unwrap_or(default.output_kept),
            output_killed: raw.output_killed.or(default.output_killed),
            // By default no more than the disk it came from.
            copy_bytes: raw.copy.or(default.copy_bytes.min(disk)),
        },
        network: network.map(|(name, _, allow)| NetworkPolicy { name, allow }),
        require: entries(raw.require, Vec::new).into_iter().collect(),
    }
}

fn episode(raw: RawEpisode) -> EpisodeLimits {
    let default = EpisodeLimits::default();
    EpisodeLimits {
        max_turns: raw.max_turns.or(default.max_turns),
        timeout: raw.timeout.or(default.timeout),
        malformed_in_a_row: raw.malformed_in_a_row.or(default.malformed_in_a_row),
        attempts: raw.attempts.or(default.attempts),
    }
}

fn quality(raw: RawQuality) -> QualityPolicy {
    let default = QualityPolicy::default();
    QualityPolicy {
        format: raw.format.or(default.format),
        leak: raw.leak.or(default.leak),
        tampering: raw.tampering.or(default.tampering),
        loops: raw.loops.or(default.loops),
        truncation: raw.truncation.or(default.truncation),
        duplicates: raw.duplicates.or(default.duplicates),
        unresolved: raw.unresolved.or(default.unresolved),
        loop_length: raw.loop_length.or(default.loop_length),
    }
}

fn dataset(raw: RawDataset) -> DatasetConfig {
    let default = DatasetConfig::default();
    DatasetConfig {
        splits: raw.splits.as_ref().map_or(default.splits, shares),
        licence: raw.licence.or(default.licence),
    }
}
