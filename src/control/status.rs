//! The answer to `status`, and the state of single campaigns. A campaign that runs here is asked
//! through its handle. A campaign that only the store knows is put together from its records.

use super::ControlHandle;
use super::dispatcher::{DispatchResult, EngineDispatcher, to_answer};
use super::report::{CampaignStatus, CollectorStats, ProcessStatus, StatusReport};
use crate::error::Error;
use crate::running_engine::store_error;
use synthd_actors::campaign::CampaignProgress;
use synthd_actors::model::CampaignRecord;
use synthd_actors::ports::Journal;
use synthd_actors::supervisor::ActorStats;

impl EngineDispatcher {
    /// The status report, of all campaigns or only of the one named `only`. An unknown name is a
    /// refusal that lists the known ones. The counts of router and pool are always those of the
    /// whole process.
    pub(super) async fn status(&self, only: Option<String>) -> DispatchResult {
        let mut campaigns = self.campaign_statuses().await?;
        if let Some(name) = &only {
            campaigns.retain(|status| status.progress.campaign.as_str() == name);
            if campaigns.is_empty() {
                return Err(self.unknown(name).await);
            }
        }
        let services = &self.engine.services;
        let handle = &self.engine.handle;
        to_answer(&StatusReport {
            daemon: ProcessStatus::of(&self.about, handle.running(), handle.is_draining()),
            campaigns,
            pool: services.pool.stats().await,
            collector: CollectorStats::of(&self.engine.store.stats()),
            quality: services.quality.stats(),
            router: services.router.stats(),
            providers: services.router.provider_stats(),
            store: self.engine.store.stats(),
            control: match self.control.get() {
                Some(control) => control.stats().await,
                None => Default::default(),
            },
            actors: self.actor_stats(),
        })
    }

    /// The counts of every kind of actor, in the order of the tree in `docs/ARCHITECTURE.md`.
    fn actor_stats(&self) -> Vec<ActorStats> {
        let mut stats = self.engine.services.actor_stats();
        stats.extend(self.engine.handle.actor_stats());
        stats.extend(self.control.get().map(ControlHandle::actor_stats));
        stats
    }

    /// Every campaign of the data directory, sorted by name. Fails if the store cannot be read.
    pub(super) async fn campaign_statuses(&self) -> Result<Vec<CampaignStatus>, Error> {
        let mut statuses = Vec::new();
        for record in self.engine.store.campaigns().await.map_err(store_error)? {
            statuses.push(self.campaign_status(&record).await?);
        }
        statuses.sort_by(|a, b| a.progress.campaign.cmp(&b.progress.campaign));
        Ok(statuses)
    }

    /// The state of one campaign: from its actor's handle if this process has run it, otherwise
    /// from the store. `live` tells whether the actor still runs.
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

    /// The progress of a campaign from the store alone: its counts, its spending and its newest
    /// dataset.
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
