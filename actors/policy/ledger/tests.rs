//! The ledger against one that adds everything up anew.

use super::*;
use crate::model::day_that_counts;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum LedgerChange {
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
        answered: bool,
    },
    /// Its settlement is not durable.
    Owe {
        id: u8,
        percent: u64,
        answered: bool,
    },
    /// A settlement that was owed is durable.
    Record(u8),
    NextDay,
    /// The clock is set back over midnight.
    DayBefore,
    /// What is remembered is what the journal says: open holds in full.
    Crash,
}

fn changes() -> impl Strategy<Value = Vec<LedgerChange>> {
    let hold = (0u8..64, 0u8..3, 0u8..4, 0u64..100)
        .prop_map(|(id, model, episode, amount)| LedgerChange::Hold { id, model, episode, amount });
    let settle = (0u8..64, 0u64..=100, any::<bool>())
        .prop_map(|(id, percent, answered)| LedgerChange::Settle { id, percent, answered });
    let owe = (0u8..64, 0u64..=100, any::<bool>())
        .prop_map(|(id, percent, answered)| LedgerChange::Owe { id, percent, answered });
    let change = prop_oneof![
        8 => hold, 8 => settle, 4 => owe, 4 => (0u8..64).prop_map(LedgerChange::Record), 2 => Just(LedgerChange::NextDay), 1 => Just(LedgerChange::DayBefore),
        1 => Just(LedgerChange::Crash)
    ];
    prop::collection::vec(change, 0..300)
}

fn caps() -> impl Strategy<Value = SpendingCaps> {
    let cap = || prop::option::of((0u64..600).prop_map(Money::from_nanos));
    let models =
        prop::collection::btree_map("m[0-2]", (0u64..400).prop_map(Money::from_nanos), 0..3);
    (cap(), cap(), cap(), models).prop_map(|(campaign, day, episode, models)| SpendingCaps {
        campaign,
        day,
        episode,
        models,
    })
}

/// What is known of a hold, for good.
struct Row {
    life: u32,
    /// By the clock, whatever the day it counts for.
    at: i64,
    purpose: HoldPurpose,
    amount: u64,
    cost: Option<u64>,
    answered: bool,
    /// What it cost and whether it was answered, until the settlement is durable.
    owed: Option<(u64, bool)>,
}

/// The simplest ledger there is: every hold that ever was, added up anew each time.
#[derive(Default)]
struct Reference {
    rows: BTreeMap<String, Row>,
    /// The day that the ledger began with, and what it was told of it.
    began: (i64, u64),
    life: u32,
}

impl Reference {
    fn sum(&self, counts: impl Fn(&Row) -> bool, worth: impl Fn(&Row) -> u64) -> u64 {
        self.rows.values().filter(|row| counts(row)).map(worth).sum()
    }

    fn worth(&self, counts: impl Fn(&Row) -> bool) -> u64 {
        self.sum(counts, |row| row.cost.unwrap_or(row.amount))
    }

    /// Of this life, and what it began with.
    fn worth_of_day(&self, day: i64) -> u64 {
        let before = if self.began.0 == day { self.began.1 } else { 0 };
        before + self.worth(|row| row.life == self.life && row.purpose.day == day)
    }

    fn newest_day(&self) -> i64 {
        let own = self.rows.values().filter(|row| row.life == self.life);
        own.map(|row| row.purpose.day).max().unwrap_or(self.began.0).max(self.began.0)
    }

    /// The worth of each scope of a purpose, with its cap.
    fn scopes(&self, caps: &SpendingCaps, of: &HoldPurpose) -> Vec<(u64, Option<Money>)> {
        vec![
            (self.worth(|_| true), caps.campaign),
            (self.worth_of_day(of.day), caps.day),
            (self.worth(|row| row.purpose.model == of.model), caps.models.get(&of.model).copied()),
            (self.worth(|row| row.purpose.episode == of.episode), caps.episode),
        ]
    }

    /// What the episode has settled for calls that were answered, or for the others. What a crash
    /// left open is among the others.
    fn settled(&self, episode: &EpisodeId, answered: bool) -> u64 {
        let is_settled = |row: &Row| row.cost.is_some() || row.life < self.life;
        self.worth(|row| {
            row.purpose.episode == *episode && is_settled(row) && row.answered == answered
        })
    }

