//! Recorded turns are paid for, so they are replayed and not asked for again.

use super::{assert_nothing_lost_or_doubled, episodes, options};
use crate::model::{AttemptNumber, FaultKind, Money, StopReason};
use crate::ports::Journal;
use crate::testkit::{Line, Trap, campaign, in_test_system, priced};

fn lost() -> Trap {
    Trap::Fault(FaultKind::SandboxLost)
}

#[test]
fn recorded_turns_are_replayed_not_paid_for() {
    in_test_system(options(), |kit| async move {
        let mut config = campaign("c", 1);
        config.models = vec![priced("fake/one", 10)];
        kit.backend.traps().once("exec put name", lost());
        let progress = kit.run(&config).await;
        let model = kit.models.named("fake/one");
        // Turns 0 and 1 once, turn 2 twice (its sandbox was lost with it), turn 3 once.
        assert_eq!((model.calls().len(), model.replies().len()), (5, 5));
        assert_eq!(progress.cost_usd, Money::from_nanos(5 * 110 * 10));
        let record = episodes(&kit, "c").await.remove(0);
        assert_eq!((record.attempt, record.steps), (AttemptNumber(2), 4));
        let attempts = kit.journal.attempts(&record.plan.id).await.unwrap();
        assert_eq!(attempts[1].resumed_from, Some(AttemptNumber(1)));
    });
}

/// An attempt that fails before its first turn must not hide the turns of the one before.
#[test]
fn a_second_failure_before_the_first_turn_loses_nothing() {
    for event in ["exec :", "exec get start", "exec put letter"] {
        in_test_system(options(), move |kit| async move {
            kit.models.named("fake/one").traps.once("turn 2", Trap::Panic);
            // The first attempt passes; the trap is for the second.
            kit.backend.traps().set(event, 1, 1, lost());
            let progress = kit.run(&campaign("c", 1)).await;
            assert_eq!(progress.episodes.resolved, 1, "{event}");
            assert_eq!(episodes(&kit, "c").await[0].attempt, AttemptNumber(3));
            assert_nothing_lost_or_doubled(&kit, "c").await;
        });
    }
}

#[test]
fn a_replay_that_differs_starts_over_in_a_fresh_attempt() {
    in_test_system(options(), |kit| async move {
        let model = kit.models.named("fake/one");
        model.says(|context| match context.turn {
            0 => Line::Run("echo hello".to_owned()),
            1 => Line::Run("count".to_owned()),
            2 => Line::Run("echo bye".to_owned()),
            _ => Line::Submit,
        });
        model.traps.once("turn 3", Trap::Panic);
        let progress = kit.run(&campaign("c", 1)).await;
        assert_eq!((progress.episodes.unresolved, progress.steps), (1, 4));
        let record = episodes(&kit, "c").await.remove(0);
        // The first panicked, the second differed (at no cost to the budget of attempts).
        assert_eq!((record.attempt, record.failed_attempts), (AttemptNumber(3), 1));
        let attempts = kit.journal.attempts(&record.plan.id).await.unwrap();
        assert_eq!(attempts[1].fault.as_ref().unwrap().kind, FaultKind::ReplayDiffers);
        assert_eq!((attempts[1].steps, attempts[2].steps), (0, 4));
        assert_eq!(attempts[2].resumed_from, None, "its turns are its own, and paid for");
        // What the dataset says is what the journal has.
        let turns = kit.journal.turns(&record.plan.id, AttemptNumber(3)).await.unwrap();
        let row = kit.journal.rows(&record.plan.campaign, None, 9).await.unwrap().remove(0).row;
        let row = row.as_trajectory().unwrap();
        let kept: Vec<_> = turns.iter().map(|t| t.step.observation()).collect();
        let shown: Vec<_> = row.trajectory.iter().map(|s| s.observation.clone()).collect();
        assert_eq!(kept, shown);
        assert_eq!(kit.models.named("fake/one").calls().len(), 8);
    });
}

