//! `synthd campaign show`: shows one campaign: success by model and scaffold, cost, faults, and
//! dataset versions.

use super::{DataDirUse, INTERRUPTED, find, rate};
use crate::cli::DataDir;
use crate::cli::terminal::output::{print_json, print_line, table};
use crate::cli::terminal::terminal_text::escape_line;
use crate::dataset::rfc3339;
use crate::error::Result;
use crate::running_engine::store_error;
use crate::store::Store;
use clap::Args;
use serde::Serialize;
use serde_json::json;
use std::collections::BTreeMap;
use std::process::ExitCode;
use synthd_actors::model::CampaignCounts;
use synthd_actors::model::{CampaignRecord, DatasetRecord, EpisodeRecord, Money, Outcome};
use synthd_actors::ports::Journal;

#[derive(Args)]
#[command(after_help = "Examples:
  synthd campaign show quickstart
  synthd campaign show quickstart --json | jq '.models[].solved'")]
pub(in crate::cli) struct CampaignShowArgs {
    /// The campaign's name
    campaign: String,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    pub(super) data: DataDir,
}

/// The results of one model with one scaffold.
#[derive(Clone, Copy, Debug, Default, Serialize)]
struct ModelScaffoldStats {
    /// Episodes in the plan.
    planned: u64,
    /// Episodes that ended with a verdict, resolved or not.
    labelled: u64,
    /// Episodes that were resolved.
    solved: u64,
    /// Completions that were answered. They have no label.
    answered: u64,
    /// Episodes that ended in a fault and have no label.
    faulted: u64,
    steps: u64,
    /// The cost of the episodes, over all their attempts.
    cost_usd: Money,
}

/// Everything that is shown of the campaign.
struct CampaignOverview {
    record: CampaignRecord,
    /// The state in the store, or `interrupted`.
    state: &'static str,
    /// The counts of tasks, episodes, steps, tokens and rows.
    figures: CampaignCounts,
    /// What the campaign has spent, with open holds in full.
    spent: Money,
    /// The results by model and scaffold.
    models: BTreeMap<(String, String), ModelScaffoldStats>,
    /// The faulted episodes by the kind of their fault.
    faults: BTreeMap<&'static str, u64>,
    /// The dataset versions.
    versions: Vec<DatasetRecord>,
}

/// Reads everything about the campaign and prints it.
pub(super) async fn run(store: &Store, args: &CampaignShowArgs) -> Result<ExitCode> {
    let watched = DataDirUse::of(&args.data.data_dir);
    let record = find(store, &args.campaign).await?;
    let episodes = store.episodes(&record.name).await.map_err(store_error)?;
    let page = CampaignOverview {
        figures: store.figures(&record.name).await.map_err(store_error)?,
        spent: store.spent(&record.name).await.map_err(store_error)?,
        models: models(&episodes),
        faults: faults(&episodes),
        versions: store.datasets(&record.name).await.map_err(store_error)?,
        state: watched.state(&record),
        record,
    };
    match args.json {
        true => print_json(&document(&page))?,
        false => show(&page),
    }
    Ok(ExitCode::SUCCESS)
}

/// Adds up the episodes by model and scaffold. Episodes without an outcome count as planned only.
fn models(episodes: &[EpisodeRecord]) -> BTreeMap<(String, String), ModelScaffoldStats> {
    let mut models: BTreeMap<_, ModelScaffoldStats> = BTreeMap::new();
    for episode in episodes {
        let plan = &episode.plan;
        let share = models.entry((plan.model.clone(), plan.scaffold.clone())).or_default();
        share.planned += 1;
        share.steps += u64::from(episode.steps);
        share.cost_usd = share.cost_usd.saturating_add(episode.cost);
        match &episode.outcome {
            Some(Outcome::Faulted { .. }) => share.faulted += 1,
            Some(Outcome::Answered { .. }) => share.answered += 1,
            Some(outcome @ Outcome::Judged { .. }) => {
                share.labelled += 1;
                share.solved += u64::from(outcome.label() == "resolved");
            }
            None => {}
        }
    }
    models
}

/// Counts the faulted episodes by kind.
fn faults(episodes: &[EpisodeRecord]) -> BTreeMap<&'static str, u64> {
    let mut faults = BTreeMap::new();
    for episode in episodes {
        if let Some(Outcome::Faulted { fault }) = &episode.outcome {
            *faults.entry(fault.kind.as_str()).or_default() += 1;
        }
    }
    faults
}

