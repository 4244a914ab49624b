//! The account of one campaign at the router: its models with their limits, and its ledger. The
//! account outlives the router actor, so a restarted actor continues with the same holds and
//! limits.
//!
//! The account is where calls wait for money. A call whose hold does not fit now waits in a line
//! until another call settles; the ledger (`actors/policy/ledger/`) itself only decides.

use super::campaign_model::{CampaignModel, ModelClients, ModelStats};
use super::provider_limiter::ProviderLimiters;
use super::record_backlog::RecordBacklog;
use crate::model::{Fault, FaultKind, Money, SpendingCaps, SpendingTotals};
use crate::policy::{CapScope, CapStats, HoldPurpose, HoldRefusal, Ledger};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use tokio::sync::Notify;

/// What one campaign may call and spend.
pub struct CampaignAccount {
    /// The models of the campaign, by name.
    pub(super) slots: HashMap<String, Arc<CampaignModel>>,
    ledger: Mutex<Ledger>,
    /// Notified whenever a call settles, so that calls that wait for money try again.
    freed: Notify,
    /// The line of calls that wait for money. The lock is fair (first in, first out), so a large
    /// call is not passed for ever by small ones. A call that waits for the cap of its model or of
    /// its episode has left the line.
    line: tokio::sync::Mutex<()>,
    /// The message about the first call that cost more than its worst case. Once it is set, no call
    /// is admitted.
    overrun: OnceLock<String>,
    /// Calls whose records the store has not taken. An account that replaces this one shares it.
    pub(super) backlog: Arc<RecordBacklog>,
}

impl CampaignAccount {
    /// The account of a campaign. `before` is what the journal says was spent, with open holds in
    /// full.
    pub(super) fn open(
        models: Vec<ModelClients>,
        provider_limiters: &ProviderLimiters,
        caps: SpendingCaps,
        before: SpendingTotals,
    ) -> Self {
        let overrun = before.overrun.as_ref().map(ToString::to_string);
        let slots = models.into_iter().map(|clients| {
            let slot = CampaignModel::new(clients, provider_limiters);
            (slot.config.name.clone(), Arc::new(slot))
        });
        Self {
            slots: slots.collect(),
            ledger: Mutex::new(Ledger::new(caps, before)),
            freed: Notify::new(),
            line: tokio::sync::Mutex::default(),
            overrun: overrun.map_or_else(OnceLock::new, OnceLock::from),
            backlog: Arc::default(),
        }
    }

    /// This account with the backlog of the account that it replaces.
    pub(super) fn after(self, replaced: Option<&Arc<Self>>) -> Self {
        Self { backlog: replaced.map_or(self.backlog, |old| old.backlog.clone()), ..self }
    }

    /// One of the campaign's models. Err if the campaign has no such model.
    pub(super) fn model(&self, model: &str) -> Result<Arc<CampaignModel>, Fault> {
        self.slots
            .get(model)
            .cloned()
            .ok_or_else(|| Fault::new(FaultKind::ModelPermanent, format!("no model named {model}")))
    }

    fn ledger(&self) -> std::sync::MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Holds money, if that is possible without waiting and no other call waits in the line. A call
    /// that was once the first of the line (`was_first`) may pass the others. Ok(false) means that
    /// the money is not held and the call must wait. Err means that no wait helps: a cap is
    /// exhausted, or a call has cost more than its worst case.
    pub(super) fn try_hold(
        &self,
        id: &str,
        purpose: &HoldPurpose,
        amount: Money,
        was_first: bool,
    ) -> Result<bool, Fault> {
        let first = self.line.try_lock();
        if first.is_err() && !was_first {
            return Ok(false);
        }
        self.stopped()?;
        let held = self.ledger().hold(id, purpose, amount);
        match held {
            Ok(()) => Ok(true),
            Err(HoldRefusal::NotNow(_)) => Ok(false),
            Err(HoldRefusal::Exhausted { scope, cap, spent }) => {
                let was_ahead = self.ledger().was_ahead(purpose.day);
                Err(exhausted(scope, purpose, was_ahead, [amount, cap, spent]))
            }
            Err(HoldRefusal::Unanswered { cap, spent, unanswered }) => {
                Err(unanswered_share(amount, cap, spent, unanswered))
            }
        }
    }

    /// Err if a call has cost more than its worst case: then no cap can be trusted, and no call is
    /// made.
    fn stopped(&self) -> Result<(), Fault> {
        match self.overrun.get() {
            Some(what) => Err(Fault::new(FaultKind::CallOverrun, what.as_str())),
            None => Ok(()),
        }
    }

