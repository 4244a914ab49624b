//! `synthd retry`: tries the faulted episodes of a campaign again. If a daemon uses the data
//! directory, the daemon runs them; otherwise this command does, like `synthd run`.

use crate::cli::TemplateDirs;
use crate::cli::daemon::daemon_address::{DaemonAddress, parse_answer, print_failure};
use crate::cli::run::RunRequest;
use crate::cli::run::progress::ProgressOptions;
use crate::cli::terminal::output::{pluralize, print_json, print_line};
use crate::config;
use crate::control::protocol::{ControlCommand, RetryParams};
use crate::error::{Code, Error, Result};
use crate::running_engine::{run_in_actor_system, store_error};
use crate::store::Store;
use crate::templates::TemplateLibrary;
use crate::word_suggestion;
use clap::Args;
use serde_json::Value;
use std::process::ExitCode;
use synthd_actors::campaign::{CampaignProgress, ReopenFilter};
use synthd_actors::model::{CampaignName, CampaignRecord, FaultKind};
use synthd_actors::ports::Journal;

#[derive(Args)]
#[command(
    after_help = "An episode that ended in a fault has no label. Its earlier attempts and their cost stay in the \
record. The episode gets as many new attempts as the campaign allows. A resolved or unresolved \
episode never runs again. A second `synthd run` also tries episodes again, if the reason of \
their fault may have passed.

If a daemon uses the data directory, the daemon runs the episodes.

Examples:
  synthd retry my-campaign
  synthd retry my-campaign --fault model_transient --fault out_of_time
  synthd retry my-campaign --template 'debugging/*'"
)]
pub(super) struct RetryArgs {
    /// The campaign's name
    campaign: String,
    /// Only episodes with this kind of fault (may be repeated); docs/faults.md lists the
    /// kinds
    #[arg(long = "fault", value_name = "KIND", value_parser = kind_of)]
    faults: Vec<FaultKind>,
    /// Only episodes of templates that match
    #[arg(long, value_name = "GLOB")]
    template: Option<String>,
    #[command(flatten)]
    daemon: DaemonAddress,
    #[command(flatten)]
    prices: crate::cli::prices::PriceOptions,
    #[command(flatten)]
    templates: TemplateDirs,
    #[command(flatten)]
    pub(super) progress: ProgressOptions,
    /// Print the result as one JSON document
    #[arg(long)]
    json: bool,
}

/// Reads the value of `--fault`. The error names the nearest kind.
fn kind_of(text: &str) -> Result<FaultKind, String> {
    let known = || FaultKind::ALL.iter().map(|kind| kind.as_str());
    FaultKind::ALL.iter().copied().find(|kind| kind.as_str() == text).ok_or_else(|| {
        match word_suggestion::closest(text, known()) {
            Some(near) => format!("there is no such kind of fault; did you mean {near}?"),
            None => "there is no such kind of fault; docs/faults.md lists them".to_owned(),
        }
    })
}

/// Asks the daemon to retry, or does it here. Only the error `NoDaemon` leads to a foreground run;
/// other errors, such as a daemon of another user, end the command.
pub(super) fn run(args: RetryArgs) -> Result<ExitCode> {
    match args.daemon.connect() {
        Ok(mut client) => {
            let order = ControlCommand::Retry(RetryParams {
                campaign: args.campaign,
                faults: args.faults,
                template: args.template,
            });
            match client.ask(&order, |_| {}) {
                Ok(answer) => tell(answer, args.json),
                Err(failure) => print_failure(failure, args.json),
            }
        }
        Err(error) if error.code() == Code::NoDaemon => in_foreground(args),
        Err(error) => Err(error),
    }
}

/// Prints the daemon's answer. The daemon runs the episodes on its own, so the command ends here
/// and names the command that follows them.
fn tell(answer: Value, json: bool) -> Result<ExitCode> {
    if json {
        print_json(&answer)?;
        return Ok(ExitCode::SUCCESS);
    }
    let now: CampaignProgress = parse_answer(answer)?;
    let left = now.episodes.planned.saturating_sub(now.episodes.finished);
    let name = &now.campaign;
    print_line(&format!(
        "{name}: {} to run\nWatch it: synthd watch {name}",
        pluralize(left, now.kind.unit())
    ));
    Ok(ExitCode::SUCCESS)
}

/// Runs the campaign in this process. Its text comes from the store, so the file need not exist any
/// more. The price table must be set before the text is read.
fn in_foreground(args: RetryArgs) -> Result<ExitCode> {
    args.prices.table()?;
    let record = run_in_actor_system(stored(&args))??;
    let library = TemplateLibrary::load(&args.templates.directories)?;
    let name = format!("the stored campaign {}", record.name);
    let (loaded, library) = config::parse_campaign_with(&library, &name, &record.config)?;
    let reopen = ReopenFilter::Matching { kinds: args.faults, template: args.template };
    RunRequest {
        daemon: args.daemon,
        library,
        loaded,
        again: reopen.into(),
        progress: args.progress,
        json: args.json,
    }
    .run()
}

/// The campaign's record in the store. An unknown name is an error that lists the known ones. The
/// store is closed again before the run opens it for writing.
async fn stored(args: &RetryArgs) -> Result<CampaignRecord> {
    let store = Store::open_read_only(&args.daemon.data.data_dir)?;
    let name = CampaignName(args.campaign.clone());
    let record = store.campaign(&name).await.map_err(store_error)?;
    match record {
        Some(record) => Ok(record),
        None => {
            let known = store.campaigns().await.map_err(store_error)?;
            let names: Vec<&str> = known.iter().map(|one| one.name.as_str()).collect();
            let what = format!("there is no campaign {:?} in the data directory", args.campaign);
            let hint = match names.as_slice() {
                [] => "no campaign was begun there; name its directory with --data-dir".to_owned(),
                names => format!("there are: {}", names.join(", ")),
            };
            Err(Error::new(Code::BadUsage, what).hint(hint))
        }
    }
}
