//! `synthd store prune`: removes what the rules of `[retention]` do not keep. The rules of a campaign are those
//! of its file as it was given last, and where they say nothing, those of the daemon's file.

use crate::cli::DataDir;
use crate::cli::campaign;
use crate::cli::dataset::row_progress::RowProgress;
use crate::cli::dataset::size;
use crate::cli::terminal::output::{
    eprint_line, pluralize, print_config_errors, print_json, print_line, table,
};
use crate::cli::terminal::terminal_text::escape_line;
use crate::config;
use crate::curation::recipe_sources;
use crate::error::{Error, Result};
use crate::running_engine::{SystemClock, run_in_actor_system, store_error};
use crate::store::{CampaignRetention, PruneCount, PruneReport, PruneRequest, Store, prune};
use clap::Args;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use synthd_actors::model::{CampaignRecord, RetentionRules};
use synthd_actors::ports::{Clock, Journal};

#[derive(Args)]
#[command(
    after_help = "The rules are those of [retention] in a campaign's file, as the campaign was run last, and those of the \
daemon's file where the campaign says nothing. Only campaigns that are complete or cancelled lose anything. \
Rows of datasets and the record of money always stay. Figures and verdicts stay, too.

An engine may run meanwhile. If the command is cut off, the store is whole, and the same command goes on. \
`synthd store vacuum` gives the room back to the disk.

Examples:
  synthd store prune --dry-run
  synthd store prune --config config/daemon.toml
  synthd store prune --campaign old --json | jq .campaigns"
)]
pub(in crate::cli) struct StorePruneArgs {
    /// The daemon's file, with the rules for campaigns that have none of their own
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Only this campaign
    #[arg(long, value_name = "NAME")]
    campaign: Option<String>,
    /// Show what would be removed, and remove nothing
    #[arg(long)]
    dry_run: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    data: DataDir,
}

/// Applies the rules and prints what was removed.
pub(super) fn run(args: &StorePruneArgs) -> Result<ExitCode> {
    let daemon = match args.config.as_deref().map(config::load_daemon).transpose() {
        Ok(loaded) => loaded.map(|loaded| loaded.config.retention).unwrap_or_default(),
        Err(errors) => {
            print_config_errors(&errors, args.json);
            return Ok(ExitCode::from(errors.code().exit_code()));
        }
    };
    let campaigns = retentions(args, daemon)?;
    let shown = RowProgress::new("episodes looked at");
    let request = PruneRequest {
        data_dir: &args.data.data_dir,
        campaigns: &campaigns,
        dry_run: args.dry_run,
        now_ms: SystemClock.now_ms(),
    };
    let report = prune(&request, &|_, at, of| shown.show(at, of));
    drop(shown);
    let report = report?;
    match args.json {
        true => print_json(&report)?,
        false => show(&report),
    }
    Ok(ExitCode::SUCCESS)
}

/// The rules of each campaign. A campaign whose text cannot be read any more is left as it is.
fn retentions(
    args: &StorePruneArgs,
    daemon: RetentionRules,
) -> Result<BTreeMap<String, CampaignRetention>> {
    let dir = &args.data.data_dir;
    let store = Store::open_read_only(dir)?;
    let records = run_in_actor_system(chosen(&store, args))??;
    let sources = recipe_sources(dir)?;
    let mut all = BTreeMap::new();
    for record in records {
        let name = format!("the stored campaign {}", record.name);
        match config::parse_stored_campaign(&name, &record.config).map_err(Error::from) {
            Ok(loaded) => {
                let rules = loaded.config.retention.or(daemon);
                let is_source = sources.contains(record.name.as_str());
                all.insert(record.name.to_string(), CampaignRetention { rules, is_source });
            }
            Err(error) => eprint_line(&format!("{name} is left as it is: {error}")),
        }
    }
    Ok(all)
}

/// The campaigns that are looked at: the one that was named, or all.
async fn chosen(store: &Store, args: &StorePruneArgs) -> Result<Vec<CampaignRecord>> {
    match &args.campaign {
        Some(name) => Ok(vec![campaign::find(store, name).await?]),
        None => store.campaigns().await.map_err(store_error),
    }
}

/// Prints a line for each campaign, and what goes beside the store.
fn show(report: &PruneReport) {
    let mut rows = table(&["campaign", "turns of", "calls of", "kept for datasets", ""]);
    for one in &report.campaigns {
        let left = one.left.as_ref().map_or_else(String::new, |why| format!("left: {why}"));
        rows.add_row([
            escape_line(&one.campaign),
            counted(one.turns),
            counted(one.calls),
            one.in_datasets.to_string(),
            escape_line(&left),
        ]);
    }
    if !report.campaigns.is_empty() {
        print_line(&rows.to_string());
    }
    let sum = |part: fn(&crate::store::PrunedCampaign) -> PruneCount| -> u64 {
        report.campaigns.iter().map(|one| part(one).bytes).sum()
    };
    let bytes = sum(|one| one.turns) + sum(|one| one.calls);
    let files = pluralize(report.workspaces.count, "kept workspace");
    let done = if report.dry_run { "would be removed" } else { "removed" };
    print_line(&format!(
        "{} of the store and {files} ({}) {done}",
        size(bytes),
        size(report.workspaces.bytes)
    ));
}

/// A count of episodes with their bytes.
fn counted(count: PruneCount) -> String {
    match count.count {
        0 => "-".to_owned(),
        episodes => format!("{} ({})", pluralize(episodes, "episode"), size(count.bytes)),
    }
}
