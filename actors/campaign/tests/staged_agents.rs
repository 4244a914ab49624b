//! Agent programs that play tasks with stages: a program is started once for each stage, its calls go
//! on in the same episode, and a stage is verified between two starts.

use super::agents::{external, stop};
use super::stages::{row, stages, turns, verdict};
use super::{assert_nothing_lost_or_doubled, episodes, options};
use crate::campaign::CampaignProgress;
use crate::model::{AttemptNumber, CampaignConfig, FaultKind, StopReason};
use crate::task::Catalog;
use crate::testkit::{Kit, Line, STAGED, Trap, in_test_system};

/// One episode of the template with three stages.
fn one() -> CampaignConfig {
    let mut config = external(1);
    config.tasks.templates = vec![STAGED.0.to_owned()];
    config
}

async fn run(kit: &Kit, config: &CampaignConfig) -> CampaignProgress {
    kit.run_with(config, Catalog::read([STAGED]).unwrap()).await
}

fn lost() -> Trap {
    Trap::Fault(FaultKind::SandboxLost)
}

/// The checks of the verdict that say that their stage was not reached.
async fn unreached(kit: &Kit) -> Vec<String> {
    let verdict = verdict(kit).await;
    let unreached = verdict.checks.into_iter().filter(|check| check.output == "not reached");
    unreached.map(|check| check.name).collect()
}

#[test]
fn a_program_is_started_with_each_instruction() {
    in_test_system(options(), |kit| async move {
        let progress = run(&kit, &one()).await;
        assert_nothing_lost_or_doubled(&kit, "c").await;
        assert_eq!((progress.episodes.resolved, progress.steps), (1, 7));
        let row = row(&kit).await;
        assert_eq!(stages(&row), ["copy", "copy", "copy", "sign", "sign", "send", "send"]);
        let rewards: Vec<f64> = row.trajectory.iter().map(|step| step.reward).collect();
        assert_eq!(rewards, [0.0, 0.25, 0.0, 0.5, 0.0, 0.0, 0.25]);
        let told = kit.models.named("fake/one").openings();
        let told: Vec<&str> = told.iter().map(|told| &told[..4]).collect();
        assert_eq!(told, ["Writ", "Writ", "Writ", "Sign", "Sign", "Send", "Send"]);
        let turns = turns(&kit).await;
        // Each program begins a conversation of its own.
        let openings: Vec<bool> = turns.iter().map(|turn| turn.opening.is_some()).collect();
        assert_eq!(openings, [true, false, false, true, false, true, false]);
        let before = turns.into_iter().map(|turn| turn.step.stage.unwrap().before);
        let before: Vec<Option<String>> = before.map(|one| one.map(|one| one.stage)).collect();
        let (copy, sign) = (Some("copy".to_owned()), Some("sign".to_owned()));
        assert_eq!(before, [None, None, None, copy, None, sign, None]);
    });
}

/// A sandbox that is lost anywhere, also while a stage is verified: the next attempt gives the paid
/// answers again, one program after the other, and goes on in the stage.
#[test]
fn an_attempt_that_is_cut_off_anywhere_goes_on_in_its_stage() {
    for (event, calls) in [
        ("exec get start", 8),
        ("exec put letter", 8),
        ("exec is letter", 7),
        ("exec put name", 8),
        ("exec is name", 7),
        ("exec put sent", 8),
        ("exec is sent", 7),
    ] {
        in_test_system(options(), move |kit| async move {
            kit.backend.traps().once(event, lost());
            let progress = run(&kit, &one()).await;
            assert_eq!((progress.episodes.resolved, progress.steps), (1, 7), "{event}");
            assert_eq!(kit.models.named("fake/one").calls().len(), calls, "{event}");
            let record = episodes(&kit, "c").await.remove(0);
            assert_eq!(record.attempt, AttemptNumber(2), "{event}: the calls repeat");
            let row = row(&kit).await;
            assert_eq!(row.total_reward, 1.0, "{event}");
            assert_eq!(stages(&row)[2..6], ["copy", "sign", "sign", "send"], "{event}");
        });
    }
}

/// The stage has three turns. The call after them ends the program, also in an attempt that repeats
/// it.
#[test]
fn a_program_whose_stage_has_had_its_turns_is_stopped() {
    for lost_at in [None, Some("exec put sent"), Some("exec is sent")] {
        in_test_system(options(), move |kit| async move {
            kit.models.named("fake/one").says(|context| match context.turn {
                0..=2 => Line::Oracle,
                3..=5 => Line::Run("echo on".to_owned()),
                6 => Line::Run("put sent yes".to_owned()),
                _ => Line::Submit,
            });
            if let Some(event) = lost_at {
                kit.backend.traps().once(event, lost());
            }
            let progress = run(&kit, &one()).await;
            assert_eq!((progress.episodes.unresolved, progress.steps), (1, 8), "{lost_at:?}");
            let row = row(&kit).await;
            assert_eq!(stages(&row)[3..], ["sign", "sign", "sign", "send", "send"]);
            assert_eq!(row.total_reward, 0.5);
            assert_eq!(row.trajectory[5].observation, "on\n");
            assert_eq!(stop(&kit).await, StopReason::Submitted);
            let record = episodes(&kit, "c").await.remove(0);
            assert_eq!(record.attempt, AttemptNumber(1 + u32::from(lost_at.is_some())));
        });
    }
}

/// The stage in which a limit ends the episode is verified; stages without a turn are not reached, and
/// no program is started for them.
#[test]
fn a_limit_leaves_the_later_stages_unreached() {
    for (max_turns, score, expected) in [
        (3, 0.25, vec!["sign/verified", "send/verified"]),
        (4, 0.75, vec!["send/verified"]),
        (5, 0.75, vec!["send/verified"]),
    ] {
        in_test_system(options(), move |kit| async move {
            let mut config = one();
            config.episode.max_turns = max_turns;
            if max_turns == 3 {
                // A second start would lose the sandbox.
                kit.backend.traps().set("start agent", 1, 9, lost());
            }
            run(&kit, &config).await;
            assert_nothing_lost_or_doubled(&kit, "c").await;
            assert_eq!(verdict(&kit).await.score, score, "{max_turns}");
            assert_eq!(unreached(&kit).await, expected, "{max_turns}");
            assert_eq!(stop(&kit).await, StopReason::StepLimit, "{max_turns}");
        });
    }
}

#[test]
fn a_program_that_fails_in_a_stage_ends_the_episode() {
    // It gives up in the stage, which is verified.
    in_test_system(options(), |kit| async move {
        kit.models.named("fake/one").says(|context| match context.turn {
            4 => Line::Prose("I give up".to_owned()),
            _ => Line::Oracle,
        });
        run(&kit, &one()).await;
        assert_eq!(stop(&kit).await, StopReason::AgentFailed);
        assert_eq!(verdict(&kit).await.score, 0.75);
        assert_eq!(unreached(&kit).await, ["send/verified"]);
    });
    // It ends before its first call in the stage, which it has not reached.
    in_test_system(options(), |kit| async move {
        let backend = kit.backend.clone();
        kit.models.named("fake/one").says(move |context| {
            backend.jobs().are_broken(context.turn == 2);
            Line::Oracle
        });
        run(&kit, &one()).await;
        assert_eq!(stop(&kit).await, StopReason::AgentFailed);
        assert_eq!(verdict(&kit).await.score, 0.25);
        assert_eq!(unreached(&kit).await, ["sign/verified", "send/verified"]);
        assert_eq!(turns(&kit).await.len(), 3);
    });
}
