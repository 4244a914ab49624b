//! Turns the raw form of a campaign file into the campaign: checks how the values fit together, and
//! fills in the defaults.
//!
//! Each `check_…` function reports problems to the reader and returns nothing. If a value was
//! already reported as wrong, no rule that needs this value reports anything. The campaign is built
//! in any case, and the caller (`config::parse`) throws it away if there was a problem.

use crate::config::campaign::kinds;
use crate::config::campaign::names::KnownNames;
use crate::config::campaign::prompts::RawPrompts;
use crate::config::campaign::providers;
use crate::config::campaign::raw::{RawBudget, RawSplits, RawTasks};
use crate::config::campaign::raw::{
    RawCampaign, RawDataset, RawEpisode, RawList, RawQuality, RawSandbox,
};
use crate::config::campaign::raw_agents::RawAgent;
use crate::config::campaign::raw_completions::RawCompletions;
use crate::config::campaign::raw_models::{RawModel, RawProvider};
use crate::config::campaign::routing;
use crate::config::campaign::sampling::{self, SamplingTarget};
use crate::config::reading::reader::{ConfigReader, RawField};
use crate::config::reading::source::Span;
use crate::config::reading::units::show_bytes;
use crate::config::reading::values::ValueFault;
use crate::word_suggestion;
use std::collections::BTreeMap;
use std::thread::available_parallelism;
use synthd_actors::agent;
use synthd_actors::model::{
    AllowedHost, BackendKind, CampaignConfig, CampaignName, ContainerSource, DRAW_AHEAD,
    DatasetConfig, DrawRule, EpisodeLimits, ImagePullPolicy, MOST_SEED, ModelAssignment,
    ModelConfig, ModelPrice, Money, NetworkPolicy, QualityPolicy, SamplePolicy, SandboxLimits,
    SandboxSpec, SeccompProfile, ShellChoice, TaskDraw, TaskSelection, TokenRates, WorkName,
};

/// The seed of a campaign that sets none. It is fixed, so that such a campaign can be repeated.
pub(in crate::config) const SEED: u64 = 20_260_101;
/// Calls at the same time to a model with each key, if the file does not say it.
pub(in crate::config) const MODEL_CONCURRENCY: usize = 64;
pub(in crate::config) const IMAGE: &str = synthd_actors::model::BASE_IMAGE;

/// The campaign. It may only be used if `reader` holds no problem afterwards.
pub(in crate::config) fn campaign(
    raw: RawCampaign,
    known_names: &KnownNames<'_>,
    reader: &ConfigReader,
) -> CampaignConfig {
    check(&raw, known_names, reader);
    // Several samples of one task must differ. So each sample gets a seed of its own, if the
    // model's format accepts a seed. Seeds have 31 bits at most.
    let seed = raw.seed.given().copied().unwrap_or(SEED) & MOST_SEED;
    let kind = raw.kind();
    let (tasks, limits) = match kind {
        WorkName::Trajectories => (tasks(raw.tasks), episode(raw.episode)),
        WorkName::Completions => (answers(&raw.completions), raw.completions.limits()),
    };
    let several = tasks.samples.most > 1;
    let concurrency = match kind {
        // How far such a draw looks ahead must not depend on the host.
        WorkName::Trajectories if tasks.draw.rule == DrawRule::Informative => {
            default_concurrency().min(DRAW_AHEAD)
        }
        WorkName::Trajectories => default_concurrency(),
        WorkName::Completions => calls_at_once(&raw.models),
    };
    let seeded = |model: ModelConfig| {
        let dialect = model.endpoint.as_ref().map(|endpoint| endpoint.dialect.as_str());
        // A replayed model may have any format. The seed was part of the recorded request, so it is
        // sent.
        let takes = model.recorded.is_some() || sampling::takes_seed(dialect);
        ModelConfig { sample_seed: (several && takes).then_some(seed), ..model }
    };
    CampaignConfig {
        name: CampaignName(raw.name.or(String::new())),
        kind,
        episode: limits,
        completions: raw.completions.settings(),
        // The plan's seed has all of its bits; only the seeds that are sent to providers are cut to
        // 31.
        seed: raw.seed.or(SEED),
        tasks,
        models: raw
            .models
            .into_iter()
            .map(|one| seeded(model(one, &raw.providers, known_names)))
            .collect(),
        assign: raw.routing.assign.or(ModelAssignment::default()),
        needs: entries(raw.routing.needs, Vec::new).into_iter().collect(),
        scaffolds: entries(raw.scaffolds, || vec![agent::NAMES[0].to_owned()]),
        agents: raw.agents.into_iter().map(RawAgent::program).collect(),
        prompts: raw.prompts.into_iter().map(RawPrompts::prompts).collect(),
        backend: raw.sandbox.backend.clone().or(BackendKind::default()).as_str().to_owned(),
        digests: BTreeMap::new(),
        price_table: known_names.prices.map(|table| table.digest.clone()),
        pull: raw.sandbox.pull.clone().or(ImagePullPolicy::default()),
        images: raw.sandbox.images.iter().map(|e| (e.name.clone(), e.text.clone())).collect(),
        sandbox: sandbox(raw.sandbox, raw.networks),
        concurrency: raw.concurrency.or(concurrency),
        budget: raw.budget.usd.into_option(),
        day_budget: raw.budget.day.into_option(),
        episode_budget: raw.budget.episode.into_option(),
        diversity: raw.quality.diversity.floor(),
        quality: quality(raw.quality),
        dataset: dataset(raw.dataset),
        retention: raw.retention,
    }
}

