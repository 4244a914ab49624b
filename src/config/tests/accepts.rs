//! What a correct file comes to.

use super::*;
use std::time::Duration;
use synthd_actors::model::{
    ModelAssignment, Money, RetentionAge, SandboxProtection, ShellChoice, StageAction,
};

#[test]
fn the_least_campaign_gets_every_default() {
    let config = campaign(MINIMAL);
    assert_eq!(config.name.as_str(), "least");
    assert_eq!(config.sandbox.limits, synthd_actors::model::SandboxLimits::default());
    assert_eq!(config.sandbox.image, "base");
    assert!(config.sandbox.require.is_empty());
    assert_eq!(config.episode, synthd_actors::model::EpisodeLimits::default());
    assert_eq!(config.quality, synthd_actors::model::QualityPolicy::default());
    assert_eq!(config.dataset, synthd_actors::model::DatasetConfig::default());
    assert_eq!((config.assign, config.backend.as_str()), (ModelAssignment::Cross, "namespace"));
    assert_eq!((config.scaffolds, config.budget), (vec!["minimal".to_owned()], None));
    assert_eq!((config.seed, config.tasks.per_template), (20_260_101, 1));
    assert!((1..=4096).contains(&config.concurrency));
    assert!(config.models[0].price.is_free());
}

const FULL: &str = r#"
[campaign]
name = "full-2"
seed = 0xff
concurrency = 3
[tasks]
templates = ["shell/*", "debugging/off-by-one"]
exclude = ["shell/slow-*"]
per_template = 1_000
[[models]]
name = "scripted/oracle"
weight = 2
concurrency = 5
requests_per_minute = 60
price = { input = "0.15", output = "0.000000001" }
[[models]]
name = "scripted/give-up"
weight = 1
[routing]
assign = "weighted"
[scaffolds]
names = ["minimal"]
[sandbox]
backend = "namespace"
image = "/srv/python"
shell = "bash"
require = ["seccomp", "memory-cgroup"]
memory = 1073741824
processes = 16
disk = "1GiB"
inodes = 100
cpu = 2
command_cpu = "1m"
command_timeout = "1500ms"
output_kept = "1KiB"
output_killed = "1 MiB"
copy = "2MiB"
[episode]
max_turns = 1
timeout = "1h 30m"
malformed_in_a_row = 1
attempts = 1
keep_workspaces = "all"
[budget]
usd = "12"
[quality]
format = "off"
leak = "label"
tampering = "off"
loops = "reject"
truncation = "off"
duplicates = "off"
unresolved = "reject"
loop_length = 2
[dataset]
splits = { train = 95, test = 5 }
license = "cc-by-4.0"
"#;

#[test]
fn every_key_arrives() {
    let config = campaign(FULL);
    assert_eq!((config.seed, config.concurrency, config.tasks.per_template), (255, 3, 1000));
    assert_eq!(config.tasks.exclude, ["shell/slow-*"]);
    assert_eq!(config.models[0].price.rates.input_per_million, Money::from_nanos(150_000_000));
    assert_eq!(config.models[0].price.rates.output_per_million, Money::from_nanos(1));
    assert_eq!((config.models[0].weight, config.models[0].concurrency), (2, 5));
    assert_eq!(config.models[0].requests_per_minute, Some(60));
    assert_eq!(config.models[1].name, "scripted/give-up");
    assert_eq!(config.assign, ModelAssignment::Weighted);
    assert_eq!(config.budget, Some(Money::from_nanos(12_000_000_000)));
    assert_eq!(config.quality.loops, StageAction::Reject);
    assert_eq!((config.quality.format, config.quality.loop_length), (StageAction::Off, 2));
    assert_eq!((config.dataset.splits, config.dataset.licence.as_str()), ([95, 0, 5], "cc-by-4.0"));
    assert_eq!((config.episode.timeout, config.episode.attempts), (Duration::from_secs(5_400), 1));
    assert_eq!(config.episode.keep_workspaces, synthd_actors::model::WorkspaceKeeping::All);
}

#[test]
fn every_limit_arrives() {
    let spec = campaign(FULL).sandbox;
    assert_eq!((spec.image.as_str(), spec.shell), ("/srv/python", ShellChoice::Bash));
    assert_eq!(
        spec.require.into_iter().collect::<Vec<_>>(),
        [SandboxProtection::MemoryCgroup, SandboxProtection::Seccomp]
    );
    let limits = spec.limits;
    assert_eq!(
        (limits.memory_bytes, limits.disk_bytes, limits.copy_bytes),
        (1 << 30, 1 << 30, 2 << 20)
    );
    assert_eq!((limits.processes, limits.inodes, limits.cpu_millis), (16, 100, 2_000));
    assert_eq!(limits.command_cpu, Duration::from_secs(60));
    assert_eq!(limits.command_timeout, Duration::from_millis(1_500));
    assert_eq!((limits.output_kept, limits.output_killed), (1 << 10, 1 << 20));
}

