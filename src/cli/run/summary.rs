//! The end of a run: the JSON document of `run --json`, and the table with the next step for
//! people. `run`, `retry` and `watch` print it.

use crate::cli::terminal::output::{pluralize, table};
use serde::Serialize;
use std::time::Duration;
use synthd_actors::campaign::CampaignProgress;
use synthd_actors::model::{
    CampaignState, DiversityCounts, EpisodeCounts, FaultCounts, Money, NewVersion, RowCounts,
    TokenCounts, WorkName,
};

/// The document that `run --json` ends with. Scripts depend on its keys, so they must not change.
#[derive(Serialize)]
pub(in crate::cli) struct RunSummary {
    campaign: String,
    /// The kind of work. It is absent for trajectories, as before there were kinds.
    #[serde(skip_serializing_if = "WorkName::is_usual")]
    kind: WorkName,
    /// The campaign's state, or `interrupted`.
    state: &'static str,
    /// Why the campaign is paused or stopped.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    tasks: u64,
    episodes: EpisodeCounts,
    /// Faulted episodes by the kind of their fault.
    #[serde(skip_serializing_if = "FaultCounts::is_empty")]
    faults: FaultCounts,
    steps: u64,
    tokens: TokenCounts,
    /// What the campaign has spent in all its runs.
    cost_usd: Money,
    rows: RowCounts,
    /// How diverse the newest episodes are, if the campaign watches it.
    #[serde(skip_serializing_if = "Option::is_none")]
    diversity: Option<DiversityCounts>,
    /// The newest dataset version, if there is one.
    dataset: Option<SummaryDataset>,
    /// The duration of the run. None for `watch`, which does not know when the run began.
    #[serde(skip_serializing_if = "Option::is_none")]
    wall_seconds: Option<f64>,
}

/// A dataset version in the summary.
#[derive(Serialize)]
struct SummaryDataset {
    version: u32,
    /// The directory of the version.
    path: String,
}

impl RunSummary {
    /// The summary of a campaign's last progress. `wall` is the duration of the run, if it is
    /// known. A campaign that was interrupted while it ran is shown as `interrupted`, because
    /// "running" would be wrong.
    pub(in crate::cli) fn of(
        last: &CampaignProgress,
        wall: Option<Duration>,
        interrupted: bool,
    ) -> Self {
        let cut_short = interrupted && last.state == CampaignState::Running;
        Self {
            campaign: last.campaign.to_string(),
            kind: last.kind,
            state: if cut_short { "interrupted" } else { last.state.as_str() },
            reason: last.reason.clone(),
            tasks: last.tasks,
            episodes: last.episodes,
            faults: last.faults.clone(),
            steps: last.steps,
            tokens: last.tokens,
            cost_usd: last.cost_usd,
            rows: last.rows,
            diversity: last.diversity,
            dataset: last
                .dataset
                .as_ref()
                .map(|d| SummaryDataset { version: d.version, path: d.path.clone() }),
            wall_seconds: wall.map(|wall| (wall.as_secs_f64() * 1_000.0).round() / 1_000.0),
        }
    }
}

/// The text at the end of a run: what happened before, the figures, the next step, and what
/// faulted.
pub(in crate::cli) fn closing_text(
    last: &CampaignProgress,
    summary: &RunSummary,
    interrupted: bool,
) -> String {
    let mut text = String::new();
    if last.already_complete && last.state == CampaignState::Complete {
        text.push_str(&before(last));
    }
    text.push_str(&figures(last, summary).to_string());
    text.push('\n');
    text.push_str(&next_step(last, interrupted));
    text.push_str(&faulted(last));
    text
}

/// What happened to a campaign that had no episode left to run. A new dataset version may still
/// have been written, for example because its settings have changed.
fn before(last: &CampaignProgress) -> String {
    let name = &last.campaign;
    match (&last.dataset, last.new_version) {
        (Some(dataset), Some(new)) => format!(
            "Campaign {name} was complete already. {}, so version {} was written.\n",
            reason(new),
            dataset.version
        ),
        _ => format!("Campaign {name} is complete already; nothing was changed.\n"),
    }
}

/// Why a complete campaign got a new dataset version.
fn reason(new: NewVersion) -> &'static str {
    match new {
        NewVersion::First => "It had no dataset",
        NewVersion::Lost => "Its dataset was missing or damaged",
        NewVersion::RowFormat => "Its dataset has the row format of another synthd",
        NewVersion::Licence => "Its licence has changed",
        NewVersion::Configuration => "Its configuration has changed",
        NewVersion::Rows => "Its rows have changed",
    }
}