/// Episodes at the same time, if the file does not say it: two for each core, because episodes wait
/// for models and commands most of the time.
pub(in crate::config) fn default_concurrency() -> usize {
    let cores = available_parallelism().map_or(1, std::num::NonZero::get);
    (2 * cores).clamp(1, 4096)
}

/// Completions at the same time, if the file does not say it: as many as the models may have calls.
fn calls_at_once(models: &[RawModel]) -> usize {
    let calls = models.iter().map(|model| model.concurrency.clone().or(MODEL_CONCURRENCY));
    calls.fold(0, usize::saturating_add).clamp(1, 4096)
}

/// Completions have no templates; each prompt is answered so many times.
fn answers(raw: &RawCompletions) -> TaskSelection {
    let most = raw.samples.clone().or(SamplePolicy::default().most);
    TaskSelection {
        templates: Vec::new(),
        exclude: Vec::new(),
        template_dirs: Vec::new(),
        per_template: 1,
        draw: TaskDraw::default(),
        samples: SamplePolicy { most, ..SamplePolicy::default() },
    }
}

/// Runs all checks of a campaign. Each of them is independent of the others.
fn check(raw: &RawCampaign, known_names: &KnownNames<'_>, reader: &ConfigReader) {
    kinds::check(raw, reader);
    check_model_names(&raw.models, reader);
    check_weights(raw, reader);
    routing::check(&raw.models, Some(&raw.routing), known_names, reader);
    check_budgets(&raw.budget, &raw.models, reader);
    providers::check(&raw.providers, &raw.models, known_names, reader);
    check_sampling(raw, known_names, reader);
    check_exclude(&raw.tasks, reader);
    check_samples(&raw.tasks, reader);
    check_draw(raw, reader);
    check_output(&raw.sandbox, reader);
    check_image(&raw.sandbox, reader);
    check_images(&raw.sandbox, reader);
    check_runtime(&raw.sandbox, reader);
    check_network(raw, reader);
    raw.agents.iter().for_each(|agent| agent.check(reader));
    raw.prompts.iter().for_each(|prompts| prompts.check(known_names.scaffolds, reader));
    check_copy(&raw.sandbox, reader);
    raw.quality.diversity.check(reader);
    if let Some(splits) = &raw.dataset.splits {
        check_splits(splits, reader);
    }
}

/// Reports a model that is listed twice. It would try each task twice under one episode id.
pub(in crate::config) fn check_model_names(models: &[RawModel], reader: &ConfigReader) {
    let mut seen = BTreeMap::new();
    for model in models {
        let (Some(name), Some(span)) = (model.name.given(), model.name.span()) else { continue };
        if seen.insert(name, span).is_some() {
            let fault = ValueFault::new(format!("model \"{name}\" is listed twice"));
            reader.value(span, fault.hint("use `weight` to make a model more frequent"));
        }
    }
}

