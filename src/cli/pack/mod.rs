//! `synthd pack`: projects with tests, from which templates make tasks without a model. A pack is added
//! from a project, mined in a sandbox, and checked. Only then can templates use it.

mod add;
mod check;
mod check_cases;
mod group;
mod list;
mod mine;
#[cfg(feature = "mine")]
mod mine_cases;

use crate::cli::doctor::{guest_dir, this_executable};
use crate::cli::terminal::output::eprint_line;
use crate::error::{Code, Error, Result};
use crate::packs::PackFolder;
use crate::running_engine::{fault_error, run_in_actor_system};
use crate::sandbox::SandboxBackends;
use clap::Subcommand;
use serde_json::Value;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use synthd_actors::pack::{PACK_FILE, PackParts, ProjectPack};
use synthd_actors::pool::{PoolConfig, PoolHandle};
use synthd_actors::ports::SandboxBackend;

#[derive(Subcommand)]
pub(super) enum PackCommand {
    /// List the packs, the shipped ones and your own
    List(list::PackListArgs),
    /// Make a pack from a project with tests
    Add(Box<add::PackAddArgs>),
    /// Find faults that the tests of a pack tell
    Mine(mine::PackMineArgs),
    /// Find groups of many changes for long tasks
    Group(group::PackGroupArgs),
    /// Try entries of a pack again, and prove tasks from it
    Check(check::PackCheckArgs),
}

/// Runs one of the subcommands.
pub(super) fn run(command: PackCommand) -> Result<ExitCode> {
    match command {
        PackCommand::List(args) => list::list(&args),
        PackCommand::Add(args) => run_in_actor_system(Box::pin(add::add(*args)))?,
        PackCommand::Mine(args) => run_in_actor_system(Box::pin(mine::mine(args)))?,
        PackCommand::Group(args) => run_in_actor_system(Box::pin(group::group(args)))?,
        PackCommand::Check(args) => run_in_actor_system(Box::pin(check::check(args)))?,
    }
}

/// Does work that needs sandboxes. They are removed before the result is looked at, so that an error
/// leaves nothing behind.
async fn with_sandboxes<T>(work: impl AsyncFnOnce(&PoolHandle) -> Result<T>) -> Result<T> {
    let backend = Arc::new(SandboxBackends::new(this_executable()?, &guest_dir()));
    let (pool, exit) = PoolHandle::start(backend.clone(), PoolConfig::default());
    let done = Box::pin(work(&pool)).await;
    pool.shut_down().await;
    let settled = backend.settle().await.map_err(|fault| fault_error(&fault));
    drop(exit);
    let value = done?;
    settled?;
    Ok(value)
}

/// The parts of a user's pack.
fn parts_of(folder: &Path) -> Result<PackParts> {
    if !folder.join(PACK_FILE).is_file() {
        let what = format!("{} has no {PACK_FILE}, so it is no pack", folder.display());
        return Err(Error::new(Code::PackInvalid, what).hint("`synthd pack add` makes a pack"));
    }
    PackFolder::read(folder)?.parts().map_err(|problem| invalid(folder, &problem.to_string()))
}

/// A pack from its parts.
fn checked(folder: &Path, parts: PackParts) -> Result<ProjectPack> {
    ProjectPack::read(parts).map_err(|problem| invalid(folder, &problem.to_string()))
}

/// The error for a pack that cannot be used.
fn invalid(folder: &Path, why: &str) -> Error {
    Error::new(Code::PackInvalid, format!("{}: {why}", folder.display()))
        .hint("docs/packs.md describes the files of a pack")
}

/// A number in an answer of the miner; 0 if it is not there.
fn number(answer: &Value, key: &str) -> u64 {
    answer.get(key).and_then(Value::as_u64).unwrap_or_default()
}

/// Tells how far the work is.
fn tell(line: &str) {
    eprint_line(&crate::cli::terminal::terminal_text::escape_controls(line));
}
