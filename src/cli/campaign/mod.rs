//! `synthd campaign`: lists and shows the campaigns of a data directory, judges their kept workspaces
//! again, and archives them. For `list` and `show`, the store is opened read-only, so a daemon may write it at
//! the same time.

mod archive;
mod list;
mod reverify;
mod show;
mod unarchive;

use crate::error::{Code, Error, Result};
use crate::running_engine::{run_in_actor_system, store_error};
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
    /// Judge all kept workspaces of a campaign again, with today's checks
    Reverify(reverify::CampaignReverifyArgs),
    /// Copy a campaign into a compressed file that can be read again
    Archive(archive::CampaignArchiveArgs),
    /// Read the archive of a campaign again
    Unarchive(unarchive::CampaignUnarchiveArgs),
}

/// Opens the store and runs one of the subcommands. A data directory without a store is an error.
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
        CampaignCommand::Reverify(args) => {
            let dir = &args.dirs.data.data_dir;
            // An opening for writing would create a store that is not there.
            drop(Store::open_read_only(dir)?);
            let store = Store::open(dir)?;
            run_in_actor_system(Box::pin(reverify::run(store, args)))?
        }
        CampaignCommand::Archive(args) => archive::run(args),
        CampaignCommand::Unarchive(args) => unarchive::run(args),
    }
}

/// The campaign with this name. The error lists the names that exist.
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

/// Whether a process has the data directory. Only then can a campaign that the store calls running
/// really be running.
struct DataDirUse<'a> {
    data_dir: &'a Path,
    /// Whether a process had the data directory before the store was read.
    before: bool,
}

impl<'a> DataDirUse<'a> {
    /// Looks whether a process has the data directory. It must be called before the store is read.
    fn of(data_dir: &'a Path) -> Self {
        Self { data_dir, before: is_held(data_dir) }
    }

    /// The state of a campaign. After a kill, the store still says `running`; without a process
    /// this is shown as `interrupted`. An engine may have ended or started while the store was
    /// read, so the data directory is looked at before and after.
    fn state(&self, record: &CampaignRecord) -> &'static str {
        match record.state {
            CampaignState::Running if !self.before && !is_held(self.data_dir) => INTERRUPTED,
            state => state.as_str(),
        }
    }
}

/// The state of a campaign that the store calls running but that no engine runs. It goes on when it
/// is run or submitted again, or when a daemon starts.
const INTERRUPTED: &str = "interrupted";

/// The share of solved episodes among those with a label, such as `66.7 %`; `-` if none has one.
fn rate(resolved: u64, labelled: u64) -> String {
    match labelled {
        0 => "-".to_owned(),
        labelled => format!("{:.1} %", resolved as f64 * 100.0 / labelled as f64),
    }
}
