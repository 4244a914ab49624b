//! The raw form of a campaign file: every key, with its type and its range checked and with its
//! position. How the keys fit together is not checked here but in `validate`.
//!
//! Each section of the file is one struct here, and its `read` function names the keys with their
//! ranges. To add a key, add it there, to `validate`, and to `config/reference.toml`, which
//! explains every key; a test compares the two. Defaults are filled in by `validate`, because some
//! of them depend on other keys.

use crate::config::campaign::kinds::{KINDS, OF_COMPLETIONS, OF_TRAJECTORIES};
use crate::config::campaign::names::{self, KnownNames};
use crate::config::campaign::prompts::RawPrompts;
use crate::config::campaign::raw_agents::RawAgent;
use crate::config::campaign::raw_completions::RawCompletions;
use crate::config::campaign::raw_diversity::RawDiversity;
use crate::config::campaign::raw_draw::RawDraw;
use crate::config::campaign::raw_models::{RawModel, RawProvider, RawRouting};
use crate::config::campaign::whole_paths;
use crate::config::reading::reader::RawField;
use crate::config::reading::section::{ConfigSection, NamedText};
use crate::config::reading::source::Span;
use crate::config::reading::units::{DAY, WEEK, bytes, duration, money, seconds};
use crate::config::reading::values::{
    ValueFault, ValueResult, choice, name_of, some_text, text, thousandths, whole,
};
use crate::config::retention;
use std::time::Duration;
use synthd_actors::model::{
    AllowedHost, BackendKind, ImagePullPolicy, Money, RetentionRules, SandboxProtection,
    SeccompProfile, ShellChoice, StageAction, WorkName, WorkspaceKeeping,
};
use toml::de::DeValue;

/// A list whose elements have positions.
pub(in crate::config) type RawList<T> = RawField<Vec<(T, Span)>>;

