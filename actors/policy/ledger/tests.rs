//! The ledger against one that adds everything up anew.

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
    let settle = (any::<u8>(), 0u64..=100).prop_map(|(id, percent)| Deed::Settle { id, percent });
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
            (self.worth(|row| row.purpose.model == of.model), caps.models.get(&of.model).copied()),
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
    let exhausted =
        |scope, cap, spent| Err(Refusal::Exhausted { scope, cap: money(cap), spent: money(spent) });
    assert_eq!(ledger.hold("a", &purpose("m", "e", 1), money(18)), Ok(()));
    assert_eq!(
        ledger.hold("b", &purpose("m", "e", 1), money(5)),
        Err(Refusal::NotNow(Scope::Episode))
    );
    assert_eq!(
        ledger.hold("b", &purpose("m", "f", 1), money(21)),
        exhausted(Scope::Episode, 20, 0)
    );
    assert_eq!(ledger.hold("b", &purpose("m", "f", 1), money(31)), exhausted(Scope::Model, 30, 0));
    assert!(!ledger.settle("a", money(18)));
    assert_eq!(
        ledger.hold("b", &purpose("m", "e", 1), money(5)),
        exhausted(Scope::Episode, 20, 18)
    );
    assert_eq!(ledger.hold("b", &purpose("m", "f", 1), money(13)), exhausted(Scope::Model, 30, 18));
    assert_eq!(ledger.hold("b", &purpose("n", "f", 1), money(20)), Ok(()));
    assert!(ledger.settle("b", money(25)), "more than was held");
    assert_eq!(ledger.hold("c", &purpose("n", "g", 1), money(8)), exhausted(Scope::Day, 50, 43));
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