/// A note about faulted episodes with the command that tries them again; empty if there are none.
fn faulted(last: &CampaignProgress) -> String {
    let count = last.episodes.faulted;
    if count == 0 {
        return String::new();
    }
    let kinds = match last.faults.is_empty() {
        true => String::new(),
        false => format!(" ({})", last.faults),
    };
    let have = if count == 1 { "has" } else { "have" };
    format!(
        "\n{} faulted and {have} no label{kinds}.\nTry again: synthd retry {}",
        pluralize(count, last.kind.unit()),
        last.campaign
    )
}

/// The table of figures. A complete campaign with faulted episodes is shown as complete except for
/// those, so that nobody takes it for a full success.
fn figures(last: &CampaignProgress, summary: &RunSummary) -> comfy_table::Table {
    let counts = &last.episodes;
    let mut rows = table(&["campaign", last.campaign.as_str()]);
    let finished = format!("{} of {}", counts.finished, counts.planned);
    let is_completions = last.kind == WorkName::Completions;
    let solved = match last.kind {
        WorkName::Trajectories => format!(
            "{} resolved, {} unresolved, {} faulted",
            counts.resolved, counts.unresolved, counts.faulted
        ),
        WorkName::Completions => {
            format!("{} answered, {} faulted", counts.answered, counts.faulted)
        }
    };
    let state = match (last.state, counts.faulted) {
        (CampaignState::Complete, 1..) => {
            format!(
                "complete, except {} of {}",
                counts.faulted,
                pluralize(counts.planned, last.kind.unit())
            )
        }
        _ => summary.state.to_owned(),
    };
    rows.add_row(["state", &state]);
    let (tasks, units) = (last.kind.task(), last.kind.unit());
    rows.add_row([format!("{tasks}s"), last.tasks.to_string()]);
    rows.add_row([format!("{units}s"), finished]);
    rows.add_row(["", &solved]);
    if !is_completions {
        rows.add_row(["steps", &last.steps.to_string()]);
    }
    rows.add_row(["tokens", &last.tokens.to_string()]);
    rows.add_row(["cost", &format!("${}", last.cost_usd)]);
    rows.add_row([
        "rows",
        &format!("{} kept, {} rejected", last.rows.accepted, last.rows.rejected),
    ]);
    if let Some(found) = &last.diversity {
        rows.add_row(["diversity", &diversity(found)]);
    }
    if let Some(seconds) = summary.wall_seconds {
        rows.add_row(["time", &format!("{seconds:.1} s")]);
    }
    rows
}

/// How diverse the newest episodes are, and how many windows were below the floor.
fn diversity(found: &DiversityCounts) -> String {
    let newest = &found.newest;
    let windows = pluralize(found.windows, "window");
    format!(
        "distinct {:.3}, Vendi share {:.3}; {} of {windows} below the floor",
        newest.distinct, newest.vendi, found.low
    )
}

/// A path relative to the working directory, if it is below it; otherwise the path as it is.
fn near(path: &str) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    let below = std::path::Path::new(path).strip_prefix(here);
    below.map_or_else(|_| path.to_owned(), |below| below.display().to_string())
}

/// What the user can do next: look at the dataset, resume, or raise a cap. An interruption comes
/// first, because a dataset of an earlier run may exist too.
fn next_step(last: &CampaignProgress, interrupted: bool) -> String {
    match (&last.dataset, last.state) {
        _ if interrupted => "Stopped. Run the same command again to resume.".to_owned(),
        (Some(dataset), _) => format!(
            "Dataset v{} is in {}\nLook at it: synthd dataset stats {}",
            dataset.version,
            near(&dataset.path),
            near(&dataset.path)
        ),
        (None, CampaignState::Stopped) => format!(
            "Stopped at a cap: {}\nTo continue, raise this cap and run the campaign again. The caps \
             are `usd` and `day_usd` of [budget], and `budget_usd` of a model. The cap of a day \
             is free again at midnight UTC.",
            last.reason.as_deref().unwrap_or("spent")
        ),
        (None, state) => format!(
            "The campaign is {}: {}",
            state.as_str(),
            last.reason.as_deref().unwrap_or("no reason was given")
        ),
    }
}