/// Starting over once does not mean that what was paid for since is thrown away.
#[test]
fn the_turns_of_a_fresh_attempt_are_replayed_in_their_turn() {
    in_test_system(options(), |kit| async move {
        let model = kit.models.named("fake/one");
        model.says(|context| match context.turn {
            0 => Line::Run("count".to_owned()),
            1 => Line::Run("echo bye".to_owned()),
            _ => Line::Submit,
        });
        model.traps.set("turn 2", 0, 1, Trap::Panic);
        // The fresh attempt is lost when it submits.
        kit.backend.traps().set("exec echo bye", 1, 1, lost());
        kit.run(&campaign("c", 1)).await;
        let record = episodes(&kit, "c").await.remove(0);
        let attempts = kit.journal.attempts(&record.plan.id).await.unwrap();
        let kinds: Vec<_> = attempts.iter().map(|a| a.fault.as_ref().map(|f| f.kind)).collect();
        assert_eq!(kinds[1], Some(FaultKind::ReplayDiffers), "{kinds:?}");
        assert_eq!(kinds[2], Some(FaultKind::SandboxLost), "{kinds:?}");
        assert_eq!(attempts[3].resumed_from, Some(AttemptNumber(3)), "{attempts:#?}");
    });
}

/// What an attempt used of the agent's time, the next one does not get again.
#[test]
fn a_resumed_attempt_goes_on_with_the_time_that_was_left() {
    in_test_system(options(), |kit| async move {
        let mut config = campaign("c", 1);
        config.episode.timeout = std::time::Duration::from_secs(100);
        let model = kit.models.named("fake/one");
        model.takes(std::time::Duration::from_secs(30));
        model.says(|_| Line::Run("echo on".to_owned()));
        model.traps.once("turn 2", Trap::Panic);
        kit.run(&config).await;
        let row = kit.journal.rows(&config.name, None, 9).await.unwrap().remove(0).row;
        let row = row.as_trajectory().unwrap();
        assert_eq!(
            (row.attempt, row.trajectory.len()),
            (2, 4),
            "the reply on its way is waited for"
        );
        assert!(row.labels.contains(&"stop:time_limit".to_owned()), "{:?}", row.labels);
        assert!((row.execution_time_seconds - 120.0).abs() < 1.0, "of both attempts");
    });
}

#[test]
fn a_whole_trajectory_is_only_verified_again() {
    in_test_system(options(), |kit| async move {
        kit.backend.traps().once("exec is letter", lost());
        let progress = kit.run(&campaign("c", 1)).await;
        assert_eq!(progress.episodes.resolved, 1);
        assert_nothing_lost_or_doubled(&kit, "c").await;
    });
}

#[test]
fn the_reason_to_stop_survives_a_replay() {
    for (line, stop) in [
        (Line::Cut, StopReason::Truncated),
        (Line::Prose("hm".to_owned()), StopReason::Malformed),
        (Line::Refuse, StopReason::Refused),
        (Line::Submit, StopReason::Submitted),
        (Line::Run("echo on".to_owned()), StopReason::StepLimit),
    ] {
        in_test_system(options(), move |kit| async move {
            let mut config = campaign("c", 1);
            config.episode.max_turns = 5;
            kit.models.named("fake/one").says(move |_| line.clone());
            kit.backend.traps().once("pack", lost());
            kit.run(&config).await;
            let label = format!("stop:{}", stop.as_str());
            let row = kit.journal.rows(&config.name, None, 9).await.unwrap().remove(0);
            assert!(row.row.labels().contains(&label), "{:?} {label}", row.row.labels());
            assert_eq!(row.row.as_trajectory().unwrap().attempt, 2);
            assert_nothing_lost_or_doubled(&kit, "c").await;
        });
    }
}

