//! The ledger of one campaign: what is settled, what is held, and whether one more hold fits under
//! every cap (campaign, day, model, episode).
//!
//! The worst case of a call is held before the call and replaced by the true cost after it. The
//! invariant: settled and held money together never exceed a cap, unless a call costs more than its
//! hold or a cap was lowered. A hold is granted under all caps or under none. The ledger has no
//! clock and does no I/O: `actors/router/account.rs` owns it and lets calls wait, and
//! `actors/router/ticket.rs` makes holds durable.
//!
//! Calls without an answer count against the cap of an episode too, because a cap must never be
//! exceeded. The ledger counts them separately: if only they have used up the cap, the result is a
//! fault and not a label.

use crate::model::{EpisodeId, Money, SpendingCaps, SpendingTotals};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};

/// The kind of a cap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CapScope {
    /// All calls of the campaign.
    Campaign,
    /// The calls of one model.
    Model,
    /// The calls of one episode, over all its attempts.
    Episode,
    /// The calls of one UTC day.
    Day,
}

/// A cap as status reports show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CapStats {
    /// The kind of the cap.
    pub scope: CapScope,
    /// The model, if the cap is for one model.
    pub model: Option<String>,
    /// The settled money under the cap.
    pub spent_usd: Money,
    /// The worst cases of calls in flight under the cap.
    pub held_usd: Money,
    /// The cap itself.
    pub cap_usd: Money,
}

/// Why a hold was not granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldRefusal {
    /// It does not fit under this cap now. When calls in flight settle for less than their holds,
    /// it may fit.
    NotNow(CapScope),
    /// It does not fit under this cap, even if all calls in flight cost nothing.
    Exhausted { scope: CapScope, cap: Money, spent: Money },
    /// The cap of the episode is used up, but the hold would fit if calls without an answer had
    /// cost nothing.
    Unanswered { cap: Money, spent: Money, unanswered: Money },
}

/// What a hold is for; it decides under which caps the hold must fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldPurpose {
    pub model: String,
    pub episode: EpisodeId,
    /// Days since 1970, UTC.
    pub day: i64,
}

/// The money under one cap.
#[derive(Clone, Copy, Debug, Default)]
struct LedgerAccount {
    /// The costs of finished calls. A call whose cost is unknown counts with its whole hold.
    settled: Money,
    /// The worst cases of calls in flight.
    held: Money,
}

impl LedgerAccount {
    /// An account without holds.
    fn spent(settled: Money) -> Self {
        Self { settled, held: Money::ZERO }
    }

    /// Whether `amount` fits under the cap. First it is compared without the held money, to
    /// distinguish a cap that is exhausted from one that only needs waiting. A sum that overflows
    /// does not fit.
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

    /// Adds a hold. The caller has checked that it fits.
    fn hold(&mut self, amount: Money) {
        self.held = self.held.saturating_add(amount);
    }

    /// Replaces a hold by its cost.
    fn settle(&mut self, held: Money, cost: Money) {
        self.held = self.held.saturating_sub(held);
        self.settled = self.settled.saturating_add(cost);
    }

    /// Replaces a settled cost by another one.
    fn correct(&mut self, counted: Money, cost: Money) {
        self.settled = self.settled.saturating_sub(counted).saturating_add(cost);
    }
}

/// The ledger of one campaign.
#[derive(Debug, Default)]
pub struct Ledger {
    caps: SpendingCaps,
    /// All calls of the campaign.
    total: LedgerAccount,
    /// The accounts of models.
    models: HashMap<String, LedgerAccount>,
    /// The accounts of episodes.
    episodes: HashMap<EpisodeId, LedgerAccount>,
    /// The part of each episode's settled money that went to calls without an answer.
    unanswered: HashMap<EpisodeId, Money>,
    /// The accounts of days, by the number of the day since 1970. Only recent days, and days with
    /// holds, are kept.
    days: BTreeMap<i64, LedgerAccount>,
    /// The open holds by id.
    holds: HashMap<String, (HoldPurpose, Money)>,
    /// What counts for calls whose settlement is not durable, by the id of the hold.
    unrecorded: HashMap<String, (HoldPurpose, Money)>,
}

