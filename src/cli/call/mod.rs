//! `synthd call`: lists recorded model calls and shows the bytes that were sent and received. The
//! store is opened read-only, so a daemon may write it at the same time.

mod list;
mod show;

use crate::error::{Code, Error, Result};
use crate::running_engine::{run_in_actor_system, store_error};
use crate::store::{CallSummary, Store};
use clap::Subcommand;
use std::process::ExitCode;

#[derive(Subcommand)]
pub(super) enum CallCommand {
    /// List calls of models, failed tries too
    List(list::CallListArgs),
    /// Show one call: bytes as sent and received
    Show(show::CallShowArgs),
}

/// Opens the store read-only and runs one of the subcommands.
pub(super) fn run(command: &CallCommand) -> Result<ExitCode> {
    match command {
        CallCommand::List(args) => {
            let store = Store::open_read_only(&args.data.data_dir)?;
            run_in_actor_system(list::run(&store, args))?
        }
        CallCommand::Show(args) => {
            let store = Store::open_read_only(&args.data.data_dir)?;
            run_in_actor_system(show::run(&store, args))?
        }
    }
}

/// The calls whose ids begin with `wanted`. If there are none, `ep-` is put before it, because all
/// ids begin with that and people leave it out.
async fn beginning(store: &Store, wanted: &str) -> Result<Vec<CallSummary>> {
    let found = store.calls(wanted).await.map_err(store_error)?;
    if found.is_empty() && !wanted.is_empty() {
        return store.calls(&format!("ep-{wanted}")).await.map_err(store_error);
    }
    Ok(found)
}

/// The error for an id that no call has.
fn unknown(wanted: &str) -> Error {
    Error::new(Code::CallUnknown, format!("there is no call {wanted:?}"))
        .hint("`synthd call list` shows all ids; a scripted model makes no calls")
}
