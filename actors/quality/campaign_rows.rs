//! The judged rows of one campaign, as a dataset takes them.

use crate::model::{CampaignName, Fault, RowRecord};
use crate::ports::{Journal, RowPages};
use async_trait::async_trait;
use std::sync::Arc;

/// Rows that a journal has of a campaign, in plan order.
pub struct CampaignRows {
    journal: Arc<dyn Journal>,
    campaign: CampaignName,
}

impl CampaignRows {
    pub fn new(journal: Arc<dyn Journal>, campaign: CampaignName) -> Self {
        Self { journal, campaign }
    }
}

#[async_trait]
impl RowPages for CampaignRows {
    async fn page(&self, after: Option<u64>, limit: usize) -> Result<Vec<RowRecord>, Fault> {
        Ok(self.journal.rows(&self.campaign, after, limit).await?)
    }

    async fn recorded_version(&self) -> Result<u32, Fault> {
        let recorded = self.journal.datasets(&self.campaign).await?;
        Ok(recorded.iter().map(|record| record.version).max().unwrap_or(0))
    }
}
