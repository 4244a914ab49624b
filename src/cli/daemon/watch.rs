//! `synthd watch`: follows a campaign to its end and prints its progress. The exit code is the one
//! that `synthd run` would have given.

use crate::cli::daemon::daemon_address::{DaemonAddress, parse_answer, print_failure};
use crate::cli::run::progress::{self, CapLeft, ProgressOptions};
use crate::cli::run::{ended, summary};
use crate::cli::terminal::output::{eprint_line, print_line, stderr_is_terminal, stdout_closed};
use crate::control::protocol::{ControlCommand, OptionalCampaignParams};
use crate::error::Result;
use clap::Args;
use serde_json::Value;
use std::ops::ControlFlow;
use std::process::ExitCode;
use synthd_actors::campaign::CampaignProgress;
use synthd_actors::model::CampaignState;
use synthd_actors::policy::CapStats;

#[derive(Args)]
#[command(
    after_help = "The command ends when the campaign ends, with the exit code that `synthd run` would give. It \
waits for a campaign that a client has paused.

Examples:
  synthd watch
  synthd watch quickstart --data-dir /data/synthd
  synthd watch quickstart --json | jq .episodes.finished"
)]
pub(in crate::cli) struct WatchArgs {
    /// The campaign; optional if only one is running
    campaign: Option<String>,
    #[command(flatten)]
    daemon: DaemonAddress,
    #[command(flatten)]
    progress: ProgressOptions,
    /// Print the campaign's state as a line of JSON at every change
    #[arg(long)]
    json: bool,
}

/// Sends the command `watch` and shows each event. The command ends with the campaign, or with
/// success when the reader of stdout closes its end (`| head`). Its exit code is the one of the
/// campaign.
pub(in crate::cli) fn run(args: WatchArgs) -> Result<ExitCode> {
    let order = ControlCommand::Watch(OptionalCampaignParams { campaign: args.campaign });
    let mut client = args.daemon.connect()?;
    let mut view = WatchView::new(args.json, args.progress);
    let answered = client.follow(&order, |event| {
        // An event that this version cannot read is skipped. The last answer reports a real
        // mismatch.
        if let Ok(now) = serde_json::from_value::<CampaignProgress>(event.clone()) {
            view.show(&event, &now, &caps_left(&event));
        }
        if stdout_closed() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    let answer = match answered {
        Ok(Some(answer)) => answer,
        Ok(None) => return Ok(ExitCode::SUCCESS),
        Err(failure) => return print_failure(failure, args.json),
    };
    let last: CampaignProgress = parse_answer(answer.clone())?;
    view.end(&answer, &last);
    ended(&last, interrupted(&last))
}

/// What is left of each cap of the campaign. Empty if the event does not say it, as that of an older
/// daemon.
fn caps_left(event: &Value) -> Vec<CapLeft> {
    let budgets: Vec<CapStats> =
        serde_json::from_value(event["budgets"].clone()).unwrap_or_default();
    budgets.into_iter().map(CapLeft::of).collect()
}

/// Whether the engine ended while the campaign could still go on. Such a campaign is at rest, but
/// neither over nor paused by a fault.
fn interrupted(last: &CampaignProgress) -> bool {
    match last.state {
        CampaignState::Running => true,
        CampaignState::Paused => !last.escalated,
        _ => false,
    }
}

/// How the progress is shown.
enum WatchView {
    /// Each event is a line of JSON on stdout. With hidden progress, only the last one is.
    Json(ProgressOptions),
    /// A progress bar, if stderr is a terminal. It is made with the first event.
    Bar(Option<progress::ProgressDisplay>),
    /// Lines of text, if stderr is no terminal. The value is the progress that was printed last.
    Lines(Option<Box<CampaignProgress>>),
    /// Only the summary at the end.
    Hidden,
}

impl WatchView {
    /// Chooses the view by the options and by stderr.
    fn new(json: bool, options: ProgressOptions) -> Self {
        match (json, stderr_is_terminal()) {
            (true, _) => Self::Json(options),
            (false, _) if options.is_hidden() => Self::Hidden,
            // A bar goes to stderr, so stderr decides between a bar and lines.
            (false, true) => Self::Bar(None),
            (false, false) => Self::Lines(None),
        }
    }

    /// Shows an event. `caps` is what is left of the caps.
    fn show(&mut self, event: &Value, now: &CampaignProgress, caps: &[CapLeft]) {
        match self {
            Self::Json(options) if options.is_hidden() => {}
            Self::Json(_) => print_line(&event.to_string()),
            Self::Bar(bar) => bar
                .get_or_insert_with(|| {
                    progress::ProgressDisplay::new(now, ProgressOptions::default())
                })
                .show(now, caps),
            Self::Lines(before) => {
                if before.as_ref().is_none_or(|before| moved(before, now)) {
                    print_line(&line(now, caps));
                    *before = Some(Box::new(now.clone()));
                }
            }
            Self::Hidden => {}
        }
    }

    /// Shows the last progress and, except with JSON, the summary.
    fn end(&mut self, answer: &Value, last: &CampaignProgress) {
        match self {
            Self::Json(_) => return print_line(&answer.to_string()),
            Self::Bar(Some(bar)) => bar.finish(),
            Self::Bar(None) | Self::Hidden => {}
            Self::Lines(_) => print_line(&line(last, &[])),
        }
        let summary = summary::RunSummary::of(last, None, interrupted(last));
        if !matches!(self, Self::Hidden) {
            eprint_line("");
        }
        print_line(&summary::closing_text(last, &summary, interrupted(last)));
    }
}

/// Whether the progress differs enough from the one before to print a new line. Costs and steps
/// change too often for that.
fn moved(before: &CampaignProgress, now: &CampaignProgress) -> bool {
    before.episodes != now.episodes
        || before.state != now.state
        || before.waiting_for != now.waiting_for
}

/// The progress as one line of text: `quickstart running [12/108] ..., budget $1.20 left`.
fn line(now: &CampaignProgress, caps: &[CapLeft]) -> String {
    let counts = &now.episodes;
    let state = now.state.as_str();
    let figures = progress::line(now);
    let caps: String = caps.iter().map(|cap| format!(", {cap}")).collect();
    format!("{} {state} [{}/{}] {figures}{caps}", now.campaign, counts.finished, counts.planned)
}
