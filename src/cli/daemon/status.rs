//! `synthd status`: asks a daemon (or a foreground run) for its status report and prints it. With
//! `--json`, the report is printed as it came; `docs/control-protocol.md` describes it.

use crate::cli::daemon::daemon_address::{DaemonAddress, parse_answer};
use crate::cli::run::progress::CapLeft;
use crate::cli::terminal::output::{print_line, table};
use crate::control::protocol::{ControlCommand, OptionalCampaignParams};
use crate::error::Result;
use clap::Args;
use serde::Deserialize;
use serde_json::Value;
use std::process::ExitCode;
use synthd_actors::campaign::CampaignProgress;
use synthd_actors::model::WorkName;
use synthd_actors::policy::CapStats;
use synthd_actors::supervisor::ActorStats;

#[derive(Args)]
#[command(after_help = "Examples:
  synthd status
  synthd status quickstart --data-dir /data/synthd
  synthd status --json | jq .campaigns")]
pub(in crate::cli) struct StatusArgs {
    /// Only this campaign
    campaign: Option<String>,
    #[command(flatten)]
    daemon: DaemonAddress,
    /// Print everything as one JSON document
    #[arg(long)]
    json: bool,
}

/// The part of the status report that is shown as text. Counts stay JSON values, so that a daemon
/// of a slightly different version can still be shown.
#[derive(Deserialize)]
struct StatusReply {
    /// The process: data directory, process id, uptime, episodes.
    daemon: Value,
    campaigns: Vec<CampaignProgress>,
    pool: Value,
    collector: Value,
    /// One entry for each campaign that may call models.
    router: Vec<AccountRow>,
    #[serde(default)]
    providers: Value,
    /// Absent in the report of an older daemon.
    #[serde(default)]
    actors: Vec<ActorStats>,
}

/// The models of one campaign in the report.
#[derive(Deserialize)]
struct AccountRow {
    campaign: String,
    /// The caps of the campaign. Older daemons do not report them.
    #[serde(default)]
    budgets: Vec<CapStats>,
    /// The campaign's models with their counts and key limiters.
    models: Vec<Value>,
}

/// Asks for all campaigns or for one, and prints the report. The error is `NoDaemon` if nobody
/// listens.
pub(in crate::cli) fn run(args: StatusArgs) -> Result<ExitCode> {
    let order = ControlCommand::Status(OptionalCampaignParams { campaign: args.campaign });
    args.daemon.ask_and_print(&order, args.json, |answer| {
        show(&parse_answer(answer)?);
        Ok(())
    })
}

/// Prints the report: the process, the campaigns with what they wait for, the models, problems of
/// providers, the sandboxes and the records.
fn show(report: &StatusReply) {
    let daemon = &report.daemon;
    let draining = if daemon["draining"] == true { ", draining" } else { "" };
    print_line(&format!(
        "{} (process {}), up {} s, {} of {} episodes running{draining}",
        plain(&daemon["data_dir"]),
        daemon["pid"],
        daemon["uptime_seconds"],
        daemon["running"],
        daemon["max_episodes"],
    ));
    if report.campaigns.is_empty() {
        print_line("no campaigns yet; `synthd submit FILE` starts one");
    } else {
        print_line(&campaigns(&report.campaigns).to_string());
    }
    for progress in &report.campaigns {
        if let Some(reason) = &progress.reason {
            print_line(&format!("{}: {reason}", progress.campaign));
        }
        if let Some(what) = &progress.waiting_for {
            print_line(&format!("{}: waiting for {what}", progress.campaign));
        }
        money_left(progress, &report.router).iter().for_each(|line| print_line(line));
    }
    let models = models(&report.router, &report.campaigns);
    if models.row_count() > 0 {
        print_line(&models.to_string());
    }
    problems(&report.providers, &report.router).iter().for_each(|line| print_line(line));
    let (pool, collector) = (&report.pool, &report.collector);
    print_line(&format!(
        "sandboxes: {} warm, {} being made, {} wanted; {} hits, {} misses, {} failed",
        pool["warm"],
        pool["creating"],
        pool["waiting"],
        pool["hits"],
        pool["misses"],
        pool["failed"],
    ));
    let specs = specs(&pool["specs"]);
    if specs.row_count() > 0 {
        print_line(&specs.to_string());
    }
    print_line(&format!(
        "records: {} kept, {} of {} places in the queue taken",
        collector["recorded"], collector["queue_depth"], collector["queue_bound"],
    ));
    print_line(&actors(&report.actors));
}