    fn spending(&self, day: i64) -> SpendingTotals {
        let newest = self.rows.values().map(|row| row.at).max();
        let day_counts = day_that_counts(day, newest);
        let mut spending =
            SpendingTotals { day: (day_counts, Money::ZERO), ..SpendingTotals::default() };
        for row in self.rows.values() {
            let worth = Money::from_nanos(row.cost.unwrap_or(row.amount));
            add(&mut spending.total, worth);
            add(spending.models.entry(row.purpose.model.clone()).or_default(), worth);
            add(spending.episodes.entry(row.purpose.episode.clone()).or_default(), worth);
            if !row.answered {
                add(spending.unanswered.entry(row.purpose.episode.clone()).or_default(), worth);
            }
            if row.at >= day {
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
    fn it_is_as_if_everything_were_added_up_anew(caps in caps(), changes in changes()) {
        let mut ledger = Ledger::new(caps.clone(), SpendingTotals::default());
        let mut reference = Reference::default();
        let mut day = 0;
        for change in changes {
            match change {
                LedgerChange::NextDay => day += 1,
                LedgerChange::DayBefore => day -= 1,
                LedgerChange::Crash => {
                    let spending = reference.spending(day);
                    reference.began = (spending.day.0, spending.day.1.nanos());
                    ledger = Ledger::new(caps.clone(), spending);
                    // Nobody is left who could settle them.
                    reference.life += 1;
                }
                LedgerChange::Hold { id, model, episode, amount } => {
                    let id = format!("{}/{id}", reference.life);
                    let episode = EpisodeId(format!("e{episode}"));
                    let asked = HoldPurpose { model: format!("m{model}"), episode, day };
                    // A clock that is set back makes no new day.
                    let purpose = HoldPurpose { day: day.max(reference.newest_day()), ..asked.clone() };
                    let known = reference.rows.get(&id);
                    if known.is_some_and(|row| row.cost.is_some()) {
                        continue;
                    }
                    let scopes = reference.scopes(&caps, &purpose);
                    let fits = scopes.iter().all(|(worth, cap)| cap.is_none_or(|cap| worth + amount <= cap.nanos()));
                    let granted = ledger.hold(&id, &asked, Money::from_nanos(amount));
                    prop_assert_eq!(granted.is_ok(), known.is_some() || fits, "{:?}", granted);
                    // A label: only where the episode has had its answers for the whole share.
                    let answered = reference.settled(&purpose.episode, true);
                    let too_dear = caps.episode.is_some_and(|cap| answered + amount > cap.nanos());
                    if matches!(granted, Err(HoldRefusal::Exhausted { scope: CapScope::Episode, .. })) {
                        prop_assert!(too_dear);
                    }
                    if let Err(HoldRefusal::Unanswered { unanswered, .. }) = granted {
                        prop_assert!(!too_dear);
                        prop_assert!(unanswered > Money::ZERO);
                        prop_assert_eq!(unanswered.nanos(), reference.settled(&purpose.episode, false));
                    }
                    if known.is_none() && fits {
                        let row = Row { life: reference.life, at: day, purpose, amount, cost: None, answered: false, owed: None };
                        reference.rows.insert(id, row);
                    }
                }
                LedgerChange::Settle { id, percent, answered } => {
                    let id = format!("{}/{id}", reference.life);
                    let open = reference.rows.get_mut(&id).filter(|row| row.cost.is_none());
                    let cost = open.as_ref().map_or(7, |row| row.amount * percent / 100);
                    let cost_of = Money::from_nanos(cost);
                    let is_over = match answered {
                        true => ledger.settle(&id, cost_of),
                        false => ledger.settle_unanswered(&id, cost_of),
                    };
                    prop_assert!(!is_over);
                    if let Some(row) = open {
                        row.answered = answered;
                        row.cost = Some(cost);
                    }
                }
                LedgerChange::Owe { id, percent, answered } => {
                    let id = format!("{}/{id}", reference.life);
                    let open = reference.rows.get_mut(&id).filter(|row| row.cost.is_none());
                    let whole = open.as_ref().map_or(7, |row| row.amount);
                    prop_assert!(!ledger.settle_unrecorded(&id, Money::from_nanos(whole)));
                    if let Some(row) = open {
                        row.owed = Some((whole * percent / 100, answered));
                        row.cost = Some(whole);
                    }
                }
                LedgerChange::Record(id) => {
                    let id = format!("{}/{id}", reference.life);
                    let row = reference.rows.get_mut(&id);
                    let owed = row.and_then(|row| Some((row.owed.take()?, row)));
                    let (cost, answered) = owed.as_ref().map_or((7, true), |(owed, _)| *owed);
                    ledger.recorded(&id, Money::from_nanos(cost), answered);
                    if let Some((_, row)) = owed {
                        row.answered = answered;
                        row.cost = Some(cost);
                    }
                }
            }
            let all = reference.worth(|_| true);
            prop_assert_eq!(ledger.settled().nanos() + ledger.held().nanos(), all);
            for row in reference.rows.values() {
                for (worth, cap) in reference.scopes(&caps, &row.purpose) {
                    // Two days that became one may have spent two days' shares: no more is granted.
                    let before = if worth == reference.worth_of_day(row.purpose.day) { reference.began.1 } else { 0 };
                    prop_assert!(cap.is_none_or(|cap| worth <= cap.nanos().max(before)));
                }
            }
        }
        let open: Vec<String> = reference.rows.iter().filter(|(_, row)| row.cost.is_none()).map(|(id, _)| id.clone()).collect();
        open.iter().for_each(|id| { ledger.settle(id, Money::ZERO); });
        prop_assert_eq!(ledger.held(), Money::ZERO);
    }
}

fn purpose(model: &str, episode: &str, day: i64) -> HoldPurpose {
    HoldPurpose { model: model.to_owned(), episode: EpisodeId(episode.to_owned()), day }
}

#[test]
fn tells_waiting_from_exhausted_and_by_which_cap() {
    let money = Money::from_nanos;
    let caps = SpendingCaps {
        campaign: Some(money(100)),
        day: Some(money(50)),
        episode: Some(money(20)),
        models: [("m".to_owned(), money(30))].into(),
    };
    let mut ledger = Ledger::new(caps, SpendingTotals::default());
    let exhausted = |scope, cap, spent| {
        Err(HoldRefusal::Exhausted { scope, cap: money(cap), spent: money(spent) })
    };
    assert_eq!(ledger.hold("a", &purpose("m", "e", 1), money(18)), Ok(()));
    assert_eq!(
        ledger.hold("b", &purpose("m", "e", 1), money(5)),
        Err(HoldRefusal::NotNow(CapScope::Episode))
    );
    assert_eq!(
        ledger.hold("b", &purpose("m", "f", 1), money(21)),
        exhausted(CapScope::Episode, 20, 0)
    );
    assert_eq!(
        ledger.hold("b", &purpose("m", "f", 1), money(31)),
        exhausted(CapScope::Model, 30, 0)
    );
    assert!(!ledger.settle("a", money(18)));
    assert_eq!(
        ledger.hold("b", &purpose("m", "e", 1), money(5)),
        exhausted(CapScope::Episode, 20, 18)
    );
    assert_eq!(
        ledger.hold("b", &purpose("m", "f", 1), money(13)),
        exhausted(CapScope::Model, 30, 18)
    );
    assert_eq!(ledger.hold("b", &purpose("n", "f", 1), money(20)), Ok(()));
    assert!(ledger.settle("b", money(25)), "more than was held");
    assert_eq!(ledger.hold("c", &purpose("n", "g", 1), money(8)), exhausted(CapScope::Day, 50, 43));
    assert_eq!(ledger.hold("c", &purpose("n", "g", 2), money(8)), Ok(()), "another day");
    assert_eq!(ledger.settled(), money(43));
    let told: Vec<_> = ledger
        .cap_stats(1)
        .into_iter()
        .map(|cap| (cap.scope, cap.spent_usd, cap.held_usd))
        .collect();
    // Of the newest day, whatever the clock says since.
    let expected = [(CapScope::Campaign, 43, 8), (CapScope::Day, 0, 8), (CapScope::Model, 18, 0)];
    assert_eq!(told, expected.map(|(scope, spent, held)| (scope, money(spent), money(held))));
}

/// The same day is not had twice, in one life or over two.
#[test]
fn a_clock_that_is_set_back_over_midnight_renews_no_cap() {
    let money = Money::from_nanos;
    let caps = SpendingCaps { day: Some(money(50)), ..SpendingCaps::default() };
    let mut ledger = Ledger::new(caps.clone(), SpendingTotals::default());
    assert_eq!(ledger.hold("a", &purpose("m", "e", 7), money(50)), Ok(()));
    ledger.settle("a", money(50));
    let spent = |cap| Err(HoldRefusal::Exhausted { scope: CapScope::Day, cap, spent: money(50) });
    assert_eq!(ledger.hold("b", &purpose("m", "e", 6), money(1)), spent(money(50)));
    assert_eq!(ledger.cap_stats(6)[0].spent_usd, money(50));
    // As the store tells it after a restart, with the clock still behind; and at midnight.
    let told = SpendingTotals {
        day: (day_that_counts(6, Some(7)), money(50)),
        ..SpendingTotals::default()
    };
    let mut ledger = Ledger::new(caps, told);
    for day in [6, 7] {
        assert_eq!(ledger.hold("b", &purpose("m", "e", day), money(1)), spent(money(50)));
    }
    assert_eq!(ledger.hold("b", &purpose("m", "e", 8), money(50)), Ok(()));
}

/// What was not answered is not the agent's: over two lives too.
#[test]
fn a_share_that_unanswered_calls_use_up_is_told_apart() {
    let money = Money::from_nanos;
    let caps = SpendingCaps { episode: Some(money(100)), ..SpendingCaps::default() };
    let wasted = |spent, unanswered| {
        let (cap, spent, unanswered) = (money(100), money(spent), money(unanswered));
        Err(HoldRefusal::Unanswered { cap, spent, unanswered })
    };
    let mut ledger = Ledger::new(caps.clone(), SpendingTotals::default());
    ledger.hold("a", &purpose("m", "e", 1), money(60)).unwrap();
    ledger.settle_unanswered("a", money(60));
    assert_eq!(ledger.hold("b", &purpose("m", "e", 1), money(50)), wasted(60, 60));
    ledger.hold("c", &purpose("m", "e", 1), money(40)).unwrap();
    ledger.settle("c", money(30));
    assert_eq!(ledger.hold("d", &purpose("m", "e", 1), money(50)), wasted(90, 60));
    let spent =
        Err(HoldRefusal::Exhausted { scope: CapScope::Episode, cap: money(100), spent: money(90) });
    assert_eq!(ledger.hold("d", &purpose("m", "e", 1), money(71)), spent, "answers alone do it");
    let episode = |amount| [(EpisodeId("e".to_owned()), money(amount))].into();
    let told = SpendingTotals {
        episodes: episode(90),
        unanswered: episode(60),
        ..SpendingTotals::default()
    };
    let mut ledger = Ledger::new(caps, told);
    assert_eq!(ledger.hold("d", &purpose("m", "e", 1), money(50)), wasted(90, 60));
}

/// Nobody knows which model it went to.
#[test]
fn money_that_no_call_explains_counts_against_each_model() {
    let money = Money::from_nanos;
    let models = ["a", "b"].map(|model| (model.to_owned(), money(100))).into();
    let caps = SpendingCaps { models, ..SpendingCaps::default() };
    let told = SpendingTotals { unexplained: money(60), ..SpendingTotals::default() };
    let mut ledger = Ledger::new(caps, told);
    for model in ["a", "b"] {
        let spent = Err(HoldRefusal::Exhausted {
            scope: CapScope::Model,
            cap: money(100),
            spent: money(60),
        });
        assert_eq!(ledger.hold(&format!("{model}-1"), &purpose(model, "e", 6), money(41)), spent);
        assert_eq!(ledger.hold(&format!("{model}-2"), &purpose(model, "e", 6), money(40)), Ok(()));
    }
}