    /// Holds money, and waits while calls in flight may leave some. `timed` gives the purpose and
    /// the time; it is called again for each try, because the day may change while the call waits.
    /// Returns the time at which the money was held. Err as for [`Self::try_hold`].
    pub(super) async fn hold(
        &self,
        id: &str,
        timed: &(dyn Fn() -> (HoldPurpose, i64) + Send + Sync),
        amount: Money,
    ) -> Result<i64, Fault> {
        loop {
            let first = self.line.lock().await;
            let freed = loop {
                self.stopped()?;
                // The wait is registered before the ledger is asked, so that a settlement in
                // between is not missed.
                let freed = self.freed.notified();
                let (purpose, at_ms) = timed();
                let held = self.ledger().hold(id, &purpose, amount);
                match held {
                    Ok(()) => return Ok(at_ms),
                    // Every call is limited by this cap. So the call keeps the first place while it
                    // waits.
                    Err(HoldRefusal::NotNow(CapScope::Campaign | CapScope::Day)) => freed.await,
                    // Other models and episodes are not limited by this cap. So the call gives up
                    // the first place, and other calls may pass.
                    Err(HoldRefusal::NotNow(CapScope::Model | CapScope::Episode)) => break freed,
                    Err(HoldRefusal::Exhausted { scope, cap, spent }) => {
                        let was_ahead = self.ledger().was_ahead(purpose.day);
                        return Err(exhausted(scope, &purpose, was_ahead, [amount, cap, spent]));
                    }
                    Err(HoldRefusal::Unanswered { cap, spent, unanswered }) => {
                        return Err(unanswered_share(amount, cap, spent, unanswered));
                    }
                }
            };
            drop(first);
            freed.await;
        }
    }

    /// Waits until no money is held, which means that no paid call is in flight.
    pub(super) async fn wait_until_settled(&self) {
        loop {
            let freed = self.freed.notified();
            if self.held().is_zero() {
                return;
            }
            freed.await;
        }
    }

    /// Replaces a hold by the true cost, and wakes the calls that wait for money. `answered` is
    /// false for a call without an answer. A cost above the hold stops all further calls of the
    /// campaign.
    pub(super) fn settle(&self, id: &str, cost: Money, answered: bool) {
        let is_over = match answered {
            true => self.ledger().settle(id, cost),
            false => self.ledger().settle_unanswered(id, cost),
        };
        self.settled(id, cost, is_over);
    }

    /// Counts `cost` for a call whose settlement the store did not take, until [`Self::recorded`].
    pub(super) fn settle_unrecorded(&self, id: &str, cost: Money) {
        let is_over = self.ledger().settle_unrecorded(id, cost);
        self.settled(id, cost, is_over);
    }

    /// Counts the true cost of a call after [`Self::settle_unrecorded`].
    pub(super) fn recorded(&self, id: &str, cost: Money, answered: bool) {
        self.ledger().recorded(id, cost, answered);
        self.freed.notify_waiters();
    }

    /// Stops the campaign's calls if the cost is above the hold, and wakes the calls that wait for
    /// money.
    fn settled(&self, id: &str, cost: Money, is_over: bool) {
        if is_over {
            tracing::error!(hold = id, %cost, "a call cost more than its hold");
            // The worst case was wrong, so the budget cannot be kept: no more calls are made.
            self.overrun.get_or_init(|| {
                format!("the call {id} cost ${cost}, more than its worst case: its price is wrong")
            });
        }
        self.freed.notify_waiters();
    }

    /// All settled money.
    pub fn spent(&self) -> Money {
        self.ledger().settled()
    }

    /// All held money.
    pub fn held(&self) -> Money {
        self.ledger().held()
    }

    /// The state of each cap on this day, without the caps of episodes.
    pub(super) fn caps(&self, day: i64) -> Vec<CapStats> {
        self.ledger().cap_stats(day)
    }

    /// What is wrong with the models at the moment, for people; none if nothing is.
    pub fn warning(&self) -> Option<String> {
        let mut told: Vec<String> = self.slots.values().filter_map(|s| s.warning()).collect();
        told.sort();
        (!told.is_empty()).then(|| told.join("; "))
    }

    /// The state of each model, sorted by name.
    pub fn stats(&self) -> Vec<ModelStats> {
        let mut stats: Vec<ModelStats> = self.slots.values().map(|slot| slot.stats()).collect();
        stats.sort_by(|a, b| a.model.cmp(&b.model));
        stats
    }
}