/// A whole campaign file.
pub(in crate::config) struct RawCampaign {
    pub(in crate::config) name: RawField<String>,
    /// The kind of work.
    kind: RawField<WorkName>,
    /// The sections of the file that only some kinds have, with their positions.
    pub(in crate::config) present: Vec<(&'static str, Span)>,
    /// The seed of the plan: from it the tasks are drawn.
    pub(in crate::config) seed: RawField<u64>,
    /// Episodes at the same time.
    pub(in crate::config) concurrency: RawField<usize>,
    pub(in crate::config) tasks: RawTasks,
    pub(in crate::config) completions: RawCompletions,
    pub(in crate::config) providers: Vec<RawProvider>,
    pub(in crate::config) models: Vec<RawModel>,
    pub(in crate::config) routing: RawRouting,
    /// Names of scaffolds: built-in ones, and `external/<name>` for programs in `agents`.
    pub(in crate::config) scaffolds: RawList<String>,
    /// Agent programs by name.
    pub(in crate::config) agents: Vec<RawAgent>,
    /// Prompts by scaffold.
    pub(in crate::config) prompts: Vec<RawPrompts>,
    /// Networks by name, with the hosts that each allows. The sandbox names one of them.
    pub(in crate::config) networks: Vec<(String, Span, Vec<AllowedHost>)>,
    pub(in crate::config) sandbox: RawSandbox,
    pub(in crate::config) episode: RawEpisode,
    pub(in crate::config) budget: RawBudget,
    pub(in crate::config) quality: RawQuality,
    pub(in crate::config) dataset: RawDataset,
    /// `[retention]`: how long the record is kept.
    pub(in crate::config) retention: RetentionRules,
}

/// `[tasks]`: which templates are used and how often.
pub(in crate::config) struct RawTasks {
    /// Globs over template ids, such as `debugging/*`.
    pub(in crate::config) templates: RawList<String>,
    /// Globs over template ids that are left out.
    pub(in crate::config) exclude: RawList<String>,
    /// Absolute paths of directories with the user's own templates.
    pub(in crate::config) template_dirs: RawList<String>,
    /// Absolute paths below which Harbor task folders are.
    pub(in crate::config) harbor: RawList<String>,
    /// Absolute paths of files with rows in the style of SWE-bench.
    pub(in crate::config) swe: RawList<String>,
    /// Different tasks from each template.
    pub(in crate::config) per_template: RawField<u32>,
    /// How tasks are chosen.
    pub(in crate::config) draw: RawDraw,
    /// How often each model tries each task with each scaffold.
    pub(in crate::config) samples: RawField<u32>,
    /// No further sample of a task starts when so many have solved the task.
    pub(in crate::config) stop_after_solved: RawField<u32>,
    /// No further sample starts when the confidence interval of the pass rate is as narrow as this.
    /// In thousandths.
    pub(in crate::config) pass_rate_width: RawField<u32>,
}

/// `[budget]`: what may be spent. An absent key means no limit.
pub(in crate::config) struct RawBudget {
    /// By the whole campaign (or gateway).
    pub(in crate::config) usd: RawField<Money>,
    /// By one day, in UTC.
    pub(in crate::config) day: RawField<Money>,
    /// By one episode (for a gateway: one session).
    pub(in crate::config) episode: RawField<Money>,
}

/// `[sandbox]`: the isolation and its limits.
pub(in crate::config) struct RawSandbox {
    pub(in crate::config) backend: RawField<BackendKind>,
    /// `base`, an absolute path of a directory, or the name of a container image.
    pub(in crate::config) image: RawField<String>,
    /// Other images by the names that templates use for them.
    pub(in crate::config) images: Vec<NamedText>,
    /// The runtime of the container engine, such as `runsc`.
    pub(in crate::config) runtime: RawField<String>,
    /// The system-call filter of containers.
    pub(in crate::config) filter: RawField<SeccompProfile>,
    pub(in crate::config) shell: RawField<ShellChoice>,
    /// Protections that the host must enforce, or else the campaign does not start.
    pub(in crate::config) require: RawList<SandboxProtection>,
    /// Bytes, for all processes of a sandbox together.
    pub(in crate::config) memory: RawField<u64>,
    /// Processes and threads at the same time.
    pub(in crate::config) processes: RawField<u32>,
    pub(in crate::config) pull: RawField<ImagePullPolicy>,
    /// The name of an entry of `networks`.
    pub(in crate::config) network: RawField<String>,
    /// Bytes in the workspace, and in each scratch area.
    pub(in crate::config) disk: RawField<u64>,
    /// Files and directories in the workspace, and in each scratch area.
    pub(in crate::config) inodes: RawField<u64>,
    /// Thousandths of a processor core.
    pub(in crate::config) cpu: RawField<u32>,
    /// Processor time of one command.
    pub(in crate::config) command_cpu: RawField<Duration>,
    /// Wall time of one command.
    pub(in crate::config) command_timeout: RawField<Duration>,
    /// Bytes of each output stream that are kept.
    pub(in crate::config) output_kept: RawField<u64>,
    /// Bytes of output after which a command is killed.
    pub(in crate::config) output_killed: RawField<u64>,
    /// Bytes of the largest workspace that is copied for verification.
    pub(in crate::config) copy: RawField<u64>,
}

/// `[episode]`: the limits of one episode.
pub(in crate::config) struct RawEpisode {
    /// Model replies.
    pub(in crate::config) max_turns: RawField<u32>,
    /// Wall time of the turns.
    pub(in crate::config) timeout: RawField<Duration>,
    /// Replies in a row that cannot be parsed, after which the episode ends.
    pub(in crate::config) malformed_in_a_row: RawField<u32>,
    /// Attempts in all; only faults of the infrastructure lead to another one.
    pub(in crate::config) attempts: RawField<u32>,
    /// Whose final workspaces are kept.
    pub(in crate::config) keep_workspaces: RawField<WorkspaceKeeping>,
}

/// `[quality]`: what each quality stage does with a row that fails it.
pub(in crate::config) struct RawQuality {
    pub(in crate::config) format: RawField<StageAction>,
    pub(in crate::config) leak: RawField<StageAction>,
    pub(in crate::config) tampering: RawField<StageAction>,
    pub(in crate::config) loops: RawField<StageAction>,
    pub(in crate::config) truncation: RawField<StageAction>,
    pub(in crate::config) duplicates: RawField<StageAction>,
    pub(in crate::config) unresolved: RawField<StageAction>,
    pub(in crate::config) refusal: RawField<StageAction>,
    /// How often an action is repeated before it counts as a loop.
    pub(in crate::config) loop_length: RawField<u32>,
    /// The floor of the newest episodes' diversity.
    pub(in crate::config) diversity: RawDiversity,
}

/// `[dataset]`: how the published dataset is split and licensed.
pub(in crate::config) struct RawDataset {
    /// None where the key is absent.
    pub(in crate::config) splits: Option<RawSplits>,
    pub(in crate::config) licence: RawField<String>,
}

/// `[dataset.splits]`: shares in percent.
pub(in crate::config) struct RawSplits {
    /// The position of the table, for an error about the sum.
    pub(in crate::config) place: Span,
    /// Train, validation and test.
    pub(in crate::config) shares: [RawField<u32>; 3],
}

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

// The words that the keys of `[sandbox]` and `[quality]` accept, and what each of them means.
const BACKENDS: [(&str, BackendKind); 2] =
    [("namespace", BackendKind::Namespace), ("docker", BackendKind::Docker)];
const FILTERS: [(&str, SeccompProfile); 2] =
    [("strict", SeccompProfile::Strict), ("engine", SeccompProfile::Engine)];
const PULLS: [(&str, ImagePullPolicy); 3] = [
    ("never", ImagePullPolicy::Never),
    ("missing", ImagePullPolicy::Missing),
    ("always", ImagePullPolicy::Always),
];
const SHELLS: [(&str, ShellChoice); 3] =
    [("auto", ShellChoice::Auto), ("sh", ShellChoice::Sh), ("bash", ShellChoice::Bash)];
const KEEPING: [(&str, WorkspaceKeeping); 3] = [
    ("all", WorkspaceKeeping::All),
    ("solved", WorkspaceKeeping::Solved),
    ("none", WorkspaceKeeping::Nothing),
];
const STAGES: [(&str, StageAction); 3] =
    [("reject", StageAction::Reject), ("label", StageAction::Label), ("off", StageAction::Off)];

impl RawCampaign {
    /// Reads a whole file. `known_names` says which providers and scaffolds exist. Providers and
    /// agents are read before the models and scaffolds, which may name them.
    pub(in crate::config) fn read(
        mut root: ConfigSection<'_, '_>,
        known_names: &KnownNames<'_>,
    ) -> Self {
        let mut campaign = root.required_section("campaign");
        let providers: Vec<RawProvider> =
            root.named_sections("providers").into_iter().map(RawProvider::read).collect();
        let agents: Vec<RawAgent> =
            root.named_sections("agents").into_iter().map(RawAgent::read).collect();
        let external: Vec<String> = agents.iter().map(|agent| agent.scaffold()).collect();
        let own: Vec<String> = providers.iter().map(|provider| provider.name.clone()).collect();
        let name = campaign.required("name", "\"my-campaign\"", text(names::campaign));
        let kind = campaign.optional("kind", choice(&KINDS));
        let [tasks, completions] = match kind.given() {
            Some(WorkName::Completions) => {
                [root.section("tasks"), root.required_section(OF_COMPLETIONS)]
            }
            Some(WorkName::Trajectories) => {
                [root.required_section("tasks"), root.section(OF_COMPLETIONS)]
            }
            None if kind.is_absent() => {
                [root.required_section("tasks"), root.section(OF_COMPLETIONS)]
            }
            // A word that is no kind was reported. Which sections belong to it is not known.
            None => [root.section("tasks"), root.section(OF_COMPLETIONS)],
        };
        let raw = Self {
            name,
            kind,
            present: present(&root),
            seed: campaign.optional("seed", whole(0..=i64::MAX.unsigned_abs())),
            concurrency: campaign.optional("concurrency", whole(1..=4096)),
            tasks: RawTasks::read(tasks),
            completions: RawCompletions::read(completions),
            models: root
                .sections("models")
                .into_iter()
                .map(|m| RawModel::read(m, known_names, &own))
                .collect(),
            providers,
            routing: RawRouting::read(root.section("routing")),
            scaffolds: read_scaffolds(root.section("scaffolds"), known_names, &external),
            agents,
            prompts: root.named_sections("prompts").into_iter().map(RawPrompts::read).collect(),
            networks: root.text_lists("networks", allowed_host),
            sandbox: RawSandbox::read(root.section("sandbox")),
            episode: RawEpisode::read(root.section("episode")),
            budget: RawBudget::read(root.section("budget")),
            quality: RawQuality::read(root.section("quality")),
            dataset: RawDataset::read(root.section("dataset")),
            retention: retention::read(root.section("retention")),
        };
        campaign.finish();
        root.finish();
        raw
    }

