//! The wall: what is settled, what is held, and whether one more hold fits under every cap: of
//! the campaign, of the model, of the episode, of the day. The worst case is held before a call
//! and replaced by its true cost after it; a hold is granted under all caps or under none.
//! An episode's share counts calls without an answer too, because it is a wall. The ledger keeps
//! them apart: a share that only they have used up is a fault and no label.

use crate::model::{EpisodeId, Money, SpendingCaps, SpendingTotals};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};

/// Which cap a hold does not fit under.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CapScope {
    Campaign,
    Model,
    Episode,
    Day,
}

/// A cap at a glance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CapStats {
    pub scope: CapScope,
    pub model: Option<String>,
    pub spent_usd: Money,
    pub held_usd: Money,
    pub cap_usd: Money,
}

/// Why a hold was not granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldRefusal {
    /// Other calls are in flight under that cap; when they settle there may be room.
    NotNow(CapScope),
    /// Not even with everything in flight free of charge.
    Exhausted { scope: CapScope, cap: Money, spent: Money },
    /// The episode's share is used up, and calls without an answer have a part in it: what was
    /// answered would leave room.
    Unanswered { cap: Money, spent: Money, unanswered: Money },
}

/// What a hold is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldPurpose {
    pub model: String,
    pub episode: EpisodeId,
    /// Days since 1970, UTC.
    pub day: i64,
}

#[derive(Clone, Copy, Debug, Default)]
struct LedgerAccount {
    settled: Money,
    held: Money,
}

impl LedgerAccount {
    fn spent(settled: Money) -> Self {
        Self { settled, held: Money::ZERO }
    }

    fn fits(&self, scope: CapScope, cap: Option<Money>, amount: Money) -> Result<(), HoldRefusal> {
        let Some(cap) = cap else { return Ok(()) };
        let spent = self.settled;
        let alone = spent.checked_add(amount).filter(|alone| *alone <= cap);
        let alone = alone.ok_or(HoldRefusal::Exhausted { scope, cap, spent })?;
        match alone.checked_add(self.held) {
            Some(all) if all <= cap => Ok(()),
            _ => Err(HoldRefusal::NotNow(scope)),
        }
    }

    fn hold(&mut self, amount: Money) {
        self.held = self.held.saturating_add(amount);
    }

    fn settle(&mut self, held: Money, cost: Money) {
        self.held = self.held.saturating_sub(held);
        self.settled = self.settled.saturating_add(cost);
    }
}

/// One campaign's.
#[derive(Debug, Default)]
pub struct Ledger {
    caps: SpendingCaps,
    total: LedgerAccount,
    models: HashMap<String, LedgerAccount>,
    episodes: HashMap<EpisodeId, LedgerAccount>,
    /// What of the episodes' settled money went to calls without an answer.
    unanswered: HashMap<EpisodeId, Money>,
    days: BTreeMap<i64, LedgerAccount>,
    holds: HashMap<String, (HoldPurpose, Money)>,
}

impl Ledger {
    pub fn new(caps: SpendingCaps, before: SpendingTotals) -> Self {
        let SpendingTotals {
            total,
            mut models,
            unexplained,
            day,
            episodes,
            unanswered,
            overrun: _,
        } = before;
        for model in caps.models.keys() {
            let spent = models.entry(model.clone()).or_default();
            *spent = spent.saturating_add(unexplained);
        }
        Self {
            total: LedgerAccount::spent(total),
            models: models.into_iter().map(|(m, spent)| (m, LedgerAccount::spent(spent))).collect(),
            episodes: episodes
                .into_iter()
                .map(|(e, spent)| (e, LedgerAccount::spent(spent)))
                .collect(),
            unanswered: unanswered.into_iter().collect(),
            days: BTreeMap::from([(day.0, LedgerAccount::spent(day.1))]),
            holds: HashMap::new(),
            caps,
        }
    }

    /// Sets `amount` aside under `id`. The same id again changes nothing.
    pub fn hold(
        &mut self,
        id: &str,
        purpose: &HoldPurpose,
        amount: Money,
    ) -> Result<(), HoldRefusal> {
        if self.holds.contains_key(id) {
            return Ok(());
        }
        let purpose = &HoldPurpose { day: self.day_of(purpose.day), ..purpose.clone() };
        self.fits(purpose, amount)?;
        self.total.hold(amount);
        if self.caps.models.contains_key(&purpose.model) {
            self.models.entry(purpose.model.clone()).or_default().hold(amount);
        }
        if self.caps.episode.is_some() {
            self.episodes.entry(purpose.episode.clone()).or_default().hold(amount);
        }
        if self.caps.day.is_some() {
            self.days.entry(purpose.day).or_default().hold(amount);
            // Days that are long over, and of which nothing is held, are of no use any more.
            self.days.retain(|day, account| *day + 1 >= purpose.day || !account.held.is_zero());
        }
        self.holds.insert(id.to_owned(), (purpose.clone(), amount));
        Ok(())
    }

