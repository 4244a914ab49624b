//! `synthd episode show`: shows one episode with all its steps, as text or as JSON.

use super::page::EpisodePage;
use super::record::FullEpisode;
use super::{find, steps};
use crate::cli::RecordDirs;
use crate::cli::terminal::output::{eprint_line, print_json, print_line};
use crate::cli::terminal::terminal_text::TextStyler;
use crate::error::Result;
use crate::store::Store;
use clap::Args;
use std::process::ExitCode;

#[derive(Args)]
#[command(
    after_help = "Control characters in the agent's input and output appear as visible signs.

Examples:
  synthd episode show ep-4f1c
  synthd episode show 4f1c --full | less
  synthd episode show 4f1c --json | jq .row > row.json"
)]
pub(in crate::cli) struct EpisodeShowArgs {
    /// The episode's id, or a beginning of it that no other episode has
    id: String,
    /// Show this attempt instead of the newest
    #[arg(long, value_name = "N")]
    attempt: Option<u32>,
    /// Print long texts whole
    #[arg(long)]
    full: bool,
    /// Print one JSON document with the exact messages, tools and dataset row
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    pub(super) dirs: RecordDirs,
}

/// Reads the episode and prints it. If the opening of the conversation cannot be found out (for
/// example because its template has changed), a note on stderr says so, and the rest is shown.
pub(super) async fn run(store: &Store, args: &EpisodeShowArgs) -> Result<ExitCode> {
    let episode = find(store, &args.id).await?;
    let whole = FullEpisode::read(store, episode, args.attempt, &args.dirs.templates).await?;
    if let Err(error) = &whole.opening {
        eprint_line(&format!("the beginning of the conversation is unknown: {error}"));
    }
    if args.json {
        print_json(&whole.document())?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut page = EpisodePage::new(TextStyler::for_stdout(), args.full);
    page.header(&whole);
    steps::write_steps(&mut page, &whole);
    print_line(&page.text());
    Ok(ExitCode::SUCCESS)
}
