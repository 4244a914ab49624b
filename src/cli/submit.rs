//! `synthd submit`: gives a campaign to the daemon.

use super::dial::{Dial, read};
use super::output::{complain, complain_of_config, many, say};
use crate::config;
use crate::control::protocol::{Order, Submission};
use crate::error::Result;
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;
use synthd_actors::campaign::Progress;

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
pub(super) struct SubmitArgs {
    /// The campaign file
    campaign: PathBuf,
    #[command(flatten)]
    dial: Dial,
    /// Go on though templates have changed, or fewer tasks are wanted, since the campaign began
    #[arg(long)]
    accept_changed: bool,
    /// Print the campaign's state as one JSON document
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &SubmitArgs) -> Result<ExitCode> {
    let source = match config::read_text(&args.campaign) {
        Ok(source) => source,
        Err(errors) => {
            complain_of_config(&errors, args.json);
            return Ok(ExitCode::from(errors.code().exit_code()));
        }
    };
    let name = args.campaign.display().to_string();
    let order = Order::Submit(Submission { name, source, accept_changed: args.accept_changed });
    args.dial.tell(&order, args.json, |answer| {
        let progress: Progress = read(answer)?;
        for skipped in &progress.skipped {
            complain(&format!("skipping {}: {}", skipped.template, skipped.reason));
        }
        say(&told(&progress));
        Ok(())
    })
}

fn told(progress: &Progress) -> String {
    let name = &progress.campaign;
    if progress.already_complete {
        return format!("{name} is complete already; no episode will be run");
    }
    let counts = &progress.episodes;
    format!(
        "{name}: {} over {}, {} done before\nWatch it: synthd watch {name}",
        many(counts.planned, "episode"),
        many(progress.tasks, "task"),
        counts.finished
    )
}