/// Reports models without a weight if tasks are assigned by weight. A reserve needs no weight,
/// since it gets no tasks.
fn check_weights(raw: &RawCampaign, reader: &ConfigReader) {
    let (Some(ModelAssignment::Weighted), Some(assign)) =
        (raw.routing.assign.given(), raw.routing.assign.span())
    else {
        return;
    };
    // A wrong weight is not absent: it was already reported.
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

/// Checks every budget: of the campaign, of a day, of an episode, and of each model.
pub(in crate::config) fn check_budgets(
    budget: &RawBudget,
    models: &[RawModel],
    reader: &ConfigReader,
) {
    let all = [&budget.usd, &budget.day, &budget.episode];
    let all = all.into_iter().chain(models.iter().map(|model| &model.budget));
    all.for_each(|budget| check_budget(budget, reader));
}

/// Reports a budget of zero.
fn check_budget(budget: &RawField<Money>, reader: &ConfigReader) {
    let (Some(budget), Some(span)) = (budget.given(), budget.span()) else { return };
    if budget.is_zero() {
        let fault = ValueFault::new("a budget of zero stops the campaign before its first call");
        reader.value(span, fault.hint("leave `[budget]` out to have no limit"));
    }
}

/// Checks the sampling keys of each model. If all scaffolds are external programs, the keys are
/// refused, because the programs set them in their own requests.
fn check_sampling(raw: &RawCampaign, known_names: &KnownNames<'_>, reader: &ConfigReader) {
    let scaffolds = raw.scaffolds.given().into_iter().flatten();
    let mut all = scaffolds.map(|(name, _)| agent::ExternalAgent::is(name)).peekable();
    let programs = all.peek().is_some() && all.all(|is| is);
    for model in &raw.models {
        if programs {
            let hint = "leave it out: the programs of `[agents]` set it in their own requests";
            sampling::refuse(model, hint, reader);
            continue;
        }
        let name = model.name.clone().or(String::new());
        let endpoint = providers::endpoint(&name, &raw.providers, known_names);
        let asks = SamplingTarget {
            dialect: endpoint.as_ref().map(|endpoint| endpoint.dialect.as_str()),
            priced: !known_names.is_stored
                && !price(model, &name, &raw.providers, known_names).is_free(),
            replays: providers::recorded(&name, &raw.providers).is_some(),
        };
        sampling::check(model, &asks, reader);
    }
}

/// Reports the two keys that end the samples of a task early, if there is only one sample, and a
/// number of solved samples that cannot be reached.
fn check_samples(tasks: &RawTasks, reader: &ConfigReader) {
    if matches!(tasks.samples, RawField::Bad) {
        return;
    }
    let most = tasks.samples.given().copied().unwrap_or(1);
    // Both keys only say when to stop before the last sample.
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

/// Holds the keys of a draw against each other and against the assignment of models.
fn check_draw(raw: &RawCampaign, reader: &ConfigReader) {
    let assign = &raw.routing.assign;
    let is_cross = assign.given().is_none_or(|rule| *rule == ModelAssignment::Cross);
    let other = assign.span().filter(|_| !is_cross);
    raw.tasks.draw.check(raw.tasks.per_template.span(), other, reader);
    for (key, place) in [("harbor", raw.tasks.harbor.span()), ("swe", raw.tasks.swe.span())] {
        let Some(place) = place.filter(|_| raw.tasks.draw.is_drawn()) else { continue };
        let fault = ValueFault::new(format!("the tasks of `{key}` are fixed and cannot be drawn"));
        reader.value(place, fault.hint("leave `draw` out, or make two campaigns of them"));
    }
}

/// Reports a glob that is both in `templates` and in `exclude`, and an `exclude` of everything.
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

/// Reports a command limit below what is kept of the output: the command would be killed before
/// that much is written. The defaults count for absent keys.
fn check_output(sandbox: &RawSandbox, reader: &ConfigReader) {
    let default = SandboxLimits::default();
    let kept = sandbox.output_kept.clone().or(u64::from(default.output_kept));
    let killed = sandbox.output_killed.clone().or(default.output_killed);
    // The default of a wrong value would be compared otherwise, and the error would confuse.
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

/// Reports an image that the backend does not have. The namespace backend can show the host's
/// programs (`base`) or a directory. The container backend needs the name of an image.
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
    // The default backend has the same rules as if the file had named it.
    let backend = sandbox.backend.clone().or(BackendKind::default());
    if backend == BackendKind::Namespace && image != IMAGE && !image.starts_with('/') {
        let hint = "write \"base\" for the host's programs, or the absolute path of a directory; \
                    images need backend = \"docker\"";
        reader.value(span, ValueFault::new(format!("there is no image {image:?}")).hint(hint));
    }
}

/// The same for the images that templates name.
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

/// Reports keys that only the container backend has.
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

/// Reports a network of the sandbox that the file does not define.
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
        None => format!("add a section `[networks]` with `{name} = [\"packages.example.org\"]`"),
    };
    reader.value(span, ValueFault::new(format!("there is no network {name:?}")).hint(hint));
}

/// Reports a copy that is larger than the workspace into which it is laid.
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

/// Reports shares whose sum is not 100 percent.
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

