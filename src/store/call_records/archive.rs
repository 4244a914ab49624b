//! The store as an archive of calls that a replay plays again.

use crate::store::{Store, call_records::calls};
use async_trait::async_trait;
use rusqlite::Connection;
use std::path::Path;
use std::sync::Arc;
use synthd_actors::model::{AnsweredCalls, CallRecord, CampaignName, Fault, FaultKind};
use synthd_actors::ports::{CallArchive, StoreFault};

/// Opens the store of another data directory for reading. Nothing is written to it.
pub fn open_archive(data_dir: &Path) -> Result<Arc<dyn CallArchive>, Fault> {
    let opened = Store::open_read_only(data_dir).map_err(|error| {
        let what = format!("the record to replay cannot be read: {}", error.report());
        Fault::new(FaultKind::ModelPermanent, what)
    })?;
    Ok(Arc::new(opened))
}

#[async_trait]
impl CallArchive for Store {
    async fn answered(
        &self,
        campaign: &CampaignName,
        model: &str,
        after: i64,
    ) -> Result<AnsweredCalls, StoreFault> {
        let (campaign, model) = (campaign.to_string(), model.to_owned());
        let query = move |conn: &Connection| calls::answered(conn, &campaign, &model, after);
        self.read("find call", query).await
    }

    async fn call_at(&self, key: i64) -> Result<Option<CallRecord>, StoreFault> {
        self.read("read call", move |conn| calls::call_at(conn, key)).await
    }

    async fn call_by_id(&self, id: &str) -> Result<Option<CallRecord>, StoreFault> {
        self.call(id).await
    }

    async fn find_call_id(
        &self,
        campaign: &CampaignName,
        model: &str,
        place: Option<(String, u32)>,
    ) -> Result<Option<String>, StoreFault> {
        let (campaign, model) = (campaign.to_string(), model.to_owned());
        self.read("find call", move |conn| {
            let place = place.as_ref().map(|(task, turn)| (task.as_str(), *turn));
            calls::find_call_id(conn, &campaign, &model, place)
        })
        .await
    }
}
