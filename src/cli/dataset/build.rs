//! `synthd dataset build`: writes a dataset version from the rows that a campaign has so far. The
//! campaign may be unfinished, and can go on afterwards.

use super::recipe;
use crate::cli::terminal::output::{print_json, print_line};
use crate::cli::terminal::terminal_text::escape_line;
use crate::cli::{DataDir, campaign};
use crate::config;
use crate::dataset::ParquetSink;
use crate::error::{Code, Error, Result};
use crate::running_engine::{SystemClock, fault_error, run_in_actor_system, store_error};
use crate::store::Store;
use clap::Args;
use serde_json::json;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use synthd_actors::collector::CollectorHandle;
use synthd_actors::model::CampaignCounts;
use synthd_actors::model::{CampaignRecord, DatasetRecord};
use synthd_actors::ports::{Clock, Journal};
use synthd_actors::quality::{PublishDataset, QualityHandle, QualityServices};

#[derive(Args)]
#[command(
    after_help = "Of a campaign, the version has every judged episode that its own [quality] and [dataset] keep. \
Of a recipe (a file whose name ends in .toml, see docs/recipes.md), it has the rows of all its \
sources that its stages leave. The campaigns do not change and can continue. If the version \
would equal the newest version, nothing is written.

Examples:
  synthd dataset build quickstart
  synthd dataset build recipes/agents.toml
  synthd dataset build quickstart --data-dir /data/synthd --json | jq .path"
)]
pub(in crate::cli) struct DatasetBuildArgs {
    /// The campaign's name, or the path of a recipe
    #[arg(value_name = "CAMPAIGN|RECIPE.toml")]
    campaign: String,
    /// Print one JSON document
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) data: DataDir,
}

/// Builds the version. The name of a campaign has no dot, so it is no path of a recipe. The store is opened for writing, so no engine may have the data directory
/// (`DataDirInUse`).
pub(super) fn run(args: &DatasetBuildArgs) -> Result<ExitCode> {
    let path = Path::new(&args.campaign);
    if path.extension().is_some_and(|ending| ending == "toml") {
        return recipe::run(args, path);
    }
    let dir = &args.data.data_dir;
    // A read-only opening fails if there is no store. An opening for writing would create one.
    drop(Store::open_read_only(dir)?);
    let store = Store::open(dir)?;
    run_in_actor_system(build(store, dir, args))?
}

/// Publishes a version and prints it. The barrier makes sure that the record of the version is on
/// the disk before the command reports success.
async fn build(store: Store, dir: &Path, args: &DatasetBuildArgs) -> Result<ExitCode> {
    let record = campaign::find(&store, &args.campaign).await?;
    let figures = store.figures(&record.name).await.map_err(store_error)?;
    if figures.rows.accepted + figures.rows.rejected == 0 {
        let what = format!("no episode of campaign {} has been judged yet", record.name);
        return Err(Error::new(Code::BadUsage, what)
            .hint("run the campaign first; `synthd campaign show` shows its progress"));
    }
    let version = publish(&store, dir, &record, &figures).await?;
    store.barrier().await.map_err(store_error)?;
    match args.json {
        true => print_json(&document(&version, &figures))?,
        false => show(&version, &figures),
    }
    Ok(ExitCode::SUCCESS)
}

/// Publishes a version with the campaign's own quality and dataset settings. Only the actors that
/// this needs are started: collector and quality. A version equal to the newest one is not written
/// again; then the result is the newest one.
async fn publish(
    store: &Store,
    dir: &Path,
    record: &CampaignRecord,
    figures: &CampaignCounts,
) -> Result<DatasetRecord> {
    let name = format!("the stored campaign {}", record.name);
    let config = config::parse_stored_campaign(&name, &record.config)?.config;
    let journal: Arc<dyn Journal> = Arc::new(store.clone());
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let collector = CollectorHandle::new(journal.clone());
    let sink = Arc::new(ParquetSink::new(dir));
    let (quality, _lives) =
        QualityHandle::start(1, &QualityServices { collector, journal, sink, clock });
    let publish = PublishDataset {
        campaign: record.name.clone(),
        config: Arc::new(config),
        planned: figures.episodes.planned,
        faulted: figures.episodes.faulted,
    };
    let published = quality.publish(publish).await.map_err(|fault| fault_error(&fault))?;
    Ok(published.record)
}

/// The number of planned episodes that are not in the version, because they have not ended or were
/// not judged yet. Faulted episodes do not count: they have no row.
fn left_out(figures: &CampaignCounts) -> u64 {
    let judged = figures.rows.accepted + figures.rows.rejected;
    figures.episodes.planned.saturating_sub(judged + figures.episodes.faulted)
}

/// The version as JSON.
fn document(version: &DatasetRecord, figures: &CampaignCounts) -> serde_json::Value {
    json!({
        "campaign": version.campaign, "version": version.version, "path": version.path,
        "rows": version.rows, "rejected": version.rejected, "episodes": figures.episodes,
        "left_out": left_out(figures),
    })
}

/// Prints the version and how many planned episodes are not in it.
fn show(version: &DatasetRecord, figures: &CampaignCounts) {
    let rows: u64 = version.rows.values().sum();
    let noun = if rows == 1 { "row" } else { "rows" };
    print_line(&format!(
        "{}: version {}, {rows} {noun}",
        escape_line(&version.path),
        version.version
    ));
    let left = left_out(figures);
    if left > 0 {
        let noun = if left == 1 { "episode is" } else { "episodes are" };
        print_line(&format!(
            "{left} planned {noun} not in the version: not ended or not judged yet"
        ));
    }
}
