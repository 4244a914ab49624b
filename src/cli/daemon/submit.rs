//! `synthd submit`: gives a campaign file to a daemon. The daemon checks and starts the campaign;
//! this command prints what the daemon answers. The daemon keeps the text, so the file may change
//! afterwards.

use crate::cli::daemon::daemon_address::{DaemonAddress, parse_answer};
use crate::cli::terminal::output::{eprint_line, pluralize, print_config_errors, print_line};
use crate::config;
use crate::control::protocol::{ControlCommand, SubmitParams};
use crate::error::Result;
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;
use synthd_actors::campaign::CampaignProgress;

#[derive(Args)]
#[command(
    after_help = "The daemon keeps the text of the file, so you may change or remove the file. If the data \
directory knows the campaign, the command resumes it. The daemon reads the directories in \
`tasks.template_dirs` when the campaign begins or resumes. A relative path there starts at the \
file's directory.

Examples:
  synthd submit config/quickstart.toml
  synthd submit campaign.toml --data-dir /data/synthd && synthd watch"
)]
pub(in crate::cli) struct SubmitArgs {
    /// The campaign file
    campaign: PathBuf,
    #[command(flatten)]
    daemon: DaemonAddress,
    /// Go on though templates have changed, or fewer tasks are wanted, since the campaign began
    #[arg(long)]
    accept_changed: bool,
    /// Print the campaign's state as one JSON document
    #[arg(long)]
    json: bool,
}

/// Reads the file and sends its text. Prompts from other files are put into the text, and relative
/// template directories become absolute, because the daemon works in another directory and reads no
/// file of the client. Mistakes in the campaign are found by the daemon, which has the templates.
pub(in crate::cli) fn run(args: &SubmitArgs) -> Result<ExitCode> {
    let source = match config::read_text(&args.campaign) {
        Ok(source) => source,
        Err(errors) => {
            print_config_errors(&errors, args.json);
            return Ok(ExitCode::from(errors.code().exit_code()));
        }
    };
    let name = args.campaign.display().to_string();
    let order =
        ControlCommand::Submit(SubmitParams { name, source, accept_changed: args.accept_changed });
    args.daemon.ask_and_print(&order, args.json, |answer| {
        let progress: CampaignProgress = parse_answer(answer)?;
        for skipped in &progress.skipped {
            eprint_line(&format!("skipping {}: {}", skipped.template, skipped.reason));
        }
        print_line(&told(&progress));
        Ok(())
    })
}

/// The text for a submitted campaign: how much there is to do, and how to watch it.
fn told(progress: &CampaignProgress) -> String {
    let name = &progress.campaign;
    if progress.already_complete {
        return format!("{name} is complete already; no episode will be run");
    }
    let counts = &progress.episodes;
    format!(
        "{name}: {} over {}, {} done before\nWatch it: synthd watch {name}",
        pluralize(counts.planned, progress.kind.unit()),
        pluralize(progress.tasks, progress.kind.task()),
        counts.finished
    )
}
