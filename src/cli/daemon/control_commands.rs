//! `synthd pause`, `resume`, `cancel`, `drain` and `shutdown`. Each sends one command to a daemon
//! over the control socket and prints the answer.

use crate::cli::daemon::daemon_address::{DaemonAddress, parse_answer, print_failure};
use crate::cli::terminal::output::{eprint_line, pluralize, print_json, print_line};
use crate::control::protocol::{CampaignParams, ControlCommand, NoParams, ShutdownParams};
use crate::control::socket::wait_released;
use crate::error::Result;
use clap::Args;
use serde_json::{Value, json};
use std::process::ExitCode;
use synthd_actors::campaign::CampaignProgress;

/// A campaign of a daemon.
#[derive(Args)]
pub(in crate::cli) struct CampaignControlArgs {
    /// The campaign's name
    campaign: String,
    #[command(flatten)]
    daemon: DaemonAddress,
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
pub(in crate::cli) struct DrainArgs {
    #[command(flatten)]
    daemon: DaemonAddress,
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
pub(in crate::cli) struct ShutdownArgs {
    #[command(flatten)]
    daemon: DaemonAddress,
    /// Cut off running episodes; they stay resumable
    #[arg(long)]
    now: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// `synthd pause CAMPAIGN`.
pub(in crate::cli) fn pause(args: CampaignControlArgs) -> Result<ExitCode> {
    told_to(args, ControlCommand::Pause, "starts no more episodes; running episodes continue")
}

/// `synthd resume CAMPAIGN`.
pub(in crate::cli) fn resume(args: CampaignControlArgs) -> Result<ExitCode> {
    told_to(args, ControlCommand::Resume, "goes on")
}

/// `synthd cancel CAMPAIGN`.
pub(in crate::cli) fn cancel(args: CampaignControlArgs) -> Result<ExitCode> {
    told_to(args, ControlCommand::Cancel, "has ended; finished work is kept")
}

/// Sends a command about one campaign and prints its new state. `effect` says what the command
/// means for the campaign, such as `goes on`.
fn told_to(
    args: CampaignControlArgs,
    order: fn(CampaignParams) -> ControlCommand,
    effect: &str,
) -> Result<ExitCode> {
    let order = order(CampaignParams { campaign: args.campaign });
    args.daemon.ask_and_print(&order, args.json, |answer| {
        let now: CampaignProgress = parse_answer(answer)?;
        print_line(&format!("{} is {}: it {effect}", now.campaign, now.state.as_str()));
        Ok(())
    })
}

/// `synthd drain`: waits until the daemon is at rest, and with `--shutdown` ends it then.
pub(in crate::cli) fn drain(args: &DrainArgs) -> Result<ExitCode> {
    let mut client = args.daemon.connect()?;
    let answer = match client.ask(&ControlCommand::Drain(NoParams {}), waiting) {
        Ok(answer) => answer,
        Err(failure) => return print_failure(failure, args.json),
    };
    if args.json {
        print_json(&answer)?;
    } else {
        print_line("at rest; the daemon refuses new work until its next start");
    }
    if args.shutdown { leave(&args.daemon, false, args.json, true) } else { Ok(ExitCode::SUCCESS) }
}

/// `synthd shutdown`: ends the daemon and returns when its process has let go of everything.
pub(in crate::cli) fn shutdown(args: &ShutdownArgs) -> Result<ExitCode> {
    leave(&args.daemon, args.now, args.json, false)
}

/// Asks the daemon to end and waits until it has ended. `quietly` is for a command that has printed
/// its JSON document already: one command prints one document.
fn leave(daemon: &DaemonAddress, now: bool, json: bool, quietly: bool) -> Result<ExitCode> {
    let mut client = daemon.connect()?;
    if let Err(failure) = client.ask(&ControlCommand::Shutdown(ShutdownParams { now }), waiting) {
        return print_failure(failure, json);
    }
    // The connection closes just before the process ends; the lock is released when it has ended.
    // After that, another daemon can be started on the same data directory.
    client.wait_closed();
    wait_released(&daemon.path());
    match (json, quietly) {
        (true, true) => {}
        (true, false) => print_json(&json!({ "ended": true }))?,
        (false, _) => print_line("the daemon has ended"),
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints the number of running episodes for each event that the daemon sends while it waits.
fn waiting(event: Value) {
    if let Some(running) = event["running"].as_u64() {
        eprint_line(&format!("waiting for {}", pluralize(running, "running episode")));
    }
}
