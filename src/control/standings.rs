//! Where campaigns stand: those that run here, and those that only the store knows.

use super::desk::{Answer, EngineDesk, answer};
use super::report::{Process, Report, Standing};
use crate::engine::store_error;
use crate::error::Error;
use synthd_actors::campaign::Progress;
use synthd_actors::model::CampaignRecord;
use synthd_actors::ports::Journal;

impl EngineDesk {
    pub(super) async fn status(&self, only: Option<String>) -> Answer {
        let mut campaigns = self.standings().await?;
        if let Some(name) = &only {
            campaigns.retain(|standing| standing.progress.campaign.as_str() == name);
            if campaigns.is_empty() {
                return Err(self.unknown(name).await);
            }
        }
        let world = &self.engine.world;
        let handle = &self.engine.handle;
        answer(&Report {
            daemon: Process::of(&self.about, handle.running(), handle.is_draining()),
            campaigns,
            pool: world.pool.stats().await,
            collector: world.collector.stats().await,
            router: world.router.stats(),
            providers: world.router.lanes(),
            store: self.engine.store.stats(),
            control: match self.control.get() {
                Some(control) => control.stats().await,
                None => Default::default(),
            },
        })
    }

    /// Every campaign of the data directory, in the order of their names.
    pub(super) async fn standings(&self) -> Result<Vec<Standing>, Error> {
        let mut standings = Vec::new();
        for record in self.engine.store.campaigns().await.map_err(store_error)? {
            standings.push(self.standing(&record).await?);
        }
        standings.sort_by(|a, b| a.progress.campaign.cmp(&b.progress.campaign));
        Ok(standings)
    }

    pub(super) async fn standing(&self, record: &CampaignRecord) -> Result<Standing, Error> {
        if let Some(campaign) = self.engine.handle.campaign(&record.name) {
            return Ok(Standing { live: campaign.is_alive(), progress: campaign.standing() });
        }
        Ok(Standing { live: false, progress: self.stored(record).await? })
    }

    pub(super) async fn stored(&self, record: &CampaignRecord) -> Result<Progress, Error> {
        let store = &self.engine.store;
        let figures = store.figures(&record.name).await.map_err(store_error)?;
        let spent = store.spent(&record.name).await.map_err(store_error)?;
        let datasets = store.datasets(&record.name).await.map_err(store_error)?;
        let newest = datasets.into_iter().max_by_key(|dataset| dataset.version);
        Ok(Progress::stored(record, figures, newest, spent))
    }
}