impl Ledger {
    /// A ledger with these caps, after a restart with what was spent before. Money that no call
    /// explains counts against the cap of each model.
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
            unrecorded: HashMap::new(),
            caps,
        }
    }

    /// Holds `amount` under `id`. If this id has a hold already, nothing changes and the result is
    /// Ok. Err means that nothing was held under any cap.
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

    /// The day whose cap applies. If the clock was set back, this is the newest day that is known,
    /// so that no second daily budget is given.
    fn day_of(&self, day: i64) -> i64 {
        self.days.keys().next_back().map_or(day, |newest| day.max(*newest))
    }

    /// Whether the cap of a later day applies on this day, because the clock was ahead when money
    /// of that later day was held.
    pub fn was_ahead(&self, day: i64) -> bool {
        self.day_of(day) > day
    }

    /// Whether the hold fits under all caps. Of several refusals, one is reported: an exhausted cap
    /// before one that only needs waiting, and then a cap of all calls before a cap of some calls.
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

    /// Whether the hold fits under the cap of its episode. If it does not, but would without the
    /// calls that got no answer, the refusal is [`HoldRefusal::Unanswered`].
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

    /// Like [`Self::settle`], for a call that got no answer.
    pub fn settle_unanswered(&mut self, id: &str, cost: Money) -> bool {
        if let Some((purpose, _)) = self.holds.get(id)
            && self.episodes.contains_key(&purpose.episode)
        {
            let sum = self.unanswered.entry(purpose.episode.clone()).or_default();
            *sum = sum.saturating_add(cost);
        }
        self.settle(id, cost)
    }

    /// Replaces a hold by the true cost of the call. An unknown id changes nothing, so a hold can
    /// be settled twice. Returns whether the cost was higher than the hold, which means that the
    /// worst case was wrong.
    pub fn settle(&mut self, id: &str, cost: Money) -> bool {
        let Some((purpose, amount)) = self.holds.remove(id) else { return false };
        self.accounts_of(&purpose).for_each(|account| account.settle(amount, cost));
        cost > amount
    }

    /// The accounts in which a hold for this purpose counts.
    fn accounts_of(&mut self, purpose: &HoldPurpose) -> impl Iterator<Item = &mut LedgerAccount> {
        let days = self.days.get_mut(&purpose.day).into_iter();
        let models = self.models.get_mut(&purpose.model).into_iter();
        let episodes = self.episodes.get_mut(&purpose.episode).into_iter();
        days.chain(models).chain(episodes).chain([&mut self.total])
    }

    /// Like [`Self::settle_unanswered`], for a settlement that the journal has not taken. The
    /// journal counts the whole hold meanwhile, so `cost` is at least that. [`Self::recorded`] ends
    /// it.
    pub fn settle_unrecorded(&mut self, id: &str, cost: Money) -> bool {
        if let Some((purpose, _)) = self.holds.get(id) {
            self.unrecorded.insert(id.to_owned(), (purpose.clone(), cost));
        }
        self.settle_unanswered(id, cost)
    }

    /// The journal has taken the settlement: the true cost counts. An unknown id changes nothing.
    pub fn recorded(&mut self, id: &str, cost: Money, answered: bool) {
        let Some((purpose, counted)) = self.unrecorded.remove(id) else { return };
        self.accounts_of(&purpose).for_each(|account| account.correct(counted, cost));
        if let Some(unanswered) = self.unanswered.get_mut(&purpose.episode) {
            let rest = if answered { Money::ZERO } else { cost };
            *unanswered = unanswered.saturating_sub(counted).saturating_add(rest);
        }
    }

    /// All settled money of the campaign.
    pub fn settled(&self) -> Money {
        self.total.settled
    }

    /// All held money of the campaign.
    pub fn held(&self) -> Money {
        self.total.held
    }

    /// The state of each cap on this day, without the caps of episodes.
    pub fn cap_stats(&self, day: i64) -> Vec<CapStats> {
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

/// The account, or an empty one if nothing was spent.
fn known(account: Option<&LedgerAccount>) -> LedgerAccount {
    account.copied().unwrap_or_default()
}

#[cfg(test)]
mod tests;