    /// A clock that is set back makes no new day: the cap of the newest one stands.
    fn day_of(&self, day: i64) -> i64 {
        self.days.keys().next_back().map_or(day, |newest| day.max(*newest))
    }

    /// Whether money of a later day counts on this one: the clock was ahead when it was granted.
    pub fn was_ahead(&self, day: i64) -> bool {
        self.day_of(day) > day
    }

    /// What is exhausted is told before what only has to be waited for, and what everybody waits
    /// for before what only some do.
    fn fits(&self, purpose: &HoldPurpose, amount: Money) -> Result<(), HoldRefusal> {
        let SpendingCaps { campaign, day, episode, models } = &self.caps;
        let checks = [
            self.total.fits(CapScope::Campaign, *campaign, amount),
            known(self.days.get(&purpose.day)).fits(CapScope::Day, *day, amount),
            known(self.models.get(&purpose.model)).fits(
                CapScope::Model,
                models.get(&purpose.model).copied(),
                amount,
            ),
            self.share_fits(&purpose.episode, *episode, amount),
        ];
        let refusals = checks.into_iter().filter_map(Result::err);
        let worst = refusals.min_by_key(|refusal| matches!(refusal, HoldRefusal::NotNow(_)));
        worst.map_or(Ok(()), Err)
    }

    fn share_fits(
        &self,
        episode: &EpisodeId,
        cap: Option<Money>,
        amount: Money,
    ) -> Result<(), HoldRefusal> {
        let fits = known(self.episodes.get(episode)).fits(CapScope::Episode, cap, amount);
        let Err(HoldRefusal::Exhausted { cap, spent, .. }) = fits else { return fits };
        let unanswered = self.unanswered.get(episode).copied().unwrap_or_default();
        let answered = LedgerAccount::spent(spent.saturating_sub(unanswered));
        match answered.fits(CapScope::Episode, Some(cap), amount) {
            Ok(()) => Err(HoldRefusal::Unanswered { cap, spent, unanswered }),
            Err(_) => fits,
        }
    }

    /// The same as [`Self::settle`] for a call that got no answer.
    pub fn settle_unanswered(&mut self, id: &str, cost: Money) -> bool {
        if let Some((purpose, _)) = self.holds.get(id)
            && self.episodes.contains_key(&purpose.episode)
        {
            let sum = self.unanswered.entry(purpose.episode.clone()).or_default();
            *sum = sum.saturating_add(cost);
        }
        self.settle(id, cost)
    }

    /// Replaces a hold by what the call really cost; an unknown id changes nothing.
    /// Returns whether the cost went above its hold: a fault of the estimate.
    pub fn settle(&mut self, id: &str, cost: Money) -> bool {
        let Some((purpose, amount)) = self.holds.remove(id) else { return false };
        let days = self.days.get_mut(&purpose.day).into_iter();
        let models = self.models.get_mut(&purpose.model).into_iter();
        let episodes = self.episodes.get_mut(&purpose.episode).into_iter();
        let all = days.chain(models).chain(episodes).chain([&mut self.total]);
        all.for_each(|account| account.settle(amount, cost));
        cost > amount
    }

    pub fn settled(&self) -> Money {
        self.total.settled
    }

    pub fn held(&self) -> Money {
        self.total.held
    }

    /// How far each cap is used up, but for those of episodes.
    pub fn standing(&self, day: i64) -> Vec<CapStats> {
        let one = |scope, model: Option<&String>, account: LedgerAccount, cap| CapStats {
            scope,
            model: model.cloned(),
            spent_usd: account.settled,
            held_usd: account.held,
            cap_usd: cap,
        };
        let campaign = self.caps.campaign.map(|cap| one(CapScope::Campaign, None, self.total, cap));
        let today = known(self.days.get(&self.day_of(day)));
        let day = self.caps.day.map(|cap| one(CapScope::Day, None, today, cap));
        let models = self.caps.models.iter();
        let models =
            models.map(|(m, cap)| one(CapScope::Model, Some(m), known(self.models.get(m)), *cap));
        campaign.into_iter().chain(day).chain(models).collect()
    }
}

fn known(account: Option<&LedgerAccount>) -> LedgerAccount {
    account.copied().unwrap_or_default()
}

#[cfg(test)]
mod tests;
