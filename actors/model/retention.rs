//! How long the record of a campaign is kept: the rules of `[retention]`.
//!
//! The rules decide only over episodes that have ended, in campaigns that have ended. What a dataset was made
//! of and the record of money are kept in any case. `synthd store prune` applies the rules.

use std::time::Duration;

/// How long something is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetentionAge {
    Forever,
    For(Duration),
}

impl RetentionAge {
    /// Whether something of the time `at_ms` may go. Times are milliseconds since 1970, UTC. A time in
    /// the future is never over.
    pub fn is_over(self, at_ms: i64, now_ms: i64) -> bool {
        match self {
            Self::Forever => false,
            Self::For(age) => {
                let age = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
                now_ms >= at_ms && now_ms.saturating_sub(at_ms) >= age
            }
        }
    }
}

/// The rules of one campaign or of a daemon. Without a rule, everything is kept for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RetentionRules {
    /// The turns, calls and kept workspaces of episodes that reached their goal.
    pub solved: Option<RetentionAge>,
    /// The same of all other episodes that have ended.
    pub failed: Option<RetentionAge>,
    /// The bytes of requests and responses of models.
    pub calls: Option<RetentionAge>,
    /// Kept workspaces, by the age of their files.
    pub workspaces: Option<RetentionAge>,
}

/// What the rules look at of an episode that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetainedEpisode {
    /// Whether it is resolved, or an answer that nobody verifies.
    pub succeeded: bool,
    /// Milliseconds since 1970, UTC.
    pub finished_at_ms: i64,
    /// Whether a dataset was made of its row.
    pub in_dataset: bool,
}

impl RetentionRules {
    /// These rules, and those of `others` where these say nothing.
    #[must_use]
    pub fn or(self, others: Self) -> Self {
        Self {
            solved: self.solved.or(others.solved),
            failed: self.failed.or(others.failed),
            calls: self.calls.or(others.calls),
            workspaces: self.workspaces.or(others.workspaces),
        }
    }

    /// The rule by which the turns of an episode may go: `solved` or `failed`. None if they stay. The
    /// turns of a row of a dataset always stay.
    pub fn turns(&self, episode: &RetainedEpisode, now_ms: i64) -> Option<&'static str> {
        self.outcome(episode, now_ms).filter(|_| !episode.in_dataset)
    }

    /// The rule by which the bytes of its calls may go. A row is not made of them, so a dataset does not
    /// keep them.
    pub fn calls(&self, episode: &RetainedEpisode, now_ms: i64) -> Option<&'static str> {
        let over = self.calls.is_some_and(|age| age.is_over(episode.finished_at_ms, now_ms));
        over.then_some("calls").or_else(|| self.outcome(episode, now_ms))
    }

    /// The rule for the result of an episode, if the episode is old enough for it.
    fn outcome(&self, episode: &RetainedEpisode, now_ms: i64) -> Option<&'static str> {
        let (name, age) = match episode.succeeded {
            true => ("solved", self.solved),
            false => ("failed", self.failed),
        };
        age.is_some_and(|age| age.is_over(episode.finished_at_ms, now_ms)).then_some(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DAY_MS: i64 = 86_400_000;

    fn days(count: u64) -> Option<RetentionAge> {
        Some(RetentionAge::For(Duration::from_secs(count * 86_400)))
    }

    fn episode(succeeded: bool, in_dataset: bool) -> RetainedEpisode {
        RetainedEpisode { succeeded, finished_at_ms: 0, in_dataset }
    }

    fn age() -> impl Strategy<Value = Option<RetentionAge>> {
        prop_oneof![Just(None), Just(Some(RetentionAge::Forever)), (0u64..100).prop_map(days),]
    }

    fn rules() -> impl Strategy<Value = RetentionRules> {
        (age(), age(), age(), age()).prop_map(|(solved, failed, calls, workspaces)| {
            RetentionRules { solved, failed, calls, workspaces }
        })
    }

    #[test]
    fn each_rule_decides_over_its_part() {
        let rules = RetentionRules {
            solved: Some(RetentionAge::Forever),
            failed: days(30),
            calls: days(7),
            workspaces: None,
        };
        let at = |days: i64| days * DAY_MS;
        assert_eq!(rules.turns(&episode(false, false), at(29)), None);
        assert_eq!(rules.turns(&episode(false, false), at(30)), Some("failed"));
        assert_eq!(rules.turns(&episode(true, false), at(9_999)), None);
        assert_eq!(rules.calls(&episode(true, true), at(6)), None);
        assert_eq!(rules.calls(&episode(true, true), at(7)), Some("calls"));
        let failed = RetentionRules { calls: None, ..rules };
        assert_eq!(failed.calls(&episode(false, false), at(30)), Some("failed"));
    }

    #[test]
    fn a_campaigns_own_rule_stands_before_that_of_the_daemon() {
        let own = RetentionRules { failed: Some(RetentionAge::Forever), ..Default::default() };
        let daemon = RetentionRules { failed: days(1), calls: days(2), ..Default::default() };
        let both = own.or(daemon);
        assert_eq!((both.failed, both.calls), (Some(RetentionAge::Forever), days(2)));
    }

    proptest! {
        #[test]
        fn a_row_of_a_dataset_never_loses_its_turns(
            rules in rules(), succeeded in any::<bool>(), now in 0i64..200,
        ) {
            prop_assert_eq!(rules.turns(&episode(succeeded, true), now * DAY_MS), None);
        }

        #[test]
        fn what_may_go_may_go_later_too_and_nothing_goes_without_a_rule(
            rules in rules(), succeeded in any::<bool>(), now in 0i64..200, later in 0i64..200,
        ) {
            let one = episode(succeeded, false);
            let (now, later) = (now * DAY_MS, (now + later) * DAY_MS);
            prop_assert!(rules.turns(&one, now).is_none() || rules.turns(&one, later).is_some());
            prop_assert!(rules.calls(&one, now).is_none() || rules.calls(&one, later).is_some());
            prop_assert_eq!(RetentionRules::default().calls(&one, later), None);
        }

        #[test]
        fn a_time_in_the_future_is_not_over(age in age(), ahead in 1i64..1_000_000) {
            prop_assert!(!age.is_some_and(|age| age.is_over(ahead, 0)));
        }
    }
}