/// Part of a message. Money that was held for a later day must count today, or setting the clock
/// back would give a second daily budget.
const AHEAD: &str = " today. The clock was ahead when some of this money was granted: it counts until \
                     that day is over. Check the clock. To go on earlier, raise [budget] day_usd and \
                     start synthd again";

/// The fault of a cap that is exhausted. `money` has the amount of the refused hold, the cap, and
/// what is spent.
fn exhausted(scope: CapScope, of: &HoldPurpose, was_ahead: bool, money: [Money; 3]) -> Fault {
    let [amount, cap, spent] = money;
    let (kind, whose) = match scope {
        CapScope::Campaign => (FaultKind::Budget, String::new()),
        CapScope::Day if was_ahead => (FaultKind::Budget, AHEAD.to_owned()),
        CapScope::Day => (FaultKind::Budget, " today, until midnight UTC".to_owned()),
        CapScope::Model => (FaultKind::ModelBudget, format!(" on {}", of.model)),
        // Nothing was spent on the episode: the cap is smaller than this call alone.
        CapScope::Episode if spent.is_zero() => {
            let what = format!("a call holds ${amount}, but [budget] episode_usd is ${cap}");
            return Fault::new(FaultKind::EpisodeBudget, what);
        }
        CapScope::Episode => (FaultKind::EpisodeBudget, " on the episode".to_owned()),
    };
    let what = format!("the next call may cost ${amount}; ${spent} of ${cap} are spent{whose}");
    Fault::new(kind, what)
}

