//! The money of the memory journal.

use crate::model::{CampaignName, Money};
use std::collections::BTreeMap;

struct Hold {
    campaign: CampaignName,
    amount: Money,
    settled: Option<Money>,
}

#[derive(Default)]
pub(super) struct Ledger {
    holds: BTreeMap<String, Hold>,
    /// The most that was ever spent and held at once, over all campaigns.
    pub(super) peak: Money,
}

impl Ledger {
    pub(super) fn hold(&mut self, id: &str, campaign: &CampaignName, amount: Money) {
        let hold = Hold { campaign: campaign.clone(), amount, settled: None };
        self.holds.entry(id.to_owned()).or_insert(hold);
        let all: Money = self.holds.values().map(worth).sum();
        self.peak = self.peak.max(all);
    }

    /// False: there is no such hold.
    pub(super) fn settle(&mut self, id: &str, amount: Money) -> bool {
        let Some(hold) = self.holds.get_mut(id) else { return false };
        hold.settled.get_or_insert(amount);
        true
    }

    pub(super) fn spent(&self, campaign: &CampaignName) -> Money {
        self.holds.values().filter(|hold| hold.campaign == *campaign).map(worth).sum()
    }

    pub(super) fn unsettled(&self) -> usize {
        self.holds.values().filter(|hold| hold.settled.is_none()).count()
    }

    pub(super) fn len(&self) -> usize {
        self.holds.len()
    }
}

fn worth(hold: &Hold) -> Money {
    hold.settled.unwrap_or(hold.amount)
}
