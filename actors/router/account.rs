//! A campaign's account with the router: its models, their limits, its budget. It outlives
//! the router actor, so that a rebuilt one goes on where the last one died.

use super::lane::Lanes;
use super::slot::{Manned, ModelSlot, ModelStats};
use crate::model::{Fault, FaultKind, Money};
use crate::policy::{Budget, Refusal};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use tokio::sync::Notify;

/// What a campaign may call and spend.
pub struct Account {
    pub(super) slots: HashMap<String, Arc<ModelSlot>>,
    budget: Mutex<Budget>,
    freed: Notify,
    /// Who wants money stands in it: the first is served first, however much it is.
    line: tokio::sync::Mutex<()>,
    /// What was said of the first call that cost more than its worst case.
    overrun: OnceLock<String>,
}

impl Account {
    /// `spent` is what the journal says was spent before, open holds in full.
    pub(super) fn open(
        models: Vec<Manned>,
        lanes: &Lanes,
        cap: Option<Money>,
        spent: Money,
    ) -> Self {
        let slots = models.into_iter().map(|manned| {
            let slot = ModelSlot::new(manned, lanes);
            (slot.config.name.clone(), Arc::new(slot))
        });
        Self {
            slots: slots.collect(),
            budget: Mutex::new(Budget::new(cap, spent)),
            freed: Notify::new(),
            line: tokio::sync::Mutex::default(),
            overrun: OnceLock::new(),
        }
    }

    /// One of the campaign's models.
    pub(super) fn slot(&self, model: &str) -> Result<Arc<ModelSlot>, Fault> {
        self.slots
            .get(model)
            .cloned()
            .ok_or_else(|| Fault::new(FaultKind::ModelPermanent, format!("no model named {model}")))
    }

    fn budget(&self) -> std::sync::MutexGuard<'_, Budget> {
        self.budget.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets money aside, waiting while other calls in flight may leave room.
    pub(super) async fn hold(&self, id: &str, amount: Money) -> Result<(), Fault> {
        let _first = self.line.lock().await;
        loop {
            if let Some(what) = self.overrun.get() {
                return Err(Fault::new(FaultKind::ModelPermanent, what.as_str()));
            }
            let freed = self.freed.notified();
            let refusal = match self.budget().hold(id, amount) {
                Ok(()) => return Ok(()),
                Err(refusal) => refusal,
            };
            match refusal {
                Refusal::NotNow => freed.await,
                Refusal::Exhausted => return Err(self.exhausted(amount)),
            }
        }
    }

    /// Waits until nothing is held.
    pub(super) async fn quiet(&self) {
        loop {
            let freed = self.freed.notified();
            if self.held().is_zero() {
                return;
            }
            freed.await;
        }
    }

    fn exhausted(&self, amount: Money) -> Fault {
        let budget = self.budget();
        let cap = budget.cap().unwrap_or_default();
        let spent = budget.settled();
        Fault::new(
            FaultKind::Budget,
            format!("the next call may cost ${amount}; ${spent} of ${cap} are spent"),
        )
    }

    /// Replaces a hold by the true cost.
    pub(super) fn settle(&self, id: &str, cost: Money) {
        if self.budget().settle(id, cost) {
            tracing::error!(hold = id, %cost, "a call cost more than its hold");
            // Worst cases are wrong, and with them the wall: nothing more is asked.
            self.overrun.get_or_init(|| {
                format!("the call {id} cost ${cost}, more than its worst case: its price is wrong")
            });
        }
        self.freed.notify_waiters();
    }

    pub fn spent(&self) -> Money {
        self.budget().settled()
    }

    pub fn held(&self) -> Money {
        self.budget().held()
    }

    pub fn stats(&self) -> Vec<ModelStats> {
        let mut stats: Vec<ModelStats> = self.slots.values().map(|slot| slot.stats()).collect();
        stats.sort_by(|a, b| a.model.cmp(&b.model));
        stats
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::supervisor::spawn;
    use std::time::Duration;

    fn dollars(amount: u64) -> Money {
        Money::from_nanos(amount * 1_000_000_000)
    }

    fn account(cap: Option<Money>) -> Account {
        Account::open(Vec::new(), &Lanes::default(), cap, Money::ZERO)
    }

    /// Small ones that would fit do not pass by a large one that waits.
    #[tokio::test(start_paused = true)]
    async fn money_is_had_in_the_order_it_was_wanted() {
        let account = Arc::new(account(Some(dollars(10))));
        account.hold("first", dollars(6)).await.unwrap();
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut waiting = Vec::new();
        for (id, amount) in [("large", 8), ("small", 1), ("smaller", 1)] {
            let (account, order) = (account.clone(), order.clone());
            waiting.push(spawn("holder", async move {
                account.hold(id, dollars(amount)).await.unwrap();
                order.lock().unwrap().push(id);
                tokio::time::sleep(Duration::from_secs(1)).await;
                account.settle(id, Money::ZERO);
            }));
            // Until it stands in line.
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert!(order.lock().unwrap().is_empty(), "a small one would have fitted");
        account.settle("first", Money::ZERO);
        for task in waiting {
            task.await.unwrap();
        }
        assert_eq!(*order.lock().unwrap(), ["large", "small", "smaller"]);
        assert_eq!((account.spent(), account.held()), (Money::ZERO, Money::ZERO));
    }

    /// One who leaves the line holds up nobody.
    #[tokio::test(start_paused = true)]
    async fn who_leaves_the_line_is_not_waited_for() {
        let account = Arc::new(account(Some(dollars(10))));
        account.hold("first", dollars(6)).await.unwrap();
        let patience = Duration::from_secs(1);
        tokio::time::timeout(patience, account.hold("large", dollars(8))).await.unwrap_err();
        tokio::time::timeout(patience, account.hold("small", dollars(4))).await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn after_a_call_that_cost_more_than_its_worst_case_nothing_is_asked() {
        let account = account(None);
        account.hold("a", dollars(1)).await.unwrap();
        account.hold("b", dollars(1)).await.unwrap();
        account.settle("a", dollars(2));
        let told = account.hold("c", dollars(1)).await.unwrap_err();
        assert_eq!(told.kind, FaultKind::ModelPermanent);
        assert!(told.message.contains("more than its worst case"), "{told}");
        account.settle("b", dollars(1));
        assert_eq!(account.spent(), dollars(3), "what was spent is spent");
    }
}