/// The fault of an episode whose cap is used up only because of calls without an answer. It is not
/// an ending of the agent, because the agent alone has not spent the money.
fn unanswered_share(amount: Money, cap: Money, spent: Money, unanswered: Money) -> Fault {
    let what = format!(
        "the next call may cost ${amount}; ${spent} of ${cap} are spent on the episode, \
         ${unanswered} of it on calls without an answer"
    );
    Fault::new(FaultKind::EpisodeUnanswered, what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::EpisodeId;
    use crate::supervisor::spawn;
    use std::sync::atomic::{AtomicI64, Ordering};
    use std::time::Duration;

    fn dollars(amount: u64) -> Money {
        Money::from_nanos(amount * 1_000_000_000)
    }

    fn account(cap: Option<Money>) -> CampaignAccount {
        let caps = SpendingCaps { campaign: cap, ..SpendingCaps::default() };
        CampaignAccount::open(
            Vec::new(),
            &ProviderLimiters::default(),
            caps,
            SpendingTotals::default(),
        )
    }

    fn timed() -> (HoldPurpose, i64) {
        of("e")
    }

    fn of(episode: &str) -> (HoldPurpose, i64) {
        let episode = EpisodeId(episode.to_owned());
        (HoldPurpose { model: "m".to_owned(), episode, day: 0 }, 0)
    }

    /// Small calls that would fit do not pass a large call that waits.
    #[tokio::test(start_paused = true)]
    async fn money_is_had_in_the_order_it_was_wanted() {
        let account = Arc::new(account(Some(dollars(10))));
        account.hold("first", &timed, dollars(6)).await.unwrap();
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut waiting = Vec::new();
        for (id, amount) in [("large", 8), ("small", 1), ("smaller", 1)] {
            let (account, order) = (account.clone(), order.clone());
            waiting.push(spawn("holder", async move {
                account.hold(id, &timed, dollars(amount)).await.unwrap();
                order.lock().unwrap().push(id);
                tokio::time::sleep(Duration::from_secs(1)).await;
                account.settle(id, Money::ZERO, true);
            }));
            // Time for the call to join the line.
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert!(order.lock().unwrap().is_empty(), "a small one would have fitted");
        account.settle("first", Money::ZERO, true);
        for task in waiting {
            task.await.unwrap();
        }
        assert_eq!(*order.lock().unwrap(), ["large", "small", "smaller"]);
        assert_eq!((account.spent(), account.held()), (Money::ZERO, Money::ZERO));
    }

    /// A call that waits for its own cap delays no other call.
    #[tokio::test(start_paused = true)]
    async fn who_waits_for_his_own_cap_lets_others_by() {
        let caps = SpendingCaps { episode: Some(dollars(10)), ..SpendingCaps::default() };
        let account = CampaignAccount::open(
            Vec::new(),
            &ProviderLimiters::default(),
            caps,
            SpendingTotals::default(),
        );
        account.hold("first", &|| of("a"), dollars(8)).await.unwrap();
        let account = Arc::new(account);
        let waits = account.clone();
        let waiting =
            spawn("holder", async move { waits.hold("second", &|| of("a"), dollars(5)).await });
        tokio::time::sleep(Duration::from_millis(1)).await;
        let patience = Duration::from_secs(1);
        let by = tokio::time::timeout(patience, account.hold("other", &|| of("b"), dollars(5)));
        by.await.unwrap().unwrap();
        account.settle("first", Money::ZERO, true);
        waiting.await.unwrap().unwrap();
    }

    /// Money that is granted after midnight is the new day's.
    #[tokio::test(start_paused = true)]
    async fn the_day_of_money_is_the_day_it_was_granted() {
        let caps = SpendingCaps { day: Some(dollars(10)), ..SpendingCaps::default() };
        let account = Arc::new(CampaignAccount::open(
            Vec::new(),
            &ProviderLimiters::default(),
            caps,
            SpendingTotals::default(),
        ));
        let day = Arc::new(AtomicI64::new(0));
        let timed = |day: &Arc<AtomicI64>| {
            let day = day.clone();
            move || {
                let day = day.load(Ordering::SeqCst);
                (HoldPurpose { day, ..of("e").0 }, day)
            }
        };
        account.hold("first", &timed(&day), dollars(6)).await.unwrap();
        let (waits, later) = (account.clone(), timed(&day));
        let waiting =
            spawn("holder", async move { waits.hold("second", &later, dollars(8)).await });
        tokio::time::sleep(Duration::from_millis(1)).await;
        day.store(1, Ordering::SeqCst);
        account.settle("first", dollars(6), true);
        assert_eq!(waiting.await.unwrap().unwrap(), 1);
        let today = timed(&day);
        let told = account.hold("third", &today, dollars(3));
        let told = tokio::time::timeout(Duration::from_secs(1), told).await;
        assert!(told.is_err(), "it waits for the eight dollars of its own day");
    }

    /// The end of the day would not help.
    #[tokio::test(start_paused = true)]
    async fn a_clock_that_was_ahead_is_told_as_such() {
        let caps = SpendingCaps { day: Some(dollars(10)), ..SpendingCaps::default() };
        let account = CampaignAccount::open(
            Vec::new(),
            &ProviderLimiters::default(),
            caps,
            SpendingTotals::default(),
        );
        let on = |day: i64| move || (HoldPurpose { day, ..of("e").0 }, 0);
        account.hold("a week ahead", &on(7), dollars(9)).await.unwrap();
        account.settle("a week ahead", dollars(9), true);
        for (day, told) in [(0, "raise [budget] day_usd"), (7, "until midnight UTC")] {
            let waited = account.hold("next", &on(day), dollars(2)).await.unwrap_err();
            let at_once = account.try_hold("next", &on(day)().0, dollars(2), false).unwrap_err();
            for fault in [waited, at_once] {
                assert!(fault.message.contains(told), "{day}: {fault}");
                assert_eq!(fault.message.contains("clock was ahead"), day == 0, "{fault}");
            }
        }
    }

    /// A call that leaves the line delays no other call.
    #[tokio::test(start_paused = true)]
    async fn who_leaves_the_line_is_not_waited_for() {
        let account = Arc::new(account(Some(dollars(10))));
        account.hold("first", &timed, dollars(6)).await.unwrap();
        let patience = Duration::from_secs(1);
        tokio::time::timeout(patience, account.hold("large", &timed, dollars(8)))
            .await
            .unwrap_err();
        tokio::time::timeout(patience, account.hold("small", &timed, dollars(4)))
            .await
            .unwrap()
            .unwrap();
    }

    #[tokio::test]
    async fn after_a_call_that_cost_more_than_its_worst_case_nothing_is_asked() {
        let account = account(None);
        account.hold("a", &timed, dollars(1)).await.unwrap();
        account.hold("b", &timed, dollars(1)).await.unwrap();
        account.settle("a", dollars(2), true);
        let told = account.hold("c", &timed, dollars(1)).await.unwrap_err();
        assert_eq!(told.kind, FaultKind::CallOverrun);
        assert!(told.message.contains("more than its worst case"), "{told}");
        account.settle("b", dollars(1), true);
        assert_eq!(account.spent(), dollars(3), "what was spent is spent");
    }
}