/// Two calls in one reply run in their order, each is answered, and a later attempt runs both
/// again; what follows the call that hands the work in is not run.
#[test]
fn parallel_calls_are_run_answered_and_replayed() {
    in_test_system(options(), |kit| async move {
        let model = kit.models.named("fake/one");
        let all =
            |commands: &[&str]| Line::RunAll(commands.iter().map(|c| (*c).to_owned()).collect());
        model.says(move |context| match context.turn {
            0 => all(&["put a one", "get a", "exit 3"]),
            1 => Line::Run("echo on".to_owned()),
            _ => all(&["echo COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT", "put a two"]),
        });
        model.traps.once("turn 1", Trap::Panic);
        let progress = kit.run(&campaign("c", 1)).await;
        let record = episodes(&kit, "c").await.remove(0);
        assert_eq!((progress.steps, record.attempt, record.steps), (3, AttemptNumber(2), 3));
        let attempts = kit.journal.attempts(&record.plan.id).await.unwrap();
        assert_eq!(attempts[1].resumed_from, Some(AttemptNumber(1)), "both commands repeat");
        let turns = kit.journal.turns(&record.plan.id, AttemptNumber(2)).await.unwrap();
        let ran: Vec<String> =
            turns[0].ran().map(|action| action.request.arguments.clone()).collect();
        let commands = ["put a one", "get a", "exit 3"];
        assert_eq!(ran, commands.map(|c| serde_json::json!({ "command": c }).to_string()));
        assert_eq!(turns[2].ran().count(), 1, "the work was handed in");
        for turn in &turns {
            let asked: Vec<&str> =
                turn.reply.message.tool_calls.iter().map(|call| call.id.as_str()).collect();
            let answered: Vec<&str> =
                turn.messages.iter().filter_map(|m| m.tool_call_id.as_deref()).collect();
            assert_eq!(asked, answered);
        }
        let row = kit.journal.rows(&record.plan.campaign, None, 9).await.unwrap().remove(0);
        assert_eq!(row.rejected, None);
        let step = &row.row.as_trajectory().unwrap().trajectory[0];
        assert_eq!((step.action.tool.as_str(), step.exit_code), ("parallel", Some(3)));
        assert!(step.observation.contains("one"), "{}", step.observation);
        assert_eq!(step.error, None, "an exit code is no error");
        let actions = step.actions.as_ref().unwrap();
        let codes: Vec<Option<i32>> = actions.iter().map(|action| action.exit_code).collect();
        assert_eq!(codes, [Some(0), Some(0), Some(3)]);
        assert!(actions[1].observation.contains("one") && !actions[0].observation.contains("one"));
        let ids: Vec<Option<&str>> = actions.iter().map(|a| a.call_id.as_deref()).collect();
        let messages = row.row.as_trajectory().unwrap().messages.as_ref().unwrap();
        let asked = messages.iter().find_map(|message| message.tool_calls.as_ref()).unwrap();
        assert_eq!(ids, asked.iter().map(|call| Some(call.id.as_str())).collect::<Vec<_>>());
        assert!(row.row.as_trajectory().unwrap().trajectory[1].actions.is_none(), "one action");
        assert!(!row.row.labels().contains(&"error-steps".to_owned()), "{:?}", row.row.labels());
    });
}

/// What the model took and what the action took are told apart, and both are the agent's time.
#[test]
fn the_time_of_the_model_is_not_the_actions() {
    in_test_system(options(), |kit| async move {
        kit.models.named("fake/one").takes(std::time::Duration::from_secs(7));
        kit.run(&campaign("c", 1)).await;
        let campaign = crate::model::CampaignName("c".to_owned());
        let row = kit.journal.rows(&campaign, None, 9).await.unwrap().remove(0).row;
        let row = row.as_trajectory().unwrap();
        assert!(row.trajectory.iter().all(|step| step.model_ms == Some(7_000)));
        assert!(row.trajectory.iter().all(|step| step.duration_ms < 7_000));
        assert!(row.execution_time_seconds >= 7.0 * row.trajectory.len() as f64);
    });
}

/// Tries that failed are in the record's time of the model, and in none of the agent's: not in the
/// attempt that made them, nor in the next one, which goes on with what was left.
#[test]
fn failed_tries_count_for_the_record_and_not_for_the_agent() {
    in_test_system(options(), |kit| async move {
        let model = kit.models.named("fake/one");
        model.takes(std::time::Duration::from_secs(7));
        model.traps.set("turn 0", 0, 4, Trap::Fault(FaultKind::ModelTransient));
        kit.backend.traps().once("exec put name", Trap::Fault(FaultKind::SandboxLost));
        let mut config = campaign("c", 1);
        config.episode.timeout = std::time::Duration::from_secs(40);
        let progress = kit.run(&config).await;
        assert_eq!(progress.episodes.resolved, 1);
        let row = kit.journal.rows(&config.name, None, 9).await.unwrap().remove(0).row;
        let row = row.as_trajectory().unwrap();
        assert_eq!(row.attempt, 2);
        let times: Vec<_> = row.trajectory.iter().map(|step| step.model_ms).collect();
        assert_eq!((times[0], times[1]), (Some(35_000), Some(7_000)));
        assert!(row.execution_time_seconds >= 28.0 + 7.0 * times.len() as f64);
        assert!(!row.labels.contains(&"stop:time_limit".to_owned()), "{:?}", row.labels);
    });
}
