//! A campaign's account with the router: its models, their limits, its budget. It outlives
//! the router actor, so that a rebuilt one goes on where the last one died.

use crate::model::{Fault, FaultKind, ModelConfig, Money};
use crate::policy::{Budget, Refusal};
use crate::ports::ChatModel;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use serde::Serialize;
use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{Notify, Semaphore};

/// One model as one campaign uses it.
pub(super) struct ModelSlot {
    pub(super) config: ModelConfig,
    pub(super) model: Arc<dyn ChatModel>,
    pub(super) places: Arc<Semaphore>,
    pub(super) limiter: Option<DefaultDirectRateLimiter>,
    pub(super) calls: AtomicU64,
    pub(super) retries: AtomicU64,
    pub(super) failures: AtomicU64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ModelStats {
    pub model: String,
    pub calls: u64,
    pub retries: u64,
    pub failures: u64,
    pub in_flight: usize,
}

/// Spread over the minute: no more than a second's worth leaves at once.
fn quota(per_minute: NonZeroU32) -> Quota {
    let burst = NonZeroU32::new(per_minute.get() / 60).unwrap_or(NonZeroU32::MIN);
    Quota::per_minute(per_minute).allow_burst(burst)
}

/// What a campaign may call and spend.
pub struct Account {
    pub(super) slots: HashMap<String, Arc<ModelSlot>>,
    budget: Mutex<Budget>,
    freed: Notify,
}

impl Account {
    /// `spent` is what the journal says was spent before, open holds in full.
    pub fn open(
        models: Vec<(ModelConfig, Arc<dyn ChatModel>)>,
        cap: Option<Money>,
        spent: Money,
    ) -> Self {
        let slots = models.into_iter().map(|(config, model)| {
            let limiter = config
                .requests_per_minute
                .and_then(NonZeroU32::new)
                .map(|per_minute| RateLimiter::direct(quota(per_minute)));
            let places = Arc::new(Semaphore::new(config.concurrency.max(1)));
            let name = config.name.clone();
            let counters = AtomicU64::default;
            let slot = ModelSlot {
                config,
                model,
                places,
                limiter,
                calls: counters(),
                retries: counters(),
                failures: counters(),
            };
            (name, Arc::new(slot))
        });
        Self {
            slots: slots.collect(),
            budget: Mutex::new(Budget::new(cap, spent)),
            freed: Notify::new(),
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
        loop {
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
        let mut stats: Vec<ModelStats> = self
            .slots
            .values()
            .map(|slot| ModelStats {
                model: slot.config.name.clone(),
                calls: slot.calls.load(Ordering::Relaxed),
                retries: slot.retries.load(Ordering::Relaxed),
                failures: slot.failures.load(Ordering::Relaxed),
                in_flight: slot
                    .config
                    .concurrency
                    .max(1)
                    .saturating_sub(slot.places.available_permits()),
            })
            .collect();
        stats.sort_by(|a, b| a.model.cmp(&b.model));
        stats
    }
}
