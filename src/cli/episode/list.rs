//! `synthd episode list`: lists episodes with their outcomes, one line for each.

use super::outcome_label;
use crate::cli::DataDir;
use crate::cli::terminal::layout::{TableColumn, beginning, lines};
use crate::cli::terminal::output::{print_json, print_line, width};
use crate::error::{Code, Error, Result};
use crate::running_engine::store_error;
use crate::store::Store;
use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::process::ExitCode;
use synthd_actors::model::{EpisodeRecord, Outcome};
use synthd_actors::ports::Journal;
use synthd_actors::task::glob_matches;

#[derive(Args)]
#[command(after_help = "Examples:
  synthd episode list
  synthd episode list --outcome unresolved --template 'debugging/*'
  synthd episode list --model scripted/oracle --json | jq .counts")]
pub(in crate::cli) struct EpisodeListArgs {
    /// Only episodes of this campaign
    #[arg(long, value_name = "NAME")]
    campaign: Option<String>,
    /// Only episodes with this outcome
    #[arg(long, value_enum)]
    outcome: Option<OutcomeFilter>,
    /// Only episodes of this model, with its provider or without: scripted/oracle, oracle
    #[arg(long)]
    model: Option<String>,
    /// Only episodes whose template matches
    #[arg(long, value_name = "GLOB")]
    template: Option<String>,
    /// List at most N episodes
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    pub(super) data: DataDir,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum OutcomeFilter {
    /// Every check passed in both verifications
    Resolved,
    /// A check failed
    Unresolved,
    /// An infrastructure fault ended the episode; it has no label
    Faulted,
    /// The two verifications disagreed
    Flaky,
    /// A model answered; completions are not verified
    Answered,
    /// Not finished yet
    Pending,
}

impl OutcomeFilter {
    /// The word that `outcome_label` has for the same outcome.
    fn as_str(self) -> &'static str {
        match self {
            Self::Resolved => "resolved",
            Self::Unresolved => "unresolved",
            Self::Faulted => "faulted",
            Self::Flaky => "flaky",
            Self::Answered => "answered",
            Self::Pending => "pending",
        }
    }
}

/// Prints the episodes that match all filters. The counts are those of all of them, even if
/// `--limit` shows fewer.
pub(super) async fn run(store: &Store, args: &EpisodeListArgs) -> Result<ExitCode> {
    // All episodes are read, also with a filter: the length at which an id is unique depends on all
    // of them.
    let known = super::all(store).await?;
    if let Some(name) = &args.campaign {
        require_campaign(store, name).await?;
    }
    let found: Vec<&EpisodeRecord> = known.iter().filter(|record| wanted(record, args)).collect();
    let counts = count(&found);
    let shown = &found[..found.len().min(args.limit.unwrap_or(usize::MAX))];
    if args.json {
        let episodes: Vec<Value> = shown.iter().map(|record| entry(record)).collect();
        print_json(&json!({ "total": found.len(), "counts": counts, "episodes": episodes }))?;
    } else {
        show(&known, shown, found.len(), &counts);
    }
    Ok(ExitCode::SUCCESS)
}

/// Checks that a campaign with this name exists, so that a mistyped name is not an empty list.
async fn require_campaign(store: &Store, name: &str) -> Result<()> {
    let campaigns = store.campaigns().await.map_err(store_error)?;
    if campaigns.iter().any(|campaign| campaign.name.as_str() == name) {
        return Ok(());
    }
    let names: Vec<&str> = campaigns.iter().map(|campaign| campaign.name.as_str()).collect();
    let hint = match names.as_slice() {
        [] => "this data directory holds no campaign yet".to_owned(),
        names => format!("this data directory holds {}", names.join(", ")),
    };
    Err(Error::new(Code::BadUsage, format!("there is no campaign {name:?}")).hint(hint))
}

/// Whether an episode matches all filters of the command line.
fn wanted(record: &EpisodeRecord, args: &EpisodeListArgs) -> bool {
    let plan = &record.plan;
    args.campaign.as_ref().is_none_or(|name| plan.campaign.as_str() == name)
        && args.outcome.is_none_or(|outcome| outcome.as_str() == outcome_label(record))
        && args.model.as_ref().is_none_or(|model| is_called(&plan.model, model))
        && args.template.as_ref().is_none_or(|glob| glob_matches(glob, &plan.template))
}

/// Whether a model goes by this name: the whole name, as campaigns have it (`scripted/oracle`), or
/// the part after the provider, as dataset rows have it (`oracle`).
fn is_called(model: &str, name: &str) -> bool {
    model == name
        || model.strip_suffix(name).is_some_and(|before| before.ends_with('/')) && !name.is_empty()
}

