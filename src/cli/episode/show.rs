//! `synthd episode show`: one episode, for a person or for a program.

use super::page::Page;
use super::record::Whole;
use super::{find, steps};
use crate::cli::output::{complain, say, say_json};
use crate::cli::visible::Paint;
use crate::cli::{DataDir, TemplateDirs};
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
pub(in crate::cli) struct ShowArgs {
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
    templates: TemplateDirs,
    #[command(flatten)]
    pub(super) data: DataDir,
}

pub(super) async fn run(store: &Store, args: &ShowArgs) -> Result<ExitCode> {
    let episode = find(store, &args.id).await?;
    let whole = Whole::read(store, episode, args.attempt, &args.templates).await?;
    if let Err(error) = &whole.opening {
        complain(&format!("the beginning of the conversation is unknown: {error}"));
    }
    if args.json {
        say_json(&whole.document())?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut page = Page::new(Paint::for_stdout(), args.full);
    page.header(&whole);
    steps::tell(&mut page, &whole);
    say(&page.text());
    Ok(ExitCode::SUCCESS)
}
