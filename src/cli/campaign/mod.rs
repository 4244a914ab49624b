//! `synthd campaign`: the campaigns of a data directory, with or without a daemon. Read from a
//! store that may be written at the same time; nothing here changes it.

mod list;
mod show;

use crate::engine::{run_in_actor_system, store_error};
use crate::error::{Code, Error, Result};
use crate::store::{Store, is_held};
use clap::Subcommand;
use std::path::Path;
use std::process::ExitCode;
use synthd_actors::model::{CampaignRecord, CampaignState};
use synthd_actors::ports::Journal;

#[derive(Subcommand)]
pub(super) enum CampaignCommand {
    /// List the campaigns of a data directory
    List(list::CampaignListArgs),
    /// Show one campaign: success by model, cost, faults, dataset versions
    Show(show::CampaignShowArgs),
}

pub(super) fn run(command: &CampaignCommand) -> Result<ExitCode> {
    match command {
        CampaignCommand::List(args) => {
            let store = Store::open_read_only(&args.data.data_dir)?;
            run_in_actor_system(list::run(&store, args))?
        }
        CampaignCommand::Show(args) => {
            let store = Store::open_read_only(&args.data.data_dir)?;
            run_in_actor_system(show::run(&store, args))?
        }
    }
}

/// The campaign of that name, or which ones there are.
pub(super) async fn find(store: &Store, name: &str) -> Result<CampaignRecord> {
    let campaigns = store.campaigns().await.map_err(store_error)?;
    let names: Vec<&str> = campaigns.iter().map(|campaign| campaign.name.as_str()).collect();
    let hint = match names.as_slice() {
        [] => "this data directory holds no campaign yet".to_owned(),
        names => format!("this data directory holds {}", names.join(", ")),
    };
    let found = campaigns.into_iter().find(|campaign| campaign.name.as_str() == name);
    found.ok_or_else(|| {
        Error::new(Code::BadUsage, format!("there is no campaign {name:?}")).hint(hint)
    })
}

/// Whether a process has the data directory, and may run what the store says is running.
struct DataDirUse<'a> {
    data_dir: &'a Path,
    before: bool,
}

impl<'a> DataDirUse<'a> {
    /// To be called before the store is read.
    fn of(data_dir: &'a Path) -> Self {
        Self { data_dir, before: is_held(data_dir) }
    }

    /// Where a campaign stands. If the engine was killed, the store still says that it runs. An
    /// engine may have ended or begun since the store was read, so both moments count.
    fn state(&self, record: &CampaignRecord) -> &'static str {
        match record.state {
            CampaignState::Running if !self.before && !is_held(self.data_dir) => INTERRUPTED,
            state => state.as_str(),
        }
    }
}

/// No engine runs it; it goes on when it is run or submitted again, or when a daemon starts.
const INTERRUPTED: &str = "interrupted";

/// Solved, of those that have a label.
fn rate(resolved: u64, labelled: u64) -> String {
    match labelled {
        0 => "-".to_owned(),
        labelled => format!("{:.1} %", resolved as f64 * 100.0 / labelled as f64),
    }
}
