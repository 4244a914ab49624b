//! `pause`, `resume`, `cancel`, `drain` and `shutdown`: one order each.

use super::dial::{Dial, read, told};
use super::output::{complain, many, say, say_json};
use crate::control::protocol::{Named, Nothing, Order, Shutdown};
use crate::control::socket::wait_released;
use crate::error::Result;
use clap::Args;
use serde_json::{Value, json};
use std::process::ExitCode;
use synthd_actors::campaign::Progress;

/// A campaign of a daemon.
#[derive(Args)]
pub(super) struct CampaignArgs {
    /// The campaign's name
    campaign: String,
    #[command(flatten)]
    dial: Dial,
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
    dial: Dial,
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
    dial: Dial,
    /// Cut off running episodes; they stay resumable
    #[arg(long)]
    now: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

pub(super) fn pause(args: CampaignArgs) -> Result<ExitCode> {
    told_to(args, Order::Pause, "starts no more episodes; running episodes continue")
}

pub(super) fn resume(args: CampaignArgs) -> Result<ExitCode> {
    told_to(args, Order::Resume, "goes on")
}

pub(super) fn cancel(args: CampaignArgs) -> Result<ExitCode> {
    told_to(args, Order::Cancel, "has ended; finished work is kept")
}

fn told_to(args: CampaignArgs, order: fn(Named) -> Order, effect: &str) -> Result<ExitCode> {
    let order = order(Named { campaign: args.campaign });
    args.dial.tell(&order, args.json, |answer| {
        let now: Progress = read(answer)?;
        say(&format!("{} is {}: it {effect}", now.campaign, now.state.as_str()));
        Ok(())
    })
}

pub(super) fn drain(args: &DrainArgs) -> Result<ExitCode> {
    let mut client = args.dial.connect()?;
    let answer = match client.ask(&Order::Drain(Nothing {}), waiting) {
        Ok(answer) => answer,
        Err(failure) => return told(failure, args.json),
    };
    if args.json {
        say_json(&answer)?;
    } else {
        say("at rest; the daemon refuses new work until its next start");
    }
    if args.shutdown { leave(&args.dial, false, args.json, true) } else { Ok(ExitCode::SUCCESS) }
}

pub(super) fn shutdown(args: &ShutdownArgs) -> Result<ExitCode> {
    leave(&args.dial, args.now, args.json, false)
}

fn leave(dial: &Dial, now: bool, json: bool, quietly: bool) -> Result<ExitCode> {
    let mut client = dial.connect()?;
    if let Err(failure) = client.ask(&Order::Shutdown(Shutdown { now }), waiting) {
        return told(failure, json);
    }
    client.wait_closed();
    wait_released(&dial.path());
    match (json, quietly) {
        (true, true) => {}
        (true, false) => say_json(&json!({ "ended": true }))?,
        (false, _) => say("the daemon has ended"),
    }
    Ok(ExitCode::SUCCESS)
}

/// A line every few seconds says what remains.
fn waiting(event: Value) {
    if let Some(running) = event["running"].as_u64() {
        complain(&format!("waiting for {}", many(running, "running episode")));
    }
}
