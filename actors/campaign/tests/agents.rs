//! Episodes with external agents: programs that call their model themselves.

use super::{assert_nothing_lost_or_doubled, episodes, labels, options, resolved};
use crate::model::{
    ActionType, AgentProgram, AttemptNumber, CampaignConfig, CampaignState, FaultKind, Outcome,
    StopReason, Turn,
};
use crate::policy::PauseSlot;
use crate::ports::Journal;
use crate::testkit::{Kit, Line, Options, Trap, campaign, in_test_system};
use std::time::Duration;

pub(super) fn external(tasks: u32) -> CampaignConfig {
    let program = AgentProgram {
        command: "agent".to_owned(),
        environment: Default::default(),
        port: AgentProgram::PORT,
        max_output_tokens: 100,
    };
    let mut config = campaign("c", tasks);
    config.scaffolds = vec!["external/agent".to_owned()];
    config.agents = [("agent".to_owned(), program)].into();
    config
}

pub(super) async fn stop(kit: &Kit) -> StopReason {
    match episodes(kit, "c").await.remove(0).outcome {
        Some(Outcome::Judged { stop, .. }) => stop,
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_of_its_calls_is_a_turn_of_the_episode() {
    in_test_system(options(), |kit| async move {
        let progress = kit.run(&external(3)).await;
        assert_eq!((progress.episodes.resolved, progress.steps), (3, 12));
        assert_nothing_lost_or_doubled(&kit, "c").await;
        let record = episodes(&kit, "c").await.remove(0);
        assert!(resolved(record.outcome.as_ref().unwrap()));
        let turns = kit.journal.turns(&record.plan.id, record.attempt).await.unwrap();
        let kinds: Vec<ActionType> = turns.iter().map(|turn| turn.step.kind()).collect();
        use ActionType::{Submit, ToolCall};
        assert_eq!(kinds, [ToolCall, ToolCall, ToolCall, Submit]);
        // What a turn has led to is what the program tells its model next.
        let word = turns[0].step.observation();
        assert!(record.plan.task.to_string().len() > 3 && word.len() == 8, "{word}");
        assert!(turns[1].step.action().arguments.contains(&word));
        assert_eq!(turns[0].step.state.files, ["start"]);
        assert_eq!(turns[2].step.state.files, ["letter", "start"]);
        let measured: Vec<f64> = turns.iter().map(|turn| turn.step.potential).collect();
        assert_eq!(measured, [0.0, 0.25, 0.25, 0.25]);
        let begun = Some(vec!["begun".to_owned()]);
        let held: Vec<_> = turns.iter().map(|turn| turn.step.milestones.clone()).collect();
        assert_eq!(held, [Some(Vec::new()), begun.clone(), begun.clone(), begun]);
        // The first request whole, and from then on only what is new.
        assert_eq!(turns[0].opening.as_ref().unwrap().messages.len(), 1);
        assert!(turns[1..].iter().all(|turn| turn.opening.is_none()));
        let said: Vec<usize> = turns.iter().map(|turn| turn.messages.len()).collect();
        assert_eq!(said, [2, 2, 2, 1]);
    });
}

/// The words are those of this campaign. The trap that they spring shows that they are told.
#[test]
fn it_is_told_its_limits() {
    in_test_system(options(), |kit| async move {
        let mut config = external(1);
        config.episode.max_turns = 17;
        let told = "set SYNTHD_LIMITS=- A process is killed after 60 s of processor time.";
        kit.backend.traps().once(told, Trap::Fault(FaultKind::SandboxLost));
        let again = "- The work ends after 17 replies, or after";
        kit.backend.traps().set(again, 0, 1, Trap::Fault(FaultKind::SandboxLost));
        assert_eq!(kit.run(&config).await.episodes.resolved, 1);
        let record = episodes(&kit, "c").await.remove(0);
        let attempts = kit.journal.attempts(&record.plan.id).await.unwrap();
        let kinds: Vec<_> = attempts.iter().map(|attempt| attempt.fault.as_ref()).collect();
        assert_eq!(kinds.len(), 3, "{kinds:?}");
        let lost = |at: usize| kinds[at].is_some_and(|fault| fault.kind == FaultKind::SandboxLost);
        assert!(lost(0) && lost(1) && kinds[2].is_none(), "{kinds:?}");
    });
}

#[test]
fn what_was_answered_before_is_told_again() {
    in_test_system(options(), |kit| async move {
        kit.backend.traps().once("exec put name", Trap::Fault(FaultKind::SandboxLost));
        let progress = kit.run(&external(1)).await;
        let model = kit.models.named("fake/one");
        assert_eq!(progress.episodes.resolved, 1);
        // Turns 0 and 1 once, turn 2 twice (its sandbox was lost with it), turn 3 once.
        assert_eq!((model.calls().len(), progress.steps), (5, 4));
        let record = episodes(&kit, "c").await.remove(0);
        let attempts = kit.journal.attempts(&record.plan.id).await.unwrap();
        assert_eq!(attempts[1].resumed_from, Some(AttemptNumber(1)));
        assert_eq!(attempts[1].steps, 4);
    });
}

#[test]
fn questions_that_nobody_waits_for_are_no_turns() {
    in_test_system(options(), |kit| async move {
        kit.backend.jobs().are_distracted();
        kit.backend.traps().once("exec put name", Trap::Fault(FaultKind::SandboxLost));
        let progress = kit.run(&external(1)).await;
        assert_eq!((progress.episodes.resolved, progress.steps), (1, 4));
        // The attempt that replayed the turns has them too.
        assert_eq!(kit.models.named("fake/one").calls().len(), 5);
        assert_eq!(stop(&kit).await, StopReason::Submitted);
    });
}

/// An attempt ran out of time and was lost afterwards. The attempt that replays it runs out of time
/// too.
#[test]
fn an_attempt_that_was_out_of_time_is_so_again() {
    in_test_system(options(), |kit| async move {
        // Its last answer keeps it busy for ever.
        let model = kit.models.named("fake/one");
        model.says(|context| match context.turn {
            2 => Line::Run("hang".to_owned()),
            _ => Line::Oracle,
        });
        kit.backend.traps().once("exec is letter", Trap::Fault(FaultKind::SandboxLost));
        let mut config = external(1);
        config.episode.timeout = Duration::from_secs(60);
        let progress = kit.run(&config).await;
        assert_eq!((progress.episodes.finished, progress.steps), (1, 3));
        assert_eq!(stop(&kit).await, StopReason::TimeLimit);
        assert_eq!(model.calls().len(), 3, "nothing is asked again");
        let record = episodes(&kit, "c").await.remove(0);
        assert_eq!(record.attempt, AttemptNumber(2));
    });
}

/// The time for which the gateway keeps a program's connection waiting is not the agent's time.
#[test]
fn time_at_the_door_is_not_the_agents() {
    in_test_system(options(), |kit| async move {
        kit.backend.jobs().are_held_up(Duration::from_secs(100));
        let mut config = external(1);
        config.episode.timeout = Duration::from_secs(60);
        let progress = kit.run(&config).await;
        assert_eq!((progress.episodes.resolved, progress.steps), (1, 4));
        assert_eq!(stop(&kit).await, StopReason::Submitted);
    });
}

/// The guest reports each change once, so the report of the stopped program must be read too.
/// What a program does after a call that was not answered belongs to its next turn, as the tries of
/// that call do.
#[test]
fn what_an_agent_changed_after_a_failed_call_is_recorded() {
    in_test_system(options(), |kit| async move {
        kit.backend.jobs().are_upset();
        let model = kit.models.named("fake/one");
        model.traps.once("turn 1", Trap::Fault(FaultKind::ModelTransient));
        kit.run(&external(1)).await;
        let record = episodes(&kit, "c").await.remove(0);
        let turns = kit.journal.turns(&record.plan.id, record.attempt).await.unwrap();
        let wrote = |turn: &Turn| turn.changes.iter().any(|change| change.path == "upset");
        let wrote: Vec<bool> = turns.iter().map(wrote).collect();
        assert_eq!(wrote, [false, true, false, false]);
        assert_eq!(turns[1].calls, 2);
    });
}

#[test]
fn what_an_agent_changed_before_its_time_was_up_is_recorded() {
    in_test_system(options(), |kit| async move {
        let model = kit.models.named("fake/one");
        model.says(|context| match context.turn {
            1 => Line::Run("hang put late x".to_owned()),
            _ => Line::Oracle,
        });
        let mut config = external(1);
        config.episode.timeout = Duration::from_secs(60);
        kit.run(&config).await;
        assert_eq!(stop(&kit).await, StopReason::TimeLimit);
        let record = episodes(&kit, "c").await.remove(0);
        let turns = kit.journal.turns(&record.plan.id, record.attempt).await.unwrap();
        let changed: Vec<_> = turns[1].changes.iter().map(|c| c.path.as_str()).collect();
        assert_eq!(changed, ["late"]);
    });
}

#[test]
fn an_agent_that_asks_otherwise_begins_afresh() {
    in_test_system(options(), |kit| async move {
        let model = kit.models.named("fake/one");
        model.says(|context| match context.turn {
            0 => Line::Run("count".to_owned()),
            1 => Line::Run("echo bye".to_owned()),
            _ => Line::Submit,
        });
        kit.backend.traps().once("exec echo bye", Trap::Fault(FaultKind::SandboxLost));
        let progress = kit.run(&external(1)).await;
        assert_eq!((progress.episodes.unresolved, progress.steps), (1, 3));
        let record = episodes(&kit, "c").await.remove(0);
        let attempts = kit.journal.attempts(&record.plan.id).await.unwrap();
        // Its one recorded turn is replayed; the program's next request has another number.
        assert_eq!(attempts[1].fault.as_ref().unwrap().kind, FaultKind::ReplayDiffers);
        assert_eq!((attempts[1].steps, attempts[2].resumed_from), (0, None));
        let turns = kit.journal.turns(&record.plan.id, record.attempt).await.unwrap();
        assert_eq!(turns.len(), 3);
    });
}

/// The model's silence is a fault and not a failure of the agent.
#[test]
fn a_model_that_is_silent_takes_no_more_than_the_time_that_is_left() {
    in_test_system(options(), |kit| async move {
        kit.models.named("fake/one").traps.once("turn 2", Trap::Hang);
        let progress = kit.run(&external(1)).await;
        assert_eq!((progress.episodes.resolved, progress.steps), (1, 4));
        assert_eq!(stop(&kit).await, StopReason::Submitted);
        let record = episodes(&kit, "c").await.remove(0);
        let attempts = kit.journal.attempts(&record.plan.id).await.unwrap();
        let faults: Vec<_> = attempts.iter().map(|a| a.fault.as_ref().map(|f| f.kind)).collect();
        assert_eq!(faults, [Some(FaultKind::OutOfTime), None]);
    });
}

#[test]
fn limits_end_it_and_not_its_work() {
    in_test_system(options(), |kit| async move {
        let mut config = external(1);
        config.episode.max_turns = 2;
        let progress = kit.run(&config).await;
        assert_eq!((progress.episodes.unresolved, progress.steps), (1, 2));
        assert_eq!(stop(&kit).await, StopReason::StepLimit);
    });
    in_test_system(options(), |kit| async move {
        let mut config = external(1);
        config.episode.timeout = Duration::from_millis(30);
        let progress = kit.run(&config).await;
        assert_eq!((progress.episodes.resolved, progress.steps), (1, 3), "its work counts");
        assert_eq!(stop(&kit).await, StopReason::TimeLimit);
    });
}

#[test]
fn an_agent_that_fails_is_judged_by_its_work() {
    in_test_system(options(), |kit| async move {
        let model = kit.models.named("fake/one");
        model.says(|context| match context.turn {
            3 => Line::Prose("I give up".to_owned()),
            _ => Line::Oracle,
        });
        let progress = kit.run(&external(1)).await;
        assert_eq!(stop(&kit).await, StopReason::AgentFailed);
        assert_eq!(progress.episodes.resolved, 1, "the work was done");
    });
}

#[test]
fn a_model_that_does_not_answer_is_no_label() {
    in_test_system(options(), |kit| async move {
        let model = kit.models.named("fake/one");
        model.traps.set("turn 2", 0, 3, Trap::Fault(FaultKind::ModelTransient));
        let progress = kit.run(&external(1)).await;
        assert_eq!(labels(&kit, "c").await, ["resolved"]);
        let record = episodes(&kit, "c").await.remove(0);
        assert_eq!((record.attempt, record.failed_attempts), (AttemptNumber(2), 1));
        let attempts = kit.journal.attempts(&record.plan.id).await.unwrap();
        assert_eq!(attempts[0].fault.as_ref().unwrap().kind, FaultKind::ModelTransient);
        assert_eq!(progress.steps, 4);
    });
}

/// The fault of each attempt of the first episode.
async fn faults(kit: &Kit) -> Vec<Option<FaultKind>> {
    let record = episodes(kit, "c").await.remove(0);
    let attempts = kit.journal.attempts(&record.plan.id).await.unwrap();
    attempts.iter().map(|attempt| attempt.fault.as_ref().map(|fault| fault.kind)).collect()
}

/// An agent that hangs up after a turn is judged by its work, in its first attempt, and is no
/// outage.
#[test]
fn an_agent_that_hangs_up_is_judged() {
    for (turn, steps, resolved) in [("turn 1", 1, 0), ("turn 2", 2, 0), ("turn 3", 3, 1)] {
        in_test_system(options(), move |kit| async move {
            let model = kit.models.named("fake/one");
            model.traps.set(turn, 0, 3, Trap::Fault(FaultKind::AgentLeft));
            let progress = kit.run(&external(1)).await;
            assert_eq!((progress.episodes.faulted, progress.steps), (0, steps), "{turn}");
            assert_eq!(progress.episodes.resolved, resolved, "{turn}");
            assert_eq!(stop(&kit).await, StopReason::AgentFailed, "{turn}");
            let record = episodes(&kit, "c").await.remove(0);
            assert_eq!((record.attempt, record.failed_attempts), (AttemptNumber(1), 0), "{turn}");
        });
    }
    // Many in a row pause no campaign.
    in_test_system(options(), |kit| async move {
        let model = kit.models.named("fake/one");
        model.traps.set("turn 1", 0, 90, Trap::Fault(FaultKind::AgentLeft));
        let progress = kit.run(&external(30)).await;
        assert_eq!((progress.state, progress.episodes.unresolved), (CampaignState::Complete, 30));
    });
    // If the provider failed before, the fault stays the provider's.
    in_test_system(options(), |kit| async move {
        let model = kit.models.named("fake/one");
        model.traps.set("turn 2", 0, 2, Trap::Fault(FaultKind::ModelTransient));
        model.traps.set("turn 2", 0, 1, Trap::Fault(FaultKind::AgentLeft));
        kit.run(&external(1)).await;
        assert_eq!(labels(&kit, "c").await, ["resolved"]);
        let record = episodes(&kit, "c").await.remove(0);
        assert_eq!((record.attempt, record.failed_attempts), (AttemptNumber(2), 1));
    });
}

/// An agent that never heard its model is not judged, whether it ends by itself or is ended.
#[test]
fn an_agent_that_only_hangs_up_is_no_label() {
    for (patient, calls) in [(false, 3), (true, 5)] {
        in_test_system(options(), move |kit| async move {
            if patient {
                kit.backend.jobs().are_patient();
            }
            kit.backend.jobs().hang_up_from(0);
            let progress = kit.run(&external(1)).await;
            assert_eq!((progress.episodes.faulted, progress.rows.accepted), (1, 0), "{patient}");
            assert_eq!(faults(&kit).await, [Some(FaultKind::AgentBroken); 3], "{patient}");
            assert_eq!(kit.models.named("fake/one").calls().len(), 3 * calls, "{patient}");
        });
    }
}

/// Each call on which an agent hangs up is paid for. So it has a few of them in a turn, whatever
/// its turns and its time are.
#[test]
fn an_agent_that_hangs_up_for_ever_is_ended() {
    in_test_system(options(), |kit| async move {
        kit.backend.jobs().are_patient();
        kit.backend.jobs().hang_up_from(1);
        let progress = kit.run(&external(1)).await;
        assert_eq!((progress.episodes.unresolved, progress.steps), (1, 1));
        assert_eq!(stop(&kit).await, StopReason::AgentFailed);
        assert_eq!(kit.models.named("fake/one").calls().len(), 1 + 5);
    });
}

/// The time of a call on which an agent hangs up is its own: a minute has room for three calls of
/// 20 seconds.
#[test]
fn an_agent_that_hangs_up_uses_up_its_time() {
    in_test_system(options(), |kit| async move {
        kit.backend.jobs().are_patient();
        kit.backend.jobs().hang_up_from(1);
        let model = kit.models.named("fake/one");
        model.takes(Duration::from_secs(20));
        let mut config = external(1);
        config.episode.timeout = Duration::from_secs(60);
        kit.run(&config).await;
        assert_eq!(stop(&kit).await, StopReason::TimeLimit);
        assert_eq!(model.calls().len(), 1 + 3);
    });
}

/// A program that asks again without a pause pays for each failure of the provider. The attempt
/// ends with the provider's fault, and its next attempt pays for no turn again.
#[test]
fn a_program_that_asks_again_for_ever_is_ended() {
    in_test_system(options(), |kit| async move {
        kit.backend.jobs().are_patient();
        let model = kit.models.named("fake/one");
        model.traps.set("turn 2", 0, 9_999, Trap::Fault(FaultKind::ModelTransient));
        let mut config = external(1);
        config.episode.attempts = 2;
        let progress = kit.run(&config).await;
        assert_eq!((progress.episodes.faulted, progress.rows.accepted), (1, 0));
        assert_eq!(faults(&kit).await, [Some(FaultKind::ModelTransient); 2]);
        assert_eq!(model.calls().len(), 2 + 2 * 5);
    });
}

/// Hanging up after the provider has failed is no failure of the agent.
#[test]
fn an_agent_that_hangs_up_after_a_failure_of_the_provider_is_no_label() {
    in_test_system(options(), |kit| async move {
        kit.backend.jobs().are_patient();
        let model = kit.models.named("fake/one");
        model.traps.once("turn 2", Trap::Fault(FaultKind::ModelTransient));
        model.traps.set("turn 2", 0, 4, Trap::Fault(FaultKind::AgentLeft));
        kit.run(&external(1)).await;
        assert_eq!(labels(&kit, "c").await, ["resolved"]);
        assert_eq!(faults(&kit).await, [Some(FaultKind::ModelTransient), None]);
    });
}

/// The agent's time runs out while its calls fail. That is a fault of the provider and no label.
#[test]
fn time_that_went_by_without_an_answer_is_no_label_either() {
    in_test_system(options(), |kit| async move {
        kit.backend.jobs().are_patient();
        let model = kit.models.named("fake/one");
        model.traps.set("turn 2", 0, 200, Trap::Fault(FaultKind::ModelTransient));
        let mut config = external(1);
        config.episode.timeout = Duration::from_millis(50);
        config.episode.attempts = 2;
        let progress = kit.run(&config).await;
        assert_eq!((progress.episodes.faulted, progress.rows.accepted), (1, 0));
        let record = episodes(&kit, "c").await.remove(0);
        let attempts = kit.journal.attempts(&record.plan.id).await.unwrap();
        let kinds: Vec<_> = attempts.iter().map(|a| a.fault.as_ref().unwrap().kind).collect();
        assert_eq!(kinds, [FaultKind::ModelTransient; 2]);
    });
}

#[test]
fn a_program_that_asks_nobody_is_no_agent() {
    in_test_system(options(), |kit| async move {
        kit.backend.jobs().are_broken(true);
        let progress = kit.run(&external(1)).await;
        assert_eq!((progress.episodes.faulted, progress.rows.accepted), (1, 0));
        let record = episodes(&kit, "c").await.remove(0);
        let Some(Outcome::Faulted { fault }) = record.outcome else { panic!("{record:?}") };
        assert_eq!(fault.kind, FaultKind::AgentBroken);
        assert!(fault.message.contains("exit code 127"), "{fault}");
    });
    // If the programs of many episodes do so in a row, the campaign pauses.
    in_test_system(options(), |kit| async move {
        kit.backend.jobs().are_broken(true);
        let handle = kit.submit(&external(30)).await;
        let progress = handle.wait_until_settled().await;
        assert!(progress.reason.as_ref().is_some_and(|why| why.contains("agent_broken")));
        kit.backend.jobs().are_broken(false);
    });
}

/// A program that sleeps until its time is up has asked nothing either: no label.
#[test]
fn a_program_that_asks_nothing_until_its_time_is_up_is_no_agent() {
    in_test_system(options(), |kit| async move {
        kit.backend.jobs().are_idle();
        let mut config = external(1);
        config.episode.timeout = Duration::from_secs(60);
        let progress = kit.run(&config).await;
        assert_eq!((progress.episodes.faulted, progress.rows.accepted), (1, 0));
        let record = episodes(&kit, "c").await.remove(0);
        let Some(Outcome::Faulted { fault }) = record.outcome else { panic!("{record:?}") };
        assert_eq!(fault.kind, FaultKind::AgentBroken);
        assert!(fault.message.contains("until its time was up"), "{fault}");
    });
}

/// A budget of an episode that does not cover the first call is a fault. One that is spent later is
/// an ending of the agent.
#[test]
fn a_share_without_room_for_its_first_call_is_no_label() {
    for (turn, faulted, unresolved) in [("turn 0", 1, 0), ("turn 1", 0, 1)] {
        in_test_system(options(), move |kit| async move {
            let model = kit.models.named("fake/one");
            model.traps.once(turn, Trap::Fault(FaultKind::EpisodeBudget));
            let progress = kit.run(&external(1)).await;
            let ended = (progress.episodes.faulted, progress.episodes.unresolved);
            assert_eq!(ended, (faulted, unresolved), "{turn}");
            let kind = match episodes(&kit, "c").await.remove(0).outcome {
                Some(Outcome::Faulted { fault }) => Some(fault.kind),
                _ => None,
            };
            assert_eq!(kind, (faulted == 1).then_some(FaultKind::EpisodeCapSmall), "{turn}");
        });
    }
}

/// So is a context that is full before the first turn, also if the program waits until its time is
/// up.
#[test]
fn a_context_without_room_for_the_first_call_is_no_label() {
    for patient in [false, true] {
        in_test_system(options(), move |kit| async move {
            if patient {
                kit.backend.jobs().are_patient();
            }
            let model = kit.models.named("fake/one");
            model.traps.set("turn 0", 0, 9_999, Trap::Fault(FaultKind::ContextFull));
            let mut config = external(1);
            config.episode.timeout = Duration::from_millis(40);
            let progress = kit.run(&config).await;
            assert_eq!((progress.episodes.faulted, progress.rows.accepted), (1, 0), "{patient}");
            let record = episodes(&kit, "c").await.remove(0);
            let Some(Outcome::Faulted { fault }) = record.outcome else { panic!("{record:?}") };
            assert_eq!(fault.kind, FaultKind::ModelRejected, "{patient}");
        });
    }
}

/// The potential after each turn.
async fn measured(kit: &Kit) -> Vec<f64> {
    let record = episodes(kit, "c").await.remove(0);
    let turns = kit.journal.turns(&record.plan.id, record.attempt).await.unwrap();
    turns.iter().map(|turn| turn.step.potential).collect()
}

/// The program stands still and its call waits, for longer than all of its time.
#[test]
fn the_pause_of_a_measurement_is_none_of_a_programs_time() {
    let pause_slot = PauseSlot::new(Duration::from_secs(60));
    in_test_system(Options { pause_slot, ..options() }, |kit| async move {
        let mut config = external(1);
        config.episode.timeout = Duration::from_secs(30);
        assert_eq!(kit.run(&config).await.episodes.resolved, 1);
        assert!(measured(&kit).await.contains(&0.25));
    });
}

/// What was reached stays reached, and what was not measured is measured as soon as it can be.
#[test]
fn a_measurement_that_failed_takes_no_credit() {
    for scaffold in ["external/agent", "minimal"] {
        for (skipped, failing, potentials) in
            [(1, 1, [0.0, 0.25, 0.25, 0.25]), (0, 2, [0.0, 0.0, 0.0, 0.25])]
        {
            in_test_system(options(), move |kit| async move {
                let mut config = external(1);
                config.scaffolds = vec![scaffold.to_owned()];
                let trap = Trap::Fault(FaultKind::SandboxCopy);
                kit.backend.traps().set("freeze", skipped, failing, trap);
                kit.run(&config).await;
                assert_eq!(measured(&kit).await, potentials, "{scaffold} {failing}");
            });
        }
    }
}

/// A milestone that holds gives no credit where the agent could not be stopped, or ran meanwhile:
/// neither in the step of that measurement, nor later on the strength of it.
#[test]
fn a_measurement_that_failed_gives_no_credit() {
    for event in ["freeze", "thaw"] {
        for scaffold in ["external/agent", "minimal"] {
            in_test_system(options(), move |kit| async move {
                let mut config = external(1);
                config.scaffolds = vec![scaffold.to_owned()];
                let failing = Trap::Fault(FaultKind::SandboxCopy);
                kit.backend.traps().set(event, 0, 9, failing);
                let progress = kit.run(&config).await;
                assert_eq!(progress.episodes.resolved, 1, "{event} {scaffold}: its work counts");
                assert_eq!(measured(&kit).await, [0.0; 4], "{event} {scaffold}");
            });
        }
    }
    // Nothing but that: a freeze that works measures it.
    in_test_system(options(), |kit| async move {
        kit.run(&external(1)).await;
        assert!(measured(&kit).await.contains(&0.25));
    });
}
