//! `pause`, `resume`, `cancel`, `drain` and `shutdown`: one order each.

use super::daemon_address::{DaemonAddress, parse_answer, print_failure};
use super::output::{eprint_line, pluralize, print_json, print_line};
use crate::control::protocol::{CampaignParams, ControlCommand, NoParams, ShutdownParams};
use crate::control::socket::wait_released;
use crate::error::Result;
use clap::Args;
use serde_json::{Value, json};
use std::process::ExitCode;
use synthd_actors::campaign::CampaignProgress;

/// A campaign of a daemon.
#[derive(Args)]
pub(super) struct CampaignControlArgs {
    /// The campaign's name
    campaign: String,
    #[command(flatten)]
    dial: DaemonAddress,
    /// Print the campaign's state as one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
#[command(
    after_help = "The daemon refuses new work and waits for running episodes. It stays up and answers requests. \
The next start resumes the campaigns that were running.

Examples:
  synthd drain
  synthd drain --shutdown --data-dir /data/synthd"
)]
pub(super) struct DrainArgs {
    #[command(flatten)]
    dial: DaemonAddress,
    /// End the daemon when it is at rest
    #[arg(long)]
    shutdown: bool,
    /// Print the state of every campaign as one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
#[command(
    after_help = "Running episodes may finish within the daemon's drain_timeout. The command returns when the \
daemon has ended. The next start of the daemon resumes its campaigns.

Examples:
  synthd shutdown
  synthd shutdown --now"
)]
pub(super) struct ShutdownArgs {
    #[command(flatten)]
    dial: DaemonAddress,
    /// Cut off running episodes; they stay resumable
    #[arg(long)]
    now: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

pub(super) fn pause(args: CampaignControlArgs) -> Result<ExitCode> {
    told_to(args, ControlCommand::Pause, "starts no more episodes; running episodes continue")
}

pub(super) fn resume(args: CampaignControlArgs) -> Result<ExitCode> {
    told_to(args, ControlCommand::Resume, "goes on")
}

pub(super) fn cancel(args: CampaignControlArgs) -> Result<ExitCode> {
    told_to(args, ControlCommand::Cancel, "has ended; finished work is kept")
}

fn told_to(
    args: CampaignControlArgs,
    order: fn(CampaignParams) -> ControlCommand,
    effect: &str,
) -> Result<ExitCode> {
    let order = order(CampaignParams { campaign: args.campaign });
    args.dial.ask_and_print(&order, args.json, |answer| {
        let now: CampaignProgress = parse_answer(answer)?;
        print_line(&format!("{} is {}: it {effect}", now.campaign, now.state.as_str()));
        Ok(())
    })
}

pub(super) fn drain(args: &DrainArgs) -> Result<ExitCode> {
    let mut client = args.dial.connect()?;
    let answer = match client.ask(&ControlCommand::Drain(NoParams {}), waiting) {
        Ok(answer) => answer,
        Err(failure) => return print_failure(failure, args.json),
    };
    if args.json {
        print_json(&answer)?;
    } else {
        print_line("at rest; the daemon refuses new work until its next start");
    }
    if args.shutdown { leave(&args.dial, false, args.json, true) } else { Ok(ExitCode::SUCCESS) }
}

pub(super) fn shutdown(args: &ShutdownArgs) -> Result<ExitCode> {
    leave(&args.dial, args.now, args.json, false)
}

fn leave(dial: &DaemonAddress, now: bool, json: bool, quietly: bool) -> Result<ExitCode> {
    let mut client = dial.connect()?;
    if let Err(failure) = client.ask(&ControlCommand::Shutdown(ShutdownParams { now }), waiting) {
        return print_failure(failure, json);
    }
    client.wait_closed();
    wait_released(&dial.path());
    match (json, quietly) {
        (true, true) => {}
        (true, false) => print_json(&json!({ "ended": true }))?,
        (false, _) => print_line("the daemon has ended"),
    }
    Ok(ExitCode::SUCCESS)
}

/// A line every few seconds says what remains.
fn waiting(event: Value) {
    if let Some(running) = event["running"].as_u64() {
        eprint_line(&format!("waiting for {}", pluralize(running, "running episode")));
    }
}
