//! Where campaigns stand: those that run here, and those that only the store knows.

use super::dispatcher::{DispatchResult, EngineDispatcher, to_answer};
use super::report::{CampaignStatus, ProcessStatus, StatusReport};
use crate::engine::store_error;
use crate::error::Error;
use synthd_actors::campaign::CampaignProgress;
use synthd_actors::model::CampaignRecord;
use synthd_actors::ports::Journal;

impl EngineDispatcher {
    pub(super) async fn status(&self, only: Option<String>) -> DispatchResult {
        let mut campaigns = self.campaign_statuses().await?;
        if let Some(name) = &only {
            campaigns.retain(|standing| standing.progress.campaign.as_str() == name);
            if campaigns.is_empty() {
                return Err(self.unknown(name).await);
            }
        }
        let world = &self.engine.world;
        let handle = &self.engine.handle;
        to_answer(&StatusReport {
            daemon: ProcessStatus::of(&self.about, handle.running(), handle.is_draining()),
            campaigns,
            pool: world.pool.stats().await,
            collector: world.collector.stats().await,
            router: world.router.stats(),
            providers: world.router.provider_stats(),
            store: self.engine.store.stats(),
            control: match self.control.get() {
                Some(control) => control.stats().await,
                None => Default::default(),
            },
        })
    }

    /// Every campaign of the data directory, in the order of their names.
    pub(super) async fn campaign_statuses(&self) -> Result<Vec<CampaignStatus>, Error> {
        let mut standings = Vec::new();
        for record in self.engine.store.campaigns().await.map_err(store_error)? {
            standings.push(self.campaign_status(&record).await?);
        }
        standings.sort_by(|a, b| a.progress.campaign.cmp(&b.progress.campaign));
        Ok(standings)
    }

    pub(super) async fn campaign_status(
        &self,
        record: &CampaignRecord,
    ) -> Result<CampaignStatus, Error> {
        if let Some(campaign) = self.engine.handle.campaign(&record.name) {
            return Ok(CampaignStatus {
                live: campaign.is_alive(),
                progress: campaign.current_progress(),
            });
        }
        Ok(CampaignStatus { live: false, progress: self.stored_progress(record).await? })
    }

    pub(super) async fn stored_progress(
        &self,
        record: &CampaignRecord,
    ) -> Result<CampaignProgress, Error> {
        let store = &self.engine.store;
        let figures = store.figures(&record.name).await.map_err(store_error)?;
        let spent = store.spent(&record.name).await.map_err(store_error)?;
        let datasets = store.datasets(&record.name).await.map_err(store_error)?;
        let newest = datasets.into_iter().max_by_key(|dataset| dataset.version);
        Ok(CampaignProgress::from_record(record, figures, newest, spent))
    }
}
