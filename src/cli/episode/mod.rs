//! `synthd episode`: lists, shows, replays and judges episodes. The store is opened read-only, so a daemon
//! may write it at the same time.

mod diff;
mod list;
pub(in crate::cli) mod origin;
mod page;
mod record;
mod replay;
mod show;
mod steps;
mod verify;

use crate::error::{Code, Error, Result};
use crate::running_engine::{SystemClock, run_in_actor_system, store_error};
use crate::store::{PruneRecord, PrunedPart, Store};
use clap::Subcommand;
use std::process::ExitCode;
use synthd_actors::model::{EpisodeId, EpisodeRecord};
use synthd_actors::ports::{Clock, Journal};

#[derive(Subcommand)]
pub(super) enum EpisodeCommand {
    /// List episodes and how they ended
    List(list::EpisodeListArgs),
    /// Show one episode, step by step
    Show(show::EpisodeShowArgs),
    /// Run an episode's commands again and compare what they print
    Replay(replay::EpisodeReplayArgs),
    /// Judge an episode's kept workspace again, with today's checks
    Verify(verify::EpisodeVerifyArgs),
}

/// Opens the store read-only and runs one of the subcommands. A replay makes sandboxes, but writes
/// nothing to the store either.
pub(super) fn run(command: &EpisodeCommand) -> Result<ExitCode> {
    match command {
        EpisodeCommand::List(args) => {
            let store = Store::open_read_only(&args.data.data_dir)?;
            run_in_actor_system(list::run(&store, args))?
        }
        EpisodeCommand::Show(args) => {
            let store = Store::open_read_only(&args.dirs.data.data_dir)?;
            run_in_actor_system(show::run(&store, args))?
        }
        EpisodeCommand::Replay(args) => {
            let store = Store::open_read_only(&args.dirs.data.data_dir)?;
            run_in_actor_system(replay::run(&store, args))?
        }
        EpisodeCommand::Verify(args) => {
            let store = Store::open_read_only(&args.dirs.data.data_dir)?;
            run_in_actor_system(verify::run(&store, args))?
        }
    }
}

/// Finds an episode by its whole id, or by a beginning that only one episode has. `ep-` and `co-`
/// may be left out. The error `EpisodeUnknown` means none or several.
async fn find(store: &Store, wanted: &str) -> Result<EpisodeRecord> {
    let exact = store.episode(&EpisodeId(wanted.to_owned())).await.map_err(store_error)?;
    if let Some(record) = exact {
        return Ok(record);
    }
    let full = ["", "ep-", "co-"].map(|front| format!("{front}{wanted}"));
    let begins = |id: &str| full.iter().any(|full| id.starts_with(full));
    let mut found = all(store).await?;
    found.retain(|record| begins(record.plan.id.as_str()));
    match found.len() {
        1 => found.pop().ok_or_else(|| unknown(wanted)),
        0 => Err(unknown(wanted)),
        count => Err(ambiguous(wanted, count, &found)),
    }
}

/// Refuses an episode whose turns were removed by a rule of retention (`RecordPruned`).
async fn ensure_turns(store: &Store, id: &EpisodeId) -> Result<()> {
    let pruned = store.pruned(id).await.map_err(store_error)?;
    match pruned_turns(&pruned) {
        Some(why) => Err(Error::new(Code::RecordPruned, format!("{id}: {why}"))
            .hint("restore an older backup into another data directory to have them again")),
        None => Ok(()),
    }
}

/// Why an episode has no turns any more. None if nothing has removed them.
fn pruned_turns(pruned: &[PruneRecord]) -> Option<String> {
    let gone = pruned.iter().find(|record| record.part == PrunedPart::Turns)?;
    let when = SystemClock.stamp(gone.at_ms);
    if gone.rule == "archived" {
        return Some(format!(
            "its turns are in an archive since {when}; `synthd campaign unarchive FILE` brings them back"
        ));
    }
    Some(format!("the rule `{}` of [retention] has removed its turns ({when})", gone.rule))
}

/// The episodes of all campaigns, each campaign in the order of its plan.
async fn all(store: &Store) -> Result<Vec<EpisodeRecord>> {
    let mut records = Vec::new();
    for campaign in store.campaigns().await.map_err(store_error)? {
        records.extend(store.episodes(&campaign.name).await.map_err(store_error)?);
    }
    Ok(records)
}

/// The error for an id that no episode has.
fn unknown(wanted: &str) -> Error {
    Error::new(Code::EpisodeUnknown, format!("there is no episode {wanted:?}"))
        .hint("`synthd episode list` shows all ids; check --data-dir")
}

/// The error for a beginning that several episodes have. It lists some of them.
fn ambiguous(wanted: &str, count: usize, found: &[EpisodeRecord]) -> Error {
    let some: Vec<&str> = found.iter().take(5).map(|record| record.plan.id.as_str()).collect();
    let more = if count > some.len() { ", …" } else { "" };
    Error::new(Code::EpisodeUnknown, format!("the ids of {count} episodes begin with {wanted:?}"))
        .hint(format!("write a longer beginning of the id: {}{more}", some.join(", ")))
}

/// The outcome of an episode in one word; `pending` if it has none yet.
fn outcome_label(record: &EpisodeRecord) -> &'static str {
    record.outcome.as_ref().map_or("pending", synthd_actors::model::Outcome::label)
}