    /// Whether the kind is a word that is none, which was reported.
    pub(in crate::config) fn is_of_no_kind(&self) -> bool {
        matches!(self.kind, RawField::Bad)
    }

    /// The kind of work. A wrong word, which was reported, counts as the usual kind.
    pub(in crate::config) fn kind(&self) -> WorkName {
        self.kind.given().copied().unwrap_or_default()
    }
}

/// The sections of the file that only some kinds of work have.
fn present(root: &ConfigSection<'_, '_>) -> Vec<(&'static str, Span)> {
    let names = OF_TRAJECTORIES.into_iter().chain([OF_COMPLETIONS]);
    names.filter_map(|name| Some((name, root.place_of(name)?))).collect()
}

/// A host that a network allows, such as `*.crates.io`.
fn allowed_host(value: &DeValue<'_>) -> ValueResult<AllowedHost> {
    let DeValue::String(text) = value else {
        return Err(ValueFault::expected("a host's name", value));
    };
    text.parse().map_err(|error| {
        let hint = "such as \"packages.example.org\", \"*.example.org\" or \"mirror.example:8080\"";
        ValueFault::new(format!("{text:?}: {error}")).hint(hint)
    })
}

/// The scaffolds of `[scaffolds]`. `external` are the names that the file's own agents have.
fn read_scaffolds(
    mut section: ConfigSection<'_, '_>,
    known_names: &KnownNames<'_>,
    external: &[String],
) -> RawList<String> {
    let external = external.iter().map(String::as_str);
    let known: Vec<&str> = known_names.scaffolds.iter().copied().chain(external).collect();
    let list = section.list("names", 1, text(name_of("scaffold", &known)));
    section.finish();
    list
}

impl RawBudget {
    /// Reads the section. A gateway's file has the same section.
    pub(in crate::config) fn read(mut section: ConfigSection<'_, '_>) -> Self {
        let raw = Self {
            usd: section.optional("usd", money),
            day: section.optional("day_usd", money),
            episode: section.optional("episode_usd", money),
        };
        section.finish();
        raw
    }
}

/// The most samples of one task.
pub(in crate::config) const MOST_SAMPLES: u32 = 1_000;

/// Reads `stop_after_solved`: a number, or true for 1.
fn solved(value: &DeValue<'_>) -> ValueResult<u32> {
    match value {
        DeValue::Boolean(true) => Ok(1),
        DeValue::Boolean(false) => {
            Err(ValueFault::new("false has no meaning here").hint("leave it out"))
        }
        number => whole(1..=MOST_SAMPLES)(number),
    }
}

impl RawTasks {
    /// Reads `[tasks]`.
    fn read(mut section: ConfigSection<'_, '_>) -> Self {
        let others = ["harbor", "swe"].iter().any(|key| section.place_of(key).is_some());
        let raw = Self {
            // Tasks of containers may be all that there is.
            templates: match others {
                true => section.list("templates", 1, text(names::template_glob)),
                false => section.required_list("templates", "[\"**\"]", text(names::template_glob)),
            },
            exclude: section.list("exclude", 0, text(names::template_glob)),
            template_dirs: section.list("template_dirs", 0, text(whole_paths::whole_path)),
            harbor: section.list("harbor", 1, text(whole_paths::whole_path)),
            swe: section.list("swe", 1, text(whole_paths::whole_path)),
            per_template: section.optional("per_template", whole(1..=1_000_000)),
            draw: RawDraw::read(&mut section),
            samples: section.optional("samples", whole(1..=MOST_SAMPLES)),
            stop_after_solved: section.optional("stop_after_solved", solved),
            pass_rate_width: section.optional("pass_rate_width", thousandths(0.01..=1.0)),
        };
        section.finish();
        raw
    }
}

impl RawSandbox {
    /// Reads `[sandbox]`. The ranges only refuse what could not work on any host; whether a value
    /// fits the other values is checked by `validate`.
    fn read(mut section: ConfigSection<'_, '_>) -> Self {
        let enforcements = SandboxProtection::ALL.map(|one| (one.as_str(), one));
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

/// A tenth of a second. On a busy host, a shell needs about as long to start.
const TENTH: Duration = Duration::from_millis(100);

impl RawEpisode {
    /// Reads `[episode]`.
    fn read(mut section: ConfigSection<'_, '_>) -> Self {
        let raw = Self {
            max_turns: section.optional("max_turns", whole(1..=10_000)),
            timeout: section.optional("timeout", duration(seconds(1)..=WEEK)),
            malformed_in_a_row: section.optional("malformed_in_a_row", whole(1..=1_000)),
            attempts: section.optional("attempts", whole(1..=100)),
            keep_workspaces: section.optional("keep_workspaces", choice(&KEEPING)),
        };
        section.finish();
        raw
    }
}

impl RawQuality {
    /// Reads `[quality]`.
    fn read(mut section: ConfigSection<'_, '_>) -> Self {
        let stage = choice(&STAGES);
        let raw = Self {
            format: section.optional("format", &stage),
            leak: section.optional("leak", &stage),
            tampering: section.optional("tampering", &stage),
            loops: section.optional("loops", &stage),
            truncation: section.optional("truncation", &stage),
            duplicates: section.optional("duplicates", &stage),
            unresolved: section.optional("unresolved", &stage),
            refusal: section.optional("refusal", &stage),
            loop_length: section.optional("loop_length", whole(2..=1_000)),
            diversity: RawDiversity::read(section.section("diversity")),
        };
        section.finish();
        raw
    }
}

impl RawDataset {
    /// Reads `[dataset]`. The licence may be spelt in British or American English.
    fn read(mut section: ConfigSection<'_, '_>) -> Self {
        let splits = RawSplits::read(section.section("splits"));
        let licence = section.alias("licence", "license");
        let licence = section.optional(licence, text(names::licence));
        section.finish();
        Self { splits, licence }
    }
}

impl RawSplits {
    /// Reads the shares. None if the file has no such table.
    fn read(mut section: ConfigSection<'_, '_>) -> Option<Self> {
        let (given, place) = (section.given(), section.place());
        let mut share = |key| section.optional(key, whole(0..=100));
        let shares = [share("train"), share("validation"), share("test")];
        section.finish();
        given.then_some(Self { place, shares })
    }
}
