//! What is written is read back, once, and only the current attempt may write.

use super::samples::*;
use super::{keep, started, store};
use crate::store::{Store, open, schema};
use synthd_actors::model::*;
use synthd_actors::ports::Journal;
use synthd_actors::quality::TurnParts;
use tempfile::TempDir;

async fn first(store: &Store) -> EpisodeRecord {
    store.episode(&id("c", 0)).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_campaign_is_kept_moved_and_listed() {
    let (_dir, store) = store();
    assert_eq!(store.campaign(&name("c")).await.unwrap(), None);
    keep(&store, opened("c")).await;
    keep(&store, opened("d")).await;
    assert_eq!(store.campaign(&name("c")).await.unwrap(), Some(campaign("c")));
    let paused = JournalEntry::CampaignMoved {
        campaign: name("c"),
        state: CampaignState::Paused,
        reason: Some("too many restarts".to_owned()),
    };
    keep(&store, paused).await;
    let moved = CampaignRecord {
        state: CampaignState::Paused,
        reason: Some("too many restarts".to_owned()),
        ..campaign("c")
    };
    assert_eq!(store.campaigns().await.unwrap(), vec![moved, campaign("d")]);
}

#[tokio::test]
async fn every_campaign_state_reads_back() {
    use CampaignState::{Cancelled, Complete, Paused, Running, Stopped};
    let (_dir, store) = store();
    keep(&store, opened("c")).await;
    for state in [Running, Paused, Stopped, Cancelled, Complete] {
        keep(&store, JournalEntry::CampaignMoved { campaign: name("c"), state, reason: None })
            .await;
        assert_eq!(store.campaign(&name("c")).await.unwrap().unwrap().state, state);
    }
}

#[tokio::test]
async fn a_campaign_opened_again_may_grow_but_not_change() {
    let (_dir, store) = store();
    keep(&store, opened("c")).await;
    let grown = CampaignRecord { config: "budget = 9".to_owned(), ..campaign("c") };
    let again = CampaignRecord { created_at_ms: 5, state: CampaignState::Paused, ..grown.clone() };
    keep(&store, JournalEntry::CampaignOpened(again)).await;
    assert_eq!(store.campaign(&name("c")).await.unwrap(), Some(grown));
    let other = CampaignRecord { identity: "other".to_owned(), ..campaign("c") };
    let fault = store.append(vec![JournalEntry::CampaignOpened(other)]).await.unwrap_err();
    assert!(fault.message.contains("other settings"), "{fault}");
}

/// A record of an older version has no sampling parameters, and its identity contains them.
#[tokio::test]
async fn sampling_parameters_are_kept_and_an_older_record_gets_them() {
    let (_dir, store) = store();
    keep(&store, opened("c")).await;
    let sampling = [("openai/m".to_owned(), r#"{"temperature":0.5}"#.to_owned())];
    let newer = CampaignRecord {
        identity: "newer".to_owned(),
        sampling: Some(sampling.into()),
        ..campaign("c")
    };
    keep(&store, JournalEntry::CampaignOpened(newer.clone())).await;
    assert_eq!(store.campaign(&name("c")).await.unwrap(), Some(newer.clone()));
    let silent = CampaignRecord { sampling: None, ..newer.clone() };
    keep(&store, JournalEntry::CampaignOpened(silent)).await;
    assert_eq!(store.campaigns().await.unwrap().first(), Some(&newer));
    let other = CampaignRecord { identity: "other".to_owned(), ..newer };
    assert!(store.append(vec![JournalEntry::CampaignOpened(other)]).await.is_err());
}

#[tokio::test]
async fn the_plan_is_read_in_order_and_planned_once() {
    let (_dir, store) = store();
    keep(&store, opened("c")).await;
    keep(&store, JournalEntry::Planned((0..5).rev().map(|n| plan("c", n)).collect())).await;
    keep(&store, planned("c", 0..6)).await;
    let found = store.episodes(&name("c")).await.unwrap();
    let plans: Vec<_> = found.iter().map(|e| e.plan.clone()).collect();
    assert_eq!(plans, (0..6).map(|n| plan("c", n)).collect::<Vec<_>>());
    assert_eq!(found[0].attempt, AttemptNumber(0));
    assert_eq!(store.episodes(&name("d")).await.unwrap(), Vec::new());
}

/// It stays as it was planned first.
#[tokio::test]
async fn the_reason_of_a_choice_is_kept() {
    let (_dir, store) = store();
    keep(&store, opened("c")).await;
    let because = |reason: &str| {
        let reason = Some(reason.to_owned());
        JournalEntry::Planned(vec![PlannedEpisode { reason, ..plan("c", 0) }, plan("c", 1)])
    };
    keep(&store, because("tried least")).await;
    keep(&store, because("another reason")).await;
    let found = store.episodes(&name("c")).await.unwrap();
    let reasons: Vec<_> = found.iter().map(|record| record.plan.reason.as_deref()).collect();
    assert_eq!(reasons, [Some("tried least"), None]);
}

#[tokio::test]
async fn two_episodes_cannot_share_a_place() {
    let (_dir, store) = started(1).await;
    let other = PlannedEpisode { id: EpisodeId("ep-other".to_owned()), ..plan("c", 0) };
    let fault = store.append(vec![JournalEntry::Planned(vec![other])]).await.unwrap_err();
    assert!(fault.message.contains("another one is there"), "{fault}");
}

/// Zero tokens that nobody counted are told apart from zero, while an episode runs and after it.
#[tokio::test]
async fn sums_say_how_many_calls_nobody_counted() {
    let (_dir, store) = started(1).await;
    keep(&store, turn("c", 0, 1, 0, 10)).await;
    for index in 1..3 {
        let JournalEntry::TurnTaken { episode, attempt, mut turn } = turn("c", 0, 1, index, 10)
        else {
            panic!("a turn")
        };
        (turn.step.usage, turn.reply.uncounted) = (Usage::default(), true);
        keep(&store, JournalEntry::TurnTaken { episode, attempt, turn }).await;
    }
    assert_eq!(first(&store).await.uncounted_calls, 2);
    keep(&store, finished("c", 0, 1)).await;
    assert_eq!(first(&store).await.uncounted_calls, 2);
    let tokens = store.figures(&name("c")).await.unwrap().tokens;
    assert_eq!(tokens.to_string(), "100 in, 7 out + 2 calls without counts");
}

/// The outcome and the row stay as they were; the newest later verdict is in a column of its own.
#[tokio::test]
async fn later_verdicts_stand_beside_the_first_one() {
    let (_dir, store) = started(2).await;
    for ordinal in 0..2 {
        keep(&store, finished("c", ordinal, 1)).await;
        keep(&store, JournalEntry::Judged(Box::new(row("c", ordinal, None)))).await;
    }
    let before = first(&store).await;
    let (failed, passed) = (later("c", 0, false, 10), later("c", 0, true, 20));
    for again in [&failed, &failed, &passed] {
        keep(&store, reverified(again)).await;
    }
    assert_eq!(first(&store).await, before);
    let all = vec![failed.clone(), passed.clone()];
    assert_eq!(store.reverifications_of(&id("c", 0)).await.unwrap(), all);
    assert_eq!(store.reverifications(&name("c")).await.unwrap(), all);
    let with = |ordinal, newest: Option<RowReverification>| {
        let mut record = row("c", ordinal, None);
        record.row.as_trajectory_mut().unwrap().reverified = newest;
        record
    };
    let expected = vec![with(0, Some(passed.row())), with(1, None)];
    assert_eq!(store.rows(&name("c"), None, 9).await.unwrap(), expected);
    assert_eq!(store.row(&id("c", 0)).await.unwrap(), Some(with(0, Some(passed.row()))));
}

#[tokio::test]
async fn a_later_verdict_needs_a_first_one_of_the_same_attempt() {
    let (_dir, store) = started(1).await;
    let again = later("c", 0, true, 10);
    let early = store.append(vec![reverified(&again)]).await.unwrap_err();
    assert!(early.message.contains("no verdict on ep-c-0"), "{early}");
    keep(&store, finished("c", 0, 1)).await;
    let other = Reverification { attempt: AttemptNumber(2), ..again.clone() };
    assert!(store.append(vec![reverified(&other)]).await.is_err());
    keep(&store, reverified(&again)).await;
}

#[tokio::test]
async fn a_whole_episode_reads_back() {
    let (_dir, store) = started(1).await;
    for index in 0..3 {
        keep(&store, turn("c", 0, 1, index, 10)).await;
    }
    keep(&store, finished("c", 0, 1)).await;
    let expected = EpisodeRecord {
        plan: plan("c", 0),
        attempt: AttemptNumber(1),
        failed_attempts: 0,
        outcome: Some(outcome()),
        judged: None,
        steps: 3,
        usage: Usage::of(303, 21),
        uncounted_calls: 0,
        cost: Money::from_nanos(30),
        fingerprint: Some(fingerprint()),
        started_at_ms: Some(1_000),
        finished_at_ms: Some(9_000),
    };
    assert_eq!(first(&store).await, expected);
    let turns: Vec<_> = (0..3).map(|n| turn_of(n, 10, "a.py\n")).collect();
    assert_eq!(store.turns(&id("c", 0), AttemptNumber(1)).await.unwrap(), turns);
    let attempt = AttemptRecord {
        attempt: AttemptNumber(1),
        resumed_from: None,
        fault: None,
        steps: 3,
        cost: Money::from_nanos(30),
        started_at_ms: 1_000,
        ended_at_ms: Some(9_000),
    };
    assert_eq!(store.attempts(&id("c", 0)).await.unwrap(), vec![attempt]);
}

#[tokio::test]
async fn a_turn_larger_than_a_page_and_than_the_blocking_threshold_reads_back() {
    let (_dir, store) = started(1).await;
    for (index, bytes) in [(0, 3_000), (1, 200_000)] {
        let JournalEntry::TurnTaken { turn, .. } = large_turn("c", 0, index, bytes) else {
            panic!()
        };
        keep(&store, large_turn("c", 0, index, bytes)).await;
        let found = store.turns(&id("c", 0), AttemptNumber(1)).await.unwrap();
        assert_eq!(found.last(), Some(&*turn));
    }
}

#[tokio::test]
async fn turns_of_a_resumed_attempt_are_paid_once() {
    let (_dir, store) = started(1).await;
    for index in 0..3 {
        keep(&store, turn("c", 0, 1, index, 10)).await;
    }
    keep(&store, faulted("c", 0, 1, FaultKind::SandboxLost)).await;
    // The second attempt dies while it takes over; the third still finds the first.
    keep(&store, start("c", 0, 2, Some(1))).await;
    keep(&store, turn("c", 0, 2, 0, 10)).await;
    keep(&store, start("c", 0, 3, Some(2))).await;
    for index in 0..5 {
        keep(&store, turn("c", 0, 3, index, 10)).await;
    }
    let episode = first(&store).await;
    assert_eq!((episode.steps, episode.failed_attempts), (5, 1));
    assert_eq!(episode.cost, Money::from_nanos(50));
    let attempts = store.attempts(&id("c", 0)).await.unwrap();
    let costs: Vec<_> = attempts.iter().map(|a| (a.steps, a.cost.nanos())).collect();
    assert_eq!(costs, vec![(3, 30), (1, 0), (5, 20)]);
}

#[tokio::test]
async fn a_fault_counts_once_and_only_if_it_is_the_attempts_own() {
    let (_dir, store) = started(1).await;
    keep(&store, faulted("c", 0, 1, FaultKind::Cancelled)).await;
    assert_eq!(first(&store).await.failed_attempts, 0);
    keep(&store, start("c", 0, 2, Some(1))).await;
    keep(&store, faulted("c", 0, 2, FaultKind::Panicked)).await;
    keep(&store, faulted("c", 0, 2, FaultKind::SandboxLost)).await;
    assert_eq!(first(&store).await.failed_attempts, 1);
    let attempts = store.attempts(&id("c", 0)).await.unwrap();
    assert_eq!(attempts[1].fault, Some(fault(FaultKind::Panicked)));
    assert_eq!(attempts[1].ended_at_ms, Some(5_000));
}

#[tokio::test]
async fn dead_attempts_and_finished_episodes_take_nothing_more() {
    let (_dir, store) = started(1).await;
    keep(&store, turn("c", 0, 1, 0, 10)).await;
    keep(&store, start("c", 0, 3, None)).await;
    for late in [
        turn("c", 0, 1, 1, 10),
        faulted("c", 0, 1, FaultKind::Panicked),
        finished("c", 0, 1),
        start("c", 0, 2, None),
        turn("c", 0, 4, 0, 10),
    ] {
        keep(&store, late).await;
    }
    assert_eq!(store.stats().fenced, 5);
    let before = first(&store).await;
    assert_eq!((before.attempt, before.steps, before.outcome), (AttemptNumber(3), 0, None));
    keep(&store, finished("c", 0, 3)).await;
    let done = first(&store).await;
    for late in [turn("c", 0, 3, 0, 10), finished("c", 0, 3), start("c", 0, 4, None)] {
        keep(&store, late).await;
    }
    assert_eq!(first(&store).await, done);
    assert_eq!(store.stats().fenced, 8);
}

/// Only what faulted is taken back, and only of the attempt that faulted last.
#[tokio::test]
async fn a_faulted_episode_is_taken_up_again_with_what_it_has_cost() {
    let (_dir, store) = started(2).await;
    let given_up = |ordinal| JournalEntry::Finished {
        episode: id("c", ordinal),
        attempt: AttemptNumber(1),
        outcome: Box::new(Outcome::Faulted { fault: fault(FaultKind::ModelTransient) }),
        fingerprint: None,
        at_ms: 9,
    };
    let reopened = |ordinal, attempt| JournalEntry::Reopened {
        episode: id("c", ordinal),
        attempt: AttemptNumber(attempt),
    };
    keep(&store, given_up(0)).await;
    keep(&store, reopened(0, 2)).await;
    assert!(first(&store).await.outcome.is_some(), "another attempt is meant");
    keep(&store, reopened(0, 1)).await;
    keep(&store, reopened(0, 1)).await;
    let open = first(&store).await;
    assert!(open.outcome.is_none() && open.finished_at_ms.is_none());
    assert_eq!((open.attempt, open.failed_attempts), (AttemptNumber(1), 0));
    keep(&store, start("c", 0, 2, None)).await;
    keep(&store, finished("c", 0, 2)).await;
    keep(&store, reopened(0, 2)).await;
    assert_eq!(first(&store).await.outcome.unwrap().label(), "unresolved", "a label stands");
}

#[tokio::test]
async fn rows_are_paged_in_plan_order_and_kept_once() {
    let (_dir, store) = started(4).await;
    for ordinal in [3, 0, 2] {
        keep(&store, JournalEntry::Judged(Box::new(row("c", ordinal, None)))).await;
    }
    keep(&store, JournalEntry::Judged(Box::new(row("c", 1, Some("loops"))))).await;
    keep(&store, JournalEntry::Judged(Box::new(row("c", 1, None)))).await;
    let campaign = name("c");
    let page = store.rows(&campaign, None, 2).await.unwrap();
    assert_eq!(page, vec![row("c", 0, None), row("c", 1, Some("loops"))]);
    let page = store.rows(&campaign, Some(1), 10).await.unwrap();
    assert_eq!(page, vec![row("c", 2, None), row("c", 3, None)]);
    assert_eq!(store.rows(&campaign, Some(u64::MAX), 10).await.unwrap(), Vec::new());
    assert_eq!(store.row(&id("c", 1)).await.unwrap(), Some(row("c", 1, Some("loops"))));
    assert!(first(&store).await.judged.is_some());
}

/// The number of an SQL query on the file of a store.
fn number(dir: &TempDir, sql: &str) -> i64 {
    let conn = rusqlite::Connection::open(dir.path().join("synthd.db")).unwrap();
    conn.query_row(sql, [], |row| row.get(0)).unwrap()
}

/// The turns hold the steps, the conversation and the tools. The row does not hold them again.
#[tokio::test]
async fn a_trajectory_is_stored_once() {
    let (dir, store) = started(2).await;
    let long = "y".repeat(500_000);
    let mut turns: Vec<Turn> = (0..3).map(|index| turn_of(index, 10, &long)).collect();
    let message = ChatMessage::text(ChatRole::User, "mend it");
    turns[0].opening = Some(Box::new(ChatRequest {
        messages: vec![message],
        tools: Vec::new(),
        max_output_tokens: 10,
        settings: Default::default(),
    }));
    for turn in &turns {
        let (episode, turn) = (id("c", 0), Box::new(turn.clone()));
        keep(&store, JournalEntry::TurnTaken { episode, attempt: AttemptNumber(1), turn }).await;
    }
    let mut record = row("c", 0, None);
    let inner = record.row.as_trajectory_mut().unwrap();
    TurnParts::of(&turns, inner.verification.score).put(inner);
    assert_eq!(inner.messages.as_ref().unwrap().len(), 7);
    keep(&store, JournalEntry::Judged(Box::new(record.clone()))).await;
    assert_eq!(store.row(&id("c", 0)).await.unwrap(), Some(record.clone()));
    assert_eq!(store.rows(&name("c"), None, 9).await.unwrap(), vec![record]);
    let stored = "SELECT count(*) FROM judged WHERE turns_of NOT NULL AND length(body) < 4000";
    assert_eq!(number(&dir, stored), 1);
}

/// A row whose turns the store does not have keeps its own steps.
#[tokio::test]
async fn a_row_without_its_turns_is_stored_whole() {
    let (dir, store) = started(2).await;
    keep(&store, turn("c", 0, 1, 0, 1)).await;
    keep(&store, turn("c", 0, 1, 1, 1)).await;
    keep(&store, JournalEntry::Judged(Box::new(row("c", 0, None)))).await;
    assert_eq!(store.row(&id("c", 0)).await.unwrap(), Some(row("c", 0, None)));
    assert_eq!(number(&dir, "SELECT count(*) FROM judged WHERE turns_of IS NULL"), 1);
}

#[tokio::test]
async fn a_row_out_of_its_place_is_refused() {
    let (_dir, store) = started(2).await;
    let misplaced = RowRecord { ordinal: 1, ..row("c", 0, None) };
    let fault = store.append(vec![JournalEntry::Judged(Box::new(misplaced))]).await.unwrap_err();
    assert!(fault.message.contains("planned"), "{fault}");
}

#[tokio::test]
async fn money_is_held_in_full_until_it_is_settled_once() {
    let (_dir, store) = started(1).await;
    let campaign = name("c");
    assert_eq!(store.spent(&campaign).await.unwrap(), Money::ZERO);
    for entry in [held("h1", "c", 0, 500), held("h2", "c", 0, 300), held("h1", "c", 0, 500)] {
        keep(&store, entry).await;
    }
    assert_eq!(store.spent(&campaign).await.unwrap(), Money::from_nanos(800));
    for entry in [settled("h1", 120), settled("h1", 120), held("h1", "c", 0, 500)] {
        keep(&store, entry).await;
    }
    assert_eq!(store.spent(&campaign).await.unwrap(), Money::from_nanos(420));
    assert_eq!(store.spent(&name("unknown")).await.unwrap(), Money::ZERO);
}

/// A second hold with the same id is refused: otherwise its call would not be counted.
#[tokio::test]
async fn another_hold_by_the_same_id_is_refused() {
    let (_dir, store) = started(2).await;
    keep(&store, held("h1", "c", 0, 500)).await;
    for other in [held("h1", "c", 0, 501), held("h1", "c", 1, 500)] {
        let fault = store.append(vec![other]).await.unwrap_err();
        assert!(fault.message.contains("another hold"), "{fault}");
    }
    assert_eq!(store.spent(&name("c")).await.unwrap(), Money::from_nanos(500));
}

/// A hold with the id of a hold from an earlier epoch is another hold, and both count.
#[tokio::test]
async fn ids_of_holds_are_told_apart_by_the_opening_they_are_of() {
    let (dir, store) = started(1).await;
    keep(&store, held("h1", "c", 0, 500)).await;
    drop(store);
    let store = Store::open(dir.path()).unwrap();
    store.append(vec![settled("h1", 1)]).await.unwrap_err();
    keep(&store, held("h1", "c", 0, 500)).await;
    keep(&store, settled("h1", 1)).await;
    assert_eq!(store.spent(&name("c")).await.unwrap(), Money::from_nanos(501));
}

/// A second writer got past the lock. From then on the first writer can neither hold nor settle.
#[tokio::test]
async fn a_writer_whose_store_was_opened_by_another_writes_nothing_more() {
    let (dir, store) = started(1).await;
    keep(&store, held("h1", "c", 0, 500)).await;
    let other = open::writer(dir.path(), schema::MIGRATIONS).unwrap();
    assert_eq!(other.epoch, 2);
    for entry in [held("h2", "c", 0, 1), settled("h1", 1), turn("c", 0, 1, 0, 1)] {
        let fault = store.append(vec![entry]).await.unwrap_err();
        assert!(fault.message.contains("another synthd"), "{fault}");
    }
    drop(other);
    assert_eq!(store.spent(&name("c")).await.unwrap(), Money::from_nanos(500));
}

#[tokio::test]
async fn money_is_known_by_what_it_was_spent_on() {
    let (_dir, store) = started(4).await;
    // Two models in turn, two episodes a day.
    for (hold, ordinal, nanos) in [("a", 0, 100), ("b", 1, 20), ("c", 2, 3), ("d", 0, 5_000)] {
        keep(&store, held(hold, "c", ordinal, nanos)).await;
    }
    keep(&store, settled("d", 4_000)).await;
    let nanos = Money::from_nanos;
    let spending = store.spending(&name("c"), 0).await.unwrap();
    let models = [("m/0".to_owned(), nanos(4_103)), ("m/1".to_owned(), nanos(20))];
    let episodes = [(0, 4_100), (1, 20), (2, 3)].map(|(n, sum)| (id("c", n), nanos(sum)));
    // The last of them is of tomorrow: the clock was set back, and the day is no new one.
    assert_eq!((spending.total, spending.day), (nanos(4_123), (1, nanos(4_123))));
    assert_eq!((spending.models, spending.episodes), (models.into(), episodes.into()));
    assert_eq!(store.spending(&name("c"), 1).await.unwrap().day, (1, nanos(3)));
    assert_eq!(store.spending(&name("c"), 2).await.unwrap().day, (2, nanos(0)));
    keep(&store, finished("c", 0, 1)).await;
    let spending = store.spending(&name("c"), 0).await.unwrap();
    assert!(!spending.episodes.contains_key(&id("c", 0)), "it has ended");
    let unknown = SpendingTotals { day: (7, Money::ZERO), ..SpendingTotals::default() };
    assert_eq!(store.spending(&name("unknown"), 7).await.unwrap(), unknown);
}

#[tokio::test]
async fn money_that_does_not_fit_or_has_no_hold_is_refused() {
    let (_dir, store) = started(1).await;
    let most = u64::try_from(i64::MAX).unwrap();
    keep(&store, held("h1", "c", 0, most)).await;
    for entry in [held("h2", "c", 0, 1), held("h3", "c", 0, u64::MAX), settled("none", 1)] {
        store.append(vec![entry]).await.unwrap_err();
    }
    assert_eq!(store.spent(&name("c")).await.unwrap(), Money::from_nanos(most));
}

#[tokio::test]
async fn datasets_are_listed_by_version_and_never_overwritten() {
    let (_dir, store) = started(1).await;
    for version in [2, 1, 2] {
        keep(&store, JournalEntry::DatasetWritten(dataset("c", version))).await;
    }
    let found = store.datasets(&name("c")).await.unwrap();
    assert_eq!(found, vec![dataset("c", 1), dataset("c", 2)]);
    let other = DatasetRecord { digest: "other".to_owned(), ..dataset("c", 2) };
    let fault = store.append(vec![JournalEntry::DatasetWritten(other)]).await.unwrap_err();
    assert!(fault.message.contains("written already"), "{fault}");
}

#[tokio::test]
async fn an_append_is_kept_whole_or_not_at_all() {
    let (_dir, store) = started(1).await;
    let unplanned = turn("c", 99, 1, 0, 10);
    let fault = store.append(vec![turn("c", 0, 1, 0, 10), unplanned]).await.unwrap_err();
    assert!(fault.message.contains("not planned"), "{fault}");
    assert_eq!(first(&store).await.steps, 0);
    store.append(Vec::new()).await.unwrap();
}

#[tokio::test]
async fn what_could_not_be_read_back_is_refused() {
    let (_dir, store) = started(1).await;
    let mut turn = turn_of(0, 0, "");
    turn.step.potential = f64::NAN;
    let entry = JournalEntry::TurnTaken {
        episode: id("c", 0),
        attempt: AttemptNumber(1),
        turn: Box::new(turn),
    };
    store.append(vec![entry]).await.unwrap_err();
    let mut row = row("c", 0, None);
    row.row.as_trajectory_mut().unwrap().total_reward = f64::INFINITY;
    store.append(vec![JournalEntry::Judged(Box::new(row))]).await.unwrap_err();
    for bad in [start("c", 0, 0, None), start("c", 0, 2, Some(2))] {
        store.append(vec![bad]).await.unwrap_err();
    }
}