/// The shares of train, validation and test; an absent one is zero.
fn shares(splits: &RawSplits) -> [u32; 3] {
    splits.shares.each_ref().map(|share| share.given().copied().unwrap_or(0))
}

/// The elements of a list without positions, or the default if the list is absent or wrong.
pub(in crate::config) fn entries<T>(list: RawList<T>, default: impl FnOnce() -> Vec<T>) -> Vec<T> {
    match list.into_option() {
        Some(list) => list.into_iter().map(|(entry, _): (T, Span)| entry).collect(),
        None => default(),
    }
}

/// The selection of tasks, with one task from each template and one sample of each by default.
fn tasks(raw: RawTasks) -> TaskSelection {
    let sources = [(ContainerSource::Harbor, &raw.harbor), (ContainerSource::Swe, &raw.swe)];
    let named = sources.into_iter().filter(|(_, paths)| paths.given().is_some());
    let of_containers: Vec<String> =
        named.map(|(source, _)| format!("{}/**", source.as_str())).collect();
    TaskSelection {
        templates: [entries(raw.templates, Vec::new), of_containers].concat(),
        exclude: entries(raw.exclude, Vec::new),
        template_dirs: entries(raw.template_dirs, Vec::new).into_iter().map(Into::into).collect(),
        per_template: raw.per_template.or(1),
        draw: raw.draw.draw(),
        samples: SamplePolicy {
            most: raw.samples.or(1),
            stop_after_solved: raw.stop_after_solved.into_option(),
            pass_rate_width: raw.pass_rate_width.into_option(),
        },
    }
}

/// The price of a model: its own one in the file, or else the one in the price table. Free if there
/// is neither; `providers::check` has then reported the model if it may cost something.
fn price(
    raw: &RawModel,
    name: &str,
    providers: &[RawProvider],
    known_names: &KnownNames<'_>,
) -> ModelPrice {
    // A price with a missing rate was already reported, and counts as no price.
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
    let listed = || Some(providers::listed(name, providers, known_names)?.price.clone());
    own.or_else(listed).unwrap_or_default()
}

/// One model with its defaults, for a campaign or a gateway.
pub(in crate::config) fn model(
    raw: RawModel,
    providers: &[RawProvider],
    known_names: &KnownNames<'_>,
) -> ModelConfig {
    let name = raw.name.clone().or(String::new());
    let listed = providers::listed(&name, providers, known_names);
    let routing = routing::model_routing(&raw, listed);
    let context = raw.context.given().copied().or_else(|| listed?.context);
    ModelConfig {
        routing,
        endpoint: providers::endpoint(&name, providers, known_names),
        price: price(&raw, &name, providers, known_names),
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

/// Networks by name, with the hosts that each allows.
type RawNetworks = Vec<(String, Span, Vec<AllowedHost>)>;

/// The specification of the sandboxes. It holds only the network that it uses.
fn sandbox(raw: RawSandbox, networks: RawNetworks) -> SandboxSpec {
    let wanted = raw.network.into_option();
    let network = networks.into_iter().find(|(name, ..)| Some(name) == wanted.as_ref());
    let default = SandboxLimits::default();
    // The range of the key is checked when it is read, so the number fits.
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
            // By default, a copy is not larger than the disk of the workspace that it comes from.
            copy_bytes: raw.copy.or(default.copy_bytes.min(disk)),
        },
        network: network.map(|(name, _, allow)| NetworkPolicy { name, allow }),
        require: entries(raw.require, Vec::new).into_iter().collect(),
        sealed: false,
        site: None,
    }
}

/// The limits of an episode, with the defaults of the engine.
fn episode(raw: RawEpisode) -> EpisodeLimits {
    let default = EpisodeLimits::default();
    EpisodeLimits {
        max_turns: raw.max_turns.or(default.max_turns),
        timeout: raw.timeout.or(default.timeout),
        malformed_in_a_row: raw.malformed_in_a_row.or(default.malformed_in_a_row),
        attempts: raw.attempts.or(default.attempts),
        keep_workspaces: raw.keep_workspaces.or(default.keep_workspaces),
    }
}

/// The quality policy, with the defaults of the engine.
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
        refusal: raw.refusal.or(default.refusal),
        loop_length: raw.loop_length.or(default.loop_length),
    }
}

/// The dataset's settings, with the defaults of the engine.
fn dataset(raw: RawDataset) -> DatasetConfig {
    let default = DatasetConfig::default();
    DatasetConfig {
        splits: raw.splits.as_ref().map_or(default.splits, shares),
        licence: raw.licence.or(default.licence),
    }
}