/// Counts the episodes by outcome. Every outcome is in the result, so that scripts find each key.
fn count(found: &[&EpisodeRecord]) -> BTreeMap<&'static str, u64> {
    let all = OutcomeFilter::value_variants();
    let mut counts: BTreeMap<_, _> = all.iter().map(|outcome| (outcome.as_str(), 0)).collect();
    for record in found {
        *counts.entry(outcome_label(record)).or_default() += 1;
    }
    counts
}

/// One episode as JSON.
fn entry(record: &EpisodeRecord) -> Value {
    let plan = &record.plan;
    let (score, stop) = match &record.outcome {
        Some(Outcome::Judged { stop, verdict }) => (Some(verdict.score), Some(stop.as_str())),
        _ => (None, None),
    };
    let mut entry = json!({
        "id": plan.id, "campaign": plan.campaign, "ordinal": plan.ordinal, "task": plan.task,
        "template": plan.template, "index": plan.index, "category": plan.category,
        "difficulty": plan.difficulty, "model": plan.model, "scaffold": plan.scaffold,
        "outcome": outcome_label(record), "score": score, "stop": stop,
        "steps": record.steps, "attempt": record.attempt, "usage": record.usage,
        "cost_usd": record.cost, "started_at_ms": record.started_at_ms,
        "finished_at_ms": record.finished_at_ms,
    });
    if let Some(reason) = &plan.reason {
        entry["reason"] = reason.as_str().into();
    }
    if record.uncounted_calls > 0 {
        entry["uncounted_calls"] = record.uncounted_calls.into();
    }
    entry
}

/// Prints the table and a line with the counts, in the order of the outcomes.
fn show(
    known: &[EpisodeRecord],
    shown: &[&EpisodeRecord],
    total: usize,
    counts: &BTreeMap<&str, u64>,
) {
    if !shown.is_empty() {
        print_line(&table(shown, shortest_prefix(known)));
    }
    let order = OutcomeFilter::value_variants().iter().map(|outcome| outcome.as_str());
    let parts: Vec<String> = order
        .filter_map(|label| counts.get(label).filter(|count| **count > 0).map(|n| (label, n)))
        .map(|(label, count)| format!("{count} {label}"))
        .collect();
    let noun = if total == 1 { "episode" } else { "episodes" };
    let detail = if parts.is_empty() { String::new() } else { format!(": {}", parts.join(", ")) };
    print_line(&format!("{total} {noun}{detail}"));
    if shown.len() < total {
        print_line(&format!("the first {} are shown; --limit shows more", shown.len()));
    }
}

/// The number of characters that tell every id from all others, at least as many as [`SHORT_ID`].
fn shortest_prefix(known: &[EpisodeRecord]) -> usize {
    let mut ids: Vec<&str> = known.iter().map(|record| record.plan.id.as_str()).collect();
    ids.sort_unstable();
    let common =
        |pair: &[&str]| pair[0].bytes().zip(pair[1].bytes()).take_while(|(a, b)| a == b).count();
    let longest = ids.windows(2).map(common).max().unwrap_or(0);
    (longest + 1).max(SHORT_ID)
}

/// The fewest characters of an id that are shown.
const SHORT_ID: usize = "ep-01234567".len();

/// The table of episodes. Ids may be cut down to `id` characters: `episode show` takes any
/// beginning of an id that only one episode has.
fn table(shown: &[&EpisodeRecord], id: usize) -> String {
    let columns = [
        TableColumn::new("id").at_least(id).cut_by(beginning),
        TableColumn::new("template").at_least(10).spare(1),
        TableColumn::new("model").at_least(10),
        TableColumn::new("outcome"),
        TableColumn::right("steps").spare(2),
        TableColumn::right("attempt").spare(3),
    ];
    let cells = |record: &&EpisodeRecord| {
        let plan = &record.plan;
        let (steps, attempt) = (record.steps.to_string(), record.attempt.to_string());
        let outcome = outcome_label(record);
        let cells = [plan.id.as_str(), &plan.template, &plan.model, outcome, &steps, &attempt];
        cells.map(str::to_owned).to_vec()
    };
    lines(&columns, &shown.iter().map(cells).collect::<Vec<_>>(), width())
}

#[cfg(test)]
mod tests {
    use super::is_called;

    /// Rows have the provider in a column of its own.
    #[test]
    fn a_model_is_found_by_the_name_of_the_campaign_and_of_the_rows() {
        for (model, name, expected) in [
            ("scripted/oracle", "scripted/oracle", true),
            ("scripted/oracle", "oracle", true),
            ("openrouter/acme/large", "acme/large", true),
            ("openrouter/acme/large", "large", true),
            ("scripted/oracle", "racle", false),
            ("scripted/oracle", "scripted", false),
            ("scripted/oracle", "", false),
        ] {
            assert_eq!(is_called(model, name), expected, "{model} {name}");
        }
    }
}
