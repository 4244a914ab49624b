//! The money of the memory journal.

use crate::model::{
    CampaignName, CostOverrun, EpisodeId, Money, SpendingTotals, day_of, day_that_counts,
};
use std::collections::BTreeMap;

#[derive(Clone, PartialEq)]
pub(super) struct Hold {
    pub(super) campaign: CampaignName,
    pub(super) episode: EpisodeId,
    pub(super) model: String,
    pub(super) at_ms: i64,
    pub(super) amount: Money,
    pub(super) settled: Option<Money>,
}

#[derive(Default)]
pub(super) struct Ledger {
    holds: BTreeMap<String, Hold>,
    /// The most that was ever spent and held at once, over all campaigns.
    pub(super) peak: Money,
}

impl Ledger {
    /// False: there is another hold by that id.
    pub(super) fn hold(&mut self, id: &str, hold: Hold) -> bool {
        let kept = self.holds.entry(id.to_owned()).or_insert_with(|| hold.clone());
        let same = Hold { settled: None, ..kept.clone() } == hold;
        let all: Money = self.holds.values().map(worth).sum();
        self.peak = self.peak.max(all);
        same
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

    pub(super) fn spending(&self, campaign: &CampaignName, day: i64) -> SpendingTotals {
        let own = self.holds.values().filter(|hold| hold.campaign == *campaign);
        let newest = own.map(|hold| day_of(hold.at_ms)).max();
        let mut spending = SpendingTotals {
            day: (day_that_counts(day, newest), Money::ZERO),
            ..SpendingTotals::default()
        };
        let add = |sum: &mut Money, more: Money| *sum = sum.saturating_add(more);
        for (id, hold) in self.holds.iter().filter(|(_, hold)| hold.campaign == *campaign) {
            if hold.settled > Some(hold.amount) {
                let (hold, held, cost) = (id.clone(), hold.amount, worth(hold));
                spending.overrun.get_or_insert(CostOverrun { hold, held, cost });
            }
            let worth = worth(hold);
            add(&mut spending.total, worth);
            add(spending.models.entry(hold.model.clone()).or_default(), worth);
            add(spending.episodes.entry(hold.episode.clone()).or_default(), worth);
            if hold.settled.is_none_or(|settled| settled == hold.amount) {
                add(spending.unanswered.entry(hold.episode.clone()).or_default(), worth);
            }
            if day_of(hold.at_ms) >= day {
                add(&mut spending.day.1, worth);
            }
        }
        spending
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
