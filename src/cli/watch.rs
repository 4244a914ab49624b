//! `synthd watch`: follows a campaign to its end.

use super::dial::{Dial, read, told};
use super::output::{complain, on_terminal, reader_left, say};
use super::run::{exit_code, progress, summary};
use crate::control::protocol::{MaybeNamed, Order};
use crate::error::Result;
use clap::Args;
use serde_json::Value;
use std::ops::ControlFlow;
use std::process::ExitCode;
use synthd_actors::campaign::Progress;
use synthd_actors::model::CampaignState;

#[derive(Args)]
#[command(
    after_help = "The command ends when the campaign ends, with the exit code that `synthd run` would give. It \
waits for a campaign that a client has paused.

Examples:
  synthd watch
  synthd watch quickstart --data-dir /data/synthd
  synthd watch quickstart --json | jq .episodes.finished"
)]
pub(super) struct WatchArgs {
    /// The campaign; optional if only one is running
    campaign: Option<String>,
    #[command(flatten)]
    dial: Dial,
    /// Print the campaign's state as a line of JSON at every change
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: WatchArgs) -> Result<ExitCode> {
    let order = Order::Watch(MaybeNamed { campaign: args.campaign });
    let mut client = args.dial.connect()?;
    let mut view = View::new(args.json);
    let answered = client.follow(&order, |event| {
        // What this version cannot read it cannot show; the end will tell.
        if let Ok(now) = serde_json::from_value::<Progress>(event.clone()) {
            view.show(&event, &now);
        }
        if reader_left() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    let answer = match answered {
        Ok(Some(answer)) => answer,
        Ok(None) => return Ok(ExitCode::SUCCESS),
        Err(failure) => return told(failure, args.json),
    };
    let last: Progress = read(answer.clone())?;
    view.end(&answer, &last);
    Ok(exit_code(&last, interrupted(&last)))
}

/// At rest, but neither over nor stuck: somebody stopped the engine under it.
fn interrupted(last: &Progress) -> bool {
    match last.state {
        CampaignState::Running => true,
        CampaignState::Paused => !last.escalated,
        _ => false,
    }
}

enum View {
    Json,
    /// Made with the first standing.
    Bar(Option<progress::Shown>),
    /// What was shown last.
    Lines(Option<Box<Progress>>),
}

impl View {
    fn new(json: bool) -> Self {
        match (json, on_terminal()) {
            (true, _) => Self::Json,
            (false, true) => Self::Bar(None),
            (false, false) => Self::Lines(None),
        }
    }

    fn show(&mut self, event: &Value, now: &Progress) {
        match self {
            Self::Json => say(&event.to_string()),
            Self::Bar(bar) => {
                let options = progress::ProgressOptions::default();
                bar.get_or_insert_with(|| progress::Shown::new(now, options)).show(now, &[]);
            }
            Self::Lines(before) => {
                if before.as_ref().is_none_or(|before| moved(before, now)) {
                    say(&line(now));
                    *before = Some(Box::new(now.clone()));
                }
            }
        }
    }

    fn end(&mut self, answer: &Value, last: &Progress) {
        match self {
            Self::Json => return say(&answer.to_string()),
            Self::Bar(Some(bar)) => bar.finish(),
            Self::Bar(None) => {}
            Self::Lines(_) => say(&line(last)),
        }
        let summary = summary::Summary::of(last, None, interrupted(last));
        complain("");
        say(&summary::closing_text(last, &summary, interrupted(last)));
    }
}

fn moved(before: &Progress, now: &Progress) -> bool {
    before.episodes != now.episodes
        || before.state != now.state
        || before.waiting_for != now.waiting_for
}

fn line(now: &Progress) -> String {
    let counts = &now.episodes;
    let state = now.state.as_str();
    let figures = progress::line(now);
    format!("{} {state} [{}/{}] {figures}", now.campaign, counts.finished, counts.planned)
}
