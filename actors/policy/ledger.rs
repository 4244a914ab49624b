//! The wall: what is settled, what is held, and whether one more hold fits under every cap: of
//! the campaign, of the model, of the episode, of the day. The worst case is held before a call
//! and replaced by its true cost after it; a hold is granted under all caps or under none.

use crate::model::{Caps, EpisodeId, Money, Spending};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};

/// Which cap a hold does not fit under.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    Campaign,
    Model,
    Episode,
    Day,
}

/// A cap at a glance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CapStats {
    pub scope: Scope,
    pub model: Option<String>,
    pub spent_usd: Money,
    pub held_usd: Money,
    pub cap_usd: Money,
}

/// Why a hold was not granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Other calls are in flight; when they settle there may be room.
    NotNow,
    /// Not even with everything in flight free of charge.
    Exhausted { scope: Scope, cap: Money, spent: Money },
}

/// What a hold is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Purpose {
    pub model: String,
    pub episode: EpisodeId,
    /// Days since 1970, UTC.
    pub day: i64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Account {
    settled: Money,
    held: Money,
}

impl Account {
    fn spent(settled: Money) -> Self {
        Self { settled, held: Money::ZERO }
    }

    fn fits(&self, scope: Scope, cap: Option<Money>, amount: Money) -> Result<(), Refusal> {
        let Some(cap) = cap else { return Ok(()) };
        let spent = self.settled;
        let alone = spent.checked_add(amount).filter(|alone| *alone <= cap);
        let alone = alone.ok_or(Refusal::Exhausted { scope, cap, spent })?;
        match alone.checked_add(self.held) {
            Some(all) if all <= cap => Ok(()),
            _ => Err(Refusal::NotNow),
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
    caps: Caps,
    total: Account,
    models: HashMap<String, Account>,
    episodes: HashMap<EpisodeId, Account>,
    days: BTreeMap<i64, Account>,
    holds: HashMap<String, (Purpose, Money)>,
}

impl Ledger {
    pub fn new(caps: Caps, before: Spending) -> Self {
        let Spending { total, models, day, episodes } = before;
        Self {
            total: Account::spent(total),
            models: models.into_iter().map(|(m, spent)| (m, Account::spent(spent))).collect(),
            episodes: episodes.into_iter().map(|(e, spent)| (e, Account::spent(spent))).collect(),
            days: BTreeMap::from([(day.0, Account::spent(day.1))]),
            holds: HashMap::new(),
            caps,
        }
    }

    /// Sets `amount` aside under `id`. The same id again changes nothing.
    pub fn hold(&mut self, id: &str, purpose: &Purpose, amount: Money) -> Result<(), Refusal> {
        if self.holds.contains_key(id) {
            return Ok(());
        }
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

    /// What is exhausted is told before what only has to be waited for.
    fn fits(&self, purpose: &Purpose, amount: Money) -> Result<(), Refusal> {
        let Caps { campaign, day, episode, models } = &self.caps;
        let checks = [
            self.total.fits(Scope::Campaign, *campaign, amount),
            known(self.days.get(&purpose.day)).fits(Scope::Day, *day, amount),
            known(self.models.get(&purpose.model)).fits(
                Scope::Model,
                models.get(&purpose.model).copied(),
                amount,
            ),
            known(self.episodes.get(&purpose.episode)).fits(Scope::Episode, *episode, amount),
        ];
        let refusals = checks.into_iter().filter_map(Result::err);
        let worst = refusals.min_by_key(|refusal| *refusal == Refusal::NotNow);
        worst.map_or(Ok(()), Err)
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
        let one = |scope, model: Option<&String>, account: Account, cap| CapStats {
            scope,
            model: model.cloned(),
            spent_usd: account.settled,
            held_usd: account.held,
            cap_usd: cap,
        };
        let campaign = self.caps.campaign.map(|cap| one(Scope::Campaign, None, self.total, cap));
        let today = known(self.days.get(&day));
        let day = self.caps.day.map(|cap| one(Scope::Day, None, today, cap));
        let models = self.caps.models.iter();
        let models =
            models.map(|(m, cap)| one(Scope::Model, Some(m), known(self.models.get(m)), *cap));
        campaign.into_iter().chain(day).chain(models).collect()
    }
}

fn known(account: Option<&Account>) -> Account {
    account.copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Clone, Debug)]
    enum Deed {
        Hold {
            id: u8,
            model: u8,
            episode: u8,
            amount: u64,
        },
        /// By how much of what was held, in percent.
        Settle {
            id: u8,
            percent: u64,
        },
        NextDay,
        /// What is remembered is what the journal says: open holds in full.
        Crash,
    }

    fn deeds() -> impl Strategy<Value = Vec<Deed>> {
        let hold = (any::<u8>(), 0u8..3, 0u8..4, 0u64..100)
            .prop_map(|(id, model, episode, amount)| Deed::Hold { id, model, episode, amount });
        let settle =
            (any::<u8>(), 0u64..=100).prop_map(|(id, percent)| Deed::Settle { id, percent });
        let deed = prop_oneof![
            8 => hold, 8 => settle, 1 => Just(Deed::NextDay), 1 => Just(Deed::Crash)
        ];
        prop::collection::vec(deed, 0..300)
    }

    fn caps() -> impl Strategy<Value = Caps> {
        let cap = || prop::option::of((0u64..600).prop_map(Money::from_nanos));
        let models =
            prop::collection::btree_map("m[0-2]", (0u64..400).prop_map(Money::from_nanos), 0..3);
        (cap(), cap(), cap(), models).prop_map(|(campaign, day, episode, models)| Caps {
            campaign,
            day,
            episode,
            models,
        })
    }

    /// What is known of a hold, for good.
    struct Row {
        purpose: Purpose,
        amount: u64,
        cost: Option<u64>,
    }

    /// The simplest ledger there is: every hold that ever was, added up anew each time.
    #[derive(Default)]
    struct Reference(BTreeMap<String, Row>);

    impl Reference {
        fn sum(&self, counts: impl Fn(&Row) -> bool, worth: impl Fn(&Row) -> u64) -> u64 {
            self.0.values().filter(|row| counts(row)).map(worth).sum()
        }

        fn worth(&self, counts: impl Fn(&Row) -> bool) -> u64 {
            self.sum(counts, |row| row.cost.unwrap_or(row.amount))
        }

        /// The worth of each scope of a purpose, with its cap.
        fn scopes(&self, caps: &Caps, of: &Purpose) -> Vec<(u64, Option<Money>)> {
            vec![
                (self.worth(|_| true), caps.campaign),
                (self.worth(|row| row.purpose.day == of.day), caps.day),
                (
                    self.worth(|row| row.purpose.model == of.model),
                    caps.models.get(&of.model).copied(),
                ),
                (self.worth(|row| row.purpose.episode == of.episode), caps.episode),
            ]
        }

        fn spending(&self, day: i64) -> Spending {
            let mut spending = Spending { day: (day, Money::ZERO), ..Spending::default() };
            for row in self.0.values() {
                let worth = Money::from_nanos(row.cost.unwrap_or(row.amount));
                add(&mut spending.total, worth);
                add(spending.models.entry(row.purpose.model.clone()).or_default(), worth);
                add(spending.episodes.entry(row.purpose.episode.clone()).or_default(), worth);
                if row.purpose.day == day {
                    add(&mut spending.day.1, worth);
                }
            }
            spending
        }
    }

    fn add(sum: &mut Money, more: Money) {
        *sum = sum.saturating_add(more);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        /// Whatever is held, settled, cut short by a crash, and over however many days: a hold is
        /// granted exactly where it fits under every cap, nothing passes one, nothing is counted
        /// twice, and nothing is left held that was settled.
        #[test]
        fn it_is_as_if_everything_were_added_up_anew(caps in caps(), deeds in deeds()) {
            let mut ledger = Ledger::new(caps.clone(), Spending::default());
            let mut reference = Reference::default();
            let (mut day, mut life) = (0, 0);
            for deed in deeds {
                match deed {
                    Deed::NextDay => day += 1,
                    Deed::Crash => {
                        ledger = Ledger::new(caps.clone(), reference.spending(day));
                        // Nobody is left who could settle them.
                        life += 1;
                    }
                    Deed::Hold { id, model, episode, amount } => {
                        let id = format!("{life}/{id}");
                        let episode = EpisodeId(format!("e{episode}"));
                        let purpose = Purpose { model: format!("m{model}"), episode, day };
                        let known = reference.0.get(&id);
                        if known.is_some_and(|row| row.cost.is_some()) {
                            continue;
                        }
                        let scopes = reference.scopes(&caps, &purpose);
                        let fits = scopes.iter().all(|(worth, cap)| cap.is_none_or(|cap| worth + amount <= cap.nanos()));
                        let granted = ledger.hold(&id, &purpose, Money::from_nanos(amount));
                        prop_assert_eq!(granted.is_ok(), known.is_some() || fits, "{:?}", granted);
                        if known.is_none() && fits {
                            reference.0.insert(id, Row { purpose, amount, cost: None });
                        }
                    }
                    Deed::Settle { id, percent } => {
                        let id = format!("{life}/{id}");
                        let open = reference.0.get_mut(&id).filter(|row| row.cost.is_none());
                        let cost = open.as_ref().map_or(7, |row| row.amount * percent / 100);
                        prop_assert!(!ledger.settle(&id, Money::from_nanos(cost)));
                        if let Some(row) = open {
                            row.cost = Some(cost);
                        }
                    }
                }
                let all = reference.worth(|_| true);
                prop_assert_eq!(ledger.settled().nanos() + ledger.held().nanos(), all);
                for row in reference.0.values() {
                    for (worth, cap) in reference.scopes(&caps, &row.purpose) {
                        prop_assert!(cap.is_none_or(|cap| worth <= cap.nanos()));
                    }
                }
            }
            let open: Vec<String> = reference.0.iter().filter(|(_, row)| row.cost.is_none()).map(|(id, _)| id.clone()).collect();
            open.iter().for_each(|id| { ledger.settle(id, Money::ZERO); });
            prop_assert_eq!(ledger.held(), Money::ZERO);
        }
    }

    fn purpose(model: &str, episode: &str, day: i64) -> Purpose {
        Purpose { model: model.to_owned(), episode: EpisodeId(episode.to_owned()), day }
    }

    #[test]
    fn tells_waiting_from_exhausted_and_by_which_cap() {
        let money = Money::from_nanos;
        let caps = Caps {
            campaign: Some(money(100)),
            day: Some(money(50)),
            episode: Some(money(20)),
            models: [("m".to_owned(), money(30))].into(),
        };
        let mut ledger = Ledger::new(caps, Spending::default());
        let exhausted = |scope, cap, spent| {
            Err(Refusal::Exhausted { scope, cap: money(cap), spent: money(spent) })
        };
        assert_eq!(ledger.hold("a", &purpose("m", "e", 1), money(18)), Ok(()));
        assert_eq!(ledger.hold("b", &purpose("m", "e", 1), money(5)), Err(Refusal::NotNow));
        assert_eq!(
            ledger.hold("b", &purpose("m", "f", 1), money(21)),
            exhausted(Scope::Episode, 20, 0)
        );
        assert_eq!(
            ledger.hold("b", &purpose("m", "f", 1), money(31)),
            exhausted(Scope::Model, 30, 0)
        );
        assert!(!ledger.settle("a", money(18)));
        assert_eq!(
            ledger.hold("b", &purpose("m", "e", 1), money(5)),
            exhausted(Scope::Episode, 20, 18)
        );
        assert_eq!(
            ledger.hold("b", &purpose("m", "f", 1), money(13)),
            exhausted(Scope::Model, 30, 18)
        );
        assert_eq!(ledger.hold("b", &purpose("n", "f", 1), money(20)), Ok(()));
        assert!(ledger.settle("b", money(25)), "more than was held");
        assert_eq!(
            ledger.hold("c", &purpose("n", "g", 1), money(8)),
            exhausted(Scope::Day, 50, 43)
        );
        assert_eq!(ledger.hold("c", &purpose("n", "g", 2), money(8)), Ok(()), "another day");
        assert_eq!(ledger.settled(), money(43));
        let told: Vec<_> = ledger
            .standing(1)
            .into_iter()
            .map(|cap| (cap.scope, cap.spent_usd, cap.held_usd))
            .collect();
        let expected = [(Scope::Campaign, 43, 8), (Scope::Day, 43, 0), (Scope::Model, 18, 0)];
        assert_eq!(told, expected.map(|(scope, spent, held)| (scope, money(spent), money(held))));
    }
}