#[test]
fn sections_may_be_written_in_any_form_of_toml() {
    let inline = r#"campaign = { name = "least" }
tasks.templates = ["**"]
models = [{ name = "scripted/oracle" }]"#;
    assert_eq!(campaign(inline), campaign(MINIMAL));
}

#[test]
fn a_daemon_needs_no_settings() {
    let parsed = parse_daemon("daemon.toml", "").unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(parsed.config, DaemonConfig::default());
    assert_eq!(parsed.config.socket_path(), Path::new("./synthd-data/synthd.sock"));
}

#[test]
fn every_daemon_setting_arrives() {
    let text = r#"
[daemon]
data_dir = "/srv/synthd"
socket = "/run/synthd.sock"
max_episodes = 500
drain_timeout = "0s"
[pool]
warm = 500
parallel_creation = 1
max_age = "1h"
max_idle = "7m"
[log]
level = "info,synthd::sandbox=debug"
format = "json"
[templates]
dirs = ["/a", "b"]
"#;
    let config =
        parse_daemon("daemon.toml", text).unwrap_or_else(|errors| panic!("{errors}")).config;
    assert_eq!(
        (config.max_episodes, config.pool.warm, config.pool.parallel_creation),
        (500, 500, 1)
    );
    assert_eq!(
        (config.data_dir.as_path(), config.socket_path().as_path()),
        (Path::new("/srv/synthd"), Path::new("/run/synthd.sock"))
    );
    assert_eq!(
        (config.drain_timeout, config.pool.max_age, config.pool.max_idle),
        (Duration::ZERO, Duration::from_secs(3_600), Duration::from_secs(420))
    );
    assert_eq!(
        (config.log.level.as_str(), config.log.format),
        ("info,synthd::sandbox=debug", LogFormat::Json)
    );
    assert_eq!(config.template_dirs, [Path::new("/a"), Path::new("b")]);
}

#[test]
fn a_sandbox_gets_the_network_it_names() {
    let text = format!(
        "{MINIMAL}\n[networks]\nother = [\"a.example\"]\nmine = [\"*.B.example:8080\"]\n\
         [sandbox]\nnetwork = \"mine\"\npull = \"never\"\nbackend = \"docker\"\nimage = \"x\"\n"
    );
    let sandbox = campaign(&text).sandbox;
    let network = sandbox.network.clone().expect("a network");
    assert_eq!(network.name, "mine");
    assert!(network.allows("x.b.example", 8080) && !network.allows("a.example", 443));
    assert_eq!(sandbox.offline().network, None);
    assert_eq!(campaign(MINIMAL).sandbox.network, None);
}

#[test]
fn an_agent_is_what_its_scaffold_runs() {
    let text = format!(
        "{MINIMAL}\n[scaffolds]\nnames = [\"external/mini\"]\n[agents.mini]\n\
         command = \"\"\"\ncat <<X\n\thello\nX\n\"\"\"\nport = 9\nenvironment = {{ http_proxy = \"x\" }}\n"
    );
    let config = campaign(&text);
    assert_eq!(config.scaffolds, ["external/mini"]);
    let agent = &config.agents["mini"];
    assert_eq!((agent.command.as_str(), agent.port), ("cat <<X\n\thello\nX\n", 9));
    assert_eq!(agent.environment["http_proxy"], "x");
    // Another program under the same name makes other rows.
    let other = campaign(&text.replace("hello", "bye"));
    assert_ne!(config.identity(), other.identity());
}

#[test]
fn rules_of_retention_are_read_in_both_files_and_change_no_identity() {
    let text = "[retention]\nsolved = \"forever\"\nfailed = \"30d\"\ncalls = \"12h\"\n";
    let days = |days: u64| Some(RetentionAge::For(Duration::from_secs(days * 86_400)));
    let daemon = parse_daemon("daemon.toml", text).unwrap_or_else(|errors| panic!("{errors}"));
    let config = campaign(&format!("{MINIMAL}\n{text}"));
    assert_eq!(config.retention, daemon.config.retention);
    assert_eq!(config.retention.solved, Some(RetentionAge::Forever));
    assert_eq!((config.retention.failed, config.retention.workspaces), (days(30), None));
    assert_eq!(config.identity(), campaign(MINIMAL).identity());
    let told = only_mistake("[retention]\nfailed = 30\n");
    assert!(told.contains("expected a duration") && told.contains("forever"), "{told}");
}

#[test]
fn the_floor_of_diversity_is_read_and_needs_a_figure() {
    let section = "[quality.diversity]\nwindow = 8\nvendi = 0.25\npause = true\n";
    let config = campaign(&format!("{MINIMAL}\n{section}"));
    let floor = config.diversity.expect("a floor");
    assert_eq!((floor.window, floor.vendi, floor.distinct), (8, Some(250), None));
    assert!(floor.pauses && campaign(MINIMAL).diversity.is_none());
    assert_eq!(config.identity(), campaign(MINIMAL).identity());
    let told = only_mistake("[quality.diversity]\nwindow = 8\n");
    assert!(told.contains("has no floor") && told.contains("vendi"), "{told}");
}