/// The overview as JSON. Keys of this document must not change, because scripts read them.
fn document(page: &CampaignOverview) -> serde_json::Value {
    let CampaignOverview { record, state, figures, spent, models, faults, versions } = page;
    let models: Vec<_> = models
        .iter()
        .map(|((model, scaffold), share)| {
            json!({ "model": model, "scaffold": scaffold, "planned": share.planned,
                "labelled": share.labelled, "solved": share.solved, "answered": share.answered, "faulted": share.faulted,
                "steps": share.steps, "cost_usd": share.cost_usd })
        })
        .collect();
    json!({
        "campaign": record.name, "state": state, "reason": record.reason,
        "created_at_ms": record.created_at_ms, "tasks": figures.tasks,
        "episodes": figures.episodes, "steps": figures.steps, "tokens": figures.tokens,
        "rows": figures.rows, "cost_usd": spent, "models": models, "faults": faults,
        "versions": versions,
    })
}

/// Prints the overview: state, counts and cost, then the tables of models and faults, then the
/// versions.
fn show(page: &CampaignOverview) {
    let CampaignOverview { record, figures, spent, models, faults, versions, .. } = page;
    let episodes = figures.episodes;
    let mut rows = table(&["campaign", &escape_line(record.name.as_str())]);
    let mut state = page.state.to_owned();
    if state == INTERRUPTED {
        state.push_str(": no engine runs it; run or submit its file again to resume it");
    }
    if let Some(reason) = &record.reason {
        state.push_str(&format!(": {}", escape_line(reason)));
    }
    rows.add_row(["state", &state]);
    rows.add_row(["begun", &rfc3339(record.created_at_ms)]);
    rows.add_row(["episodes", &format!("{} of {}", episodes.finished, episodes.planned)]);
    rows.add_row(["steps", &figures.steps.to_string()]);
    rows.add_row(["tokens", &figures.tokens.to_string()]);
    let kept = figures.rows;
    rows.add_row(["rows", &format!("{} accepted, {} rejected", kept.accepted, kept.rejected)]);
    rows.add_row(["cost", &format!("${spent}")]);
    // Calls that led to no turn, and calls in progress, are in the campaign's spending but in no
    // episode.
    let of_models: Money = models.values().map(|share| share.cost_usd).sum();
    let rest = spent.saturating_sub(of_models);
    if !rest.is_zero() {
        rows.add_row([
            "",
            &format!("${rest} of it for calls that no turn came of, or on their way"),
        ]);
    }
    print_line(&rows.to_string());
    show_models(models);
    if !faults.is_empty() {
        let mut rows = table(&["fault", "episodes"]);
        for (kind, count) in faults {
            rows.add_row([(*kind).to_owned(), count.to_string()]);
        }
        print_line(&format!("\n{rows}"));
    }
    show_versions(page, versions);
}

/// Prints the table of models and scaffolds.
fn show_models(models: &BTreeMap<(String, String), ModelScaffoldStats>) {
    let mut rows = table(&["model", "scaffold", "episodes", "solved", "faulted", "cost"]);
    for ((model, scaffold), share) in models {
        rows.add_row([
            escape_line(model),
            escape_line(scaffold),
            format!("{} of {}", share.labelled + share.answered + share.faulted, share.planned),
            rate(share.solved, share.labelled),
            share.faulted.to_string(),
            format!("${}", share.cost_usd),
        ]);
    }
    print_line(&format!("\n{rows}"));
}

/// Prints the dataset versions with their paths.
fn show_versions(page: &CampaignOverview, versions: &[DatasetRecord]) {
    if versions.is_empty() {
        let campaign = escape_line(page.record.name.as_str());
        print_line(&format!(
            "\nno dataset yet; `synthd dataset build {campaign}` makes one of the finished episodes"
        ));
        return;
    }
    print_line("");
    for version in versions {
        let count: u64 = version.rows.values().sum();
        let noun = if count == 1 { "row" } else { "rows" };
        // The path is never cut, because people copy it.
        let path = escape_line(&version.path);
        print_line(&format!(" dataset v{}, {count} {noun}: {path}", version.version));
    }
}