/// One line about the actors: those that panicked, were started again or were killed, by name.
fn actors(actors: &[ActorStats]) -> String {
    let told =
        actors.iter().filter(|one| one.panics + one.restarts + one.kills + one.set_aside > 0);
    let told: Vec<String> = told.map(actor).collect();
    match told.is_empty() {
        true => "actors: no panics, no restarts, no kills".to_owned(),
        false => format!("actors: {}", told.join("; ")),
    }
}

/// The counts of one kind of actor.
fn actor(stats: &ActorStats) -> String {
    let ActorStats { name, panics, restarts, kills, set_aside } = stats;
    format!(
        "{name}: {panics} panics, {restarts} restarts, {kills} kills, {set_aside} requests set aside"
    )
}

/// The table of campaigns. `episodes` are the finished ones of the planned ones.
fn campaigns(campaigns: &[CampaignProgress]) -> comfy_table::Table {
    let mut rows =
        table(&["campaign", "state", "episodes", "running", "resolved", "faulted", "cost"]);
    for progress in campaigns {
        let counts = &progress.episodes;
        rows.add_row([
            progress.campaign.to_string(),
            progress.state.as_str().to_owned(),
            format!("{}/{}", counts.finished, counts.planned),
            progress.running.to_string(),
            // An answer is not verified, so it is never resolved.
            match progress.kind {
                WorkName::Trajectories => counts.resolved.to_string(),
                WorkName::Completions => "-".to_owned(),
            },
            counts.faulted.to_string(),
            format!("${}", progress.cost_usd),
        ]);
    }
    rows
}

/// What is left of the caps of a campaign, as a line. None if it has no caps, or calls no models now.
fn money_left(progress: &CampaignProgress, router: &[AccountRow]) -> Option<String> {
    let account = router.iter().find(|one| one.campaign == progress.campaign.as_str())?;
    let caps = account.budgets.iter().cloned().map(|cap| CapLeft::of(cap).to_string());
    let caps: Vec<String> = caps.collect();
    (!caps.is_empty()).then(|| format!("{}: {}", progress.campaign, caps.join(", ")))
}

/// The table of models of the campaigns that are shown. The report has the models of all campaigns,
/// even if only one campaign was asked for.
fn models(router: &[AccountRow], shown: &[CampaignProgress]) -> comfy_table::Table {
    let mut rows = table(&["model", "campaign", "calls", "in flight", "retries", "failures"]);
    for account in router {
        if !shown.iter().any(|progress| progress.campaign.as_str() == account.campaign) {
            continue;
        }
        for model in &account.models {
            rows.add_row([
                plain(&model["model"]).to_owned(),
                account.campaign.clone(),
                model["calls"].to_string(),
                model["in_flight"].to_string(),
                model["retries"].to_string(),
                model["failures"].to_string(),
            ]);
        }
    }
    rows
}

/// One line for each provider that does not answer, and for each key that a provider has told to
/// wait. In the JSON, an entry of `ways` is a key limiter.
fn problems(providers: &Value, router: &[AccountRow]) -> Vec<String> {
    // `down` means that the circuit breaker of the provider is open.
    let down = providers.as_array().into_iter().flatten().filter(|lane| lane["down"] == true);
    let down = down.map(|lane| {
        format!("{} does not answer: {}", plain(&lane["provider"]), plain(&lane["last_failure"]))
    });
    let models = router.iter().flat_map(|account| &account.models);
    let ways = models.flat_map(|model| {
        let ways = model["ways"].as_array().into_iter().flatten();
        // `wait_ms` is a number only while the provider has asked for a wait, for example with a
        // 429.
        ways.filter(|way| way["wait_ms"].is_u64()).map(move |way| {
            let (provider, model) = (plain(&way["provider"]), plain(&model["model"]));
            let seconds = way["wait_ms"].as_u64().unwrap_or(0).div_ceil(1_000);
            format!("{provider} accepts calls to {model} again in {seconds} s")
        })
    });
    down.chain(ways).collect()
}

/// The table of sandbox specifications: how many are warm, how long tasks waited for one, and how
/// long it takes to make one. Times are the median and the 99th percentile in milliseconds.
fn specs(specs: &Value) -> comfy_table::Table {
    let mut rows = table(&["sandbox", "warm", "hits", "misses", "wait ms", "made in ms"]);
    for spec in specs.as_array().into_iter().flatten() {
        let times = |of: &Value| format!("{} / {}", of["p50_ms"], of["p99_ms"]);
        rows.add_row([
            plain(&spec["spec"]).to_owned(),
            format!("{}/{}", spec["warm"], spec["target"]),
            spec["hits"].to_string(),
            spec["misses"].to_string(),
            times(&spec["wait"]),
            times(&spec["creation"]),
        ]);
    }
    rows
}

/// The text of a JSON string without quotes; `?` for anything else.
fn plain(value: &Value) -> &str {
    value.as_str().unwrap_or("?")
}
